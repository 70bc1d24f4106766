//! A panic is one record at level 0.

use std::any::Any;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::time::SystemTime;

use super::record::{self, Shape};

/// From now on, a panic is reported as one record at level 0, written straight to stderr because
/// the process is about to end.
///
/// Of the panic's message only a text that stands in the source is shown: a composed one may hold
/// what a client sent.
pub fn report_panics(shape: Shape) {
    std::panic::set_hook(Box::new(move |panic| {
        // Nobody is left to hear that the report could not be written.
        std::io::stderr().write_all(report(panic, shape).as_bytes()).unwrap_or_default();
    }));
}

fn report(panic: &PanicHookInfo<'_>, shape: Shape) -> String {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
    line(shape, &place, &thread, panic.payload())
}

fn line(shape: Shape, place: &str, thread: &str, payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)");
    let mut line = String::new();
    record::begin(&mut line, shape, 0, SystemTime::now());
    record::append(&mut line, format_args!("SYSTEM crash at {place} in thread {thread}: {text}"));
    record::end(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composed_panic_message_is_withheld() {
        let told = |payload: &dyn Any| line(Shape::Journal, "src/x.rs:1:2", "shard", payload);
        let front = "<2>0 SYSTEM crash at src/x.rs:1:2 in thread shard: ";
        assert_eq!(told(&"broken promise"), format!("{front}broken promise\n"));
        assert_eq!(told(&"the password is hunter2".to_owned()), format!("{front}(message withheld)\n"));
    }
}
