//! The same dialogue on tokio-uring, to tell what the engine adds to io_uring itself.
//!
//! It has the server's own framing and state machine, one task per connection with buffers of its
//! own, COOP_TASKRUN, and nothing else: no limits, timers, log or hashing pool. Its one account is
//! `u0`.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use keyturn::auth::{Credentials, Hasher, Issuers, Recognizer};
use keyturn::model::{AccountName, Argon2idCost, Dialect, DomainName, Evidence, Secret};
use keyturn::proto::sasl::Mechanisms;
use keyturn::proto::{Denial, Effect, Event, Framed, Inbox, Rules, Session, Verdict, Wire, greeting};
use tokio_uring::net::{TcpListener, TcpStream};

use super::server::{DOMAIN, PASSWORD};

const RECEIVE_BYTES: usize = 2048;

/// What all connections share.
struct House {
    rules: Rules,
    account: AccountName,
    credentials: Credentials,
    recognizer: Recognizer,
}

/// Nothing, or nearly: logins are not what is measured.
pub(crate) const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 1, p: 1 };

/// Serves on `address` until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    let domain = DomainName::parse(DOMAIN).map_err(io::Error::other)?;
    let recognizer = Recognizer::new();
    let house = Rc::new(House {
        rules: Rules {
            dialect: Dialect::Communigate,
            domain: domain.clone().into(),
            greeting: greeting(Dialect::Communigate, &domain, None).into(),
            has_apop: false,
            has_stls: false,
            mechanisms: Mechanisms::ALL,
            shown: Mechanisms::ALL,
            failures_max: 3,
        },
        account: AccountName::new("u0", domain).map_err(io::Error::other)?,
        credentials: Hasher::new(COST, recognizer.clone()).make(&password(), 0),
        recognizer,
    });
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun();
    tokio_uring::builder().entries(4096).uring_builder(&ring).start(async move {
        let listener = TcpListener::bind(address)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let house = Rc::clone(&house);
            tokio_uring::spawn(async move { Connection::new(house).serve(&stream).await });
        }
    })
}

fn password() -> Secret {
    Secret::new(PASSWORD.as_bytes()).expect("it is short enough")
}

struct Connection {
    house: Rc<House>,
    session: Session,
    effects: Vec<Effect>,
    replies: Vec<u8>,
    is_closing: bool,
}

impl Connection {
    fn new(house: Rc<House>) -> Self {
        Self { house, session: Session::new(Wire::Clear), effects: Vec::new(), replies: Vec::new(), is_closing: false }
    }

    async fn serve(mut self, stream: &TcpStream) -> io::Result<()> {
        let mut inbox = Inbox::default();
        let mut buffer = Vec::with_capacity(RECEIVE_BYTES);
        self.step(Event::Opened);
        loop {
            if !self.replies.is_empty() {
                let (sent, replies) = stream.write_all(std::mem::take(&mut self.replies)).await;
                sent?;
                self.replies = replies;
                self.replies.clear();
            }
            if self.is_closing {
                return Ok(());
            }
            let (received, filled) = stream.read(buffer).await;
            if received? == 0 {
                return Ok(());
            }
            buffer = filled;
            let mut chunk = &buffer[..];
            loop {
                match inbox.next_line(&mut chunk) {
                    Framed::Line(line) => self.step(Event::Line(line)),
                    Framed::TooLong => self.step(Event::LineTooLong),
                    Framed::Partial => break,
                }
            }
            buffer.clear();
        }
    }

    fn step(&mut self, event: Event<'_>) {
        self.session.step(event, &self.house.rules, &mut self.effects);
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply(reply) => reply.print(&self.house.rules, &mut self.replies),
                Effect::Verify { evidence, .. } => {
                    let verdict = self.verify(&evidence);
                    self.step(Event::Verified(verdict));
                }
                Effect::Close(_) => self.is_closing = true,
                Effect::Send(lines) => self.replies.extend(lines),
                Effect::Ask(_)
                | Effect::Draw
                | Effect::Challenge(_)
                | Effect::Change { .. }
                | Effect::Command { .. }
                | Effect::GoOn
                | Effect::Delay
                | Effect::StartTls => {
                    unreachable!("no load asks the baseline for that")
                }
            }
        }
        self.effects = effects;
    }

    fn verify(&self, evidence: &Evidence) -> Verdict {
        let House { account, credentials, recognizer, .. } = &*self.house;
        let proof = Hasher::new(COST, recognizer.clone()).check(
            Some((account.clone(), 1, credentials)),
            evidence,
            &Issuers::default(),
        );
        proof.map_or(Verdict::Denied(Denial::UnknownAccount), |proof| Verdict::Accepted(Box::new(proof)))
    }
}
