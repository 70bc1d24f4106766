//! Accounts.

use super::Shape::{Array, Dictionary, Nothing, Object, Text};
use super::{Row, row};
use crate::cli::kept::Whose;
use crate::cli::right::{DA_ANY, USERS, administers};
use crate::cli::{accounts, kept, kinds, sessions};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row(
        "CREATEACCOUNT",
        "accountName [accountType] [PATH storage] [LEGACY|EXTERNAL] [settingsDict]",
        administers("CanCreateAccounts"),
        Nothing,
        "create an account",
    )
    .by(accounts::create),
    row(
        "RENAMEACCOUNT",
        "accountName INTO newName [PATH storage]",
        administers("CanCreateAccounts"),
        Nothing,
        "give an account another name",
    )
    .by(accounts::rename),
    row("DELETEACCOUNT", "accountName", administers("CanCreateAccounts"), Nothing, "delete an account")
        .by(accounts::delete),
    row(
        "SETACCOUNTTYPE",
        "accountName accountType",
        administers("CanCreateAccounts"),
        Nothing,
        "replace an account's type",
    )
    .partly_by(kinds::set),
    row("GETACCOUNTSETTINGS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's settings")
        .by(accounts::settings),
    row("UPDATEACCOUNTSETTINGS", "accountName settingsDict", DA_ANY, Nothing, "change an account's settings")
        .by(accounts::update_settings),
    row(
        "GETACCOUNTEFFECTIVESETTINGS",
        "accountName",
        DA_ANY.or_self(),
        Dictionary,
        "show an account's settings in force",
    )
    .by(accounts::effective_settings),
    row("GETACCOUNTONESETTING", "accountName keyName", DA_ANY.or_self(), Object, "show one setting in force")
        .by(accounts::one_setting),
    row(
        "SETACCOUNTPASSWORD",
        "accountName PASSWORD|TO newPassword [METHOD accessMode] [TAG|NAME tag] [CHECK] [modeOrTag]",
        administers("BasicSettings").or_self(),
        Nothing,
        "change an account's password",
    )
    .by(accounts::set_password),
    row("VERIFYACCOUNTPASSWORD", "accountName PASSWORD password", DA_ANY, Nothing, "check a password")
        .by(accounts::verify_password),
    row(
        "VERIFYACCOUNTIDENTITY",
        "accountName FOR fromHeaderValue",
        DA_ANY,
        Nothing,
        "check that an account may use a sender address",
    )
    .partly_by(accounts::verify_identity),
    row("GETACCOUNTALIASES", "accountName", DA_ANY.or_self(), Array, "show an account's other names")
        .by(accounts::aliases),
    row(
        "SETACCOUNTALIASES",
        "accountName aliasArray",
        administers("CanCreateAliases"),
        Nothing,
        "replace an account's other names",
    )
    .by(accounts::set_aliases),
    row("GETACCOUNTTELNUMS", "accountName", DA_ANY, Array, "show an account's telephone numbers"),
    row(
        "SETACCOUNTTELNUMS",
        "accountName telnumArray",
        administers("CanCreateTelnums"),
        Nothing,
        "replace an account's telephone numbers",
    ),
    row(
        "MODIFYACCOUNTTELNUMS",
        "accountName paramDict",
        administers("CanCreateTelnums"),
        Dictionary,
        "change an account's telephone numbers",
    ),
    row("GETACCOUNTMAILRULES", "accountName", DA_ANY.or_self(), Array, "show an account's mail rules")
        .also(&["GETACCOUNTRULES"]),
    row(
        "SETACCOUNTMAILRULES",
        "accountName rulesArray",
        administers("RulesAllowed").or_self(),
        Nothing,
        "replace an account's mail rules",
    )
    .also(&["SETACCOUNTRULES"]),
    row("GETACCOUNTSIGNALRULES", "accountName", DA_ANY.or_self(), Array, "show an account's signal rules"),
    row(
        "SETACCOUNTSIGNALRULES",
        "accountName rulesArray",
        administers("SignalRulesAllowed").or_self(),
        Nothing,
        "replace an account's signal rules",
    ),
    row(
        "UPDATEACCOUNTMAILRULE",
        "accountName [DELETE ruleName] [ruleArray]",
        administers("RulesAllowed").or_self(),
        Nothing,
        "change one mail rule of an account",
    ),
    row(
        "UPDATEACCOUNTSIGNALRULE",
        "accountName [DELETE ruleName] [ruleArray]",
        administers("SignalRulesAllowed").or_self(),
        Nothing,
        "change one signal rule of an account",
    ),
    row("GETACCOUNTRPOPS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's remote POP records")
        .also(&["GETACCOUNTRPOP"]),
    row(
        "SETACCOUNTRPOPS",
        "accountName settingsDict",
        administers("CanModifyRPOP").or_self(),
        Nothing,
        "replace an account's remote POP records",
    )
    .also(&["SETACCOUNTRPOP"]),
    row("GETACCOUNTRSIPS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's remote SIP records"),
    row(
        "SETACCOUNTRSIPS",
        "accountName settingsDict",
        administers("CanModifyRSIP"),
        Nothing,
        "replace an account's remote SIP records",
    ),
    row(
        "UPDATESCHEDULEDTASK",
        "accountName taskDict",
        administers("CanModifyRSIP"),
        Nothing,
        "change a scheduled task",
    ),
    row("GETACCOUNTRIGHTS", "accountName", DA_ANY, Array, "show an account's rights")
        .also(&["GTACNTRGHT"])
        .by(accounts::rights),
    row(
        "GETACCOUNTINFO",
        "accountName [keyArray] [KEY keyName]",
        DA_ANY.or_self(),
        Object,
        "show information elements of an account",
    )
    .by(accounts::info),
    row("GETACCOUNTPREFS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's preferences")
        .also(&["GETWEBUSER", "GTWUSR"])
        .keeps(Whose::Account, kept::PREFERENCES, kept::show),
    row(
        "UPDATEACCOUNTPREFS",
        "accountName prefsDict",
        administers("WebUserSettings").or_self(),
        Nothing,
        "change an account's preferences",
    )
    .keeps(Whose::Account, kept::PREFERENCES, kept::update),
    row(
        "SETACCOUNTPREFS",
        "accountName prefsDict",
        administers("WebUserSettings").or_self(),
        Nothing,
        "replace an account's preferences",
    )
    .also(&["SETWEBUSER", "STWUSR"])
    .keeps(Whose::Account, kept::PREFERENCES, kept::replace),
    row(
        "GETACCOUNTEFFECTIVEPREFS",
        "accountName",
        DA_ANY.or_self(),
        Dictionary,
        "show an account's preferences in force",
    )
    .also(&["GETEFFECTIVEWEBUSER"])
    .partly_by(kept::effective_preferences),
    row("KILLACCOUNTSESSIONS", "accountName", DA_ANY, Nothing, "end all sessions of an account").by(sessions::end_all),
    row(
        "GETACCOUNTACL",
        "accountName [AUTH authAccount]",
        administers("CanImpersonate").or_self(),
        Dictionary,
        "show an account's access list",
    )
    .keeps(Whose::Account, kept::ACCESS_LIST, kept::show),
    row(
        "SETACCOUNTACL",
        "accountName [AUTH authAccount] aclDict",
        administers("CanImpersonate").or_self(),
        Nothing,
        "replace an account's access list",
    )
    .keeps(Whose::Account, kept::ACCESS_LIST, kept::set_access_list),
    row(
        "GETACCOUNTACLRIGHTS",
        "accountName AUTH authAccount",
        administers("CanImpersonate").or_self(),
        Text,
        "show an account's rights by an access list",
    )
    .partly_by(kept::access_rights),
    row("SETACCOUNTSETTINGS", "accountName settingsDict", USERS, Nothing, "replace an account's settings")
        .by(accounts::set_settings),
    row("GETACCOUNTLOCATION", "accountName", USERS, Text, "show an account's place in storage")
        .partly_by(kinds::location),
    row("GETACCOUNTPRESENCE", "accountName", USERS, Object, "show an account's presence"),
    row("SETACCOUNTRIGHTS", "accountName rightsArray", USERS, Nothing, "replace an account's rights")
        .also(&["STACNTRGHT"])
        .by(accounts::set_rights),
];
