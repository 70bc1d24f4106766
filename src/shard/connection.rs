mod proxied;
mod secure;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tracing::event;

use self::secure::Tls;
use super::desk::Desk;
use super::dialogue::Dialogue;
use crate::config::Live;
use crate::control::Channel;
use crate::model::Tick;
use crate::model::limits::{COMMAND_LINE_BYTES_MAX, LINE_BYTES_MAX, LINES_PER_TURN_MAX, REPLY_BYTES_MAX};
use crate::proto::{Awaits, Closing, Event, Framed, Inbox, Timeout};
use crate::ring::{Incoming, Key, OutId, Outgoing, RECEIVE_BUFFERS, Ring};
use crate::service::Answer;
use crate::syslog::MAJOR;

/// Room for the reply to a line, for the one to its answer, and for a parting line.
const ROOM_FOR_A_LINE: usize = 3 * REPLY_BYTES_MAX;

/// Input kept for a session that may not read on yet, at which no more is received. The beginning
/// of the longest line, with its CR, stays below it: a line that is still arriving never waits.
const REMAINDER_BYTES: usize = LINE_BYTES_MAX + 2;

/// As [`REMAINDER_BYTES`], while all that is kept is the beginning of one long command line.
const LONG_REMAINDER_BYTES: usize = COMMAND_LINE_BYTES_MAX + 2;

/// Input kept at the very most. One receive that serves many messages may have filled all the
/// ring's buffers before it is cancelled; a session to which that happens gets no second one.
const REMAINDER_BYTES_MAX: usize =
    LONG_REMAINDER_BYTES + RECEIVE_BUFFERS as usize * Incoming::BUFFER_BYTES + TLS_RECORD_BYTES_MAX;

/// Bytes of one record of TLS (RFC 8449, section 4): the beginning of one may lie apart.
const TLS_RECORD_BYTES_MAX: usize = (16 << 10) + 512;

/// Bytes that the desk's buffer for replies keeps at the most.
const DESK_BYTES_MAX: usize = 64 << 10;

/// Lines after which a session has proved long-lived: from then on one receive serves them all.
/// Four is the length of a whole password change, for which that would cost more than it saves.
const LINES_BEFORE_RECEIVE_MANY: u32 = 4;

/// How long a client may leave a reply unread.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// How long a closing connection waits for the client to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A proxy has still to say for whom it connects.
    AwaitingProxy { until: Tick },
    /// TLS has begun and no word can be said yet.
    Handshaking {
        until: Tick,
        /// Whether the dialogue has still to begin.
        is_to_be_greeted: bool,
    },
    /// The dialogue goes on.
    Open,
    /// The dialogue is over; its last replies are being sent.
    Finishing(Closing),
    /// Our side is shut down; what the client still sends is thrown away until it closes.
    Lingering { until: Tick },
    /// Operations are being cancelled; when none is left the connection is closed.
    Ending,
    /// The close is under way.
    Closing,
    /// Closed; the service still owes an answer, which the log waits for.
    Closed,
}

/// What is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Nothing,
    Once,
    Many,
    /// Until the cancellation has completed.
    Cancelled,
}

/// What is to be sent: bytes `start..end` of a send buffer; `start..sending` of them are the
/// kernel's.
#[derive(Clone, Copy, Debug)]
struct Pending {
    out: OutId,
    start: usize,
    sending: usize,
    end: usize,
    /// When the send in flight began.
    since: Tick,
    abort: Abort,
}

/// Whether the send in flight is to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abort {
    No,
    Wanted,
    Asked,
}

/// Why a connection's alarm was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Limit(Timeout),
    Delay,
    Stall,
    Linger,
    Proxy,
    Handshake,
}

