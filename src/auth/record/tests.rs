use proptest::prelude::*;

use super::*;
use crate::model::Secret;

fn any_verifier() -> impl Strategy<Value = Verifier> {
    let cost = any::<[u32; 3]>().prop_map(|[m_kib, t, p]| Argon2idCost { m_kib, t, p });
    let argon2id = (cost, any::<[u8; 16]>(), any::<[u8; 32]>()).prop_map(|(cost, salt, tag)| Verifier::Argon2id {
        cost,
        salt,
        tag,
    });
    prop_oneof![argon2id, "[./0-9A-Za-z]{1,8}".prop_map(|salt| legacy(&salt))]
}

fn legacy(salt: &str) -> Verifier {
    crate::auth::legacy::parse(format!("$1${salt}$on4unkS8dQm5BqW0uvLLi1").as_bytes()).unwrap()
}

fn any_credentials() -> impl Strategy<Value = Credentials> {
    let verifiers = prop::collection::vec(any_verifier(), 0..4);
    let alternatives = prop::collection::vec(any_alternative(), 0..4);
    (any::<u64>(), any::<u128>(), verifiers, any_scram(), alternatives).prop_map(
        |(changed_at, change_id, verifiers, scram, alternatives)| Credentials {
            changed_at,
            change_id,
            verifiers,
            scram,
            recoverable: None,
            alternatives,
        },
    )
}

fn any_scram() -> impl Strategy<Value = Vec<ScramVerifier>> {
    let both = (1..=u32::MAX, any::<[u8; 16]>(), any::<[[u8; 20]; 2]>(), any::<[[u8; 32]; 2]>());
    let both = both.prop_map(|(iterations, salt, sha_1, sha_256)| {
        let sha_1 = ScramKeys::Sha1 { stored_key: sha_1[0], server_key: sha_1[1] };
        let sha_256 = ScramKeys::Sha256 { stored_key: sha_256[0], server_key: sha_256[1] };
        [sha_1, sha_256].map(|keys| ScramVerifier { iterations, salt, keys }).to_vec()
    });
    both.prop_flat_map(|both| prop::sample::subsequence(both, 0..=2))
}

fn any_alternative() -> impl Strategy<Value = Alternative> {
    let application = "\\PC{1,16}".prop_map(|tag| PasswordPurpose::Application(tag.into()));
    let purpose = prop_oneof![application, Just(PasswordPurpose::Sip), Just(PasswordPurpose::Radius)];
    (purpose, any::<u64>(), any_verifier()).prop_map(|(purpose, id, verifier)| Alternative { purpose, id, verifier })
}

fn encoded(credentials: &Credentials) -> Vec<u8> {
    let mut bytes = Vec::new();
    credentials.encode(&mut bytes);
    bytes
}

fn one() -> Credentials {
    let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [0xaa; 16], tag: [0xbb; 32] };
    Credentials { change_id: 2, ..Credentials::new(verifier, 1) }
}

