//! What a command was acknowledged to have changed outlives the process, wherever in its work it
//! is killed; and of what was cut off, all has happened or nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyturn::notation::{Form, Value};

use crate::world::client::Client;
use crate::world::kills::{Ledger, administer, home, kill_over_and_over, reply};
use crate::world::seed::{Chance, seed};

/// How often the server is killed.
const KILLS: u32 = 80;

/// Streams of commands at the same time, each on a domain of its own.
const STREAMS: usize = 4;

/// Objects of one kind in a domain, so that looking at all of them stays quick.
const OBJECTS_MAX: usize = 4;

/// An account, as its administrator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    password: String,
    settings: BTreeMap<String, String>,
    aliases: Vec<String>,
}

/// A domain, as its administrator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Domain {
    name: String,
    settings: BTreeMap<String, String>,
    aliases: Vec<String>,
    accounts: BTreeMap<String, Account>,
    /// Groups, and their members.
    groups: BTreeMap<String, Vec<String>>,
    /// Forwarders, and where they lead.
    forwarders: BTreeMap<String, String>,
}

/// What one stream has been told, and what it asked for last without being told.
struct Domains {
    /// Without a name while it is deleted.
    domain: Domain,
    unknown: Option<Domain>,
    /// What the domain's names end in.
    base: String,
    /// The name that it had when it was deleted: whatever was left of it shows when it has it again.
    last_name: String,
    /// Makes names that nobody had before.
    names: u32,
    commands: u32,
}

impl Domain {
    /// What a new name of `old`, or its end, means for the groups and forwarders.
    fn carry_along(&mut self, old: &str, new: Option<&str>) {
        for members in self.groups.values_mut() {
            match new {
                Some(new) => members.iter_mut().filter(|it| *it == old).for_each(|it| *it = new.to_owned()),
                None => members.retain(|it| it != old),
            }
        }
        if let Some(new) = new {
            self.forwarders.values_mut().filter(|it| *it == old).for_each(|it| *it = new.to_owned());
        }
    }
}

