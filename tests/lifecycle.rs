//! The program's life as an operator sees it: first start, signals, configuration, offline
//! administration.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use keyturn::model::limits::{ARGON2ID_KIB_WRITTEN_MAX, ARGON2ID_M_KIB_MAX};
use keyturn::store::{Embedded, Outcome, Store, Transaction, Write};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::program::{Home, Program, await_that, free_address};

const FAST: &str = "failed_reply_delay_ms = 0\nlog_level = 5";

/// A session that has got as far as being greeted.
fn greeted(home: &Home) -> Client {
    let mut client = Client::connect(home.address);
    assert!(client.line().starts_with("200 "));
    client
}

/// As [`greeted`] where channels are few: a session that has ended, such as the one that found the
/// server ready, is counted until its close is complete.
fn greeted_in_turn(home: &Home) -> Client {
    let mut greeted = None;
    await_that("a free channel", || {
        let mut client = Client::connect(home.address);
        greeted = client.line().starts_with("200 ").then_some(client);
        greeted.is_some()
    });
    greeted.unwrap()
}

/// Whether somebody can log in with `password`.
fn logs_in(home: &Home, name: &str, password: &str) -> bool {
    let mut client = greeted(home);
    client.ask(&format!("USER {name}"));
    client.ask(&format!("PASS {password}")).starts_with("200 ")
}

/// Everything a command printed.
fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether `word` looks like a generated password: four groups of five letters and digits.
fn is_generated(word: &str) -> bool {
    let is_group = |group: &str| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word.split('-').count() == 4 && word.split('-').all(is_group)
}

#[test]
fn the_first_start_tells_the_postmasters_password_once_and_it_works() {
    let home = Home::new("communigate", FAST);
    let mut program = home.serve();
    let mut told = None;
    await_that("the password", || {
        told = program.said().split_whitespace().find(|word| is_generated(word)).map(str::to_owned);
        told.is_some()
    });
    let password = told.unwrap();
    assert!(logs_in(&home, "postmaster", &password), "{}", program.said());
    assert_eq!(program.said().matches(&password).count(), 1, "{}", program.said());
    let mode = std::fs::metadata(home.data_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "only its owner enters the data directory");
    program.kill();

    let mut program = home.serve();
    assert!(logs_in(&home, "postmaster", &password));
    assert!(!program.said().contains(&password));
}

#[test]
fn sigterm_tells_idle_sessions_and_ends_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new("communigate", FAST);
        let mut program = home.serve();
        let (mut idle, mut lazy) = (greeted(&home), greeted(&home));
        program.signal(signal);
        for client in [&mut idle, &mut lazy] {
            assert_eq!(client.line(), "501 server is shutting down - try again later");
            assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()));
        }
        assert_eq!(program.wait().code(), Some(0), "{}", program.said());
        assert!(Client::try_connect(home.address).is_err(), "nobody listens");
    }
}

#[test]
fn sigterm_lets_a_change_in_flight_finish() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    // A change that takes a moment, so that the signal comes in the middle of it, and a server
    // that waits for it even on a busy machine.
    let patient = home.configuration("communigate", &format!("{FAST}\ndrain_seconds = 600"));
    home.configure(&patient.replace("m_kib = 64\nt = 1", "m_kib = 8192\nt = 2"));
    let mut program = home.serve();
    let mut client = greeted(&home);
    client.ask("USER alice");
    assert!(client.ask("PASS blue harbor 42").starts_with("200 "));
    client.send(b"NEWPASS seven green kites\r\n");
    program.await_line("s-inp: NEWPASS");
    program.signal(Signal::TERM);
    assert_eq!(client.line(), "200 Password updated");
    assert_eq!(program.wait().code(), Some(0), "{}", program.said());
    let _program = home.serve();
    assert!(logs_in(&home, "alice", "seven green kites"));
    assert!(!logs_in(&home, "alice", "blue harbor 42"));
}

