//! How much of the machine's hashing power becomes password changes, and do those who ask for
//! nothing notice?
//!
//! A change verifies one password and hashes another, so with `h` hashes per second there can be
//! `h / 2` changes per second and no more; sessions and commits share the core with the hashing.
//! First the hashing alone is measured, in this process, with the thread the service would have
//! there (nice 19); then the server on the same CPU, with 16 clients on the other that change
//! passwords as fast as they are let, and beside them NOOPs on a schedule.
//!
//! `cargo bench --bench pool [-- --rounds N --seconds S]`. Writes `benches/record/pool.md`.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyturn::auth::{Hasher, Recognizer};
use keyturn::model::{Argon2idCost, Clock, Secret};
use rustix::time::{ClockId, clock_gettime};

#[path = "support/generator.rs"]
mod generator;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/process.rs"]
mod process;
#[path = "support/server.rs"]
mod server;

use generator::{Findings, Generator, finish};
use machine::Spread;
use process::{Place, raise_open_files};
use server::{PASSWORD, Server};

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const CLIENTS: usize = 16;
const PROBES_PER_S: u32 = 1000;
const RATIO_MIN: f64 = 0.93;
const PROBE_P99_US_MAX: f64 = 500.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/pool.md");

/// What one round found.
struct Round {
    /// Of the pool alone, per second.
    hashes: f64,
    /// Processor time of one hash of the pool alone, in ms.
    hash_cpu_ms: f64,
    /// Of the server, while nobody probes.
    changes: Findings,
    /// NOOPs while the pool is saturated.
    probe: Findings,
}

impl Round {
    /// The share of the possible changes that were made.
    fn ratio(&self) -> f64 {
        self.changes.number("ops_per_s") / (self.hashes / 2.0)
    }

    /// The same share in processor time: what two hashes cost alone, against what a change costs
    /// the server. Other processes do not blur it.
    fn cpu_ratio(&self) -> f64 {
        2.0 * self.hash_cpu_ms / (self.changes.number("server_cpu_ns_per_op") / 1e6)
    }

    /// What other processes used, in processors; the generator that runs beside the probe is among
    /// them, but uses little.
    fn noise(&self) -> f64 {
        self.changes.number("others_cpu_share").max(self.probe.number("others_cpu_share"))
    }
}

/// Hashes per second that one nice thread on each of `cpus` makes together, and the processor time
/// of each in ms.
fn hash_alone(cpus: &[usize], length: Duration) -> (f64, f64) {
    let done = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let recognizer = Recognizer::new();
    let clock = Clock::new();
    std::thread::scope(|scope| {
        for cpu in cpus {
            let (done, enough, recognizer) = (&done, &enough, recognizer.clone());
            scope.spawn(move || hash_until(*cpu, enough, done, recognizer));
        }
        // The arenas are touched for the first time before the window opens.
        std::thread::park_timeout(Duration::from_millis(500));
        let (begun, before, cpu_before) = (clock.now(), done.load(Ordering::Relaxed), own_cpu_ms());
        while clock.now().since(begun) < length {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let (ended, after, cpu_after) = (clock.now(), done.load(Ordering::Relaxed), own_cpu_ms());
        enough.store(true, Ordering::Relaxed);
        let count = (after - before) as f64;
        (count / ended.since(begun).as_secs_f64(), (cpu_after - cpu_before) / count)
    })
}

/// Processor time of this process so far.
fn own_cpu_ms() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 * 1e3 + used.tv_nsec as f64 / 1e6
}

