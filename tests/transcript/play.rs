//! Plays a transcript against a server, in one of four ways.

use std::collections::BTreeMap;
use std::time::Duration;

use super::script::{Directive, Step, fits};
use crate::clients::sasl;
use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::identity::Identity;
use crate::world::prover;
use crate::world::seed::Chance;
use crate::world::{Kind, World, log};

/// How a client's bytes are cut into writes. What the server answers must not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    WholeLines,
    ByteByByte,
    RandomSplits(u64),
    /// Everything up to the next directive in one write, before anything is read.
    Pipelined,
}

/// What a play brought.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// What was heard at each line of the transcript that expects something.
    pub(crate) heard: BTreeMap<usize, Heard>,
    /// What was not as the transcript says.
    pub(crate) failures: Vec<String>,
}

/// Nothing may come for so long where silence is expected.
const SILENCE: Duration = Duration::from_millis(150);

/// A play in progress.
struct Stage {
    world: World,
    clients: BTreeMap<u8, Client>,
    /// What those were greeted with that did not come to hear it.
    greetings: BTreeMap<u8, String>,
    way: Way,
    chance: Chance,
    from: log::Position,
    played: Played,
    /// Whether to note what differs without calling it a failure.
    lenient: bool,
}

/// Plays `steps` in `way`, up to the first failure; `lenient` plays on and notes what was heard.
pub(crate) fn play(steps: &[(usize, Step)], way: Way, lenient: bool) -> Played {
    let seed = if let Way::RandomSplits(seed) = way { seed } else { 0 };
    let (chance, from) = (Chance::new(seed), log::position());
    let mut world = World::new(listeners(steps));
    if steps.iter().any(|(_, step)| *step == Step::Do(Directive::MasterKey)) {
        world.seal();
    }
    if steps.iter().any(|(_, step)| *step == Step::Do(Directive::Certificate)) {
        world.offer_tls(Identity::shared());
    }
    let (clients, greetings, played) = (BTreeMap::new(), BTreeMap::new(), Played::default());
    let mut stage = Stage { world, clients, greetings, way, chance, from, played, lenient };
    let mut rest = steps;
    while let Some((index, step)) = rest.first() {
        let talk = talk_length(rest);
        match step {
            Step::Do(directive) => stage.obey(*index, directive),
            Step::Say { client, .. } | Step::Hear { client, .. } => stage.talk(*client, &rest[..talk]),
        }
        if !stage.played.failures.is_empty() {
            break;
        }
        rest = &rest[talk.max(1)..];
    }
    stage.finish(steps)
}

/// Where the clients of a transcript connect, apart from the listeners that are always there.
fn listeners(steps: &[(usize, Step)]) -> Vec<Kind> {
    let named = steps.iter().filter_map(|(_, step)| match step {
        Step::Do(Directive::Listener { dialect, keys }) => Some((dialect.clone(), keys.clone())),
        Step::Say { .. } | Step::Hear { .. } | Step::Do(_) => None,
    });
    named.collect()
}

/// How many steps are one talk: the same client, and no directive between.
fn talk_length(steps: &[(usize, Step)]) -> usize {
    let speaker = |step: &Step| match step {
        Step::Say { client, .. } | Step::Hear { client, .. } => Some(*client),
        Step::Do(_) => None,
    };
    let first = steps.first().and_then(|(_, step)| speaker(step));
    steps.iter().take_while(|(_, step)| first.is_some() && speaker(step) == first).count()
}

impl Stage {
    fn talk(&mut self, number: u8, steps: &[(usize, Step)]) {
        let mut client = self.clients.remove(&number).unwrap_or_else(|| {
            let mut client = Client::connect(self.world.address());
            // A story that does not begin with the greeting is about something else.
            if matches!(steps[0].1, Step::Say { .. }) && self.world.greets_at_once() {
                let greeting = client.line();
                assert!(greeting.starts_with("200 "), "greeted with {greeting}");
                self.greetings.insert(number, greeting);
            }
            client
        });
        if self.way == Way::Pipelined {
            let said = steps
                .iter()
                .filter_map(|(_, step)| if let Step::Say { bytes, .. } = step { Some(bytes) } else { None });
            client.send(&said.flatten().copied().collect::<Vec<_>>());
        }
        for (index, step) in steps {
            match step {
                Step::Say { bytes, .. } if self.way != Way::Pipelined => self.send(&mut client, bytes),
                Step::Hear { pattern, .. } => {
                    let heard = client.hear(PATIENCE);
                    let expected = matches!(&heard, Heard::Line(line) if fits(pattern.as_bytes(), line));
                    self.note(*index, pattern, heard, expected);
                }
                Step::Say { .. } | Step::Do(_) => {}
            }
            if !self.played.failures.is_empty() {
                break;
            }
        }
        self.clients.insert(number, client);
    }

