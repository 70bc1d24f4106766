//! What does an administrator's command cost, how far does group commit carry, and does anybody
//! notice while a million accounts are listed?
//!
//! The server has one CPU, this process, which plays the sessions, the other. Each load is closed: a
//! session sends its next command, or batch of commands, when the last one is answered.
//! The processor time per command is the server's own, over all its threads, so what one core
//! could do is known even where the sessions are too slow to ask for it.
//!
//! `cargo bench --bench commands [-- --rounds N --seconds S --accounts N --listed N]` writes
//! `benches/record/commands.md`; with `--created N` it creates so many accounts through one
//! session and through sixteen instead, block by block, and writes `benches/record/creation.md`.

#![expect(clippy::disallowed_methods, reason = "the clock of the product counts milliseconds: too coarse here")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use keyturn::model::Argon2idCost;

mod creation;
mod crowd;
mod found;
mod listing;
mod session;
#[path = "../support/mod.rs"]
mod support;

use creation::measure_creation;
use crowd::Crowd;
use found::{Found, Rows, cpu_of};
use listing::measure_listing;
use support::machine::{self, Spread};
use support::process::{self, Place, raise_open_files};
use support::server::{DOMAIN, Home, PASSWORD, Server};

const SERVER: Place<'_> = Place { cpus: &[0], nice: 0 };
const GENERATOR_CPU: usize = 1;
const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 1, p: 1 };
/// How long the machine is given to become quiet before a round.
const PATIENCE_S: f64 = 5.0;
/// A hash that other software made.
const READY_HASH: &str = "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g0";
/// Commands in one send where they are pipelined.
const DEPTH: usize = 16;
const SESSIONS: usize = 16;
const GROUP_RATIO_MIN: f64 = 10.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/commands.md");
const RECORD_OF_CREATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/creation.md");

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let machine = machine::describe()?;
    process::stay_on(&[GENERATOR_CPU])?;
    let created = machine::argument("--created", 0.0) as u64;
    if created > 0 {
        let record = measure_creation(created, &machine)?;
        println!("\n{record}");
        return fs::write(RECORD_OF_CREATION, record);
    }
    let rounds = machine::argument("--rounds", 3.0) as usize;
    let seconds = machine::argument("--seconds", 3.0);
    let accounts = machine::argument("--accounts", 1e5) as u64;
    let listed = machine::argument("--listed", 1e6) as u64;

    let home = Home::new(SERVER.cpus.len(), COST)?;
    populate(&home, accounts)?;
    let server = home.serve(SERVER)?;
    let mut rows = Rows::default();
    for round in 0..rounds {
        machine::await_quiet(PATIENCE_S)?;
        measure_commands(&server, accounts, round, seconds, &mut rows)?;
        println!("round {round}\n{}", rows.print());
    }
    let rate = |title: &str| rows.0.iter().find(|(known, _)| known == title).expect("it was measured").1.iter();
    let pairs = rate("CREATEACCOUNT, 16 sessions").zip(rate("CREATEACCOUNT, 1 sessions"));
    let ratio = Spread::of(pairs.map(|(many, one)| many.per_s / one.per_s));
    drop(server);

    let listing = measure_listing(listed, rounds, seconds)?;
    let record = format!(
        "# Administrators' commands\n\n{machine}. Server on CPU 0 with one shard, sessions on CPU {GENERATOR_CPU}; {accounts} \
         accounts with ready hashes, all with settings of their own; commands by the postmaster, inline.\n\
         `cargo bench --bench commands -- --rounds {rounds} --seconds {seconds} --accounts {accounts} --listed {listed}`: \
         median (min–max) over the rounds. Pipelined: {DEPTH} commands in one send.\n\n\
         | load | per second | server CPU each, µs | per second and core at that cost |\n|---|---|---|---|\n{}\n\
         One session waits for a sync with each command; sixteen share one, and what bounds them is the core: at the \
         cost above it could do no more than the last column says. Where a sync takes longer than here, the ratio is \
         larger.\n\n\
         | measure | found | wanted | reached |\n|---|---|---|---|\n\
         | CREATEACCOUNT through {SESSIONS} sessions against through one | **{}** | ≥ {GROUP_RATIO_MIN} | {} |\n\
         {listing}",
        rows.print(),
        ratio.show(1),
        yes_or_no(ratio.median >= GROUP_RATIO_MIN),
    );
    println!("\n{record}");
    fs::write(RECORD, record)
}

