//! (the implementation belongs to the auth writer)
