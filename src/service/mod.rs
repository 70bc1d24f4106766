//! Carries out what sessions ask for: the hashing pool, the queue before it, and the committer.
//!
//! A shard hands in a [`Request`] with a [`Ticket`] and finds the [`Answer`] in its [`Mailbox`]
//! later. A ring thread that calls here takes one short lock and never waits for the store, a
//! hash or a sync.
//!
//! ```text
//! shard --submit--> queue --> worker: read, hash --change--> committer: group, sync
//!   ^                            |                               |
//!   +---------- mailbox <--------+-------------------------------+
//! ```
//!
//! Commands are run by threads of their own (`commands.rs`), which hand what must be hashed to the
//! queue and what must be written to the committer. So are the steps of TLS handshakes that sign
//! with an RSA key (`handshakes.rs`). A list is answered in pieces, the next of which is made when
//! the shard asks for it.
//!
//! A change is answered [`ChangeOutcome::Changed`] in one place, by the committer, after the store
//! has reported it durable.
//!
//! A login through a verifier that is not of the current scheme and cost leaves an upgrade behind,
//! which a worker does when no job waits.
//!
//! Bounds: [`ServiceSettings::queue_length_max`] jobs wait for a worker, each holding one secret,
//! and as many upgrades as `upgrades.rs` says; a bounded number waits for the committer; one
//! answer per session waits in a mailbox.

mod accounts;
mod admission;
mod commands;
mod committer;
mod counters;
mod handshakes;
mod intake;
mod mailbox;
mod origin;
mod pool;
mod queue;
#[cfg(test)]
mod tests;
mod upgrades;
#[cfg(test)]
mod world;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::auth::argon2id::Kernel;
use crate::auth::policy::check_new_password;
use crate::auth::{Hasher, Issuers, Recognizer};
use crate::control::Control;
use crate::directory::Directory;
use crate::model::{Argon2idCost, Authenticated, Clock, DomainName, Evidence, LoginName, Secret};
use crate::proto::sasl::Question;
use crate::proto::{ChangeOutcome, CommandLine, CommandOutcome, Told, Verdict};
use crate::store::Store;
use crate::tls;

use self::accounts::Accounts;
use self::admission::Bounds;
use self::commands::{Clerks, Reader, Routes};
use self::committer::{CHANGES_WAITING_MAX, Committer};
use self::counters::Counters;
use self::handshakes::Handshakes;
use self::mailbox::Wake;
use self::origin::Origins;
use self::pool::{Worker, seconds_since_1970};
use self::queue::{Job, Queue};

pub use self::commands::Order;
pub use self::counters::{Count, Snapshot};
pub use self::mailbox::{Letter, Mailbox};

/// Nanoseconds that a hash takes for each KiB it writes, on ordinary machines; where no job has
/// been measured yet.
const EXPECTED_NS_PER_KIB: u64 = 360;

/// When to try again what was turned away for a reason that should pass soon.
const RETRY_AFTER_S: u32 = 2;

/// What a shard asks of the pool.
#[derive(Debug)]
pub enum Request {
    /// Check what a client gave to log in.
    Verify {
        /// Whose account, as typed.
        login: LoginName,
        /// Completes a bare name; `None`: the main domain.
        domain: Option<Arc<DomainName>>,
        /// What was given.
        evidence: Evidence,
        /// Whether it came under TLS.
        is_under_tls: bool,
    },
    /// Find out what an exchange must know.
    Ask {
        /// What.
        question: Question,
        /// Completes a bare name; `None`: the main domain.
        domain: Option<Arc<DomainName>>,
    },
    /// Change a password.
    Change {
        /// The right to do so.
        proof: Box<Authenticated>,
        /// The new password.
        secret: Secret,
    },
    /// Carry out a command.
    Command {
        /// Who has logged in.
        proof: Box<Authenticated>,
        /// What was sent.
        line: CommandLine,
        /// Whether data is to come in the reply line.
        is_inline: bool,
    },
    /// A command under way that needs a hash; only the service makes one.
    Order(Box<Order>),
    /// Make the next piece of a list whose last one has been sent.
    GoOn(Box<Order>),
}

/// The outcome of a request.
#[derive(Debug)]
pub enum Answer {
    /// Of [`Request::Ask`].
    Told(Told),
    /// Of [`Request::Verify`].
    Verified(Verdict),
    /// Of [`Request::Change`].
    Changed(ChangeOutcome),
    /// Of [`Request::Command`].
    Executed(CommandOutcome),
    /// Of [`Service::shake_hands`].
    Handshaken(tls::Step),
    /// A piece of a list that is the answer to a command, and not its last. Hand `rest` in with
    /// [`Request::GoOn`] when there is room for more, or drop it to end the list.
    Part {
        /// What to send.
        piece: Vec<u8>,
        /// What the next piece is made from.
        rest: Box<Order>,
    },
}

