use keyturn::model::limits::LINE_BYTES_MAX;
use keyturn::proto::{Framed, Inbox};

use crate::choices_and_stream;

/// What a stream held: its lines, and whether one was too long, after which nothing counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cut<'a> {
    lines: Vec<std::borrow::Cow<'a, [u8]>>,
    is_too_long: bool,
}

/// However a stream is split, and however much of it is kept for later, it has the lines that it
/// has as a whole.
pub fn line(input: &[u8]) {
    let (choices, stream) = choices_and_stream(input);
    assert_eq!(cut_in_pieces(choices, stream), cut_whole(stream));
}

fn cut_whole(stream: &[u8]) -> Cut<'_> {
    let mut cut = Cut::default();
    for line in stream.split_inclusive(|&byte| byte == b'\n') {
        let ended = line.strip_suffix(b"\n");
        let text = ended.unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.len() > LINE_BYTES_MAX {
            cut.is_too_long = true;
            break;
        }
        if ended.is_some() {
            cut.lines.push(text.into());
        }
    }
    cut
}

/// Each choice says how long the next chunk is (low half) and how many lines are read from it at
/// once (high half).
fn cut_in_pieces(choices: &[u8], mut stream: &[u8]) -> Cut<'static> {
    let mut inbox = Inbox::default();
    let mut cut = Cut::default();
    let mut choices = choices.iter().cycle();
    while !stream.is_empty() {
        let choice = choices.next().copied().unwrap_or(u8::MAX);
        let (mut chunk, rest) = stream.split_at_checked(1 << (choice & 15)).unwrap_or((stream, &[]));
        stream = rest;
        for turn in 0_u32.. {
            if turn == u32::from(choice >> 4) && choice != u8::MAX {
                assert!(inbox.keep(chunk, usize::MAX));
                break;
            }
            if !take(&mut inbox, &mut chunk, &mut cut) {
                break;
            }
        }
        if cut.is_too_long {
            return cut;
        }
    }
    while take(&mut inbox, &mut &[][..], &mut cut) {}
    assert!(cut.is_too_long || inbox.holds_partial_line() != inbox.is_empty());
    cut
}

/// Takes one line. False: there is none.
fn take(inbox: &mut Inbox, chunk: &mut &[u8], cut: &mut Cut<'_>) -> bool {
    match inbox.next_line(chunk) {
        Framed::Line(line) => cut.lines.push(line.to_vec().into()),
        Framed::Partial => return false,
        Framed::TooLong => {
            cut.is_too_long = true;
            return false;
        }
    }
    true
}
