//! Load as clients make it: sessions that come when they come, not when the server is ready.
//!
//! The load is open-loop unless capacity is sought: a session is due at a moment that the arrival
//! model decides, and latency counts from that moment, so a server that stalls is not forgiven the
//! sessions that had to wait. Timers of the sessions' runtime have a grain of 1 ms.
//!
//! | file | what it stands for |
//! |---|---|
//! | `arrivals.rs` | when clients come |
//! | `profile.rs` | how client programs behave |
//! | `population.rs` | accounts and their passwords |
//! | `session.rs` | one session on the wire |
//! | `crew.rs` | one thread of sessions |
//! | `capacity.rs` | how many clients are too many |
//! | `retry.rs` | what refused clients do |
//! | `ledger.rs` | intents and outcomes, for `verify` |
//! | `measure.rs` | counting |
//! | `outcome.rs` | the result as it is kept |
//! | `condition.rs` | `--fail-if` |
//! | `html.rs` | the result as a page |
//! | `verify.rs` | the ledger, held against the server |
//! | `compare.rs` | two results |

mod arrivals;
mod capacity;
mod compare;
mod condition;
mod crew;
mod html;
mod ledger;
mod measure;
mod outcome;
mod population;
mod profile;
mod random;
mod retry;
mod session;
mod verify;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, fs, thread};

use clap::Args;

use crate::clock;
use crate::target::first_line_of_stdin;
use arrivals::{Arrivals, SHAPE_SYNTAX, Shape};
use capacity::Growth;
use condition::{CONDITION_SYNTAX, Condition};
use crew::{Pace, Plan};
use ledger::Ledger;
use measure::Measure;
use outcome::{Generator, Outcome, Percentiles};
pub(crate) use population::Naming;
use population::{Population, Skew};
use profile::Mix;
use retry::{RETRY_SYNTAX, Retry};

pub(crate) use compare::{Options as CompareOptions, compare};
pub(crate) use verify::{Options as VerifyOptions, verify};

/// More of the generator's processors than this, and it may be the bottleneck itself.
const CPU_SHARE_MAX: f64 = 0.9;

/// One session in a hundred may start this late before the result is doubted.
const LATE_P99_MS_MAX: f64 = 50.0;

/// What `run` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// Accounts' names: `{}` stands for the index, `{d}` for the domain's index
    #[arg(long, default_value = "u{}")]
    users: String,
    /// How many accounts there are
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
    /// How many domains they are spread over
    #[arg(long, default_value_t = 1)]
    domains: u32,
    /// Read the accounts' first password from the first line of standard input
    #[arg(long, required = true)]
    password_stdin: bool,
    /// When clients come
    #[arg(long, default_value = "poisson:20", help = format!("When clients come: {SHAPE_SYNTAX}"))]
    arrivals: Shape,
    /// Instead of arrivals: this many clients that begin again as soon as they have ended
    #[arg(long, conflicts_with = "arrivals")]
    clients: Option<u32>,
    /// Begin with one of these clients and double their number step by step
    #[arg(long, requires = "clients")]
    find_capacity: bool,
    /// Beside the honest load: guesses with wrong passwords, arriving like this
    #[arg(long, help = format!("Beside the honest load, guesses with wrong passwords: {SHAPE_SYNTAX}"))]
    attack: Option<Shape>,
    /// Loopback addresses that the attack comes from
    #[arg(long, default_value_t = 1)]
    attack_sources: u32,
    /// Client program of the attack; slow holds channels
    #[arg(long, default_value = "snappymail")]
    attack_profile: Mix,
    /// How long clients come
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Client programs by weight: roundcube, snappymail, eudora, abandon, slow
    #[arg(long, default_value = "roundcube:70,snappymail:30")]
    profiles: Mix,
    /// Share of sessions with a wrong old password
    #[arg(long, default_value_t = 0.0)]
    wrong_share: f64,
    /// Share of sessions whose first new password is too short, and is corrected
    #[arg(long, default_value_t = 0.0)]
    bad_first_share: f64,
    /// What refused clients do
    #[arg(long, default_value = "never", help = format!("What refused clients do: {RETRY_SYNTAX}"))]
    retry: Retry,
    /// How often a refused client tries again at most
    #[arg(long, default_value_t = 10)]
    retries_max: u32,
    /// How long a client waits for a connection or a reply, in seconds
    #[arg(long, default_value_t = 30.0)]
    patience: f64,
    /// Unevenness among a domain's accounts (Zipf's exponent; 0: even)
    #[arg(long, default_value_t = 0.0)]
    skew: f64,
    /// Unevenness among domains
    #[arg(long, default_value_t = 0.0)]
    domain_skew: f64,
    /// Loopback addresses to come from; 0 leaves it to the system
    #[arg(long, default_value_t = 64)]
    sources: u32,
    /// Threads that hold sessions
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Sessions of one thread at a time
    #[arg(long, default_value_t = 4000)]
    sessions_max: u64,
    /// The same number makes the same load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write intents and outcomes to this file, and go on from what it says
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Write the result to this file as JSON (`-`: standard output)
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the result to this file as a page with plots
    #[arg(long)]
    html: Option<PathBuf>,
    /// Fail when this holds; may be given repeatedly
    #[arg(long, value_name = "CONDITION", help = format!("Fail (exit code 4) when this holds; may be repeated: {CONDITION_SYNTAX}"))]
    fail_if: Vec<Condition>,
    /// Allow servers that are not on this machine
    #[arg(long)]
    allow_remote: bool,
}

