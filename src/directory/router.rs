//! Where an address leads: the router table first, then domains, accounts, their other names, groups
//! and forwarders.

use std::fmt;

use super::{Account, Directory, Kind};
use crate::model::{AccountName, DomainName, LoginName};
use crate::notation::Value;
use crate::store::ReadFault;

/// How often an address may be rewritten before it is said to lead in a circle.
const STEPS_MAX: usize = 16;

/// Records of one table.
const RECORDS_MAX: usize = 10_000;

/// What an address is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A message is to be sent there.
    Mail,
    /// A call is to be made there.
    Signal,
    /// Somebody logs in.
    Access,
}

/// Where an address leads.
#[derive(Clone, Debug)]
pub enum Route {
    /// To this account.
    Account(Box<Account>),
    /// To this group; nobody logs in there.
    Group(AccountName),
    /// What is sent there is thrown away.
    Null,
    /// What comes from there is not welcome.
    Blacklisted,
    /// The table says that there is no such address.
    Error,
    /// From record to record without an end.
    Circle,
    /// There is no such account in its domain. It would have this name, if that can be one.
    UnknownAccount(Option<AccountName>),
    /// There is no such domain.
    UnknownDomain,
}

/// A router table: one record a line, and the first that fits an address rewrites it.
///
/// ```text
/// ; records for single addresses: a name without a domain is in the main domain
/// <webmaster> = postmaster
/// <sales@example.com> = team@example.net
/// <*-info@example.com> = info+*@example.com
/// ; records for domains
/// mail.example.com = example.com
/// *.old.example = example.com
/// ; a record for one purpose, and addresses that do not exist
/// Access:<root> = error
/// ```
///
/// `*` in the left part stands for any text, which takes the place of `*` in the right part. The
/// right part may also be one of the words `error`, `null` and `blacklisted`. The prefixes `Mail:`,
/// `Signal:` and `Access:` restrict a record to their purpose; `Relay:`, `NoRelay:` and `RelayAll:`,
/// which are about mail, are accepted. Letter case means nothing. `;` begins a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Router {
    records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    /// `None`: for every purpose.
    purpose: Option<Purpose>,
    left: Left,
    right: Right,
}

/// What a record fits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    /// An address; without a domain it is one in the main domain.
    Address(Pattern, Option<Box<str>>),
    Domain(Pattern),
}

/// What it makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Right {
    /// An address, or for a record about a domain the name of a domain, with `*` where the text goes.
    Text(Box<str>),
    Error,
    Null,
    Blacklisted,
}

/// Text before and after the one `*`, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: Box<str>,
    after: Option<Box<str>>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, BadRecord> {
        let mut parts = text.splitn(3, '*');
        let before = parts.next().unwrap_or_default().into();
        let after = parts.next().map(Box::from);
        if parts.next().is_some() { Err(BadRecord::Stars) } else { Ok(Self { before, after }) }
    }

    /// The text that `*` stands for, empty where there is none, if the pattern fits `text`.
    fn fit<'a>(&self, text: &'a str) -> Option<&'a str> {
        match &self.after {
            None => (text == &*self.before).then_some(""),
            Some(after) => text.strip_prefix(&*self.before)?.strip_suffix(&**after),
        }
    }
}

/// Where and why a text is no router table. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterFault {
    /// The number of the line, from 1.
    pub line: usize,
    what: BadRecord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadRecord {
    NoEquals,
    Left,
    Right,
    Stars,
    TooMany,
}

impl fmt::Display for RouterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            BadRecord::NoEquals => "a record has an equals sign",
            BadRecord::Left => "the left part is <name> or <name@domain> or a domain",
            BadRecord::Right => "the right part is an address or a domain",
            BadRecord::Stars => "each part has one * at most",
            BadRecord::TooMany => "there are too many records",
        };
        write!(f, "{what}, in line {}", self.line)
    }
}

