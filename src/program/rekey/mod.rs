//! `keyturn rekey`: every account's record under the first of the master keys.
//!
//! One process has the store open. Where that is a server, the command asks it to do the work, through
//! a socket in the data directory, and shows how far it has come; where there is none, it works itself.
//! Nothing is kept of how far it came: what is done already is passed over the next time.
//!
//! ```text
//! S: reached SEEN SEALED     again and again
//! S: done SEEN SEALED        or: failed WHY
//! ```

mod desk;
mod work;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use self::desk::Desk;
use self::desk::at;
use self::work::Tally;
use super::data::{Absent, Data};
use super::failure::Failure;
use super::settings::Source;

/// Does it, or has it done, and returns what to print.
///
/// # Errors
/// There is no key; a key is missing; or as the store tells.
pub(crate) fn rekey(path: &Path, source: &Source) -> Result<String, Failure> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    let show = |tally: Tally| {
        bar.set_message(tally.to_string());
        bar.tick();
    };
    let tally = match at(path, |socket| UnixStream::connect(socket)) {
        Ok(server) => follow(server, show),
        Err(_) => {
            let data = Data::open(path, source, Absent::Refuse)?;
            work::reseal(&data, &AtomicBool::new(false), show)
        }
    };
    bar.finish_and_clear();
    Ok(format!("{}; no other master key is needed any more\n", tally?))
}

/// Shows what a server says of its work, until that is done.
fn follow(server: UnixStream, mut show: impl FnMut(Tally)) -> Result<Tally, Failure> {
    for line in BufReader::new(server).lines() {
        let line = line.map_err(Failure::failed)?;
        match line.split_once(' ') {
            Some(("reached", tally)) => show(Tally::parse(tally).ok_or_else(not_understood)?),
            Some(("done", tally)) => return Tally::parse(tally).ok_or_else(not_understood),
            Some(("failed", why)) => return Err(Failure::failed(why)),
            _ => return Err(not_understood()),
        }
    }
    Err(Failure::failed("the server ended before the work did: call this again to go on"))
}

fn not_understood() -> Failure {
    Failure::failed("the server answers what is not understood: is it of another version?")
}
