use std::mem;
use std::sync::Arc;

use super::challenge::challenge;
use super::reply::DONE_LINE;
use super::sasl::{self, Asking, Bearer, Claim, Drawing, Exchange, Mechanisms, Next, SaslFault};
use super::{
    ChangeOutcome, Closing, Command, CommandFault, CommandLine, CommandOutcome, Effect, Effects, Event, Reply, Told,
    Verdict,
};
use crate::model::{
    Authenticated, Dialect, DigestProof, Digested, DomainName, Evidence, LoginName, Md5Digest, Nonce, TlsPeer,
};

/// What a listener lays down for all its sessions.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which family of servers to behave like.
    pub dialect: Dialect,
    /// The domain that bare names belong to, and that challenges are said to come from.
    pub domain: Arc<DomainName>,
    /// The text of the greeting after its code; see [`super::greeting`].
    pub greeting: Arc<str>,
    /// Whether the greeting carries a challenge for APOP.
    pub has_apop: bool,
    /// Whether a session may begin TLS by STLS.
    pub has_stls: bool,
    /// How clients may log in by AUTH.
    pub mechanisms: Mechanisms,
    /// Which of these they are told of.
    pub shown: Mechanisms,
    /// Failed logins after which the session is closed, at least 1.
    pub failures_max: u8,
}

/// How the bytes of a session travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// In clear, and where strangers may read them: no password is taken.
    Exposed,
    /// In clear, where the listener permits it.
    Clear,
    /// Under TLS.
    Tls,
}

/// What a session is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// The client's next line.
    Line,
    /// The answer to [`Effect::Ask`], [`Effect::Draw`], [`Effect::Verify`], [`Effect::Change`], [`Effect::Command`]
    /// or [`Effect::GoOn`].
    Answer,
    /// [`Event::HasRoom`].
    Room,
    /// [`Event::DelayPassed`].
    Delay,
    /// That nothing is received any more: [`Event::Quiet`] or [`Event::Stray`].
    Quiet,
    /// Nothing: the session is over.
    Nothing,
}

#[derive(Debug)]
enum State {
    /// The greeting waits for its nonce.
    Greeting,
    ExpectUser,
    ExpectPass {
        login: LoginName,
    },
    /// A SASL exchange waits for the client's response.
    Exchanging {
        exchange: Exchange,
    },
    /// An exchange waits for what it must know before its challenge.
    Asking {
        asking: Asking,
    },
    /// An exchange waits for the nonce of its challenge.
    Drawing {
        drawing: Drawing,
    },
    /// STLS was asked for, and is answered when nothing can have slipped in behind it.
    Upgrading,
    Verifying {
        /// Of which mechanism the claim is, if that tells a client whose claim is wrong so.
        bearer: Option<Bearer>,
    },
    /// The client has been told that its claim is wrong, and has to say something to that.
    Excusing,
    /// The client is right, and has been sent what shows that the server is, too.
    Confirming {
        proof: Box<Authenticated>,
    },
    /// A login has failed; its refusal is held back.
    Denying {
        /// When to try again, if it was not looked at because too many had failed.
        retry_after_s: Option<u32>,
    },
    ExpectNewPass {
        proof: Box<Authenticated>,
    },
    Changing,
    Commanding,
    /// A part of an answer is being sent, which was not the last.
    Showing,
    Closed,
}

/// One client's progress through the password dialogue.
///
/// A client's mistake is a reply; a panic means that whoever drives the session broke a promise
/// stated at [`Event`].
#[derive(Debug)]
pub struct Session {
    state: State,
    wire: Wire,
    /// Failed logins so far.
    failures: u8,
    /// Whether commands show their data in the reply line.
    is_inline: bool,
    /// What TLS knows of the connection, once there has been a handshake.
    peer: Option<Box<TlsPeer>>,
    /// What the challenge was made from that the client was greeted with.
    apop: Option<Box<Nonce>>,
}

