#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use slab::Slab;
use tracing::event;

use super::connection::{After, Connection};
use super::desk::{Desk, House};
use super::dialogue::Dialogue;
use super::door::Door;
use super::entrance::{self, Refusals};
use super::wheel::{Alarm, Wheel};
use crate::control::{Control, End};
use crate::model::Tick;
use crate::ring::{Completion, Key, Received, Ring, RingSize, Wait, Waker};
use crate::service::{Letter, Mailbox, Service};
use crate::syslog::{FAILURE, LOW_LEVEL, PROBLEM};

/// How long a shard waits before it accepts or listens again, after it could not.
const RETRY: Duration = Duration::from_millis(100);

/// A failure to accept so long after the last one is another one, and is said again.
const EPISODE: Duration = Duration::from_secs(60);

/// While sessions are refused for lack of workers, turns begin so much later than they could. Most
/// sessions end so at such a time, and each of their steps would wake the shard by itself, in caches
/// that a worker has filled since. Nobody sees sixteen milliseconds; what they save is in
/// `benches/record/overload.md`.
const GATHER: Duration = Duration::from_millis(16);

/// Sessions are being refused for so long after one was.
const REFUSING: Duration = Duration::from_millis(100);

/// What a shard is made from.
#[derive(Debug)]
pub(super) struct ShardParts {
    pub index: usize,
    /// Of all shards.
    pub count: usize,
    pub ring_size: RingSize,
    pub houses: Vec<House>,
    pub doors: Vec<Door>,
    pub service: Service,
    pub control: Arc<Control>,
}

/// What an alarm is for.
#[derive(Clone, Copy, Debug)]
enum Timer {
    /// A connection's deadline.
    Connection(Key),
    /// Accepting failed, or a listener could not be opened: try again.
    Door(usize),
    /// Draining is over.
    Drained,
}

/// One core's share of the server. Lives and dies on its thread.
#[derive(Debug)]
pub(super) struct Shard {
    index: usize,
    count: usize,
    ring: Ring,
    doors: Vec<Door>,
    refusals: Vec<Refusals>,
    connections: Slab<Connection>,
    /// Grows with every connection: the generation in its key, and its number in the log.
    accepted: u64,
    wheel: Wheel<Timer>,
    desk: Desk,
    control: Arc<Control>,
    edition: u64,
    waker: Waker,
    /// Connections that have used up their share of a turn.
    again: Vec<Key>,
    /// Draining is over: connections are closed without another word.
    is_drained: bool,
    /// When an accept, or opening a listener, last failed.
    accept_failed: Option<Tick>,
    completions: Vec<Completion>,
    letters: Vec<(u64, Letter)>,
    alarms: Vec<Alarm<Timer>>,
}

impl Shard {
    /// Makes the shard on its own thread, which is the only one that may use its ring.
    pub(super) fn new(parts: ShardParts, waker: Waker) -> io::Result<Self> {
        let ShardParts { index, count, ring_size, houses, doors, service, control } = parts;
        let mut ring = Ring::new(ring_size)?;
        let refusals = houses.iter().map(|house| Refusals::prepare(house, &mut ring)).collect();
        let mailbox = {
            let waker = waker.clone();
            Arc::new(Mailbox::new(Box::new(move || waker.wake())))
        };
        let (live, edition) = control.live();
        let now = control.clock.now();
        // Any shard may get all the connections: SO_REUSEPORT spreads them by a hash.
        let connections = Slab::with_capacity(live.channels as usize);
        let end: End = {
            let mailbox = Arc::clone(&mailbox);
            Arc::new(move |session| mailbox.end(session))
        };
        let desk = Desk {
            control: Arc::clone(&control),
            end,
            live,
            listeners: houses,
            service,
            mailbox,
            now,
            turn: 0,
            has_ordered: false,
            refused: None,
            is_stopping: false,
            effects: Vec::with_capacity(8),
            replies: Vec::with_capacity(4096),
            clear: Vec::new(),
            sealed: Vec::new(),
        };
        let mut shard = Self {
            index,
            count,
            ring,
            doors,
            refusals,
            connections,
            accepted: 0,
            wheel: Wheel::new(now),
            desk,
            control,
            edition,
            waker,
            again: Vec::new(),
            is_drained: false,
            accept_failed: None,
            completions: Vec::with_capacity(256),
            letters: Vec::new(),
            alarms: Vec::new(),
        };
        shard.ring.queue.listen(&shard.waker);
        for (index, door) in shard.doors.iter_mut().enumerate() {
            door.accept(index, &mut shard.ring.queue);
        }
        Ok(shard)
    }

