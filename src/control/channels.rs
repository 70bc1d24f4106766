use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam_utils::CachePadded;

/// The count of sessions over all shards, and what bounds it.
///
/// Invariant: the count never exceeds the cap in force when a channel was taken, and a channel is
/// refused only when the count stood at the cap. The count falls when the kernel has closed the
/// connection, not before.
#[derive(Debug, Default)]
pub struct Channels {
    taken: CachePadded<AtomicU32>,
    /// Sessions by address, or network of addresses; kept only while `connections_per_address` is set, because it costs a
    /// lock per connection.
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// The right to one session. Not released by dropping it: releasing needs [`Channels`], and the
/// shard does so when the connection's close has completed.
#[derive(Debug)]
#[must_use = "a channel that is not released is lost"]
pub struct Channel {
    /// Set when the session is counted by its address.
    counted: Option<IpAddr>,
}

/// Why a connection gets no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All channels are taken.
    Channels,
    /// The peer's address has as many sessions as one address may have.
    Address,
}

impl Channels {
    /// Takes a channel for a session from `peer`, if fewer than `channels` are taken and fewer
    /// than `per_address` (0: any number) by that address.
    pub fn take(&self, peer: IpAddr, channels: u32, per_address: u32) -> Result<Channel, Full> {
        // A compare-and-swap loop and not an optimistic add: an add that is taken back later
        // would let another shard see a full house that is not.
        let take = |taken| (taken < channels).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| Full::Channels)?;
        if per_address == 0 {
            return Ok(Channel { counted: None });
        }
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(peer).or_default();
        if *count >= per_address {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Address);
        }
        *count += 1;
        Ok(Channel { counted: Some(peer) })
    }

    /// Gives a channel back.
    pub fn release(&self, channel: Channel) {
        if let Some(peer) = channel.counted {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_address.get_mut(&peer) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&peer);
                }
            }
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many channels are taken now.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_storm_never_takes_one_channel_too_many_nor_one_too_few() {
        let (channels, start) = (Channels::default(), Barrier::new(4));
        let granted: usize = thread::scope(|scope| {
            let storm = || {
                start.wait();
                (0..1000).filter(|_| channels.take(HOME, 100, 0).is_ok()).count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(storm)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((granted, channels.taken()), (100, 100));
    }

    #[test]
    fn an_address_is_refused_alone_and_forgotten_when_it_has_left() {
        let channels = Channels::default();
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let first = channels.take(HOME, 9, 1).unwrap();
        assert_eq!(channels.take(HOME, 9, 1).unwrap_err(), Full::Address);
        let second = channels.take(other, 9, 1).unwrap();
        assert_eq!(channels.taken(), 2);
        channels.release(first);
        channels.release(second);
        assert_eq!(channels.taken(), 0);
        assert!(channels.by_address.lock().unwrap().is_empty());
        assert!(channels.take(HOME, 9, 1).is_ok());
    }
}
