//! The password-change dialogue, without the network.
//!
//! An [`Inbox`] cuts received bytes into lines, in place where it can. A [`Session`] is fed
//! [`Event`]s, lines among them, and answers with [`Effect`]s, which are to be carried out in
//! order. A [`Reply`] prints itself. [`parse_proxy_header`] reads what may come before all that.
//! Nothing here knows a socket, a clock, a store, a hash, a
//! thread or a log; whoever drives a session has all of these and asks [`redacted`] how a line
//! may be logged.
//!
//! One session holds at most one name or one proof, and the inbox at most one unfinished line and
//! what its driver chose to keep. An idle session holds no memory apart from itself and that.
//! Secrets leave in effects and are wiped wherever they were held.
//!
//! The states, and what moves a session between them:
//!
//! ```text
//!                USER                PASS
//!  ExpectUser --------> ExpectPass --------> Verifying --accepted--> ExpectNewPass <---------+
//!    ^ ^ ^               |      ^             |     |                 |                      |
//!    | | |               +-USER-+             |     | denied          | NEWPASS              |
//!    | | +-------------- busy, fault ---------+     v                 v                      |
//!    | +---------------- the delay has passed --- Denying           Changing --- changed, ---+
//!    |                                                               |   |      refused, busy,
//!    +-------------- changed elsewhere ------------------------------+   |      fault
//!                                                                        +-- unknown --> Closed
//! ```
//!
//! | in any state that awaits a line | |
//! |---|---|
//! | QUIT | replied to, then Closed |
//! | NOOP, HELP, INLINE | replied to, no move |
//! | a line too long, a time limit, the server's end | one reply, then Closed, lingering |
//! | STLS, before the login | Upgrading, and when nothing is received any more: ExpectUser, under TLS |
//! | anything else the state has no arrow for | a refusal, no move |
//!
//! Under TLS a session begins anew: nothing that came before the handshake counts. What comes behind
//! STLS before its reply leads from Upgrading to Closed. Where others may read what is sent
//! ([`Wire::Exposed`]), USER and PASS are refused until then.
//!
//! Time limits and the server's end do not touch a session that is Upgrading, Asking, Drawing,
//! Verifying, Denying, Changing or Commanding: what was asked for is answered with its outcome. `failures_max` failed logins lead
//! from Denying to Closed.
//!
//! Where APOP is enabled, a session draws the nonce of its challenge before it greets, and APOP leads
//! from ExpectUser or ExpectPass to Verifying. The challenge was the server's word, so it counts under
//! TLS, too: there is no second greeting.
//!
//! AUTH leads from ExpectUser or ExpectPass into an exchange ([`sasl`]): Exchanging takes every line
//! for a response, and leads to Verifying, or back to ExpectUser when the exchange fails. An exchange
//! that must know something of the account before it can challenge is Asking meanwhile, one that needs
//! a nonce for that is Drawing. Where the
//! server has to prove itself, too, Verifying leads to Confirming: the client has been sent the
//! proof, and takes it with an empty response, or leaves. Where a client is told why its claim is not
//! taken, Verifying leads to Excusing, and with whatever it says to that to Denying.
//!
//! In the CommuniGate dialect an ExpectNewPass session hands every line that is not part of this
//! dialogue, HELP included, to whoever carries out commands, and is Commanding until the answer
//! has come; the answer's bytes are sent as they are. A login that has become void meanwhile leads
//! to ExpectUser.
//!
//! The dialects differ in their words (see [`Reply`]) and in one rule: of the poppassd family,
//! *every* refusal is followed by a lingering close, as all classic servers do and one webmail
//! client waits for. What is not a failure does not close: after a change, the session may go on.

mod challenge;
mod command;
mod command_line;
mod effect;
mod event;
mod line;
mod proxy;
mod reply;
pub mod sasl;
mod session;

pub use command::{Command, CommandFault, redacted};
pub use command_line::CommandLine;
pub use effect::{Closing, Effect, Effects};
pub use event::{ChangeOutcome, CommandOutcome, Denial, Event, FailuresOf, Timeout, Told, Verdict};
pub use line::{Framed, Inbox};
pub use proxy::{ProxyFault, ProxyHeader, parse as parse_proxy_header};
pub use reply::{Reply, greeting};
pub use session::{Awaits, Rules, Session, Wire};