impl std::error::Error for RouterFault {}

impl Router {
    /// Reads a table whose lines end with LF or CR LF.
    ///
    /// # Errors
    /// The first record that is none.
    pub fn parse(text: &str) -> Result<Self, RouterFault> {
        let mut records = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let record = line.split(';').next().unwrap_or_default().trim();
            let fault = |what| RouterFault { line: index + 1, what };
            if !record.is_empty() {
                records.push(Record::parse(&record.to_ascii_lowercase()).map_err(fault)?);
            }
            if records.len() > RECORDS_MAX {
                return Err(fault(BadRecord::TooMany));
            }
        }
        Ok(Self { records })
    }

    /// This table with the records of `other` behind its own.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.records.extend(other.records);
        self
    }

    /// What the first record that fits `local@domain` makes of it.
    fn rewrite(&self, local: &str, domain: &str, main_domain: &str, purpose: Purpose) -> Option<Rewritten> {
        let meant = |record: &&Record| record.purpose.is_none_or(|other| other == purpose);
        self.records.iter().filter(meant).find_map(|record| record.rewrite(local, domain, main_domain))
    }
}

enum Rewritten {
    Address(String),
    End(Route),
}

impl Record {
    /// `text` is in lower case.
    fn parse(text: &str) -> Result<Self, BadRecord> {
        let (left, right) = text.split_once('=').ok_or(BadRecord::NoEquals)?;
        let (mut left, right, mut purpose) = (left.trim(), right.trim(), None);
        while let Some((prefix, rest)) = left.split_once(':') {
            match prefix.trim() {
                "mail" => purpose = Some(Purpose::Mail),
                "signal" => purpose = Some(Purpose::Signal),
                "access" => purpose = Some(Purpose::Access),
                "relay" | "norelay" | "relayall" => {}
                _ => return Err(BadRecord::Left),
            }
            left = rest.trim();
        }
        let left = Left::parse(left)?;
        let is_text = !right.is_empty() && !right.contains([' ', '<', '>', ':']);
        let right = match right {
            "error" => Right::Error,
            "null" => Right::Null,
            "blacklisted" => Right::Blacklisted,
            text if is_text && text.matches('*').count() <= 1 => Right::Text(text.into()),
            _ if is_text => return Err(BadRecord::Stars),
            _ => return Err(BadRecord::Right),
        };
        Ok(Self { purpose, left, right })
    }

    fn rewrite(&self, local: &str, domain: &str, main_domain: &str) -> Option<Rewritten> {
        let (text, is_about_domain) = match &self.left {
            Left::Address(pattern, stated) if stated.as_deref().unwrap_or(main_domain) == domain => {
                (pattern.fit(local)?, false)
            }
            Left::Address(..) => return None,
            Left::Domain(pattern) => (pattern.fit(domain)?, true),
        };
        Some(match &self.right {
            Right::Text(right) => {
                let right = right.replace('*', text);
                let is_address = !is_about_domain || right.contains('@');
                Rewritten::Address(match (is_address, right.contains('@')) {
                    (true, true) => right,
                    (true, false) => format!("{right}@{main_domain}"),
                    (false, _) => format!("{local}@{right}"),
                })
            }
            Right::Error => Rewritten::End(Route::Error),
            Right::Null => Rewritten::End(Route::Null),
            Right::Blacklisted => Rewritten::End(Route::Blacklisted),
        })
    }
}

impl Left {
    fn parse(text: &str) -> Result<Self, BadRecord> {
        let is_name = |text: &str| !text.is_empty() && !text.contains([' ', '<', '>', '@']);
        let Some(address) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            return if is_name(text) { Ok(Self::Domain(Pattern::parse(text)?)) } else { Err(BadRecord::Left) };
        };
        let (local, domain) = address.rsplit_once('@').map_or((address, None), |(local, domain)| (local, Some(domain)));
        if !is_name(local) || !domain.is_none_or(|domain| is_name(domain) && !domain.contains('*')) {
            return Err(BadRecord::Left);
        }
        Ok(Self::Address(Pattern::parse(local)?, domain.map(Box::from)))
    }
}

