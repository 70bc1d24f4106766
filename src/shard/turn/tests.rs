//! A shard on the test's own thread, turned by hand, with real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use super::*;
use crate::auth::Recognizer;
use crate::auth::argon2id::Kernel;
use crate::config::Config;
use crate::directory::Directory;
use crate::model::{Argon2idCost, Clock, Evidence, LoginName, Secret};
use crate::service::{Count, Request, ServiceSettings, Ticket};
use crate::shard::listen::Port;
use crate::store::{Embedded, Store};

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shard with one listener, and what it needs.
struct Stage {
    shard: Shard,
    waker: Waker,
    service: Service,
    address: SocketAddr,
}

/// A client that reads without waiting.
struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Stage {
    fn new(ring_size: RingSize) -> Self {
        let config = Config::parse("[[listener]]\naddress = \"127.0.0.1:0\"").unwrap();
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let directory = Directory::new(Arc::clone(&store), config.main_domain.clone());
        let settings = ServiceSettings {
            workers: 1,
            kernel: Kernel::Crate,
            cost: Argon2idCost { m_kib: 32, t: 1, p: 1 },
            queue_time_max: config.live.queue,
            queue_length_max: config.live.queue_length_max,
            password_characters_min: config.live.password_characters_min,
        };
        let control = Arc::new(Control::new(config.clone(), true, Clock::new()));
        let service = Service::start(directory, store, Recognizer::new(), settings, &control);
        let address = config.listeners[0].address.tcp().unwrap();
        let mut door = Door::new(0, Port { address, dual_stack: false });
        door.open().unwrap();
        let address = door.address().unwrap();
        let parts = ShardParts {
            index: 0,
            count: 1,
            ring_size,
            houses: vec![House::new(&config.listeners[0], &config.main_domain, &config.live, None, &control)],
            doors: vec![door],
            service: service.clone(),
            control,
        };
        let waker = Waker::new().unwrap();
        let shard = Shard::new(parts, waker.clone()).expect("io_uring must be allowed where the tests run");
        Self { shard, waker, service, address }
    }

    /// Connects; the shard does not know of it before its next turn.
    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client { stream, heard: Vec::new() }
    }

    /// Turns the shard until `is_so`; no turn sleeps.
    fn turn_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Shard) -> bool) {
        let clock = Clock::new();
        let begun = clock.now();
        while !is_so(&mut self.shard) {
            assert!(clock.now().since(begun) < PATIENCE, "{what} never came");
            self.waker.wake();
            self.shard.turn();
        }
    }

    /// Turns the shard until every one of `clients` has heard a line that begins so.
    fn turn_until_all_hear(&mut self, clients: &mut [Client], start: &str) {
        self.turn_until(start, |_| clients.iter_mut().all(|client| client.hears(start)));
        clients.iter_mut().for_each(|client| client.heard.clear());
    }

    /// Where the only session is.
    fn key_of_the_session(&self) -> Key {
        let keys: Vec<Key> = self.shard.connections.iter().map(|(_, connection)| connection.key()).collect();
        let [key] = keys[..] else { panic!("not one session: {keys:?}") };
        key
    }
}

impl Client {
    fn say(&mut self, text: &[u8]) {
        self.stream.write_all(text).unwrap();
    }

    /// Whether one whole line has come, which must begin so.
    fn hears(&mut self, start: &str) -> bool {
        let mut chunk = [0; 256];
        match self.stream.read(&mut chunk) {
            Ok(count) => self.heard.extend_from_slice(&chunk[..count]),
            Err(fault) => assert_eq!(fault.kind(), ErrorKind::WouldBlock, "{fault}"),
        }
        let text = String::from_utf8_lossy(&self.heard);
        assert!(start.starts_with(&*text) || text.starts_with(start), "heard {text} instead of {start}");
        text.ends_with("\r\n")
    }
}

