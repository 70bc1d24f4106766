//! What does it cost to keep passwords under seal, and does anybody notice when all are sealed anew?
//!
//! A bound to compare with: reading the same record in the open form. What is more is a seal's own keys,
//! which AES-256-GCM-SIV derives for each, and two passes over a few hundred bytes at some gigabytes a second.
//!
//! The server has one CPU, this process the other. While `keyturn rekey` brings all accounts under another
//! key, and before, three sessions ask for a NOOP, a login and a password change every few milliseconds; how
//! long each takes counts from the moment it was due.
//!
//! `cargo bench --bench sealing [-- --rounds N --seconds S --accounts N]`. Writes `benches/record/sealing.md`.

#![expect(clippy::disallowed_methods, reason = "the clock of the product counts milliseconds: too coarse here")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyturn::auth::{Credentials, MasterKey, PasswordPurpose, Recoverable, ScramVerifier, Vault, Verifier};
use keyturn::model::{Argon2idCost, ScramHash, Secret};

mod support;

use support::machine::{Spread, argument, await_quiet, describe};
use support::process::{Place, stay_on};
use support::server::{DOMAIN, Home, PASSWORD, Server};

const SERVER: Place<'_> = Place { cpus: &[0], nice: 0 };
const CLIENT_CPU: usize = 1;
const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 1, p: 1 };
const OWNER: &[u8] = b"Abench.example\0alice";
/// How often a record is opened or sealed for one number.
const TIMES: u32 = 100_000;
const PERIOD: Duration = Duration::from_millis(8);
/// How long the machine is given to become quiet before a round.
const PATIENCE_S: f64 = 5.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/sealing.md");

/// What the probes ask for.
const PROBES: [&str; 3] = ["NOOP", "login (USER, PASS)", "change (NEWPASS)"];

/// Credentials that a default configuration makes, and such as have every kind of part.
fn kinds() -> [(&'static str, Credentials); 2] {
    let secret = Secret::new(PASSWORD.as_bytes()).expect("it is short");
    let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [1; 16], tag: [2; 32] };
    let plain = Credentials::new(verifier.clone(), 7);
    let mut full = plain.clone();
    full.scram = ScramHash::ALL.map(|hash| ScramVerifier::derive(hash, &secret).expect("it is ASCII")).into();
    full.recoverable = Some(Recoverable::new(&secret));
    full.set_alternative(PasswordPurpose::Application("phone".into()), Some(verifier));
    [("Argon2id", plain), ("Argon2id, SCRAM twice, the password, one of an application", full)]
}

/// Nanoseconds of one `act`, of many.
fn ns(mut act: impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..TIMES).for_each(|_| act());
    begun.elapsed().as_nanos() as f64 / f64::from(TIMES)
}

/// For each kind: bytes under seal; ns to read the open form, to open the sealed one, and to seal.
fn kernels(rounds: usize) -> Vec<(&'static str, usize, [Spread; 3])> {
    let vault = Vault::new(vec![MasterKey::parse(&"a".repeat(64)).expect("64 digits")]);
    let measure = |(title, credentials): (&'static str, Credentials)| {
        let (mut open, sealed) = (Vec::new(), vault.seal(OWNER, &credentials));
        credentials.encode(&mut open);
        let rows: Vec<[f64; 3]> = (0..rounds)
            .map(|_| {
                [
                    ns(|| drop(black_box(Credentials::decode(black_box(&open))))),
                    ns(|| drop(black_box(vault.open(OWNER, black_box(&sealed))))),
                    ns(|| drop(black_box(vault.seal(OWNER, black_box(&credentials))))),
                ]
            })
            .collect();
        let spreads = [0, 1, 2].map(|column| Spread::of(rows.iter().map(|row| row[column])));
        (title, sealed.len(), spreads)
    };
    kinds().into_iter().map(measure).collect()
}

/// A session of `u<number>`.
struct Session {
    replies: BufReader<TcpStream>,
    line: String,
}

impl Session {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut session = Self { replies: BufReader::new(stream), line: String::new() };
        session.hear()?;
        Ok(session)
    }

    fn ask(&mut self, line: &str) -> io::Result<()> {
        self.replies.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.hear()
    }

    fn hear(&mut self) -> io::Result<()> {
        self.line.clear();
        self.replies.read_line(&mut self.line)?;
        let is_success = self.line.starts_with(['2', '3']);
        if is_success { Ok(()) } else { Err(io::Error::other(self.line.clone())) }
    }

    fn log_in(&mut self, name: &str, password: &str) -> io::Result<()> {
        self.ask(&format!("USER {name}@{DOMAIN}"))?;
        self.ask(&format!("PASS {password}"))
    }
}

/// Lets `act` act every few milliseconds until it `is_over`; how long each took from when it was due, in ms.
fn probe(index: u32, is_over: &AtomicBool, mut act: impl FnMut() -> io::Result<()>) -> io::Result<Vec<f64>> {
    let mut due = Instant::now() + PERIOD * index / PROBES.len() as u32;
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        act()?;
        times.push(due.elapsed().as_secs_f64() * 1e3);
        due += PERIOD;
    }
    Ok(times)
}

