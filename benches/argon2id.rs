//! How many Argon2id hashes does a core make with each kernel, and do two cores make twice as
//! many?
//!
//! The limit for AVX-512 is the arithmetic: 464 vector instructions a block, on two 512-bit units
//! (or four half as wide) at least 232 cycles, so about 400 hashes a second of 19456 KiB and two
//! passes at 3.7 GHz. What is missing from that is waiting, for memory and for the instruction
//! before.
//!
//! All kernels work in the same reused memory and take turns, so that the ratios mean something
//! on a machine that does other things besides. `cargo bench --bench argon2id [-- --rounds N
//! --turn-ms MS --patience S]`: each round waits up to S seconds for the machine to be quiet.
//! Writes `benches/record/argon2id.md`, but for what stands below its second heading.

use std::fmt::Write;
use std::fs;
use std::io;
use std::time::Duration;

use keyturn::auth::argon2id::{Kernel, Speed, calibrate};
use keyturn::model::Argon2idCost;

#[path = "support/machine.rs"]
mod machine;

use machine::Spread;

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

/// One kernel on so many cores, round by round.
struct Row {
    kernel: Kernel,
    cores: usize,
    hashes_per_second: Vec<f64>,
    ratios: Vec<f64>,
}

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    let rounds = machine::argument("--rounds", 15.0) as usize;
    let turn_ms = machine::argument("--turn-ms", 400.0);
    let patience = machine::argument("--patience", 10.0);
    let cores = std::thread::available_parallelism()?.get();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("?");
    let mut page = format!(
        "# Argon2id by kernel\n\n{}. Load average at the start, without this bench: {load}.\n\
         `cargo bench --bench argon2id -- --rounds {rounds} --turn-ms {turn_ms} --patience {patience}`: median \
         (min–max) of {rounds} rounds, in each of which every kernel has its turn, in the same memory; the ratios are \
         taken within a round.\n\n\
         | KiB, passes | cores | kernel | hashes/s | ms each | ratio to the crate | wanted | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
        machine::describe()?
    );
    let mut scaling =
        String::from("\n| KiB, passes | kernel | all cores to one core | wanted | reached |\n|---|---|---|---|---|\n");
    for aim in AIMS {
        let rows = measure(aim.cost, cores, rounds, Duration::from_secs_f64(turn_ms / 1000.0), patience)?;
        rows.iter().for_each(|row| add_speed(&mut page, &aim, row));
        add_scaling(&mut scaling, aim.cost, &rows, cores);
    }
    page.push_str(&scaling);
    println!("{page}");
    fs::write(RECORD, page + &kept())
}

fn measure(cost: Argon2idCost, cores: usize, rounds: usize, turn: Duration, patience: f64) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..rounds {
        machine::await_quiet(patience)?;
        for Speed { kernel, cores, hashes_per_second, ratio_to_crate } in calibrate(cost, cores, 1, turn).speeds {
            let known = rows.iter().position(|row| (row.kernel, row.cores) == (kernel, cores));
            let index = known.unwrap_or(rows.len());
            if known.is_none() {
                rows.push(Row { kernel, cores, hashes_per_second: Vec::new(), ratios: Vec::new() });
            }
            rows[index].hashes_per_second.push(hashes_per_second.median);
            rows[index].ratios.push(ratio_to_crate.median);
        }
    }
    Ok(rows)
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
