//! What TLS adds to a connection: what comes in is opened, what goes out is sealed.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tracing::event;
use zeroize::Zeroize;

use super::{After, Connection, Phase, Receiving};
use crate::model::Tick;
use crate::proto::{Awaits, Closing, Event};
use crate::ring::Ring;
use crate::service::Ticket;
use crate::shard::desk::Desk;
use crate::syslog::{LOW_LEVEL, PROBLEM};
use crate::tls::{Opened, Session, Step, TlsFault};

/// How long a client may take over its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Whether a connection speaks TLS.
#[derive(Debug)]
pub(super) enum Tls {
    Off,
    On(Box<Session>),
    /// Another thread has it, for a slow step of the handshake. Nothing is received meanwhile.
    Away,
}

impl Connection {
    /// Begins with a handshake instead of a greeting, which follows.
    pub(super) fn open_under_tls(&mut self, session: Box<Session>, now: Tick) {
        self.tls = Tls::On(session);
        self.phase = Phase::Handshaking { until: now + HANDSHAKE, is_to_be_greeted: true };
    }

    /// Lets the session know when nothing can slip in between STLS and its answer.
    pub(super) fn fall_silent(&mut self, ring: &mut Ring, desk: &mut Desk) {
        if self.phase != Phase::Open || self.dialogue.awaits() != Awaits::Quiet {
            return;
        }
        match self.receiving {
            Receiving::Nothing => self.dialogue.step(self.key, Event::Quiet, desk),
            Receiving::Once | Receiving::Many => {
                ring.queue.cancel_receive(self.key);
                self.receiving = Receiving::Cancelled;
            }
            Receiving::Cancelled => {}
        }
    }

    /// STLS has been answered: what is received from now on belongs to a handshake.
    pub(super) fn start_tls(&mut self, desk: &Desk) {
        if !mem::take(&mut self.dialogue.starts_tls) {
            return;
        }
        let Some(endpoint) = &desk.listeners[self.dialogue.listener()].endpoint else {
            unreachable!("STLS is refused where it is not offered")
        };
        self.tls = Tls::On(endpoint.accept());
        self.phase = Phase::Handshaking { until: desk.now + HANDSHAKE, is_to_be_greeted: false };
        // How a client behaved in clear says nothing about the one that speaks now.
        self.lines = 0;
        self.is_flooding = false;
        if self.is_input_ended {
            self.phase = Phase::Finishing(Closing::Prompt);
        }
    }

    /// Takes in what was received under TLS.
    pub(super) fn open_sealed(&mut self, sealed: &[u8], desk: &mut Desk) -> After {
        if !matches!(self.phase, Phase::Open | Phase::Handshaking { .. }) {
            return After::Rest;
        }
        let Tls::On(mut session) = mem::replace(&mut self.tls, Tls::Away) else {
            unreachable!("nothing is received while another thread has the session")
        };
        self.active = desk.now;
        if session.is_slow() {
            return self.send_away(Step::new(session, sealed), desk);
        }
        let mut clear = mem::take(&mut desk.clear);
        let outcome = session.receive(sealed, &mut clear);
        self.tls = Tls::On(session);
        let after = self.take_in_opened(outcome, &clear, desk);
        clear.as_mut_slice().zeroize();
        clear.clear();
        desk.clear = clear;
        after
    }

    fn send_away(&mut self, step: Step, desk: &mut Desk) -> After {
        let abandoned = Arc::new(AtomicBool::new(false));
        let (mailbox, peer) = (Arc::clone(&desk.mailbox), self.dialogue.name().1.ip());
        let ticket = Ticket { session: self.key.to_bits(), abandoned, mailbox, peer };
        match desk.service.shake_hands(step, &ticket) {
            None => After::Rest,
            Some(step) => self.take_back(step, desk),
        }
    }

    /// Another thread has made a step of the handshake.
    pub(super) fn take_back(&mut self, step: Step, desk: &mut Desk) -> After {
        if !matches!(self.phase, Phase::Handshaking { .. }) {
            self.tls = Tls::Off;
            return After::Rest;
        }
        let (session, opened) = step.finish();
        self.tls = Tls::On(session);
        match opened {
            Some(Opened { outcome, clear }) => self.take_in_opened(outcome, &clear, desk),
            None => {
                let (session, peer) = self.dialogue.name();
                event!(target: "PWD", PROBLEM, session, %peer, "TLS handshake given up: too many wait");
                self.hang_up();
                After::Rest
            }
        }
    }

    fn take_in_opened(&mut self, outcome: Result<(), TlsFault>, clear: &[u8], desk: &mut Desk) -> After {
        let (number, peer) = self.dialogue.name();
        if let Err(fault) = outcome {
            event!(target: "PWD", PROBLEM, session = number, %peer, "TLS failed: {fault}");
            self.dialogue.abandon();
            self.phase = Phase::Finishing(Closing::Lingering);
            return After::Rest;
        }
        let Tls::On(session) = &self.tls else { unreachable!("it was put back") };
        let is_ended = session.is_ended();
        if let Phase::Handshaking { is_to_be_greeted, .. } = self.phase
            && !session.is_handshaking()
        {
            event!(target: "PWD", LOW_LEVEL, session = number, %peer, "{session}");
            self.phase = Phase::Open;
            self.dialogue.step(self.key, Event::Secured(Box::new(session.peer())), desk);
            if is_to_be_greeted {
                self.open(desk);
            }
        }
        let after = self.take_in(clear, desk);
        if is_ended { self.end_input(desk) } else { after }
    }

    /// Seals the desk's replies, and adds what TLS itself has to say.
    pub(super) fn seal(&mut self, desk: &mut Desk) {
        let Tls::On(session) = &mut self.tls else { return };
        let mut sealed = mem::take(&mut desk.sealed);
        session.send(&desk.replies, &mut sealed);
        if self.dialogue.closing.is_some() || matches!(self.phase, Phase::Finishing(_)) {
            session.close(&mut sealed);
        }
        desk.replies.clear();
        mem::swap(&mut desk.replies, &mut sealed);
        desk.sealed = sealed;
    }
}
