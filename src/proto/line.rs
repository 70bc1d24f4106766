use std::fmt;

use memchr::memchr;
use zeroize::Zeroize;

use crate::model::limits::LINE_BYTES_MAX;

/// What [`Inbox::next_line`] found.
#[derive(PartialEq, Eq)]
pub enum Framed<'a> {
    /// A whole line without its CR LF or LF. It lies in the chunk unless it was split or kept.
    Line(&'a [u8]),
    /// No line is complete. What is left of the chunk, if anything, is the beginning of one and
    /// has been kept; the chunk is now empty.
    Partial,
    /// The line has more bytes than it may have. No later line boundary can be trusted:
    /// take nothing more from this stream.
    TooLong,
}

impl fmt::Debug for Framed<'_> {
    /// Shows the length of a line only: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "Line({} bytes)", line.len()),
            Self::Partial => f.write_str("Partial"),
            Self::TooLong => f.write_str("TooLong"),
        }
    }
}

/// Cuts a byte stream into lines.
///
/// A line that lies whole in a chunk is handed out in place. Only the beginning of a split line,
/// and what a session may not read yet, are copied here, into memory that is given back as soon
/// as it is empty: an idle session holds none.
///
/// What was held is overwritten by the call after the one that handed it out, when it moves to a
/// larger buffer, and on drop, for it may be a password.
#[derive(Default)]
pub struct Inbox {
    /// `..wiped` is overwritten, `wiped..taken` was handed out last, `taken..` is still to come.
    held: Vec<u8>,
    wiped: usize,
    taken: usize,
}

impl Inbox {
    /// Takes the next line out of what was kept and the front of `chunk`, which is advanced.
    ///
    /// CR LF and a lone LF both end a line: exactly one CR before the LF is dropped. All other
    /// bytes pass through; refusing them is the grammar's business. [`Framed::TooLong`] comes as
    /// soon as the line cannot fit, so also when it never ends.
    ///
    /// Call until [`Framed::Partial`], or [`Inbox::keep`] the rest of the chunk: either also
    /// wipes the line handed out last, should it have been held here.
    ///
    /// # Examples
    ///
    /// ```
    /// use keyturn::proto::{Framed, Inbox};
    ///
    /// let mut inbox = Inbox::default();
    /// let mut chunk = &b"NOOP\r\nQU"[..];
    /// assert_eq!(inbox.next_line(&mut chunk), Framed::Line(b"NOOP"));
    /// assert_eq!(inbox.next_line(&mut chunk), Framed::Partial);
    /// let mut chunk = &b"IT\n"[..];
    /// assert_eq!(inbox.next_line(&mut chunk), Framed::Line(b"QUIT"));
    /// ```
    /// A line has at most [`LINE_BYTES_MAX`] bytes.
    #[inline]
    pub fn next_line<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Framed<'a> {
        self.next_line_within(chunk, LINE_BYTES_MAX)
    }

    /// As [`Inbox::next_line`], for lines of at most `bytes_max` bytes.
    #[inline]
    pub fn next_line_within<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8], bytes_max: usize) -> Framed<'a> {
        self.wipe_taken();
        let end_in_chunk = |chunk: &[u8]| memchr(b'\n', chunk);
        if self.held.is_empty()
            && let Some(end) = end_in_chunk(chunk)
        {
            let line = &chunk[..end];
            *chunk = &chunk[end + 1..];
            return frame(line, bytes_max);
        }
        let mut end = self.held_line_end();
        if end.is_none() {
            let front = end_in_chunk(chunk).map_or(*chunk, |end| &chunk[..=end]);
            *chunk = &chunk[front.len()..];
            // The longest line with CR LF; checked first, so that no client makes us hold more.
            if self.kept_bytes() + front.len() > bytes_max + 2 {
                return Framed::TooLong;
            }
            self.append(front);
            end = front.ends_with(b"\n").then(|| self.held.len() - 1);
        }
        match end {
            Some(end) => {
                let line = self.taken..end;
                self.taken = end + 1;
                frame(&self.held[line], bytes_max)
            }
            None if may_fit(&self.held[self.taken..], bytes_max) => Framed::Partial,
            None => Framed::TooLong,
        }
    }

    /// Keeps all of `chunk` for later calls of [`Inbox::next_line`], because the session may not
    /// read on yet. False, keeping nothing of it, when more than `bytes_max` would be kept.
    #[must_use]
    pub fn keep(&mut self, chunk: &[u8], bytes_max: usize) -> bool {
        self.wipe_taken();
        let fits = self.kept_bytes() + chunk.len() <= bytes_max;
        if fits {
            self.append(chunk);
        }
        fits
    }

    /// Whether nothing is held: neither the beginning of a line nor lines kept for later.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept_bytes() == 0
    }

    /// Whether all that is held is the beginning of a line that has not ended yet.
    #[must_use]
    pub fn holds_partial_line(&self) -> bool {
        !self.is_empty() && self.held_line_end().is_none()
    }

    /// What is held and not yet handed out.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.held[self.taken..]
    }

    /// Bytes held and not yet handed out.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.held.len() - self.taken
    }

    /// Where in `held` the next line ends, if it does.
    fn held_line_end(&self) -> Option<usize> {
        memchr(b'\n', &self.held[self.taken..]).map(|end| self.taken + end)
    }

    fn wipe_taken(&mut self) {
        if self.wiped < self.taken {
            self.held[self.wiped..self.taken].zeroize();
            self.wiped = self.taken;
            if self.is_empty() {
                *self = Self::default();
            }
        }
    }

    /// Grows by hand: a `Vec` that grows by itself leaves what it held in freed memory.
    fn append(&mut self, bytes: &[u8]) {
        if self.held.capacity() - self.held.len() < bytes.len() {
            let bytes_needed = self.kept_bytes() + bytes.len();
            let mut held = Vec::with_capacity(bytes_needed.next_power_of_two());
            held.extend_from_slice(&self.held[self.taken..]);
            *self = Self { held, wiped: 0, taken: 0 };
        }
        self.held.extend_from_slice(bytes);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.held[self.wiped..].zeroize();
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} bytes)", self.kept_bytes())
    }
}

