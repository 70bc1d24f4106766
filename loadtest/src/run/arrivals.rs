//! When clients arrive: the load's shape over time, independent of how the server copes.
//!
//! Every shape is a rate over time, `λ(t)`, kept as a table of its integral `Λ(t)`. Clients then
//! arrive where `Λ` passes 1, 2, 3 … (evenly), or where it passes the points of a Poisson process
//! of rate 1 (by chance): that is the time-change theorem, and it makes all shapes alike.

use std::str::FromStr;
use std::time::Duration;

use super::random::Random;

/// Points in a table. Between them the rate counts as constant.
const TABLE_LENGTH: usize = 4096;

/// How the rate develops over the run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// The same all the time, per second, evenly spaced.
    Constant(f64),
    /// The same on average, per second, by chance.
    Poisson(f64),
    /// From the first rate to the second, linearly, by chance.
    Ramp(f64, f64),
    /// Each rate for an equal part of the run, by chance.
    Steps(Vec<f64>),
    /// So many people asked by mail to change their passwords, in three waves; most answer soon,
    /// some late, a few in the last minute before the deadline, which is the end of the run.
    Campaign(f64),
    /// So many at once, at the beginning.
    Herd(u64),
}

/// How a [`Shape`] is written on the command line.
pub(crate) const SHAPE_SYNTAX: &str =
    "constant:RATE, poisson:RATE, ramp:FROM:TO, steps:RATE:RATE:…, campaign:PEOPLE or herd:CLIENTS";

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':');
        let kind = parts.next().unwrap_or_default();
        let numbers: Result<Vec<f64>, _> = parts.map(str::parse).collect();
        let numbers = numbers.map_err(|fault| format!("{text}: {fault}"))?;
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) {
            return Err(format!("{text}: a rate is a number from 0 on"));
        }
        match (kind, &numbers[..]) {
            ("constant", [rate]) => Ok(Self::Constant(*rate)),
            ("poisson", [rate]) => Ok(Self::Poisson(*rate)),
            ("ramp", [from, to]) => Ok(Self::Ramp(*from, *to)),
            ("steps", [_, ..]) => Ok(Self::Steps(numbers)),
            ("campaign", [people]) => Ok(Self::Campaign(*people)),
            ("herd", [clients]) => Ok(Self::Herd(*clients as u64)),
            _ => Err(format!("{text}: expected {SHAPE_SYNTAX}")),
        }
    }
}

/// The moments at which clients arrive, in order, each counted from the start of the run.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// `Λ` at equal distances over the run; it begins with those who are there at once.
    table: Vec<f64>,
    length: Duration,
    random: Option<Random>,
    /// How far along `Λ` the next client is.
    passed: f64,
}

impl Arrivals {
    /// Clients that come as `shape` says over `length`; this is one of `parts` generators that share
    /// them, the one with index `part`.
    pub(crate) fn new(shape: &Shape, length: Duration, part: usize, parts: usize, seed: u64) -> Self {
        let seconds = length.as_secs_f64();
        let share = 1.0 / parts as f64;
        let rate = |moment: f64| match shape {
            Shape::Constant(rate) | Shape::Poisson(rate) => *rate,
            Shape::Ramp(from, to) => from + (to - from) * moment,
            Shape::Steps(rates) => rates[((moment * rates.len() as f64) as usize).min(rates.len() - 1)],
            Shape::Campaign(people) => campaign(moment) * people / seconds,
            Shape::Herd(_) => 0.0,
        };
        let step = seconds / TABLE_LENGTH as f64;
        let mut sum = match shape {
            Shape::Herd(clients) => *clients as f64 * share,
            Shape::Constant(_) | Shape::Poisson(_) | Shape::Ramp(..) | Shape::Steps(_) | Shape::Campaign(_) => 0.0,
        };
        let mut table = vec![sum];
        for index in 0..TABLE_LENGTH {
            sum += rate((index as f64 + 0.5) / TABLE_LENGTH as f64) * step * share;
            table.push(sum);
        }
        let evenly = matches!(shape, Shape::Constant(_) | Shape::Herd(_));
        let random = (!evenly).then(|| Random::new(seed));
        // Generators that space evenly take turns rather than fire together.
        let passed = if evenly { share * part as f64 - 1.0 + share / 2.0 } else { 0.0 };
        Self { table, length, random, passed }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.passed += self.random.as_mut().map_or(1.0, Random::exponential);
        let after = self.table.partition_point(|sum| *sum <= self.passed);
        if after == 0 {
            return Some(Duration::ZERO);
        }
        let (low, high) = (self.table[after - 1], *self.table.get(after)?);
        let index = (after - 1) as f64 + (self.passed - low) / (high - low);
        Some(self.length.mul_f64((index / TABLE_LENGTH as f64).min(1.0)))
    }
}

