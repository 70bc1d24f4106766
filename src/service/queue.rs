//! The jobs that wait for a worker, and the workers that wait for a job.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Tick;

use super::{Request, Ticket, lock};

/// A request that waits, or is being worked on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) ticket: Ticket,
    pub(super) arrived: Tick,
}

/// What a worker shall do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Carry out this job.
    Begin(Job),
    /// Nothing came for as long as the worker was willing to wait.
    Idle,
    /// End: the queue is closed and empty.
    End,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    is_closed: bool,
}

/// The queue before the pool.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
}

impl Queue {
    /// Appends `job`, unless `length_max` jobs wait already or the queue is closed.
    pub(super) fn offer(&self, job: Job, length_max: usize) -> Result<(), Job> {
        let mut state = lock(&self.state);
        if state.is_closed || state.waiting.len() >= length_max {
            return Err(job);
        }
        state.waiting.push_back(job);
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    /// Waits for a job, at most as long as `patience` says.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Next::Begin(job);
            }
            if state.is_closed {
                return Next::End;
            }
            let Some(patience) = patience else {
                state = self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (after, waited) = self.arrival.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() && state.waiting.is_empty() {
                return Next::Idle;
            }
        }
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Takes no more jobs; the workers end when the waiting ones are done.
    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.arrival.notify_all();
    }
}
