//! Counting while the load runs.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::errand::End;
use super::outcome::{Counts, Percentiles, Quantile, Second};
use super::session::{STEPS, Spans};

/// Latencies are kept up to this many ns (ten minutes), with three digits.
const LATENCY_NS_MAX: u64 = 600_000_000_000;

/// Where [`Measure::curve`] is looked at.
const QUANTILES: [f64; 14] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 1.0];

/// What the generators' threads have seen so far.
#[derive(Debug)]
pub(crate) struct Measure {
    /// What became of the sessions.
    pub(crate) counts: Counts,
    /// Changes acknowledged while clients still came.
    pub(crate) changed_in_time: u64,
    /// How long clients come, in ns.
    length: u64,
    /// Latency of changes, from the moment they were due.
    pub(crate) intended: Histogram<u64>,
    /// Latency of changes, from the moment they were begun.
    session: Histogram<u64>,
    /// How late sessions were begun.
    pub(crate) late: Histogram<u64>,
    /// How late the generator's timers were.
    pub(crate) lag: Histogram<u64>,
    /// Each step, from its first byte to the end of its answer.
    steps: [Histogram<u64>; STEPS.len()],
    /// The same, from the moment the client was due.
    until: [Histogram<u64>; STEPS.len()],
    seconds: Vec<Bucket>,
}

/// One second.
#[derive(Debug)]
struct Bucket {
    second: Second,
    /// Clients that were through with it in it, in whatever way.
    ended: u64,
    intended: Histogram<u64>,
}

impl Measure {
    /// Nothing yet, of a run in which clients come for `length`.
    pub(crate) fn new(length: Duration) -> Self {
        let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let [intended, session, late, lag] = [(); 4].map(|()| histogram(3));
        let (steps, until) = (STEPS.map(|_| histogram(3)), STEPS.map(|_| histogram(3)));
        let (counts, seconds) = (Counts::default(), Vec::new());
        Self { counts, changed_in_time: 0, length, intended, session, late, lag, steps, until, seconds }
    }

    /// Counts the steps of one session, of a client that was due at `due` on the monotonic clock.
    pub(crate) fn steps(&mut self, spans: &Spans, due: u64) {
        for ((steps, until), span) in self.steps.iter_mut().zip(&mut self.until).zip(spans) {
            if let Some(span) = span {
                steps.saturating_record((span.done - span.begun).max(1));
                until.saturating_record(span.done.saturating_sub(due).max(1));
            }
        }
    }

    /// A client is due, `at` ns after the start.
    pub(crate) fn is_due(&mut self, at: u64) {
        self.bucket(at).second.due += 1;
    }

    /// A session was refused, for the last time or not.
    pub(crate) fn refused(&mut self, at: u64) {
        self.bucket(at).second.refused += 1;
    }

    /// A client is through with its errand.
    pub(crate) fn ended(&mut self, at: u64, end: End) {
        let counts = &mut self.counts;
        let count = match end {
            End::Changed => &mut counts.changed,
            End::Refused => &mut counts.refused,
            End::Denied => &mut counts.denied,
            End::LockedOut => &mut counts.locked_out,
            End::Abandoned => &mut counts.abandoned,
            End::TimedOut => &mut counts.timed_out,
            End::Broken => &mut counts.broken,
            End::Nonsense => &mut counts.nonsense,
            End::Unknown => &mut counts.unknown,
            End::Unstarted => &mut counts.unstarted,
        };
        *count += 1;
        let has_failed = matches!(end, End::LockedOut | End::TimedOut | End::Broken | End::Nonsense | End::Unknown);
        let bucket = self.bucket(at);
        bucket.ended += 1;
        bucket.second.changed += u64::from(end == End::Changed);
        bucket.second.failed += u64::from(has_failed);
    }

    /// How long a change took that was acknowledged `at` ns after the start of the run, of a client
    /// that was due at `due` and begun at `begun`.
    pub(crate) fn waited(&mut self, at: u64, due: u64, begun: u64) {
        self.changed_in_time += u64::from(at <= self.length);
        self.intended.saturating_record((at - due).max(1));
        self.session.saturating_record((at - begun).max(1));
        self.bucket(at).intended.saturating_record((at - due).max(1));
    }

    fn bucket(&mut self, at: u64) -> &mut Bucket {
        let index = (at / 1_000_000_000) as usize;
        while self.seconds.len() <= index {
            self.seconds.push(Bucket { second: Second::default(), ended: 0, intended: histogram(2) });
        }
        &mut self.seconds[index]
    }

