//! The server under measurement: the release binary on a throw-away store.

#![allow(dead_code, reason = "every bench uses the parts that it needs")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use keyturn::model::{Argon2idCost, Clock, Tick};
use tempfile::TempDir;

use crate::process::{Place, Running, spawn_in};

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

const BINARY: &str = env!("CARGO_BIN_EXE_keyturn");
/// Where they live.
pub(crate) const DOMAIN: &str = "bench.example";
const CHANNELS: usize = 20_000;
const CONFIG: &str = "keyturn.toml";

/// A running server, ended and forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Running,
    address: SocketAddr,
    opened_in: Duration,
    _data: TempDir,
}

impl Server {
    /// Starts a server in `place`, with one shard per CPU and with accounts `u0` to `u<accounts - 1>`, whose passwords cost `cost`.
    pub(crate) fn start(place: Place<'_>, accounts: usize, cost: Argon2idCost) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = data.path().join("store");
        let config = data.path().join(CONFIG);
        let address = free_address()?;
        fs::write(
            &config,
            format!(
                "main_domain = \"{DOMAIN}\"\nshards = {}\nchannels = {CHANNELS}\nlogin_seconds = 600\n\
                 [argon2id]\nm_kib = {}\nt = {}\np = {}\n[[listener]]\naddress = \"{address}\"\n",
                place.cpus.len(),
                cost.m_kib,
                cost.t,
                cost.p,
            ),
        )?;
        for index in 0..accounts {
            let mut child = Command::new(BINARY)
                .args(["account", "add", &format!("u{index}@{DOMAIN}"), "--password-stdin", "--config"])
                .arg(&config)
                .arg("--data")
                .arg(&store)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()?;
            child.stdin.take().expect("it is piped").write_all(format!("{PASSWORD}\n").as_bytes())?;
            if !child.wait()?.success() {
                return Err(io::Error::other("an account cannot be made"));
            }
        }
        Self::serve(place, data, &store, address)
    }

    /// Starts a server in `place`, configured as it comes, on the accounts of [`DOMAIN`] that lie
    /// in `store`.
    pub(crate) fn start_on(place: Place<'_>, store: &Path) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let address = free_address()?;
        let config = format!("main_domain = \"{DOMAIN}\"\n[[listener]]\naddress = \"{address}\"\n");
        fs::write(data.path().join(CONFIG), config)?;
        Self::serve(place, data, store, address)
    }

    fn serve(place: Place<'_>, data: TempDir, store: &Path, address: SocketAddr) -> io::Result<Self> {
        let log = File::create(data.path().join("log"))?;
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(data.path().join(CONFIG)).arg("--data").arg(store);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let clock = Clock::new();
        let process = Running(spawn_in(place, &mut command)?);
        await_listener(address)?;
        Ok(Self { process, address, opened_in: clock.now().since(Tick(0)), _data: data })
    }

    /// From its start until it listened.
    pub(crate) fn opened_in(&self) -> Duration {
        self.opened_in
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// A loopback address that nobody listens on just now.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Waits until somebody listens on `address`.
pub(crate) fn await_listener(address: SocketAddr) -> io::Result<()> {
    for _ in 0..5000 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    Err(io::Error::other("the server does not come up"))
}
