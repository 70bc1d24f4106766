//! The server: modules, router, network addresses.

use super::Shape::{Array, Dictionary, Nothing, Text};
use super::{Row, row};
use crate::cli::kept::Whose;
use crate::cli::right::{MASTER, SETTINGS, SETTINGS_OR_USERS};
use crate::cli::{addresses, general, kept, modules, routes};
use crate::control;

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("LISTMODULES", "", SETTINGS, Array, "list the modules").by(modules::list),
    row("GETMODULE", "moduleName", SETTINGS, Dictionary, "show a module's settings").by(modules::show),
    row("SETMODULE", "moduleName settingsDict", SETTINGS, Nothing, "replace a module's settings").by(modules::replace),
    row("UPDATEMODULE", "moduleName settingsDict", SETTINGS, Nothing, "change a module's settings").by(modules::update),
    row("GETQUEUESETTINGS", "", SETTINGS, Dictionary, "show the queue settings"),
    row("SETQUEUESETTINGS", "settingsDict", SETTINGS, Nothing, "replace the queue settings"),
    row("GETSIGNALSETTINGS", "", SETTINGS, Dictionary, "show the signal settings"),
    row("SETSIGNALSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the signal settings"),
    row("GETMEDIASERVERSETTINGS", "", SETTINGS, Dictionary, "show the media server settings"),
    row("SETMEDIASERVERSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the media server settings"),
    row("GETSESSIONSETTINGS", "", SETTINGS, Dictionary, "show the session settings").keeps(
        Whose::Server,
        "Session",
        kept::show,
    ),
    row("SETSESSIONSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the session settings").keeps(
        Whose::Server,
        "Session",
        kept::replace,
    ),
    row("GETCLUSTERSETTINGS", "", SETTINGS, Dictionary, "show the cluster settings").keeps(
        Whose::Server,
        "Cluster",
        kept::show,
    ),
    row("SETCLUSTERSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the cluster settings").keeps(
        Whose::Server,
        "Cluster",
        kept::replace,
    ),
    row("GETLOGSETTINGS", "", SETTINGS, Dictionary, "show the log settings").by(modules::log_settings),
    row("UPDATELOGSETTINGS", "settingsDict", SETTINGS, Nothing, "change the log settings")
        .by(modules::update_log_settings),
    row("GETNETWORK", "", SETTINGS, Dictionary, "show the server's network settings").also(&["GETPROTECTION"]).keeps(
        Whose::Server,
        "Network",
        kept::show,
    ),
    row("SETNETWORK", "settingsDict", SETTINGS, Nothing, "replace the server's network settings")
        .also(&["SETPROTECTION"])
        .keeps(Whose::Server, "Network", kept::replace),
    row("GETDNRSETTINGS", "", SETTINGS, Dictionary, "show the DNS resolver settings").keeps(
        Whose::Server,
        "Resolver",
        kept::show,
    ),
    row("SETDNRSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the DNS resolver settings").keeps(
        Whose::Server,
        "Resolver",
        kept::replace,
    ),
    row("GETBANNED", "", SETTINGS, Dictionary, "show the banned texts"),
    row("SETBANNED", "settingsDict", SETTINGS, Nothing, "replace the banned texts"),
    row("GETCLUSTERNETWORK", "", SETTINGS, Dictionary, "show the cluster's network settings")
        .also(&["GETCLUSTERPROTECTION"])
        .keeps(Whose::Cluster, "Network", kept::show),
    row("SETCLUSTERNETWORK", "settingsDict", SETTINGS, Nothing, "replace the cluster's network settings")
        .also(&["SETCLUSTERPROTECTION"])
        .keeps(Whose::Cluster, "Network", kept::replace),
    row("GETCLUSTERBANNED", "", SETTINGS, Dictionary, "show the cluster's banned texts"),
    row("SETCLUSTERBANNED", "settingsDict", SETTINGS, Nothing, "replace the cluster's banned texts"),
    row("GETSERVERMAILRULES", "", SETTINGS, Array, "show the server's mail rules").also(&["GETSERVERRULES"]),
    row("SETSERVERMAILRULES", "valueArray", SETTINGS, Nothing, "replace the server's mail rules")
        .also(&["SETSERVERRULES"]),
    row("GETCLUSTERMAILRULES", "", SETTINGS, Array, "show the cluster's mail rules").also(&["GETCLUSTERRULES"]),
    row("SETCLUSTERMAILRULES", "valueArray", SETTINGS, Nothing, "replace the cluster's mail rules")
        .also(&["SETCLUSTERRULES"]),
    row("GETSERVERSIGNALRULES", "", SETTINGS, Array, "show the server's signal rules"),
    row("SETSERVERSIGNALRULES", "valueArray", SETTINGS, Nothing, "replace the server's signal rules"),
    row("GETCLUSTERSIGNALRULES", "", SETTINGS, Array, "show the cluster's signal rules"),
    row("SETCLUSTERSIGNALRULES", "valueArray", SETTINGS, Nothing, "replace the cluster's signal rules"),
    row("GETROUTERTABLE", "", SETTINGS, Text, "show the server's router table")
        .keeps(Whose::Server, control::ROUTER_TABLE, kept::show)
        .in_full(),
    row("SETROUTERTABLE", "text", SETTINGS, Nothing, "replace the server's router table")
        .keeps(Whose::Server, control::ROUTER_TABLE, routes::set_table)
        .in_full(),
    row("GETCLUSTERROUTERTABLE", "", SETTINGS, Text, "show the cluster's router table")
        .keeps(Whose::Cluster, control::ROUTER_TABLE, kept::show)
        .in_full(),
    row("SETCLUSTERROUTERTABLE", "text", SETTINGS, Nothing, "replace the cluster's router table")
        .keeps(Whose::Cluster, control::ROUTER_TABLE, routes::set_table)
        .in_full(),
    row("GETROUTERSETTINGS", "", SETTINGS, Dictionary, "show the server's router settings").keeps(
        Whose::Server,
        "RouterSettings",
        kept::show,
    ),
    row("SETROUTERSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the server's router settings").keeps(
        Whose::Server,
        "RouterSettings",
        kept::replace,
    ),
    row("GETCLUSTERROUTERSETTINGS", "", SETTINGS, Dictionary, "show the cluster's router settings").keeps(
        Whose::Cluster,
        "RouterSettings",
        kept::show,
    ),
    row("SETCLUSTERROUTERSETTINGS", "settingsDict", SETTINGS, Nothing, "replace the cluster's router settings").keeps(
        Whose::Cluster,
        "RouterSettings",
        kept::replace,
    ),
    row("GETSERVERSETTINGS", "", SETTINGS, Dictionary, "show the server's settings").by(modules::server_settings),
    row("UPDATESERVERSETTINGS", "settingsDict", SETTINGS, Nothing, "change the server's settings")
        .by(modules::update_server_settings),
    row("REFRESHOSDATA", "", SETTINGS, Nothing, "read addresses and resolvers from the system again")
        .partly_by(general::nothing),
    row("GETLANIPS", "", SETTINGS, Text, "show the server's LAN addresses").keeps(Whose::Server, "LanIPs", kept::show),
    row("SETLANIPS", "text", SETTINGS, Nothing, "replace the server's LAN addresses").keeps(
        Whose::Server,
        "LanIPs",
        kept::replace_addresses,
    ),
    row("GETCLUSTERLANIPS", "", SETTINGS, Text, "show the cluster's LAN addresses").keeps(
        Whose::Cluster,
        "LanIPs",
        kept::show,
    ),
    row("SETCLUSTERLANIPS", "text", SETTINGS, Nothing, "replace the cluster's LAN addresses").keeps(
        Whose::Cluster,
        "LanIPs",
        kept::replace_addresses,
    ),
    row("GETCLIENTIPS", "", SETTINGS, Text, "show the server's client addresses")
        .keeps(Whose::Server, "ClientIPs", kept::show)
        .in_full(),
    row("SETCLIENTIPS", "text", SETTINGS, Nothing, "replace the server's client addresses")
        .keeps(Whose::Server, "ClientIPs", kept::replace_addresses)
        .in_full(),
    row("GETCLUSTERCLIENTIPS", "", SETTINGS, Text, "show the cluster's client addresses")
        .keeps(Whose::Cluster, "ClientIPs", kept::show)
        .in_full(),
    row("SETCLUSTERCLIENTIPS", "text", SETTINGS, Nothing, "replace the cluster's client addresses")
        .keeps(Whose::Cluster, "ClientIPs", kept::replace_addresses)
        .in_full(),
    row("GETBLACKLISTEDIPS", "", SETTINGS, Text, "show the server's blacklisted addresses")
        .keeps(Whose::Server, "BlacklistedIPs", kept::show)
        .in_full(),
    row("SETBLACKLISTEDIPS", "text", SETTINGS, Nothing, "replace the server's blacklisted addresses")
        .keeps(Whose::Server, "BlacklistedIPs", kept::replace_addresses)
        .in_full(),
    row("GETCLUSTERBLACKLISTEDIPS", "", SETTINGS, Text, "show the cluster's blacklisted addresses")
        .keeps(Whose::Cluster, "BlacklistedIPs", kept::show)
        .in_full(),
    row("SETCLUSTERBLACKLISTEDIPS", "text", SETTINGS, Nothing, "replace the cluster's blacklisted addresses")
        .keeps(Whose::Cluster, "BlacklistedIPs", kept::replace_addresses)
        .in_full(),
    row("GETWHITEHOLEIPS", "", SETTINGS, Text, "show the server's unblacklistable addresses")
        .keeps(Whose::Server, "WhiteHoleIPs", kept::show)
        .in_full(),
    row("SETWHITEHOLEIPS", "text", SETTINGS, Nothing, "replace the server's unblacklistable addresses")
        .keeps(Whose::Server, "WhiteHoleIPs", kept::replace_addresses)
        .in_full(),
    row("GETCLUSTERWHITEHOLEIPS", "", SETTINGS, Text, "show the cluster's unblacklistable addresses")
        .keeps(Whose::Cluster, "WhiteHoleIPs", kept::show)
        .in_full(),
    row("SETCLUSTERWHITEHOLEIPS", "text", SETTINGS, Nothing, "replace the cluster's unblacklistable addresses")
        .keeps(Whose::Cluster, "WhiteHoleIPs", kept::replace_addresses)
        .in_full(),
    row("GETNATEDIPS", "", SETTINGS, Text, "show the server's NATed addresses").keeps(
        Whose::Server,
        "NatedIPs",
        kept::show,
    ),
    row("SETNATEDIPS", "text", SETTINGS, Nothing, "replace the server's NATed addresses").keeps(
        Whose::Server,
        "NatedIPs",
        kept::replace_addresses,
    ),
    row("GETCLUSTERNATEDIPS", "", SETTINGS, Text, "show the cluster's NATed addresses").keeps(
        Whose::Cluster,
        "NatedIPs",
        kept::show,
    ),
    row("SETCLUSTERNATEDIPS", "text", SETTINGS, Nothing, "replace the cluster's NATed addresses").keeps(
        Whose::Cluster,
        "NatedIPs",
        kept::replace_addresses,
    ),
    row("GETNATSITEIPS", "", SETTINGS, Text, "show the server's NAT site addresses").keeps(
        Whose::Server,
        "NatSiteIPs",
        kept::show,
    ),
    row("SETNATSITEIPS", "text", SETTINGS, Nothing, "replace the server's NAT site addresses").keeps(
        Whose::Server,
        "NatSiteIPs",
        kept::replace_addresses,
    ),
    row("GETCLUSTERNATSITEIPS", "", SETTINGS, Text, "show the cluster's NAT site addresses").keeps(
        Whose::Cluster,
        "NatSiteIPs",
        kept::show,
    ),
    row("SETCLUSTERNATSITEIPS", "text", SETTINGS, Nothing, "replace the cluster's NAT site addresses").keeps(
        Whose::Cluster,
        "NatSiteIPs",
        kept::replace_addresses,
    ),
    row("GETDEBUGIPS", "", SETTINGS, Text, "show the server's debug addresses")
        .keeps(Whose::Server, "DebugIPs", kept::show)
        .in_full(),
    row("SETDEBUGIPS", "text", SETTINGS, Nothing, "replace the server's debug addresses")
        .keeps(Whose::Server, "DebugIPs", kept::replace_addresses)
        .in_full(),
    row("GETCLUSTERDEBUGIPS", "", SETTINGS, Text, "show the cluster's debug addresses")
        .keeps(Whose::Cluster, "DebugIPs", kept::show)
        .in_full(),
    row("SETCLUSTERDEBUGIPS", "text", SETTINGS, Nothing, "replace the cluster's debug addresses")
        .keeps(Whose::Cluster, "DebugIPs", kept::replace_addresses)
        .in_full(),
    row("GETDENIEDIPS", "", SETTINGS, Text, "show the server's denied addresses")
        .keeps(Whose::Server, "DeniedIPs", kept::show)
        .in_full(),
    row("SETDENIEDIPS", "text", SETTINGS, Nothing, "replace the server's denied addresses")
        .keeps(Whose::Server, "DeniedIPs", kept::replace_addresses)
        .in_full(),
    row("GETCLUSTERDENIEDIPS", "", SETTINGS, Text, "show the cluster's denied addresses")
        .keeps(Whose::Cluster, "DeniedIPs", kept::show)
        .in_full(),
    row("SETCLUSTERDENIEDIPS", "text", SETTINGS, Nothing, "replace the cluster's denied addresses")
        .keeps(Whose::Cluster, "DeniedIPs", kept::replace_addresses)
        .in_full(),
    row("ROUTE", "address [mode]", SETTINGS_OR_USERS, Array, "show where an address leads").by(routes::route),
    row("GETIPSTATE", "ip [TEMP]", SETTINGS_OR_USERS, Text, "show the class of a network address").by(addresses::state),
    row("GETSERVERINTERCEPT", "", MASTER, Dictionary, "show the server's lawful intercept"),
    row("SETSERVERINTERCEPT", "settingsDict", MASTER, Nothing, "replace the server's lawful intercept"),
    row("GETCLUSTERINTERCEPT", "", MASTER, Dictionary, "show the cluster's lawful intercept"),
    row("SETCLUSTERINTERCEPT", "settingsDict", MASTER, Nothing, "replace the cluster's lawful intercept"),
];
