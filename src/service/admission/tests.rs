use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

/// A job that is only a number.
#[derive(Clone, Debug, Default)]
struct Job {
    number: u64,
    is_abandoned: Rc<Cell<bool>>,
}

impl Patient for Job {
    fn is_abandoned(&self) -> bool {
        self.is_abandoned.get()
    }
}

fn job(number: u64) -> Job {
    Job { number, ..Job::default() }
}

fn origin(source: u64, domain: u64, account: u64) -> Origin {
    Origin { source, domain, account, weight: 1 }
}

/// One worker that needs 100 ms for a job; 5 s hold 50 jobs. Forecasts have proven good.
fn admission(length_max: usize) -> Admission<Job> {
    let bounds = Bounds { workers: 1, wait_max: Duration::from_secs(5), length_max };
    let mut admission = Admission { trusted: bounds.wait_max, ..Admission::new(bounds, Duration::from_millis(100)) };
    (0..1000).for_each(|domain| admission.found(domain));
    admission
}

/// Takes all jobs, one after the other at the time zero, and returns their numbers.
fn drain(admission: &mut Admission<Job>) -> Vec<u64> {
    let next = || {
        let admitted = admission.take(Tick(0))?;
        admission.finish(admitted.pass, Duration::from_millis(100));
        Some(admitted.job.number)
    };
    std::iter::from_fn(next).collect()
}

fn offer(admission: &mut Admission<Job>, number: u64, class: Class, origin: Origin) {
    assert!(admission.offer(job(number), class, origin, Tick(0)).is_ok(), "job {number}");
}

#[test]
fn sources_take_turns_however_much_they_offer() {
    let mut admission = admission(1000);
    for number in 0..6 {
        offer(&mut admission, number, Class::Login, origin(1, 1, number));
    }
    offer(&mut admission, 6, Class::Login, origin(2, 1, 6));
    offer(&mut admission, 7, Class::Login, origin(3, 2, 7));
    assert_eq!(drain(&mut admission), [0, 7, 6, 1, 2, 3, 4, 5]);
}

#[test]
fn domains_take_turns_within_a_source() {
    let mut admission = admission(1000);
    for number in 0..4 {
        offer(&mut admission, number, Class::Login, origin(1, 1, number));
    }
    offer(&mut admission, 4, Class::Login, origin(1, 2, 4));
    offer(&mut admission, 5, Class::Login, origin(1, 3, 5));
    let order = drain(&mut admission);
    assert!(order.iter().position(|number| *number == 5) < Some(4), "{order:?}");
    assert!(order.iter().position(|number| *number == 4) < Some(4), "{order:?}");
}

#[test]
fn domains_that_nobody_knows_take_turns_as_one_and_each_by_itself_once_it_is_known() {
    let mut admission = admission(1000);
    for number in 0..40 {
        offer(&mut admission, number, Class::Login, origin(number, 5000 + number, number));
    }
    offer(&mut admission, 64, Class::Login, origin(64, 1, 64));
    offer(&mut admission, 65, Class::Login, origin(65, 1, 65));
    admission.found(5100);
    offer(&mut admission, 66, Class::Login, origin(66, 5100, 66));
    let order = drain(&mut admission);
    let place = |number| order.iter().position(|served| *served == number).unwrap();
    assert!(place(64) <= 5 && place(65) <= 11 && place(66) <= 6, "{order:?}");
}

#[test]
fn a_source_of_weight_has_so_many_turns() {
    let mut admission = admission(1000);
    for number in 0..9 {
        offer(&mut admission, number, Class::Login, Origin { weight: 3, ..origin(1, 1, number) });
        offer(&mut admission, 10 + number, Class::Login, origin(2, 1, 10 + number));
    }
    let first: Vec<_> = drain(&mut admission).into_iter().take(8).collect();
    assert_eq!(first.iter().filter(|number| **number < 10).count(), 6, "{first:?}");
}

