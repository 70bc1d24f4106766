//! `keyturn check`.

use std::fmt::Write;

use keyturn::config::{Address, Cleartext, Listener, Restriction};
use keyturn::model::NetworkList;

use super::failure::{Exit, Failure};
use super::master_key;
use super::settings::Source;
use super::{certificates, issuers};

/// What the configuration amounts to.
pub(crate) fn check(source: &Source) -> Result<String, Failure> {
    let config = source.load(None)?;
    let issuers = issuers::load(&config)?;
    let names = certificates::check(&config).map_err(|fault| Failure::new(Exit::Misconfigured, fault))?;
    let mut out = String::from("configuration is valid");
    if source.file.is_none() {
        out.push_str(" (no file was named: these are the defaults)");
    }
    for listener in &config.listeners {
        let domain = listener.domain.as_ref().unwrap_or(&config.main_domain);
        let dialect = listener.dialect.as_str();
        let (address, tls) = (&listener.address, if listener.tls { "TLS, " } else { "" });
        write!(out, "\nlisten on {address}: {tls}{dialect}, bare names in {domain}").map_err(Failure::failed)?;
        if let Some(whose) = turned_away(listener) {
            let policy = listener.cleartext.as_str();
            write!(out, "\n  {whose}passwords are taken under TLS only: cleartext is \"{policy}\"")
                .map_err(Failure::failed)?;
        }
        if listener.apop {
            out.push_str("\n  greets with a challenge, and clients that know APOP log in by it");
        }
        for (rule, networks) in rules(listener) {
            let networks = networks.entries().collect::<Vec<_>>().join(", ");
            write!(out, "\n  {rule} {networks}").map_err(Failure::failed)?;
        }
    }
    let keys = master_key::describe(&config, source)?;
    if let Some(warning) = without_passwords(&config.listeners, keys.is_some()) {
        write!(out, "\n{warning}").map_err(Failure::failed)?;
    }
    match names {
        Some(names) => write!(out, "\nTLS with certificates for {names} names").map_err(Failure::failed)?,
        None => out.push_str("\nno TLS: there is no [[certificate]]"),
    }
    match keys {
        Some(keys) => write!(out, "\npasswords are sealed, master key {keys}").map_err(Failure::failed)?,
        None => out.push_str("\npasswords are not sealed: there is no master_key"),
    }
    if !issuers.0.is_empty() {
        write!(out, "\ntokens of {} issuers are taken", issuers.0.len()).map_err(Failure::failed)?;
    }
    if config.live.channels == 0 {
        out.push_str("\nno client is served: channels = 0");
    }
    out.push('\n');
    Ok(out)
}

/// What to say of listeners whose clients find no account that they can log in to by APOP.
pub(super) fn without_passwords(listeners: &[Listener], has_key: bool) -> Option<&'static str> {
    let has_apop = listeners.iter().any(|listener| listener.apop);
    (has_apop && !has_key).then_some("APOP opens no account: without a master_key no password is kept for it")
}

/// What holds for some addresses alone.
fn rules(listener: &Listener) -> impl Iterator<Item = (&'static str, &NetworkList)> {
    let restriction = match &listener.restriction {
        Restriction::Nobody => None,
        Restriction::Grant(networks) => Some(("connections are taken from nowhere but", networks)),
        Restriction::Deny(networks) => Some(("no connections are taken from", networks)),
    };
    let proxy = Some(("a PROXY header is required from", &listener.proxy)).filter(|(_, it)| !it.is_empty());
    restriction.into_iter().chain(proxy)
}

/// Whose passwords the listener does not take in clear, where somebody may send them so.
fn turned_away(listener: &Listener) -> Option<&'static str> {
    let is_of_this_machine = match &listener.address {
        // A proxy on this machine speaks for others.
        Address::Ip(address) => address.ip().is_loopback() && listener.proxy.is_empty(),
        Address::Unix(_) => listener.proxy.is_empty(),
        Address::Systemd(_) => false,
    };
    match listener.cleartext {
        _ if listener.tls => None,
        Cleartext::Never => Some(""),
        Cleartext::Loopback if !is_of_this_machine => Some("from other machines "),
        Cleartext::Loopback | Cleartext::Always => None,
    }
}
