//! The ring against real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::*;

const SIZE: RingSize = RingSize { operations: 8, receive_buffers: 2, completions_per_turn_max: 4 };

/// A ring, one accepted connection of it, and the client at the other end.
struct Pair {
    ring: Ring,
    server: OwnedFd,
    client: TcpStream,
    _listener: TcpListener,
}

fn connect() -> Pair {
    connect_on(Ring::new(SIZE).expect("io_uring must be allowed where the tests run"))
}

fn connect_on(mut ring: Ring) -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ring.queue.accept(listener.as_fd(), Key::new(0, 0));
    let Completion::Accepted { result, armed: true, .. } = next(&mut ring) else { panic!("accepting stopped") };
    let server = result.unwrap();
    Pair { ring, server, client, _listener: listener }
}

/// Turns until something completes; a hang guard, not a measurement.
fn next(ring: &mut Ring) -> Completion {
    let mut completions = Vec::new();
    for _ in 0..100 {
        ring.turn(Wait::AtMost(Duration::from_millis(100)), &mut completions).unwrap();
        if let Some(completion) = completions.pop() {
            assert!(completions.is_empty(), "one thing at a time: {completions:?}");
            return completion;
        }
    }
    panic!("nothing completed");
}

fn data(completion: Completion) -> (Key, Buffer, bool) {
    let Completion::Received { key, result: Received::Data(buffer), armed } = completion else {
        panic!("{completion:?}")
    };
    (key, buffer, armed)
}

#[test]
fn a_line_comes_in_and_a_reply_goes_out_with_the_close() {
    let Pair { mut ring, server, mut client, .. } = connect();
    let key = Key::new(3, 9);
    ring.queue.receive_once(server.as_fd(), key);
    client.write_all(b"QUIT\r\n").unwrap();
    let (came, buffer, armed) = data(next(&mut ring));
    assert_eq!((came, armed, ring.incoming.bytes(&buffer)), (key, false, &b"QUIT\r\n"[..]));
    ring.incoming.give_back(buffer);

    let out = ring.outgoing.take();
    ring.outgoing.write(out, 0, b"200 bye\r\n");
    ring.queue.send_then_close(server, key, &ring.outgoing, out, 0, 9);
    let mut completions = Vec::new();
    while completions.len() < 2 {
        ring.turn(Wait::AtMost(Duration::from_secs(10)), &mut completions).unwrap();
    }
    assert!(
        matches!(&completions[0], Completion::Sent { key: sent, result: Ok(9) } if *sent == key),
        "{completions:?}"
    );
    assert!(matches!(&completions[1], Completion::Closed { key: closed } if *closed == key), "{completions:?}");
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "200 bye\r\n");
}

/// The rings of older kernels do the same. A kernel older than a flag is served by the next one.
#[test]
fn a_ring_works_with_every_set_of_flags() {
    for index in 0..Setup::ALL.len() {
        let ring = Ring::on(Queue::with_setups(SIZE, &Setup::ALL[index..]).unwrap(), SIZE).unwrap();
        let Pair { mut ring, server, mut client, .. } = connect_on(ring);
        let key = Key::new(3, 9);
        ring.queue.receive_many(server.as_fd(), key);
        let out = ring.outgoing.take();
        for text in [&b"NOOP\r\n"[..], b"QUIT\r\n"] {
            client.write_all(text).unwrap();
            let (came, buffer, armed) = data(next(&mut ring));
            assert_eq!((came, armed, ring.incoming.bytes(&buffer)), (key, true, text));
            ring.outgoing.write(out, 0, ring.incoming.bytes(&buffer));
            ring.incoming.give_back(buffer);
            ring.queue.send(server.as_fd(), key, &ring.outgoing, out, 0, text.len());
            assert!(matches!(next(&mut ring), Completion::Sent { result: Ok(6), .. }));
            let mut echo = [0; 6];
            client.read_exact(&mut echo).unwrap();
            assert_eq!(echo, text);
        }
    }
}

#[test]
fn a_buffer_is_wiped_before_the_kernel_has_it_again() {
    let Pair { mut ring, server, mut client, .. } = connect();
    let key = Key::new(0, 1);
    ring.queue.receive_many(server.as_fd(), key);
    for _ in 0..5 {
        client.write_all(b"PASS correct horse\r\n").unwrap();
        let (_, buffer, armed) = data(next(&mut ring));
        assert!(armed);
        let address = ring.incoming.bytes(&buffer).as_ptr();
        ring.incoming.give_back(buffer);
        assert!(ring.incoming.is_wiped(address, 20));
    }
}

#[test]
fn receiving_goes_on_after_all_buffers_were_in_use() {
    let Pair { mut ring, server, mut client, .. } = connect();
    let key = Key::new(0, 1);
    ring.queue.receive_many(server.as_fd(), key);
    let mut held = Vec::new();
    let mut send = |text: &[u8]| client.write_all(text).unwrap();
    for _ in 0..SIZE.receive_buffers {
        send(b"NOOP\r\n");
        held.push(data(next(&mut ring)).1);
    }
    send(b"NOOP\r\n");
    let starved = next(&mut ring);
    assert!(matches!(starved, Completion::Received { result: Received::NoBuffer, armed: false, .. }), "{starved:?}");
    ring.queue.receive_many(server.as_fd(), key);
    held.drain(..).for_each(|buffer| ring.incoming.give_back(buffer));
    let (_, buffer, _) = data(next(&mut ring));
    assert_eq!(ring.incoming.bytes(&buffer), b"NOOP\r\n");
}

