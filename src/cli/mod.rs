//! The CommuniGate command line: what an administrator may send after the login.
//!
//! One table has all commands (`table.rs`); one function carries each of them out. Nothing here
//! waits, hashes or writes: an [`Errand`] is run, reads the directory, and says what is to happen
//! ([`Next`]). Whoever runs it commits, hashes and sends.
//!
//! ```text
//! line --grammar--> arguments --rights--> function --> Answer | Listing | Transaction | Work
//! ```
//!
//! An errand holds one line, its arguments while it runs, and one answer, which has a limit; a
//! list is read and sent piece by piece instead ([`Listing`]).
//! Command lines may hold passwords: lines and arguments are overwritten when they are dropped,
//! and [`verb`] tells how much of a line a log may show.

mod accounts;
mod addresses;
mod answer;
mod arguments;
mod call;
mod domains;
mod errand;
mod general;
mod grammar;
mod groups;
mod handbook;
mod kept;
mod kinds;
mod listing;
mod modules;
mod monitor;
mod objects;
mod refusal;
mod right;
mod routes;
mod sessions;
mod statistics;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

pub use answer::Answer;
pub use call::{Scene, Work};
pub use errand::{Errand, Next, Verb, check_line, verb};
pub use handbook::page;
pub use listing::{Listing, Piece};
