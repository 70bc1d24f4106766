//! One generator thread: it begins sessions when they are due and sees them through.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::sleep;

use super::arrivals::Arrivals;
use super::errand::{End, Errand, Meaning, Sources};
use super::ledger::{Ledger, Outcome};
use super::measure::Measure;
use super::population::{Lent, Naming, Population};
use super::profile::Mix;
use super::random::Random;
use super::retry::Retry;
use super::session::{Call, Ending, STEPS, Step, hold};
use crate::clock;

/// How often a thread looks how late its timers are.
const LAG_PROBE: Duration = Duration::from_millis(10);

/// What all generator threads go by, and write to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The loopback addresses to come from.
    pub(crate) sources: Sources,
    /// Names and passwords.
    pub(crate) naming: Naming,
    /// Client programs.
    pub(crate) mix: Mix,
    /// Share of sessions with a wrong old password.
    pub(crate) wrong_share: f64,
    /// Share of clients who first choose a password that is refused.
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
    /// Who may come.
    pub(crate) population: Mutex<Population>,
    /// What was measured, by all threads.
    pub(crate) measure: Mutex<Measure>,
}

impl Plan {
    /// What was measured so far.
    pub(crate) fn measure(&self) -> MutexGuard<'_, Measure> {
        self.measure.lock().expect("nobody panics while counting")
    }

    fn population(&self) -> MutexGuard<'_, Population> {
        self.population.lock().expect("nobody panics while choosing")
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
    random: RefCell<Random>,
}

/// Runs one thread's part of the load to its end, and returns the processor time it took, in ns.
///
/// # Errors
/// When the ring cannot be set up or the ledger cannot be written.
pub(crate) fn run(plan: Arc<Plan>, pace: Pace, seed: u64) -> io::Result<u64> {
    let crew = Rc::new(Crew { plan, random: RefCell::new(Random::new(seed)) });
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun();
    tokio_uring::builder().entries(1024).uring_builder(&ring).start(async move {
        let probe = tokio::task::spawn_local(watch_lag(Rc::clone(&crew)));
        match pace {
            Pace::Open(arrivals) => open(&crew, arrivals).await,
            Pace::Closed { begins, length } => closed(&crew, begins, length).await,
        }?;
        probe.abort();
        Ok(clock::thread_cpu_ns())
    })
}

/// Measures for ever how late this thread gets to what is due: the error of all its measurements.
async fn watch_lag(crew: Rc<Crew>) {
    loop {
        let due = crew.now() + LAG_PROBE.as_nanos() as u64;
        sleep(LAG_PROBE).await;
        let lag = crew.now().saturating_sub(due);
        crew.plan.measure().lag.saturating_record(lag.max(1));
    }
}

/// Begins a session at every arrival, then waits for all of them.
async fn open(crew: &Rc<Crew>, arrivals: Arrivals) -> io::Result<()> {
    let mut sessions = tokio::task::JoinSet::new();
    for arrival in arrivals {
        let due = u64::try_from(arrival.as_nanos()).unwrap_or(u64::MAX);
        let wait = due.saturating_sub(crew.now());
        if wait > 0 {
            sleep(Duration::from_nanos(wait)).await;
        } else {
            // Whoever is behind must not keep the sessions that stand from going on.
            tokio::task::yield_now().await;
        }
        while let Some(ended) = sessions.try_join_next() {
            ended.map_err(io::Error::other)??;
        }
        crew.plan.measure().is_due(due);
        let lent = if (sessions.len() as u64) < crew.plan.sessions_max { crew.lend() } else { None };
        let Some(lent) = lent else {
            crew.plan.measure().ended(crew.now(), End::Unstarted);
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
                crew.plan.measure().is_due(due);
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
        self.plan.population().lend(&mut self.random.borrow_mut())
    }

    /// Sees one client through: one session, and more while it is refused and tries again.
    async fn serve(&self, mut lent: Lent, due: u64) -> io::Result<()> {
        let begun = self.now();
        self.plan.measure().late.saturating_record((begun - due).max(1));
        let outcome = self.see_through(&mut lent, due, begun).await?;
        self.plan.population().take_back(&lent, outcome);
        Ok(())
    }

    async fn see_through(&self, lent: &mut Lent, due: u64, begun: u64) -> io::Result<Option<Outcome>> {
        let plan = &*self.plan;
        let mut errand = Errand::draw(plan, &mut self.random.borrow_mut());
        let mut retries = 0;
        loop {
            let (ending, outcome, now) = self.try_once(&errand, lent, due).await?;
            let end = match errand.meaning(ending) {
                Meaning::Over(end) => end,
                Meaning::Corrected => {
                    plan.measure().counts.corrected += 1;
                    errand.is_too_short = false;
                    continue;
                }
                Meaning::Refused => {
                    plan.measure().refused(now);
                    retries += 1;
                    if let Some(wait) = plan.retry.wait(retries, plan.retries_max) {
                        plan.measure().counts.retries += 1;
                        // A refused change has used up its number.
                        lent.attempt += u32::from(outcome.is_some());
                        sleep(wait).await;
                        continue;
                    }
                    End::Refused
                }
            };
            let mut measure = plan.measure();
            measure.ended(now, end);
            if end == End::Changed {
                measure.waited(now, due, begun);
            }
            return Ok(outcome);
        }
    }

    /// Holds one session. Returns how it ended, what that says about the change it had begun, and
    /// when that was known: farewells do not count.
    async fn try_once(&self, errand: &Errand, lent: &Lent, due: u64) -> io::Result<(Ending, Option<Outcome>, u64)> {
        let plan = &*self.plan;
        let (account, old, new) = errand.words(&plan.naming, lent);
        let call = Call {
            address: plan.address,
            source: errand.source,
            profile: errand.profile,
            account: &account,
            old: &old,
            new: &new,
            patience: plan.patience,
        };
        let mut spans = [None; STEPS.len()];
        let mut intended = None;
        let intend = || {
            let written = if errand.is_too_short { Ok(()) } else { plan.ledger.intend(lent.index, lent.attempt) };
            intended.insert(written).is_ok()
        };
        let ending = hold(&call, &mut spans, intend).await;
        let known = spans[Step::NewPass as usize].map_or_else(|| self.now(), |span| span.done - plan.start);
        plan.measure().steps(&spans, plan.start + due);
        let Some(written) = intended else {
            return Ok((ending, None, known));
        };
        written?;
        if errand.is_too_short {
            return Ok((ending, None, known));
        }
        let outcome = Outcome::of(ending);
        plan.ledger.conclude(lent.index, lent.attempt, outcome)?;
        Ok((ending, Some(outcome), known))
    }
}
