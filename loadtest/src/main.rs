//! Load generator for poppwd servers.
//!
//! It reads the protocol in its own way and shares no code with the server, so that the two
//! readings check each other.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clock;
mod cpu;
mod peak;
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
     4 a --fail-if condition holds.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds input/output ceilings with one raw io_uring thread; pin it yourself (taskset)
    Peak(peak::Options),
    /// Plays clients that come and change their passwords, and measures how they fare
    Run(run::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Peak(options) => peak::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(&options),
    };
    done.unwrap_or_else(|fault| report::complain(&fault))
}
