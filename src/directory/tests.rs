use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::auth::{Vault, Verifier};
use crate::model::Argon2idCost;
use crate::notation::{Dictionary, Form, Value};
use crate::store::{Embedded, Outcome};

mod sealing;

/// Credentials that can be told apart by `number`.
fn credentials(number: u8) -> Credentials {
    let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [number; 16], tag: [number; 32] };
    Credentials { change_id: number.into(), ..Credentials::new(verifier, 1_000 + u64::from(number)) }
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

fn dictionary(text: &str) -> Dictionary {
    let value = Value::parse(text.as_bytes(), Form::Line).unwrap();
    let Value::Dictionary(dictionary) = value else { panic!("{value} is no dictionary") };
    dictionary
}

/// A directory in memory and the store below it.
struct World {
    store: Arc<dyn Store>,
    directory: Directory,
}

impl World {
    /// With the main domain `main.example`, not yet founded.
    fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let directory = Directory::new(Arc::clone(&store), domain("main.example"));
        Self { store, directory }
    }

    /// Founded, with `alice@main.example`, alias `al`, and `bob@other.example`; `other.example` is
    /// also called `alias.example`.
    fn furnished() -> Self {
        let world = Self::new();
        let directory = &world.directory;
        world.commit(directory.found(credentials(0)));
        world.commit(directory.create_domain(&domain("other.example"), 7));
        world.commit(directory.set_domain_aliases(&domain("other.example"), &[domain("alias.example")]));
        for account in ["alice@main.example", "bob@other.example"] {
            world.commit(directory.create_account(&name(account), credentials(1), Dictionary::new()));
        }
        world.commit(directory.set_aliases(&name("alice@main.example"), &[name("al@main.example")]));
        world
    }

    fn outcome(&self, transaction: Transaction) -> Outcome {
        self.store.commit(&[transaction]).unwrap()[0]
    }

    #[track_caller]
    fn commit(&self, changed: Result<Transaction, DirectoryFault>) {
        let outcome = self.outcome(changed.unwrap());
        assert!(matches!(outcome, Outcome::Committed(_)));
    }

    fn account(&self, account: &str) -> Account {
        self.directory.account(&name(account)).unwrap().unwrap()
    }

    fn resolve(&self, login: &[u8], domain: Option<&DomainName>) -> Option<String> {
        let login = LoginName::new(login).unwrap();
        self.directory.resolve(&login, domain).unwrap().map(|account| account.name.to_string())
    }

    fn key_count(&self) -> usize {
        self.store.scan(b"", None, usize::MAX).unwrap().len()
    }
}

#[test]
fn logins_resolve_by_every_name_of_account_and_domain() {
    let world = World::furnished();
    let (alice, bob) = (Some("alice@main.example"), Some("bob@other.example"));
    let cases: &[(&[u8], Option<&str>, Option<&str>)] = &[
        (b"alice", None, alice),
        (b"ALICE", None, alice),
        (b"al", None, alice),
        (b"alice@main.example", None, alice),
        (b"Alice%Main.EXAMPLE", None, alice),
        (b"al%main.example", None, alice),
        (b"bob@other.example", None, bob),
        (b"bob@Alias.example", None, bob),
        (b"bob%alias.example", None, bob),
        (b"bob", Some("other.example"), bob),
        (b"bob", Some("alias.example"), bob),
        (b"alice@main.example", Some("other.example"), alice),
        (b"bob", None, None),
        (b"alice", Some("other.example"), None),
        (b"al@other.example", None, None),
        (b"alice@other.example", None, None),
        (b"alice", Some("missing.example"), None),
        (b"alice@missing.example", None, None),
        (b"alice@", None, None),
        (b"@main.example", None, None),
        (b"@", None, None),
        (b"alice%x@main.example", None, None),
        (b"x@alice%main.example", None, None),
        (b" alice", None, None),
        (b"alice ", None, None),
        (b"al\0ice", None, None),
        (b"..", None, None),
        (b"alic\xe9", None, None),
        ("älice".as_bytes(), None, None),
    ];
    for (login, completing, expected) in cases {
        let completing = completing.map(domain);
        assert_eq!(world.resolve(login, completing.as_ref()).as_deref(), *expected, "{}", login.escape_ascii());
    }
}

