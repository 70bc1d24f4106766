//! `keyturn calibrate`: how fast this machine hashes, and what it takes to be fast enough.

use std::fmt::Write;
use std::thread;
use std::time::Duration;

use keyturn::auth::argon2id::{self, Calibration, HASHES_PER_CHANGE, Need};

use super::arguments::CalibrateArguments;
use super::failure::Failure;
use super::settings::Source;

/// How long each kernel has its turn in a round: long enough for tens of hashes.
const TURN: Duration = Duration::from_millis(500);

/// Measures, and returns the table or the JSON.
pub(crate) fn calibrate(arguments: &CalibrateArguments, source: &Source) -> Result<String, Failure> {
    let cost = source.load(None)?.argon2id;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let found = argon2id::calibrate(cost, cores, usize::from(arguments.rounds), TURN);
    let latency = Duration::from_millis(arguments.latency.into());
    let need = arguments.changes_per_second.map(|changes| Wanted {
        changes,
        latency,
        need: found.need(changes.into(), latency),
    });
    if arguments.json { json(&found, cores, need.as_ref()) } else { table(&found, need.as_ref()) }
        .map_err(Failure::failed)
}

/// What the operator asks for, and what it takes.
struct Wanted {
    changes: u32,
    latency: Duration,
    need: Option<Need>,
}

fn table(found: &Calibration, wanted: Option<&Wanted>) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let cost = found.cost;
    writeln!(
        out,
        "argon2id m_kib={} t={} p={}, kernel in use: {}\n",
        cost.m_kib,
        cost.t,
        cost.p,
        found.kernel.as_str()
    )?;
    writeln!(
        out,
        "{:8}{:>6}{:>10}{:>9}{:>14}{:>11}",
        "kernel", "cores", "hashes/s", "ms each", "times crate", "changes/s"
    )?;
    for speed in &found.speeds {
        let rate = speed.hashes_per_second.median;
        writeln!(
            out,
            "{:8}{:>6}{rate:>10.1}{:>9.2}{:>14.2}{:>11.1}",
            speed.kernel.as_str(),
            speed.cores,
            speed.ms_per_hash(),
            speed.ratio_to_crate.median,
            rate / f64::from(HASHES_PER_CHANGE),
        )?;
    }
    if let Some(Wanted { changes, latency, need }) = wanted {
        let ms = latency.as_millis();
        match need {
            Some(Need { cost, cores }) => writeln!(
                out,
                "\n{changes} changes/s, each within {ms} ms: m_kib={} t={} p={}, {cores} cores that only hash",
                cost.m_kib, cost.t, cost.p
            )?,
            None => {
                writeln!(out, "\n{changes} changes/s, each within {ms} ms: too little time for one pass, lower m_kib")?
            }
        }
    }
    Ok(out)
}

fn json(found: &Calibration, cores: usize, wanted: Option<&Wanted>) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let cost = found.cost;
    let (m_kib, t, p) = (cost.m_kib, cost.t, cost.p);
    write!(
        out,
        r#"{{"parameters":{{"m_kib":{m_kib},"t":{t},"p":{p}}},"cores":{cores},"kernel":"{}""#,
        found.kernel.as_str()
    )?;
    out.push_str(r#","kernels":["#);
    for (index, speed) in found.speeds.iter().enumerate() {
        write!(
            out,
            r#"{}{{"name":"{}","cores":{},"hashes_per_second":{:.2},"ms_per_hash":{:.3},"ratio_to_crate":{:.3}}}"#,
            if index == 0 { "" } else { "," },
            speed.kernel.as_str(),
            speed.cores,
            speed.hashes_per_second.median,
            speed.ms_per_hash(),
            speed.ratio_to_crate.median,
        )?;
    }
    out.push(']');
    if let Some(Wanted { changes, latency, need }) = wanted {
        let ms = latency.as_millis();
        write!(out, r#","wanted":{{"changes_per_second":{changes},"latency_ms":{ms}}},"needed":"#)?;
        match need {
            Some(Need { cost: needed, cores }) => write!(
                out,
                r#"{{"parameters":{{"m_kib":{},"t":{},"p":{}}},"cores":{cores}}}"#,
                needed.m_kib, needed.t, needed.p
            )?,
            None => out.push_str("null"),
        }
    }
    out.push_str("}\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use keyturn::auth::argon2id::{Kernel, Speed, Spread};
    use keyturn::model::Argon2idCost;

    use super::*;

    fn found() -> Calibration {
        let once = |number| Spread { median: number, min: number, max: number };
        let speed =
            Speed { kernel: Kernel::Avx512, cores: 2, hashes_per_second: once(400.0), ratio_to_crate: once(3.0) };
        Calibration { cost: Argon2idCost::default(), kernel: Kernel::Avx512, speeds: vec![speed] }
    }

    fn wanted(ms: u64) -> Wanted {
        let latency = Duration::from_millis(ms);
        Wanted { changes: 500, latency, need: found().need(500.0, latency) }
    }

    #[test]
    fn the_json_has_what_was_measured_and_what_is_needed() {
        let expected = r#"{"parameters":{"m_kib":19456,"t":2,"p":1},"cores":2,"kernel":"avx512","kernels":[{"name":"avx512","cores":2,"hashes_per_second":400.00,"ms_per_hash":5.000,"ratio_to_crate":3.000}]"#;
        assert_eq!(json(&found(), 2, None), Ok(format!("{expected}}}\n")));
        let needed = r#","wanted":{"changes_per_second":500,"latency_ms":20},"needed":{"parameters":{"m_kib":19456,"t":4,"p":1},"cores":10}}"#;
        assert_eq!(json(&found(), 2, Some(&wanted(20))), Ok(format!("{expected}{needed}\n")));
        let none = r#","wanted":{"changes_per_second":500,"latency_ms":1},"needed":null}"#;
        assert_eq!(json(&found(), 2, Some(&wanted(1))), Ok(format!("{expected}{none}\n")));
    }

    #[test]
    fn the_table_has_a_row_for_each_speed() {
        let expected = "argon2id m_kib=19456 t=2 p=1, kernel in use: avx512\n\n\
            kernel   cores  hashes/s  ms each   times crate  changes/s\n\
            avx512       2     400.0     5.00          3.00      200.0\n\n\
            500 changes/s, each within 20 ms: m_kib=19456 t=4 p=1, 10 cores that only hash\n";
        assert_eq!(table(&found(), Some(&wanted(20))).as_deref(), Ok(expected));
    }
}
