//! The result of a run, as it is kept: the JSON that `--json` writes and `compare` reads.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Everything a run found out.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Name and version of the program that measured.
    pub(crate) tool: String,
    /// The command line, which holds no secrets.
    pub(crate) command: String,
    /// Until the last session had ended.
    pub(crate) seconds: f64,
    /// Sessions that were due, per second of the length asked for.
    pub(crate) offered_per_s: f64,
    /// Changes acknowledged per second, while clients came.
    pub(crate) goodput_per_s: f64,
    /// What became of the sessions.
    pub(crate) counts: Counts,
    /// By what was timed: `intended` (from the moment a client was due until its change was
    /// acknowledged, refused tries included), `session` (the same from the actual start), each
    /// step of the dialogue from its first byte to the end of its answer (`pass`; `refusal` in
    /// place of a step that was refused for now), and the same from the moment the client was due
    /// (`until_pass`).
    pub(crate) latency: BTreeMap<String, Percentiles>,
    /// `intended` and `session` in full.
    #[serde(default)]
    pub(crate) curve: Vec<Quantile>,
    /// How the generator itself fared.
    pub(crate) generator: Generator,
    /// Second by second.
    pub(crate) series: Vec<Second>,
    /// What became of the sessions of an attack, which are counted nowhere else.
    pub(crate) attack: Option<Counts>,
    /// How the rate of changes grew with the number of clients, where that was looked for.
    pub(crate) capacity: Vec<CapacityStep>,
}

/// From this share of the best rate on, more clients are said to change nothing.
const KNEE_SHARE: f64 = 0.95;

impl Outcome {
    /// The server's capacity, where that was looked for: the first step that comes near the best.
    pub(crate) fn knee(&self) -> Option<CapacityStep> {
        let best = self.capacity.iter().map(|step| step.changes_per_s).fold(0.0, f64::max);
        self.capacity.iter().find(|step| step.changes_per_s >= KNEE_SHARE * best).copied()
    }
}

/// The rate of changes with so many clients, each beginning again as soon as it has ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CapacityStep {
    pub(crate) clients: u32,
    pub(crate) changes_per_s: f64,
}

/// What became of the sessions. Each session that was due is counted once in the first group.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Counts {
    /// Changes acknowledged with 200.
    pub(crate) changed: u64,
    /// Refused where nothing was wrong with what was asked, after all retries: overload.
    pub(crate) refused: u64,
    /// Refused because the old password was wrong, on purpose.
    pub(crate) denied: u64,
    /// Refused although the old password was right.
    pub(crate) locked_out: u64,
    /// Left before the answer, on purpose.
    pub(crate) abandoned: u64,
    /// Not answered in time.
    pub(crate) timed_out: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
    /// Answers that poppwd does not have, or success where there must be none.
    pub(crate) nonsense: u64,
    /// Answered with: it may or may not have been done.
    pub(crate) unknown: u64,
    /// Never started: no free account, or too many sessions at a time.
    pub(crate) unstarted: u64,
    /// Tries after a refusal, on top of the sessions.
    pub(crate) retries: u64,
    /// Sessions in which a new password was refused for being too short, on purpose; their clients
    /// came again with another one.
    pub(crate) corrected: u64,
}

impl Counts {
    /// Sessions that ended in no answer, or in none that there should be.
    pub(crate) fn errors(&self) -> u64 {
        self.locked_out + self.timed_out + self.broken + self.nonsense + self.unknown
    }

    /// Each count with what it stands for, the way people are told.
    pub(crate) fn rows(&self) -> [(&'static str, u64); 12] {
        [
            ("changed", self.changed),
            ("refused, after all retries", self.refused),
            ("denied for a wrong old password, as they should be", self.denied),
            ("denied although the password was right", self.locked_out),
            ("abandoned on purpose", self.abandoned),
            ("timed out", self.timed_out),
            ("broken connections", self.broken),
            ("nonsense answers", self.nonsense),
            ("told that the outcome is unknown", self.unknown),
            ("never begun", self.unstarted),
            ("retries on top", self.retries),
            ("corrections of too short passwords on top", self.corrected),
        ]
    }
}

/// A point of the distribution of latencies.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Quantile {
    /// From 0 (the least) to 1 (the greatest).
    pub(crate) quantile: f64,
    pub(crate) intended_ms: f64,
    pub(crate) session_ms: f64,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Percentiles {
    /// How many were timed.
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

impl Percentiles {
    /// Of a histogram in nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Self {
            count: histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: at(1.0),
        }
    }
}

