//! The measured window: what was done in it, how long it took, and what it cost both sides.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Report;
use crate::{clock, cpu};

/// How long load runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(400);

/// From this share of the time on in which it ran or wanted to, the generator may be what limits
/// the result.
const SATURATED_FROM: f64 = 0.95;

/// Latencies are kept from 1 ns to this many ns, with three digits.
const LATENCY_NS_MAX: u64 = 120_000_000_000;

/// Counts what happens inside the window.
#[derive(Debug)]
pub(super) struct Meter {
    begins_at: u64,
    length: Duration,
    server_pid: Option<u32>,
    begin: Option<Reading>,
    end: Option<Reading>,
    ops: u64,
    latency: Histogram<u64>,
    /// Of a generator that waits awake, whether it fell behind its schedule. Its time tells nothing.
    is_behind: Option<bool>,
}

/// The clocks at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    monotonic: u64,
    own_cpu: u64,
    /// How long this thread has been ready to run while others ran.
    own_wait: u64,
    /// Of the server's process and of the whole machine.
    server_cpu: Option<(u64, u64)>,
}

impl Reading {
    fn now(server_pid: Option<u32>) -> io::Result<Self> {
        let server_cpu = match server_pid {
            Some(pid) => Some((cpu::process_ns(pid)?, cpu::machine_ns()?)),
            None => None,
        };
        Ok(Self {
            monotonic: clock::monotonic_ns(),
            own_cpu: clock::own_cpu_ns(),
            own_wait: cpu::thread_wait_ns(),
            server_cpu,
        })
    }
}

impl Meter {
    /// A window of `length` that begins after the warm-up. `server_pid`: the process whose
    /// processor time is measured with it.
    pub(super) fn new(length: Duration, server_pid: Option<u32>) -> Self {
        Self {
            begins_at: clock::monotonic_ns() + whole_ns(WARM_UP),
            length,
            server_pid,
            begin: None,
            end: None,
            ops: 0,
            latency: histogram(),
            is_behind: None,
        }
    }

    /// Says of a generator that keeps a schedule, and waits awake, whether it fell behind it.
    pub(super) fn judge(&mut self, is_behind: bool) {
        self.is_behind = Some(is_behind);
    }

    /// Opens and closes the window as time passes; false once it is closed.
    ///
    /// # Errors
    /// When the server's processor time cannot be read.
    pub(super) fn advance(&mut self, now: u64) -> io::Result<bool> {
        match self.begin {
            None if now >= self.begins_at => self.begin = Some(Reading::now(self.server_pid)?),
            Some(begin) if self.end.is_none() && now >= begin.monotonic + whole_ns(self.length) => {
                self.end = Some(Reading::now(self.server_pid)?);
            }
            None | Some(_) => {}
        }
        Ok(self.end.is_none())
    }

    /// Counts `ops` that were answered together after `latency_ns`, if the window is open.
    pub(super) fn record(&mut self, latency_ns: u64, ops: u64) {
        if self.begin.is_some() && self.end.is_none() {
            self.ops += ops;
            self.latency.saturating_record(latency_ns.max(1));
        }
    }

    /// Adds the result to `report`, and returns whether the generator itself was the bottleneck.
    ///
    /// # Errors
    /// When the window never closed.
    pub(super) fn conclude(&self, report: &mut Report) -> io::Result<bool> {
        let (Some(begin), Some(end)) = (self.begin, self.end) else {
            return Err(io::Error::other("the run ended before its measurement did"));
        };
        let window_ns = (end.monotonic - begin.monotonic) as f64;
        let own_share = (end.own_cpu - begin.own_cpu) as f64 / window_ns;
        report.real("seconds", window_ns / 1e9);
        report.count("ops", self.ops);
        report.real("ops_per_s", self.ops as f64 * 1e9 / window_ns);
        add_latency(report, ["p50_us", "p99_us", "p999_us", "max_us"], &self.latency);
        report.real("generator_cpu_share", own_share);
        let wait_share = (end.own_wait - begin.own_wait) as f64 / window_ns;
        let is_saturated = self.is_behind.unwrap_or_else(|| is_saturated(own_share, wait_share));
        report.real("generator_wait_share", wait_share);
        report.truth("saturated", is_saturated);
        if let (Some(from), Some(to)) = (begin.server_cpu, end.server_cpu) {
            let server_ns = to.0.saturating_sub(from.0) as f64;
            let machine_ns = to.1.saturating_sub(from.1) as f64;
            report.real("server_cpu_share", server_ns / window_ns);
            report.real("server_cpu_ns_per_op", server_ns / self.ops as f64);
            report.real("others_cpu_share", ((machine_ns - server_ns) / window_ns - own_share).max(0.0));
        }
        Ok(is_saturated)
    }
}

/// Whether a generator that ran, and was kept from running, for these shares of the time had none
/// left to wait for the server.
fn is_saturated(ran: f64, waited: f64) -> bool {
    ran + waited >= SATURATED_FROM
}

/// An empty histogram of latencies in nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are in order and three digits are allowed")
}

/// Adds median, 99th and 99.9th percentile and maximum, in microseconds, under `names`.
pub(super) fn add_latency(report: &mut Report, names: [&'static str; 4], latency: &Histogram<u64>) {
    for (name, quantile) in names.into_iter().zip([0.5, 0.99, 0.999, 1.0]) {
        report.real(name, latency.value_at_quantile(quantile) as f64 / 1e3);
    }
}

fn whole_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_never_rests_is_the_bottleneck() {
        assert!(!is_saturated(0.7, 0.1));
        assert!(is_saturated(0.96, 0.0));
        assert!(is_saturated(0.5, 0.47), "it shares its processor with somebody");
    }

    #[test]
    fn only_what_happens_inside_the_window_counts() {
        let mut meter = Meter::new(Duration::ZERO, None);
        meter.record(5, 1);
        assert!(meter.advance(0).unwrap());
        assert!(meter.advance(u64::MAX).unwrap());
        meter.record(7_000, 3);
        assert!(!meter.advance(u64::MAX).unwrap());
        meter.record(9, 1);
        let mut report = Report::default();
        meter.conclude(&mut report).unwrap();
        let json = report.to_json();
        assert!(json.contains("\"ops\":3,"), "{json}");
        assert!(json.contains("\"max_us\":7."), "{json}");
    }
}
