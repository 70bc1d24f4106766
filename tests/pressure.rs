//! Clients that send without end, or do not read what they asked for: neither fills the server's
//! memory, nor takes anything from others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::world::World;
use crate::world::client::{Client, PATIENCE};

/// More than the socket buffers of both sides can hold, so that a server which takes more keeps
/// it in its own memory.
const KERNEL_BYTES_MAX: usize = 64 << 20;

/// As long as a peer takes nothing, it counts as having stopped.
const STANDSTILL: Duration = Duration::from_millis(300);

const LINE: &[u8] = b"NOOP\r\n";

/// A client that has been greeted.
fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    // Little waits on the client's side, so that it shows soon how much waits on the server's.
    set_socket_send_buffer_size(&stream, 4096).unwrap();
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
    }
    stream
}

/// Sends lines, reading nothing, until the server takes no more; returns how many bytes it took.
fn flood(stream: &mut TcpStream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let lines = LINE.repeat(1000);
    let (mut sent, mut moved) = (0, Instant::now());
    while moved.elapsed() < STANDSTILL {
        match stream.write(&lines[sent % LINE.len()..]) {
            Ok(count) => {
                sent += count;
                moved = Instant::now();
            }
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(fault) => panic!("after {sent} bytes: {fault}"),
        }
        assert!(sent < KERNEL_BYTES_MAX, "the server takes without end");
    }
    stream.set_nonblocking(false).unwrap();
    sent
}

/// Whether somebody else is served.
fn check_others_are_served(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.line();
    assert_eq!(client.ask("NOOP"), "200 OK");
}

#[test]
fn a_client_that_reads_no_replies_is_not_read_either_and_then_closed() {
    let mut world = World::new(Vec::new());
    let address = world.address();
    let mut client = greeted(address);
    flood(&mut client);
    check_others_are_served(address);
    let own_address = client.local_addr().unwrap();
    let begun = Instant::now();
    // The time that a reply may stay unread.
    while world.server().sessions() > 0 {
        world.turn_clock(Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(2));
        assert!(begun.elapsed() < PATIENCE, "{own_address} is not closed");
    }
}

#[test]
fn a_client_that_reads_late_gets_every_reply() {
    let mut world = World::new(Vec::new());
    let mut client = greeted(world.address());
    let sent = flood(&mut client);
    let mut reader = client.try_clone().unwrap();
    let receiving = std::thread::spawn(move || {
        let mut replies = Vec::new();
        reader.read_to_end(&mut replies).unwrap();
        replies
    });
    // The rest of the line that was cut, and the end.
    client.write_all(&LINE[sent % LINE.len()..]).unwrap();
    client.write_all(b"QUIT\r\n").unwrap();
    let replies = receiving.join().unwrap();
    let expected = (sent.div_ceil(LINE.len()) + usize::from(sent.is_multiple_of(LINE.len()))) * b"200 OK\r\n".len();
    let goodbye = b"200 keyturn PWD connection closed\r\n";
    assert!(replies.ends_with(goodbye));
    assert_eq!(replies.len() - goodbye.len(), expected);
}

#[test]
fn what_is_sent_behind_a_change_under_way_waits_in_the_clients_buffers() {
    let mut world = World::new(Vec::new());
    world.account("alice", b"blue harbor 42", "{}");
    let address = world.address();
    let mut client = greeted(address);
    client.write_all(b"USER alice\r\nPASS blue harbor 42\r\n").unwrap();
    world.gate.shut(crate::world::gate::Passage::Commit);
    client.write_all(b"NEWPASS seven green kites\r\n").unwrap();
    world.gate.await_crowd(1);
    flood(&mut client);
    check_others_are_served(address);
    world.gate.open();
    let mut replies = vec![0; 4096];
    let mut heard = String::new();
    while !heard.contains("200 OK\r\n") {
        let count = client.read(&mut replies).unwrap();
        assert!(count > 0, "closed after: {heard}");
        heard.push_str(&String::from_utf8_lossy(&replies[..count]));
    }
    let start = "300 please send the PASS\r\n200 login OK, proceed\r\n200 Password updated\r\n200 OK\r\n";
    assert!(heard.starts_with(start), "{heard}");
}

/// A refused session was shut down by an operation that the kernel carried out late, on a worker
/// thread: by the number of a descriptor which meanwhile belonged to the next connection. That
/// client's PASS was never answered.
#[test]
fn the_end_of_a_session_does_not_touch_the_one_that_follows() {
    let mut world = World::new(Vec::new());
    world.account("alice", b"blue harbor 42", "{}");
    world.listen_as("poppassd", &[]);
    let address = world.address();
    let visit = |lines: &[&str]| {
        let mut client = Client::connect(address);
        lines.iter().fold(client.line(), |_, line| client.ask(line))
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert_eq!(visit(&["PASS blue harbor 42"]), "500 please send USER first");
                    assert_eq!(visit(&["USER alice", "PASS blue harbor 42"]), "200 Your new password please.");
                }
            });
        }
    });
}
