//! What was measured.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use crate::support::machine::Spread;
use crate::support::server::Server;

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) per_s: f64,
    /// Processor time of the server for each.
    pub(crate) cpu_us: f64,
}

impl Found {
    pub(crate) fn of(count: usize, time: Duration, cpu: Duration) -> Self {
        let count = count as f64;
        Self { per_s: count / time.as_secs_f64(), cpu_us: cpu.as_secs_f64() * 1e6 / count }
    }
}

/// Processor time of all threads of `server` so far.
pub(crate) fn cpu_of(server: &Server) -> io::Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid()))?;
    // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
    Ok(TICK * fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum())
}

/// What was measured, row by row.
#[derive(Default)]
pub(crate) struct Rows(pub(crate) Vec<(String, Vec<Found>)>);

impl Rows {
    pub(crate) fn add(&mut self, title: &str, found: Found) {
        match self.0.iter_mut().find(|(known, _)| known == title) {
            Some((_, all)) => all.push(found),
            None => self.0.push((title.to_owned(), vec![found])),
        }
    }

    pub(crate) fn print(&self) -> String {
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
