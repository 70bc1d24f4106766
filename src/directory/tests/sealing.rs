//! Accounts under seal.

use super::*;
use crate::auth::MasterKey;

fn key(digit: char) -> MasterKey {
    MasterKey::parse(&digit.to_string().repeat(64)).unwrap()
}

/// Lets `world` use the keys that `digits` stand for.
fn take(world: &World, digits: &str) {
    let keys = || digits.chars().map(key).collect::<Vec<_>>();
    if let Some(naming) = world.directory.check_keys(&keys()).unwrap() {
        world.commit(Ok(naming));
    }
    world.directory.use_keys(keys()).unwrap();
}

fn sealed() -> World {
    let world = World::furnished();
    take(&world, "a");
    reseal(&world);
    world
}

/// Brings all accounts under the key that seals, in small pages; returns how many needed it.
fn reseal(world: &World) -> usize {
    let (mut count, mut last) = (0, None);
    loop {
        let page = world.directory.reseal(last.as_ref(), 2).unwrap();
        if page.seen == 0 {
            return count;
        }
        count += page.transactions.len();
        page.transactions.into_iter().for_each(|transaction| world.commit(Ok(transaction)));
        last = page.last;
    }
}

fn image(world: &World, account: &str) -> Vec<u8> {
    world.store.read(&keys::account(&name(account))).unwrap().unwrap().bytes
}

fn tag(world: &World, account: &str) -> Vec<Verifier> {
    world.directory.account(&name(account)).unwrap().unwrap().credentials.verifiers
}

#[test]
fn a_store_that_was_open_is_sealed_record_by_record() {
    let world = World::furnished();
    let is_open = |account| image(&world, account).windows(32).any(|window| window == [1; 32]);
    assert!(is_open("alice@main.example"));
    take(&world, "a");
    assert_eq!(tag(&world, "alice@main.example"), credentials(1).verifiers);
    assert_eq!(reseal(&world), 3, "postmaster, alice and bob");
    assert!(!is_open("alice@main.example") && !is_open("bob@other.example"));
    assert_eq!(tag(&world, "alice@main.example"), credentials(1).verifiers);
    assert_eq!(reseal(&world), 0);
}

#[test]
fn an_account_takes_its_password_along_to_another_name() {
    let world = sealed();
    let directory = &world.directory;
    world.commit(directory.rename_account(&name("alice@main.example"), &name("carol@other.example")));
    assert_eq!(tag(&world, "carol@other.example"), credentials(1).verifiers);
    world.commit(directory.rename_domain(&domain("other.example"), &domain("new.example")));
    assert_eq!(tag(&world, "carol@new.example"), credentials(1).verifiers);
    assert_eq!(tag(&world, "bob@new.example"), credentials(1).verifiers);
    assert_eq!(reseal(&world), 0);
}

#[test]
fn a_record_put_in_anothers_place_does_not_open() {
    let world = sealed();
    let stolen = image(&world, "alice@main.example");
    let bob = keys::account(&name("bob@other.example"));
    world.outcome(Transaction { expect: Vec::new(), write: vec![Write::Put(bob, stolen)] });
    let fault = world.directory.account(&name("bob@other.example")).unwrap_err().to_string();
    assert!(fault.contains("does not open"), "{fault}");
    assert!(world.directory.account(&name("alice@main.example")).is_ok());
}

#[test]
fn a_key_that_is_missing_is_noticed_before_any_record_is_read() {
    let world = sealed();
    let missing = KeyFault::Missing(key('a').id());
    for keys in [vec![], vec![key('b')]] {
        assert_eq!(world.directory.check_keys(&keys).unwrap_err(), missing);
    }
    // Under way from one key to another both are needed.
    take(&world, "ba");
    assert_eq!(world.directory.keys_in_use().unwrap(), [key('a').id(), key('b').id()]);
    assert_eq!(world.directory.check_keys(&[key('b')]).unwrap_err(), missing);
    assert_eq!(world.directory.check_keys(&[key('a')]).unwrap_err(), KeyFault::Missing(key('b').id()));
    assert_eq!(reseal(&world), 3);
    world.commit(Ok(world.directory.forget_other_keys().unwrap().unwrap()));
    world.directory.keys_are_named().unwrap();
    assert_eq!(world.directory.forget_other_keys().unwrap(), None);
    assert_eq!(world.directory.check_keys(&[key('b')]), Ok(None));
    take(&world, "b");
    assert_eq!(tag(&world, "bob@other.example"), credentials(1).verifiers);
}

#[test]
fn what_was_sealed_before_the_key_changed_is_not_written_after_it() {
    let world = sealed();
    let account = world.directory.account(&name("alice@main.example")).unwrap().unwrap();
    let change = || world.directory.change_password(&account, credentials(2));
    let creation = || world.directory.create_account(&name("new@main.example"), credentials(3), Dictionary::new());
    let stale = [change(), creation().unwrap()];
    take(&world, "ba");
    for transaction in stale {
        assert_eq!(world.outcome(transaction), Outcome::Conflict);
    }
    let stale = [change(), creation().unwrap()];
    reseal(&world);
    world.commit(Ok(world.directory.forget_other_keys().unwrap().unwrap()));
    for transaction in stale {
        assert_eq!(world.outcome(transaction), Outcome::Conflict);
    }
    world.directory.keys_are_named().unwrap();
    world.commit(creation());
}

#[test]
fn one_account_more_is_found_by_whoever_is_under_way() {
    let world = sealed();
    take(&world, "ba");
    let page = world.directory.reseal(None, 1).unwrap();
    let [transaction] = &page.transactions[..] else { panic!("one page, one account") };
    // Somebody else writes it first, and by that under the new key.
    let account = world.directory.account(page.last.as_ref().unwrap()).unwrap().unwrap();
    world.commit(Ok(world.directory.change_password(&account, credentials(9))));
    assert_eq!(world.outcome(transaction.clone()), Outcome::Conflict);
    assert_eq!(reseal(&world), 2);
}
