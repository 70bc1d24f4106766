//! Commands about the sessions that have logged in.

use super::addresses;
use super::call::{Call, Deed};
use super::general::timestamp;
use super::refusal::{Refusal, Stop};
use super::right::ServerRight;
use crate::control::{Action, Login};
use crate::notation::Value;

type Done = Result<Deed, Stop>;

/// The protocol of all sessions.
const PROTOCOL: &str = "PWD";

/// KILLACCOUNTSESSIONS
pub(super) fn end_all(call: &Call<'_>) -> Done {
    Ok(Deed::Act(Action::EndSessionsOf(call.account()?.name.clone())))
}

/// FINDACCOUNTSESSION
pub(super) fn find(call: &Call<'_>) -> Done {
    let found = matching(call)?;
    let first = found.first().ok_or(Refusal::General("no such session"))?;
    Ok(Deed::Show(Value::from(&*id(first))))
}

/// LISTACCOUNTSESSIONS
pub(super) fn list(call: &Call<'_>) -> Done {
    let ids = matching(call)?.iter().map(|login| Value::from(&*id(login))).collect();
    Ok(Deed::Show(Value::Array(ids)))
}

/// GETSESSION
pub(super) fn show(call: &Call<'_>) -> Done {
    let login = named(call)?;
    let age = call.scene.control.clock.now().since(login.since);
    let shown = [
        ("ID", Value::from(&*id(&login))),
        ("accountName", Value::from(&*login.account.to_string())),
        ("origAddress", Value::Address(login.peer.ip(), Some(login.peer.port()))),
        ("protocol", Value::from(PROTOCOL)),
        ("transport", Value::from(transport(&login))),
        ("started", timestamp(call.scene.now.saturating_sub(age.as_secs()))),
    ];
    Ok(Deed::Show(Value::Dictionary(shown.into_iter().collect())))
}

/// KILLSESSION
pub(super) fn end(call: &Call<'_>) -> Done {
    Ok(Deed::Act(Action::EndSession(named(call)?.number)))
}

/// BLESSSESSION
pub(super) fn bless(call: &Call<'_>) -> Done {
    named(call)?;
    Err(Refusal::General("the session does not wait for a second step of its login").into())
}

/// The name of a session: its number in the log.
fn id(login: &Login) -> String {
    format!("{:06}", login.number)
}

fn transport(login: &Login) -> &'static str {
    if login.is_under_tls { "TLS" } else { "TCP" }
}

/// The account's sessions that fit the arguments. Where a proxy tells who connects, that is the
/// session's only address; and clients do not tell what they are.
fn matching(call: &Call<'_>) -> Result<Vec<Login>, Stop> {
    let account = &call.account()?.name;
    let arguments = &call.arguments;
    let address = arguments.find_text("ip").map(addresses::parse).transpose()?;
    let is = |name: &str, own: &str| arguments.find_text(name).is_none_or(|text| text.eq_ignore_ascii_case(own));
    let is_possible = is("protocol", PROTOCOL) && !arguments.has("proxiedIP") && !arguments.has("client");
    if !is_possible {
        return Ok(Vec::new());
    }
    let is_meant = |login: &Login| {
        login.account == *account
            && address.is_none_or(|address| login.peer.ip().to_canonical() == address)
            && is("transport", transport(login))
    };
    Ok(call.scene.control.logins.all(is_meant))
}

/// The session that the command names. Whoever administers only some domains sees no others'.
fn named(call: &Call<'_>) -> Result<Login, Stop> {
    let number = call.arguments.text("sessionID").parse().ok();
    let login = number.and_then(|number| call.scene.control.logins.find(number));
    let sees_all = call.actor.has(ServerRight::Users) || call.actor.has(ServerRight::Domains);
    let has_domain = call.arguments.has("domainName") || !sees_all;
    let domain = call.target.domain().filter(|_| has_domain);
    let is_meant = |login: &Login| domain.is_none_or(|domain| login.account.domain() == domain);
    Ok(login.filter(is_meant).ok_or(Refusal::General("unknown session"))?)
}
