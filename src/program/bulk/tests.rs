use std::sync::Arc;

use indicatif::ProgressBar;
use keyturn::auth::{Credentials, PasswordPurpose, Verifier, Wanted, legacy};
use keyturn::config::Config;
use keyturn::directory::{Directory, NewAccount};
use keyturn::model::{AccountName, Argon2idCost, DomainName, Secret};
use keyturn::notation::{Dictionary, Value};
use keyturn::store::{Embedded, Store};
use proptest::collection::vec;
use proptest::prelude::*;

use super::checkpoint::Checkpoint;
use super::export::write_all;
use super::format::Format;
use super::import::{Import, Tally};
use crate::program::arguments::{Existing, ImportArguments};
use crate::program::data::Data;

const FORMATS: [Format; 6] =
    [Format::Json, Format::Csv, Format::Communigate, Format::PasswdFile, Format::Shadow, Format::Ldif];

const MD5_CRYPT: &str = "$1$salt$on4unkS8dQm5BqW0uvLLi1";
const SSHA: &str = "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g0";

fn domain() -> DomainName {
    DomainName::parse("example.com").unwrap()
}

/// A store in memory with a main domain and a postmaster.
fn data() -> Data {
    let config = Config::parse("main_domain = \"example.com\"\n[argon2id]\nm_kib = 32\nt = 1\np = 1\n").unwrap();
    let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
    let directory = Directory::new(Arc::clone(&store), domain());
    let data = Data { store, directory, config };
    data.found(Credentials::none(1)).unwrap();
    data
}

fn arguments() -> ImportArguments {
    ImportArguments {
        file: "-".into(),
        format: None,
        domain: None,
        existing: Existing::Keep,
        create_domains: false,
        dry_run: false,
        from_start: false,
    }
}

fn import_with(data: &Data, arguments: &ImportArguments, format: Format, text: &[u8]) -> Tally {
    import_telling(data, arguments, format, text).0
}

/// Returns also what was told of rejected lines.
fn import_telling(data: &Data, arguments: &ImportArguments, format: Format, text: &[u8]) -> (Tally, String) {
    let input = Box::new(std::io::Cursor::new(text.to_vec()));
    let mut told = Vec::new();
    let mut import = Import::new(data, arguments, "file".to_owned(), ProgressBar::hidden(), &mut told);
    import.run(&mut *format.read(input, &domain()).unwrap()).unwrap();
    (import.tally, String::from_utf8(told).unwrap())
}

fn import(data: &Data, format: Format, text: &str) -> Tally {
    import_with(data, &arguments(), format, text.as_bytes())
}

fn export(data: &Data, format: Format) -> Vec<u8> {
    let mut text = Vec::new();
    write_all(data, &[domain()], format, &mut text).unwrap();
    text
}

fn json(data: &Data) -> Vec<String> {
    let text = String::from_utf8(export(data, Format::Json)).unwrap();
    text.lines().filter(|line| !line.contains("postmaster")).map(str::to_owned).collect()
}

/// Whether `password` opens the account.
fn opens(data: &Data, name: &str, password: &str) -> bool {
    let name = AccountName::parse(name).unwrap();
    let account = data.directory.account(&name).unwrap().unwrap();
    let secret = Secret::new(password.as_bytes()).unwrap();
    let subject = (account.name, account.password_revision, &account.credentials);
    data.hasher().authenticate(Some(subject), &secret).is_some()
}

