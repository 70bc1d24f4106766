//! Does a server with ten million accounts do as well as one with a thousand?
//!
//! The store is a tree of pages of 4 KiB: ten million accounts are two levels deeper than a
//! thousand. A change then reads a leaf from the disk rather than from memory and writes some pages
//! more, a fraction of a millisecond beside the milliseconds of two hashes. What could grow with the
//! number is the time until a start is done, and the memory, if anything were read or kept for each
//! account.
//!
//! Server on one CPU, configured as it comes; generator on the other, with 16 clients that change
//! passwords of accounts by chance. Before each start the kernel is told to forget the file; before
//! the load it is read once, as it would be after some hours of service. The sizes take turns.
//!
//! `cargo bench --bench scale [-- --rounds N --seconds S --patience S]`. The accounts are made once,
//! under `target/scale` (4 GB; five minutes); remove it when you need the room. Writes
//! `benches/record/scale.md`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

mod support;

use support::generator::Generator;
use support::load::{Crowd, Load};
use support::machine::{self, Spread};
use support::process::{Place, memory_bytes, raise_open_files};
use support::server::{DOMAIN, Server};

const SERVER_CPU: usize = 0;
const GENERATOR_CPU: usize = 1;
const CLIENTS: usize = 16;
const COUNTS: [u32; 4] = [1000, 100_000, 1_000_000, 10_000_000];
const OPEN_S_MAX: f64 = 1.0;
const BYTES_MAX: f64 = 600.0;
/// Of the changes per second with most accounts, against those with fewest.
const RATE_MIN: f64 = 0.9;
const MIB: f64 = 1024.0 * 1024.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/scale.md");

/// A data directory with so many accounts.
struct Installation {
    crowd: Crowd,
    store: PathBuf,
    ledgers: PathBuf,
}

/// What one turn of one of them found.
struct Turn {
    open_s: f64,
    idle_mib: f64,
    changes_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    busy_mib: f64,
}

impl Installation {
    /// The one with `count` accounts, which are made if need be.
    fn with(count: u32, generator: &Generator<'_>) -> io::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/scale").join(count.to_string());
        let crowd = Crowd { users: format!("u{{}}@{DOMAIN}"), accounts: count, domains: 1 };
        let (store, ledgers) = (folder.join("store"), folder.join("ledgers"));
        if !ledgers.exists() {
            fs::create_dir_all(&folder)?;
            // What is there was not finished.
            if store.exists() {
                fs::remove_dir_all(&store)?;
            }
            crowd.prepare(generator, &store)?;
            fs::create_dir(&ledgers)?;
        }
        Ok(Self { crowd, store, ledgers })
    }

    /// One turn; another `seed` makes another choice of accounts.
    fn turn(&self, generator: &Generator<'_>, seconds: f64, seed: usize) -> io::Result<Turn> {
        self.for_each_file(|file| {
            file.sync_all()?;
            Ok(fadvise(file, 0, None, Advice::DontNeed)?)
        })?;
        let server = Server::start_on(Place { cpus: &[SERVER_CPU], nice: 0 }, &self.store)?;
        let mib = |name| io::Result::Ok(memory_bytes(server.pid(), name)? / MIB);
        let idle_mib = mib("RssAnon")?;
        self.for_each_file(|mut file| io::copy(&mut file, &mut io::sink()).map(|_| ()))?;
        let load = Load { generator, address: server.address(), ledgers: &self.ledgers };
        let outcome = load.run(&self.crowd, &format!("--clients {CLIENTS} --seconds {seconds} --seed {seed}"))?;
        Ok(Turn {
            open_s: server.opened_in().as_secs_f64(),
            idle_mib,
            changes_per_s: outcome.number("/goodput_per_s"),
            p50_ms: outcome.number("/latency/session/p50_ms"),
            p99_ms: outcome.number("/latency/session/p99_ms"),
            busy_mib: mib("RssAnon")?,
        })
    }

    /// A running server also has a socket there.
    fn for_each_file(&self, work: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
        fs::read_dir(&self.store)?.try_for_each(|entry| {
            let entry = entry?;
            if entry.file_type()?.is_file() { work(&File::open(entry.path())?) } else { Ok(()) }
        })
    }

