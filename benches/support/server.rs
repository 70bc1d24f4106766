//! The server under measurement: the release binary on a throw-away store.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keyturn::model::{Argon2idCost, Clock, Tick};
use tempfile::TempDir;

use super::process::{Place, Running, spawn_in};

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

const BINARY: &str = env!("CARGO_BIN_EXE_keyturn");
/// Where they live.
pub(crate) const DOMAIN: &str = "bench.example";
const CHANNELS: usize = 20_000;
const CONFIG: &str = "keyturn.toml";
const KEYS: &str = "master-key";

/// A throw-away data directory and its configuration.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    store: PathBuf,
    address: SocketAddr,
}

impl Home {
    /// An empty one, for a server with so many shards, where passwords cost `cost`.
    pub(crate) fn new(shards: usize, cost: Argon2idCost) -> io::Result<Self> {
        let settings = format!("shards = {shards}\nchannels = {CHANNELS}\nlogin_seconds = 600\n");
        Self::configured(&settings, &table(cost))
    }

    /// An empty one with these settings, where passwords cost `cost`, the listener greets for APOP, and records
    /// are sealed with the key of this digit.
    pub(crate) fn sealed(settings: &str, cost: Argon2idCost, digit: char) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings = format!("{settings}master_key = \"{}\"\n", folder.path().join(KEYS).display());
        let home = Self::in_folder(folder, &settings, &table(cost), "apop = true\n")?;
        home.write_keys(&[digit])?;
        Ok(home)
    }

    /// Writes the file of the master keys of these digits, of which the first seals.
    pub(crate) fn write_keys(&self, digits: &[char]) -> io::Result<()> {
        let keys: String = digits.iter().map(|digit| digit.to_string().repeat(64) + "\n").collect();
        let path = self.path().join(KEYS);
        fs::write(&path, keys)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))
    }

    fn configured(settings: &str, tables: &str) -> io::Result<Self> {
        Self::in_folder(tempfile::tempdir()?, settings, tables, "")
    }

    fn in_folder(folder: TempDir, settings: &str, tables: &str, listener: &str) -> io::Result<Self> {
        let address = free_address()?;
        let listener = format!("[[listener]]\naddress = \"{address}\"\n{listener}");
        let config = format!("main_domain = \"{DOMAIN}\"\n{settings}{tables}{listener}");
        fs::write(folder.path().join(CONFIG), config)?;
        Ok(Self { store: folder.path().join("store"), folder, address })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one of the program's commands, with a line of `input` to read.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> io::Result<()> {
        let mut child = self.command().args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().expect("it is piped").write_all(format!("{input}\n").as_bytes())?;
        if child.wait()?.success() { Ok(()) } else { Err(io::Error::other(format!("{arguments:?} failed"))) }
    }

    /// Where the accounts lie.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Adds accounts `u0` to `u<count - 1>`.
    pub(crate) fn add_accounts(&self, count: usize) -> io::Result<()> {
        (0..count).try_for_each(|index| {
            self.run(&["account", "add", &format!("u{index}@{DOMAIN}"), "--password-stdin"], PASSWORD)
        })
    }

    /// Starts the server in `place`.
    pub(crate) fn serve(self, place: Place<'_>) -> io::Result<Server> {
        self.serve_with(place, &[])
    }

    /// The same with more `arguments`.
    pub(crate) fn serve_with(self, place: Place<'_>, arguments: &[&str]) -> io::Result<Server> {
        let log = File::create(self.path().join("log"))?;
        let mut command = self.command();
        command.arg("serve").args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let clock = Clock::new();
        let process = Running(spawn_in(place, &mut command)?);
        await_listener(self.address)?;
        Ok(Server { process, opened_in: clock.now().since(Tick(0)), home: self })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.path().join(CONFIG)).arg("--data").arg(&self.store);
        command
    }
}

fn table(Argon2idCost { m_kib, t, p }: Argon2idCost) -> String {
    format!("[argon2id]\nm_kib = {m_kib}\nt = {t}\np = {p}\n")
}

/// A running server, ended and forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Running,
    opened_in: Duration,
    home: Home,
}

impl Server {
    /// Starts a server in `place`, with one shard per CPU and with accounts `u0` to `u<accounts - 1>`, whose passwords cost `cost`.
    pub(crate) fn start(place: Place<'_>, accounts: usize, cost: Argon2idCost) -> io::Result<Self> {
        let home = Home::new(place.cpus.len(), cost)?;
        home.add_accounts(accounts)?;
        home.serve(place)
    }

    /// Starts a server in `place`, configured as it comes, on the accounts of [`DOMAIN`] that lie
    /// in `store`.
    pub(crate) fn start_on(place: Place<'_>, store: &Path) -> io::Result<Self> {
        Home { store: store.to_owned(), ..Home::configured("", "")? }.serve(place)
    }

    /// From its start until it listened.
    pub(crate) fn opened_in(&self) -> Duration {
        self.opened_in
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.home.address
    }

    /// Where it lives.
    pub(crate) fn home(&self) -> &Home {
        &self.home
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
