//! Commands about where addresses lead.

use super::call::{Call, Deed};
use super::kept;
use super::refusal::{Refusal, Stop};
use crate::directory::{Purpose, Route, Router};
use crate::model::LoginName;
use crate::notation::Value;

type Done = Result<Deed, Stop>;

/// SETROUTERTABLE, SETCLUSTERROUTERTABLE: the table holds from now on, for logins too
pub(super) fn set_table(call: &Call<'_>) -> Done {
    Router::parse(call.arguments.text("text")).map_err(Refusal::Router)?;
    Ok(Deed::Renew(kept::replacement(call)?))
}

/// ROUTE
pub(super) fn route(call: &Call<'_>) -> Done {
    let purpose = match call.arguments.find_text("mode").map(str::to_ascii_lowercase).as_deref() {
        None | Some("access") => Purpose::Access,
        Some("mail") => Purpose::Mail,
        Some("signal") => Purpose::Signal,
        Some(_) => return Err(Refusal::General("the mode must be mail or access or signal").into()),
    };
    let text = call.arguments.text("address");
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    let login = LoginName::new(bare.as_bytes()).ok_or(Refusal::General("this is no address"))?;
    let domain = call.actor.name.domain();
    let route = call.directory().route(&call.scene.control.router(), &login, Some(domain), purpose)?;
    let shown = |module: &str, object: &str| {
        Ok(Deed::Show(Value::Array([module, object, ""].into_iter().map(Value::from).collect())))
    };
    match route {
        Route::Account(account) => shown("LOCAL", &account.name.to_string()),
        Route::Group(name) => shown("LOCAL", &name.to_string()),
        Route::Null => shown("SYSTEM", "NULL"),
        Route::Blacklisted => shown("SYSTEM", "BLACKLISTED"),
        Route::Error => Err(Refusal::General("the router table says that there is no such address").into()),
        Route::Circle => Err(Refusal::General("the address leads in a circle").into()),
        Route::UnknownAccount(_) => Err(Refusal::UnknownAccount.into()),
        Route::UnknownDomain => Err(Refusal::UnknownDomain.into()),
    }
}
