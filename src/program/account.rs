//! `keyturn account` and `keyturn domain`: offline administration.

use std::fmt::{self, Write};
use std::path::Path;

use keyturn::auth::Wanted;
use keyturn::directory::{Account, DirectoryFault, Edit};
use keyturn::model::{AccountName, DomainName, NameFault};
use keyturn::notation::{Dictionary, Timestamp};

use super::arguments::{AccountCommand, DomainCommand, PasswordArguments};
use super::data::{Absent, Data, now_unix};
use super::failure::{Exit, Failure};
use super::password::{self, Given};
use super::settings::Source;
use super::stats;
use super::welcome;

/// Names read from the store at once.
const PAGE_COUNT: usize = 1000;

/// Carries out a command on accounts and returns what to print.
pub(crate) fn account(action: &AccountCommand, path: &Path, source: &Source) -> Result<String, Failure> {
    match action {
        AccountCommand::Add { name, password } => add(path, source, name, *password),
        AccountCommand::Passwd { name, password } => passwd(path, source, name, *password),
        AccountCommand::Show { name } => show(&Data::open(path, source, Absent::Refuse)?, name),
        AccountCommand::Delete { name } => {
            let data = Data::open(path, source, Absent::Refuse)?;
            let name = account_name(&data, name)?;
            data.commit(data.directory.delete_account(&name)?)?;
            Ok(format!("{name} deleted\n"))
        }
        AccountCommand::List { domain } => list(&Data::open(path, source, Absent::Refuse)?, domain.as_deref()),
        AccountCommand::Stats { domain, json } => {
            let domain = domain.as_deref().map(domain_name).transpose()?;
            stats::stats(&Data::open(path, source, Absent::Refuse)?, domain.as_ref(), *json)
        }
    }
}

/// Carries out a command on domains and returns what to print.
pub(crate) fn domain(action: &DomainCommand, path: &Path, source: &Source) -> Result<String, Failure> {
    match action {
        DomainCommand::Add { name } => {
            let name = domain_name(name)?;
            let data = Data::open(path, source, Absent::Create { main_domain: Some(&name) })?;
            let is_new = welcome::found(&data, path)?.is_some();
            if !(is_new && name == data.config.main_domain) {
                data.commit(data.directory.create_domain(&name, now_unix())?)?;
            }
            Ok(format!("{name} added\n"))
        }
        DomainCommand::List => {
            let data = Data::open(path, source, Absent::Refuse)?;
            Ok(lines(&domains(&data)?))
        }
        DomainCommand::Delete { name } => {
            let name = domain_name(name)?;
            let data = Data::open(path, source, Absent::Refuse)?;
            data.commit(data.directory.delete_domain(&name)?)?;
            Ok(format!("{name} deleted\n"))
        }
    }
}

fn add(path: &Path, source: &Source, name: &str, arguments: PasswordArguments) -> Result<String, Failure> {
    let piped = password::piped(arguments)?;
    let stated = AccountName::parse(name).ok();
    let main_domain = stated.as_ref().map(AccountName::domain);
    let data = Data::open(path, source, Absent::Create { main_domain })?;
    let name = account_name(&data, name)?;
    let is_founded = data.directory.is_founded()?;
    if is_founded {
        // Nobody types a password twice to be told that the name is taken.
        data.directory.accounts(name.domain(), None, 1)?;
        if data.directory.account(&name)?.is_some() {
            return Err(DirectoryFault::NameTaken(name).into());
        }
    }
    let given = Given::obtain(arguments, piped, &name, data.config.live.password_characters_min)?;
    if name == data.postmaster()? && !is_founded {
        data.found(given.credentials(Wanted::default(), || data.hasher()))?;
    } else {
        welcome::found(&data, path)?;
        let wanted = data.directory.wanted_with(&name, &Edit::Update(Dictionary::new()))?;
        let credentials = given.credentials(wanted, || data.hasher());
        data.commit(data.directory.create_account(&name, credentials, Dictionary::new())?)?;
    }
    Ok(format!("{name} added\n{}", drawn(&given)))
}

