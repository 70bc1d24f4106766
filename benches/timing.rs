//! Can a stranger tell by the time of a refusal whether an account exists, and may log in?
//!
//! Attempts of every kind come in random order, one at a time, over loopback; the server has one CPU, this
//! process, which looks for replies without sleeping, the other. Everything is set to what shows most:
//! refusals are held back for as short as can be, a hash costs next to nothing, records are sealed; and each
//! attempt is sent so that its refusal just leaves, or just misses, when the server's timer goes. Of each pair of kinds
//! Welch's t tells whether their times differ (the test of dudect, Reparaz et al. 2017): both are cropped at
//! one percentile of both together, because the long ones tell of the machine; from 4.5 on a difference is
//! certain.
//!
//! `cargo bench --bench timing [-- --challenges N --refusals N]`, so many of each kind. Writes
//! `benches/record/timing.md`.

#![expect(clippy::disallowed_methods, reason = "the clock of the product counts milliseconds: too coarse here")]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use keyturn::model::Argon2idCost;

mod support;

use support::machine::{argument, await_quiet, describe};
use support::process::{Place, stay_on};
use support::server::{DOMAIN, Home, PASSWORD};

const SERVER: Place<'_> = Place { cpus: &[0], nice: 0 };
const CLIENT_CPU: usize = 1;
/// Accounts of each kind, so that a kind is not one place in the store.
const NAMES: u64 = 32;
/// Failed logins after which the server would close the session.
const ATTEMPTS_MAX: u32 = 100;
/// Refusals leave when a timer goes, once in so much time.
const TURN: Duration = Duration::from_millis(50);
/// By how much an aim is corrected after each attempt.
const STEP: Duration = Duration::from_micros(5);
/// Next to nothing.
const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 1, p: 1 };
/// Attempts of each kind before those that count, to find the aim.
const AIMING: usize = 20;
const CROPPED_AT: f64 = 0.9;
const T_MAX: f64 = 4.5;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/timing.md");

/// How an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// USER, and PASS with this.
    Pass(&'static str),
    /// AUTH SCRAM-SHA-256 with a proof that is wrong.
    Scram,
    /// APOP with a digest that is wrong.
    Apop,
    /// AUTH CRAM-MD5 with a digest that is wrong.
    CramMd5,
    /// AUTH DIGEST-MD5 likewise.
    DigestMd5,
}

/// What is attempted.
#[derive(Clone, Copy, Debug)]
struct Kind {
    title: &'static str,
    way: Way,
    /// What its accounts are called before their number, and what they are created with; `None`: there are
    /// none.
    prefix: &'static str,
    settings: Option<&'static str>,
    domain: &'static str,
    /// By how much later it is made than it seems: to see whether so much would be seen.
    late: Duration,
}

const WRONG: Way = Way::Pass("wrong horse battery");
const RIGHT: Way = Way::Pass(PASSWORD);
const ELSEWHERE: &str = "other.example";
const CLOSED: Option<&str> = Some("AccessModes=None;");
/// Of those whose password is kept for digests, too.
const KEPT: Option<&str> = Some("PasswordEncryption=A-crpt;");
const NO_DIGEST: &str = "0123456789abcdef0123456789abcdef";

const fn kind(title: &'static str, way: Way, prefix: &'static str, settings: Option<&'static str>) -> Kind {
    Kind { title, way, prefix, settings, domain: DOMAIN, late: Duration::ZERO }
}

/// Names are of one length. Those of one way are compared, with the first of all.
const KINDS: [Kind; 21] = [
    kind("wrong password", WRONG, "known", KEPT),
    kind("no such account", WRONG, "there", None),
    Kind { domain: ELSEWHERE, ..kind("no such domain", WRONG, "known", None) },
    kind("may not log in, right password", RIGHT, "close", CLOSED),
    kind("no login by the account's own password, right password", RIGHT, "other", Some("UseAppPassword=NO;")),
    kind("secure method required, right password in clear", RIGHT, "prove", Some("RequireAPOP=YES;")),
    Kind { late: Duration::from_micros(20), ..kind("*wrong password, 20 µs late*", WRONG, "known", None) },
    kind("wrong proof", Way::Scram, "known", None),
    kind("no such account", Way::Scram, "there", None),
    kind("nothing to check proofs with", Way::Scram, "older", Some("")),
    kind("may not log in", Way::Scram, "close", None),
    Kind { late: Duration::from_nanos(500), ..kind("*known, 500 ns late*", Way::Scram, "known", None) },
    kind("wrong digest", Way::Apop, "known", None),
    kind("no such account", Way::Apop, "there", None),
    kind("nothing to check digests with", Way::Apop, "older", None),
    kind("wrong digest", Way::CramMd5, "known", None),
    kind("no such account", Way::CramMd5, "there", None),
    kind("nothing to check digests with", Way::CramMd5, "older", None),
    kind("wrong digest", Way::DigestMd5, "known", None),
    kind("no such account", Way::DigestMd5, "there", None),
    kind("nothing to check digests with", Way::DigestMd5, "older", None),
];

