//! Commands about accounts.

use super::call::{Call, Deed, Work, object};
use super::general::timestamp;
use super::kinds;
use super::refusal::{Refusal, Stop};
use super::right::{ServerRight, Target};
use crate::auth::legacy::{self, ImportFault};
use crate::auth::policy::{check_given_password, is_complex_enough};
use crate::auth::{Credentials, PasswordPurpose, Wanted};
use crate::directory::{Account, Directory, Edit};
use crate::model::limits::{APPLICATION_PASSWORDS_MAX, TAG_BYTES_MAX};
use crate::model::{AccountName, LoginName, NewPasswordRefusal, Secret};
use crate::notation::{Dictionary, Value};

type Done = Result<Deed, Stop>;

/// The key under which clients send a password among settings. It is never kept there.
const PASSWORD: &str = "Password";

/// What begins a password that is a hash already.
const READY_HASH: u8 = 2;

/// The settings that come with the right to set passwords, besides those that have a right of
/// their own.
const BASIC_SETTINGS: &[&str] = &[PASSWORD, "RealName"];

/// CREATEACCOUNT
pub(super) fn create(call: &Call<'_>) -> Done {
    let Target::Object(name) = &call.target else { return Err(Refusal::UnknownAccount.into()) };
    let name = not_alias(name.clone(), call.arguments.text("accountName"))?;
    call.domain()?;
    let kind = kinds::asked_for(call)?;
    let mut settings = permitted(call, call.arguments.dictionary("settingsDict"), BASIC_SETTINGS);
    if call.found.is_some() {
        return Err(Refusal::AccountExists.into());
    }
    let credentials = match settings.remove(PASSWORD) {
        // Nothing opens such an account until it is given a password.
        None => Credentials::none(call.scene.now),
        Some(password) => match made(call, &password, &name, &Edit::Update(settings.clone()), None)? {
            Ok(credentials) => credentials,
            Err(work) => return Ok(Deed::Hash(work)),
        },
    };
    kinds::create(call, &name, kind, call.directory().create_account(&name, credentials, settings)?)
}

/// RENAMEACCOUNT
pub(super) fn rename(call: &Call<'_>) -> Done {
    let (old, new) = (exact(call)?, new_name(call, "newName")?);
    if old.domain() != new.domain() && !call.actor.has(ServerRight::Users) {
        return Err(Refusal::NoRight.into());
    }
    Ok(Deed::Commit(call.directory().rename_account(&old, &new)?))
}

/// DELETEACCOUNT
pub(super) fn delete(call: &Call<'_>) -> Done {
    Ok(Deed::Commit(call.directory().delete_account(&exact(call)?)?))
}

/// GETACCOUNTSETTINGS
pub(super) fn settings(call: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::Dictionary(call.account()?.explicit_settings().clone())))
}

/// GETACCOUNTEFFECTIVESETTINGS
pub(super) fn effective_settings(call: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::Dictionary(call.account()?.effective_settings())))
}

/// GETACCOUNTONESETTING
pub(super) fn one_setting(call: &Call<'_>) -> Done {
    let settings = call.account()?.effective_settings();
    Ok(Deed::Show(settings.get(call.arguments.text("keyName")).cloned().unwrap_or(Value::Null)))
}

/// UPDATEACCOUNTSETTINGS
pub(super) fn update_settings(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let basic = if call.actor.has_code("BasicSettings") { BASIC_SETTINGS } else { &[] };
    let changes = permitted(call, call.arguments.dictionary("settingsDict"), basic);
    edit(call, account, changes, Edit::Update)
}

/// SETACCOUNTSETTINGS
pub(super) fn set_settings(call: &Call<'_>) -> Done {
    let account = call.account()?;
    edit(call, account, call.arguments.dictionary("settingsDict"), Edit::Replace)
}

