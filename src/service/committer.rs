//! The one thread that writes: it makes password changes durable in groups, each with one sync,
//! and answers them afterwards.
//!
//! A change whose record was written by somebody else in the meantime is read again. If the
//! password is still the one that the session proved, the change is put together anew from the
//! fresh record and the hash already made, and goes with the next group; so a quota changed at the
//! same moment costs the client nothing. If the password is another one, the session's proof is
//! void and the change ends as a conflict.
//!
//! Sessions whose changes were in one group are answered together, and so send their next ones
//! nearly together. If the first to come were not to wait for the rest of them, each round would
//! take two syncs, one of them for a single change.

use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::auth::Credentials;
use crate::cli::{self, Next};
use crate::model::{Authenticated, NewPasswordRefusal};
use crate::proto::ChangeOutcome;
use crate::store::{CommitFault, Outcome, Store, Transaction};

use super::accounts::{Accounts, Unreadable};
use super::commands::{Order, Reader};
use super::counters::{Count, Counters};
use super::intake::Intake;
use super::mailbox::Wake;
use super::{Answer, RETRY_AFTER_S, Ticket};

/// Changes that wait for the committer before the workers do: several groups.
pub(super) const CHANGES_WAITING_MAX: usize = 1024;

/// Changes that share one sync. More would save little of it and make the first one wait.
const GROUP_MAX: usize = 256;

/// A time in which no change comes, and after which no more are waited for: well below the time of a
/// commit.
const PAUSE_MAX: Duration = Duration::from_micros(200);

/// In which time sessions that were answered together have sent what they send next. The committer is
/// not woken for the first of them: it would only see that the others have not come.
const RETURN_MAX: Duration = Duration::from_millis(1);

/// For how long changes gather at most for one sync while others wait for a worker. A sync costs half
/// a millisecond of CPU, a tenth to a fifth of a hash; and whoever comes now waits for as long.
const GATHERING_MAX: Duration = Duration::from_millis(200);

/// For how long an administrator's command may wait among them. Whoever sends one after the other waits
/// each time.
const GATHERING_STEP: Duration = Duration::from_millis(40);

/// Changes gather no longer than until the pool has so much work left: time to commit them, and for
/// those who wait for that to come back with more.
const RESERVE: Duration = Duration::from_millis(5);

/// How often a change is put together before the account is given up as too busy.
const ATTEMPTS_MAX: u8 = 8;

/// A password change that needs only to be written.
#[derive(Debug)]
pub(super) struct Change {
    ticket: Ticket,
    /// What the session proved; it gets this back when nothing was changed.
    proof: Box<Authenticated>,
    /// What the session gets once the change is durable, and not before.
    renewed: Box<Authenticated>,
    credentials: Credentials,
    transaction: Transaction,
    attempts: u8,
}

impl Change {
    pub(super) fn new(
        ticket: Ticket,
        proof: Box<Authenticated>,
        renewed: Box<Authenticated>,
        credentials: Credentials,
        transaction: Transaction,
    ) -> Self {
        Self { ticket, proof, renewed, credentials, transaction, attempts: 1 }
    }
}

/// What a command wants to be written.
#[derive(Debug)]
pub(super) struct OrderChange {
    order: Box<Order>,
    transaction: Transaction,
    /// Whether it is to be put in force once it is durable.
    renews: bool,
    attempts: u8,
}

impl OrderChange {
    pub(super) fn new(order: Order, transaction: Transaction, renews: bool) -> Self {
        Self { order: Box::new(order), transaction, renews, attempts: 1 }
    }
}

/// What is to be written.
#[derive(Debug)]
pub(super) enum Entry {
    /// A password change, which is answered.
    Change(Change),
    /// What a command wants to be written; it is answered too.
    Order(OrderChange),
    /// The same password kept in another way, of which nobody hears. When somebody else has
    /// written the record, it is given up.
    Upgrade(Transaction),
}

