//! (interface agreed; the implementation belongs to the proto writer)

/// What [`Inbox::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A whole line without its CR LF or LF. Borrowed from the chunk unless it was split.
    Line(&'a [u8]),
    /// The rest of the chunk is the beginning of a line; it has been kept.
    Partial,
    /// The line cannot fit; the stream has no later boundary that can be trusted.
    TooLong,
}

/// Cuts a byte stream into lines, in place, keeping only what a chunk ends in the middle of.
#[derive(Debug, Default)]
pub struct Inbox {}

impl Inbox {
    /// Takes the next line out of what was kept and the front of `chunk`, which is advanced.
    pub fn next_line<'a, 'c: 'a>(&'a mut self, _chunk: &mut &'c [u8]) -> Framed<'a> {
        Framed::Partial
    }
    /// Keeps all of `chunk` for later calls of [`Inbox::next_line`], because the session may not
    /// read on yet. False, keeping nothing, when more than `bytes_max` would be kept.
    pub fn keep(&mut self, _chunk: &[u8], _bytes_max: usize) -> bool {
        true
    }
    /// Whether the beginning of a line, or lines kept for later, are held.
    pub fn is_empty(&self) -> bool {
        true
    }
    pub fn holds_partial_line(&self) -> bool {
        false
    }
    pub fn kept_bytes(&self) -> usize {
        0
    }
}