fn passwd(path: &Path, source: &Source, name: &str, arguments: PasswordArguments) -> Result<String, Failure> {
    let piped = password::piped(arguments)?;
    let data = Data::open(path, source, Absent::Refuse)?;
    let name = account_name(&data, name)?;
    let account = data.directory.account(&name)?.ok_or_else(|| no_account(&name))?;
    let given = Given::obtain(arguments, piped, &name, data.config.live.password_characters_min)?;
    let credentials = given.credentials(account.wanted(), || data.hasher());
    data.commit(data.directory.set_password(&name, credentials)?)?;
    Ok(format!("{name} has a new password\n{}", drawn(&given)))
}

/// The password, when only we know it.
fn drawn(given: &Given) -> String {
    given.drawn().map(|text| format!("password: {text}\n")).unwrap_or_default()
}

fn show(data: &Data, name: &str) -> Result<String, Failure> {
    let name = account_name(data, name)?;
    let account = data.directory.account(&name)?.ok_or_else(|| no_account(&name))?;
    let mut out = String::new();
    describe(&account, &mut out).map_err(Failure::failed)?;
    Ok(out)
}

fn describe(account: &Account, out: &mut String) -> fmt::Result {
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    writeln!(out, "account           {}", account.name)?;
    let aliases: Vec<String> = account.aliases().map(ToString::to_string).collect();
    if !aliases.is_empty() {
        writeln!(out, "aliases           {}", aliases.join(" "))?;
    }
    writeln!(out, "may log in        {}", yes_or_no(account.may_log_in()))?;
    writeln!(out, "may set password  {}", yes_or_no(account.may_change_password()))?;
    writeln!(out, "created           {}", moment(account.created_at()))?;
    writeln!(out, "password changed  {}", moment(account.credentials.changed_at))?;
    for verifier in &account.credentials.verifiers {
        writeln!(out, "{}", format!("password kept as  {} {}", verifier.scheme(), verifier.parameters()).trim_end())?;
    }
    for scram in &account.credentials.scram {
        writeln!(out, "password kept as  {} i={}", scram.hash().mechanism(), scram.iterations)?;
    }
    if account.credentials.recoverable.is_some() {
        writeln!(out, "password kept as  itself, under seal")?;
    }
    writeln!(out, "settings          {}", account.explicit_settings())
}

/// A time (UTC) as CommuniGate Pro writes it.
fn moment(unix_seconds: u64) -> String {
    let stamp = i64::try_from(unix_seconds).ok().and_then(Timestamp::from_unix);
    stamp.map_or_else(|| format!("{unix_seconds} seconds after 1970"), |stamp| format!("{stamp} UTC"))
}

fn list(data: &Data, domain: Option<&str>) -> Result<String, Failure> {
    let domains = match domain {
        Some(name) => vec![domain_name(name)?],
        None => domains(data)?,
    };
    let mut names = Vec::new();
    for domain in domains {
        loop {
            let after = names.last().filter(|last: &&AccountName| *last.domain() == domain);
            let page = data.directory.accounts(&domain, after, PAGE_COUNT)?;
            let is_last = page.len() < PAGE_COUNT;
            names.extend(page);
            if is_last {
                break;
            }
        }
    }
    Ok(lines(&names))
}

pub(super) fn domains(data: &Data) -> Result<Vec<DomainName>, Failure> {
    let mut names: Vec<DomainName> = Vec::new();
    loop {
        let page = data.directory.domains(names.last(), PAGE_COUNT)?;
        let is_last = page.len() < PAGE_COUNT;
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}

fn lines<T: ToString>(names: &[T]) -> String {
    names.iter().map(|name| format!("{}\n", name.to_string())).collect()
}

/// The account that an operator means by `name`.
fn account_name(data: &Data, name: &str) -> Result<AccountName, Failure> {
    let parsed = match AccountName::parse(name) {
        Err(NameFault::NoDomain) => AccountName::new(name, data.config.main_domain.clone()),
        parsed => parsed,
    };
    parsed.map_err(|fault| Failure::new(Exit::Usage, format_args!("{name}: {fault}")))
}

pub(super) fn domain_name(name: &str) -> Result<DomainName, Failure> {
    DomainName::parse(name).map_err(|fault| Failure::new(Exit::Usage, format_args!("{name}: {fault}")))
}

fn no_account(name: &AccountName) -> Failure {
    Failure::failed(format_args!("there is no account {name}"))
}