#[test]
fn nothing_resolves_before_the_directory_is_founded() {
    let world = World::new();
    assert!(!world.directory.is_founded().unwrap());
    assert_eq!(Directory::main_domain_of(&*world.store), Ok(None));
    assert_eq!(world.resolve(b"postmaster", None), None);
    let update = world.directory.update_settings(Scope::AccountDefaults, &dictionary("{PWDAllowed=NO;}"));
    assert_eq!(update, Err(DirectoryFault::NotFounded));
}

#[test]
fn founding_makes_a_postmaster_with_all_rights_once() {
    let world = World::new();
    let again = world.directory.found(credentials(1)).unwrap();
    world.commit(world.directory.found(credentials(0)));
    assert_eq!(world.outcome(again), Outcome::Conflict);
    assert_eq!(world.directory.found(credentials(2)), Err(DirectoryFault::Founded(domain("main.example"))));
    assert_eq!(Directory::main_domain_of(&*world.store), Ok(Some(domain("main.example"))));

    let postmaster = world.account("postmaster@main.example");
    assert_eq!((postmaster.explicit_settings().len(), postmaster.rights()), (0, &["Master".into()][..]));
    assert_eq!(postmaster.credentials, credentials(0));
    assert_eq!((postmaster.password_revision, postmaster.created_at()), (1, 1_000));
    assert!(postmaster.may_log_in() && postmaster.may_change_password());
    assert!(postmaster.is_master(&domain("main.example")));
    assert!(!postmaster.is_master(&domain("other.example")), "rights over the server are for its main domain");
    let delete = world.directory.delete_account(&postmaster.name);
    assert_eq!(delete, Err(DirectoryFault::Postmaster(postmaster.name)));
    let delete = world.directory.delete_domain(&domain("main.example"));
    assert_eq!(delete, Err(DirectoryFault::MainDomain(domain("main.example"))));
}

#[test]
fn a_setting_comes_from_the_account_or_the_domain_or_the_server() {
    let world = World::furnished();
    let bob = name("bob@other.example");
    let scopes = [Scope::AccountDefaults, Scope::DomainAccountDefaults(&domain("other.example")), Scope::Account(&bob)];
    // Each of the three says YES, NO or nothing; the last that says anything decides.
    for said in 0..27 {
        let words = [said % 3, said / 3 % 3, said / 9].map(|word| ["default", "YES", "NO"][word]);
        for (scope, word) in scopes.into_iter().zip(words) {
            let settings = dictionary(&format!("{{PWDAllowed={word};}}"));
            world.commit(world.directory.update_settings(scope, &settings));
        }
        let expected = words.into_iter().rfind(|word| *word != "default").unwrap_or("YES");
        let account = world.account("bob@other.example");
        assert_eq!(account.may_change_password(), expected == "YES", "{words:?}");
        assert_eq!(account.effective_settings().get("PWDAllowed"), Some(&Value::from(expected)), "{words:?}");
        assert!(world.account("alice@main.example").explicit_settings().is_empty());
    }
}

#[test]
fn a_login_needs_the_password_the_mode_in_account_and_domain_and_an_open_domain() {
    let domain = domain("other.example");
    let bob = name("bob@other.example");
    let cases = [
        (Scope::Account(&bob), "{UseAppPassword=NO;}", false),
        (Scope::Account(&bob), "{AccessModes=None;}", false),
        (Scope::Account(&bob), "{AccessModes=(26,Mail,POP);}", false),
        (Scope::Account(&bob), "{AccessModes=(26,Mail,PWD);}", true),
        (Scope::Account(&bob), "{PWDAllowed=NO;}", true),
        (Scope::DomainAccountDefaults(&domain), "{UseAppPassword=NO;}", false),
        (Scope::DomainAccountDefaults(&domain), "{DomainAccessModes=None;}", true),
        (Scope::Domain(&domain), "{DomainAccessModes=(26,Mail);}", false),
        (Scope::Domain(&domain), "{DomainAccessModes=(26,PWD);}", true),
        (Scope::Domain(&domain), "{UseAppPassword=NO;}", true),
        (Scope::DomainDefaults, "{DomainAccessModes=None;}", false),
        (Scope::AccountDefaults, "{AccessModes=None;}", false),
    ];
    for (scope, settings, expected) in cases {
        let world = World::furnished();
        world.commit(world.directory.update_settings(scope, &dictionary(settings)));
        assert_eq!(world.account("bob@other.example").may_log_in(), expected, "{scope:?} {settings}");
    }

    let world = World::furnished();
    world.commit(world.directory.update_settings(Scope::DomainDefaults, &dictionary("{DomainAccessModes=None;}")));
    world.commit(world.directory.update_settings(Scope::Domain(&domain), &dictionary("{DomainAccessModes=All;}")));
    assert!(world.account("bob@other.example").may_log_in());
    assert!(!world.account("alice@main.example").may_log_in());
    for is_suspended in [true, false] {
        world.commit(world.directory.suspend_domain(&domain, is_suspended));
        assert_eq!(world.account("bob@other.example").may_log_in(), !is_suspended);
    }
}

