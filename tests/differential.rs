//! Debian's `poppassd`, over pipes, against our poppassd dialect: the same input, and the codes of
//! the answers. They agree, except where we differ on purpose.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::clients::codes;
use crate::clients::debian::tool;
use crate::world::World;
use crate::world::client::{Client, Heard, PATIENCE};

/// What Debian's program answers to `input`.
fn debian(input: &[u8]) -> String {
    let mut child = tool("poppassd").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have left before it has read everything.
    drop(stdin.write_all(input));
    drop(stdin);
    let mut replies = String::new();
    child.stdout.take().unwrap().read_to_string(&mut replies).unwrap();
    child.wait().unwrap();
    replies
}

/// What our server answers to `input`.
fn ours(input: &[u8]) -> String {
    let mut world = World::new(Vec::new());
    world.account("alice", LONG.as_bytes(), "{}");
    world.listen_as("poppassd", &[]);
    let mut client = Client::connect(world.address());
    client.send(input);
    client.half_close();
    let mut replies = String::new();
    loop {
        match client.hear(PATIENCE) {
            Heard::Line(line) => replies.push_str(&(String::from_utf8(line).unwrap() + "\n")),
            Heard::Eof(rest) if rest.is_empty() => return replies,
            other @ (Heard::Eof(_) | Heard::Reset | Heard::Silence) => panic!("{other:?} after {replies}"),
        }
    }
}

/// Alice's password, longer than Debian's program takes.
const LONG: &str = "a password of more than the 123 bytes that fit into a line of Debian's poppassd, which is a pity \
    because somebody may well like to have such a long one";

/// Checks that both answer `input` with these codes.
fn check_agreement(input: &str, expected: &[&str]) {
    let (theirs, ours) = (debian(input.as_bytes()), ours(input.as_bytes()));
    assert_eq!(codes(&theirs), expected, "Debian's, to {input:?}: {theirs}");
    assert_eq!(codes(&ours), expected, "ours, to {input:?}: {ours}");
}

/// Checks that the two answer `input` with different codes.
fn check_difference(input: &str, expected_of_theirs: &[&str], expected_of_ours: &[&str]) {
    let (theirs, ours) = (debian(input.as_bytes()), ours(input.as_bytes()));
    assert_eq!(codes(&theirs), expected_of_theirs, "Debian's, to {input:?}: {theirs}");
    assert_eq!(codes(&ours), expected_of_ours, "ours, to {input:?}: {ours}");
}

#[test]
fn both_refuse_what_is_no_user_with_one_500() {
    check_agreement("FOO\r\n", &["200", "500"]);
    check_agreement("\n", &["200", "500"]);
    check_agreement("pass secret 99\nnewpass secret 98\n", &["200", "500"]);
    check_agreement("newpass secret 99\r\n", &["200", "500"]);
    check_agreement("user \n", &["200", "500"]);
    check_agreement("user\r\n", &["200", "500"]);
}

#[test]
fn both_refuse_what_is_no_password_with_one_500() {
    check_agreement("user alice\nnewpass secret 99\nquit\n", &["200", "200", "500"]);
    check_agreement("USER alice\r\nFOO\r\n", &["200", "200", "500"]);
    check_agreement("uSeR alice\nPASS\n", &["200", "200", "500"]);
}

#[test]
fn both_refuse_what_is_too_long() {
    check_agreement(&format!("user {}\n", "n".repeat(400)), &["200", "500"]);
    check_agreement(&format!("user alice\npass {}\n", "p".repeat(1100)), &["200", "200", "500"]);
}

/// At the end of the input there is nobody left to be told "Username required".
#[test]
fn we_say_nothing_to_a_client_that_has_left() {
    check_difference("", &["200", "500"], &["200"]);
    check_difference("user alice\n", &["200", "200", "500"], &["200", "200"]);
}

/// Some webmails take a change for failed when QUIT is not answered with success.
#[test]
fn we_say_goodbye_to_quit_at_any_time() {
    check_difference("QUIT\r\n", &["200", "500"], &["200", "200"]);
    check_difference("user alice\nquit\n", &["200", "200", "500"], &["200", "200", "200"]);
}

/// Debian's limits are 59 bytes for a name and 123 for a password.
#[test]
fn we_take_longer_names_and_passwords() {
    check_difference(&format!("user {}\nquit\n", "n".repeat(70)), &["200", "500"], &["200", "200", "200"]);
    let login = format!("user alice\npass {LONG}\nquit\n");
    check_difference(&login, &["200", "200", "500"], &["200", "200", "200", "200"]);
}

/// A client may correct the name it gave.
#[test]
fn we_take_another_user_instead() {
    let replaced = format!("user bob\nuser alice\npass {LONG}\nquit\n");
    check_difference(&replaced, &["200", "200", "500"], &["200"; 5]);
}
