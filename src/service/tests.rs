use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use super::world::{COST, IMPORTED, SETTINGS, World, postmaster, secret, verification, wait_until};
use super::{Answer, Count, Request, Service, ServiceSettings, Ticket, lock};
use crate::auth::prove;
use crate::auth::{Credentials, ScramVerifier};
use crate::control::Action;
use crate::model::{Argon2idCost, Authenticated, Evidence, LoginName, NewPasswordRefusal, ScramHash, ScramOffer, Tick};
use crate::proto::sasl::Question;
use crate::proto::{ChangeOutcome, CommandOutcome, Denial, Told, Verdict};
use crate::store::CommitFault;

mod keeping;

fn change(proof: Box<Authenticated>, password: &str) -> Request {
    Request::Change { proof, secret: secret(password) }
}

/// Changes the postmaster's password to `password` and returns the outcome.
fn changed(world: &World, service: &Service, proof: Box<Authenticated>, password: &str) -> ChangeOutcome {
    match world.ask(service, change(proof, password)) {
        Answer::Changed(outcome) => outcome,
        answer @ (Answer::Told(_)
        | Answer::Verified(_)
        | Answer::Executed(_)
        | Answer::Handshaken(_)
        | Answer::Part { .. }) => {
            panic!("{answer:?} to a change")
        }
    }
}

/// The outcome without what it carries.
fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Told(Told::Scram(_)) => "told",
        Answer::Verified(Verdict::Accepted(_)) => "accepted",
        Answer::Verified(Verdict::Denied(_)) => "denied",
        Answer::Verified(Verdict::TooManyFailures { .. }) => "too many",
        Answer::Told(Told::Busy { .. })
        | Answer::Verified(Verdict::Busy { .. })
        | Answer::Changed(ChangeOutcome::Busy { .. }) => "busy",
        Answer::Told(Told::Fault) | Answer::Verified(Verdict::Fault) | Answer::Changed(ChangeOutcome::Fault(_)) => {
            "fault"
        }
        Answer::Changed(ChangeOutcome::Changed(_)) => "changed",
        Answer::Changed(ChangeOutcome::Refused(..)) => "refused",
        Answer::Changed(ChangeOutcome::Conflict) => "conflict",
        Answer::Changed(ChangeOutcome::Unknown) => "unknown",
        Answer::Executed(CommandOutcome::Answered { .. }) => "answered",
        Answer::Executed(CommandOutcome::Part(_)) | Answer::Part { .. } => "part",
        Answer::Executed(CommandOutcome::Broken) => "broken",
        Answer::Executed(CommandOutcome::Expired) => "expired",
        Answer::Handshaken(_) => "handshaken",
    }
}

fn asked(world: &World, service: &Service, login: &str, hash: ScramHash) -> ScramOffer {
    let login = LoginName::new(login.as_bytes()).unwrap();
    let answer = world.ask(service, Request::Ask { question: Question::Scram { login, hash }, domain: None });
    let Answer::Told(Told::Scram(offer)) = answer else { panic!("{answer:?} to a question") };
    *offer
}

#[test]
fn whoever_asks_how_to_prove_a_password_does_not_learn_whose_accounts_there_are() {
    let world = World::new();
    let hash = ScramHash::Sha256;
    let verifier = ScramVerifier::derive(hash, &secret("old secret")).unwrap();
    let credentials = Credentials { scram: vec![verifier.clone()], ..world.account().credentials };
    world.commit(&world.directory.set_password(&postmaster(), credentials).unwrap());
    let service = world.start(SETTINGS);
    for spelling in ["postmaster", "Postmaster@Example.com", "postmaster%example.com"] {
        assert_eq!(asked(&world, &service, spelling, hash).salt, verifier.salt, "{spelling}");
    }
    // Without a verifier, without an account, and in no domain of ours.
    for (spellings, hash) in [
        (["postmaster", "POSTMASTER@example.com"], ScramHash::Sha1),
        (["nobody", "Nobody%example.com"], hash),
        (["nobody@example.net", "NOBODY@EXAMPLE.NET"], hash),
        (["a@b@c d", "A@B@C d"], hash),
    ] {
        let [one, other] = spellings.map(|spelling| asked(&world, &service, spelling, hash));
        assert_eq!((one.salt, one.iterations), (other.salt, verifier.iterations), "{spellings:?}");
        assert!(one.nonce != other.nonce && one.salt != verifier.salt);
    }
    assert_eq!(service.snapshot().of(Count::Hashes), 0, "none of this costs a hash");
    service.stop();
}