impl Session {
    /// A session nobody has spoken in yet; deliver [`Event::Opened`] first.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        Self { state: State::ExpectUser, wire, failures: 0, is_inline: false, peer: None, apop: None }
    }

    /// What must happen next. Lines may be delivered only while this is [`Awaits::Line`].
    #[must_use]
    pub fn awaits(&self) -> Awaits {
        match self.state {
            State::ExpectUser
            | State::ExpectPass { .. }
            | State::Exchanging { .. }
            | State::Excusing
            | State::Confirming { .. }
            | State::ExpectNewPass { .. } => Awaits::Line,
            State::Greeting
            | State::Asking { .. }
            | State::Drawing { .. }
            | State::Verifying { .. }
            | State::Changing
            | State::Commanding => Awaits::Answer,
            State::Showing => Awaits::Room,
            State::Denying { .. } => Awaits::Delay,
            State::Upgrading => Awaits::Quiet,
            State::Closed => Awaits::Nothing,
        }
    }

    /// Whether what is said and heard is under TLS.
    #[must_use]
    pub fn is_under_tls(&self) -> bool {
        self.wire == Wire::Tls
    }

    /// Whether the client has logged in.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        matches!(
            self.state,
            State::Confirming { .. }
                | State::ExpectNewPass { .. }
                | State::Changing
                | State::Commanding
                | State::Showing
        )
    }

    /// Whether the next line is a response in an exchange, which may look like anything and is a
    /// secret.
    #[must_use]
    pub fn awaits_response(&self) -> bool {
        matches!(self.state, State::Exchanging { .. } | State::Excusing | State::Confirming { .. })
    }

    /// The reply, as it is sent, to a line that leaves everything as it is: NOOP, which is what a busy
    /// client sends most. `None`: [`Session::step`] must hear of the line. Delivering every line there
    /// comes to the same, and takes longer.
    #[must_use]
    #[inline]
    pub fn answer_at_once(&self, line: &[u8]) -> Option<&'static [u8]> {
        let awaits_command = self.awaits() == Awaits::Line && !self.awaits_response();
        (Command::is_noop(line) && awaits_command).then_some(DONE_LINE)
    }

    /// Advances the dialogue by one event, appending what must now happen to `effects`: two
    /// effects at most. After the session is over every event is ignored.
    ///
    /// # Panics
    /// When an answer arrives that was not asked for, or a line that was not awaited.
    #[inline]
    pub fn step(&mut self, event: Event<'_>, rules: &Rules, effects: &mut Effects) {
        let mut turn = Turn { rules, effects };
        match (event, self.awaits()) {
            (Event::Line(line), Awaits::Line) => {
                let state = self.take_state();
                if let State::Exchanging { exchange } = state {
                    self.state = turn.exchange(exchange.step(line));
                } else if let State::Excusing = state {
                    self.state = self.deny(None, &mut turn);
                } else if let State::Confirming { proof } = state {
                    self.state = turn.confirm(sasl::confirm(line), proof);
                } else {
                    self.obey(state, line, Command::parse(line), &mut turn);
                }
            }
            (event, _) => self.hear(event, &mut turn),
        }
    }

    fn take_state(&mut self) -> State {
        mem::replace(&mut self.state, State::Closed)
    }

    /// The part of the table that is about everything but lines.
    fn hear(&mut self, event: Event<'_>, turn: &mut Turn<'_>) {
        use {Event as E, State as S, Told as T};
        self.state = match (self.take_state(), event) {
            (S::Closed, _) => S::Closed,

            (S::ExpectUser, E::Opened) if turn.rules.has_apop => turn.ask(Effect::Draw, S::Greeting),
            (S::ExpectUser, E::Opened) => turn.say(Reply::Greeting(None), S::ExpectUser),
            (S::Greeting, E::Drawn(nonce)) => {
                self.apop = Some(Box::new(nonce));
                turn.say(Reply::Greeting(Some(nonce)), S::ExpectUser)
            }
            (S::ExpectUser, E::Secured(peer)) => {
                self.peer = Some(peer);
                S::ExpectUser
            }
            (
                S::ExpectUser
                | S::ExpectPass { .. }
                | S::Exchanging { .. }
                | S::Excusing
                | S::Confirming { .. }
                | S::ExpectNewPass { .. },
                event,
            ) => match event {
                E::LineTooLong => turn.hang_up(Reply::LineTooLong),
                E::TimedOut(limit) => turn.hang_up(Reply::TimedOut(limit)),
                E::ShuttingDown => turn.hang_up(Reply::ShuttingDown),
                E::Line(_) | E::Opened | E::Secured(_) | E::Quiet | E::Stray | E::HasRoom => unasked(),
                E::Told(_) | E::Drawn(_) | E::Verified(_) | E::Changed(_) | E::Executed(_) | E::DelayPassed => {
                    unasked()
                }
            },
            (state, E::TimedOut(_) | E::ShuttingDown) => state,

            // Whoever sat between client and server may have said all that came before, but not the
            // greeting's challenge: there is no other.
            (S::Upgrading, E::Quiet) => {
                *self = Self { apop: self.apop.take(), ..Self::new(Wire::Tls) };
                turn.start_tls()
            }
            (S::Upgrading, E::Stray) => turn.hang_up(Reply::NotBehindStls),

            (S::Asking { asking }, E::Told(T::Scram(offer))) => turn.exchange(Ok(asking.learn(&offer))),
            (S::Asking { .. }, E::Told(T::Busy { retry_after_s })) => {
                turn.refuse(Reply::LoginBusy { retry_after_s }, S::ExpectUser)
            }
            (S::Asking { .. }, E::Told(T::Fault)) => turn.refuse(Reply::LoginFault, S::ExpectUser),

            (S::Drawing { drawing }, E::Drawn(nonce)) => {
                turn.exchange(Ok(drawing.challenge(nonce, &turn.rules.domain)))
            }

            (S::Verifying { bearer }, E::Verified(verdict)) => self.judge(verdict, bearer, turn),

            (S::Denying { retry_after_s }, E::DelayPassed) => self.tell_denied(retry_after_s, turn),

            (S::Changing, E::Changed(outcome)) => turn.conclude(outcome),

            (S::Commanding, E::Executed(CommandOutcome::Answered { proof, answer })) => {
                turn.ask(Effect::Send(answer), S::ExpectNewPass { proof })
            }
            (S::Commanding, E::Executed(CommandOutcome::Part(part))) => turn.ask(Effect::Send(part), S::Showing),
            (S::Showing, E::HasRoom) => turn.ask(Effect::GoOn, S::Commanding),
            // Nothing that can be said would be understood: the client is in the middle of a line.
            (S::Commanding, E::Executed(CommandOutcome::Broken)) => turn.ask(Effect::Close(Closing::Prompt), S::Closed),
            (S::Commanding, E::Executed(CommandOutcome::Expired)) => {
                turn.refuse(Reply::ChangedElsewhere, S::ExpectUser)
            }

            (
                S::Greeting
                | S::Upgrading
                | S::Asking { .. }
                | S::Drawing { .. }
                | S::Verifying { .. }
                | S::Denying { .. }
                | S::Changing
                | S::Commanding
                | S::Showing,
                _,
            ) => unasked(),
        };
    }

    /// How a login ended. A `bearer`'s client is told why in words of its mechanism first.
    fn judge(&mut self, verdict: Verdict, bearer: Option<Bearer>, turn: &mut Turn<'_>) -> State {
        match verdict {
            Verdict::Accepted(proof) => turn.accept(proof),
            Verdict::Denied(_) => match bearer {
                None => self.deny(None, turn),
                Some(bearer) => turn.ask(Effect::Challenge(bearer.excuse().into()), State::Excusing),
            },
            Verdict::TooManyFailures { retry_after_s, .. } => self.deny(Some(retry_after_s), turn),
            Verdict::Busy { retry_after_s } => turn.refuse(Reply::LoginBusy { retry_after_s }, State::ExpectUser),
            Verdict::Fault => turn.refuse(Reply::LoginFault, State::ExpectUser),
        }
    }

    /// A login has failed, or was not looked at and may be tried again so much later.
    fn deny(&mut self, retry_after_s: Option<u32>, turn: &mut Turn<'_>) -> State {
        self.failures = self.failures.saturating_add(1);
        turn.ask(Effect::Delay, State::Denying { retry_after_s })
    }

    /// The refusal that was held back.
    fn tell_denied(&mut self, retry_after_s: Option<u32>, turn: &mut Turn<'_>) -> State {
        let too_many = |retry_after_s| Reply::TooManyFailures { retry_after_s };
        let reply = retry_after_s.map_or(Reply::Denied, too_many);
        let is_last = self.failures >= turn.rules.failures_max;
        if is_last { turn.hang_up(reply) } else { turn.refuse(reply, State::ExpectUser) }
    }

    /// What a line does in a state that awaits one. In the CommuniGate dialect this dialogue is
    /// only a part of what may be said after the login.
    fn obey(&mut self, state: State, line: &[u8], command: Result<Command, CommandFault>, turn: &mut Turn<'_>) {
        use {Command as C, CommandFault as F, State as S};
        let has_commands = turn.rules.dialect == Dialect::Communigate;
        self.state = match (state, command) {
            (state, Ok(C::Inline)) if has_commands => {
                self.is_inline = true;
                turn.say(Reply::Done, state)
            }
            (S::ExpectNewPass { proof }, Ok(C::Help) | Err(F::UnknownVerb)) if has_commands => {
                let (line, is_inline) = (CommandLine::new(line), self.is_inline);
                turn.ask(Effect::Command { proof, line, is_inline }, S::Commanding)
            }
            (state, command) => {
                let apop = self.apop.as_deref().copied().filter(|_| turn.rules.has_apop);
                let peer = self.peer.as_deref();
                answer(state, command, &Known { wire: self.wire, peer, apop }, turn)
            }
        };
    }
}

