//! Who may call a command.

use crate::model::{AccountName, DomainName, NewPasswordRefusal};

/// A right to administer the whole server. Only accounts of the main domain can use one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerRight {
    /// Everything.
    Master,
    /// The server's settings.
    Settings,
    /// All domains and accounts.
    Users,
    /// All domains and accounts, reading only.
    Domains,
    /// The log, statistics and the end of the server.
    Monitor,
    /// The Directory.
    Directory,
}

impl ServerRight {
    /// The codes that stand for it in an account's rights.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Master => &["Master"],
            Self::Settings => &["Settings"],
            Self::Users => &["Users", "User"],
            Self::Domains => &["Domains"],
            Self::Monitor => &["Monitor", "Monitors"],
            Self::Directory => &["Directory"],
        }
    }

    /// Whether an account of the main domain with this local name and these rights administers
    /// anything of the server.
    pub(super) fn any(local: &str, rights: &[Box<str>]) -> bool {
        const ALL: [ServerRight; 6] = [
            ServerRight::Master,
            ServerRight::Settings,
            ServerRight::Users,
            ServerRight::Domains,
            ServerRight::Monitor,
            ServerRight::Directory,
        ];
        let is_one = |right: &str| ALL.iter().flat_map(|it| it.codes()).any(|code| code.eq_ignore_ascii_case(right));
        local == "postmaster" || rights.iter().any(|right| is_one(right))
    }
}

/// What a command demands of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Nothing but a login.
    Anyone,
    /// One of these rights to administer the server.
    Server(&'static [ServerRight]),
    /// To administer the domain that the command is about, or all domains.
    Domain {
        /// The code it takes besides the one that makes an account an administrator of its
        /// domain.
        code: Option<&'static str>,
        /// Whether the account that the command is about may call it too.
        or_self: bool,
    },
}

pub(super) const ANYONE: Right = Right::Anyone;
pub(super) const MASTER: Right = Right::Server(&[]);
pub(super) const SETTINGS: Right = Right::Server(&[ServerRight::Settings]);
pub(super) const USERS: Right = Right::Server(&[ServerRight::Users]);
pub(super) const MONITOR: Right = Right::Server(&[ServerRight::Monitor]);
pub(super) const DIRECTORY: Right = Right::Server(&[ServerRight::Directory]);
pub(super) const SETTINGS_OR_USERS: Right = Right::Server(&[ServerRight::Settings, ServerRight::Users]);
/// Any administrator of the domain.
pub(super) const DA_ANY: Right = Right::Domain { code: None, or_self: false };

/// An administrator of the domain who has the right `code`.
pub(super) const fn administers(code: &'static str) -> Right {
    Right::Domain { code: Some(code), or_self: false }
}

impl Right {
    /// Also the account that the command is about.
    pub(super) const fn or_self(self) -> Self {
        match self {
            Self::Domain { code, .. } => Self::Domain { code, or_self: true },
            Self::Anyone | Self::Server(_) => self,
        }
    }
}

/// Makes an account an administrator of its domain; without it the other codes have no effect.
const DOMAIN_ADMINISTRATOR: &str = "Domain";

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The server, or nothing in particular.
    Server,
    /// A domain, by its canonical name if there is one of that name or alias.
    Domain(DomainName),
    /// Something in a domain; an existing account by its canonical name.
    Object(AccountName),
}

impl Target {
    pub(super) fn domain(&self) -> Option<&DomainName> {
        match self {
            Self::Server => None,
            Self::Domain(domain) => Some(domain),
            Self::Object(name) => Some(name.domain()),
        }
    }
}

/// Whoever calls a command.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) name: AccountName,
    /// Its rights, as their codes.
    pub(super) rights: Vec<Box<str>>,
    /// Whether its domain is the main domain.
    pub(super) is_of_main_domain: bool,
    /// Whether it logged in with the password of an application.
    pub(super) bar: Option<NewPasswordRefusal>,
}