    fn send(&mut self, client: &mut Client, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = match self.way {
                Way::WholeLines | Way::Pipelined => rest.len(),
                Way::ByteByByte => 1,
                Way::RandomSplits(_) => 1 + usize::try_from(self.chance.below(rest.len() as u64)).unwrap(),
            };
            client.send(&rest[..length]);
            // Gives the server a chance to read the pieces apart.
            std::thread::yield_now();
            rest = &rest[length..];
        }
    }

    fn note(&mut self, index: usize, expected: &str, heard: Heard, fits: bool) {
        if !fits && !self.lenient {
            self.fail(index, &format!("expected {expected}, heard {}", show(&heard)));
        }
        self.played.heard.insert(index, heard);
    }

    fn fail(&mut self, index: usize, what: &str) {
        let log = log::since(self.from);
        let tail: Vec<&str> = log.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        self.played.failures.push(format!("line {}: {what}\n  log: {}", index + 1, tail.join("\n       ")));
    }

    fn obey(&mut self, index: usize, directive: &Directive) {
        match directive {
            Directive::Account { name, password, settings } => self.world.account(name, password, settings),
            Directive::Alias { alias, account } => self.world.alias(alias, account),
            Directive::Password { name, password } => self.world.set_password(name, password),
            Directive::Domain(name) => self.world.domain(name),
            Directive::Suspend(name) => self.world.suspend(name),
            Directive::Settings { of, changes } => self.world.settings(of, changes),
            Directive::DomainAlias { alias, domain } => self.world.domain_alias(alias, domain),
            Directive::Set { key, value } => self.world.set(key, value),
            Directive::Listener { dialect, keys } => self.world.listen_as(dialect, keys),
            Directive::Public(_) | Directive::Certificate | Directive::MasterKey => {}
            Directive::LogIn { client, method, name, password } => self.log_in(*client, method, name, password),
            Directive::BeginTls(number) => self.begin_tls(*number),
            Directive::FaultSync => self.world.medium.fail_next_sync(),
            Directive::FaultRead => self.world.gate.fail_next_read(),
            Directive::HoldReads => self.world.gate.shut(crate::world::gate::Passage::Read),
            Directive::HoldCommits => self.world.gate.shut(crate::world::gate::Passage::Commit),
            Directive::AwaitStore(count) => self.world.gate.await_crowd(*count),
            Directive::AwaitSessions(count) => self.world.await_sessions(*count),
            Directive::ReleaseStore => self.world.gate.open(),
            Directive::Advance(by) => {
                let clients: Vec<_> = self.clients.values().map(Client::local_address).collect();
                self.world.advance(*by, &clients);
            }
            Directive::Close(number) => drop(self.clients.remove(number)),
            Directive::HalfClose(number) => self.client(*number).half_close(),
            Directive::Reset(number) => self.clients.remove(number).unwrap().reset(),
            Directive::ExpectEof(number) => {
                // One who has not come yet comes now.
                let known = self.clients.remove(number);
                let mut client = known.unwrap_or_else(|| Client::connect(self.world.address()));
                let heard = client.hear(PATIENCE);
                let expected = heard == Heard::Eof(Vec::new());
                self.note(index, "the end", heard, expected);
            }
            Directive::ExpectAlert(number) => {
                let heard = self.clients.remove(number).unwrap().hear(PATIENCE);
                let expected = matches!(&heard, Heard::Eof(alert) if alert.starts_with(&[21, 3, 3, 0, 2, 2]));
                self.note(index, "an alert", heard, expected);
            }
            Directive::ExpectSilence(number) => {
                let heard = self.client(*number).hear(SILENCE);
                let expected = heard == Heard::Silence;
                self.note(index, "silence", heard, expected);
            }
            Directive::ExpectLog(text) => {
                if !log::await_text(self.from, text) {
                    self.fail(index, "not in the log");
                }
            }
            Directive::Stop => self.world.begin_stop(),
            Directive::Restart => {
                self.clients.clear();
                self.world.restart();
            }
        }
    }

    /// A client that is not there yet connects.
    fn log_in(&mut self, number: u8, method: &str, name: &str, password: &str) {
        let mut client = self.clients.remove(&number).unwrap_or_else(|| {
            let mut client = Client::connect(self.world.address());
            self.greetings.insert(number, client.line());
            client
        });
        let reply = if method.starts_with("SCRAM-") {
            sasl::log_in(&mut client, method, name, password)
        } else {
            prover::log_in(&mut client, &self.greetings[&number], method, name, password)
        };
        client.unread(&reply);
        self.clients.insert(number, client);
    }

    /// A client that is not there yet connects.
    fn begin_tls(&mut self, number: u8) {
        let address = self.world.address();
        let piece_bytes = match self.way {
            Way::WholeLines | Way::Pipelined => usize::MAX,
            Way::ByteByByte => 1,
            Way::RandomSplits(_) => 1 + usize::try_from(self.chance.below(40)).unwrap(),
        };
        let client = self.clients.entry(number).or_insert_with(|| Client::connect(address));
        client.begin_tls(&Identity::shared().trust(), piece_bytes);
    }

    fn client(&mut self, number: u8) -> &mut Client {
        self.clients.get_mut(&number).unwrap()
    }

    /// Ends the play: nothing unasked for may have been said, and no secret told to the log.
    fn finish(mut self, steps: &[(usize, Step)]) -> Played {
        if self.played.failures.is_empty() {
            for (number, mut client) in std::mem::take(&mut self.clients) {
                client.half_close();
                let heard = client.hear(PATIENCE);
                if heard != Heard::Eof(Vec::new()) && heard != Heard::Reset {
                    self.fail(steps.len(), &format!("client {number} heard, unasked: {}", show(&heard)));
                }
            }
        }
        let debug = self.world.debug_text();
        self.world.end();
        let spoken = (log::since(self.from) + &debug).to_ascii_lowercase();
        for secret in secrets(steps) {
            if spoken.contains(&secret.to_ascii_lowercase()) {
                self.played.failures.push(format!("the log tells the secret '{secret}'"));
            }
        }
        self.played
    }
}