#[test]
fn one_login_of_an_account_runs_at_a_time_and_others_go_on() {
    let mut admission = admission(1000);
    for number in 0..3 {
        offer(&mut admission, number, Class::Login, origin(number, 1, 7));
    }
    offer(&mut admission, 3, Class::Login, origin(1, 1, 8));
    let first = admission.take(Tick(0)).unwrap();
    let other = admission.take(Tick(0)).unwrap();
    assert_eq!((first.job.number, other.job.number), (0, 3));
    assert!(admission.take(Tick(0)).is_none(), "the account is busy");
    admission.finish(other.pass, Duration::from_millis(100));
    assert!(admission.take(Tick(0)).is_none(), "the account is still busy");
    admission.finish(first.pass, Duration::from_millis(100));
    let mut rest = drain(&mut admission);
    rest.sort_unstable();
    assert_eq!(rest, [1, 2]);
}

#[test]
fn changes_come_first_operators_have_a_reserve_and_logins_are_not_starved() {
    let mut admission = admission(1000);
    for number in 0..8 {
        offer(&mut admission, 10 + number, Class::Login, origin(1, 1, number));
        offer(&mut admission, 20 + number, Class::Change, origin(1, 1, number));
        offer(&mut admission, 30 + number, Class::Operator, origin(1, 1, number));
    }
    let tens: Vec<_> = drain(&mut admission).into_iter().map(|number| number / 10).collect();
    assert_eq!(tens[..8], [3, 2, 2, 2, 1, 2, 2, 2]);
    assert_eq!(tens[8..16].iter().filter(|ten| **ten == 1).count(), 1, "{tens:?}");
}

#[test]
fn who_could_not_begin_in_time_is_refused_at_once_and_told_when_to_come_back() {
    let mut admission = admission(1000);
    for number in 0..51 {
        offer(&mut admission, number, Class::Login, origin(1, 1, number));
    }
    let refused = admission.offer(job(51), Class::Login, origin(1, 1, 51), Tick(0)).unwrap_err();
    assert_eq!((refused.reason, refused.retry_after_s), (Reason::Refused, 6));
    offer(&mut admission, 52, Class::Login, origin(2, 2, 52));
    assert!(drain(&mut admission).iter().position(|number| *number == 52) < Some(3));
}

#[test]
fn the_bound_follows_the_measured_time() {
    let mut admission = admission(1000);
    for number in 0..40 {
        offer(&mut admission, number, Class::Change, origin(1, 1, number));
        let admitted = admission.take(Tick(0)).unwrap();
        admission.finish(admitted.pass, Duration::from_secs(1));
    }
    let admitted =
        (0..100).filter(|number| admission.offer(job(*number), Class::Login, origin(1, 1, *number), Tick(0)).is_ok());
    assert!((4..=7).contains(&admitted.count()), "one second each, five seconds");
}

#[test]
fn forecasts_may_reach_farther_when_long_waits_end_well() {
    let bounds = Bounds { workers: 1, wait_max: Duration::from_secs(5), length_max: 1000 };
    let mut admission = Admission::new(bounds, Duration::from_millis(100));
    assert!(admission.trusted < bounds.wait_max / 2);
    for (wait_ms, grows) in [(0, false), (600, false), (1000, true)] {
        let before = admission.trusted;
        offer(&mut admission, 0, Class::Login, origin(1, 1, 1));
        let admitted = admission.take(Tick(wait_ms)).unwrap();
        admission.finish(admitted.pass, Duration::from_millis(100));
        assert_eq!(admission.trusted > before, grows, "after {wait_ms} ms");
    }
    let before = admission.trusted;
    offer(&mut admission, 1, Class::Login, origin(1, 1, 1));
    assert!(admission.take(Tick(5001)).is_none());
    assert!(admission.trusted < before - before / 10, "{:?} after {before:?}", admission.trusted);
}

