//! Commands that keep what they are given and show it again: preferences, alerts, access lists,
//! and settings of parts that this server does not have.

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use super::right::Target;
use super::table::Shape;
use crate::directory::{DirectoryFault, Holder};
use crate::model::{AccountName, NetworkList};
use crate::notation::{Dictionary, Timestamp, Value};
use crate::store::Transaction;

type Done = Result<Deed, Stop>;

/// Whose something kept is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The server's.
    Server,
    /// The cluster's.
    Cluster,
    /// The domain's that the command is about.
    Domain,
    /// The account's that the command is about.
    Account,
}

/// Where a command keeps what it is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) whose: Whose,
    pub(super) name: &'static str,
}

/// The name under which alerts are kept.
pub(super) const ALERTS: &str = "Alerts";

/// The name under which preferences are kept, and defaults of preferences.
pub(super) const PREFERENCES: &str = "Preferences";

/// The name under which an account's access list is kept.
pub(super) const ACCESS_LIST: &str = "AccessList";

/// GETSERVERACCOUNTPREFS, GETNETWORK and so on
pub(super) fn show(call: &Call<'_>) -> Done {
    let (holder, place) = place(call)?;
    let kept = call.directory().kept(&holder, place.name)?;
    Ok(Deed::Show(kept.unwrap_or_else(|| match call.row.output {
        Shape::Array => Value::Array(Vec::new()),
        Shape::Text => Value::from(""),
        Shape::Nothing | Shape::Number | Shape::Time | Shape::Data | Shape::Dictionary | Shape::Object => {
            Value::Dictionary(Dictionary::new())
        }
    })))
}

/// SETSERVERACCOUNTPREFS, SETNETWORK and so on
pub(super) fn replace(call: &Call<'_>) -> Done {
    Ok(Deed::Commit(replacement(call)?))
}

/// What to commit to keep what the command was given last.
pub(super) fn replacement(call: &Call<'_>) -> Result<Transaction, Stop> {
    let value = call.arguments.last().cloned().unwrap_or(Value::Null);
    let (holder, place) = place(call)?;
    Ok(call.directory().keep(&holder, place.name, |_| Ok::<_, DirectoryFault>(value))?)
}

/// SETCLIENTIPS, SETCLUSTERCLIENTIPS and so on: the argument must be a list of network addresses,
/// which holds from now on
pub(super) fn replace_addresses(call: &Call<'_>) -> Done {
    call.arguments.text("text").parse::<NetworkList>().map_err(Refusal::Networks)?;
    Ok(Deed::Renew(replacement(call)?))
}

/// UPDATESERVERACCOUNTPREFS and so on; the value `default` removes what is under its key
pub(super) fn update(call: &Call<'_>) -> Done {
    let changes = call.arguments.dictionary("prefsDict");
    keep(call, |old| {
        let mut kept = dictionary(old);
        for (key, value) in changes.iter() {
            if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("default")) {
                kept.remove(key);
            } else {
                kept.insert(key, value.clone());
            }
        }
        Value::Dictionary(kept)
    })
}

/// GETACCOUNTEFFECTIVEPREFS
pub(super) fn effective_preferences(call: &Call<'_>) -> Done {
    let account = &call.account()?.name;
    let mut merged = Dictionary::new();
    let everywhere = if call.directory().is_shared(account.domain())? { Holder::Cluster } else { Holder::Server };
    for holder in [everywhere, Holder::Domain(account.domain().clone()), Holder::Account(account.clone())] {
        for (key, value) in dictionary(call.directory().kept(&holder, PREFERENCES)?).iter() {
            merged.insert(key, value.clone());
        }
    }
    Ok(Deed::Show(Value::Dictionary(merged)))
}

/// POSTDOMAINALERT, POSTACCOUNTALERT, POSTSERVERALERT
pub(super) fn post_alert(call: &Call<'_>) -> Done {
    let text = Value::from(call.arguments.text("text"));
    keep(call, |old| {
        let mut alerts = dictionary(old);
        // Two alerts of one second have two keys.
        let mut second = call.scene.now;
        while alerts.get(&time_stamp(second)).is_some() {
            second += 1;
        }
        alerts.insert(&time_stamp(second), text);
        Value::Dictionary(alerts)
    })
}

