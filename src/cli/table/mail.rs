//! What accounts hold: mailboxes, files, data sets, tasks.

use super::Shape::{Array, Dictionary, Nothing, Object, Text};
use super::{Row, row};
use crate::cli::right::administers;

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row(
        "LISTMAILBOXES",
        "accountName [FILTER pattern] [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Dictionary,
        "list an account's mailboxes",
    )
    .also(&["LSTMBX"]),
    row(
        "CREATEMAILBOX",
        "accountName MAILBOX name [AUTH authAccount] [CLASS class]",
        administers("BasicSettings").or_self(),
        Nothing,
        "create a mailbox",
    ),
    row(
        "DELETEMAILBOX",
        "accountName MAILBOX|MAILBOXES name [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Nothing,
        "delete a mailbox",
    ),
    row(
        "RENAMEMAILBOX",
        "accountName MAILBOX|MAILBOXES name INTO newName [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Nothing,
        "give a mailbox another name",
    ),
    row(
        "GETMAILBOXINFO",
        "accountName MAILBOX name [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Dictionary,
        "show the state of a mailbox",
    ),
    row(
        "GETMAILBOXACL",
        "accountName MAILBOX name [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Dictionary,
        "show the access list of a mailbox",
    ),
    row(
        "SETMAILBOXACL",
        "accountName MAILBOX name [AUTH authAccount] aclDict",
        administers("BasicSettings").or_self(),
        Nothing,
        "replace the access list of a mailbox",
    ),
    row(
        "GETMAILBOXRIGHTS",
        "accountName MAILBOX name AUTH authAccount",
        administers("BasicSettings").or_self(),
        Text,
        "show rights to a mailbox",
    ),
    row(
        "SETMAILBOXCLASS",
        "accountName MAILBOX name [AUTH authAccount] CLASS class",
        administers("BasicSettings").or_self(),
        Nothing,
        "set the class of a mailbox",
    ),
    row(
        "GETMAILBOXSUBSCRIPTION",
        "accountName",
        administers("BasicSettings").or_self(),
        Array,
        "show the mailbox subscription",
    )
    .also(&["GETACCOUNTSUBSCRIPTION"]),
    row(
        "SETMAILBOXSUBSCRIPTION",
        "accountName valueArray",
        administers("BasicSettings").or_self(),
        Nothing,
        "replace the mailbox subscription",
    )
    .also(&["SETACCOUNTSUBSCRIPTION"]),
    row(
        "GETMAILBOXALIASES",
        "accountName",
        administers("BasicSettings").or_self(),
        Dictionary,
        "show other names of mailboxes",
    ),
    row(
        "SETMAILBOXALIASES",
        "accountName settingsDict",
        administers("BasicSettings").or_self(),
        Nothing,
        "replace other names of mailboxes",
    ),
    row(
        "READSTORAGEFILE",
        "accountName FILE name [OFFSET n] [SIZE n] [AUTH authAccount]",
        administers("CanAccessWebSites").or_self(),
        Array,
        "read a stored file",
    )
    .also(&["GETWEBFILE"]),
    row(
        "WRITESTORAGEFILE",
        "accountName FILE name [OFFSET place] [AUTH authAccount] DATA datablock",
        administers("BasicSettings").or_self(),
        Nothing,
        "write a stored file",
    )
    .also(&["PUTWEBFILE"]),
    row(
        "RENAMESTORAGEFILE",
        "accountName FILE name INTO newName [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Nothing,
        "give a stored file another name",
    )
    .also(&["RENAMEWEBFILE"]),
    row(
        "DELETESTORAGEFILE",
        "accountName FILE name [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Nothing,
        "delete a stored file",
    )
    .also(&["DELETEWEBFILE"]),
    row(
        "LISTSTORAGEFILES",
        "accountName [PATH dir] [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Dictionary,
        "list stored files",
    )
    .also(&["LISTWEBFILES"]),
    row(
        "GETSTORAGEFILEINFO",
        "accountName [PATH dir] [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Array,
        "show the size of stored files",
    )
    .also(&["GETWEBFILESINFO"]),
    row(
        "READSTORAGEFILEATTR",
        "accountName FILE name [attrArray] [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Array,
        "read attributes of a stored file",
    ),
    row(
        "UPDATESTORAGEFILEATTR",
        "accountName FILE name attrArray [AUTH authAccount]",
        administers("BasicSettings").or_self(),
        Nothing,
        "change attributes of a stored file",
    ),
    row(
        "GETFILESUBSCRIPTION",
        "accountName",
        administers("BasicSettings").or_self(),
        Array,
        "show the file subscription",
    ),
    row(
        "SETFILESUBSCRIPTION",
        "accountName valueArray",
        administers("BasicSettings").or_self(),
        Nothing,
        "replace the file subscription",
    ),
    row(
        "STARTPBXTASK",
        "accountName PROGRAM name [ENTRY entry] [PARAM object]",
        administers("CanImpersonate"),
        Text,
        "start a PBX task",
    ),
    row(
        "SENDTASKEVENT",
        "taskID EVENT name [PARAM object]",
        administers("CanImpersonate"),
        Nothing,
        "send an event to a PBX task",
    ),
    row("KILLNODE", "taskID", administers("CanImpersonate"), Nothing, "end a PBX task"),
    row("READNODESTATUS", "taskID", administers("CanImpersonate"), Object, "show the state of a PBX task"),
    row(
        "REMOVEACCOUNTSUBSET",
        "accountName SUBSET name",
        administers("BasicSettings").or_self(),
        Nothing,
        "remove a data subset",
    ),
    row("DATASET", "accountName paramDict", administers("BasicSettings").or_self(), Dictionary, "work on a data set"),
    row("ROSTER", "accountName paramDict", administers("BasicSettings").or_self(), Dictionary, "work on the roster"),
    row(
        "BALANCE",
        "accountName paramDict",
        administers("CanCreditAccounts").or_self(),
        Dictionary,
        "work on the billing balance",
    ),
];
