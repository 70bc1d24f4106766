//! Load generator for poppwd servers.
fn main() {}
