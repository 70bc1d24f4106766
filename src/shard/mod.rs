//! One core: its ring, its listeners, its sessions, its loop.
//!
//! A shard shares with the others the `Control` (channel count, settings in force, who may connect,
//! who is logged in, the word to stop) and the service behind them; nothing else. It never hashes, never touches the
//! store and never blocks but in its ring.
//!
//! | file | what it stands for |
//! |---|---|
//! | `turn.rs` | the loop: completions and answers in, operations out |
//! | `connection.rs` | one connection: how far it has come, its bytes on their way in and out |
//! | `connection/proxied.rs` | what comes before a dialogue where a proxy connects for its client |
//! | `connection/secure.rs` | what TLS adds to a connection |
//! | `dialogue.rs` | a session with what carries out its effects |
//! | `desk.rs` | what the shard lends its connections while they move |
//! | `entrance.rs` | who gets a session, and what the others are told |
//! | `endpoints.rs` | what the listeners offer under TLS |
//! | `door.rs` | a listener of this shard, open or closed |
//! | `listen.rs` | opening a port |
//! | `shared.rs` | sockets of all shards: Unix-domain ones, and those that systemd passes |
//! | `wheel.rs` | the timing wheel |

mod connection;
mod desk;
mod dialogue;
mod door;
mod endpoints;
mod entrance;
mod listen;
mod shared;
mod turn;
mod wheel;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tracing::event;

use crate::config::{Address, Certificate, Config};
use crate::control::{Control, News};
use crate::cpu;
use crate::ring::{RingSize, Unavailable, Waker, probe};
use crate::service::Service;
use crate::syslog::{LOW_LEVEL, MAJOR};
use crate::tls::LoadFault;
use desk::House;
use door::Door;
use endpoints::Endpoints;
pub use listen::ListenFault;
use listen::Port;
pub use shared::Passed;
use shared::SocketFile;
use turn::{Shard, ShardParts};

/// Why the server could not start; the text says what to do.
#[derive(Debug)]
pub enum StartFault {
    /// No ring is to be had here.
    Ring(Unavailable),
    /// A listener could not be opened.
    Listen(ListenFault),
    /// A certificate or its key is of no use.
    Certificate(LoadFault),
    /// The system refused a thread or a descriptor.
    System(io::Error),
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(fault) => write!(f, "{fault}"),
            Self::Listen(fault) => write!(f, "{fault}"),
            Self::Certificate(fault) => write!(f, "no TLS can be offered: {fault}"),
            Self::System(fault) => write!(f, "the system refused a thread or a descriptor: {fault}"),
        }
    }
}

impl std::error::Error for StartFault {}

impl From<io::Error> for StartFault {
    fn from(fault: io::Error) -> Self {
        Self::System(fault)
    }
}

/// A running server: all shards.
#[derive(Debug)]
pub struct Server {
    control: Arc<Control>,
    wakers: Vec<Waker>,
    threads: Vec<JoinHandle<()>>,
    endpoints: Endpoints,
    addresses: Vec<Address>,
    /// Removed when the shards have ended.
    _socket_files: Vec<SocketFile>,
}

impl Server {
    /// Starts the shards and returns when every listener is open: on sockets of its own, or on those
    /// in `passed` that it asks for.
    ///
    /// # Errors
    /// [`StartFault`] when a ring, a listener or a certificate cannot be had; nothing is left running.
    pub fn start(control: &Arc<Control>, service: &Service, passed: Vec<Passed>) -> Result<Self, StartFault> {
        let config = &control.config();
        probe().map_err(StartFault::Ring)?;
        let endpoints = Endpoints::load(config).map_err(StartFault::Certificate)?;
        let cpus = cpu::allowed()?;
        let count = config.shards.map_or(cpus.len(), |count| usize::from(count.get()));
        let Doors { addresses, doors, files } = Doors::open(config, count, passed).map_err(StartFault::Listen)?;
        let (control, wakers, threads) = (Arc::clone(control), Vec::new(), Vec::new());
        let mut server = Self { control, wakers, threads, endpoints, addresses, _socket_files: files };
        for (index, doors) in doors.into_iter().enumerate() {
            let parts = ShardParts {
                index,
                count,
                ring_size: RingSize::default(),
                houses: server.houses(config),
                doors,
                service: service.clone(),
                control: Arc::clone(&server.control),
            };
            // Dropping the server that has begun stops the shards it has.
            server.start_shard(parts, cpus[index % cpus.len()])?;
        }
        let wakers = server.wakers.clone();
        server.control.observe(move |news| {
            if let News::Settings(_) = news {
                wakers.iter().for_each(Waker::wake);
            }
        });
        for (address, listener) in server.addresses.iter().zip(&config.listeners) {
            let (dialect, tls) = (listener.dialect.as_str(), if listener.tls { ", TLS" } else { "" });
            event!(target: "SYSTEM", MAJOR, "listening on {address} ({dialect}{tls}), {count} shards");
        }
        Ok(server)
    }

