//! A line that can be joined and left at both ends and left from the middle.

use std::collections::BTreeMap;

/// Where something stands in a [`Line`].
pub(super) type Place = i64;

/// Things in a row.
#[derive(Debug)]
pub(super) struct Line<T> {
    places: BTreeMap<Place, T>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { places: BTreeMap::new() }
    }
}

impl<T> Line<T> {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Joins at the end that is served last, or at the one that is served first.
    pub(super) fn join(&mut self, thing: T, end: End) -> Place {
        let place = match end {
            End::Last => self.places.last_key_value().map_or(0, |(last, _)| last + 1),
            End::First => self.places.first_key_value().map_or(0, |(first, _)| first - 1),
        };
        self.places.insert(place, thing);
        place
    }

    pub(super) fn pop(&mut self, end: End) -> Option<T> {
        let popped = match end {
            End::First => self.places.pop_first(),
            End::Last => self.places.pop_last(),
        };
        popped.map(|(_, thing)| thing)
    }

    pub(super) fn leave(&mut self, place: Place) {
        let left = self.places.remove(&place);
        debug_assert!(left.is_some(), "nobody stood there");
    }

    /// All of them, beginning at `end`.
    pub(super) fn walk(&self, end: End) -> impl Iterator<Item = &T> {
        let (mut forward, mut backward) = (self.places.values(), self.places.values().rev());
        std::iter::from_fn(move || match end {
            End::First => forward.next(),
            End::Last => backward.next(),
        })
    }
}

/// An end of a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_joined_and_left_at_both_ends_and_in_the_middle() {
        let mut line = Line::default();
        line.join('b', End::Last);
        let c = line.join('c', End::Last);
        line.join('d', End::Last);
        line.join('a', End::First);
        assert_eq!(line.walk(End::First).collect::<String>(), "abcd");
        assert_eq!(line.walk(End::Last).collect::<String>(), "dcba");
        line.leave(c);
        assert_eq!((line.pop(End::First), line.pop(End::Last), line.len()), (Some('a'), Some('d'), 1));
        assert_eq!((line.pop(End::Last), line.pop(End::First), line.is_empty()), (Some('b'), None, true));
    }
}
