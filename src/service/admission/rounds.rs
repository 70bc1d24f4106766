//! How many jobs fall to each round to come.

/// Counts by round, with the sum of any first rounds in logarithmic time (a Fenwick tree): under a
/// flood the forecast is asked for each job that is refused, and may reach over many thousand
/// rounds.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// Element i, counted from 1, holds the sum of the last `lowest set bit of i` counts up to and
    /// with the i-th. Its length is a power of two, or zero.
    sums: Vec<usize>,
}

impl Rounds {
    /// One job more falls to `round`.
    pub(super) fn add(&mut self, round: usize) {
        while self.sums.len() <= round {
            // The last element holds the sum of all.
            let all = self.sums.last().copied().unwrap_or(0);
            self.sums.resize((self.sums.len() * 2).max(1), 0);
            if let Some(last) = self.sums.last_mut() {
                *last = all;
            }
        }
        self.change(round, |sum| *sum += 1);
    }

    /// One job less falls to `round`.
    pub(super) fn remove(&mut self, round: usize) {
        self.change(round, |sum| *sum -= 1);
    }

    /// The jobs of all rounds up to and with `round`.
    pub(super) fn until(&self, round: usize) -> usize {
        let mut index = round.saturating_add(1).min(self.sums.len());
        let mut sum = 0;
        while index > 0 {
            sum += self.sums[index - 1];
            index &= index - 1;
        }
        sum
    }

    fn change(&mut self, round: usize, change: impl Fn(&mut usize)) {
        let mut index = round + 1;
        while let Some(sum) = self.sums.get_mut(index - 1) {
            change(sum);
            index += index & index.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_a_plain_list(jobs in prop::collection::vec((0..40_usize, any::<bool>()), 0..200)) {
            let mut rounds = Rounds::default();
            let mut plain = [0_usize; 40];
            for (round, comes) in jobs {
                if comes {
                    rounds.add(round);
                    plain[round] += 1;
                } else if plain[round] > 0 {
                    rounds.remove(round);
                    plain[round] -= 1;
                }
                for last in 0..40 {
                    prop_assert_eq!(rounds.until(last), plain[..=last].iter().sum::<usize>());
                }
                prop_assert_eq!(rounds.until(usize::MAX), plain.iter().sum::<usize>());
            }
        }
    }
}
