//! What runs find out, and how they end.

use std::process::Command;

use serde_json::Value;

use super::{PASSWORD, accounts, generate, prepared, program, report, run, verify};
use crate::world::program::Home;

fn count(outcome: &Value, what: &str) -> u64 {
    outcome["counts"][what].as_u64().unwrap_or_else(|| panic!("no count of {what}: {outcome}"))
}

/// Sixty clients of all kinds beside an attack: each is counted once, as what it came for.
fn check_a_mixed_load(home: &Home, profiles: &str) -> Value {
    let _server = home.serve();
    let shares = "--wrong-share 0.2 --bad-first-share 0.3 --skew 0.5 --ledger ledger";
    let attack = "--attack poisson:20 --attack-sources 8";
    let load = format!("--arrivals constant:60 --seconds 1 --threads 2 --profiles {profiles} {shares} {attack}");
    let (code, outcome) = run(home, 200, &load);
    assert_eq!(code, Some(0), "{outcome}");
    let (changed, denied, abandoned) =
        (count(&outcome, "changed"), count(&outcome, "denied"), count(&outcome, "abandoned"));
    assert_eq!(changed + denied + abandoned, 60, "{outcome}");
    assert!(changed > 20 && denied > 2 && abandoned > 2 && count(&outcome, "corrected") > 5, "{outcome}");
    let attack = &outcome["attack"];
    assert!(attack["denied"].as_u64().unwrap() > 5 && attack["changed"] == 0 && attack["nonsense"] == 0, "{outcome}");
    for timed in ["newpass", "until_newpass", "intended", "session"] {
        assert_eq!(outcome["latency"][timed]["count"], changed, "{timed}: {outcome}");
    }
    let due: u64 = outcome["series"].as_array().unwrap().iter().map(|second| second["due"].as_u64().unwrap()).sum();
    assert_eq!(due, 60);
    assert!(outcome["generator"]["lag"]["count"].as_u64().unwrap() > 0, "{outcome}");
    assert_eq!(verify(home), (Some(0), [0; 4]));
    outcome
}

#[test]
fn every_client_changes_its_password_in_its_own_way() {
    let home = prepared("communigate", 200, "line_seconds = 1");
    let outcome = check_a_mixed_load(&home, "roundcube:3,snappymail:2,eudora:2,cli:3,abandon,stall");
    assert!(outcome["latency"]["commands"]["count"].as_u64().unwrap() > 0, "{outcome}");
    let home = prepared("poppassd", 200, "line_seconds = 1");
    check_a_mixed_load(&home, "roundcube:3,snappymail:2,eudora:2,abandon,stall");
}

/// Thirty clients come at once to a server that takes two.
#[test]
fn refused_clients_give_up_or_come_until_they_are_served() {
    let home = prepared("communigate", 100, "channels = 2");
    let _server = home.serve();
    let (_, outcome) = run(&home, 100, "--arrivals herd:30 --seconds 1 --ledger ledger");
    assert!(count(&outcome, "refused") > 0, "{outcome}");
    assert_eq!(count(&outcome, "changed") + count(&outcome, "refused"), 30, "{outcome}");
    for retry in ["at-once", "fixed:0.02", "back-off:0.001"] {
        let load = format!("--arrivals herd:30 --seconds 1 --retries-max 100000 --retry {retry} --ledger ledger");
        let (_, outcome) = run(&home, 100, &load);
        assert_eq!((count(&outcome, "changed"), count(&outcome, "refused")), (30, 0), "{retry}: {outcome}");
        assert!(count(&outcome, "retries") > 0, "{retry}: {outcome}");
    }
}

#[test]
fn a_run_fails_when_a_condition_holds_and_is_not_valid_when_clients_could_not_begin() {
    let home = prepared("communigate", 100, "");
    let _server = home.serve();
    let load = format!("run {} --accounts 100 --arrivals constant:20 --seconds 1 --ledger ledger", accounts(&home));
    let output = generate(&home, &format!("{load} --json one.json --fail-if errors>0 --fail-if p99>1h"));
    assert_eq!(output.status.code(), Some(2), "1h is no time for a condition: {output:?}");
    let output = generate(&home, &format!("{load} --json one.json --fail-if errors>0 --fail-if p99>3600s"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = generate(&home, &format!("{load} --fail-if goodput>0"));
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed: goodput>0"), "{output:?}");
    let output = generate(&home, "compare one.json one.json");
    assert!(String::from_utf8_lossy(&output.stdout).contains("no difference beyond noise"), "{output:?}");
    let (_, outcome) = run(&home, 100, "--arrivals herd:20 --seconds 1 --sessions-max 3 --ledger ledger");
    assert!(count(&outcome, "unstarted") > 0, "{outcome}");
    let doubts = outcome["generator"]["invalid_because"].to_string();
    assert!(doubts.contains("could not be begun"), "{doubts}");
}

/// The first run changes passwords and writes down nothing, so the second does not know them.
#[test]
fn a_run_that_does_not_know_the_passwords_says_so() {
    let home = prepared("communigate", 1, "");
    let _server = home.serve();
    let load = "--arrivals herd:1 --seconds 1 --retry at-once";
    assert_eq!(count(&run(&home, 1, load).1, "changed"), 1);
    let (_, outcome) = run(&home, 1, load);
    assert_eq!((count(&outcome, "locked_out"), count(&outcome, "refused")), (1, 0), "{outcome}");
    assert!(outcome["generator"]["invalid_because"].to_string().contains("--ledger"), "{outcome}");
}

#[test]
fn other_machines_are_left_alone_unless_that_is_allowed() {
    let home = Home::new("communigate", "");
    for command in ["run --accounts 1 --password-stdin", "verify ledger --password-stdin", "peak pingpong"] {
        let output = generate(&home, &format!("{command} --address 192.0.2.1:106"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"), "{output:?}");
    }
}

#[test]
fn capacity_is_looked_for_with_more_and_more_clients() {
    let home = prepared("communigate", 100, "");
    let _server = home.serve();
    let (_, outcome) = run(&home, 100, "--clients 2 --find-capacity --seconds 6");
    let steps = outcome["capacity"].as_array().unwrap();
    assert_eq!(steps.iter().map(|step| step["clients"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert!(steps.iter().all(|step| step["changes_per_s"].as_f64().unwrap() > 0.0), "{outcome}");
}

#[test]
fn peak_says_whether_it_was_the_bottleneck_and_plan_how_many_cores_it_takes() {
    let home = prepared("communigate", 4, "");
    let _server = home.serve();
    for workload in ["pingpong", "pipelined", "churn"] {
        let arguments = format!("peak {workload} --address {} --connections 2 --seconds 0.2 --json", home.address);
        let (code, found) = report(&home, &arguments);
        assert!(code == Some(0) && found["saturated"].is_boolean() && found["ops"].as_u64().unwrap() > 0, "{found}");
    }
    let output = generate(&home, "plan --accounts 2000000 --window 1h --m-kib 64 --t 1");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("555.6 changes/s") && text.contains("cores"), "{text}");
}

#[test]
fn a_terminal_shows_how_far_the_load_is() {
    let home = prepared("communigate", 100, "");
    let _server = home.serve();
    let load = format!(
        "echo '{PASSWORD}' | {} run {} --accounts 100 --arrivals constant:20 --seconds 2",
        program().display(),
        accounts(&home)
    );
    let output = Command::new("script").current_dir(home.path()).args(["-qec", &load, "/dev/null"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    for part in ["due 20/s", "changed ", "p50 ", "p99 ", "queue ", " left"] {
        assert!(shown.contains(part), "no '{part}' in {shown}");
    }
}
