//! What an administrator was told is set outlives the process, wherever in its work it is killed:
//! settings, lists of addresses, preferences, alerts and rights, of the server, the cluster, a
//! domain and an account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::world::client::Client;
use crate::world::kills::{Ledger, kill_over_and_over, open, reply};
use crate::world::program::Home;
use crate::world::seed::{Chance, seed};

/// How often the server is killed.
const KILLS: u32 = 60;

const PASSWORD: &str = "postmaster's secret";
const DOMAIN: &str = "kept.example";
const ACCOUNT: &str = "keeper";

/// Commands that set something, up to a word that is drawn, what follows it, and the command that
/// shows it.
const SETTERS: &[(&str, &str, &str)] = &[
    ("SETDOMAINDEFAULTS {Custom=", ";}", "GETDOMAINDEFAULTS"),
    ("SETCLUSTERDOMAINDEFAULTS {Custom=", ";}", "GETCLUSTERDOMAINDEFAULTS"),
    ("SETSERVERACCOUNTDEFAULTS {Custom=", ";}", "GETSERVERACCOUNTDEFAULTS"),
    ("UPDATECLUSTERACCOUNTDEFAULTS {Custom=", ";}", "GETCLUSTERACCOUNTDEFAULTS"),
    ("SETSERVERACCOUNTPREFS {Custom=", ";}", "GETSERVERACCOUNTPREFS"),
    ("UPDATECLUSTERACCOUNTPREFS {Custom=", ";}", "GETCLUSTERACCOUNTPREFS"),
    ("UPDATEMODULE PWD {Custom=", ";}", "GETMODULE PWD"),
    ("UPDATELOGSETTINGS {Custom=", ";}", "GETLOGSETTINGS"),
    ("UPDATESERVERSETTINGS {Custom=", ";}", "GETSERVERSETTINGS"),
    ("SETSESSIONSETTINGS {Custom=", ";}", "GETSESSIONSETTINGS"),
    ("SETCLUSTERSETTINGS {Custom=", ";}", "GETCLUSTERSETTINGS"),
    ("SETNETWORK {Custom=", ";}", "GETNETWORK"),
    ("SETCLUSTERNETWORK {Custom=", ";}", "GETCLUSTERNETWORK"),
    ("SETDNRSETTINGS {Custom=", ";}", "GETDNRSETTINGS"),
    ("SETROUTERSETTINGS {Custom=", ";}", "GETROUTERSETTINGS"),
    ("SETCLUSTERROUTERSETTINGS {Custom=", ";}", "GETCLUSTERROUTERSETTINGS"),
    ("SETROUTERTABLE \"<", "> = postmaster\"", "GETROUTERTABLE"),
    ("SETCLUSTERROUTERTABLE \"<", "> = postmaster\"", "GETCLUSTERROUTERTABLE"),
    ("SETLANIPS \"192.0.2.1 ; ", "\"", "GETLANIPS"),
    ("SETCLUSTERLANIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERLANIPS"),
    ("SETCLIENTIPS \"192.0.2.1 ; ", "\"", "GETCLIENTIPS"),
    ("SETCLUSTERCLIENTIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERCLIENTIPS"),
    ("SETBLACKLISTEDIPS \"192.0.2.1 ; ", "\"", "GETBLACKLISTEDIPS"),
    ("SETCLUSTERBLACKLISTEDIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERBLACKLISTEDIPS"),
    ("SETWHITEHOLEIPS \"192.0.2.1 ; ", "\"", "GETWHITEHOLEIPS"),
    ("SETCLUSTERWHITEHOLEIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERWHITEHOLEIPS"),
    ("SETNATEDIPS \"192.0.2.1 ; ", "\"", "GETNATEDIPS"),
    ("SETCLUSTERNATEDIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERNATEDIPS"),
    ("SETNATSITEIPS \"192.0.2.1 ; ", "\"", "GETNATSITEIPS"),
    ("SETCLUSTERNATSITEIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERNATSITEIPS"),
    ("SETDEBUGIPS \"192.0.2.1 ; ", "\"", "GETDEBUGIPS"),
    ("SETCLUSTERDEBUGIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERDEBUGIPS"),
    ("SETDENIEDIPS \"192.0.2.1 ; ", "\"", "GETDENIEDIPS"),
    ("SETCLUSTERDENIEDIPS \"192.0.2.1 ; ", "\"", "GETCLUSTERDENIEDIPS"),
    ("SETSERVERALERTS {Custom=", ";}", "GETSERVERALERTS"),
    ("SETCLUSTERALERTS {Custom=", ";}", "GETCLUSTERALERTS"),
    ("SETDOMAINSETTINGS kept.example {Custom=", ";}", "GETDOMAINSETTINGS kept.example"),
    ("SETACCOUNTDEFAULTS kept.example {Custom=", ";}", "GETACCOUNTDEFAULTS kept.example"),
    ("UPDATEACCOUNTTEMPLATE kept.example {Custom=", ";}", "GETACCOUNTTEMPLATE kept.example"),
    ("SETACCOUNTDEFAULTPREFS kept.example {Custom=", ";}", "GETACCOUNTDEFAULTPREFS kept.example"),
    ("SETDOMAINALERTS kept.example {Custom=", ";}", "GETDOMAINALERTS kept.example"),
    ("SETACCOUNTPREFS keeper@kept.example {Custom=", ";}", "GETACCOUNTPREFS keeper@kept.example"),
    ("SETACCOUNTALERTS keeper@kept.example {Custom=", ";}", "GETACCOUNTALERTS keeper@kept.example"),
    ("SETACCOUNTRIGHTS keeper@kept.example (", ")", "GETACCOUNTRIGHTS keeper@kept.example"),
    ("SETACCOUNTACL keeper@kept.example {anyone=", ";}", "GETACCOUNTACL keeper@kept.example"),
];

