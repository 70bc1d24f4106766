//! Counting while the load runs.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::outcome::{Counts, Percentiles, Second};
use super::session::{STEPS, Times};

/// Latencies are kept up to this many ns (ten minutes), with three digits.
const LATENCY_NS_MAX: u64 = 600_000_000_000;

/// What the generators' threads have seen so far.
#[derive(Debug)]
pub(crate) struct Measure {
    /// What became of the sessions.
    pub(crate) counts: Counts,
    /// Changes acknowledged while clients still came.
    pub(crate) changed_in_time: u64,
    /// How long clients come, in ns.
    length: u64,
    /// Sessions that are being held.
    pub(crate) in_flight: u64,
    /// Latency of changes, from the moment they were due.
    pub(crate) intended: Histogram<u64>,
    /// Latency of changes, from the moment they were begun.
    pub(crate) session: Histogram<u64>,
    /// How late sessions were begun.
    pub(crate) late: Histogram<u64>,
    steps: [Histogram<u64>; STEPS.len()],
    seconds: Vec<Bucket>,
}

/// One second.
#[derive(Debug)]
struct Bucket {
    second: Second,
    intended: Histogram<u64>,
}

/// Something that happens to sessions, counted by the second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// A session was due.
    Due,
    /// A try was refused.
    Refused,
    /// A session failed.
    Failed,
}

impl Measure {
    /// Nothing yet, of a run in which clients come for `length`.
    pub(crate) fn new(length: Duration) -> Self {
        let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let [intended, session, late] = [(); 3].map(|()| histogram(3));
        let steps = STEPS.map(|_| histogram(3));
        Self {
            counts: Counts::default(),
            changed_in_time: 0,
            length,
            in_flight: 0,
            intended,
            session,
            late,
            steps,
            seconds: Vec::new(),
        }
    }

    /// Counts the steps of one try.
    pub(crate) fn steps(&mut self, times: &Times) {
        for (histogram, time) in self.steps.iter_mut().zip(times) {
            if let Some(time) = time {
                histogram.saturating_record((*time).max(1));
            }
        }
    }

    /// Counts something that happened `at` ns after the start.
    pub(crate) fn happened(&mut self, at: u64, what: Happening) {
        let second = &mut self.bucket(at).second;
        match what {
            Happening::Due => second.due += 1,
            Happening::Refused => second.refused += 1,
            Happening::Failed => second.failed += 1,
        }
    }

    /// Counts a change acknowledged `at` ns after the start of the run, that was due at `due` and
    /// begun at `begun`.
    pub(crate) fn changed(&mut self, at: u64, due: u64, begun: u64) {
        self.counts.changed += 1;
        self.changed_in_time += u64::from(at <= self.length);
        self.intended.saturating_record((at - due).max(1));
        self.session.saturating_record((at - begun).max(1));
        let bucket = self.bucket(at);
        bucket.second.changed += 1;
        bucket.intended.saturating_record((at - due).max(1));
    }

    fn bucket(&mut self, at: u64) -> &mut Bucket {
        let index = (at / 1_000_000_000) as usize;
        while self.seconds.len() <= index {
            self.seconds.push(Bucket { second: Second::default(), intended: histogram(2) });
        }
        &mut self.seconds[index]
    }

    /// Percentiles of everything that was timed, by its name.
    pub(crate) fn latency(&self) -> BTreeMap<String, Percentiles> {
        let whole = [("intended", &self.intended), ("session", &self.session)];
        let steps = STEPS.iter().map(|(_, name)| *name).zip(&self.steps);
        whole.into_iter().chain(steps).map(|(name, times)| (name.to_owned(), Percentiles::of(times))).collect()
    }

    /// The run second by second.
    pub(crate) fn series(&self) -> Vec<Second> {
        let second = |bucket: &Bucket| {
            let percentiles = Percentiles::of(&bucket.intended);
            Second { p50_ms: percentiles.p50_ms, p99_ms: percentiles.p99_ms, ..bucket.second }
        };
        self.seconds.iter().map(second).collect()
    }
}

fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, digits).expect("the bounds are in order, and so are the digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_from_when_it_was_due() {
        let mut measure = Measure::new(Duration::from_secs(2));
        let second = 1_000_000_000;
        measure.happened(second / 2, Happening::Due);
        measure.changed(3 * second, second / 2, 2 * second);
        let latency = measure.latency();
        assert!((latency["intended"].max_ms - 2500.0).abs() < 5.0, "{latency:?}");
        assert!((latency["session"].max_ms - 1000.0).abs() < 5.0, "{latency:?}");
        let series = measure.series();
        assert_eq!(series.len(), 4);
        assert_eq!((series[0].due, series[3].changed), (1, 1));
        assert_eq!((measure.counts.changed, measure.changed_in_time), (1, 0));
    }
}