fn measure_commands(server: &Server, accounts: u64, round: usize, seconds: f64, rows: &mut Rows) -> io::Result<()> {
    let show = |number: u64, line: &mut String| {
        write!(line, "GETACCOUNTSETTINGS u{}\r\n", scatter(number, accounts)).expect("a String takes everything");
    };
    let set = |number: u64, line: &mut String| {
        let account = scatter(number, accounts);
        write!(line, "SETACCOUNTPASSWORD u{account} PASSWORD \"\\002{READY_HASH}\"\r\n")
            .expect("a String takes everything");
    };
    for (sessions, depth) in [(1, 1), (1, DEPTH), (SESSIONS, 1), (SESSIONS, DEPTH), (64, 1)] {
        let how = format!("{sessions} sessions{}", if depth > 1 { ", pipelined" } else { "" });
        rows.add(&format!("GETACCOUNTSETTINGS, {how}"), load(server, sessions, depth, seconds, show)?);
        rows.add(&format!("SETACCOUNTPASSWORD, {how}"), load(server, sessions, depth, seconds, set)?);
    }
    for sessions in [1, SESSIONS, 64] {
        let prefix = format!("c{round}-{sessions}-");
        let found = load(server, sessions, 1, seconds, |number, line| create(&prefix, number, line))?;
        rows.add(&format!("CREATEACCOUNT, {sessions} sessions"), found);
    }
    Ok(())
}

/// Lets `sessions` sessions send lines that `line` appends, `depth` at a time, for `seconds`.
/// `line` gets a number that no other call gets.
fn load(
    server: &Server,
    sessions: usize,
    depth: usize,
    seconds: f64,
    line: impl Fn(u64, &mut String),
) -> io::Result<Found> {
    const SETTLING_S: f64 = 0.2;
    let mut crowd = Crowd::open(server.address(), sessions, depth)?;
    let mut next = 0;
    let mut run = |seconds: f64| -> io::Result<Found> {
        let (begun, cpu_before, mut count) = (Instant::now(), cpu_of(server)?, 0);
        while begun.elapsed().as_secs_f64() < seconds {
            let turn = crowd.turn(|lines| {
                line(next, lines);
                next += 1;
                true
            });
            count += turn?.unwrap_or(0);
        }
        Ok(Found::of(count, begun.elapsed(), cpu_of(server)? - cpu_before))
    };
    run(SETTLING_S)?;
    let found = run(seconds)?;
    while crowd.turn(|_| false)?.is_some() {}
    Ok(found)
}

/// A store with so many accounts `u0`, `u1` …, all with a ready hash; returns how long the import
/// took.
fn populate(home: &Home, count: u64) -> io::Result<Duration> {
    home.run(&["account", "add", &format!("postmaster@{DOMAIN}"), "--password-stdin"], PASSWORD)?;
    let path = home.path().join("accounts.json");
    let mut file = BufWriter::new(File::create(&path)?);
    for index in 0..count {
        writeln!(
            file,
            "{{\"account\":\"u{index}\",\"hashes\":[\"{READY_HASH}\"],\"settings\":\"{{RealName=\\\"User {index}\\\";}}\"}}"
        )?;
    }
    file.flush()?;
    let begun = Instant::now();
    home.run(&["import", &path.display().to_string()], "")?;
    let took = begun.elapsed();
    fs::remove_file(path)?;
    Ok(took)
}

/// A number below `limit` that looks drawn (SplitMix64, Steele et al. 2014).
fn scatter(number: u64, limit: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)) % limit
}

fn create(prefix: &str, number: u64, line: &mut String) {
    write!(line, "CREATEACCOUNT {prefix}{number} {{Password=\"\\002{READY_HASH}\";RealName=\"A User\";}}\r\n")
        .expect("a String takes everything");
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
