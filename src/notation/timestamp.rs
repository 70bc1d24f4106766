use std::fmt;

/// A moment in GMT to the second, or one of the two beyond all moments.
///
/// Invariant: a moment lies in the years 1 to 9999, the ones that have a text form. Moments
/// order as in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const DAY_SECONDS: i64 = 86_400;
const FIRST: i64 = days_before(1, 1, 1) * DAY_SECONDS;
const LAST: i64 = days_before(10_000, 1, 1) * DAY_SECONDS - 1;

impl Timestamp {
    /// `#TPAST`: before every moment.
    pub const PAST: Self = Self(i64::MIN);
    /// `#TFUTURE`: after every moment.
    pub const FUTURE: Self = Self(i64::MAX);

    /// The moment `seconds` after the beginning of 1970, if it has a text form.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        (FIRST..=LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since the beginning of 1970; `None` for the past and the future.
    #[must_use]
    pub fn to_unix(self) -> Option<i64> {
        (self != Self::PAST && self != Self::FUTURE).then_some(self.0)
    }

    /// Parses `DD-MM-YYYY`, `DD-MM-YYYY_HH:MM:SS`, `PAST` or `FUTURE`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"PAST" => return Some(Self::PAST),
            b"FUTURE" => return Some(Self::FUTURE),
            _ => {}
        }
        let (date, time) = match text.split_at_checked(10)? {
            (date, []) => (date, b"_00:00:00".as_slice()),
            split => split,
        };
        let &[d1, d2, b'-', m1, m2, b'-', ref year @ ..] = date else { return None };
        let &[b'_', hh1, hh2, b':', mm1, mm2, b':', ss1, ss2] = time else { return None };
        let (day, month, year) = (digits(&[d1, d2])?, digits(&[m1, m2])?, digits(year)?);
        let (hour, minute, second) = (digits(&[hh1, hh2])?, digits(&[mm1, mm2])?, digits(&[ss1, ss2])?);
        let exists = (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day);
        if !exists || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Self::from_unix(days_before(year, month, day) * DAY_SECONDS + (hour * 60 + minute) * 60 + second)
    }
}

impl fmt::Display for Timestamp {
    /// Prints what follows the `#T`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PAST => f.write_str("PAST"),
            Self::FUTURE => f.write_str("FUTURE"),
            Self(seconds) => {
                let (year, month, day) = date_after(seconds.div_euclid(DAY_SECONDS));
                let second = seconds.rem_euclid(DAY_SECONDS);
                let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
                write!(f, "{day:02}-{month:02}-{year:04}_{hour:02}:{minute:02}:{second:02}")
            }
        }
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn month_length(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the beginning of 1970 to that date of the Gregorian calendar. The year is made to
/// begin in March, so that the leap day is its last.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let days_in_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days_in_years + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

/// From March 1st of the year 0 to the beginning of 1970.
const DAYS_TO_1970: i64 = 719_468;

/// The inverse of [`days_before`].
fn date_after(days: i64) -> (i64, i64, i64) {
    // Four hundred years always have the same number of days.
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_calendar_is_printed_and_parsed_back() {
        let mut expected = (1, 1, 1);
        for days in FIRST / DAY_SECONDS..=LAST / DAY_SECONDS {
            assert_eq!(date_after(days), expected);
            let (year, month, day) = expected;
            assert_eq!(days_before(year, month, day), days);
            expected = if day < month_length(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        assert_eq!(expected, (10_000, 1, 1));
        for seconds in [FIRST, -1, 0, 1, 951_868_799, LAST] {
            let moment = Timestamp::from_unix(seconds).unwrap();
            assert_eq!(Timestamp::parse(moment.to_string().as_bytes()), Some(moment));
        }
    }

    #[test]
    fn well_known_moments() {
        let unix = |text: &str| Timestamp::parse(text.as_bytes()).and_then(Timestamp::to_unix);
        assert_eq!(unix("01-01-1970"), Some(0));
        assert_eq!(unix("13-02-2009_23:31:30"), Some(1_234_567_890));
        assert_eq!(unix("29-02-2000_00:00:00"), Some(951_782_400));
        for bad in
            ["29-02-1900", "31-04-2000", "00-01-2000", "01-13-2000", "01-01-0000", "1-1-2000", "01-01-2000_24:00:00"]
        {
            assert_eq!(Timestamp::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(Timestamp::PAST < Timestamp::from_unix(0).unwrap());
        assert_eq!(Timestamp::from_unix(LAST + 1), None);
    }
}
