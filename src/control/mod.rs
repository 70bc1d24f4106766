//! What the whole server shares, and what administrators do to it while it runs: the settings in
//! force, the router table, the count of sessions, who may connect, who is logged in, the word to
//! stop.
//!
//! | file | what it stands for |
//! |---|---|
//! | `settings.rs` | the settings in force: the file's, and over them the ones kept in the store |
//! | `channels.rs` | the count of sessions |
//! | `gate.rs` | which addresses may connect |
//! | `guesses/` | which passwords are looked at, while wrong ones come |
//! | `failures.rs` | what a failed login means for its account and for its address |
//! | `table.rs` | a table that forgets what is worth least |
//! | `logins.rs` | the sessions that have logged in |
//! | `statistics.rs` | numbers for whoever watches |
//! | `action.rs` | what a command does to the running server |
//!
//! Settings go one way, whoever changes them: [`Control::reload`] after the file was read,
//! [`Control::renew`] after a command has committed something; both put them in force and tell the
//! observers.
//!
//! Knows neither rings nor sockets nor signals: whoever must act on a change has left a closure
//! here. Bounded: see each file.

mod action;
mod channels;
mod failures;
mod gate;
pub mod guesses;
mod logins;
mod settings;
mod statistics;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::event;

use crate::config::{Config, Listener, Live, ModuleFault};
use crate::directory::{AuthMethods, Directory, Holder, Router};
use crate::model::{Clock, DomainName};
use crate::notation::{Dictionary, Value};
use crate::store::ReadFault;
use crate::syslog::MAJOR;

pub use self::action::{Action, Failed};
pub use self::channels::{Channel, Channels, Full};
pub use self::failures::TooMany;
pub use self::gate::{Admitted, BLOCKED_MAX, Barred, Gate, LISTS, List};
pub use self::logins::{End, Login, Logins};
pub use self::settings::MODULE;
pub use self::statistics::{Count, Statistics};

use self::guesses::Guesses;
use self::settings::Settings;

/// The name under which the router table is kept, for the server and for the cluster.
pub const ROUTER_TABLE: &str = "RouterTable";

/// What observers are told.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// These settings are in force now.
    Settings(&'a Live),
    /// An administrator wants the server to stop.
    Stop,
}