#[test]
fn of_two_password_changes_from_one_state_one_wins() {
    let world = World::furnished();
    let read = world.account("alice@main.example");
    let first = world.directory.change_password(&read, credentials(8));
    let second = world.directory.change_password(&read, credentials(9));
    let outcomes = world.store.commit(&[first, second]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Committed(_), Outcome::Conflict]), "{outcomes:?}");

    let now = world.account("alice@main.example");
    assert_eq!(now.credentials, credentials(8));
    assert_eq!(now.password_revision, read.password_revision + 1);
    assert!(now.revision > read.revision);
    assert_eq!(now.aliases().len(), 1, "a password change keeps everything else");
}

/// A user's password was verified; before the new one is stored, an administrator changes a
/// setting. The change must be made anew, from the new record, but not refused: the proof still
/// stands for the password in force.
#[test]
fn a_change_of_settings_is_no_change_of_the_password() {
    let world = World::furnished();
    let verified = world.account("alice@main.example");
    let changes = dictionary("{RealName=\"Alice A.\";}");
    world.commit(world.directory.update_settings(Scope::Account(&verified.name), &changes));
    assert_eq!(world.outcome(world.directory.change_password(&verified, credentials(8))), Outcome::Conflict);

    let now = world.account("alice@main.example");
    assert!(now.revision > verified.revision);
    assert_eq!(now.password_revision, verified.password_revision);
    world.commit(Ok(world.directory.change_password(&now, credentials(8))));
    let now = world.account("alice@main.example");
    assert_eq!(now.explicit_settings(), &changes);

    world.commit(world.directory.set_password(&now.name, credentials(9)));
    let reset = world.account("alice@main.example");
    assert_eq!((reset.password_revision, reset.credentials), (now.password_revision + 1, credentials(9)));
}

/// A password was imported as another system's hash; after a login its record is brought up to date.
/// That is no change of the password: the session's proof still holds. Whatever else was changed
/// meanwhile wins, a new password above all.
#[test]
fn an_upgrade_keeps_the_change_it_comes_from_and_overwrites_nothing() {
    let world = World::furnished();
    let read = world.account("alice@main.example");
    world.commit(Ok(world.directory.upgrade_password(&read, credentials(8))));
    let upgraded = world.account("alice@main.example");
    assert_eq!(upgraded.password_revision, read.password_revision);
    let (then, now) = (&read.credentials, &upgraded.credentials);
    assert_eq!((now.changed_at, now.change_id), (then.changed_at, then.change_id));
    assert_eq!(now.verifiers, credentials(8).verifiers);
    assert_eq!(upgraded.aliases().len(), 1, "an upgrade keeps everything else");

    world.commit(world.directory.set_password(&read.name, credentials(9)));
    for stale in [&read, &upgraded] {
        assert_eq!(world.outcome(world.directory.upgrade_password(stale, credentials(10))), Outcome::Conflict);
    }
    assert_eq!(world.account("alice@main.example").credentials, credentials(9));
}

#[test]
fn a_name_is_given_once_whoever_comes_first() {
    let world = World::furnished();
    let directory = &world.directory;
    let (carol, alice) = (name("carol@main.example"), name("alice@main.example"));
    let create = || directory.create_account(&carol, credentials(2), Dictionary::new()).unwrap();
    let call_alice_carol = directory.set_aliases(&alice, std::slice::from_ref(&carol)).unwrap();
    let outcomes = world.store.commit(&[create(), create(), call_alice_carol]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Committed(_), Outcome::Conflict, Outcome::Conflict]), "{outcomes:?}");

    for taken in ["carol@main.example", "al@main.example"] {
        let fault = Err(DirectoryFault::NameTaken(name(taken)));
        assert_eq!(directory.create_account(&name(taken), credentials(3), Dictionary::new()), fault);
        assert_eq!(directory.set_aliases(&name("bob@other.example"), &[name(taken)]), {
            Err(DirectoryFault::ForeignAlias(name(taken)))
        });
        assert_eq!(directory.set_aliases(&name("postmaster@main.example"), &[name(taken)]), fault);
    }
    for taken in ["main.example", "other.example", "alias.example"] {
        let fault = Err(DirectoryFault::DomainTaken(domain(taken)));
        assert_eq!(directory.create_domain(&domain(taken), 0), fault);
        assert_eq!(directory.set_domain_aliases(&domain("main.example"), &[domain(taken)]), fault);
    }
    let missing = domain("missing.example");
    let create = directory.create_account(&name("a@missing.example"), credentials(3), Dictionary::new());
    assert_eq!(create, Err(DirectoryFault::NoDomain(missing)));
}

