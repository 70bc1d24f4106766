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
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyturn::model::Argon2idCost;

#[path = "support/machine.rs"]
mod machine;
#[path = "support/process.rs"]
mod process;
#[path = "support/server.rs"]
mod server;

use machine::Spread;
use process::{Place, raise_open_files};
use server::{DOMAIN, Home, PASSWORD, Server};

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
/// Of so many accounts of a block one is created through one session.
const CREATION_ALONE: u64 = 20;
const CREATION_BLOCKS: u64 = 10;
const PROBES: usize = 4;
const PROBE_PERIOD: Duration = Duration::from_millis(4);
const PROBE_P99_US_MAX: f64 = 2000.0;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/commands.md");
const RECORD_OF_CREATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/creation.md");

/// An inline session of the postmaster.
struct Session {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Session {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let replies = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        let mut session = Self { stream, replies, line: Vec::new() };
        session.reply()?;
        for line in [&format!("USER postmaster@{DOMAIN}"), &format!("PASS {PASSWORD}"), "INLINE"] {
            session.stream.write_all(format!("{line}\r\n").as_bytes())?;
            session.reply()?;
        }
        Ok(session)
    }

    /// Reads a reply, which must be one of success.
    fn reply(&mut self) -> io::Result<()> {
        self.line.clear();
        self.replies.read_until(b'\n', &mut self.line)?;
        let is_success = matches!(self.line.first(), Some(b'2' | b'3'));
        if is_success { Ok(()) } else { Err(io::Error::other(self.line.escape_ascii().to_string())) }
    }

    /// Sends `count` lines at once and reads their replies.
    fn exchange(&mut self, lines: &str, count: usize) -> io::Result<()> {
        self.stream.write_all(lines.as_bytes())?;
        (0..count).try_for_each(|_| self.reply())
    }

    /// What the server has counted under `name`.
    fn statistic(&mut self, name: &str) -> io::Result<f64> {
        self.exchange(&format!("GETSTATELEMENT {name}\r\n"), 1)?;
        let line = String::from_utf8_lossy(&self.line);
        let number = line.trim_end().strip_prefix("201 #").and_then(|number| number.parse().ok());
        number.ok_or_else(|| io::Error::other(line.into_owned()))
    }

    /// Asks for a list and throws it away; returns its length.
    fn list(&mut self) -> io::Result<usize> {
        self.stream.write_all(b"LISTACCOUNTS\r\n")?;
        let mut length = 0;
        loop {
            let some = self.replies.fill_buf()?;
            let (count, is_end) = (some.len(), some.last() == Some(&b'\n'));
            assert!(count > 0, "the server has hung up");
            self.replies.consume(count);
            length += count;
            if is_end {
                return Ok(length);
            }
        }
    }
}

/// Processor time of all threads of `server` so far.
fn cpu_of(server: &Server) -> io::Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid()))?;
    // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
    Ok(TICK * fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum())
}

/// What a load came to.
#[derive(Clone, Copy, Debug)]
struct Found {
    per_s: f64,
    /// Processor time of the server for each.
    cpu_us: f64,
}

impl Found {
    fn of(count: usize, time: Duration, cpu: Duration) -> Self {
        let count = count as f64;
        Self { per_s: count / time.as_secs_f64(), cpu_us: cpu.as_secs_f64() * 1e6 / count }
    }
}

/// Sessions that one thread serves, each in a closed loop. It never sleeps: to wake it would cost
/// the server as much as to serve it.
struct Crowd {
    members: Vec<Member>,
    /// Commands in one send.
    depth: usize,
}

struct Member {
    session: Session,
    /// Replies that have not come.
    awaited: usize,
    received: Vec<u8>,
}

impl Crowd {
    fn open(address: SocketAddr, sessions: usize, depth: usize) -> io::Result<Self> {
        let member = |_| {
            let session = Session::open(address)?;
            session.stream.set_nonblocking(true)?;
            Ok(Member { session, awaited: 0, received: Vec::new() })
        };
        Ok(Self { members: (0..sessions).map(member).collect::<io::Result<_>>()?, depth })
    }

    /// Looks at every session once. Who has all replies sends what `line` appends, as often as
    /// there are commands in a send; what has no line ends. Returns the replies that have come, or
    /// `None`: everybody has them all, and there is nothing to send.
    fn turn(&mut self, mut line: impl FnMut(&mut String) -> bool) -> io::Result<Option<usize>> {
        let (mut replies, mut is_over, mut lines) = (0, true, String::new());
        for member in &mut self.members {
            if member.awaited > 0 {
                let count = member.read()?;
                member.awaited -= count;
                replies += count;
            }
            if member.awaited == 0 {
                lines.clear();
                member.awaited = (0..self.depth).take_while(|_| line(&mut lines)).count();
                member.session.stream.write_all(lines.as_bytes())?;
            }
            is_over &= member.awaited == 0;
        }
        Ok((!is_over).then_some(replies))
    }
}

