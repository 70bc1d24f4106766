use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::{enabled, event};

use super::desk::Desk;
use crate::auth::nonce;
use crate::cli;
use crate::control::Login;
use crate::model::limits::{COMMAND_LINE_BYTES_MAX, LINE_BYTES_MAX};
use crate::model::{AccountName, Dialect, Tick};
use crate::proto::sasl::Question;
use crate::proto::{
    Awaits, ChangeOutcome, Closing, CommandOutcome, Denial, Effect, Effects, Event, FailuresOf, Reply, Session, Told,
    Verdict, Wire, redacted, sasl,
};
use crate::ring::Key;
use crate::service::{Answer, Order, Request, Ticket};
use crate::syslog::{ALL_INFO, LOW_LEVEL, MAJOR, PROBLEM};

/// A session and what carries out its effects: replies are printed, work goes to the service, and
/// what happened is logged.
#[derive(Debug)]
pub(super) struct Dialogue {
    session: Session,
    /// Counts the sessions of the process; the log's name for this one.
    number: u64,
    peer: SocketAddr,
    /// Which of the desk's listeners it came through.
    listener: usize,
    /// What is said and heard is logged at every level.
    is_debugged: bool,
    /// Whether it is among the sessions that have logged in.
    is_listed: bool,
    /// Who is being logged in or changed, for the log.
    subject: Option<Box<str>>,
    /// How it wants to log in, for the log.
    method: &'static str,
    /// Which command is being carried out, for the log.
    verb: Option<cli::Verb>,
    /// Set while the service owes an answer; tells the service when the client has hung up.
    owed: Option<Arc<AtomicBool>>,
    /// What the next part of the answer is made from, while the one before is being sent.
    rest: Option<Box<Order>>,
    /// When the login came that is being looked at.
    asked_at: Tick,
    /// When the reply that is held back may go.
    pub delayed_until: Tick,
    /// Whether STLS has been answered, and TLS is to begin.
    pub starts_tls: bool,
    /// How to close, once the session has asked for it.
    pub closing: Option<Closing>,
}

impl Dialogue {
    pub(super) fn new(number: u64, peer: SocketAddr, listener: usize, wire: Wire, is_debugged: bool) -> Self {
        Self {
            session: Session::new(wire),
            number,
            peer,
            listener,
            is_debugged,
            is_listed: false,
            subject: None,
            method: "",
            verb: None,
            owed: None,
            rest: None,
            asked_at: Tick::NEVER,
            delayed_until: Tick::NEVER,
            starts_tls: false,
            closing: None,
        }
    }

    /// Which of the desk's listeners it came through.
    pub(super) fn listener(&self) -> usize {
        self.listener
    }

    pub(super) fn awaits(&self) -> Awaits {
        self.session.awaits()
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.session.is_authenticated()
    }

    /// Bytes that the client's next line may have: a command may be long.
    pub(super) fn line_bytes_max(&self, desk: &Desk) -> usize {
        let has_commands = desk.listeners[self.listener].rules.dialect == Dialect::Communigate;
        if has_commands && self.is_authenticated() { COMMAND_LINE_BYTES_MAX } else { LINE_BYTES_MAX }
    }

    /// Whether the service owes an answer.
    pub(super) fn is_owed(&self) -> bool {
        self.owed.is_some()
    }

    /// The client is gone: work for it that has not begun need not be done.
    pub(super) fn abandon(&mut self) {
        self.rest = None;
        if let Some(abandoned) = &self.owed {
            abandoned.store(true, Ordering::Relaxed);
        }
    }

    /// Obeys a line of the client's. Replies are appended to the desk's.
    #[inline]
    pub(super) fn obey(&mut self, key: Key, line: &[u8], desk: &mut Desk) {
        let is_logged = self.is_text_logged();
        if is_logged {
            self.log_line(line);
        }
        match self.session.answer_at_once(line) {
            Some(reply) if !is_logged => desk.replies.extend_from_slice(reply),
            _ => self.step(key, Event::Line(line), desk),
        }
    }

    fn log_line(&self, line: &[u8]) {
        let shown = match cli::verb(line) {
            Some(verb) if self.is_authenticated() => verb.name.to_owned(),
            _ if self.session.awaits_response() => format!("({} bytes)", line.len()),
            _ => redacted(line),
        };
        self.log_text(format_args!("s-inp: {shown}"));
    }

