//! How many sessions there may be at once, over all shards: exactly so many, never one more.

use std::net::{SocketAddr, TcpListener};
use std::sync::Barrier;

use crate::world::World;
use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::program::free_address;

/// A world with two shards and so many channels.
fn world(channels: usize) -> World {
    let mut world = World::new(Vec::new());
    world.set("shards", "2");
    world.set("channels", &channels.to_string());
    world
}

/// Connects `count` clients at the same moment, and returns the ones that were greeted, and what
/// the others were told.
fn storm(address: SocketAddr, count: usize) -> (Vec<Client>, Vec<String>) {
    let start = Barrier::new(count);
    let visit = || {
        start.wait();
        let mut client = Client::connect(address);
        let line = client.line();
        (client, line)
    };
    let visits: Vec<(Client, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(visit)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (mut greeted, mut refused) = (Vec::new(), Vec::new());
    for (mut client, line) in visits {
        if line.starts_with("200 ") {
            greeted.push(client);
        } else {
            assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()), "a refused client is sent away");
            refused.push(line);
        }
    }
    (greeted, refused)
}

/// Lets `clients` quit and waits until the server has forgotten them.
fn leave(world: &mut World, clients: Vec<Client>, staying: u32) {
    for mut client in clients {
        assert!(client.ask("QUIT").starts_with("200 "));
        assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()));
    }
    world.await_sessions(staying);
}

#[test]
fn never_more_are_greeted_than_there_are_channels() {
    const CHANNELS: usize = 16;
    for dialect in ["communigate", "poppassd"] {
        let mut world = world(CHANNELS);
        world.listen_as(dialect, &[]);
        let address = world.address();
        for _ in 0..3 {
            let (greeted, refused) = storm(address, 4 * CHANNELS);
            assert_eq!((greeted.len(), refused.len()), (CHANNELS, 3 * CHANNELS));
            assert!(refused.iter().all(|line| *line == refused[0] && line.starts_with('5')), "{refused:?}");
            leave(&mut world, greeted, 0);
        }
    }
}

#[test]
fn one_address_gets_only_its_share() {
    const SHARE: usize = 4;
    let mut world = world(100);
    world.set("connections_per_address", &SHARE.to_string());
    let address = world.address();
    for _ in 0..3 {
        let (greeted, refused) = storm(address, 4 * SHARE);
        assert_eq!((greeted.len(), refused.len()), (SHARE, 3 * SHARE));
        assert!(refused.iter().all(|line| *line == refused[0] && line.starts_with('5')), "{refused:?}");
        leave(&mut world, greeted, 0);
    }
}

#[test]
fn the_number_of_channels_changes_while_sessions_go_on() {
    let mut world = world(8);
    let address = world.address();
    let (mut greeted, _) = storm(address, 8);
    assert_eq!(greeted.len(), 8);

    world.set("channels", "4");
    assert!(storm(address, 4).0.is_empty(), "there are 8 sessions, and channels for 4");
    for client in &mut greeted {
        assert!(client.ask("NOOP").starts_with("200 "), "a session goes on when channels become fewer");
    }
    leave(&mut world, greeted.split_off(3), 3);
    let (more, refused) = storm(address, 4);
    assert_eq!((more.len(), refused.len()), (1, 3), "there are 3 sessions, and channels for 4");

    leave(&mut world, greeted, 1);
    leave(&mut world, more, 0);
}

#[test]
fn without_channels_the_port_is_free_for_others() {
    let address = free_address();
    let mut world = world(4);
    world.listen_at(address);
    let (greeted, _) = storm(world.address(), 4);
    assert_eq!(greeted.len(), 4);

    world.set("channels", "0");
    let mut held = None;
    let begun = std::time::Instant::now();
    while held.is_none() {
        assert!(begun.elapsed() < PATIENCE, "the port is not released");
        held = TcpListener::bind(address).ok();
    }
    leave(&mut world, greeted, 0);
    drop(held);
    assert!(Client::try_connect(address).is_err(), "nobody listens");

    world.set("channels", "4");
    await_listener(address);
    world.await_sessions(0);
    let (greeted, refused) = storm(address, 16);
    assert_eq!((greeted.len(), refused.len()), (4, 12));
    leave(&mut world, greeted, 0);
}

/// Waits until somebody listens on both shards' behalf: a client is greeted.
fn await_listener(address: SocketAddr) {
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "nobody listens");
        if let Ok(mut client) = Client::try_connect(address)
            && client.line().starts_with("200 ")
        {
            assert!(client.ask("QUIT").starts_with("200 "));
            return;
        }
        std::thread::yield_now();
    }
}