impl Domains {
    fn new(index: usize) -> Self {
        let base = format!("stream{index}.example");
        let domain = Domain { name: base.clone(), ..Domain::default() };
        Self { domain, unknown: None, last_name: base.clone(), base, names: 0, commands: 0 }
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    /// A command that must succeed, and the domain after it.
    fn draw(&mut self, chance: &mut Chance) -> (String, Domain) {
        if self.domain.name.is_empty() {
            let name = self.last_name.clone();
            return (format!("CREATEDOMAIN {name}"), Domain { name, ..Domain::default() });
        }
        loop {
            let next = self.domain.clone();
            let drawn = match chance.below(4) {
                0 => self.draw_of_domain(next, chance),
                1 => self.draw_of_objects(next, chance),
                _ => self.draw_of_accounts(next, chance),
            };
            if let Some(drawn) = drawn {
                return drawn;
            }
        }
    }

    fn draw_of_accounts(&mut self, mut next: Domain, chance: &mut Chance) -> Option<(String, Domain)> {
        let at = format!("@{}", next.name);
        let new = self.name("account");
        if next.accounts.len() < OBJECTS_MAX && chance.below(3) == 0 {
            let password = format!("the password of {new}");
            let settings = BTreeMap::from([("RealName".to_owned(), new.clone())]);
            let account = Account { password: password.clone(), settings, aliases: Vec::new() };
            next.accounts.insert(new.clone(), account);
            return Some((format!("CREATEACCOUNT {new}{at} {{Password=\"{password}\";RealName={new};}}"), next));
        }
        let name = pick(next.accounts.keys(), chance)?;
        let account = next.accounts.get_mut(&name)?;
        let line = match chance.below(6) {
            0 => {
                let account = next.accounts.remove(&name)?;
                next.accounts.insert(new.clone(), account);
                next.carry_along(&name, Some(&new));
                format!("RENAMEACCOUNT {name}{at} INTO {new}{at}")
            }
            1 => {
                next.accounts.remove(&name)?;
                next.carry_along(&name, None);
                format!("DELETEACCOUNT {name}{at}")
            }
            2 => {
                let aliases = (0..chance.below(3)).map(|index| format!("alias{index}-of-{new}"));
                account.aliases = aliases.collect();
                format!("SETACCOUNTALIASES {name}{at} ({})", quoted(&account.aliases))
            }
            3 => {
                account.settings.insert("Custom".to_owned(), new.clone());
                format!("UPDATEACCOUNTSETTINGS {name}{at} {{Custom={new};}}")
            }
            4 => {
                account.settings = BTreeMap::from([("Only".to_owned(), new.clone())]);
                format!("SETACCOUNTSETTINGS {name}{at} {{Only={new};}}")
            }
            _ => {
                account.password = format!("another password, {new}");
                format!("SETACCOUNTPASSWORD {name}{at} PASSWORD \"{}\"", account.password)
            }
        };
        Some((line, next))
    }

    fn draw_of_objects(&mut self, mut next: Domain, chance: &mut Chance) -> Option<(String, Domain)> {
        let at = format!("@{}", next.name);
        let all = next.accounts.keys().chain(next.groups.keys()).chain(next.forwarders.keys());
        let members: Vec<String> = all.filter(|_| chance.below(2) == 0).cloned().collect();
        let (group, forwarder) = (self.name("group"), self.name("forwarder"));
        let line = match chance.below(7) {
            0 if next.groups.len() < OBJECTS_MAX => {
                let line = format!("CREATEGROUP {group}{at} {{Members=({});}}", quoted(&members));
                next.groups.insert(group, members);
                line
            }
            1 => {
                let name = pick(next.groups.keys(), chance)?;
                let line = format!("SETGROUP {name}{at} {{Members=({});}}", quoted(&members));
                next.groups.insert(name, members);
                line
            }
            2 => {
                let name = pick(next.groups.keys(), chance)?;
                let members = next.groups.remove(&name)?;
                next.groups.insert(group.clone(), members);
                next.carry_along(&name, Some(&group));
                format!("RENAMEGROUP {name}{at} INTO {group}{at}")
            }
            3 => {
                let name = pick(next.groups.keys(), chance)?;
                next.groups.remove(&name)?;
                next.carry_along(&name, None);
                format!("DELETEGROUP {name}{at}")
            }
            4 if next.forwarders.len() < OBJECTS_MAX => {
                let target = members.first()?.clone();
                let line = format!("CREATEFORWARDER {forwarder}{at} TO {target}");
                next.forwarders.insert(forwarder, target);
                line
            }
            5 => {
                let name = pick(next.forwarders.keys(), chance)?;
                let target = next.forwarders.remove(&name)?;
                next.forwarders.insert(forwarder.clone(), target);
                next.carry_along(&name, Some(&forwarder));
                format!("RENAMEFORWARDER {name}{at} INTO {forwarder}{at}")
            }
            6 => {
                let name = pick(next.forwarders.keys(), chance)?;
                next.forwarders.remove(&name)?;
                next.carry_along(&name, None);
                format!("DELETEFORWARDER {name}{at}")
            }
            _ => return None,
        };
        Some((line, next))
    }

    fn draw_of_domain(&mut self, mut next: Domain, chance: &mut Chance) -> Option<(String, Domain)> {
        let new = self.name("x");
        let name = next.name.clone();
        let line = match chance.below(5) {
            0 => {
                next.name = format!("{new}.{}", self.base);
                format!("RENAMEDOMAIN {name} INTO {}", next.name)
            }
            1 => {
                next.settings.insert("Custom".to_owned(), new.clone());
                format!("UPDATEDOMAINSETTINGS {name} {{Custom={new};}}")
            }
            2 => {
                next.aliases = (0..chance.below(3)).map(|index| format!("alias{index}.{new}.{}", self.base)).collect();
                format!("SETDOMAINALIASES {name} ({})", quoted(&next.aliases))
            }
            3 if chance.below(4) == 0 => {
                self.last_name.clone_from(&name);
                next = Domain::default();
                format!("DELETEDOMAIN {name} FORCE")
            }
            _ => return None,
        };
        Some((line, next))
    }
}

impl Ledger for Domains {
    /// Sends one command after another until the server is gone.
    fn stream(&mut self, address: SocketAddr, chance: &mut Chance) {
        let Some(mut client) = administer(address) else { return };
        loop {
            let (line, next) = self.draw(chance);
            self.commands += 1;
            self.unknown = Some(next);
            client.send(format!("{line}\r\n").as_bytes());
            let Some(reply) = reply(&mut client) else { return };
            assert_eq!(reply, "200 OK", "{line} in {:?}", self.domain);
            self.domain = self.unknown.take().unwrap();
        }
    }

    /// All is as acknowledged, or as it is after the one command whose outcome nobody told. With
    /// that the ledger goes on.
    fn check(&mut self, address: SocketAddr) {
        let mut client = administer(address).expect("the server runs");
        let possible: Vec<Domain> = [Some(self.domain.clone()), self.unknown.take()].into_iter().flatten().collect();
        let found = look(&mut client, &possible);
        assert!(possible.contains(&found), "found {found:#?}\nbut possible are {possible:#?}");
        self.domain = found;
    }

