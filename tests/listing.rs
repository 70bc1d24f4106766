//! Lists of any length: what a session that reads one costs, and what the others notice.

use keyturn::notation::{Form, Value};
use keyturn::service::Count;

use crate::world::World;
use crate::world::client::{Client, Heard, PATIENCE};

/// Accounts listed where their number matters.
const ACCOUNTS: usize = 80_000;

/// More than enough for the list not to fit in the buffers of the two sockets.
const MANY: usize = 40_000;

/// So long that [`MANY`] accounts make a list of 4 MB.
const LONG_NAME: &str = "somebody-with-a-name-as-long-as-those-that-a-script-makes-from-the-numbers-of-its-customers-";

/// More than the longest piece of a list may have.
const PIECE_BYTES_MAX: u64 = 128 << 10;

fn administrator(world: &mut World) -> Client {
    let mut client = Client::connect_narrowly(world.address());
    client.line();
    assert_eq!(client.ask("USER postmaster"), "300 please send the PASS");
    assert_eq!(client.ask("PASS postmaster's secret"), "200 login OK, proceed");
    client
}

#[test]
fn a_long_list_is_sent_piece_by_piece_while_others_are_served() {
    let mut world = World::new(Vec::new());
    world.accounts(LONG_NAME, ACCOUNTS);
    let (mut reader, mut other) = (administrator(&mut world), administrator(&mut world));
    reader.send(b"LISTACCOUNTS\r\nNOOP\r\n");
    assert_eq!(reader.line(), "200 data follow");
    // The list lies there half sent, for its client reads no further; nobody else waits for it.
    for _ in 0..100 {
        assert_eq!(other.ask("MAINDOMAINNAME"), "200 data follow");
        assert_eq!(other.line(), "example.com");
    }
    let pieces = world.count(Count::Pieces);
    let Value::Dictionary(names) = parsed(&reader.line()) else { panic!("a dictionary") };
    assert_eq!(names.len(), ACCOUNTS + 1);
    assert!(names.iter().all(|(_, kind)| kind.as_str() == Some("macnt")));
    assert_eq!(reader.line(), "200 OK", "the next command is obeyed after the list");
    assert!(world.count(Count::Pieces) > pieces, "{pieces} pieces were made before anybody read them");
    assert!(world.count(Count::PieceBytesMax) < PIECE_BYTES_MAX);
}

#[test]
fn portions_of_a_domain_are_sent_piece_by_piece_and_go_on_where_they_ended() {
    const LIMIT: usize = 4_000;
    const COUNT: usize = 10_000;
    let mut world = World::new(Vec::new());
    world.accounts(LONG_NAME, COUNT);
    let mut client = administrator(&mut world);
    assert_eq!(client.ask("INLINE"), "200 OK");
    let (mut cookie, mut names) = (String::new(), Vec::new());
    loop {
        let answer = client.ask(&format!("LISTDOMAINOBJECTS example.com {LIMIT} COOKIE \"{cookie}\""));
        let Value::Array(answer) = parsed(answer.strip_prefix("201 ").unwrap()) else { panic!("{answer}") };
        let [Value::String(accounts), Value::Dictionary(found), _, _, Value::String(next)] = &answer[..] else {
            panic!("{answer:?}")
        };
        assert_eq!(*accounts, (COUNT + 1).to_string());
        assert!(found.len() <= LIMIT);
        names.extend(found.iter().map(|(name, _)| name.to_owned()));
        if next.is_empty() {
            break;
        }
        cookie.clone_from(next);
    }
    assert_eq!(names.len(), COUNT + 1);
    assert!(names.is_sorted());
    assert!(world.count(Count::Pieces) > 0);
    assert!(world.count(Count::PieceBytesMax) < PIECE_BYTES_MAX);
}

#[test]
fn a_list_whose_reader_is_gone_is_made_no_further() {
    let mut world = World::new(Vec::new());
    world.accounts(LONG_NAME, MANY);
    let mut reader = administrator(&mut world);
    reader.send(b"LISTACCOUNTS\r\n");
    assert_eq!(reader.line(), "200 data follow");
    reader.reset();
    world.await_sessions(0);
    let pieces = world.count(Count::Pieces);
    let mut other = administrator(&mut world);
    assert_eq!(other.ask("INLINE"), "200 OK");
    assert_eq!(other.ask("LISTDOMAINS"), "201 (example.com)");
    // One piece may have been under way.
    assert!(world.count(Count::Pieces) <= pieces + 1);
}

#[test]
fn a_list_that_the_store_cannot_finish_ends_the_session_in_the_middle() {
    let mut world = World::new(Vec::new());
    world.accounts(LONG_NAME, MANY);
    let mut reader = administrator(&mut world);
    reader.send(b"LISTACCOUNTS\r\n");
    assert_eq!(reader.line(), "200 data follow");
    world.gate.fail_next_read();
    match reader.hear(PATIENCE) {
        Heard::Eof(part) => assert!(part.starts_with(b"{") && part.ends_with(b";"), "it ends within a dictionary"),
        other @ (Heard::Line(_) | Heard::Reset | Heard::Silence) => panic!("{other:?}"),
    }
}

fn parsed(text: &str) -> Value {
    // Longer than the notation allows a client to send.
    let shortened = text.len() > keyturn::notation::TEXT_BYTES_MAX;
    if !shortened {
        return Value::parse(text.as_bytes(), Form::Line).unwrap();
    }
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix(";}")).unwrap();
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), Value::from(value))
    };
    let pairs: Vec<_> = inside.split(';').map(pair).collect();
    Value::Dictionary(pairs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect())
}
