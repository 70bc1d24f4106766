//! A server in this process, with real shards and rings, on a disk in memory, by a clock that
//! tests turn forward.

pub(crate) mod client;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod issuer;
pub(crate) mod kills;
pub(crate) mod log;
pub(crate) mod medium;
mod people;
pub(crate) mod program;
pub(crate) mod prover;
pub(crate) mod seed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyturn::auth::Recognizer;
use keyturn::auth::argon2id::Kernel;
use keyturn::config::Config;
use keyturn::control::{Control, News};
use keyturn::model::{Clock, DomainName};
use keyturn::service::{Count, Service, ServiceSettings};
use keyturn::shard::Server;
use keyturn::store::{Embedded, Store};

use self::client::{Client, Heard, PATIENCE};
use self::gate::{Gate, Gated};
use self::identity::Identity;
use self::medium::Medium;

/// The main domain of every world.
pub(crate) const MAIN_DOMAIN: &str = "example.com";

/// A server and what lies around it. It starts when its address is first asked for.
pub(crate) struct World {
    pub(crate) medium: Medium,
    pub(crate) gate: Arc<Gate>,
    settings: BTreeMap<String, String>,
    listeners: Vec<Listener>,
    /// The listener that clients connect to.
    listener: usize,
    /// Whether the records of accounts are sealed.
    seals: bool,
    /// What it proves its name with, where it offers TLS.
    identity: Option<&'static Identity>,
    /// The store without the gate, for administration.
    embedded: Option<Arc<dyn Store>>,
    running: Option<Running>,
    stopping: Option<JoinHandle<()>>,
}

struct Listener {
    address: SocketAddr,
    kind: Kind,
}

/// What a listener is like: its dialect, and its other keys as the configuration file has them.
pub(crate) type Kind = (String, Vec<String>);

struct Running {
    server: Server,
    service: Service,
    control: Arc<Control>,
}

impl World {
    /// A world that listens in both dialects, and in the ways given.
    pub(crate) fn new(more_listeners: Vec<Kind>) -> Self {
        let mut kinds = vec![("communigate".to_owned(), Vec::new()), ("poppassd".to_owned(), Vec::new())];
        kinds.extend(more_listeners.into_iter().filter(|(_, keys)| !keys.is_empty()));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = kinds.into_iter().map(|kind| Listener { address, kind }).collect();
        let settings = [("shards", "1"), ("failed_reply_delay_ms", "0"), ("log_level", "5"), ("drain_seconds", "30")];
        let mut world = Self {
            medium: Medium::default(),
            gate: Arc::default(),
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            listeners,
            listener: 0,
            seals: false,
            identity: None,
            embedded: None,
            running: None,
            stopping: None,
        };
        world.open_store();
        world.found();
        world
    }

