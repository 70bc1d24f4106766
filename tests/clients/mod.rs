//! Clients nobody here wrote, as Debian and PyPI ship them, against our server.

pub(crate) mod debian;
mod haproxy;
mod offered;
pub(crate) mod sasl;
mod secure;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;

use self::debian::{perl, php, python, tool};
use crate::house::commands::offered;
use crate::world::client::Client;
use crate::world::program::Home;
use crate::world::{MAIN_DOMAIN, World};

const OLD: &str = "blue harbor 42";
const NEW: &str = "green p\u{e4} ss \"quoted\" ";

/// A world with an account of Alice's, and where it listens in `dialect`.
fn world(dialect: &str) -> (World, SocketAddr) {
    world_with(dialect, &[])
}

/// The same, of a listener with these keys.
fn world_with(dialect: &str, keys: &[String]) -> (World, SocketAddr) {
    let mut world = World::new(vec![(dialect.to_owned(), keys.to_vec())]);
    world.account("alice", OLD.as_bytes(), "{}");
    world.listen_as(dialect, keys);
    let address = world.address();
    (world, address)
}

/// Whether Alice can log in with `password`.
fn logs_in(address: SocketAddr, password: &str) -> bool {
    let mut client = Client::connect(address);
    client.line();
    client.ask("USER alice");
    client.ask(&format!("PASS {password}")).starts_with("200 ")
}

fn check_changed(address: SocketAddr) {
    assert!(logs_in(address, NEW) && !logs_in(address, OLD));
}

/// What Roundcube's driver says about a change of Alice's password.
fn roundcube(address: SocketAddr, old: &str, new: &str) -> String {
    let port = address.port().to_string();
    php("roundcube.php", &["127.0.0.1", &port, "alice", old, new])
}

#[test]
fn roundcube_changes_a_password_that_outlives_a_kill() {
    let home = Home::new("poppassd", "failed_reply_delay_ms = 0");
    home.add_account("alice", OLD);
    let program = home.serve();
    assert_eq!(roundcube(home.address, OLD, NEW), "0\n");
    program.kill();
    let _program = home.serve();
    check_changed(home.address);
}

#[test]
fn roundcube_speaks_the_communigate_dialect_too() {
    let (_world, address) = world("communigate");
    assert_eq!(roundcube(address, OLD, NEW), "0\n");
    check_changed(address);
}

#[test]
fn roundcube_shows_why_a_change_was_refused() {
    for dialect in ["poppassd", "communigate"] {
        let (_world, address) = world(dialect);
        let wrong = roundcube(address, NEW, NEW);
        assert!(wrong.starts_with("{\"code\":2,\"message\":\"") && wrong.contains("password"), "{wrong}");
        let short = roundcube(address, OLD, "short");
        assert!(short.starts_with("{\"code\":2,\"message\":\"") && short.contains('8'), "{short}");
        assert!(logs_in(address, OLD));
    }
}

fn poppass_cgi(address: SocketAddr, old: &str, new: &str) -> String {
    perl("poppass.pl", &["127.0.0.1", &address.port().to_string(), "alice", old, new])
}

#[test]
fn poppass_cgi_changes_a_password_where_user_is_answered_200() {
    let (_world, address) = world("poppassd");
    assert!(poppass_cgi(address, "wrong password", NEW).starts_with('0'));
    assert!(logs_in(address, OLD));
    assert!(poppass_cgi(address, OLD, NEW).starts_with('1'));
    check_changed(address);
}

/// It takes no other answer to USER than 200. That is why the dialect is a listener's setting.
#[test]
fn poppass_cgi_cannot_use_the_communigate_dialect() {
    let (_world, address) = world("communigate");
    assert!(poppass_cgi(address, OLD, NEW).starts_with('0'));
    assert!(logs_in(address, OLD));
}

/// It is for those who look for one.
#[test]
fn a_challenge_in_the_greeting_disturbs_no_other_client() {
    let keys = ["apop = true".to_owned()];
    for dialect in ["poppassd", "communigate"] {
        let (_world, address) = world_with(dialect, &keys);
        assert_eq!(roundcube(address, OLD, NEW), "0\n");
        check_changed(address);
    }
    let (_world, address) = world_with("poppassd", &keys);
    assert!(poppass_cgi(address, OLD, NEW).starts_with('1'));
    check_changed(address);
}

#[test]
fn nmap_names_the_service() {
    let (_world, address) = world("poppassd");
    let port = address.port().to_string();
    let arguments = ["-sT", "-sV", "-Pn", "-n", "-p", port.as_str(), "-oX", "-", "127.0.0.1"];
    let output = tool("nmap").args(arguments).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    for expected in ["name=\"pop3pw\"", "product=\"poppassd\"", concat!("keyturn-", env!("CARGO_PKG_VERSION"))] {
        assert!(report.contains(expected), "no {expected} in:\n{report}");
    }
}

/// One package that administers servers by their command line, nearly all of it: every method of it
/// that sends a command which is offered.
#[test]
fn cgpcli_administers_domains_and_accounts() {
    // It does not know APOP, and does not mind a challenge.
    let (_world, address) = world_with("communigate", &["apop = true".to_owned()]);
    let folder = tempfile::tempdir().unwrap();
    let port = address.port().to_string();
    let commands: Vec<_> = offered().into_iter().map(|command| command.name).collect();
    let arguments = ["127.0.0.1", &port, MAIN_DOMAIN, "postmaster", "postmaster's secret", &commands.join(",")];
    let complaints = python("cgpcli.py", "CGPCLI==1.1.9", folder.path(), &arguments);
    assert_eq!(complaints, "");
}

/// Pipes `pieces` into netcat one by one, and returns what came out.
fn netcat(address: SocketAddr, pieces: &[&[u8]]) -> String {
    let port = address.port().to_string();
    let mut command = tool("nc.openbsd");
    command.args(["-N", "127.0.0.1", &port]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for piece in pieces {
        input.write_all(piece).unwrap();
        std::thread::yield_now();
    }
    drop(input);
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    child.wait().unwrap();
    output
}

/// The codes of reply lines.
pub(crate) fn codes(replies: &str) -> Vec<&str> {
    replies.lines().map(|line| line.get(..3).unwrap_or(line)).collect()
}

#[test]
fn netcat_changes_a_password_with_bare_line_feeds_in_one_write() {
    let (_world, address) = world("poppassd");
    let lines = format!("user alice\npass {OLD}\nnewpass {NEW}\nquit\n");
    let replies = netcat(address, &[lines.as_bytes()]);
    assert_eq!(codes(&replies), ["200"; 5], "{replies}");
    check_changed(address);
}

#[test]
fn netcat_changes_a_password_byte_by_byte_and_without_quit() {
    let (_world, address) = world("poppassd");
    let lines = format!("USER alice\nPASS {OLD}\r\nNEWPASS {NEW}\n");
    let bytes: Vec<&[u8]> = lines.as_bytes().chunks(1).collect();
    let replies = netcat(address, &bytes);
    assert_eq!(codes(&replies), ["200"; 4], "{replies}");
    check_changed(address);
}
