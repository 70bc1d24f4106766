//! One generator thread: it begins sessions when they are due and sees them through.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::sleep;

use super::arrivals::Arrivals;
use super::ledger::{Ledger, Outcome};
use super::measure::{Happening, Measure};
use super::population::{Lent, Naming, Population};
use super::profile::Mix;
use super::random::Random;
use super::retry::Retry;
use super::session::{Call, Ending, STEPS, Step, hold};
use crate::clock;

/// A password that no sensible policy accepts.
const TOO_SHORT: &str = "x";

/// An old password that no account has.
const WRONG: &str = "certainly not this one";

/// What all generator threads go by.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddr,
    /// How many loopback addresses to come from; 0: leave it to the system.
    pub(crate) sources: u32,
    /// Names and passwords.
    pub(crate) naming: Naming,
    /// Client programs.
    pub(crate) mix: Mix,
    /// Share of sessions with a wrong old password.
    pub(crate) wrong_share: f64,
    /// Share of sessions that first try a password that is refused.
    pub(crate) bad_first_share: f64,
    /// What refused clients do.
    pub(crate) retry: Retry,
    /// How often at most.
    pub(crate) retries_max: u32,
    /// How long a client waits for a connection or a reply.
    pub(crate) patience: Duration,
    /// Sessions of one thread at a time, at most.
    pub(crate) sessions_max: u64,
    /// The run's start on the monotonic clock, in ns.
    pub(crate) start: u64,
    /// Where intents and outcomes are written.
    pub(crate) ledger: Ledger,
    /// What was measured, by all threads.
    pub(crate) measure: Mutex<Measure>,
}

impl Plan {
    /// What was measured so far.
    pub(crate) fn measure(&self) -> MutexGuard<'_, Measure> {
        self.measure.lock().expect("nobody panics while counting")
    }
}

/// When a thread begins sessions.
#[derive(Debug)]
pub(crate) enum Pace {
    /// At these moments, whether or not earlier sessions have ended.
    Open(Arrivals),
    /// Clients that begin again as soon as they have ended, until `length` after the start.
    Closed {
        /// When each of them begins for the first time, after the start.
        begins: Vec<Duration>,
        /// When none begins any more.
        length: Duration,
    },
}

/// One thread's part of the load.
struct Crew {
    plan: Arc<Plan>,
    population: RefCell<Population>,
    random: RefCell<Random>,
}

/// Runs one thread's part of the load to its end.
///
/// # Errors
/// When the ring cannot be set up or the ledger cannot be written.
pub(crate) fn run(plan: Arc<Plan>, population: Population, pace: Pace, seed: u64) -> io::Result<()> {
    let crew = Rc::new(Crew { plan, population: RefCell::new(population), random: RefCell::new(Random::new(seed)) });
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun();
    tokio_uring::builder().entries(1024).uring_builder(&ring).start(async move {
        match pace {
            Pace::Open(arrivals) => open(&crew, arrivals).await,
            Pace::Closed { begins, length } => closed(&crew, begins, length).await,
        }
    })
}

