//! The load generator's clients, as processes of their own, and what became of them.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use super::generator::Generator;

/// Accounts that clients use. Each crowd goes on from its own ledger, so no two may share accounts.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// Their names, as the generator writes them.
    pub(crate) users: String,
    /// How many there are.
    pub(crate) accounts: u32,
    /// How many domains they are spread over.
    pub(crate) domains: u32,
}

impl Crowd {
    fn arguments(&self) -> [String; 7] {
        let [accounts, domains] = [self.accounts, self.domains].map(|count| count.to_string());
        let arguments = ["--users", &self.users, "--accounts", &accounts, "--domains", &domains, "--password-stdin"];
        arguments.map(str::to_owned)
    }

    /// Makes the accounts in the data directory `store`.
    pub(crate) fn prepare(&self, generator: &Generator<'_>, store: &Path) -> io::Result<()> {
        let mut command = generator.command("prepare");
        command.arg("--data").arg(store).args(self.arguments());
        if generator.spawn(&mut command, true)?.wait_with_output()?.status.success() {
            Ok(())
        } else {
            Err(io::Error::other("the accounts cannot be made"))
        }
    }
}

/// A server to put load on, and where the ledgers lie.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) generator: &'a Generator<'a>,
    pub(crate) address: SocketAddr,
    pub(crate) ledgers: &'a Path,
}

impl Load<'_> {
    /// Lets `crowd` come as `arguments` (blank-separated) say.
    pub(crate) fn start(&self, crowd: &Crowd, arguments: &str) -> io::Result<Child> {
        let mut command = self.generator.command("run");
        let ledger = self.ledgers.join(format!("{}.ledger", crowd.users));
        command.args(crowd.arguments()).args(arguments.split_whitespace()).arg("--ledger").arg(ledger);
        command.args(["--json", "-", "--address", &self.address.to_string()]);
        self.generator.spawn(&mut command, true)
    }

    /// The same to its end.
    pub(crate) fn run(&self, crowd: &Crowd, arguments: &str) -> io::Result<Outcome> {
        finish(self.start(crowd, arguments)?)
    }
}

/// Waits for the end of a run and takes its result.
pub(crate) fn finish(child: Child) -> io::Result<Outcome> {
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other("the load generator failed"));
    }
    let outcome = Outcome(serde_json::from_slice(&output.stdout)?);
    let doubts = outcome.0["generator"]["invalid_because"].to_string();
    if doubts == "[]" { Ok(outcome) } else { Err(io::Error::other(format!("the run is not valid: {doubts}"))) }
}

/// What became of a crowd.
#[derive(Debug)]
pub(crate) struct Outcome(Value);

impl Outcome {
    /// The number at `path` (JSON pointer, RFC 6901).
    pub(crate) fn number(&self, path: &str) -> f64 {
        self.0.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path} in {}", self.0))
    }

    /// Changes per second in those `seconds` of the run. In the first one clients have still to wait for
    /// the first answers, and those who are being served at the end are answered after it: counted from
    /// the second one on, as many come over from before as stay behind.
    pub(crate) fn changes_per_s(&self, seconds: Range<usize>) -> f64 {
        let changed = &self.series("changed")[seconds];
        changed.iter().sum::<f64>() / changed.len() as f64
    }

    /// The number under `name` of each second.
    pub(crate) fn series(&self, name: &str) -> Vec<f64> {
        let seconds = self.0["series"].as_array().map(Vec::as_slice).unwrap_or_default();
        seconds.iter().map(|second| second[name].as_f64().unwrap_or_default()).collect()
    }
}