    /// Bytes of each account: by the length of the files, and as the disk holds them.
    fn bytes_each(&self) -> io::Result<[f64; 2]> {
        let mut sums = [0; 2];
        for entry in fs::read_dir(&self.store)? {
            let metadata = entry?.metadata()?;
            sums[0] += metadata.len();
            sums[1] += metadata.blocks() * 512;
        }
        Ok(sums.map(|sum| sum as f64 / f64::from(self.crowd.accounts)))
    }
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    raise_open_files()?;
    let count = machine::argument("--rounds", 3.0) as usize;
    let seconds = machine::argument("--seconds", 8.0);
    let patience = machine::argument("--patience", 10.0);
    let generator = Generator::build(Place { cpus: &[GENERATOR_CPU], nice: 0 })?;
    let installations =
        COUNTS.into_iter().map(|count| Installation::with(count, &generator)).collect::<io::Result<Vec<_>>>()?;
    let mut turns: [Vec<Turn>; COUNTS.len()] = Default::default();
    for number in 1..=count {
        machine::await_quiet(patience)?;
        for (installation, turns) in installations.iter().zip(&mut turns) {
            let turn = installation.turn(&generator, seconds, number)?;
            println!(
                "round {number}, {} accounts: open in {:.3} s, {:.1} changes/s, p99 {:.0} ms, {:.0} MiB",
                installation.crowd.accounts, turn.open_s, turn.changes_per_s, turn.p99_ms, turn.busy_mib
            );
            turns.push(turn);
        }
    }
    let bytes: Vec<_> = installations.iter().map(Installation::bytes_each).collect::<Result<_, _>>()?;
    let record = record(&turns, &bytes, count, seconds)?;
    println!("\n{record}");
    fs::write(RECORD, record)
}

/// The page that is kept.
fn record(turns: &[Vec<Turn>; COUNTS.len()], bytes: &[[f64; 2]], count: usize, seconds: f64) -> io::Result<String> {
    let mut page = format!(
        "# Ten million accounts beside a thousand\n\n{}. Server on CPU {SERVER_CPU}, generator on CPU {GENERATOR_CPU}; the \
         default configuration; Argon2id 19456 KiB, t=2, p=1; {CLIENTS} clients, each: connect, log in, change the password, \
         leave, again, on accounts by chance.\n`cargo bench --bench scale -- --rounds {count} --seconds {seconds}`: median \
         (min–max) of {count} rounds, in each of which every size has its turn. Open: from the start of the process until \
         it serves, the file being in no cache; it is read once before the load. Memory: anonymous, resident, just after that and after the load.\n\n\
         | accounts | open s | bytes each | on disk | changes/s | p50 ms | p99 ms | memory idle MiB | busy MiB |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        machine::describe()?,
    );
    for ((accounts, turns), [length, on_disk]) in COUNTS.iter().zip(turns).zip(bytes) {
        let over = |of: fn(&Turn) -> f64| Spread::of(turns.iter().map(of));
        writeln!(
            page,
            "| {accounts} | {} | {length:.0} | {on_disk:.0} | {} | {} | {} | {:.0} | {:.0} |",
            over(|turn| turn.open_s).show(3),
            over(|turn| turn.changes_per_s).show(1),
            over(|turn| turn.p50_ms).show(0),
            over(|turn| turn.p99_ms).show(0),
            over(|turn| turn.idle_mib).median,
            over(|turn| turn.busy_mib).median,
        )
        .expect("a String takes everything");
    }
    let (fewest, most) = (&turns[0], &turns[COUNTS.len() - 1]);
    let rate = Spread::of(most.iter().zip(fewest).map(|(most, fewest)| most.changes_per_s / fewest.changes_per_s));
    let open = Spread::of(most.iter().map(|turn| turn.open_s));
    let bytes = bytes[COUNTS.len() - 1][0];
    let reached = |reached: bool| if reached { "yes" } else { "no" };
    write!(
        page,
        "\n| measure at {} accounts | found | wanted | reached |\n|---|---|---|---|\n\
         | open s | **{}** | ≤ {OPEN_S_MAX} | {} |\n\
         | bytes of each account | **{bytes:.0}** | ≤ {BYTES_MAX} | {} |\n\
         | changes/s against those at {}, within each round | **{}** | ≥ {RATE_MIN} | {} |\n",
        COUNTS[COUNTS.len() - 1],
        open.show(3),
        reached(open.median <= OPEN_S_MAX),
        reached(bytes <= BYTES_MAX),
        COUNTS[0],
        rate.show(3),
        reached(rate.median >= RATE_MIN),
    )
    .expect("a String takes everything");
    Ok(page)
}
