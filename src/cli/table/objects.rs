//! Groups, forwarders, named tasks and mailing lists.

use super::Shape::{Array, Dictionary, Nothing, Text};
use super::{Row, row};
use crate::cli::groups;
use crate::cli::right::{DA_ANY, administers};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("LISTGROUPS", "[domainName]", DA_ANY, Array, "list a domain's groups").by(groups::list),
    row("CREATEGROUP", "groupName [settingsDict]", administers("CanCreateGroups"), Nothing, "create a group")
        .by(groups::create),
    row("RENAMEGROUP", "groupName INTO newName", administers("CanCreateGroups"), Nothing, "give a group another name")
        .by(groups::rename),
    row("DELETEGROUP", "groupName", administers("CanCreateGroups"), Nothing, "delete a group").by(groups::delete),
    row("GETGROUP", "groupName", DA_ANY, Dictionary, "show the settings and members of a group").by(groups::show),
    row(
        "SETGROUP",
        "groupName settingsDict",
        administers("CanCreateGroups"),
        Nothing,
        "replace the settings and members of a group",
    )
    .by(groups::set),
    row("LISTFORWARDERS", "[domainName]", DA_ANY, Array, "list a domain's forwarders").by(groups::list_forwarders),
    row(
        "CREATEFORWARDER",
        "forwarderName TO address",
        administers("CanCreateForwarders"),
        Nothing,
        "create a forwarder",
    )
    .by(groups::create_forwarder),
    row(
        "RENAMEFORWARDER",
        "forwarderName INTO newName",
        administers("CanCreateForwarders"),
        Nothing,
        "give a forwarder another name",
    )
    .by(groups::rename_forwarder),
    row("DELETEFORWARDER", "forwarderName", administers("CanCreateForwarders"), Nothing, "delete a forwarder")
        .by(groups::delete_forwarder),
    row("GETFORWARDER", "forwarderName", DA_ANY, Text, "show where a forwarder leads").by(groups::show_forwarder),
    row("FINDFORWARDERS", "domainName TO address", DA_ANY, Array, "list the forwarders that lead to an address")
        .by(groups::find_forwarders),
    row("LISTDOMAINNAMEDTASKS", "[domainName]", DA_ANY, Dictionary, "list a domain's named tasks"),
    row("LISTACCOUNTNAMEDTASKS", "accountName", DA_ANY, Dictionary, "list an account's named tasks"),
    row(
        "CREATENAMEDTASK",
        "taskName FOR accountName",
        administers("CanCreateNamedTasks"),
        Nothing,
        "create a named task",
    ),
    row(
        "RENAMENAMEDTASK",
        "oldName INTO newName",
        administers("CanCreateNamedTasks"),
        Nothing,
        "give a named task another name",
    ),
    row("DELETENAMEDTASK", "taskName", administers("CanCreateNamedTasks"), Nothing, "delete a named task"),
    row("GETNAMEDTASK", "taskName", DA_ANY, Dictionary, "show a named task"),
    row("UPDATENAMEDTASK", "taskName settingsDict", administers("CanCreateNamedTasks"), Nothing, "change a named task"),
    row("LISTLISTS", "[domainName]", DA_ANY, Array, "list a domain's mailing lists"),
    row("GETDOMAINLISTS", "[domainName]", DA_ANY, Dictionary, "show a domain's mailing lists"),
    row("GETACCOUNTLISTS", "accountName", DA_ANY.or_self(), Dictionary, "show an account's mailing lists"),
    row("CREATELIST", "listName FOR accountName", administers("CanCreateLists"), Nothing, "create a mailing list"),
    row(
        "RENAMELIST",
        "listName INTO newName",
        administers("CanCreateLists"),
        Nothing,
        "give a mailing list another name",
    ),
    row("DELETELIST", "listName", administers("CanCreateLists"), Nothing, "delete a mailing list"),
    row("GETLIST", "listName", administers("CanAccessLists"), Dictionary, "show a mailing list"),
    row("UPDATELIST", "listName settingsDict", administers("CanAccessLists"), Nothing, "change a mailing list"),
    row(
        "LIST",
        "listName operation [SILENTLY] [CONFIRM] subscriber",
        administers("CanAccessLists"),
        Nothing,
        "subscribe or unsubscribe",
    ),
    row(
        "LISTSUBSCRIBERS",
        "listName [FILTER substring [limit]]",
        administers("CanAccessLists"),
        Array,
        "list subscribers",
    ),
    row(
        "READSUBSCRIBERS",
        "listName [FILTER substring [limit]]",
        administers("CanAccessLists"),
        Array,
        "read subscriber records",
    ),
    row("GETSUBSCRIBERINFO", "listName NAME address", administers("CanAccessLists"), Dictionary, "show a subscriber"),
    row(
        "SETPOSTINGMODE",
        "listName FOR address [mode]",
        administers("CanAccessLists"),
        Nothing,
        "set how a subscriber may post",
    ),
    row("PROCESSBOUNCE", "listName [FATAL] FOR address", administers("CanAccessLists"), Nothing, "process a bounce"),
];
