use crate::model::Tick;

/// Something that has a deadline: the shard's name for it, and the moment it was scheduled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm<K> {
    pub key: K,
    pub at: Tick,
}

const BUCKETS: usize = 512;

/// A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): scheduling and expiring cost the
/// same however many alarms there are.
///
/// Alarms are not cancelled. Whoever has moved its deadline ignores the old alarm and schedules
/// another one if it needs to; a session whose deadline only ever moves back, as the idle one
/// does, thus schedules once and not at every line.
#[derive(Debug)]
pub(super) struct Wheel<K> {
    buckets: Vec<Vec<Alarm<K>>>,
    /// Which buckets are not empty, a bit each.
    occupied: [u64; BUCKETS / 64],
    /// The first grain that has not been expired.
    next_grain: u64,
}

impl<K: Copy> Wheel<K> {
    /// Deadlines are kept to this many milliseconds, and never ring early.
    const GRAIN_MS: u64 = 50;

    pub(super) fn new(now: Tick) -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Self { buckets, occupied: [0; BUCKETS / 64], next_grain: Self::grain_after(now) }
    }

    /// The first grain that begins at `at` or later.
    fn grain_after(at: Tick) -> u64 {
        at.0.div_ceil(Self::GRAIN_MS)
    }

    fn bucket_of(grain: u64) -> usize {
        (grain % BUCKETS as u64) as usize
    }

    /// Lets `alarm` come out of [`Wheel::expire`] at its moment or up to a grain later.
    pub(super) fn schedule(&mut self, alarm: Alarm<K>) {
        let grain = Self::grain_after(alarm.at).max(self.next_grain);
        let bucket = Self::bucket_of(grain);
        self.buckets[bucket].push(alarm);
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
    }

    /// Moves the alarms whose moment has come into `due`.
    pub(super) fn expire(&mut self, now: Tick, due: &mut Vec<Alarm<K>>) {
        let end_grain = now.0 / Self::GRAIN_MS + 1;
        // One round visits every bucket, however long ago the last call was.
        let visits = end_grain.saturating_sub(self.next_grain).min(BUCKETS as u64);
        for grain in end_grain - visits..end_grain {
            let bucket = Self::bucket_of(grain);
            if self.occupied[bucket / 64] & 1 << (bucket % 64) == 0 {
                continue;
            }
            due.extend(self.buckets[bucket].extract_if(.., |alarm| alarm.at <= now));
            if self.buckets[bucket].is_empty() {
                self.occupied[bucket / 64] &= !(1 << (bucket % 64));
            }
        }
        self.next_grain = self.next_grain.max(end_grain);
    }

    /// When [`Wheel::expire`] should be called next; early rather than late, as a bucket may hold
    /// only alarms of later rounds.
    pub(super) fn next(&self) -> Option<Tick> {
        let first = Self::bucket_of(self.next_grain);
        // Word by word from the one that holds the next grain round to that one again, whose part
        // before the grain comes last.
        let words = self.occupied.len();
        let ahead = (0..=words).find_map(|step| {
            let index = (first / 64 + step) % words;
            let mask = match step {
                0 => u64::MAX << (first % 64),
                _ => u64::MAX,
            };
            let word = self.occupied[index] & mask;
            let bucket = index * 64 + word.trailing_zeros() as usize;
            (word != 0).then_some((bucket + BUCKETS - first) % BUCKETS)
        })?;
        Some(Tick((self.next_grain + ahead as u64) * Self::GRAIN_MS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_alarm_of_a_later_round_waits_for_its_round() {
        let mut wheel = Wheel::new(Tick(0));
        wheel.schedule(Alarm { key: 'x', at: Tick(300_000) });
        let mut due = Vec::new();
        for second in 0..300 {
            wheel.expire(Tick(second * 1000), &mut due);
            assert!(due.is_empty(), "rang after {second} s");
        }
        wheel.expire(Tick(300_000), &mut due);
        assert_eq!(due, [Alarm { key: 'x', at: Tick(300_000) }]);
        assert_eq!(wheel.next(), None);
    }

    proptest! {
        /// Against a plain list: every alarm rings exactly once, never early, and at the latest
        /// at the first call a grain after its moment; `next` is never later than that.
        #[test]
        fn the_wheel_agrees_with_a_list(
            steps in prop::collection::vec((0_u64..40_000, prop::collection::vec(0_u64..200_000, 0..4)), 1..60),
        ) {
            let mut wheel = Wheel::new(Tick(0));
            let (mut now, mut waiting, mut count) = (0, Vec::new(), 0_usize);
            for (passed_ms, delays_ms) in steps {
                for delay_ms in delays_ms {
                    let alarm = Alarm { key: count, at: Tick(now + delay_ms) };
                    count += 1;
                    wheel.schedule(alarm);
                    waiting.push(alarm);
                }
                if let Some(earliest) = waiting.iter().map(|alarm| alarm.at).min() {
                    let next = wheel.next().unwrap();
                    prop_assert!(next.0 < earliest.0.max(now) + Wheel::<usize>::GRAIN_MS * 2);
                }
                now += passed_ms;
                let mut due = Vec::new();
                wheel.expire(Tick(now), &mut due);
                for alarm in due {
                    prop_assert!(alarm.at <= Tick(now), "early");
                    let place = waiting.iter().position(|waiting| *waiting == alarm);
                    prop_assert!(place.is_some(), "twice");
                    waiting.swap_remove(place.unwrap());
                }
                prop_assert!(waiting.iter().all(|alarm| alarm.at.0 + Wheel::<usize>::GRAIN_MS > now), "late");
            }
        }
    }
}
