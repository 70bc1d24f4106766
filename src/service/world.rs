//! What the service's tests have in common: a directory in memory, a store that can be made to
//! wait and to fail, and a shard that consists of nothing but its mailbox.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{Answer, Count, Letter, Mailbox, Request, Service, ServiceSettings, Ticket, lock};
use crate::auth::argon2id::Kernel;
use crate::auth::{Credentials, Hasher, Recognizer, legacy};
use crate::config::Config;
use crate::control::Control;
use crate::directory::{Account, Directory};
use crate::model::{AccountName, Argon2idCost, Authenticated, Clock, DomainName, Evidence, LoginName, Secret};
use crate::proto::Verdict;
use crate::store::{CommitFault, Embedded, Outcome, ReadFault, Store, Transaction, Versioned, Write};

/// Cheap, so that tests are quick.
pub(super) const COST: Argon2idCost = Argon2idCost { m_kib: 32, t: 1, p: 1 };

/// What libxcrypt makes of "old secret" with MD5.
pub(super) const IMPORTED: &str = "$1$saltsalt$L.moN9PHx6sF9FzdxZRBa0";

/// Longer than any test takes: a wait that ends with it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

pub(super) const SETTINGS: ServiceSettings = ServiceSettings {
    workers: 2,
    kernel: Kernel::Crate,
    cost: COST,
    queue_time_max: Duration::from_secs(5),
    queue_length_max: 64,
    password_characters_min: 4,
};

/// A store whose reads can be held up and whose reads and commits can be made to fail.
#[derive(Debug)]
pub(super) struct Unsteady {
    store: Embedded,
    reads_wait: Mutex<bool>,
    reads_go_on: Condvar,
    reads_fail: AtomicBool,
    commits_fail: Mutex<Option<CommitFault>>,
    races_are_lost: AtomicBool,
    editions: AtomicU64,
}

impl Unsteady {
    pub(super) fn hold_reads(&self, wait: bool) {
        *lock(&self.reads_wait) = wait;
        self.reads_go_on.notify_all();
    }

    pub(super) fn fail_reads(&self, fail: bool) {
        self.reads_fail.store(fail, Ordering::SeqCst);
    }

    pub(super) fn fail_commits(&self, fault: CommitFault) {
        *lock(&self.commits_fail) = Some(fault);
    }

    /// Lets every commit meet a record that somebody else has just written.
    pub(super) fn lose_races(&self, lose: bool) {
        self.races_are_lost.store(lose, Ordering::SeqCst);
    }
}

