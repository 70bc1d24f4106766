use keyturn::model::limits::REPLY_BYTES_MAX;
use keyturn::model::{AccountName, Authenticated, Dialect, DomainName, NewPasswordRefusal, Nonce, ScramOffer, Signature};
use keyturn::proto::sasl::Mechanisms;
use keyturn::proto::{
    Awaits, ChangeOutcome, CommandOutcome, Denial, Effect, Effects, Event, FailuresOf, Framed, Inbox, Reply, Rules, Session,
    Timeout, Told, Verdict, Wire, greeting,
};

use crate::choices_and_stream;

/// A whole session, from the bytes received to the bytes sent, is the same however the stream is
/// split; and no order of events breaks a promise of the machine.
///
/// The first choice says which dialect, whether APOP is enabled, and how the stream is split, the others decide, one a
/// step, how the world answers.
pub fn session(input: &[u8]) {
    let (choices, stream) = choices_and_stream(input);
    let (&first, choices) = choices.split_first().unwrap_or((&0, &[]));
    let dialect = if first & 1 == 0 { Dialect::Communigate } else { Dialect::Poppassd };
    let play = |chunk_bytes| {
        let mut play = Play::new(dialect, Wire::Clear, has_apop(first), choices);
        play.step(Event::Opened);
        play.deliver(stream, chunk_bytes);
        play.sent.escape_ascii().to_string()
    };
    assert_eq!(play(stream.len().max(1)), play(1 << (first >> 1 & 7)));
}

/// No byte received before the handshake influences anything after it: a session that has come to
/// TLS by STLS behaves as one that began with it.
///
/// The choices are as for [`session`], with the second one for passwords in clear; a second NUL
/// parts what is received before the handshake from what comes after it.
pub fn stls(input: &[u8]) {
    let (choices, stream) = choices_and_stream(input);
    let (&[first, second], choices) = choices.split_first_chunk().unwrap_or((&[0, 0], &[]));
    let dialect = if first & 1 == 0 { Dialect::Communigate } else { Dialect::Poppassd };
    let wire = if second & 1 == 0 { Wire::Clear } else { Wire::Exposed };
    let (before, after) = choices_and_stream(stream);
    let chunk_bytes = 1 << (first >> 1 & 7);
    let mut upgraded = Play::new(dialect, wire, has_apop(first), choices);
    upgraded.step(Event::Opened);
    upgraded.deliver(&[before, b"\nSTLS\r\n"].concat(), chunk_bytes);
    if !upgraded.is_under_tls {
        return;
    }
    assert!(!upgraded.is_proven && !upgraded.is_commanding);
    upgraded.choices = choices.iter();
    upgraded.sent.clear();
    upgraded.deliver(after, chunk_bytes);
    let mut fresh = Play::new(dialect, Wire::Tls, has_apop(first), choices);
    fresh.session = greeted(&fresh.rules);
    fresh.deliver(after, chunk_bytes);
    assert_eq!(upgraded.sent.escape_ascii().to_string(), fresh.sent.escape_ascii().to_string());
    assert_eq!(format!("{:?}", upgraded.session), format!("{:?}", fresh.session));
}

fn has_apop(choice: u8) -> bool {
    choice & 64 != 0
}

/// What is drawn for a challenge.
const NONCE: Nonce = Nonce([12, 34]);

/// A session under TLS that has greeted and heard nothing.
fn greeted(rules: &Rules) -> Session {
    let (mut session, mut effects) = (Session::new(Wire::Tls), Effects::new());
    session.step(Event::Opened, rules, &mut effects);
    if session.awaits() == Awaits::Answer {
        session.step(Event::Drawn(NONCE), rules, &mut effects);
    }
    session
}

/// A session and the world it lives in.
struct Play<'a> {
    session: Session,
    rules: Rules,
    choices: std::slice::Iter<'a, u8>,
    effects: Effects,
    sent: Vec<u8>,
    is_proven: bool,
    /// Whether the answer that is awaited is that to a command.
    is_commanding: bool,
    /// Whether the answer that is awaited is that to a question.
    is_asking: bool,
    /// Whether a nonce is awaited.
    is_drawing: bool,
    /// Whether TLS has begun.
    is_under_tls: bool,
}

