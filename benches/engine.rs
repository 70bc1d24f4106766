//! What does a request cost the server's core, beyond what the kernel's TCP stack costs anyway?
//!
//! A bound to compare with: one receive and one send over loopback are some 1.3 µs of kernel time
//! on a fast core, plus waking up; parsing a line and copying a reply are below 0.1 µs. So the
//! engine decides how often it enters the kernel, and little else. redis, which does one read and
//! one write per request from an epoll loop, is measured in the same run, by turns, on the same
//! core: absolute numbers differ between machines and hours, the ratios far less.
//!
//! The third server is the same framing and dialogue on tokio-uring, which tells what driving the
//! ring by hand is worth.
//!
//! `cargo bench --bench engine [-- --rounds N --tries N --seconds S --patience S --nice N]`; the
//! environment variable `KEYTURN_REDIS_SERVER` names redis where it is not on the path. Writes
//! `benches/record/engine.md`.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{array, env, fs};

mod support;

use support::baseline;
use support::generator::{self, Findings, Generator};
use support::machine::{self, Spread};
use support::process::{Place, Running, memory_bytes, raise_open_files, spawn_in};
use support::server::{Server, await_listener, free_address};

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const IDLE_CONNECTIONS: u32 = 10_000;
const IDLE_BYTES_MAX: f64 = 256.0;
/// Processors that other processes may use before a result is only provisional.
const NOISE_MAX: f64 = 0.1;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/engine.md");

/// A kind of load, and the most it may cost in comparison with redis.
struct Workload {
    title: &'static str,
    arguments: &'static str,
    is_logged_in: bool,
    /// Our processor time per operation against redis'.
    ratio_max: f64,
}

const WORKLOADS: [Workload; 3] = [
    Workload {
        title: "NOOP (redis: PING), 64 connections",
        arguments: "pingpong --connections 64",
        is_logged_in: true,
        ratio_max: 0.80,
    },
    Workload {
        title: "NOOP (redis: PING), 64 connections, 16 per send",
        arguments: "pipelined --connections 64 --pipeline 16",
        is_logged_in: true,
        ratio_max: 0.45,
    },
    Workload {
        title: "connect, greeting, QUIT (redis: connect, PING, QUIT), 64 at a time",
        arguments: "churn --connections 64",
        is_logged_in: false,
        ratio_max: 1.0,
    },
];

/// The argument by which this program, started again, becomes the third server.
const SERVE_BASELINE: &str = "--serve-baseline";

/// One of the servers that are compared.
struct Contender {
    name: &'static str,
    protocol: &'static str,
    address: SocketAddr,
    pid: u32,
    /// Ends the server when dropped.
    _process: Process,
}

#[expect(dead_code, reason = "held for their ends")]
enum Process {
    Ours(Server),
    Child(Running),
}