/// What a session knows of itself, whatever its state.
struct Known<'a> {
    wire: Wire,
    peer: Option<&'a TlsPeer>,
    /// What APOP's challenge was made from, where APOP is enabled.
    apop: Option<Nonce>,
}

/// The part of the table that is about the lines of this dialogue.
///
/// Before the login, everything that is not about logging in gets the same refusal, so that a
/// stranger does not learn which commands exist. A refused USER makes the session forget the name
/// before it: the next PASS was meant for the refused one.
fn answer(
    state: State,
    command: Result<Command, CommandFault>,
    &Known { wire, peer, apop }: &Known<'_>,
    turn: &mut Turn<'_>,
) -> State {
    use {Command as C, CommandFault as F, State as S};
    match (state, command) {
        (_, Ok(C::Quit)) => turn.part(Reply::Goodbye, Closing::Prompt),
        (state, Ok(C::Noop)) => turn.say(Reply::Done, state),
        (state, Ok(C::Help)) => turn.say(Reply::Help, state),

        (state @ S::ExpectNewPass { .. }, Ok(C::NewPass(_))) if wire == Wire::Exposed => {
            turn.refuse(Reply::TlsNeeded, state)
        }
        (S::ExpectNewPass { proof }, Ok(C::NewPass(secret))) => turn.ask(Effect::Change { proof, secret }, S::Changing),
        (
            state @ S::ExpectNewPass { .. },
            Ok(C::User(_) | C::Pass(_) | C::Apop(..) | C::Auth(..) | C::Stls)
            | Err(
                F::NameMissing
                | F::NameTooLong
                | F::PasswordMissing
                | F::PasswordTooLong
                | F::BadApop
                | F::MechanismMissing
                | F::MechanismUnknown
                | F::BadResponse(_),
            ),
        ) => turn.refuse(Reply::AlreadyLoggedIn, state),
        (state @ S::ExpectNewPass { .. }, Ok(C::Inline)) => turn.refuse(Reply::BadCommand(F::UnknownVerb), state),
        (state @ S::ExpectNewPass { .. }, Err(fault)) => turn.refuse(Reply::BadCommand(fault), state),

        (state, Ok(C::Stls)) if wire == Wire::Tls => turn.refuse(Reply::TlsStarted, state),
        (_, Ok(C::Stls)) if turn.rules.has_stls => S::Upgrading,
        (state, Ok(C::Stls)) => turn.refuse(Reply::TlsNotOffered, state),

        (_, Ok(C::User(_) | C::Pass(_))) if wire == Wire::Exposed => turn.refuse(Reply::TlsNeeded, S::ExpectUser),
        (_, Ok(C::Auth(mechanism, _))) if wire == Wire::Exposed && mechanism.tells_secret() => {
            turn.refuse(Reply::TlsNeeded, S::ExpectUser)
        }
        (_, Ok(C::Auth(mechanism, _))) if !turn.rules.mechanisms.contains(mechanism) => {
            turn.refuse(Reply::BadCommand(F::MechanismUnknown), S::ExpectUser)
        }
        (state, Err(F::MechanismMissing)) => match turn.rules.shown.possible(wire == Wire::Exposed, peer) {
            Mechanisms::NONE => turn.refuse(Reply::BadCommand(F::MechanismMissing), state),
            shown => turn.say(Reply::Mechanisms(shown), state),
        },
        (_, Ok(C::User(login))) => turn.say(Reply::SendPass, S::ExpectPass { login }),
        (state, Ok(C::Apop(login, digest))) => match apop {
            Some(nonce) => turn.verify(claim_by_apop(login, digest, &challenge(nonce, &turn.rules.domain)), None),
            None => turn.refuse(Reply::ApopNotEnabled, state),
        },
        (state, Err(F::BadApop)) if apop.is_none() => turn.refuse(Reply::ApopNotEnabled, state),
        (_, Err(fault @ (F::NameMissing | F::NameTooLong | F::BadApop | F::MechanismUnknown | F::BadResponse(_)))) => {
            turn.refuse(Reply::BadCommand(fault), S::ExpectUser)
        }
        (_, Ok(C::Auth(mechanism, initial))) => turn.exchange(Exchange::begin(mechanism, initial, peer)),
        (S::ExpectPass { login }, Ok(C::Pass(secret))) => {
            turn.verify(Claim { login, evidence: Evidence::Password(secret) }, None)
        }
        (state, Ok(C::Pass(_))) => turn.refuse(Reply::UserFirst, state),
        (state, Err(fault @ (F::PasswordMissing | F::PasswordTooLong))) => turn.refuse(Reply::BadCommand(fault), state),
        (
            state,
            Ok(C::NewPass(_) | C::Inline)
            | Err(F::UnknownVerb | F::NewPasswordMissing | F::NewPasswordTooLong | F::NewPasswordControl),
        ) => turn.refuse(Reply::LoginFirst, state),
    }
}