#[test]
fn check_says_which_listeners_turn_passwords_in_clear_away() {
    let home = Home::new("communigate", FAST);
    let check = |address: &str, more: &str| {
        home.configure(&format!("[[listener]]\naddress = \"{address}\"\n{more}"));
        let output = home.run(&["check"], "");
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let elsewhere = "from other machines passwords are taken under TLS only: cleartext is \"loopback\"";
    assert!(check("0.0.0.0:1066", "").contains(elsewhere));
    assert!(!check("127.0.0.1:1066", "").contains("cleartext"));
    assert!(!check("0.0.0.0:1066", "cleartext = \"always\"\n").contains("cleartext"));
    assert!(
        check("127.0.0.1:1066", "cleartext = \"never\"\n")
            .contains("passwords are taken under TLS only: cleartext is \"never\"")
    );
}

#[test]
fn sighup_applies_a_good_file_and_rejects_a_bad_one() {
    let home = Home::new("communigate", FAST);
    let mut program = home.serve();
    let _held = greeted(&home);
    let is_full = || !Client::connect(home.address).line().starts_with("200 ");
    assert!(!is_full());

    home.configure(&home.configuration("communigate", &format!("{FAST}\nchannels = 1")));
    program.signal(Signal::HUP);
    await_that("the limit", is_full);

    home.configure(&home.configuration("communigate", &format!("{FAST}\nchannels = 100\nchanels = 7")));
    program.signal(Signal::HUP);
    let line = program.await_line("chanels");
    assert!(line.contains("channels"), "the key that is meant is suggested: {line}");
    assert!(is_full(), "a bad file changes nothing");

    home.configure(&home.configuration("communigate", &format!("{FAST}\nchannels = 100\nshards = 7")));
    program.signal(Signal::HUP);
    program.await_line("shards");
    await_that("the new limit", || !is_full());
}

#[test]
fn sighup_changes_how_much_the_log_tells() {
    let with_level = |level: u8| format!("failed_reply_delay_ms = 0\nlog_level = {level}");
    let home = Home::new("communigate", &with_level(2));
    let mut program = home.serve();
    let mut client = greeted(&home);
    client.ask("USER unheard-of");
    home.configure(&home.configuration("communigate", &with_level(5)));
    program.signal(Signal::HUP);
    program.await_line("log_level: 2 -> 5");
    client.ask("USER heard-of");
    program.await_line("s-inp: USER heard-of");
    home.configure(&home.configuration("communigate", &with_level(2)));
    program.signal(Signal::HUP);
    program.await_line("log_level: 5 -> 2");
    client.ask("USER unheard-of again");
    client.ask("PASS a wrong guess");
    program.await_line("login refused");
    assert!(!program.said().contains("s-inp: USER unheard-of"), "{}", program.said());
}

/// What a server says to a file from its start to its end, if systemd has told it that `stream` is
/// the journal.
fn said_to(journal: &File, path: &Path, home: &Home, stream: &str) -> String {
    journal.set_len(0).unwrap();
    let mut command = home.command(&["serve"]);
    command.env("JOURNAL_STREAM", stream).stdin(Stdio::null());
    let out = || OpenOptions::new().append(true).open(path).unwrap();
    let mut child = command.stdout(out()).stderr(out()).spawn().unwrap();
    let begun = Instant::now();
    let mut listens = false;
    while !listens && begun.elapsed() < PATIENCE {
        listens = Client::try_connect(home.address).is_ok();
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success() && listens);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn systemds_journal_gets_records_in_its_own_shape_and_no_password() {
    let home = Home::new("communigate", FAST);
    let path = home.path().join("journal");
    let journal = File::create(&path).unwrap();
    let metadata = journal.metadata().unwrap();
    let said = said_to(&journal, &path, &home, &format!("{}:{}", metadata.dev(), metadata.ino()));
    // A priority as in syslog(3), then the level; the journal has the time itself.
    let is_its_own = |line: &str| matches!(line.as_bytes(), [b'<', b'0'..=b'7', b'>', b'0'..=b'5', b' ', ..]);
    assert!(said.lines().count() > 1 && said.lines().all(is_its_own), "{said}");
    let password = std::fs::read_to_string(home.data_path().join("postmaster-password")).unwrap();
    assert!(is_generated(password.trim()) && !said.contains(password.trim()), "{said}");

    let said = said_to(&journal, &path, &home, "1:1");
    assert!(said.lines().count() > 1 && !said.lines().any(is_its_own), "a child's output goes elsewhere: {said}");
    let _program = home.serve();
    assert!(logs_in(&home, "postmaster", password.trim()));
}

#[test]
fn sigusr1_writes_the_counters_to_the_log() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    let mut program = home.serve();
    assert!(logs_in(&home, "alice", "blue harbor 42"));
    assert!(!logs_in(&home, "alice", "wrong guess 1"));
    program.signal(Signal::USR1);
    let line = program.await_line("sessions=");
    assert!(line.contains(" accepted=1 ") && line.contains(" wrong_password=1 "), "{line}");
    // Unoptimised, the other kernels are slower than the crate and are not taken.
    assert!(line.contains(" kernel=crate hashes_per_second=") && !line.contains("hashes_per_second=0.0"), "{line}");
}

#[test]
fn the_kernel_may_be_chosen_and_must_be_one() {
    let home = Home::new("communigate", FAST);
    let chosen = ["serve", "--kernel", "crate", "--listen", "nowhere"];
    for (arguments, problem) in [
        (&chosen[..], "--listen"),
        (&["serve", "--kernel", "fastest"], "keyturn calibrate"),
        (&["--kernel", "crate", "check"], "are for serving"),
    ] {
        let output = home.run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", printed(&output));
        assert!(printed(&output).contains(problem), "{arguments:?}: {}", printed(&output));
    }
}

#[test]
fn check_reports_every_problem_with_line_and_field() {
    let home = Home::new("communigate", FAST);
    assert!(home.run(&["check"], "").status.success());

    home.configure("channels = -1\nidle_secnds = 3\n\n[argon2id]\nt = 0\n[[listener]]\naddress = \"nowhere\"\n");
    let output = home.run(&["check"], "");
    assert_eq!(output.status.code(), Some(3), "{}", printed(&output));
    for expected in [":1: channels", ":2: idle_secnds", "idle_seconds", ":5: argon2id.t", ":7: listener.address"] {
        assert!(printed(&output).contains(expected), "no '{expected}' in:\n{}", printed(&output));
    }
    let mut program = home.spawn();
    assert_eq!(program.wait().code(), Some(3));
    program.await_line("idle_secnds");
}

#[test]
fn the_costliest_hash_is_accepted_and_a_costlier_one_is_not() {
    let home = Home::new("communigate", FAST);
    let passes = ARGON2ID_KIB_WRITTEN_MAX / u64::from(ARGON2ID_M_KIB_MAX);
    for (t, code) in [(passes, 0), (passes + 1, 3)] {
        home.configure(&format!("[argon2id]\nm_kib = {ARGON2ID_M_KIB_MAX}\nt = {t}\n"));
        let output = home.run(&["check"], "");
        assert_eq!(output.status.code(), Some(code), "{}", printed(&output));
    }
}

#[test]
fn the_printed_configuration_is_a_good_one() {
    let home = Home::new("communigate", FAST);
    let output = home.run(&["print", "config"], "");
    assert!(output.status.success());
    home.configure(&String::from_utf8(output.stdout).unwrap());
    let output = home.run(&["check"], "");
    assert!(output.status.success(), "{}", printed(&output));
}

#[test]
fn accounts_and_domains_are_administered_offline() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    let run = |arguments: &[&str], input: &str| {
        let output = home.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", printed(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["domain", "add", "other.example"], "");
    run(&["account", "add", "bob@other.example", "--password-stdin"], "red barn 77777\n");
    assert!(run(&["domain", "list"], "").contains("other.example"));
    assert!(run(&["account", "list", "other.example"], "").contains("bob"));
    assert!(!run(&["account", "show", "alice"], "").contains("blue harbor"));
    run(&["account", "passwd", "bob@other.example", "--password-stdin"], "old stone mill\n");

    let program = home.serve();
    assert!(logs_in(&home, "alice", "blue harbor 42"));
    assert!(logs_in(&home, "bob@other.example", "old stone mill"));
    assert!(!logs_in(&home, "bob@other.example", "red barn 77777"));
    program.kill();

    assert!(!home.run(&["domain", "delete", "other.example"], "").status.success(), "it has an account");
    run(&["account", "delete", "bob@other.example"], "");
    run(&["domain", "delete", "other.example"], "");
    assert!(!home.run(&["account", "delete", "bob@other.example"], "").status.success(), "there is none");
}

/// Waits until one record has been made anew.
fn await_upgrade(program: &mut Program) {
    let mut counters = String::new();
    while !counters.contains(" upgraded=1 ") {
        program.signal(Signal::USR1);
        counters = program.await_line(" upgraded=");
    }
}

/// An account comes with the hash it had elsewhere, and has one of the server's own after its first
/// login.
#[test]
fn an_imported_hash_is_accepted_and_replaced() {
    let home = Home::new("communigate", FAST);
    let hash = "$6$rounds=1000$saltsalt$vdJf2RdzbMcegpXlvbf./OY7Lb1DdYqF0ok2/aSFar/IUnPYdG5wI9tlNSeY2B/qnp7CZddnKScreZcoB23ca1";
    let output = home.run(&["account", "add", "alice", "--hash-stdin"], &format!("{hash}\n"));
    assert!(output.status.success(), "{}", printed(&output));
    let stats = || String::from_utf8(home.run(&["account", "stats", "--json"], "").stdout).unwrap();
    let imported = r#"{"scheme":"sha512-crypt","parameters":"rounds=1000","current":false,"accounts":1}"#;
    assert!(stats().starts_with(r#"{"accounts":2,"current":1,"#) && stats().contains(imported), "{}", stats());
    assert!(!printed(&home.run(&["account", "show", "alice"], "")).contains(&hash[..20]));

    let mut program = home.serve();
    assert!(!logs_in(&home, "alice", "blue harbor 43"));
    assert!(logs_in(&home, "alice", "blue harbor 42"));
    await_upgrade(&mut program);
    program.kill();
    assert!(stats().starts_with(r#"{"accounts":2,"current":2,"#), "{}", stats());

    let _program = home.serve();
    assert!(logs_in(&home, "alice", "blue harbor 42"));
    assert!(!logs_in(&home, "alice", "blue harbor 43"));
}

/// A cost that is raised in the configuration takes hold of an account when it next logs in.
#[test]
fn a_raised_cost_takes_hold_at_the_next_login() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    let stats = || String::from_utf8(home.run(&["account", "stats", "--json"], "").stdout).unwrap();
    let with = |parameters: &str, is_current: bool| {
        format!(r#"{{"scheme":"argon2id","parameters":"{parameters}","current":{is_current},"accounts":1}}"#)
    };
    let before = stats();
    home.configure(&home.configuration("communigate", FAST).replace("m_kib = 64\nt = 1", "m_kib = 128\nt = 2"));
    assert!(before.contains(r#""accounts":2,"current":2,"#) && stats().contains(r#""current":0,"#), "{}", stats());

    let mut program = home.serve();
    assert!(logs_in(&home, "alice", "blue harbor 42"));
    await_upgrade(&mut program);
    program.kill();
    for (parameters, is_current) in [("m=64,t=1,p=1", false), ("m=128,t=2,p=1", true)] {
        assert!(stats().contains(&with(parameters, is_current)), "{}", stats());
    }
    let _program = home.serve();
    assert!(logs_in(&home, "alice", "blue harbor 42"));
}

#[test]
fn a_hash_that_would_cost_too_much_is_not_imported() {
    let home = Home::new("communigate", FAST);
    let hash = "$2b$31$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
    let output = home.run(&["account", "add", "alice", "--hash-stdin"], hash);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("a cost 31, of which 13 are accepted"), "{}", printed(&output));
    assert!(!printed(&output).contains("abcdef"));
    assert!(!printed(&home.run(&["account", "list"], "")).contains("alice"));
}

#[test]
fn offline_commands_say_that_a_server_has_the_store() {
    let home = Home::new("communigate", FAST);
    let _program = home.serve();
    for arguments in
        [&["account", "add", "bob", "--password-stdin"][..], &["account", "list"], &["domain", "add", "other.example"]]
    {
        let output = home.run(arguments, "red barn 77777\n");
        assert_eq!(output.status.code(), Some(4), "{}", printed(&output));
        assert!(printed(&output).contains("server"), "{}", printed(&output));
    }
    let mut second = home.spawn();
    assert_eq!(second.wait().code(), Some(4), "{}", second.said());
}

#[test]
fn doctor_tells_whether_a_server_can_run() {
    let home = Home::new("communigate", FAST);
    let output = home.run(&["doctor"], "");
    assert!(output.status.success(), "{}", printed(&output));
    assert!(printed(&output).contains("io_uring"), "{}", printed(&output));
}

#[test]
fn a_forbidden_ring_is_named_in_one_message_that_says_what_to_do() {
    let home = Home::new("communigate", FAST);
    // What the filters of containers answer with: EPERM, or ENOSYS.
    for errno in ["1", "38"] {
        let output = home.run_without_ring(errno, &["serve"]);
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        let said = String::from_utf8_lossy(&output.stderr);
        let messages: Vec<&str> = said.lines().filter(|line| line.contains("io_uring")).collect();
        let [message] = messages.as_slice() else { panic!("not one message:\n{said}") };
        assert!(message.contains("seccomp") && message.contains("allow"), "{message}");
        let output = home.run_without_ring(errno, &["doctor"]);
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        assert!(printed(&output).contains("seccomp"), "{}", printed(&output));
    }
}

/// A session of the postmaster, whose password is this.
fn postmaster(home: &Home, password: &str) -> Client {
    let mut client = greeted(home);
    client.ask("USER postmaster");
    assert!(client.ask(&format!("PASS {password}")).starts_with("200 "));
    assert!(client.ask("INLINE").starts_with("200 "));
    client
}

/// A place whose postmaster has that password.
fn administered(more: &str) -> (Home, &'static str) {
    const PASSWORD: &str = "quiet stone 5";
    let home = Home::new("communigate", more);
    home.add_account("alice", "blue harbor 42");
    let output = home.run(&["account", "passwd", "postmaster", "--password-stdin"], &format!("{PASSWORD}\n"));
    assert!(output.status.success(), "{}", printed(&output));
    (home, PASSWORD)
}

#[test]
fn shutdown_over_the_wire_is_as_sigterm() {
    let (home, password) = administered(FAST);
    let mut program = home.serve();
    let mut idle = greeted(&home);
    let mut client = postmaster(&home, password);
    assert_eq!(client.ask("SHUTDOWN"), "200 OK");
    for client in [&mut client, &mut idle] {
        assert_eq!(client.line(), "501 server is shutting down - try again later");
        assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()));
    }
    assert_eq!(program.wait().code(), Some(0), "{}", program.said());
    assert!(program.said().contains("an administrator stops the server"), "{}", program.said());
}

#[test]
fn what_is_set_over_the_wire_goes_before_the_file_until_it_is_reset() {
    let (home, password) = administered(&format!("{FAST}\nchannels = 50"));
    let program = home.serve();
    let mut client = postmaster(&home, password);
    assert_eq!(client.ask("UPDATEMODULE PWD {LogLevel=1;Listener={MaxInputChannels=2;};}"), "200 OK");
    let _held = greeted_in_turn(&home);
    let is_full = || Client::connect(home.address).line().starts_with("501 too many connections");
    await_that("the limit", is_full);

    // The file is read again, and changes nothing but what it alone says.
    home.configure(&home.configuration("communigate", &format!("{FAST}\nchannels = 70\nfailures_max = 9")));
    program.signal(Signal::HUP);
    await_that("the file", || client.ask("GETMODULE PWD").contains("FailuresLimit=9;"));
    assert!(client.ask("GETMODULE PWD").contains("MaxInputChannels=2;"));
    assert!(is_full());
    program.kill();

    let program = home.serve();
    let mut client = postmaster(&home, password);
    let module = client.ask("GETMODULE PWD");
    assert!(module.contains("MaxInputChannels=2;") && module.contains("LogLevel=1;"), "{module}");
    let held = greeted_in_turn(&home);
    assert!(is_full());
    // Whoever locks himself out has a way back.
    assert_eq!(client.ask("SETDENIEDIPS 127.0.0.1"), "200 OK");
    drop(held);
    let mut denied = Client::connect(home.address);
    assert_eq!(denied.hear(PATIENCE), Heard::Eof(Vec::new()));
    program.kill();

    let shown = printed(&home.run(&["settings", "show"], ""));
    let module = "ModulePWD = {Listener={MaxInputChannels=2;};LogLevel=1;}";
    assert_eq!(shown, format!("{module}\nDeniedIPs = 127.0.0.1\n"));
    assert!(home.run(&["settings", "reset"], "").status.success());
    assert_eq!(printed(&home.run(&["settings", "show"], "")), "nothing was set over the wire\n");
    let _program = home.serve();
    let module = postmaster(&home, password).ask("GETMODULE PWD");
    assert!(module.contains("MaxInputChannels=70;") && module.contains("LogLevel=5;"), "{module}");
}

#[test]
fn ports_set_over_the_wire_are_opened_at_the_next_start_unless_the_command_line_names_some() {
    let (home, password) = administered(FAST);
    let program = home.serve();
    let (mut client, port) = (postmaster(&home, password), free_address().port());
    let ports = format!("({{PortNumber={port};LocalAddress=127.0.0.1;}},{{PortNumber={};}})", home.address.port());
    assert_eq!(
        client.ask(&format!("UPDATEMODULE PWD {{Listener={{Ports={ports};}};}}")),
        "200 saved - listener needs a restart"
    );
    program.kill();

    let program = home.serve();
    assert!(Client::connect(([127, 0, 0, 1], port).into()).line().starts_with("200 "));
    program.kill();

    let listen = home.address.to_string();
    let _program = home.serve_with(&["--listen", &listen]);
    assert!(Client::try_connect(([127, 0, 0, 1], port).into()).is_err());
}

#[test]
fn connections_wait_while_there_are_no_descriptors_and_are_accepted_when_some_return() {
    // One shard, so that clients are accepted in the order in which they came.
    let home = Home::new("communigate", &format!("{FAST}\nshards = 1"));
    let mut program = home.serve_with_open_files(64);
    let mut sessions = Vec::new();
    let mut is_greeted = |client: &mut Client| loop {
        match client.hear(Duration::from_millis(50)) {
            Heard::Line(line) if line.starts_with(b"200 ") => return true,
            Heard::Silence if program.said().contains("connections cannot be accepted for now") => return false,
            Heard::Silence => {}
            other @ (Heard::Line(_) | Heard::Eof(_) | Heard::Reset) => panic!("{other:?}"),
        }
    };
    let mut waiting = loop {
        let mut client = Client::connect(home.address);
        if !is_greeted(&mut client) {
            break vec![client];
        }
        sessions.push(client);
        assert!(sessions.len() < 64, "more sessions than descriptors");
    };
    waiting.extend((0..5).map(|_| Client::connect(home.address)));
    for session in &mut sessions {
        assert_eq!(session.ask("NOOP"), "200 OK");
    }
    for (mut leaving, waiting) in sessions.into_iter().zip(&mut waiting) {
        assert!(leaving.ask("QUIT").starts_with("200 "));
        assert!(waiting.line().starts_with("200 "));
        assert_eq!(waiting.ask("NOOP"), "200 OK");
    }
    assert_eq!(program.said().matches("cannot be accepted").count(), 1, "{}", program.said());
}

/// The salt that a client is told who wants to log in as somebody.
fn told_salt(home: &Home, name: &str) -> String {
    let first = Base64::encode_string(format!("n,,n={name},r=nonce").as_bytes());
    let challenge = greeted(home).ask(&format!("AUTH SCRAM-SHA-256 {first}"));
    let challenge = challenge.strip_prefix("300 ").unwrap_or_else(|| panic!("{challenge}"));
    let challenge = String::from_utf8(Base64::decode_vec(challenge).unwrap()).unwrap();
    challenge.split(',').find(|part| part.starts_with("s=")).unwrap().to_owned()
}

#[test]
fn a_store_without_a_key_for_decoys_is_given_one_at_the_start() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    let store = Embedded::open(&home.data_path().join("accounts.redb")).unwrap();
    let without = Transaction { expect: Vec::new(), write: vec![Write::Delete(b"K".to_vec())] };
    assert!(matches!(store.commit(&[without]).unwrap()[..], [Outcome::Committed(_)]));
    drop(store);
    let program = home.serve();
    let told = ["alice", "nobody"].map(|name| told_salt(&home, name));
    assert_ne!(told[0], told[1]);
    program.kill();
    let _program = home.serve();
    assert_eq!(told, ["alice", "nobody"].map(|name| told_salt(&home, name)), "it is kept");
}