/// The one whose accounts are made before the domain takes up SCRAM.
const OLDER: &str = "older";

/// A session that waits for replies without sleeping.
struct Client {
    stream: TcpStream,
    address: SocketAddr,
    failures: u32,
    reply: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut client = Self { stream: open(address)?, address, failures: 0, reply: Vec::new() };
        client.hear()?;
        Ok(client)
    }

    /// Sends a line and returns how long the reply takes, in ns, which must begin with `code`.
    fn ask(&mut self, line: &str, code: &str) -> io::Result<f64> {
        self.ask_late(line, code, Duration::ZERO)
    }

    /// As [`Client::ask`], but it waits before it sends.
    fn ask_late(&mut self, line: &str, code: &str, late: Duration) -> io::Result<f64> {
        let line = format!("{line}\r\n");
        let begun = Instant::now();
        while begun.elapsed() < late {}
        self.stream.write_all(line.as_bytes())?;
        self.hear()?;
        let taken = begun.elapsed();
        if self.reply.starts_with(code.as_bytes()) {
            return Ok(taken.as_nanos() as f64);
        }
        Err(io::Error::other(format!("{} to {}", self.reply.escape_ascii(), line.trim_end())))
    }

    fn hear(&mut self) -> io::Result<()> {
        self.reply.clear();
        let mut buffer = [0; 1024];
        while self.reply.last() != Some(&b'\n') {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the server has hung up")),
                Ok(count) => self.reply.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Connects anew when the server is about to close the session.
    fn renew(&mut self) -> io::Result<()> {
        self.failures += 1;
        if self.failures == ATTEMPTS_MAX {
            *self = Self::connect(self.address)?;
        }
        Ok(())
    }

    /// Says all but the last line of an attempt; how long the challenge takes, if there is one, and that
    /// line.
    fn prepare(&mut self, kind: &Kind, index: u64) -> io::Result<(f64, String)> {
        let name = kind.name(index);
        match kind.way {
            Way::Pass(password) => Ok((self.ask(&format!("USER {name}"), "300 ")?, format!("PASS {password}"))),
            Way::Scram => {
                let first = format!("n,,n={name},r=timing");
                let line = format!("AUTH SCRAM-SHA-256 {}", Base64::encode_string(first.as_bytes()));
                let challenge = self.ask_late(&line, "300 ", kind.late)?;
                Ok((challenge, disproof(self.reply[4..].trim_ascii())?))
            }
            Way::Apop => Ok((0.0, format!("APOP {name} {NO_DIGEST}"))),
            Way::CramMd5 => {
                let message = format!("{name} {NO_DIGEST}");
                Ok((self.ask("AUTH CRAM-MD5", "300 ")?, Base64::encode_string(message.as_bytes())))
            }
            Way::DigestMd5 => {
                let challenge = self.ask("AUTH DIGEST-MD5", "300 ")?;
                Ok((challenge, undigested(self.reply[4..].trim_ascii(), &name)?))
            }
        }
    }
}

/// Sends each last line so that the answer is ready about when the server's timer goes, and sees whether it
/// leaves with that or with the next: so the least delay is one of a whole turn of the timer.
struct Aim {
    client: Client,
    /// One of the moments at which the timer goes.
    base: Instant,
    /// From such a moment to the sending of a line.
    lead: Duration,
    /// Turns of the timer from that moment to the answer, for a line that comes in good time.
    turns: f64,
}

impl Aim {
    fn new(address: SocketAddr) -> io::Result<Self> {
        let client = Client::connect(address)?;
        let mut aim = Self { client, base: Instant::now(), lead: TURN / 2, turns: 0.0 };
        aim.attempt(&KINDS[0], 0)?;
        aim.base = Instant::now();
        aim.turns = aim.attempt(&KINDS[0], 0)?.1;
        aim.lead = TURN - Duration::from_millis(1);
        Ok(aim)
    }

    /// Makes an attempt; how long its refusal takes, in ns, and turns from the moment before it.
    fn attempt(&mut self, kind: &Kind, index: u64) -> io::Result<(f64, f64)> {
        self.client.renew()?;
        let (_, line) = self.client.prepare(kind, index)?;
        let mut moment = self.base;
        while moment + self.lead < Instant::now() {
            moment += TURN;
        }
        while Instant::now() < moment + self.lead {}
        let late = if kind.way == Way::Scram { Duration::ZERO } else { kind.late };
        let taken = self.client.ask_late(&line, "515 ", late)?;
        let turns = (moment.elapsed().as_secs_f64() / TURN.as_secs_f64()).round();
        Ok((taken, turns))
    }

    /// As [`Aim::attempt`], with a better aim for the next.
    fn correct(&mut self, kind: &Kind, index: u64) -> io::Result<f64> {
        let (taken, turns) = self.attempt(kind, index)?;
        self.lead = if turns > self.turns { self.lead - STEP } else { self.lead + STEP };
        Ok(taken)
    }
}

/// The last message of a client that has no key, to the server's first.
fn disproof(challenge: &[u8]) -> io::Result<String> {
    let challenge = decoded(challenge)?;
    let nonce = challenge.split(',').next().unwrap_or_default();
    let proof = Base64::encode_string(&[7; 32]);
    Ok(Base64::encode_string(format!("c=biws,{nonce},p={proof}").as_bytes()))
}

/// What a client says to the challenge of DIGEST-MD5 that does not know the password of `name`.
fn undigested(challenge: &[u8], name: &str) -> io::Result<String> {
    let challenge = decoded(challenge)?;
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let message = format!(
        "username=\"{name}\",nonce=\"{nonce}\",cnonce=\"timing\",nc=00000001,digest-uri=\"pwd/localhost\",\
         response={NO_DIGEST}"
    );
    Ok(Base64::encode_string(message.as_bytes()))
}

fn decoded(challenge: &[u8]) -> io::Result<String> {
    let text = std::str::from_utf8(challenge).map_err(io::Error::other)?;
    String::from_utf8(Base64::decode_vec(text).map_err(io::Error::other)?).map_err(io::Error::other)
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A place for a server that shows all it can.
fn furnish() -> io::Result<Home> {
    let settings = format!(
        "shards = 1\nfailed_reply_delay_ms = 0\nfailures_max = {ATTEMPTS_MAX}\nlogin_seconds = 3600\nlog_level = 0\n"
    );
    let home = Home::sealed(&settings, COST, 'a')?;
    home.run(&["account", "add", &format!("postmaster@{DOMAIN}"), "--password-stdin"], PASSWORD)?;
    Ok(home)
}

/// Makes the accounts of all kinds, with a budget for guesses that is never spent.
fn populate(address: SocketAddr) -> io::Result<()> {
    let mut client = Client::connect(address)?;
    client.ask(&format!("USER postmaster@{DOMAIN}"), "300 ")?;
    client.ask(&format!("PASS {PASSWORD}"), "200 ")?;
    client.ask("UPDATESERVERACCOUNTDEFAULTS {FailedLoginFlow=(1000000000,1h);}", "200 ")?;
    let older = |kind: &&Kind| kind.prefix == OLDER;
    for is_older in [true, false] {
        for kind in KINDS.iter().filter(|kind| older(kind) == is_older) {
            let Some(settings) = kind.settings else { continue };
            for index in 0..NAMES {
                let name = kind.name(index);
                client.ask(&format!("CREATEACCOUNT {name} {{Password=\"{PASSWORD}\";{settings}}}"), "200 ")?;
            }
        }
        client.ask(&format!("UPDATEDOMAINSETTINGS {DOMAIN} {{SCRAMMethods=(SCRAM-SHA-256);}}"), "200 ")?;
    }
    Ok(())
}

impl Kind {
    fn name(&self, index: u64) -> String {
        format!("{}{index:02}@{}", self.prefix, self.domain)
    }
}

/// The times of each of [`KINDS`], in ns.
type Times = Vec<Vec<f64>>;

/// The challenges to so many attempts of each kind, or nearly, in random order. None is gone on with.
fn challenges(address: SocketAddr, samples: usize) -> io::Result<Times> {
    let mut client = Client::connect(address)?;
    sample(samples, |kind, index| {
        let (challenge, _) = client.prepare(kind, index)?;
        if matches!(kind.way, Way::Scram | Way::CramMd5 | Way::DigestMd5) {
            client.ask("*", "5")?;
        }
        Ok(challenge)
    })
}

/// The refusals likewise.
fn refusals(address: SocketAddr, samples: usize) -> io::Result<Times> {
    let mut aim = Aim::new(address)?;
    sample(AIMING, |kind, index| aim.correct(kind, index))?;
    sample(samples, |kind, index| aim.correct(kind, index))
}

fn sample(samples: usize, mut act: impl FnMut(&Kind, u64) -> io::Result<f64>) -> io::Result<Times> {
    let mut times: Times = KINDS.iter().map(|_| Vec::new()).collect();
    let mut chance = Chance(0x6b65_7974_7572_6e21);
    for _ in 0..samples * KINDS.len() {
        let (kind, index) = (chance.below(KINDS.len() as u64) as usize, chance.below(NAMES));
        times[kind].push(act(&KINDS[kind], index)?);
    }
    Ok(times)
}

/// A sequence of numbers (SplitMix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Welch's t of two kinds of times, cropped.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let bound = quantile(&[one, other].concat(), CROPPED_AT);
    let [(count, mean, variance), (other_count, other_mean, other_variance)] = [one, other].map(|times| {
        let kept: Vec<f64> = times.iter().copied().filter(|time| *time <= bound).collect();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        (count, mean, kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
    });
    (mean - other_mean) / (variance / count + other_variance / other_count).sqrt()
}

fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// The table of those of `times` that go one way: how surely each kind differs from the first, and from
/// any other. What is late is beside the point but where `shows_late`.
fn table(title: &str, times: &Times, is_of: fn(Way) -> bool, shows_late: bool) -> String {
    let all = KINDS.iter().zip(times).filter(|(kind, _)| is_of(kind.way));
    let (late, rows): (Vec<_>, Vec<_>) = all.partition(|(kind, _)| kind.late > Duration::ZERO);
    let mut text = format!(
        "\n## {title}\n\n| attempt | samples | median µs | t against the first | greatest t of any pair |\n\
         |---|---|---|---|---|\n"
    );
    let mut tell = |(kind, own): &(&Kind, &Vec<f64>), verdict: &str| {
        let (median, t) = (quantile(own, 0.5) / 1e3, welch(own, rows[0].1));
        writeln!(text, "| {} | {} | {median:.2} | {t:.1} | {verdict} |", kind.title, own.len())
            .expect("a String takes everything");
    };
    for row in &rows {
        let greatest = rows.iter().filter(|other| !std::ptr::eq(other.0, row.0));
        let greatest = greatest.map(|other| welch(row.1, other.1).abs()).fold(0.0, f64::max);
        let verdict = if greatest < T_MAX { "not told apart" } else { "told apart" };
        tell(row, &format!("**{greatest:.1}**; {verdict}"));
    }
    late.iter().filter(|_| shows_late).for_each(|row| tell(row, ""));
    text
}

fn main() -> io::Result<()> {
    let of_challenges = argument("--challenges", 50_000.0) as usize;
    let of_refusals = argument("--refusals", 500.0) as usize;
    // Before this process is kept to one CPU.
    let machine = describe()?;
    let server = furnish()?.serve(SERVER)?;
    stay_on(&[CLIENT_CPU])?;
    populate(server.address())?;
    await_quiet(5.0)?;
    let challenges = challenges(server.address(), of_challenges)?;
    let refusals = refusals(server.address(), of_refusals)?;
    let (is_pass, is_scram) = (|way| matches!(way, Way::Pass(_)), |way| way == Way::Scram);
    let text = format!(
        "# What the time of a refusal tells\n\n\
         {machine}. Server on CPU {} (one shard, one worker), client on CPU {CLIENT_CPU}, loopback; refusals held back for \
         as short as can be, Argon2id with {} KiB, t=1; records sealed; {NAMES} accounts of each kind.\n\
         `cargo bench --bench timing -- --challenges {of_challenges} --refusals {of_refusals}`: so many of each kind, in \
         random order, cropped at the {:.0}th percentile of each pair; wanted: |t| < {T_MAX}. What is sent late on \
         purpose shows what would be seen.\n{}{}{}{}{}{}{}",
        SERVER.cpus[0],
        COST.m_kib,
        CROPPED_AT * 100.0,
        table("USER: the reply", &challenges, is_pass, false),
        table("SCRAM-SHA-256: the challenge", &challenges, is_scram, true),
        table("PASS: the refusal", &refusals, is_pass, true),
        table("SCRAM-SHA-256: the refusal", &refusals, is_scram, false),
        table("APOP: the refusal", &refusals, |way| way == Way::Apop, false),
        table("CRAM-MD5: the refusal", &refusals, |way| way == Way::CramMd5, false),
        table("DIGEST-MD5: the refusal", &refusals, |way| way == Way::DigestMd5, false),
    );
    fs::write(RECORD, text)
}
