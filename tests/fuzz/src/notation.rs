use std::fmt::Write;

use keyturn::notation::{Form, Value};

/// Any bytes are a value, or a fault that lies in them; a value is printed on one line that is
/// that value again, in both forms, and is printed the same.
///
/// Inputs that begin with a line feed are read in the form of several lines.
pub fn notation(input: &[u8]) {
    let (form, text) = match input {
        [b'\n', text @ ..] => (Form::Lines, text),
        text => (Form::Line, text),
    };
    match Value::parse_prefix(text, form) {
        Ok((value, length)) => {
            assert!(length <= text.len());
            let mut printed = String::with_capacity(2 * text.len());
            write!(printed, "{value}").expect("a String takes everything");
            assert!(!printed.contains(['\r', '\n']), "{}", printed.escape_debug());
            for form in [Form::Line, Form::Lines] {
                let again = Value::parse(printed.as_bytes(), form);
                assert!(again.as_ref() == Ok(&value), "{} is {again:?}", printed.escape_debug());
            }
        }
        Err(fault) => assert!(fault.at <= text.len(), "{fault:?}"),
    }
}
