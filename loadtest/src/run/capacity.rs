//! Finding a server's capacity: more and more clients, until more of them change nothing.

use std::time::Duration;

use super::outcome::{CapacityStep, Second};

/// A step must be long enough to leave out its first second and still have some to count.
const STEP_SECONDS_MIN: f64 = 3.0;

/// A closed-loop run in steps, with twice as many clients in each: 1, 2, 4 … up to all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    clients: u32,
    step: Duration,
}

impl Growth {
    /// Up to `clients` over `length`.
    ///
    /// # Errors
    /// A text, when that leaves too little time for each step.
    pub(crate) fn new(clients: u32, length: Duration) -> Result<Self, String> {
        let steps = Self::steps(clients);
        let step = length / steps;
        if step.as_secs_f64() < STEP_SECONDS_MIN {
            return Err(format!("{clients} clients take {steps} steps: give it at least {} seconds", steps * 3));
        }
        Ok(Self { clients, step })
    }

    fn steps(clients: u32) -> u32 {
        clients.max(1).next_power_of_two().ilog2() + 1
    }

    /// When client `index` begins.
    pub(crate) fn begin(self, index: u32) -> Duration {
        self.step * (Self::steps(index + 1) - 1)
    }

    /// The rate of changes in each step, without its first second.
    pub(crate) fn evaluate(self, series: &[Second]) -> Vec<CapacityStep> {
        let second = |duration: Duration| duration.as_secs_f64().ceil() as usize;
        (0..Self::steps(self.clients))
            .map(|step| {
                let from = (second(self.step * step) + 1).min(series.len());
                let to = ((self.step * (step + 1)).as_secs() as usize).clamp(from, series.len());
                let changed: u64 = series[from..to].iter().map(|second| second.changed).sum();
                let changes_per_s = changed as f64 / (to - from).max(1) as f64;
                CapacityStep { clients: self.clients.min(1 << step), changes_per_s }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_double_from_step_to_step() {
        let growth = Growth::new(6, Duration::from_secs(40)).unwrap();
        let begins: Vec<u64> = (0..6).map(|index| growth.begin(index).as_secs()).collect();
        assert_eq!(begins, [0, 10, 20, 20, 30, 30]);
        assert!(Growth::new(64, Duration::from_secs(20)).is_err());
    }

    #[test]
    fn each_step_counts_its_own_seconds_but_the_first() {
        let growth = Growth::new(2, Duration::from_secs(6)).unwrap();
        let series: Vec<Second> =
            [9, 1, 1, 9, 2, 4, 9].iter().map(|changed| Second { changed: *changed, ..Second::default() }).collect();
        let steps = growth.evaluate(&series);
        assert_eq!(
            steps,
            [CapacityStep { clients: 1, changes_per_s: 1.0 }, CapacityStep { clients: 2, changes_per_s: 3.0 }]
        );
    }
}
