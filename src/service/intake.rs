//! The changes on their way to the committer: a bounded channel whose receiver can wait for several
//! of them at once. On a busy core being woken for each costs as much as reading what it needs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// Makes a channel for `bound` entries; more wait with whoever brings them.
pub(super) fn channel<T>(bound: usize) -> (Inlet<T>, Intake<T>) {
    let (sender, receiver) = mpsc::sync_channel(bound);
    let bell =
        Arc::new(Bell { put: AtomicUsize::new(0), wanted: AtomicUsize::new(NOT_WANTED), sleeper: OnceLock::new() });
    (Inlet { sender, bell: Arc::clone(&bell) }, Intake { receiver, bell, taken: 0 })
}

const NOT_WANTED: usize = usize::MAX;

/// Wakes the receiver when as many entries have come as it wants.
///
/// No wake-up is lost: the receiver says what it wants before it looks at how many have come, and
/// whoever puts one counts it before he looks at what is wanted, so one of them sees the other.
#[derive(Debug)]
struct Bell {
    /// Entries ever put.
    put: AtomicUsize,
    /// The count of them that the receiver waits for.
    wanted: AtomicUsize,
    sleeper: OnceLock<Thread>,
}

/// Where entries are put.
#[derive(Debug)]
pub(super) struct Inlet<T> {
    sender: SyncSender<T>,
    bell: Arc<Bell>,
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), bell: Arc::clone(&self.bell) }
    }
}

impl<T> Inlet<T> {
    /// Puts `entry`, once there is room.
    ///
    /// # Panics
    /// When the receiver is gone.
    pub(super) fn put(&self, entry: T) {
        assert!(self.sender.send(entry).is_ok(), "the committer outlives whoever hands it changes");
        self.ring();
    }

    /// Puts `entry` if there is room. False: there is none.
    pub(super) fn try_put(&self, entry: T) -> bool {
        let is_put = self.sender.try_send(entry).is_ok();
        if is_put {
            self.ring();
        }
        is_put
    }

    fn ring(&self) {
        let put = self.bell.put.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        if put == self.bell.wanted.load(Ordering::SeqCst)
            && let Some(sleeper) = self.bell.sleeper.get()
        {
            sleeper.unpark();
        }
    }
}

/// Where one thread takes them.
#[derive(Debug)]
pub(super) struct Intake<T> {
    receiver: Receiver<T>,
    bell: Arc<Bell>,
    /// Entries ever taken.
    taken: usize,
}

impl<T> Intake<T> {
    /// The next entry, once there is one; `None`: there will be none.
    pub(super) fn take(&mut self) -> Option<T> {
        let entry = self.receiver.recv().ok()?;
        self.taken = self.taken.wrapping_add(1);
        Some(entry)
    }

    /// Appends up to `count_max` entries that have come to `into`; returns how many.
    pub(super) fn take_some(&mut self, into: &mut Vec<T>, count_max: usize) -> usize {
        let before = into.len();
        into.extend(self.receiver.try_iter().take(count_max));
        let count = into.len() - before;
        self.taken = self.taken.wrapping_add(count);
        count
    }

    /// Waits until `count` entries have come that were not taken, or `pause` has passed. May return
    /// early.
    pub(super) fn wait_for(&self, count: usize, pause: Duration) {
        let sleeper = self.bell.sleeper.get_or_init(thread::current);
        debug_assert_eq!(sleeper.id(), thread::current().id(), "one thread takes entries");
        let wanted = self.taken.wrapping_add(count);
        self.bell.wanted.store(wanted, Ordering::SeqCst);
        let missing = wanted.wrapping_sub(self.bell.put.load(Ordering::SeqCst));
        // An entry may have been taken before it was counted.
        if (1..=usize::MAX / 2).contains(&missing) {
            thread::park_timeout(pause);
        }
        self.bell.wanted.store(NOT_WANTED, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: Duration = Duration::from_secs(3600);

    /// A wake-up that is lost would let this wait for an hour.
    #[test]
    fn whoever_waits_for_several_is_woken_when_they_have_come() {
        const ROUNDS: usize = 20_000;
        const EACH: usize = 3;
        let (inlet, mut intake) = channel(EACH * 2);
        thread::scope(|scope| {
            for _ in 0..2 {
                let inlet = inlet.clone();
                scope.spawn(move || {
                    for round in 0..ROUNDS * EACH {
                        inlet.put(round);
                        if round % 7 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut taken = Vec::new();
            while taken.len() < 2 * ROUNDS * EACH {
                intake.wait_for(EACH, FOR_EVER);
                intake.take_some(&mut taken, EACH);
            }
        });
    }

    #[test]
    fn it_is_not_waited_for_what_does_not_come() {
        let (inlet, mut intake) = channel(4);
        inlet.put(1);
        assert_eq!(intake.take(), Some(1));
        assert!(inlet.try_put(2));
        intake.wait_for(2, Duration::from_millis(1));
        let mut taken = Vec::new();
        assert_eq!((intake.take_some(&mut taken, 9), taken), (1, vec![2]));
        drop(inlet);
        assert_eq!(intake.take(), None);
    }

    #[test]
    fn what_has_come_is_taken_in_order_and_no_more_than_there_is_room_for() {
        let (inlet, mut intake) = channel(2);
        assert!(inlet.try_put(1) && inlet.try_put(2) && !inlet.try_put(3));
        let mut taken = Vec::new();
        assert_eq!((intake.take_some(&mut taken, 1), intake.take()), (1, Some(2)));
        assert_eq!(taken, [1]);
    }
}