/// SETACCOUNTPASSWORD
pub(super) fn set_password(call: &Call<'_>) -> Done {
    let account = call.account()?;
    check_is_own_login(call, account)?;
    let password = call.arguments.text("newPassword");
    let purpose = purpose(call)?;
    let is_removal = purpose.is_some() && password.is_empty();
    if call.arguments.has("CHECK") || account.name == call.actor.name {
        check_change(call, account, (!is_removal).then_some(password))?;
    }
    let Some(purpose) = purpose else {
        let changes = [(PASSWORD, Value::from(password))].into_iter().collect();
        return edit(call, account, changes, Edit::Update);
    };
    let others = &account.credentials.alternatives;
    let has_one = others.iter().any(|it| it.purpose == purpose);
    if is_removal && !has_one {
        return Err(Refusal::General("the account has no such password").into());
    }
    if is_removal {
        return Ok(Deed::Commit(call.directory().set_alternative(account, purpose, None)));
    }
    if !has_one && others.len() >= APPLICATION_PASSWORDS_MAX {
        return Err(Refusal::General("the account has too many passwords - remove one first").into());
    }
    // Whatever a hash costs would be paid at every login of the account, for each such password.
    if is_hash(password) {
        return Err(Refusal::General("a password beside the account's own one cannot be set by its hash").into());
    }
    let Some(made) = call.credentials() else {
        let salt = account.credentials.salt();
        let wanted = Wanted::default();
        return Ok(Deed::Hash(Work::Make { secret: secret(password)?, salt, wanted, renews: None }));
    };
    Ok(Deed::Commit(call.directory().set_alternative(account, purpose, made.verifiers.first().cloned())))
}

/// The services that an account may use. A word that names none of them is the tag of an
/// application, where a client has left out whether it is one or the other.
const ACCESS_MODES: &[&str] = &[
    "Mail", "Relay", "Signal", "Mobile", "TLS", "POP", "IMAP", "MAPI", "AirSync", "SIP", "XMPP", "WebMail", "XIMSS",
    "ACAP", "PWD", "LDAP", "RADIUS", "S/MIME", "WebCAL", "WebSite", "HTTP", "FTP", "PBX",
];

/// Which of the account's passwords is meant; `None`: its own one.
fn purpose(call: &Call<'_>) -> Result<Option<PasswordPurpose>, Refusal> {
    let is_mode = |word: &str| ACCESS_MODES.iter().any(|mode| mode.eq_ignore_ascii_case(word));
    let (mode, tag) = match call.arguments.find_text("modeOrTag") {
        Some(word) if is_mode(word) => (Some(word), None),
        word => (None, word),
    };
    let method = call.arguments.find_text("accessMode").or(mode);
    let service = method.and_then(|method| match method {
        _ if method.eq_ignore_ascii_case("SIP") => Some(PasswordPurpose::Sip),
        _ if method.eq_ignore_ascii_case("RADIUS") => Some(PasswordPurpose::Radius),
        _ => None,
    });
    match call.arguments.find_text("tag").or(tag) {
        None => Ok(service),
        Some(_) if method.is_some() => Err(Refusal::General("a password has a METHOD or a TAG, not both")),
        Some(tag) if (1..=TAG_BYTES_MAX).contains(&tag.len()) => Ok(Some(PasswordPurpose::Application(tag.into()))),
        Some(_) => Err(Refusal::General("a tag must have 1 to 64 bytes")),
    }
}

/// Checks what an owner must keep to who changes a password of his account, and whoever asks for
/// the same check; `None`: the password is taken away.
fn check_change(call: &Call<'_>, account: &Account, password: Option<&str>) -> Result<(), Stop> {
    if !account.may_change_password() {
        return Err(Refusal::NewPassword(NewPasswordRefusal::NotAllowed).into());
    }
    let Some(password) = password else { return Ok(()) };
    if is_hash(password) {
        return Err(Refusal::General("a hash tells nothing of its password, which must be checked").into());
    }
    let secret = secret(password)?;
    check_given_password(&account.name, &secret, call.scene.password_characters_min).map_err(Refusal::NewPassword)?;
    let is_enough = is_complex_enough(account.password_complexity(), &secret);
    if is_enough { Ok(()) } else { Err(Refusal::NewPassword(NewPasswordRefusal::TooSimple).into()) }
}

/// Who logged in without the account's own password could otherwise take over the account.
fn check_is_own_login(call: &Call<'_>, account: &Account) -> Result<(), Refusal> {
    match call.actor.bar {
        Some(bar) if account.name == call.actor.name => Err(Refusal::NewPassword(bar)),
        _ => Ok(()),
    }
}

