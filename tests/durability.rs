//! What was acknowledged outlives the process, wherever in its work it is killed.

use std::net::SocketAddr;

use crate::world::client::Client;
use crate::world::kills::{Ledger, kill_over_and_over, open, reply};
use crate::world::program::Home;
use crate::world::seed::{Chance, seed};

/// How often the server is killed.
const KILLS: u32 = 200;

/// Streams of changes at the same time, each with an account of its own.
const STREAMS: usize = 6;

/// One account's passwords, as its client knows them.
struct Passwords {
    account: String,
    /// The last password that the server acknowledged.
    acknowledged: String,
    /// Those asked for after it, whose outcome nobody told.
    unknown: Vec<String>,
    /// Those that must not be accepted any more.
    outlived: Vec<String>,
    changes: u32,
}

impl Passwords {
    fn new(index: usize) -> Self {
        let account = format!("user{index}");
        let acknowledged = format!("first password of {account}");
        Self { account, acknowledged, unknown: Vec::new(), outlived: Vec::new(), changes: 0 }
    }

    /// A session, unless the server is gone.
    fn log_in(&self, address: SocketAddr) -> Option<Client> {
        let lines = format!("USER {}\r\nPASS {}\r\n", self.account, self.acknowledged);
        open(address, &lines, &["200 ", "300 ", "200 "])
    }

    /// One change; false when the server is gone.
    fn change(&mut self, client: &mut Client) -> bool {
        self.changes += 1;
        let password = format!("password {} of {}", self.changes, self.account);
        self.unknown.push(password.clone());
        client.send(format!("NEWPASS {password}\r\n").as_bytes());
        let Some(line) = reply(client) else { return false };
        assert!(line.starts_with("200 "), "{} could not change: {line}", self.account);
        self.unknown.clear();
        self.outlived.push(std::mem::replace(&mut self.acknowledged, password));
        true
    }

    fn accepts(&self, address: SocketAddr, password: &str) -> bool {
        let mut client = Client::connect(address);
        client.line();
        assert!(client.ask(&format!("USER {}", self.account)).starts_with("300 "));
        let line = client.ask(&format!("PASS {password}"));
        assert!(line.starts_with("200 ") || line.starts_with("515 "), "{line}");
        line.starts_with("200 ")
    }
}

impl Ledger for Passwords {
    /// Changes the password again and again, some times per session, until the server is gone.
    fn stream(&mut self, address: SocketAddr, chance: &mut Chance) {
        loop {
            let Some(mut client) = self.log_in(address) else { return };
            for _ in 0..=chance.below(4) {
                if !self.change(&mut client) {
                    return;
                }
            }
        }
    }

    /// The account accepts exactly one password: the one acknowledged last, or one of unknown
    /// outcome after it. That one is what the ledger goes on with.
    fn check(&mut self, address: SocketAddr) {
        let current: Vec<String> = [vec![self.acknowledged.clone()], std::mem::take(&mut self.unknown)].concat();
        let newest_outlived = self.outlived.iter().rev().take(3).cloned();
        let accepted: Vec<String> =
            current.iter().cloned().chain(newest_outlived).filter(|it| self.accepts(address, it)).collect();
        let [password] = accepted.as_slice() else {
            panic!("{}: of {current:?}, after {:?}, accepted: {accepted:?}", self.account, self.outlived)
        };
        assert!(current.contains(password), "{}: acknowledged {current:?}, accepted {password}", self.account);
        self.outlived.extend(current.into_iter().filter(|it| it != password));
        self.acknowledged.clone_from(password);
    }

    fn is_cut_off(&self) -> bool {
        !self.unknown.is_empty()
    }
}

#[test]
fn acknowledged_changes_outlive_every_kill() {
    let seed = seed();
    println!("KEYTURN_SEED={seed}");
    let home = Home::new("communigate", "failed_reply_delay_ms = 0\nlog_level = 1");
    let mut ledgers: Vec<Passwords> = (0..STREAMS).map(Passwords::new).collect();
    for ledger in &ledgers {
        home.add_account(&ledger.account, &ledger.acknowledged);
    }
    let cut_off = kill_over_and_over(&home, KILLS, &mut ledgers, seed);
    let all: u32 = ledgers.iter().map(|ledger| ledger.changes).sum();
    println!("{all} changes, of which {cut_off} were cut off by a kill");
}