    fn is_cut_off(&self) -> bool {
        self.unknown.is_some()
    }
}

/// One of `names`, if there is any.
fn pick<'a>(names: impl Iterator<Item = &'a String>, chance: &mut Chance) -> Option<String> {
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| names[usize::try_from(chance.below(names.len() as u64)).unwrap()].clone())
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
}

/// The one of the `possible` domains that is there, as the server shows it; without a name if none
/// is.
fn look(client: &mut Client, possible: &[Domain]) -> Domain {
    let all = texts(&ask(client, "LISTDOMAINS"));
    let mut names: Vec<_> = possible.iter().map(|it| it.name.clone()).filter(|name| all.contains(name)).collect();
    names.dedup();
    let [name] = names.as_slice() else {
        assert!(names.is_empty(), "both {names:?} are there");
        return Domain::default();
    };
    let mut found = Domain { name: name.clone(), ..Domain::default() };
    found.settings = settings(&ask(client, &format!("GETDOMAINSETTINGS {name}")));
    found.aliases = texts(&ask(client, &format!("GETDOMAINALIASES {name}")));
    for local in keys(&ask(client, &format!("LISTACCOUNTS {name}"))) {
        let account = look_at_account(client, &local, name, possible);
        found.accounts.insert(local, account);
    }
    for local in texts(&ask(client, &format!("LISTGROUPS {name}"))) {
        let Value::Dictionary(group) = ask(client, &format!("GETGROUP {local}@{name}")) else { panic!("{local}") };
        found.groups.insert(local, texts(group.get("Members").unwrap()));
    }
    for local in texts(&ask(client, &format!("LISTFORWARDERS {name}"))) {
        let target = ask(client, &format!("GETFORWARDER {local}@{name}"));
        found.forwarders.insert(local, target.as_str().unwrap().to_owned());
    }
    found
}

fn look_at_account(client: &mut Client, local: &str, domain: &str, possible: &[Domain]) -> Account {
    let name = format!("{local}@{domain}");
    let known = possible.iter().filter_map(|it| it.accounts.get(local));
    let mut passwords: Vec<_> = known.map(|account| account.password.clone()).collect();
    passwords.dedup();
    passwords.retain(|password| {
        let answer = client.ask(&format!("VERIFYACCOUNTPASSWORD {name} PASSWORD \"{password}\""));
        assert!(answer == "200 OK" || answer.starts_with("515 "), "{answer}");
        answer == "200 OK"
    });
    let [password] = passwords.as_slice() else { panic!("{name} accepts {passwords:?}") };
    // An alias leads to the account for as long as it has it.
    let aliases = texts(&ask(client, &format!("GETACCOUNTALIASES {name}")));
    for alias in &aliases {
        let answer = client.ask(&format!("VERIFYACCOUNTPASSWORD {alias}@{domain} PASSWORD \"{password}\""));
        assert_eq!(answer, "200 OK", "{alias} of {name}");
    }
    let settings = settings(&ask(client, &format!("GETACCOUNTSETTINGS {name}")));
    Account { password: password.clone(), settings, aliases }
}

/// The data that an inline session is answered with.
fn ask(client: &mut Client, line: &str) -> Value {
    let answer = client.ask(line);
    let text = answer.strip_prefix("201 ").unwrap_or_else(|| panic!("{answer} to {line}"));
    Value::parse(text.as_bytes(), Form::Line).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else { panic!("{value} is no array") };
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> Vec<String> {
    let Value::Dictionary(dictionary) = value else { panic!("{value} is no dictionary") };
    dictionary.iter().map(|(key, _)| key.to_owned()).collect()
}

fn settings(value: &Value) -> BTreeMap<String, String> {
    let Value::Dictionary(dictionary) = value else { panic!("{value} is no dictionary") };
    dictionary.iter().map(|(key, value)| (key.to_owned(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn acknowledged_commands_outlive_every_kill_and_none_is_half_done() {
    let seed = seed();
    println!("KEYTURN_SEED={seed}");
    let home = home();
    let mut ledgers: Vec<Domains> = (0..STREAMS).map(Domains::new).collect();
    for ledger in &ledgers {
        assert!(home.run(&["domain", "add", &ledger.domain.name], "").status.success());
    }
    let cut_off = kill_over_and_over(&home, KILLS, &mut ledgers, seed);
    let all: u32 = ledgers.iter().map(|ledger| ledger.commands).sum();
    println!("{all} commands, of which {cut_off} were cut off by a kill");
}
