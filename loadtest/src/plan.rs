//! How many cores a campaign needs: one hash is timed here, the rest is arithmetic.

use std::io::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use keyturn::auth::{Hasher, Recognizer};
use keyturn::model::{Argon2idCost, Secret};

use crate::clock;

/// How long hashes are timed.
const CALIBRATION_NS: u64 = 2_000_000_000;

/// A change verifies the old password and hashes the new one.
const HASHES_PER_CHANGE: f64 = 2.0;

/// The share of a core's hashes that become changes; the rest goes into sessions and commits.
const YIELD: f64 = 0.93;

/// How full the cores should be on average, for arrivals come in bursts.
const UTILIZATION: f64 = 0.7;

/// What `plan` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Accounts whose passwords are to be changed
    #[arg(long)]
    accounts: u64,
    /// Within this time: seconds, or a number with s, m or h
    #[arg(long)]
    window: Window,
    /// Memory of a hash, in KiB
    #[arg(long, default_value_t = 19_456)]
    m_kib: u32,
    /// Passes of a hash
    #[arg(long, default_value_t = 2)]
    t: u32,
}

/// A length of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window(Duration);

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
            Some(number) => (number, &text[number.len()..]),
            None => (text, "s"),
        };
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            _ => 1.0,
        };
        let seconds = number.parse::<f64>().map_err(|fault| format!("{text}: {fault}"))? * factor;
        if seconds > 0.0 {
            Duration::try_from_secs_f64(seconds).map(Self).map_err(|fault| format!("{text}: {fault}"))
        } else {
            Err(format!("{text}: expected a time such as 90s, 30m or 1h"))
        }
    }
}

/// Times hashes on one core of this machine and says how many cores the window needs.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let hashes = hashes_per_s(Argon2idCost { m_kib: options.m_kib, t: options.t, p: 1 });
    let seconds = options.window.0.as_secs_f64();
    let rate = options.accounts as f64 / seconds;
    let mut out = io::stdout();
    writeln!(out, "one core of this machine makes {hashes:.1} hashes/s, {:.1} ms each", 1000.0 / hashes)?;
    writeln!(out, "{} accounts in {seconds:.0} s are {rate:.1} changes/s on average", options.accounts)?;
    writeln!(
        out,
        "that needs {} cores like this one, each kept {:.0} % busy on average",
        cores(rate, hashes),
        UTILIZATION * 100.0
    )
}

fn cores(changes_per_s: f64, hashes_per_s: f64) -> u64 {
    let per_core = hashes_per_s / HASHES_PER_CHANGE * YIELD * UTILIZATION;
    (changes_per_s / per_core).ceil().max(1.0) as u64
}

fn hashes_per_s(cost: Argon2idCost) -> f64 {
    let mut hasher = Hasher::new(cost, Recognizer::new());
    let secret = Secret::new(b"correct horse battery").expect("it is short enough");
    // The first hash touches the memory.
    hasher.make(&secret, 0);
    let begun = clock::monotonic_ns();
    for count in 1_u32.. {
        hasher.make(&secret, 0);
        let passed = clock::monotonic_ns() - begun;
        if passed >= CALIBRATION_NS {
            return f64::from(count) * 1e9 / passed as f64;
        }
    }
    unreachable!("the window closes before the count does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_units() {
        let seconds = |text: &str| text.parse::<Window>().map(|window| window.0.as_secs()).ok();
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1.5h"), Some(5400));
        for text in ["", "h", "0", "-1m", "1d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn two_million_in_an_hour_take_the_cores_they_take() {
        // 556 changes/s are 1111 hashes/s; a core yields 50 * 0.93 * 0.7 = 32.55 of them.
        assert_eq!(cores(2_000_000.0 / 3600.0, 50.0), 35);
        assert_eq!(cores(0.001, 50.0), 1);
    }
}
