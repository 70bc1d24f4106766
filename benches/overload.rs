//! What becomes of a server when far more is asked of it than it can do?
//!
//! A server can at best go on as if the surplus were not there: whoever it serves is served at
//! its full capacity, whoever it cannot serve is told so at once, and when the surplus ends nobody
//! notices any more that there was one. Refusing costs something, too: a refused session is a
//! connection and four lines, each of which wakes the shard in caches that a worker has filled since,
//! unless it is gathered with those of others. That bounds what can be reached.
//!
//! Server on one CPU, configured as it comes; generator on the other. First its capacity is found,
//! with 16 clients that begin again as soon as they have ended. Then clients come when they come
//! (Poisson), in multiples of that; between any two multiples the capacity is found again, for the
//! speed of a shared machine does not stay the same: what is served is held against the mean of the
//! two. Then half the capacity is asked for all the time, and ten times the capacity for a while in
//! between. Last, each of ten domains asks for its tenth, but one for a hundred times that.
//!
//! `cargo bench --bench overload [-- --rounds N --seconds S --patience S]`. Writes `benches/record/overload.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use keyturn::model::{Clock, Tick};

mod support;

use support::generator::Generator;
use support::load::{Crowd, Load, Outcome, finish};
use support::machine::{self, Spread};
use support::process::{Place, memory_bytes, raise_open_files};
use support::server::Server;

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const CLIENTS: usize = 16;
const DOMAINS: u32 = 10;
/// As few as will do: nearly all of what the store keeps in memory of them is there after the first
/// round.
const ACCOUNTS_PER_DOMAIN: u32 = 500;
const MULTIPLES: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// Of the last of them, against the capacity.
const GOODPUT_MIN: f64 = 0.95;
const REFUSAL_P99_MS_MAX: f64 = 50.0;
const RECOVERY_S_MAX: f64 = 5.0;
const FAIR_SHARE_MIN: f64 = 0.9;
/// Of the most memory by the last round, against that by the one before.
const MEMORY_GROWTH_MAX: f64 = 1.05;
/// How long half the capacity is asked for before there is more, and after.
const BEFORE_S: u64 = 8;
const AFTER_S: u64 = 10;
/// Normal seconds in a row after which the overload is over. One that is not may yet follow: on a shared
/// machine there are some before it, too.
const NORMAL_S: usize = 3;
/// How long the greedy domain asks alone, before the others come and after they have gone.
const ALONE_S: u64 = 3;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/overload.md");

/// What one round found.
struct Round {
    /// Changes per second, the last time it was found.
    capacity: f64,
    overloads: Vec<Overload>,
    recovery: Recovery,
    fairness: Fairness,
}

/// What became of clients that asked for a multiple of the capacity.
struct Overload {
    outcome: Outcome,
    /// Against the capacity just before and just after.
    goodput: f64,
    /// The most memory that the server has had so far.
    peak_mib: f64,
}

/// How the server came back to normal.
struct Recovery {
    /// p99 in the worst second before the overload, in ms.
    normal_p99_ms: f64,
    /// After the overload, until the first of some normal seconds in a row.
    seconds: f64,
}

/// What ten domains got of a fair share each: of a tenth of what was served, or what they asked for if
/// that is less.
struct Fairness {
    /// The one that asked for a hundred times its share.
    greedy: f64,
    /// The one of the others that fared worst.
    worst: f64,
    others: f64,
}

/// All accounts: some spread over all domains, and some in each of them.
struct Crowds {
    all: Crowd,
    /// Half the capacity, while `all` ask for more.
    steady: Crowd,
    by_domain: Vec<Crowd>,
}

impl Crowds {
    fn new() -> Self {
        let everywhere = |letter: char| Crowd {
            users: format!("{letter}{{}}@d{{d}}.example"),
            accounts: ACCOUNTS_PER_DOMAIN * DOMAINS,
            domains: DOMAINS,
        };
        let of_domain = |domain: u32| Crowd {
            users: format!("u{{}}@d{domain}.example"),
            accounts: ACCOUNTS_PER_DOMAIN,
            domains: 1,
        };
        Self { all: everywhere('a'), steady: everywhere('s'), by_domain: (0..DOMAINS).map(of_domain).collect() }
    }

    fn prepare(&self, generator: &Generator<'_>, store: &Path) -> io::Result<()> {
        [&self.all, &self.steady].into_iter().chain(&self.by_domain).try_for_each(|it| it.prepare(generator, store))
    }
}

fn wait(seconds: u64) {
    let clock = Clock::new();
    let end = Tick(seconds * 1000);
    // Whoever parks may be woken by what others have left behind.
    while clock.now() < end {
        std::thread::park_timeout(end.since(clock.now()));
    }
}

