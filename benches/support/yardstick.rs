//! What the cores of a machine can do at the best, and what they share.

use std::hint::{black_box, spin_loop};
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// How often a line goes to and fro.
const ROUND_TRIPS: usize = 100_000;

/// What one copy reads, and what it writes: together an arena of 19 MiB.
const COPIED_WORDS: usize = 19 * (1 << 20) / 2 / 8;

/// Nanoseconds in which a cache line that one CPU has written reaches another: the first and the
/// last of those that this process may use.
pub(crate) fn handover_ns() -> io::Result<f64> {
    let allowed = sched_getaffinity(None)?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let Some((first, last)) = cpus.next().and_then(|first| Some((first, cpus.next_back()?))) else { return Ok(0.0) };
    let ball = AtomicUsize::new(0);
    // Who waits for an even number makes it odd, and the other way round.
    let play = |cpu: usize, mine: usize| -> io::Result<f64> {
        stay_on(cpu)?;
        let begun = now();
        for turn in 0..ROUND_TRIPS {
            while ball.load(Ordering::Acquire) != 2 * turn + mine {
                spin_loop();
            }
            ball.store(2 * turn + mine + 1, Ordering::Release);
        }
        Ok((now() - begun).as_nanos() as f64 / (2 * ROUND_TRIPS) as f64)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| play(last, 1));
        let ns = scope.spawn(|| play(first, 0)).join().expect("playing does not panic");
        other.join().expect("playing does not panic").and(ns)
    })
}

/// How many times a second so many threads together copy half an arena each over its other half.
pub(crate) fn copies_per_s(threads: usize, length: Duration) -> io::Result<f64> {
    let barrier = Barrier::new(threads);
    let copy = || {
        let (mut from, mut to) = (vec![1_u64; COPIED_WORDS], vec![2_u64; COPIED_WORDS]);
        barrier.wait();
        let (begun, mut count) = (now(), 0.0);
        loop {
            to.copy_from_slice(black_box(&from));
            std::mem::swap(&mut from, &mut to);
            count += 1.0;
            let taken = now() - begun;
            if taken >= length {
                return count / taken.as_secs_f64();
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(copy)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("copying panicked"))).sum()
    })
}

fn stay_on(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu);
    Ok(sched_setaffinity(None, &only)?)
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
