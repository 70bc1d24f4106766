//! What the service has done, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::{NewPasswordRefusal, Tick};
use crate::proto::{ChangeOutcome, Denial, FailuresOf, Told, Verdict};

use super::Answer;

/// Something that is counted. All but [`Count::Waiting`], [`Count::JobUs`] and
/// [`Count::WaitedMsMax`] only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// Jobs in the queue now.
    Waiting,
    /// How long a job takes at present, in microseconds.
    JobUs,
    /// Jobs that a worker began.
    Begun,
    /// Milliseconds all begun jobs waited, together.
    WaitedMs,
    /// The longest wait of a begun job, in milliseconds.
    WaitedMsMax,
    /// Jobs dropped because the client had hung up.
    Abandoned,
    /// Argon2id runs, the ones for unknown accounts included.
    Hashes,
    /// What exchanges asked for before their challenges.
    Asked,
    /// Right passwords, and proofs of them.
    Accepted,
    /// Logins to names that mean no account.
    UnknownAccount,
    /// Wrong passwords.
    WrongPassword,
    /// Logins to accounts that may not log in.
    Disabled,
    /// Logins to accounts that take no password in clear, with one.
    InClear,
    /// Logins not looked at, because too many to their account had failed.
    AccountFailures,
    /// Logins not looked at, because too many from their address had failed.
    AddressFailures,
    /// Changes that became durable.
    Changed,
    /// New passwords refused as too short.
    TooShort,
    /// New passwords refused as the old one.
    SameAsOld,
    /// New passwords refused as the account's name.
    SameAsName,
    /// New passwords refused as too simple.
    TooSimple,
    /// Changes refused because the account's owner, or this session, may not change its password.
    NotAllowed,
    /// Commands answered, refused ones included.
    Commands,
    /// Steps of TLS handshakes made apart, because their keys take long to sign with.
    SlowHandshakes,
    /// Pieces of lists that were sent before their last ones.
    Pieces,
    /// The longest of these pieces, in bytes: as much as a session that reads a list is kept.
    PieceBytesMax,
    /// Changes that met another change of the same password.
    Conflict,
    /// Requests refused at once because of the work before them.
    Busy,
    /// Jobs turned away after waiting: their time ran out, or somebody with less waiting came.
    Displaced,
    /// Requests that failed with the store, nothing changed.
    Fault,
    /// Changes of which nobody knows whether they happened.
    Unknown,
    /// Records brought up to date after a login, the password unchanged.
    Upgraded,
    /// Such upgrades that were given up for lack of time or room, or because somebody else wrote
    /// the record.
    UpgradesGivenUp,
    /// Groups committed, each with one sync.
    Groups,
    /// Changes and upgrades in these groups, repeated attempts included.
    Grouped,
}

impl Count {
    /// All of them, in the order they are printed.
    pub const ALL: [Self; 34] = [
        Self::Waiting,
        Self::JobUs,
        Self::Begun,
        Self::WaitedMs,
        Self::WaitedMsMax,
        Self::Abandoned,
        Self::Hashes,
        Self::Asked,
        Self::Accepted,
        Self::UnknownAccount,
        Self::WrongPassword,
        Self::Disabled,
        Self::InClear,
        Self::AccountFailures,
        Self::AddressFailures,
        Self::Changed,
        Self::TooShort,
        Self::SameAsOld,
        Self::SameAsName,
        Self::TooSimple,
        Self::NotAllowed,
        Self::Commands,
        Self::SlowHandshakes,
        Self::Pieces,
        Self::PieceBytesMax,
        Self::Conflict,
        Self::Busy,
        Self::Displaced,
        Self::Fault,
        Self::Unknown,
        Self::Upgraded,
        Self::UpgradesGivenUp,
        Self::Groups,
        Self::Grouped,
    ];

