//! The command line: what may be typed, and the help for it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use keyturn::auth::argon2id::Kernel;
use keyturn::config::Address;

use super::bulk::Format;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for a server: stopped in order
  1  it could not be done; the message says why
  2  the command line is wrong
  3  the configuration file is wrong
  4  another process, most likely a running server, uses the data directory
  5  a second signal cut short the stopping of a server";

const EXAMPLES: &str = "\
Examples:
  keyturn                                    serve on 127.0.0.1:8106, data in ./keyturn-data
  keyturn --listen 0.0.0.0:106               serve on another address
  keyturn --config /etc/keyturn.toml         serve as a file says
  keyturn account add alice@example.com      add an account, asking for its password
  keyturn doctor                             find out why it does not run here";

const SERVE_EXAMPLES: &str = "\
The first start creates the data directory, the main domain and the account `postmaster`, and shows
its password once.

Signals:
  SIGTERM, SIGINT  stop: finish what is in flight, for at most drain_seconds
  SIGHUP           read the configuration file again and apply what can be applied
  SIGUSR1          write the service's counters to the log, and the hashes a second since the last time

Examples:
  keyturn serve
  keyturn serve --config /etc/keyturn.toml --data /var/lib/keyturn
  keyturn serve --listen 127.0.0.1:106 --listen [::1]:106
  keyturn serve --listen unix:/run/keyturn/socket";

const ACCOUNT_EXAMPLES: &str = "\
These commands work on the data directory itself: stop the server that uses it first. A name without
a domain is completed with the main domain. The first account that is added to a new directory names
its main domain, unless the configuration does.

Examples:
  keyturn account add alice@example.com
  pwgen -s 16 1 | keyturn account add bob --password-stdin
  keyturn account passwd postmaster --generate
  keyturn account list example.com
  keyturn account stats";

const DOMAIN_EXAMPLES: &str = "\
These commands work on the data directory itself: stop the server that uses it first. The first
domain that is added to a new directory is its main domain, unless the configuration names one.

Examples:
  keyturn domain add example.com
  keyturn domain list";

const ADD_ACCOUNT_EXAMPLES: &str = "\
The password is asked for twice on the terminal unless an option says otherwise. It is never taken
from the command line, where other users could see it.

A ready hash may be of crypt(3) ($1$ $5$ $6$ $2b$ $y$ $7$), Argon2 or scrypt ($argon2id$ $scrypt$),
LDAP ({SSHA} {SSHA256} {SSHA512} {SMD5} and so on) or PBKDF2. The account's first login replaces it
with one of the server's own.

Examples:
  keyturn account add alice@example.com
  keyturn account add alice@example.com --generate
  echo \"$PASSWORD\" | keyturn account add alice@example.com --password-stdin
  getent shadow alice | cut -d: -f2 | keyturn account add alice@example.com --hash-stdin";

const PASSWD_EXAMPLES: &str = "\
Examples:
  keyturn account passwd alice@example.com
  keyturn account passwd postmaster --generate";

const SETTINGS_EXAMPLES: &str = "\
What UPDATEMODULE PWD, the commands for lists of addresses and SETROUTERTABLE have set is kept with the accounts and
goes before the configuration file. Stop the server first.

Examples:
  keyturn settings show
  keyturn settings reset";

const IMPORT_EXAMPLES: &str = "\
This works on the data directory itself: stop the server that uses it first. The format is told by
the file's name (.json .csv .tsv .ldif passwd users shadow) unless --format names it.

Hashes are kept as they are, and replaced by the server's own at the next successful login; those of
an unknown scheme, or too dear to check, are rejected. Passwords that are not hashed are hashed now,
which takes its time. Every rejected line is told on standard error by its number and the reason,
and the rest is imported; the exit code is 1 then.

What is imported is durable in batches. An import that was cut short goes on behind the last batch
when it is called again with the same file.

Columns of CSV and CommuniGate Pro lists have names in the first line: account (or name, user,
email), domain, password, hashes (or hash, UnixPassword), real_name, aliases, rights, settings,
created, changed. Other columns of a CommuniGate Pro list are settings.

