//! The result, for people.

use std::io::{self, Write};

use super::outcome::{Outcome, Percentiles};
use super::session::STEPS;

/// Says what became of the load.
///
/// # Errors
/// When `out` is closed.
pub(crate) fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:.1} s: {:.1} sessions/s due, {:.1} changes/s acknowledged",
        outcome.seconds, outcome.offered_per_s, outcome.goodput_per_s
    )?;
    let told = |(name, count): &(&str, u64)| *count > 0 || *name == "changed";
    for (name, count) in outcome.counts.rows().iter().filter(|row| told(row)) {
        writeln!(out, "{count:>9} {name}")?;
    }
    writeln!(out, "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", "ms", "count", "p50", "p90", "p99", "p99.9", "max")?;
    for (name, it) in latencies(outcome) {
        writeln!(
            out,
            "{name:<26} {:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1}",
            it.count, it.p50_ms, it.p90_ms, it.p99_ms, it.p999_ms, it.max_ms
        )?;
    }
    for step in &outcome.capacity {
        writeln!(out, "{:>5} clients {:>9.1} changes/s", step.clients, step.changes_per_s)?;
    }
    if let Some(knee) = outcome.knee() {
        writeln!(out, "capacity: {:.1} changes/s, reached with {} clients", knee.changes_per_s, knee.clients)?;
    }
    if let Some(attack) = &outcome.attack {
        writeln!(
            out,
            "attack: {} guesses denied, {} refused, {} held and left, {} failed",
            attack.denied,
            attack.refused,
            attack.abandoned,
            attack.errors() + attack.unstarted
        )?;
    }
    for reason in &outcome.generator.invalid_because {
        writeln!(out, "NOT VALID: {reason}")?;
    }
    Ok(())
}

/// What was timed, in the order of a session: changes as a whole, then its steps, each from its
/// first byte and from the moment the client was due.
pub(crate) fn latencies(outcome: &Outcome) -> Vec<(String, Percentiles)> {
    let find = |key: &str, label: String| outcome.latency.get(key).map(|found| (label, *found));
    let whole =
        [find("intended", "change, from when due".to_owned()), find("session", "change, from the start".to_owned())];
    let steps = STEPS.iter().map(|(_, name)| find(name, (*name).to_owned()));
    let until = STEPS.iter().map(|(_, name)| find(&format!("until_{name}"), format!("until {name}, from when due")));
    let used = |found: &(String, Percentiles)| found.1.count > 0;
    whole.into_iter().chain(steps).chain(until).flatten().filter(used).collect()
}
