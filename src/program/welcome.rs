//! What an operator is told when a data directory has just been set up: the password of its
//! administrator, once.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keyturn::model::AccountName;
use keyturn::syslog::Shape;

use super::data::{Data, now_unix};
use super::failure::Failure;
use super::output;
use super::password::NewPassword;

/// Keeps the password when the output of the first start goes to a log.
const PASSWORD_FILE: &str = "postmaster-password";

/// Sets up the data directory at `path` if nobody has, and tells the password: on standard output,
/// or in a file where that goes to systemd's journal, which keeps what it gets. Returns what to
/// put in the log.
///
/// # Errors
/// As the store tells; or the password could not be told.
pub(crate) fn found(data: &Data, path: &Path) -> Result<Option<String>, Failure> {
    if data.directory.is_founded()? {
        return Ok(None);
    }
    let password = NewPassword::generate()?;
    let postmaster = data.postmaster()?;
    let drawn = password.drawn.as_ref().map(|drawn| drawn.as_str()).unwrap_or_default();
    let mut done = format!("data directory set up, main domain {}, administrator {postmaster}", postmaster.domain());
    // The password is told before it counts: one that nobody could read would lock the
    // administrator out.
    if Shape::of(&io::stdout()) == Shape::Journal {
        let file = path.join(PASSWORD_FILE);
        keep(&file, drawn).map_err(|fault| Failure::failed(format_args!("{}: {fault}", file.display())))?;
        done = format!("{done}; the password is in {}: change it and delete the file", file.display());
    } else {
        output::deliver(told(&postmaster, drawn).as_bytes())?;
    }
    data.found(data.hasher().make(&password.secret, now_unix()))?;
    Ok(Some(done))
}

/// Writes the password to a file for the owner alone.
fn keep(path: &Path, password: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{password}")?;
    file.sync_all()
}

fn told(postmaster: &AccountName, password: &str) -> String {
    let rows = [
        format!("The domain {} is set up, with its administrator.", postmaster.domain()),
        String::new(),
        format!("    {postmaster} password: {password}"),
        String::new(),
        "It is shown only now, and can be changed like any other.".to_owned(),
    ];
    let width = rows.iter().map(String::len).max().unwrap_or_default();
    let rule = "-".repeat(width);
    format!("{rule}\n{}\n{rule}\n", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_ends_its_line() {
        let postmaster = AccountName::parse("postmaster@localhost").unwrap();
        let text = told(&postmaster, "abcde-fghij");
        assert!(text.lines().any(|line| line.trim() == "postmaster@localhost password: abcde-fghij"), "{text}");
        assert_eq!(text.lines().next(), text.lines().last());
    }
}
