//! All domains, and each of them.

use super::Shape::{Array, Dictionary, Nothing, Text};
use super::{Row, row};
use crate::cli::kept::Whose;
use crate::cli::right::{DA_ANY, USERS, administers};
use crate::cli::{domains, general, kept, objects};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("LISTDOMAINS", "", USERS, Array, "list all domains").by(domains::list),
    row("MAINDOMAINNAME", "", USERS, Text, "show the name of the main domain").by(general::main_domain),
    row("GETDOMAINDEFAULTS", "", USERS, Dictionary, "show the defaults for all domains")
        .also(&["GTDMNDFL"])
        .by(domains::domain_defaults),
    row("UPDATEDOMAINDEFAULTS", "settingsDict", USERS, Nothing, "change the defaults for all domains")
        .also(&["UPDDMNDFL"])
        .by(domains::update_domain_defaults),
    row("SETDOMAINDEFAULTS", "settingsDict", USERS, Nothing, "replace the defaults for all domains")
        .by(domains::set_domain_defaults),
    row("GETCLUSTERDOMAINDEFAULTS", "", USERS, Dictionary, "show the cluster's defaults for domains")
        .by(domains::cluster_domain_defaults),
    row("UPDATECLUSTERDOMAINDEFAULTS", "settingsDict", USERS, Nothing, "change the cluster's defaults for domains")
        .by(domains::update_cluster_domain_defaults),
    row("SETCLUSTERDOMAINDEFAULTS", "settingsDict", USERS, Nothing, "replace the cluster's defaults for domains")
        .by(domains::set_cluster_domain_defaults),
    row("GETSERVERACCOUNTDEFAULTS", "", USERS, Dictionary, "show the server's defaults for accounts")
        .also(&["GETALLACCOUNTSDEFAULTS", "GTALACNDFL"])
        .by(domains::server_defaults),
    row("UPDATESERVERACCOUNTDEFAULTS", "settingsDict", USERS, Nothing, "change the server's defaults for accounts")
        .also(&["UPDATEALLACCOUNTSDEFAULTS", "UPDALACNDFL"])
        .by(domains::update_server_defaults),
    row("SETSERVERACCOUNTDEFAULTS", "settingsDict", USERS, Nothing, "replace the server's defaults for accounts")
        .also(&["SETALLACCOUNTSDEFAULTS"])
        .by(domains::set_server_defaults),
    row("GETCLUSTERACCOUNTDEFAULTS", "", USERS, Dictionary, "show the cluster's defaults for accounts")
        .by(domains::cluster_account_defaults),
    row("UPDATECLUSTERACCOUNTDEFAULTS", "settingsDict", USERS, Nothing, "change the cluster's defaults for accounts")
        .by(domains::update_cluster_account_defaults),
    row("SETCLUSTERACCOUNTDEFAULTS", "settingsDict", USERS, Nothing, "replace the cluster's defaults for accounts")
        .by(domains::set_cluster_account_defaults),
    row("GETSERVERACCOUNTPREFS", "", USERS, Dictionary, "show the server's preferences for accounts")
        .also(&["GETSERVERWEBUSERDEFAULTS"])
        .keeps(Whose::Server, kept::PREFERENCES, kept::show),
    row("UPDATESERVERACCOUNTPREFS", "prefsDict", USERS, Nothing, "change the server's preferences for accounts").keeps(
        Whose::Server,
        kept::PREFERENCES,
        kept::update,
    ),
    row("SETSERVERACCOUNTPREFS", "prefsDict", USERS, Nothing, "replace the server's preferences for accounts")
        .also(&["SETSERVERWEBUSERDEFAULTS"])
        .keeps(Whose::Server, kept::PREFERENCES, kept::replace),
    row("GETCLUSTERACCOUNTPREFS", "", USERS, Dictionary, "show the cluster's preferences for accounts")
        .also(&["GETCLUSTERWEBUSERDEFAULTS"])
        .keeps(Whose::Cluster, kept::PREFERENCES, kept::show),
    row("UPDATECLUSTERACCOUNTPREFS", "prefsDict", USERS, Nothing, "change the cluster's preferences for accounts")
        .keeps(Whose::Cluster, kept::PREFERENCES, kept::update),
    row("SETCLUSTERACCOUNTPREFS", "prefsDict", USERS, Nothing, "replace the cluster's preferences for accounts")
        .also(&["SETCLUSTERWEBUSERDEFAULTS"])
        .keeps(Whose::Cluster, kept::PREFERENCES, kept::replace),
    row("CREATEDOMAIN", "newDomainName [SHARED] [PATH storage] [settingsDict]", USERS, Nothing, "create a domain")
        .also(&["CREATESHAREDDOMAIN"])
        .by(domains::create),
    row("RENAMEDOMAIN", "domainName INTO newDomainName [PATH storage]", USERS, Nothing, "give a domain another name")
        .also(&["RNDMN"])
        .by(domains::rename),
    row("DELETEDOMAIN", "domainName [FORCE]", USERS, Nothing, "delete a domain; FORCE: with all that is in it")
        .also(&["DLDMN"])
        .by(domains::delete),
    row("CREATEDIRECTORYDOMAIN", "domainName [settingsDict]", USERS, Nothing, "create a domain kept in the Directory"),
    row("RELOADDIRECTORYDOMAINS", "", USERS, Nothing, "look for new domains in the Directory"),
    row("LISTSERVERTELNUMS", "[FILTER substring] limit", USERS, Dictionary, "list the server's telephone numbers"),
    row("LISTCLUSTERTELNUMS", "[FILTER substring] limit", USERS, Dictionary, "list the cluster's telephone numbers"),
    row("GETSERVERTRUSTEDCERTS", "", USERS, Array, "show the server's trusted certificates").keeps(
        Whose::Server,
        "TrustedCertificates",
        kept::show,
    ),
    row("SETSERVERTRUSTEDCERTS", "certArray", USERS, Nothing, "replace the server's trusted certificates").keeps(
        Whose::Server,
        "TrustedCertificates",
        kept::replace,
    ),
    row("GETCLUSTERTRUSTEDCERTS", "", USERS, Array, "show the cluster's trusted certificates").keeps(
        Whose::Cluster,
        "TrustedCertificates",
        kept::show,
    ),
    row("SETCLUSTERTRUSTEDCERTS", "certArray", USERS, Nothing, "replace the cluster's trusted certificates").keeps(
        Whose::Cluster,
        "TrustedCertificates",
        kept::replace,
    ),
    row("GETDIRECTORYINTEGRATION", "", USERS, Dictionary, "show the server's directory integration"),
    row("SETDIRECTORYINTEGRATION", "settingsDict", USERS, Nothing, "replace the server's directory integration"),
    row("GETCLUSTERDIRECTORYINTEGRATION", "", USERS, Dictionary, "show the cluster's directory integration"),
    row(
        "SETCLUSTERDIRECTORYINTEGRATION",
        "settingsDict",
        USERS,
        Nothing,
        "replace the cluster's directory integration",
    ),
    row("CREATEDOMAINSTORAGE", "[SHARED] PATH storageName", USERS, Nothing, "create a storage place for domains"),
    row("LISTDOMAINSTORAGE", "[SHARED]", USERS, Array, "list the storage places for domains"),
    row("GETDOMAINSETTINGS", "[domainName]", DA_ANY, Dictionary, "show a domain's settings").by(domains::settings),
    row("GETDOMAINEFFECTIVESETTINGS", "[domainName]", DA_ANY, Dictionary, "show a domain's settings in force")
        .by(domains::effective_settings),
    row("UPDATEDOMAINSETTINGS", "[domainName] settingsDict", DA_ANY, Nothing, "change a domain's settings")
        .by(domains::update_settings),
    row("GETACCOUNTDEFAULTS", "[domainName]", DA_ANY, Dictionary, "show a domain's defaults for accounts")
        .by(domains::account_defaults),
    row(
        "UPDATEACCOUNTDEFAULTS",
        "[domainName] settingsDict",
        DA_ANY,
        Nothing,
        "change a domain's defaults for accounts",
    )
    .also(&["UPDACNDFL"])
    .by(domains::update_account_defaults),
    row("GETACCOUNTDEFAULTPREFS", "[domainName]", DA_ANY, Dictionary, "show a domain's preferences for accounts")
        .also(&["GETWEBUSERDEFAULTS", "GTWUSRDFL"])
        .keeps(Whose::Domain, kept::PREFERENCES, kept::show),
    row(
        "UPDATEACCOUNTDEFAULTPREFS",
        "[domainName] prefsDict",
        administers("WebUserSettings"),
        Nothing,
        "change a domain's preferences for accounts",
    )
    .also(&["UPDATEWEBUSERDEFAULTS"])
    .keeps(Whose::Domain, kept::PREFERENCES, kept::update),
    row(
        "SETACCOUNTDEFAULTPREFS",
        "[domainName] prefsDict",
        administers("WebUserSettings"),
        Nothing,
        "replace a domain's preferences for accounts",
    )
    .also(&["SETWEBUSERDEFAULTS", "STWUSRDFL"])
    .keeps(Whose::Domain, kept::PREFERENCES, kept::replace),
    row("GETACCOUNTTEMPLATE", "[domainName]", DA_ANY, Dictionary, "show what a domain's new accounts begin with")
        .also(&["GTACNTMP"])
        .by(domains::template),
    row(
        "UPDATEACCOUNTTEMPLATE",
        "[domainName] settingsDict",
        DA_ANY,
        Nothing,
        "change what a domain's new accounts begin with",
    )
    .also(&["UPDACNTMP"])
    .by(domains::update_template),
    row("GETDOMAINALIASES", "domainName", DA_ANY, Array, "show a domain's other names")
        .also(&["GTDMNALS"])
        .by(domains::aliases),
    row("GETDOMAINMAILRULES", "domainName", DA_ANY, Array, "show a domain's mail rules").also(&["GETDOMAINRULES"]),
    row(
        "SETDOMAINMAILRULES",
        "domainName rulesArray",
        administers("RulesAllowed"),
        Nothing,
        "replace a domain's mail rules",
    )
    .also(&["SETDOMAINRULES"]),
    row("GETDOMAINSIGNALRULES", "domainName", DA_ANY, Array, "show a domain's signal rules"),
    row(
        "SETDOMAINSIGNALRULES",
        "domainName rulesArray",
        administers("SignalRulesAllowed"),
        Nothing,
        "replace a domain's signal rules",
    ),
    row(
        "LISTADMINDOMAINS",
        "[domainName]",
        DA_ANY,
        Array,
        "list the domains that a domain's administrators may administer",
    )
    .by(domains::list_administered),
    row(
        "LISTDOMAINOBJECTS",
        "domainName [FILTER substring] limit [ACCOUNTS] [ALIASES] [FORWARDERS] [COOKIE cookie]",
        DA_ANY,
        Array,
        "list a domain's accounts, aliases and forwarders, in portions",
    )
    .by(objects::list),
    row("LISTACCOUNTS", "[domainName]", DA_ANY, Dictionary, "list a domain's accounts with their types")
        .by(domains::list_accounts),
    row(
        "LISTDOMAINTELNUMS",
        "domainName [FILTER substring] limit",
        DA_ANY,
        Dictionary,
        "list a domain's telephone numbers",
    ),
    row(
        "INSERTDIRECTORYRECORDS",
        "[domainName]",
        administers("CentralDirectory"),
        Nothing,
        "enter a domain's objects in the Directory",
    ),
    row(
        "DELETEDIRECTORYRECORDS",
        "[domainName]",
        administers("CentralDirectory"),
        Nothing,
        "remove a domain's objects from the Directory",
    ),
    row(
        "CREATEACCOUNTSTORAGE",
        "domainName PATH storageName",
        administers("BasicSettings"),
        Nothing,
        "create a storage place for accounts",
    ),
    row("LISTACCOUNTSTORAGE", "domainName", DA_ANY, Array, "list the storage places for accounts"),
    row("SETDOMAINALIASES", "domainName aliasArray", USERS, Nothing, "replace a domain's other names")
        .also(&["STDMNALS"])
        .by(domains::set_aliases),
    row("SETDOMAINSETTINGS", "domainName settingsDict", USERS, Nothing, "replace a domain's settings")
        .by(domains::set_settings),
    row("SETACCOUNTDEFAULTS", "[domainName] settingsDict", USERS, Nothing, "replace a domain's defaults for accounts")
        .by(domains::set_account_defaults),
    row(
        "SETACCOUNTTEMPLATE",
        "[domainName] settingsDict",
        USERS,
        Nothing,
        "replace what a domain's new accounts begin with",
    )
    .also(&["STACNTMP"])
    .by(domains::set_template),
    row("GETDOMAINLOCATION", "[domainName]", USERS, Text, "show a domain's place in storage")
        .partly_by(domains::location),
    row("SUSPENDDOMAIN", "domainName", USERS, Nothing, "close a domain's accounts to everybody").by(domains::suspend),
    row("RESUMEDOMAIN", "domainName", USERS, Nothing, "open a domain's accounts again").by(domains::resume),
];
