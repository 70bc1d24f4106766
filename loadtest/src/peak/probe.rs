//! Paced requests: one every so often, whether or not the last was answered.
//!
//! The thread is awake when something happens: it does not sleep while a reply is awaited, nor
//! shortly before a request is due. An idle processor takes a tenth of a millisecond and more to come
//! back, which would be counted as the server's. Other generators on the same processor have the rest
//! of the time; when the probe wakes, it goes before them.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use hdrhistogram::Histogram;
use keyturn::cpu::{SLICE_MIN, set_slice};

use super::meter::{Meter, histogram};
use super::ring::{Outcome, Ring};
use crate::clock;
use crate::target::wrong;

const NS_PER_S: u64 = 1_000_000_000;

/// How long before a request is due the thread is awake.
const VIGIL_NS: u64 = 150_000;

/// What else there is to know about the requests, the warm-up included.
#[derive(Debug)]
pub(super) struct Aside {
    /// How late they were sent.
    pub(super) late: Histogram<u64>,
    /// Their latency from the moment they were in fact sent.
    pub(super) from_sent: Histogram<u64>,
}

struct Slot {
    socket: TcpStream,
    /// When each unanswered request was due, and when it was sent.
    waiting: VecDeque<(u64, u64)>,
    received: usize,
}

/// Sends `request` on schedule, `rate` times a second over all `sockets` in turn, until `meter`
/// has measured. Latency counts from the moment a request was due.
///
/// # Errors
/// When a reply is not `reply`, a connection breaks, or the ring fails.
pub(super) fn run(
    sockets: Vec<TcpStream>,
    request: &'static [u8],
    reply: &[u8],
    rate: u64,
    meter: &mut Meter,
) -> io::Result<Aside> {
    // Where the kernel refuses, the lateness tells.
    set_slice(SLICE_MIN).ok();
    let mut ring = Ring::new()?;
    let mut slots: Vec<Slot> =
        sockets.into_iter().map(|socket| Slot { socket, waiting: VecDeque::new(), received: 0 }).collect();
    for (index, slot) in (0..).zip(&slots) {
        ring.receive(index, slot.socket.as_fd())?;
    }
    let mut aside = Aside { late: histogram(), from_sent: histogram() };
    let start = clock::monotonic_ns();
    let due = |count: u64| start + count.saturating_mul(NS_PER_S) / rate;
    let mut sent = 0;
    let mut completions = Vec::new();
    loop {
        let now = clock::monotonic_ns();
        if !meter.advance(now)? {
            meter.judge(aside.late.value_at_quantile(0.5) > NS_PER_S / rate);
            return Ok(aside);
        }
        while due(sent) <= now {
            let index = (sent % slots.len() as u64) as usize;
            slots[index].waiting.push_back((due(sent), now));
            aside.late.saturating_record((now - due(sent)).max(1));
            ring.send(index as u32, slots[index].socket.as_fd(), request)?;
            sent += 1;
        }
        let is_awaiting = slots.iter().any(|slot| !slot.waiting.is_empty());
        let rest = if is_awaiting { 0 } else { (due(sent) - now).saturating_sub(VIGIL_NS) };
        ring.wait(Duration::from_nanos(rest))?;
        let now = clock::monotonic_ns();
        ring.reap(&mut completions);
        for completion in completions.drain(..) {
            let index = completion.slot;
            let slot = &mut slots[index as usize];
            match completion.outcome {
                Outcome::Received { filled, armed } => {
                    let bytes = ring.bytes(&filled);
                    slot.hear(bytes, reply, now, meter, &mut aside.from_sent)?;
                    ring.recycle(filled);
                    if !armed {
                        ring.receive(index, slot.socket.as_fd())?;
                    }
                }
                Outcome::Starved => ring.receive(index, slot.socket.as_fd())?,
                Outcome::Ended => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Outcome::Failed(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Slot {
    /// Takes in `bytes`, which continue a run of `reply`s.
    fn hear(
        &mut self,
        bytes: &[u8],
        reply: &[u8],
        now: u64,
        meter: &mut Meter,
        from_sent: &mut Histogram<u64>,
    ) -> io::Result<()> {
        for byte in bytes {
            if reply[self.received] != *byte {
                return Err(wrong("a paced request", bytes));
            }
            self.received = (self.received + 1) % reply.len();
            if self.received == 0 {
                let (due, sent) = self.waiting.pop_front().ok_or_else(|| wrong("nothing at all", bytes))?;
                meter.record(now - due, 1);
                from_sent.saturating_record((now - sent).max(1));
            }
        }
        Ok(())
    }
}
