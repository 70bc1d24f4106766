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
use crate::control::Control;
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
            Work::Make { secret, salt, renews } => {
                self.errand.take_credentials(hasher.make_salted(&secret, seconds_since_1970(), salt));
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
    pub(super) control: Arc<Control>,
}

impl Reader {
    pub(super) fn run(&self, order: &Order) -> Result<Next, Unreadable> {
        self.accounts.read_with(|directory| {
            let scene = Scene {
                directory,
                now: seconds_since_1970(),
                started_at: self.started_at,
                password_bytes_min: self.password_bytes_min.load(Ordering::Relaxed),
                control: &self.control,
            };
            order.errand.run(&order.proof, &scene)
        })
    }

    /// Puts in force what a command has committed, and returns what its session is told.
    pub(super) fn renew(&self) -> cli::Answer {
        match self.accounts.read_with(|directory| self.control.renew(directory)) {
            Ok(restart) => cli::Answer::saved(&restart),
            // It is durable all the same, which is what 200 says.
            Err(Unreadable) => cli::Answer::saved(&["what was changed"]),
        }
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
            Ok(Next::Do(action)) => {
                let answer = cli::Answer::of(self.reader.control.carry_out(action));
                order.conclude(answer, false, &self.counters);
            }
            Ok(Next::Commit { transaction, renews }) => {
                let entry = Entry::Order(OrderChange::new(order, transaction, renews));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Service;
    use crate::service::world::{SETTINGS, World};
    use crate::store::CommitFault;

    /// What an inline session of the postmaster that has `proof` is answered, and what it has then.
    fn ask_with(
        world: &World,
        service: &Service,
        proof: Box<Authenticated>,
        line: &str,
    ) -> Option<(String, Box<Authenticated>)> {
        let line = CommandLine::new(line.as_bytes());
        match world.ask(service, Request::Command { proof, line, is_inline: true }) {
            Answer::Executed(CommandOutcome::Answered { proof, answer }) => {
                Some((String::from_utf8(answer).unwrap().trim_end().to_owned(), proof))
            }
            Answer::Executed(CommandOutcome::Expired) => None,
            answer @ (Answer::Verified(_) | Answer::Changed(_) | Answer::Handshaken(_)) => {
                panic!("{answer:?} to a command")
            }
        }
    }

    fn ask(world: &World, service: &Service, line: &str) -> String {
        ask_with(world, service, world.proof(), line).expect("the login counts").0
    }

    #[test]
    fn commands_read_hash_and_commit_and_are_answered_in_the_end() {
        let world = World::new();
        let service = world.start(SETTINGS);
        for (line, answer) in [
            ("LISTDOMAINS", "201 (example.com)"),
            ("CREATEACCOUNT alice {Password=\"green barn 9\";}", "200 OK"),
            ("VERIFYACCOUNTPASSWORD alice PASSWORD \"green barn 9\"", "200 OK"),
            ("VERIFYACCOUNTPASSWORD alice PASSWORD other", "515 incorrect password or account name"),
            ("SETACCOUNTSETTINGS alice {x=1;}", "200 OK"),
            ("GETACCOUNTSETTINGS alice", "201 {x=1;}"),
            ("WHAT", "500 unknown command - send HELP for a list"),
        ] {
            assert_eq!(ask(&world, &service, line), answer, "{line}");
        }
        assert_eq!((service.snapshot().of(Count::Commands), service.snapshot().of(Count::Hashes)), (7, 3));
        service.stop();
    }

    #[test]
    fn a_session_stays_logged_in_when_it_changes_its_own_password_and_others_do_not() {
        let world = World::new();
        let service = world.start(SETTINGS);
        let (one, other) = (world.proof(), world.proof());
        let line = "SETACCOUNTPASSWORD * PASSWORD \"another secret\"";
        let (answer, one) = ask_with(&world, &service, one, line).unwrap();
        assert_eq!(answer, "200 OK");
        assert!(ask_with(&world, &service, other, "NOOP").is_none());
        let (answer, _) = ask_with(&world, &service, one, "LISTDOMAINS").unwrap();
        assert_eq!(answer, "201 (example.com)");
        service.stop();
    }

    #[test]
    fn a_faulty_store_is_never_answered_with_success() {
        let create = "CREATEDOMAIN new.example";
        for (fault, answer) in [
            (CommitFault::Closed("x".into()), "501 server error - nothing was changed - try again later"),
            (CommitFault::Unknown("x".into()), "501 server error - the change may or may not have been made"),
        ] {
            let world = World::new();
            let service = world.start(SETTINGS);
            world.store.fail_commits(fault);
            assert_eq!(ask(&world, &service, create), answer);
            service.stop();
        }
        let world = World::new();
        let (service, proof) = (world.start(SETTINGS), world.proof());
        world.store.fail_reads(true);
        let (answer, _) = ask_with(&world, &service, proof, "LISTDOMAINS").unwrap();
        assert_eq!(answer, "501 server error - nothing was changed - try again later");
        service.stop();
    }

    #[test]
    fn a_command_that_always_meets_other_changes_is_given_up_unchanged() {
        let world = World::new();
        let service = world.start(SETTINGS);
        world.store.lose_races(true);
        assert_eq!(ask(&world, &service, "CREATEDOMAIN new.example"), "501 server is busy - try again later");
        world.store.lose_races(false);
        assert_eq!(ask(&world, &service, "LISTDOMAINS"), "201 (example.com)");
        service.stop();
    }

    #[test]
    fn settings_changed_by_several_at_once_are_all_kept_and_in_force() {
        const ADMINISTRATORS: u64 = 6;
        let world = World::new();
        let control = world.control();
        let service = world.start_with(SETTINGS, &control);
        let keys = ["LogLevel", "IdleTimeout", "LineTimeout", "LoginTimeout", "QueueTime", "FailuresLimit"];
        for (session, key) in (1..=ADMINISTRATORS).zip(keys) {
            let line = CommandLine::new(format!("UPDATEMODULE PWD {{{key}=2;}}").as_bytes());
            let request = Request::Command { proof: world.proof(), line, is_inline: true };
            assert!(service.submit(request, &world.ticket(session)).is_none());
        }
        for (session, answer) in world.answers(6) {
            let Answer::Executed(CommandOutcome::Answered { answer, .. }) = answer else { panic!("{answer:?}") };
            assert_eq!(answer, b"200 OK\r\n", "{session}");
        }
        let module = control.config().module();
        assert!(keys.iter().all(|key| module.get(key).and_then(|value| value.as_str()) == Some("2")), "{module:?}");
        assert_eq!(control.live().0.idle.as_secs(), 2);
        service.stop();
    }

    #[test]
    fn commands_of_clients_that_have_gone_are_not_begun_but_answered() {
        let world = World::new();
        let service = world.start(SETTINGS);
        let ticket = world.ticket(7);
        ticket.abandoned.store(true, Ordering::Relaxed);
        let line = CommandLine::new(b"CREATEDOMAIN new.example");
        assert!(service.submit(Request::Command { proof: world.proof(), line, is_inline: true }, &ticket).is_none());
        assert_eq!(world.answers(1)[0].0, 7);
        assert_eq!(ask(&world, &service, "LISTDOMAINS"), "201 (example.com)");
        service.stop();
    }

    #[test]
    fn a_stopped_service_answers_that_it_is_busy() {
        let world = World::new();
        let service = world.start(SETTINGS);
        let (late, proof) = (service.clone(), world.proof());
        service.stop();
        let (answer, _) = ask_with(&world, &late, proof, "LISTDOMAINS").unwrap();
        assert_eq!(answer, "501 server is busy - try again later");
    }
}