impl<'a> Play<'a> {
    fn new(dialect: Dialect, wire: Wire, has_apop: bool, choices: &'a [u8]) -> Self {
        let domain = DomainName::parse("mail.example.com").expect("a name");
        let greeting = greeting(dialect, &domain, None).into();
        let (mechanisms, shown) = (Mechanisms::ALL, Mechanisms::ALL);
        let rules = Rules { dialect, domain: domain.into(), greeting, has_apop, has_stls: true, mechanisms, shown, failures_max: 3 };
        let (session, effects, sent) = (Session::new(wire), Effects::new(), Vec::new());
        Self {
            session,
            rules,
            choices: choices.iter(),
            effects,
            sent,
            is_proven: false,
            is_commanding: false,
            is_asking: false,
            is_drawing: false,
            is_under_tls: false,
        }
    }

    /// Delivers the stream as if all of it had been received before anybody looked.
    fn deliver(&mut self, stream: &[u8], chunk_bytes: usize) {
        let mut inbox = Inbox::default();
        let mut bytes_left = stream.len();
        for mut chunk in stream.chunks(chunk_bytes) {
            bytes_left -= chunk.len();
            loop {
                match self.session.awaits() {
                    Awaits::Nothing => return,
                    Awaits::Quiet => {
                        self.step(Event::TimedOut(Timeout::Idle));
                        let is_quiet = chunk.is_empty() && inbox.is_empty() && bytes_left == 0;
                        self.step(if is_quiet { Event::Quiet } else { Event::Stray });
                    }
                    Awaits::Answer | Awaits::Delay => {
                        // The client does not wait: the rest of its chunk is there already.
                        assert!(inbox.keep(chunk, usize::MAX));
                        chunk = &[];
                        self.answer();
                    }
                    Awaits::Room => {
                        assert!(inbox.keep(chunk, usize::MAX));
                        chunk = &[];
                        self.step(Event::HasRoom);
                    }
                    Awaits::Line => match inbox.next_line(&mut chunk) {
                        Framed::Partial => break,
                        Framed::TooLong => self.step(Event::LineTooLong),
                        Framed::Line(line) => match self.choose() {
                            b't' => self.step(Event::TimedOut(Timeout::Line)),
                            b's' => self.step(Event::ShuttingDown),
                            _ => self.step(Event::Line(line)),
                        },
                    },
                }
            }
        }
    }

    fn choose(&mut self) -> u8 {
        self.choices.next().copied().unwrap_or_default()
    }

    /// Gives the session the answer it waits for, after what it must not mind.
    fn answer(&mut self) {
        self.step(Event::TimedOut(Timeout::Idle));
        self.step(Event::ShuttingDown);
        let choice = self.choose();
        let proof = || {
            let account = AccountName::parse("alice@example.com").expect("a name");
            Box::new(Authenticated::attest(account, 1, None))
        };
        let accepted = |signature| Event::Verified(Verdict::Accepted(Box::new(proof().signed(Some(signature)))));
        let event = match (self.session.awaits(), choice) {
            (Awaits::Delay, _) => Event::DelayPassed,
            _ if self.is_drawing => Event::Drawn(NONCE),
            (_, b'b') if self.is_asking => Event::Told(Told::Busy { retry_after_s: 1 }),
            (_, b'f') if self.is_asking => Event::Told(Told::Fault),
            _ if self.is_asking => {
                Event::Told(Told::Scram(Box::new(ScramOffer { nonce: [0; 18], salt: [1; 16], iterations: 4096 })))
            }
            (_, b'c') if self.is_commanding => Event::Executed(CommandOutcome::Expired),
            (_, b'b') if self.is_commanding => Event::Executed(CommandOutcome::Broken),
            (_, b'p') if self.is_commanding => Event::Executed(CommandOutcome::Part(b"201 (a,\r\n".to_vec())),
            _ if self.is_commanding => {
                Event::Executed(CommandOutcome::Answered { proof: proof(), answer: b"200 OK\r\n".to_vec() })
            }
            (_, b'b') if self.session.is_authenticated() => {
                Event::Changed(ChangeOutcome::Busy { proof: proof(), retry_after_s: 1 })
            }
            (_, b'c') if self.session.is_authenticated() => Event::Changed(ChangeOutcome::Conflict),
            (_, b'f') if self.session.is_authenticated() => Event::Changed(ChangeOutcome::Fault(proof())),
            (_, b'n') if self.session.is_authenticated() => {
                Event::Changed(ChangeOutcome::Refused(proof(), NewPasswordRefusal::TooShort { characters_min: 8 }))
            }
            (_, b'u') if self.session.is_authenticated() => Event::Changed(ChangeOutcome::Unknown),
            _ if self.session.is_authenticated() => Event::Changed(ChangeOutcome::Changed(proof())),
            (_, b'b') => Event::Verified(Verdict::Busy { retry_after_s: 1 }),
            (_, b't') => Event::Verified(Verdict::TooManyFailures { of: FailuresOf::Account, retry_after_s: 1 }),
            (_, b'f') => Event::Verified(Verdict::Fault),
            (_, b'n') => Event::Verified(Verdict::Denied(Denial::UnknownAccount)),
            (_, b's') => accepted(Signature::Scram(b"signature".to_vec().into())),
            (_, b'd') => accepted(Signature::DigestMd5([7; 16])),
            _ => Event::Verified(Verdict::Accepted(proof())),
        };
        self.step(event);
    }

