use proptest::prelude::*;

use super::limits::MEMORY_KIB_MAX;
use super::*;
use crate::model::Argon2idCost;
use crate::model::limits::ARGON2ID_KIB_WRITTEN_MAX;

/// What other software made; the file tells how.
fn known_answers() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("known_answers.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next().unwrap(), words.next().unwrap())
    })
}

fn password(name: &str) -> Vec<u8> {
    match name {
        "empty" => Vec::new(),
        "plain" => b"correct horse".to_vec(),
        "8bit" => b"gr\xfc\xdfe \xff\x80".to_vec(),
        "long" => (0..200).map(|index| 33 + index % 94).collect(),
        name => panic!("no password {name}"),
    }
}

/// The hash as it would be kept were it not of the program's own kind.
fn hash(text: &str) -> LegacyHash {
    LegacyHash::from_record(text.as_bytes()).unwrap()
}

fn accepts(text: &str, password: &[u8]) -> bool {
    hash(text).accepts(password).unwrap().into()
}

#[test]
fn hashes_of_other_software_accept_their_passwords_and_no_others() {
    let mut count = 0;
    for (name, text) in known_answers() {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
        let password = password(name);
        assert!(accepts(text, &password), "{text}");
        let mut wrong = password.clone();
        match wrong.first_mut() {
            Some(first) => *first ^= 0x80,
            None => wrong.push(b' '),
        }
        assert!(!accepts(text, &wrong), "{text}");
        // The last byte counts, unless bcrypt does not see it.
        if text.starts_with("$2") && name == "long" {
            assert!(accepts(text, &password[..password.len() - 1]), "{text}");
        } else if !password.is_empty() {
            assert!(!accepts(text, &password[..password.len() - 1]), "{text}");
        }
        count += 1;
    }
    assert!(count > 100);
}

#[test]
fn a_hash_is_one_bit_from_accepting_nothing() {
    for (name, text) in known_answers().filter(|(name, _)| *name == "plain") {
        let mut bytes = text.as_bytes().to_vec();
        // Not the last digit, of which not all bits count everywhere.
        let place = bytes.len() - 4;
        bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
        let altered = String::from_utf8(bytes).unwrap();
        assert!(!accepts(&altered, &password(name)), "{altered}");
    }
}