/// The rate of a mail campaign at `moment` (0 to 1), with integral 1: three waves of mail in the
/// first half, each answered after a log-normal time, and a rise towards the deadline.
fn campaign(moment: f64) -> f64 {
    const WAVES: [f64; 3] = [0.0, 0.15, 0.3];
    const WAVE_SHARE: f64 = 0.28;
    const MEDIAN: f64 = 0.05;
    const DEVIATION: f64 = 0.9;
    const DEADLINE_SHARE: f64 = 1.0 - 3.0 * WAVE_SHARE;
    const DEADLINE_RISE: f64 = 0.04;
    let answered = |since: f64| {
        if since <= 0.0 {
            return 0.0;
        }
        let z = (since / MEDIAN).ln() / DEVIATION;
        (-0.5 * z * z).exp() / (since * DEVIATION * (2.0 * std::f64::consts::PI).sqrt())
    };
    let waves: f64 = WAVES.iter().map(|wave| WAVE_SHARE * answered(moment - wave)).sum();
    waves + DEADLINE_SHARE * ((moment - 1.0) / DEADLINE_RISE).exp() / DEADLINE_RISE
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn arrivals(shape: &str) -> Vec<Duration> {
        Arrivals::new(&shape.parse().unwrap(), MINUTE, 0, 1, 7).collect()
    }

    /// How many come in each quarter of the minute.
    fn quarters(shape: &str) -> [usize; 4] {
        let mut counts = [0; 4];
        for moment in arrivals(shape) {
            counts[(moment.as_secs_f64() / 15.0) as usize % 4] += 1;
        }
        counts
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced() {
        let moments = arrivals("constant:10");
        assert_eq!(moments.len(), 600);
        for pair in moments.windows(2) {
            let gap = (pair[1] - pair[0]).as_secs_f64();
            assert!((gap - 0.1).abs() < 1e-6, "{gap}");
        }
    }

    #[test]
    fn two_generators_share_a_constant_rate_by_turns() {
        let shape = Shape::Constant(10.0);
        let mut both: Vec<Duration> = (0..2).flat_map(|part| Arrivals::new(&shape, MINUTE, part, 2, 7)).collect();
        both.sort();
        assert_eq!(both.len(), 600);
        assert!(both.windows(2).all(|pair| (pair[1] - pair[0]).as_secs_f64() > 0.09));
    }

    #[test]
    fn chance_keeps_the_rate_and_the_seed_keeps_the_chance() {
        let moments = arrivals("poisson:100");
        assert!((5700..6300).contains(&moments.len()), "{}", moments.len());
        assert_eq!(moments, arrivals("poisson:100"));
    }

    #[test]
    fn shapes_have_their_shape() {
        let [first, _, _, last] = quarters("ramp:0:200");
        assert!(first * 5 < last, "{first} {last}");
        let steps = quarters("steps:10:0:10:40");
        assert_eq!(steps[1], 0);
        assert!(steps[3] > 3 * steps[0], "{steps:?}");
        let campaign = quarters("campaign:10000");
        assert!((8500..10_500).contains(&campaign.iter().sum::<usize>()), "{campaign:?}");
        assert!(campaign[3] > campaign[2], "the deadline is near: {campaign:?}");
    }

    #[test]
    fn a_herd_comes_at_once() {
        let moments = arrivals("herd:50");
        assert_eq!(moments.len(), 50);
        assert!(moments.iter().all(|moment| *moment == Duration::ZERO), "{moments:?}");
    }

    #[test]
    fn nonsense_is_refused_with_the_syntax() {
        for text in ["", "poisson", "poisson:x", "poisson:-1", "ramp:1", "tide:3"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }
}
