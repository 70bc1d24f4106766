//! Commands about groups and forwarders.

use super::call::{Call, Deed, object};
use super::listing::{PAGE, Pages, step};
use super::refusal::{Refusal, Stop};
use super::right::{ServerRight, Target};
use crate::directory::Kind;
use crate::model::AccountName;
use crate::notation::Value;

type Done = Result<Deed, Stop>;

const UNKNOWN_GROUP: Refusal = Refusal::General("unknown group");

/// LISTGROUPS
pub(super) fn list(call: &Call<'_>) -> Done {
    names(call, Kind::Group, |_| true)
}

/// CREATEGROUP
pub(super) fn create(call: &Call<'_>) -> Done {
    create_object(call, Kind::Group, "groupName", &group(call))
}

/// RENAMEGROUP
pub(super) fn rename(call: &Call<'_>) -> Done {
    rename_object(call, Kind::Group)
}

/// DELETEGROUP
pub(super) fn delete(call: &Call<'_>) -> Done {
    delete_object(call, Kind::Group)
}

/// GETGROUP
pub(super) fn show(call: &Call<'_>) -> Done {
    Ok(Deed::Show(existing(call, Kind::Group)?.1))
}

/// SETGROUP
pub(super) fn set(call: &Call<'_>) -> Done {
    let (name, _) = existing(call, Kind::Group)?;
    Ok(Deed::Commit(call.directory().set_object(Kind::Group, &name, &group(call))?))
}

/// LISTFORWARDERS
pub(super) fn list_forwarders(call: &Call<'_>) -> Done {
    names(call, Kind::Forwarder, |_| true)
}

/// FINDFORWARDERS
pub(super) fn find_forwarders(call: &Call<'_>) -> Done {
    let address = call.arguments.text("address").to_owned();
    names(call, Kind::Forwarder, move |target| target.as_str().is_some_and(|text| text.eq_ignore_ascii_case(&address)))
}

/// CREATEFORWARDER
pub(super) fn create_forwarder(call: &Call<'_>) -> Done {
    create_object(call, Kind::Forwarder, "forwarderName", &Value::from(call.arguments.text("address")))
}

/// RENAMEFORWARDER
pub(super) fn rename_forwarder(call: &Call<'_>) -> Done {
    rename_object(call, Kind::Forwarder)
}

/// DELETEFORWARDER
pub(super) fn delete_forwarder(call: &Call<'_>) -> Done {
    delete_object(call, Kind::Forwarder)
}

/// GETFORWARDER
pub(super) fn show_forwarder(call: &Call<'_>) -> Done {
    Ok(Deed::Show(existing(call, Kind::Forwarder)?.1))
}

/// The settings of a group, with its members even when none were sent.
fn group(call: &Call<'_>) -> Value {
    let mut group = call.arguments.dictionary("settingsDict");
    if group.get("Members").is_none() {
        group.insert("Members", Value::Array(Vec::new()));
    }
    Value::Dictionary(group)
}

/// The names of the objects that `is_meant`.
fn names(call: &Call<'_>, kind: Kind, is_meant: impl Fn(&Value) -> bool + Send + 'static) -> Done {
    let domain = call.domain()?;
    let mut last: Option<(AccountName, Value)> = None;
    Ok(Deed::List(Pages::array(move |directory, items| {
        let page = directory.objects(kind, &domain, last.as_ref().map(|(name, _)| name), PAGE)?;
        let meant = page.iter().filter(|(_, value)| is_meant(value));
        meant.for_each(|(name, _)| items.element(&Value::from(name.local())));
        Ok(step(&mut last, page))
    })))
}

/// The object that the command is about.
fn existing(call: &Call<'_>, kind: Kind) -> Result<(AccountName, Value), Stop> {
    call.domain()?;
    let unknown = match kind {
        Kind::Group => UNKNOWN_GROUP,
        Kind::Forwarder => Refusal::UnknownForwarder,
    };
    let Target::Object(name) = &call.target else { return Err(unknown.into()) };
    let value = call.directory().object(kind, name)?.ok_or(unknown)?;
    Ok((name.clone(), value))
}

/// The name that `argument` gives to something new, in a domain that exists.
fn new_name(call: &Call<'_>, argument: &str) -> Result<AccountName, Stop> {
    let name = object(call.arguments.text(argument), call.actor, call.directory())?;
    call.directory().domain_named(name.domain())?.ok_or(Refusal::UnknownDomain)?;
    for (kind, refusal) in [(Kind::Group, Refusal::GroupExists), (Kind::Forwarder, Refusal::ForwarderExists)] {
        if call.directory().object(kind, &name)?.is_some() {
            return Err(refusal.into());
        }
    }
    Ok(name)
}

fn create_object(call: &Call<'_>, kind: Kind, argument: &str, value: &Value) -> Done {
    Ok(Deed::Commit(call.directory().create_object(kind, &new_name(call, argument)?, value)?))
}

fn rename_object(call: &Call<'_>, kind: Kind) -> Done {
    let (old, _) = existing(call, kind)?;
    let new = new_name(call, "newName")?;
    if old.domain() != new.domain() && !call.actor.has(ServerRight::Users) {
        return Err(Refusal::NoRight.into());
    }
    Ok(Deed::Commit(call.directory().rename_object(kind, &old, &new)?))
}

fn delete_object(call: &Call<'_>, kind: Kind) -> Done {
    Ok(Deed::Commit(call.directory().delete_object(kind, &existing(call, kind)?.0)?))
}
