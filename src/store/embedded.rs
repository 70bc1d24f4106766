//! (the implementation belongs to the store writer)

/// The embedded store: one redb file.
#[derive(Debug)]
pub struct Embedded {}
