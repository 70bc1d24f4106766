use proptest::prelude::*;

use super::*;

const FLOW: Flow = Flow { count: 4, period: Duration::from_secs(60) };

fn place(index: u8) -> IpAddr {
    [192, 0, 2, index].into()
}

/// A login to one account: what was found, or `None` if the password was not looked at.
fn login(guesses: &Guesses, from: u8, mark: u32, finding: Finding, second: u64) -> Option<Settled> {
    let now = Tick(second * 1000);
    let guess = Guess {
        address: "alice@example.com",
        place: place(from),
        is_front_end: from >= 100,
        flow: FLOW,
        mark: Some(mark),
    };
    guesses.begin(&guess, now).ok().map(|attempt| guesses.settle(attempt, finding, now))
}

fn wrong(guesses: &Guesses, from: u8, mark: u32, second: u64) -> Option<Settled> {
    login(guesses, from, mark, Finding::Wrong, second)
}

#[test]
fn a_stranger_has_half_at_once_and_in_an_hour_no_more_than_all() {
    let guesses = Guesses::default();
    let seconds = 0..7200;
    let taken: Vec<u64> =
        seconds.filter(|second| wrong(&guesses, 1, 10 + *second as u32, *second) == Some(Settled::Failed)).collect();
    assert_eq!(taken, [0, 1, 900, 1800, 2700, 3600, 4500, 5400, 6300]);
}

#[test]
fn strangers_share_a_budget_and_none_else_pays_for_them() {
    let guesses = Guesses::default();
    assert_eq!(login(&guesses, 50, 1, Finding::Right, 0), Some(Settled::Forgiven(0)));
    for from in 1..=4 {
        assert_eq!(wrong(&guesses, from, 10, 0), Some(Settled::Failed));
    }
    assert_eq!(wrong(&guesses, 5, 10, 0), None);
    assert_eq!(login(&guesses, 5, 1, Finding::Right, 0), None, "a newcomer waits");
    for from in [50, 100, 101] {
        for mark in 10..14 {
            assert_eq!(wrong(&guesses, from, mark, 0), Some(Settled::Failed), "{from}");
        }
        assert_eq!(wrong(&guesses, from, 14, 0), None);
        assert_eq!(wrong(&guesses, from, 14, 16), Some(Settled::Failed));
    }
    assert_eq!(login(&guesses, 5, 1, Finding::Right, 16), Some(Settled::Forgiven(0)), "and not for long");
    let guess = |flow| Guess { address: "bob@example.com", place: place(1), is_front_end: false, flow, mark: None };
    let none = Flow { count: 1, ..FLOW };
    let first = guesses.begin(&guess(none), Tick(0)).unwrap();
    assert_eq!(guesses.begin(&guess(none), Tick(0)).unwrap_err(), STRANGER_PERIOD_MIN, "not even at the same time");
    assert_eq!(guesses.settle(first, Finding::Nothing, Tick(0)), Settled::Even);
    assert!(guesses.begin(&guess(none), Tick(0)).is_ok());
}

#[test]
fn the_same_wrong_password_again_is_no_other_guess() {
    let guesses = Guesses::default();
    assert_eq!(wrong(&guesses, 1, 10, 0), Some(Settled::Failed));
    assert_eq!([(); 50].map(|()| wrong(&guesses, 1, 10, 0)), [Some(Settled::Even); 50]);
    assert_eq!(wrong(&guesses, 1, 11, 0), Some(Settled::Failed));
    assert_eq!(wrong(&guesses, 1, 12, 0), None);
    assert_eq!(wrong(&guesses, 1, 10, 0), Some(Settled::Even), "it is looked at: it may be right by now");
    assert_eq!(login(&guesses, 1, 10, Finding::Right, 0), Some(Settled::Forgiven(2)));
    assert_eq!(wrong(&guesses, 1, 10, 0), Some(Settled::Failed), "a new account");
}

