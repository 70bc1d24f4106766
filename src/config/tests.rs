use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::limits::{ARGON2ID_KIB_WRITTEN_MAX, ARGON2ID_M_KIB_MAX};
use crate::model::{Dialect, NetworkList};

/// The errors of `text`, as an operator sees them.
fn check(text: &str, errors: &[&str]) {
    let found = Config::parse(text).expect_err(text);
    let found: Vec<String> = found.iter().map(ConfigError::to_string).collect();
    assert_eq!(found, errors, "in {text}");
}

#[test]
fn the_printed_default_file_is_the_default() {
    assert_eq!(Config::parse(DEFAULT_FILE), Ok(Config::default()));
}

#[test]
fn the_default_file_names_every_key() {
    let full = Config {
        shards: NonZeroU16::new(4),
        master_key: Some("master-key".into()),
        certificates: vec![Certificate { chain: "chain.pem".into(), key: "key.pem".into() }],
        oauth: vec![TokenIssuer {
            issuer: "https://login.example.com".into(),
            audience: "keyturn".into(),
            keys: "keys.json".into(),
            claim: "email".into(),
        }],
        listeners: vec![Listener {
            domain: DomainName::parse("example.com").ok(),
            client_ca: Some("clients.pem".into()),
            proxy: "192.0.2.0/24".parse().unwrap(),
            restriction: Restriction::Grant("192.0.2.0/24".parse().unwrap()),
            dual_stack: true,
            ..Listener::at(Address::Unix("/run/socket".into()))
        }],
        ..Config::default()
    };
    for line in full.to_string().lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().unwrap();
        let told = |l: &str| l.trim_start_matches("# ").starts_with(&format!("{key} = "));
        assert!(DEFAULT_FILE.lines().any(told), "{key} is not in the default file");
    }
}

#[test]
fn every_problem_is_reported_with_its_line() {
    check(
        "main_domain = \"exa mple\"\nchannels = -1\nchanels = 5\n\nshards = 0\nidle_seconds = \"5\"\n\
         [argon2id]\nm_kib = 7\n[[listener]]\naddress = \"localhost:106\"\ndialect = \"pop\"\n[[listener]]\nhide_version = 1\n",
        &[
            "line 1: main_domain: a name has letters, digits, '_', '-' and '.', not ' '",
            "line 2: channels: must be 0 to 1000000, not -1",
            "line 3: chanels: is not a key; `channels` is",
            "line 5: shards: must be 1 to 1024, not 0",
            "line 6: idle_seconds: must be a whole number, not a text",
            "line 8: argon2id.m_kib: must be 8 to 1048576, not 7",
            "line 10: listener.address: must be ADDRESS:PORT, such as \"127.0.0.1:8106\"; host names are not looked up",
            "line 11: listener.dialect: must be \"communigate\" or \"poppassd\", not \"pop\"",
            "line 12: listener.address: is missing",
            "line 13: listener.hide_version: must be true or false, not a whole number",
        ],
    );
}

#[test]
fn a_misplaced_key_is_told_its_place() {
    check(
        "m_kib = 8\naddress = \"127.0.0.1:1\"\nwhatever = 1\n[argon2id]\nfailures_max = 2\n",
        &[
            "line 1: m_kib: is not a key here; `m_kib` belongs under [argon2id]",
            "line 2: address: is not a key here; `address` belongs under [[listener]]",
            "line 3: whatever: is not a key",
            "line 5: argon2id.failures_max: is not a key here; `failures_max` belongs above the first [table]",
        ],
    );
}

#[test]
fn listeners_must_be_distinct_tables_with_ports() {
    let listener = |address: &str| format!("[[listener]]\naddress = \"{address}\"\n");
    check(
        &[listener("[::1]:106"), listener("127.0.0.1:106"), listener("[::1]:106")].concat(),
        &["line 6: listener.address: [::1]:106 is listened on twice"],
    );
    check(&listener("::1"), &["line 2: listener.address: has no port: must be ADDRESS:PORT, such as \"[::1]:8106\""]);
    check(
        "[listener]\naddress = \"127.0.0.1:1\"\n",
        &["line 1: listener: must be tables, each written [[listener]], not a table"],
    );
    check("listener = []", &["line 1: listener: must not be empty; leave it out to have the default"]);
    assert!(Config::parse(&[listener("127.0.0.1:0"), listener("127.0.0.1:0")].concat()).is_ok());
}