proptest! {
    #[test]
    fn decode_is_the_inverse_of_encode(credentials in any_credentials()) {
        prop_assert_eq!(Credentials::decode(&encoded(&credentials)), Ok(credentials));
    }

    #[test]
    fn whatever_decodes_is_what_encode_writes(
        credentials in any_credentials(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encoded(&credentials);
        *place.get_mut(&mut bytes) = byte;
        if let Ok(decoded) = Credentials::decode(&bytes) {
            prop_assert_eq!(encoded(&decoded), bytes);
        }
    }

    #[test]
    fn no_bytes_panic_the_decoder(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(first) = bytes.first_mut() {
            *first %= 3;
        }
        if let Ok(decoded) = Credentials::decode(&bytes) {
            prop_assert_eq!(encoded(&decoded), bytes);
        }
    }
}

#[test]
fn the_text_of_a_verifier_is_read_again() {
    for verifier in [one().verifiers.remove(0), legacy("salt")] {
        assert_eq!(crate::auth::legacy::parse(verifier.to_text().as_bytes()), Ok(verifier));
    }
}

#[test]
fn every_cut_is_malformed_but_one_between_verifiers() {
    let bytes = encoded(&one());
    for length in 0..bytes.len() {
        let decoded = Credentials::decode(&bytes[..length]);
        if length == 1 + 8 + 16 {
            assert_eq!(decoded.unwrap().verifiers, []);
        } else {
            assert_eq!(decoded, Err(RecordFault::Malformed), "cut at {length}");
        }
    }
}

#[test]
fn a_legacy_hash_is_kept_as_its_text() {
    let bytes = encoded(&Credentials { change_id: 2, ..Credentials::new(legacy("salt"), 1) });
    assert_eq!(&bytes[25..], b"\x02\x1e\0$1$salt$on4unkS8dQm5BqW0uvLLi1");
    assert_eq!(format!("{:?}", Credentials::decode(&bytes).unwrap().verifiers), "[md5-crypt()]");
    let mut damaged = bytes.clone();
    damaged[28] = b'#';
    assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed));
}

#[test]
fn what_is_not_of_the_current_cost_needs_an_upgrade() {
    let current = Argon2idCost::default();
    let dearer = Argon2idCost { t: 3, ..current };
    assert!(!one().needs_upgrade(current));
    assert!(one().needs_upgrade(dearer));
    let mut credentials = Credentials::new(legacy("salt"), 1);
    assert!(credentials.needs_upgrade(current));
    credentials.verifiers.extend(one().verifiers);
    assert!(!credentials.needs_upgrade(current));
}

#[test]
fn what_a_later_version_wrote_is_refused_by_name() {
    let mut bytes = encoded(&one());
    bytes[25] = 9;
    assert_eq!(Credentials::decode(&bytes), Err(RecordFault::UnknownScheme(9)));
    bytes[0] = 7;
    assert_eq!(Credentials::decode(&bytes), Err(RecordFault::UnknownFormat(7)));
}

#[test]
fn a_body_longer_than_its_scheme_is_malformed() {
    let mut bytes = encoded(&one());
    bytes[26] += 1;
    bytes.push(0);
    assert_eq!(Credentials::decode(&bytes), Err(RecordFault::Malformed));
}

#[test]
fn the_binary_form_stays_as_it_is() {
    let bytes = encoded(&one());
    assert_eq!(bytes.len(), 25 + 3 + 60);
    assert_eq!(bytes[..2], [1, 1]);
    assert_eq!(bytes[9], 2);
    assert_eq!(bytes[25..32], [1, 60, 0, 0x00, 0x4c, 0, 0]);
    assert_eq!(bytes[40..56], [0xaa; 16]);
    assert_eq!(bytes[56..], [0xbb; 32]);
}

#[test]
fn debug_shows_the_cost_and_neither_salt_nor_tag_nor_key() {
    let recoverable = Some(Recoverable::new(&Secret::new(b"hunter2").unwrap()));
    let shown = format!("{:?}", Credentials { scram: vec![sha_256()], recoverable, ..one() });
    assert_eq!(
        shown,
        "Credentials { changed_at: 1, change_id: 2, verifiers: [Argon2id(m=19456,t=2,p=1)], \
         scram: [SCRAM-SHA-256(i=4096)], recoverable: Some(Recoverable(***)), alternatives: [] }"
    );
}

#[test]
fn there_is_one_further_password_of_each_purpose() {
    let mut credentials = one();
    let tag = |tag: &str| PasswordPurpose::Application(tag.into());
    assert!(!credentials.set_alternative(tag("phone"), Some(legacy("one"))));
    assert!(!credentials.set_alternative(PasswordPurpose::Sip, Some(legacy("two"))));
    let before = credentials.alternatives[0].id;
    assert!(credentials.set_alternative(tag("phone"), Some(legacy("three"))));
    assert_eq!(credentials.alternatives.len(), 2);
    assert!(credentials.alternatives.iter().all(|it| it.id != before));
    assert_eq!(credentials.applications().collect::<Vec<_>>(), ["phone"]);
    assert!(!credentials.set_alternative(tag("Phone"), None) && credentials.set_alternative(tag("phone"), None));
    assert_eq!(credentials.applications().count(), 0);
}

