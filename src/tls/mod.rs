//! TLS (versions 1.2 and 1.3) without the network: sealed bytes in, clear bytes out, and back.
//!
//! An [`Endpoint`] is what a listener offers: certificates, and whose certificates it asks for. A
//! [`Session`] is one connection's TLS, by rustls; [`Session::receive`] is given what was received,
//! [`Session::send`] what is to be sent, and neither knows a socket or a clock of the server's.
//!
//! A session is allocated for a connection that speaks TLS, and for no other. What it held in
//! clear is overwritten: the place where records are opened at the end of each
//! [`Session::receive`], the rest when its memory is given back, by the program's allocator.
//!
//! A handshake is answered with a signature. With a key on an elliptic curve that is part of the
//! ordinary work of a turn; with an RSA key it takes ten times as long, and
//! [`Session::is_slow`] asks for another thread, which is handed a [`Step`].
#![doc = include_str!("offered.md")]

mod certificates;
mod endpoint;
mod identity;
mod session;
#[cfg(test)]
mod tests;

pub use certificates::{Certificates, LoadFault};
pub use endpoint::Endpoint;
pub use session::{Opened, Session, Step, TlsFault};

/// What a client is told that speaks TLS and cannot be served: the alert `internal_error` in
/// clear (RFC 8446, section 6.2), which every client reports as a failure of the server.
pub const REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