fn hash_until(cpu: usize, enough: &AtomicBool, done: &AtomicU64, recognizer: Recognizer) {
    let mut only = rustix::thread::CpuSet::new();
    only.set(cpu);
    rustix::thread::sched_setaffinity(None, &only).expect("the CPU is there");
    rustix::process::setpriority_process(None, 19).expect("anybody may be nice");
    let mut hasher = Hasher::new(Argon2idCost::default(), recognizer);
    let secret = Secret::new(PASSWORD.as_bytes()).expect("it is short enough");
    while !enough.load(Ordering::Relaxed) {
        hasher.make(&secret, 0);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// One round: the pool alone, the server, the server with probes.
fn measure(cpus: &[usize], generator: &Generator<'_>, server: &Server, seconds: f64) -> io::Result<Round> {
    let (hashes, hash_cpu_ms) = hash_alone(cpus, Duration::from_secs_f64(seconds));
    let pid = server.pid();
    let change = |seconds: f64| {
        format!("changes --connections {CLIENTS} --user u{{}} --password-stdin --server-pid {pid} --seconds {seconds}")
    };
    let changes = generator.run(server.address(), &change(seconds))?;
    // The load lasts longer than the probe's set-up and window.
    let load = generator.start(server.address(), &change(seconds + 4.0))?;
    std::thread::park_timeout(Duration::from_secs(1));
    let probe = format!(
        "noop-probe --rate {PROBES_PER_S} --connections 4 --user u{CLIENTS} --password-stdin --server-pid {pid} \
         --seconds {seconds}"
    );
    let probe = generator.run(server.address(), &probe);
    finish(load)?;
    Ok(Round { hashes, hash_cpu_ms, changes, probe: probe? })
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let rounds = machine::argument("--rounds", 3.0) as usize;
    let tries = machine::argument("--tries", rounds as f64) as usize;
    let seconds = machine::argument("--seconds", 5.0);
    let patience = machine::argument("--patience", 10.0);
    let generator = Generator::build(Place { cpus: &[GENERATOR_CPU], nice: 0 })?;
    let server = Server::start(Place { cpus: &[SERVER_CPU], nice: 0 }, CLIENTS + 1, Argon2idCost::default())?;
    let mut found = Vec::new();
    for round in 1..=tries {
        machine::await_quiet(patience)?;
        let this = measure(&[SERVER_CPU], &generator, &server, seconds)?;
        println!("round {round}: {:.1} hashes/s alone, ratio {:.3}", this.hashes, this.ratio());
        println!("  changes {}\n  probe   {}", this.changes, this.probe);
        found.push(this);
    }
    found.sort_by(|one, other| one.noise().total_cmp(&other.noise()));
    found.truncate(rounds);
    let record = record(&found, tries, seconds, patience)?;
    println!("\n{record}");
    fs::write(RECORD, record)
}

/// The page that is kept.
fn record(rounds: &[Round], tries: usize, seconds: f64, patience: f64) -> io::Result<String> {
    let over = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let ratio = over(Round::ratio);
    let p99 = over(|round| round.probe.number("p99_us"));
    let reached = |reached: bool| if reached { "yes" } else { "no" };
    let count = rounds.len();
    Ok(format!(
        "# Password changes against the hashing pool alone\n\n{}. Argon2id 19456 KiB, t=2, p=1; server on \
         CPU {SERVER_CPU}, generator on CPU {GENERATOR_CPU}; {CLIENTS} clients, each: connect, USER, PASS, NEWPASS, QUIT, again.\n\
         `cargo bench --bench pool -- --rounds {count} --tries {tries} --seconds {seconds} --patience {patience}`: median (min–max) of the \
         {count} quietest of {tries} rounds; the ratio is taken within each.\n\n\
         | measure | found | wanted | reached |\n|---|---|---|---|\n\
         | hashes/s, pool alone | {} | | |\n\
         | changes/s, server | {} | | |\n\
         | changes/s against hashes/s / 2 | **{}** | ≥ {RATIO_MIN} | {} |\n\
         | the same in processor time | {} | | |\n\
         | one change, p50 ms | {} | | |\n\
         | one change, p99 ms | {} | | |\n\
         | server CPU per change, ms | {} | | |\n\
         | NOOP at {PROBES_PER_S}/s meanwhile, from the due time, p50 µs | {} | | |\n\
         | NOOP meanwhile, p99 µs | **{}** | ≤ {PROBE_P99_US_MAX:.0} | {} |\n\
         | the same from the moment it was sent, p99 µs | {} | | |\n\
         | the probe itself was late, p99 µs | {} | | |\n\
         | other processes' CPU meanwhile, worst | {:.2} | | |\n",
        machine::describe()?,
        over(|round| round.hashes).show(1),
        over(|round| round.changes.number("ops_per_s")).show(1),
        ratio.show(3),
        reached(ratio.median >= RATIO_MIN),
        over(Round::cpu_ratio).show(3),
        over(|round| round.changes.number("p50_us") / 1e3).show(0),
        over(|round| round.changes.number("p99_us") / 1e3).show(0),
        over(|round| round.changes.number("server_cpu_ns_per_op") / 1e6).show(2),
        over(|round| round.probe.number("p50_us")).show(0),
        p99.show(0),
        reached(p99.median <= PROBE_P99_US_MAX),
        over(|round| round.probe.number("sent_p99_us")).show(0),
        over(|round| round.probe.number("late_p99_us")).show(0),
        over(Round::noise).max,
    ))
}
