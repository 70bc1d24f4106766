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
//! | `errand.rs` | what a client is up to, and what became of it |
//! | `crew.rs` | one thread of sessions |
//! | `capacity.rs` | how many clients are too many |
//! | `retry.rs` | what refused clients do |
//! | `ledger.rs` | intents and outcomes, for `verify` |
//! | `measure.rs` | counting |
//! | `live.rs` | the line on the terminal |
//! | `outcome.rs` | the result as it is kept |
//! | `summary.rs` | the result for people |
//! | `condition.rs` | `--fail-if` |
//! | `html.rs`, `plot.rs` | the result as a page |
//! | `verify.rs` | the ledger, held against the server |
//! | `compare.rs` | two results |

mod arrivals;
mod capacity;
mod compare;
mod condition;
mod crew;
mod errand;
mod html;
mod ledger;
mod live;
mod measure;
mod outcome;
mod plot;
mod population;
mod profile;
mod random;
mod retry;
mod session;
mod summary;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, fs, thread};

use clap::Args;

use crate::clock;
use crate::target::Server;
use arrivals::{Arrivals, SHAPE_SYNTAX, Shape};
use capacity::Growth;
use condition::{CONDITION_SYNTAX, Condition};
use crew::{Pace, Plan};
use errand::{SOURCES_MAX, Sources};
use ledger::Ledger;
use measure::Measure;
use outcome::{Generator, Outcome, Percentiles};
pub(crate) use population::AccountOptions;
use population::{Population, Skew};
use profile::Mix;
use retry::{RETRY_SYNTAX, Retry};

pub(crate) use compare::{Options as CompareOptions, compare};
pub(crate) use verify::{Options as VerifyOptions, verify};

/// What `run` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    naming: AccountOptions,
    /// How many accounts there are
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
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
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=SOURCES_MAX))]
    attack_sources: u32,
    /// Client programs of the attack; slow and stall hold channels
    #[arg(long, default_value = "snappymail")]
    attack_profile: Mix,
    /// How long clients come
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Client programs by weight: roundcube, snappymail, eudora, cli, abandon, slow (drips), stall
    #[arg(long, default_value = "roundcube:70,snappymail:30")]
    profiles: Mix,
    /// Share of sessions with a wrong old password
    #[arg(long, default_value_t = 0.0)]
    wrong_share: f64,
    /// Share of clients whose first new password is too short, and who then come with another one
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
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=SOURCES_MAX))]
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
}

/// Runs the load and reports on it.
///
/// # Errors
/// When the load cannot be run; what the server does wrong is part of the result instead.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
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
        summary::write(&outcome, &mut io::stdout().lock())?;
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
        let growth = match self.clients {
            Some(clients) if self.find_capacity => Some(Growth::new(clients, length).map_err(io::Error::other)?),
            Some(_) | None => None,
        };
        let plan = Arc::new(self.plan(length)?);
        let cpu_before = clock::own_cpu_ns();
        let (ended, end) = mpsc::channel();
        for part in 0..self.threads {
            let (plan, ended, pace) = (Arc::clone(&plan), ended.clone(), self.pace(part, growth, length));
            let seed = self.seed_of(part);
            thread::spawn(move || ended.send(crew::run(plan, pace, seed)));
        }
        let mut threads = self.threads;
        let attack = self.attack.as_ref().map(|shape| (shape, Arc::new(self.attack_plan(&plan, length))));
        if let Some((shape, plan)) = &attack {
            let seed = self.seed_of(self.threads);
            let (plan, ended) = (Arc::clone(plan), ended.clone());
            let pace = Pace::Open(Arrivals::new(shape, length, 0, 1, !seed));
            thread::spawn(move || ended.send(crew::run(plan, pace, seed)));
            threads += 1;
        }
        drop(ended);
        let busiest_ns = live::watch(&plan, self.seconds, threads, &end)?;
        let seconds = (clock::monotonic_ns() - plan.start) as f64 / 1e9;
        let (measure, while_they_came) = (plan.measure(), seconds.min(self.seconds));
        let generator = Generator {
            threads,
            cpus_used: (clock::own_cpu_ns() - cpu_before) as f64 / 1e9 / seconds,
            busiest_thread: busiest_ns as f64 / 1e9 / while_they_came,
            late: Percentiles::of(&measure.late),
            lag: Percentiles::of(&measure.lag),
            invalid_because: Vec::new(),
        };
        let series = measure.series();
        Ok(Outcome {
            tool: concat!("keyturn-loadtest ", env!("CARGO_PKG_VERSION")).to_owned(),
            command: env::args().collect::<Vec<_>>().join(" "),
            seconds,
            offered_per_s: series.iter().map(|second| second.due).sum::<u64>() as f64 / self.seconds,
            goodput_per_s: measure.changed_in_time as f64 / while_they_came,
            counts: measure.counts,
            latency: measure.latency(),
            curve: measure.curve(),
            generator: Generator { invalid_because: generator.doubts(&measure.counts), ..generator },
            attack: attack.map(|(_, plan)| plan.measure().counts),
            capacity: growth.map(|growth| growth.evaluate(&series)).unwrap_or_default(),
            series,
        })
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
        let address = self.server.address()?;
        Ok(Plan {
            address,
            sources: Sources::honest(self.sources),
            naming: self.naming.naming()?,
            mix: self.profiles.clone(),
            wrong_share: self.wrong_share,
            bad_first_share: self.bad_first_share,
            retry: self.retry,
            retries_max: self.retries_max,
            patience: Duration::try_from_secs_f64(self.patience).map_err(io::Error::other)?,
            sessions_max: self.sessions_max,
            population: Mutex::new(self.population()?),
            ledger: Ledger::open(self.ledger.as_deref())?,
            measure: Mutex::new(Measure::new(length)),
            start: clock::monotonic_ns(),
        })
    }

    /// The accounts, as the ledger, if there is one, says that they were left.
    fn population(&self) -> io::Result<Population> {
        let history = self.ledger.as_deref().map(ledger::read).transpose()?.unwrap_or_default();
        let skew = Skew { users: self.skew, domains: self.domain_skew };
        Ok(Population::new(self.accounts, self.naming.domains, skew, &history))
    }

    /// The attack beside `honest` sessions: all passwords are wrong, and nothing is written down.
    fn attack_plan(&self, honest: &Plan, length: Duration) -> Plan {
        let skew = Skew { users: self.skew, domains: self.domain_skew };
        Plan {
            address: honest.address,
            sources: Sources::hostile(self.attack_sources),
            naming: honest.naming.clone(),
            mix: self.attack_profile.clone(),
            wrong_share: 1.0,
            bad_first_share: 0.0,
            retry: Retry::Never,
            retries_max: 0,
            patience: honest.patience,
            sessions_max: self.sessions_max,
            population: Mutex::new(Population::new(self.accounts, self.naming.domains, skew, &[])),
            ledger: Ledger::none(),
            measure: Mutex::new(Measure::new(length)),
            start: honest.start,
        }
    }
}