Examples:
  keyturn import accounts.csv --dry-run
  keyturn import accounts.csv --create-domains
  keyturn import /etc/dovecot/users --format passwd-file --domain example.com
  keyturn import /etc/shadow --domain example.com
  slapcat | keyturn import - --format ldif
  keyturn import export.json --existing update";

const EXPORT_EXAMPLES: &str = "\
This works on the data directory itself: stop the server that uses it first. What is written holds
the hashes of the passwords: keep it as carefully as the data directory. A file is made for its
owner alone, and none that exists is written over.

json and csv carry everything but the passwords of applications and single services, what SCRAM needs, and
passwords kept under seal; the others what they have a place for, and the first hash of each account.

Examples:
  keyturn export --output accounts.json
  keyturn export --format passwd-file --domain example.com
  keyturn export --format csv | gzip > accounts.csv.gz";

const REKEY_EXAMPLES: &str = "\
This works beside a running server, which does it in the background, and without one. To change the
key that seals the passwords' hashes (master_key in the configuration):

  1. put the new key on the first line of the file, and leave the old one below it:
     (umask 077; { openssl rand -hex 32; cat master-key; } > new && mv new master-key)
     where it is a credential of systemd's, restart the service
  2. keyturn rekey
  3. take the old key out of the file

If it is cut short, call it again. With the first key ever, it seals what was not sealed before; parts of the
store's file that are free may still hold hashes from then. An export that is imported into a new
directory leaves none.

Examples:
  keyturn rekey
  keyturn rekey --config /etc/keyturn.toml --data /var/lib/keyturn";

const CHECK_EXAMPLES: &str = "\
Every problem is reported, each as FILE:LINE: KEY: what is wrong.

Examples:
  keyturn check --config /etc/keyturn.toml";

const DOCTOR_EXAMPLES: &str = "\
Exit code 0: the server can run here, perhaps with warnings; 1: it cannot.

Examples:
  keyturn doctor
  keyturn doctor --config /etc/keyturn.toml --data /var/lib/keyturn";

const CALIBRATE_EXAMPLES: &str = "\
The hashes cost what [argon2id] in the configuration says. A change takes two: one to verify the old
password, one for the new. Stop the server first, or both are slow.

Examples:
  keyturn calibrate
  keyturn calibrate --changes-per-second 500 --latency 20
  keyturn calibrate --json";

const PRINT_EXAMPLES: &str = "\
Examples:
  keyturn print config > /etc/keyturn.toml
  keyturn print unit > /etc/systemd/system/keyturn.service
  keyturn print socket > /etc/systemd/system/keyturn.socket
  keyturn print completions bash > /etc/bash_completion.d/keyturn
  keyturn print man account add | man -l -";

/// A password-change server: poppwd, TCP port 106, as CommuniGate Pro and the Unix poppassd speak it.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "keyturn", version, max_term_width = 100)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Arguments {
    /// Configuration file; without one, safe defaults hold (`keyturn print config` shows them)
    #[arg(long, value_name = "FILE", global = true, display_order = 90)]
    pub(crate) config: Option<PathBuf>,

    /// Directory of the accounts
    #[arg(long, value_name = "DIR", global = true, default_value = "keyturn-data", display_order = 91)]
    pub(crate) data: PathBuf,

    #[command(flatten)]
    pub(crate) serve: ServeArguments,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// Listen here, instead of where the configuration says: ADDRESS:PORT, unix:PATH or systemd:NAME; may
    /// be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<Address>,

    /// Hash with this kernel, instead of the fastest: `avx512`, `avx2` or `crate`
    #[arg(long, value_name = "KERNEL", value_parser = parse_kernel)]
    pub(crate) kernel: Option<Kernel>,
}