    fn houses(&self, config: &Config) -> Vec<House> {
        let listeners = config.listeners.iter().zip(self.endpoints.iter());
        listeners
            .map(|(listener, endpoint)| {
                House::new(listener, &config.main_domain, &config.live, endpoint, &self.control)
            })
            .collect()
    }

    fn start_shard(&mut self, parts: ShardParts, cpu: usize) -> Result<(), StartFault> {
        let waker = Waker::new()?;
        self.wakers.push(waker.clone());
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::Builder::new().name(format!("shard-{}", parts.index)).spawn(move || {
            keep_prompt(cpu);
            match Shard::new(parts, waker) {
                Ok(shard) => {
                    ready.send(Ok(())).ok();
                    shard.run();
                }
                Err(fault) => {
                    ready.send(Err(fault)).ok();
                }
            }
        })?;
        self.threads.push(thread);
        is_ready.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        Ok(())
    }

    /// The addresses listened on, in the order of the configuration, with the chosen ports.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// How many sessions there are now.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.control.channels.taken()
    }

    /// Reads these certificates, and shows them to clients from now on; when a file is of no use,
    /// the ones of before. Returns how many names they are for. Nothing happens where no listener
    /// offers TLS.
    ///
    /// # Errors
    /// [`LoadFault`] names the file and what is wrong with it.
    pub fn reload_certificates(&self, certificates: &[Certificate]) -> Result<usize, LoadFault> {
        self.endpoints.reload(certificates)
    }

    /// Lets all shards look at the clock and the settings now.
    pub fn wake(&self) {
        self.wakers.iter().for_each(Waker::wake);
    }

    /// Stops accepting, lets sessions finish for at most [`Live::drain`], then ends the shards.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.control.stop();
        self.wake();
        for thread in self.threads.drain(..) {
            // A shard that panicked has said so; the others are ended all the same.
            thread.join().ok();
        }
    }
}

/// Keeps the calling thread on `cpu`, where it goes before whoever computes there.
fn keep_prompt(cpu: usize) {
    if let Err(fault) = cpu::pin(cpu) {
        event!(target: "SYSTEM", LOW_LEVEL, "shard not pinned to CPU {cpu}: {fault}");
    }
    if let Err(fault) = cpu::set_slice(cpu::SLICE_MIN) {
        event!(target: "SYSTEM", LOW_LEVEL, "shard on CPU {cpu} has turns of the usual length: {fault}");
    }
}

/// What the listeners have opened.
struct Doors {
    /// In the order of the configuration.
    addresses: Vec<Address>,
    /// By shard, then in the order of the configuration.
    doors: Vec<Vec<Door>>,
    files: Vec<SocketFile>,
}

impl Doors {
    /// Opens every listener for each of `count` shards; ports only while there are channels.
    fn open(config: &Config, count: usize, mut passed: Vec<Passed>) -> Result<Self, ListenFault> {
        let doors = (0..count).map(|_| Vec::new()).collect();
        let mut opened = Self { addresses: Vec::new(), doors, files: Vec::new() };
        for (index, listener) in config.listeners.iter().enumerate() {
            match &listener.address {
                Address::Ip(address) => {
                    let port = Port { address: *address, dual_stack: listener.dual_stack };
                    opened.open_port(index, port, config.live.channels > 0)?;
                }
                Address::Unix(path) => {
                    let (socket, file) = shared::open(path, listener.mode)?;
                    opened.files.push(file);
                    opened.share(index, socket, false)?;
                    opened.addresses.push(listener.address.clone());
                }
                Address::Systemd(name) => {
                    for socket in shared::take(name, &mut passed)? {
                        opened.share(index, socket, true)?;
                    }
                    opened.addresses.push(listener.address.clone());
                }
            }
        }
        for Passed { name, .. } in passed {
            event!(target: "SYSTEM", MAJOR, "systemd has passed a socket '{name}' that no listener asks for");
        }
        Ok(opened)
    }

    /// A port, which every shard opens for itself, on the number that the first one was given.
    fn open_port(&mut self, listener: usize, mut port: Port, is_open: bool) -> Result<(), ListenFault> {
        if is_open {
            listen::check_free(port)?;
        }
        for doors in &mut self.doors {
            let mut door = Door::new(listener, port);
            if is_open {
                door.open()?;
                port.address = door.address().unwrap_or(port.address);
            }
            doors.push(door);
        }
        self.addresses.push(port.address.into());
        Ok(())
    }

    fn share(&mut self, listener: usize, socket: OwnedFd, is_kept: bool) -> Result<(), ListenFault> {
        let socket = Arc::new(socket);
        for doors in &mut self.doors {
            let mut door = Door::shared(listener, Arc::clone(&socket), is_kept);
            door.open()?;
            doors.push(door);
        }
        Ok(())
    }
}
