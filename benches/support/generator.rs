//! The load generator, as a process of its own, and what it reports.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::process::{Place, spawn_in};
use super::server::PASSWORD;

/// The generator's binary, and where it runs.
#[derive(Debug)]
pub(crate) struct Generator<'a> {
    binary: PathBuf,
    place: Place<'a>,
}

/// What one run reported: a flat JSON object.
#[derive(Clone, Debug)]
pub(crate) struct Findings(String);

impl<'a> Generator<'a> {
    /// Builds the generator beside the server's binary, to be run in `place`.
    pub(crate) fn build(place: Place<'a>) -> io::Result<Self> {
        let built =
            Command::new(env!("CARGO")).args(["build", "--release", "--package", "keyturn-loadtest"]).status()?;
        let binary = Path::new(env!("CARGO_BIN_EXE_keyturn")).with_file_name("keyturn-loadtest");
        if !built.success() || !binary.exists() {
            return Err(io::Error::other("the load generator cannot be built"));
        }
        Ok(Self { binary, place })
    }

    /// Starts `peak` with `arguments` (blank-separated) against `address`; reads the shared
    /// password from standard input where `--password-stdin` is among them.
    pub(crate) fn start(&self, address: SocketAddr, arguments: &str) -> io::Result<Child> {
        let mut command = self.command("peak");
        command.args(arguments.split_whitespace()).args(["--json", "--address", &address.to_string()]);
        self.spawn(&mut command, arguments.contains("--password-stdin"))
    }

    /// What runs `subcommand`.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(subcommand);
        command
    }

    /// Starts `command`, and tells it the shared password if it reads one.
    pub(crate) fn spawn(&self, command: &mut Command, reads_password: bool) -> io::Result<Child> {
        let mut child = spawn_in(self.place, command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        if reads_password {
            child.stdin.take().expect("it is piped").write_all(format!("{PASSWORD}\n").as_bytes())?;
        }
        Ok(child)
    }

    /// Runs `peak` to its end.
    pub(crate) fn run(&self, address: SocketAddr, arguments: &str) -> io::Result<Findings> {
        finish(self.start(address, arguments)?)
    }
}

/// Waits for the end of a run and takes its last report.
pub(crate) fn finish(mut child: Child) -> io::Result<Findings> {
    drop(child.stdin.take());
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().expect("it is piped")).lines().collect::<Result<_, _>>()?;
    match (child.wait()?.success(), lines.last()) {
        (true, Some(line)) => Ok(Findings(line.clone())),
        (true | false, _) => Err(io::Error::other("the load generator failed")),
    }
}

impl Findings {
    /// The number under `name`.
    pub(crate) fn number(&self, name: &str) -> f64 {
        let start = self.0.find(&format!("\"{name}\":")).map(|at| at + name.len() + 3);
        let value = start.and_then(|start| self.0[start..].split([',', '}']).next());
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no number {name} in {}", self.0))
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
