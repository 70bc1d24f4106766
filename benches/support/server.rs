//! The server under measurement: the release binary on a throw-away store.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use keyturn::model::Argon2idCost;
use tempfile::TempDir;

use crate::process::{Place, Running, spawn_in};

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

const BINARY: &str = env!("CARGO_BIN_EXE_keyturn");
/// Where they live.
pub(crate) const DOMAIN: &str = "bench.example";
const CHANNELS: usize = 20_000;

/// A running server, ended and forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Running,
    address: SocketAddr,
    _data: TempDir,
}

impl Server {
    /// Starts a server in `place`, with one shard per CPU and with accounts `u0` to `u<accounts - 1>`, whose passwords cost `cost`.
    pub(crate) fn start(place: Place<'_>, accounts: usize, cost: Argon2idCost) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = data.path().join("store");
        let config = data.path().join("keyturn.toml");
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
        let log = File::create(data.path().join("log"))?;
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(&config).arg("--data").arg(&store);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = Running(spawn_in(place, &mut command)?);
        await_listener(address)?;
        Ok(Self { process, address, _data: data })
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
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Err(io::Error::other("the server does not come up"))
}
