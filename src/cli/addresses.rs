//! Commands about network addresses: the lists that administrators keep, and the table of addresses
//! that are blocked for a time.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use crate::control::{Action, List};
use crate::directory::Holder;
use crate::model::NetworkList;
use crate::notation::Value;

type Done = Result<Deed, Stop>;

/// Lists that are kept and mean nothing here, with the names of their classes.
const OTHERS: [(&str, &str); 3] = [("LanIPs", "LAN"), ("NatedIPs", "NATed"), ("NatSiteIPs", "NATSite")];

/// What stands for a time without an end.
const FOR_EVER: &str = "*";

/// GETIPSTATE
pub(super) fn state(call: &Call<'_>) -> Done {
    let (address, control) = (address(call)?, call.scene.control);
    let class = if call.arguments.has("TEMP") {
        let is_client = || !control.logins.all(|login| login.peer.ip().to_canonical() == address).is_empty();
        if control.gate.is_blocked(address, control.clock.now()) {
            "Blacklisted"
        } else if is_client() {
            "Client"
        } else {
            ""
        }
    } else {
        match control.gate.class(address) {
            Some(List::Denied) => "Denied",
            Some(List::WhiteHole) => "WhiteHole",
            Some(List::Blacklisted) => "Blacklisted",
            Some(List::Client) => "Client",
            Some(List::Debug) => "Debug",
            None => other_class(call, address)?,
        }
    };
    Ok(Deed::Show(Value::from(class)))
}

fn other_class(call: &Call<'_>, address: IpAddr) -> Result<&'static str, Stop> {
    for (name, class) in OTHERS {
        let kept = call.directory().kept(&Holder::Server, name)?;
        let list = kept.as_ref().and_then(Value::as_str).unwrap_or_default().parse::<NetworkList>();
        if list.is_ok_and(|list| list.contains(address)) {
            return Ok(class);
        }
    }
    Ok("")
}

/// GETTEMPCLIENTIPS: where those are who are logged in
pub(super) fn clients(call: &Call<'_>) -> Done {
    let mut all: Vec<_> = call.scene.control.logins.all(|_| true).iter().map(|login| login.peer.ip()).collect();
    all.sort_unstable();
    all.dedup();
    let all: Vec<_> = all.iter().map(IpAddr::to_string).collect();
    Ok(Deed::Show(Value::from(&*all.join(","))))
}

/// REPORTFAILEDLOGINADDRESS
pub(super) fn report_failure(call: &Call<'_>) -> Done {
    Ok(Deed::Act(Action::NoteFailure(address(call)?)))
}

/// TEMPBLACKLISTIP
pub(super) fn block(call: &Call<'_>) -> Done {
    let address = address(call)?;
    if call.arguments.has("DELETE") || call.arguments.find_text("seconds") == Some("0") {
        return Ok(Deed::Act(Action::Unblock(address)));
    }
    let time = match call.arguments.find_text("seconds") {
        Some(text) => time(text)?,
        None => Some(usual_time(call)),
    };
    Ok(Deed::Act(Action::Block(vec![(address, time)])))
}

/// GETTEMPBLACKLISTEDIPS
pub(super) fn blocked(call: &Call<'_>) -> Done {
    let control = call.scene.control;
    let mut text = String::new();
    for (index, (address, left)) in control.gate.blocked(control.clock.now()).into_iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let left = left.map_or_else(|| FOR_EVER.to_owned(), |left| left.as_secs().max(1).to_string());
        write!(text, "{comma}{address}-{left}").expect("a String takes everything");
    }
    Ok(Deed::Show(Value::from(&*text)))
}

/// SETTEMPBLACKLISTEDIPS
pub(super) fn block_all(call: &Call<'_>) -> Done {
    let entry = |entry: &str| {
        Ok::<_, Refusal>(match entry.trim().rsplit_once('-') {
            Some((address, left)) => (parse(address)?, time(left)?),
            None => (parse(entry)?, Some(usual_time(call))),
        })
    };
    let entries = call.arguments.text("text").split(',').filter(|entry| !entry.trim().is_empty());
    Ok(Deed::Act(Action::Block(entries.map(entry).collect::<Result<_, _>>()?)))
}

/// How long an address is blocked when nothing is said.
fn usual_time(call: &Call<'_>) -> Duration {
    call.scene.control.live().0.address_block
}

/// Seconds, or [`FOR_EVER`].
fn time(text: &str) -> Result<Option<Duration>, Refusal> {
    if text == FOR_EVER {
        return Ok(None);
    }
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or(Refusal::General("a time is 1 to 4294967295 seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

/// The address that the command is about.
fn address(call: &Call<'_>) -> Result<IpAddr, Refusal> {
    parse(call.arguments.text("ip"))
}

/// An address, bare or in brackets, with or without a port.
pub(super) fn parse(text: &str) -> Result<IpAddr, Refusal> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(address, _)| address);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical()).ok_or(Refusal::General("this is no network address"))
}