/// Frames a line whose LF is already gone.
fn frame(line: &[u8], bytes_max: usize) -> Framed<'_> {
    if may_fit(line, bytes_max) { Framed::Line(line.strip_suffix(b"\r").unwrap_or(line)) } else { Framed::TooLong }
}

/// Whether `bytes`, followed by LF, would be a line of permitted length. A last CR does not count:
/// it may belong to the terminator.
fn may_fit(bytes: &[u8], bytes_max: usize) -> bool {
    bytes.len() <= bytes_max + usize::from(bytes.ends_with(b"\r"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What a stream held: its lines, then what was left over or `Err` where it became too long.
    #[derive(Debug, PartialEq, Eq)]
    struct Cut {
        lines: Vec<Vec<u8>>,
        end: Result<usize, ()>,
    }

    /// Cuts a whole stream the trivial way.
    fn cut_whole(stream: &[u8]) -> Cut {
        let mut lines: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        let text = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        let mut cut = Cut { lines: Vec::new(), end: Ok(rest.len()) };
        for line in lines {
            if text(line).len() > LINE_BYTES_MAX {
                return Cut { end: Err(()), ..cut };
            }
            cut.lines.push(text(line));
        }
        if text(rest).len() > LINE_BYTES_MAX {
            cut.end = Err(());
        }
        cut
    }

    /// Cuts a stream that arrives in chunks; of each, `lines_max` lines are read at once and the
    /// rest is kept.
    fn cut_chunks<'c>(chunks: impl Iterator<Item = (&'c [u8], usize)>) -> Cut {
        let mut inbox = Inbox::default();
        let mut lines = Vec::new();
        for (mut chunk, lines_max) in chunks {
            for turn in 0.. {
                if turn == lines_max {
                    assert!(inbox.keep(chunk, usize::MAX));
                    break;
                }
                match inbox.next_line(&mut chunk) {
                    Framed::Line(line) => lines.push(line.to_vec()),
                    Framed::Partial => break,
                    Framed::TooLong => return Cut { lines, end: Err(()) },
                }
            }
        }
        loop {
            match inbox.next_line(&mut &[][..]) {
                Framed::Line(line) => lines.push(line.to_vec()),
                Framed::Partial => break,
                Framed::TooLong => return Cut { lines, end: Err(()) },
            }
        }
        assert_eq!(inbox.holds_partial_line(), inbox.kept_bytes() > 0);
        assert_eq!(inbox.held.capacity() == 0, inbox.is_empty(), "memory is held exactly while needed");
        Cut { end: Ok(inbox.kept_bytes()), lines }
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => vec(any::<u8>(), 0..12),
            4 => Just(b"\r\n".to_vec()),
            4 => Just(b"\n".to_vec()),
            2 => Just(b"\r".to_vec()),
            1 => (LINE_BYTES_MAX - 3..LINE_BYTES_MAX + 4).prop_map(|count| vec![b'x'; count]),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn however_a_stream_is_split_its_lines_are_the_same(
            stream in stream(),
            sizes in vec((1_usize..700, 0_usize..6), 1..40),
        ) {
            let mut rest = &stream[..];
            let mut sizes = sizes.iter().cycle();
            let chunks = std::iter::from_fn(|| {
                let &(bytes, lines_max) = sizes.next()?;
                let (chunk, later) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
                rest = later;
                (!chunk.is_empty()).then_some((chunk, lines_max))
            });
            prop_assert_eq!(cut_chunks(chunks), cut_whole(&stream));
        }

        #[test]
        fn bytes_that_drip_in_one_by_one_make_the_same_lines(stream in stream()) {
            prop_assert_eq!(cut_chunks(stream.chunks(1).map(|byte| (byte, 2))), cut_whole(&stream));
        }
    }

    fn next(inbox: &mut Inbox, mut chunk: &[u8]) -> Option<Vec<u8>> {
        match inbox.next_line(&mut chunk) {
            Framed::Line(line) => Some(line.to_vec()),
            Framed::Partial | Framed::TooLong => None,
        }
    }

    #[test]
    fn a_whole_line_is_handed_out_in_place() {
        let bytes = b"NOOP\r\nQUIT\n".to_vec();
        let mut chunk = &bytes[..];
        let mut inbox = Inbox::default();
        let Framed::Line(line) = inbox.next_line(&mut chunk) else { panic!("a line is there") };
        assert_eq!((line, line.as_ptr()), (&b"NOOP"[..], bytes.as_ptr()));
        assert_eq!(chunk, b"QUIT\n");
        assert_eq!(inbox.held.capacity(), 0);
    }

    #[test]
    fn exactly_one_cr_before_the_lf_is_dropped() {
        for (bytes, line) in [("a\n", "a"), ("a\r\n", "a"), ("a\r\r\n", "a\r"), ("a\rb\n", "a\rb"), ("\n", "")] {
            assert_eq!(next(&mut Inbox::default(), bytes.as_bytes()), Some(line.into()), "{bytes:?}");
        }
    }

    #[test]
    fn a_line_is_too_long_as_soon_as_it_cannot_fit() {
        let longest = [b'x'; LINE_BYTES_MAX];
        let check = |ending: &[u8], expected: &str| {
            let bytes = [&longest[..], ending].concat();
            assert_eq!(format!("{:?}", Inbox::default().next_line(&mut &bytes[..])), expected, "{ending:?}");
        };
        check(b"\n", "Line(4096 bytes)");
        check(b"\r\n", "Line(4096 bytes)");
        check(b"", "Partial");
        check(b"\r", "Partial");
        check(b"x", "TooLong");
        check(b"x\r\n", "TooLong");
        check(b"\r\r", "TooLong");
        check(&longest, "TooLong");
    }

    #[test]
    fn keep_has_a_bound_and_then_keeps_nothing() {
        let mut inbox = Inbox::default();
        assert!(inbox.keep(b"NOOP\nNO", 8));
        assert!(!inbox.keep(b"OP", 8));
        assert!(inbox.keep(b"", 8));
        assert_eq!((inbox.kept_bytes(), inbox.holds_partial_line()), (7, false));
        assert_eq!(next(&mut inbox, b"OP\n"), Some(b"NOOP".to_vec()));
        assert!(inbox.holds_partial_line());
    }

    #[test]
    fn what_was_held_is_wiped_once_it_is_read() {
        let mut inbox = Inbox::default();
        assert!(inbox.keep(b"PASS secret\nQUIT\nPA", 64));
        assert_eq!(next(&mut inbox, b""), Some(b"PASS secret".to_vec()));
        assert_eq!(next(&mut inbox, b""), Some(b"QUIT".to_vec()));
        assert_eq!(inbox.held, b"\0\0\0\0\0\0\0\0\0\0\0\0QUIT\nPA");
        assert!(inbox.keep(b"", 64));
        assert_eq!(&inbox.held[..17], &[0; 17]);
        assert_eq!(next(&mut inbox, b"SS x\n"), Some(b"PASS x".to_vec()));
        assert!(inbox.keep(b"", 64));
        assert_eq!(inbox.held.capacity(), 0, "an empty inbox holds no memory");
    }

    #[test]
    fn an_inbox_is_small_and_shows_nothing() {
        assert!(size_of::<Inbox>() <= 40);
        let mut inbox = Inbox::default();
        assert!(inbox.keep(b"PASS secret", 64));
        assert_eq!(format!("{inbox:?}"), "Inbox(11 bytes)");
        assert_eq!(format!("{:?}", inbox.next_line(&mut &b"\n"[..])), "Line(11 bytes)");
    }
}
