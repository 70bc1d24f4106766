//! The System Log: CommuniGate's levels and record shape, as a tracing layer
//! (the implementation belongs to the config writer).

use tracing::Level;

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
