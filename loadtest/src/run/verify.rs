//! Checks over the wire that a server has kept what it acknowledged.
//!
//! For every account in a ledger the passwords it may have are tried. With `a` the last
//! acknowledged one, the account must accept exactly one password: `a`, or one whose change was
//! begun after `a` and ended in an unknown outcome.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::ledger::{self, Entry, Outcome};
use super::population::AccountOptions;
use crate::progress::Progress;
use crate::report::Report;
use crate::target::{Access, Protocol, Server, Talk};

/// Replaced passwords that are tried, the newest first.
const REPLACED_TRIED_MAX: usize = 3;

/// Refused passwords that are tried, the newest first.
const REFUSED_TRIED_MAX: usize = 2;

/// How often a busy server is asked again about a password, and how long it is left alone between.
const ASKED_MAX: u32 = 120;
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What `verify` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The ledger that `run` has written
    ledger: PathBuf,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    naming: AccountOptions,
    /// Accounts that are checked at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The passwords of an account, by what the ledger says about them.
#[derive(Debug, Default, PartialEq, Eq)]
struct History {
    /// Acknowledged and not replaced since.
    current: u32,
    /// Of unknown outcome, begun after the current one.
    possible: Vec<u32>,
    /// Replaced by the current one, the newest first.
    replaced: Vec<u32>,
    /// Refused, the newest first.
    refused: Vec<u32>,
}

/// What is wrong with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// An acknowledged change is gone: the password before it is back in its place.
    Lost,
    /// A replaced password is accepted beside the right one.
    Resurrected,
    /// A refused password is accepted.
    Phantom,
    /// None of the passwords is accepted, or more than one that may be.
    Torn,
}

/// All of them, with their names.
const FINDINGS: [(Finding, &str); 4] = [
    (Finding::Lost, "lost"),
    (Finding::Resurrected, "resurrected"),
    (Finding::Phantom, "phantom"),
    (Finding::Torn, "torn"),
];

impl History {
    /// What `entries`, all of one account and in order, say.
    fn of(entries: &[Entry]) -> Self {
        let mut history = Self::default();
        for entry in entries {
            match entry.outcome {
                Some(Outcome::Acknowledged) => {
                    let before = std::mem::replace(&mut history.current, entry.number);
                    history.replaced.insert(0, before);
                    // Whatever became of them, this change has replaced them.
                    let replaced = history.possible.drain(..).rev();
                    history.replaced.splice(0..0, replaced);
                }
                Some(Outcome::Refused) => history.refused.insert(0, entry.number),
                Some(Outcome::Unknown) | None => history.possible.push(entry.number),
            }
        }
        history
    }

    /// Judges the account, asking `accepts` about single passwords.
    fn judge(&self, mut accepts: impl FnMut(u32) -> io::Result<bool>) -> io::Result<Option<Finding>> {
        let mut accepted_of = |numbers: &[u32]| -> io::Result<usize> {
            let mut count = 0;
            for number in numbers {
                count += usize::from(accepts(*number)?);
            }
            Ok(count)
        };
        let right = accepted_of(&[self.current])? + accepted_of(&self.possible)?;
        let replaced = accepted_of(&self.replaced[..self.replaced.len().min(REPLACED_TRIED_MAX)])?;
        let refused = accepted_of(&self.refused[..self.refused.len().min(REFUSED_TRIED_MAX)])?;
        Ok(match (right, replaced, refused) {
            (_, _, 1..) => Some(Finding::Phantom),
            (0, 1.., _) => Some(Finding::Lost),
            (_, 1.., _) => Some(Finding::Resurrected),
            (1, ..) => None,
            (0 | 2.., ..) => Some(Finding::Torn),
        })
    }
}

