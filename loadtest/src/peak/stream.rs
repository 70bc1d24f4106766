//! Ping-pong and pipelining: every connection has one batch of requests in flight, always.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use super::meter::Meter;
use super::ring::{Outcome, Ring};
use crate::clock;
use crate::target::wrong;

/// How long the loop waits for a completion before it looks at the clock again.
const TURN_MAX: Duration = Duration::from_millis(10);

/// What is sent, over and over, and what must come back.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The requests of one batch.
    pub(super) requests: &'static [u8],
    /// All their replies, byte for byte.
    pub(super) replies: Vec<u8>,
    /// How many they are.
    pub(super) count: u64,
}

struct Slot {
    socket: TcpStream,
    sent_at: u64,
    /// How many bytes of the replies have come.
    received: usize,
}

/// Drives `sockets` until `meter` has measured.
///
/// # Errors
/// When a reply is not the expected one, a connection breaks, or the ring fails.
pub(super) fn run(sockets: Vec<TcpStream>, exchange: &Exchange, meter: &mut Meter) -> io::Result<()> {
    let mut ring = Ring::new()?;
    let mut slots: Vec<Slot> =
        sockets.into_iter().map(|socket| Slot { socket, sent_at: clock::monotonic_ns(), received: 0 }).collect();
    for (index, slot) in (0..).zip(&slots) {
        ring.receive(index, slot.socket.as_fd())?;
        ring.send(index, slot.socket.as_fd(), exchange.requests)?;
    }
    let mut completions = Vec::new();
    loop {
        ring.wait(TURN_MAX)?;
        let now = clock::monotonic_ns();
        if !meter.advance(now)? {
            return Ok(());
        }
        ring.reap(&mut completions);
        for completion in completions.drain(..) {
            let index = completion.slot;
            let slot = &mut slots[index as usize];
            match completion.outcome {
                Outcome::Received { filled, armed } => {
                    let done = check(ring.bytes(&filled), &mut slot.received, &exchange.replies)?;
                    ring.recycle(filled);
                    if done {
                        meter.record(now - slot.sent_at, exchange.count);
                        slot.sent_at = now;
                        ring.send(index, slot.socket.as_fd(), exchange.requests)?;
                    }
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

/// Compares `bytes` with `replies` from `received` on; true when that completes them.
fn check(bytes: &[u8], received: &mut usize, replies: &[u8]) -> io::Result<bool> {
    let end = *received + bytes.len();
    if replies.get(*received..end) != Some(bytes) {
        return Err(wrong("a batch of requests, somewhere,", bytes));
    }
    *received = if end == replies.len() { 0 } else { end };
    Ok(*received == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_may_come_in_pieces_but_not_differ() {
        let replies = b"200 a\r\n200 a\r\n";
        let mut received = 0;
        assert!(!check(b"200 a\r\n2", &mut received, replies).unwrap());
        assert!(check(b"00 a\r\n", &mut received, replies).unwrap());
        assert_eq!(received, 0);
        assert!(check(b"200 b", &mut received, replies).is_err());
        assert!(check(b"200 a\r\n200 a\r\n2", &mut received, replies).is_err());
    }
}