impl Contender {
    /// Starts all three: ours first.
    fn start_all(nice: i32) -> io::Result<[Self; 3]> {
        let place = Place { cpus: &[SERVER_CPU], nice };
        let server = Server::start(place, 1, baseline::COST)?;
        let ours = Self {
            name: "keyturn",
            protocol: "keyturn",
            address: server.address(),
            pid: server.pid(),
            _process: Process::Ours(server),
        };
        let redis = env::var("KEYTURN_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let address = free_address()?;
        let mut command = Command::new(&redis);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--maxclients", "15000"]);
        command.args(["--save", "", "--appendonly", "no", "--protected-mode", "no"]);
        let redis = Self::start("redis", "redis", address, place, &mut command)?;
        let address = free_address()?;
        let mut command = Command::new(env::current_exe()?);
        command.arg(SERVE_BASELINE).arg(address.to_string());
        let baseline = Self::start("tokio-uring", "keyturn", address, place, &mut command)?;
        Ok([ours, redis, baseline])
    }

    fn start(
        name: &'static str,
        protocol: &'static str,
        address: SocketAddr,
        place: Place<'_>,
        command: &mut Command,
    ) -> io::Result<Self> {
        let child = spawn_in(place, command.stdin(Stdio::null()).stdout(Stdio::null()))
            .map_err(|error| io::Error::new(error.kind(), format!("{name} cannot be started: {error}")))?;
        let process = Running(child);
        await_listener(address)?;
        Ok(Self { name, protocol, address, pid: process.0.id(), _process: Process::Child(process) })
    }

    fn measure(&self, generator: &Generator<'_>, workload: &Workload, seconds: f64) -> io::Result<Findings> {
        let login = if workload.is_logged_in && self.protocol == "keyturn" { "--user u0 --password-stdin" } else { "" };
        let arguments = format!(
            "{} {login} --protocol {} --server-pid {} --seconds {seconds}",
            workload.arguments, self.protocol, self.pid
        );
        generator.run(self.address, &arguments)
    }

    /// Bytes of anonymous memory per connection: while [`IDLE_CONNECTIONS`] are open, against none.
    fn idle_bytes(&self, generator: &Generator<'_>, touch: &str) -> io::Result<f64> {
        let before = memory_bytes(self.pid, "RssAnon")?;
        let arguments = format!("idle {touch} --protocol {} --connections {IDLE_CONNECTIONS}", self.protocol);
        let mut child = generator.start(self.address, &arguments)?;
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut String::new())?;
        let after = memory_bytes(self.pid, "RssAnon")?;
        let kept = generator::finish(child)?.number("kept");
        if kept < f64::from(IDLE_CONNECTIONS) {
            return Err(io::Error::other(format!("only {kept} idle connections were kept")));
        }
        Ok((after - before) / f64::from(IDLE_CONNECTIONS))
    }
}

/// The same load on all servers, one right after the other: what each run found.
type Round = [Findings; 3];

/// The most that other processes used during a round, in processors.
fn noise(round: &Round) -> f64 {
    round.iter().map(|findings| findings.number("others_cpu_share")).fold(0.0, f64::max)
}

/// The `count` rounds during which other processes used the least processor time.
fn quietest(mut rounds: Vec<Round>, count: usize) -> Vec<Round> {
    rounds.sort_by(|one, other| noise(one).total_cmp(&noise(other)));
    rounds.truncate(count);
    rounds
}

