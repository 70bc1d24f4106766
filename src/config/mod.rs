//! The configuration file: text in, a checked [`Config`] or every problem at once out.
//!
//! The file is TOML (version 1.1). It is parsed before any thread starts and shared read-only; no
//! other module parses or defaults anything. Every key has a default that runs safely, so an
//! empty text is a valid file. Printing a [`Config`] gives a text that parses back to it.
//!
//! Knows nothing of the running server: what of a changed file needs a restart is said by
//! [`Config::difference`], acting on it is the caller's business.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use crate::model::{Argon2idCost, DomainName};

mod certificate;
mod config_error;
mod difference;
mod fields;
mod listener;
mod live;
pub mod module;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod token_issuer;

pub use certificate::Certificate;
pub use config_error::ConfigError;
pub use difference::Difference;
pub use listener::{Address, Cleartext, Listener, Restriction};
pub use live::Live;
pub use module::ModuleFault;
pub use parse::line_of;
pub use token_issuer::TokenIssuer;

/// The port a listener has when nothing else is said: CommuniGate Pro's own choice where port 106
/// is taken, and one that needs no privilege.
pub const DEFAULT_PORT: u16 = 8106;

/// The commented file that says in full what no file means; `keyturn print config` prints it.
pub const DEFAULT_FILE: &str = include_str!("../dist/keyturn.toml");

/// Everything an operator can set. What may change while running is in [`Live`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Key `main_domain`: the domain of bare login names, and where `postmaster` lives. Default:
    /// the one that the data directory was set up with; at the first start `localhost`, not the
    /// name of the host, which may be another one at the next start.
    pub main_domain: DomainName,
    /// Key `shards`: how many cores serve clients, 1 to 1024. Default `None`: one per CPU the
    /// process may use.
    pub shards: Option<NonZeroU16>,
    /// Key `master_key`: a file of keys that credentials are sealed with, one a line in 64
    /// hexadecimal digits; the first seals, the others open what they sealed. Default `None`: the
    /// credential `master_key` of systemd, and where there is none, no key: credentials can be read
    /// by whoever has the store.
    pub master_key: Option<PathBuf>,
    /// Table `[argon2id]`: what a new password's hash costs. Default: 19456 KiB, 2 passes, 1 lane.
    /// `m_kib` is 8 per lane (RFC 9106, section 3.1) to 1048576, because every hashing thread
    /// holds that much memory all the time; `t` is at least 1, and `m_kib * t` at most 4194304,
    /// because that is what one login may cost; `p` is 1 to 16.
    pub argon2id: Argon2idCost,
    /// Tables `[[certificate]]`: what the server proves its name with, to clients that speak TLS.
    /// The first is for clients that ask for no name, or for one that is in no certificate.
    /// Default: none, and no TLS. Files that change are read again while running.
    pub certificates: Vec<Certificate>,
    /// Tables `[[oauth]]`: whose tokens are taken by the mechanisms OAUTHBEARER and XOAUTH2.
    /// Default: nobody's.
    pub oauth: Vec<TokenIssuer>,
    /// Tables `[[listener]]`: where to listen, at least one. Default: `127.0.0.1:8106`, dialect
    /// `communigate`.
    pub listeners: Vec<Listener>,
    /// What a running server takes over on SIGHUP.
    pub live: Live,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            main_domain: DomainName::parse("localhost").unwrap_or_else(|_| unreachable!("it has letters only")),
            shards: None,
            master_key: None,
            argon2id: Argon2idCost::default(),
            certificates: Vec::new(),
            oauth: Vec::new(),
            listeners: vec![Listener::at(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)))],
            live: Live::default(),
        }
    }
}

impl Config {
    /// Reads the text of a configuration file; keys it leaves out have their defaults.
    ///
    /// # Errors
    /// Every [`ConfigError`] there is, in the order of the file.
    ///
    /// # Examples
    ///
    /// ```
    /// use keyturn::config::Config;
    ///
    /// assert_eq!(Config::parse(""), Ok(Config::default()));
    /// let errors = Config::parse("chanels = 20\nidle_seconds = 0").unwrap_err();
    /// assert_eq!(errors[0].to_string(), "line 1: chanels: is not a key; `channels` is");
    /// assert_eq!(errors[1].to_string(), "line 2: idle_seconds: must be 1 to 86400, not 0");
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        Self::default().parse_over(text)
    }

    /// As [`Config::parse`], but keys that `text` leaves out are as in `self`.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_over(&self, text: &str) -> Result<Self, Vec<ConfigError>> {
        parse::parse(text, self)
    }

    /// Whether the listeners offer TLS.
    #[must_use]
    pub fn offers_tls(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// What changes from `self` to `new`, the keys in the order of the file.
    #[must_use]
    pub fn difference(&self, new: &Self) -> Difference {
        Difference::between(self, new)
    }
}