#[test]
fn an_issuer_is_named_with_its_audience_and_keys() {
    let whole = "[[oauth]]\nissuer = \"https://a.example\"\naudience = \"keyturn\"\nkeys = \"keys.json\"\n";
    let config = Config::parse(whole).unwrap();
    assert_eq!(config.oauth[0].claim, "email");
    check(
        "[[oauth]]\nissuer = \"\"\nclaim = \"\"\n",
        &[
            "line 1: oauth.audience: is missing",
            "line 1: oauth.keys: is missing",
            "line 2: oauth.issuer: must not be empty",
            "line 3: oauth.claim: must not be empty",
        ],
    );
    let other = Config::parse(&whole.replace("keyturn", "other")).unwrap();
    assert_eq!(config.difference(&other).live, ["oauth: 1 -> 1 issuers"]);
}

#[test]
fn tls_needs_a_certificate() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:1106\"\ntls = true\ncleartext = \"some\"\n";
    check(
        listener,
        &[
            "line 3: listener.tls: needs a [[certificate]] with its chain and key",
            "line 4: listener.cleartext: must be \"loopback\", \"always\" or \"never\", not \"some\"",
        ],
    );
    check(
        "[[certificate]]\nchain = \"\"\n",
        &["line 1: certificate.key: is missing", "line 2: certificate.chain: must be the path of a file"],
    );
}

#[test]
fn sockets_of_all_kinds_are_told_apart_and_do_not_overlap() {
    let listener = |address: &str, more: &str| format!("[[listener]]\naddress = \"{address}\"\n{more}\n");
    let kinds = ["unix:/run/a b", "systemd:poppwd", "[::]:106", "0.0.0.0:106", "[::1]:107", "127.0.0.1:107"];
    let config = Config::parse(&kinds.map(|kind| listener(kind, "")).concat()).unwrap();
    assert_eq!(config.listeners.iter().map(|it| it.address.to_string()).collect::<Vec<_>>(), kinds);
    let overlap = |other: &str| {
        format!("line 5: listener.address: overlaps with {other}: all addresses are a listener by themselves")
    };
    check(&[listener("0.0.0.0:1", ""), listener("127.0.0.1:1", "")].concat(), &[&overlap("0.0.0.0:1")]);
    check(&[listener("[::1]:1", ""), listener("[::]:1", "")].concat(), &[&overlap("[::1]:1")]);
    check(&[listener("[::]:1", "dual_stack = true"), listener("127.0.0.1:1", "")].concat(), &[&overlap("[::]:1")]);
    check(
        &[listener("unix:/a", ""), listener("unix:/a", "")].concat(),
        &["line 5: listener.address: unix:/a is listened on twice"],
    );
    let path = "line 2: listener.address: must be unix: and an absolute path of at most 107 bytes";
    check(&listener("unix:here", ""), &[path]);
    check(&listener(&format!("unix:/{}", "x".repeat(107)), ""), &[path]);
    let name = "line 2: listener.address: must be systemd: and the FileDescriptorName of a socket unit";
    check(&listener("systemd:", ""), &[name]);
    check(&listener("systemd:a:b", ""), &[name]);
    check(&listener("[::1]:1", "dual_stack = true"), &["line 3: listener.dual_stack: is for the address [::]"]);
    check(&listener("[::1]:1", "mode = \"0660\""), &["line 3: listener.mode: is for addresses that begin with unix:"]);
    for mode in ["", "+660", "0888", "1777"] {
        check(
            &listener("unix:/a", &format!("mode = \"{mode}\"")),
            &["line 3: listener.mode: must be permissions in octal digits, such as \"0660\""],
        );
    }
}

#[test]
fn connections_are_granted_or_denied() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:1\"\n";
    let allows = |keys: &str, address: &str| {
        let config = Config::parse(&format!("{listener}{keys}")).unwrap();
        config.listeners[0].restriction.allows(address.parse().unwrap())
    };
    let (inside, outside) = ("10.1.2.3", "192.0.2.1");
    assert!(allows("", inside) && allows("", outside));
    assert!(allows("grant = [\"10.0.0.0/8\"]", inside) && !allows("grant = [\"10.0.0.0/8\"]", outside));
    assert!(!allows("deny = [\"10.0.0.0/8\"]", inside) && allows("deny = [\"10.0.0.0/8\"]", outside));
    check(
        &format!("{listener}deny = [\"::1\"]\ngrant = [\"!::1\"]\n"),
        &[
            "line 3: listener.deny: cannot be had together with grant; an entry that begins with ! is left out of grant",
            "line 4: listener.grant: has no address; leave it out",
        ],
    );
}

#[test]
fn networks_are_lists_of_texts() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:1\"\n";
    let proxy = |value: &str| format!("{listener}proxy = {value}\n");
    let config = Config::parse(&proxy("[\"10.0.0.0/8\", \"!10.1.0.0/16\",\n\"::1\"]")).unwrap();
    assert_eq!(config.listeners[0].proxy, "10.0.0.0/8\n!10.1.0.0/16\n::1".parse().unwrap());
    check(
        &proxy("\"10.0.0.1\""),
        &["line 3: listener.proxy: must be a list such as [\"192.0.2.0/24\", \"2001:db8::1\"], not a text"],
    );
    check(
        &proxy("[\"10.0.0.0/8\",\n\"10.0.0.1/8\",\n5, \"here\"]"),
        &[
            "line 4: listener.proxy: the bits behind the mask must be zero",
            "line 5: listener.proxy: must hold texts in quotes, not a whole number",
            "line 5: listener.proxy: this is no network address",
        ],
    );
}

