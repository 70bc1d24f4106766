//! Clients that speak TLS, and that nobody here wrote.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;

use super::debian::{php_trusting, plain_python, tool};
use super::{NEW, OLD, check_changed, codes};
use crate::world::identity::Identity;
use crate::world::{MAIN_DOMAIN, World};

/// A world with an account of Alice's, where it listens in clear, and where under TLS.
fn world(dialect: &str) -> (World, SocketAddr, SocketAddr) {
    let keys = ["tls = true".to_owned()];
    let mut world = World::new(vec![(dialect.to_owned(), keys.to_vec())]);
    world.offer_tls(Identity::shared());
    world.account("alice", OLD.as_bytes(), "{}");
    world.listen_as(dialect, &keys);
    let under_tls = world.address();
    world.listen_as(dialect, &[]);
    let in_clear = world.address();
    (world, in_clear, under_tls)
}

#[test]
fn roundcube_changes_a_password_under_tls() {
    for dialect in ["poppassd", "communigate"] {
        let (_world, in_clear, under_tls) = world(dialect);
        let port = under_tls.port().to_string();
        let arguments = ["ssl://127.0.0.1", &port, "alice", OLD, NEW];
        assert_eq!(php_trusting(&Identity::shared().chain(), "roundcube.php", &arguments), "0\n");
        check_changed(in_clear);
    }
}

#[test]
fn python_changes_a_password_by_stls_and_under_tls_from_the_first_byte() {
    for how in ["stls", "tls"] {
        let (_world, in_clear, under_tls) = world("communigate");
        let address = if how == "stls" { in_clear } else { under_tls };
        let (port, chain) = (address.port().to_string(), Identity::shared().chain());
        let arguments = [how, "127.0.0.1", &port, chain.to_str().unwrap(), "alice", OLD, NEW];
        assert_eq!(plain_python("secure.py", &arguments), "TLSv1.3\n");
        check_changed(in_clear);
    }
}

#[test]
fn openssl_changes_a_password_in_both_versions_of_tls() {
    for version in ["-tls1_2", "-tls1_3"] {
        let (_world, in_clear, under_tls) = world("poppassd");
        let mut command = tool("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &under_tls.to_string(), version]);
        command.args(["-servername", MAIN_DOMAIN, "-verify_hostname", MAIN_DOMAIN, "-CAfile"]);
        command.arg(Identity::shared().chain()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = format!("USER alice\nPASS {OLD}\nNEWPASS {NEW}\nQUIT\n");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let replies = String::from_utf8_lossy(&output.stdout);
        assert_eq!(codes(&replies), ["200"; 5], "{output:?}");
        check_changed(in_clear);
    }
}

/// What is offered is what is modern: nothing older than TLS 1.2 is spoken.
#[test]
fn openssl_is_refused_with_older_versions() {
    let (_world, _, under_tls) = world("poppassd");
    let mut command = tool("openssl");
    command.args(["s_client", "-connect", &under_tls.to_string(), "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
}
