//! Short sessions, one after the other on each slot: connect, a few exchanges, end of file.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use super::meter::Meter;
use super::ring::{Completion, Outcome, Ring};
use crate::clock;
use crate::target::{Protocol, wrong};
use crate::wire::{is_reply, line_bytes};

/// How long the loop waits for a completion before it looks at the clock again.
const TURN_MAX: Duration = Duration::from_millis(10);

/// How long sessions that were begun in the window may take to end after it.
const WIND_DOWN_MAX: Duration = Duration::from_secs(30);

/// What one session says.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// In order; the first may be a greeting, which nothing is sent for.
    pub(super) steps: Vec<Step>,
}

/// One exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// What is sent; empty for a greeting.
    pub(super) send: &'static [u8],
    /// What must be answered.
    pub(super) expect: Expect,
}

/// A reply line that is right.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// A poppwd reply with one of these codes.
    Codes(&'static [&'static [u8; 3]]),
    /// This very line.
    Line(&'static [u8]),
}

impl Expect {
    fn accepts(self, line: &[u8]) -> bool {
        match self {
            Self::Codes(codes) => is_reply(line, codes),
            Self::Line(exact) => line == exact,
        }
    }
}

/// The shortest session of `protocol`: in poppwd the server speaks first, so a redis session of
/// the same two replies begins with a PING.
pub(super) fn shortest(protocol: Protocol) -> Script {
    let steps = match protocol {
        Protocol::Keyturn => vec![
            Step { send: b"", expect: Expect::Codes(&[b"200"]) },
            Step { send: b"QUIT\r\n", expect: Expect::Codes(&[b"200"]) },
        ],
        Protocol::Redis => vec![
            Step { send: b"PING\r\n", expect: Expect::Line(b"+PONG\r\n") },
            Step { send: b"QUIT\r\n", expect: Expect::Line(b"+OK\r\n") },
        ],
        Protocol::Memcached => vec![Step { send: b"mn\r\nquit\r\n", expect: Expect::Line(b"MN\r\n") }],
    };
    Script { steps }
}

/// A whole password change: log in as `user` with `old`, set `new`, quit.
pub(super) fn change(user: &str, old: &str, new: &str) -> Script {
    let step = |line: String, codes| Step { send: line.into_bytes().leak(), expect: Expect::Codes(codes) };
    Script {
        steps: vec![
            Step { send: b"", expect: Expect::Codes(&[b"200"]) },
            step(format!("USER {user}\r\n"), &[b"200", b"300"]),
            step(format!("PASS {old}\r\n"), &[b"200"]),
            step(format!("NEWPASS {new}\r\n"), &[b"200"]),
            Step { send: b"QUIT\r\n", expect: Expect::Codes(&[b"200"]) },
        ],
    }
}

/// One session after the other.
struct Slot {
    scripts: Vec<Script>,
    /// Which of `scripts` is being played.
    playing: usize,
    /// Which step waits for its reply; past the last one, the end of file is awaited.
    step: usize,
    socket: TcpStream,
    begun_at: u64,
    line: Vec<u8>,
}

impl Slot {
    /// Connects and begins `scripts[playing]`.
    fn begin(&mut self, index: u32, address: SocketAddr, ring: &mut Ring) -> io::Result<()> {
        self.begun_at = clock::monotonic_ns();
        self.socket = TcpStream::connect(address)?;
        self.step = 0;
        self.line.clear();
        ring.receive(index, self.socket.as_fd())?;
        self.speak(index, ring)
    }