/// What APOP claims, whose digest is of `challenge` and the password.
fn claim_by_apop(login: LoginName, digest: Md5Digest, challenge: &str) -> Claim {
    let of = Digested::Apop { challenge: challenge.as_bytes().into() };
    Claim { login, evidence: Evidence::Digest(Box::new(DigestProof { of, digest })) }
}

/// What one step may do. Each method returns the state that follows.
struct Turn<'a> {
    rules: &'a Rules,
    effects: &'a mut Effects,
}

impl Turn<'_> {
    fn say(&mut self, reply: Reply, next: State) -> State {
        self.effects.push(Effect::Reply(reply));
        next
    }

    fn ask(&mut self, effect: Effect, next: State) -> State {
        self.effects.push(effect);
        next
    }

    /// The part of the table that is about how a change has ended.
    fn conclude(&mut self, outcome: ChangeOutcome) -> State {
        use {ChangeOutcome as O, State as S};
        match outcome {
            O::Changed(proof) => self.say(Reply::PasswordChanged, S::ExpectNewPass { proof }),
            O::Refused(proof, why) => self.refuse(Reply::NewPasswordRefused(why), S::ExpectNewPass { proof }),
            O::Conflict => self.refuse(Reply::ChangedElsewhere, S::ExpectUser),
            O::Busy { proof, retry_after_s } => {
                self.refuse(Reply::ChangeBusy { retry_after_s }, S::ExpectNewPass { proof })
            }
            O::Fault(proof) => self.refuse(Reply::ChangeFault, S::ExpectNewPass { proof }),
            O::Unknown => self.hang_up(Reply::ChangeUnknown),
        }
    }

    fn verify(&mut self, Claim { login, evidence }: Claim, bearer: Option<Bearer>) -> State {
        self.ask(Effect::Verify { login, evidence }, State::Verifying { bearer })
    }

    /// The client has logged in, once it has been shown that the server is the right one.
    fn accept(&mut self, mut proof: Box<Authenticated>) -> State {
        match proof.take_signature() {
            None => self.say(Reply::LoggedIn, State::ExpectNewPass { proof }),
            Some(signature) => {
                let challenge = sasl::server_final(&signature);
                self.ask(Effect::Challenge(challenge.into()), State::Confirming { proof })
            }
        }
    }

    /// The client has looked at the server's own proof. One that does not take it has met somebody
    /// else, or thinks so.
    fn confirm(&mut self, outcome: Result<(), SaslFault>, proof: Box<Authenticated>) -> State {
        match outcome {
            Ok(()) => self.say(Reply::LoggedIn, State::ExpectNewPass { proof }),
            Err(fault) => self.hang_up(Reply::BadCommand(CommandFault::BadResponse(fault))),
        }
    }

    /// Goes on with an exchange. One that fails leaves nothing behind.
    fn exchange(&mut self, next: Result<Next, SaslFault>) -> State {
        match next {
            Ok(Next::Challenge(challenge, exchange)) => {
                self.ask(Effect::Challenge(challenge), State::Exchanging { exchange })
            }
            Ok(Next::Ask(question, asking)) => self.ask(Effect::Ask(question), State::Asking { asking }),
            Ok(Next::Draw(drawing)) => self.ask(Effect::Draw, State::Drawing { drawing }),
            Ok(Next::Check(claim)) => self.verify(claim, None),
            Ok(Next::CheckToken(claim, bearer)) => self.verify(claim, Some(bearer)),
            Err(fault) => self.refuse(Reply::BadCommand(CommandFault::BadResponse(fault)), State::ExpectUser),
        }
    }

    /// Refuses, and goes on only where the dialect does: the clients of the poppassd family
    /// expect the end of the session after every refusal, and one reads on until it comes.
    fn refuse(&mut self, reply: Reply, next: State) -> State {
        match self.rules.dialect {
            Dialect::Communigate => self.say(reply, next),
            Dialect::Poppassd => self.hang_up(reply),
        }
    }

    fn start_tls(&mut self) -> State {
        self.effects.push(Effect::Reply(Reply::TlsReady));
        self.effects.push(Effect::StartTls);
        State::ExpectUser
    }

    fn hang_up(&mut self, reply: Reply) -> State {
        self.part(reply, Closing::Lingering)
    }

    fn part(&mut self, reply: Reply, closing: Closing) -> State {
        self.effects.push(Effect::Reply(reply));
        self.effects.push(Effect::Close(closing));
        State::Closed
    }
}

fn unasked() -> ! {
    unreachable!("a session was told something that it did not await")
}

#[cfg(test)]
mod tests;
