//! Web skins, sessions and real-time applications.

use super::Shape::{Array, Data, Dictionary, Nothing, Text};
use super::{Row, row};
use crate::cli::right::{USERS, administers};
use crate::cli::sessions;

/// The rows.
pub(super) const ROWS: &[Row] = &[
    row("LISTDOMAINSKINS", "[domainName]", administers("CanModifySkins"), Array, "list a domain's web skins")
        .also(&["LISTWEBUSERINTERFACE"]),
    row(
        "CREATEDOMAINSKIN",
        "[domainName SKIN] skinName",
        administers("CanModifySkins"),
        Nothing,
        "create a domain's web skin",
    ),
    row(
        "RENAMEDOMAINSKIN",
        "[domainName SKIN] skinName INTO newName",
        administers("CanModifySkins"),
        Nothing,
        "rename a domain's web skin",
    ),
    row(
        "DELETEDOMAINSKIN",
        "[domainName SKIN] skinName",
        administers("CanModifySkins"),
        Nothing,
        "delete a domain's web skin",
    )
    .also(&["DELETEWEBUSERINTERFACE"]),
    row(
        "LISTDOMAINSKINFILES",
        "[domainName SKIN] skinName",
        administers("CanModifySkins"),
        Dictionary,
        "list a domain's web skin files",
    ),
    row(
        "READDOMAINSKINFILE",
        "[domainName SKIN] skinName FILE name",
        administers("CanModifySkins"),
        Array,
        "read a domain's web skin file",
    )
    .also(&["GETWEBUSERINTERFACE"]),
    row(
        "STOREDOMAINSKINFILE",
        "[domainName SKIN] skinName FILE name [DATA datablock] [DELETE]",
        administers("CanModifySkins"),
        Nothing,
        "store a domain's web skin file",
    )
    .also(&["PUTWEBUSERINTERFACE", "CLEARWEBUSERCACHE"]),
    row("LISTSERVERSKINS", "", USERS, Array, "list the server's web skins"),
    row("CREATESERVERSKIN", "skinName", USERS, Nothing, "create the server's web skin"),
    row("RENAMESERVERSKIN", "skinName INTO newName", USERS, Nothing, "rename the server's web skin"),
    row("DELETESERVERSKIN", "skinName", USERS, Nothing, "delete the server's web skin"),
    row("LISTSERVERSKINFILES", "skinName", USERS, Dictionary, "list the server's web skin files"),
    row("READSERVERSKINFILE", "skinName FILE name", USERS, Array, "read the server's web skin file"),
    row(
        "STORESERVERSKINFILE",
        "skinName FILE name [DATA datablock] [DELETE]",
        USERS,
        Nothing,
        "store the server's web skin file",
    ),
    row("LISTCLUSTERSKINS", "", USERS, Array, "list the cluster's web skins"),
    row("CREATECLUSTERSKIN", "skinName", USERS, Nothing, "create the cluster's web skin"),
    row("RENAMECLUSTERSKIN", "skinName INTO newName", USERS, Nothing, "rename the cluster's web skin"),
    row("DELETECLUSTERSKIN", "skinName", USERS, Nothing, "delete the cluster's web skin"),
    row("LISTCLUSTERSKINFILES", "skinName", USERS, Dictionary, "list the cluster's web skin files"),
    row("READCLUSTERSKINFILE", "skinName FILE name", USERS, Array, "read the cluster's web skin file"),
    row(
        "STORECLUSTERSKINFILE",
        "skinName FILE name [DATA datablock] [DELETE]",
        USERS,
        Nothing,
        "store the cluster's web skin file",
    ),
    row("LISTSTOCKSKINFILES", "skinName", USERS, Dictionary, "list the built-in web skin files"),
    row("READSTOCKSKINFILE", "skinName FILE name", USERS, Array, "read the built-in web skin file"),
    row(
        "CREATEWEBUSERSESSION",
        "accountName ADDRESS ip [FOR origIP] [kind] [SKIN skin]",
        administers("CanCreateWebUserSessions"),
        Text,
        "open a web session",
    ),
    row(
        "CREATEXIMSSSESSION",
        "accountName ADDRESS ip [FOR origIP]",
        administers("CanCreateWebUserSessions"),
        Text,
        "open an XIMSS session",
    ),
    row(
        "FINDACCOUNTSESSION",
        "accountName [ADDRESS ip] [FOR proxiedIP] [PROTOCOL protocol] [TRANSPORT transport] [CLIENT client]",
        administers("CanCreateWebUserSessions"),
        Text,
        "find a session of an account",
    )
    .also(&["FINDWEBUSERSESSION"])
    .partly_by(sessions::find),
    row(
        "LISTACCOUNTSESSIONS",
        "accountName [ADDRESS ip] [FOR proxiedIP] [PROTOCOL protocol] [TRANSPORT transport] [CLIENT client]",
        administers("CanCreateWebUserSessions"),
        Array,
        "list the sessions of an account",
    )
    .partly_by(sessions::list),
    row(
        "GETSESSION",
        "sessionID [DOMAIN domainName]",
        administers("CanCreateWebUserSessions"),
        Dictionary,
        "show a session",
    )
    .also(&["GETWEBUSERSESSION"])
    .partly_by(sessions::show),
    row(
        "KILLSESSION",
        "sessionID [DOMAIN domainName]",
        administers("CanCreateWebUserSessions"),
        Nothing,
        "end a session",
    )
    .also(&["KILLWEBUSERSESSION"])
    .partly_by(sessions::end),
    row(
        "BLESSSESSION",
        "sessionID [PASSWORD secret] [DOMAIN domainName]",
        administers("CanCreateWebUserSessions"),
        Nothing,
        "complete a login in two steps",
    )
    .partly_by(sessions::bless),
    row(
        "CREATEDOMAINPBX",
        "domainName [FILE language]",
        administers("CanModifyPBXApps"),
        Nothing,
        "create a domain's PBX environment",
    ),
    row(
        "DELETEDOMAINPBX",
        "domainName FILE language",
        administers("CanModifyPBXApps"),
        Nothing,
        "delete a domain's PBX environment",
    ),
    row(
        "LISTDOMAINPBXFILES",
        "[domainName] [FILE language]",
        administers("CanModifyPBXApps"),
        Dictionary,
        "list a domain's PBX files",
    ),
    row("READDOMAINPBXFILE", "domainName FILE name", administers("CanModifyPBXApps"), Data, "read a domain's PBX file"),
    row(
        "STOREDOMAINPBXFILE",
        "domainName FILE name [DATA datablock] [DELETE]",
        administers("CanModifyPBXApps"),
        Nothing,
        "store a domain's PBX file",
    ),
    row("CREATESERVERPBX", "language", USERS, Nothing, "create the server's PBX environment"),
    row("DELETESERVERPBX", "language", USERS, Nothing, "delete the server's PBX environment"),
    row("LISTSERVERPBXFILES", "[language]", USERS, Dictionary, "list the server's PBX files"),
    row("READSERVERPBXFILE", "name", USERS, Data, "read the server's PBX file"),
    row("STORESERVERPBXFILE", "name [DATA datablock] [DELETE]", USERS, Nothing, "store the server's PBX file"),
    row("CREATECLUSTERPBX", "language", USERS, Nothing, "create the cluster's PBX environment"),
    row("DELETECLUSTERPBX", "language", USERS, Nothing, "delete the cluster's PBX environment"),
    row("LISTCLUSTERPBXFILES", "[language]", USERS, Dictionary, "list the cluster's PBX files"),
    row("READCLUSTERPBXFILE", "name", USERS, Data, "read the cluster's PBX file"),
    row("STORECLUSTERPBXFILE", "name [DATA datablock] [DELETE]", USERS, Nothing, "store the cluster's PBX file"),
    row("LISTSTOCKPBXFILES", "[language]", USERS, Dictionary, "list the built-in PBX files"),
    row("READSTOCKPBXFILE", "name", USERS, Data, "read the built-in PBX file"),
];