    /// Gives a key of the configuration file a value; a running server takes it over.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
        let (config, directory) = (self.config(), self.directory());
        if let Some(running) = &self.running {
            running.control.reload(config, &directory).unwrap();
        }
    }

    /// Lets later clients connect to the listener of that kind.
    pub(crate) fn listen_as(&mut self, dialect: &str, keys: &[String]) {
        let is_it = |it: &Listener| it.kind.0 == dialect && it.kind.1 == keys;
        self.listener = self.listeners.iter().position(is_it).expect("there is such a listener");
    }

    /// Whether clients connect to a listener that waits for nothing: neither for a handshake nor
    /// for the header of a proxy on this machine.
    pub(crate) fn greets_at_once(&self) -> bool {
        let waits = |key: &String| key == "tls = true" || key.starts_with("proxy = [\"127.");
        !self.listeners[self.listener].kind.1.iter().any(waits)
    }

    /// Lets the server offer TLS, from its start.
    pub(crate) fn offer_tls(&mut self, identity: &'static Identity) {
        assert!(self.running.is_none(), "a server offers TLS from the start or not at all");
        self.identity = Some(identity);
    }

    /// Lets records be sealed from now on, so that passwords themselves can be kept.
    pub(crate) fn seal(&mut self) {
        assert!(self.running.is_none(), "a server has its keys from the start");
        self.seals = true;
    }

    /// Where clients connect.
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.start();
        self.running.as_ref().unwrap().server.addresses()[self.listener].tcp().unwrap()
    }

    /// Lets the chosen listener have this address.
    pub(crate) fn listen_at(&mut self, address: SocketAddr) {
        self.listeners[self.listener].address = address;
    }

    /// The running server.
    pub(crate) fn server(&mut self) -> &Server {
        self.start();
        &self.running.as_ref().unwrap().server
    }

    /// How often something has happened in the running service.
    pub(crate) fn count(&self, what: Count) -> u64 {
        self.running.as_ref().unwrap().service.snapshot().of(what)
    }

    /// Waits until there are so many sessions. A session ends a moment after its client sees the end.
    pub(crate) fn await_sessions(&mut self, count: u32) {
        let begun = Instant::now();
        while self.server().sessions() != count {
            assert!(begun.elapsed() < PATIENCE, "still {} sessions", self.server().sessions());
            std::thread::yield_now();
        }
    }

    /// Turns the clock forward, after the server has taken in what `clients` have sent.
    pub(crate) fn advance(&mut self, by: Duration, clients: &[SocketAddr]) {
        self.start();
        await_reading(clients);
        self.await_turn();
        self.turn_clock(by);
    }

    /// Returns when the server has acted on all that it has read: it greets, or refuses, somebody
    /// who came later.
    fn await_turn(&mut self) {
        if let Ok(mut client) = Client::try_connect(self.server().addresses()[0].tcp().unwrap())
            && let Heard::Line(line) = client.hear(PATIENCE)
            && line.starts_with(b"200 ")
        {
            assert!(client.ask("QUIT").starts_with("200 "));
        }
    }

    /// Turns the clock forward at once.
    pub(crate) fn turn_clock(&mut self, by: Duration) {
        self.start();
        let running = self.running.as_ref().unwrap();
        running.control.clock.turn_forward(by);
        running.server.wake();
    }

    /// Tells the server to stop, and returns at once.
    pub(crate) fn begin_stop(&mut self) {
        let Running { server, service, .. } = self.running.take().expect("the server runs");
        self.stopping = Some(std::thread::spawn(move || {
            server.stop();
            service.stop();
        }));
    }

    /// Cuts the power, and starts again on what the disk kept.
    pub(crate) fn restart(&mut self) {
        let medium = self.medium.after_power_cut();
        self.end();
        self.embedded = None;
        self.medium = medium;
        self.open_store();
    }

    /// Stops the server, if it runs, and returns when it has ended.
    pub(crate) fn end(&mut self) {
        self.gate.open();
        if self.running.is_some() {
            self.begin_stop();
        }
        if let Some(stopping) = self.stopping.take() {
            stopping.join().unwrap();
        }
    }

    /// Everything there is to print of the server's parts.
    pub(crate) fn debug_text(&self) -> String {
        let mut text = format!("{:?}{:?}", self.embedded, self.medium);
        if let Some(Running { server, service, control }) = &self.running {
            write!(text, "{server:?}{service:?}{control:?}{:?}", control.config()).unwrap();
        }
        text
    }

    fn open_store(&mut self) {
        self.embedded = Some(Arc::new(Embedded::with_backend(self.medium.clone()).unwrap()));
    }

    fn embedded(&self) -> Arc<dyn Store> {
        Arc::clone(self.embedded.as_ref().unwrap())
    }

    fn config(&self) -> Config {
        let mut text = format!("main_domain = \"{MAIN_DOMAIN}\"\n");
        for (key, value) in &self.settings {
            writeln!(text, "{key} = {value}").unwrap();
        }
        text.push_str("[argon2id]\nm_kib = 64\nt = 1\np = 1\n");
        text.extend(self.identity.map(Identity::table));
        text.push_str(issuer::TABLE);
        for Listener { address, kind: (dialect, keys) } in &self.listeners {
            let keys = keys.join("\n");
            write!(text, "[[listener]]\naddress = \"{address}\"\ndialect = \"{dialect}\"\n{keys}\n").unwrap();
        }
        Config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?} in\n{text}"))
    }

    fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        log::position();
        let control = Arc::new(Control::new(self.config(), false, Clock::new()));
        control.open(&self.directory()).unwrap();
        let config = control.config();
        let settings = ServiceSettings {
            workers: 1,
            kernel: Kernel::Crate,
            cost: config.argon2id,
            queue_time_max: config.live.queue,
            queue_length_max: config.live.queue_length_max,
            password_characters_min: config.live.password_characters_min,
        };
        let store: Arc<dyn Store> = Arc::new(Gated::new(self.embedded(), Arc::clone(&self.gate)));
        let directory = self.directory_in(Arc::clone(&store));
        let service = Service::start(directory, store, Recognizer::new(), settings, &control);
        service.trust(issuer::issuers());
        let bounded = service.clone();
        control.observe(move |news| {
            if let News::Settings(live) = news {
                bounded.apply(live.queue, live.queue_length_max, live.password_characters_min);
            }
        });
        let server = Server::start(&control, &service, Vec::new())
            .unwrap_or_else(|fault| panic!("no server can run here, and so nothing can be tested: {fault}"));
        self.running = Some(Running { server, service, control });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.gate.open();
        if !std::thread::panicking() {
            self.end();
        }
    }
}

fn main_domain() -> DomainName {
    DomainName::parse(MAIN_DOMAIN).unwrap()
}

/// Returns when nothing that `clients` have sent waits to be read by the server.
fn await_reading(clients: &[SocketAddr]) {
    let begun = Instant::now();
    let waiting = |table: &str| {
        // The columns are: number, local address, remote address, state, queues (out:in) …
        table.lines().skip(1).any(|row| {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let port = columns[2].rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
            clients.iter().any(|client| Some(client.port()) == port) && !columns[4].ends_with(":00000000")
        })
    };
    while waiting(&std::fs::read_to_string("/proc/net/tcp").unwrap()) {
        assert!(begun.elapsed() < PATIENCE, "the server does not read");
        std::thread::yield_now();
    }
}