    /// Feeds one event to the session and carries out what it asks for. Replies are appended to
    /// the desk's.
    pub(super) fn step(&mut self, key: Key, event: Event<'_>, desk: &mut Desk) {
        let mut effects = std::mem::take(&mut desk.effects);
        self.session.step(event, &desk.listeners[self.listener].rules, &mut effects);
        while let Some(event) = self.carry_out_all(key, &mut effects, desk) {
            self.session.step(event, &desk.listeners[self.listener].rules, &mut effects);
        }
        desk.effects = effects;
    }

    /// Carries out what one step has asked for, in order. Some work is answered at once.
    fn carry_out_all(&mut self, key: Key, effects: &mut Effects, desk: &mut Desk) -> Option<Event<'static>> {
        // Most steps ask for a reply and nothing else. It is read where it lies: to move what was
        // written a moment ago in smaller parts would stall the core.
        if let [Effect::Reply(reply)] = &effects[..] {
            self.print(reply, desk);
            effects.clear();
            return None;
        }
        let mut answered = None;
        for effect in effects.drain(..) {
            answered = self.carry_out(key, effect, desk).or(answered);
        }
        answered
    }

    /// Feeds the service's answer to the session.
    pub(super) fn answer(&mut self, key: Key, answer: Answer, desk: &mut Desk) {
        let event = self.receive_answer(key, answer, desk);
        self.step(key, event, desk);
        if !self.is_authenticated() {
            self.leave(desk);
        }
    }

    /// The session has logged in to `account`: administrators find it from now on.
    fn enter(&mut self, key: Key, account: &AccountName, desk: &Desk) {
        self.is_listed = true;
        desk.control.logins.enter(Login {
            number: self.number,
            account: account.clone(),
            peer: self.peer,
            is_under_tls: self.session.is_under_tls(),
            since: desk.now,
            key: key.to_bits(),
            end: Arc::clone(&desk.end),
        });
    }

    /// The session is logged in no longer.
    pub(super) fn leave(&mut self, desk: &Desk) {
        if std::mem::take(&mut self.is_listed) {
            desk.control.logins.leave(self.number);
        }
    }

    /// Whether what is said and heard is logged.
    fn is_text_logged(&self) -> bool {
        self.is_debugged || enabled!(target: "PWD", ALL_INFO)
    }

    fn log_text(&self, text: fmt::Arguments<'_>) {
        let Self { number: session, peer, .. } = *self;
        if self.is_debugged {
            event!(target: "PWD", MAJOR, session, %peer, "{text}");
        } else {
            event!(target: "PWD", ALL_INFO, session, %peer, "{text}");
        }
    }

    /// The answer came after the client was gone: only the log hears of it.
    pub(super) fn answer_nobody(&mut self, key: Key, answer: Answer, desk: &mut Desk) {
        let Self { number: session, peer, .. } = *self;
        if answer.is_busy() {
            self.owed = None;
            let subject = self.subject.take().unwrap_or_default();
            event!(target: "PWD", MAJOR, session, %peer, "'{subject}' given up before any work: the client has hung up");
        } else {
            drop(self.receive_answer(key, answer, desk));
            self.rest = None;
            self.leave(desk);
            event!(target: "PWD", PROBLEM, session, %peer, "reply not delivered: the client has hung up");
        }
    }

    fn print(&self, reply: &Reply, desk: &mut Desk) {
        if matches!(reply, Reply::TlsNeeded) {
            let Self { number: session, peer, .. } = self;
            event!(target: "PWD", PROBLEM, session, %peer, "login refused: it came in clear, and not from this machine");
        }
        let start = desk.replies.len();
        reply.print(&desk.listeners[self.listener].rules, &mut desk.replies);
        if self.is_text_logged() {
            self.log_text(format_args!("s-out: {}", desk.replies[start..].trim_ascii_end().escape_ascii()));
        }
    }

    fn carry_out(&mut self, key: Key, effect: Effect, desk: &mut Desk) -> Option<Event<'static>> {
        match effect {
            Effect::Reply(reply) => {
                self.print(&reply, desk);
                None
            }
            Effect::Ask(question) => {
                let Question::Scram { login, .. } = &question;
                self.subject = Some(login.to_string().into());
                let domain = desk.listeners[self.listener].domain.clone();
                self.ask(key, Request::Ask { question, domain }, desk)
            }
            Effect::Draw => Some(Event::Drawn(nonce())),
            Effect::Verify { login, evidence } => {
                self.asked_at = desk.now;
                self.method = evidence.method();
                self.subject = Some(login.to_string().into());
                let domain = desk.listeners[self.listener].domain.clone();
                let is_under_tls = self.session.is_under_tls();
                self.ask(key, Request::Verify { login, domain, evidence, is_under_tls }, desk)
            }
            Effect::Change { proof, secret } => {
                self.subject = Some(proof.account().to_string().into());
                self.ask(key, Request::Change { proof, secret }, desk)
            }
            Effect::Command { proof, line, is_inline } => {
                self.subject = Some(proof.account().to_string().into());
                self.verb = cli::verb(line.as_bytes());
                self.ask(key, Request::Command { proof, line, is_inline }, desk)
            }
            Effect::Send(lines) => {
                desk.replies.extend_from_slice(&lines);
                if self.is_text_logged() {
                    self.log_text(format_args!("s-out: {}", first_line(&lines)));
                }
                None
            }
            Effect::Challenge(challenge) => {
                sasl::print_challenge(&challenge, &mut desk.replies);
                event!(target: "PWD", ALL_INFO, session = self.number, peer = %self.peer, "s-out: 300 (a challenge)");
                None
            }
            Effect::GoOn => {
                let rest = self.rest.take().expect("the session awaited room for the rest of its answer");
                self.ask(key, Request::GoOn(rest), desk)
            }
            Effect::Delay => {
                self.delayed_until = refused_at(self.asked_at, desk.now, desk.live.failed_reply_delay);
                None
            }
            Effect::StartTls => {
                self.starts_tls = true;
                None
            }
            Effect::Close(closing) => {
                self.closing = Some(closing);
                None
            }
        }
    }

    fn ask(&mut self, key: Key, request: Request, desk: &mut Desk) -> Option<Event<'static>> {
        let abandoned = Arc::new(AtomicBool::new(false));
        self.owed = Some(Arc::clone(&abandoned));
        let ticket =
            Ticket { session: key.to_bits(), abandoned, mailbox: Arc::clone(&desk.mailbox), peer: self.peer.ip() };
        desk.has_ordered |= matches!(request, Request::Command { .. } | Request::GoOn(_));
        let answer = desk.service.submit(request, &ticket)?;
        Some(self.receive_answer(key, answer, desk))
    }

    fn receive_answer(&mut self, key: Key, answer: Answer, desk: &mut Desk) -> Event<'static> {
        self.owed = None;
        if answer.is_busy() {
            desk.refused = Some(desk.now);
        }
        let subject = self.subject.take().unwrap_or_default();
        match answer {
            Answer::Part { piece, rest } => {
                (self.rest, self.subject) = (Some(rest), Some(subject));
                Event::Executed(CommandOutcome::Part(piece))
            }
            Answer::Told(told) => {
                self.log_question(&subject, &told);
                Event::Told(told)
            }
            Answer::Verified(verdict) => {
                self.log_login(&subject, &verdict);
                if let Verdict::Accepted(proof) = &verdict {
                    self.enter(key, proof.account(), desk);
                }
                Event::Verified(verdict)
            }
            Answer::Changed(outcome) => {
                self.log_change(&subject, &outcome);
                Event::Changed(outcome)
            }
            Answer::Executed(outcome) => {
                self.log_command(&subject, &outcome);
                Event::Executed(outcome)
            }
            Answer::Handshaken(_) => unreachable!("the connection takes it"),
        }
    }

    /// One Major line per login that ends before it could be checked.
    fn log_question(&self, login: &str, told: &Told) {
        let Self { number: session, peer, .. } = self;
        match told {
            Told::Scram(_) => {}
            Told::Busy { .. } => {
                event!(target: "PWD", MAJOR, session, %peer, "login of '{login}' put off: the server is busy");
            }
            Told::Fault => {
                event!(target: "PWD", MAJOR, session, %peer, "login of '{login}' failed: the store cannot be read");
            }
        }
    }

    /// One Major line per login.
    fn log_login(&self, login: &str, verdict: &Verdict) {
        let Self { number: session, peer, .. } = self;
        match verdict {
            Verdict::Accepted(proof) => {
                event!(target: "PWD", MAJOR, session, %peer, "'{}' connected({})", proof.account(), self.method);
            }
            Verdict::Denied(Denial::UnknownAccount) => {
                event!(target: "PWD", MAJOR, session, %peer, "login refused: no account '{login}'");
            }
            Verdict::Denied(Denial::WrongPassword(account)) => {
                event!(target: "PWD", MAJOR, session, %peer, "login refused: wrong password for '{account}'");
            }
            Verdict::Denied(Denial::Disabled(account)) => {
                event!(target: "PWD", MAJOR, session, %peer, "login refused: '{account}' may not log in here");
            }
            Verdict::Denied(Denial::InClear(account)) => {
                event!(
                    target: "PWD", MAJOR, session, %peer,
                    "login refused: '{account}' takes no password in clear, for its RequireAPOP is on"
                );
            }
            Verdict::TooManyFailures { of, .. } => {
                let whose = match of {
                    FailuresOf::Account => "to it",
                    FailuresOf::Address => "from its address",
                };
                event!(target: "PWD", PROBLEM, session, %peer, "login of '{login}' refused: too many {whose} have failed");
            }
            Verdict::Busy { .. } => {
                event!(target: "PWD", MAJOR, session, %peer, "login of '{login}' put off: the server is busy");
            }
            Verdict::Fault => {
                event!(target: "PWD", MAJOR, session, %peer, "login of '{login}' failed: the store cannot be read");
            }
        }
    }

    /// One Major line per password change.
    fn log_change(&self, account: &str, outcome: &ChangeOutcome) {
        let Self { number: session, peer, .. } = self;
        let text = match outcome {
            ChangeOutcome::Changed(_) => "password changed",
            ChangeOutcome::Refused(_, why) => {
                event!(target: "PWD", MAJOR, session, %peer, "'{account}' password not changed: {why}");
                return;
            }
            ChangeOutcome::Conflict => "password not changed: it was changed elsewhere since this login",
            ChangeOutcome::Busy { .. } => "password not changed: the server is busy",
            ChangeOutcome::Fault(_) => "password not changed: the store refuses",
            ChangeOutcome::Unknown => "password may or may not have been changed: the commit failed",
        };
        event!(target: "PWD", MAJOR, session, %peer, "'{account}' {text}");
    }

    /// One Major line per command that may have changed something, one Low Level line per other.
    fn log_command(&mut self, account: &str, outcome: &CommandOutcome) {
        let Self { number: session, peer, .. } = *self;
        let verb = self.verb.take();
        let name = verb.map_or("unknown command", |verb| verb.name);
        let result = match outcome {
            CommandOutcome::Answered { answer, .. } => first_line(answer),
            CommandOutcome::Part(part) => first_line(part),
            CommandOutcome::Broken => "broken off: the store cannot be read, or the server is stopping".into(),
            CommandOutcome::Expired => "not done: the login is void".into(),
        };
        if verb.is_some_and(|verb| verb.is_change) {
            event!(target: "PWD", MAJOR, session, %peer, "'{account}' {name}: {result}");
        } else {
            event!(target: "PWD", LOW_LEVEL, session, %peer, "'{account}' {name}: {result}");
        }
    }

    /// The log's prefix for this session.
    pub(super) fn name(&self) -> (u64, SocketAddr) {
        (self.number, self.peer)
    }
}