fn show(heard: &Heard) -> String {
    match heard {
        Heard::Line(line) => line.escape_ascii().to_string(),
        Heard::Eof(rest) if rest.is_empty() => "the end".to_owned(),
        Heard::Eof(_) | Heard::Reset | Heard::Silence => format!("{heard:?}"),
    }
}

/// Least length of a text that is looked for in the log: shorter ones occur by chance.
const TELLING_BYTES_MIN: usize = 6;

/// As much of a secret is looked for, so that one which was cut is found too.
const TELLING_BYTES_MAX: usize = 12;

/// What must not be found in the log: the printable part of every password and digest used.
///
/// Panics when one has no part that is long enough to be looked for.
fn secrets(steps: &[(usize, Step)]) -> Vec<String> {
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    let mut public: Vec<&[u8]> = vec![b""];
    let mut said: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (_, step) in steps {
        match step {
            Step::Do(Directive::Account { password, .. } | Directive::Password { password, .. }) => {
                secrets.push(password.clone())
            }
            Step::Do(Directive::Public(word)) => public.push(word.as_bytes()),
            Step::Say { client, bytes } => said.entry(*client).or_default().extend_from_slice(bytes),
            Step::Do(_) | Step::Hear { .. } => {}
        }
    }
    for said in said.values() {
        let mut is_exchange = false;
        for line in said.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
            let mut words = line.splitn(2, |&byte| byte == b' ');
            let verb = words.next().unwrap_or_default().to_ascii_uppercase();
            let argument = words.next().unwrap_or_default();
            is_exchange = verb == b"AUTH" || is_exchange && is_response(line);
            match verb.as_slice() {
                b"PASS" | b"NEWPASS" => secrets.push(argument.to_vec()),
                b"AUTH" => secrets.extend(argument.splitn(2, |&byte| byte == b' ').nth(1).map(<[u8]>::to_vec)),
                b"APOP" => secrets.extend(argument.rsplit(|&byte| byte == b' ').next().map(<[u8]>::to_vec)),
                _ if is_exchange => secrets.push(line.to_vec()),
                _ => secrets.extend(passwords_among(argument)),
            }
        }
    }
    secrets.retain(|secret| !public.contains(&secret.as_slice()));
    secrets.iter().map(|secret| telling_part(secret)).collect()
}

/// Whether a line may be a response of a SASL exchange, which holds a name or a password.
fn is_response(line: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    line.len() > TELLING_BYTES_MIN && line.iter().all(is_digit)
}

/// What stands in quotes after `PASSWORD` or `Password=` among the arguments of a command.
fn passwords_among(arguments: &[u8]) -> Vec<Vec<u8>> {
    let folded = arguments.to_ascii_uppercase();
    let quoted = |keyword: &'static [u8]| {
        let found = folded.windows(keyword.len()).enumerate().filter(move |(_, part)| *part == keyword);
        found.filter_map(move |(at, _)| arguments[at + keyword.len()..].split(|&byte| byte == b'"').next())
    };
    quoted(b"PASSWORD \"").chain(quoted(b"PASSWORD=\"")).map(<[u8]>::to_vec).collect()
}

fn telling_part(secret: &[u8]) -> String {
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && !b"\\\"".contains(byte);
    let parts = secret.split(|byte| !is_plain(byte));
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    let shown = secret.escape_ascii();
    assert!(longest.len() >= TELLING_BYTES_MIN, "'{shown}' is too short to be looked for, and not declared public");
    String::from_utf8_lossy(&longest[..longest.len().min(TELLING_BYTES_MAX)]).into_owned()
}

#[test]
fn the_secrets_of_a_transcript_are_found() {
    let text = "account a password \"abcdef\"\npublic ab\nC: PASS ab\nC: newpass 1234567\\xff\nC part: APOP a x\nC: yzzzzzz\n\
         C: AUTH PLAIN AGEAYWJjZGVm\nC: YWJjZGVmZ2hp\n\
         C: SETACCOUNTPASSWORD a PASSWORD \"7654321\" CHECK\nC: CREATEACCOUNT a {x=\"public\";Password=\"fedcba\";}";
    let steps = super::script::parse(text, &BTreeMap::new()).unwrap();
    assert_eq!(secrets(&steps), ["abcdef", "1234567", "xyzzzzzz", "AGEAYWJjZGVm", "YWJjZGVmZ2hp", "7654321", "fedcba"]);
}