/// Jobs 0 to 2 come at the time zero and the others at `times`; returns the order of these others
/// when the time of the first ones has run out.
fn after_expiry(times: &[u64]) -> Vec<u64> {
    let mut admission = admission(1000);
    for (number, time) in [0, 0, 0].iter().chain(times).enumerate() {
        let number = number as u64;
        assert!(admission.offer(job(number), Class::Login, origin(1, 1, number), Tick(*time)).is_ok());
    }
    let order = std::iter::from_fn(|| Some(admission.take(Tick(5001))?.job.number)).collect();
    let displaced: Vec<_> = admission.turned_away().iter().map(|away| (away.job.number, away.reason)).collect();
    assert_eq!(displaced, [0, 1, 2].map(|number| (number, Reason::Displaced)));
    order
}

#[test]
fn when_some_have_waited_too_long_the_newest_come_first_until_all_are_recent() {
    assert_eq!(after_expiry(&[500, 1000, 2000, 4000]), [6, 5, 4, 3]);
    assert_eq!(after_expiry(&[3000, 3500, 4000, 4500]), [6, 3, 4, 5]);
}

#[test]
fn a_full_queue_makes_room_at_the_cost_of_whoever_has_most_waiting() {
    let mut admission = admission(10);
    for number in 0..10 {
        offer(&mut admission, number, Class::Login, origin(number % 2, 1 + number % 2, number));
    }
    assert!(admission.offer(job(10), Class::Login, origin(1, 2, 10), Tick(0)).is_err());
    for (number, class) in [(11, Class::Login), (12, Class::Change), (13, Class::Operator)] {
        offer(&mut admission, number, class, origin(3, 3, number));
    }
    let mut displaced: Vec<_> = admission.turned_away().iter().map(|away| away.job.number).collect();
    displaced.sort_unstable();
    assert_eq!(displaced.len(), 3);
    assert!(displaced[0] >= 6, "the newest of the longest give way: {displaced:?}");
    assert_eq!(admission.len(), 10);
}

#[test]
fn those_who_hung_up_keep_nobody_out_and_cost_no_turn() {
    let mut admission = admission(4);
    let gone = Rc::new(Cell::new(false));
    for number in 0..4 {
        let job = Job { number, is_abandoned: Rc::clone(&gone) };
        assert!(admission.offer(job, Class::Login, origin(1, 1, number), Tick(0)).is_ok());
    }
    gone.set(true);
    offer(&mut admission, 4, Class::Login, origin(1, 1, 4));
    assert_eq!(admission.len(), 1);
    let reasons: Vec<_> = admission.turned_away().iter().map(|away| away.reason).collect();
    assert_eq!(reasons, [Reason::Abandoned; 4]);
    assert_eq!(drain(&mut admission), [4]);
}

#[test]
fn a_million_sources_leave_nothing_behind() {
    let mut admission = admission(40);
    let kept = |admission: &Admission<Job>| admission.queues.iter().map(FairQueue::kept).sum::<usize>();
    for number in 0..1_000_000 {
        let origin = origin(number, number % 1000, number);
        drop(admission.offer(job(number), Class::Login, origin, Tick(number / 100)));
        if number % 100 == 0
            && let Some(admitted) = admission.take(Tick(number / 100))
        {
            admission.finish(admitted.pass, Duration::from_millis(100 + number % 3000));
            assert!(admission.len() <= 40 && kept(&admission) <= 40 * 8, "{} are kept", kept(&admission));
        }
        admission.turned_away();
    }
    drain(&mut admission);
    assert_eq!((admission.len(), kept(&admission)), (0, 0));
}

#[test]
fn newcomers_without_end_do_not_keep_others_from_their_next_turn() {
    let mut admission = admission(1000);
    for number in 0..4 {
        offer(&mut admission, number, Class::Login, origin(1, 1, number));
    }
    let mut served = Vec::new();
    for number in 10..60 {
        for newcomer in [number, 100 + number] {
            drop(admission.offer(job(newcomer), Class::Login, origin(newcomer, newcomer, newcomer), Tick(0)));
        }
        let admitted = admission.take(Tick(0)).unwrap();
        admission.finish(admitted.pass, Duration::from_millis(100));
        served.push(admitted.job.number);
    }
    let turns: Vec<_> = (0..50).filter(|turn| served[*turn] < 4).collect();
    assert!(turns.len() == 4, "served at {turns:?}");
}

