use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::channels::Channels;
use crate::config::Live;

/// What all shards share: the channel count, the settings in force, and whether to stop. Whoever
/// changes something wakes the shards, and each looks here when it is woken.
#[derive(Debug)]
pub(super) struct Control {
    pub channels: Channels,
    live: Mutex<Arc<Live>>,
    /// Grows with every change of `live`.
    edition: AtomicU64,
    is_stopping: AtomicBool,
}

impl Control {
    pub(super) fn new(live: Live) -> Self {
        Self {
            channels: Channels::default(),
            live: Mutex::new(Arc::new(live)),
            edition: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Puts new settings in force.
    pub(super) fn apply(&self, live: Live) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        self.edition.fetch_add(1, Ordering::Release);
    }

    /// The settings in force, and their edition.
    pub(super) fn live(&self) -> (Arc<Live>, u64) {
        let edition = self.edition.load(Ordering::Acquire);
        (Arc::clone(&self.live.lock().unwrap_or_else(PoisonError::into_inner)), edition)
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}