type Observer = Box<dyn Fn(News<'_>) + Send + Sync>;

/// What the whole server shares. Whoever changes something tells the observers, among them the
/// shards, and each shard looks here when it is woken.
pub struct Control {
    /// The count of sessions.
    pub channels: Channels,
    /// Which addresses may connect.
    pub gate: Gate,
    /// Which passwords are looked at, while wrong ones come.
    pub guesses: Guesses,
    /// The sessions that have logged in.
    pub logins: Logins,
    /// Numbers for whoever watches.
    pub statistics: Statistics,
    /// The clock of the process.
    pub clock: Clock,
    settings: Mutex<Settings>,
    router: Mutex<Arc<Router>>,
    /// Of the domains of the listeners.
    methods: Mutex<BTreeMap<DomainName, AuthMethods>>,
    live: Mutex<Arc<Live>>,
    listeners: Mutex<Arc<[Listener]>>,
    /// Grows with every change of `live`.
    edition: AtomicU64,
    /// Everything is logged, whatever the settings say.
    logs_all: AtomicBool,
    is_stopping: AtomicBool,
    observers: Mutex<Vec<Observer>>,
    /// Held while the speed of a loop is measured: by one at a time.
    test_loop: Mutex<()>,
}

impl Control {
    /// With the settings of `config`, which the file and the command line have given.
    /// `are_listeners_fixed` says that the listeners are the command line's, over which nothing
    /// goes.
    #[must_use]
    pub fn new(config: Config, are_listeners_fixed: bool, clock: Clock) -> Self {
        Self {
            channels: Channels::default(),
            gate: Gate::default(),
            guesses: Guesses::default(),
            logins: Logins::default(),
            statistics: Statistics::default(),
            clock,
            live: Mutex::new(Arc::new(config.live.clone())),
            listeners: Mutex::new(config.listeners.as_slice().into()),
            settings: Mutex::new(Settings::new(config, are_listeners_fixed)),
            router: Mutex::default(),
            methods: Mutex::default(),
            edition: AtomicU64::new(0),
            logs_all: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            observers: Mutex::default(),
            test_loop: Mutex::default(),
        }
    }

    /// Takes the settings that are kept in the store for those the server starts with.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn open(&self, directory: &Directory) -> Result<(), ReadFault> {
        let mut settings = lock(&self.settings);
        let read = settings.read(directory)?;
        settings.start_with(read);
        settings.report_overruled();
        self.gate.read(directory)?;
        self.read_router(directory)?;
        self.read_methods(settings.in_force(), directory)?;
        self.put_in_force(&settings);
        Ok(())
    }

    /// Puts in force what a command has committed. Returns the keys of the file that stand for what
    /// has to wait for the next start.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails; everything stays as it was.
    pub fn renew(&self, directory: &Directory) -> Result<Vec<&'static str>, ReadFault> {
        let mut settings = lock(&self.settings);
        let read = settings.read(directory)?;
        self.gate.read(directory)?;
        self.read_router(directory)?;
        self.read_methods(settings.in_force(), directory)?;
        let difference = settings.take_over(read);
        self.put_in_force(&settings);
        settings::report(&difference);
        Ok(difference.restart)
    }

    /// Puts `file`, which was read again, in force.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails; everything stays as it was.
    pub fn reload(&self, file: Config, directory: &Directory) -> Result<(), ReadFault> {
        let mut settings = lock(&self.settings);
        let read = settings.read_over(file, directory)?;
        self.gate.read(directory)?;
        self.read_router(directory)?;
        self.read_methods(settings.in_force(), directory)?;
        let difference = settings.take_over(read);
        if difference.is_empty() {
            event!(target: "SYSTEM", MAJOR, "configuration read again: nothing has changed");
        }
        settings.report_overruled();
        self.put_in_force(&settings);
        settings::report(&difference);
        Ok(())
    }

    /// Puts the router table in force that is kept in the store: the server's, and behind it the
    /// cluster's.
    fn read_router(&self, directory: &Directory) -> Result<(), ReadFault> {
        let table = |holder| {
            let kept = directory.kept(&holder, ROUTER_TABLE)?;
            // Checked before it was kept.
            Ok(Router::parse(kept.as_ref().and_then(Value::as_str).unwrap_or_default()).unwrap_or_default())
        };
        *lock(&self.router) = Arc::new(table(Holder::Server)?.followed_by(table(Holder::Cluster)?));
        Ok(())
    }

    /// Reads which mechanisms of AUTH the domains of the listeners offer.
    fn read_methods(&self, config: &Config, directory: &Directory) -> Result<(), ReadFault> {
        let domains = config.listeners.iter().filter_map(|listener| listener.domain.as_ref());
        let methods = |domain: &DomainName| Ok((domain.clone(), directory.auth_methods(domain)?));
        let read = domains.chain([&config.main_domain]).map(methods).collect::<Result<_, ReadFault>>()?;
        *lock(&self.methods) = read;
        Ok(())
    }

    /// Which mechanisms of AUTH a domain offers that a listener is for, or the main domain.
    #[must_use]
    pub fn auth_methods(&self, domain: Option<&DomainName>) -> AuthMethods {
        let domain = domain.cloned().unwrap_or_else(|| lock(&self.settings).in_force().main_domain.clone());
        lock(&self.methods).get(&domain).cloned().unwrap_or_default()
    }

    /// Whether anybody's tokens are taken.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        !lock(&self.settings).in_force().oauth.is_empty()
    }

    /// The router table in force.
    #[must_use]
    pub fn router(&self) -> Arc<Router> {
        Arc::clone(&lock(&self.router))
    }

    fn put_in_force(&self, settings: &Settings) {
        let mut live = settings.in_force().live.clone();
        if self.logs_all.load(Ordering::Relaxed) {
            live.log_level = 5;
        }
        let live = Arc::new(live);
        *lock(&self.live) = Arc::clone(&live);
        *lock(&self.listeners) = settings.in_force().listeners.as_slice().into();
        self.edition.fetch_add(1, Ordering::Release);
        self.tell(News::Settings(&live));
    }

    /// The configuration as administrators see it: what is in force, and what will be after a
    /// restart.
    #[must_use]
    pub fn config(&self) -> Config {
        lock(&self.settings).wanted().clone()
    }

    /// Sees whether `settings` of the module can be put in force.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_module(&self, settings: &Dictionary) -> Result<(), ModuleFault> {
        lock(&self.settings).check(settings)
    }

    /// The server's own counts, in the order in which they are shown.
    fn counts(&self) -> Vec<Count> {
        let now = self.clock.now();
        let own = [
            ("sessions", self.channels.taken().into()),
            ("channels", self.live().0.channels.into()),
            ("logins", self.logins.count() as u64),
            ("blocked_addresses", self.gate.blocked(now).len() as u64),
        ];
        own.into_iter().chain(self.statistics.counts()).collect()
    }

    /// The value of the statistics element `name`, in any letter case.
    #[must_use]
    pub fn statistic(&self, name: &str) -> Option<i64> {
        self.statistics.get(name, &self.counts())
    }

    /// The name of the statistics element that follows `name`, or of the first one when it is
    /// empty.
    #[must_use]
    pub fn next_statistic(&self, name: &str) -> Option<String> {
        self.statistics.next(name, &self.counts())
    }

    /// The settings in force, and their edition.
    #[must_use]
    pub fn live(&self) -> (Arc<Live>, u64) {
        let edition = self.edition();
        (Arc::clone(&lock(&self.live)), edition)
    }

    /// The listeners in force: those of the start, with their lists of networks as they are now.
    #[must_use]
    pub fn listeners(&self) -> Arc<[Listener]> {
        Arc::clone(&lock(&self.listeners))
    }

    /// How often the settings have changed.
    #[must_use]
    pub fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Lets `observer` hear what happens from now on. It is called with locks held, and must not
    /// call back.
    pub fn observe(&self, observer: impl Fn(News<'_>) + Send + Sync + 'static) {
        lock(&self.observers).push(Box::new(observer));
    }

    fn tell(&self, news: News<'_>) {
        lock(&self.observers).iter().for_each(|observer| observer(news));
    }

    /// Lets the shards end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Whether the shards are to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, gate, logins, .. } = self;
        f.debug_struct("Control").field("channels", channels).field("gate", gate).field("logins", logins).finish()
    }
}

/// Locks `mutex`. A panic in any thread ends the process in a release build, so a lock whose
/// holder has panicked is met by tests alone.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