#[test]
fn a_login_by_a_proof_changes_the_password_to_another_one() {
    let world = World::new();
    let hash = ScramHash::Sha1;
    let verifier = ScramVerifier::derive(hash, &secret("old secret")).unwrap();
    let credentials = Credentials { scram: vec![verifier.clone()], ..world.account().credentials };
    world.commit(&world.directory.set_password(&postmaster(), credentials).unwrap());
    let service = world.start(SETTINGS);
    let login = |name: &str, password: &str| {
        let evidence = Evidence::Scram(Box::new(prove(password, &verifier, b"message")));
        let login = LoginName::new(name.as_bytes()).unwrap();
        let answer = world.ask(&service, Request::Verify { login, domain: None, evidence, is_under_tls: false });
        let Answer::Verified(verdict) = answer else { panic!("{answer:?} to a login") };
        verdict
    };
    for (name, denial) in [("postmaster", Denial::WrongPassword(postmaster())), ("nobody", Denial::UnknownAccount)] {
        let Verdict::Denied(denied) = login(name, "wrong secret") else { panic!("{name} is let in") };
        assert_eq!(denied, denial);
    }
    let Verdict::Accepted(proof) = login("postmaster", "old secret") else { panic!("a right proof is refused") };
    assert_eq!(service.snapshot().of(Count::Hashes), 0, "none of this costs a hash");
    let outcome = changed(&world, &service, proof, "old secret");
    let ChangeOutcome::Refused(proof, NewPasswordRefusal::SameAsOld) = outcome else { panic!("{outcome:?}") };
    let ChangeOutcome::Changed(_) = changed(&world, &service, proof, "new secret") else { panic!("no change") };
    let Verdict::Denied(_) = login("postmaster", "old secret") else { panic!("the old password is let in") };
    service.stop();
}

#[test]
fn a_login_is_accepted_for_the_right_password_alone_and_always_costs_a_hash() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let Verdict::Accepted(proof) = world.verify(&service, "Postmaster", "old secret") else { panic!() };
    assert_eq!(proof.account(), &postmaster());
    let check = |login: &str, password: &str, expected: Denial| {
        let Verdict::Denied(denial) = world.verify(&service, login, password) else { panic!("{login} is let in") };
        assert_eq!(denial, expected);
    };
    check("postmaster", "wrong secret", Denial::WrongPassword(postmaster()));
    check("nobody", "old secret", Denial::UnknownAccount);
    check("a@b@c d", "old secret", Denial::UnknownAccount);
    world.set("AccessModes", "None");
    check("postmaster", "old secret", Denial::Disabled(postmaster()));
    check("postmaster", "wrong secret", Denial::Disabled(postmaster()));
    let snapshot = service.snapshot();
    assert_eq!(snapshot.of(Count::Hashes), 6);
    assert_eq!([Count::Accepted, Count::UnknownAccount, Count::Disabled].map(|count| snapshot.of(count)), [1, 2, 2]);
    service.stop();
}

