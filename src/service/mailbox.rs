//! Answers on their way from the pool and the committer to one shard.
//!
//! One word says where the shard stands:
//!
//! ```text
//! AWAKE   it runs, or will look here before it sleeps; nothing new is waiting
//! ASLEEP  it has announced that it sleeps; nothing is waiting
//! MAIL    answers are waiting
//!
//! shard:    park: AWAKE -> ASLEEP, refused when MAIL     take: any -> AWAKE, then empty the list
//! producer: append to the list, then any -> MAIL, and wake the shard if it was ASLEEP
//! ```
//!
//! No wake-up is lost: a producer marks MAIL only after its answer is in the list. If the mark
//! replaces ASLEEP, the producer wakes the shard. Otherwise it comes before the shard's next
//! `park`, which sees it and refuses, or before its next `take`, which empties the list after
//! having seen it. No running shard is woken: ASLEEP is set by `park` alone and ends with the
//! first mark or `take`, so there is at most one wake for each announcement.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use super::{Answer, lock};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const MAIL: u8 = 2;

/// What a mailbox holds for a session.
#[derive(Debug)]
pub enum Letter {
    /// The answer to its request.
    Answer(Answer),
    /// An administrator wants it to end.
    End,
}

/// The answers waiting for one shard. Producers wake the shard only when it has announced that
/// it is about to sleep.
///
/// Bounded by the sessions of the shard, of which each has at most one request under way, and by
/// the sessions that administrators end between two turns of it.
pub struct Mailbox {
    standing: AtomicU8,
    letters: Mutex<Vec<(u64, Letter)>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Mailbox {
    /// `wake` must end the shard's wait; it is called from any thread.
    #[must_use]
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { standing: AtomicU8::new(AWAKE), letters: Mutex::default(), wake }
    }

    /// Called by the shard just before it sleeps. False: there is mail, do not sleep.
    ///
    /// After true the shard is woken once when mail comes, unless it calls [`Mailbox::take`]
    /// first.
    #[must_use]
    pub fn park(&self) -> bool {
        self.standing.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst) != Err(MAIL)
    }

    /// Called by the shard when it is awake again: swaps what waits into `into`, which
    /// must be empty. Each comes with [`super::Ticket::session`].
    ///
    /// Costs one load when the shard has not parked and nothing came.
    pub fn take(&self, into: &mut Vec<(u64, Letter)>) {
        debug_assert!(into.is_empty(), "answers would be lost among the waiting ones");
        if self.standing.load(Ordering::SeqCst) != AWAKE && self.standing.swap(AWAKE, Ordering::SeqCst) == MAIL {
            mem::swap(&mut *lock(&self.letters), into);
        }
    }

    /// Called by the pool and the committer. Whoever has several answers keeps what this returns
    /// until all are posted.
    pub(super) fn post(self: &Arc<Self>, session: u64, answer: Answer) -> Option<Wake> {
        self.put(session, Letter::Answer(answer)).then(|| Wake(Arc::clone(self)))
    }

    /// Tells a session to end. Called from any thread.
    pub fn end(&self, session: u64) {
        if self.put(session, Letter::End) {
            (self.wake)();
        }
    }

    /// Adds `letter`. True: the shard must be woken.
    fn put(&self, session: u64, letter: Letter) -> bool {
        lock(&self.letters).push((session, letter));
        self.standing.swap(MAIL, Ordering::SeqCst) == ASLEEP
    }
}

/// The duty to wake a shard that sleeps with mail; it is done when this is dropped.
///
/// A shard that is woken for the first of several answers takes the core from whoever brings them,
/// and goes to sleep again before the next one is there.
#[derive(Debug)]
pub(super) struct Wake(Arc<Mailbox>);

impl Drop for Wake {
    fn drop(&mut self) {
        (self.0.wake)();
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::proto::Verdict;

    fn an_answer() -> Answer {
        Answer::Verified(Verdict::Fault)
    }

    /// A mailbox, and how often its shard was woken.
    fn mailbox() -> (Arc<Mailbox>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        (Arc::new(Mailbox::new(Box::new(move || _ = counted.fetch_add(1, Ordering::SeqCst)))), wakes)
    }

    #[test]
    fn a_running_shard_is_not_woken() {
        let (mailbox, wakes) = mailbox();
        mailbox.post(1, an_answer());
        assert!(!mailbox.park(), "there is mail");
        mailbox.post(2, an_answer());
        let mut taken = Vec::new();
        mailbox.take(&mut taken);
        assert_eq!(taken.iter().map(|(session, _)| *session).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_sleeping_shard_is_woken_once_for_many_answers() {
        let (mailbox, wakes) = mailbox();
        assert!(mailbox.park());
        mailbox.post(1, an_answer());
        mailbox.post(2, an_answer());
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn whoever_has_more_answers_wakes_the_shard_after_the_last() {
        let (mailbox, wakes) = mailbox();
        assert!(mailbox.park());
        let duties = [mailbox.post(1, an_answer()), mailbox.post(2, an_answer())];
        assert_eq!((wakes.load(Ordering::SeqCst), duties.iter().flatten().count()), (0, 1));
        drop(duties);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_shard_that_woke_for_another_reason_is_not_woken() {
        let (mailbox, wakes) = mailbox();
        assert!(mailbox.park());
        mailbox.take(&mut Vec::new());
        mailbox.post(1, an_answer());
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
        assert!(!mailbox.park());
    }

    /// The shard sleeps whenever it may; a lost wake-up would leave it asleep with mail and hang
    /// this test, a wake too many would find no announcement to pair with.
    #[test]
    fn every_answer_arrives_and_every_wake_follows_an_announcement() {
        const PRODUCERS: u64 = 4;
        const ANSWERS: u64 = 20_000;
        let (ring, bell) = mpsc::channel();
        let mailbox = Arc::new(Mailbox::new(Box::new(move || ring.send(()).unwrap())));
        let mut next = [0; PRODUCERS as usize];
        let mut parked = 0_u64;
        let mut woken = 0_u64;
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let mailbox = &mailbox;
                scope.spawn(move || {
                    for number in 0..ANSWERS {
                        mailbox.post(producer * ANSWERS + number, an_answer());
                        if number % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut taken = Vec::new();
            while next.iter().sum::<u64>() < PRODUCERS * ANSWERS {
                if mailbox.park() {
                    parked += 1;
                    bell.recv().unwrap();
                    woken += 1;
                }
                mailbox.take(&mut taken);
                for (session, _) in taken.drain(..) {
                    let (producer, number) = (session / ANSWERS, session % ANSWERS);
                    assert_eq!(next[producer as usize], number, "in order, none lost, none twice");
                    next[producer as usize] += 1;
                }
            }
        });
        assert!(bell.try_recv().is_err(), "a wake without announcement");
        assert_eq!(parked, woken);
    }
}
