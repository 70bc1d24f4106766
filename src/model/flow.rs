use std::time::Duration;

/// So many in so much time: what CommuniGate Pro writes `(10,1m)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// How many, at least 1.
    pub count: u32,
    /// In what time, not zero.
    pub period: Duration,
}

impl Flow {
    /// Of failed logins, where nothing else is said: ten in a minute, as in CommuniGate Pro.
    pub const FAILED_LOGINS: Self = Self { count: 10, period: Duration::from_secs(60) };
}
