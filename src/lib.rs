//! keyturn: a password-change server (poppwd, TCP port 106) on io_uring.
#![doc = include_str!("ARCHITECTURE.md")]

pub mod auth;
pub mod cli;
pub mod config;
pub mod control;
pub mod cpu;
pub mod directory;
pub mod model;
pub mod notation;
pub mod proto;
pub mod ring;
pub mod service;
pub mod shard;
pub mod store;
pub mod syslog;
pub mod tls;