#[test]
fn names_with_and_without_an_account_are_refused_alike_and_unseen() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let guess = |login: &str, round: usize| {
        let request = verification(login, &format!("wrong secret {round}"));
        kind(&world.ask(&service, request))
    };
    // Half of ten, for one place.
    let expected = ["denied", "denied", "denied", "denied", "denied", "too many", "too many"];
    for spellings in
        [["postmaster", "Postmaster@example.com"], ["nobody", "NOBODY%example.com"], ["a@b@c d", "A@b@c D"]]
    {
        let heard: Vec<_> = (0..7).map(|round| guess(spellings[round % 2], round)).collect();
        assert_eq!(heard, expected, "{spellings:?}");
    }
    assert_eq!(guess("postmaster", 4), "denied", "the same again is no other guess");
    assert_eq!(kind(&world.ask(&service, verification("postmaster", "old secret"))), "too many");
    let snapshot = service.snapshot();
    assert_eq!([Count::Hashes, Count::AccountFailures].map(|count| snapshot.of(count)), [16, 7]);
    service.stop();
}

#[test]
fn an_account_that_may_not_log_in_is_refused_like_others() {
    let world = World::new();
    world.set("AccessModes", "None");
    let service = world.start(SETTINGS);
    let guess = |round: usize| kind(&world.ask(&service, verification("postmaster", &format!("wrong secret {round}"))));
    assert_eq!([0, 1, 2, 3, 4, 5].map(guess), ["denied", "denied", "denied", "denied", "denied", "too many"]);
    service.stop();
}

#[test]
fn a_blocked_address_with_an_open_session_logs_in_no_more() {
    let world = World::new();
    let control = world.control();
    let service = world.start_with(SETTINGS, &control);
    let ask = || kind(&world.ask(&service, verification("postmaster", "old secret")));
    assert_eq!(ask(), "accepted");
    control.carry_out(Action::Block(vec![(world.ticket(1).peer, None)])).unwrap();
    assert_eq!(ask(), "too many");
    control.carry_out(Action::Unblock(world.ticket(1).peer)).unwrap();
    assert_eq!(ask(), "accepted");
    let snapshot = service.snapshot();
    assert_eq!([Count::Hashes, Count::AddressFailures].map(|count| snapshot.of(count)), [2, 1]);
    service.stop();
}

#[test]
fn a_changed_password_is_in_force_when_the_answer_comes_and_the_proof_goes_on() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let mut proof = world.proof();
    for (round, password) in ["first", "second", "third"].into_iter().enumerate() {
        let ChangeOutcome::Changed(renewed) = changed(&world, &service, proof, password) else { panic!("{password}") };
        proof = renewed;
        assert!(matches!(world.verify(&service, "postmaster", password), Verdict::Accepted(_)), "round {round}");
        assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Denied(_)));
    }
    assert!(matches!(
        changed(&world, &service, proof, "third"),
        ChangeOutcome::Refused(_, NewPasswordRefusal::SameAsOld)
    ));
    service.stop();
}

#[test]
fn a_login_through_an_imported_hash_upgrades_it_and_the_proof_goes_on() {
    let world = World::new();
    world.import(IMPORTED);
    let before = world.account();
    let service = world.start(SETTINGS);
    assert!(matches!(world.verify(&service, "postmaster", "wrong secret"), Verdict::Denied(_)));
    let Verdict::Accepted(proof) = world.verify(&service, "postmaster", "old secret") else { panic!() };
    wait_until(&service, Count::Upgraded, 1);
    let after = world.account();
    assert!(before.credentials.needs_upgrade(COST) && !after.credentials.needs_upgrade(COST));
    assert_eq!(after.credentials.changed_at, before.credentials.changed_at);
    assert!(matches!(world.verify(&service, "postmaster", "wrong secret"), Verdict::Denied(_)));
    assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Accepted(_)));
    let outcome = changed(&world, &service, proof, "new secret");
    assert!(matches!(outcome, ChangeOutcome::Changed(_)), "{outcome:?}");
    let counters = Arc::clone(&service.inner.counters);
    service.stop();
    let snapshot = counters.snapshot(Tick(0));
    assert_eq!((snapshot.of(Count::Upgraded), snapshot.of(Count::UpgradesGivenUp)), (1, 0));
}

