//! Sans-IO dialogues: bytes and events in, effects out.
//!
//! Nothing here knows a socket, a clock, a store, a hash, a thread or a log.

mod command;
mod line;
mod reply;
mod session;

pub use command::{Command, redacted};
pub use line::{Framed, Inbox};
pub use reply::{Reply, greeting};
pub use session::{Awaits, ChangeOutcome, Closing, Denial, Effect, Effects, Event, Rules, Session, Timeout, Verdict};