impl Store for Unsteady {
    /// Every read is to be seen.
    fn edition(&self) -> u64 {
        self.editions.fetch_add(1, Ordering::SeqCst)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        drop(self.reads_go_on.wait_while(lock(&self.reads_wait), |wait| *wait).unwrap());
        if self.reads_fail.load(Ordering::SeqCst) {
            return Err(ReadFault("the disk is gone".into()));
        }
        self.store.read(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault> {
        self.store.scan(prefix, after, count_max)
    }

    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault> {
        match &*lock(&self.commits_fail) {
            Some(fault) => Err(fault.clone()),
            None if self.races_are_lost.load(Ordering::SeqCst) => Ok(vec![Outcome::Conflict; group.len()]),
            None => self.store.commit(group),
        }
    }
}

/// A directory with `postmaster@example.com`, whose password is "old secret".
pub(super) struct World {
    pub(super) store: Arc<Unsteady>,
    pub(super) directory: Directory,
    pub(super) recognizer: Recognizer,
    pub(super) mailbox: Arc<Mailbox>,
    bell: Receiver<()>,
}

impl World {
    pub(super) fn new() -> Self {
        let store = Arc::new(Unsteady {
            store: Embedded::in_memory().unwrap(),
            reads_wait: Mutex::new(false),
            reads_go_on: Condvar::new(),
            reads_fail: AtomicBool::new(false),
            commits_fail: Mutex::new(None),
            races_are_lost: AtomicBool::new(false),
            editions: AtomicU64::new(0),
        });
        let directory = Directory::new(Arc::clone(&store) as Arc<dyn Store>, DomainName::parse("example.com").unwrap());
        let recognizer = Recognizer::new();
        let postmaster = Hasher::new(COST, recognizer.clone()).make(&secret("old secret"), 1);
        let (ring, bell) = mpsc::channel();
        let mailbox = Arc::new(Mailbox::new(Box::new(move || _ = ring.send(()))));
        let world = Self { store, directory, recognizer, mailbox, bell };
        world.commit(&world.directory.found(postmaster).unwrap());
        world
    }

    pub(super) fn start(&self, settings: ServiceSettings) -> Service {
        self.start_with(settings, &self.control())
    }

    pub(super) fn start_with(&self, settings: ServiceSettings, control: &Arc<Control>) -> Service {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Service::start(self.directory.clone(), store, self.recognizer.clone(), settings, control)
    }

    /// What the server would share.
    pub(super) fn control(&self) -> Arc<Control> {
        Arc::new(Control::new(Config::default(), false, Clock::new()))
    }

    pub(super) fn commit(&self, transaction: &Transaction) {
        let outcomes = self.store.store.commit(std::slice::from_ref(transaction)).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Committed(_)]), "{outcomes:?}");
    }

    /// Gives the postmaster's account the setting `key`.
    pub(super) fn set(&self, key: &str, value: &str) {
        let changes = [(key, value.into())].into_iter().collect();
        let scope = crate::directory::Scope::Account(&postmaster());
        self.commit(&self.directory.update_settings(scope, &changes).unwrap());
    }

    /// Gives the postmaster's account a hash of other software.
    pub(super) fn import(&self, hash: &str) {
        let verifier = legacy::parse(hash.as_bytes()).unwrap();
        self.commit(&self.directory.set_password(&postmaster(), Credentials::new(verifier, 1)).unwrap());
    }

    /// The postmaster's account.
    pub(super) fn account(&self) -> Account {
        self.directory.account(&postmaster()).unwrap().unwrap()
    }

    /// Deletes the postmaster's account, which no administrator could.
    pub(super) fn remove(&self) {
        let key = self.postmaster_key();
        self.commit(&Transaction { expect: Vec::new(), write: vec![Write::Delete(key)] });
    }

    fn postmaster_key(&self) -> Vec<u8> {
        let account = self.account();
        let credentials = account.credentials.clone();
        self.directory.change_password(&account, credentials).expect[0].key.clone()
    }

    pub(super) fn ticket(&self, session: u64) -> Ticket {
        Ticket { session, abandoned: Arc::default(), mailbox: Arc::clone(&self.mailbox), peer: PEER }
    }

    /// What the postmaster's session has after its login.
    pub(super) fn proof(&self) -> Box<Authenticated> {
        let account = self.account();
        let mut hasher = Hasher::new(COST, self.recognizer.clone());
        let subject = (account.name.clone(), account.password_revision, &account.credentials);
        Box::new(hasher.authenticate(Some(subject), &secret("old secret")).unwrap())
    }

    /// Waits for `count` answers, sorted by session.
    pub(super) fn answers(&self, count: usize) -> Vec<(u64, Answer)> {
        let mut all = Vec::new();
        let mut some = Vec::new();
        while all.len() < count {
            if self.mailbox.park() {
                self.bell.recv_timeout(PATIENCE).expect("an answer");
            }
            self.mailbox.take(&mut some);
            all.extend(some.drain(..).map(|(session, letter)| match letter {
                Letter::Answer(answer) => (session, answer),
                Letter::End => panic!("session {session} is to end"),
            }));
        }
        all.sort_by_key(|(session, _)| *session);
        all
    }

    /// Asks and waits for the answer.
    pub(super) fn ask(&self, service: &Service, request: Request) -> Answer {
        let answer = service.submit(request, &self.ticket(1));
        service.begin_commands();
        answer.unwrap_or_else(|| self.answers(1).remove(0).1)
    }

    pub(super) fn verify(&self, service: &Service, login: &str, password: &str) -> Verdict {
        match self.ask(service, verification(login, password)) {
            Answer::Verified(verdict) => verdict,
            answer @ (Answer::Told(_)
            | Answer::Changed(_)
            | Answer::Executed(_)
            | Answer::Handshaken(_)
            | Answer::Part { .. }) => {
                panic!("{answer:?} to a login")
            }
        }
    }
}

pub(super) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

pub(super) fn postmaster() -> AccountName {
    AccountName::parse("postmaster@example.com").unwrap()
}

pub(super) fn verification(login: &str, password: &str) -> Request {
    let evidence = Evidence::Password(secret(password));
    Request::Verify { login: LoginName::new(login.as_bytes()).unwrap(), domain: None, evidence, is_under_tls: false }
}

/// Waits until `count` has reached `value`.
pub(super) fn wait_until(service: &Service, count: Count, value: u64) {
    let clock = Clock::new();
    while service.snapshot().of(count) < value {
        assert!(clock.now().since(crate::model::Tick(0)) < PATIENCE, "{count:?} stays below {value}");
        std::thread::yield_now();
    }
}