/// The rows about one workload, one per server: medians over the quietest `count` of `all` rounds,
/// and the least costs of all, to which other processes have added least.
fn cost_rows(workload: &Workload, names: [&str; 3], all: &[Round], count: usize) -> String {
    let cost = |findings: &Findings| findings.number("server_cpu_ns_per_op");
    let least = |index: usize| Spread::of(all.iter().map(|round| cost(&round[index]))).min;
    let rounds = quietest(all.to_vec(), count);
    let mut rows = String::new();
    for (index, name) in names.into_iter().enumerate() {
        let over = |number: &str| Spread::of(rounds.iter().map(|round| round[index].number(number)));
        let ratio = Spread::of(rounds.iter().map(|round| cost(&round[0]) / cost(&round[index])));
        let verdict = match name {
            "keyturn" => String::new(),
            "redis" => {
                let reached = if ratio.median <= workload.ratio_max { "reached" } else { "missed" };
                format!("**{}**; at most {:.2}: {reached}", ratio.show(2), workload.ratio_max)
            }
            _ => ratio.show(2),
        };
        writeln!(
            rows,
            "| {} | {name} | {} | {verdict} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            if index == 0 { workload.title } else { "" },
            over("server_cpu_ns_per_op").show(0),
            least(index),
            least(0) / least(index),
            over("ops_per_s").median,
            over("p99_us").median,
            over("server_cpu_share").median,
            over("generator_cpu_share").median,
            over("others_cpu_share").max,
        )
        .expect("a String takes everything");
    }
    rows
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    if let Some(address) = env::args().skip_while(|argument| argument != SERVE_BASELINE).nth(1) {
        return baseline::serve(address.parse().map_err(io::Error::other)?);
    }
    raise_open_files()?;
    let count = machine::argument("--rounds", 5.0) as usize;
    let tries = machine::argument("--tries", count as f64) as usize;
    let seconds = machine::argument("--seconds", 2.0);
    let patience = machine::argument("--patience", 10.0);
    let nice = machine::argument("--nice", 0.0) as i32;
    let generator = Generator::build(Place { cpus: &[GENERATOR_CPU], nice })?;
    let mut rounds: [Vec<Round>; WORKLOADS.len()] = Default::default();
    let contenders = Contender::start_all(nice)?;
    for number in 1..=tries {
        for (workload, rounds) in WORKLOADS.iter().zip(&mut rounds) {
            machine::await_quiet(patience)?;
            println!("round {number}: {}", workload.title);
            let mut found = Vec::new();
            for contender in &contenders {
                let findings = contender.measure(&generator, workload, seconds)?;
                println!("  {:<12} {findings}", contender.name);
                found.push(findings);
            }
            rounds.push(found.try_into().expect("one for each contender"));
        }
    }
    let names = array::from_fn(|index| contenders[index].name);
    drop(contenders);
    let mut record = format!(
        "# The engine against redis\n\n{}. Server on CPU {SERVER_CPU} (one shard), generator on CPU {GENERATOR_CPU}, \
         loopback, windows of {seconds} s.\n`cargo bench --bench engine -- --rounds {count} --tries {tries} --seconds \
         {seconds} --patience {patience} --nice {nice}`: median (min–max) of the {count} quietest of {tries} rounds; ratios are taken \
         within each. The least are those of all {tries} rounds.\n\nThe CPU columns count processors: of the server, of the generator, and of other processes in \
         the worst of the rounds kept. Where the generator comes near 1, operations per second are its limit.\n\n\
         | workload | server | CPU ns/op | keyturn against it | least | least against least | ops/s | p99 µs | its CPU | generator's | others' |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
        machine::describe()?,
    );
    let worst =
        rounds.iter().flat_map(|rounds| quietest(rounds.clone(), count)).map(|it| noise(&it)).fold(0.0, f64::max);
    if worst > NOISE_MAX {
        let warning = "**Provisional: the machine was not quiet. Trust the least costs, and measure again.**";
        record = record.replacen("\n\n", &format!("\n\n{warning}\n\n"), 1);
    }
    for (workload, rounds) in WORKLOADS.iter().zip(rounds) {
        record.push_str(&cost_rows(workload, names, &rounds, count));
    }
    record.push_str(&idle_table(&generator, nice)?);
    println!("\n{record}");
    fs::write(RECORD, record)
}

/// Memory per idle connection, on fresh servers.
fn idle_table(generator: &Generator<'_>, nice: i32) -> io::Result<String> {
    let mut table = format!(
        "\nAnonymous memory per connection in bytes, {IDLE_CONNECTIONS} of them, on servers that have done nothing \
         else. (The kernel gives memory in pages of 2 MiB here, that is, 210 B per connection.)\n\n\
         | connections | keyturn | redis | tokio-uring |\n|---|---|---|---|\n"
    );
    for (title, touch) in [("silent", ""), ("after one request each", "--touch")] {
        let contenders = Contender::start_all(nice)?;
        write!(table, "| {title} |").expect("a String takes everything");
        for contender in &contenders {
            write!(table, " {:.0} |", contender.idle_bytes(generator, touch)?).expect("a String takes everything");
        }
        // The pages of the slab have been touched now: what is left is what connections allocate.
        std::thread::park_timeout(Duration::from_secs(2));
        let again = contenders[0].idle_bytes(generator, touch)?;
        let verdict = if again <= IDLE_BYTES_MAX { "reached" } else { "missed" };
        write!(
            table,
            "\n| {title}, beyond the preallocated slab | **{again:.0}**; at most {IDLE_BYTES_MAX:.0}: {verdict} | – | – |\n"
        )
        .expect("a String takes everything");
    }
    Ok(table)
}
