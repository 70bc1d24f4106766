//! (interface agreed; the implementation belongs to the proto writer)
use crate::model::{Dialect, DomainName};

/// Every line the server can say. The table beside it gives code and text in both dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The first line of a session.
    Greeting,
    /// The refusal of a connection beyond `channels`.
    TooManyChannels,
    /// The refusal of a connection beyond `connections_per_address`.
    TooManyFromAddress,
    /// The server is stopping.
    ShuttingDown,
}

impl Reply {
    /// Appends the reply line, CR LF included, at most
    /// [`crate::model::limits::REPLY_BYTES_MAX`] bytes.
    pub fn print(self, _rules: &super::Rules, _out: &mut Vec<u8>) {}
}

/// The greeting text of a listener.
pub fn greeting(_dialect: Dialect, _domain: &DomainName, _version: Option<&str>) -> String {
    String::new()
}