impl Actor {
    /// Whether the code `code` is among the actor's rights, in any letter case.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.rights.iter().any(|right| right.eq_ignore_ascii_case(code))
    }

    pub(super) fn is_master(&self) -> bool {
        self.is_of_main_domain
            && (self.name.local() == "postmaster" || ServerRight::Master.codes().iter().any(|code| self.has_code(code)))
    }

    pub(super) fn has(&self, right: ServerRight) -> bool {
        self.is_master() || self.is_of_main_domain && right.codes().iter().any(|code| self.has_code(code))
    }

    /// Whether the actor may do to `target` what takes `right`. `is_reading` says that the command
    /// changes nothing. `administers_also` tells, for a domain other than the actor's own, whether
    /// that domain lets administrators of the actor's domain administer it.
    pub(super) fn may(
        &self,
        right: Right,
        target: &Target,
        is_reading: bool,
        administers_also: impl FnOnce(&DomainName) -> bool,
    ) -> bool {
        match right {
            Right::Anyone => true,
            Right::Server(rights) => {
                self.is_master()
                    || rights.iter().any(|&right| self.has(right))
                    || is_reading && rights.contains(&ServerRight::Users) && self.has(ServerRight::Domains)
            }
            Right::Domain { code, or_self } => {
                let is_self = matches!(target, Target::Object(name) if *name == self.name);
                let is_server_wide = self.has(ServerRight::Users) || is_reading && self.has(ServerRight::Domains);
                let is_administrator =
                    self.has_code(DOMAIN_ADMINISTRATOR) && code.is_none_or(|code| self.has_code(code));
                let administers = |domain: &DomainName| domain == self.name.domain() || administers_also(domain);
                or_self && is_self || is_server_wide || is_administrator && target.domain().is_some_and(administers)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::parse(text).unwrap()
    }

    fn actor(account: &str, rights: &[&str]) -> Actor {
        let name = name(account);
        let is_of_main_domain = name.domain().as_str() == "main.example";
        Actor { name, rights: rights.iter().map(|&right| right.into()).collect(), is_of_main_domain, bar: None }
    }

    fn may(actor: &Actor, right: Right, target: &str, is_reading: bool) -> bool {
        actor.may(right, &Target::Object(name(target)), is_reading, |domain| domain.as_str() == "lent.example")
    }

    #[test]
    fn server_rights_count_in_the_main_domain_alone() {
        for (account, counts) in [("boss@main.example", true), ("boss@other.example", false)] {
            let boss = actor(account, &["master"]);
            assert_eq!(may(&boss, MASTER, "a@x", false), counts);
            assert_eq!(may(&boss, SETTINGS, "a@x", false), counts);
            assert_eq!(may(&boss, administers("BasicSettings"), "a@x", false), counts);
            assert_eq!(may(&actor(account, &["Users"]), USERS, "a@x", false), counts);
        }
        assert!(may(&actor("postmaster@main.example", &[]), MASTER, "a@x", false));
        assert!(!may(&actor("postmaster@other.example", &[]), MASTER, "a@x", false));
    }

    #[test]
    fn one_server_right_does_not_imply_another() {
        let monitor = actor("m@main.example", &["Monitor"]);
        assert!(may(&monitor, MONITOR, "a@x", false));
        for right in [MASTER, SETTINGS, USERS, DIRECTORY, SETTINGS_OR_USERS, DA_ANY] {
            assert!(!may(&monitor, right, "a@x", true), "{right:?}");
        }
        assert!(may(&actor("m@main.example", &["Settings"]), SETTINGS_OR_USERS, "a@x", true));
    }

    #[test]
    fn the_right_to_look_at_all_domains_changes_none() {
        let guest = actor("g@main.example", &["Domains"]);
        for right in [USERS, DA_ANY, administers("BasicSettings")] {
            assert!(may(&guest, right, "a@x", true), "{right:?}");
            assert!(!may(&guest, right, "a@x", false), "{right:?}");
        }
        assert!(!may(&guest, SETTINGS, "a@x", true));
    }

    #[test]
    fn a_domain_administrator_stays_in_his_domains_and_within_his_codes() {
        let admin = actor("admin@other.example", &["Domain", "basicsettings"]);
        for (target, theirs) in [("a@other.example", true), ("a@lent.example", true), ("a@main.example", false)] {
            assert_eq!(may(&admin, DA_ANY, target, true), theirs, "{target}");
            assert_eq!(may(&admin, administers("BasicSettings"), target, false), theirs, "{target}");
            assert!(!may(&admin, administers("CanCreateAccounts"), target, false), "{target}");
        }
        let unmarked = actor("admin@other.example", &["BasicSettings"]);
        assert!(!may(&unmarked, administers("BasicSettings"), "a@other.example", false));
        assert!(!admin.may(DA_ANY, &Target::Server, true, |_| true));
    }

    #[test]
    fn an_account_may_do_some_things_to_itself() {
        let user = actor("a@other.example", &[]);
        assert!(may(&user, DA_ANY.or_self(), "a@other.example", true));
        assert!(!may(&user, DA_ANY.or_self(), "b@other.example", true));
        assert!(!may(&user, DA_ANY, "a@other.example", true));
        assert!(may(&user, ANYONE, "b@other.example", true));
    }
}