    /// Turns until the server has stopped and every connection is closed.
    pub(super) fn run(mut self) {
        while !self.is_finished() {
            self.turn();
        }
        // Nothing may be left in the kernel when the buffers are freed.
        self.ring.queue.cancel_listen();
        while self.ring.in_flight() > 0 {
            let mut rest = Vec::new();
            if self.ring.turn(Wait::AtMost(RETRY), &mut rest).is_err() {
                break;
            }
        }
    }

    fn is_finished(&self) -> bool {
        let is_closed = |(_, connection): (usize, &Connection)| connection.is_closed();
        self.desk.is_stopping
            && (self.connections.is_empty() || self.is_drained && self.connections.iter().all(is_closed))
    }

    /// One turn: submit what the last one queued, sleep until there is something to do, do it.
    fn turn(&mut self) {
        let wait = self.wait();
        let mut completions = std::mem::take(&mut self.completions);
        if let Err(fault) = self.ring.turn(wait, &mut completions) {
            // The ring is this shard's only way to do anything.
            panic!("the ring of shard {} failed: {fault}", self.index);
        }
        self.desk.now = self.control.clock.now();
        self.desk.turn += 1;
        for completion in completions.drain(..) {
            self.complete(completion);
        }
        self.completions = completions;
        self.take_letters();
        self.obey_control();
        self.go_on();
        self.ring_alarms();
        if std::mem::take(&mut self.desk.has_ordered) {
            self.desk.service.begin_commands();
        }
    }