/// An accept that serves many ends when its completions find no place, and so does a receive that
/// finds no buffer; both must begin again, and nobody may be forgotten.
#[test]
fn what_finds_no_place_in_the_queue_is_served_all_the_same() {
    const CLIENTS: usize = 100;
    // 16 places for completions.
    let mut stage = Stage::new(RingSize { operations: 4, receive_buffers: 4, completions_per_turn_max: 4 });
    let mut overflows = 0;
    let mut check_overflowed = |stage: &Stage| {
        assert!(stage.shard.ring.overflows() > overflows, "everything found a place");
        overflows = stage.shard.ring.overflows();
    };
    for _ in 0..2 {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| stage.connect()).collect();
        stage.turn_until_all_hear(&mut clients, "200 localhost keyturn");
        check_overflowed(&stage);
        for _ in 0..3 {
            clients.iter_mut().for_each(|client| client.say(b"NOOP\r\n"));
            stage.turn_until_all_hear(&mut clients, "200 OK\r\n");
        }
        check_overflowed(&stage);
        clients.iter_mut().for_each(|client| client.say(b"QUIT\r\n"));
        stage.turn_until_all_hear(&mut clients, "200 keyturn");
        stage.turn_until("the end of all", |shard| shard.connections.is_empty());
    }
}

#[test]
fn late_completions_and_answers_do_not_touch_who_came_into_the_same_place() {
    let mut stage = Stage::new(RingSize { operations: 8, receive_buffers: 2, completions_per_turn_max: 8 });
    let mut first = [stage.connect()];
    stage.turn_until_all_hear(&mut first, "200 localhost keyturn");
    let late = stage.key_of_the_session();
    drop(first);
    stage.turn_until("the end of the first", |shard| shard.connections.is_empty());
    let mut second = [stage.connect()];
    stage.turn_until_all_hear(&mut second, "200 localhost keyturn");
    let key = stage.key_of_the_session();
    assert!(key.slot == late.slot && key != late, "{key:?} takes the place of {late:?}");

    let (ours, mut theirs) = pair();
    let at_rest = stage.shard.ring.in_flight();
    // More of them than there are receive buffers, which must all be given back.
    for _ in 0..5 {
        theirs.write_all(b"QUIT\r\n").unwrap();
        stage.shard.ring.queue.receive_once(ours.as_fd(), late);
        let out = stage.shard.ring.outgoing.take();
        stage.shard.ring.outgoing.write(out, 0, b"late");
        stage.shard.ring.queue.send(ours.as_fd(), late, &stage.shard.ring.outgoing, out, 0, 4);
        stage.turn_until("what is late", |shard| shard.ring.in_flight() == at_rest);
    }
    stage.shard.ring.queue.close(ours, late);
    stage.turn_until("the late end", |shard| shard.ring.in_flight() == at_rest);

    let ticket = Ticket {
        session: late.to_bits(),
        abandoned: Arc::default(),
        mailbox: Arc::clone(&stage.shard.desk.mailbox),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    for _ in 0..2 {
        let login = LoginName::new(b"nobody").unwrap();
        let evidence = Evidence::Password(Secret::new(b"wrong guess 1").unwrap());
        assert!(
            stage
                .service
                .submit(Request::Verify { login, domain: None, evidence, is_under_tls: false }, &ticket)
                .is_none()
        );
    }
    let service = stage.service.clone();
    // Whoever counts the second has posted the first.
    stage.turn_until("the second answer", |_| service.snapshot().of(Count::UnknownAccount) == 2);
    stage.waker.wake();
    stage.shard.turn();

    assert_eq!(stage.key_of_the_session(), key);
    assert_eq!(stage.shard.control.channels.taken(), 1);
    for (line, reply) in [(&b"NOOP\r\n"[..], "200 OK\r\n"), (b"USER alice\r\n", "300 "), (b"QUIT\r\n", "200 keyturn")] {
        second[0].say(line);
        stage.turn_until_all_hear(&mut second, reply);
    }
}

#[test]
fn a_shard_gathers_what_happens_while_it_refuses_sessions() {
    let mut stage = Stage::new(RingSize::default());
    // A service that has stopped is as busy as can be.
    stage.service.clone().stop();
    let mut clients = [stage.connect()];
    stage.turn_until_all_hear(&mut clients, "200 localhost keyturn");
    clients[0].say(b"USER alice\r\n");
    stage.turn_until_all_hear(&mut clients, "300 ");
    assert!(!matches!(stage.shard.wait(), Wait::Gather(_)));
    clients[0].say(b"PASS a wrong guess\r\n");
    stage.turn_until("a refusal", |shard| shard.desk.refused.is_some());
    for _ in 0..2 {
        assert!(matches!(stage.shard.wait(), Wait::Gather(time) if time <= GATHER));
    }
    stage.shard.desk.now = stage.shard.desk.now + REFUSING;
    assert!(!matches!(stage.shard.wait(), Wait::Gather(_)), "nobody was refused for a while");
}

/// The two ends of a connection that no session has.
fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0.into(), theirs)
}