fn parse_kernel(name: &str) -> Result<Kernel, String> {
    let known = Kernel::ALL.into_iter().find(|kernel| kernel.as_str() == name);
    let kernel = known.ok_or_else(|| "there is no such kernel (see: keyturn calibrate)".to_owned())?;
    if kernel.is_available() { Ok(kernel) } else { Err("this processor lacks the instructions for it".to_owned()) }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve clients until told to stop; the default
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArguments),

    /// Add, change, show, delete and list accounts
    #[command(after_help = ACCOUNT_EXAMPLES)]
    Account {
        #[command(subcommand)]
        action: AccountCommand,
    },

    /// Add, list and delete domains
    #[command(after_help = DOMAIN_EXAMPLES)]
    Domain {
        #[command(subcommand)]
        action: DomainCommand,
    },

    /// Show or forget what administrators have set over the wire
    #[command(after_help = SETTINGS_EXAMPLES)]
    Settings {
        #[command(subcommand)]
        action: SettingsCommand,
    },

    /// Import accounts from a file: CommuniGate Pro list, passwd-file, shadow, LDIF, CSV or JSON lines
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArguments),

    /// Export accounts with the hashes of their passwords
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArguments),

    /// Seal every account's record with the first of the master keys
    #[command(after_help = REKEY_EXAMPLES)]
    Rekey,

    /// Check the configuration file and say what it amounts to
    #[command(after_help = CHECK_EXAMPLES)]
    Check,

    /// Check whether the server can run here: kernel, limits, ports, files
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor,

    /// Measure how fast this machine hashes passwords, and what it takes to be fast enough
    #[command(after_help = CALIBRATE_EXAMPLES)]
    Calibrate(CalibrateArguments),

    /// Print the files that go with the program
    #[command(after_help = PRINT_EXAMPLES)]
    Print {
        #[command(subcommand)]
        what: PrintCommand,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file; `-` is standard input
    pub(crate) file: PathBuf,

    /// Its format
    #[arg(long)]
    pub(crate) format: Option<Format>,

    /// Completes names without a domain, instead of the main domain
    #[arg(long)]
    pub(crate) domain: Option<String>,

    /// What to do with accounts that are there already
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub(crate) existing: Existing,

    /// Add domains that are not there, instead of rejecting their accounts
    #[arg(long)]
    pub(crate) create_domains: bool,

    /// Check the whole file and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Begin at the first line, though an earlier import of this file was cut short
    #[arg(long)]
    pub(crate) from_start: bool,
}

