//! Two results side by side, with a verdict on whether they differ by more than chance.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::outcome::{Outcome, Percentiles, Second};
use super::summary::latencies;

/// What `compare` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The result to compare with
    before: PathBuf,
    /// The result in question
    after: PathBuf,
}

/// Prints what has changed from one result to the other.
///
/// # Errors
/// When a file is not a result.
pub(crate) fn compare(options: &Options) -> io::Result<()> {
    let (before, after) = (read(&options.before)?, read(&options.after)?);
    let mut out = io::stdout().lock();
    writeln!(out, "{:<34} {:>12} {:>12} {:>8}", "", "before", "after", "ratio")?;
    for (name, one, other) in [
        ("due per s", before.offered_per_s, after.offered_per_s),
        ("changes per s", before.goodput_per_s, after.goodput_per_s),
        ("refused", before.counts.refused as f64, after.counts.refused as f64),
        ("timed out", before.counts.timed_out as f64, after.counts.timed_out as f64),
        ("broken", before.counts.broken as f64, after.counts.broken as f64),
    ] {
        writeln!(out, "{name:<34} {one:>12.1} {other:>12.1} {:>8}", ratio(one, other))?;
    }
    let afterwards = latencies(&after);
    for (name, one) in latencies(&before) {
        let Some((_, other)) = afterwards.iter().find(|(other, _)| *other == name) else {
            continue;
        };
        for (quantile, one, other) in [("p50", one.p50_ms, other.p50_ms), ("p99", one.p99_ms, other.p99_ms)] {
            let name = format!("{name}, {quantile} ms");
            writeln!(out, "{name:<34} {one:>12.2} {other:>12.2} {:>8}", ratio(one, other))?;
        }
    }
    for verdict in verdicts(&before, &after) {
        writeln!(out, "{verdict}")?;
    }
    for (path, outcome) in [(&options.before, &before), (&options.after, &after)] {
        for reason in &outcome.generator.invalid_because {
            writeln!(out, "{} is not valid: {reason}", path.display())?;
        }
    }
    Ok(())
}

/// Whether the loads were the same, and whether what came of them is, as far as chance lets one say.
fn verdicts(before: &Outcome, after: &Outcome) -> Vec<String> {
    let mut verdicts = Vec::new();
    let due = |outcome: &Outcome| outcome.series.iter().map(|second| second.due).sum::<u64>() as f64;
    // The standard error of a count that chance makes is its root.
    let doubt = 2.0 * (1.0 / due(before).max(1.0) + 1.0 / due(after).max(1.0)).sqrt();
    if (after.offered_per_s / before.offered_per_s - 1.0).abs() > doubt {
        verdicts.push("the loads differ: more or fewer clients were due".to_owned());
    }
    let changes = |outcome: &Outcome| noise(outcome, |second| Some(second.changed as f64));
    let rate = |outcome: &Outcome| outcome.goodput_per_s;
    verdicts.push(verdict("changes per s", rate(before), rate(after), changes(before).max(changes(after))));
    for (name, of_second, of_all) in LATENCIES {
        let all = |outcome: &Outcome| outcome.latency.get("intended").map_or(0.0, of_all);
        let noise = |outcome: &Outcome| noise(outcome, |second| (second.changed > 0).then(|| of_second(second)));
        verdicts.push(verdict(name, all(before), all(after), noise(before).max(noise(after))));
    }
    verdicts
}

/// A latency that is judged: its name, and how it is found for a second and for a run.
type Latency = (&'static str, fn(&Second) -> f64, fn(&Percentiles) -> f64);

const LATENCIES: [Latency; 2] =
    [("p50 from when due", |it| it.p50_ms, |it| it.p50_ms), ("p99 from when due", |it| it.p99_ms, |it| it.p99_ms)];

fn read(path: &Path) -> io::Result<Outcome> {
    serde_json::from_str(&fs::read_to_string(path)?)
        .map_err(|fault| io::Error::other(format!("{} is not a result of run: {fault}", path.display())))
}

fn ratio(before: f64, after: f64) -> String {
    if before == 0.0 { "-".to_owned() } else { format!("{:.2}", after / before) }
}

/// How uncertain `value` is, as a share of it: twice the standard error of its mean over the full
/// seconds that have one, first and last left out.
fn noise(outcome: &Outcome, value: impl Fn(&Second) -> Option<f64>) -> f64 {
    let series = &outcome.series;
    let full = series.get(1..series.len().saturating_sub(1)).unwrap_or_default();
    let values: Vec<f64> = full.iter().filter_map(value).collect();
    if values.len() < 2 {
        return 1.0;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    if mean > 0.0 { 2.0 * (variance / count).sqrt() / mean } else { 1.0 }
}

fn verdict(what: &str, before: f64, after: f64, noise: f64) -> String {
    let change = after / before - 1.0;
    // Two uncertain numbers: their difference is as uncertain as both together.
    let doubt = noise * std::f64::consts::SQRT_2;
    let found = match change {
        change if change.is_nan() || change.abs() <= doubt => "no difference beyond noise",
        change if change > 0.0 => "more",
        _ => "less",
    };
    format!("{what}: {found} ({:+.1} %, noise {:.1} %)", change * 100.0, doubt * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with so many changes in its seconds, each of which took so many milliseconds.
    fn outcome(rates: &[u64], ms: f64) -> Outcome {
        let second =
            |changed: &u64| Second { due: *changed, changed: *changed, p50_ms: ms, p99_ms: ms, ..Second::default() };
        let series: Vec<Second> = rates.iter().map(second).collect();
        let rate = rates.iter().sum::<u64>() as f64 / rates.len() as f64;
        let intended = Percentiles { count: 9, p50_ms: ms, p99_ms: ms, ..Percentiles::default() };
        Outcome {
            offered_per_s: rate,
            goodput_per_s: rate,
            latency: [("intended".to_owned(), intended)].into(),
            series,
            ..Outcome::default()
        }
    }

    #[test]
    fn steady_rates_have_no_noise_and_short_runs_are_nothing_but() {
        let noise = |rates: &[u64]| noise(&outcome(rates, 1.0), |second| Some(second.changed as f64));
        assert!(noise(&[3, 100, 100, 100, 50]) < 1e-9);
        assert!((noise(&[100, 100]) - 1.0).abs() < 1e-9);
        assert!(noise(&[0, 50, 150, 50, 150, 0]) > 0.5);
    }

    #[test]
    fn a_difference_counts_only_beyond_noise() {
        let found = |after| verdict("it", 100.0, after, 0.05);
        assert!(found(103.0).contains("no difference"));
        assert!(found(120.0).contains("more"));
        assert!(found(80.0).contains("less"));
    }

    #[test]
    fn rates_and_latencies_are_judged_apart_and_other_loads_are_told() {
        let before = outcome(&[100, 99, 101, 100, 99, 101], 40.0);
        let slower = verdicts(&before, &outcome(&[100, 101, 99, 100, 101, 99], 60.0));
        let is = |verdict: &str, what: &str, how: &str| verdict.starts_with(what) && verdict.contains(how);
        assert!(slower.len() == 3 && is(&slower[0], "changes per s", "no difference"), "{slower:?}");
        assert!(is(&slower[1], "p50", "more (+50.0 %") && is(&slower[2], "p99", "more"), "{slower:?}");
        let other = verdicts(&before, &outcome(&[200, 199, 201, 200, 199, 201], 40.0));
        assert!(is(&other[0], "the loads differ", "") && is(&other[1], "changes per s", "more"), "{other:?}");
    }
}
