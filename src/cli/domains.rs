//! Commands about domains.

use super::call::{Call, Deed};
use super::listing::{PAGE, Pages, step};
use super::refusal::{Refusal, Stop};
use super::right::ServerRight;
use crate::directory::{ADMIN_DOMAIN_NAME, AuthMethods, Scope};
use crate::model::DomainName;
use crate::notation::Value;

type Done = Result<Deed, Stop>;

/// What clients are shown as the type of every account.
pub(super) const ACCOUNT_TYPE: &str = "macnt";

/// LISTDOMAINS
pub(super) fn list(_: &Call<'_>) -> Done {
    let mut last = None;
    Ok(Deed::List(Pages::array(move |directory, items| {
        let page = directory.domains(last.as_ref(), PAGE)?;
        page.iter().for_each(|name| items.element(&Value::from(name.as_str())));
        Ok(step(&mut last, page))
    })))
}

/// LISTADMINDOMAINS
pub(super) fn list_administered(call: &Call<'_>) -> Done {
    let administrators = call.domain()?;
    let mut last = None;
    Ok(Deed::List(Pages::array(move |directory, items| {
        let page = directory.domains(last.as_ref(), PAGE)?;
        for name in &page {
            if directory.is_administered_by(name, &administrators)? {
                items.element(&Value::from(name.as_str()));
            }
        }
        Ok(step(&mut last, page))
    })))
}

/// CREATEDOMAIN
pub(super) fn create(call: &Call<'_>) -> Done {
    let name = new_name(call)?;
    let is_shared = call.arguments.has("SHARED") || call.is_spelled("CREATESHAREDDOMAIN");
    let settings = call.arguments.dictionary("settingsDict");
    Ok(Deed::Commit(call.directory().create_domain_with(&name, call.scene.now, is_shared, settings)?))
}

/// RENAMEDOMAIN
pub(super) fn rename(call: &Call<'_>) -> Done {
    Ok(Deed::Commit(call.directory().rename_domain(&exact(call)?, &new_name(call)?)?))
}

/// DELETEDOMAIN
pub(super) fn delete(call: &Call<'_>) -> Done {
    let name = exact(call)?;
    let is_forced = call.arguments.has("FORCE");
    let directory = call.directory();
    Ok(Deed::Commit(if is_forced { directory.delete_domain_with_all(&name) } else { directory.delete_domain(&name) }?))
}

/// SUSPENDDOMAIN
pub(super) fn suspend(call: &Call<'_>) -> Done {
    let name = call.domain()?;
    if name == *call.directory().main_domain() {
        return Err(Refusal::General("this cannot be done to the main domain").into());
    }
    Ok(Deed::Commit(call.directory().suspend_domain(&name, true)?))
}

/// RESUMEDOMAIN
pub(super) fn resume(call: &Call<'_>) -> Done {
    Ok(Deed::Commit(call.directory().suspend_domain(&call.domain()?, false)?))
}

/// GETDOMAINLOCATION: where the domain's folder would be
pub(super) fn location(call: &Call<'_>) -> Done {
    let name = call.domain()?;
    let is_main = name == *call.directory().main_domain();
    let folder = if call.directory().is_shared(&name)? { "SharedDomains" } else { "Domains" };
    let path = if is_main { "Accounts".to_owned() } else { format!("{folder}/{name}") };
    Ok(Deed::Show(Value::from(path.as_str())))
}

/// GETDOMAINALIASES
pub(super) fn aliases(call: &Call<'_>) -> Done {
    let aliases = call.directory().domain_aliases(&call.domain()?)?;
    Ok(Deed::Show(Value::Array(aliases.iter().map(|alias| Value::from(alias.as_str())).collect())))
}

/// SETDOMAINALIASES
pub(super) fn set_aliases(call: &Call<'_>) -> Done {
    let alias = |value: &Value| value.as_str().and_then(|text| DomainName::parse(text).ok()).ok_or(ILLEGAL);
    let aliases = call.arguments.array("aliasArray").iter().map(alias).collect::<Result<Vec<_>, _>>()?;
    Ok(Deed::Commit(call.directory().set_domain_aliases(&call.domain()?, &aliases)?))
}

/// GETDOMAINEFFECTIVESETTINGS
pub(super) fn effective_settings(call: &Call<'_>) -> Done {
    Ok(Deed::Show(Value::Dictionary(call.directory().effective_domain_settings(&call.domain()?)?)))
}

/// Shows the settings that `scope` chooses.
fn show(call: &Call<'_>, scope: Scope<'_>) -> Done {
    Ok(Deed::Show(Value::Dictionary(call.directory().settings(scope)?)))
}

/// Carries the argument over to the settings that `scope` chooses; of a domain administrator only
/// what it has a right to.
fn update(call: &Call<'_>, scope: Scope<'_>) -> Done {
    let mut changes = call.arguments.dictionary("settingsDict");
    if !call.actor.has(ServerRight::Users) {
        let may = |key: &str| call.actor.has_code(key) && !key.eq_ignore_ascii_case(ADMIN_DOMAIN_NAME);
        changes = changes.iter().filter(|(key, _)| may(key)).map(|(key, value)| (key, value.clone())).collect();
    }
    let says_methods = AuthMethods::depend_on(&changes);
    let transaction = call.directory().update_settings(scope, &changes)?;
    Ok(if says_methods { Deed::Renew(transaction) } else { Deed::Commit(transaction) })
}