/// One session in a hundred may start this late, and one timer in a hundred fire this late, before
/// the result is doubted.
const LATE_P99_MS_MAX: f64 = 50.0;

/// A thread of the generator that uses more of a processor may be the bottleneck itself.
const THREAD_SHARE_MAX: f64 = 0.9;

/// How the generator itself fared.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Generator {
    /// Threads that held sessions.
    pub(crate) threads: u32,
    /// Processors it used, on average.
    pub(crate) cpus_used: f64,
    /// The share of a processor that its busiest thread used while clients came.
    #[serde(default)]
    pub(crate) busiest_thread: f64,
    /// How late sessions were started.
    pub(crate) late: Percentiles,
    /// How late the generator got to what was due: replies may have come that much earlier.
    #[serde(default)]
    pub(crate) lag: Percentiles,
    /// Why the result must not be trusted; empty when it may.
    pub(crate) invalid_because: Vec<String>,
}

impl Generator {
    /// Why the result must not be trusted, of a generator whose sessions have ended like this.
    pub(crate) fn doubts(&self, counts: &Counts) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.busiest_thread > THREAD_SHARE_MAX {
            let percent = self.busiest_thread * 100.0;
            doubts
                .push(format!("a thread of the generator used {percent:.0} % of a processor; give it more --threads"));
        }
        if self.late.p99_ms > LATE_P99_MS_MAX {
            doubts.push(format!("one session in a hundred began {:.0} ms late or later", self.late.p99_ms));
        }
        if self.lag.p99_ms > LATE_P99_MS_MAX {
            doubts.push(format!(
                "the generator came {:.0} ms late, or later, to one reply in a hundred",
                self.lag.p99_ms
            ));
        }
        let Counts { unstarted, locked_out, .. } = *counts;
        if locked_out > 0 {
            doubts.push(format!(
                "{locked_out} clients were denied with what should be their password; if earlier runs changed it, \
                 name their --ledger"
            ));
        }
        if unstarted > 0 {
            doubts.push(format!(
                "{unstarted} sessions could not be begun: too few accounts, or too low a --sessions-max"
            ));
        }
        doubts
    }
}

/// What happened in one second of the run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Second {
    /// Sessions due in it.
    pub(crate) due: u64,
    /// Changes acknowledged in it.
    pub(crate) changed: u64,
    /// Refusals in it, those that were retried included.
    pub(crate) refused: u64,
    /// Sessions that ended in no answer, or in none that there should be, in it.
    pub(crate) failed: u64,
    /// Clients that were due and not through at its end: with the server, or waiting to try again.
    #[serde(default)]
    pub(crate) queue: u64,
    /// Of the changes acknowledged in it, from the moment they were due.
    pub(crate) p50_ms: f64,
    /// Likewise.
    pub(crate) p99_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_fell_behind_is_doubted_for_each_reason() {
        let quick = Percentiles { p99_ms: 5.0, ..Percentiles::default() };
        let late = Percentiles { p99_ms: 500.0, ..Percentiles::default() };
        let generator = Generator {
            threads: 1,
            cpus_used: 0.3,
            busiest_thread: 0.3,
            late: quick,
            lag: quick,
            invalid_because: Vec::new(),
        };
        let fine = Counts::default();
        assert!(generator.doubts(&fine).is_empty());
        let doubts = |generator: Generator, counts: Counts, word: &str| {
            let doubts = generator.doubts(&counts);
            assert!(doubts.len() == 1 && doubts[0].contains(word), "{doubts:?}");
        };
        doubts(Generator { busiest_thread: 0.95, ..generator.clone() }, fine, "--threads");
        doubts(Generator { late, ..generator.clone() }, fine, "began 500 ms late");
        doubts(Generator { lag: late, ..generator.clone() }, fine, "reply");
        doubts(generator.clone(), Counts { unstarted: 7, ..fine }, "7 sessions");
        doubts(generator, Counts { locked_out: 8, ..fine }, "8 clients");
    }
}
