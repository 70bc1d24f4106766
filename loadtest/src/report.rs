//! What a run found out, printed for people or for programs.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Named findings, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<(&'static str, Value)>);

#[derive(Debug)]
enum Value {
    Text(String),
    Count(u64),
    Real(f64),
    Truth(bool),
}

impl Report {
    /// Adds a text.
    pub(crate) fn text(&mut self, name: &'static str, text: impl Into<String>) {
        self.0.push((name, Value::Text(text.into())));
    }

    /// Adds a whole number.
    pub(crate) fn count(&mut self, name: &'static str, count: impl TryInto<u64>) {
        self.0.push((name, Value::Count(count.try_into().unwrap_or(u64::MAX))));
    }

    /// Adds a number, printed with three decimals.
    pub(crate) fn real(&mut self, name: &'static str, real: f64) {
        self.0.push((name, Value::Real(real)));
    }

    /// Adds yes or no.
    pub(crate) fn truth(&mut self, name: &'static str, truth: bool) {
        self.0.push((name, Value::Truth(truth)));
    }

    /// One JSON object on one line (RFC 8259).
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            push_json_text(&mut json, name);
            json.push(':');
            match value {
                Value::Text(text) => push_json_text(&mut json, text),
                Value::Real(real) if !real.is_finite() => json.push_str("null"),
                Value::Count(_) | Value::Real(_) | Value::Truth(_) => json.push_str(&value.to_string()),
            }
        }
        json.push('}');
        json
    }

    /// Prints the report to standard output, as JSON or one finding a line.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn print(&self, as_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", self.to_json())?;
        } else {
            for (name, value) in &self.0 {
                writeln!(out, "{name:<24} {value}")?;
            }
        }
        out.flush()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Real(real) => write!(f, "{real:.3}"),
            Self::Truth(truth) => write!(f, "{truth}"),
        }
    }
}

/// Appends `text` as a JSON string (RFC 8259, section 7).
fn push_json_text(json: &mut String, text: &str) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            '\0'..='\x1f' => write!(json, "\\u{:04x}", u32::from(letter)).expect("a String takes everything"),
            _ => json.push(letter),
        }
    }
    json.push('"');
}

/// Says on standard error what went wrong, and with which exit code that ends the program.
pub(crate) fn complain(fault: &dyn fmt::Display) -> ExitCode {
    warn(fault);
    ExitCode::FAILURE
}

/// Says something on standard error.
#[expect(clippy::print_stderr, reason = "the one place that speaks to standard error")]
pub(crate) fn warn(what: impl fmt::Display) {
    eprintln!("keyturn-loadtest: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_what_must_be_escaped_and_has_no_infinity() {
        let mut report = Report::default();
        report.text("a", "x\"\\\n");
        report.count("b", 3_u64);
        report.real("c", 0.5);
        report.real("d", f64::NAN);
        report.truth("e", true);
        assert_eq!(report.to_json(), r#"{"a":"x\"\\\u000a","b":3,"c":0.500,"d":null,"e":true}"#);
    }
}
