//! The inverse of parsing.

use std::fmt;
use std::path::Path;

use super::{Address, Certificate, Config, Listener, Restriction, TokenIssuer};
use crate::model::NetworkList;

impl fmt::Display for Config {
    /// Prints every key; the text parses back to `self`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { main_domain, shards, master_key, argon2id, certificates, oauth, listeners, live } = self;
        writeln!(f, "main_domain = \"{main_domain}\"")?;
        if let Some(shards) = shards {
            writeln!(f, "shards = {shards}")?;
        }
        if let Some(master_key) = master_key {
            writeln!(f, "master_key = {}", text(master_key))?;
        }
        writeln!(f, "channels = {}", live.channels)?;
        writeln!(f, "channels_for_clients = {}", live.channels_for_clients)?;
        writeln!(f, "connections_per_address = {}", live.connections_per_address)?;
        writeln!(f, "ipv6_prefix_length = {}", live.ipv6_prefix_length)?;
        writeln!(f, "idle_seconds = {}", live.idle.as_secs())?;
        writeln!(f, "login_seconds = {}", live.login.as_secs())?;
        writeln!(f, "line_seconds = {}", live.line.as_secs())?;
        writeln!(f, "drain_seconds = {}", live.drain.as_secs())?;
        writeln!(f, "failures_max = {}", live.failures_max)?;
        writeln!(f, "address_failures_max = {}", live.address_failures_max)?;
        writeln!(f, "address_failures_seconds = {}", live.address_failures.as_secs())?;
        writeln!(f, "address_block_seconds = {}", live.address_block.as_secs())?;
        writeln!(f, "failed_reply_delay_ms = {}", live.failed_reply_delay.as_millis())?;
        writeln!(f, "password_length_min = {}", live.password_characters_min)?;
        writeln!(f, "queue_seconds = {}", live.queue.as_secs())?;
        writeln!(f, "queue_length_max = {}", live.queue_length_max)?;
        writeln!(f, "log_level = {}", live.log_level)?;
        writeln!(f, "\n[argon2id]\nm_kib = {}\nt = {}\np = {}", argon2id.m_kib, argon2id.t, argon2id.p)?;
        for Certificate { chain, key } in certificates {
            writeln!(f, "\n[[certificate]]\nchain = {}\nkey = {}", text(chain), text(key))?;
        }
        for TokenIssuer { issuer, audience, keys, claim } in oauth {
            writeln!(f, "\n[[oauth]]\nissuer = {}\naudience = {}", quoted(issuer), quoted(audience))?;
            writeln!(f, "keys = {}\nclaim = {}", text(keys), quoted(claim))?;
        }
        listeners.iter().try_for_each(|listener| write!(f, "\n{listener}"))
    }
}

impl fmt::Display for Listener {
    /// Prints a `[[listener]]` table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, dual_stack, mode, dialect, domain, hide_version, tls, .. } = self;
        let Self { cleartext, apop, client_ca, restriction, proxy, .. } = self;
        writeln!(f, "[[listener]]\naddress = {}", toml::Value::String(address.to_string()))?;
        match address {
            Address::Unix(_) => writeln!(f, "mode = \"{mode:04o}\"")?,
            Address::Ip(_) | Address::Systemd(_) => {}
        }
        if *dual_stack {
            writeln!(f, "dual_stack = true")?;
        }
        writeln!(f, "dialect = \"{}\"", dialect.as_str())?;
        if let Some(domain) = domain {
            writeln!(f, "domain = \"{domain}\"")?;
        }
        writeln!(f, "hide_version = {hide_version}\ntls = {tls}\ncleartext = \"{}\"", cleartext.as_str())?;
        writeln!(f, "apop = {apop}")?;
        if let Some(client_ca) = client_ca {
            writeln!(f, "client_ca = {}", text(client_ca))?;
        }
        match restriction {
            Restriction::Nobody => {}
            Restriction::Grant(list) => writeln!(f, "grant = {}", networks(list))?,
            Restriction::Deny(list) => writeln!(f, "deny = {}", networks(list))?,
        }
        if !proxy.is_empty() {
            writeln!(f, "proxy = {}", networks(proxy))?;
        }
        Ok(())
    }
}

/// A list of networks as the file writes it.
fn networks(list: &NetworkList) -> toml::Value {
    list.entries().collect::<Vec<_>>().into()
}

/// A path as the file writes it. All paths come from there, so they are text.
fn text(path: &Path) -> toml::Value {
    quoted(&path.to_string_lossy())
}

/// A text as the file writes it.
fn quoted(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}