#[test]
fn a_password_with_a_nul_is_never_right() {
    // bcrypt repeats its key, NUL included, so that these two would be the same.
    let text = "$2b$04$CCCCCCCCCCCCCCCCCCCCC..o66Ba.o65rt06KXeSpKWfObOB7QJIe";
    assert!(accepts(text, b"correct horse"));
    assert!(!accepts(text, b"correct horse\0correct horse"));
    for (_, text) in known_answers().filter(|(name, _)| *name == "plain") {
        assert!(!accepts(text, b"correct horse\0"), "{text}");
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_and_says_so() {
    let text = "$2b$04$CCCCCCCCCCCCCCCCCCCCC.qipvvM0JSQtK9o2ZNeks7S4GUBNFV0S";
    let long = password("long");
    assert!(accepts(text, &long) && accepts(text, &long[..72]) && !accepts(text, &long[..71]));
    assert!(hash(text).is_about_all_of(&long[..72]) && !hash(text).is_about_all_of(&long[..73]));
    assert!(hash("$1$$IfI/mw4YSCwcQoW.D.DSu1").is_about_all_of(&long));
}

#[test]
fn schemes_and_costs_are_told_and_nothing_else() {
    let cases = [
        ("$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80", "md5-crypt()"),
        ("$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC", "sha256-crypt(rounds=5000)"),
        ("$2a$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2", "bcrypt(cost=5)"),
        ("$y$j9T$HboM0uyOSGTJPIuBCHRnV1$hUNVvuMmNF0ozNd6ye9elH/5NY5iZ40FZVY91.ti8C1", "yescrypt(ln=12,r=32)"),
        ("$7$76..../....SodiumChloride$HtgyKdul39Feod0n2SG3bne41pe81i6t9HmKI1m.QAD", "scrypt(ln=9,r=8,p=1)"),
        ("{md5}PLTnMmMfR+brlh80VUt83g", "md5()"),
        ("{PBKDF2}1$++..$AAAAAAAAAAAAAAAAAAAAAA", "pbkdf2-sha1(rounds=1)"),
        ("$argon2d$m=64,t=2,p=2$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA", "argon2d(m=64,t=2,p=2)"),
    ];
    for (text, shown) in cases {
        assert_eq!(format!("{:?}", parse(text.as_bytes())), format!("Ok({shown})"), "{text}");
    }
}

#[test]
fn argon2id_of_the_programs_own_shape_becomes_its_own() {
    let text = "$argon2id$v=19$m=64,t=1,p=1$c2l4dGVlbmJ5dGVzYWx0Lg$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let expected = Verifier::Argon2id {
        cost: Argon2idCost { m_kib: 64, t: 1, p: 1 },
        salt: *b"sixteenbytesalt.",
        tag: std::array::from_fn(|index| index.try_into().unwrap()),
    };
    for prefix in ["", "{ARGON2ID}", "{crypt}", "\x02", "\\002{Argon2}"] {
        assert_eq!(parse(format!("{prefix}{text}").as_bytes()), Ok(expected.clone()), "{prefix}");
    }
    for other in [text.replace("v=19", "v=16"), text.replace("argon2id", "argon2i"), text.replace("Lg$", "$")] {
        assert!(matches!(parse(other.as_bytes()), Ok(Verifier::Legacy(_))), "{other}");
    }
}

#[test]
fn wrappings_are_taken_off() {
    let text = "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80";
    for prefix in ["\x02", "\\002", "{CRYPT}", "{MD5}", "{md5-crypt}", "\x02{CRYPT}", "\\002{crypt}"] {
        let parsed = parse(format!("{prefix}{text}").as_bytes());
        assert_eq!(parsed, Ok(Verifier::Legacy(hash(text))), "{prefix}");
    }
    for prefix in ["\x02\x02", "{SHA}", "{CRYPT}{CRYPT}", "{UNKNOWN}", "{PBKDF2}", "{CRYPT} ", " "] {
        assert!(parse(format!("{prefix}{text}").as_bytes()).is_err(), "{prefix}");
    }
    assert!(parse(b"\x02{SHA}fCIvspJ9goryL1khNOiTJIBjfA0=").is_ok());
}

#[test]
fn what_costs_too_much_is_refused_with_its_reason_and_accepts_nothing() {
    let (salt, key) = ("c2FsdHNhbHRzYWx0", "AAAAAAAAAAAAAAAAAAAAAA");
    let t_dear = ARGON2ID_KIB_WRITTEN_MAX / MEMORY_KIB_MAX + 1;
    let md5_hash = "y6iHhJNbuC0xpbk0w9pm80";
    let sha256_hash = "vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC";
    let bcrypt_hash = "abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
    let cases = [
        (format!("$argon2id$v=19$m=4194304,t=1,p=1${salt}${key}"), "KiB of memory 4194304, of which 262144"),
        (format!("$argon2i$v=19$m=262144,t={t_dear},p=1${salt}${key}"), "KiB in all passes 4456448, of which 4194304"),
        (format!("$argon2d$m=8,t=4294967295,p=1${salt}${key}"), "KiB in all passes 34359738360, of which 4194304"),
        (format!("$2b$31${bcrypt_hash}"), "a cost 31, of which 13"),
        (format!("$2y$14${bcrypt_hash}"), "a cost 14, of which 13"),
        (format!("$5$rounds=999999999$salt${sha256_hash}"), "rounds 999999999, of which 700000"),
        (format!("$6$rounds=700001$salt${}", "/".repeat(86)), "rounds 700001, of which 700000"),
        (format!("$y$jIT$abcdefgh${sha256_hash}"), "KiB of memory 8388608, of which 262144"),
        (format!("$7$z6..../....salt${sha256_hash}"), "KiB of memory"),
        (format!("$7$E/....1/...salt${sha256_hash}"), "KiB in all passes"),
        (format!("$scrypt$ln=20,r=8,p=1${salt}${key}"), "KiB of memory 1048576, of which 262144"),
        (format!("$scrypt$ln=17,r=8,p=3${salt}${key}"), "KiB in all passes 393216, of which 262144"),
        (format!("$pbkdf2-sha256$4000001${salt}${key}"), "rounds in all blocks 4000001, of which 4000000"),
        (format!("$pbkdf2$2000001${salt}${key}AAAAAA"), "rounds in all blocks 4000002, of which 4000000"),
        (format!("{{PBKDF2-SHA512}}4294967295${salt}${key}"), "rounds in all blocks 4294967295, of which 1000000"),
        (format!("{{PBKDF2}}$1$salt$4000001${md5_hash:0<40.0}"), "rounds in all blocks 4000001, of which 4000000"),
    ];
    for (text, reason) in cases {
        let fault = parse(text.as_bytes()).unwrap_err();
        assert!(fault.to_string().contains(&format!("to check: {reason}")), "{text}: {fault}");
        assert!(hash(&text).accepts(b"").is_none(), "{text}");
    }
}

#[test]
fn the_usual_costs_are_accepted() {
    let (salt, key) = ("c2FsdHNhbHRzYWx0", "AAAAAAAAAAAAAAAAAAAAAA");
    let sha256_hash = "vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC";
    let packed = |rounds: u32| {
        let bytes = [&rounds.to_be_bytes()[..], &[0; 64 + 256]].concat();
        <base64ct::Base64 as base64ct::Encoding>::encode_string(&bytes)
    };
    for text in [
        format!("$argon2id$v=19$m=262144,t=16,p=4${salt}${key}"),
        "$2b$13$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2".to_owned(),
        format!("$5$rounds=700000$salt${sha256_hash}"),
        format!("$y$jD5$abcdefgh${sha256_hash}"),
        format!("$7$E6..../....salt${sha256_hash}"),
        format!("$scrypt$ln=17,r=8,p=2${salt}${key}"),
        format!("$pbkdf2$1300000${salt}${key}"),
        format!("{{PBKDF2-SHA512}}1000000${salt}${key}"),
        format!("{{PBKDF2_SHA256}}{}", packed(500_000)),
    ] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
    assert!(parse(format!("{{PBKDF2_SHA256}}{}", packed(500_001)).as_bytes()).is_err());
}

#[test]
fn what_is_no_hash_or_a_damaged_one_is_refused() {
    let unknown = [
        "",
        "secret",
        "abJnggxhB/yWI",
        "_J9..rasmEedsvB6g8/6",
        "$2x$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
        "$apr1$x$y",
        "$",
        "$$",
        "{",
        "{}",
        "{PLAIN}secret",
        "{CRYPT}abJnggxhB/yWI",
        "$gy$j75$abcdefgh$x",
        "*",
        "!",
    ];
    for text in unknown {
        assert_eq!(parse(text.as_bytes()), Err(ImportFault::UnknownScheme), "{text}");
    }
    let hash43 = "vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC";
    let malformed = [
        "$1$abcdefghi$y6iHhJNbuC0xpbk0w9pm80".to_owned(),
        "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm8".to_owned(),
        "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80$".to_owned(),
        "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm8é".to_owned(),
        format!("$5$rounds=999$salt${hash43}"),
        format!("$5$rounds=05000$salt${hash43}"),
        format!("$5$seventeencharsalt${hash43}"),
        format!("$6$salt${hash43}"),
        "$2b$5$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2".to_owned(),
        "$2b$32$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2".to_owned(),
        "$2b$03$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2".to_owned(),
        "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy".to_owned(),
        format!("$y$i9T$abcdefgh${hash43}"),
        format!("$y$j95.0$abcdefgh${hash43}"),
        format!("$y$j9T$a${hash43}"),
        format!("$7$.6..../....salt${hash43}"),
        format!("$7$A.....z....salt${hash43}"),
        "$7$".to_owned(),
        format!("$scrypt$ln=0,r=8,p=1$c2FsdA${hash43}"),
        format!("$scrypt$r=8,ln=8,p=1$c2FsdA${hash43}"),
        "$argon2id$v=18$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=9$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AA$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA".to_owned(),
        "{SHA}fCIvspJ9goryL1khNOiTJIBjfA0=AAAA".to_owned(),
        "{SSHA}fCIvspJ9goryL1khNOiTJIBjfA0=".to_owned(),
        "{PBKDF2}0$AAAA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "{PBKDF2}1000$AAAA$AAAA".to_owned(),
        "{PBKDF2}$1$salt$10$zz".to_owned(),
        "{PBKDF2_SHA256}AAAA".to_owned(),
        format!("{{SSHA}}{}", "A".repeat(HASH_BYTES_MAX)),
        "{SHA}fCIvspJ9goryL1khNOiTJIBjfA0 ".to_owned(),
        "\x02".to_owned(),
    ];
    for text in &malformed[..malformed.len() - 1] {
        assert_eq!(parse(text.as_bytes()), Err(ImportFault::Malformed), "{text}");
    }
    assert_eq!(parse(b"\x02"), Err(ImportFault::UnknownScheme));
    assert_eq!(parse(b"\xff\xfe"), Err(ImportFault::Malformed));
}

/// Texts that look like hashes: known ones with some bytes replaced, and pieces put together.
fn almost_a_hash() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<_> = known_answers().map(|(_, text)| text.as_bytes().to_vec()).collect();
    let change = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"$./,=0129jzA"[..])]);
    let altered = (prop::sample::select(known), prop::collection::vec(change, 0..4)).prop_map(|(mut text, changes)| {
        changes.iter().for_each(|(place, byte)| *place.get_mut(&mut text) = *byte);
        text
    });
    let pieces = [
        "$1$",
        "$5$rounds=",
        "$6$",
        "$2b$",
        "$y$j",
        "$7$",
        "$scrypt$",
        "$argon2id$v=19$",
        "$pbkdf2-sha512$",
        "{SHA}",
        "{PBKDF2}",
        "{PBKDF2_SHA256}",
        "{CRYPT}",
        "\x02",
        "ln=",
        "r=",
        "p=",
        "m=",
        "t=",
        ",",
        "$",
        "4294967295",
        "1",
        "99999999999",
        "zzzzz",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC",
        "é",
    ];
    let assembled =
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12).prop_map(|all| all.concat().into_bytes());
    prop_oneof![altered, assembled, prop::collection::vec(any::<u8>(), 0..600)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics_the_parser_and_what_is_read_is_printed_as_it_was(text in almost_a_hash()) {
        let text = text.strip_prefix(b"\x02").unwrap_or(&text);
        if let Ok(Verifier::Legacy(parsed)) = parse(text) {
            let printed = parsed.text().as_bytes();
            prop_assert!(text.ends_with(printed));
            prop_assert!(text[..text.len() - printed.len()].iter().all(|byte| printed.len() == text.len() || *byte != b'$'));
            prop_assert_eq!(LegacyHash::from_record(printed), Some(parsed.clone()));
            prop_assert_eq!(parse(printed), Ok(Verifier::Legacy(parsed.clone())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever may be imported can be computed: the functions' own conditions are among ours.
    #[test]
    fn what_is_imported_can_be_computed(log_n in 0_usize..10, r in 0_usize..48, p in 1..5_u32, password in any::<Vec<u8>>()) {
        let digit = |index: usize| char::from(b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[index]);
        let hash43 = "vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC";
        let texts = [
            format!("$y$j{}{}$abcdefgh${hash43}", digit(log_n), digit(r)),
            format!("$7${}{}....{}....salt${hash43}", digit(log_n), digit(r), digit(p as usize)),
            format!("$scrypt$ln={log_n},r={r},p={p}$$AAAAAAAAAAAAAAAAAAAAAA"),
            format!("$argon2i$v=19$m={},t={p},p={p}$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", 8 * p + log_n as u32),
        ];
        for text in texts {
            if let Ok(verifier) = parse(text.as_bytes()) {
                let Verifier::Legacy(hash) = verifier else { panic!("{text}") };
                prop_assert_eq!(hash.accepts(&password).map(bool::from), Some(false));
            }
        }
    }
}
