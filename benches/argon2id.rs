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
//! --turn-ms MS]`. Writes `benches/record/argon2id.md`, but for what stands below its
//! second heading.

use std::fmt::Write;
use std::fs;
use std::io;
use std::time::Duration;

use keyturn::auth::argon2id::{self, Calibration, Kernel, Speed};
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

#[expect(clippy::print_stdout, reason = "a bench speaks to its terminal")]
fn main() -> io::Result<()> {
    let rounds = machine::argument("--rounds", 15.0) as usize;
    let turn_ms = machine::argument("--turn-ms", 400.0);
    let cores = std::thread::available_parallelism()?.get();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("?");
    let mut page = format!(
        "# Argon2id by kernel\n\n{}. Load average at the start, without this bench: {load}.\n\
         `cargo bench --bench argon2id -- --rounds {rounds} --turn-ms {turn_ms}`: median (min–max) of {rounds} \
         rounds, in each of which every kernel has its turn, in the same memory; the ratios are taken within a \
         round.\n\n\
         | KiB, passes | cores | kernel | hashes/s | ms each | ratio to the crate | wanted | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
        machine::describe()?
    );
    let mut scaling =
        String::from("\n| KiB, passes | kernel | all cores to one core | wanted | reached |\n|---|---|---|---|---|\n");
    for Aim { cost, ratios_min } in AIMS {
        let found = argon2id::calibrate(cost, cores, rounds, Duration::from_secs_f64(turn_ms / 1000.0));
        found.speeds.iter().for_each(|speed| add_speed(&mut page, cost, speed, ratios_min));
        add_scaling(&mut scaling, &found, cores);
    }
    page.push_str(&scaling);
    println!("{page}");
    fs::write(RECORD, page + &kept())
}

fn add_speed(page: &mut String, cost: Argon2idCost, speed: &Speed, ratios_min: &[(Kernel, f64)]) {
    let ratio = speed.ratio_to_crate;
    let wanted = ratios_min.iter().find(|(kernel, _)| *kernel == speed.kernel).map(|(_, wanted)| *wanted);
    writeln!(
        page,
        "| {}, {} | {} | {} | {} | {:.2} | {} | {} |",
        cost.m_kib,
        cost.t,
        speed.cores,
        speed.kernel.as_str(),
        show(speed.hashes_per_second, 1),
        speed.ms_per_hash(),
        show(ratio, 2),
        verdict(wanted, ratio.median),
    )
    .unwrap_or_default();
}

fn add_scaling(page: &mut String, found: &Calibration, cores: usize) {
    for many in found.speeds.iter().filter(|speed| speed.cores == cores && cores > 1) {
        let Some(one) = found.speeds.iter().find(|speed| speed.kernel == many.kernel) else { continue };
        let ratio = many.hashes_per_second.median / one.hashes_per_second.median;
        let wanted = (many.kernel != Kernel::Crate).then_some(SCALING_MIN * cores as f64);
        let (m_kib, t, kernel) = (found.cost.m_kib, found.cost.t, many.kernel.as_str());
        writeln!(page, "| {m_kib}, {t} | {kernel} | {ratio:.2} | {} |", verdict(wanted, ratio)).unwrap_or_default();
    }
}

/// The cells for what was wanted, and whether it was reached.
fn verdict(wanted: Option<f64>, found: f64) -> String {
    match wanted {
        Some(wanted) => format!("≥ {wanted:.1} | {}", if found >= wanted { "yes" } else { "no" }),
        None => " | ".to_owned(),
    }
}

fn show(spread: argon2id::Spread, decimals: usize) -> String {
    Spread::of([spread.min, spread.median, spread.max]).show(decimals)
}

/// What was written by hand in the page that is there.
fn kept() -> String {
    let page = fs::read_to_string(RECORD).unwrap_or_default();
    page.find("\n## ").map_or_else(String::new, |from| page[from..].to_owned())
}
