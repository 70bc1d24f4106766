//! Alerts.

use super::Shape::{Dictionary, Nothing};
use super::{Row, row};
use crate::cli::right::{DA_ANY, USERS, administers};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("GETDOMAINALERTS", "[domainName]", DA_ANY, Dictionary, "show a domain's alerts"),
    row(
        "SETDOMAINALERTS",
        "[domainName] settingsDict",
        administers("BasicSettings"),
        Nothing,
        "replace a domain's alerts",
    ),
    row("POSTDOMAINALERT", "domainName ALERT text", administers("BasicSettings"), Nothing, "post a domain's alert"),
    row(
        "REMOVEDOMAINALERT",
        "domainName ALERT timeStamp",
        administers("BasicSettings"),
        Nothing,
        "remove a domain's alert",
    ),
    row("GETACCOUNTALERTS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's alerts").also(&["GTALRT"]),
    row(
        "SETACCOUNTALERTS",
        "accountName settingsDict",
        administers("BasicSettings"),
        Nothing,
        "replace an account's alerts",
    )
    .also(&["STALRT"]),
    row("POSTACCOUNTALERT", "accountName ALERT text", administers("BasicSettings"), Nothing, "post an account's alert"),
    row("REMOVEACCOUNTALERT", "accountName ALERT timeStamp", DA_ANY.or_self(), Nothing, "remove an account's alert"),
    row("GETSERVERALERTS", "", USERS, Dictionary, "show the server's alerts"),
    row("SETSERVERALERTS", "settingsDict", USERS, Nothing, "replace the server's alerts"),
    row("POSTSERVERALERT", "text", USERS, Nothing, "post the server's alert"),
    row("REMOVESERVERALERT", "timeStamp", USERS, Nothing, "remove the server's alert"),
    row("GETCLUSTERALERTS", "", USERS, Dictionary, "show the cluster's alerts"),
    row("SETCLUSTERALERTS", "settingsDict", USERS, Nothing, "replace the cluster's alerts"),
    row("POSTCLUSTERALERT", "text", USERS, Nothing, "post the cluster's alert"),
    row("REMOVECLUSTERALERT", "timeStamp", USERS, Nothing, "remove the cluster's alert"),
];
