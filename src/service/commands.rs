//! The threads that carry out commands, apart from those that hash: a command that only reads is
//! not kept waiting by logins.
//!
//! ```text
//! shard --submit--> clerk: run --answer--------------------------> mailbox
//!                     |   |                                           ^
//!                     |   +--transaction--> committer: group, sync ---+
//!                     |                         ^                     |
//!                     +--work--> queue --> worker: hash, run again ---+
//! ```

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::auth::Hasher;
use crate::cli::{self, Errand, Next, Scene, Work};
use crate::model::Authenticated;
use crate::proto::{CommandLine, CommandOutcome};

use super::accounts::{Accounts, Unreadable};
use super::committer::{Entry, OrderChange};
use super::counters::{Count, Counters};
use super::pool::seconds_since_1970;
use super::queue::{Job, Queue};
use super::{Answer, Request, Ticket, lock, spawn};

/// Threads that run commands: more than one, so that one long list delays nobody.
const CLERKS: usize = 2;

/// A command, the session it came from, and how far it has come.
pub struct Order {
    errand: Errand,
    /// Who sent it.
    proof: Box<Authenticated>,
    /// What the session gets instead, should the command change its own password.
    renewed: Option<Box<Authenticated>>,
    ticket: Ticket,
    work: Option<Work>,
}

impl Order {
    pub(super) fn new(proof: Box<Authenticated>, line: CommandLine, is_inline: bool, ticket: Ticket) -> Self {
        Self { errand: Errand::new(line, is_inline), proof, renewed: None, ticket, work: None }
    }

    /// Hashes what the command has asked for.
    pub(super) fn hash(&mut self, hasher: &mut Hasher, counters: &Counters) {
        let Some(work) = self.work.take() else { return };
        counters.add(Count::Hashes, 1);
        match work {
            Work::Make { secret, renews } => {
                self.errand.take_credentials(hasher.make(&secret, seconds_since_1970()));
                let is_operator = self.proof.is_operator();
                let renew = |(account, revision)| hasher.renew(account, revision, &secret).of_operator(is_operator);
                self.renewed = renews.map(|own| Box::new(renew(own)));
            }
            Work::Check { account, secret } => {
                let subject = (account.name, account.password_revision, &account.credentials);
                self.errand.take_verdict(hasher.authenticate(Some(subject), &secret).is_some());
            }
        }
    }

    /// Tells the session how it ended. `is_done` says that what the command wanted was committed.
    pub(super) fn conclude(self, answer: cli::Answer, is_done: bool, counters: &Counters) {
        let renewed = self.renewed.filter(|_| is_done);
        let proof = renewed.unwrap_or(self.proof);
        let outcome = CommandOutcome::Answered { proof, answer: answer.into_bytes() };
        self.ticket.answer(Answer::Executed(outcome), counters);
    }

    /// The answer when it is not carried out.
    pub(super) fn decline(self) -> Answer {
        Self::answer_busy(self.proof)
    }

    /// The answer to a command that is not carried out.
    pub(super) fn answer_busy(proof: Box<Authenticated>) -> Answer {
        let answer = cli::Answer::busy().into_bytes();
        Answer::Executed(CommandOutcome::Answered { proof, answer })
    }

    /// Who sent it.
    pub(super) fn proof(&self) -> &Authenticated {
        &self.proof
    }

    /// The session's login is void.
    pub(super) fn expire(self, counters: &Counters) {
        self.ticket.answer(Answer::Executed(CommandOutcome::Expired), counters);
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({:?} of {:?})", self.errand, self.proof)
    }
}

/// What it takes to run an errand, and nothing that keeps a thread from ending.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) accounts: Arc<Accounts>,
    pub(super) started_at: u64,
    pub(super) password_bytes_min: Arc<AtomicUsize>,
}

impl Reader {
    pub(super) fn run(&self, order: &Order) -> Result<Next, Unreadable> {
        self.accounts.read_with(|directory| {
            let scene = Scene {
                directory,
                now: seconds_since_1970(),
                started_at: self.started_at,
                password_bytes_min: self.password_bytes_min.load(Ordering::Relaxed),
            };
            order.errand.run(&order.proof, &scene)
        })
    }
}

/// Where an order goes when it has been run.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    pub(super) reader: Arc<Reader>,
    pub(super) counters: Arc<Counters>,
    pub(super) changes: SyncSender<Entry>,
}

impl Routes {
    /// Runs `order`; returns it when it needs a hash first.
    pub(super) fn advance(&self, mut order: Order) -> Option<Order> {
        match self.reader.run(&order) {
            Err(Unreadable) => order.conclude(cli::Answer::fault(), false, &self.counters),
            Ok(Next::Tell(answer)) => order.conclude(answer, false, &self.counters),
            Ok(Next::Expired) => order.expire(&self.counters),
            Ok(Next::Commit(transaction)) => {
                let entry = Entry::Order(OrderChange::new(order, transaction));
                assert!(self.changes.send(entry).is_ok(), "the committer outlives whoever hands it changes");
            }
            Ok(Next::Hash(work)) => {
                order.work = Some(work);
                return Some(order);
            }
        }
        None
    }
}

/// The threads that run commands, and the queue before them.
#[derive(Debug)]
pub(super) struct Clerks {
    orders: Mutex<Option<SyncSender<Order>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Clerks {
    /// Starts them. `orders_max` orders may wait.
    pub(super) fn start(routes: &Routes, queue: &Arc<Queue>, orders_max: usize) -> Self {
        let (sender, receiver) = sync_channel(orders_max);
        let receiver = Arc::new(Mutex::new(receiver));
        let clerk = |index| {
            let (routes, queue) = (routes.clone(), Arc::clone(queue));
            let orders = Arc::clone(&receiver);
            spawn(&format!("cli-{index}"), move || work(&orders, &routes, &queue))
        };
        let threads = (0..CLERKS).map(clerk).collect();
        Self { orders: Mutex::new(Some(sender)), threads: Mutex::new(threads) }
    }

    /// Queues `order`, or returns its answer when too many wait, or the service is stopping.
    pub(super) fn offer(&self, order: Order) -> Option<Answer> {
        let refused = match &*lock(&self.orders) {
            None => order,
            Some(orders) => match orders.try_send(order) {
                Ok(()) => return None,
                Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) => order,
            },
        };
        Some(refused.decline())
    }

    /// Finishes what is queued, then ends the threads.
    pub(super) fn stop(&self) {
        lock(&self.orders).take();
        for thread in lock(&self.threads).drain(..) {
            assert!(thread.join().is_ok(), "a thread that runs commands has panicked");
        }
    }
}

/// One clerk's work, until no more orders can come.
fn work(orders: &Mutex<Receiver<Order>>, routes: &Routes, queue: &Queue) {
    loop {
        let next = lock(orders).recv();
        let Ok(order) = next else { return };
        if order.ticket.is_abandoned() {
            routes.counters.add(Count::Abandoned, 1);
            let ticket = order.ticket.clone();
            ticket.answer(order.decline(), &routes.counters);
            continue;
        }
        let Some(order) = routes.advance(order) else { continue };
        let ticket = order.ticket.clone();
        let job = Job { request: Request::Order(Box::new(order)), ticket: ticket.clone() };
        if let Some(answer) = queue.offer(job) {
            ticket.answer(answer, &routes.counters);
        }
    }
}
