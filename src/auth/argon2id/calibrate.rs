//! How fast this machine hashes, and what that is enough for.

use std::thread;
use std::time::Duration;

use super::{Argon2id, Inputs, Kernel, selection};
use crate::model::{Argon2idCost, Clock};

/// Hashes that one password change takes: the old password is verified, the new one hashed.
pub const HASHES_PER_CHANGE: u32 = 2;

/// A number that was measured several times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// As many were below as above.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// How fast one kernel is on so many cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Which kernel.
    pub kernel: Kernel,
    /// Threads that hashed at the same time.
    pub cores: usize,
    /// Hashes per second of all of them together.
    pub hashes_per_second: Spread,
    /// The same as a multiple of what the crate made in the same round.
    pub ratio_to_crate: Spread,
}

impl Speed {
    /// Milliseconds that one hash takes its core.
    #[must_use]
    pub fn ms_per_hash(&self) -> f64 {
        1000.0 * self.cores as f64 / self.hashes_per_second.median
    }
}

/// What was measured at one cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Of the hashes that were made.
    pub cost: Argon2idCost,
    /// The kernel that this process uses.
    pub kernel: Kernel,
    /// Every kernel of this processor, on one core, and on all that were asked for.
    pub speeds: Vec<Speed>,
}

/// What it takes to make so many changes a second, each so quickly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The measured cost with as many passes as the latency leaves room for.
    pub cost: Argon2idCost,
    /// Cores that do nothing but hash.
    pub cores: usize,
}

/// Measures every kernel of this processor on one core and on `cores`, for `rounds` rounds. In a
/// round each kernel has its turn of `turn`, so that what disturbs the machine disturbs them
/// alike; all work in the same memory. Use turns of many hashes: time is measured in
/// milliseconds.
///
/// # Panics
/// When the cost is not accepted ([`super::check_cost`]), or `cores` or `rounds` is zero.
#[must_use]
pub fn calibrate(cost: Argon2idCost, cores: usize, rounds: usize, turn: Duration) -> Calibration {
    assert!(cores > 0 && rounds > 0, "there is something to measure");
    let kernels: Vec<Kernel> = Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()).collect();
    let mut hashers: Vec<Argon2id> = (0..cores).map(|_| Argon2id::new(cost)).collect();
    let clock = Clock::new();
    let mut speeds = Vec::new();
    for cores in if cores == 1 { vec![1] } else { vec![1, cores] } {
        // One row a round, one column a kernel, the crate in the last.
        let rates: Vec<Vec<f64>> = (0..rounds)
            .map(|_| {
                let rate = |&kernel| hashes_per_second(&mut hashers[..cores], kernel, cost, &clock, turn);
                kernels.iter().map(rate).collect()
            })
            .collect();
        speeds.extend(kernels.iter().enumerate().map(|(column, &kernel)| Speed {
            kernel,
            cores,
            hashes_per_second: Spread::of(rates.iter().map(|row| row[column])),
            ratio_to_crate: Spread::of(rates.iter().map(|row| row[column] / row[row.len() - 1])),
        }));
    }
    Calibration { cost, kernel: selection().kernel, speeds }
}