impl Member {
    /// The replies that have come, all of success.
    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        match self.session.stream.read(&mut buffer) {
            Ok(0) => return Err(io::Error::other("the server has hung up")),
            Ok(count) => self.received.extend(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let whole = self.received.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut count = 0;
        for reply in self.received.drain(..whole).as_slice().split_inclusive(|&byte| byte == b'\n') {
            if reply.first() != Some(&b'2') {
                return Err(io::Error::other(reply.escape_ascii().to_string()));
            }
            count += 1;
        }
        Ok(count)
    }
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

/// How long NOOPs take that are due every few milliseconds on each of some sessions, from the
/// moment each was due, in µs: the 50th and the 99th of a hundred, and the longest.
fn probe(server: &Server, seconds: f64) -> io::Result<[f64; 3]> {
    let opened: Vec<_> = (0..PROBES).map(|_| Session::open(server.address())).collect::<io::Result<_>>()?;
    let begun = Instant::now() + Duration::from_millis(10);
    let one = |index: usize, mut session: Session| -> io::Result<Vec<f64>> {
        let mut times = Vec::new();
        let mut due = begun + PROBE_PERIOD * index as u32 / PROBES as u32;
        while due < begun + Duration::from_secs_f64(seconds) {
            while Instant::now() < due {
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
            session.exchange("NOOP\r\n", 1)?;
            times.push(due.elapsed().as_secs_f64() * 1e6);
            due += PROBE_PERIOD;
        }
        Ok(times)
    };
    let mut times = std::thread::scope(|scope| -> io::Result<Vec<f64>> {
        let threads: Vec<_> =
            opened.into_iter().enumerate().map(|(index, session)| scope.spawn(move || one(index, session))).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("a probe does not panic"));
        Ok(times.collect::<io::Result<Vec<_>>>()?.concat())
    })?;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok([at(0.5), at(0.99), at(1.0)])
}

/// The same while a list is sent over and over; returns also how often and how fast.
fn probe_while_listing(server: &Server, seconds: f64) -> io::Result<([f64; 3], u64, f64)> {
    let enough = AtomicBool::new(false);
    let mut reader = Session::open(server.address())?;
    std::thread::scope(|scope| {
        let lister = scope.spawn(|| -> io::Result<(u64, f64)> {
            let (begun, mut lists, mut bytes) = (Instant::now(), 0, 0);
            while !enough.load(Ordering::Relaxed) {
                bytes += reader.list()?;
                lists += 1;
            }
            Ok((lists, bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()))
        });
        let times = probe(server, seconds);
        enough.store(true, Ordering::Relaxed);
        let (lists, rate) = lister.join().expect("the reader does not panic")?;
        Ok((times?, lists, rate))
    })
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

/// What was measured, row by row.
#[derive(Default)]
struct Rows(Vec<(String, Vec<Found>)>);

impl Rows {
    fn add(&mut self, title: &str, found: Found) {
        match self.0.iter_mut().find(|(known, _)| known == title) {
            Some((_, all)) => all.push(found),
            None => self.0.push((title.to_owned(), vec![found])),
        }
    }

    fn print(&self) -> String {
        let mut text = String::new();
        for (title, all) in &self.0 {
            let per_s = Spread::of(all.iter().map(|found| found.per_s));
            let cpu = Spread::of(all.iter().map(|found| found.cpu_us));
            let possible = Spread::of(all.iter().map(|found| 1e6 / found.cpu_us));
            writeln!(text, "| {title} | {} | {} | {} |", per_s.show(0), cpu.show(1), possible.show(0))
                .expect("a String takes everything");
        }
        text
    }
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

/// Lists so many accounts over and over; returns the rows of what others notice.
fn measure_listing(listed: u64, rounds: usize, seconds: f64) -> io::Result<String> {
    let home = Home::new(SERVER.cpus.len(), COST)?;
    let import = populate(&home, listed)?;
    let server = home.serve(SERVER)?;
    let (mut alone, mut meanwhile, mut lists, mut rates) = (Vec::new(), Vec::new(), 0, Vec::new());
    for _ in 0..rounds {
        alone.push(probe(&server, seconds)?);
        let (times, count, rate) = probe_while_listing(&server, seconds)?;
        meanwhile.push(times);
        lists += count;
        rates.push(rate);
    }
    let over = |all: &[[f64; 3]], index: usize| Spread::of(all.iter().map(|times| times[index]));
    let p99 = over(&meanwhile, 1);
    Ok(format!(
        "| NOOP p50 while a list of {listed} accounts is sent, µs | {} | | |\n\
         | NOOP p99 meanwhile, µs | **{}** | ≤ {PROBE_P99_US_MAX:.0} | {} |\n\
         | the longest meanwhile, µs | {} | | |\n\
         | NOOP p99 without a list, µs | {} | | |\n\
         | the list, MB/s | {} | | |\n\
         | lists read meanwhile | {lists} | | |\n\
         | `keyturn import` of {listed} JSON lines, s | {:.1} | | |\n",
        over(&meanwhile, 0).show(0),
        p99.show(0),
        yes_or_no(p99.median <= PROBE_P99_US_MAX),
        over(&meanwhile, 2).show(0),
        over(&alone, 1).show(0),
        Spread::of(rates.iter().copied()).show(0),
        import.as_secs_f64(),
    ))
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// Creates the accounts of these numbers through `sessions` sessions.
fn create_all(server: &Server, sessions: usize, numbers: Range<u64>) -> io::Result<Found> {
    let mut crowd = Crowd::open(server.address(), sessions, 1)?;
    let (begun, cpu_before, mut left) = (Instant::now(), cpu_of(server)?, numbers.clone());
    let mut line = |lines: &mut String| {
        left.next().is_some_and(|number| {
            create("c", number, lines);
            true
        })
    };
    while crowd.turn(&mut line)?.is_some() {}
    Ok(Found::of((numbers.end - numbers.start) as usize, begun.elapsed(), cpu_of(server)? - cpu_before))
}

/// How long syncs of a file in `folder` take whose length does not change.
fn sync_times_us(folder: &Path) -> io::Result<Vec<f64>> {
    const COUNT: u64 = 200;
    const BLOCK: [u8; 4096] = [1; 4096];
    let path = folder.join("sync");
    let file = File::create(&path)?;
    let write = |index| file.write_all_at(&BLOCK, index * BLOCK.len() as u64);
    (0..COUNT).try_for_each(write)?;
    file.sync_all()?;
    let time = |index| {
        write(index)?;
        let begun = Instant::now();
        file.sync_data()?;
        Ok(begun.elapsed().as_secs_f64() * 1e6)
    };
    let times = (0..COUNT).map(time).collect();
    fs::remove_file(path)?;
    times
}

/// Creates `count` accounts, in each block of them some through one session and the rest through
/// many, and lists them.
fn measure_creation(count: u64, machine: &str) -> io::Result<String> {
    let home = Home::new(SERVER.cpus.len(), COST)?;
    populate(&home, 0)?;
    let sync = Spread::of(sync_times_us(home.path())?);
    let server = home.serve(SERVER)?;
    let (mut rows, mut ratios, mut per_sync) = (Rows::default(), Vec::new(), Vec::new());
    let mut watcher = Session::open(server.address())?;
    for block in 0..CREATION_BLOCKS {
        let (first, end) = (count * block / CREATION_BLOCKS, count * (block + 1) / CREATION_BLOCKS);
        let alone = first + (end - first) / CREATION_ALONE;
        let one = create_all(&server, 1, first..alone)?;
        let before = [watcher.statistic("groups")?, watcher.statistic("grouped")?];
        let many = create_all(&server, SESSIONS, alone..end)?;
        let after = [watcher.statistic("groups")?, watcher.statistic("grouped")?];
        rows.add("1 session", one);
        rows.add(&format!("{SESSIONS} sessions"), many);
        ratios.push(many.per_s / one.per_s);
        per_sync.push((after[1] - before[1]) / (after[0] - before[0]));
    }
    let mut list = String::new();
    watcher.stream.write_all(b"LISTACCOUNTS\r\nQUIT\r\n")?;
    watcher.replies.read_to_string(&mut list)?;
    let listed = list.matches("=macnt;").count() as u64;
    assert_eq!(listed, count + 1, "every acknowledged account is in the list, and the postmaster");
    let ratio = Spread::of(ratios.iter().copied());
    Ok(format!(
        "# {count} accounts created\n\n{machine}. Server on CPU 0 with one shard, sessions on CPU {GENERATOR_CPU}.\n\
         `cargo bench --bench commands -- --created {count}`: median (min–max) of {CREATION_BLOCKS} blocks, in each of which \
         one session created 1/{CREATION_ALONE} of the accounts, and then {SESSIONS} sessions the others.\n\n\
         | through | per second | server CPU each, µs | per second and core at that cost |\n|---|---|---|---|\n{}\n\
         | measure | found | wanted | reached |\n|---|---|---|---|\n\
         | {SESSIONS} sessions against one | **{}** | ≥ {GROUP_RATIO_MIN} | {} |\n\
         | accounts for each commit, {SESSIONS} sessions | {} | | |\n\
         | a sync of this disk after a write of 4 KiB, µs; a commit has two | {} | | |\n\
         | accounts in the list afterwards, the postmaster left out | {} | {count} | yes |\n",
        rows.print(),
        ratio.show(1),
        yes_or_no(ratio.median >= GROUP_RATIO_MIN),
        Spread::of(per_sync.iter().copied()).show(1),
        sync.show(0),
        listed - 1,
    ))
}