#[test]
fn another_cost_takes_effect_with_the_next_login() {
    let world = World::new();
    let cost = Argon2idCost { t: 2, ..COST };
    let service = world.start(ServiceSettings { cost, ..SETTINGS });
    assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Accepted(_)));
    wait_until(&service, Count::Upgraded, 1);
    assert!(!world.account().credentials.needs_upgrade(cost));
    service.stop();
}

#[test]
fn an_upgrade_that_cannot_be_written_is_given_up_in_silence() {
    let world = World::new();
    world.import(IMPORTED);
    let before = world.account();
    world.store.fail_commits(CommitFault::Unknown("the disk is full".into()));
    let service = world.start(SETTINGS);
    assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Accepted(_)));
    wait_until(&service, Count::UpgradesGivenUp, 1);
    assert_eq!(world.account().credentials, before.credentials);
    service.stop();
}

#[test]
fn of_two_changes_on_one_proven_password_exactly_one_happens() {
    for round in 0..20 {
        let world = World::new();
        let service = world.start(SETTINGS);
        let passwords = [format!("left {round}"), format!("right {round}")];
        let proofs = [world.proof(), world.proof()];
        for (session, (password, proof)) in passwords.iter().zip(proofs).enumerate() {
            assert!(service.submit(change(proof, password), &world.ticket(session as u64)).is_none());
        }
        let answers = world.answers(2);
        let mut kinds = [kind(&answers[0].1), kind(&answers[1].1)];
        let winner = kinds.iter().position(|kind| *kind == "changed").unwrap();
        kinds.sort_unstable();
        assert_eq!(kinds, ["changed", "conflict"]);
        assert!(matches!(world.verify(&service, "postmaster", &passwords[winner]), Verdict::Accepted(_)));
        assert!(matches!(world.verify(&service, "postmaster", &passwords[1 - winner]), Verdict::Denied(_)));
        service.stop();
    }
}

#[test]
fn a_change_is_refused_before_it_costs_a_hash() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let check = |password: &str, expected: NewPasswordRefusal| {
        let outcome = changed(&world, &service, world.proof(), password);
        let ChangeOutcome::Refused(proof, refusal) = outcome else { panic!("{password} is taken") };
        assert_eq!((proof.account(), refusal), (&postmaster(), expected));
    };
    check("abc", NewPasswordRefusal::TooShort { characters_min: 4 });
    check("POSTmaster", NewPasswordRefusal::SameAsName);
    check("old secret", NewPasswordRefusal::SameAsOld);
    service.apply(SETTINGS.queue_time_max, 64, 11);
    check("ten bytes!", NewPasswordRefusal::TooShort { characters_min: 11 });
    world.set("PWDAllowed", "NO");
    check("long enough", NewPasswordRefusal::NotAllowed);
    world.set("PWDAllowed", "YES");
    world.set("AccessModes", "None");
    check("long enough", NewPasswordRefusal::NotAllowed);
    assert_eq!(service.snapshot().of(Count::Hashes), 0);
    service.stop();
}

#[test]
fn a_password_changed_elsewhere_is_a_conflict_before_it_costs_a_hash() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let stale = world.proof();
    assert_eq!(kind(&Answer::Changed(changed(&world, &service, world.proof(), "another one"))), "changed");
    let hashes = service.snapshot().of(Count::Hashes);
    assert!(matches!(changed(&world, &service, stale, "yet another"), ChangeOutcome::Conflict));
    assert_eq!(service.snapshot().of(Count::Hashes), hashes);
    service.stop();
}

/// One worker, which is held up while reading for session 1.
fn held_up(world: &World, queue_length_max: usize) -> Service {
    let service = world.start(ServiceSettings { workers: 1, queue_length_max, ..SETTINGS });
    world.store.hold_reads(true);
    assert!(service.submit(verification("postmaster", "old secret"), &world.ticket(1)).is_none());
    wait_until(&service, Count::Begun, 1);
    service
}

