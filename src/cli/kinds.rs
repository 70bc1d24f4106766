//! The types of accounts. They tell how mail would be stored, which means nothing here: a type is
//! kept and shown, and it takes a right to make an account of a special one.

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use super::right::ServerRight;
use crate::directory::{DirectoryFault, Holder};
use crate::model::AccountName;
use crate::notation::Value;
use crate::store::Transaction;

type Done = Result<Deed, Stop>;

/// The type of an account that was created without one.
const USUAL: &str = "MultiMailbox";

/// What holds many mailboxes, as the usual type does.
const FOLDERS: &[&str] = &[USUAL, "AGrade", "BGrade", "CGrade"];

/// What holds a single mailbox.
const SINGLE: &[&str] = &["TextMailbox", "MailDirMailbox", "SlicedMailbox"];

/// The right to create accounts of such types, and legacy ones.
const SPECIAL: &str = "CanCreateSpecialAccounts";

/// The name under which the type of an account is kept that is not the usual one.
const KIND: &str = "AccountType";

/// SETACCOUNTTYPE
pub(super) fn set(call: &Call<'_>) -> Done {
    let account = &call.account()?.name;
    let kind = among(FOLDERS, call.arguments.text("accountType"));
    let kind = kind.ok_or(Refusal::General("account type is none of MultiMailbox AGrade BGrade CGrade"))?;
    if SINGLE.contains(&of(call, account)?.as_str()) {
        return Err(Refusal::General("the type of an account with a single mailbox cannot be changed").into());
    }
    let make = |_| Ok::<_, DirectoryFault>(Value::from(kind));
    Ok(Deed::Commit(call.directory().keep(&Holder::Account(account.clone()), KIND, make)?))
}

/// The type of an account.
pub(super) fn of(call: &Call<'_>, account: &AccountName) -> Result<String, Stop> {
    let kept = call.directory().kept(&Holder::Account(account.clone()), KIND)?;
    Ok(kept.as_ref().and_then(Value::as_str).unwrap_or(USUAL).to_owned())
}

/// The type that CREATEACCOUNT asks for, if the caller may create such accounts.
pub(super) fn asked_for(call: &Call<'_>) -> Result<&'static str, Refusal> {
    let text = call.arguments.find_text("accountType").unwrap_or(USUAL);
    let single = among(SINGLE, text);
    let kind = single.or_else(|| among(FOLDERS, text)).ok_or(Refusal::General("unknown account type"))?;
    let is_special = single.is_some() || call.arguments.has("LEGACY");
    let may = call.actor.has(ServerRight::Users) || call.actor.has_code(SPECIAL);
    if is_special && !may { Err(Refusal::NoRight) } else { Ok(kind) }
}

/// `creation` of an account, which is to be of that type.
pub(super) fn create(call: &Call<'_>, account: &AccountName, kind: &str, mut creation: Transaction) -> Done {
    if kind != USUAL {
        let (holder, value) = (Holder::Account(account.clone()), Value::from(kind));
        call.directory().keep_for_new(&mut creation, &holder, KIND, &value)?;
    }
    Ok(Deed::Commit(creation))
}

/// GETACCOUNTLOCATION: where the account's folder would be, below its domain's
pub(super) fn location(call: &Call<'_>) -> Done {
    let account = &call.account()?.name;
    let extension = match of(call, account)?.as_str() {
        "TextMailbox" => "mbox",
        "MailDirMailbox" => "mdir",
        "SlicedMailbox" => "mslc",
        _ => "macnt",
    };
    Ok(Deed::Show(Value::from(format!("{}.{extension}", account.local()).as_str())))
}

fn among(kinds: &'static [&'static str], text: &str) -> Option<&'static str> {
    kinds.iter().copied().find(|kind| kind.eq_ignore_ascii_case(text))
}
