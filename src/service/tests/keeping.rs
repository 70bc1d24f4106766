//! What is kept of a password, as settings say.

use super::*;
use crate::auth::{MasterKey, prove_by_digest};
use crate::directory::Scope;
use crate::store::ReadFault;

/// Lets the world seal records, keep the postmaster's password itself, and verifiers for SCRAM.
fn furnished() -> World {
    let world = World::new();
    let keys = vec![MasterKey::parse(&"a".repeat(64)).unwrap()];
    let commit = |naming| {
        world.commit(&naming);
        Ok::<_, ReadFault>(())
    };
    world.directory.use_keys(keys, commit).unwrap();
    world.set("PasswordEncryption", "A-crpt");
    set_scram(&world, "All");
    world
}

fn set_scram(world: &World, methods: &str) {
    let changes = [("SCRAMMethods", methods.into())].into_iter().collect();
    let scope = Scope::Domain(world.directory.main_domain());
    world.commit(&world.directory.update_settings(scope, &changes).unwrap());
}

fn kept(world: &World) -> (usize, usize, Option<Vec<u8>>) {
    let credentials = world.account().credentials;
    let recoverable = credentials.recoverable.map(|secret| secret.expose().to_vec());
    (credentials.verifiers.len(), credentials.scram.len(), recoverable)
}

/// Whether a client that makes its proofs with `verifiers`, from that password, is let in.
fn is_let_in(world: &World, service: &Service, verifiers: &[ScramVerifier], password: &str) -> Vec<bool> {
    let log_in = |verifier: &ScramVerifier| {
        let evidence = Evidence::Scram(Box::new(prove(password, verifier, b"message")));
        let login = LoginName::new(b"postmaster").unwrap();
        let answer = world.ask(service, Request::Verify { login, domain: None, evidence, is_under_tls: false });
        matches!(answer, Answer::Verified(Verdict::Accepted(_)))
    };
    verifiers.iter().map(log_in).collect()
}

/// Whether a client is let in that has this password and proves it by a digest.
fn is_let_in_by_digest(world: &World, service: &Service, login: &str, password: &str) -> bool {
    let evidence = Evidence::Digest(Box::new(prove_by_digest(password, "<1.2@example.com>")));
    let login = LoginName::new(login.as_bytes()).unwrap();
    let answer = world.ask(service, Request::Verify { login, domain: None, evidence, is_under_tls: false });
    matches!(answer, Answer::Verified(Verdict::Accepted(_)))
}

#[test]
fn a_digest_opens_a_login_where_the_password_is_kept_and_failed_ones_count() {
    let world = furnished();
    let service = world.start(SETTINGS);
    let is_let_in = |login: &str, password: &str| is_let_in_by_digest(&world, &service, login, password);
    assert!(!is_let_in("postmaster", "old secret"), "it is not kept yet");
    let ChangeOutcome::Changed(proof) = changed(&world, &service, world.proof(), "first secret") else { panic!() };
    assert!(is_let_in("postmaster", "first secret") && !is_let_in("postmaster", "old secret"));
    assert!(!is_let_in("nobody", "first secret"));
    let ChangeOutcome::Changed(_) = changed(&world, &service, proof, "second secret") else { panic!() };
    assert!(is_let_in("postmaster", "second secret") && !is_let_in("postmaster", "first secret"));
    world.set("UseAppPassword", "NO");
    assert!(!is_let_in("postmaster", "second secret"));
    world.set("UseAppPassword", "YES");
    world.set("FailedLoginFlow", "none of its kind");
    for _ in 0..10 {
        is_let_in("postmaster", "wrong secret");
    }
    assert!(!is_let_in("postmaster", "second secret"), "too many have failed");
    service.stop();
}

#[test]
fn an_account_that_requires_a_secure_method_takes_a_password_under_tls_alone() {
    let world = furnished();
    let service = world.start(SETTINGS);
    let ChangeOutcome::Changed(_) = changed(&world, &service, world.proof(), "first secret") else { panic!() };
    world.set("RequireAPOP", "YES");
    let log_in = |login: &str, password: &str, is_under_tls| {
        let (login, evidence) = (LoginName::new(login.as_bytes()).unwrap(), Evidence::Password(secret(password)));
        let answer = world.ask(&service, Request::Verify { login, domain: None, evidence, is_under_tls });
        let Answer::Verified(verdict) = answer else { panic!("{answer:?} to a login") };
        if let Verdict::Denied(denial) = verdict { Some(denial) } else { None }
    };
    let hashes = || service.snapshot().of(Count::Hashes);
    let before = hashes();
    // Right or wrong, it is looked at, and refused for the same reason.
    assert_eq!(log_in("postmaster", "first secret", false), Some(Denial::InClear(postmaster())));
    assert_eq!(log_in("postmaster", "wrong secret", false), Some(Denial::InClear(postmaster())));
    assert_eq!(log_in("nobody", "first secret", false), Some(Denial::UnknownAccount));
    assert_eq!((hashes(), service.snapshot().of(Count::InClear)), (before + 3, 2));
    assert_eq!(log_in("postmaster", "wrong secret", true), Some(Denial::WrongPassword(postmaster())));
    assert_eq!(log_in("postmaster", "first secret", true), None);
    assert!(is_let_in_by_digest(&world, &service, "postmaster", "first secret"));
    let first = world.account().credentials.scram;
    assert_eq!(is_let_in(&world, &service, &first, "first secret"), [true, true]);
    service.stop();
}

