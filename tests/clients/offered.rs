//! What is offered under TLS, as openssl finds it by asking for one thing at a time, beside the table in the
//! documentation.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use rustls::NamedGroup;
use tempfile::TempDir;

use super::debian::tool;
use crate::house::source::root;
use crate::world::World;
use crate::world::client::Client;
use crate::world::identity::Identity;

const TABLE: &str = "src/tls/offered.md";

/// What openssl takes for "whatever you know", obsolete as it may be.
const ALL: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

const SUITES_OF_1_3: [&str; 5] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
];

const GROUPS: [&str; 14] = [
    "X25519MLKEM768",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
    "MLKEM768",
    "X25519",
    "P-256",
    "P-384",
    "P-521",
    "X448",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "secp256k1",
    "brainpoolP256r1",
];

const SIGNATURES: [&str; 14] = [
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_secp521r1_sha512",
    "ECDSA+SHA1",
    "ECDSA+SHA224",
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha384",
    "rsa_pkcs1_sha512",
    "RSA+SHA1",
    "RSA+SHA224",
    "ed25519",
];

/// A server under TLS from the first byte, that proves its name with `identity`.
fn serve(identity: &'static Identity) -> (World, SocketAddr) {
    let keys = ["tls = true".to_owned()];
    let mut world = World::new(vec![("communigate".to_owned(), keys.to_vec())]);
    world.offer_tls(identity);
    world.listen_as("communigate", &keys);
    let address = world.address();
    (world, address)
}

fn slow() -> &'static Identity {
    static SLOW: OnceLock<Identity> = OnceLock::new();
    SLOW.get_or_init(Identity::slow)
}

/// Runs `openssl s_client` with these arguments and this input.
fn s_client(address: SocketAddr, arguments: &[&str], input: &str) -> Output {
    let mut command = tool("openssl");
    command.args(["s_client", "-connect", &address.to_string()]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended without reading.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// Whether the server can be talked to; `None`: this openssl cannot try it.
fn succeeds(address: SocketAddr, arguments: &[&str]) -> Option<bool> {
    let output = s_client(address, &[&["-ign_eof"], arguments].concat(), "QUIT\n");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.contains("CONNECTED(").then(|| said.contains("200 keyturn PWD connection closed"))
}

/// The row of the table that begins with `name`: what it lists.
fn row(name: &str) -> BTreeSet<String> {
    let table = std::fs::read_to_string(root().join(TABLE)).unwrap();
    let cells = table.lines().find_map(|line| line.strip_prefix(&format!("| {name} | "))?.strip_suffix(" |"));
    let cells = cells.unwrap_or_else(|| panic!("{TABLE} has no row of {name}"));
    cells.split(", ").map(|value| value.trim_matches('`').to_owned()).collect()
}

/// Checks that of `candidates` those are taken that the table lists, as far as this openssl knows them.
#[track_caller]
fn check_row<T: AsRef<str>>(
    name: &str,
    candidates: impl IntoIterator<Item = T>,
    succeeds: impl Fn(&str) -> Option<bool>,
) {
    let (mut taken, mut known) = (BTreeSet::new(), BTreeSet::new());
    for candidate in candidates {
        let candidate = candidate.as_ref();
        let Some(is_taken) = succeeds(candidate) else { continue };
        known.insert(candidate.to_owned());
        if is_taken {
            taken.insert(candidate.to_owned());
        }
    }
    let listed: BTreeSet<_> = row(name).into_iter().filter(|it| known.contains(it)).collect();
    assert!(!taken.is_empty());
    assert_eq!(taken, listed, "{name}: what is offered, and what {TABLE} lists");
}

#[test]
fn openssl_is_offered_the_versions_suites_groups_and_signatures_of_the_table() {
    for (identity, kind, key) in [(Identity::shared(), "ECDSA", "P-256"), (slow(), "RSA", "RSA")] {
        let (_world, address) = serve(identity);
        let with = |arguments: &[&str]| succeeds(address, arguments);
        check_row("versions", ["ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3"], |version| {
            with(&[&format!("-{version}"), "-cipher", ALL])
        });
        check_row("suites of TLS 1.3", SUITES_OF_1_3, |suite| with(&["-tls1_3", "-ciphersuites", suite]));
        let suites = tool("openssl").args(["ciphers", "-s", "-tls1_2", ALL]).output().unwrap().stdout;
        let suites = String::from_utf8(suites).unwrap();
        check_row(&format!("suites of TLS 1.2, {kind} key"), suites.trim().split(':'), |suite| {
            with(&["-tls1_2", "-cipher", &format!("{suite}:@SECLEVEL=0")])
        });
        for version in ["3", "2"] {
            let flag = format!("-tls1_{version}");
            // In TLS 1.2 an ECDSA key's own group must be among the client's.
            if version == "3" || key == "RSA" {
                check_row(&format!("groups of TLS 1.{version}"), GROUPS, |group| with(&[&flag, "-groups", group]));
            }
            check_row(&format!("signatures of TLS 1.{version}, {key} key"), SIGNATURES, |signature| {
                with(&[&flag, "-cipher", ALL, "-sigalgs", openssl_name(signature)])
            });
        }
    }
}

/// RFC 8446's names of what openssl took long to know by these.
fn openssl_name(signature: &str) -> &str {
    match signature {
        "rsa_pkcs1_sha256" => "RSA+SHA256",
        "rsa_pkcs1_sha384" => "RSA+SHA384",
        "rsa_pkcs1_sha512" => "RSA+SHA512",
        other => other,
    }
}

/// A group that openssl before 3.5 does not know.
#[test]
fn rustls_agrees_on_a_key_that_no_quantum_computer_finds() {
    let mut world = World::new(Vec::new());
    world.offer_tls(Identity::shared());
    world.listen_as("communigate", &[]);
    let mut client = Client::connect(world.address());
    client.line();
    client.ask("STLS");
    client.begin_tls(&Identity::shared().trust(), usize::MAX);
    let group = client.tls().negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert!(row("groups of TLS 1.3").contains("X25519MLKEM768"));
}

#[test]
fn openssl_may_resume_and_neither_compress_nor_renegotiate_nor_send_early() {
    let (_world, address) = serve(Identity::shared());
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let kept = folder.path().join("session.pem");
    let kept = kept.to_str().unwrap();
    let said = |arguments: &[&str], input: &str| {
        let output = s_client(address, arguments, input);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let first = said(&[version, "-ign_eof", "-comp", "-sess_out", kept], "QUIT\n");
        assert!(first.contains("ticket lifetime hint: 43200 (seconds)"), "{first}");
        assert!(first.contains("Compression: NONE"), "{first}");
        assert_eq!(first.contains("Max Early Data: 0"), version == "-tls1_3", "{first}");
        let again = said(&[version, "-ign_eof", "-sess_in", kept], "QUIT\n");
        assert!(again.contains("\nReused, ") && again.contains("200 keyturn PWD connection closed"), "{again}");
    }
    let without = said(&["-tls1_2", "-ign_eof", "-no_ticket"], "QUIT\n");
    assert!(without.contains("Session-ID: \n"), "{without}");
    assert!(without.contains("Secure Renegotiation IS supported"), "{without}");
    assert!(without.contains("Extended master secret: yes"), "{without}");
    let renegotiating = said(&["-tls1_2"], "R\n");
    assert!(renegotiating.contains("RENEGOTIATING") && renegotiating.contains("no renegotiation"), "{renegotiating}");
    let talked_down = said(&["-tls1_2", "-fallback_scsv"], "");
    assert!(talked_down.contains("inappropriate fallback"), "{talked_down}");
}
