//! What was asked for and what was answered, kept so that it can be checked afterwards.
//!
//! The ledger is a text file. Its first line names the format; every further line is
//!
//! ```text
//! intent ACCOUNT NUMBER         written before NEWPASS is sent
//! acknowledged ACCOUNT NUMBER   the server answered 200
//! refused ACCOUNT NUMBER        the server answered no
//! unknown ACCOUNT NUMBER        no answer came, or one that leaves it open
//! ```
//!
//! with an account's index and a password's number: it holds no passwords. Each line is one
//! appending write, so a generator that is killed loses no line it had written; an intent without
//! outcome counts as unknown. (A machine that loses power may lose lines: run the generator on
//! another machine than the server to test that.)

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::session::Ending;
use crate::wire::Refusal;

/// What the first line begins with.
const TITLE: &str = "keyturn-loadtest ledger ";

/// The format, and how passwords are called: a number means another password under another version.
/// Under version 1 the accounts shared their passwords.
const VERSION: &str = "2";

/// How an attempted change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server said it was done.
    Acknowledged,
    /// The server said it was not done.
    Refused,
    /// The server said nothing that can be relied on.
    Unknown,
}

impl Outcome {
    /// What the end of a session says about the change it had begun.
    pub(crate) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Changed => Self::Acknowledged,
            Ending::Refused(_, Refusal::Denied | Refusal::NotNow) => Self::Refused,
            Ending::Refused(_, Refusal::Unknown)
            | Ending::Abandoned
            | Ending::TimedOut(_)
            | Ending::Broken(_)
            | Ending::Nonsense(_) => Self::Unknown,
        }
    }
}

/// One attempted change, in the order in which they were begun on each account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The account's index.
    pub(crate) account: u32,
    /// The number of the new password.
    pub(crate) number: u32,
    /// How it ended; `None` when the generator did not live to see it.
    pub(crate) outcome: Option<Outcome>,
}

/// A ledger open for writing; or none, when nobody wants one.
#[derive(Debug)]
pub(crate) struct Ledger(Option<File>);

impl Ledger {
    /// Opens the ledger at `path` to append to what [`read`] has found there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::none());
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if file.metadata()?.len() == 0 {
            writeln!(file, "{TITLE}{VERSION}")?;
        }
        Ok(Self(Some(file)))
    }

    /// A ledger that keeps nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Writes down that account `account` is about to be given password `number`.
    ///
    /// # Errors
    /// When the file cannot be written: the change must then not be attempted.
    pub(crate) fn intend(&self, account: u32, number: u32) -> io::Result<()> {
        self.append(&format!("intent {account} {number}\n"))
    }

    /// Writes down how it ended.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn conclude(&self, account: u32, number: u32, outcome: Outcome) -> io::Result<()> {
        self.append(&format!("{outcome} {account} {number}\n"))
    }

    fn append(&self, line: &str) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |mut file| file.write_all(line.as_bytes()))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        })
    }
}

/// Reads a ledger; one that does not exist is empty. A last line that was cut off is left out.
///
/// # Errors
/// When the file cannot be read or is not a ledger.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    parse(&text).map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))
}

/// Why a text is no ledger that can be gone on with.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It is none at all.
    NotALedger,
    /// It is one of this version.
    Version(String),
    /// The line with this number makes no sense.
    Line(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALedger => f.write_str("not a ledger of keyturn-loadtest"),
            Self::Version(found) => write!(
                f,
                "a ledger of version {found}, whose passwords are called otherwise than those of version {VERSION}; \
                 check it with the release that wrote it, then prepare the accounts anew and begin another ledger"
            ),
            Self::Line(number) => write!(f, "line {number} makes no sense"),
        }
    }
}

/// The entries of a ledger's text.
fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut entries: Vec<Entry> = Vec::new();
    let mut open: HashMap<(u32, u32), usize> = HashMap::new();
    let mut lines = whole.lines().zip(1..);
    if let Some((title, _)) = lines.next() {
        let version = title.strip_prefix(TITLE).ok_or(Fault::NotALedger)?;
        if version != VERSION {
            return Err(Fault::Version(version.to_owned()));
        }
    }
    for (line, number) in lines {
        let (word, account, password) = fields(line).ok_or(Fault::Line(number))?;
        let outcome = match word {
            "intent" => {
                open.insert((account, password), entries.len());
                entries.push(Entry { account, number: password, outcome: None });
                continue;
            }
            "acknowledged" => Outcome::Acknowledged,
            "refused" => Outcome::Refused,
            "unknown" => Outcome::Unknown,
            _ => return Err(Fault::Line(number)),
        };
        let index = open.remove(&(account, password)).ok_or(Fault::Line(number))?;
        entries[index].outcome = Some(outcome);
    }
    Ok(entries)
}

fn fields(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(' ');
    let found = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_reads_back_what_was_written() {
        let path = std::env::temp_dir().join(format!("keyturn-ledger-{}", std::process::id()));
        let ledger = Ledger::open(Some(&path)).unwrap();
        ledger.intend(7, 1).unwrap();
        ledger.intend(8, 1).unwrap();
        ledger.conclude(7, 1, Outcome::Acknowledged).unwrap();
        drop(ledger);
        let again = Ledger::open(Some(&path)).unwrap();
        again.intend(7, 2).unwrap();
        again.conclude(7, 2, Outcome::Refused).unwrap();
        let entries = read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let entry = |account, number, outcome| Entry { account, number, outcome };
        assert_eq!(
            entries,
            [entry(7, 1, Some(Outcome::Acknowledged)), entry(8, 1, None), entry(7, 2, Some(Outcome::Refused))]
        );
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_nonsense_is_refused() {
        let parse_after_title = |lines: &str| parse(&format!("{TITLE}{VERSION}\n{lines}"));
        let intent = Entry { account: 1, number: 1, outcome: None };
        assert_eq!(parse_after_title("intent 1 1\nacknowledged 1"), Ok(vec![intent]));
        assert_eq!(parse_after_title(""), Ok(vec![]));
        for bad in ["intent 1", "intent 1 1 1", "acknowledged 1 1", "hello 1 1"] {
            assert_eq!(parse_after_title(&format!("{bad}\n")), Err(Fault::Line(2)), "{bad}");
        }
        assert_eq!(parse("something else\n"), Err(Fault::NotALedger));
    }

    /// Earlier ledgers were read on silently once, and all clients came with wrong passwords.
    #[test]
    fn a_ledger_of_another_version_is_refused_with_advice() {
        let fault = parse("keyturn-loadtest ledger 1\nintent 1 1\n").unwrap_err();
        assert_eq!(fault, Fault::Version("1".to_owned()));
        assert!(fault.to_string().contains("prepare the accounts anew"), "{fault}");
    }
}