/// Makes the argument the settings that `scope` chooses.
fn replace(call: &Call<'_>, scope: Scope<'_>) -> Done {
    // What a listener's domain offers may have been among what is replaced.
    Ok(Deed::Renew(call.directory().set_settings(scope, call.arguments.dictionary("settingsDict"))?))
}

/// GETDOMAINSETTINGS
pub(super) fn settings(call: &Call<'_>) -> Done {
    show(call, Scope::Domain(&call.domain()?))
}

/// UPDATEDOMAINSETTINGS
pub(super) fn update_settings(call: &Call<'_>) -> Done {
    update(call, Scope::Domain(&call.domain()?))
}

/// SETDOMAINSETTINGS
pub(super) fn set_settings(call: &Call<'_>) -> Done {
    replace(call, Scope::Domain(&call.domain()?))
}

/// GETACCOUNTDEFAULTS
pub(super) fn account_defaults(call: &Call<'_>) -> Done {
    show(call, Scope::DomainAccountDefaults(&call.domain()?))
}

/// UPDATEACCOUNTDEFAULTS
pub(super) fn update_account_defaults(call: &Call<'_>) -> Done {
    update(call, Scope::DomainAccountDefaults(&call.domain()?))
}

/// SETACCOUNTDEFAULTS
pub(super) fn set_account_defaults(call: &Call<'_>) -> Done {
    replace(call, Scope::DomainAccountDefaults(&call.domain()?))
}

/// GETACCOUNTTEMPLATE
pub(super) fn template(call: &Call<'_>) -> Done {
    show(call, Scope::DomainAccountTemplate(&call.domain()?))
}

/// UPDATEACCOUNTTEMPLATE
pub(super) fn update_template(call: &Call<'_>) -> Done {
    update(call, Scope::DomainAccountTemplate(&call.domain()?))
}

/// SETACCOUNTTEMPLATE
pub(super) fn set_template(call: &Call<'_>) -> Done {
    replace(call, Scope::DomainAccountTemplate(&call.domain()?))
}

/// GETDOMAINDEFAULTS
pub(super) fn domain_defaults(call: &Call<'_>) -> Done {
    show(call, Scope::DomainDefaults)
}

/// UPDATEDOMAINDEFAULTS
pub(super) fn update_domain_defaults(call: &Call<'_>) -> Done {
    update(call, Scope::DomainDefaults)
}

/// SETDOMAINDEFAULTS
pub(super) fn set_domain_defaults(call: &Call<'_>) -> Done {
    replace(call, Scope::DomainDefaults)
}

/// GETSERVERACCOUNTDEFAULTS
pub(super) fn server_defaults(call: &Call<'_>) -> Done {
    show(call, Scope::AccountDefaults)
}

/// UPDATESERVERACCOUNTDEFAULTS
pub(super) fn update_server_defaults(call: &Call<'_>) -> Done {
    update(call, Scope::AccountDefaults)
}

/// SETSERVERACCOUNTDEFAULTS
pub(super) fn set_server_defaults(call: &Call<'_>) -> Done {
    replace(call, Scope::AccountDefaults)
}

/// GETCLUSTERDOMAINDEFAULTS
pub(super) fn cluster_domain_defaults(call: &Call<'_>) -> Done {
    show(call, Scope::ClusterDomainDefaults)
}

/// UPDATECLUSTERDOMAINDEFAULTS
pub(super) fn update_cluster_domain_defaults(call: &Call<'_>) -> Done {
    update(call, Scope::ClusterDomainDefaults)
}

/// SETCLUSTERDOMAINDEFAULTS
pub(super) fn set_cluster_domain_defaults(call: &Call<'_>) -> Done {
    replace(call, Scope::ClusterDomainDefaults)
}

/// GETCLUSTERACCOUNTDEFAULTS
pub(super) fn cluster_account_defaults(call: &Call<'_>) -> Done {
    show(call, Scope::ClusterAccountDefaults)
}

/// UPDATECLUSTERACCOUNTDEFAULTS
pub(super) fn update_cluster_account_defaults(call: &Call<'_>) -> Done {
    update(call, Scope::ClusterAccountDefaults)
}

/// SETCLUSTERACCOUNTDEFAULTS
pub(super) fn set_cluster_account_defaults(call: &Call<'_>) -> Done {
    replace(call, Scope::ClusterAccountDefaults)
}

/// LISTACCOUNTS
pub(super) fn list_accounts(call: &Call<'_>) -> Done {
    let (domain, kind) = (call.domain()?, Value::from(ACCOUNT_TYPE));
    let mut last = None;
    Ok(Deed::List(Pages::dictionary(move |directory, items| {
        let page = directory.accounts(&domain, last.as_ref(), PAGE)?;
        page.iter().for_each(|name| items.pair(name.local(), &kind));
        Ok(step(&mut last, page))
    })))
}

const ILLEGAL: Refusal = Refusal::General("domain name has illegal characters");

/// The name for a new domain.
fn new_name(call: &Call<'_>) -> Result<DomainName, Refusal> {
    DomainName::parse(call.arguments.text("newDomainName")).map_err(|_| ILLEGAL)
}

/// The domain that the command is about by its own name: what cannot be undone is not done by
/// another name of it.
fn exact(call: &Call<'_>) -> Result<DomainName, Stop> {
    let name = call.domain()?;
    let is_exact = call.arguments.text("domainName").eq_ignore_ascii_case(name.as_str());
    if is_exact { Ok(name) } else { Err(Refusal::UnknownDomain.into()) }
}
