//! The tracing layer: which events become records, and where their lines go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::record::{self, Shape};

/// Where lines go, each with its line end.
type Write = Box<dyn Fn(&str) + Send + Sync>;

/// Turns events into records; made by [`layer`].
pub struct SystemLog {
    level: Arc<AtomicU8>,
    shape: Shape,
    write: Write,
}

/// Changes the level of a [`SystemLog`] while it is in use.
#[derive(Clone, Debug)]
pub struct Handle {
    level: Arc<AtomicU8>,
}

/// A layer that shows records up to `level` (0 to 5) and hands their lines to `write`.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use keyturn::syslog::{self, Shape};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let lines = Arc::new(Mutex::new(String::new()));
/// let into = lines.clone();
/// let (layer, _) = syslog::layer(2, Shape::Journal, Box::new(move |line| into.lock().unwrap().push_str(line)));
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::warn!(target: "PWD", session = 7_u64, peer = "192.0.2.7:40112", "hello");
///     tracing::info!(target: "PWD", "a problem, not shown at level 2");
/// });
/// assert_eq!(*lines.lock().unwrap(), "<5>2 PWD-000007([192.0.2.7]:40112) hello\n");
/// ```
#[must_use]
pub fn layer(level: u8, shape: Shape, write: Write) -> (SystemLog, Handle) {
    let level = Arc::new(AtomicU8::new(level));
    (SystemLog { level: level.clone(), shape, write }, Handle { level })
}

impl Handle {
    /// Shows records up to `level` (0 to 5) from now on.
    pub fn set_level(&self, level: u8) {
        self.level.store(level, Ordering::Relaxed);
        // What is not shown costs a caller one load and a branch; each place that logs has to be
        // told when that changes.
        tracing::callsite::rebuild_interest_cache();
    }

    /// The level now.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }
}

impl<S: Subscriber> Layer<S> for SystemLog {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata.target()) && digit(*metadata.level()) <= self.level.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.level.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = digit(*event.metadata().level());
        (self.write)(&record::print(event, self.shape, level, SystemTime::now()));
    }
}

impl fmt::Debug for SystemLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemLog").field("level", &self.level).field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// The System Log's digit for a tracing level.
fn digit(level: Level) -> u8 {
    match level {
        super::FAILURE => 1,
        super::MAJOR => 2,
        super::PROBLEM => 3,
        super::LOW_LEVEL => 4,
        super::ALL_INFO => 5,
    }
}

/// Whether a record comes from this program.
fn is_ours(target: &str) -> bool {
    record::is_tag(target) || target == "keyturn" || target.starts_with("keyturn::")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// The lines that `log` leaves at `level`, times left out.
    fn check(level: u8, log: impl FnOnce(&Handle), lines: &[&str]) {
        let written = Arc::new(Mutex::new(String::new()));
        let into = written.clone();
        let write = Box::new(move |line: &str| into.lock().unwrap().push_str(line));
        let (layer, handle) = layer(level, Shape::Journal, write);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || log(&handle));
        assert_eq!(written.lock().unwrap().lines().collect::<Vec<_>>(), lines);
    }

    fn one_of_each() {
        tracing::error!(target: "PWD", "one");
        tracing::warn!(target: "PWD", "two");
        tracing::info!(target: "PWD", "three");
        tracing::debug!(target: "PWD", "four");
        tracing::trace!(target: "PWD", "five");
    }

    #[test]
    fn a_level_shows_itself_and_the_ones_below() {
        let all = ["<3>1 PWD one", "<5>2 PWD two", "<4>3 PWD three", "<6>4 PWD four", "<7>5 PWD five"];
        for level in 0..=5_u8 {
            check(level, |_| one_of_each(), &all[..usize::from(level)]);
        }
    }

    #[test]
    fn the_level_changes_while_running() {
        let both = |handle: &Handle| {
            one_of_each();
            handle.set_level(1);
            one_of_each();
            assert_eq!(handle.level(), 1);
        };
        check(2, both, &["<3>1 PWD one", "<5>2 PWD two", "<3>1 PWD one"]);
    }

    #[test]
    fn fields_build_the_prefix_and_follow_the_text() {
        let address: std::net::SocketAddr = "192.0.2.7:40112".parse().unwrap();
        check(
            5,
            |_| {
                tracing::warn!(target: "PWD", session = 42_u64, peer = %address, account = "a@b", n = -1, "connected");
                tracing::warn!(target: "PWD", session = 1_234_567_u64, "big");
                tracing::warn!(tag = "SYSTEM", ready = true, "up");
                tracing::warn!("from a module");
            },
            &[
                "<5>2 PWD-000042([192.0.2.7]:40112) connected account=a@b n=-1",
                "<5>2 PWD-1234567 big",
                "<5>2 SYSTEM up ready=true",
                "<5>2 SYSTEM from a module",
            ],
        );
    }

    #[test]
    fn nothing_a_client_sends_can_begin_a_line() {
        check(
            5,
            |_| tracing::warn!(target: "PWD", name = "x\r\n<0>0 é", "a\tb\u{1b}[31m \\092"),
            &["<5>2 PWD a\\009b\\027[31m \\092 name=x\\013\\010<0>0 \\195\\169"],
        );
    }

    #[test]
    fn other_libraries_are_not_shown() {
        check(5, |_| tracing::error!(target: "some_library::tls", "protocol text"), &[]);
    }
}