#[test]
fn mistakes_of_syntax_and_of_meaning_are_reported_together() {
    let errors = Config::parse("channels = = 5\nshards = 0\nfailures_max = 3\nfailures_max = 4\n").unwrap_err();
    let places: Vec<(usize, &str)> = errors.iter().map(|e| (e.line, e.field.as_str())).collect();
    assert_eq!(places, [(1, "syntax"), (2, "shards"), (4, "syntax")]);
}

#[test]
fn what_a_lane_needs_is_counted() {
    check("[argon2id]\nm_kib = 31\np = 4", &["line 2: argon2id.m_kib: must be 32 to 1048576, not 31"]);
}

#[test]
fn what_one_hash_may_cost_is_limited() {
    check("[argon2id]\nm_kib = 1048577", &["line 2: argon2id.m_kib: must be 8 to 1048576, not 1048577"]);
    let t_max = ARGON2ID_KIB_WRITTEN_MAX / u64::from(ARGON2ID_M_KIB_MAX);
    let file = |t: u64| format!("[argon2id]\nt = {t}\nm_kib = {ARGON2ID_M_KIB_MAX}");
    assert!(Config::parse(&file(t_max)).is_ok());
    check(&file(t_max + 1), &["line 2: argon2id.t: must be 1 to 4, not 5"]);
}

#[test]
fn keys_left_out_are_as_in_what_is_parsed_over() {
    let base = Config { main_domain: DomainName::parse("example.com").unwrap(), ..Config::default() };
    let over = |text| base.parse_over(text).unwrap().main_domain.to_string();
    assert_eq!(over(""), "example.com");
    assert_eq!(over("main_domain = \"example.org\""), "example.org");
    let full =
        Config::parse("shards = 3\nchannels = 7\n[argon2id]\nt = 3\n[[listener]]\naddress = \"[::1]:7\"").unwrap();
    assert_eq!(full.parse_over(""), Ok(full.clone()));
}

#[test]
fn a_difference_says_which_keys_wait_for_a_restart() {
    let old = Config::default();
    let new = Config::parse("shards = 2\nchannels = 5\nlog_level = 2\n[argon2id]\nt = 3\n").unwrap();
    let difference = old.difference(&new);
    assert_eq!(difference.live, ["channels: 1000 -> 5", "log_level: 3 -> 2"]);
    assert_eq!(difference.restart, ["shards", "argon2id"]);
    let with = |keys: &str| Config::parse(&format!("[[listener]]\naddress = \"127.0.0.1:8106\"\n{keys}\n")).unwrap();
    let difference = old.difference(&with("grant = [\"::1\"]"));
    assert_eq!(difference.live, ["listener 127.0.0.1:8106: grant, deny or proxy"]);
    assert!(difference.restart.is_empty());
    let difference = old.difference(&with("grant = [\"::1\"]\nhide_version = true"));
    assert!(difference.live.is_empty());
    assert_eq!(difference.restart, ["listener"]);
    assert!(old.difference(&old).is_empty());
}

prop_compose! {
    fn any_live()(
        (channels, connections_per_address, ipv6_prefix_length) in (0..=1_000_000u32, 0..=1_000_000u32, 1..=128u8),
        channels_for_clients in 0..=1_000_000u32,
        (idle, login, line, drain) in (1..=86_400u64, 1..=86_400u64, 1..=86_400u64, 0..=3_600u64),
        (failures_max, delay_ms) in (1..=100u8, 0..=60_000u64),
        (address_failures_max, address_failures, address_block) in (0..=1_000_000u32, 1..=86_400u64, 1..=86_400u64),
        password_characters_min in 1..=1024usize,
        (queue, queue_length_max) in (1..=60u64, 1..=1_000_000usize),
        log_level in 0..=5u8,
    ) -> Live {
        Live {
            channels, channels_for_clients, connections_per_address, ipv6_prefix_length, failures_max, address_failures_max, password_characters_min, queue_length_max,
            log_level,
            address_failures: Duration::from_secs(address_failures),
            address_block: Duration::from_secs(address_block),
            idle: Duration::from_secs(idle),
            login: Duration::from_secs(login),
            line: Duration::from_secs(line),
            drain: Duration::from_secs(drain),
            failed_reply_delay: Duration::from_millis(delay_ms),
            queue: Duration::from_secs(queue),
        }
    }
}