impl Entry {
    fn take_transaction(&mut self) -> Transaction {
        match self {
            Self::Change(change) => mem::take(&mut change.transaction),
            Self::Order(change) => mem::take(&mut change.transaction),
            Self::Upgrade(transaction) => mem::take(transaction),
        }
    }
}

/// The committer's means; it ends when every worker has.
pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) counters: Arc<Counters>,
    pub(super) changes: Intake<Entry>,
    /// Runs a command again whose transaction met somebody else's change.
    pub(super) reader: Arc<Reader>,
    /// For how long those who wait for a worker keep the pool busy.
    pub(super) backlog: Box<dyn Fn() -> Duration + Send>,
    /// Shards to be woken when the whole group has been answered.
    pub(super) wakes: Vec<Wake>,
}

impl Committer {
    pub(super) fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        let mut has_failed = false;
        let mut last_size = 0;
        loop {
            if group.is_empty() {
                if last_size > 1 {
                    self.changes.wait_for(last_size, RETURN_MAX);
                }
                let Some(first) = self.changes.take() else { return };
                group.push(first);
                self.let_gather(&mut group);
            }
            self.gather(&mut group, last_size);
            last_size = group.len();
            group = self.commit(group, &mut has_failed);
        }
    }

    /// Waits while the pool has more to do than it needs to be kept busy, and takes what comes.
    fn let_gather(&mut self, group: &mut Vec<Entry>) {
        let mut left = GATHERING_MAX;
        loop {
            let spare = (self.backlog)().saturating_sub(RESERVE).min(left);
            if spare < RESERVE {
                return;
            }
            let step = spare.min(GATHERING_STEP);
            thread::park_timeout(step);
            left -= step;
            self.changes.take_some(group, GROUP_MAX - group.len());
            if group.iter().any(|entry| matches!(entry, Entry::Order(_))) {
                return;
            }
        }
    }

    /// Takes what has come, and what is still coming if the last group was larger. So nothing is
    /// waited for where one session works alone.
    fn gather(&mut self, group: &mut Vec<Entry>, last_size: usize) {
        let mut has_waited = false;
        loop {
            let room = GROUP_MAX - group.len();
            let count = self.changes.take_some(group, room);
            if group.len() >= last_size || has_waited && count == 0 {
                return;
            }
            self.changes.wait_for(last_size - group.len(), PAUSE_MAX);
            has_waited = true;
        }
    }

    /// Commits `group` and answers it; returns the changes that must be tried again.
    fn commit(&mut self, mut group: Vec<Entry>, has_failed: &mut bool) -> Vec<Entry> {
        self.counters.add(Count::Groups, 1);
        self.counters.add(Count::Grouped, group.len() as u64);
        let transactions: Vec<_> = group.iter_mut().map(Entry::take_transaction).collect();
        let again = match self.store.commit(&transactions) {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), group.len(), "the store answers each transaction");
                let conclude = |(entry, outcome)| self.conclude(entry, outcome);
                group.into_iter().zip(outcomes).filter_map(conclude).collect()
            }
            Err(fault) => {
                if !mem::replace(has_failed, true) {
                    let (CommitFault::Closed(why) | CommitFault::Unknown(why)) = &fault;
                    tracing::error!("password changes are refused until a restart: {why}");
                }
                for entry in group.drain(..) {
                    match (entry, &fault) {
                        (Entry::Change(change), CommitFault::Closed(_)) => {
                            self.answer(&change.ticket, ChangeOutcome::Fault(change.proof));
                        }
                        (Entry::Change(change), CommitFault::Unknown(_)) => {
                            self.answer(&change.ticket, ChangeOutcome::Unknown);
                        }
                        (Entry::Order(change), CommitFault::Closed(_)) => {
                            self.wakes.extend(change.order.conclude(cli::Answer::fault(), false, &self.counters));
                        }
                        (Entry::Order(change), CommitFault::Unknown(_)) => {
                            self.wakes.extend(change.order.conclude(cli::Answer::unknown(), false, &self.counters));
                        }
                        (Entry::Upgrade(_), _) => self.counters.add(Count::UpgradesGivenUp, 1),
                    }
                }
                group
            }
        };
        self.wakes.clear();
        again
    }

    /// Answers `entry` if it is to be answered, or returns it when it must be tried again.
    fn conclude(&mut self, entry: Entry, outcome: Outcome) -> Option<Entry> {
        match (entry, outcome) {
            (Entry::Change(change), Outcome::Committed(_)) => {
                self.answer(&change.ticket, ChangeOutcome::Changed(change.renewed));
            }
            (Entry::Change(change), Outcome::Conflict) => return self.try_again(change).map(Entry::Change),
            (Entry::Order(change), Outcome::Committed(_)) => {
                let answer = if change.renews { self.reader.renew() } else { cli::Answer::done() };
                self.wakes.extend(change.order.conclude(answer, true, &self.counters));
            }
            (Entry::Order(change), Outcome::Conflict) => return self.run_again(change).map(Entry::Order),
            (Entry::Upgrade(_), Outcome::Committed(_)) => self.counters.add(Count::Upgraded, 1),
            (Entry::Upgrade(_), Outcome::Conflict) => self.counters.add(Count::UpgradesGivenUp, 1),
        }
        None
    }

    /// The record was not the one read: sees whether the password still is.
    fn try_again(&mut self, mut change: Change) -> Option<Change> {
        let outcome = match self.accounts.read(change.proof.account()) {
            Err(Unreadable) => ChangeOutcome::Fault(change.proof),
            Ok(Some(account)) if account.accepts(&change.proof) => {
                if !account.may_log_in() || !account.may_change_password() {
                    ChangeOutcome::Refused(change.proof, NewPasswordRefusal::NotAllowed)
                } else if change.attempts == ATTEMPTS_MAX {
                    ChangeOutcome::Busy { proof: change.proof, retry_after_s: RETRY_AFTER_S }
                } else {
                    change.attempts += 1;
                    change.transaction = self.accounts.change_password(&account, change.credentials.clone());
                    return Some(change);
                }
            }
            Ok(_) => ChangeOutcome::Conflict,
        };
        self.answer(&change.ticket, outcome);
        None
    }

    /// What a command had read has changed: runs it again. What was hashed for it is still good;
    /// should it need another hash, the client is told to send it again.
    fn run_again(&mut self, mut change: OrderChange) -> Option<OrderChange> {
        let answer = match self.reader.run(&change.order) {
            Ok(Next::Commit { transaction, .. }) if change.attempts < ATTEMPTS_MAX => {
                change.attempts += 1;
                change.transaction = transaction;
                return Some(change);
            }
            Ok(Next::Expired) => {
                self.wakes.extend(change.order.expire(&self.counters));
                return None;
            }
            Ok(Next::Commit { .. } | Next::Hash(_) | Next::Do(_) | Next::List(_)) => cli::Answer::busy(),
            Ok(Next::Tell(answer)) => answer,
            Err(Unreadable) => cli::Answer::fault(),
        };
        self.wakes.extend(change.order.conclude(answer, false, &self.counters));
        None
    }

    fn answer(&mut self, ticket: &Ticket, outcome: ChangeOutcome) {
        self.wakes.extend(ticket.answer(Answer::Changed(outcome), &self.counters));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::auth::Hasher;
    use crate::proto::CommandLine;
    use crate::service::intake::channel;
    use crate::service::world::{COST, IMPORTED, World, postmaster, secret};
    use crate::store::Store;

    /// A change that a worker has prepared.
    fn prepared(world: &World, session: u64, password: &str) -> Change {
        let account = world.directory.account(&postmaster()).unwrap().unwrap();
        let mut hasher = Hasher::new(COST, world.recognizer.clone());
        let credentials = hasher.make(&secret(password), 2);
        let renewed = hasher.renew(account.name.clone(), account.password_revision + 1, &secret(password));
        let transaction = world.directory.change_password(&account, credentials.clone());
        Change::new(world.ticket(session), world.proof(), Box::new(renewed), credentials, transaction)
    }

    /// Commits `changes` as one group and whatever comes of them; returns the outcomes by session.
    fn commit(world: &World, changes: Vec<Change>) -> Vec<ChangeOutcome> {
        commit_entries(world, changes.into_iter().map(Entry::Change).collect())
    }

    /// As [`commit`], with upgrades among the changes.
    fn commit_entries(world: &World, entries: Vec<Entry>) -> Vec<ChangeOutcome> {
        let count = entries.iter().filter(|entry| matches!(entry, Entry::Change(_))).count();
        let (inlet, changes) = channel(entries.len());
        entries.into_iter().for_each(|entry| inlet.put(entry));
        drop(inlet);
        committer(world, changes, || Duration::ZERO).run();
        let outcome = |(_, answer)| match answer {
            Answer::Changed(outcome) => outcome,
            Answer::Told(_)
            | Answer::Verified(_)
            | Answer::Executed(_)
            | Answer::Handshaken(_)
            | Answer::Part { .. } => {
                panic!("{answer:?} to a change")
            }
        };
        world.answers(count).into_iter().map(outcome).collect()
    }

    fn committer(world: &World, changes: Intake<Entry>, backlog: impl Fn() -> Duration + Send + 'static) -> Committer {
        let accounts = Arc::new(Accounts::new(world.directory.clone()));
        let store = Arc::clone(&world.store) as Arc<dyn Store>;
        let reader = Arc::new(Reader {
            accounts: Arc::clone(&accounts),
            started_at: 0,
            password_characters_min: Arc::default(),
            control: world.control(),
            sight: Default::default(),
        });
        let backlog = Box::new(backlog);
        Committer { store, accounts, counters: Arc::default(), changes, reader, backlog, wakes: Vec::new() }
    }

    /// How often the backlog is asked for while `entries` come and changes gather, when it is `times`
    /// RESERVE and then less.
    fn questions(world: &World, entries: Vec<Entry>, times: &'static [u32]) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let backlog = move || {
            let question = count.fetch_add(1, Ordering::Relaxed);
            times.get(question).map_or(Duration::ZERO, |times| RESERVE * *times)
        };
        let (inlet, changes) = channel(entries.len());
        entries.into_iter().for_each(|entry| inlet.put(entry));
        committer(world, changes, backlog).let_gather(&mut Vec::new());
        asked.load(Ordering::Relaxed)
    }

    #[test]
    fn changes_gather_while_the_pool_has_work_to_spare_and_not_for_ever() {
        let world = World::new();
        let asked = |times| questions(&world, vec![Entry::Upgrade(Transaction::default())], times);
        assert_eq!(asked(&[]), 1, "nobody waits");
        assert_eq!(asked(&[1]), 1, "there is just enough to do");
        assert_eq!(asked(&[3, 2, 1, 9]), 3);
        let steps = GATHERING_MAX.as_millis().div_ceil(GATHERING_STEP.as_millis()) as usize;
        assert_eq!(asked(&[1000; 99]), steps + 1, "the longest time is over");
    }

    #[test]
    fn a_command_does_not_wait_for_as_long_as_changes() {
        let world = World::new();
        let line = CommandLine::new(b"NOOP");
        let order = Order::new(world.proof(), line, false, world.ticket(1));
        let order = OrderChange::new(order, Transaction::default(), false);
        assert_eq!(questions(&world, vec![Entry::Order(order)], &[1000; 99]), 1);
    }

    #[test]
    fn of_two_changes_in_one_group_the_first_wins() {
        let world = World::new();
        let outcomes = commit(&world, vec![prepared(&world, 1, "first one"), prepared(&world, 2, "second one")]);
        assert!(matches!(outcomes[..], [ChangeOutcome::Changed(_), ChangeOutcome::Conflict]), "{outcomes:?}");
    }

    #[test]
    fn a_setting_changed_at_the_same_moment_is_kept_and_costs_nothing() {
        let world = World::new();
        let change = prepared(&world, 1, "new secret");
        world.set("RealName", "Somebody");
        let outcomes = commit(&world, vec![change]);
        let [ChangeOutcome::Changed(proof)] = &outcomes[..] else { panic!("{outcomes:?}") };
        let account = world.directory.account(&postmaster()).unwrap().unwrap();
        assert_eq!(account.password_revision, proof.password_revision());
        assert!(account.explicit_settings().get("RealName").is_some());
        assert!(world.recognizer.is_same(proof, &secret("new secret")));
    }

    #[test]
    fn a_right_withdrawn_at_the_same_moment_is_heeded() {
        for (key, value) in [("PWDAllowed", "NO"), ("AccessModes", "None")] {
            let world = World::new();
            let change = prepared(&world, 1, "new secret");
            world.set(key, value);
            let outcomes = commit(&world, vec![change]);
            let refused = [ChangeOutcome::Refused(world.proof(), NewPasswordRefusal::NotAllowed)];
            assert_eq!(format!("{outcomes:?}"), format!("{refused:?}"), "{key}");
        }
    }

    #[test]
    fn an_account_that_is_gone_is_a_conflict() {
        let world = World::new();
        let change = prepared(&world, 1, "new secret");
        world.remove();
        let outcomes = commit(&world, vec![change]);
        assert!(matches!(outcomes[..], [ChangeOutcome::Conflict]), "{outcomes:?}");
    }

    #[test]
    fn an_account_that_is_written_without_end_is_given_up_unchanged() {
        let world = World::new();
        let change = prepared(&world, 1, "new secret");
        world.store.lose_races(true);
        let outcomes = commit(&world, vec![change]);
        let [ChangeOutcome::Busy { proof, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(proof.password_revision(), world.proof().password_revision());
    }

    #[test]
    fn an_upgrade_and_a_change_that_meet_leave_the_changed_password() {
        for is_change_first in [true, false] {
            let world = World::new();
            world.import(IMPORTED);
            let account = world.account();
            let mut hasher = Hasher::new(COST, world.recognizer.clone());
            let upgraded = hasher.upgrade(&account.credentials, &secret("old secret"), account.wanted()).unwrap();
            let upgrade = Entry::Upgrade(world.directory.upgrade_password(&account, upgraded));
            let change = Entry::Change(prepared(&world, 1, "new secret"));
            let entries = if is_change_first { vec![change, upgrade] } else { vec![upgrade, change] };
            let outcomes = commit_entries(&world, entries);
            assert!(matches!(outcomes[..], [ChangeOutcome::Changed(_)]), "{outcomes:?}");
            let now = world.account();
            assert_eq!(now.password_revision, account.password_revision + 1);
            let subject = (now.name, now.password_revision, &now.credentials);
            assert!(hasher.authenticate(Some(subject), &secret("new secret")).is_some());
        }
    }

    #[test]
    fn a_group_is_bounded_and_nothing_is_left_behind() {
        let world = World::new();
        let changes = (0..GROUP_MAX as u64 + 10).map(|session| prepared(&world, session, "new secret")).collect();
        let outcomes = commit(&world, changes);
        let (winners, losers): (Vec<_>, Vec<_>) =
            outcomes.iter().partition(|outcome| matches!(outcome, ChangeOutcome::Changed(_)));
        assert_eq!((winners.len(), losers.len()), (1, GROUP_MAX + 9));
        assert!(losers.iter().all(|outcome| matches!(outcome, ChangeOutcome::Conflict)));
    }
}