/// Runs the load and reports on it.
///
/// # Errors
/// When the load cannot be run; what the server does wrong is part of the result instead.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    if !options.address.ip().is_loopback() && !options.allow_remote {
        return Err(io::Error::other("the server is not on this machine; --allow-remote allows that"));
    }
    let outcome = options.measure()?;
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&outcome)?;
        if path.as_os_str() == "-" {
            writeln!(io::stdout(), "{json}")?;
        } else {
            fs::write(path, json)?;
        }
    }
    if let Some(path) = &options.html {
        html::write(&outcome, path)?;
    }
    if options.json.as_ref().is_none_or(|path| path.as_os_str() != "-") {
        summarize(&outcome, &mut io::stdout().lock())?;
    }
    let mut code = ExitCode::SUCCESS;
    for condition in options.fail_if.iter().filter(|condition| condition.holds(&outcome)) {
        writeln!(io::stderr(), "failed: {}", condition.as_str())?;
        code = ExitCode::from(4);
    }
    Ok(code)
}

impl Options {
    fn measure(&self) -> io::Result<Outcome> {
        let length = Duration::try_from_secs_f64(self.seconds).map_err(io::Error::other)?;
        let history = self.ledger.as_deref().map(ledger::read).transpose()?.unwrap_or_default();
        let growth = match self.clients {
            Some(clients) if self.find_capacity => Some(Growth::new(clients, length).map_err(io::Error::other)?),
            Some(_) | None => None,
        };
        let plan = Arc::new(self.plan(length)?);
        let cpu_before = clock::own_cpu_ns();
        let (ended, end) = mpsc::channel();
        let population = |part, parts| {
            let skew = Skew { users: self.skew, domains: self.domain_skew };
            Population::new(self.accounts, self.domains, skew, &history, part, parts)
        };
        for part in 0..self.threads {
            let (population, pace) = (population(part, self.threads), self.pace(part, growth, length));
            let (plan, ended, seed) = (Arc::clone(&plan), ended.clone(), self.seed_of(part));
            thread::spawn(move || ended.send(crew::run(plan, population, pace, seed)));
        }
        let mut threads = self.threads;
        let attack = self.attack.as_ref().map(|shape| (shape, Arc::new(self.attack_plan(&plan, length))));
        if let Some((shape, plan)) = &attack {
            let seed = self.seed_of(self.threads);
            let (population, pace) = (population(0, 1), Pace::Open(Arrivals::new(shape, length, 0, 1, !seed)));
            let (plan, ended) = (Arc::clone(plan), ended.clone());
            thread::spawn(move || ended.send(crew::run(plan, population, pace, seed)));
            threads += 1;
        }
        drop(ended);
        self.watch(&plan, threads, &end)?;
        let seconds = (clock::monotonic_ns() - plan.start) as f64 / 1e9;
        let cpus_used = (clock::own_cpu_ns() - cpu_before) as f64 / 1e9 / seconds;
        let mut outcome = self.conclude(&plan.measure(), threads, seconds, cpus_used);
        outcome.attack = attack.map(|(_, plan)| plan.measure().counts);
        outcome.capacity = growth.map(|growth| growth.evaluate(&outcome.series)).unwrap_or_default();
        Ok(outcome)
    }

    fn seed_of(&self, part: u32) -> u64 {
        self.seed.wrapping_mul(0x1_0000).wrapping_add(part.into())
    }

    /// When the generator thread `part` begins sessions.
    fn pace(&self, part: u32, growth: Option<Growth>, length: Duration) -> Pace {
        let Some(clients) = self.clients else {
            // Chance of its own: when clients come says nothing about who they are.
            let (index, parts, seed) = (part as usize, self.threads as usize, !self.seed_of(part));
            return Pace::Open(Arrivals::new(&self.arrivals, length, index, parts, seed));
        };
        let mine = (0..clients).filter(|client| client % self.threads == part);
        let begins = mine.map(|client| growth.map_or(Duration::ZERO, |growth| growth.begin(client))).collect();
        Pace::Closed { begins, length }
    }

    fn plan(&self, length: Duration) -> io::Result<Plan> {
        let password = first_line_of_stdin()?;
        Ok(Plan {
            address: self.address,
            sources: self.sources,
            naming: Naming { user: self.users.clone(), domains: self.domains, password },
            mix: self.profiles.clone(),
            wrong_share: self.wrong_share,
            bad_first_share: self.bad_first_share,
            retry: self.retry,
            retries_max: self.retries_max,
            patience: Duration::try_from_secs_f64(self.patience).map_err(io::Error::other)?,
            sessions_max: self.sessions_max,
            start: clock::monotonic_ns(),
            ledger: Ledger::open(self.ledger.as_deref())?,
            measure: Mutex::new(Measure::new(length)),
        })
    }