/// One connection: a dialogue, the bytes on their way in and out, and how far it has come.
///
/// Invariant: at most one send and one receive are in flight; the slot lives until neither is,
/// the close has completed and no answer is owed.
#[derive(Debug)]
pub(super) struct Connection {
    key: Key,
    fd: Option<OwnedFd>,
    channel: Option<Channel>,
    phase: Phase,
    dialogue: Dialogue,
    tls: Tls,
    inbox: Inbox,
    receiving: Receiving,
    pending: Option<Pending>,
    /// The rest of an answer that does not fit in the send buffer; `..backlog_start` of it is in
    /// there or has been sent. While there is one, no line is obeyed.
    backlog: Vec<u8>,
    backlog_start: usize,
    /// The client sends no more.
    is_input_ended: bool,
    opened: Tick,
    /// When the client last sent or was answered.
    active: Tick,
    /// When the unfinished line in the inbox began.
    line_begun: Tick,
    /// The moment of the alarm that is set, if any.
    alarm: Tick,
    /// Lines taken since the beginning, and in which turn the last of them.
    lines: u32,
    turn: u64,
    lines_in_turn: usize,
    /// Waits for the next turn, to go on with what it has.
    is_waiting_its_turn: bool,
    /// Has sent faster than it was served.
    is_flooding: bool,
    /// An administrator has ended the session: it closes when what is under way has been answered.
    is_unwanted: bool,
}

/// What the shard must do for a connection after it has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Rest,
    /// Let it go on in the next turn: it has used up its share of this one.
    Again,
}

impl Connection {
    pub(super) fn new(key: Key, fd: OwnedFd, channel: Channel, dialogue: Dialogue, now: Tick) -> Self {
        Self {
            key,
            fd: Some(fd),
            channel: Some(channel),
            phase: Phase::Open,
            dialogue,
            tls: Tls::Off,
            inbox: Inbox::default(),
            receiving: Receiving::Nothing,
            pending: None,
            backlog: Vec::new(),
            backlog_start: 0,
            is_input_ended: false,
            opened: now,
            active: now,
            line_begun: Tick::NEVER,
            alarm: Tick::NEVER,
            lines: 0,
            turn: 0,
            lines_in_turn: 0,
            is_waiting_its_turn: false,
            is_flooding: false,
            is_unwanted: false,
        }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    pub(super) fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    /// Whether the slot can be used again.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Closed && !self.dialogue.is_owed() && !matches!(self.tls, Tls::Away)
    }

    /// Whether the connection itself is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Notes that the connection waits for the next turn. False: it did already.
    pub(super) fn wait_its_turn(&mut self) -> bool {
        !std::mem::replace(&mut self.is_waiting_its_turn, true)
    }

    /// The next turn has come.
    pub(super) fn go_on(&mut self, desk: &mut Desk) -> After {
        self.is_waiting_its_turn = false;
        self.take_in(&[], desk)
    }

    /// The server is stopping: a session that awaits a line hears of it.
    pub(super) fn part(&mut self, desk: &mut Desk) -> After {
        if let Phase::AwaitingProxy { .. } | Phase::Handshaking { .. } = self.phase {
            self.hang_up();
        }
        self.take_in(&[], desk)
    }

    /// Greets, or begins the handshake that comes before.
    pub(super) fn begin(&mut self, desk: &mut Desk) {
        let house = &desk.listeners[self.dialogue.listener()];
        match house.endpoint.as_ref().filter(|_| house.begins_with_tls) {
            None => self.open(desk),
            Some(endpoint) => self.open_under_tls(endpoint.accept(), desk.now),
        }
    }

    /// Greets.
    fn open(&mut self, desk: &mut Desk) {
        self.dialogue.step(self.key, Event::Opened, desk);
    }

    /// Takes in what was received.
    #[inline]
    pub(super) fn receive_bytes(&mut self, bytes: &[u8], desk: &mut Desk) -> After {
        match self.tls {
            Tls::Off => self.take_in(bytes, desk),
            Tls::On(_) | Tls::Away => self.open_sealed(bytes, desk),
        }
    }

