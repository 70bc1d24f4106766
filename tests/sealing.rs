//! Passwords under seal, as an operator sees it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::world::client::Client;
use crate::world::program::Home;

const FAST: &str = "failed_reply_delay_ms = 0\nlog_level = 3";

/// A place whose configuration names the file `master-key`, which is not there yet.
fn home() -> Home {
    let home = Home::new("communigate", FAST);
    let named = format!("{FAST}\nmaster_key = \"{}\"", home.path().join("master-key").display());
    home.configure(&home.configuration("communigate", &named));
    home
}

/// Writes the file of keys that `digits` stand for.
fn write_keys(home: &Home, digits: &str) {
    let keys: String = digits.chars().map(|digit| digit.to_string().repeat(64) + "\n").collect();
    let path = home.path().join("master-key");
    fs::write(&path, keys).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn run(home: &Home, arguments: &[&str], input: &str) -> String {
    let output = home.run(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", printed(&output));
    printed(&output)
}

/// What is said when the configuration is found wrong.
#[track_caller]
fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments, "");
    assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", printed(&output));
    printed(&output)
}

fn log_in(home: &Home, name: &str, password: &str) -> Client {
    let mut client = Client::connect(home.address);
    client.line();
    client.ask(&format!("USER {name}"));
    assert_eq!(client.ask(&format!("PASS {password}")), "200 login OK, proceed");
    client
}

/// Accounts that came from elsewhere, as many as take several pages.
const MANY: usize = 2000;

/// Adds them, `user0000` and so on, with a hash that libxcrypt has made of "old secret".
fn import_many(home: &Home) {
    let mut file = String::from("account,hash\n");
    (0..MANY).for_each(|index| file.push_str(&format!("user{index:04},$1$saltsalt$L.moN9PHx6sF9FzdxZRBa0\n")));
    let path = home.path().join("many.csv");
    fs::write(&path, file).unwrap();
    run(home, &["import", path.to_str().unwrap()], "");
}

#[test]
fn offline_commands_and_the_server_use_the_same_key() {
    let home = home();
    write_keys(&home, "a");
    home.add_account("alice", "blue harbor 42");
    run(&home, &["account", "add", "bob", "--password-stdin"], "red barn 77777\n");
    let program = home.serve();
    let mut client = log_in(&home, "alice", "blue harbor 42");
    assert!(client.ask("NEWPASS old stone mill").starts_with("200 "));
    log_in(&home, "bob", "red barn 77777");
    program.kill();
    run(&home, &["account", "passwd", "bob", "--password-stdin"], "green hill 5555\n");
    let exported = run(&home, &["export", "--format", "json"], "");
    assert!(exported.contains("$argon2id$"));
    fs::write(home.path().join("all.json"), exported.replace("bob@", "carol@")).unwrap();
    let file = home.path().join("all.json");
    run(&home, &["import", file.to_str().unwrap(), "--from-start"], "");
    let _program = home.serve();
    log_in(&home, "alice", "old stone mill");
    log_in(&home, "carol", "green hill 5555");
    let store = fs::read(home.data_path().join("accounts.redb")).unwrap();
    let argon2id = [1, 60, 0, 64, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
    assert!(!store.windows(argon2id.len()).any(|window| window == argon2id), "a verifier lies open");
}

#[test]
fn a_key_that_is_lost_or_mistyped_is_told_at_the_start_and_nobody_is_locked_out() {
    let home = home();
    write_keys(&home, "a");
    home.add_account("alice", "blue harbor 42");
    let check = run(&home, &["check"], "");
    let (_, id) = check.split_once("master-key: ").unwrap();
    let id = &id[..16];

    write_keys(&home, "b");
    for command in [&["serve"][..], &["account", "list"], &["account", "passwd", "alice", "--generate"]] {
        let said = refused(&home, command);
        assert!(said.contains(&format!("sealed with the key {id}")) && said.contains("correct it"), "{said}");
        assert!(said.contains("keyturn.toml:4: master_key: "), "{said}");
    }
    home.configure(&home.configuration("communigate", FAST));
    let said = refused(&home, &["serve"]);
    assert!(said.contains(id) && said.contains("there is none: name its file"), "{said}");

    let named = format!("{FAST}\nmaster_key = \"{}\"", home.path().join("master-key").display());
    home.configure(&home.configuration("communigate", &named));
    write_keys(&home, "ab");
    let _program = home.serve();
    log_in(&home, "alice", "blue harbor 42");
}

#[test]
fn a_file_that_is_no_file_of_keys_or_open_to_others_is_refused() {
    let home = home();
    let path = home.path().join("master-key");
    let refusal = refused(&home, &["serve"]);
    assert!(refusal.contains("No such file") && refusal.contains("makes a first key"), "{refusal}");
    write_keys(&home, "");
    let refusal = refused(&home, &["serve"]);
    assert!(refusal.contains("keyturn.toml:4: master_key: ") && refusal.contains("holds no key"), "{refusal}");
    fs::write(&path, "hunter2-hunter2\n").unwrap();
    let said = refused(&home, &["check"]);
    assert!(said.contains("line 1 is no key of 64 hexadecimal digits") && !said.contains("hunter2"), "{said}");
    write_keys(&home, "a");
    for (mode, is_good) in [(0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o606, false)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(home.run(&["check"], "").status.success(), is_good, "{mode:o}");
        let doctor = printed(&home.run(&["doctor"], ""));
        assert_eq!(doctor.contains("chmod 600"), !is_good, "{mode:o}: {doctor}");
    }
}

#[test]
fn systemds_credential_is_the_key_where_the_file_names_none() {
    let home = Home::new("communigate", FAST);
    write_keys(&home, "a");
    let folder = home.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::rename(home.path().join("master-key"), folder.join("master_key")).unwrap();
    assert!(run(&home, &["check"], "").contains("passwords are not sealed"));
    let with = |arguments: &[&str]| home.command(arguments).env("CREDENTIALS_DIRECTORY", &folder).output().unwrap();
    let output = with(&["check"]);
    assert!(printed(&output).contains("passwords are sealed"), "{}", printed(&output));
    assert!(with(&["account", "add", "alice", "--generate"]).status.success());
    assert!(refused(&home, &["account", "list"]).contains("systemd's credential"));
    assert!(with(&["account", "list"]).status.success());
}

#[test]
fn apop_without_a_key_is_said_to_open_no_account() {
    let home = home();
    write_keys(&home, "a");
    let named = format!("{FAST}\nmaster_key = \"{}\"", home.path().join("master-key").display());
    for (more, is_useless) in [(FAST, true), (&named, false)] {
        home.configure(&(home.configuration("communigate", more) + "apop = true\n"));
        let said = run(&home, &["check"], "");
        assert!(said.contains("greets with a challenge"), "{said}");
        assert_eq!(said.contains("APOP opens no account"), is_useless, "{said}");
    }
}

#[test]
fn another_key_is_taken_while_passwords_are_changed() {
    let home = home();
    write_keys(&home, "a");
    home.add_account("alice", "blue harbor 42");
    import_many(&home);
    let program = home.serve();
    let mut client = log_in(&home, "alice", "blue harbor 42");
    let is_over = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let changes = scope.spawn(|| {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                count += 1;
                let reply = client.ask(&format!("NEWPASS green hill {count}"));
                assert!(reply.starts_with("200 "), "{reply}");
            }
            count
        });
        write_keys(&home, "ba");
        let told = run(&home, &["rekey"], "");
        is_over.store(true, Ordering::Relaxed);
        // Those that came from elsewhere, alice and the postmaster.
        assert!(told.contains(&format!("{} accounts, ", MANY + 2)), "{told}");
        changes.join().unwrap()
    });
    assert!(run(&home, &["rekey"], "").contains(" 0 of them sealed anew"));
    program.kill();
    write_keys(&home, "a");
    assert!(refused(&home, &["serve"]).contains("correct it"));
    write_keys(&home, "b");
    let _program = home.serve();
    log_in(&home, "alice", &format!("green hill {last}"));
    log_in(&home, "user1234", "old secret");
}