/// What the probes find while `meanwhile` runs: for each the 50th and the 99th percentile and the longest,
/// in ms; and what `meanwhile` returns.
fn probed<T>(address: SocketAddr, meanwhile: impl FnOnce() -> io::Result<T>) -> io::Result<([[f64; 3]; 3], T)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let noop = scope.spawn(|| {
            let mut session = Session::open(address)?;
            probe(0, &is_over, || session.ask("NOOP"))
        });
        let login = scope.spawn(|| probe(1, &is_over, || Session::open(address)?.log_in("u1", PASSWORD)));
        let change = scope.spawn(|| {
            let mut session = Session::open(address)?;
            session.log_in("u2", PASSWORD)?;
            let mut passwords = ["another horse 1", "another horse 2"].into_iter().cycle();
            let times =
                probe(2, &is_over, || session.ask(&format!("NEWPASS {}", passwords.next().expect("it goes round"))));
            session.ask(&format!("NEWPASS {PASSWORD}"))?;
            times
        });
        let done = meanwhile();
        is_over.store(true, Ordering::Relaxed);
        let mut found = [[0.0; 3]; 3];
        for (row, thread) in found.iter_mut().zip([noop, login, change]) {
            let mut times = thread.join().expect("a probe does not panic")?;
            times.sort_by(f64::total_cmp);
            *row = [0.5, 0.99, 1.0].map(|share| times[((times.len() - 1) as f64 * share) as usize]);
        }
        Ok((found, done?))
    })
}

/// A server with accounts `u0` to `u<accounts - 1>`, sealed, of which the probes' have a password.
fn serve(accounts: usize) -> io::Result<Server> {
    let home = Home::sealed("shards = 1\nlogin_seconds = 3600\nlog_level = 2\n", COST, 'a')?;
    home.add_accounts(3)?;
    let path = home.path().join("accounts.csv");
    let mut file = BufWriter::new(File::create(&path)?);
    writeln!(file, "account,hash")?;
    for index in 3..accounts {
        writeln!(file, "u{index}@{DOMAIN},{{SSHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g0")?;
    }
    file.flush()?;
    home.run(&["import", &path.display().to_string()], "")?;
    home.serve(SERVER)
}

/// One round: what the probes find without and with `keyturn rekey`, and how long that took, in s.
type Round = ([[f64; 3]; 3], [[f64; 3]; 3], f64);

fn round(server: &Server, keys: [char; 2], seconds: f64) -> io::Result<Round> {
    await_quiet(PATIENCE_S)?;
    let (before, ()) = probed(server.address(), || {
        thread::sleep(Duration::from_secs_f64(seconds));
        Ok(())
    })?;
    server.home().write_keys(&keys)?;
    let (meanwhile, took) = probed(server.address(), || {
        let begun = Instant::now();
        server.home().run(&["rekey"], "")?;
        Ok(begun.elapsed().as_secs_f64())
    })?;
    Ok((before, meanwhile, took))
}

fn report(rounds: &[Round], accounts: usize) -> String {
    let spread = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let mut text = format!(
        "\n## While all are sealed anew\n\n{accounts} accounts; server on CPU {} (one shard), probes on CPU {CLIENT_CPU}, \
         one of each every {} ms. ms from when it was due:\n\n| what | percentile | before | while `keyturn rekey` works |\n|---|---|---|---|\n",
        SERVER.cpus[0],
        PERIOD.as_millis(),
    );
    for (index, what) in PROBES.iter().enumerate() {
        for (column, percentile) in ["50th", "99th", "longest"].iter().enumerate() {
            let before = spread(&|round| round.0[index][column]).show(2);
            let meanwhile = spread(&|round| round.1[index][column]).show(2);
            writeln!(text, "| {what} | {percentile} | {before} | {meanwhile} |").expect("a String takes everything");
        }
    }
    let rate = spread(&|round| accounts as f64 / round.2);
    format!("{text}\n{} accounts a second were sealed anew.\n", rate.show(0))
}

fn main() -> io::Result<()> {
    let (rounds, seconds) = (argument("--rounds", 5.0) as usize, argument("--seconds", 5.0));
    let accounts = argument("--accounts", 100_000.0) as usize;
    // Before this process is kept to one CPU.
    let machine = describe()?;
    let server = serve(accounts)?;
    stay_on(&[CLIENT_CPU])?;
    let mut text = format!(
        "# Passwords under seal\n\n{machine}.\n`cargo bench --bench sealing -- --rounds {rounds} --seconds {seconds} \
         --accounts {accounts}`: median (min–max) of the rounds.\n\n\
         | record | bytes under seal | read in the open, ns | opened, ns | sealed, ns |\n|---|---|---|---|---|\n"
    );
    for (title, bytes, [open, opened, sealed]) in kernels(rounds) {
        writeln!(text, "| {title} | {bytes} | {} | {} | {} |", open.show(0), opened.show(0), sealed.show(0))
            .expect("a String takes everything");
    }
    let keys = ['b', 'a'].into_iter().cycle();
    let turns = keys.clone().zip(keys.skip(1)).take(rounds);
    let rounds = turns.map(|(new, old)| round(&server, [new, old], seconds)).collect::<io::Result<Vec<_>>>()?;
    text.push_str(&report(&rounds, accounts));
    fs::write(RECORD, text)
}
