//! Sockets of every kind a listener may have.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::world::client::{Client, PATIENCE};
use crate::world::program::{Home, Program, await_that};

const OLD: &str = "blue harbor 42";
const NEW: &str = "seven green kites";

/// A place with two shards and an account of Alice's, whose server has these listeners, too.
fn home(listeners: &str) -> Home {
    let home = Home::new("communigate", "");
    configure(&home, "", listeners);
    home.add_account("alice", OLD);
    home
}

fn configure(home: &Home, more: &str, listeners: &str) {
    let more = format!("shards = 2\nlog_level = 4\nfailed_reply_delay_ms = 0\n{more}");
    home.configure(&format!("{}{listeners}", home.configuration("communigate", &more)));
}

/// A client of a Unix-domain socket.
struct Local(BufReader<UnixStream>);

impl Local {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, text: &str) -> String {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
        self.line()
    }
}

fn socket_listener(path: &Path, more: &str) -> String {
    format!("[[listener]]\naddress = \"unix:{}\"\n{more}\n", path.display())
}

fn socket_path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("socket")
}

#[test]
fn a_password_is_changed_in_clear_by_a_unix_domain_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(&folder);
    let home = home(&socket_listener(&path, "mode = \"0620\""));
    let mut program = home.serve();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o620);
    // Each of the shards may get each of them.
    for _ in 0..20 {
        let mut client = Local::connect(&path);
        assert!(client.line().starts_with("200 "));
        assert!(client.ask("QUIT").starts_with("200 "));
        assert_eq!(client.line(), "");
    }
    let mut client = Local::connect(&path);
    assert!(client.line().starts_with("200 "));
    assert_eq!(client.ask("USER alice"), "300 please send the PASS");
    assert_eq!(client.ask(&format!("PASS {OLD}")), "200 login OK, proceed");
    assert_eq!(client.ask(&format!("NEWPASS {NEW}")), "200 Password updated");
    program.await_line("([127.0.0.1]:0) 'alice@example.com' password changed");
    program.signal(Signal::TERM);
    assert!(client.line().starts_with("501 server is shutting down"));
    assert_eq!(program.wait().code(), Some(0), "{}", program.said());
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(&folder);
    let home = home(&socket_listener(&path, ""));
    home.serve().kill();
    assert!(path.exists());
    let _program = home.serve();
    assert!(Local::connect(&path).line().starts_with("200 "));

    let other = Home::new("communigate", "");
    configure(&other, "", &socket_listener(&path, ""));
    let mut refused = other.spawn();
    assert_eq!(refused.wait().code(), Some(1));
    refused.await_line("another program listens there");
    assert!(Local::connect(&path).line().starts_with("200 "), "the first one still has it");
}

#[test]
fn without_channels_who_comes_by_a_unix_domain_socket_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(&folder);
    let home = home(&socket_listener(&path, ""));
    let mut program = home.serve();
    for (channels, told) in [(0, "501 too many connections"), (9, "200 "), (0, "501 too many connections")] {
        configure(&home, &format!("channels = {channels}"), &socket_listener(&path, ""));
        program.signal(Signal::HUP);
        program.await_line("configuration applied: channels");
        await_that(told, || Local::connect(&path).line().starts_with(told));
        await_that("the port", || Client::try_connect(home.address).is_ok() == (channels > 0));
    }
}

#[test]
fn who_comes_while_a_server_with_passed_sockets_restarts_waits_for_it() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let home = home("[[listener]]\naddress = \"systemd:poppwd\"\ndialect = \"poppassd\"\n");
    let greeted = |client: &mut Client| assert!(client.line().contains("poppassd keyturn"));
    for _ in 0..2 {
        let mut early = Client::connect(address);
        let mut program: Program = home.spawn_with_passed(socket.try_clone().unwrap().into());
        greeted(&mut early);
        program.await_line("systemd has passed a socket 'other' that no listener asks for");
        for _ in 0..20 {
            let mut client = Client::connect(address);
            greeted(&mut client);
            assert!(client.ask("QUIT").starts_with("200 "));
        }
        program.signal(Signal::TERM);
        assert!(early.line().starts_with("500 server is shutting down"));
        assert_eq!(program.wait().code(), Some(0), "{}", program.said());
    }
}

#[test]
fn a_socket_that_nobody_has_passed_is_missed() {
    let home = home("[[listener]]\naddress = \"systemd:poppwd\"\n");
    let mut program = home.spawn();
    assert_eq!(program.wait().code(), Some(1));
    program.await_line("cannot listen on systemd:poppwd: systemd has passed no socket of this name");
}

#[test]
fn networks_are_taken_over_while_the_server_runs() {
    let home = home("");
    let mut program = home.serve();
    let mut staying = Client::connect(home.address);
    assert!(staying.line().starts_with("200 "));
    for (rule, told) in [
        ("deny = [\"127.0.0.0/8\"]", "501 connections from your address are not taken here"),
        ("grant = [\"127.0.0.0/8\"]", "200 "),
        ("grant = [\"192.0.2.0/24\"]", "501 connections from your address are not taken here"),
    ] {
        configure(&home, "", &format!("{rule}\n"));
        program.signal(Signal::HUP);
        program.await_line("configuration applied: listener");
        await_that(told, || Client::connect(home.address).line().starts_with(told));
    }
    configure(&home, "", "proxy = [\"127.0.0.1\"]\n");
    program.signal(Signal::HUP);
    program.await_line("configuration applied: listener");
    await_that("a header is required", || {
        let mut client = Client::connect(home.address);
        client.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 40112 106\r\n");
        client.line().starts_with("200 ")
            && client.ask("USER alice") == "515 passwords are taken under TLS only - connect to the port for TLS"
    });
    assert_eq!(staying.ask("NOOP"), "200 OK", "who is there stays");
    configure(&home, "", "proxy = [\"127.0.0.1\"]\nhide_version = true\n");
    program.signal(Signal::HUP);
    program.await_line("configuration not applied: listener needs a restart");
}

/// Whether this machine has IPv6 at all; some containers do not.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn both_families_are_two_listeners_or_one() {
    if !has_ipv6() {
        return;
    }
    let home = Home::new("communigate", "");
    let port = home.address.port();
    let (v4, v6) = (home.address, SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let listener = |address: &str, more: &str| format!("[[listener]]\naddress = \"{address}:{port}\"\n{more}\n");
    let two = [listener("[::]", "dialect = \"poppassd\""), listener("0.0.0.0", "")].concat();
    let one = listener("[::]", "dual_stack = true");
    for (listeners, of_v6) in [(two, "poppassd keyturn"), (one, "keyturn PWD Server")] {
        home.configure(&format!("log_level = 4\n{listeners}"));
        let mut program = home.serve();
        assert!(Client::connect(v4).line().contains("keyturn PWD Server"));
        assert!(Client::connect(v6).line().contains(of_v6));
        program.await_line("([127.0.0.1]:");
        program.await_line("([::1]:");
        program.kill();
    }
}
