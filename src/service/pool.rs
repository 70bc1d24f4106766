//! The threads that hash. A worker does all of a login, or all of a change but its commit, in one
//! go: it reads the account, so that no ring thread ever waits for the store, and hashes.

use std::hint::spin_loop;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use crate::auth::policy::is_complex_enough;
use crate::auth::{Hasher, Issuers};
use crate::control::TooMany;
use crate::control::guesses::Finding;
use crate::cpu;
use crate::directory::{Account, Directory};
use crate::model::{Authenticated, Clock, DomainName, Evidence, LoginName, NewPasswordRefusal, Secret};
use crate::proto::sasl::Question;
use crate::proto::{ChangeOutcome, Denial, FailuresOf, Told, Verdict};

use super::accounts::{Accounts, Unreadable};
use super::commands::{Order, Routes};
use super::committer::{Change, Entry};
use super::counters::{Count, Counters};
use super::queue::{Job, Next, Queue};
use super::upgrades::Upgrade;
use super::{Answer, Request, Ticket, lock};

/// The lowest ordinary priority. Not the idle class: among other niced work, a backup for example,
/// that would leave the pool a sixth of the CPU instead of half, and a shard that wakes up takes the
/// CPU from a thread with long turns as soon. What difference each makes is in
/// `benches/record/pool.md`.
const NICENESS: i32 = 19;

/// A worker that had nothing to do for so long overwrites what its last hash left in memory. Doing
/// it after each hash would cost as much as a tenth of the hash.
const WIPED_AFTER: Duration = Duration::from_secs(1);

/// How long it takes to find out what a challenge is made from: several times what the longest way
/// through the directory does, as long as that is in memory. Nobody tells by the time of a challenge
/// whether there is such an account. (A refusal waits far longer, by a timer.)
const FOUND_OUT_IN: Duration = Duration::from_micros(50);

/// One thread of the pool.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) counters: Arc<Counters>,
    pub(super) routes: Routes,
    pub(super) issuers: Arc<Mutex<Arc<Issuers>>>,
    pub(super) clock: Clock,
    pub(super) hasher: Hasher,
}