/// What a refusal is held back for at the least: longer than it takes to look at a password where nothing
/// else waits.
const HELD_MIN: Duration = Duration::from_millis(50);

/// When a login is refused that came at `asked` and has been looked at by `now`. Nothing that was found
/// out meanwhile can be told from that moment: it is fixed when the login comes, unless the work takes
/// longer than a refusal is held back.
fn refused_at(asked: Tick, now: Tick, held: Duration) -> Tick {
    now.max(asked + held.max(HELD_MIN))
}

/// The first line of an answer, or a later part of one, as a log shows it: of data the length alone.
fn first_line(answer: &[u8]) -> String {
    let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    match line {
        [b'2', b'0', b'1', b' ', ..] => format!("201 ({} bytes)", answer.len()),
        [a, b, c, b' ', ..] if [a, b, c].iter().all(|it| it.is_ascii_digit()) => line.escape_ascii().to_string(),
        _ => format!("the last {} bytes", answer.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_of_a_refusal_is_fixed_when_the_login_comes() {
        for (held_ms, due) in [(0, 1050), (20, 1050), (1000, 2000)] {
            let held = Duration::from_millis(held_ms);
            for now in [1000, 1001, 1049] {
                assert_eq!(refused_at(Tick(1000), Tick(now), held), Tick(due), "{held_ms} ms, by {now}");
            }
        }
        assert_eq!(refused_at(Tick(1000), Tick(1234), Duration::ZERO), Tick(1234), "no later than need be");
    }
}
