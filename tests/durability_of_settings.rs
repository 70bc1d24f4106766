//! What an administrator was told is set outlives the process, wherever in its work it is killed:
//! settings, lists of addresses, preferences, alerts, certificates and rights, of the server, the
//! cluster, a domain and an account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::world::client::Client;
use crate::world::kills::{Ledger, PASSWORD, administer, home, kill_over_and_over, open, reply};
use crate::world::seed::{Chance, seed};

/// How often the server is killed.
const KILLS: u32 = 60;

const DOMAIN: &str = "kept.example";
const ACCOUNT: &str = "keeper";

/// What shows the words that are kept somewhere.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// The answer to a command.
    Command(&'static str),
    /// Whether [`ACCOUNT`] can log in: [`OPEN`] or [`CLOSED`].
    Login,
}

const OPEN: &str = "open";
const CLOSED: &str = "closed";

/// A command that changes those words; `*` stands for one.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// A new word is then the only one.
    Set(&'static str),
    /// A new word comes to the others.
    Add(&'static str),
    /// One that was set goes.
    Remove(&'static str),
    /// The word that stands here is then the only one.
    Show(&'static str, &'static str),
}

use Change::{Add, Remove, Set, Show};
use Look::{Command, Login};

/// Where something is kept, and all commands that change it.
const PLACES: &[(Look, &[Change])] = &[
    (Command("GETDOMAINDEFAULTS"), &[Set("SETDOMAINDEFAULTS {Custom=*;}"), Set("UPDATEDOMAINDEFAULTS {Custom=*;}")]),
    (
        Command("GETCLUSTERDOMAINDEFAULTS"),
        &[Set("SETCLUSTERDOMAINDEFAULTS {Custom=*;}"), Set("UPDATECLUSTERDOMAINDEFAULTS {Custom=*;}")],
    ),
    (
        Command("GETSERVERACCOUNTDEFAULTS"),
        &[Set("SETSERVERACCOUNTDEFAULTS {Custom=*;}"), Set("UPDATESERVERACCOUNTDEFAULTS {Custom=*;}")],
    ),
    (
        Command("GETCLUSTERACCOUNTDEFAULTS"),
        &[Set("UPDATECLUSTERACCOUNTDEFAULTS {Custom=*;}"), Set("SETCLUSTERACCOUNTDEFAULTS {Custom=*;}")],
    ),
    (
        Command("GETSERVERACCOUNTPREFS"),
        &[Set("SETSERVERACCOUNTPREFS {Custom=*;}"), Set("UPDATESERVERACCOUNTPREFS {Custom=*;}")],
    ),
    (
        Command("GETCLUSTERACCOUNTPREFS"),
        &[Set("UPDATECLUSTERACCOUNTPREFS {Custom=*;}"), Set("SETCLUSTERACCOUNTPREFS {Custom=*;}")],
    ),
    (Command("GETMODULE PWD"), &[Set("UPDATEMODULE PWD {Custom=*;}"), Set("SETMODULE PWD {Custom=*;}")]),
    (Command("GETLOGSETTINGS"), &[Set("UPDATELOGSETTINGS {Custom=*;}")]),
    (Command("GETSERVERSETTINGS"), &[Set("UPDATESERVERSETTINGS {Custom=*;}")]),
    (Command("GETSESSIONSETTINGS"), &[Set("SETSESSIONSETTINGS {Custom=*;}")]),
    (Command("GETCLUSTERSETTINGS"), &[Set("SETCLUSTERSETTINGS {Custom=*;}")]),
    (Command("GETNETWORK"), &[Set("SETNETWORK {Custom=*;}")]),
    (Command("GETCLUSTERNETWORK"), &[Set("SETCLUSTERNETWORK {Custom=*;}")]),
    (Command("GETDNRSETTINGS"), &[Set("SETDNRSETTINGS {Custom=*;}")]),
    (Command("GETROUTERSETTINGS"), &[Set("SETROUTERSETTINGS {Custom=*;}")]),
    (Command("GETCLUSTERROUTERSETTINGS"), &[Set("SETCLUSTERROUTERSETTINGS {Custom=*;}")]),
    (Command("GETROUTERTABLE"), &[Set("SETROUTERTABLE \"<*> = postmaster\"")]),
    (Command("GETCLUSTERROUTERTABLE"), &[Set("SETCLUSTERROUTERTABLE \"<*> = postmaster\"")]),
    (Command("GETLANIPS"), &[Set("SETLANIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERLANIPS"), &[Set("SETCLUSTERLANIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLIENTIPS"), &[Set("SETCLIENTIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERCLIENTIPS"), &[Set("SETCLUSTERCLIENTIPS \"192.0.2.1 ; *\"")]),
    (Command("GETBLACKLISTEDIPS"), &[Set("SETBLACKLISTEDIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERBLACKLISTEDIPS"), &[Set("SETCLUSTERBLACKLISTEDIPS \"192.0.2.1 ; *\"")]),
    (Command("GETWHITEHOLEIPS"), &[Set("SETWHITEHOLEIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERWHITEHOLEIPS"), &[Set("SETCLUSTERWHITEHOLEIPS \"192.0.2.1 ; *\"")]),
    (Command("GETNATEDIPS"), &[Set("SETNATEDIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERNATEDIPS"), &[Set("SETCLUSTERNATEDIPS \"192.0.2.1 ; *\"")]),
    (Command("GETNATSITEIPS"), &[Set("SETNATSITEIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERNATSITEIPS"), &[Set("SETCLUSTERNATSITEIPS \"192.0.2.1 ; *\"")]),
    (Command("GETDEBUGIPS"), &[Set("SETDEBUGIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERDEBUGIPS"), &[Set("SETCLUSTERDEBUGIPS \"192.0.2.1 ; *\"")]),
    (Command("GETDENIEDIPS"), &[Set("SETDENIEDIPS \"192.0.2.1 ; *\"")]),
    (Command("GETCLUSTERDENIEDIPS"), &[Set("SETCLUSTERDENIEDIPS \"192.0.2.1 ; *\"")]),
    (
        Command("GETSERVERALERTS"),
        &[Set("SETSERVERALERTS {*=*;}"), Add("POSTSERVERALERT *"), Remove("REMOVESERVERALERT *")],
    ),
    (
        Command("GETCLUSTERALERTS"),
        &[Set("SETCLUSTERALERTS {*=*;}"), Add("POSTCLUSTERALERT *"), Remove("REMOVECLUSTERALERT *")],
    ),
    (Command("GETDOMAINSETTINGS kept.example"), &[Set("SETDOMAINSETTINGS kept.example {Custom=*;}")]),
    (
        Command("GETACCOUNTDEFAULTS kept.example"),
        &[Set("SETACCOUNTDEFAULTS kept.example {Custom=*;}"), Set("UPDATEACCOUNTDEFAULTS kept.example {Custom=*;}")],
    ),
    (
        Command("GETACCOUNTTEMPLATE kept.example"),
        &[Set("UPDATEACCOUNTTEMPLATE kept.example {Custom=*;}"), Set("SETACCOUNTTEMPLATE kept.example {Custom=*;}")],
    ),
    (
        Command("GETACCOUNTDEFAULTPREFS kept.example"),
        &[
            Set("SETACCOUNTDEFAULTPREFS kept.example {Custom=*;}"),
            Set("UPDATEACCOUNTDEFAULTPREFS kept.example {Custom=*;}"),
        ],
    ),
    (
        Command("GETDOMAINALERTS kept.example"),
        &[
            Set("SETDOMAINALERTS kept.example {*=*;}"),
            Add("POSTDOMAINALERT kept.example ALERT *"),
            Remove("REMOVEDOMAINALERT kept.example ALERT *"),
        ],
    ),
    (
        Command("GETACCOUNTPREFS keeper@kept.example"),
        &[
            Set("SETACCOUNTPREFS keeper@kept.example {Custom=*;}"),
            Set("UPDATEACCOUNTPREFS keeper@kept.example {Custom=*;}"),
        ],
    ),
    (
        Command("GETACCOUNTALERTS keeper@kept.example"),
        &[
            Set("SETACCOUNTALERTS keeper@kept.example {*=*;}"),
            Add("POSTACCOUNTALERT keeper@kept.example ALERT *"),
            Remove("REMOVEACCOUNTALERT keeper@kept.example ALERT *"),
        ],
    ),
    (Command("GETACCOUNTRIGHTS keeper@kept.example"), &[Set("SETACCOUNTRIGHTS keeper@kept.example (*)")]),
    (Command("GETACCOUNTACL keeper@kept.example"), &[Set("SETACCOUNTACL keeper@kept.example {anyone=*;}")]),
    (Command("GETSERVERTRUSTEDCERTS"), &[Set("SETSERVERTRUSTEDCERTS (*)")]),
    (Command("GETCLUSTERTRUSTEDCERTS"), &[Set("SETCLUSTERTRUSTEDCERTS (*)")]),
    (
        Command("GETACCOUNTINFO keeper@kept.example KEY AccountType"),
        &[
            Show("SETACCOUNTTYPE keeper@kept.example AGrade", "AGrade"),
            Show("SETACCOUNTTYPE keeper@kept.example BGrade", "BGrade"),
            Show("SETACCOUNTTYPE keeper@kept.example MultiMailbox", "MultiMailbox"),
        ],
    ),
    (Login, &[Show("SUSPENDDOMAIN kept.example", CLOSED), Show("RESUMEDOMAIN kept.example", OPEN)]),
];

/// The words in each place, by its number among [`PLACES`].
#[derive(Default)]
struct Kept {
    words: BTreeMap<usize, Words>,
    /// A place and its words after a change that was not answered.
    unknown: Option<(usize, Words)>,
    commands: u32,
}

type Words = BTreeSet<String>;

impl Kept {
    /// A command that must succeed, its place, and the words there after it.
    fn draw(&mut self, chance: &mut Chance) -> (String, usize, Words) {
        loop {
            let place = usize::try_from(chance.below(PLACES.len() as u64)).unwrap();
            let changes = PLACES[place].1;
            let change = changes[usize::try_from(chance.below(changes.len() as u64)).unwrap()];
            let old = self.words.get(&place).cloned().unwrap_or_default();
            self.commands += 1;
            // Between letters, so that no word is a part of another one.
            let (set, added) = (format!("k{}k", self.commands), format!("p{}p", self.commands));
            let one = |word: &str| Words::from([word.to_owned()]);
            let (template, word, new) = match change {
                Set(template) => (template, set.clone(), one(&set)),
                Add(template) => (template, added.clone(), &old | &one(&added)),
                Remove(template) => match old.iter().find(|word| word.starts_with('k')) {
                    Some(word) => (template, word.clone(), &old - &one(word)),
                    None => continue,
                },
                Show(template, word) => (template, String::new(), one(word)),
            };
            return (template.replace('*', &word), place, new);
        }
    }
}

/// Whether `shown` has all of `words`, and none of those `others` that are not among them.
fn fits(shown: &str, words: &Words, others: &Words) -> bool {
    words.iter().all(|word| shown.contains(word)) && !others.difference(words).any(|word| shown.contains(word))
}

/// What is shown of the words in a place.
fn look(client: &mut Client, look: Look, address: SocketAddr) -> String {
    match look {
        Command(line) => {
            let answer = client.ask(line);
            assert!(answer.starts_with("201 "), "{answer} to {line}");
            answer
        }
        Login => {
            let mut other = open(address, &format!("USER {ACCOUNT}@{DOMAIN}\r\n"), &["200 ", "300 "]).unwrap();
            let answer = other.ask(&format!("PASS {PASSWORD}"));
            assert!(answer.starts_with("200 ") || answer.starts_with("515 "), "{answer}");
            (if answer.starts_with("200 ") { OPEN } else { CLOSED }).to_owned()
        }
    }
}

impl Ledger for Kept {
    fn check(&mut self, address: SocketAddr) {
        let mut client = administer(address).expect("the server runs");
        let unknown = self.unknown.take();
        let places: Vec<_> = self.words.keys().copied().chain(unknown.as_ref().map(|(place, _)| *place)).collect();
        for place in places {
            let shown = look(&mut client, PLACES[place].0, address);
            let old = self.words.get(&place).cloned().unwrap_or_default();
            let new = unknown.as_ref().filter(|(other, _)| *other == place).map_or(&old, |(_, new)| new);
            let is_new = fits(&shown, new, &old);
            assert!(is_new || fits(&shown, &old, new), "{shown} is neither {old:?} nor {new:?}");
            self.words.insert(place, if is_new { new.clone() } else { old });
        }
    }

    fn stream(&mut self, address: SocketAddr, chance: &mut Chance) {
        let Some(mut client) = administer(address) else { return };
        loop {
            let (line, place, new) = self.draw(chance);
            client.send(format!("{line}\r\n").as_bytes());
            self.unknown = Some((place, new.clone()));
            let Some(answer) = reply(&mut client) else { return };
            assert_eq!(answer, "200 OK", "{line}");
            self.unknown = None;
            self.words.insert(place, new);
        }
    }

    fn is_cut_off(&self) -> bool {
        self.unknown.is_some()
    }
}

#[test]
fn acknowledged_settings_outlive_every_kill() {
    let seed = seed();
    println!("KEYTURN_SEED={seed}");
    let home = home();
    assert!(home.run(&["domain", "add", DOMAIN], "").status.success());
    home.add_account(&format!("{ACCOUNT}@{DOMAIN}"), PASSWORD);
    let mut kept = [Kept::default()];
    let cut_off = kill_over_and_over(&home, KILLS, &mut kept, seed);
    println!("{} commands, of which {cut_off} were cut off by a kill", kept[0].commands);
}
