//! The System Log: CommuniGate Pro's levels and record shape, as a tracing layer.
//!
//! A record is one line:
//!
//! ```text
//! 14:03:07.250 2 PWD-000042([192.0.2.7]:40112) ACCOUNT(alice@example.com) connected
//! time         level, tag, session, peer       text
//! ```
//!
//! The time is UTC. The tag is the field `tag`, or the event's target; the fields `session` (a
//! number) and `peer` (an address) build the rest of the prefix; all other fields are appended to
//! the text as ` key=value`. Whatever is not printable ASCII appears as `\ddd` (decimal), so that
//! nothing a client sends can begin a line or steer a terminal. A record longer than
//! [`RECORD_BYTES_MAX`] is cut.
//!
//! | level | name | tracing | holds |
//! |---|---|---|---|
//! | 0 | crashes only | – | panics, whatever the level |
//! | 1 | failures | [`FAILURE`] | fatal errors of a component |
//! | 2 | major | [`MAJOR`] | logins, disconnects, password changes, start and stop |
//! | 3 | problems | [`PROBLEM`] | time-outs, refused logins |
//! | 4 | low level | [`LOW_LEVEL`] | connections |
//! | 5 | all info | [`ALL_INFO`] | protocol text, secrets masked by whoever logs it |
//!
//! Only records of this program are shown: a target must be its own module or a tag in capitals.
//! Other libraries may log what passes through them, and that may be a secret.
//!
//! Knows nothing of who logs. Calling `tracing` never waits for the terminal or the disk: lines go
//! through a bounded queue to a thread of their own ([`Sink`]), and what does not fit is counted.

use tracing::Level;

mod layer;
mod panic;
mod record;
mod sink;

pub use layer::{Handle, SystemLog, layer};
pub use panic::report_panics;
pub use record::{RECORD_BYTES_MAX, Shape};
pub use sink::Sink;

/// Level 1: fatal errors of the component.
pub const FAILURE: Level = Level::ERROR;
/// Level 2: main events: logins, disconnects, password changes.
pub const MAJOR: Level = Level::WARN;
/// Level 3: non-fatal errors: time-outs, refused logins.
pub const PROBLEM: Level = Level::INFO;
/// Level 4: link-level details.
pub const LOW_LEVEL: Level = Level::DEBUG;
/// Level 5: protocol text, secrets masked.
pub const ALL_INFO: Level = Level::TRACE;
