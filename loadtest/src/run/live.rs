//! The line that a terminal shows while the load runs.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::crew::Plan;
use super::outcome::Second;
use crate::clock;
use crate::progress::{Progress, clock_time};

/// How often it is looked whether the load has ended.
const PERIOD: Duration = Duration::from_millis(250);

/// Shows the load that `plan` makes over `length` seconds until `threads` of its threads have said
/// so at `end`. Returns the most processor time that one of them took, in ns.
///
/// # Errors
/// When one of them failed.
pub(crate) fn watch(plan: &Plan, length: f64, mut threads: u32, end: &Receiver<io::Result<u64>>) -> io::Result<u64> {
    let mut progress = Progress::new();
    let mut busiest = 0;
    while threads > 0 {
        match end.recv_timeout(PERIOD) {
            Ok(cpu_ns) => {
                busiest = cpu_ns?.max(busiest);
                threads -= 1;
            }
            Err(RecvTimeoutError::Timeout) => progress.show(|_| {
                let now = clock::monotonic_ns().saturating_sub(plan.start);
                let measure = plan.measure();
                line(now as f64 / 1e9, length, &measure.recent(now), measure.counts.refused)
            })?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("a generator thread ended before its work did"));
            }
        }
    }
    progress.end()?;
    Ok(busiest)
}

/// What is shown `seconds` after the start: of the last full second how many clients were due, how
/// many changes were acknowledged and how long their clients had waited; how many clients are due
/// and not through (`queue`), and have given up (`refused`); and when the last will be through, if
/// those that wait go on being served like this.
fn line(seconds: f64, length: f64, last: &Second, refused: u64) -> String {
    let drain = if last.queue == 0 { 0.0 } else { last.queue as f64 / last.changed as f64 };
    let left = clock_time((length - seconds).max(0.0) + drain);
    format!(
        "{seconds:.0} s  due {}/s  changed {}/s  p50 {:.0} ms  p99 {:.0} ms  queue {}  refused {refused}  {left} left",
        last.due, last.changed, last.p50_ms, last.p99_ms, last.queue
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_served_after_the_last_has_come() {
        let last =
            Second { due: 40, changed: 20, refused: 9, p50_ms: 310.2, p99_ms: 700.0, queue: 100, ..Second::default() };
        assert_eq!(
            line(12.0, 60.0, &last, 3),
            "12 s  due 40/s  changed 20/s  p50 310 ms  p99 700 ms  queue 100  refused 3  0:53 left"
        );
        assert!(line(61.0, 60.0, &last, 0).ends_with("  0:05 left"));
        let stalled = Second { changed: 0, ..last };
        assert!(line(61.0, 60.0, &stalled, 0).ends_with("  - left"));
    }
}