    /// Takes in bytes in clear, which are parsed where they lie, and obeys as many lines as the
    /// session's share of the turn allows; the rest is kept.
    fn take_in(&mut self, mut chunk: &[u8], desk: &mut Desk) -> After {
        if !chunk.is_empty() {
            self.active = desk.now;
        }
        let after = loop {
            if self.phase != Phase::Open || self.dialogue.closing.is_some() {
                let is_of_proxy = matches!(self.phase, Phase::AwaitingProxy { .. }) && !chunk.is_empty();
                return if is_of_proxy { self.take_in_proxy(chunk, desk) } else { After::Rest };
            }
            let has_share = self.has_share(desk.turn);
            if self.dialogue.awaits() == Awaits::Quiet {
                if chunk.is_empty() && self.inbox.is_empty() {
                    break After::Rest;
                }
                self.dialogue.step(self.key, Event::Stray, desk);
                continue;
            }
            if self.dialogue.awaits() != Awaits::Line || !has_share || self.room(desk) < ROOM_FOR_A_LINE {
                if !self.inbox.keep(chunk, REMAINDER_BYTES_MAX) {
                    self.hang_up();
                }
                break if has_share || self.inbox.is_empty() { After::Rest } else { After::Again };
            }
            if desk.is_stopping {
                self.dialogue.step(self.key, Event::ShuttingDown, desk);
                continue;
            }
            let bytes_max = self.dialogue.line_bytes_max(desk);
            match self.inbox.next_line_within(&mut chunk, bytes_max) {
                Framed::Line(line) => self.dialogue.obey(self.key, line, desk),
                Framed::TooLong => self.dialogue.step(self.key, Event::LineTooLong, desk),
                Framed::Partial if self.is_input_ended => {
                    self.phase = Phase::Finishing(Closing::Prompt);
                    return After::Rest;
                }
                Framed::Partial => break After::Rest,
            }
            self.lines_in_turn += 1;
            self.lines = self.lines.saturating_add(1);
        };
        self.line_begun = match (self.inbox.holds_partial_line(), self.line_begun) {
            (false, _) => Tick::NEVER,
            (true, Tick::NEVER) => desk.now,
            (true, begun) => begun,
        };
        after
    }

    /// Whether the session may have another line obeyed in this turn.
    fn has_share(&mut self, turn: u64) -> bool {
        if self.turn != turn {
            self.turn = turn;
            self.lines_in_turn = 0;
        }
        self.lines_in_turn < LINES_PER_TURN_MAX
    }

    /// Bytes of replies that can still be taken before the client has read some.
    fn room(&self, desk: &Desk) -> usize {
        if !self.backlog.is_empty() {
            return 0;
        }
        let used = self.pending.map_or(0, |pending| pending.end);
        Outgoing::BUFFER_BYTES.saturating_sub(used + desk.replies.len())
    }

    /// The client sends no more. What it has sent is still obeyed: a script may send everything
    /// at once, close its side, and wait for the replies.
    pub(super) fn end_input(&mut self, desk: &mut Desk) -> After {
        self.is_input_ended = true;
        match self.phase {
            Phase::Lingering { .. } => {
                self.phase = Phase::Ending;
                After::Rest
            }
            Phase::Open => self.take_in(&[], desk),
            Phase::AwaitingProxy { .. } | Phase::Handshaking { .. } => {
                self.hang_up();
                After::Rest
            }
            Phase::Finishing(_) | Phase::Ending | Phase::Closing | Phase::Closed => After::Rest,
        }
    }

    /// The service has answered.
    pub(super) fn answer(&mut self, answer: Answer, desk: &mut Desk) -> After {
        if let Answer::Handshaken(step) = answer {
            return self.take_back(step, desk);
        }
        if self.phase != Phase::Open {
            self.dialogue.answer_nobody(self.key, answer, desk);
            return After::Rest;
        }
        self.active = desk.now;
        self.dialogue.answer(self.key, answer, desk);
        if self.is_unwanted {
            self.dialogue.closing = Some(Closing::Prompt);
        }
        self.take_in(&[], desk)
    }

