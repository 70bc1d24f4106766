//! A line on the terminal that says how far long work is.

use std::io::{self, IsTerminal, Write};

use crate::clock;

/// How often the line is written anew, in ns.
const PERIOD_NS: u64 = 250_000_000;

/// The line; where standard error is no terminal, nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    shows: bool,
    begun: u64,
    shown: u64,
}

impl Progress {
    /// Of work that begins now.
    pub(crate) fn new() -> Self {
        Self { shows: io::stderr().is_terminal(), begun: clock::monotonic_ns(), shown: 0 }
    }

    /// Shows what `text` makes of the seconds that have passed, unless it was shown just now.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn show(&mut self, text: impl FnOnce(f64) -> String) -> io::Result<()> {
        let now = clock::monotonic_ns();
        if !self.shows || now - self.shown < PERIOD_NS {
            return Ok(());
        }
        self.shown = now;
        let text = text((now - self.begun) as f64 / 1e9);
        write!(io::stderr(), "\r{text}\x1b[K")
    }

    /// Shows that `done` of `all` things called `what` are done.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn count(&mut self, done: u64, all: u64, what: &str) -> io::Result<()> {
        self.show(|seconds| counted(done, all, what, seconds))
    }

    /// Takes the line away.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn end(&self) -> io::Result<()> {
        if self.shows { write!(io::stderr(), "\r\x1b[K") } else { Ok(()) }
    }
}

fn counted(done: u64, all: u64, what: &str, seconds: f64) -> String {
    let rate = done as f64 / seconds.max(1e-9);
    let left = clock_time((all - done) as f64 / rate);
    let percent = done * 100 / all.max(1);
    format!("{done} of {all} {what}, {percent} %  {rate:.0}/s  {left} left")
}

/// `seconds` as a clock shows them; `-` when nobody knows.
pub(crate) fn clock_time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_owned();
    }
    let seconds = seconds.ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_the_rate_so_far() {
        assert_eq!(counted(250, 1000, "accounts", 5.0), "250 of 1000 accounts, 25 %  50/s  0:15 left");
        assert_eq!(counted(0, 1000, "accounts", 5.0), "0 of 1000 accounts, 0 %  0/s  - left");
    }

    #[test]
    fn times_are_shown_as_clocks_do() {
        assert_eq!(clock_time(59.2), "1:00");
        assert_eq!(clock_time(3_725.0), "1:02:05");
        assert_eq!(clock_time(f64::INFINITY), "-");
    }
}
