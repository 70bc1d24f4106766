//! Commands about the settings of the server and of its one module, PWD.
//!
//! What is set here is kept in the store and goes before the configuration file; it is in force
//! before the client is told, except for what needs a restart, which the reply names.

use super::call::{Call, Deed};
use super::kept::dictionary;
use super::refusal::{Refusal, Stop};
use crate::control::MODULE;
use crate::directory::{DirectoryFault, Holder};
use crate::notation::{Dictionary, Value};
use crate::store::Transaction;

type Done = Result<Deed, Stop>;

/// The module that this server is.
const PWD: &str = "PWD";

const LOG_LEVEL: &str = "LogLevel";

/// Where settings are kept that mean nothing here.
const LOG_SETTINGS: &str = "LogSettings";
const SERVER_SETTINGS: &str = "ServerSettings";

/// Settings of the server that are what they are.
const MAIN_DOMAIN: &str = "DomainName";
const HIDE_UNKNOWN: &str = "HideAccountUnknown";

/// LISTMODULES
pub(super) fn list(_: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::Array(vec![Value::from(PWD)])))
}

/// GETMODULE
pub(super) fn show(call: &Call<'_>) -> Done {
    check_name(call)?;
    let kept = dictionary(call.directory().kept(&Holder::Server, MODULE)?);
    Ok(Deed::Show(Value::Dictionary(merge(kept, &call.scene.control.config().module()))))
}

/// SETMODULE
pub(super) fn replace(call: &Call<'_>) -> Done {
    check_name(call)?;
    let settings = call.arguments.dictionary("settingsDict");
    Ok(Deed::Renew(keep_module(call, |_| merge(Dictionary::new(), &settings))?))
}

/// UPDATEMODULE; the value `default` removes what is under its key
pub(super) fn update(call: &Call<'_>) -> Done {
    check_name(call)?;
    let changes = call.arguments.dictionary("settingsDict");
    Ok(Deed::Renew(keep_module(call, |old| merge(old, &changes))?))
}

/// GETLOGSETTINGS
pub(super) fn log_settings(call: &Call<'_>) -> Done {
    let mut settings = dictionary(call.directory().kept(&Holder::Server, LOG_SETTINGS)?);
    if let Some(level) = call.scene.control.config().module().get(LOG_LEVEL) {
        settings.insert(LOG_LEVEL, level.clone());
    }
    Ok(Deed::Show(Value::Dictionary(settings)))
}

/// UPDATELOGSETTINGS: the level is that of the module
pub(super) fn update_log_settings(call: &Call<'_>) -> Done {
    let mut changes = call.arguments.dictionary("settingsDict");
    let level: Dictionary = changes.remove(LOG_LEVEL).map(|level| (LOG_LEVEL, level)).into_iter().collect();
    let mut transaction = keep_module(call, |old| merge(old, &level))?;
    let other = keep(call, LOG_SETTINGS, |old| merge(old, &changes))?;
    transaction.expect.extend(other.expect);
    transaction.write.extend(other.write);
    Ok(Deed::Renew(transaction))
}

/// GETSERVERSETTINGS
pub(super) fn server_settings(call: &Call<'_>) -> Done {
    let mut settings = dictionary(call.directory().kept(&Holder::Server, SERVER_SETTINGS)?);
    settings.insert(MAIN_DOMAIN, Value::from(call.directory().main_domain().as_str()));
    settings.insert(HIDE_UNKNOWN, Value::from("YES"));
    Ok(Deed::Show(Value::Dictionary(settings)))
}

/// UPDATESERVERSETTINGS
pub(super) fn update_server_settings(call: &Call<'_>) -> Done {
    let mut changes = call.arguments.dictionary("settingsDict");
    let is = |value: Value, text: &str| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text));
    if changes.remove(MAIN_DOMAIN).is_some_and(|value| !is(value, call.directory().main_domain().as_str())) {
        return Err(Refusal::General("the main domain cannot be changed").into());
    }
    if changes.remove(HIDE_UNKNOWN).is_some_and(|value| !is(value, "YES")) {
        return Err(Refusal::General("unknown accounts are always hidden").into());
    }
    Ok(Deed::Commit(keep(call, SERVER_SETTINGS, |old| merge(old, &changes))?))
}

fn check_name(call: &Call<'_>) -> Result<(), Refusal> {
    let is_known = call.arguments.text("moduleName").eq_ignore_ascii_case(PWD);
    if is_known { Ok(()) } else { Err(Refusal::General("unknown module - send LISTMODULES for a list")) }
}

/// What to commit to keep the settings that `make` makes of the module's old ones.
fn keep_module(call: &Call<'_>, make: impl FnOnce(Dictionary) -> Dictionary) -> Result<Transaction, Stop> {
    let mut made = Dictionary::new();
    let transaction = keep(call, MODULE, |old| {
        made = make(old);
        made.clone()
    })?;
    call.scene.control.check_module(&made).map_err(Refusal::Module)?;
    Ok(transaction)
}

fn keep(call: &Call<'_>, name: &str, make: impl FnOnce(Dictionary) -> Dictionary) -> Result<Transaction, Stop> {
    let make = |old| Ok::<_, DirectoryFault>(Value::Dictionary(make(dictionary(old))));
    Ok(call.directory().keep(&Holder::Server, name, make)?)
}

/// `settings` with `changes` in their places; a dictionary is merged with the one that is there, and
/// the value `default` removes what is.
fn merge(mut settings: Dictionary, changes: &Dictionary) -> Dictionary {
    for (key, value) in changes.iter() {
        match (value, settings.remove(key)) {
            (Value::Dictionary(inner), old) => {
                _ = settings.insert(key, Value::Dictionary(merge(dictionary(old), inner)))
            }
            (Value::String(text), _) if text.eq_ignore_ascii_case("default") => {}
            (value, _) => _ = settings.insert(key, value.clone()),
        }
    }
    settings
}