    fn step(&mut self, event: Event<'_>) {
        let awaited = self.session.awaits();
        let is_interruption = matches!(event, Event::TimedOut(_) | Event::ShuttingDown);
        let is_confirmed = matches!(event, Event::Changed(ChangeOutcome::Changed(_)));
        self.is_proven |= matches!(event, Event::Verified(Verdict::Accepted(_)));
        self.is_proven &= !matches!(event, Event::Changed(ChangeOutcome::Conflict | ChangeOutcome::Unknown));
        self.is_proven &= !matches!(event, Event::Executed(CommandOutcome::Expired));
        if !is_interruption {
            self.is_commanding = false;
            self.is_asking = false;
            self.is_drawing = false;
        }
        let effects_before = self.effects.len();
        self.session.step(event, &self.rules, &mut self.effects);
        assert_eq!(effects_before, 0);
        assert!(self.effects.len() <= 2);
        match (awaited, is_interruption) {
            (Awaits::Line, _) if self.session.awaits() == Awaits::Quiet => assert!(self.effects.is_empty()),
            (Awaits::Line, _) | (Awaits::Answer | Awaits::Delay | Awaits::Room | Awaits::Quiet, false) => {
                assert!(!self.effects.is_empty());
            }
            (Awaits::Nothing, _) | (_, true) => assert!(self.effects.is_empty()),
        }
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Reply(reply) => {
                    assert_eq!(reply == Reply::PasswordChanged, is_confirmed);
                    let start = self.sent.len();
                    reply.print(&self.rules, &mut self.sent);
                    assert_is_a_reply(&self.sent[start..]);
                }
                Effect::Verify { .. } => assert!(!self.session.is_authenticated()),
                Effect::Ask(_) => {
                    assert!(!self.session.is_authenticated());
                    self.is_asking = true;
                }
                Effect::Draw => {
                    assert!(!self.session.is_authenticated());
                    self.is_drawing = true;
                }
                Effect::Change { .. } => assert!(self.is_proven),
                Effect::Command { .. } | Effect::GoOn => {
                    assert!(self.is_proven);
                    self.is_commanding = true;
                }
                Effect::Send(lines) => {
                    assert_is_a_reply(&lines);
                    self.sent.extend(lines);
                }
                Effect::Challenge(_) => assert!(self.session.awaits_response()),
                Effect::Delay => assert_eq!(self.session.awaits(), Awaits::Delay),
                Effect::StartTls => {
                    assert_eq!(format!("{:?}", self.session), format!("{:?}", greeted(&self.rules)));
                    self.is_under_tls = true;
                }
                Effect::Close(_) => assert_eq!(self.session.awaits(), Awaits::Nothing),
            }
        }
    }
}

fn assert_is_a_reply(line: &[u8]) {
    let text = line.strip_suffix(b"\r\n").expect("ends in CR LF");
    assert!(text.len() > 4 && text[..3].iter().all(u8::is_ascii_digit) && text[3] == b' ');
    assert!(line.len() <= REPLY_BYTES_MAX && text.iter().all(|byte| (b' '..=b'~').contains(byte)));
}