#[test]
fn a_change_of_key_that_was_cut_short_goes_on() {
    let home = home();
    write_keys(&home, "a");
    home.add_account("alice", "blue harbor 42");
    import_many(&home);
    let program = home.serve();
    write_keys(&home, "ba");
    let socket = UnixStream::connect(home.data_path().join("rekey.sock")).unwrap();
    let mut lines = BufReader::new(socket).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("reached "), "{line}");
    program.kill();
    let is_done = lines.map_while(Result::ok).any(|line| line.starts_with("done "));
    for keys in ["a", "b"] {
        write_keys(&home, keys);
        assert_eq!(home.run(&["account", "list"], "").status.success(), is_done && keys == "b");
    }
    write_keys(&home, "ba");
    let program = home.serve();
    log_in(&home, "alice", "blue harbor 42");
    program.kill();
    // Nobody has the store open now.
    assert!(run(&home, &["rekey"], "").contains(&format!("{} accounts, ", MANY + 2)));
    write_keys(&home, "b");
    let _program = home.serve();
    log_in(&home, "alice", "blue harbor 42");
    log_in(&home, "user1999", "old secret");
}

#[test]
fn the_first_key_is_taken_by_a_server_that_serves_without_one() {
    let home = Home::new("communigate", FAST);
    home.add_account("alice", "blue harbor 42");
    let program = home.serve();
    let output = home.run(&["rekey"], "");
    assert!(printed(&output).contains("there is no master_key") && output.status.code() == Some(1));
    let named = format!("{FAST}\nmaster_key = \"{}\"", home.path().join("master-key").display());
    home.configure(&home.configuration("communigate", &named));
    write_keys(&home, "x");
    assert!(printed(&home.run(&["rekey"], "")).contains("line 1 is no key"));
    write_keys(&home, "c");
    assert!(run(&home, &["rekey"], "").contains("2 accounts, 2 of them sealed anew"));
    log_in(&home, "alice", "blue harbor 42");
    program.kill();
    home.configure(&home.configuration("communigate", FAST));
    assert!(refused(&home, &["serve"]).contains("there is none: name its file"));
}
