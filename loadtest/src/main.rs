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
mod target;
mod wire;

/// Puts load on a password-change server (poppwd, TCP port 106) and measures what comes back.
#[derive(Debug, Parser)]
#[command(name = "keyturn-loadtest", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 measured; 1 the server answered wrongly or could not be reached; 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds input/output ceilings with one raw io_uring thread; pin it yourself (taskset)
    Peak(peak::Options),
}

fn main() -> ExitCode {
    let Command::Peak(options) = Arguments::parse().command;
    match peak::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => report::complain(&fault),
    }
}
