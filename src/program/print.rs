//! `keyturn print`.

use clap::CommandFactory;

use super::arguments::{Arguments, PrintCommand};
use super::failure::{Exit, Failure};

/// Runs keyturn under systemd.
const UNIT: &str = include_str!("../dist/keyturn.service");

/// Opens its ports.
const SOCKET: &str = include_str!("../dist/keyturn.socket");

/// The text to print.
pub(crate) fn print(what: &PrintCommand) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    match what {
        PrintCommand::Config => out.extend_from_slice(keyturn::config::DEFAULT_FILE.as_bytes()),
        PrintCommand::Cli => out.extend_from_slice(keyturn::cli::page().as_bytes()),
        PrintCommand::Socket => out.extend_from_slice(SOCKET.as_bytes()),
        PrintCommand::Unit => out.extend_from_slice(UNIT.as_bytes()),
        PrintCommand::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "keyturn", &mut out);
        }
        PrintCommand::Man { command } => manual(command, &mut out)?,
    }
    Ok(out)
}

/// The manual page of the command that `path` leads to.
fn manual(path: &[String], out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut root = Arguments::command();
    // Sub-commands learn their full names, such as `keyturn account add`, and the global options.
    root.build();
    let mut command = &root;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::new(Exit::Usage, format_args!("there is no command `{}`; see keyturn --help", path.join(" ")))
        })?;
    }
    clap_mangen::Man::new(command.clone()).render(out).map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(what: &PrintCommand) -> String {
        String::from_utf8(print(what).unwrap()).unwrap()
    }

    #[test]
    fn manual_pages_and_completions_come_from_the_arguments() {
        let page = |path: &[&str]| text(&PrintCommand::Man { command: path.iter().map(ToString::to_string).collect() });
        assert!(page(&[]).contains("doctor"));
        assert!(page(&["account", "add"]).contains("password\\-stdin"));
        assert!(print(&PrintCommand::Man { command: vec!["dance".to_owned()] }).is_err());
        let completions = text(&PrintCommand::Completions { shell: clap_complete::Shell::Bash });
        assert!(completions.contains("--password-stdin"));
    }

    #[test]
    fn the_unit_starts_a_command_that_exists() {
        use clap::Parser;

        let unit = text(&PrintCommand::Unit);
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let arguments = Arguments::try_parse_from(start.split_whitespace()).unwrap();
        assert_eq!(arguments.data, std::path::Path::new("/var/lib/keyturn"));
    }

    #[test]
    fn the_sockets_have_a_name_that_a_listener_can_ask_for() {
        let unit = text(&PrintCommand::Socket);
        let name = unit.lines().find_map(|line| line.strip_prefix("FileDescriptorName=")).unwrap();
        assert!(format!("systemd:{name}").parse::<keyturn::config::Address>().is_ok());
        assert!(unit.contains(&format!("\"systemd:{name}\"")));
    }
}