impl Answer {
    /// Whether nothing was done because others were before it, or because nobody waits for it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Told(Told::Busy { .. })
                | Self::Verified(Verdict::Busy { .. })
                | Self::Changed(ChangeOutcome::Busy { .. })
        )
    }
}

/// Where an answer goes: the session's place in its shard, opaque to the service. Every request is
/// answered once, for the shard keeps the place until then. Set `abandoned` when the client has
/// hung up: work not yet begun is then answered with "busy" instead of being done.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The shard's own key for the session, with its generation.
    pub session: u64,
    /// Set by the shard when the client is gone.
    pub abandoned: Arc<AtomicBool>,
    /// The shard's mailbox.
    pub mailbox: Arc<Mailbox>,
    /// Who asks: the pool's time is shared fairly among networks.
    pub peer: IpAddr,
}

impl Ticket {
    /// A late look costs one hash for nothing, so no order is kept with anything else.
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    fn answer(&self, answer: Answer, counters: &Counters) -> Option<Wake> {
        counters.answered(&answer);
        self.mailbox.post(self.session, answer)
    }
}

/// How the service is set up.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSettings {
    /// Threads that hash, at least 1.
    pub workers: usize,
    /// What hashes; [`crate::auth::argon2id::selection`] says which is best.
    pub kernel: Kernel,
    /// Of new passwords.
    pub cost: Argon2idCost,
    /// How long a job may wait before the pool: clients give up after ten seconds or more, and the
    /// work itself must still be done.
    pub queue_time_max: Duration,
    /// Jobs that may wait before the pool.
    pub queue_length_max: usize,
    /// Least length of a new password, in characters.
    pub password_characters_min: usize,
}

