//! How much of the machine's hashing power becomes password changes, and do those who ask for
//! nothing notice?
//!
//! A change verifies one password and hashes another, so with `h` hashes per second there can be
//! `h / 2` changes per second and no more; sessions and commits share the core with the hashing.
//! First the hashing alone is measured, in this process, with the thread the service would have
//! there (nice 19); then the server on the same CPU, with 16 clients on the other that change
//! passwords as fast as they are let, and beside them NOOPs on a schedule. Then the same changes are
//! asked of a server that hashes with the `argon2` crate, which tells what the kernel is worth to
//! those who wait. And between two windows of its changes the first server is asked for five times as
//! many as it can do.
//!
//! `cargo bench --bench pool [-- --rounds N --seconds S]`. Writes `benches/record/pool.md`.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyturn::auth::{Hasher, Recognizer};
use keyturn::model::{Argon2idCost, Clock, Secret};
use rustix::time::{ClockId, clock_gettime};

mod support;

use support::generator::{Findings, Generator, finish};
use support::load::{Crowd, Load, Outcome};
use support::machine::{self, Spread};
use support::process::{Place, raise_open_files};
use support::server::{DOMAIN, Home, PASSWORD, Server};

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const CLIENTS: usize = 16;
const PROBES_PER_S: u32 = 1000;
const RATIO_MIN: f64 = 0.95;
/// Of the changes per second with the fastest kernel, against those with the crate.
const KERNEL_RATIO_MIN: f64 = 2.7;
/// How many times as much is asked for as can be done, what is done of it against saturation, and how
/// soon the others are told.
const OVERLOAD: f64 = 5.0;
const OVERLOAD_ACCOUNTS: u32 = 10_000;
const GOODPUT_MIN: f64 = 0.95;
const REFUSAL_P99_MS_MAX: f64 = 50.0;
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
    /// The same of a server that hashes with the crate.
    with_crate: Findings,
    /// NOOPs while the pool is saturated.
    probe: Findings,
    /// Of five times as many clients as can be served.
    overload: Outcome,
    /// Changes per second of that.
    goodput: f64,
    /// The same right before it and right after.
    around: [f64; 2],
}

/// The servers that take turns, and who comes to them.
struct Stage<'a> {
    generator: &'a Generator<'a>,
    server: Server,
    with_crate: Server,
    crowd: Crowd,
    ledgers: tempfile::TempDir,
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

    /// What the kernel is worth.
    fn kernel_ratio(&self) -> f64 {
        self.changes.number("ops_per_s") / self.with_crate.number("ops_per_s")
    }

    /// What is done of too much, against saturation before and after.
    fn goodput_ratio(&self) -> f64 {
        self.goodput * 2.0 / self.around.iter().sum::<f64>()
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

impl<'a> Stage<'a> {
    fn new(generator: &'a Generator<'a>) -> io::Result<Self> {
        let place = Place { cpus: &[SERVER_CPU], nice: 0 };
        let home = || {
            let home = Home::new(1, Argon2idCost::default())?;
            home.add_accounts(CLIENTS + 1).map(|()| home)
        };
        let (home, home_of_crate) = (home()?, home()?);
        let crowd = Crowd { users: format!("o{{}}@{DOMAIN}"), accounts: OVERLOAD_ACCOUNTS, domains: 1 };
        crowd.prepare(generator, home.store())?;
        let with_crate = home_of_crate.serve_with(place, &["--kernel", "crate"])?;
        Ok(Self { generator, server: home.serve(place)?, with_crate, crowd, ledgers: tempfile::tempdir()? })
    }

    /// One round: the pool alone, the servers, the first server with probes, and with too much to do.
    fn measure(&self, seconds: f64) -> io::Result<Round> {
        let Self { generator, server, with_crate, crowd, ledgers } = self;
        let (hashes, hash_cpu_ms) = hash_alone(&[SERVER_CPU], Duration::from_secs_f64(seconds));
        let change = |server: &Server, seconds: f64| {
            let pid = server.pid();
            format!(
                "changes --connections {CLIENTS} --user u{{}} --password-stdin --server-pid {pid} --seconds {seconds}"
            )
        };
        let changes = generator.run(server.address(), &change(server, seconds))?;
        let possible = changes.number("ops_per_s");
        let load = Load { generator, address: server.address(), ledgers: ledgers.path() };
        let length = (2.0 * seconds).ceil() as usize;
        let arrivals = format!("--arrivals poisson:{} --seconds {length}", OVERLOAD * possible);
        let overload = load.run(crowd, &arrivals)?;
        let goodput = overload.changes_per_s(1..length);
        let after = generator.run(server.address(), &change(server, seconds))?;
        let around = [possible, after.number("ops_per_s")];
        let with_crate = generator.run(with_crate.address(), &change(with_crate, seconds))?;
        // The load lasts longer than the probe's set-up and window.
        let load = generator.start(server.address(), &change(server, seconds + 4.0))?;
        std::thread::park_timeout(Duration::from_secs(1));
        let probe = format!(
            "noop-probe --rate {PROBES_PER_S} --connections 4 --user u{CLIENTS} --password-stdin --server-pid {} \
             --seconds {seconds}",
            server.pid()
        );
        let probe = generator.run(server.address(), &probe);
        finish(load)?;
        let probe = probe?;
        Ok(Round { hashes, hash_cpu_ms, changes, with_crate, probe, overload, goodput, around })
    }
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let rounds = machine::argument("--rounds", 3.0) as usize;
    let tries = machine::argument("--tries", rounds as f64) as usize;
    let seconds = machine::argument("--seconds", 5.0);
    let patience = machine::argument("--patience", 10.0);
    let generator = Generator::build(Place { cpus: &[GENERATOR_CPU], nice: 0 })?;
    let stage = Stage::new(&generator)?;
    let mut found = Vec::new();
    for round in 1..=tries {
        machine::await_quiet(patience)?;
        let this = stage.measure(seconds)?;
        println!(
            "round {round}: {:.1} hashes/s alone, ratio {:.3}, {:.2} times the crate; of {OVERLOAD} times as much {:.3}",
            this.hashes,
            this.ratio(),
            this.kernel_ratio(),
            this.goodput_ratio()
        );
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
    let (ratio, kernel_ratio, goodput) = (over(Round::ratio), over(Round::kernel_ratio), over(Round::goodput_ratio));
    let p99 = over(|round| round.probe.number("p99_us"));
    let refusal_p99 = over(|round| round.overload.number("/latency/refusal/p99_ms"));
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
         | changes/s, server with the crate for a kernel | {} | | |\n\
         | changes/s against those with the crate | **{}** | ≥ {KERNEL_RATIO_MIN} | {} |\n\
         | goodput against changes/s, {OVERLOAD} times as many asked for | **{}** | ≥ {GOODPUT_MIN} | {} |\n\
         | a refusal meanwhile, p99 ms | **{}** | ≤ {REFUSAL_P99_MS_MAX} | {} |\n\
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
        over(|round| round.with_crate.number("ops_per_s")).show(1),
        kernel_ratio.show(2),
        reached(kernel_ratio.median >= KERNEL_RATIO_MIN),
        goodput.show(3),
        reached(goodput.median >= GOODPUT_MIN),
        refusal_p99.show(1),
        reached(refusal_p99.median <= REFUSAL_P99_MS_MAX),
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
