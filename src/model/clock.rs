use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A moment of the monotonic clock, in milliseconds since the process's [`Clock`] was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// Later than every moment a clock will ever show.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    /// Saturates at [`Tick::NEVER`].
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The one monotonic clock of the process. Tests turn it forward instead of waiting.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    turned_forward_ms: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that shows zero now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place the rule points to")]
    #[expect(clippy::new_without_default, reason = "making a clock starts it; that is no default")]
    pub fn new() -> Self {
        Self { start: Instant::now(), turned_forward_ms: Arc::default() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Tick {
        Tick(self.turned_forward_ms.load(Ordering::Relaxed)) + self.start.elapsed()
    }

    /// Lets all copies of this clock jump forward.
    pub fn turn_forward(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.turned_forward_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_copies_of_a_clock_jump_together() {
        let clock = Clock::new();
        let copy = clock.clone();
        let before = copy.now();
        clock.turn_forward(Duration::from_secs(30));
        assert!(copy.now().since(before) >= Duration::from_secs(30));
    }

    #[test]
    fn ticks_saturate_instead_of_wrapping() {
        assert_eq!(Tick::NEVER + Duration::from_secs(1), Tick::NEVER);
        assert_eq!(Tick(1).since(Tick(2)), Duration::ZERO);
    }
}