/// A handle to the pool and the committer; the last one dropped after [`Service::stop`].
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    kernel: Kernel,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    recognizer: Recognizer,
    password_characters_min: Arc<AtomicUsize>,
    issuers: Arc<Mutex<Arc<Issuers>>>,
    clerks: Clerks,
    handshakes: Handshakes,
    /// Workers first, then the committer: the order in which they end.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Service {
    /// Starts the workers (nice 19) and the committer. Commands steer `control`, which is told what
    /// is counted here.
    ///
    /// # Panics
    /// When the system has no thread left, or the processor cannot run the kernel.
    #[must_use]
    pub fn start(
        directory: Directory,
        store: Arc<dyn Store>,
        recognizer: Recognizer,
        settings: ServiceSettings,
        control: &Arc<Control>,
    ) -> Self {
        assert!(settings.workers > 0, "somebody must hash");
        let counters = Arc::new(Counters::default());
        let clock = Clock::new();
        let origins = Origins::new(directory.main_domain());
        let accounts = Arc::new(Accounts::new(directory));
        let bounds = Bounds {
            workers: settings.workers,
            wait_max: settings.queue_time_max,
            length_max: settings.queue_length_max,
        };
        let queue = Queue::new(bounds, expected_time(settings.cost), origins, clock.clone(), Arc::clone(&counters));
        let queue = Arc::new(queue);
        let password_characters_min = Arc::new(AtomicUsize::new(settings.password_characters_min));
        let reader = Arc::new(Reader {
            accounts: Arc::clone(&accounts),
            started_at: seconds_since_1970(),
            password_characters_min: Arc::clone(&password_characters_min),
            control: Arc::clone(control),
            sight: Mutex::default(),
        });
        let (sender, changes) = intake::channel(CHANGES_WAITING_MAX);
        let routes = Routes { reader: Arc::clone(&reader), counters: Arc::clone(&counters), changes: sender };
        let issuers = Arc::default();
        let mut threads = Vec::with_capacity(settings.workers + 1);
        for index in 0..settings.workers {
            let (queue, accounts, counters) = (Arc::clone(&queue), Arc::clone(&accounts), Arc::clone(&counters));
            let (routes, clock, recognizer) = (routes.clone(), clock.clone(), recognizer.clone());
            let issuers = Arc::clone(&issuers);
            // The arena is made by the thread that uses it, so that its pages are near that thread.
            threads.push(spawn(&format!("hash-{index}"), move || {
                let hasher = Hasher::with_kernel(settings.kernel, settings.cost, recognizer);
                Worker { queue, accounts, counters, routes, issuers, clock, hasher }.run();
            }));
        }
        let (counted, waiting) = (Arc::clone(&counters), Arc::clone(&queue));
        control.statistics.count_by(move || {
            let snapshot = waiting.snapshot(&counted);
            Count::ALL.map(|count| (count.as_str(), snapshot.of(count))).into()
        });
        let clerks = Clerks::start(&routes, &queue, settings.queue_length_max);
        let handshakes = Handshakes::start(&counters);
        let backlog = {
            let queue = Arc::clone(&queue);
            Box::new(move || queue.backlog())
        };
        let wakes = Vec::new();
        let committer = Committer { store, accounts, counters: Arc::clone(&counters), changes, reader, backlog, wakes };
        threads.push(spawn("commit", || committer.run()));
        let inner = Inner {
            kernel: settings.kernel,
            queue,
            counters,
            recognizer,
            password_characters_min,
            issuers,
            clerks,
            handshakes,
            threads: Mutex::new(threads),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Queues `request`, or returns its answer at once when it needs no work: it could not begin
    /// in time, too many wait, or the new password breaks a rule that needs no hash. Commands begin
    /// with the next [`Service::begin_commands`].
    #[must_use]
    pub fn submit(&self, request: Request, ticket: &Ticket) -> Option<Answer> {
        let answer = match self.check_request(request) {
            Err(answer) => answer,
            Ok(Request::Command { proof, line, is_inline }) => {
                let order = Order::new(proof, line, is_inline, ticket.clone());
                self.inner.clerks.offer(Box::new(order))?
            }
            Ok(Request::GoOn(order)) => self.inner.clerks.go_on(order.with_ticket(ticket.clone()))?,
            Ok(request) => self.inner.queue.offer(Job { request, ticket: ticket.clone() })?,
        };
        self.inner.counters.answered(&answer);
        Some(answer)
    }

    /// Lets the commands begin that have been queued: called once for all of a shard's turn, for a
    /// thread that is woken for the first of them takes the core before the second is queued.
    pub fn begin_commands(&self) {
        self.inner.clerks.call();
    }

    /// Makes a slow step of a handshake on another thread. Returns it, not made, when too many
    /// wait.
    #[must_use]
    pub fn shake_hands(&self, step: tls::Step, ticket: &Ticket) -> Option<tls::Step> {
        self.inner.handshakes.offer(step, ticket)
    }

    /// Refuses what no worker need see.
    fn check_request(&self, request: Request) -> Result<Request, Answer> {
        match request {
            Request::Change { proof, secret } => {
                let characters_min = self.inner.password_characters_min.load(Ordering::Relaxed);
                match check_new_password(&proof, &secret, &self.inner.recognizer, characters_min) {
                    Ok(()) => Ok(Request::Change { proof, secret }),
                    Err(refusal) => Err(Answer::Changed(ChangeOutcome::Refused(proof, refusal))),
                }
            }
            Request::Ask { .. }
            | Request::Verify { .. }
            | Request::Command { .. }
            | Request::Order(_)
            | Request::GoOn(_) => Ok(request),
        }
    }

    /// Applies the settings that may change while running.
    pub fn apply(&self, queue_time_max: Duration, queue_length_max: usize, password_characters_min: usize) {
        self.inner.queue.set_bounds(queue_time_max, queue_length_max);
        self.inner.password_characters_min.store(password_characters_min, Ordering::Relaxed);
    }

    /// Takes the tokens of these issuers from now on, and of no others.
    pub fn trust(&self, issuers: Issuers) {
        *lock(&self.inner.issuers) = Arc::new(issuers);
    }

    /// What makes the hashes.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.inner.kernel
    }

    /// What was done so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.inner.queue.snapshot(&self.inner.counters)
    }

    /// Finishes what is queued, then ends the threads. Whatever is submitted afterwards through
    /// another handle is answered with "busy".
    pub fn stop(self) {
        self.inner.clerks.stop();
        self.inner.handshakes.stop();
        self.inner.queue.close();
        for thread in lock(&self.inner.threads).drain(..) {
            assert!(thread.join().is_ok(), "a thread of the service has panicked");
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.snapshot())
    }
}

fn expected_time(cost: Argon2idCost) -> Duration {
    let kib_written = u64::from(cost.m_kib).saturating_mul(cost.t.into());
    Duration::from_nanos(kib_written.saturating_mul(EXPECTED_NS_PER_KIB))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(name.into()).spawn(body).expect("the system has a thread left for the service")
}

/// Locks `mutex`. A panic in any thread ends the process in a release build, so a lock whose
/// holder has panicked is met by tests alone.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
