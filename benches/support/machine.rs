//! Where a result came from, and how busy the place was.

use std::fs;
use std::io;
use std::process::Command;

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
