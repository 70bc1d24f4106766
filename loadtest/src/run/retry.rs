//! What refused clients do.

use std::str::FromStr;
use std::time::Duration;

/// Whether, and when, a client that was refused tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It gives up.
    Never,
    /// It waits this long, each time.
    Fixed(Duration),
    /// It waits this long, then twice, four times … as long.
    BackOff(Duration),
}

/// How a [`Retry`] is written on the command line.
pub(crate) const RETRY_SYNTAX: &str = "never, at-once, fixed:SECONDS or back-off:SECONDS";

impl Retry {
    /// The wait before try `number` (the first retry is 1); `None`: no such try.
    pub(crate) fn wait(self, number: u32, tries_max: u32) -> Option<Duration> {
        if number > tries_max {
            return None;
        }
        match self {
            Self::Never => None,
            Self::Fixed(wait) => Some(wait),
            Self::BackOff(wait) => Some(wait.saturating_mul(1 << (number - 1).min(16))),
        }
    }
}

impl FromStr for Retry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wait = |seconds: &str| {
            let seconds: f64 = seconds.parse().map_err(|fault| format!("{text}: {fault}"))?;
            Duration::try_from_secs_f64(seconds).map_err(|fault| format!("{text}: {fault}"))
        };
        match text.split_once(':') {
            None if text == "never" => Ok(Self::Never),
            None if text == "at-once" => Ok(Self::Fixed(Duration::ZERO)),
            Some(("fixed", seconds)) => wait(seconds).map(Self::Fixed),
            Some(("back-off", seconds)) => wait(seconds).map(Self::BackOff),
            Some(_) | None => Err(format!("{text}: expected {RETRY_SYNTAX}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_only_with_back_off_and_end_at_the_limit() {
        let waits = |text: &str| {
            let retry: Retry = text.parse().unwrap();
            [1, 2, 3, 4].map(|number| retry.wait(number, 3).map(|wait| wait.as_millis()))
        };
        assert_eq!(waits("never"), [None; 4]);
        assert_eq!(waits("at-once"), [Some(0), Some(0), Some(0), None]);
        assert_eq!(waits("fixed:0.5"), [Some(500), Some(500), Some(500), None]);
        assert_eq!(waits("back-off:1"), [Some(1000), Some(2000), Some(4000), None]);
        assert!("soon".parse::<Retry>().is_err());
        assert!("fixed:-1".parse::<Retry>().is_err());
    }
}
