//! Paced requests: one every so often, whether or not the last was answered.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::meter::Meter;
use super::ring::{Outcome, Ring};
use crate::clock;
use crate::target::wrong;

/// Timers of this thread fire at most this much late by choice of the kernel.
const TIMER_SLACK_NS: u32 = 1_000;

struct Slot {
    socket: TcpStream,
    /// When each unanswered request should have been sent.
    intended: VecDeque<u64>,
    received: usize,
}

/// Sends `request` on schedule, `rate` times a second over all `sockets` in turn, until `meter`
/// has measured. Latency counts from the moment a request was due. Returns how late they were
/// sent.
///
/// # Errors
/// When a reply is not `reply`, a connection breaks, or the ring fails.
pub(super) fn run(
    sockets: Vec<TcpStream>,
    request: &'static [u8],
    reply: &[u8],
    rate: u64,
    meter: &mut Meter,
) -> io::Result<Histogram<u64>> {
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(u64::from(TIMER_SLACK_NS)))?;
    let mut ring = Ring::new()?;
    let mut slots: Vec<Slot> =
        sockets.into_iter().map(|socket| Slot { socket, intended: VecDeque::new(), received: 0 }).collect();
    for (index, slot) in (0..).zip(&slots) {
        ring.receive(index, slot.socket.as_fd())?;
    }
    let mut lateness = super::meter::histogram();
    let start = clock::monotonic_ns();
    let due = |count: u64| start + count.saturating_mul(1_000_000_000) / rate;
    let mut sent = 0;
    let mut completions = Vec::new();
    loop {
        let now = clock::monotonic_ns();
        if !meter.advance(now)? {
            return Ok(lateness);
        }
        while due(sent) <= now {
            let index = (sent % slots.len() as u64) as usize;
            slots[index].intended.push_back(due(sent));
            lateness.saturating_record((now - due(sent)).max(1));
            ring.send(index as u32, slots[index].socket.as_fd(), request)?;
            sent += 1;
        }
        ring.wait(Duration::from_nanos(due(sent) - now))?;
        let now = clock::monotonic_ns();
        ring.reap(&mut completions);
        for completion in completions.drain(..) {
            let index = completion.slot;
            let slot = &mut slots[index as usize];
            match completion.outcome {
                Outcome::Received { filled, armed } => {
                    let bytes = ring.bytes(&filled);
                    slot.hear(bytes, reply, now, meter)?;
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
    fn hear(&mut self, bytes: &[u8], reply: &[u8], now: u64, meter: &mut Meter) -> io::Result<()> {
        for byte in bytes {
            if reply[self.received] != *byte {
                return Err(wrong("a paced request", bytes));
            }
            self.received = (self.received + 1) % reply.len();
            if self.received == 0 {
                let intended = self.intended.pop_front().ok_or_else(|| wrong("nothing at all", bytes))?;
                meter.record(now - intended, 1);
            }
        }
        Ok(())
    }
}
