//! The real program, as a process of its own, with a data folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::{Client, PATIENCE};

/// A place for a program to live in: a data folder and a configuration file.
pub(crate) struct Home {
    folder: TempDir,
    /// Where the server listens.
    pub(crate) address: SocketAddr,
}

impl Home {
    /// An empty one. Hashes cost next to nothing; `more` is put at the top of the configuration.
    pub(crate) fn new(dialect: &str, more: &str) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let home = Self { folder, address: free_address() };
        home.configure(&home.configuration(dialect, more));
        home
    }

    /// A configuration for this place.
    pub(crate) fn configuration(&self, dialect: &str, more: &str) -> String {
        let listener = format!("[[listener]]\naddress = \"{}\"\ndialect = \"{dialect}\"\n", self.address);
        let cost = "[argon2id]\nm_kib = 64\nt = 1\np = 1\n";
        format!("main_domain = \"{}\"\n{more}\n{cost}{listener}", super::MAIN_DOMAIN)
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.config_path(), text).unwrap();
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("keyturn.toml")
    }

    pub(crate) fn data_path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of everything.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server and returns when it greets.
    pub(crate) fn serve(&self) -> Program {
        self.serve_with(&[])
    }

    /// As [`Home::serve`], with more arguments.
    pub(crate) fn serve_with(&self, more: &[&str]) -> Program {
        self.greeted(Program::new(&mut self.command(&[&["serve"], more].concat()), self.address))
    }

    /// Starts one that breaks a promise, which is named as the store names it.
    #[cfg(debug_assertions)]
    pub(crate) fn serve_breaking(&self, promise: &str) -> Program {
        let mut command = self.command(&["serve"]);
        self.greeted(Program::new(command.env("KEYTURN_BREAKS_A_PROMISE", promise), self.address))
    }

    /// As [`Home::serve`], with a limit to how many files the server can have open.
    pub(crate) fn serve_with_open_files(&self, limit: u32) -> Program {
        let command = self.command(&["serve"]);
        let mut limited = Command::new("sh");
        limited.current_dir(self.folder.path()).args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
        limited.arg(command.get_program()).args(command.get_args());
        self.greeted(Program::new(&mut limited, self.address))
    }

    /// Returns `program` when it greets.
    fn greeted(&self, mut program: Program) -> Program {
        let begun = Instant::now();
        loop {
            if let Ok(mut client) = Client::try_connect(self.address) {
                assert!(client.line().starts_with("200 "));
                return program;
            }
            if let Some(status) = program.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", program.said());
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not listen: {}", program.said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts one to which `socket` is passed as systemd does, under the name `poppwd`, and another one
    /// that nobody asks for; returns at once.
    pub(crate) fn spawn_with_passed(&self, socket: OwnedFd) -> Program {
        let command = self.command(&["serve"]);
        let mut passing = Command::new("sh");
        let script = "exec 3<&0 4<&0 </dev/null; \
                      LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=poppwd:other exec \"$0\" \"$@\"";
        passing.current_dir(self.folder.path()).args(["-c", script]).arg(command.get_program());
        Program::with_input(passing.args(command.get_args()), socket.into(), self.address)
    }

    /// Starts the server and returns at once.
    pub(crate) fn spawn(&self) -> Program {
        Program::new(&mut self.command(&["serve"]), self.address)
    }

    /// Runs another of the program's commands on this place, with `input` for it to read.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // It may have ended without reading.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// Runs a command where io_uring_setup fails with this error.
    pub(crate) fn run_without_ring(&self, errno: &str, arguments: &[&str]) -> Output {
        let command = self.command(arguments);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/world/without_ring.pl");
        let mut filtered = Command::new("perl");
        filtered.current_dir(self.folder.path()).arg(script).arg(errno).arg(command.get_program());
        filtered.args(command.get_args()).stdin(Stdio::null()).output().unwrap()
    }

    /// Adds an account.
    pub(crate) fn add_account(&self, name: &str, password: &str) {
        let output = self.run(&["account", "add", name, "--password-stdin"], &format!("{password}\n"));
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyturn"));
        command.current_dir(self.folder.path()).args(arguments);
        command.arg("--config").arg(self.config_path()).arg("--data").arg(self.data_path());
        command
    }
}

/// A server process; killed when dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Program {
    fn new(command: &mut Command, address: SocketAddr) -> Self {
        Self::with_input(command, Stdio::null(), address)
    }

    fn with_input(command: &mut Command, input: Stdio, address: SocketAddr) -> Self {
        let mut child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    // Nobody may be listening any more.
                    drop(sender.send(line));
                }
            });
        }
        Self { child, address, lines, heard: Vec::new() }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it, at once, and returns when nothing is left of it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The kernel takes rings apart behind a dead process; until then they hold its listeners,
        // which would get, and reset, connections meant for the next server.
        let begun = Instant::now();
        while is_listened_at(self.address) {
            assert!(begun.elapsed() < PATIENCE, "a dead server listens");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns when it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for a line that holds `text`, on either of its outputs, and returns it.
    pub(crate) fn await_line(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("it never said '{text}', but:\n{}", self.said()),
            }
        }
    }

    /// All it has said so far.
    pub(crate) fn said(&mut self) -> String {
        self.heard.extend(self.lines.try_iter());
        self.heard.join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether any process, or what is left of one, listens there.
fn is_listened_at(address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (port, listening) = (format!(":{:04X}", address.port()), "0A");
    table.lines().skip(1).any(|row| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        columns[1].ends_with(&port) && columns[3] == listening
    })
}

/// Tries until `is_so`.
///
/// # Panics
/// When [`PATIENCE`] is over.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} never came");
        std::thread::yield_now();
    }
}

/// A port that nobody uses now, and that the kernel gives to no client meanwhile: it takes those from
/// 32768 on (`ip_local_port_range`). Each is given once, and another test run begins elsewhere.
pub(crate) fn free_address() -> SocketAddr {
    const PORTS: Range<u32> = 10_000..30_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(1009).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = (PORTS.start + place % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        }
    }
}
