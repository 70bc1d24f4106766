//! Alerts.

use super::Shape::{Dictionary, Nothing};
use super::{Row, row};
use crate::cli::kept;
use crate::cli::kept::Whose;
use crate::cli::right::{DA_ANY, USERS, administers};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("GETDOMAINALERTS", "[domainName]", DA_ANY, Dictionary, "show a domain's alerts").keeps(
        Whose::Domain,
        kept::ALERTS,
        kept::show,
    ),
    row(
        "SETDOMAINALERTS",
        "[domainName] settingsDict",
        administers("BasicSettings"),
        Nothing,
        "replace a domain's alerts",
    )
    .keeps(Whose::Domain, kept::ALERTS, kept::replace),
    row("POSTDOMAINALERT", "domainName ALERT text", administers("BasicSettings"), Nothing, "post a domain's alert")
        .keeps(Whose::Domain, kept::ALERTS, kept::post_alert),
    row(
        "REMOVEDOMAINALERT",
        "domainName ALERT timeStamp",
        administers("BasicSettings"),
        Nothing,
        "remove a domain's alert",
    )
    .keeps(Whose::Domain, kept::ALERTS, kept::remove_alert),
    row("GETACCOUNTALERTS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's alerts")
        .also(&["GTALRT"])
        .keeps(Whose::Account, kept::ALERTS, kept::show),
    row(
        "SETACCOUNTALERTS",
        "accountName settingsDict",
        administers("BasicSettings"),
        Nothing,
        "replace an account's alerts",
    )
    .also(&["STALRT"])
    .keeps(Whose::Account, kept::ALERTS, kept::replace),
    row("POSTACCOUNTALERT", "accountName ALERT text", administers("BasicSettings"), Nothing, "post an account's alert")
        .keeps(Whose::Account, kept::ALERTS, kept::post_alert),
    row("REMOVEACCOUNTALERT", "accountName ALERT timeStamp", DA_ANY.or_self(), Nothing, "remove an account's alert")
        .keeps(Whose::Account, kept::ALERTS, kept::remove_alert),
    row("GETSERVERALERTS", "", USERS, Dictionary, "show the server's alerts").keeps(
        Whose::Server,
        kept::ALERTS,
        kept::show,
    ),
    row("SETSERVERALERTS", "settingsDict", USERS, Nothing, "replace the server's alerts").keeps(
        Whose::Server,
        kept::ALERTS,
        kept::replace,
    ),
    row("POSTSERVERALERT", "text", USERS, Nothing, "post the server's alert").keeps(
        Whose::Server,
        kept::ALERTS,
        kept::post_alert,
    ),
    row("REMOVESERVERALERT", "timeStamp", USERS, Nothing, "remove the server's alert").keeps(
        Whose::Server,
        kept::ALERTS,
        kept::remove_alert,
    ),
    row("GETCLUSTERALERTS", "", USERS, Dictionary, "show the cluster's alerts").keeps(
        Whose::Cluster,
        kept::ALERTS,
        kept::show,
    ),
    row("SETCLUSTERALERTS", "settingsDict", USERS, Nothing, "replace the cluster's alerts").keeps(
        Whose::Cluster,
        kept::ALERTS,
        kept::replace,
    ),
    row("POSTCLUSTERALERT", "text", USERS, Nothing, "post the cluster's alert").keeps(
        Whose::Cluster,
        kept::ALERTS,
        kept::post_alert,
    ),
    row("REMOVECLUSTERALERT", "timeStamp", USERS, Nothing, "remove the cluster's alert").keeps(
        Whose::Cluster,
        kept::ALERTS,
        kept::remove_alert,
    ),
];
