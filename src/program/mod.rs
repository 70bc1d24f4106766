//! What `keyturn` does when it is called: arguments, commands, signals, exit codes.
//!
//! | file | what it stands for |
//! |---|---|
//! | `arguments.rs` | the command line and its help |
//! | `settings.rs` | the configuration in force |
//! | `data.rs` | the data directory |
//! | `master_key.rs` | the keys that records are sealed with |
//! | `rekey/` | all records under another key |
//! | `serve.rs` | the server, from start to stop |
//! | `welcome.rs` | what the first start tells |
//! | `account.rs` | accounts and domains, offline |
//! | `password.rs` | new passwords, and ready hashes, from an operator |
//! | `wire.rs` | what was set over the wire, offline |
//! | `stats.rs` | how the passwords are kept |
//! | `bulk/` | accounts from and for other software, in any number |
//! | `check.rs`, `doctor.rs`, `calibrate.rs`, `print.rs` | the commands of these names |
//! | `output.rs`, `failure.rs` | what is printed, and how commands fail |

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use self::arguments::{Arguments, Command, ServeArguments};
use self::failure::Failure;
use self::settings::Source;

mod account;
mod arguments;
mod bulk;
mod calibrate;
mod certificates;
mod check;
mod data;
mod doctor;
mod failure;
mod issuers;
mod master_key;
mod output;
mod passed;
mod password;
mod print;
mod rekey;
mod serve;
mod settings;
mod stats;
mod welcome;
mod wire;

/// Does what the command line asks for.
pub(crate) fn run() -> ExitCode {
    match carry_out(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to hear that the message could not be written.
            writeln!(std::io::stderr(), "{}", failure.text).unwrap_or_default();
            failure.exit.into()
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config: file, data, serve, command } = arguments;
    let is_serving = matches!(command, None | Some(Command::Serve(_)));
    if !is_serving && (!serve.listen.is_empty() || serve.kernel.is_some()) {
        let text = "--listen and --kernel are for serving, not for this command";
        Arguments::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    let source = |serve: ServeArguments| Source { file, listen: serve.listen };
    match command {
        None => serve::serve(&data, serve.kernel, &source(serve)),
        Some(Command::Serve(more)) => {
            let (listen, kernel) = ([serve.listen, more.listen].concat(), more.kernel.or(serve.kernel));
            serve::serve(&data, kernel, &source(ServeArguments { listen, kernel }))
        }
        Some(Command::Account { action }) => {
            output::write(account::account(&action, &data, &source(serve))?.as_bytes())
        }
        Some(Command::Domain { action }) => output::write(account::domain(&action, &data, &source(serve))?.as_bytes()),
        Some(Command::Settings { action }) => output::write(wire::settings(&action, &data, &source(serve))?.as_bytes()),
        Some(Command::Import(arguments)) => output::write(bulk::import(&arguments, &data, &source(serve))?.as_bytes()),
        Some(Command::Export(arguments)) => output::write(bulk::export(&arguments, &data, &source(serve))?.as_bytes()),
        Some(Command::Rekey) => output::write(rekey::rekey(&data, &source(serve))?.as_bytes()),
        Some(Command::Check) => output::write(check::check(&source(serve))?.as_bytes()),
        Some(Command::Doctor) => {
            let (table, bad) = doctor::doctor(&data, &source(serve))?;
            output::write(table.as_bytes())?;
            let text = format!("the server cannot run here: {bad} of these must be put right");
            if bad == 0 { Ok(()) } else { Err(Failure::failed(text)) }
        }
        Some(Command::Calibrate(arguments)) => {
            output::write(calibrate::calibrate(&arguments, &source(serve))?.as_bytes())
        }
        Some(Command::Print { what }) => output::write(&print::print(&what)?),
    }
}