/// VERIFYACCOUNTPASSWORD
pub(super) fn verify_password(call: &Call<'_>) -> Done {
    let account = call.account()?;
    match call.errand.is_right() {
        Some(true) => Ok(Deed::Nothing),
        Some(false) => Err(Refusal::WrongPassword.into()),
        None => Ok(Deed::Hash(Work::Check {
            account: Box::new(account.clone()),
            secret: secret(call.arguments.text("password"))?,
        })),
    }
}

/// VERIFYACCOUNTIDENTITY: whether the address in a From header is one of the account's
pub(super) fn verify_identity(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let header = call.arguments.text("fromHeaderValue");
    let bracketed = header.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let address = bracketed.map_or(header, |(address, _)| address).trim();
    let login = LoginName::new(address.as_bytes()).filter(|_| address.contains('@'));
    let owner = match login {
        Some(login) => call.directory().resolve(&login, None)?,
        None => None,
    };
    let is_own = owner.is_some_and(|owner| owner.name == account.name);
    if is_own { Ok(Deed::Nothing) } else { Err(Refusal::General("this is no address of the account").into()) }
}

/// GETACCOUNTALIASES
pub(super) fn aliases(call: &Call<'_>) -> Done {
    let aliases = call.account()?.aliases().map(|alias| Value::from(alias.local())).collect();
    Ok(Deed::Show(Value::Array(aliases)))
}

/// SETACCOUNTALIASES
pub(super) fn set_aliases(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let alias = |value: &Value| {
        let text = value.as_str().ok_or(Refusal::General("an alias is a name"))?;
        let name = if text.contains('@') {
            AccountName::parse(text)
        } else {
            AccountName::new(text, account.name.domain().clone())
        };
        name.map_err(|_| Refusal::General("name has illegal characters"))
    };
    let aliases = call.arguments.array("aliasArray").iter().map(alias).collect::<Result<Vec<_>, _>>()?;
    Ok(Deed::Commit(call.directory().set_aliases(&account.name, &aliases)?))
}

/// GETACCOUNTRIGHTS
pub(super) fn rights(call: &Call<'_>) -> Done {
    let rights = call.account()?.rights().iter().map(|right| Value::from(&**right)).collect();
    Ok(Deed::Show(Value::Array(rights)))
}

/// SETACCOUNTRIGHTS. In the main domain, where rights reach farther than one domain, it takes a
/// Master.
pub(super) fn set_rights(call: &Call<'_>) -> Done {
    let account = call.account()?;
    if account.name.domain() == call.directory().main_domain() && !call.actor.is_master() {
        return Err(Refusal::NoRight.into());
    }
    let right = |value: &Value| value.as_str().map(Box::from).ok_or(Refusal::General("a right is a word"));
    let rights = call.arguments.array("rightsArray").iter().map(right).collect::<Result<_, _>>()?;
    Ok(Deed::Commit(call.directory().set_rights(&account.name, rights)?))
}

/// GETACCOUNTINFO. Of the passwords of applications it shows the tags.
pub(super) fn info(call: &Call<'_>) -> Done {
    let account = call.account()?;
    let kind = kinds::of(call, &account.name)?;
    let known = [("AccountType", Value::from(kind.as_str())), ("Created", timestamp(account.created_at()))];
    let mut all: Dictionary = known.into_iter().collect();
    let applications: Vec<_> = account.credentials.applications().map(Value::from).collect();
    if !applications.is_empty() {
        all.insert("ApplicationPasswords", Value::Array(applications));
    }
    if let Some(key) = call.arguments.find_text("keyName") {
        return Ok(Deed::Show(all.get(key).cloned().unwrap_or_else(|| Value::from(""))));
    }
    if !call.arguments.has("keyArray") {
        return Ok(Deed::Show(Value::Dictionary(all)));
    }
    let keys = call.arguments.array("keyArray").iter().filter_map(Value::as_str);
    let found = keys.filter_map(|key| Some((key, all.get(key)?.clone())));
    Ok(Deed::Show(Value::Dictionary(found.collect())))
}

/// The account that the command is about by its own name: what cannot be undone is not done by
/// another name of it.
fn exact(call: &Call<'_>) -> Result<AccountName, Stop> {
    let account = call.account()?;
    let text = call.arguments.text("accountName");
    let local = text.rsplit_once('@').or_else(|| text.rsplit_once('%')).map_or(text, |(local, _)| local);
    let is_exact = text != "*" && local.eq_ignore_ascii_case(account.name.local());
    if is_exact { Ok(account.name.clone()) } else { Err(Refusal::UnknownAccount.into()) }
}