    fn wait(&mut self) -> Wait {
        let gathers = self.desk.refused.is_some_and(|last| self.desk.now.since(last) < REFUSING);
        if !self.again.is_empty() || !self.desk.mailbox.park() {
            return Wait::No;
        }
        match self.wheel.next().map(|next| next.since(self.desk.now)) {
            next if gathers => Wait::Gather(next.map_or(GATHER, |time| time.min(GATHER))),
            Some(time) => Wait::AtMost(time),
            None => Wait::Forever,
        }
    }

    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { key, result, armed } => self.accepted(key, result, armed),
            Completion::Received { key, result, armed } => self.received(key, result, armed),
            Completion::Sent { key, result } => {
                let outcome = |connection: &mut Connection, ring: &mut Ring, desk: &mut Desk| {
                    connection.sent(result, &mut ring.outgoing, desk)
                };
                self.move_connection(key, outcome);
            }
            Completion::Closed { key } => {
                let mut channel = None;
                self.move_connection(key, |connection, _, desk| {
                    channel = connection.closed(desk);
                    After::Rest
                });
                if let Some(channel) = channel {
                    self.control.channels.release(channel);
                }
            }
            Completion::Woken => self.ring.queue.listen(&self.waker),
        }
    }

    /// Lets one connection move, then queues what its new state calls for. A key of the past
    /// moves nothing.
    fn move_connection(&mut self, key: Key, step: impl FnOnce(&mut Connection, &mut Ring, &mut Desk) -> After) {
        let slot = key.slot as usize;
        let Some(connection) = self.connections.get_mut(slot).filter(|connection| connection.key() == key) else {
            return;
        };
        if step(connection, &mut self.ring, &mut self.desk) == After::Again && connection.wait_its_turn() {
            self.again.push(key);
        }
        connection.settle(&mut self.ring, &mut self.desk);
        if let Some(at) = connection.next_alarm(&self.desk.live) {
            self.wheel.schedule(Alarm { key: Timer::Connection(key), at });
        }
        if connection.is_over() {
            self.connections.remove(slot);
        }
    }

    fn received(&mut self, key: Key, result: Received, armed: bool) {
        match result {
            Received::Data(buffer) => {
                self.move_connection(key, |connection, ring, desk| {
                    connection.note_receive(armed);
                    connection.receive_bytes(ring.incoming.bytes(&buffer), desk)
                });
                // Also when the connection is gone: the buffer is the ring's.
                self.ring.incoming.give_back(buffer);
            }
            Received::End => self.move_connection(key, |connection, _, desk| {
                connection.note_receive(armed);
                connection.end_input(desk)
            }),
            Received::Broken(fault) => self.move_connection(key, |connection, _, _| {
                let (session, peer) = connection.dialogue().name();
                event!(target: "PWD", PROBLEM, session, %peer, "read failed: {fault}");
                connection.note_receive(armed);
                connection.hang_up();
                After::Rest
            }),
            // The next receive is armed as the connection settles, and submitted after the buffers
            // have been given back.
            Received::NoBuffer | Received::Cancelled => self.move_connection(key, |connection, _, _| {
                connection.note_receive(armed);
                After::Rest
            }),
        }
    }

    fn accepted(&mut self, key: Key, result: io::Result<OwnedFd>, armed: bool) {
        let index = key.slot as usize;
        let is_current = self.doors[index].is_current(key);
        if is_current && !armed {
            self.doors[index].stop_accepting();
        }
        match result {
            Ok(fd) => {
                self.welcome(self.doors[index].listener(), fd);
                if !armed && is_current {
                    self.doors[index].accept(index, &mut self.ring.queue);
                }
            }
            Err(_) if !is_current => {}
            Err(fault) => self.put_off_accepting(index, &fault, armed),
        }
    }

    /// Out of descriptors or memory: accepting again at once would only fail again.
    fn put_off_accepting(&mut self, index: usize, fault: &io::Error, armed: bool) {
        let is_transient = matches!(Errno::from_io_error(fault), Some(Errno::CONNABORTED | Errno::AGAIN | Errno::INTR));
        if !is_transient && self.begins_episode() {
            event!(target: "PWD", FAILURE, "connections cannot be accepted for now: {fault} (see: keyturn doctor)");
        }
        if !armed {
            self.wheel.schedule(Alarm { key: Timer::Door(index), at: self.desk.now + RETRY });
        }
    }

    /// Notes a failure to accept. True: there was none for a while, so the log should tell.
    fn begins_episode(&mut self) -> bool {
        let now = self.desk.now;
        self.accept_failed.replace(now).is_none_or(|last| now.since(last) > EPISODE)
    }

    /// A connection has arrived: it becomes a session, or is refused with one line.
    fn welcome(&mut self, listener: usize, fd: OwnedFd) {
        let Some(peer) = entrance::peer(&fd) else { return };
        let house = &self.desk.listeners[listener];
        let is_proxy = house.proxies.contains(peer.ip());
        let admitted = if is_proxy { self.desk.admit_proxy(peer.ip()) } else { self.desk.admit(listener, peer.ip()) };
        let (channel, admitted) = match admitted {
            Ok(admitted) => admitted,
            Err(why) => {
                event!(target: "PWD", PROBLEM, %peer, "connection refused: {why}");
                self.refusals[listener].send(fd, why, &mut self.ring);
                return;
            }
        };
        let number = self.accepted * self.count as u64 + self.index as u64 + 1;
        let slot = self.connections.vacant_key();
        let key = Key::new(slot as u32, self.accepted as u32);
        self.accepted += 1;
        event!(target: "PWD", LOW_LEVEL, session = number, %peer, "incoming connection");
        let dialogue = Dialogue::new(number, peer, listener, house.wire(peer.ip()), admitted.is_debugged);
        self.connections.insert(Connection::new(key, fd, channel, dialogue, self.desk.now));
        self.move_connection(key, |connection, _, desk| {
            if is_proxy {
                connection.await_proxy(desk.now);
            } else {
                connection.begin(desk);
            }
            After::Rest
        });
    }

    fn take_letters(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.desk.mailbox.take(&mut letters);
        for (session, letter) in letters.drain(..) {
            self.move_connection(Key::from_bits(session), |connection, _, desk| match letter {
                Letter::Answer(answer) => connection.answer(answer, desk),
                Letter::End => connection.end_when_answered(),
            });
        }
        self.letters = letters;
    }

    /// Lets those go on who had used up their share of the last turn.
    fn go_on(&mut self) {
        // Those who use up this turn's share too are put back for the next.
        let again = std::mem::take(&mut self.again);
        for key in again {
            self.move_connection(key, |connection, _, desk| connection.go_on(desk));
        }
    }

    fn ring_alarms(&mut self) {
        let mut alarms = std::mem::take(&mut self.alarms);
        self.wheel.expire(self.desk.now, &mut alarms);
        for alarm in alarms.drain(..) {
            match alarm.key {
                Timer::Connection(key) => {
                    self.move_connection(key, |connection, _, desk| connection.ring(alarm.at, desk));
                }
                Timer::Door(index) => self.reopen(index),
                Timer::Drained => self.end_draining(),
            }
        }
        self.alarms = alarms;
    }

    /// Looks whether the settings have changed, or the server is to stop.
    fn obey_control(&mut self) {
        if self.edition != self.control.edition() {
            let (live, edition) = self.control.live();
            self.edition = edition;
            self.desk.apply(live, &self.control.listeners());
            self.move_doors();
            // Limits may have become shorter.
            self.move_all(|_, _, _| After::Rest);
        }
        if self.control.is_stopping() && !self.desk.is_stopping {
            self.desk.is_stopping = true;
            self.move_doors();
            self.wheel.schedule(Alarm { key: Timer::Drained, at: self.desk.now + self.desk.live.drain });
            self.move_all(|connection, _, desk| connection.part(desk));
        }
    }

    fn move_all(&mut self, step: impl Fn(&mut Connection, &mut Ring, &mut Desk) -> After) {
        let keys: Vec<Key> = self.connections.iter().map(|(_, connection)| connection.key()).collect();
        for key in keys {
            self.move_connection(key, &step);
        }
    }

    /// Opens or closes the listeners, as the settings say.
    fn move_doors(&mut self) {
        for index in 0..self.doors.len() {
            let shall_be_open = self.shall_be_open(index);
            if shall_be_open && !self.doors[index].is_open() {
                self.reopen(index);
            } else if !shall_be_open {
                for fd in self.doors[index].close(index, &mut self.ring.queue) {
                    self.welcome(self.doors[index].listener(), fd);
                }
            }
        }
    }

    fn shall_be_open(&self, index: usize) -> bool {
        (self.desk.live.channels > 0 || self.doors[index].is_open_to_all()) && !self.desk.is_stopping
    }

    /// Accepts again; opens the listener first if it is closed and should be open.
    fn reopen(&mut self, index: usize) {
        if !self.shall_be_open(index) {
            return;
        }
        let door = &mut self.doors[index];
        if !door.is_open()
            && let Err(fault) = door.open()
        {
            if self.begins_episode() {
                event!(target: "PWD", FAILURE, "{fault}; trying again");
            }
            self.wheel.schedule(Alarm { key: Timer::Door(index), at: self.desk.now + RETRY });
            return;
        }
        door.accept(index, &mut self.ring.queue);
    }

    /// Time is up for the sessions that have not finished.
    fn end_draining(&mut self) {
        self.is_drained = true;
        self.move_all(|connection, _, _| {
            connection.hang_up();
            After::Rest
        });
    }
}