/// Begins a session at every arrival, then waits for all of them.
async fn open(crew: &Rc<Crew>, arrivals: Arrivals) -> io::Result<()> {
    let mut sessions = tokio::task::JoinSet::new();
    for arrival in arrivals {
        let due = u64::try_from(arrival.as_nanos()).unwrap_or(u64::MAX);
        let wait = due.saturating_sub(crew.now());
        if wait > 0 {
            sleep(Duration::from_nanos(wait)).await;
        }
        crew.plan.measure().happened(due, Happening::Due);
        while let Some(ended) = sessions.try_join_next() {
            ended.map_err(io::Error::other)??;
        }
        let lent = if (sessions.len() as u64) < crew.plan.sessions_max { crew.lend() } else { None };
        let Some(lent) = lent else {
            crew.plan.measure().counts.unstarted += 1;
            continue;
        };
        let crew = Rc::clone(crew);
        sessions.spawn_local(async move { crew.serve(lent, due).await });
    }
    while let Some(ended) = sessions.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Keeps one session going for each of `begins`.
async fn closed(crew: &Rc<Crew>, begins: Vec<Duration>, length: Duration) -> io::Result<()> {
    let mut loops = tokio::task::JoinSet::new();
    for begin in begins {
        let crew = Rc::clone(crew);
        loops.spawn_local(async move {
            sleep(begin).await;
            while u128::from(crew.now()) < length.as_nanos() {
                let due = crew.now();
                let Some(lent) = crew.lend() else {
                    return Err(io::Error::other("there are too few accounts for so many clients"));
                };
                crew.plan.measure().happened(due, Happening::Due);
                crew.serve(lent, due).await?;
            }
            Ok(())
        });
    }
    while let Some(ended) = loops.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

impl Crew {
    /// Nanoseconds since the start of the run.
    fn now(&self) -> u64 {
        clock::monotonic_ns().saturating_sub(self.plan.start)
    }

    fn lend(&self) -> Option<Lent> {
        self.population.borrow_mut().lend(&mut self.random.borrow_mut())
    }

    /// Sees one client through: one session, and more while it is refused and tries again.
    async fn serve(&self, mut lent: Lent, due: u64) -> io::Result<()> {
        let begun = self.now();
        {
            let mut measure = self.plan.measure();
            measure.late.saturating_record((begun - due).max(1));
            measure.in_flight += 1;
        }
        let outcome = self.see_through(&mut lent, due, begun).await;
        self.plan.measure().in_flight -= 1;
        self.population.borrow_mut().take_back(&lent, outcome?);
        Ok(())
    }

    async fn see_through(&self, lent: &mut Lent, due: u64, begun: u64) -> io::Result<Option<Outcome>> {
        let plan = &*self.plan;
        let account = plan.naming.account(lent.index);
        let (is_wrong, bad_first, profile, source) = {
            let mut random = self.random.borrow_mut();
            let is_wrong = random.happens(plan.wrong_share);
            let bad_first = random.happens(plan.bad_first_share).then_some(TOO_SHORT);
            (is_wrong, bad_first, plan.mix.draw(&mut random), source(plan, &mut random))
        };
        let old = if is_wrong { WRONG.to_owned() } else { plan.naming.password(lent.password) };
        let mut retry = 0;
        loop {
            let new = plan.naming.password(lent.attempt);
            let call = Call {
                address: plan.address,
                source,
                profile,
                account: &account,
                old: &old,
                bad_first,
                new: &new,
                patience: plan.patience,
            };
            let mut times = [None; STEPS.len()];
            let mut intended = false;
            let intend = || {
                plan.ledger.intend(lent.index, lent.attempt)?;
                intended = true;
                Ok(())
            };
            let ending = hold(&call, &mut times, intend).await;
            let now = self.now();
            let outcome = intended.then(|| verdict(ending));
            if let Some(outcome) = outcome {
                plan.ledger.conclude(lent.index, lent.attempt, outcome)?;
            }
            plan.measure().steps(&times);
            let is_overload =
                matches!(ending, Ending::Refused(_)) && !(is_wrong && ending == Ending::Refused(Step::Pass));
            if is_overload {
                plan.measure().happened(now, Happening::Refused);
                retry += 1;
                if let Some(wait) = plan.retry.wait(retry, plan.retries_max) {
                    // A refused NEWPASS has used up its number.
                    lent.attempt += u32::from(outcome.is_some());
                    plan.measure().counts.retries += 1;
                    sleep(wait).await;
                    continue;
                }
            }
            self.count(ending, is_wrong, now, due, begun);
            return Ok(outcome);
        }
    }

    /// Counts how a session ended in the end.
    fn count(&self, ending: Ending, is_wrong: bool, now: u64, due: u64, begun: u64) {
        let mut measure = self.plan.measure();
        match ending {
            Ending::Changed if is_wrong => measure.counts.nonsense += 1,
            Ending::Changed => measure.changed(now, due, begun),
            Ending::Refused(Step::Pass) if is_wrong => measure.counts.denied += 1,
            Ending::Refused(_) => measure.counts.refused += 1,
            Ending::Abandoned => measure.counts.abandoned += 1,
            Ending::TimedOut(_) => measure.counts.timed_out += 1,
            Ending::Broken(_) => measure.counts.broken += 1,
            Ending::Nonsense(_) => measure.counts.nonsense += 1,
        }
        if matches!(ending, Ending::TimedOut(_) | Ending::Broken(_) | Ending::Nonsense(_)) {
            measure.happened(now, Happening::Failed);
        }
    }
}

/// What the ending of a session says about the change it had begun.
fn verdict(ending: Ending) -> Outcome {
    match ending {
        Ending::Changed => Outcome::Acknowledged,
        Ending::Refused(_) => Outcome::Refused,
        Ending::Abandoned | Ending::TimedOut(_) | Ending::Broken(_) | Ending::Nonsense(_) => Outcome::Unknown,
    }
}

/// One of the loopback addresses 127.1.0.1 and on, when the server is on one.
fn source(plan: &Plan, random: &mut Random) -> Option<Ipv4Addr> {
    let base = Ipv4Addr::new(127, 1, 0, 1).to_bits();
    let number = (random.uniform() * f64::from(plan.sources)) as u32;
    let has_choice = plan.sources > 0 && plan.address.is_ipv4() && plan.address.ip().is_loopback();
    has_choice.then(|| Ipv4Addr::from_bits(base + number))
}