#[test]
fn a_further_password_is_behind_all_verifiers_and_of_a_purpose_that_is_known() {
    let mut credentials = one();
    credentials.set_alternative(PasswordPurpose::Application("x".into()), Some(legacy("salt")));
    let bytes = encoded(&credentials);
    let (head, alternative) = bytes.split_at(25 + 63);
    assert_eq!((alternative[0], alternative[3], &alternative[12..14]), (3, 1, &b"\x01x"[..]));
    let swapped = [&head[..25], alternative, &head[25..]].concat();
    assert_eq!(Credentials::decode(&swapped), Err(RecordFault::Malformed));
    for (at, byte) in [(3, 0), (3, 2), (3, 4), (12, 0), (13, 0xff)] {
        let mut damaged = bytes.clone();
        damaged[25 + 63 + at] = byte;
        assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed), "{at}: {byte}");
    }
}

fn sha_1() -> ScramVerifier {
    let keys = ScramKeys::Sha1 { stored_key: [3; 20], server_key: [4; 20] };
    ScramVerifier { iterations: 4096, salt: [2; 16], keys }
}

fn sha_256() -> ScramVerifier {
    let keys = ScramKeys::Sha256 { stored_key: [3; 32], server_key: [4; 32] };
    ScramVerifier { iterations: 4096, salt: [2; 16], keys }
}

#[test]
fn scram_has_its_place_and_each_hash_function_once() {
    let both = Credentials { scram: vec![sha_1(), sha_256()], ..one() };
    let bytes = encoded(&both);
    let (head, scram) = bytes.split_at(25 + 63);
    assert_eq!(scram[..9], [4, 61, 0, 1, 0, 0x10, 0, 0, 2]);
    let (first, second) = scram.split_at(3 + 61);
    assert_eq!(second[..9], [4, 85, 0, 2, 0, 0x10, 0, 0, 2]);
    assert_eq!(second[24..], [[3; 32], [4; 32]].concat());
    assert_eq!(Credentials::decode(&bytes), Ok(both));
    let (header, own) = head.split_at(25);
    for parts in [[header, own, second, first], [header, own, first, first], [header, first, own, second]] {
        assert_eq!(Credentials::decode(&parts.concat()), Err(RecordFault::Malformed));
    }
    for (at, byte) in [(1, 62), (3, 0), (3, 2), (3, 3), (5, 0)] {
        let mut damaged = [header, own, first].concat();
        damaged[head.len() + at] = byte;
        assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed), "{at}: {byte}");
    }
}

#[test]
fn the_open_form_leaves_the_password_itself_out() {
    let recoverable = Some(Recoverable::new(&Secret::new(b"hunter2").unwrap()));
    let bytes = encoded(&Credentials { recoverable, ..one() });
    assert_eq!(Credentials::decode(&bytes), Ok(one()));
}

#[test]
fn passwords_of_one_account_share_a_salt_if_they_have_one() {
    let mut credentials = one();
    assert_eq!((credentials.salt_of_alternatives(), credentials.salt()), (None, Some([0xaa; 16])));
    credentials.set_alternative(PasswordPurpose::Sip, Some(legacy("salt")));
    assert_eq!(credentials.salt_of_alternatives(), None);
    let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [0xcc; 16], tag: [0; 32] };
    credentials.set_alternative(PasswordPurpose::Radius, Some(verifier));
    assert_eq!((credentials.salt_of_alternatives(), credentials.salt()), (Some([0xcc; 16]), Some([0xcc; 16])));
}