#[test]
fn a_job_whose_client_hung_up_is_answered_without_a_hash() {
    let world = World::new();
    let service = held_up(&world, 64);
    let gone = world.ticket(2);
    assert!(service.submit(verification("postmaster", "old secret"), &gone).is_none());
    assert!(service.submit(verification("postmaster", "old secret"), &world.ticket(3)).is_none());
    gone.abandoned.store(true, Ordering::Relaxed);
    world.store.hold_reads(false);
    let answers = world.answers(3);
    assert_eq!(answers.iter().map(|(session, _)| *session).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(matches!(answers[1].1, Answer::Verified(Verdict::Busy { .. })));
    let snapshot = service.snapshot();
    assert_eq!([Count::Abandoned, Count::Hashes, Count::Begun].map(|count| snapshot.of(count)), [1, 2, 2]);
    service.stop();
}

#[test]
fn a_job_beyond_the_queues_length_is_turned_away_at_once() {
    let world = World::new();
    let proofs = [world.proof(), world.proof()];
    let service = held_up(&world, 1);
    assert!(service.submit(verification("postmaster", "old secret"), &world.ticket(2)).is_none());
    let answer = service.submit(verification("postmaster", "old secret"), &world.ticket(3)).unwrap();
    assert!(matches!(answer, Answer::Verified(Verdict::Busy { retry_after_s: 2.. })), "{answer:?}");
    let [proof, other] = proofs;
    assert!(service.submit(change(proof, "new secret"), &world.ticket(4)).is_none(), "a login gives way to a change");
    match service.submit(change(other, "new secret"), &world.ticket(5)) {
        Some(Answer::Changed(ChangeOutcome::Busy { proof, .. })) => assert_eq!(proof.account(), &postmaster()),
        other => panic!("{other:?}"),
    }
    let snapshot = service.snapshot();
    assert_eq!([Count::Waiting, Count::Busy, Count::Displaced].map(|count| snapshot.of(count)), [1, 2, 1]);
    service.apply(SETTINGS.queue_time_max, 2, 4);
    assert!(service.submit(verification("nobody", "old secret"), &world.ticket(6)).is_none());
    world.store.hold_reads(false);
    let kinds: Vec<_> = world.answers(4).iter().map(|(session, answer)| (*session, kind(answer))).collect();
    assert_eq!(kinds, [(1, "accepted"), (2, "busy"), (4, "changed"), (6, "denied")]);
    service.stop();
}

#[test]
fn a_domain_in_which_an_account_was_found_is_not_crowded_out_by_invented_ones() {
    const QUEUE_LENGTH_MAX: u8 = 32;
    let world = World::new();
    for is_known in [false, true] {
        let queue_length_max = usize::from(QUEUE_LENGTH_MAX);
        let service = world.start(ServiceSettings { workers: 1, queue_length_max, ..SETTINGS });
        if is_known {
            assert!(matches!(world.verify(&service, "postmaster", "wrong secret"), Verdict::Denied(_)));
        }
        world.store.hold_reads(true);
        let login = |name: &str, session| {
            let peer = [192, 0, 2, session].into();
            service.submit(verification(name, "secret"), &Ticket { peer, ..world.ticket(session.into()) })
        };
        let begun = service.snapshot().of(Count::Begun);
        assert!(login("user@invented.example", 0).is_none());
        wait_until(&service, Count::Begun, begun + 1);
        for number in 1..=QUEUE_LENGTH_MAX {
            assert!(login(&format!("user@invented{number}.example"), number).is_none(), "{number}");
        }
        assert!(login("user@another.example", 100).is_some());
        assert_eq!(login("user@example.com", 101).is_none(), is_known);
        world.store.hold_reads(false);
        world.answers(1 + usize::from(QUEUE_LENGTH_MAX) + usize::from(is_known));
        service.stop();
    }
}

#[test]
fn stopping_finishes_what_is_queued() {
    let world = World::new();
    let proof = world.proof();
    let service = held_up(&world, 64);
    for session in 2..10 {
        assert!(service.submit(verification("postmaster", "old secret"), &world.ticket(session)).is_none());
    }
    assert!(service.submit(change(proof, "new secret"), &world.ticket(10)).is_none());
    let other_handle = service.clone();
    world.store.hold_reads(false);
    service.stop();
    let kinds: Vec<_> = world.answers(10).iter().map(|(_, answer)| kind(answer)).collect();
    assert!(kinds[..9].iter().all(|kind| ["accepted", "denied"].contains(kind)), "before or after the change");
    assert_eq!(kinds[9], "changed");
    let late = other_handle.submit(verification("postmaster", "old secret"), &world.ticket(11));
    assert_eq!(kind(&late.unwrap()), "busy");
}

#[test]
fn a_store_that_cannot_be_read_is_a_fault_and_costs_no_hash() {
    let world = World::new();
    let service = world.start(SETTINGS);
    let proof = world.proof();
    world.store.fail_reads(true);
    assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Fault));
    let ChangeOutcome::Fault(proof) = changed(&world, &service, proof, "new secret") else { panic!() };
    assert_eq!(service.snapshot().of(Count::Hashes), 0);
    world.store.fail_reads(false);
    assert!(matches!(changed(&world, &service, proof, "new secret"), ChangeOutcome::Changed(_)));
    service.stop();
}

