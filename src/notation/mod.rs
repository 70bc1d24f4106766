//! CommuniGate data notation: parsing and printing, each other's inverse.
//!
//! The notation of CLI arguments, CLI output and settings files: strings, datablocks, numbers,
//! timestamps, network addresses, arrays, dictionaries and XML. Nothing here knows what a value
//! means; that `YES` is a boolean is a convention of whoever reads the string.
//!
//! ```
//! use keyturn::notation::{Form, Value};
//!
//! let value = Value::parse(br#"{Modes = (26, Mail, PWD); RealName = "J. \"X\" Doe";}"#, Form::Line)?;
//! assert_eq!(value.to_string(), r#"{Modes=(26,Mail,PWD);RealName="J. \"X\" Doe";}"#);
//! # Ok::<(), keyturn::notation::SyntaxFault>(())
//! ```
//!
//! Text is at most [`TEXT_BYTES_MAX`] bytes and nests at most [`NESTING_MAX`] deep; no input
//! panics or overflows the stack.

pub mod base64;
mod fault;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod timestamp;
mod value;
mod wipe;
mod xml;

pub use fault::{Syntax, SyntaxFault};
pub use parse::Form;
pub use timestamp::Timestamp;
pub use value::{Dictionary, Value};
pub use xml::Xml;

/// Bytes of the text of one value.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// How deep arrays, dictionaries and XML elements may nest.
pub const NESTING_MAX: usize = 64;
