//! Everything the server said to its log, from all threads of all tests of this process: as the
//! System Log at its highest level shows it, and with every field as it was given.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use keyturn::syslog::{Shape, layer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::client::PATIENCE;

static TEXT: Mutex<String> = Mutex::new(String::new());

/// Where the log stands: what is said later comes after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position(usize);

/// Begins to listen, if nobody has yet, and tells where the log stands.
pub(crate) fn position() -> Position {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (system_log, _) = layer(5, Shape::Timed, Box::new(|line| text().push_str(line)));
        let subscriber = tracing_subscriber::registry().with(Fields).with(system_log);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    Position(text().len())
}

/// What was said after `position`.
pub(crate) fn since(position: Position) -> String {
    text()[position.0..].to_owned()
}

/// Waits until `wanted` has been said after `position`; false when it never is.
pub(crate) fn await_text(position: Position, wanted: &str) -> bool {
    let begun = Instant::now();
    while !since(position).contains(wanted) {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn text() -> std::sync::MutexGuard<'static, String> {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down every field of every span and event, at every level, unmasked: what is not in
/// here reached no log whatever its format.
struct Fields;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Line {
    fn keep(self) {
        text().push_str(&(self.0 + "\n"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Fields {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut line = Line(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        line.keep();
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut line = Line("recorded".to_owned());
        values.record(&mut line);
        line.keep();
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        line.keep();
    }
}
