//! What does a request cost the server's core, beyond what the kernel's TCP stack costs anyway?
//!
//! A bound to compare with: one receive and one send over loopback are some 1.3 µs of kernel time
//! on a fast core, plus waking up; parsing a line and copying a reply are below 0.1 µs. So the
//! engine decides how often it enters the kernel, and little else. redis, which does one read and
//! one write per request from an epoll loop, is measured in the same run, by turns, on the same
//! core: absolute numbers differ between machines and hours, the ratios far less.
//!
//! `cargo bench --bench engine [-- --rounds N --seconds S]`; `KEYTURN_REDIS_SERVER` names redis
//! where it is not on the path. Writes `benches/record/engine.md`.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

#[path = "support/generator.rs"]
mod generator;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/process.rs"]
mod process;
#[path = "support/server.rs"]
mod server;

use generator::{Findings, Generator};
use machine::Spread;
use process::{Running, raise_open_files, spawn_on};
use server::{Server, await_listener, free_address};

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const IDLE_CONNECTIONS: u32 = 10_000;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/engine.md");

/// A kind of load, and the most it may cost in comparison with redis.
struct Workload {
    title: &'static str,
    arguments: &'static str,
    needs_login: bool,
    ratio_max: f64,
}

const WORKLOADS: [Workload; 3] = [
    Workload {
        title: "NOOP (redis: PING), 64 connections",
        arguments: "pingpong --connections 64",
        needs_login: true,
        ratio_max: 0.80,
    },
    Workload {
        title: "NOOP (redis: PING), 64 connections, 16 per send",
        arguments: "pipelined --connections 64 --pipeline 16",
        needs_login: true,
        ratio_max: 0.45,
    },
    Workload {
        title: "connect, greeting, QUIT (redis: connect, PING, QUIT), 64 at a time",
        arguments: "churn --connections 64",
        needs_login: false,
        ratio_max: 1.0,
    },
];

/// One server of the two.
struct Contender {
    address: SocketAddr,
    pid: u32,
    protocol: &'static str,
}

impl Contender {
    fn measure(&self, generator: &Generator, workload: &Workload, seconds: f64) -> io::Result<Findings> {
        let login = if workload.needs_login && self.protocol == "keyturn" { "--user u0 --password-stdin" } else { "" };
        let arguments = format!(
            "{} {login} --protocol {} --server-pid {} --seconds {seconds}",
            workload.arguments, self.protocol, self.pid
        );
        generator.run(self.address, &arguments)
    }

    /// Bytes of anonymous memory per connection: while [`IDLE_CONNECTIONS`] are open, against none.
    fn idle_bytes(&self, generator: &Generator, touch: &str) -> io::Result<f64> {
        let before = anonymous_bytes(self.pid)?;
        let arguments = format!("idle {touch} --protocol {} --connections {IDLE_CONNECTIONS}", self.protocol);
        let mut child = generator.start(self.address, &arguments)?;
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut String::new())?;
        let after = anonymous_bytes(self.pid)?;
        let kept = generator::finish(child)?.number("kept");
        if kept < f64::from(IDLE_CONNECTIONS) {
            return Err(io::Error::other(format!("only {kept} idle connections were kept")));
        }
        Ok((after - before) / f64::from(IDLE_CONNECTIONS))
    }
}

/// The anonymous memory of process `pid` that is resident.
fn anonymous_bytes(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| io::Error::other("the kernel does not say RssAnon"))
}

