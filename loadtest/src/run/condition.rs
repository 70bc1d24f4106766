//! Conditions under which a run counts as failed: `--fail-if 'p99>250ms'`.

use std::str::FromStr;

use super::outcome::Outcome;

/// A comparison of one finding with a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    text: String,
    metric: Metric,
    above: bool,
    value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    P50,
    P90,
    P99,
    P999,
    Goodput,
    Refused,
    Errors,
    Unstarted,
}

const METRICS: [(&str, Metric); 8] = [
    ("p50", Metric::P50),
    ("p90", Metric::P90),
    ("p99", Metric::P99),
    ("p999", Metric::P999),
    ("goodput", Metric::Goodput),
    ("refused", Metric::Refused),
    ("errors", Metric::Errors),
    ("unstarted", Metric::Unstarted),
];

/// How a [`Condition`] is written on the command line.
pub(crate) const CONDITION_SYNTAX: &str = "p50, p90, p99, p999 (in ms or s, from the due time), goodput (changes/s), \
                                           refused, errors or unstarted (counts); then < or > and a number";

impl Condition {
    /// Whether it holds, that is, whether the run failed.
    pub(crate) fn holds(&self, outcome: &Outcome) -> bool {
        let latency = outcome.latency.get("intended").copied().unwrap_or_default();
        let counts = outcome.counts;
        let found = match self.metric {
            Metric::P50 => latency.p50_ms,
            Metric::P90 => latency.p90_ms,
            Metric::P99 => latency.p99_ms,
            Metric::P999 => latency.p999_ms,
            Metric::Goodput => outcome.goodput_per_s,
            Metric::Refused => counts.refused as f64,
            Metric::Errors => counts.errors() as f64,
            Metric::Unstarted => counts.unstarted as f64,
        };
        if self.above { found > self.value } else { found < self.value }
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text}: expected {CONDITION_SYNTAX}");
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, value) = (text[..at].trim(), text[at + 1..].trim());
        let metric = METRICS.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric).ok_or_else(wrong)?;
        let (number, factor) = if let Some(number) = value.strip_suffix("ms") {
            (number, 1.0)
        } else if let Some(number) = value.strip_suffix('s') {
            (number, 1000.0)
        } else {
            (value, 1.0)
        };
        let value = number.trim().parse::<f64>().map_err(|_| wrong())? * factor;
        Ok(Self { text: text.to_owned(), metric, above: text[at..].starts_with('>'), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_units_and_directions() {
        let read = |text: &str| text.parse::<Condition>().map(|it| (it.metric, it.above, it.value)).ok();
        assert_eq!(read("p99>250ms"), Some((Metric::P99, true, 250.0)));
        assert_eq!(read("p999 > 2s"), Some((Metric::P999, true, 2000.0)));
        assert_eq!(read("goodput<100"), Some((Metric::Goodput, false, 100.0)));
        for text in ["", "p99", "p98>1", "p99=1", "p99>x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
