//! Commands about statistics. What is counted here: how often an account's password was set, and
//! what a domain has. Counts of mail and calls, of which there are none, have no data.

use super::call::{Call, Deed};
use super::general::timestamp;
use super::refusal::Stop;
use crate::directory::{Account, DirectoryFault, Holder};
use crate::notation::{Dictionary, Value};

type Done = Result<Deed, Stop>;

/// The name under which it is kept what was counted when statistics were reset.
const STATISTICS: &str = "Statistics";

/// When all of them were reset.
const RESET: &str = "StatReset";

/// How often the password was set after the account was created.
const PASSWORD_CHANGES: &str = "PasswordChanges";

/// GETACCOUNTSTAT
pub(super) fn of_account(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let base = base(call, &Holder::Account(account.name.clone()))?;
    let counted = match base.get(PASSWORD_CHANGES) {
        Some(Value::Number(before)) => changes(account).saturating_sub(*before),
        _ => changes(account),
    };
    let reset = base.get(RESET).cloned().unwrap_or_else(|| timestamp(account.created_at()));
    let all: Dictionary = [(RESET, reset), (PASSWORD_CHANGES, Value::Number(counted))].into_iter().collect();
    Ok(show(call, all))
}

/// RESETACCOUNTSTAT
pub(super) fn reset_account(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let key = call.arguments.find_text("keyName");
    let now = timestamp(call.scene.now);
    let make = |old| {
        let mut base = dictionary(old);
        if key.is_none_or(|key| key == PASSWORD_CHANGES) {
            base.insert(PASSWORD_CHANGES, Value::Number(changes(account)));
        }
        if key.is_none() {
            base.insert(RESET, now);
        }
        Ok::<_, DirectoryFault>(Value::Dictionary(base))
    };
    Ok(Deed::Commit(call.directory().keep(&Holder::Account(account.name.clone()), STATISTICS, make)?))
}

/// GETDOMAINSTAT
pub(super) fn of_domain(call: &Call<'_>) -> Done {
    let domain = call.domain()?;
    let key = call.arguments.find_text("keyName");
    let base = base(call, &Holder::Domain(domain.clone()))?;
    let mut all: Dictionary = base.get(RESET).map(|reset| (RESET, reset.clone())).into_iter().collect();
    // Counting takes as long as the domain is large.
    const COUNTED: [&str; 3] = ["Accounts", "Aliases", "Forwarders"];
    if key.is_none_or(|key| COUNTED.contains(&key)) {
        for (name, count) in COUNTED.into_iter().zip(call.directory().count_objects(&domain)?) {
            all.insert(name, Value::from(count.to_string().as_str()));
        }
    }
    Ok(show(call, all))
}

/// RESETDOMAINSTAT. What a domain has is not reset.
pub(super) fn reset_domain(call: &Call<'_>) -> Done {
    let holder = Holder::Domain(call.domain()?);
    let is_all = !call.arguments.has("keyName");
    let now = timestamp(call.scene.now);
    let make = |old| {
        let mut base = dictionary(old);
        if is_all {
            base.insert(RESET, now);
        }
        Ok::<_, DirectoryFault>(Value::Dictionary(base))
    };
    Ok(Deed::Commit(call.directory().keep(&holder, STATISTICS, make)?))
}

/// What the client asked for: one element, which is empty where there is no data, or all.
fn show(call: &Call<'_>, all: Dictionary) -> Deed {
    Deed::Show(match call.arguments.find_text("keyName") {
        Some(key) => all.get(key).cloned().unwrap_or_else(|| Value::from("")),
        None => Value::Dictionary(all),
    })
}

fn base(call: &Call<'_>, holder: &Holder) -> Result<Dictionary, Stop> {
    Ok(dictionary(call.directory().kept(holder, STATISTICS)?))
}

fn dictionary(value: Option<Value>) -> Dictionary {
    if let Some(Value::Dictionary(dictionary)) = value { dictionary } else { Dictionary::new() }
}

/// How often the password was set since the account was created.
fn changes(account: &Account) -> i64 {
    i64::try_from(account.password_revision.saturating_sub(1)).unwrap_or(i64::MAX)
}