    /// The attack beside `honest` sessions: all passwords are wrong, and nothing is written down.
    fn attack_plan(&self, honest: &Plan, length: Duration) -> Plan {
        Plan {
            address: self.address,
            sources: self.attack_sources,
            naming: honest.naming.clone(),
            mix: self.attack_profile.clone(),
            wrong_share: 1.0,
            bad_first_share: 0.0,
            retry: Retry::Never,
            retries_max: 0,
            patience: honest.patience,
            sessions_max: self.sessions_max,
            start: honest.start,
            ledger: Ledger::none(),
            measure: Mutex::new(Measure::new(length)),
        }
    }

    /// Shows progress on a terminal until all threads have ended.
    fn watch(&self, plan: &Plan, threads: u32, end: &mpsc::Receiver<io::Result<()>>) -> io::Result<()> {
        let mut terminal = io::stderr();
        let shows = terminal.is_terminal();
        let mut left = threads;
        let mut changed_before = 0;
        while left > 0 {
            match end.recv_timeout(Duration::from_secs(1)) {
                Ok(result) => {
                    result?;
                    left -= 1;
                }
                Err(mpsc::RecvTimeoutError::Timeout) if shows => {
                    let seconds = (clock::monotonic_ns() - plan.start) as f64 / 1e9;
                    let measure = plan.measure();
                    let latency = Percentiles::of(&measure.intended);
                    write!(
                        terminal,
                        "\r{seconds:5.0} s of {:.0}  {:6} changes/s  {} in flight  {} refused  p50 {:.0} ms  \
                         p99 {:.0} ms  \x1b[K",
                        self.seconds,
                        measure.counts.changed - changed_before,
                        measure.in_flight,
                        measure.counts.refused,
                        latency.p50_ms,
                        latency.p99_ms,
                    )?;
                    changed_before = measure.counts.changed;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("a generator thread ended before its work did"));
                }
            }
        }
        if shows { writeln!(terminal) } else { Ok(()) }
    }

    fn conclude(&self, measure: &Measure, threads: u32, seconds: f64, cpus_used: f64) -> Outcome {
        let late = Percentiles::of(&measure.late);
        let mut invalid_because = Vec::new();
        if cpus_used > CPU_SHARE_MAX * f64::from(threads) {
            invalid_because.push(format!("the generator used {cpus_used:.2} processors for {threads} threads"));
        }
        if late.p99_ms > LATE_P99_MS_MAX {
            invalid_because.push(format!("one session in a hundred began {:.0} ms late or later", late.p99_ms));
        }
        if measure.counts.unstarted > 0 {
            invalid_because.push(format!("{} sessions could not be begun", measure.counts.unstarted));
        }
        let series = measure.series();
        let due: u64 = series.iter().map(|second| second.due).sum();
        Outcome {
            tool: concat!("keyturn-loadtest ", env!("CARGO_PKG_VERSION")).to_owned(),
            command: env::args().collect::<Vec<_>>().join(" "),
            seconds,
            offered_per_s: due as f64 / self.seconds,
            goodput_per_s: measure.changed_in_time as f64 / seconds.min(self.seconds),
            counts: measure.counts,
            latency: measure.latency(),
            generator: Generator { threads, cpus_used, late, invalid_because },
            series,
            attack: None,
            capacity: Vec::new(),
        }
    }
}

/// Says the same for people.
fn summarize(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let counts = &outcome.counts;
    writeln!(
        out,
        "{:.1} s: {:.1} sessions/s due, {:.1} changes/s acknowledged",
        outcome.seconds, outcome.offered_per_s, outcome.goodput_per_s
    )?;
    writeln!(
        out,
        "{} changed, {} refused, {} denied as they should, {} abandoned, {} timed out, {} broken, {} nonsense, \
         {} not begun, {} retries",
        counts.changed,
        counts.refused,
        counts.denied,
        counts.abandoned,
        counts.timed_out,
        counts.broken,
        counts.nonsense,
        counts.unstarted,
        counts.retries
    )?;
    writeln!(out, "{:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", "ms", "count", "p50", "p90", "p99", "p99.9", "max")?;
    for (name, it) in &outcome.latency {
        writeln!(
            out,
            "{name:<10} {:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1}",
            it.count, it.p50_ms, it.p90_ms, it.p99_ms, it.p999_ms, it.max_ms
        )?;
    }
    for step in &outcome.capacity {
        writeln!(out, "{:>5} clients {:>9.1} changes/s", step.clients, step.changes_per_s)?;
    }
    if let Some(attack) = &outcome.attack {
        let failed = attack.timed_out + attack.broken + attack.unstarted;
        writeln!(out, "attack: {} guesses denied, {} refused, {failed} failed", attack.denied, attack.refused)?;
    }
    for reason in &outcome.generator.invalid_because {
        writeln!(out, "NOT VALID: {reason}")?;
    }
    Ok(())
}