#[test]
fn aliases_are_replaced_and_go_with_their_account() {
    let world = World::furnished();
    let directory = &world.directory;
    let alice = name("alice@main.example");
    let aliases = [name("ally@main.example"), name("al@main.example"), name("ally@main.example")];
    world.commit(directory.set_aliases(&alice, &aliases));
    let listed: Vec<_> = world.account("alice@main.example").aliases().map(ToString::to_string).collect();
    assert_eq!(listed, ["al@main.example", "ally@main.example"]);
    world.commit(directory.set_aliases(&alice, &aliases[..1]));
    assert_eq!(world.resolve(b"al", None), None);
    assert_eq!(world.resolve(b"ally", None).as_deref(), Some("alice@main.example"));

    world.commit(directory.delete_account(&alice));
    assert_eq!(world.resolve(b"alice", None), None);
    assert_eq!(world.resolve(b"ally", None), None);
    assert_eq!(directory.delete_account(&alice), Err(DirectoryFault::NoAccount(alice.clone())));
    world.commit(directory.create_account(&alice, credentials(5), Dictionary::new()));
    assert_eq!(world.resolve(b"ally", None), None);
}

#[test]
fn a_domain_is_deleted_only_while_it_is_empty() {
    let world = World::furnished();
    let directory = &world.directory;
    let other = domain("other.example");
    assert_eq!(directory.delete_domain(&other), Err(DirectoryFault::DomainNotEmpty(other.clone())));
    world.commit(directory.delete_account(&name("bob@other.example")));

    // An account is created while the domain is being deleted, in either order.
    let delete = directory.delete_domain(&other).unwrap();
    let create = directory.create_account(&name("carol@other.example"), credentials(2), Dictionary::new());
    world.commit(create);
    assert_eq!(world.outcome(delete), Outcome::Conflict);
    world.commit(directory.delete_account(&name("carol@other.example")));
    let create = directory.create_account(&name("carol@other.example"), credentials(2), Dictionary::new());
    world.commit(directory.delete_domain(&other));
    assert_eq!(world.outcome(create.unwrap()), Outcome::Conflict);

    assert_eq!(directory.delete_domain(&other), Err(DirectoryFault::NoDomain(other)));
    world.commit(directory.create_domain(&domain("alias.example"), 0));
    world.commit(directory.delete_domain(&domain("alias.example")));
    // The server, its key for decoys, the main domain with its roster, postmaster, and alice with an alias.
    assert_eq!(world.key_count(), 7);
}

#[test]
fn listings_come_in_pages_and_in_order() {
    let world = World::furnished();
    let directory = &world.directory;
    // A domain whose name begins with another's must not appear in the other's list.
    world.commit(directory.create_domain(&domain("main.example.net"), 0));
    for local in ["b", "a-b", "a.b", "a"] {
        let account = AccountName::new(local, domain("main.example")).unwrap();
        world.commit(directory.create_account(&account, credentials(2), Dictionary::new()));
        let elsewhere = AccountName::new(local, domain("main.example.net")).unwrap();
        world.commit(directory.create_account(&elsewhere, credentials(2), Dictionary::new()));
    }
    let mut listed = Vec::new();
    loop {
        let page = directory.accounts(&domain("main.example"), listed.last(), 2).unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        listed.extend(page);
    }
    let locals: Vec<_> = listed.iter().map(AccountName::local).collect();
    assert_eq!(locals, ["a", "a-b", "a.b", "alice", "b", "postmaster"]);
    let some = directory.credentials(&domain("main.example"), Some(&listed[2]), 2).unwrap();
    assert_eq!(some, [(listed[3].clone(), credentials(1)), (listed[4].clone(), credentials(2))]);

    let all = directory.domains(None, 9).unwrap();
    assert_eq!(all, [domain("main.example"), domain("main.example.net"), domain("other.example")]);
    assert_eq!(directory.domains(Some(&all[0]), 1).unwrap(), all[1..2]);
    assert_eq!(directory.domain_aliases(&domain("other.example")).unwrap(), [domain("alias.example")]);
    let missing = domain("missing.example");
    assert_eq!(directory.accounts(&missing, None, 9), Err(DirectoryFault::NoDomain(missing)));
}