/// Checks every account of the ledger. The exit code is 3 when anything is wrong.
///
/// # Errors
/// When the ledger cannot be read or the server does not let itself be asked.
pub(crate) fn verify(options: &Options) -> io::Result<ExitCode> {
    let (address, naming) = (options.server.address()?, options.naming.naming()?);
    let mut by_account: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for entry in ledger::read(&options.ledger)? {
        by_account.entry(entry.account).or_default().push(entry);
    }
    let count = by_account.len();
    if count == 0 {
        return Err(io::Error::other(format!("{} holds nothing to check", options.ledger.display())));
    }
    let queue = Mutex::new((by_account.into_iter().collect::<VecDeque<_>>(), Progress::new()));
    let next = || -> io::Result<_> {
        let (left, progress) = &mut *queue.lock().unwrap_or_else(PoisonError::into_inner);
        progress.count((count - left.len()) as u64, count as u64, "accounts")?;
        Ok(left.pop_front())
    };
    let check = || -> io::Result<Vec<(u32, Finding)>> {
        let mut found = Vec::new();
        while let Some((account, entries)) = next()? {
            let name = naming.account(account);
            let finding =
                History::of(&entries).judge(|number| is_accepted(address, &name, &naming.password(account, number)))?;
            found.extend(finding.map(|finding| (account, finding)));
        }
        Ok(found)
    };
    let found = thread::scope(|scope| {
        let checkers: Vec<_> = (0..options.clients).map(|_| scope.spawn(check)).collect();
        let mut found = Vec::new();
        for checker in checkers {
            found.extend(checker.join().expect("checking does not panic")?);
        }
        io::Result::Ok(found)
    })?;
    queue.into_inner().unwrap_or_else(PoisonError::into_inner).1.end()?;
    let mut report = Report::default();
    report.count("accounts", count);
    for (kind, name) in FINDINGS {
        report.count(name, found.iter().filter(|(_, finding)| *finding == kind).count());
    }
    let worst: Vec<String> =
        found.iter().take(20).map(|(account, it)| format!("{} {it:?}", naming.account(*account))).collect();
    if !worst.is_empty() {
        report.text("among_them", worst.join(", "));
    }
    report.print(options.json)?;
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Whether the server lets `user` in with `password`. One that is busy is asked again.
fn is_accepted(address: SocketAddr, user: &str, password: &str) -> io::Result<bool> {
    for _ in 0..ASKED_MAX {
        let session = Talk::open(address, Protocol::Keyturn, None);
        match session.and_then(|mut session| session.try_log_in(user, password)) {
            Ok(Access::Granted) => return Ok(true),
            Ok(Access::Denied) => return Ok(false),
            Ok(Access::NotNow) => {}
            Err(fault) if fault.kind() == io::ErrorKind::ResourceBusy => {}
            Err(fault) => return Err(fault),
        }
        thread::park_timeout(ASKED_AGAIN_AFTER);
    }
    Err(io::Error::other("the server is too busy to be asked; try with fewer --clients"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACKNOWLEDGED: Option<Outcome> = Some(Outcome::Acknowledged);
    const REFUSED: Option<Outcome> = Some(Outcome::Refused);

    fn history(outcomes: &[Option<Outcome>]) -> History {
        let entries: Vec<Entry> =
            (1..).zip(outcomes).map(|(number, outcome)| Entry { account: 0, number, outcome: *outcome }).collect();
        History::of(&entries)
    }

    /// What is found when exactly the `accepted` passwords let in.
    fn found(outcomes: &[Option<Outcome>], accepted: &[u32]) -> Option<Finding> {
        history(outcomes).judge(|number| Ok(accepted.contains(&number))).unwrap()
    }

    #[test]
    fn an_acknowledged_change_replaces_what_was_before_it() {
        let expected = History { current: 3, possible: vec![5], replaced: vec![2, 1, 0], refused: vec![4] };
        assert_eq!(history(&[ACKNOWLEDGED, None, ACKNOWLEDGED, REFUSED, None]), expected);
    }

    #[test]
    fn exactly_one_password_that_may_be_is_right() {
        let outcomes = [ACKNOWLEDGED, ACKNOWLEDGED, REFUSED, None];
        assert_eq!(found(&outcomes, &[2]), None);
        assert_eq!(found(&outcomes, &[4]), None);
        assert_eq!(found(&outcomes, &[2, 4]), Some(Finding::Torn));
        assert_eq!(found(&outcomes, &[]), Some(Finding::Torn));
        assert_eq!(found(&outcomes, &[1]), Some(Finding::Lost));
        assert_eq!(found(&outcomes, &[1, 2]), Some(Finding::Resurrected));
        assert_eq!(found(&outcomes, &[3]), Some(Finding::Phantom));
        assert_eq!(found(&[], &[0]), None);
    }
}