fn any_verifier() -> impl Strategy<Value = Verifier> {
    let cost = (8_u32..70_000, 1_u32..4).prop_map(|(m_kib, t)| Argon2idCost { m_kib, t, p: 1 });
    let argon2id = (cost, any::<[u8; 16]>(), any::<[u8; 32]>());
    let argon2id = argon2id.prop_map(|(cost, salt, tag)| Verifier::Argon2id { cost, salt, tag });
    let imported = prop::sample::select(vec![
        MD5_CRYPT,
        SSHA,
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
        "$2b$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    ]);
    let imported = imported.prop_filter_map("a hash", |text| legacy::parse(text.as_bytes()).ok());
    prop_oneof![argon2id, imported]
}

fn any_settings() -> impl Strategy<Value = Dictionary> {
    let real_name = proptest::option::of(prop_oneof![
        "[A-Za-z .'\"-]{0,20}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ]);
    (real_name, vec(("[A-Z][a-z]{1,8}", "[ -~]{0,12}"), 0..3)).prop_map(|(name, others)| {
        let mut settings = Dictionary::new();
        for (key, value) in &others {
            if !key.eq_ignore_ascii_case("password") {
                settings.insert(key, Value::from(value.as_str()));
            }
        }
        if let Some(name) = name {
            settings.insert("RealName", Value::from(name.as_str()));
        }
        settings
    })
}

prop_compose! {
    fn any_account(index: usize)(
        name in "[a-z][a-z0-9]{0,8}",
        alias in proptest::option::of("[a-z]{1,6}"),
        verifiers in vec(any_verifier(), 0..3),
        settings in any_settings(),
        rights in vec("[A-Z][A-Za-z]{0,10}", 0..3),
        (created_at, changed_at) in (0_u64..2_000_000_000, 0_u64..2_000_000_000),
    ) -> NewAccount {
        let named = |text: &str, kind: &str| AccountName::new(&format!("{text}.{kind}{index}"), domain()).unwrap();
        NewAccount {
            name: named(&name, "x"),
            created_at,
            aliases: alias.iter().map(|alias| named(alias, "y")).collect(),
            credentials: Credentials { verifiers, ..Credentials::none(changed_at) },
            rights: rights.into_iter().map(Box::from).collect(),
            settings,
            is_complete: true,
        }
    }
}

fn any_accounts() -> impl Strategy<Value = Vec<NewAccount>> {
    (any_account(0), any_account(1), any_account(2)).prop_map(|(a, b, c)| vec![a, b, c])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_exported_is_imported_and_exported_again(accounts in any_accounts()) {
        let original = data();
        let count = accounts.len() as u64;
        for account in accounts {
            original.commit(original.directory.add_account(account).unwrap()).unwrap();
        }
        for format in FORMATS {
            let text = export(&original, format);
            let copy = data();
            let tally = import_with(&copy, &arguments(), format, &text);
            let shown = text.escape_ascii();
            prop_assert_eq!(tally, Tally { added: count, kept: 1, ..Tally::default() }, "{:?}: {}", format, shown);
            let again = export(&copy, format);
            prop_assert_eq!(text.escape_ascii().to_string(), again.escape_ascii().to_string(), "{:?}", format);
            if matches!(format, Format::Json | Format::Csv) {
                prop_assert_eq!(json(&original), json(&copy));
            }
        }
    }

    #[test]
    fn no_bytes_upset_any_reader(text: Vec<u8>, lines in vec("[ -~\\\\n]{0,60}", 0..4)) {
        let data = data();
        for format in FORMATS {
            for text in [&text[..], lines.join("\n").as_bytes()] {
                let input = Box::new(std::io::Cursor::new(text.to_vec()));
                let Ok(mut file) = format.read(input, &domain()) else { continue };
                let arguments = ImportArguments { dry_run: true, ..arguments() };
                let mut told = std::io::sink();
                let mut import = Import::new(&data, &arguments, "file".to_owned(), ProgressBar::hidden(), &mut told);
                import.run(&mut *file).unwrap();
            }
        }
    }
}

#[test]
fn each_format_is_read_as_others_write_it() {
    for (format, text) in [
        (
            Format::PasswdFile,
            format!("# users\nalice@example.com:{{CRYPT}}{MD5_CRYPT}:1000:1000:Alice Doe,,,:/home/a::x=y\n"),
        ),
        (Format::Shadow, format!("alice:{MD5_CRYPT}:19000:0:99999:7:::\n")),
        (Format::Csv, format!("user,domain,hash,quota,real_name\nalice,example.com,{MD5_CRYPT},5,\"Doe, Alice\"\n")),
        (
            Format::Communigate,
            format!("Name\tUnixPassword\tType\tMaxAccountSize\nalice\t{MD5_CRYPT}\tMultiMailbox\t10M\n"),
        ),
        (Format::Communigate, format!("Name\tPASSWORD\trealNAME\r\nalice\t\\002{MD5_CRYPT}\tAlice Doe\r\n")),
        (Format::Json, format!("{{\"account\":\"alice\",\"hashes\":[\"{MD5_CRYPT}\"]}}\n\n")),
        (
            Format::Ldif,
            format!(
                "version: 1\n\ndn: ou=people,dc=example,dc=com\nou: people\n\n# one\ndn: uid=alice,dc=example,\n dc=com\n\
                 uid: alice\ncn:: QWxpY2U=\nmail: alice@example.com\nuserPassword: {{CRYPT}}{}\n {}\n",
                &MD5_CRYPT[..9],
                &MD5_CRYPT[9..]
            ),
        ),
    ] {
        let data = data();
        assert_eq!(import(&data, format, &text), Tally { added: 1, ..Tally::default() }, "{format:?}");
        let lines = json(&data);
        assert!(lines[0].contains("\"alice@example.com\"") && lines[0].contains(MD5_CRYPT), "{lines:?}");
    }
}

#[test]
fn further_passwords_go_along_in_json() {
    const OTHER_SALT: &str = "$argon2id$v=19$m=32,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                              AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let original = data();
    let mut hasher = original.hasher();
    let mut make =
        |text: &str, salt| hasher.make_as(&Secret::new(text.as_bytes()).unwrap(), 1, salt, Wanted::default());
    let mut credentials = make("blue harbor", None);
    let purposes = [
        PasswordPurpose::Application("the phone".into()),
        PasswordPurpose::Application("\"desk\"".into()),
        PasswordPurpose::Sip,
        PasswordPurpose::Radius,
    ];
    for purpose in purposes {
        let other = make(&format!("{purpose:?}"), credentials.salt()).verifiers.remove(0);
        credentials.set_alternative(purpose, Some(other));
    }
    let name = AccountName::parse("alice@example.com").unwrap();
    original.commit(original.directory.create_account(&name, credentials, Dictionary::new()).unwrap()).unwrap();
    let text = json(&original).remove(0);
    let copy = data();
    assert_eq!(import(&copy, Format::Json, &text).added, 1);
    assert_eq!(json(&copy), std::slice::from_ref(&text));
    let of = |data: &Data| data.directory.account(&name).unwrap().unwrap().credentials.alternatives;
    let shown = |data: &Data| {
        let mut all: Vec<_> = of(data).into_iter().map(|it| (format!("{:?}", it.purpose), it.verifier)).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    };
    assert_eq!(shown(&copy), shown(&original));
    for (line, why) in [
        (text.replacen(&shown(&original)[0].1.to_text(), OTHER_SALT, 1), "with one salt and cost"),
        (text.replacen(&shown(&original)[0].1.to_text(), MD5_CRYPT, 1), "with one salt and cost"),
        (text.replacen("the phone", &"x".repeat(65), 1), "has 1 to 64 bytes"),
        (text.replacen("\"account\"", "\"password\":\"x\",\"account\"", 1), "not all of them hashes"),
        (r#"{"account":"alice","applications":["x"]}"#.to_owned(), "no object of tags and hashes"),
    ] {
        let (tally, told) = import_telling(&data(), &arguments(), Format::Json, line.as_bytes());
        assert!((tally.rejected, tally.added) == (1, 0) && told.contains(why), "{told}");
    }
}

#[test]
fn passwords_as_they_are_become_hashes() {
    for (format, text) in [
        (Format::PasswdFile, "alice:{PLAIN}blue harbor\n"),
        (Format::Csv, "name,password\nalice,blue harbor\n"),
        (Format::Communigate, "Name\tPassword\nalice\tblue harbor\n"),
        (Format::Json, "{\"account\":\"alice\",\"password\":\"blue harbor\"}\n"),
        (Format::Ldif, "dn: uid=alice\nuid: alice\nuserPassword: blue harbor\n"),
    ] {
        let data = data();
        assert_eq!(import(&data, format, text).added, 1, "{format:?}");
        assert!(opens(&data, "alice@example.com", "blue harbor"), "{format:?}");
        assert!(json(&data)[0].contains("$argon2id$v=19$m=32,t=1,p=1$"), "{format:?}");
    }
}

#[test]
fn accounts_that_are_there_are_kept_updated_or_rejected() {
    let data = data();
    let text = format!("{{\"account\":\"alice\",\"hashes\":[\"{SSHA}\"],\"settings\":\"{{A=1;}}\"}}\n");
    assert_eq!(import(&data, Format::Json, &text).added, 1);
    let text = format!("{{\"account\":\"alice\",\"hashes\":[\"{MD5_CRYPT}\"],\"settings\":\"{{B=2;}}\"}}\n");
    for (existing, tally) in [
        (Existing::Keep, Tally { kept: 1, ..Tally::default() }),
        (Existing::Reject, Tally { rejected: 1, ..Tally::default() }),
    ] {
        let arguments = ImportArguments { existing, ..arguments() };
        assert_eq!(import_with(&data, &arguments, Format::Json, text.as_bytes()), tally);
        assert!(json(&data)[0].contains(SSHA) && json(&data)[0].contains("{A=1;}"));
    }
    let arguments = ImportArguments { existing: Existing::Update, ..arguments() };
    assert_eq!(import_with(&data, &arguments, Format::Json, text.as_bytes()), Tally { updated: 1, ..Tally::default() });
    assert!(json(&data)[0].contains(MD5_CRYPT) && json(&data)[0].contains("{A=1;B=2;}"));
}

#[test]
fn what_is_wrong_is_told_without_its_text_and_the_rest_is_imported() {
    let text = format!(
        "good:{MD5_CRYPT}\nbad name:{MD5_CRYPT}\nempty:\nlocked:!{MD5_CRYPT}\nstrange:$99$hunter2\ngood:{MD5_CRYPT}\n\
         one@other.example:{MD5_CRYPT}\nhunter2\ndear:$5$rounds=999999999$salt$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC\n\
         also.good:*\n{}:x\n",
        "hunter2".repeat(200)
    );
    for dry_run in [true, false] {
        let data = data();
        let arguments = ImportArguments { dry_run, ..arguments() };
        let (tally, told) = import_telling(&data, &arguments, Format::PasswdFile, text.as_bytes());
        assert_eq!(tally, Tally { added: 2, rejected: 9, ..Tally::default() }, "dry run: {dry_run}");
        assert_eq!(json(&data).len(), if dry_run { 0 } else { 2 });
        for (line, why) in [
            (2, "the name has a character that names do not have"),
            (3, "the account needs no password to be opened"),
            (4, "the account is locked"),
            (5, "the hash is of no scheme that can be imported"),
            (6, "taken"),
            (7, "its domain does not exist"),
            (8, "the line has no field for a password"),
            (9, "the hash would cost too much to check"),
            (11, "a name has at most"),
        ] {
            assert!(told.lines().any(|it| it.starts_with(&format!("file:{line}: ")) && it.contains(why)), "{told}");
        }
        assert!(!told.contains("hunter2") && !told.contains("unkS8"), "{told}");
    }
    for (format, text) in [
        (
            Format::Json,
            "{\"account\":\"a\",\"hashes\":\"hunter2\"}\n{\"account\":\"a\",\"hunter2\":1}\n{\"a\":hunter2}\n[]\n",
        ),
        (
            Format::Json,
            "{\"account\":\"a\",\"settings\":\"{a=hunter2\"}\n{\"account\":1}\n{\"account\":\"a\",\"created\":\"hunter2\"}\n",
        ),
        (Format::Csv, "name,password\nhunter2 x,y\nalice\nalice,hunter2,\n\"hunter2\"\n"),
        (Format::Csv, "name,hash,created\na,hunter2,1\na,,hunter2\na,$1$hunter2,1\n"),
        (
            Format::Ldif,
            "dn: x\nmail: a b\nuserPassword: hunter2\n\ndn: y\nuid: u\nuserPassword:: hunter2!\n\nuid: v\nhunter2\n",
        ),
    ] {
        let (tally, told) = import_telling(&data(), &arguments(), format, text.as_bytes());
        assert!(tally.added == 0 && tally.rejected >= 3 && !told.contains("hunter2"), "{tally:?} {told}");
    }
}

#[test]
fn domains_are_made_on_demand() {
    let data = data();
    let text = "{\"account\":\"a@one.example\"}\n{\"account\":\"b@one.example\"}\n";
    for dry_run in [true, false] {
        let arguments = ImportArguments { create_domains: true, dry_run, ..arguments() };
        assert_eq!(import_with(&data, &arguments, Format::Json, text.as_bytes()).added, 2);
        let one = DomainName::parse("one.example").unwrap();
        assert_eq!(data.directory.domain_named(&one).unwrap().is_some(), !dry_run);
    }
}

#[test]
fn an_import_that_was_cut_short_goes_on_behind_the_last_batch() {
    let data = data();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("accounts.json");
    let line = |index: u32| format!("{{\"account\":\"user{index}\"}}\n");
    std::fs::write(&path, (0..10).map(line).collect::<String>()).unwrap();
    let beginning = || Checkpoint::beginning(&path, &std::fs::File::open(&path).unwrap()).unwrap();
    // What the first batch leaves behind, and nothing after it.
    let mut cut_short = beginning();
    cut_short.line = 4;
    data.commit(cut_short.keep(&data).unwrap()).unwrap();
    let arguments = arguments();
    let run = |checkpoint: Checkpoint| {
        let input = Box::new(std::fs::File::open(&path).unwrap());
        let mut told = std::io::sink();
        let mut import = Import::new(&data, &arguments, "file".to_owned(), ProgressBar::hidden(), &mut told);
        import.checkpoint = Some(checkpoint);
        import.run(&mut *Format::Json.read(input, &domain()).unwrap()).unwrap();
        import.tally
    };
    let resumed = beginning().resumed(&data).unwrap();
    assert_eq!(resumed, cut_short);
    assert_eq!(run(resumed), Tally { added: 6, skipped: 4, ..Tally::default() });
    let again = beginning().resumed(&data).unwrap();
    assert_eq!(again, beginning(), "it is complete");
    assert_eq!(run(again), Tally { added: 4, kept: 6, ..Tally::default() });
    // Another file is another import, even in the same place.
    data.commit(cut_short.keep(&data).unwrap()).unwrap();
    std::fs::write(&path, line(99)).unwrap();
    assert_eq!(beginning().resumed(&data).unwrap(), beginning());
}