/// What an import does with an account that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Existing {
    /// Leave it as it is
    Keep,
    /// Give it the password and the settings of the file
    Update,
    /// Reject the line
    Reject,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArguments {
    /// The format; told by the file's name where there is one
    #[arg(long)]
    pub(crate) format: Option<Format>,

    /// Only the accounts of this domain
    #[arg(long)]
    pub(crate) domain: Option<String>,

    /// Write to this file, which must not exist, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CalibrateArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How often each kernel is measured
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) rounds: u8,

    /// Say what so many password changes a second need
    #[arg(long, value_name = "COUNT")]
    pub(crate) changes_per_second: Option<u32>,

    /// What a change may take when nothing waits before it, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 25, requires = "changes_per_second")]
    pub(crate) latency: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account to an existing domain
    #[command(after_help = ADD_ACCOUNT_EXAMPLES)]
    Add {
        /// NAME@DOMAIN, or a name in the main domain
        name: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Give an account a new password
    #[command(after_help = PASSWD_EXAMPLES)]
    Passwd {
        /// NAME@DOMAIN, or a name in the main domain
        name: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Show an account: its settings, and how its password is kept
    #[command(after_help = "Examples:\n  keyturn account show alice@example.com")]
    Show {
        /// NAME@DOMAIN, or a name in the main domain
        name: String,
    },
    /// Delete an account
    #[command(after_help = "Examples:\n  keyturn account delete alice@example.com")]
    Delete {
        /// NAME@DOMAIN, or a name in the main domain
        name: String,
    },
    /// List the accounts, one name a line
    #[command(after_help = "Examples:\n  keyturn account list\n  keyturn account list example.com")]
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Count the accounts by how their passwords are kept: scheme and parameters
    #[command(after_help = "Examples:\n  keyturn account stats\n  keyturn account stats example.com --json")]
    Stats {
        /// Only those of this domain
        domain: Option<String>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where a new password, or the hash of one, comes from; never the command line, which other users can see.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PasswordArguments {
    /// Read the password from standard input, one line
    #[arg(long, conflicts_with = "generate")]
    pub(crate) password_stdin: bool,

    /// Read a ready hash of the password from standard input, one line
    #[arg(long, conflicts_with_all = ["generate", "password_stdin"])]
    pub(crate) hash_stdin: bool,

    /// Draw a random password and print it
    #[arg(long)]
    pub(crate) generate: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Add a domain
    #[command(after_help = "Examples:\n  keyturn domain add example.com")]
    Add {
        /// Its name
        name: String,
    },
    /// List the domains, one name a line
    #[command(after_help = "Examples:\n  keyturn domain list")]
    List,
    /// Delete a domain without accounts
    #[command(after_help = "Examples:\n  keyturn domain delete example.com")]
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show what goes before the configuration file, the lists of addresses, and the router table
    #[command(after_help = "Examples:\n  keyturn settings show")]
    Show,
    /// Forget it all: the way back for whoever has locked himself out
    #[command(after_help = "Examples:\n  keyturn settings reset")]
    Reset,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PrintCommand {
    /// The commands that a session takes after the login, as a page in Markdown
    #[command(after_help = "Examples:\n  keyturn print cli > commands.md")]
    Cli,
    /// The default configuration file, every key explained
    #[command(after_help = "Examples:\n  keyturn print config > keyturn.toml")]
    Config,
    /// The completions for a shell
    #[command(after_help = "Examples:\n  keyturn print completions zsh > ~/.zfunc/_keyturn")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// The manual page of the program, or of one of its commands
    #[command(after_help = "Examples:\n  keyturn print man | man -l -\n  keyturn print man account add | man -l -")]
    Man {
        /// The command, such as `account add`
        command: Vec<String>,
    },
    /// A systemd unit that opens the ports for the other one
    #[command(after_help = "Examples:\n  keyturn print socket > /etc/systemd/system/keyturn.socket")]
    Socket,
    /// A systemd unit
    #[command(after_help = "Examples:\n  keyturn print unit > /etc/systemd/system/keyturn.service")]
    Unit,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Every command under `command`, itself included.
    fn all(command: &clap::Command) -> Vec<&clap::Command> {
        std::iter::once(command).chain(command.get_subcommands().flat_map(all)).collect()
    }

    #[test]
    fn every_command_has_help_with_examples() {
        let root = Arguments::command();
        root.clone().debug_assert();
        for command in all(&root) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  keyturn") || help.contains("Examples:\n  echo"), "{command}");
            assert!(command.get_about().is_some(), "{command}");
        }
    }

    #[test]
    fn every_example_parses() {
        let root = Arguments::command();
        let mut count = 0;
        for command in all(&root) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.split_once("Examples:\n").map_or("", |(_, examples)| examples).lines() {
                // Two blanks separate an example from what it does.
                let call = line.trim().split("  ").next().unwrap();
                let (_, call) = call.split_once("keyturn").unwrap();
                let call = call.split(['>', '|']).next().unwrap();
                let words = std::iter::once("keyturn").chain(call.split_whitespace());
                assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
                count += 1;
            }
        }
        assert!(count > 20);
    }

    #[test]
    fn a_password_is_never_taken_from_the_command_line() {
        for command in ["add", "passwd"] {
            assert!(Arguments::try_parse_from(["keyturn", "account", command, "alice", "secret"]).is_err());
            assert!(Arguments::try_parse_from(["keyturn", "account", command, "alice", "--password=secret"]).is_err());
            let both = ["keyturn", "account", command, "alice", "--password-stdin", "--generate"];
            assert!(Arguments::try_parse_from(both).is_err());
            let both = ["keyturn", "account", command, "alice", "--password-stdin", "--hash-stdin"];
            assert!(Arguments::try_parse_from(both).is_err());
        }
    }
}
