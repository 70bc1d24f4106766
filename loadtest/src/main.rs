//! Load generator for poppwd servers.
//!
//! It reads the protocol in its own way and shares no code for that with the server, so that the
//! two readings check each other. The server's library is used where there is no dialogue: to make
//! accounts offline, and to time a hash.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

mod clock;
mod cpu;
mod peak;
mod plan;
mod prepare;
mod progress;
mod report;
mod run;
mod target;
mod wire;

/// Puts load on a password-change server (poppwd, TCP port 106) and measures what comes back.
#[derive(Debug, Parser)]
#[command(name = "keyturn-loadtest", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 measured; 1 could not measure, or peak was answered wrongly; 2 wrong usage; \
     3 verify found something wrong; 4 a --fail-if condition holds.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds input/output ceilings with one raw io_uring thread; pin it yourself (taskset)
    Peak(peak::Options),
    /// Makes accounts to put load on, offline, in a data directory
    Prepare(prepare::Options),
    /// Says how many cores a campaign needs, by timing a hash on this machine
    Plan(plan::Options),
    /// Plays clients that come and change their passwords, and measures how they fare
    Run(Box<run::Options>),
    /// Checks that the server has kept every change that a ledger says it has acknowledged
    Verify(run::VerifyOptions),
    /// Sets two results of run side by side
    Compare(run::CompareOptions),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    raise_open_files().and_then(|()| command.carry_out()).unwrap_or_else(|fault| report::complain(&fault))
}

/// Lets the process open as many files as it is allowed to allow itself: each session is one.
fn raise_open_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

impl Command {
    fn carry_out(&self) -> io::Result<ExitCode> {
        match self {
            Self::Peak(options) => peak::run(options).map(|()| ExitCode::SUCCESS),
            Self::Prepare(options) => prepare::run(options).map(|()| ExitCode::SUCCESS),
            Self::Plan(options) => plan::run(options).map(|()| ExitCode::SUCCESS),
            Self::Run(options) => run::run(options),
            Self::Verify(options) => run::verify(options),
            Self::Compare(options) => run::compare(options).map(|()| ExitCode::SUCCESS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_readme_is_one() {
        let readme = include_str!("../README.md");
        let commands: Vec<_> = readme.lines().filter_map(|line| line.split_once("-p keyturn-loadtest -- ")).collect();
        assert!(commands.len() > 2, "{commands:?}");
        for (_, command) in commands {
            let words = std::iter::once("keyturn-loadtest").chain(command.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_ok(), "{command}");
        }
    }
}
