//! `keyturn import` and `keyturn export`: accounts from and for other software, any number of them.
//!
//! | file | what it stands for |
//! |---|---|
//! | `format.rs` | which formats there are, and what each carries |
//! | `entry.rs` | what a file says of one account |
//! | `lines.rs` | a file's lines, of bounded length |
//! | `delimited.rs`, `colon.rs`, `ldif.rs`, `json.rs` | reading and printing the formats |
//! | `import.rs`, `export.rs` | the commands |
//! | `checkpoint.rs` | how far an import that was cut short had come |
//!
//! Nothing is held but a batch of accounts. What is wrong with a line is told by its number and a
//! reason, never by its text, which may hold a password.

mod checkpoint;
mod colon;
mod delimited;
mod entry;
mod export;
mod format;
mod import;
mod json;
mod ldif;
mod lines;
#[cfg(test)]
mod tests;

pub(crate) use export::export;
pub(crate) use format::Format;
pub(crate) use import::import;
