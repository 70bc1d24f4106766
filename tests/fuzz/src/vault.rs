use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use blake2::Blake2bMac;
use blake2::digest::consts::{U8, U32};
use blake2::digest::{FixedOutput, Update};
use keyturn::auth::{Credentials, MasterKey, RecordFault, Vault};

const ALICE: &[u8] = b"Aexample.com\0alice";
const BOB: &[u8] = b"Aexample.com\0bob";
const KEY: [u8; 32] = [0xa5; 32];
/// The first byte of the open form, and of the sealed one.
const OPEN: u8 = 1;
const SEALED: u8 = 2;
const HEADER_BYTES: usize = 25;
const NONCE: [u8; 12] = *b"used by all.";

thread_local! {
    static VAULT: Vault = Vault::new(vec![MasterKey::parse(&"a5".repeat(32)).expect("64 digits")]);
}

/// Of the first byte: 0: the rest is a record; 1: it is what befalls a good record; 2: it is what a
/// record holds under a good seal. Nothing panics, nothing opens that was not sealed just so, and
/// what opens can be sealed again and is the same.
pub fn vault(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    VAULT.with(|vault| match how % 3 {
        0 => anything(vault, rest),
        1 => changed(vault, rest),
        _ => contents(vault, rest),
    });
}

/// No fuzzer finds a seal, so what opens was open.
fn anything(vault: &Vault, record: &[u8]) {
    let opened = vault.open(ALICE, record);
    if record.first() == Some(&OPEN) {
        assert_eq!(opened, Credentials::decode(record));
    } else {
        assert!(opened.is_err());
    }
    opened.into_iter().for_each(|credentials| seal_again(vault, &credentials));
}

/// Each change is three bytes: what is done, where, and with which byte.
fn changed(vault: &Vault, changes: &[u8]) {
    let (record, others) = (sealed(ALICE, &header(), &parts()), sealed(BOB, &header(), &parts()));
    let (mut bytes, mut owner) = (record.clone(), ALICE);
    for change in changes.chunks_exact(3) {
        let (at, byte) = (usize::from(change[1]) * bytes.len() / 256, change[2]);
        match change[0] % 8 {
            0 | 1 if at < bytes.len() => bytes[at] ^= byte,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, byte),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => bytes.splice(at.., others[at.min(others.len())..].iter().copied()).for_each(drop),
            6 => bytes.extend_from_slice(&record[at.min(record.len())..]),
            7 => owner = BOB,
            _ => {}
        }
    }
    let opened = vault.open(owner, &bytes);
    let is_good = owner == ALICE && bytes == record || owner == BOB && bytes == others;
    match bytes.first() {
        Some(&OPEN) => assert_eq!(opened, Credentials::decode(&bytes)),
        _ if is_good => assert_eq!(opened, Credentials::decode(&open_form(&parts()))),
        _ => assert!(opened.is_err(), "a changed record opens"),
    }
}

/// Whoever has the key may seal anything.
fn contents(vault: &Vault, parts: &[u8]) {
    let opened = vault.open(ALICE, &sealed(ALICE, &header(), parts));
    match (opened, Credentials::decode(&open_form(parts))) {
        (Ok(sealed), Ok(open)) => assert_eq!(sealed, open),
        (Ok(sealed), Err(_)) => assert!(sealed.recoverable.is_some(), "the open form holds all but that"),
        (Err(sealed), Err(open)) => assert!(sealed == open || open == RecordFault::Malformed),
        (Err(fault), Ok(_)) => panic!("the sealed form holds all that the open one does, but {fault}"),
    }
    vault.open(ALICE, &sealed(ALICE, &header(), parts)).iter().for_each(|credentials| seal_again(vault, credentials));
}

fn seal_again(vault: &Vault, credentials: &Credentials) {
    assert_eq!(vault.open(BOB, &vault.seal(BOB, credentials)).as_ref(), Ok(credentials));
}

/// As `auth/vault.rs` states the format, and with no code of its.
fn sealed(owner: &[u8], header: &[u8; HEADER_BYTES], parts: &[u8]) -> Vec<u8> {
    let mut id = <Blake2bMac<U8>>::new_from_slice(&KEY).expect("32 bytes");
    id.update(b"keyturn key id");
    let mut key = <Blake2bMac<U32>>::new_from_slice(&KEY).expect("32 bytes");
    key.update(b"keyturn record seal");
    let mut record = header.to_vec();
    record[0] = SEALED;
    record.extend_from_slice(&id.finalize_fixed());
    let covered = [&record, owner].concat();
    record.extend_from_slice(&NONCE);
    let mut parts = parts.to_vec();
    let cipher = Aes256GcmSiv::new(&key.finalize_fixed());
    let tag = cipher.encrypt_inout_detached(&Nonce::from(NONCE), &covered, parts.as_mut_slice().into());
    record.append(&mut parts);
    record.extend_from_slice(&tag.expect("it is short"));
    record
}

fn open_form(parts: &[u8]) -> Vec<u8> {
    [&header(), parts].concat()
}

fn header() -> [u8; HEADER_BYTES] {
    std::array::from_fn(|index| if index == 0 { OPEN } else { index as u8 })
}

/// Of a password, and of an application's.
fn parts() -> Vec<u8> {
    let body = [7; 60];
    let argon2id = [&[1, 60, 0][..], &body].concat();
    let application = [&[1, 9, 9, 9, 9, 9, 9, 9, 9, 5][..], b"phone", &argon2id].concat();
    [&argon2id[..], &[3, application.len() as u8, 0], &application].concat()
}
