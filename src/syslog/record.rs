//! One record: its fields gathered, its line printed.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Event;
use tracing::field::{Field, Visit};

/// Bytes of one printed record, the line end not counted.
pub const RECORD_BYTES_MAX: usize = 8192;

/// Room for a usual one. What grows is copied with each doubling.
const USUAL_BYTES: usize = 128;

/// What stands at the front of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The time of day (UTC).
    Timed,
    /// The syslog priority in angle brackets, from which systemd's journal takes level and time
    /// (sd-daemon(3)).
    Journal,
}

/// The syslog priority (RFC 5424, section 6.2.1) of each level.
const PRIORITIES: [u8; 6] = [2, 3, 5, 4, 6, 7];

/// Appends the front of a record at `level` (0 to 5), up to the blank before the tag.
pub(super) fn begin(out: &mut String, shape: Shape, level: u8, now: SystemTime) {
    match shape {
        Shape::Timed => {
            let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            let (day_seconds, ms) = (since_epoch.as_secs() % 86_400, since_epoch.subsec_millis());
            let (hours, minutes, seconds) = (day_seconds / 3600, day_seconds / 60 % 60, day_seconds % 60);
            append(out, format_args!("{hours:02}:{minutes:02}:{seconds:02}.{ms:03} {level} "));
        }
        Shape::Journal => {
            let priority = PRIORITIES.get(usize::from(level)).unwrap_or(&7);
            append(out, format_args!("<{priority}>{level} "));
        }
    }
}

/// Prints `event` as a line with its end.
pub(super) fn print(event: &Event<'_>, shape: Shape, level: u8, now: SystemTime) -> String {
    let mut fields = Fields { text: String::with_capacity(USUAL_BYTES), ..Fields::default() };
    event.record(&mut fields);
    let mut line = String::with_capacity(USUAL_BYTES);
    begin(&mut line, shape, level, now);
    let target = event.metadata().target();
    let tag = fields.tag.as_deref().unwrap_or(if is_tag(target) { target } else { "SYSTEM" });
    append(&mut line, format_args!("{tag}"));
    if let Some(session) = fields.session {
        append(&mut line, format_args!("-{session:06}"));
    }
    if let Some(peer) = &fields.peer {
        append(&mut line, format_args!("({})", Peer(peer)));
    }
    for text in [&fields.text, &fields.rest].into_iter().filter(|text| !text.is_empty()) {
        append(&mut line, format_args!(" {text}"));
    }
    end(line)
}

/// Cuts the line at its limit and ends it.
pub(super) fn end(mut line: String) -> String {
    const CUT: &str = " [cut]";
    if line.len() > RECORD_BYTES_MAX {
        // All of it is ASCII, so every index is a boundary.
        line.truncate(RECORD_BYTES_MAX.saturating_sub(CUT.len()));
        line.push_str(CUT);
    }
    line.push('\n');
    line
}

/// Whether an event's target is a tag of its own.
pub(super) fn is_tag(target: &str) -> bool {
    !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Appends `text`, all that is not printable ASCII as `\ddd`. A backslash stays as it is, because
/// the names and lines that are logged arrive with theirs already written out.
pub(super) fn append(out: &mut String, text: fmt::Arguments<'_>) {
    struct Plain<'a>(&'a mut String);
    impl Write for Plain<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
            if text.bytes().all(is_plain) {
                self.0.push_str(text);
                return Ok(());
            }
            for byte in text.bytes() {
                if is_plain(byte) {
                    self.0.push(char::from(byte));
                } else {
                    write!(self.0, "\\{byte:03}")?;
                }
            }
            Ok(())
        }
    }
    if Plain(out).write_fmt(text).is_err() {
        out.push_str("[unprintable]");
    }
}

/// A socket address as the System Log writes it: the IP address in brackets, of both families.
struct Peer<'a>(&'a str);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once(':') {
            Some((ip, port)) if !ip.starts_with('[') => write!(f, "[{ip}]:{port}"),
            _ => f.write_str(self.0),
        }
    }
}

/// The fields of an event by their part in the record.
#[derive(Default)]
struct Fields {
    tag: Option<String>,
    session: Option<u64>,
    peer: Option<String>,
    text: String,
    /// The others, as `key=value` with blanks between.
    rest: String,
}

impl Fields {
    fn text_of(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        match field.name() {
            "message" => append(&mut self.text, value),
            "tag" => self.tag = Some(value.to_string()),
            "peer" => self.peer = Some(value.to_string()),
            name => {
                let blank = if self.rest.is_empty() { "" } else { " " };
                append(&mut self.rest, format_args!("{blank}{name}={value}"));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text_of(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text_of(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text_of(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "session" {
            self.session = Some(value);
        } else {
            self.text_of(field, format_args!("{value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_begins_with_the_time_of_day_or_the_priority() {
        let now = UNIX_EPOCH + Duration::from_millis(1_000_000_000_007);
        let mut line = String::new();
        begin(&mut line, Shape::Timed, 3, now);
        assert_eq!(line, "01:46:40.007 3 ");
        line.clear();
        begin(&mut line, Shape::Journal, 1, now);
        assert_eq!(line, "<3>1 ");
    }

    #[test]
    fn peers_have_brackets_in_both_families() {
        for (address, shown) in
            [("192.0.2.7:106", "[192.0.2.7]:106"), ("[2001:db8::1]:106", "[2001:db8::1]:106"), ("pipe", "pipe")]
        {
            assert_eq!(Peer(address).to_string(), shown);
        }
    }

    #[test]
    fn a_long_record_is_cut_at_the_limit() {
        let line = end("x".repeat(RECORD_BYTES_MAX + 1));
        assert_eq!(line.len(), RECORD_BYTES_MAX + 1);
        assert!(line.ends_with("x [cut]\n"));
        assert_eq!(end("x".repeat(RECORD_BYTES_MAX)).trim_end().len(), RECORD_BYTES_MAX);
    }
}