#[test]
fn settings_are_kept_whatever_they_are_but_passwords_are_not_settings() {
    let world = World::furnished();
    let alice = name("alice@main.example");
    let scope = Scope::Account(&alice);
    let kept = dictionary("{Custom={a=(#1,[Zm8=],#NULL#,<x/>);};MaxAccountSize=10M;RealName=\"A \\\"x\\\"\\e\";}");
    world.commit(world.directory.set_settings(scope, kept.clone()));
    assert_eq!(world.directory.settings(scope).unwrap(), kept);
    world.commit(world.directory.update_settings(scope, &dictionary("{Custom=Default;RealName=B;}")));
    assert_eq!(world.directory.settings(scope).unwrap(), dictionary("{MaxAccountSize=10M;RealName=B;}"));

    let refused = |settings: Dictionary| world.directory.set_settings(scope, settings).unwrap_err();
    assert_eq!(refused(dictionary("{password=hunter2;}")), DirectoryFault::PasswordAmongSettings);
    let long = [("a", Value::from("x".repeat(SETTINGS_BYTES_MAX).as_str()))].into_iter().collect();
    assert_eq!(refused(long), DirectoryFault::SettingsTooLong);
    let zero = [("a", Value::from("\0"))].into_iter().collect();
    assert!(matches!(refused(zero), DirectoryFault::Settings(_)));
    let create = world.directory.create_account(&name("c@main.example"), credentials(2), dictionary("{Password=x;}"));
    assert_eq!(create, Err(DirectoryFault::PasswordAmongSettings));
}

#[test]
fn records_of_a_later_version_and_damaged_ones_are_faults_and_not_absences() {
    let world = World::furnished();
    let alice = name("alice@main.example");
    let image = world.store.read(&keys::account(&alice)).unwrap().unwrap().bytes;
    let spoil = |bytes: Vec<u8>| {
        world.outcome(Transaction { expect: Vec::new(), write: vec![Write::Put(keys::account(&alice), bytes)] });
        world.directory.account(&alice).unwrap_err().to_string()
    };
    let mut later = image.clone();
    later[0] += 1;
    assert!(spoil(later).contains("later version"));
    for length in 0..image.len() {
        assert!(spoil(image[..length].to_vec()).contains("damaged"), "cut to {length}");
    }
    assert!(spoil([&image, b"x".as_slice()].concat()).contains("damaged"));
}

proptest! {
    #[test]
    fn no_login_name_panics_and_what_resolves_is_an_account(login in proptest::collection::vec(prop_oneof![
        any::<u8>(),
        proptest::sample::select(b"alicebob@%..mainexample".to_vec()),
    ], 1..40)) {
        let world = World::furnished();
        if let Some(found) = world.resolve(&login, None) {
            prop_assert!(world.directory.account(&name(&found)).unwrap().is_some());
        }
    }

    #[test]
    fn no_bytes_panic_the_records(image in proptest::collection::vec(prop_oneof![any::<u8>(), 0..3u8], 0..80)) {
        if let Ok(record) = ServerRecord::decode(&image) {
            prop_assert_eq!(ServerRecord::decode(&record.encode()), Ok(record));
        }
        if let Ok(record) = DomainRecord::decode(&image) {
            prop_assert_eq!(DomainRecord::decode(&record.encode()), Ok(record));
        }
        let (alice, vault) = (name("alice@main.example"), Vault::default());
        if let Ok(record) = AccountRecord::decode(&image, &alice, &vault) {
            prop_assert_eq!(AccountRecord::decode(&record.encode(&alice, &vault), &alice, &vault), Ok(record));
        }
    }
}

#[test]
fn one_name_is_given_once_whatever_it_is_given_to() {
    let world = World::furnished();
    let new = name("new@main.example");
    let empty = Value::Dictionary(Dictionary::new());
    let changes = [
        world.directory.create_account(&new, credentials(1), Dictionary::new()),
        world.directory.create_object(Kind::Group, &new, &empty),
        world.directory.create_object(Kind::Forwarder, &new, &Value::from("x@y")),
        world.directory.set_aliases(&name("alice@main.example"), std::slice::from_ref(&new)),
        world.directory.rename_account(&name("alice@main.example"), &new),
    ];
    let [first, others @ ..] = changes;
    world.commit(first);
    for other in others {
        assert_eq!(world.outcome(other.unwrap()), Outcome::Conflict);
    }
    assert_eq!(
        world.directory.create_object(Kind::Group, &new, &empty),
        Err(DirectoryFault::NameTaken(new)),
        "and afterwards"
    );
}

