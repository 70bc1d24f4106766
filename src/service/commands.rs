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
//!
//! An order whose answer is a list goes to and fro: a clerk reads and prints a piece, the shard
//! sends it and hands the order in again when the client has read it. Between two pieces nobody
//! works for it, and others are served.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::auth::Hasher;
use crate::cli::{self, Errand, Next, Scene, Work};
use crate::control::Control;
use crate::directory::{Directory, Sight};
use crate::model::Authenticated;
use crate::proto::{CommandLine, CommandOutcome};

use super::accounts::{Accounts, Unreadable};
use super::committer::{Entry, OrderChange};
use super::counters::{Count, Counters};
use super::intake::Inlet;
use super::mailbox::Wake;
use super::pool::seconds_since_1970;
use super::queue::{Job, Queue};
use super::{Answer, Request, Ticket, lock, spawn};

/// Threads that run commands: more than one, so that one slow read delays nobody.
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
    /// The list that it is answered with, once that is known.
    listing: Option<cli::Listing>,
}

impl Order {
    pub(super) fn new(proof: Box<Authenticated>, line: CommandLine, is_inline: bool, ticket: Ticket) -> Self {
        Self { errand: Errand::new(line, is_inline), proof, renewed: None, ticket, work: None, listing: None }
    }

    /// Hashes what the command has asked for.
    pub(super) fn hash(&mut self, hasher: &mut Hasher, counters: &Counters) {
        let Some(work) = self.work.take() else { return };
        counters.add(Count::Hashes, 1);
        match work {
            Work::Make { secret, salt, wanted, renews } => {
                self.errand.take_credentials(hasher.make_as(&secret, seconds_since_1970(), salt, wanted));
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
    pub(super) fn conclude(self, answer: cli::Answer, is_done: bool, counters: &Counters) -> Option<Wake> {
        let renewed = self.renewed.filter(|_| is_done);
        let proof = renewed.unwrap_or(self.proof);
        let outcome = CommandOutcome::Answered { proof, answer: answer.into_bytes() };
        self.ticket.answer(Answer::Executed(outcome), counters)
    }

    /// The same for another wait: each has a ticket of its own.
    pub(super) fn with_ticket(mut self: Box<Self>, ticket: Ticket) -> Box<Self> {
        self.ticket = ticket;
        self
    }

    /// The answer when it is not carried out, or its list not to the end.
    pub(super) fn decline(self) -> Answer {
        match self.listing {
            None => Self::answer_busy(self.proof),
            Some(_) => Answer::Executed(CommandOutcome::Broken),
        }
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
    pub(super) fn expire(self, counters: &Counters) -> Option<Wake> {
        self.ticket.answer(Answer::Executed(CommandOutcome::Expired), counters)
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
    pub(super) password_characters_min: Arc<AtomicUsize>,
    pub(super) control: Arc<Control>,
    /// What is seen of the directory until the next commit.
    pub(super) sight: Mutex<Option<Arc<Sight>>>,
}

impl Reader {
    pub(super) fn run(&self, order: &Order) -> Result<Next, Unreadable> {
        self.accounts.read_with(|directory| {
            let scene = Scene {
                sight: &self.sight_of(directory),
                now: seconds_since_1970(),
                started_at: self.started_at,
                password_characters_min: self.password_characters_min.load(Ordering::Relaxed),
                control: &self.control,
            };
            order.errand.run(&order.proof, &scene)
        })
    }

    fn sight_of(&self, directory: &Directory) -> Arc<Sight> {
        let mut last = lock(&self.sight);
        let current = last.take().filter(|sight| sight.is_of(directory));
        let sight = current.unwrap_or_else(|| Arc::new(Sight::new(directory)));
        Arc::clone(last.insert(sight))
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
    pub(super) changes: Inlet<Entry>,
}

impl Routes {
    /// Runs `order`, or goes on with its list; returns it when it needs a hash first, or another
    /// turn for the next piece.
    pub(super) fn advance(&self, mut order: Order) -> Option<Order> {
        if let Some(listing) = order.listing.take() {
            return self.show_piece(order, listing);
        }
        match self.reader.run(&order) {
            Err(Unreadable) => drop(order.conclude(cli::Answer::fault(), false, &self.counters)),
            Ok(Next::Tell(answer)) => drop(order.conclude(answer, false, &self.counters)),
            Ok(Next::List(listing)) => return self.show_piece(order, listing),
            Ok(Next::Expired) => drop(order.expire(&self.counters)),
            Ok(Next::Do(action)) => {
                let answer = cli::Answer::of(self.reader.control.carry_out(action));
                order.conclude(answer, false, &self.counters);
            }
            Ok(Next::Commit { transaction, renews }) => {
                self.changes.put(Entry::Order(OrderChange::new(order, transaction, renews)));
            }
            Ok(Next::Hash(work)) => {
                order.work = Some(work);
                return Some(order);
            }
        }
        None
    }

    /// Makes the next piece of `listing`, the answer to `order`. Returns the order when there was
    /// nothing in it to send.
    fn show_piece(&self, mut order: Order, mut listing: cli::Listing) -> Option<Order> {
        let is_begun = listing.is_begun();
        match self.reader.accounts.read_with(|directory| listing.next_piece(directory)) {
            Err(Unreadable) if is_begun => {
                order.ticket.answer(Answer::Executed(CommandOutcome::Broken), &self.counters);
            }
            Err(Unreadable) => drop(order.conclude(cli::Answer::fault(), false, &self.counters)),
            Ok(piece) if piece.is_last => drop(order.conclude(cli::Answer::list(piece), false, &self.counters)),
            Ok(piece) => {
                order.listing = Some(listing);
                if piece.bytes.is_empty() {
                    return Some(order);
                }
                let ticket = order.ticket.clone();
                ticket.answer(Answer::Part { piece: piece.bytes, rest: Box::new(order) }, &self.counters);
            }
        }
        None
    }
}

/// The orders that wait for a clerk.
#[derive(Debug)]
struct Tray {
    waiting: Mutex<Waiting>,
    has_more: Condvar,
}

#[derive(Debug)]
struct Waiting {
    orders: VecDeque<Box<Order>>,
    /// No more may come.
    is_closed: bool,
}

impl Tray {
    /// Puts `order` behind the others, or returns it: too many wait, or the service is stopping. A clerk
    /// that sleeps finds it after [`Tray::call`].
    fn put(&self, order: Box<Order>, orders_max: usize) -> Result<(), Box<Order>> {
        let mut waiting = lock(&self.waiting);
        if waiting.is_closed || waiting.orders.len() >= orders_max {
            return Err(order);
        }
        waiting.orders.push_back(order);
        Ok(())
    }

    /// Wakes as many clerks as there are orders.
    fn call(&self) {
        let count = lock(&self.waiting).orders.len();
        match count {
            0 => {}
            1 => self.has_more.notify_one(),
            _ => self.has_more.notify_all(),
        }
    }

    /// The next order, once there is one; `None`: there will be none.
    fn take(&self) -> Option<Box<Order>> {
        let mut waiting = lock(&self.waiting);
        loop {
            match waiting.orders.pop_front() {
                None if !waiting.is_closed => {
                    waiting = self.has_more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                next => return next,
            }
        }
    }
}

/// The threads that run commands, and the orders before them.
#[derive(Debug)]
pub(super) struct Clerks {
    tray: Arc<Tray>,
    orders_max: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Clerks {
    /// Starts them. `orders_max` orders may wait.
    pub(super) fn start(routes: &Routes, queue: &Arc<Queue>, orders_max: usize) -> Self {
        let waiting = Mutex::new(Waiting { orders: VecDeque::new(), is_closed: false });
        let tray = Arc::new(Tray { waiting, has_more: Condvar::new() });
        let clerk = |index| {
            let clerk = Clerk { routes: routes.clone(), queue: Arc::clone(queue), tray: Arc::clone(&tray) };
            spawn(&format!("cli-{index}"), move || clerk.run())
        };
        let threads = Mutex::new((0..CLERKS).map(clerk).collect());
        Self { tray, orders_max, threads }
    }

    /// Queues `order`, or returns its answer when too many wait, or the service is stopping.
    pub(super) fn offer(&self, order: Box<Order>) -> Option<Answer> {
        self.tray.put(order, self.orders_max).err().map(|order| order.decline())
    }

    /// Queues an order whose answer has begun, however many wait: it was admitted before them.
    pub(super) fn go_on(&self, order: Box<Order>) -> Option<Answer> {
        self.tray.put(order, usize::MAX).err().map(|order| order.decline())
    }

    /// Lets the orders begin that have been queued.
    pub(super) fn call(&self) {
        self.tray.call();
    }

    /// Finishes what is queued, then ends the threads.
    pub(super) fn stop(&self) {
        lock(&self.tray.waiting).is_closed = true;
        self.tray.has_more.notify_all();
        for thread in lock(&self.threads).drain(..) {
            assert!(thread.join().is_ok(), "a thread that runs commands has panicked");
        }
    }
}

/// One of the threads that run commands.
struct Clerk {
    routes: Routes,
    queue: Arc<Queue>,
    tray: Arc<Tray>,
}

impl Clerk {
    /// Works until no more orders can come.
    fn run(self) {
        while let Some(order) = self.tray.take() {
            if order.ticket.is_abandoned() {
                self.routes.counters.add(Count::Abandoned, 1);
                self.decline(*order);
            } else if let Some(order) = self.routes.advance(*order) {
                self.pass_on(order);
            }
        }
    }

    fn pass_on(&self, order: Order) {
        if order.listing.is_some() {
            if let Err(order) = self.tray.put(Box::new(order), usize::MAX) {
                self.decline(*order);
            }
            return;
        }
        let ticket = order.ticket.clone();
        let job = Job { request: Request::Order(Box::new(order)), ticket: ticket.clone() };
        if let Some(answer) = self.queue.offer(job) {
            ticket.answer(answer, &self.routes.counters);
        }
    }

    fn decline(&self, order: Order) {
        let ticket = order.ticket.clone();
        ticket.answer(order.decline(), &self.routes.counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Credentials;
    use crate::model::AccountName;
    use crate::notation::Dictionary;
    use crate::service::Service;
    use crate::service::world::{SETTINGS, World};
    use crate::store::{CommitFault, Store};

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
            answer @ (Answer::Executed(CommandOutcome::Part(_) | CommandOutcome::Broken)
            | Answer::Told(_)
            | Answer::Verified(_)
            | Answer::Changed(_)
            | Answer::Handshaken(_)
            | Answer::Part { .. }) => panic!("{answer:?} to a command"),
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
        service.begin_commands();
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
        service.begin_commands();
        assert_eq!(world.answers(1)[0].0, 7);
        assert_eq!(ask(&world, &service, "LISTDOMAINS"), "201 (example.com)");
        service.stop();
    }

    /// Adds so many accounts to the main domain.
    fn populate(world: &World, count: usize) {
        let credentials = || Credentials::none(1);
        let create = |index| {
            let name = AccountName::parse(&format!("user{index:06}@example.com")).unwrap();
            world.directory.create_account(&name, credentials(), Dictionary::new()).unwrap()
        };
        let transactions: Vec<_> = (0..count).map(create).collect();
        world.store.commit(&transactions).unwrap();
    }

    /// More accounts than one piece of their list has.
    const MANY: usize = 20_000;

    fn begin_list(world: &World, service: &Service) -> (Vec<u8>, Box<Order>) {
        let request =
            Request::Command { proof: world.proof(), line: CommandLine::new(b"LISTACCOUNTS"), is_inline: true };
        let Answer::Part { piece, rest } = world.ask(service, request) else { panic!("the list is short") };
        (piece, rest)
    }

    #[test]
    fn a_long_list_comes_in_pieces_that_are_asked_for() {
        let world = World::new();
        populate(&world, MANY);
        let service = world.start(SETTINGS);
        let (mut all, mut rest) = begin_list(&world, &service);
        let mut pieces = 1;
        loop {
            // Whoever comes between is served between.
            assert_eq!(ask(&world, &service, "LISTDOMAINS"), "201 (example.com)");
            match world.ask(&service, Request::GoOn(rest)) {
                Answer::Part { piece, rest: more } => {
                    all.extend(piece);
                    rest = more;
                    pieces += 1;
                }
                Answer::Executed(CommandOutcome::Answered { answer, .. }) => {
                    all.extend(answer);
                    break;
                }
                answer @ (Answer::Executed(_)
                | Answer::Told(_)
                | Answer::Verified(_)
                | Answer::Changed(_)
                | Answer::Handshaken(_)) => {
                    panic!("{answer:?}")
                }
            }
        }
        let text = String::from_utf8(all).unwrap();
        let text = text.strip_prefix("201 ").and_then(|text| text.strip_suffix("\r\n")).unwrap();
        let names = text.strip_prefix('{').and_then(|text| text.strip_suffix(";}")).unwrap().split("=macnt;");
        let names: Vec<_> = names.map(|name| name.trim_end_matches("=macnt")).collect();
        assert_eq!((names.len(), names[0], names[1]), (MANY + 1, "postmaster", "user000000"));
        assert!(names.is_sorted());
        let snapshot = service.snapshot();
        assert_eq!(snapshot.of(Count::Pieces), pieces);
        assert!((64 << 10..128 << 10).contains(&snapshot.of(Count::PieceBytesMax)), "{snapshot}");
        service.stop();
    }

    #[test]
    fn a_list_that_cannot_go_on_is_never_ended_as_if_it_were_whole() {
        let world = World::new();
        populate(&world, MANY);
        let service = world.start(SETTINGS);
        let is_broken = |answer| matches!(answer, Answer::Executed(CommandOutcome::Broken));
        let (_, rest) = begin_list(&world, &service);
        world.store.fail_reads(true);
        assert!(is_broken(world.ask(&service, Request::GoOn(rest))));
        world.store.fail_reads(false);
        let (_, rest) = begin_list(&world, &service);
        let ticket = world.ticket(7);
        ticket.abandoned.store(true, Ordering::Relaxed);
        assert!(service.submit(Request::GoOn(rest), &ticket).is_none());
        service.begin_commands();
        assert!(is_broken(world.answers(1).remove(0).1), "nobody reads it");
        let (_, rest) = begin_list(&world, &service);
        let late = service.clone();
        service.stop();
        assert!(is_broken(world.ask(&late, Request::GoOn(rest))));
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
