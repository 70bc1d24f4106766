//! Monitoring, statistics, the Directory, and what belongs nowhere else.

use super::Shape::{Array, Dictionary, Nothing, Number, Object, Text, Time};
use super::{Row, row};
use crate::cli::right::{ANYONE, DA_ANY, DIRECTORY, MONITOR, SETTINGS, administers};
use crate::cli::{addresses, general, monitor, statistics};

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("GETSTATELEMENT", "objectID", MONITOR, Object, "show a statistics element")
        .also(&["GETSNMPELEMENT"])
        .by(monitor::statistic),
    row("SETSTATELEMENT", "objectID [INC] [SET] value", MONITOR, Nothing, "change a custom statistics element")
        .by(monitor::set_statistic),
    row("GETNEXTSTATNAME", "[objectID]", MONITOR, Text, "show the name of the next statistics element")
        .by(monitor::next_statistic),
    row("GETDIALOGINFO", "dialogID", MONITOR, Dictionary, "show a dialog"),
    row("SHUTDOWN", "", MONITOR, Nothing, "stop the server").by(monitor::shut_down),
    row("GETACCOUNTSTAT", "accountName [KEY keyName]", DA_ANY.or_self(), Object, "show an account's statistics")
        .partly_by(statistics::of_account),
    row(
        "RESETACCOUNTSTAT",
        "accountName [KEY keyName]",
        administers("BasicSettings"),
        Nothing,
        "reset an account's statistics",
    )
    .partly_by(statistics::reset_account),
    row("GETDOMAINSTAT", "domainName [KEY keyName]", DA_ANY, Object, "show a domain's statistics")
        .partly_by(statistics::of_domain),
    row(
        "RESETDOMAINSTAT",
        "domainName [KEY keyName]",
        administers("BasicSettings"),
        Nothing,
        "reset a domain's statistics",
    )
    .partly_by(statistics::reset_domain),
    row("LISTDIRECTORYUNITS", "[SHARED]", DIRECTORY, Dictionary, "list the Directory units"),
    row("CREATEDIRECTORYUNIT", "unitName [SHARED] [REMOTE] mountPoint", DIRECTORY, Nothing, "create a Directory unit"),
    row("RELOCATEDIRECTORYUNIT", "unitName [SHARED] newMountPoint", DIRECTORY, Nothing, "move a Directory unit"),
    row("DELETEDIRECTORYUNIT", "unitName [SHARED]", DIRECTORY, Nothing, "delete a Directory unit"),
    row("GETDIRECTORYUNIT", "unitName [SHARED]", DIRECTORY, Dictionary, "show a Directory unit"),
    row(
        "SETDIRECTORYUNIT",
        "unitName [SHARED] settingsDict",
        DIRECTORY,
        Nothing,
        "replace the settings of a Directory unit",
    ),
    row("GETDIRECTORYACCESSRIGHTS", "[SHARED]", DIRECTORY, Array, "show access rights of the Directory"),
    row(
        "SETDIRECTORYACCESSRIGHTS",
        "[SHARED] valueArray",
        DIRECTORY,
        Nothing,
        "replace access rights of the Directory",
    ),
    row("LISTCLICOMMANDS", "", ANYONE, Array, "list the commands").by(general::commands),
    row("NOOP", "", ANYONE, Nothing, "do nothing").by(general::nothing),
    row("ECHO", "object", ANYONE, Object, "show the same object").by(general::echo),
    row("GETVERSION", "", ANYONE, Text, "show the server's version").by(general::version),
    row("GETSYSTEMINFO", "what", ANYONE, Object, "show something about the system").partly_by(general::system),
    row("GETCURRENTTIME", "", ANYONE, Time, "show the server's time").by(general::time),
    row("SETLOGALL", "switch", MONITOR, Nothing, "log everything or not").by(monitor::log_all),
    row("DUMPALLOBJECTS", "", MONITOR, Nothing, "dump all objects to the log of the system"),
    row("TESTLOOP", "seconds", MONITOR, Number, "measure the speed of a loop").by(monitor::test_loop),
    row("SETTRACE", "what switch", MONITOR, Nothing, "trace file operations or not").partly_by(general::nothing),
    row("WRITELOG", "level text", MONITOR, Nothing, "write a line to the log").by(monitor::write_log),
    row("RELEASESMTPQUEUE", "queueName", MONITOR, Nothing, "release a queue"),
    row("REJECTQUEUEMESSAGE", "messageID [REPORT text] [NONDN]", MONITOR, Nothing, "reject a message"),
    row(
        "REJECTQUEUEMESSAGES",
        "SENDER authedSender [REPORT text] [NONDN]",
        MONITOR,
        Nothing,
        "reject the messages of a sender",
    ),
    row("GETMESSAGEQUEUEINFO", "moduleName QUEUE queueName", MONITOR, Dictionary, "show the state of a queue"),
    row("GETCURRENTCONTROLLER", "", MONITOR, Text, "show the controller of the cluster").by(monitor::controller),
    row("RECONNECTCLUSTERADMIN", "", MONITOR, Nothing, "connect to the members of the cluster again")
        .by(general::nothing),
    row("GETTEMPCLIENTIPS", "", MONITOR, Text, "show the temporary client addresses").by(addresses::clients),
    row("REPORTFAILEDLOGINADDRESS", "ip", SETTINGS, Nothing, "count a failed login of an address")
        .by(addresses::report_failure),
    row("TEMPBLACKLISTIP", "ip [TIMEOUT seconds] [DELETE]", SETTINGS, Nothing, "blacklist an address for a time")
        .by(addresses::block),
    row("GETTEMPBLACKLISTEDIPS", "", MONITOR, Text, "show the addresses blacklisted for a time").by(addresses::blocked),
    row("SETTEMPBLACKLISTEDIPS", "text", SETTINGS, Nothing, "blacklist addresses for a time").by(addresses::block_all),
];