    /// Percentiles of everything that was timed, by its name.
    pub(crate) fn latency(&self) -> BTreeMap<String, Percentiles> {
        let whole = [("intended".to_owned(), &self.intended), ("session".to_owned(), &self.session)];
        let steps = STEPS.iter().zip(&self.steps).map(|((_, name), times)| ((*name).to_owned(), times));
        let until = STEPS.iter().zip(&self.until).map(|((_, name), times)| (format!("until_{name}"), times));
        let all = whole.into_iter().chain(steps).chain(until);
        all.map(|(name, times)| (name, Percentiles::of(times))).collect()
    }

    /// Latency of changes by quantile, from the moment they were due and from their start.
    pub(crate) fn curve(&self) -> Vec<Quantile> {
        let at = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 1e6;
        let quantile = |quantile| Quantile {
            quantile,
            intended_ms: at(&self.intended, quantile),
            session_ms: at(&self.session, quantile),
        };
        QUANTILES.into_iter().map(quantile).collect()
    }

    /// The run second by second.
    pub(crate) fn series(&self) -> Vec<Second> {
        let mut queue = 0;
        let mut second = |bucket: &Bucket| {
            let percentiles = Percentiles::of(&bucket.intended);
            queue = queue + bucket.second.due - bucket.ended;
            Second { p50_ms: percentiles.p50_ms, p99_ms: percentiles.p99_ms, queue, ..bucket.second }
        };
        self.seconds.iter().map(&mut second).collect()
    }

    /// What is happening, `at` ns after the start: the second before this one, and who waits now.
    pub(crate) fn recent(&self, at: u64) -> Second {
        let sum = |field: fn(&Bucket) -> u64| self.seconds.iter().map(field).sum::<u64>();
        let queue = sum(|bucket| bucket.second.due) - sum(|bucket| bucket.ended);
        let index = (at / 1_000_000_000).checked_sub(1);
        let last = index.and_then(|index| self.seconds.get(usize::try_from(index).ok()?));
        last.map_or(Second { queue, ..Second::default() }, |bucket| {
            let percentiles = Percentiles::of(&bucket.intended);
            Second { p50_ms: percentiles.p50_ms, p99_ms: percentiles.p99_ms, queue, ..bucket.second }
        })
    }
}

fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, digits).expect("the bounds are in order, and so are the digits")
}

#[cfg(test)]
mod tests {
    use super::super::session::{Span, Step};
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_change_counts_from_when_it_was_due() {
        let mut measure = Measure::new(Duration::from_secs(2));
        measure.is_due(SECOND / 2);
        measure.ended(3 * SECOND, End::Changed);
        measure.waited(3 * SECOND, SECOND / 2, 2 * SECOND);
        let latency = measure.latency();
        assert!((latency["intended"].max_ms - 2500.0).abs() < 5.0, "{latency:?}");
        assert!((latency["session"].max_ms - 1000.0).abs() < 5.0, "{latency:?}");
        let series = measure.series();
        assert_eq!(series.len(), 4);
        assert_eq!((series[0].due, series[3].changed), (1, 1));
        assert_eq!((measure.counts.changed, measure.changed_in_time), (1, 0));
    }

    #[test]
    fn a_step_counts_from_its_first_byte_and_from_when_the_client_was_due() {
        let mut measure = Measure::new(Duration::from_secs(2));
        let mut spans = [None; STEPS.len()];
        spans[Step::Pass as usize] = Some(Span { begun: 7 * SECOND, done: 8 * SECOND });
        measure.steps(&spans, 5 * SECOND);
        let latency = measure.latency();
        assert!((latency["pass"].max_ms - 1000.0).abs() < 5.0, "{latency:?}");
        assert!((latency["until_pass"].max_ms - 3000.0).abs() < 5.0, "{latency:?}");
        assert_eq!(latency["user"].count + latency["until_newpass"].count, 0);
    }

    #[test]
    fn who_is_due_and_not_through_waits_in_the_queue() {
        let mut measure = Measure::new(Duration::from_secs(4));
        for _ in 0..3 {
            measure.is_due(0);
        }
        measure.refused(SECOND);
        measure.ended(2 * SECOND, End::Changed);
        measure.ended(2 * SECOND, End::TimedOut);
        let queues: Vec<u64> = measure.series().iter().map(|second| second.queue).collect();
        assert_eq!(queues, [3, 3, 1]);
        let recent = measure.recent(3 * SECOND + 1);
        assert_eq!((recent.changed, recent.failed, recent.queue), (1, 1, 1));
        assert_eq!(measure.recent(9 * SECOND).queue, 1);
    }
}