#[test]
fn the_password_of_an_application_settles_nothing() {
    let guesses = Guesses::default();
    assert_eq!(wrong(&guesses, 1, 10, 0), Some(Settled::Failed));
    for second in 0..20 {
        assert_eq!(login(&guesses, 1, 1, Finding::OfApplication, second), Some(Settled::Even));
    }
    assert_eq!(wrong(&guesses, 1, 11, 20), Some(Settled::Failed));
    assert_eq!(wrong(&guesses, 1, 12, 20), None, "as before");
}

#[test]
fn an_account_is_known_from_the_last_few_places() {
    let guesses = Guesses::default();
    for from in 1..=5 {
        assert_eq!(login(&guesses, from, 1, Finding::Right, from.into()), Some(Settled::Forgiven(0)));
    }
    let burst = |from: u8| (10..20).filter(|mark| wrong(&guesses, from, *mark, 10).is_some()).count();
    assert_eq!([5, 4, 3, 2, 1].map(burst), [4, 4, 4, 4, 2]);
}

#[test]
fn a_mark_that_is_zero_is_a_mark() {
    let guesses = Guesses::default();
    assert_eq!(wrong(&guesses, 1, 0, 0), Some(Settled::Failed));
    assert_eq!(wrong(&guesses, 1, 0, 0), Some(Settled::Even));
}

/// One thing that happens to an account.
#[derive(Clone, Debug)]
enum Happens {
    Login { from: u8, mark: u32, is_right: bool },
    Passes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let froms = prop_oneof![4 => 1..8_u8, 1 => 100..102_u8];
    let login = (froms, 10..40_u32, prop::bool::weighted(0.05));
    prop_oneof![
        5 => login.prop_map(|(from, mark, is_right)| Happens::Login { from, mark, is_right }),
        1 => (0..30_u64).prop_map(Happens::Passes),
    ]
}

proptest! {
    /// In any time t no more than N + N t/T are looked at and wrong, of strangers and of each place
    /// that has its own budget; and whoever has one is never refused for what others did.
    #[test]
    fn promises_are_kept(story in prop::collection::vec(happens(), 0..400)) {
        let guesses = Guesses::default();
        let (mut second, mut known) = (0, Vec::new());
        // Who paid, and when: 0 for all strangers.
        let mut paid: Vec<(u8, u64)> = Vec::new();
        for event in story {
            let (from, mark, is_right) = match event {
                Happens::Passes(seconds) => {
                    second += seconds;
                    continue;
                }
                Happens::Login { from, mark, is_right } => (from, mark, is_right),
            };
            // No two at once, so that it is known which place was seen last.
            second += 1;
            let is_own = from >= 100 || known.contains(&from);
            let finding = if is_right { Finding::Right } else { Finding::Wrong };
            let payer = if is_own { from } else { 0 };
            match login(&guesses, from, mark, finding, second) {
                Some(Settled::Failed) => paid.push((payer, second)),
                Some(Settled::Forgiven(_)) => {
                    paid.retain(|(payer, _)| *payer != from);
                    known.retain(|other| *other != from);
                    known.extend((from < 100).then_some(from));
                    known = known.split_off(known.len().saturating_sub(PLACES_MAX));
                }
                Some(Settled::Even) => {}
                None if is_own => {
                    let own = paid.iter().filter(|(payer, then)| *payer == from && second - then <= 60).count();
                    prop_assert!(own >= 1, "{from} was refused for what others did");
                }
                None => {}
            }
            let mine: Vec<u64> = paid.iter().filter(|(other, _)| *other == payer).map(|(_, then)| *then).collect();
            for (index, then) in mine.iter().enumerate() {
                let (count, time) = ((mine.len() - index) as u64, second - then);
                let most = u64::from(FLOW.count) * (60 + time) / 60;
                prop_assert!(count <= most, "{count} in {time} s, and {most} may be");
            }
        }
    }
}
