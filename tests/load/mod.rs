//! The load generator, against our server: whole, broken on purpose, and killed.

mod page;
mod runs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::house::source::root;
use crate::world::MAIN_DOMAIN;
use crate::world::program::Home;

const PASSWORD: &str = "correct horse battery";

/// The generator's program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(root()).args(["build", "--quiet", "--workspace", "--bins"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the load generator cannot be built");
        Path::new(env!("CARGO_BIN_EXE_keyturn")).with_file_name("keyturn-loadtest")
    })
}

/// Runs it with blank-separated `arguments`, with the accounts' password to read.
fn generate(home: &Home, arguments: &str) -> Output {
    let mut command = Command::new(program());
    command.current_dir(home.path()).args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading.
    drop(child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()));
    child.wait_with_output().unwrap()
}

/// Runs it and takes its JSON from standard output; returns its exit code with it.
fn report(home: &Home, arguments: &str) -> (Option<i32>, Value) {
    let output = generate(home, arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {output:?}"));
    (output.status.code(), json)
}

/// A place with accounts `u0` to `u<count - 1>`; `more` is put at the top of the configuration.
fn prepared(dialect: &str, count: u32, more: &str) -> Home {
    let home = Home::new(dialect, &format!("failed_reply_delay_ms = 0\nlog_level = 1\n{more}"));
    let output = generate(
        &home,
        &format!(
            "prepare --data data --accounts {count} --users u{{}}@{MAIN_DOMAIN} --main-domain {MAIN_DOMAIN} --password-stdin --m-kib 64 --t 1"
        ),
    );
    assert!(output.status.success(), "{output:?}");
    home
}

/// Which accounts there are, and where.
fn accounts(home: &Home) -> String {
    format!("--address {} --users u{{}}@{MAIN_DOMAIN} --password-stdin", home.address)
}

fn run(home: &Home, count: u32, more: &str) -> (Option<i32>, Value) {
    report(home, &format!("run {} --accounts {count} --sources 4 --json - {more}", accounts(home)))
}

/// The exit code of `verify`, and how many accounts are lost, resurrected, phantom and torn.
fn verify(home: &Home) -> (Option<i32>, [u64; 4]) {
    let (code, json) = report(home, &format!("verify ledger {} --json", accounts(home)));
    (code, ["lost", "resurrected", "phantom", "torn"].map(|kind| json[kind].as_u64().unwrap()))
}

/// How often the server is killed before it is strange that no change was under way.
const KILLS_MAX: usize = 10;

#[test]
fn what_was_acknowledged_is_there_after_a_kill_in_the_middle_of_the_load() {
    let home = prepared("communigate", 2000, "");
    let ledger = || std::fs::read_to_string(home.path().join("ledger")).unwrap_or_default();
    let mut kills = 0;
    while kills < 2 || !ledger().contains("unknown") {
        assert!(kills < KILLS_MAX, "no kill came in the middle of a change");
        let before = ledger().matches("acknowledged").count();
        let server = home.serve();
        let load = format!("run {} --accounts 2000 --arrivals herd:300 --ledger ledger", accounts(&home));
        std::thread::scope(|scope| {
            let load = scope.spawn(|| generate(&home, &load));
            while !load.is_finished() && ledger().matches("acknowledged").count() < before + 10 {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.kill();
        });
        kills += 1;
    }
    let _server = home.serve();
    assert_eq!(verify(&home), (Some(0), [0; 4]));
}

/// What `verify` says after some load on a server that breaks a promise, which is replaced by a
/// whole one before.
#[cfg(debug_assertions)]
fn after_breaking(promise: &str, is_replaced: bool) -> (Option<i32>, [u64; 4]) {
    let home = prepared("communigate", 100, "");
    let mut server = home.serve_breaking(promise);
    let (code, json) = run(&home, 100, "--arrivals constant:40 --seconds 1 --ledger ledger");
    assert!(code == Some(0) && json["counts"]["changed"].as_u64().unwrap() > 0, "{json}");
    if is_replaced {
        server.kill();
        server = home.serve();
    }
    let found = verify(&home);
    server.kill();
    found
}

#[cfg(debug_assertions)]
#[test]
fn a_server_that_breaks_a_promise_is_found_out() {
    for (promise, is_replaced, kind) in [
        ("early-acknowledge", true, 0),
        ("dropped-commit", false, 0),
        ("stale-read", false, 1),
        ("hidden-commit", true, 2),
        ("misdirected-write", true, 3),
    ] {
        let (code, counts) = after_breaking(promise, is_replaced);
        assert!(code == Some(3) && counts[kind] > 0, "{promise}: exit code {code:?}, {counts:?}");
    }
}
