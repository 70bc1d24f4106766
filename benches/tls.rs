//! What does TLS cost the server's core: to begin, for a command, and while nothing is said?
//!
//! A bound to compare with: a signature on P-256 and a key exchange with X25519 and ML-KEM-768 are
//! some 150 µs of a core, an RSA-2048 signature about 0.5 ms; sealing or opening a short record is
//! below 1 µs. Sessions in clear are measured in the same run, by turns, on the same server.
//!
//! Processor time is that of the whole server, the threads that sign included, by the scheduler's
//! own account. Clients speak through rustls on the other CPU, one at a time.
//!
//! `cargo bench --bench tls [-- --rounds N]`. Writes `benches/record/tls.md`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

mod support;

use support::machine::{Spread, argument, await_quiet, describe};
use support::process::{Place, Running, memory_bytes, raise_open_files, spawn_in};

const SERVER: Place<'_> = Place { cpus: &[0], nice: 0 };
const CLIENT_CPU: usize = 1;
const NAME: &str = "bench.example";
const NOOPS: u32 = 10_000;
const CONNECTIONS: u32 = 200;
const IDLE_CONNECTIONS: u32 = 2_000;
const IDLE_BYTES_MAX: f64 = 24.0 * 1024.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/tls.md");

/// A server with a certificate, and what its clients need.
struct Server {
    process: Running,
    in_clear: SocketAddr,
    under_tls: SocketAddr,
    /// Begins with a full handshake each time.
    full: Arc<ClientConfig>,
    /// Resumes what it can.
    resuming: Arc<ClientConfig>,
    _folder: TempDir,
}

/// Where a client is to connect, and how.
#[derive(Clone, Copy)]
enum Way {
    Clear,
    Full,
    Resumed,
}

/// A connection in clear or under TLS.
enum Connection {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Server {
    fn start(algorithm: &'static SignatureAlgorithm) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = KeyPair::generate_for(algorithm).map_err(io::Error::other)?;
        let params = CertificateParams::new(vec![NAME.to_owned()]).map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let (in_clear, under_tls) = (free_address()?, free_address()?);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("chain.pem"), certificate.pem())?;
        fs::write(path("key.pem"), key.serialize_pem())?;
        let (chain, key) = (path("chain.pem"), path("key.pem"));
        fs::write(
            path("keyturn.toml"),
            format!(
                "main_domain = \"{NAME}\"\nshards = 1\nchannels = 10000\nlogin_seconds = 600\n[[certificate]]\nchain = \"{}\"\nkey = \"{}\"\n\
                 [[listener]]\naddress = \"{in_clear}\"\n[[listener]]\naddress = \"{under_tls}\"\ntls = true\n",
                chain.display(),
                key.display(),
            ),
        )?;
        let process = serve(folder.path())?;
        await_listener(under_tls)?;
        let mut trusted = RootCertStore::empty();
        trusted.add(certificate.der().clone()).map_err(io::Error::other)?;
        let resuming = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
        let mut full = resuming.clone();
        full.resumption = Resumption::disabled();
        Ok(Self { process, in_clear, under_tls, full: full.into(), resuming: resuming.into(), _folder: folder })
    }

    /// Processor time of all its threads, in nanoseconds (proc(5), `schedstat`).
    fn processor_ns(&self) -> io::Result<f64> {
        let mut sum = 0.0;
        for entry in fs::read_dir(format!("/proc/{}/task", self.process.0.id()))? {
            let text = fs::read_to_string(entry?.path().join("schedstat"))?;
            sum += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default();
        }
        Ok(sum)
    }

    /// Connects, and reads the greeting.
    fn connect(&self, way: Way) -> io::Result<Connection> {
        let config = match way {
            Way::Clear => None,
            Way::Full => Some(&self.full),
            Way::Resumed => Some(&self.resuming),
        };
        let stream = TcpStream::connect(if config.is_some() { self.under_tls } else { self.in_clear })?;
        stream.set_nodelay(true)?;
        let mut connection = match config {
            None => Connection::Clear(stream),
            Some(config) => {
                let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Connection::Tls(Box::new(StreamOwned::new(client, stream)))
            }
        };
        connection.expect_line()?;
        Ok(connection)
    }

    /// Processor time for one of so many connections, each closed after its greeting.
    fn connections_ns(&self, way: Way) -> io::Result<f64> {
        // The first one leaves a ticket behind.
        self.connect(way)?.quit()?;
        let before = self.processor_ns()?;
        for _ in 0..CONNECTIONS {
            self.connect(way)?.quit()?;
        }
        Ok((self.processor_ns()? - before) / f64::from(CONNECTIONS))
    }

