//! The jobs that wait for a worker, and the workers that wait for a job.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Clock, DomainName, LoginName, Tick};
use crate::proto::{ChangeOutcome, Told, Verdict};

use super::admission::{Admission, Admitted, Bounds, Pass, Patient, Reason, TurnedAway};
use super::commands::Order;
use super::counters::{Count, Counters, Snapshot};
use super::origin::Origins;
use super::upgrades::{Upgrade, Upgrades};
use super::{Answer, RETRY_AFTER_S, Request, Ticket, lock};

/// A request that waits, or is being worked on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) ticket: Ticket,
}

impl Patient for Job {
    fn is_abandoned(&self) -> bool {
        self.ticket.is_abandoned()
    }
}

impl Job {
    /// The answer to a job that is not carried out.
    pub(super) fn busy(self, retry_after_s: u32) -> Answer {
        match self.request {
            Request::Ask { .. } => Answer::Told(Told::Busy { retry_after_s }),
            Request::Verify { .. } => Answer::Verified(Verdict::Busy { retry_after_s }),
            Request::Change { proof, .. } => Answer::Changed(ChangeOutcome::Busy { proof, retry_after_s }),
            Request::Command { proof, .. } => Order::answer_busy(proof),
            Request::Order(order) | Request::GoOn(order) => order.decline(),
        }
    }
}

/// What a worker shall do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Carry out this job, and give back its pass.
    Begin(Job, Pass),
    /// Nobody waits: bring this record up to date.
    Upgrade(Upgrade),
    /// Nothing came for as long as the worker was willing to wait.
    Idle,
    /// End: the queue is closed and empty.
    End,
}

#[derive(Debug)]
struct State {
    admission: Admission<Job>,
    upgrades: Upgrades,
    is_closed: bool,
}

/// The queue before the pool.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
    origins: Origins,
    clock: Clock,
    counters: Arc<Counters>,
}

impl Queue {
    /// `job` is about how long one will take, until the first ones have been measured.
    pub(super) fn new(bounds: Bounds, job: Duration, origins: Origins, clock: Clock, counters: Arc<Counters>) -> Self {
        let state = State { admission: Admission::new(bounds, job), upgrades: Upgrades::default(), is_closed: false };
        Self { state: Mutex::new(state), arrival: Condvar::new(), origins, clock, counters }
    }

    /// Lets `job` wait, or returns its answer when it may not.
    pub(super) fn offer(&self, job: Job) -> Option<Answer> {
        let (class, origin) = self.origins.of(&job.request, &job.ticket);
        let now = self.clock.now();
        let mut state = lock(&self.state);
        if state.is_closed {
            return Some(job.busy(RETRY_AFTER_S));
        }
        let refused = state.admission.offer(job, class, origin, now).err();
        let turned_away = state.admission.turned_away();
        drop(state);
        if refused.is_none() {
            self.arrival.notify_one();
        }
        self.dismiss(turned_away);
        refused.map(|away| away.job.busy(away.retry_after_s))
    }

    /// An account was found for this login, so its domain exists.
    pub(super) fn found(&self, login: &LoginName, domain: Option<&DomainName>) {
        let (_, domain) = self.origins.of_login(login, domain);
        lock(&self.state).admission.found(domain);
    }

    /// Lets `upgrade` wait until a worker has nothing else to do, or gives it up. The worker that
    /// offers it is the one to take it, if nobody else waits by then, so none is woken.
    pub(super) fn offer_upgrade(&self, upgrade: Upgrade) {
        let mut state = lock(&self.state);
        if state.is_closed || !state.upgrades.offer(upgrade) {
            self.counters.add(Count::UpgradesGivenUp, 1);
        }
    }