fn measure(load: &Load<'_>, crowds: &Crowds, server: &Server, seconds: u64) -> io::Result<Round> {
    let find_capacity = || {
        let closed = load.run(&crowds.all, &format!("--clients {CLIENTS} --seconds {seconds}"))?;
        io::Result::Ok(closed.changes_per_s(1..seconds as usize))
    };
    let mut capacity = find_capacity()?;
    let mut overloads = Vec::new();
    for multiple in MULTIPLES {
        let arrivals = format!("--arrivals poisson:{} --seconds {seconds}", multiple * capacity);
        let outcome = load.run(&crowds.all, &arrivals)?;
        let peak_mib = memory_bytes(server.pid(), "VmHWM")? / f64::from(1 << 20);
        let before = std::mem::replace(&mut capacity, find_capacity()?);
        let goodput = outcome.changes_per_s(1..seconds as usize) / f64::midpoint(before, capacity);
        overloads.push(Overload { outcome, goodput, peak_mib });
    }
    let recovery = recover(load, crowds, capacity, seconds)?;
    let fairness = share(load, crowds, capacity, seconds)?;
    Ok(Round { capacity, overloads, recovery, fairness })
}

/// Asks for half the capacity all the time, and for ten times the capacity for some `seconds` of it.
fn recover(load: &Load<'_>, crowds: &Crowds, capacity: f64, seconds: u64) -> io::Result<Recovery> {
    let length = BEFORE_S + seconds + AFTER_S;
    let steady = load.start(&crowds.steady, &format!("--arrivals poisson:{} --seconds {length}", capacity / 2.0))?;
    wait(BEFORE_S);
    let most = MULTIPLES[MULTIPLES.len() - 1];
    let surplus = format!("--arrivals poisson:{} --seconds {seconds}", (most - 0.5) * capacity);
    load.run(&crowds.all, &surplus)?;
    let outcome = finish(steady)?;
    let (p99, refused) = (outcome.series("p99_ms"), outcome.series("refused"));
    // Whole seconds, without the one in which a process begins and that in which the surplus does.
    let normal_p99_ms = p99[1..BEFORE_S as usize - 1].iter().copied().fold(0.0, f64::max);
    let is_normal = |second: usize| p99[second] <= 2.0 * normal_p99_ms && refused[second] == 0.0;
    let end = (BEFORE_S + seconds) as usize;
    let is_over = |second: &usize| (*second..second + NORMAL_S).all(is_normal);
    let seconds = (end..=length as usize - NORMAL_S).find(is_over).map_or(AFTER_S as usize, |second| second - end);
    Ok(Recovery { normal_p99_ms, seconds: seconds as f64 })
}

/// Lets each domain ask for its share of the capacity, and one for a hundred times that.
fn share(load: &Load<'_>, crowds: &Crowds, capacity: f64, seconds: u64) -> io::Result<Fairness> {
    let asked = capacity / f64::from(DOMAINS);
    let come = |crowd: &Crowd, rate: f64, seconds: u64| {
        load.start(crowd, &format!("--arrivals constant:{rate} --seconds {seconds}"))
    };
    let greedy = come(&crowds.by_domain[0], 100.0 * asked, seconds + 2 * ALONE_S)?;
    wait(ALONE_S);
    let others: Vec<_> =
        crowds.by_domain[1..].iter().map(|crowd| come(crowd, asked, seconds)).collect::<Result<_, _>>()?;
    let (alone, end) = (ALONE_S as usize, seconds as usize);
    let others: Vec<f64> =
        others.into_iter().map(|child| Ok(finish(child)?.changes_per_s(1..end))).collect::<io::Result<_>>()?;
    let greedy = finish(greedy)?.changes_per_s(alone + 1..alone + end);
    // Nobody can have a tenth of a capacity that is not there any more, nor more than is asked for.
    let share = asked.min((greedy + others.iter().sum::<f64>()) / f64::from(DOMAINS));
    let (greedy, others) = (greedy / share, others.into_iter().map(|rate| rate / share));
    let Spread { median, min, .. } = Spread::of(others);
    Ok(Fairness { greedy, worst: min, others: median })
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let count = machine::argument("--rounds", 3.0) as usize;
    let seconds = machine::argument("--seconds", 10.0) as u64;
    let patience = machine::argument("--patience", 10.0);
    let generator = Generator::build(Place { cpus: &[GENERATOR_CPU], nice: 0 })?;
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let crowds = Crowds::new();
    crowds.prepare(&generator, &store)?;
    let server = Server::start_on(Place { cpus: &[SERVER_CPU], nice: 0 }, &store)?;
    let load = Load { generator: &generator, address: server.address(), ledgers: folder.path() };
    let mut rounds = Vec::new();
    for number in 1..=count {
        machine::await_quiet(patience)?;
        let round = measure(&load, &crowds, &server, seconds)?;
        println!("round {number}: {:.1} changes/s", round.capacity);
        for (multiple, overload) in MULTIPLES.iter().zip(&round.overloads) {
            let Overload { outcome, goodput, peak_mib } = overload;
            let number = |path: &str| outcome.number(path);
            println!(
                "  x{multiple}: {goodput:.3} of capacity, refusals p99 {:.1} ms, changes p99 {:.0} ms, {peak_mib:.0} MiB",
                number("/latency/refusal/p99_ms"),
                number("/latency/intended/p99_ms")
            );
        }
        let (Recovery { normal_p99_ms, seconds }, Fairness { greedy, worst, .. }) = (&round.recovery, &round.fairness);
        println!("  normal: {normal_p99_ms:.0} ms, again after {seconds} s; greedy {greedy:.2}, worst {worst:.3}");
        rounds.push(round);
    }
    let record = record(&rounds, seconds)?;
    println!("\n{record}");
    fs::write(RECORD, record)
}