/// What was queued is not kept back by the sleep, and what came meanwhile is reaped after it.
#[test]
fn a_turn_that_gathers_submits_first_and_reaps_last() {
    let Pair { mut ring, server, client, .. } = connect();
    let key = Key::new(0, 1);
    ring.queue.receive_once(server.as_fd(), key);
    let out = ring.outgoing.take();
    ring.outgoing.write(out, 0, b"?");
    ring.queue.send(server.as_fd(), key, &ring.outgoing, out, 0, 1);
    let peer = std::thread::spawn(move || {
        let mut question = [0];
        (&client).read_exact(&mut question).unwrap();
        (&client).write_all(b"!").unwrap();
        client
    });
    let mut completions = Vec::new();
    while completions.len() < 2 {
        ring.turn(Wait::Gather(Duration::from_millis(5)), &mut completions).unwrap();
    }
    let client = peer.join().unwrap();
    let (_, buffer, _) = data(completions.pop().unwrap());
    assert_eq!(ring.incoming.bytes(&buffer), b"!");
    assert!(matches!(completions[..], [Completion::Sent { result: Ok(1), .. }]), "{completions:?}");
    drop(client);
}

/// A ring on which each of `count` connections has something to be received.
fn with_input(count: u16, size: RingSize) -> (Ring, Vec<(TcpStream, TcpStream)>) {
    let mut ring = Ring::new(size).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0);
    let mut pairs: Vec<_> = (0..count).map(|_| connect()).collect();
    for (slot, (_, server)) in pairs.iter().enumerate() {
        ring.queue.receive_once(server.as_fd(), Key::new(slot as u32, 1));
    }
    ring.turn(Wait::No, &mut Vec::new()).unwrap();
    for (client, _) in &mut pairs {
        client.write_all(b"!").unwrap();
    }
    (ring, pairs)
}

/// The kernel leaves some of it for the next turn unless it is asked for all; that would be one sleep later.
#[test]
fn a_turn_that_gathers_brings_all_that_has_come() {
    const COUNT: u16 = 64;
    let size =
        RingSize { operations: COUNT.into(), receive_buffers: COUNT, completions_per_turn_max: 2 * COUNT as usize };
    let (mut ring, _pairs) = with_input(COUNT, size);
    let mut completions = Vec::new();
    ring.turn(Wait::Gather(Duration::from_millis(50)), &mut completions).unwrap();
    assert_eq!(completions.len(), usize::from(COUNT));
}

/// It would fall behind further with every sleep, and it would sleep here for an hour.
#[test]
fn a_turn_does_not_gather_more_while_some_is_left_of_the_last() {
    const COUNT: u16 = 64;
    let size =
        RingSize { operations: COUNT.into(), receive_buffers: COUNT, completions_per_turn_max: COUNT as usize / 2 };
    let (mut ring, _pairs) = with_input(COUNT, size);
    let mut completions = Vec::new();
    ring.turn(Wait::Gather(Duration::from_millis(50)), &mut completions).unwrap();
    assert_eq!(completions.len(), size.completions_per_turn_max);
    ring.turn(Wait::Gather(Duration::from_secs(3600)), &mut completions).unwrap();
    assert_eq!(completions.len(), usize::from(COUNT));
}

#[test]
fn a_cancelled_receive_says_so_and_nothing_stays_in_flight() {
    let Pair { mut ring, server, client, .. } = connect();
    let key = Key::new(0, 1);
    ring.queue.receive_many(server.as_fd(), key);
    ring.turn(Wait::No, &mut Vec::new()).unwrap();
    ring.queue.cancel_receive(key);
    let ended = next(&mut ring);
    assert!(matches!(ended, Completion::Received { result: Received::Cancelled, armed: false, .. }), "{ended:?}");

    ring.queue.receive_once(server.as_fd(), key);
    client.shutdown(Shutdown::Write).unwrap();
    let ended = next(&mut ring);
    assert!(matches!(ended, Completion::Received { result: Received::End, armed: false, .. }), "{ended:?}");
    ring.queue.cancel_accept(Key::new(0, 0));
    while ring.in_flight() > 0 {
        ring.turn(Wait::AtMost(Duration::from_secs(10)), &mut Vec::new()).unwrap();
    }
}

#[test]
fn more_operations_than_places_are_all_carried_out() {
    let Pair { mut ring, server, mut client, .. } = connect();
    let out = ring.outgoing.take();
    ring.outgoing.write(out, 0, b"x");
    // Far beyond both queues: eight submissions, 32 completions.
    for slot in 0..200 {
        ring.queue.send(server.as_fd(), Key::new(slot, 0), &ring.outgoing, out, 0, 1);
    }
    let mut completions = Vec::new();
    while completions.len() < 200 {
        ring.turn(Wait::AtMost(Duration::from_secs(10)), &mut completions).unwrap();
    }
    assert!(completions.iter().all(|it| matches!(it, Completion::Sent { result: Ok(1), .. })));
    client.read_exact(&mut [0; 200]).unwrap();
}

#[test]
fn a_waker_ends_the_wait_of_another_thread() {
    let mut ring = Ring::new(SIZE).unwrap();
    let waker = Waker::new().unwrap();
    ring.queue.listen(&waker);
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake());
        let mut completions = Vec::new();
        ring.turn(Wait::Forever, &mut completions).unwrap();
        assert!(matches!(completions[..], [Completion::Woken]), "{completions:?}");
    });
}