/// The words that one administrator has set, by their place among [`SETTERS`].
#[derive(Default)]
struct Words {
    set: BTreeMap<usize, String>,
    unknown: Option<(usize, String)>,
    commands: u32,
}

impl Ledger for Words {
    fn check(&mut self, address: SocketAddr) {
        let mut client = log_in(address).expect("the server runs");
        let unknown = self.unknown.take();
        let places = self.set.keys().copied().chain(unknown.iter().map(|(place, _)| *place));
        for place in places.collect::<BTreeSet<_>>() {
            let answer = client.ask(SETTERS[place].2);
            assert!(answer.starts_with("201 "), "{answer} to {}", SETTERS[place].2);
            let old = self.set.get(&place);
            match unknown.as_ref().filter(|(other, new)| *other == place && answer.contains(new.as_str())) {
                // A word that was never set is nowhere; one that was has made place.
                Some((_, new)) => {
                    assert!(old.is_none_or(|old| !answer.contains(old.as_str())), "both: {answer}");
                    self.set.insert(place, new.clone());
                }
                None => assert!(old.is_none_or(|old| answer.contains(old.as_str())), "{old:?} is gone: {answer}"),
            }
        }
    }

    fn stream(&mut self, address: SocketAddr, chance: &mut Chance) {
        let Some(mut client) = log_in(address) else { return };
        loop {
            let place = usize::try_from(chance.below(SETTERS.len() as u64)).unwrap();
            let (before, after, _) = SETTERS[place];
            self.commands += 1;
            // Between letters, so that no word is a part of another one.
            let word = format!("k{}k", self.commands);
            self.unknown = Some((place, word.clone()));
            client.send(format!("{before}{word}{after}\r\n").as_bytes());
            let Some(answer) = reply(&mut client) else { return };
            assert_eq!(answer, "200 OK", "{before}{word}{after}");
            self.unknown = None;
            self.set.insert(place, word);
        }
    }

    fn is_cut_off(&self) -> bool {
        self.unknown.is_some()
    }
}

/// An inline session of the postmaster, unless the server is gone.
fn log_in(address: SocketAddr) -> Option<Client> {
    let lines = format!("USER postmaster\r\nPASS {PASSWORD}\r\nINLINE\r\n");
    open(address, &lines, &["200 ", "300 ", "200 ", "200 "])
}

#[test]
fn acknowledged_settings_outlive_every_kill() {
    let seed = seed();
    println!("KEYTURN_SEED={seed}");
    let home = Home::new("communigate", "log_level = 1");
    home.add_account("postmaster", PASSWORD);
    assert!(home.run(&["domain", "add", DOMAIN], "").status.success());
    home.add_account(&format!("{ACCOUNT}@{DOMAIN}"), PASSWORD);
    let mut words = [Words::default()];
    let cut_off = kill_over_and_over(&home, KILLS, &mut words, seed);
    println!("{} commands, of which {cut_off} were cut off by a kill", words[0].commands);
}
