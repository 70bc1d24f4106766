//! Two results side by side, with a verdict on whether they differ by more than chance.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::outcome::{Outcome, Second};

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
    let noise = noise(&before.series).max(noise(&after.series));
    writeln!(out, "{:<22} {:>12} {:>12} {:>8}", "", "before", "after", "ratio")?;
    for (name, one, other) in [
        ("due per s", before.offered_per_s, after.offered_per_s),
        ("changes per s", before.goodput_per_s, after.goodput_per_s),
        ("refused", before.counts.refused as f64, after.counts.refused as f64),
        ("timed out", before.counts.timed_out as f64, after.counts.timed_out as f64),
        ("broken", before.counts.broken as f64, after.counts.broken as f64),
    ] {
        writeln!(out, "{name:<22} {one:>12.1} {other:>12.1} {:>8}", ratio(one, other))?;
    }
    for (name, one) in &before.latency {
        let Some(other) = after.latency.get(name) else {
            continue;
        };
        for (quantile, one, other) in [("p50", one.p50_ms, other.p50_ms), ("p99", one.p99_ms, other.p99_ms)] {
            let name = format!("{name} {quantile} ms");
            writeln!(out, "{name:<22} {one:>12.2} {other:>12.2} {:>8}", ratio(one, other))?;
        }
    }
    writeln!(out, "{}", verdict(before.goodput_per_s, after.goodput_per_s, noise))?;
    for (path, outcome) in [(&options.before, &before), (&options.after, &after)] {
        for reason in &outcome.generator.invalid_because {
            writeln!(out, "{} is not valid: {reason}", path.display())?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Outcome> {
    serde_json::from_str(&fs::read_to_string(path)?)
        .map_err(|fault| io::Error::other(format!("{} is not a result of run: {fault}", path.display())))
}

fn ratio(before: f64, after: f64) -> String {
    if before == 0.0 { "-".to_owned() } else { format!("{:.2}", after / before) }
}

/// How uncertain the rate of changes is, as a share of it: twice the standard error of its mean
/// over the full seconds, first and last left out.
fn noise(series: &[Second]) -> f64 {
    let rates: Vec<f64> = series.iter().map(|second| second.changed as f64).collect();
    let Some(rates) = rates.get(1..rates.len().saturating_sub(1)).filter(|rates| rates.len() > 1) else {
        return 1.0;
    };
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (count - 1.0);
    if mean > 0.0 { 2.0 * (variance / count).sqrt() / mean } else { 1.0 }
}

fn verdict(before: f64, after: f64, noise: f64) -> String {
    let change = after / before - 1.0;
    // Two uncertain numbers: their difference is as uncertain as both together.
    let doubt = noise * std::f64::consts::SQRT_2;
    if change.abs() <= doubt {
        format!("changes per s: no difference beyond noise ({:+.1} %, noise {:.1} %)", change * 100.0, doubt * 100.0)
    } else {
        let direction = if change > 0.0 { "more" } else { "fewer" };
        format!("changes per s: {direction} ({:+.1} %, noise {:.1} %)", change * 100.0, doubt * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rates: &[u64]) -> Vec<Second> {
        rates.iter().map(|changed| Second { changed: *changed, ..Second::default() }).collect()
    }

    #[test]
    fn steady_rates_have_no_noise_and_short_runs_are_nothing_but() {
        assert!(noise(&series(&[3, 100, 100, 100, 50])) < 1e-9);
        assert!((noise(&series(&[100, 100])) - 1.0).abs() < 1e-9);
        assert!(noise(&series(&[0, 50, 150, 50, 150, 0])) > 0.5);
    }

    #[test]
    fn a_difference_counts_only_beyond_noise() {
        assert!(verdict(100.0, 103.0, 0.05).contains("no difference"));
        assert!(verdict(100.0, 120.0, 0.05).contains("more"));
        assert!(verdict(100.0, 80.0, 0.05).contains("fewer"));
    }
}
