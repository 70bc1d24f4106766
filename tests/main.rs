//! Everything that is tested from outside the library, in one binary: one link, one run.
//!
//! `tests/run` fetches what the live tests need and runs them all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod house;
