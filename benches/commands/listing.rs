//! What others notice while a long list is sent.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::session::Session;
use crate::support::machine::Spread;
use crate::support::server::{Home, Server};
use crate::{COST, SERVER, populate, yes_or_no};

const PROBES: usize = 4;
const PROBE_PERIOD: Duration = Duration::from_millis(4);
const PROBE_P99_US_MAX: f64 = 2000.0;

/// Lists so many accounts over and over; returns the rows of what others notice.
pub(crate) fn measure_listing(listed: u64, rounds: usize, seconds: f64) -> io::Result<String> {
    let home = Home::new(SERVER.cpus.len(), COST)?;
    let import = populate(&home, listed)?;
    let server = home.serve(SERVER)?;
    let (mut alone, mut meanwhile, mut lists, mut rates) = (Vec::new(), Vec::new(), 0, Vec::new());
    for _ in 0..rounds {
        alone.push(probe(&server, seconds)?);
        let (times, count, rate) = probe_while_listing(&server, seconds)?;
        meanwhile.push(times);
        lists += count;
        rates.push(rate);
    }
    let over = |all: &[[f64; 3]], index: usize| Spread::of(all.iter().map(|times| times[index]));
    let p99 = over(&meanwhile, 1);
    Ok(format!(
        "| NOOP p50 while a list of {listed} accounts is sent, µs | {} | | |\n\
         | NOOP p99 meanwhile, µs | **{}** | ≤ {PROBE_P99_US_MAX:.0} | {} |\n\
         | the longest meanwhile, µs | {} | | |\n\
         | NOOP p99 without a list, µs | {} | | |\n\
         | the list, MB/s | {} | | |\n\
         | lists read meanwhile | {lists} | | |\n\
         | `keyturn import` of {listed} JSON lines, s | {:.1} | | |\n",
        over(&meanwhile, 0).show(0),
        p99.show(0),
        yes_or_no(p99.median <= PROBE_P99_US_MAX),
        over(&meanwhile, 2).show(0),
        over(&alone, 1).show(0),
        Spread::of(rates.iter().copied()).show(0),
        import.as_secs_f64(),
    ))
}

/// How long NOOPs take that are due every few milliseconds on each of some sessions, from the
/// moment each was due, in µs: the 50th and the 99th of a hundred, and the longest.
fn probe(server: &Server, seconds: f64) -> io::Result<[f64; 3]> {
    let opened: Vec<_> = (0..PROBES).map(|_| Session::open(server.address())).collect::<io::Result<_>>()?;
    let begun = Instant::now() + Duration::from_millis(10);
    let one = |index: usize, mut session: Session| -> io::Result<Vec<f64>> {
        let mut times = Vec::new();
        let mut due = begun + PROBE_PERIOD * index as u32 / PROBES as u32;
        while due < begun + Duration::from_secs_f64(seconds) {
            while Instant::now() < due {
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
            session.exchange("NOOP\r\n", 1)?;
            times.push(due.elapsed().as_secs_f64() * 1e6);
            due += PROBE_PERIOD;
        }
        Ok(times)
    };
    let mut times = std::thread::scope(|scope| -> io::Result<Vec<f64>> {
        let threads: Vec<_> =
            opened.into_iter().enumerate().map(|(index, session)| scope.spawn(move || one(index, session))).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("a probe does not panic"));
        Ok(times.collect::<io::Result<Vec<_>>>()?.concat())
    })?;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok([at(0.5), at(0.99), at(1.0)])
}

/// The same while a list is sent over and over; returns also how often and how fast.
fn probe_while_listing(server: &Server, seconds: f64) -> io::Result<([f64; 3], u64, f64)> {
    let enough = AtomicBool::new(false);
    let mut reader = Session::open(server.address())?;
    std::thread::scope(|scope| {
        let lister = scope.spawn(|| -> io::Result<(u64, f64)> {
            let (begun, mut lists, mut bytes) = (Instant::now(), 0, 0);
            while !enough.load(Ordering::Relaxed) {
                bytes += reader.list()?;
                lists += 1;
            }
            Ok((lists, bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()))
        });
        let times = probe(server, seconds);
        enough.store(true, Ordering::Relaxed);
        let (lists, rate) = lister.join().expect("the reader does not panic")?;
        Ok((times?, lists, rate))
    })
}
