//! Accounts under seal.

use super::*;
use crate::auth::MasterKey;

fn key(digit: char) -> MasterKey {
    MasterKey::parse(&digit.to_string().repeat(64)).unwrap()
}

/// Lets `world` use the keys that `digits` stand for.
fn take(world: &World, digits: &str) {
    let keys: Vec<_> = digits.chars().map(key).collect();
    world.directory.check_keys(&keys).unwrap();
    world.directory.use_keys(keys, |naming| durable(world, naming)).unwrap();
}

fn durable(world: &World, transaction: Transaction) -> Result<(), ReadFault> {
    world.commit(Ok(transaction));
    Ok(())
}

fn forget_other_keys(world: &World) {
    world.directory.forget_other_keys(|naming| durable(world, naming)).unwrap();
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
    forget_other_keys(&world);
    assert_eq!(world.directory.keys_in_use().unwrap(), [key('b').id()]);
    assert_eq!(world.directory.check_keys(&[key('b')]), Ok(()));
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
    forget_other_keys(&world);
    for transaction in stale {
        assert_eq!(world.outcome(transaction), Outcome::Conflict);
    }
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

/// What is kept of the password of `alice@main.example`: verifiers for SCRAM, and itself.
fn wanted(world: &World) -> ([bool; 2], bool, bool) {
    let wanted = world.account("alice@main.example").wanted();
    (wanted.scram, wanted.recoverable, wanted.keeps_imported)
}

#[test]
fn how_a_password_is_kept_is_inherited() {
    let world = sealed();
    let (main, alice) = (domain("main.example"), name("alice@main.example"));
    let update = |scope, text: &str| world.commit(world.directory.update_settings(scope, &dictionary(text)));
    assert_eq!(wanted(&world), ([false; 2], false, false));
    update(Scope::AccountDefaults, "{PasswordEncryption=a-crpt;}");
    update(Scope::DomainDefaults, "{SCRAMMethods=All;}");
    assert_eq!(wanted(&world), ([true; 2], true, false));
    update(Scope::DomainAccountDefaults(&main), "{PasswordEncryption=U-crpt;}");
    update(Scope::Domain(&main), "{SCRAMMethods=(scram-sha-256);}");
    assert_eq!(wanted(&world), ([false, true], false, true));
    update(Scope::DomainAccountDefaults(&main), "{ServiceClasses={gold={PasswordEncryption=clear;};};}");
    update(Scope::Account(&alice), "{ServiceClass=gold;}");
    update(Scope::Domain(&main), "{SCRAMMethods=SCRAM-SHA-1;}");
    assert_eq!(wanted(&world), ([true, false], true, false));
    update(Scope::Account(&alice), "{PasswordEncryption=argon2id;}");
    update(Scope::Domain(&main), "{SCRAMMethods=None;}");
    assert_eq!(wanted(&world), ([false; 2], false, false));
    let new = |text: &str| {
        let edit = Edit::Update(dictionary(text));
        world.directory.wanted_with(&name("new@main.example"), &edit).unwrap().recoverable
    };
    assert!(!new("{}") && new("{ServiceClass=gold;}") && new("{PasswordEncryption=A-crpt;}"));
    update(Scope::DomainAccountTemplate(&main), "{PasswordEncryption=clear;}");
    assert!(new("{}") && !new("{PasswordEncryption=default;}"));
}

#[test]
fn what_cannot_be_kept_cannot_be_set() {
    let (open, sealed) = (World::furnished(), sealed());
    let main = domain("main.example");
    let set = |world: &World, text: &str| {
        world.directory.update_settings(Scope::DomainAccountDefaults(&main), &dictionary(text)).err()
    };
    for text in ["{PasswordEncryption=A-crpt;}", "{PasswordEncryption=CLEAR;}"] {
        assert_eq!((set(&open, text), set(&sealed, text)), (Some(DirectoryFault::NothingSeals), None));
        let class = format!("{{ServiceClasses={{gold={text};}};}}");
        assert_eq!((set(&open, &class), set(&sealed, &class)), (Some(DirectoryFault::NothingSeals), None));
    }
    for text in ["{PasswordEncryption=rot13;}", "{PasswordEncryption=(A-crpt);}", "{PasswordEncryption=\"\";}"] {
        assert_eq!(set(&sealed, text), Some(DirectoryFault::UnknownEncryption), "{text}");
    }
    for text in ["{SCRAMMethods=SCRAM-MD5;}", "{SCRAMMethods=(SCRAM-SHA-1,PLAIN);}", "{SCRAMMethods={};}"] {
        assert_eq!(set(&sealed, text), Some(DirectoryFault::UnknownScram), "{text}");
    }
    for text in ["{SCRAMMethods=();}", "{PasswordEncryption=UB-crpt;}", "{PasswordEncryption=argon2id;}"] {
        assert_eq!(set(&open, text), None, "{text}");
    }
}

#[test]
fn what_was_set_before_there_was_a_rule_hinders_nobody() {
    let world = sealed();
    let alice = name("alice@main.example");
    let update = |world: &World, text: &str| world.directory.update_settings(Scope::Account(&alice), &dictionary(text));
    world.commit(update(&world, "{PasswordEncryption=A-crpt;}"));
    // The same store, by a program that has no key, as if nothing had ever been sealed.
    let open = Directory::new(Arc::clone(&world.store), domain("main.example"));
    assert!(open.account(&alice).is_err(), "it is sealed");
    world.commit(Ok(Transaction { expect: Vec::new(), write: vec![Write::Delete(keys::MASTER_KEYS.into())] }));
    world.directory.use_keys(Vec::new(), |naming| durable(&world, naming)).unwrap();
    let record = AccountRecord {
        created_at: 0,
        password_revision: 1,
        aliases: Vec::new(),
        credentials: credentials(1),
        rights: Vec::new(),
        settings: dictionary("{PasswordEncryption=A-crpt;}"),
    };
    let image = record.encode(&alice, &Vault::default());
    world.outcome(Transaction { expect: Vec::new(), write: vec![Write::Put(keys::account(&alice), image)] });
    assert_eq!(wanted(&world), ([false; 2], false, false), "what cannot be sealed is not kept");
    world.commit(update(&world, "{RealName=Alice;}"));
    assert_eq!(update(&world, "{PasswordEncryption=clear;}"), Err(DirectoryFault::NothingSeals));
}