/// REMOVEDOMAINALERT, REMOVEACCOUNTALERT, REMOVESERVERALERT
pub(super) fn remove_alert(call: &Call<'_>) -> Done {
    let (holder, place) = place(call)?;
    let make = |old| {
        let mut alerts = dictionary(old);
        alerts.remove(call.arguments.text("timeStamp")).ok_or(DirectoryFault::NoObject)?;
        Ok(Value::Dictionary(alerts))
    };
    Ok(Deed::Commit(call.directory().keep(&holder, place.name, make)?))
}

/// SETACCOUNTACL: rights behind `-` are taken away, behind `+` added; others replace what there is,
/// and no rights remove the identifier
pub(super) fn set_access_list(call: &Call<'_>) -> Done {
    let changes = call.arguments.dictionary("aclDict");
    keep(call, |old| {
        let mut list = dictionary(old);
        for (identifier, change) in changes.iter() {
            let change = change.as_str().unwrap_or_default();
            let old = list.get(identifier).and_then(Value::as_str).unwrap_or_default();
            let rights: String = match change.split_at_checked(1) {
                Some(("-", taken)) => old.chars().filter(|right| !taken.contains(*right)).collect(),
                Some(("+", added)) => old.chars().chain(added.chars().filter(|right| !old.contains(*right))).collect(),
                _ => change.to_owned(),
            };
            if rights.is_empty() {
                list.remove(identifier);
            } else {
                list.insert(identifier, Value::from(rights.as_str()));
            }
        }
        Value::Dictionary(list)
    })
}

/// GETACCOUNTACLRIGHTS
pub(super) fn access_rights(call: &Call<'_>) -> Done {
    let owner = &call.account()?.name;
    let who = super::call::object(call.arguments.text("authAccount"), call.actor, call.directory())?;
    let list = dictionary(call.directory().kept(&Holder::Account(owner.clone()), ACCESS_LIST)?);
    Ok(Deed::Show(Value::from(rights_in(&list, owner, &who).as_str())))
}

/// The rights that `list`, of `owner`, gives `who`: those of its name, or else those of `anyone`.
fn rights_in(list: &Dictionary, owner: &AccountName, who: &AccountName) -> String {
    /// Every right there is (RFC 4314, section 2.1).
    const ALL: &str = "lrswipkxtea";
    if who == owner {
        return ALL.to_owned();
    }
    let full = who.to_string();
    let is_whose = |key: &str| {
        key.eq_ignore_ascii_case(&full) || who.domain() == owner.domain() && key.eq_ignore_ascii_case(who.local())
    };
    let own = list.iter().find(|(key, _)| is_whose(key)).map(|(_, value)| value);
    own.or_else(|| list.get("anyone")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Where the command keeps what it is given, once it is certain that its holder exists.
fn place(call: &Call<'_>) -> Result<(Holder, Place), Stop> {
    let place = call.row.place.unwrap_or_else(|| panic!("{:?} keeps nothing", call.row));
    let holder = match (place.whose, &call.target) {
        (Whose::Server, _) => Holder::Server,
        (Whose::Cluster, _) => Holder::Cluster,
        (Whose::Domain, _) => Holder::Domain(call.domain()?),
        (Whose::Account, Target::Object(_)) => Holder::Account(call.account()?.name.clone()),
        (Whose::Account, Target::Server | Target::Domain(_)) => panic!("{:?} is about no account", call.row),
    };
    Ok((holder, place))
}

fn keep(call: &Call<'_>, make: impl FnOnce(Option<Value>) -> Value) -> Done {
    let (holder, place) = place(call)?;
    let make = |old| Ok::<_, DirectoryFault>(make(old));
    Ok(Deed::Commit(call.directory().keep(&holder, place.name, make)?))
}

/// A value as the dictionary that it is.
pub(super) fn dictionary(value: Option<Value>) -> Dictionary {
    if let Some(Value::Dictionary(dictionary)) = value { dictionary } else { Dictionary::new() }
}

/// The text form of a moment, which alerts have as their keys.
fn time_stamp(second: u64) -> String {
    let moment = i64::try_from(second).ok().and_then(Timestamp::from_unix).unwrap_or(Timestamp::FUTURE);
    format!("#T{moment}")
}
