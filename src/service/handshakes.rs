//! The threads that make the slow steps of TLS handshakes: those that sign with an RSA key.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use super::counters::{Count, Counters};
use super::{Answer, Ticket, lock, spawn};
use crate::tls::Step;

/// Two, so that a step does not wait for the one before it on a machine with a core to spare.
const THREADS: usize = 2;

/// Between the ring threads, which must not wait, and the hashes, which take far longer.
const NICENESS: i32 = 10;

/// Steps that may wait: some seconds of one core.
const STEPS_WAITING_MAX: usize = 4096;

/// The threads, and the queue before them.
#[derive(Debug)]
pub(super) struct Handshakes {
    steps: Mutex<Option<SyncSender<(Step, Ticket)>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Handshakes {
    pub(super) fn start(counters: &Arc<Counters>) -> Self {
        let (sender, receiver) = sync_channel(STEPS_WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let thread = |index| {
            let (steps, counters) = (Arc::clone(&receiver), Arc::clone(counters));
            spawn(&format!("tls-{index}"), move || work(&steps, &counters))
        };
        let threads = (0..THREADS).map(thread).collect();
        Self { steps: Mutex::new(Some(sender)), threads: Mutex::new(threads) }
    }

    /// Queues `step`; returns it when too many wait, or the service is stopping.
    pub(super) fn offer(&self, step: Step, ticket: &Ticket) -> Option<Step> {
        let Some(steps) = &*lock(&self.steps) else { return Some(step) };
        match steps.try_send((step, ticket.clone())) {
            Ok(()) => None,
            Err(TrySendError::Full((step, _)) | TrySendError::Disconnected((step, _))) => Some(step),
        }
    }

    /// Finishes what is queued, then ends the threads.
    pub(super) fn stop(&self) {
        lock(&self.steps).take();
        for thread in lock(&self.threads).drain(..) {
            assert!(thread.join().is_ok(), "a thread that shakes hands has panicked");
        }
    }
}

/// One thread's work, until no more steps can come.
fn work(steps: &Mutex<Receiver<(Step, Ticket)>>, counters: &Counters) {
    if let Err(error) = setpriority_process(Some(gettid()), NICENESS) {
        tracing::debug!("a thread for handshakes keeps its priority: {error}");
    }
    loop {
        let next = lock(steps).recv();
        let Ok((mut step, ticket)) = next else { return };
        if ticket.is_abandoned() {
            counters.add(Count::Abandoned, 1);
        } else {
            step.make();
        }
        ticket.answer(Answer::Handshaken(step), counters);
    }
}