impl Directory {
    /// Where `login` leads, for which `router` is asked first. A bare name is completed with
    /// `domain`, or with the main domain.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn route(
        &self,
        router: &Router,
        login: &LoginName,
        domain: Option<&DomainName>,
        purpose: Purpose,
    ) -> Result<Route, ReadFault> {
        let mut login = login.clone();
        for _ in 0..STEPS_MAX {
            let next = match self.rewritten(router, &login, domain, purpose) {
                Some(Rewritten::End(route)) => return Ok(route),
                Some(Rewritten::Address(address)) => address,
                None => match self.resolve(&login, domain)? {
                    Some(account) => return Ok(Route::Account(Box::new(account))),
                    None => match self.elsewhere(&login, domain, purpose)? {
                        Ok(forwarded) => forwarded,
                        Err(route) => return Ok(route),
                    },
                },
            };
            match LoginName::new(next.as_bytes()) {
                Some(next) => login = next,
                None => return Ok(Route::Error),
            }
        }
        Ok(Route::Circle)
    }

    /// The address that `login` stands for, whether or not there is anything at it: what `router`
    /// makes of it, in small letters, with the own name of its domain. There are no two ways to
    /// write the same one.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn address(
        &self,
        router: &Router,
        login: &LoginName,
        domain: Option<&DomainName>,
    ) -> Result<String, ReadFault> {
        let mut login = login.clone();
        for _ in 0..STEPS_MAX {
            let Some(Rewritten::Address(next)) = self.rewritten(router, &login, domain, Purpose::Access) else { break };
            match LoginName::new(next.as_bytes()) {
                Some(next) => login = next,
                None => break,
            }
        }
        let as_typed = login.to_string().to_ascii_lowercase();
        let Some((local, stated)) = super::split(&login) else { return Ok(as_typed) };
        let domain = match stated.map(DomainName::parse) {
            Some(Ok(domain)) => domain,
            Some(Err(_)) => return Ok(as_typed),
            None => domain.unwrap_or(&self.main_domain).clone(),
        };
        let domain = self.domain_named(&domain)?.unwrap_or(domain);
        Ok(format!("{}@{domain}", local.to_ascii_lowercase()))
    }

    fn rewritten(
        &self,
        router: &Router,
        login: &LoginName,
        domain: Option<&DomainName>,
        purpose: Purpose,
    ) -> Option<Rewritten> {
        if router.records.is_empty() {
            return None;
        }
        let (local, stated) = super::split(login)?;
        let main_domain = self.main_domain.as_str();
        let domain = stated.unwrap_or_else(|| domain.map_or(main_domain, DomainName::as_str));
        router.rewrite(&local.to_ascii_lowercase(), &domain.to_ascii_lowercase(), main_domain, purpose)
    }

    /// Where a name leads that is no account's: to the address of a forwarder, or to a route's end.
    fn elsewhere(
        &self,
        login: &LoginName,
        domain: Option<&DomainName>,
        purpose: Purpose,
    ) -> Result<Result<String, Route>, ReadFault> {
        let Some((local, stated)) = super::split(login) else { return Ok(Err(Route::UnknownAccount(None))) };
        let domain = match stated.map(DomainName::parse) {
            Some(Ok(domain)) => domain,
            Some(Err(_)) => return Ok(Err(Route::UnknownDomain)),
            None => domain.unwrap_or(&self.main_domain).clone(),
        };
        let Some((domain, _)) = self.find_domain(domain)? else { return Ok(Err(Route::UnknownDomain)) };
        let Ok(name) = AccountName::new(local, domain) else { return Ok(Err(Route::UnknownAccount(None))) };
        if let Some(Value::String(target)) = self.object(Kind::Forwarder, &name)? {
            let is_full = target.contains(['@', '%']);
            return Ok(Ok(if is_full { target } else { format!("{target}@{}", name.domain()) }));
        }
        let is_group = purpose != Purpose::Access && self.object(Kind::Group, &name)?.is_some();
        Ok(Err(if is_group { Route::Group(name) } else { Route::UnknownAccount(Some(name)) }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewrite(table: &str, address: &str, purpose: Purpose) -> String {
        let (local, domain) = address.split_once('@').unwrap();
        match Router::parse(table).unwrap().rewrite(local, domain, "main.example", purpose) {
            Some(Rewritten::Address(address)) => address,
            Some(Rewritten::End(route)) => format!("{route:?}"),
            None => "-".to_owned(),
        }
    }

    #[test]
    fn the_first_record_that_fits_rewrites_an_address() {
        let table = "; single addresses\r\n<Webmaster> = postmaster ; here\r\n\
            NoRelay:<sales@a.example> = team@b.example\n<*-info@a.example> = info+*@a.example\n\
            mail.a.example = a.example\n*.old.example = *.new.example\nall.example = one@a.example\n\
            Access:<root> = error\nMail:<bin>=NULL\nSignal : Relay:<bin> = blacklisted\n<*@c.example> = *\n";
        for (address, expected) in [
            ("webmaster@main.example", "postmaster@main.example"),
            ("webmaster@a.example", "-"),
            ("sales@a.example", "team@b.example"),
            ("shop-info@a.example", "info+shop@a.example"),
            ("x@mail.a.example", "x@a.example"),
            ("x@www.old.example", "x@www.new.example"),
            ("x@old.example", "-"),
            ("anybody@all.example", "one@a.example"),
            ("root@main.example", "Error"),
            ("x@c.example", "x@main.example"),
            ("bin@main.example", "-"),
        ] {
            assert_eq!(rewrite(table, address, Purpose::Access), expected, "{address}");
        }
        assert_eq!(rewrite(table, "root@main.example", Purpose::Mail), "-");
        assert_eq!(rewrite(table, "bin@main.example", Purpose::Mail), "Null");
        assert_eq!(rewrite(table, "bin@main.example", Purpose::Signal), "Blacklisted");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (record, what) in [
            ("example.com", BadRecord::NoEquals),
            ("= x", BadRecord::Left),
            ("a b = x", BadRecord::Left),
            ("a@b = x", BadRecord::Left),
            ("<> = x", BadRecord::Left),
            ("<a@*> = x", BadRecord::Left),
            ("Fax:<a> = x", BadRecord::Left),
            ("<a> =", BadRecord::Right),
            ("<a> = <b>", BadRecord::Right),
            ("<a*b*c> = x", BadRecord::Stars),
            ("<a*> = *x*", BadRecord::Stars),
        ] {
            let fault = Router::parse(&format!("\n{record}")).unwrap_err();
            assert_eq!(fault, RouterFault { line: 2, what }, "{record}");
        }
        let fault = Router::parse(&"a = b\n".repeat(RECORDS_MAX + 1)).unwrap_err();
        assert_eq!(fault.to_string(), "there are too many records, in line 10001");
    }

    proptest! {
        /// What a record makes of an address is an address again, or an end.
        #[test]
        fn no_table_and_no_address_upset_it(
            table in "([a-z<>@*.=:; -]{0,40}\n){0,4}(<a\\*> = \\*b\n)?",
            local in "[a-z*@]{0,6}",
            domain in "[a-z.]{0,8}",
        ) {
            let Ok(router) = Router::parse(&table) else { return Ok(()) };
            if let Some(Rewritten::Address(address)) = router.rewrite(&local, &domain, "main.example", Purpose::Mail) {
                prop_assert!(address.contains('@'), "{address}");
            }
        }
    }
}
