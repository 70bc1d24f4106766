//! How many Argon2id hashes does a core make with each kernel, and do two cores make twice as
//! many?
//!
//! The limit for AVX-512 is the arithmetic: 464 vector instructions a block, on two 512-bit units
//! (or four half as wide) at least 232 cycles, so about 400 hashes a second of 19456 KiB and two
//! passes at 3.7 GHz. What is missing from that is waiting, for memory and for the instruction
//! before.
//!
//! Two cores that share a cache of the third level share more than that: two arenas of 19 MiB do not
//! fit in 32. Where the CPUs are virtual, the host decides which cores they are, and may decide
//! anew at any time. So before and after each round it is measured how long a cache line takes from
//! one CPU to the other, tens of nanoseconds within such a cache and hundreds between two, and what was found
//! is kept apart by that. Beside it stand two yardsticks: how two cores scale that need no memory
//! at all, and two that copy as fast as they can.
//!
//! All kernels work in the same reused memory and take turns, so that the ratios mean something
//! on a machine that does other things besides. `cargo bench --bench argon2id [-- --rounds N
//! --turn-ms MS --patience S --apart S]`: each round waits up to S seconds for the machine to be
//! quiet. After the rounds the bench waits up to the last S for the host to change what the CPUs
//! share, and measures N rounds of that as well. Writes `benches/record/argon2id.md`, but for what
//! stands below its second heading.

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::time::Duration;

use keyturn::auth::argon2id::{Kernel, Speed, calibrate};
use keyturn::model::{Argon2idCost, Clock};

mod support;

use support::machine::{self, Spread};
use support::yardstick;

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record/argon2id.md");

/// A cost to measure, and what the ratio to the crate should be at least, by kernel.
struct Aim {
    cost: Argon2idCost,
    ratios_min: &'static [(Kernel, f64)],
}

const AIMS: [Aim; 2] = [
    Aim { cost: Argon2idCost { m_kib: 19_456, t: 2, p: 1 }, ratios_min: &[(Kernel::Avx512, 3.0), (Kernel::Avx2, 2.0)] },
    Aim { cost: Argon2idCost { m_kib: 65_536, t: 3, p: 1 }, ratios_min: &[(Kernel::Avx512, 1.9)] },
];

/// How many times the hashes of one core all cores should make, for each of them.
const SCALING_MIN: f64 = 0.95;

/// A hash that stays in the cache of the first level.
const WITHOUT_MEMORY: Argon2idCost = Argon2idCost { m_kib: 24, t: 1000, p: 1 };

/// A line that takes longer has gone from one cache of the third level to another.
const HANDOVER_NS_MAX: f64 = 80.0;

/// How long to wait before looking again whether the host has moved the CPUs.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What the CPUs have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// One cache of the third level.
    Together,
    /// Each has one of its own.
    Apart,
}

/// What one round found while the placement stayed what it was.
struct Round {
    placement: Placement,
    handover_ns: f64,
    /// Of all cores against one, without memory and with nothing else.
    yardsticks: [f64; 2],
    /// By [`AIMS`].
    speeds: Vec<Vec<Speed>>,
}

/// One kernel on so many cores, round by round.
struct Row {
    kernel: Kernel,
    cores: usize,
    hashes_per_second: Vec<f64>,
    ratios: Vec<f64>,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Together => "one third-level cache for both",
            Self::Apart => "a third-level cache for each",
        })
    }
}

impl Placement {
    /// The one at present, and the nanoseconds that say so.
    fn now() -> io::Result<(Self, f64)> {
        let ns = yardstick::handover_ns()?;
        Ok((if ns <= HANDOVER_NS_MAX { Self::Together } else { Self::Apart }, ns))
    }
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    let rounds = machine::argument("--rounds", 15.0) as usize;
    let turn_ms = machine::argument("--turn-ms", 400.0);
    let patience = machine::argument("--patience", 10.0);
    let apart = machine::argument("--apart", 0.0);
    let cores = std::thread::available_parallelism()?.get();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("?");
    let mut page = format!(
        "# Argon2id by kernel\n\n{}. Load average at the start, without this bench: {load}.\n\
         `cargo bench --bench argon2id -- --rounds {rounds} --turn-ms {turn_ms} --patience {patience} --apart {apart}`: \
         median (min–max) of the rounds, in each of which every kernel has its turn, in the same memory; the ratios are \
         taken within a round.\n",
        machine::describe()?
    );
    let found = all_rounds(rounds, cores, Duration::from_secs_f64(turn_ms / 1000.0), patience, apart)?;
    for placement in [Placement::Together, Placement::Apart] {
        let rounds: Vec<_> = found.iter().filter(|round| round.placement == placement).collect();
        if !rounds.is_empty() {
            add_placement(&mut page, placement, &rounds, cores);
        }
    }
    println!("{page}");
    fs::write(RECORD, page + &kept())
}

/// So many rounds, and as many of the other placement if it is met within `apart` seconds.
#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn all_rounds(count: usize, cores: usize, turn: Duration, patience: f64, apart: f64) -> io::Result<Vec<Round>> {
    let mut rounds: Vec<Round> = Vec::new();
    let clock = Clock::new();
    let mut until = clock.now();
    loop {
        let (placement, _) = Placement::now()?;
        let met = rounds.iter().filter(|round| round.placement == placement).count();
        if met >= count {
            if clock.now() >= until {
                return Ok(rounds);
            }
            std::thread::park_timeout(LOOK_AGAIN);
            continue;
        }
        machine::await_quiet(patience)?;
        if let Some(round) = measure(cores, turn)? {
            println!("{placement}: {:.0} ns, scaling {:.2?}", round.handover_ns, round.yardsticks);
            rounds.push(round);
        }
        until = clock.now() + Duration::from_secs_f64(apart);
    }
}