impl Worker {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let is_nice = setpriority_process(Some(gettid()), NICENESS).map_err(io::Error::from);
        if let Err(error) = is_nice.and_then(|()| cpu::set_slice(cpu::SLICE_MAX)) {
            tracing::debug!("a hashing thread keeps its priority: {error}");
        }
        let mut patience = None;
        let mut ended = None;
        loop {
            match self.queue.next(ended.take(), patience) {
                Next::Begin(job, pass) => {
                    let begun = self.clock.now();
                    self.work(job);
                    ended = Some((pass, self.clock.now().since(begun)));
                    patience = Some(WIPED_AFTER);
                }
                Next::Upgrade(upgrade) => {
                    self.upgrade(upgrade);
                    patience = Some(WIPED_AFTER);
                }
                Next::Idle => {
                    self.hasher.wipe();
                    patience = None;
                }
                Next::End => break,
            }
        }
        self.hasher.wipe();
    }

    fn work(&mut self, job: Job) {
        let Job { request, ticket } = job;
        let answer = match request {
            Request::Ask { question, domain } => {
                Answer::Told(taking(FOUND_OUT_IN, || self.find_out(&question, domain.as_deref())))
            }
            Request::Verify { login, domain, evidence, is_under_tls } => {
                Answer::Verified(self.verify(&login, domain.as_deref(), evidence, is_under_tls, ticket.peer))
            }
            Request::Order(order) | Request::GoOn(order) => return self.carry_out(*order),
            Request::Command { proof, line, is_inline } => {
                return self.carry_out(Order::new(proof, line, is_inline, ticket));
            }
            Request::Change { proof, secret } => match self.change(proof, secret, &ticket) {
                Some(outcome) => Answer::Changed(outcome),
                None => return,
            },
        };
        ticket.answer(answer, &self.counters);
    }

    /// Hashes for a command until it needs no more, and sends it on its way.
    fn carry_out(&mut self, order: Order) {
        let mut next = Some(order);
        while let Some(mut order) = next {
            order.hash(&mut self.hasher, &self.counters);
            next = self.routes.advance(order);
        }
    }

    /// Tells the same of a name that is no account's as of one that is.
    fn find_out(&self, question: &Question, domain: Option<&DomainName>) -> Told {
        let Question::Scram { login, hash } = question;
        let router = self.routes.reader.control.router();
        let found = self.accounts.identify(&router, login, domain);
        let key = self.accounts.read_with(Directory::decoy_key);
        let (Ok((account, name)), Ok(key)) = (found, key) else { return Told::Fault };
        let credentials = account.as_ref().map(|account| &account.credentials);
        let offer = Box::new(key.offer(name.as_bytes(), *hash, credentials));
        drop(account);
        // To read an account leaves traces in the processor's caches, by which what comes next is half a
        // microsecond slower. So all leave them, whatever was found.
        match self.accounts.read_with(|directory| directory.account(&directory.postmaster())) {
            Ok(_) => Told::Scram(offer),
            Err(Unreadable) => Told::Fault,
        }
    }

    /// Looks at what a client gave to log in, unless too much that was wrong has come.
    fn verify(
        &mut self,
        login: &LoginName,
        domain: Option<&DomainName>,
        evidence: Evidence,
        is_under_tls: bool,
        peer: IpAddr,
    ) -> Verdict {
        let control = Arc::clone(&self.routes.reader.control);
        let Ok(found) = self.accounts.find(&control.router(), login, domain) else { return Verdict::Fault };
        if found.account.is_some() {
            self.queue.found(login, domain);
        }
        let mark = match &evidence {
            Evidence::Password(secret) => Some(self.hasher.mark(secret)),
            // No two proofs of one password are alike, and the others are not guessed.
            Evidence::Scram(_) | Evidence::Digest(_) | Evidence::Certificate | Evidence::Token(_) => None,
        };
        let attempt = match control.begin_login(&found.address, peer, found.flow, mark) {
            Ok(attempt) => attempt,
            Err(TooMany::OfAccount(wait)) => return too_many(FailuresOf::Account, wait),
            Err(TooMany::OfAddress(wait)) => return too_many(FailuresOf::Address, wait),
        };
        let verdict = self.judge(found.account, evidence, is_under_tls);
        let finding = match &verdict {
            Verdict::Accepted(proof) if proof.application().is_some() => Finding::OfApplication,
            Verdict::Accepted(_) => Finding::Right,
            Verdict::Denied(_) => Finding::Wrong,
            Verdict::TooManyFailures { .. } | Verdict::Busy { .. } | Verdict::Fault => Finding::Nothing,
        };
        control.settle_login(attempt, finding, peer);
        verdict
    }

    /// Takes the same time whether or not the account exists and may log in.
    fn judge(&mut self, account: Option<Account>, evidence: Evidence, is_under_tls: bool) -> Verdict {
        self.counters.add(Count::Hashes, u64::from(evidence.is_hashed()));
        let issuers = Arc::clone(&lock(&self.issuers));
        let Some(account) = account else {
            let proof = self.hasher.check(None, &evidence, &issuers);
            assert!(proof.is_none(), "a proof for no account");
            return Verdict::Denied(Denial::UnknownAccount);
        };
        let subject = (account.name.clone(), account.password_revision, &account.credentials);
        let proof = self.hasher.check(Some(subject), &evidence, &issuers);
        match proof {
            _ if !account.may_log_in_by(&evidence) => Verdict::Denied(Denial::Disabled(account.name)),
            _ if !account.takes(&evidence, is_under_tls) => Verdict::Denied(Denial::InClear(account.name)),
            Some(proof) => {
                let proof = proof.of_operator(self.accounts.is_operator(&account));
                if let Evidence::Password(secret) = evidence
                    && proof.application().is_none()
                    && self.hasher.may_upgrade(&account.credentials, &secret, account.wanted())
                {
                    let Account { name: account, password_revision, .. } = account;
                    self.queue.offer_upgrade(Upgrade { account, password_revision, secret, since: self.clock.now() });
                }
                Verdict::Accepted(Box::new(proof))
            }
            None => Verdict::Denied(Denial::WrongPassword(account.name)),
        }
    }

    /// Hashes and hands the change to the committer, which will answer it; returns the outcome
    /// when there is nothing to commit. An account that was closed to logins after the session
    /// began may not change its password either.
    fn change(&mut self, proof: Box<Authenticated>, secret: Secret, ticket: &Ticket) -> Option<ChangeOutcome> {
        let account = match self.accounts.read(proof.account()) {
            Ok(Some(account)) if account.accepts(&proof) => account,
            Ok(_) => return Some(ChangeOutcome::Conflict),
            Err(Unreadable) => return Some(ChangeOutcome::Fault(proof)),
        };
        if !account.may_log_in() || !account.may_change_password() {
            return Some(ChangeOutcome::Refused(proof, NewPasswordRefusal::NotAllowed));
        }
        if proof.fingerprint().is_none() && account.credentials.is_proven_by(&secret) {
            return Some(ChangeOutcome::Refused(proof, NewPasswordRefusal::SameAsOld));
        }
        if !is_complex_enough(account.password_complexity(), &secret) {
            return Some(ChangeOutcome::Refused(proof, NewPasswordRefusal::TooSimple));
        }
        self.counters.add(Count::Hashes, 1);
        let salt = account.credentials.salt_of_alternatives();
        let credentials = self.hasher.make_as(&secret, seconds_since_1970(), salt, account.wanted());
        let renewed = self.hasher.renew(account.name.clone(), account.password_revision + 1, &secret);
        let renewed = Box::new(renewed.of_operator(self.accounts.is_operator(&account)));
        drop(secret);
        let transaction = self.accounts.change_password(&account, credentials.clone());
        let change = Change::new(ticket.clone(), proof, renewed, credentials, transaction);
        self.routes.changes.put(Entry::Change(change));
        None
    }

    /// Hashes a password anew that was right a moment ago, provided that it still is the
    /// account's. The committer may be too busy for it.
    fn upgrade(&mut self, upgrade: Upgrade) {
        let Upgrade { account, password_revision, secret, .. } = upgrade;
        let Ok(Some(account)) = self.accounts.read(&account) else { return };
        if account.password_revision != password_revision {
            return;
        }
        let Some(credentials) = self.hasher.upgrade(&account.credentials, &secret, account.wanted()) else { return };
        self.counters.add(Count::Hashes, 1);
        let transaction = self.accounts.upgrade_password(&account, credentials);
        if !self.routes.changes.try_put(Entry::Upgrade(transaction)) {
            self.counters.add(Count::UpgradesGivenUp, 1);
        }
    }
}

/// Lets `act` act, and returns what it does when that has taken `time`, or longer. No timer is as fine.
#[expect(clippy::disallowed_methods, reason = "the product's clock counts milliseconds: too coarse here")]
fn taking<T>(time: Duration, act: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = act();
    while begun.elapsed() < time {
        spin_loop();
    }
    result
}

/// The time to wait in tens of seconds or in minutes, for people, and a day at most.
fn too_many(of: FailuresOf, wait: Duration) -> Verdict {
    let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).clamp(1, 86_400);
    let step = if seconds > 60 { 60 } else { 10 };
    Verdict::TooManyFailures { of, retry_after_s: seconds.next_multiple_of(step) }
}

pub(super) fn seconds_since_1970() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}