fn start_redis() -> io::Result<(Running, SocketAddr)> {
    let binary = env::var("KEYTURN_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let address = free_address()?;
    let mut command = Command::new(&binary);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--maxclients", "15000"]);
    command
        .args(["--save", "", "--appendonly", "no", "--protected-mode", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let child = spawn_on(&[SERVER_CPU], &mut command)
        .map_err(|error| io::Error::new(error.kind(), format!("{binary} (Debian: redis-server): {error}")))?;
    let redis = Running(child);
    await_listener(address)?;
    Ok((redis, address))
}

/// Starts both servers, lets `act` use them, and ends them.
fn with_both<T>(act: impl FnOnce(&Contender, &Contender) -> io::Result<T>) -> io::Result<T> {
    let server = Server::start(&[SERVER_CPU], 1)?;
    let (redis, redis_address) = start_redis()?;
    let ours = Contender { address: server.address(), pid: server.pid(), protocol: "keyturn" };
    let theirs = Contender { address: redis_address, pid: redis.0.id(), protocol: "redis" };
    act(&ours, &theirs)
}

/// Two runs of the same load, one right after the other.
#[derive(Clone)]
struct Pair {
    ours: Findings,
    theirs: Findings,
}

impl Pair {
    /// The most that other processes used meanwhile, in processors.
    fn noise(&self) -> f64 {
        self.ours.number("others_cpu_share").max(self.theirs.number("others_cpu_share"))
    }
}

/// A row of the table about processor time.
fn cost_row(workload: &Workload, pairs: &[Pair]) -> String {
    let ours = |name: &str| Spread::of(pairs.iter().map(|pair| pair.ours.number(name)));
    let theirs = |name: &str| Spread::of(pairs.iter().map(|pair| pair.theirs.number(name)));
    let cost = "server_cpu_ns_per_op";
    let ratio = Spread::of(pairs.iter().map(|pair| pair.ours.number(cost) / pair.theirs.number(cost)));
    format!(
        "| {} | {} | {} | **{}** | {:.2} | {} | {:.0} | {:.0} | {:.2} / {:.2} | {:.2} / {:.2} | {:.2} |",
        workload.title,
        ours(cost).show(0),
        theirs(cost).show(0),
        ratio.show(2),
        workload.ratio_max,
        if ratio.median <= workload.ratio_max { "yes" } else { "no" },
        ours("ops_per_s").median,
        theirs("ops_per_s").median,
        ours("server_cpu_share").median,
        theirs("server_cpu_share").median,
        ours("generator_cpu_share").median,
        theirs("generator_cpu_share").median,
        Spread::of(pairs.iter().map(Pair::noise)).max,
    )
}

/// The `rounds` pairs during which other processes used the least processor time.
fn quietest(mut pairs: Vec<Pair>, rounds: usize) -> Vec<Pair> {
    pairs.sort_by(|one, other| one.noise().total_cmp(&other.noise()));
    pairs.truncate(rounds);
    pairs
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let rounds = machine::argument("--rounds", 5.0) as usize;
    let tries = machine::argument("--tries", rounds as f64) as usize;
    let seconds = machine::argument("--seconds", 2.0);
    let patience = machine::argument("--patience", 10.0);
    let generator = Generator::build(&[GENERATOR_CPU])?;
    let mut record = format!(
        "# The engine against redis\n\n{}. Server on CPU {SERVER_CPU} (one shard), generator on CPU {GENERATOR_CPU}, \
         loopback, windows of {seconds} s.\n`cargo bench --bench engine -- --rounds {rounds} --tries {tries} \
         --seconds {seconds}`: median (min–max) of the {rounds} quietest of {tries} alternations; the ratio is taken \
         within each.\n\n\
         | workload | keyturn CPU ns/op | redis CPU ns/op | ratio | at most | reached | keyturn ops/s | redis ops/s \
         | server CPU | generator CPU | others' CPU (worst) |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        machine::describe()?,
    );
    let mut pairs: [Vec<Pair>; WORKLOADS.len()] = Default::default();
    with_both(|ours, theirs| {
        for round in 1..=tries {
            for (workload, pairs) in WORKLOADS.iter().zip(&mut pairs) {
                machine::await_quiet(patience)?;
                let pair = Pair {
                    ours: ours.measure(&generator, workload, seconds)?,
                    theirs: theirs.measure(&generator, workload, seconds)?,
                };
                println!("round {round}: {}", workload.title);
                println!("  keyturn {}\n  redis   {}", pair.ours, pair.theirs);
                pairs.push(pair);
            }
        }
        Ok(())
    })?;
    for (workload, pairs) in WORKLOADS.iter().zip(pairs) {
        writeln!(record, "{}", cost_row(workload, &quietest(pairs, rounds))).expect("a String takes everything");
    }
    record.push_str(&idle_table(&generator)?);
    println!("\n{record}");
    fs::write(RECORD, record)
}

/// Memory per idle connection, on servers that have done nothing else. The second time the pages
/// that connections live in have been touched before, so what is left is what they allocate.
fn idle_table(generator: &Generator) -> io::Result<String> {
    let mut table = format!(
        "\nAnonymous memory per connection, {IDLE_CONNECTIONS} of them, on fresh servers (wanted: at most 256 B beyond \
         the preallocated slab):\n\n| connections | keyturn B | redis B |\n|---|---|---|\n"
    );
    with_both(|ours, theirs| {
        for (title, touch) in [
            ("silent, the first", ""),
            ("silent, again after those have left: beyond the slab", ""),
            ("again, after one request each", "--touch"),
        ] {
            let (our, their) = (ours.idle_bytes(generator, touch)?, theirs.idle_bytes(generator, touch)?);
            writeln!(table, "| {title} | **{our:.0}** | {their:.0} |").expect("a String takes everything");
            // Both servers have noticed that all have left.
            std::thread::park_timeout(Duration::from_secs(2));
        }
        Ok(())
    })?;
    Ok(table)
}