fn any_domain() -> impl Strategy<Value = DomainName> {
    "[a-z0-9_-]{1,20}(\\.[a-z0-9_-]{1,20}){0,3}".prop_map(|text| DomainName::parse(&text).unwrap())
}

fn any_path() -> impl Strategy<Value = PathBuf> {
    "[^\0]{1,20}".prop_map(PathBuf::from)
}

prop_compose! {
    fn any_certificate()(chain in any_path(), key in any_path()) -> Certificate {
        Certificate { chain, key }
    }
}

fn any_networks() -> impl Strategy<Value = NetworkList> {
    let network = any::<(Ipv4Addr, std::net::Ipv6Addr, bool)>().prop_map(|(v4, v6, is_excluded)| {
        let mark = if is_excluded { "!" } else { "" };
        format!("{v4}\n{mark}{v4}-255.255.255.255\n{v6}")
    });
    proptest::collection::vec(network, 0..3).prop_map(|lines| lines.join("\n").parse().unwrap())
}

fn any_restrictions() -> impl Strategy<Value = (NetworkList, Restriction)> {
    (any_networks(), any_networks(), any::<bool>()).prop_map(|(proxy, networks, grants)| {
        let restriction = match grants {
            _ if networks.is_empty() => Restriction::Nobody,
            true => Restriction::Grant(networks),
            false => Restriction::Deny(networks),
        };
        (proxy, restriction)
    })
}

fn any_unix_listener() -> impl Strategy<Value = Option<Listener>> {
    let listener = ("/[^\0]{1,20}", 0..=0o777_u16)
        .prop_map(|(path, mode)| Listener { mode, ..Listener::at(Address::Unix(path.into())) });
    proptest::option::of(listener)
}

prop_compose! {
    fn any_issuer()(
        issuer in "[^\0]{1,20}",
        audience in "[^\0]{1,20}",
        keys in any_path(),
        claim in "[^\0]{1,20}",
    ) -> TokenIssuer {
        TokenIssuer { issuer, audience, keys, claim }
    }
}

prop_compose! {
    fn any_security()(
        wants_tls: bool,
        cleartext in proptest::sample::select(&Cleartext::ALL[..]),
        client_ca in proptest::option::of(any_path()),
        certificates in proptest::collection::vec(any_certificate(), 0..3),
    ) -> (Vec<Certificate>, bool, Cleartext, Option<PathBuf>) {
        (certificates.clone(), wants_tls && !certificates.is_empty(), cleartext, client_ca)
    }
}

prop_compose! {
    fn any_config()(
        main_domain in any_domain(),
        shards in proptest::option::of(1..=1024u16),
        p in 1..=16u32,
        (m_kib, t) in (128..=1_048_576u32).prop_flat_map(|m_kib| (Just(m_kib), 1..=4_194_304 / m_kib)),
        ports in proptest::collection::btree_set(1..=u16::MAX, 1..4),
        ip in any::<std::net::IpAddr>(),
        poppassd in any::<bool>(),
        (hide_version, apop) in any::<(bool, bool)>(),
        domain in proptest::option::of(any_domain()),
        (certificates, tls, cleartext, client_ca) in any_security(),
        (proxy, restriction) in any_restrictions(),
        unix in any_unix_listener(),
        master_key in proptest::option::of("[a-z/\"\\\\]{1,9}"),
        oauth in proptest::collection::vec(any_issuer(), 0..3),
        live in any_live(),
    ) -> Config {
        let dialect = if poppassd { Dialect::Poppassd } else { Dialect::Communigate };
        let listener = |port| Listener {
            address: SocketAddr::new(ip, port).into(), dual_stack: false, mode: Listener::DEFAULT_MODE, dialect, domain: domain.clone(), hide_version, tls, cleartext, apop,
            client_ca: client_ca.clone(), restriction: restriction.clone(), proxy: proxy.clone(),
        };
        Config {
            main_domain,
            shards: shards.and_then(NonZeroU16::new),
            master_key: master_key.map(PathBuf::from),
            argon2id: Argon2idCost { m_kib, t, p },
            certificates,
            oauth,
            listeners: ports.into_iter().map(listener).chain(unix).collect(),
            live,
        }
    }
}

proptest! {
    #[test]
    fn a_printed_config_parses_back_to_itself(config in any_config()) {
        prop_assert_eq!(crate::auth::argon2id::check_cost(config.argon2id), Ok(()));
        prop_assert_eq!(Config::parse(&config.to_string()), Ok(config));
    }

    #[test]
    fn no_text_panics_the_parser(text in "[\\[\\]a-z0-9_=\" .\n{},#-]{0,80}") {
        if let Err(errors) = Config::parse(&text) {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|error| error.line >= 1));
        }
    }
}