/// A sync that failed leaves the new password possibly written, so the client hears that; after
/// that the store is closed, nothing is written, and nobody hears of success.
#[test]
fn a_failed_sync_is_never_answered_with_success() {
    let world = World::new();
    let service = world.start(SETTINGS);
    world.store.fail_commits(CommitFault::Unknown("the sync failed".into()));
    assert!(matches!(changed(&world, &service, world.proof(), "new secret"), ChangeOutcome::Unknown));
    world.store.fail_commits(CommitFault::Closed("the sync failed".into()));
    for _ in 0..3 {
        let ChangeOutcome::Fault(proof) = changed(&world, &service, world.proof(), "new secret") else { panic!() };
        assert_eq!(proof.account(), &postmaster());
    }
    assert!(matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Accepted(_)));
    assert_eq!(service.snapshot().of(Count::Changed), 0);
    service.stop();
}

/// Collects every event as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut lock(&self.0)));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

/// The log of the service is written by its own threads, so this test takes the process's default
/// subscriber; other tests only add to what is searched.
#[test]
fn no_secret_is_printed_or_logged() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let world = World::new();
    let service = world.start(SETTINGS);
    let mut printed =
        format!("{:?} {:?}", verification("postmaster", "sesame one"), change(world.proof(), "sesame two"));
    for password in ["old secret", "sesame three"] {
        write!(printed, "{:?}", world.verify(&service, "postmaster", password)).unwrap();
    }
    world.store.fail_reads(true);
    write!(printed, "{:?}", world.verify(&service, "postmaster", "sesame four")).unwrap();
    world.store.fail_reads(false);
    let outcome = changed(&world, &service, world.proof(), "sesame five");
    write!(printed, "{outcome:?} {service:?}").unwrap();
    world.store.fail_commits(CommitFault::Unknown("the sync failed".into()));
    let ChangeOutcome::Changed(proof) = outcome else { panic!() };
    write!(printed, "{:?}", changed(&world, &service, proof, "sesame six")).unwrap();
    service.stop();
    let logged = lock(&log.0).clone();
    assert!(logged.contains("the disk is gone") && logged.contains("the sync failed"), "{logged}");
    for text in [&printed, &logged] {
        assert!(!text.contains("sesame") && !text.contains("old secret"), "{text}");
    }
}
