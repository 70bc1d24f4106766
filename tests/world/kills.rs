//! Killing a server in the middle of its work, over and over.

use std::net::SocketAddr;
use std::time::Duration;

use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::program::Home;
use crate::world::seed::Chance;

/// Longest life of a server, in milliseconds from the first line on.
const LIFE_MS_MAX: u64 = 60;

/// What one client was told, by which it knows what a server must have kept.
pub(crate) trait Ledger: Send {
    /// Finds in the server what was acknowledged, or what was asked for after it and never answered,
    /// and goes on with that.
    fn check(&mut self, address: SocketAddr);

    /// Asks for one change after another until the server is gone.
    fn stream(&mut self, address: SocketAddr, chance: &mut Chance);

    /// Whether the answer to the last change has never come.
    fn is_cut_off(&self) -> bool;
}

/// Starts the server of `home`, checks all ledgers, and kills it while they stream, `kills` times;
/// then checks them once more. Returns how many changes the kills cut off.
///
/// # Panics
/// When it was none.
pub(crate) fn kill_over_and_over(home: &Home, kills: u32, ledgers: &mut [impl Ledger], seed: u64) -> usize {
    let mut chance = Chance::new(seed);
    let address = home.address;
    let mut cut_off = 0;
    for _ in 0..kills {
        let program = home.serve();
        check_all(ledgers, address);
        std::thread::scope(|scope| {
            for ledger in &mut *ledgers {
                let mut chance = Chance::new(chance.below(u64::MAX));
                scope.spawn(move || ledger.stream(address, &mut chance));
            }
            std::thread::sleep(Duration::from_millis(chance.below(LIFE_MS_MAX)));
            program.kill();
        });
        cut_off += ledgers.iter().filter(|ledger| ledger.is_cut_off()).count();
    }
    let _program = home.serve();
    check_all(ledgers, address);
    assert!(cut_off > 0, "no kill came in the middle of a change");
    cut_off
}

fn check_all(ledgers: &mut [impl Ledger], address: SocketAddr) {
    std::thread::scope(|scope| {
        for ledger in ledgers {
            scope.spawn(|| ledger.check(address));
        }
    });
}

/// The next line, unless the server is gone.
pub(crate) fn reply(client: &mut Client) -> Option<String> {
    match client.hear(PATIENCE) {
        Heard::Line(line) => Some(String::from_utf8(line).unwrap()),
        Heard::Eof(rest) => {
            assert!(rest.is_empty(), "half a reply: {rest:?}");
            None
        }
        Heard::Reset => None,
        Heard::Silence => panic!("the server does not answer"),
    }
}

/// The password of the postmaster whom [`home`] adds.
pub(crate) const PASSWORD: &str = "postmaster's secret";

/// A place with a postmaster, for servers that answer failed logins at once.
pub(crate) fn home() -> Home {
    let home = Home::new("communigate", "log_level = 1\nfailed_reply_delay_ms = 0");
    home.add_account("postmaster", PASSWORD);
    home
}

/// An inline session of the postmaster, unless the server is gone.
pub(crate) fn administer(address: SocketAddr) -> Option<Client> {
    let lines = format!("USER postmaster\r\nPASS {PASSWORD}\r\nINLINE\r\n");
    open(address, &lines, &["200 ", "300 ", "200 ", "200 "])
}

/// A session in which `lines` were answered with the codes in `expected`, the greeting's first,
/// unless the server is gone.
pub(crate) fn open(address: SocketAddr, lines: &str, expected: &[&str]) -> Option<Client> {
    let mut client = Client::try_connect(address).ok()?;
    client.send(lines.as_bytes());
    for code in expected {
        let line = reply(&mut client)?;
        assert!(line.starts_with(code), "no login: {line}");
    }
    Some(client)
}