    /// An administrator wants the session to end. What is under way is answered first.
    pub(super) fn end_when_answered(&mut self) -> After {
        let (session, peer) = self.dialogue.name();
        event!(target: "PWD", MAJOR, session, %peer, "ended by an administrator");
        self.is_unwanted = true;
        if !self.dialogue.is_owed() {
            self.dialogue.closing = Some(Closing::Prompt);
        }
        After::Rest
    }

    /// The connection is broken, or must end without another word.
    pub(super) fn hang_up(&mut self) {
        self.dialogue.abandon();
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.abort == Abort::No) {
            pending.abort = Abort::Wanted;
        }
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.phase = Phase::Ending;
        }
    }

    /// A receive has completed, for the last time unless it is still armed.
    pub(super) fn note_receive(&mut self, armed: bool) {
        if !armed {
            self.receiving = Receiving::Nothing;
        }
    }

    /// A send has ended: `Ok` says how many bytes the kernel took.
    pub(super) fn sent(&mut self, result: io::Result<usize>, outgoing: &mut Outgoing, desk: &mut Desk) -> After {
        let Some(pending) = &mut self.pending else { return After::Rest };
        match result {
            Ok(bytes) => pending.start += bytes,
            Err(_) => {
                pending.start = pending.end;
                self.hang_up();
            }
        }
        if let Some(pending) = &mut self.pending {
            pending.sending = pending.start;
            if pending.start >= pending.end {
                outgoing.give_back(pending.out);
                self.pending = None;
            }
        }
        if !self.backlog.is_empty() || self.dialogue.awaits() == Awaits::Room {
            // The client is reading a long answer.
            self.active = desk.now;
        }
        if self.phase == Phase::Open && self.backlog.is_empty() && self.dialogue.awaits() == Awaits::Room {
            self.dialogue.step(self.key, Event::HasRoom, desk);
        }
        // Lines may have waited for room.
        if self.inbox.is_empty() { After::Rest } else { self.take_in(&[], desk) }
    }

    /// The close has completed. Returns the channel to release.
    pub(super) fn closed(&mut self, desk: &Desk) -> Option<Channel> {
        self.phase = Phase::Closed;
        self.dialogue.leave(desk);
        self.channel.take()
    }

    /// Queues what the connection's state calls for: replies, the next receive, the next step
    /// towards closing. Called after every event.
    pub(super) fn settle(&mut self, ring: &mut Ring, desk: &mut Desk) {
        self.fall_silent(ring, desk);
        self.seal(desk);
        self.collect_replies(ring, desk);
        self.start_tls(desk);
        if let (Phase::Open, Some(closing)) = (self.phase, self.dialogue.closing) {
            self.phase = Phase::Finishing(closing);
        }
        match self.phase {
            Phase::Open | Phase::AwaitingProxy { .. } | Phase::Handshaking { .. } => self.send(ring, desk.now),
            Phase::Finishing(closing) => self.finish(closing, ring, desk.now),
            Phase::Ending => self.end(ring),
            Phase::Lingering { .. } | Phase::Closing | Phase::Closed => {}
        }
        self.abort_send(ring);
        self.receive(ring);
    }

    fn abort_send(&mut self, ring: &mut Ring) {
        let is_sending = self.is_sending();
        if let Some(pending) = self.pending.as_mut().filter(|pending| is_sending && pending.abort == Abort::Wanted) {
            ring.queue.cancel_send(self.key);
            pending.abort = Abort::Asked;
        }
    }

    fn collect_replies(&mut self, ring: &mut Ring, desk: &mut Desk) {
        if !desk.replies.is_empty() && self.backlog.is_empty() {
            // Swapped and not copied: an answer may be long.
            std::mem::swap(&mut self.backlog, &mut desk.replies);
        } else {
            self.backlog.append(&mut desk.replies);
        }
        let rest = &self.backlog[self.backlog_start..];
        let used = self.pending.map_or(0, |pending| pending.end);
        let length = rest.len().min(Outgoing::BUFFER_BYTES - used);
        if length == 0 {
            return;
        }
        let pending = self.pending.get_or_insert_with(|| Pending {
            out: ring.outgoing.take(),
            start: 0,
            sending: 0,
            end: 0,
            since: Tick::NEVER,
            abort: Abort::No,
        });
        ring.outgoing.write(pending.out, pending.end, &rest[..length]);
        pending.end += length;
        self.backlog_start += length;
        if self.backlog_start == self.backlog.len() {
            self.backlog_start = 0;
            self.backlog.clear();
            // The desk gets its buffer back, unless it has grown large.
            if self.backlog.capacity() <= DESK_BYTES_MAX {
                std::mem::swap(&mut self.backlog, &mut desk.replies);
            }
            self.backlog = Vec::new();
        }
    }

    fn is_sending(&self) -> bool {
        self.pending.is_some_and(|pending| pending.sending > pending.start)
    }

    fn send(&mut self, ring: &mut Ring, now: Tick) {
        let (false, Some(fd), Some(pending)) = (self.is_sending(), &self.fd, &mut self.pending) else { return };
        ring.queue.send(fd.as_fd(), self.key, &ring.outgoing, pending.out, pending.start, pending.end);
        pending.sending = pending.end;
        pending.since = now;
    }

    /// The last replies go out, and with them the close or the half-close.
    fn finish(&mut self, closing: Closing, ring: &mut Ring, now: Tick) {
        if self.is_sending() {
            return;
        }
        if !self.backlog.is_empty() {
            self.send(ring, now);
            return;
        }
        // Nothing is to be waited for from a client that sends no more.
        let closing = if self.is_input_ended { Closing::Prompt } else { closing };
        match (closing, self.receiving) {
            (Closing::Prompt, Receiving::Nothing) => self.close(ring, now),
            (Closing::Prompt, _) if self.pending.is_none() => {
                self.phase = Phase::Ending;
                self.end(ring);
            }
            (Closing::Prompt, _) => self.send(ring, now),
            (Closing::Lingering, _) if self.pending.is_some() => self.send(ring, now),
            (Closing::Lingering, _) => {
                let Some(fd) = &self.fd else { return };
                // Not an operation: the kernel carries out shutdowns on a thread of its own, which
                // looks the descriptor up when it gets to it, and by then the number may belong to
                // another connection. This call does not block. When it fails the peer is gone.
                shutdown(fd, Shutdown::Write).ok();
                self.phase = Phase::Lingering { until: now + LINGER };
            }
        }
    }

    /// Cancels what is in flight; closes when nothing is.
    fn end(&mut self, ring: &mut Ring) {
        match self.receiving {
            Receiving::Once | Receiving::Many => {
                ring.queue.cancel_receive(self.key);
                self.receiving = Receiving::Cancelled;
            }
            Receiving::Cancelled | Receiving::Nothing => {}
        }
        if !self.is_sending()
            && let Some(pending) = self.pending.take()
        {
            ring.outgoing.give_back(pending.out);
        }
        if self.receiving == Receiving::Nothing && self.pending.is_none() {
            self.close(ring, Tick::NEVER);
        }
    }

    /// Closes, after the pending replies if there are any. Nothing is in flight.
    fn close(&mut self, ring: &mut Ring, now: Tick) {
        let Some(fd) = self.fd.take() else { return };
        match &mut self.pending {
            Some(Pending { out, start, sending, end, since, .. }) => {
                ring.queue.send_then_close(fd, self.key, &ring.outgoing, *out, *start, *end);
                *sending = *end;
                *since = now;
            }
            None => ring.queue.close(fd, self.key),
        }
        self.phase = Phase::Closing;
    }

    /// Keeps a receive armed while the session may use what comes: also while it waits for an
    /// answer, within a bound, so that a broken connection is noticed.
    fn receive(&mut self, ring: &mut Ring) {
        let wants = match self.phase {
            Phase::Open => {
                let kept = self.inbox.kept_bytes();
                let is_long_line = kept >= REMAINDER_BYTES && self.inbox.holds_partial_line();
                let bytes_max = if is_long_line { LONG_REMAINDER_BYTES } else { REMAINDER_BYTES };
                !self.is_input_ended && kept < bytes_max && self.dialogue.awaits() != Awaits::Quiet
            }
            Phase::Handshaking { .. } => !self.is_input_ended && !matches!(self.tls, Tls::Away),
            Phase::AwaitingProxy { .. } | Phase::Lingering { .. } => !self.is_input_ended,
            Phase::Finishing(_) | Phase::Ending | Phase::Closing | Phase::Closed => false,
        };
        let Some(fd) = &self.fd else { return };
        match self.receiving {
            Receiving::Nothing if wants => {
                let is_long_lived = self.dialogue.is_authenticated() && self.lines > LINES_BEFORE_RECEIVE_MANY;
                if is_long_lived && !self.is_flooding && self.phase == Phase::Open {
                    ring.queue.receive_many(fd.as_fd(), self.key);
                    self.receiving = Receiving::Many;
                } else {
                    ring.queue.receive_once(fd.as_fd(), self.key);
                    self.receiving = Receiving::Once;
                }
            }
            Receiving::Many if !wants => {
                self.is_flooding = true;
                ring.queue.cancel_receive(self.key);
                self.receiving = Receiving::Cancelled;
            }
            Receiving::Nothing | Receiving::Once | Receiving::Many | Receiving::Cancelled => {}
        }
    }

    /// When something must happen although nothing comes in, and what.
    fn deadline(&self, live: &Live) -> (Tick, Cause) {
        let stall = match self.pending {
            Some(pending) if self.is_sending() => (pending.since + WRITE_STALL, Cause::Stall),
            _ => (Tick::NEVER, Cause::Stall),
        };
        let other = match (self.phase, self.dialogue.awaits()) {
            (Phase::Lingering { until }, _) => (until, Cause::Linger),
            (Phase::AwaitingProxy { until }, _) => (until, Cause::Proxy),
            (Phase::Handshaking { until, .. }, _) => (until, Cause::Handshake),
            (Phase::Open, Awaits::Delay) => (self.dialogue.delayed_until, Cause::Delay),
            (Phase::Open, Awaits::Line) => self.line_deadline(live),
            _ => (Tick::NEVER, Cause::Stall),
        };
        if other.0 < stall.0 { other } else { stall }
    }

    /// The earliest of the limits that run while a line is awaited.
    fn line_deadline(&self, live: &Live) -> (Tick, Cause) {
        let mut earliest = (self.active + live.idle, Cause::Limit(Timeout::Idle));
        let login = (self.opened + live.login, Cause::Limit(Timeout::Login));
        if !self.dialogue.is_authenticated() && login.0 < earliest.0 {
            earliest = login;
        }
        let line = (self.line_begun + live.line, Cause::Limit(Timeout::Line));
        if line.0 < earliest.0 { line } else { earliest }
    }

    /// The moment for which an alarm must be set, unless one that comes no later is.
    pub(super) fn next_alarm(&mut self, live: &Live) -> Option<Tick> {
        let (at, _) = self.deadline(live);
        (at < self.alarm).then(|| {
            self.alarm = at;
            at
        })
    }

    /// An alarm set for `at` has rung. Does what is due, if that alarm still counts.
    pub(super) fn ring(&mut self, at: Tick, desk: &mut Desk) -> After {
        if at != self.alarm {
            return After::Rest;
        }
        self.alarm = Tick::NEVER;
        let (due, cause) = self.deadline(&desk.live);
        if due > desk.now {
            return After::Rest;
        }
        match cause {
            Cause::Delay => {
                self.active = desk.now;
                self.dialogue.delayed_until = Tick::NEVER;
                self.dialogue.step(self.key, Event::DelayPassed, desk);
                self.take_in(&[], desk)
            }
            Cause::Limit(limit) => {
                self.dialogue.step(self.key, Event::TimedOut(limit), desk);
                After::Rest
            }
            Cause::Proxy => {
                self.give_up_proxy();
                After::Rest
            }
            Cause::Stall | Cause::Linger | Cause::Handshake => {
                self.hang_up();
                After::Rest
            }
        }
    }
}