    /// Processor time for one NOOP of many, each sent when the one before has been answered.
    fn noop_ns(&self, way: Way) -> io::Result<f64> {
        let mut connection = self.connect(way)?;
        let before = self.processor_ns()?;
        for _ in 0..NOOPS {
            connection.write_all(b"NOOP\r\n")?;
            connection.expect_line()?;
        }
        Ok((self.processor_ns()? - before) / f64::from(NOOPS))
    }

    /// Anonymous memory for one of many connections that have been greeted and say nothing.
    fn idle_bytes(&self, way: Way) -> io::Result<f64> {
        let memory = || memory_bytes(self.process.0.id(), "RssAnon");
        let before = memory()?;
        let connections = (0..IDLE_CONNECTIONS).map(|_| self.connect(way)).collect::<io::Result<Vec<_>>>()?;
        let after = memory()?;
        drop(connections);
        Ok((after - before).max(0.0) / f64::from(IDLE_CONNECTIONS))
    }
}

impl Connection {
    fn expect_line(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        BufReader::with_capacity(512, self).read_until(b'\n', &mut line)?;
        if line.starts_with(b"200 ") { Ok(()) } else { Err(io::Error::other("the server says something else")) }
    }

    fn quit(mut self) -> io::Result<()> {
        self.write_all(b"QUIT\r\n")?;
        self.expect_line()
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn serve(folder: &Path) -> io::Result<Running> {
    let log = File::create(folder.join("log"))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyturn"));
    command.arg("serve").arg("--config").arg(folder.join("keyturn.toml")).arg("--data").arg(folder.join("store"));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(Running(spawn_in(SERVER, &mut command)?))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn await_listener(address: SocketAddr) -> io::Result<()> {
    for _ in 0..5000 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    Err(io::Error::other("the server does not come up"))
}

/// The rounds of one quantity.
fn spread(rows: &[[f64; 6]], column: usize) -> Spread {
    Spread::of(rows.iter().map(|row| row[column]))
}

fn main() -> io::Result<()> {
    let rounds = argument("--rounds", 5.0) as usize;
    raise_open_files()?;
    // Before this process is kept to one CPU.
    let machine = describe()?;
    let mut only = CpuSet::new();
    only.set(CLIENT_CPU);
    let (curve, rsa) = (Server::start(&PKCS_ECDSA_P256_SHA256)?, Server::start(&PKCS_RSA_SHA256)?);
    sched_setaffinity(None, &only)?;
    let (clear_bytes, tls_bytes) = (curve.idle_bytes(Way::Clear)?, curve.idle_bytes(Way::Full)?);
    let mut rows = Vec::new();
    await_quiet(5.0)?;
    for _ in 0..rounds {
        rows.push([
            curve.noop_ns(Way::Clear)?,
            curve.noop_ns(Way::Full)?,
            curve.connections_ns(Way::Clear)? / 1e3,
            curve.connections_ns(Way::Full)? / 1e3,
            curve.connections_ns(Way::Resumed)? / 1e3,
            rsa.connections_ns(Way::Full)? / 1e3,
        ]);
    }
    let ratio = Spread::of(rows.iter().map(|row| row[1] / row[0]));
    let mut text = String::from("# TLS against clear text\n\n");
    write!(
        text,
        "{machine}. Server on CPU {} (one shard), clients on CPU {CLIENT_CPU}, loopback.\n\
         `cargo bench --bench tls -- --rounds {rounds}`: median (min–max) of {rounds} rounds, all rows by turns in each.\n\n",
        SERVER.cpus[0],
    )
    .map_err(io::Error::other)?;
    text.push_str("| what | processor time of the server | a second and core |\n|---|---|---|\n");
    for (column, what) in [(0, "NOOP in clear"), (1, "NOOP under TLS 1.3")] {
        writeln!(text, "| {what}, one connection | {} ns | |", spread(&rows, column).show(0))
            .map_err(io::Error::other)?;
    }
    for (column, what) in [
        (2, "connect, greeting, QUIT in clear"),
        (3, "the same with a full handshake, P-256"),
        (4, "the same with a resumed handshake"),
        (5, "the same with a full handshake, RSA-2048 on a thread of its own"),
    ] {
        let spread = spread(&rows, column);
        let rate = 1e6 / spread.median;
        writeln!(text, "| {what} | {} µs | {rate:.0} |", spread.show(0)).map_err(io::Error::other)?;
    }
    let verdict = if tls_bytes <= IDLE_BYTES_MAX { "reached" } else { "not reached" };
    write!(
        text,
        "\nA NOOP under TLS costs {} times what it costs in clear.\n\n\
         Anonymous memory per idle connection, {IDLE_CONNECTIONS} of them: {clear_bytes:.0} B in clear, {tls_bytes:.0} B \
         under TLS; at most {IDLE_BYTES_MAX:.0}: {verdict}.\n",
        ratio.show(2),
    )
    .map_err(io::Error::other)?;
    fs::write(RECORD, &text)
}