    /// Sends what the current step says, if it says anything.
    fn speak(&self, index: u32, ring: &mut Ring) -> io::Result<()> {
        match self.scripts[self.playing].steps.get(self.step) {
            Some(step) if !step.send.is_empty() => ring.send(index, self.socket.as_fd(), step.send),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes in `bytes`; true when they complete the reply of the current step, which is then past.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.line.extend_from_slice(bytes);
        let Some(length) = line_bytes(&self.line) else {
            return Ok(false);
        };
        let step = self.scripts[self.playing].steps.get(self.step);
        match step {
            Some(step) if length == self.line.len() && step.expect.accepts(&self.line) => {
                self.line.clear();
                self.step += 1;
                Ok(true)
            }
            Some(step) => Err(wrong(&verb(step.send), &self.line)),
            None => Err(wrong("a finished session", &self.line)),
        }
    }

    /// Whether everything was said and answered.
    fn is_finished(&self) -> bool {
        self.step == self.scripts[self.playing].steps.len() && self.line.is_empty()
    }
}

/// The first word of what was sent, without its argument, which may be a secret.
fn verb(sent: &[u8]) -> String {
    match sent.split(|byte| b" \r\n".contains(byte)).next() {
        Some(b"") | None => "a new connection".to_owned(),
        Some(word) => word.escape_ascii().to_string(),
    }
}

/// Plays sessions on one slot per member of `casts`, each slot its scripts in turn and again,
/// until `meter` has measured; each slot then ends after its last script.
///
/// # Errors
/// When a reply is not the expected one, a connection breaks, or the ring fails.
pub(super) fn run(address: SocketAddr, casts: Vec<Vec<Script>>, meter: &mut Meter) -> io::Result<()> {
    let mut ring = Ring::new()?;
    let mut slots = Vec::new();
    for (index, scripts) in (0..).zip(casts) {
        let socket = TcpStream::connect(address)?;
        let begun_at = clock::monotonic_ns();
        let slot = Slot { scripts, playing: 0, step: 0, socket, begun_at, line: Vec::new() };
        ring.receive(index, slot.socket.as_fd())?;
        slot.speak(index, &mut ring)?;
        slots.push(slot);
    }
    let mut playing = slots.len();
    let mut completions = Vec::new();
    let mut measuring_until = None;
    while playing > 0 {
        ring.wait(TURN_MAX)?;
        let now = clock::monotonic_ns();
        if !meter.advance(now)? {
            let since = *measuring_until.get_or_insert(now);
            if u128::from(now - since) > WIND_DOWN_MAX.as_nanos() {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
        }
        ring.reap(&mut completions);
        for completion in completions.drain(..) {
            let index = completion.slot;
            let slot = &mut slots[index as usize];
            if !take_in(slot, completion, &mut ring)? {
                continue;
            }
            meter.record(clock::monotonic_ns() - slot.begun_at, 1);
            slot.playing = (slot.playing + 1) % slot.scripts.len();
            if measuring_until.is_some() && slot.playing == 0 {
                playing -= 1;
            } else {
                slot.begin(index, address, &mut ring)?;
            }
        }
    }
    Ok(())
}

/// Lets `slot` go on with `completion`; true when its session has ended as it should.
fn take_in(slot: &mut Slot, completion: Completion, ring: &mut Ring) -> io::Result<bool> {
    match completion.outcome {
        Outcome::Received { filled, armed } => {
            let advanced = slot.hear(ring.bytes(&filled))?;
            ring.recycle(filled);
            if advanced {
                slot.speak(completion.slot, ring)?;
            }
            if !armed {
                ring.receive(completion.slot, slot.socket.as_fd())?;
            }
            Ok(false)
        }
        Outcome::Starved => ring.receive(completion.slot, slot.socket.as_fd()).map(|()| false),
        Outcome::Ended if slot.is_finished() => Ok(true),
        Outcome::Ended => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        Outcome::Failed(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_verb_and_never_the_argument() {
        assert_eq!(verb(b"PASS secret\r\n"), "PASS");
        assert_eq!(verb(b""), "a new connection");
    }

    #[test]
    fn a_change_is_five_replies_long_and_keeps_spaces_in_passwords() {
        let script = change("u", "old one", " new");
        assert_eq!(script.steps.len(), 5);
        assert_eq!(script.steps[2].send, b"PASS old one\r\n");
        assert_eq!(script.steps[3].send, b"NEWPASS  new\r\n");
    }
}
