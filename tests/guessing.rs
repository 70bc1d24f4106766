//! Guessing from several addresses, against the real program.

use rustix::process::Signal;

use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::program::Home;

const OLD: &str = "blue harbor 42";
const NEW: &str = "seven green kites";
const ADMINISTRATORS: &str = "quiet stone 5";
const TOO_MANY: &str = "501 too many failed logins - try again in ";

/// A session from 127.0.0.`last`.
fn from(home: &Home, last: u8) -> Client {
    let mut client = Client::connect_from([127, 0, 0, last].into(), home.address).unwrap();
    let greeting = client.line();
    assert!(greeting.starts_with("200 "), "127.0.0.{last} hears {greeting}");
    client
}

fn log_in(client: &mut Client, name: &str, password: &str) -> String {
    assert_eq!(client.ask(&format!("USER {name}")), "300 please send the PASS");
    client.ask(&format!("PASS {password}"))
}

/// A postmaster's session, from 127.0.0.1.
fn postmaster(home: &Home) -> Client {
    let mut client = from(home, 1);
    assert!(log_in(&mut client, "postmaster", ADMINISTRATORS).starts_with("200 "));
    assert_eq!(client.ask("INLINE"), "200 OK");
    client
}

fn home(more: &str) -> Home {
    let home = Home::new("communigate", &format!("failed_reply_delay_ms = 0\nfailures_max = 100\n{more}"));
    home.add_account("alice", OLD);
    let output = home.run(&["account", "passwd", "postmaster", "--password-stdin"], &format!("{ADMINISTRATORS}\n"));
    assert!(output.status.success());
    home
}

#[test]
fn an_owner_changes_the_password_while_others_guess_it() {
    let home = home("");
    let mut program = home.serve();
    let mut administrator = postmaster(&home);
    // So slow to come back that nothing does while this runs.
    assert_eq!(administrator.ask("UPDATEACCOUNTSETTINGS alice {FailedLoginFlow=(6,1d);}"), "200 OK");
    assert_eq!(administrator.ask("SETCLIENTIPS 127.0.0.9"), "200 OK");
    assert_eq!(log_in(&mut from(&home, 2), "alice", OLD), "200 login OK, proceed");

    let mut looked_at = 0;
    for round in 0..5 {
        for guesser in 10..20 {
            let heard = log_in(&mut from(&home, guesser), "alice", &format!("guess {guesser} {round}"));
            assert!(heard.starts_with("515 ") || heard.starts_with(TOO_MANY), "{heard}");
            looked_at += u32::from(heard.starts_with("515 "));
        }
    }
    assert_eq!(looked_at, 6);
    assert!(log_in(&mut from(&home, 3), "alice", OLD).starts_with(TOO_MANY), "nobody knows this place");
    for (place, old, new) in [(2, OLD, NEW), (9, NEW, OLD)] {
        let mut owner = from(&home, place);
        assert_eq!(log_in(&mut owner, "alice", "mistyped"), "515 incorrect password or account name");
        assert_eq!(log_in(&mut owner, "alice", old), "200 login OK, proceed", "from 127.0.0.{place}");
        assert_eq!(owner.ask(&format!("NEWPASS {new}")), "200 Password updated");
    }
    program.signal(Signal::USR1);
    let counted = program.await_line(" account_failures=");
    assert!(counted.contains(" account_failures=45 "), "{counted}");
    let said = program.said();
    assert!(said.contains("login of 'alice' refused: too many to it have failed"), "{said}");
    assert!(!said.contains("guess 1"), "{said}");
}

#[test]
fn an_address_that_guesses_is_blocked_and_a_front_end_is_not() {
    let home = home("address_failures_max = 8\naddress_failures_seconds = 86400\naddress_block_seconds = 3600");
    let mut program = home.serve();
    let mut administrator = postmaster(&home);
    assert_eq!(administrator.ask("SETCLIENTIPS 127.0.0.9"), "200 OK");
    let spray = |place: u8| {
        let mut client = from(&home, place);
        (0..12).map(|index| log_in(&mut client, &format!("name-{index}"), "a popular one")).collect::<Vec<_>>()
    };
    assert!(spray(9).iter().all(|heard| heard.starts_with("515 ")), "a front end speaks for many");
    let heard = spray(10);
    assert!(heard[..8].iter().all(|heard| heard.starts_with("515 ")), "{heard:?}");
    assert!(heard[8..].iter().all(|heard| *heard == format!("{TOO_MANY}3600 seconds")), "{heard:?}");
    program.await_line("127.0.0.10 blocked for 3600 seconds: 8 failed logins");

    let mut client = Client::connect_from([127, 0, 0, 10].into(), home.address).unwrap();
    assert_eq!(client.line(), "501 your address is blocked for a while - try again later");
    assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()));
    assert!(administrator.ask("GETTEMPBLACKLISTEDIPS").contains("127.0.0.10-3"), "with the seconds left");
    assert_eq!(administrator.ask("TEMPBLACKLISTIP 127.0.0.10 DELETE"), "200 OK");
    assert_eq!(log_in(&mut from(&home, 10), "alice", OLD), "200 login OK, proceed");

    // Those who mistype it and then find it are no guessers.
    for index in 0..11 {
        let mut client = from(&home, 11);
        assert_eq!(log_in(&mut client, "alice", &format!("typo {index}")), "515 incorrect password or account name");
        assert_eq!(log_in(&mut client, "alice", OLD), "200 login OK, proceed");
    }
}
