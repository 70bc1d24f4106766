//! Where the vector kernels keep the words of a block.
//!
//! A block is a matrix of 8 rows of 16 words (RFC 9106, section 3.5). *P* takes its sixteen words
//! as four groups of four, and mixes words of different groups with each other. Give each word
//! five coordinates:
//!
//! ```text
//! word = 16 * (2k + s) + 4g + 2h + e        g, k: 0..4       s, h, e: 0..2
//! ```
//!
//! Where *P* works on a row, *g* is the group and (h, e), read as the number 2h + e, the place in
//! it; where *P* works on a column two words wide, *k* is the group and (s, e) the place. So
//!
//! - the vectors are numbered by *g* and *k*, and the lanes by the rest. Every mixing step, of
//!   rows and of columns, is then between whole vectors, and the same in each lane;
//! - before mixing diagonals, *P* turns group *n* by *n* places. All of the turned vectors may be
//!   left as they are when *P* is done, provided that the next *P* puts them right: its first
//!   steps are between vectors that are all turned alike. So each block needs two turns and not
//!   four: from *column order*, in which memory holds all blocks, to *row order*, and back.
//!
//! Everything below is derived from that at compile time.

/// Which group the words of a vector are turned by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Vector (g, k) has its (h, e) turned by g.
    Rows,
    /// Vector (g, k) has its (s, e) turned by k.
    Columns,
}

/// A lane, or the coordinates of the word in it: s, h, e.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) s: usize,
    pub(super) h: usize,
    pub(super) e: usize,
}

impl Spot {
    /// The number whose binary digits are s, h and e.
    pub(super) const fn from_number(number: usize) -> Self {
        Self { s: number >> 2 & 1, h: number >> 1 & 1, e: number & 1 }
    }

    pub(super) const fn number(self) -> usize {
        4 * self.s + 2 * self.h + self.e
    }

    /// Goes `places` further in the group: among (h, e) for rows, (s, e) for columns.
    const fn turned(self, order: Order, places: usize) -> Self {
        match order {
            Order::Rows => {
                let place = 2 * self.h + self.e + places;
                Self { s: self.s, h: place >> 1 & 1, e: place & 1 }
            }
            Order::Columns => {
                let place = 2 * self.s + self.e + places;
                Self { s: place >> 1 & 1, h: self.h, e: place & 1 }
            }
        }
    }
}

impl Order {
    const fn places(self, g: usize, k: usize) -> usize {
        match self {
            Self::Rows => g,
            Self::Columns => k,
        }
    }

    /// The word that is in `lane` of vector (g, k).
    const fn word_in(self, g: usize, k: usize, lane: Spot) -> Spot {
        lane.turned(self, self.places(g, k))
    }

    /// The lane of vector (g, k) that `word` is in.
    const fn lane_of(self, g: usize, k: usize, word: Spot) -> Spot {
        word.turned(self, 4 - self.places(g, k))
    }

    /// From which lane of vector (g, k) in the other order `lane` is filled.
    pub(super) const fn source(self, g: usize, k: usize, lane: Spot) -> Spot {
        let other = match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
        };
        other.lane_of(g, k, self.word_in(g, k, lane))
    }
}

/// Vector and lane in memory of each word: (g, k), then s, h, e.
pub(super) const fn place_in_memory(word: usize) -> (usize, usize, Spot) {
    let (row, column) = (word / 16, word % 16);
    let (g, k) = (column / 4, row / 2);
    let spot = Spot { s: row % 2, h: column / 2 % 2, e: column % 2 };
    (g, k, Order::Columns.lane_of(g, k, spot))
}
