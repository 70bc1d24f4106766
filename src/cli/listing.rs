//! Lists of any length: read page by page, printed piece by piece, and never held as a whole.
//!
//! Each page is a snapshot of its own. Names come in order, and each page begins behind the last
//! name of the one before: whatever is there from the first page to the last is in the list once;
//! what is created or deleted meanwhile may be in it or not.

use std::fmt;
use std::io::Write;

use super::answer::Answer;
use crate::directory::{Directory, DirectoryFault};
use crate::notation::Value;
use crate::store::ReadFault;

/// Names read at a time.
pub(super) const PAGE: usize = 1024;

/// Bytes at which a piece is sent. What a page adds beyond is all that a piece can be longer.
const PIECE_BYTES: usize = 64 << 10;

/// Pages read for one piece, however few of their names are in the list: then others are served.
const PAGES_PER_PIECE: usize = 8;

/// Prints the items of the next page. False: there are no more.
type ReadPage = dyn FnMut(&Directory, &mut Items<'_>) -> Result<bool, DirectoryFault> + Send;

/// What a list consists of.
pub(super) struct Pages {
    begin: String,
    read: Box<ReadPage>,
    end: &'static str,
}

impl Pages {
    pub(super) fn array(
        read: impl FnMut(&Directory, &mut Items<'_>) -> Result<bool, DirectoryFault> + Send + 'static,
    ) -> Self {
        Self { begin: "(".to_owned(), read: Box::new(read), end: ")" }
    }

    pub(super) fn dictionary(
        read: impl FnMut(&Directory, &mut Items<'_>) -> Result<bool, DirectoryFault> + Send + 'static,
    ) -> Self {
        Self { begin: "{".to_owned(), read: Box::new(read), end: "}" }
    }

    /// A dictionary within something larger: `begin` stands before it, and `read` prints what
    /// follows it with [`Items::finish`].
    pub(super) fn dictionary_within(
        begin: &str,
        read: impl FnMut(&Directory, &mut Items<'_>) -> Result<bool, DirectoryFault> + Send + 'static,
    ) -> Self {
        Self { begin: format!("{begin}{{"), read: Box::new(read), end: "" }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pages")
    }
}

/// Prints the items of one page.
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    is_first: &'a mut bool,
}

impl Items<'_> {
    /// Of an array.
    pub(super) fn element(&mut self, value: &Value) {
        let comma = if std::mem::replace(self.is_first, false) { "" } else { "," };
        write!(self.out, "{comma}{value}").expect("a Vec takes every byte");
    }

    /// Of a dictionary.
    pub(super) fn pair(&mut self, key: &str, value: &Value) {
        write!(self.out, "{}={value};", Value::from(key)).expect("a Vec takes every byte");
    }

    /// The end of a dictionary within something larger, and what follows it.
    pub(super) fn finish(&mut self, rest: &str) {
        write!(self.out, "}}{rest}").expect("a Vec takes every byte");
    }
}

/// Behind which name the next page begins.
pub(super) fn step<T>(last: &mut Option<T>, page: Vec<T>) -> bool {
    match page.into_iter().last() {
        Some(end) => {
            *last = Some(end);
            true
        }
        None => false,
    }
}

/// A list under way.
#[derive(Debug)]
pub struct Listing {
    pages: Pages,
    is_inline: bool,
    is_begun: bool,
    is_first: bool,
}

/// Some of a list, ready to be sent. All pieces in a row are one answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// A piece that is not the first may be empty.
    pub bytes: Vec<u8>,
    /// Whether it is the last one.
    pub is_last: bool,
}

impl Listing {
    pub(super) fn new(pages: Pages, is_inline: bool) -> Self {
        Self { pages, is_inline, is_begun: false, is_first: true }
    }

    /// Whether a piece has been made: then no other answer can follow.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// The next piece. When what is listed has ceased to exist, the list ends there.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn next_piece(&mut self, directory: &Directory) -> Result<Piece, ReadFault> {
        let mut bytes = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        if !self.is_begun {
            bytes.extend_from_slice(Answer::before_data(self.is_inline));
            bytes.extend_from_slice(self.pages.begin.as_bytes());
        }
        let mut is_last = false;
        let mut pages = 0;
        while !is_last && bytes.len() < PIECE_BYTES && pages < PAGES_PER_PIECE {
            let mut items = Items { out: &mut bytes, is_first: &mut self.is_first };
            is_last = match (self.pages.read)(directory, &mut items) {
                Ok(has_more) => !has_more,
                Err(DirectoryFault::Read(fault)) => return Err(fault),
                Err(_) => true,
            };
            pages += 1;
        }
        if is_last {
            bytes.extend_from_slice(self.pages.end.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        self.is_begun = true;
        Ok(Piece { bytes, is_last })
    }
}