#[test]
fn a_job_that_took_long_is_paid_for_in_turns() {
    let mut admission = admission(1000);
    for number in 0..20 {
        offer(&mut admission, number, Class::Login, origin(1, 1, number));
        offer(&mut admission, 20 + number, Class::Login, origin(2, 2, 20 + number));
    }
    let mut took_ms = [0, 0];
    for _ in 0..15 {
        let admitted = admission.take(Tick(0)).unwrap();
        let party = usize::from(admitted.job.number >= 20);
        let job_ms = [500, 100][party];
        took_ms[party] += job_ms;
        admission.finish(admitted.pass, Duration::from_millis(job_ms));
    }
    assert!(took_ms[0].abs_diff(took_ms[1]) <= 500, "{took_ms:?}");
}

/// Something that happens to a queue.
#[derive(Clone, Debug)]
enum Happens {
    Add {
        source: u64,
        domain: u64,
        account: u64,
        weight: u32,
    },
    Take,
    /// Which one, and what it has cost beyond a share.
    Finish(usize, u32),
    Remove(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..4_u64, 0..4_u64, 0..3_u64).prop_map(|(source, domain, account)| Happens::Add {
            source,
            domain,
            account: domain * 10 + account,
            weight: if source == 0 { 3 } else { 1 },
        }),
        3 => Just(Happens::Take),
        2 => (any::<usize>(), prop_oneof![Just(0), 0..40_u32]).prop_map(|(index, more)| Happens::Finish(index, more)),
        1 => any::<usize>().prop_map(Happens::Remove),
    ]
}

proptest! {
    /// Every job comes out once; nothing is held back but jobs of accounts that have one running;
    /// and nothing is left behind.
    #[test]
    fn a_fair_queue_loses_nothing_and_holds_nothing_back(story in prop::collection::vec(happens(), 0..200)) {
        let mut queue = FairQueue::default();
        let mut waiting = BTreeMap::new();
        let mut running = BTreeMap::new();
        let mut count = 0;
        for happens in story {
            match happens {
                Happens::Add { source, domain, account, weight } => {
                    queue.add(count, Origin { source, domain, account, weight }, Tick(0));
                    waiting.insert(count, account);
                    count += 1;
                }
                Happens::Take => match queue.take(Tick(0)) {
                    Some(taken) => {
                        prop_assert_eq!(waiting.remove(&taken.job), Some(taken.origin.account));
                        prop_assert!(running.insert(taken.origin.account, taken.origin).is_none(), "two of one account");
                    }
                    None => prop_assert!(waiting.values().all(|account| running.contains_key(account))),
                },
                Happens::Finish(index, more) if !running.is_empty() => {
                    let account = *running.keys().nth(index % running.len()).unwrap();
                    queue.finish(running.remove(&account).unwrap(), more);
                }
                Happens::Remove(index) if !waiting.is_empty() => {
                    let number = *waiting.keys().nth(index % waiting.len()).unwrap();
                    let removed = queue.remove(number).unwrap();
                    prop_assert_eq!(waiting.remove(&number), Some(removed.origin.account));
                    if index % 2 == 0 {
                        queue.turn_to_newest(removed.origin);
                    }
                }
                Happens::Finish(..) | Happens::Remove(_) => {}
            }
            prop_assert_eq!(queue.len(), waiting.len());
        }
        running.into_values().for_each(|origin| queue.finish(origin, 0));
        while let Some(taken) = queue.take(Tick(0)) {
            prop_assert!(waiting.remove(&taken.job).is_some());
            queue.finish(taken.origin, 0);
        }
        prop_assert!(waiting.is_empty());
        prop_assert_eq!(queue.kept(), 0);
    }
}