    /// Gives back the pass of a job that `took` so long, and waits for the next, at most as long
    /// as `patience` says.
    pub(super) fn next(&self, ended: Option<(Pass, Duration)>, patience: Option<Duration>) -> Next {
        let mut state = lock(&self.state);
        if let Some((pass, took)) = ended {
            state.admission.finish(pass, took);
        }
        loop {
            let now = self.clock.now();
            self.give_up_upgrades(&mut state, now);
            let admitted = state.admission.take(now);
            let turned_away = state.admission.turned_away();
            if !turned_away.is_empty() {
                drop(state);
                self.dismiss(turned_away);
                state = lock(&self.state);
            }
            if let Some(Admitted { job, waited, pass }) = admitted {
                self.counters.begun(waited);
                return Next::Begin(job, pass);
            }
            if state.is_closed && state.admission.len() == 0 {
                // Others may be waiting for an account whose last job this worker has just done.
                self.arrival.notify_all();
                return Next::End;
            }
            if state.admission.len() == 0
                && let Some(upgrade) = state.upgrades.take()
            {
                return Next::Upgrade(upgrade);
            }
            let Some(patience) = patience else {
                state = self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (after, waited) = self.arrival.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() && state.admission.len() == 0 {
                return Next::Idle;
            }
        }
    }

    /// Gives up upgrades that have waited for too long, and all of them when the queue is closed.
    fn give_up_upgrades(&self, state: &mut State, now: Tick) {
        let upgrades = &mut state.upgrades;
        let count = if state.is_closed { upgrades.clear() } else { upgrades.give_up(now) };
        self.counters.add(Count::UpgradesGivenUp, count as u64);
    }

    /// Answers those that will not begin.
    fn dismiss(&self, turned_away: Vec<TurnedAway<Job>>) {
        for TurnedAway { job, retry_after_s, reason } in turned_away {
            let count = match reason {
                Reason::Refused => Count::Busy,
                Reason::Displaced => Count::Displaced,
                Reason::Abandoned => Count::Abandoned,
            };
            self.counters.add(count, 1);
            let ticket = job.ticket.clone();
            ticket.mailbox.post(ticket.session, job.busy(retry_after_s));
        }
    }

    /// Changes how long and how many jobs may wait.
    pub(super) fn set_bounds(&self, wait_max: Duration, length_max: usize) {
        lock(&self.state).admission.set_bounds(wait_max, length_max);
    }

    /// For how long the jobs that wait keep the pool busy.
    pub(super) fn backlog(&self) -> Duration {
        lock(&self.state).admission.backlog()
    }

    /// What `counters` have counted, with how many jobs wait and how long one takes.
    pub(super) fn snapshot(&self, counters: &Counters) -> Snapshot {
        let state = lock(&self.state);
        let (waiting, job) = (state.admission.len(), state.admission.job_time());
        drop(state);
        counters.set(Count::Waiting, waiting as u64);
        counters.set(Count::JobUs, u64::try_from(job.as_micros()).unwrap_or(u64::MAX));
        counters.snapshot(self.clock.now())
    }

    /// Takes no more jobs; the workers end when the waiting ones are done.
    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.arrival.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DomainName;
    use crate::service::upgrades::{UPGRADE_WAIT_MAX, UPGRADES_WAITING_MAX};
    use crate::service::world::{World, postmaster, secret, verification};

    fn queue(clock: &Clock, counters: &Arc<Counters>) -> Queue {
        let bounds = Bounds { workers: 1, wait_max: Duration::from_secs(5), length_max: 9 };
        let origins = Origins::new(&DomainName::parse("example.com").unwrap());
        Queue::new(bounds, Duration::from_millis(1), origins, clock.clone(), Arc::clone(counters))
    }

    fn upgrade(clock: &Clock) -> Upgrade {
        Upgrade { account: postmaster(), password_revision: 1, secret: secret("old secret"), since: clock.now() }
    }

    fn given_up(counters: &Counters) -> u64 {
        counters.snapshot(Tick(0)).of(Count::UpgradesGivenUp)
    }

    #[test]
    fn an_upgrade_begins_when_no_job_waits() {
        let (world, clock, counters) = (World::new(), Clock::new(), Arc::default());
        let queue = queue(&clock, &counters);
        queue.offer_upgrade(upgrade(&clock));
        for session in 0..2 {
            let request = verification(&format!("account{session}"), "secret");
            assert!(queue.offer(Job { request, ticket: world.ticket(session) }).is_none());
        }
        let mut ended = None;
        for _ in 0..2 {
            let Next::Begin(_, pass) = queue.next(ended.take(), None) else { panic!("an upgrade went before a job") };
            ended = Some((pass, Duration::ZERO));
        }
        assert!(matches!(queue.next(ended, None), Next::Upgrade(_)));
        assert!(matches!(queue.next(None, Some(Duration::ZERO)), Next::Idle));
        assert_eq!(given_up(&counters), 0);
    }

    #[test]
    fn an_upgrade_without_room_or_time_is_given_up() {
        let (clock, counters) = (Clock::new(), Arc::default());
        let queue = queue(&clock, &counters);
        for _ in 0..=UPGRADES_WAITING_MAX {
            queue.offer_upgrade(upgrade(&clock));
        }
        assert_eq!(given_up(&counters), 1);
        clock.turn_forward(UPGRADE_WAIT_MAX + Duration::from_secs(1));
        queue.offer_upgrade(upgrade(&clock));
        assert!(matches!(queue.next(None, Some(Duration::ZERO)), Next::Idle));
        assert_eq!(given_up(&counters), UPGRADES_WAITING_MAX as u64 + 2);
        queue.offer_upgrade(upgrade(&clock));
        queue.close();
        queue.offer_upgrade(upgrade(&clock));
        assert!(matches!(queue.next(None, None), Next::End));
        assert_eq!(given_up(&counters), UPGRADES_WAITING_MAX as u64 + 4);
    }
}