/// One round; `None` when the host has moved the CPUs meanwhile.
fn measure(cores: usize, turn: Duration) -> io::Result<Option<Round>> {
    let (placement, before_ns) = Placement::now()?;
    let fastest = calibrate(WITHOUT_MEMORY, cores, 1, turn / 4);
    let rate = |speed: Option<&Speed>| speed.map_or(f64::NAN, |speed| speed.hashes_per_second.median);
    let without_memory = rate(fastest.in_use()) / rate(fastest.speeds.first());
    let copying = yardstick::copies_per_s(cores, turn / 4)? / yardstick::copies_per_s(1, turn / 4)?;
    let speeds = AIMS.iter().map(|aim| calibrate(aim.cost, cores, 1, turn).speeds).collect();
    let (after, after_ns) = Placement::now()?;
    let (handover_ns, yardsticks) = (f64::midpoint(before_ns, after_ns), [without_memory, copying]);
    Ok((placement == after).then_some(Round { placement, handover_ns, yardsticks, speeds }))
}

/// All that was found in one placement.
fn add_placement(page: &mut String, placement: Placement, rounds: &[&Round], cores: usize) {
    let over = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(|round| of(round)));
    writeln!(
        page,
        "\n### {} rounds with {placement}\n\nA line takes {} ns from CPU to CPU. All cores make {} times what one does \
         without memory (a hash of 24 KiB), and {} times when they only copy.\n\n\
         | KiB, passes | cores | kernel | hashes/s | ms each | ratio to the crate | wanted | reached |\n\
         |---|---|---|---|---|---|---|---|",
        rounds.len(),
        over(&|round| round.handover_ns).show(0),
        over(&|round| round.yardsticks[0]).show(2),
        over(&|round| round.yardsticks[1]).show(2),
    )
    .unwrap_or_default();
    let mut scaling =
        String::from("\n| KiB, passes | kernel | all cores to one core | wanted | reached |\n|---|---|---|---|---|\n");
    for (index, aim) in AIMS.iter().enumerate() {
        let rows = rows(rounds.iter().map(|round| round.speeds[index].as_slice()));
        rows.iter().for_each(|row| add_speed(page, aim, row));
        add_scaling(&mut scaling, aim.cost, &rows, cores);
    }
    page.push_str(&scaling);
}

/// The same numbers by kernel and cores.
fn rows<'a>(rounds: impl Iterator<Item = &'a [Speed]>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for Speed { kernel, cores, hashes_per_second, ratio_to_crate } in rounds.flatten() {
        let known = rows.iter().position(|row| (row.kernel, row.cores) == (*kernel, *cores));
        let index = known.unwrap_or(rows.len());
        if known.is_none() {
            rows.push(Row { kernel: *kernel, cores: *cores, hashes_per_second: Vec::new(), ratios: Vec::new() });
        }
        rows[index].hashes_per_second.push(hashes_per_second.median);
        rows[index].ratios.push(ratio_to_crate.median);
    }
    rows
}

fn add_speed(page: &mut String, aim: &Aim, row: &Row) {
    let (rate, ratio) = (spread(&row.hashes_per_second), spread(&row.ratios));
    let wanted = aim.ratios_min.iter().find(|(kernel, _)| *kernel == row.kernel).map(|(_, wanted)| *wanted);
    writeln!(
        page,
        "| {}, {} | {} | {} | {} | {:.2} | {} | {} |",
        aim.cost.m_kib,
        aim.cost.t,
        row.cores,
        row.kernel.as_str(),
        rate.show(1),
        1000.0 * row.cores as f64 / rate.median,
        ratio.show(2),
        verdict(wanted, ratio.median),
    )
    .unwrap_or_default();
}

fn add_scaling(page: &mut String, cost: Argon2idCost, rows: &[Row], cores: usize) {
    for many in rows.iter().filter(|row| row.cores == cores && cores > 1) {
        let Some(one) = rows.iter().find(|row| row.kernel == many.kernel) else { continue };
        let ratios = many.hashes_per_second.iter().zip(&one.hashes_per_second).map(|(many, one)| many / one);
        let ratio = Spread::of(ratios);
        let wanted = (many.kernel != Kernel::Crate).then_some(SCALING_MIN * cores as f64);
        let (m_kib, t, kernel, verdict) = (cost.m_kib, cost.t, many.kernel.as_str(), verdict(wanted, ratio.median));
        writeln!(page, "| {m_kib}, {t} | {kernel} | {} | {verdict} |", ratio.show(2)).unwrap_or_default();
    }
}

fn spread(numbers: &[f64]) -> Spread {
    Spread::of(numbers.iter().copied())
}

/// The cells for what was wanted, and whether it was reached.
fn verdict(wanted: Option<f64>, found: f64) -> String {
    match wanted {
        Some(wanted) => format!("≥ {wanted:.1} | {}", if found >= wanted { "yes" } else { "no" }),
        None => " | ".to_owned(),
    }
}

/// What was written by hand in the page that is there.
fn kept() -> String {
    let page = fs::read_to_string(RECORD).unwrap_or_default();
    page.find("\n## ").map_or_else(String::new, |from| page[from..].to_owned())
}