#[test]
fn nothing_is_kept_for_an_account_that_was_deleted_at_the_same_moment() {
    let world = World::furnished();
    let (alice, before) = (name("alice@main.example"), world.key_count());
    let keep = || world.directory.keep(&Holder::Account(alice.clone()), "x", |_| Ok(Value::from("y")));
    let delete = || world.directory.delete_account(&alice);
    let (kept, deleted) = (keep().unwrap(), delete().unwrap());
    world.commit(Ok(kept));
    assert_eq!(world.outcome(deleted), Outcome::Conflict);
    let (kept, deleted) = (keep().unwrap(), delete().unwrap());
    world.commit(Ok(deleted));
    assert_eq!(world.outcome(kept), Outcome::Conflict);
    // The account, its other name; the roster was there before.
    assert_eq!(world.key_count(), before - 2);
}

#[test]
fn a_domain_leaves_nothing_behind() {
    let world = World::furnished();
    let (old, new) = (domain("other.example"), domain("new.example"));
    let group = Value::Dictionary(Dictionary::new());
    world.commit(world.directory.create_object(Kind::Group, &name("g@other.example"), &group));
    world.commit(world.directory.create_object(Kind::Forwarder, &name("f@other.example"), &Value::from("x@y")));
    for holder in [Holder::Domain(old.clone()), Holder::Account(name("bob@other.example"))] {
        world.commit(world.directory.keep(&holder, "x", |_| Ok(Value::from("y"))));
    }
    let stale = world.directory.delete_domain_with_all(&old).unwrap();
    let count = world.key_count();
    world.commit(world.directory.rename_domain(&old, &new));
    assert_eq!(world.key_count(), count, "everything has moved");
    assert_eq!(world.outcome(stale), Outcome::Conflict);
    assert_eq!(world.directory.kept(&Holder::Account(name("bob@new.example")), "x"), Ok(Some(Value::from("y"))));
    world.commit(world.directory.delete_domain_with_all(&new));
    let rest = world.store.scan(b"", None, usize::MAX).unwrap();
    assert!(rest.iter().all(|(key, _)| !key.windows(3).any(|part| part == b"new")), "{rest:?}");
}

#[test]
fn whoever_administers_other_domains_does_so_under_a_new_name_too_and_not_after_the_end() {
    let world = World::furnished();
    let (old, new, lent, own) =
        (domain("other.example"), domain("new.example"), domain("lent.example"), domain("own.example"));
    let lends_to = |name: &str| [(ADMIN_DOMAIN_NAME, Value::from(name))].into_iter().collect::<Dictionary>();
    let lent_to = |domain: &DomainName| world.directory.settings(Scope::Domain(domain)).unwrap();
    world.commit(world.directory.create_domain_with(&lent, 1, false, lends_to("OTHER.example")));
    world.commit(world.directory.create_domain_with(&own, 1, false, lends_to("lent.example")));
    world.commit(world.directory.update_settings(Scope::Domain(&old), &lends_to("other.example")));
    // Somebody lends a domain at the same moment.
    let lending = world.directory.update_settings(Scope::Domain(&own), &lends_to("other.example")).unwrap();
    let renaming = world.directory.rename_domain(&old, &new).unwrap();
    let late = world.directory.update_settings(Scope::Domain(&own), &lends_to("other.example")).unwrap();
    world.commit(Ok(lending));
    assert_eq!(world.outcome(renaming), Outcome::Conflict);
    world.commit(world.directory.rename_domain(&old, &new));
    assert_eq!(world.outcome(late), Outcome::Conflict);
    for domain in [&lent, &own, &new] {
        assert_eq!(lent_to(domain), lends_to("new.example"), "{domain}");
        assert_eq!(world.directory.is_administered_by(domain, &new), Ok(true));
    }
    world.commit(world.directory.delete_domain_with_all(&new));
    assert_eq!((lent_to(&lent), lent_to(&own)), Default::default());
    world.commit(world.directory.update_settings(Scope::Domain(&own), &lends_to("lent.example")));
    world.commit(world.directory.delete_domain(&lent));
    assert_eq!(lent_to(&own), Dictionary::new());
}