#[test]
fn all_is_derived_in_one_change_and_nothing_verifies_the_old_password_after_it() {
    let world = furnished();
    let service = world.start(SETTINGS);
    let proof = world.proof();
    let groups = || service.snapshot().of(Count::Grouped);
    let before = groups();
    let ChangeOutcome::Changed(proof) = changed(&world, &service, proof, "first secret") else { panic!() };
    assert_eq!((kept(&world), groups()), ((1, 2, Some(b"first secret".to_vec())), before + 1));
    let first = world.account().credentials.scram;
    assert_eq!(is_let_in(&world, &service, &first, "first secret"), [true, true]);

    let ChangeOutcome::Changed(proof) = changed(&world, &service, proof, "second secret") else { panic!() };
    assert_eq!(kept(&world), (1, 2, Some(b"second secret".to_vec())));
    let second = world.account().credentials.scram;
    assert_eq!(is_let_in(&world, &service, &first, "first secret"), [false, false]);
    assert_eq!(is_let_in(&world, &service, &second, "first secret"), [false, false]);
    assert_eq!(is_let_in(&world, &service, &second, "second secret"), [true, true]);
    assert!(matches!(world.verify(&service, "postmaster", "first secret"), Verdict::Denied(_)));

    world.set("PasswordEncryption", "default");
    set_scram(&world, "SCRAM-SHA-256");
    assert_eq!(kept(&world).2, Some(b"second secret".to_vec()), "until the next login or change");
    let ChangeOutcome::Changed(_) = changed(&world, &service, proof, "third secret") else { panic!() };
    assert_eq!(kept(&world), (1, 1, None));
    assert_eq!(world.account().credentials.scram[0].hash(), ScramHash::Sha256);
    service.stop();
}

#[test]
fn a_login_with_the_password_brings_what_is_kept_in_line_with_the_settings() {
    let world = furnished();
    let service = world.start(SETTINGS);
    let change_id = world.account().credentials.change_id;
    let log_in = || matches!(world.verify(&service, "postmaster", "old secret"), Verdict::Accepted(_));
    assert!(log_in());
    wait_until(&service, Count::Upgraded, 1);
    assert_eq!(kept(&world), (1, 2, Some(b"old secret".to_vec())));
    assert!(log_in());
    world.set("PasswordEncryption", "default");
    set_scram(&world, "None");
    assert!(log_in());
    wait_until(&service, Count::Upgraded, 2);
    assert_eq!((kept(&world), world.account().credentials.change_id), ((1, 0, None), change_id));
    service.stop();
}

#[test]
fn a_command_keeps_of_a_password_what_settings_say_that_come_with_it() {
    let world = furnished();
    let service = world.start(SETTINGS);
    let kept_of = |name: &str| {
        let name = crate::model::AccountName::parse(name).unwrap();
        let credentials = world.directory.account(&name).unwrap().unwrap().credentials;
        (credentials.scram.len(), credentials.recoverable.is_some())
    };
    for (line, kept) in [
        ("CREATEACCOUNT alice {Password=\"green barn 9\";}", (2, false)),
        ("CREATEACCOUNT bob {Password=\"green barn 9\";PasswordEncryption=clear;}", (2, true)),
        ("UPDATEACCOUNTSETTINGS alice {PasswordEncryption=A-crpt;Password=\"red barn 9\";}", (2, true)),
        ("SETACCOUNTPASSWORD alice PASSWORD \"blue barn 9\"", (2, true)),
        ("SETACCOUNTSETTINGS alice {Password=\"red barn 9\";}", (2, false)),
    ] {
        let request = Request::Command {
            proof: world.proof(),
            line: crate::proto::CommandLine::new(line.as_bytes()),
            is_inline: true,
        };
        let answer = world.ask(&service, request);
        let Answer::Executed(CommandOutcome::Answered { answer, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(answer, b"200 OK\r\n", "{line}");
        let name = if line.contains("bob") { "bob@example.com" } else { "alice@example.com" };
        assert_eq!(kept_of(name), kept, "{line}");
    }
    service.stop();
}
