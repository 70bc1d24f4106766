//! The way to stderr: a bounded queue and one thread that writes.

use std::fs::File;
use std::io::{self, Write};
use std::iter;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::record::{self, Shape};
use crate::cpu;

/// Lines that may wait for the writing thread. With more, the reader of stderr has stopped
/// reading, and the server must not stop with it.
const LINES_WAITING_MAX: usize = 4096;

/// How long lines gather before they are written together. A shard that wakes the writing thread
/// for each loses its CPU to it each time.
const GATHERING: Duration = Duration::from_millis(20);

/// Bytes that are written together, apart from the last line's.
const GATHERED_BYTES_MAX: usize = 64 << 10;

/// Follows the count of lines that found the queue full.
const LOST: &str = " records were lost: the log is read too slowly";

/// Writes lines to stderr from a thread of its own. Clones share it.
#[derive(Clone, Debug)]
pub struct Sink {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(String),
    /// Everything sent before has been written once this is answered.
    Flush(SyncSender<()>),
}

impl Sink {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system grants no further thread.
    pub fn stderr() -> io::Result<Self> {
        Self::start(Box::new(io::stderr()), Shape::of(&io::stderr()))
    }

    fn start(out: Box<dyn Write + Send>, shape: Shape) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(LINES_WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = lost.clone();
        thread::Builder::new().name("syslog".to_owned()).spawn(move || {
            // Whoever is at work goes on. Where that cannot be asked for, the log costs a little more.
            cpu::set_slice(cpu::SLICE_MAX).ok();
            write_all(out, shape, &waiting, &counter);
        })?;
        Ok(Self { queue, lost })
    }

    /// Queues one line with its end, or counts it as lost when the queue is full. Never waits.
    pub fn write(&self, line: &str) {
        if self.queue.try_send(Item::Line(line.to_owned())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything written so far has left the process.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        // Either end is gone only when the writing thread is, and then there is nothing to wait for.
        if self.queue.send(Item::Flush(done)).is_ok() {
            written.recv().unwrap_or_default();
        }
    }
}

impl Shape {
    /// [`Shape::Journal`] when `output` is connected to systemd's journal, as `JOURNAL_STREAM` says
    /// (systemd.exec(5)): device and inode, because the variable is inherited by children whose
    /// output goes elsewhere.
    #[must_use]
    pub fn of(output: &impl AsFd) -> Self {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let file = output.as_fd().try_clone_to_owned().map(File::from);
        let metadata = file.and_then(|file| file.metadata());
        let is_journal = metadata.is_ok_and(|it| stream == format!("{}:{}", it.dev(), it.ino()));
        if is_journal { Self::Journal } else { Self::Timed }
    }
}

/// Writes what arrives until all senders are gone. Failures to write are not reported: this was
/// the place to report them.
fn write_all(mut out: Box<dyn Write + Send>, shape: Shape, waiting: &Receiver<Item>, lost: &AtomicU64) {
    let mut gathered = String::new();
    while let Ok(first) = waiting.recv() {
        if matches!(first, Item::Line(_)) {
            thread::park_timeout(GATHERING);
        }
        for item in iter::once(first).chain(waiting.try_iter()) {
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                gathered.push_str(&tell_lost(missing, shape));
            }
            match item {
                Item::Line(line) => gathered.push_str(&line),
                Item::Flush(done) => {
                    write_out(&mut out, &mut gathered);
                    out.flush().unwrap_or_default();
                    done.send(()).unwrap_or_default();
                }
            }
            if gathered.len() >= GATHERED_BYTES_MAX {
                write_out(&mut out, &mut gathered);
            }
        }
        write_out(&mut out, &mut gathered);
    }
}

fn write_out(out: &mut impl Write, gathered: &mut String) {
    if !gathered.is_empty() {
        out.write_all(gathered.as_bytes()).unwrap_or_default();
        gathered.clear();
    }
}

/// The line that says how many are missing before it.
fn tell_lost(missing: u64, shape: Shape) -> String {
    let mut line = String::new();
    record::begin(&mut line, shape, 1, std::time::SystemTime::now());
    record::append(&mut line, format_args!("SYSTEM {missing}{LOST}"));
    record::end(line)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// A stderr that takes nothing until it is told to.
    struct Stuck {
        until: Mutex<Receiver<()>>,
        into: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.until.lock().unwrap().recv().ok();
            self.into.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_not_time() {
        let (go, until) = channel();
        let into = Arc::new(Mutex::new(Vec::new()));
        let out = Stuck { until: Mutex::new(until), into: into.clone() };
        let sink = Sink::start(Box::new(out), Shape::Journal).unwrap();
        // One more may be in the hands of the thread.
        for _ in 0..LINES_WAITING_MAX + 11 {
            sink.write("line\n");
        }
        drop(go);
        sink.flush();
        let text = String::from_utf8(into.lock().unwrap().clone()).unwrap();
        let (lines, told): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == "line");
        assert!((LINES_WAITING_MAX..=LINES_WAITING_MAX + 1).contains(&lines.len()));
        let told = told.iter().map(|line| {
            let count = line.strip_prefix("<3>1 SYSTEM ").unwrap().strip_suffix(LOST).unwrap();
            count.parse::<usize>().unwrap()
        });
        assert_eq!(lines.len() + told.sum::<usize>(), LINES_WAITING_MAX + 11);
    }
}