/// The page that is kept.
fn record(rounds: &[Round], seconds: u64) -> io::Result<String> {
    let count = rounds.len();
    let over = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let mut page = format!(
        "# Overload\n\n{}. Server on CPU {SERVER_CPU}, generator on CPU {GENERATOR_CPU}; the default configuration; Argon2id \
         19456 KiB, t=2, p=1; {DOMAINS} domains.\n`cargo bench --bench overload -- --rounds {count} --seconds {seconds}`: \
         median (min–max) of {count} rounds.\n\nCapacity, with {CLIENTS} clients that begin again as soon as they have ended: \
         {} changes/s.\n\n\
         | clients come in | goodput against capacity | refused | refusal p50 ms | refusal p99 ms | change p50 ms | change p99 ms | peak memory MiB |\n\
         |---|---|---|---|---|---|---|---|\n",
        machine::describe()?,
        over(&|round| round.capacity).show(1),
    );
    for (index, multiple) in MULTIPLES.iter().enumerate() {
        let of = |path: &str| over(&|round: &Round| round.overloads[index].outcome.number(path));
        let goodput = over(&|round: &Round| round.overloads[index].goodput);
        writeln!(
            page,
            "| {multiple} × capacity | {} | {:.0} | {} | {} | {:.0} | {:.0} | {:.0} |",
            goodput.show(3),
            of("/counts/refused").median,
            of("/latency/refusal/p50_ms").show(1),
            of("/latency/refusal/p99_ms").show(1),
            of("/latency/intended/p50_ms").median,
            of("/latency/intended/p99_ms").median,
            over(&|round| round.overloads[index].peak_mib).median,
        )
        .expect("a String takes everything");
    }
    page.push_str("\n| measure | found | wanted | reached |\n|---|---|---|---|\n");
    let last = MULTIPLES.len() - 1;
    let mut row = |what: &str, found: Spread, decimals: usize, wanted: f64, is_most: bool| {
        let reached = if is_most { found.median <= wanted } else { found.median >= wanted };
        let (sign, verdict) = (if is_most { "≤" } else { "≥" }, if reached { "yes" } else { "no" });
        writeln!(page, "| {what} | **{}** | {sign} {wanted} | {verdict} |", found.show(decimals))
            .expect("a String takes everything");
    };
    let most = |round: &Round, path: &str| round.overloads[last].outcome.number(path);
    let goodput = over(&|round| round.overloads[last].goodput);
    row("goodput at 10 ×, against capacity", goodput, 3, GOODPUT_MIN, false);
    let refusal = over(&|round| most(round, "/latency/refusal/p99_ms"));
    row("a refusal at 10 ×, p99 ms", refusal, 1, REFUSAL_P99_MS_MAX, true);
    let peak = |round: usize| rounds[round].overloads[last].peak_mib;
    let growth = Spread::of([peak(count - 1) / peak(count.saturating_sub(2))]);
    row("peak memory after the last round against the one before", growth, 3, MEMORY_GROWTH_MAX, true);
    let recovery = over(&|round| round.recovery.seconds);
    row("seconds until half the capacity is served as before", recovery, 0, RECOVERY_S_MAX, true);
    let worst = over(&|round| round.fairness.worst);
    row(
        "what the worst-off of nine domains got of its share, the tenth asking for 100 ×",
        worst,
        3,
        FAIR_SHARE_MIN,
        false,
    );
    write!(
        page,
        "\nThe nine got {} of their shares in the middle, the tenth {}. A second counts as served as before when \
         nobody is refused in it and its p99 is at most twice that of the worst second before, {} ms; there must be \
         {NORMAL_S} in a row.\n",
        over(&|round| round.fairness.others).show(2),
        over(&|round| round.fairness.greedy).show(2),
        over(&|round| round.recovery.normal_p99_ms).show(0),
    )
    .expect("a String takes everything");
    Ok(page)
}
