//! The result of a run, as it is kept: the JSON that `--json` writes and `compare` reads.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Everything a run found out.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// acknowledged, refused tries included), `session` (the same from the actual start), and each
    /// step of the dialogue.
    pub(crate) latency: BTreeMap<String, Percentiles>,
    /// How the generator itself fared.
    pub(crate) generator: Generator,
    /// Second by second.
    pub(crate) series: Vec<Second>,
    /// What became of the sessions of an attack, which are counted nowhere else.
    pub(crate) attack: Option<Counts>,
    /// How the rate of changes grew with the number of clients, where that was looked for.
    pub(crate) capacity: Vec<CapacityStep>,
}

/// The rate of changes with so many clients, each beginning again as soon as it has ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CapacityStep {
    pub(crate) clients: u32,
    pub(crate) changes_per_s: f64,
}

/// What became of the sessions. Each session that was due is counted once in the first group.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Counts {
    /// Changes acknowledged with 200.
    pub(crate) changed: u64,
    /// Refused where nothing was wrong with what was asked, after all retries: overload.
    pub(crate) refused: u64,
    /// Refused because the old password was wrong, on purpose.
    pub(crate) denied: u64,
    /// Left before the answer, on purpose.
    pub(crate) abandoned: u64,
    /// Not answered in time.
    pub(crate) timed_out: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
    /// Answers that poppwd does not have, or success where there must be none.
    pub(crate) nonsense: u64,
    /// Never started: no free account, or too many sessions at a time.
    pub(crate) unstarted: u64,
    /// Tries after a refusal, on top of the sessions.
    pub(crate) retries: u64,
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

/// How the generator itself fared.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Generator {
    /// Threads that held sessions.
    pub(crate) threads: u32,
    /// Processors it used, on average.
    pub(crate) cpus_used: f64,
    /// How late sessions were started.
    pub(crate) late: Percentiles,
    /// Why the result must not be trusted; empty when it may.
    pub(crate) invalid_because: Vec<String>,
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
    /// Time-outs, breaks and nonsense in it.
    pub(crate) failed: u64,
    /// Of the changes acknowledged in it, from the moment they were due.
    pub(crate) p50_ms: f64,
    /// Likewise.
    pub(crate) p99_ms: f64,
}
