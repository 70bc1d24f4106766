//! Everything that is tested from outside the library, in one binary: one link, one run.
//!
//! `tests/run` fetches what the live tests need and runs them all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![expect(clippy::disallowed_methods, reason = "tests wait for servers and guard against hanging")]

mod channels;
mod clients;
mod differential;
mod durability;
mod durability_of_commands;
mod durability_of_settings;
mod guessing;
mod house;
mod lifecycle;
mod listeners;
mod listing;
mod load;
mod pressure;
mod sealing;
mod secrecy;
mod security;
mod transcript;
mod world;
