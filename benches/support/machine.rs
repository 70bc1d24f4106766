//! Where a result came from, and how busy the place was.

use std::fs;
use std::io;
use std::process::Command;
use std::time::Duration;

/// A line for the record: processor, kernel, compiler.
pub(crate) fn describe() -> io::Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        cpuinfo.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(": ").nth(1)).unwrap_or("?")
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let compiler = Command::new("rustc").arg("--version").output()?;
    Ok(format!(
        "{} (family {}, model {}), {} CPUs, Linux {}, {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::thread::available_parallelism()?,
        kernel.trim(),
        String::from_utf8_lossy(&compiler.stdout).trim(),
    ))
}

/// Waits until nothing else runs here, for at most `seconds`; goes on then all the same.
pub(crate) fn await_quiet(seconds: f64) -> io::Result<()> {
    const LOOK: Duration = Duration::from_millis(250);
    const BUSY_TICKS_MAX: u64 = 1;
    let mut before = busy_ticks()?;
    for _ in 0..(seconds / LOOK.as_secs_f64()) as u64 {
        std::thread::park_timeout(LOOK);
        let now = busy_ticks()?;
        if now - before <= BUSY_TICKS_MAX {
            break;
        }
        before = now;
    }
    Ok(())
}

/// How long all CPUs have been busy, in ticks of 10 ms: all of proc(5)'s fields but idle and iowait.
fn busy_ticks() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.split_whitespace().skip(1).take(8).map_while(|field| field.parse::<u64>().ok());
    Ok(fields.enumerate().filter(|(index, _)| *index != 3 && *index != 4).map(|(_, ticks)| ticks).sum())
}

/// The median, and the least and greatest, of some numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of `numbers`, at least one.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        let median =
            if numbers.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 };
        Self { median, min: numbers[0], max: numbers[numbers.len() - 1] }
    }

    /// `median (min–max)` with `decimals`.
    pub(crate) fn show(self, decimals: usize) -> String {
        format!("{:.decimals$} ({:.decimals$}–{:.decimals$})", self.median, self.min, self.max)
    }
}

/// The value after `--name` on the command line, or `default`.
pub(crate) fn argument(name: &str, default: f64) -> f64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}