/// What one kernel makes on a thread for each of `hashers`.
fn hashes_per_second(
    hashers: &mut [Argon2id],
    kernel: Kernel,
    cost: Argon2idCost,
    clock: &Clock,
    turn: Duration,
) -> f64 {
    thread::scope(|scope| {
        let threads: Vec<_> = hashers
            .iter_mut()
            .map(|hasher| {
                hasher.kernel = kernel;
                scope.spawn(move || hashes_per_second_alone(hasher, cost, clock, turn))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

fn hashes_per_second_alone(hasher: &mut Argon2id, cost: Argon2idCost, clock: &Clock, turn: Duration) -> f64 {
    let mut tag = [0; 32];
    let inputs = Inputs { password: b"a password to measure with", salt: &[0; 16], ..Inputs::default() };
    let mut hash = || hasher.hash(cost, &inputs, &mut tag).is_ok();
    // The first hash of a turn finds another kernel's blocks in the caches.
    hash();
    let begun = clock.now();
    let mut count = 0.0;
    loop {
        count += f64::from(u8::from(hash()));
        let taken = clock.now().since(begun);
        if taken >= turn && !taken.is_zero() {
            return count / taken.as_secs_f64();
        }
    }
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
        Self { median: f64::midpoint(low, high), min: numbers[0], max: numbers[numbers.len() - 1] }
    }
}

impl Calibration {
    /// The speed of the kernel in use with all cores busy.
    #[must_use]
    pub fn in_use(&self) -> Option<&Speed> {
        self.speeds.iter().rfind(|speed| speed.kernel == self.kernel)
    }

    /// What it takes to make `changes_per_second`, each within `latency` when nothing waits
    /// before it: at the measured memory the most passes that fit, and the cores for that.
    ///
    /// The time of a hash is taken to grow with its passes. `None` when even a single pass takes
    /// too long.
    #[must_use]
    pub fn need(&self, changes_per_second: f64, latency: Duration) -> Option<Need> {
        let ms_per_pass = self.in_use()?.ms_per_hash() * f64::from(HASHES_PER_CHANGE) / f64::from(self.cost.t);
        let passes = (latency.as_secs_f64() * 1000.0 / ms_per_pass).floor();
        let t_max = super::ARGON2ID_KIB_WRITTEN_MAX / u64::from(self.cost.m_kib);
        let t = passes.min(t_max as f64) as u32;
        let cores = (changes_per_second * ms_per_pass * f64::from(t) / 1000.0).ceil().max(1.0) as usize;
        (t > 0).then_some(Need { cost: Argon2idCost { t, ..self.cost }, cores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 2, p: 1 };

    /// 100 hashes per second and core, 10 ms each.
    fn calibration() -> Calibration {
        let once = |number| Spread { median: number, min: number, max: number };
        let speed = |cores: usize, rate| Speed {
            kernel: Kernel::Crate,
            cores,
            hashes_per_second: once(rate),
            ratio_to_crate: once(1.0),
        };
        Calibration { cost: COST, kernel: Kernel::Crate, speeds: vec![speed(1, 110.0), speed(4, 400.0)] }
    }

    #[test]
    fn every_kernel_is_measured_on_one_core_and_on_all() {
        let found = calibrate(COST, 2, 3, Duration::from_millis(5));
        let measured: Vec<_> = found.speeds.iter().map(|speed| (speed.kernel, speed.cores)).collect();
        let kernels = || Kernel::ALL.into_iter().filter(|kernel| kernel.is_available());
        let expected = kernels().map(|kernel| (kernel, 1)).chain(kernels().map(|kernel| (kernel, 2)));
        assert_eq!(measured, expected.collect::<Vec<_>>());
        for Speed { kernel, hashes_per_second: rate, ratio_to_crate: ratio, .. } in found.speeds {
            assert!(0.0 < rate.min && rate.min <= rate.median && rate.median <= rate.max);
            assert!(kernel != Kernel::Crate || ratio == Spread { median: 1.0, min: 1.0, max: 1.0 });
        }
    }

    #[test]
    fn a_spread_has_the_middle_of_what_was_measured() {
        let spread = |numbers: &[f64]| Spread::of(numbers.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }

    #[test]
    fn need_is_worked_out_from_the_speed_with_all_cores_busy() {
        let need = |changes: f64, ms| {
            let Need { cost, cores } = calibration().need(changes, Duration::from_millis(ms))?;
            Some((cost.t, cores))
        };
        // Two hashes of two passes take 20 ms.
        assert_eq!(need(50.0, 20), Some((2, 1)));
        assert_eq!(need(51.0, 29), Some((2, 2)));
        assert_eq!(need(1000.0, 100), Some((10, 100)));
        assert_eq!(need(1.0, 10), Some((1, 1)));
        assert_eq!(need(1.0, 9), None);
    }
}
