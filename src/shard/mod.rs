//! One core: its ring, its sessions, its loop (the implementation belongs to the ring writer).

use std::net::SocketAddr;

use crate::config::{Config, Live};
use crate::model::Clock;
use crate::service::Service;

/// Why the server could not start; the text says what to do.
#[derive(Debug)]
pub struct StartFault(pub String);

/// A running server: all shards.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Starts the shards and returns when every listener is open.
    ///
    /// # Errors
    /// [`StartFault`] when a ring or a listener cannot be had.
    pub fn start(_config: &Config, _service: Service, _clock: Clock) -> Result<Self, StartFault> {
        Ok(Self {})
    }
    /// The addresses listened on, in the order of the configuration, with the chosen ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
    /// Takes over new settings in all shards.
    pub fn apply(&self, _live: &Live) {}
    /// Stops accepting, lets sessions finish for at most `Live::drain`, then ends the shards.
    pub fn stop(self) {}
}