/// The name that argument `argument` gives to something new.
fn new_name(call: &Call<'_>, argument: &str) -> Result<AccountName, Stop> {
    let text = call.arguments.text(argument);
    Ok(not_alias(object(text, call.actor, call.directory())?, text)?)
}

/// `name`, for which `text` stands, unless that is another name of it.
fn not_alias(name: AccountName, text: &str) -> Result<AccountName, Refusal> {
    let local = text.rsplit_once('@').or_else(|| text.rsplit_once('%')).map_or(text, |(local, _)| local);
    // An alias stands for its account, whose name is another one.
    if local.eq_ignore_ascii_case(name.local()) { Ok(name) } else { Err(Refusal::AccountExists) }
}

/// Those of `settings` that the caller may set: all for who administers all domains; otherwise
/// those in `also`, and those whose key is among the caller's rights. The others are left out
/// without a word, as clients expect.
fn permitted(call: &Call<'_>, settings: Dictionary, also: &[&str]) -> Dictionary {
    if call.actor.has(ServerRight::Users) {
        return settings;
    }
    let may = |key: &str| also.iter().any(|basic| basic.eq_ignore_ascii_case(key)) || call.actor.has_code(key);
    settings.iter().filter(|(key, _)| may(key)).map(|(key, value)| (key, value.clone())).collect()
}

/// Changes settings, and the password if it is among them.
fn edit(call: &Call<'_>, account: &Account, mut changes: Dictionary, how: fn(Dictionary) -> Edit) -> Done {
    let password = changes.remove(PASSWORD);
    let edit = how(changes);
    let credentials = match password {
        None => None,
        Some(password) => {
            check_is_own_login(call, account)?;
            match made(call, &password, &account.name, &edit, Some(account))? {
                Ok(credentials) => Some(credentials),
                Err(work) => return Ok(Deed::Hash(work)),
            }
        }
    };
    Ok(Deed::Commit(call.directory().edit_account(account, edit, credentials)?))
}

/// Credentials for `password`, which `name` is given together with `edit`, or the work that makes
/// them. `account` is the one of that name, if it is there already.
fn made(
    call: &Call<'_>,
    password: &Value,
    name: &AccountName,
    edit: &Edit,
    account: Option<&Account>,
) -> Result<Result<Credentials, Work>, Stop> {
    if let Some(credentials) = call.credentials() {
        return Ok(Ok(credentials.clone()));
    }
    let text = password.as_str().ok_or(Refusal::General("a password is a string"))?;
    if is_hash(text) {
        let verifier = legacy::parse(text.as_bytes()).map_err(|fault| Refusal::General(reason(fault)))?;
        return Ok(Ok(Credentials::new(verifier, call.scene.now)));
    }
    let secret = secret(text)?;
    let own = account.filter(|account| account.name == call.actor.name);
    let renews = own.map(|account| (account.name.clone(), account.password_revision + 1));
    let salt = account.and_then(|account| account.credentials.salt_of_alternatives());
    let wanted = call.directory().wanted_with(name, edit)?;
    Ok(Err(Work::Make { secret, salt, wanted, renews }))
}

/// Whether a password is given as a hash that other software made.
fn is_hash(text: &str) -> bool {
    text.as_bytes().first() == Some(&READY_HASH)
}

fn reason(fault: ImportFault) -> &'static str {
    match fault {
        ImportFault::UnknownScheme => "the hash is of an unknown scheme",
        ImportFault::Malformed => "the hash is malformed",
        ImportFault::TooDear(_) => "the hash would cost too much to check",
    }
}

/// The password in `text`.
fn secret(text: &str) -> Result<Secret, Refusal> {
    match text.as_bytes() {
        [] => Err(Refusal::General("a password must not be empty")),
        bytes if bytes.iter().any(|&byte| byte < b' ') => {
            Err(Refusal::General("a password must not have control characters"))
        }
        bytes => Secret::new(bytes).ok_or(Refusal::General("a password must have at most 1024 bytes")),
    }
}

/// Whether only a Master may change `account`, because it administers more than a domain.
pub(super) fn is_guarded(account: &Account, directory: &Directory) -> bool {
    account.name.domain() == directory.main_domain() && ServerRight::any(account.name.local(), account.rights())
}