    /// Its name, in the style of metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::JobUs => "job_us",
            Self::Begun => "begun",
            Self::WaitedMs => "waited_ms",
            Self::WaitedMsMax => "waited_ms_max",
            Self::Abandoned => "abandoned",
            Self::Hashes => "hashes",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::UnknownAccount => "unknown_account",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::InClear => "in_clear",
            Self::AccountFailures => "account_failures",
            Self::AddressFailures => "address_failures",
            Self::Changed => "changed",
            Self::TooShort => "too_short",
            Self::SameAsOld => "same_as_old",
            Self::SameAsName => "same_as_name",
            Self::TooSimple => "too_simple",
            Self::NotAllowed => "not_allowed",
            Self::Commands => "commands",
            Self::SlowHandshakes => "slow_handshakes",
            Self::Pieces => "pieces",
            Self::PieceBytesMax => "piece_bytes_max",
            Self::Conflict => "conflict",
            Self::Displaced => "displaced",
            Self::Busy => "busy",
            Self::Fault => "fault",
            Self::Unknown => "unknown",
            Self::Upgraded => "upgraded",
            Self::UpgradesGivenUp => "upgrades_given_up",
            Self::Groups => "groups",
            Self::Grouped => "grouped",
        }
    }

    /// What an answer counts as.
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Verified(Verdict::Accepted(_)) => Self::Accepted,
            Answer::Verified(Verdict::Denied(Denial::UnknownAccount)) => Self::UnknownAccount,
            Answer::Verified(Verdict::Denied(Denial::WrongPassword(_))) => Self::WrongPassword,
            Answer::Verified(Verdict::Denied(Denial::Disabled(_))) => Self::Disabled,
            Answer::Verified(Verdict::Denied(Denial::InClear(_))) => Self::InClear,
            Answer::Told(Told::Scram(_)) => Self::Asked,
            Answer::Verified(Verdict::TooManyFailures { of: FailuresOf::Account, .. }) => Self::AccountFailures,
            Answer::Verified(Verdict::TooManyFailures { of: FailuresOf::Address, .. }) => Self::AddressFailures,
            Answer::Executed(_) => Self::Commands,
            Answer::Handshaken(_) => Self::SlowHandshakes,
            Answer::Part { .. } => Self::Pieces,
            Answer::Changed(ChangeOutcome::Changed(_)) => Self::Changed,
            Answer::Changed(ChangeOutcome::Refused(_, refusal)) => match refusal {
                NewPasswordRefusal::TooShort { .. } => Self::TooShort,
                NewPasswordRefusal::SameAsOld => Self::SameAsOld,
                NewPasswordRefusal::SameAsName => Self::SameAsName,
                NewPasswordRefusal::TooSimple => Self::TooSimple,
                NewPasswordRefusal::NotAllowed
                | NewPasswordRefusal::OfApplication
                | NewPasswordRefusal::WithoutPassword => Self::NotAllowed,
            },
            Answer::Changed(ChangeOutcome::Conflict) => Self::Conflict,
            Answer::Told(Told::Busy { .. })
            | Answer::Verified(Verdict::Busy { .. })
            | Answer::Changed(ChangeOutcome::Busy { .. }) => Self::Busy,
            Answer::Told(Told::Fault) | Answer::Verified(Verdict::Fault) | Answer::Changed(ChangeOutcome::Fault(_)) => {
                Self::Fault
            }
            Answer::Changed(ChangeOutcome::Unknown) => Self::Unknown,
        }
    }
}

/// The running counts. They are independent of each other: nothing is decided by them, so no
/// order among them is kept.
#[derive(Debug)]
pub(super) struct Counters {
    values: [AtomicU64; Count::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self { values: [const { AtomicU64::new(0) }; Count::ALL.len()] }
    }
}

impl Counters {
    fn value(&self, count: Count) -> &AtomicU64 {
        &self.values[count as usize]
    }

    pub(super) fn add(&self, count: Count, more: u64) {
        self.value(count).fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn set(&self, count: Count, value: u64) {
        self.value(count).store(value, Ordering::Relaxed);
    }

    /// A worker began a job that had waited so long.
    pub(super) fn begun(&self, waited: Duration) {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.add(Count::Begun, 1);
        self.add(Count::WaitedMs, waited_ms);
        self.value(Count::WaitedMsMax).fetch_max(waited_ms, Ordering::Relaxed);
    }

    /// `answer` is about to be given.
    pub(super) fn answered(&self, answer: &Answer) {
        self.add(Count::of(answer), 1);
        if let Answer::Part { piece, .. } = answer {
            self.value(Count::PieceBytesMax).fetch_max(piece.len() as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(&self, taken: Tick) -> Snapshot {
        Snapshot { taken, values: Count::ALL.map(|count| self.value(count).load(Ordering::Relaxed)) }
    }
}

/// The counts at one moment, as nearly as they can be had while work goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    taken: Tick,
    values: [u64; Count::ALL.len()],
}

impl Snapshot {
    /// The value of `count`.
    #[must_use]
    pub fn of(&self, count: Count) -> u64 {
        self.values[count as usize]
    }

    /// How fast `count` has grown since `earlier`; zero when no time has passed.
    #[must_use]
    pub fn per_second_since(&self, earlier: &Self, count: Count) -> f64 {
        let (time, more) = (self.taken.since(earlier.taken), self.of(count).saturating_sub(earlier.of(count)));
        if time.is_zero() { 0.0 } else { more as f64 / time.as_secs_f64() }
    }
}

impl fmt::Display for Snapshot {
    /// One line: `name=value` for each count, parted by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, count) in Count::ALL.into_iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}={}", count.as_str(), self.of(count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_place_and_name() {
        let counters = Counters::default();
        for (index, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, index, "{count:?}");
            counters.set(count, index as u64 + 1);
        }
        let line = counters.snapshot(Tick(0)).to_string();
        let names: std::collections::BTreeSet<_> = Count::ALL.map(Count::as_str).into();
        assert_eq!(names.len(), Count::ALL.len());
        assert!(line.starts_with("waiting=1 job_us=2 ") && line.ends_with(" grouped=34"), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn the_longest_wait_is_kept() {
        let counters = Counters::default();
        [3, 7, 5].map(Duration::from_millis).into_iter().for_each(|waited| counters.begun(waited));
        let snapshot = counters.snapshot(Tick(0));
        assert_eq!([Count::Begun, Count::WaitedMs, Count::WaitedMsMax].map(|count| snapshot.of(count)), [3, 15, 7]);
    }

    #[test]
    fn a_rate_is_what_was_added_in_the_time_between() {
        let counters = Counters::default();
        counters.add(Count::Hashes, 100);
        let earlier = counters.snapshot(Tick(1000));
        counters.add(Count::Hashes, 30);
        assert_eq!(counters.snapshot(Tick(1500)).per_second_since(&earlier, Count::Hashes), 60.0);
        assert_eq!(counters.snapshot(Tick(1000)).per_second_since(&earlier, Count::Hashes), 0.0);
    }
}
