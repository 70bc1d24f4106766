//! LISTDOMAINOBJECTS: what is in a domain, in portions.

use super::call::{Call, Deed};
use super::domains::ACCOUNT_TYPE;
use super::listing::{Items, PAGE, Pages};
use super::refusal::{Refusal, Stop};
use crate::directory::{self, Directory, DirectoryFault};
use crate::model::{AccountName, DomainName};
use crate::notation::Value;

/// How far a client has come. It travels as text, `accounts:aliases:forwarders:kind:last`: the
/// server keeps nothing between two portions, and counts only for the first one.
struct Cookie {
    /// Accounts, aliases, forwarders.
    counts: [usize; 3],
    kind: Kind,
    /// The local name of the last object shown, of that kind.
    last: Option<AccountName>,
}

/// A kind of object, in the order in which they are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    Alias,
    Forwarder,
    Done,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Alias => "alias",
            Self::Forwarder => "forwarder",
            Self::Done => "",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Account => Self::Alias,
            Self::Alias => Self::Forwarder,
            Self::Forwarder | Self::Done => Self::Done,
        }
    }
}

impl Cookie {
    fn parse(text: &str, domain: &DomainName) -> Option<Self> {
        let mut parts = text.splitn(5, ':');
        let mut count = || parts.next()?.parse().ok();
        let counts = [count()?, count()?, count()?];
        let word = parts.next()?;
        let kind = [Kind::Account, Kind::Alias, Kind::Forwarder].into_iter().find(|kind| kind.word() == word)?;
        let last = match parts.next()? {
            "" => None,
            local => Some(AccountName::new(local, domain.clone()).ok()?),
        };
        Some(Self { counts, kind, last })
    }

    /// The empty text says that there is no more.
    fn print(&self) -> String {
        if self.kind == Kind::Done {
            return String::new();
        }
        let last = self.last.as_ref().map_or("", AccountName::local);
        let [accounts, aliases, forwarders] = self.counts;
        format!("{accounts}:{aliases}:{forwarders}:{}:{last}", self.kind.word())
    }
}

/// LISTDOMAINOBJECTS
pub(super) fn list(call: &Call<'_>) -> Result<Deed, Stop> {
    const BAD_COOKIE: Refusal = Refusal::General("unknown cookie");
    let domain = call.domain()?;
    let limit = call.arguments.text("limit").parse::<usize>().map_err(|_| Refusal::General("limit is not a number"))?;
    let filter = call.arguments.find_text("substring").unwrap_or_default().to_ascii_lowercase();
    let has_cookie = call.arguments.has("COOKIE");
    let cookie = match call.arguments.find_text("cookie") {
        Some(text) if !text.is_empty() => Cookie::parse(text, &domain).ok_or(BAD_COOKIE)?,
        _ => Cookie { counts: call.directory().count_objects(&domain)?, kind: Kind::Account, last: None },
    };
    let mut portion = Portion { domain, filter, kinds: kinds(call), limit, cookie };
    let [accounts, aliases, forwarders] = portion.cookie.counts.map(|count| Value::from(count.to_string().as_str()));
    Ok(Deed::List(Pages::dictionary_within(&format!("({accounts},"), move |directory, items| {
        let has_more = portion.read(directory, items)?;
        if !has_more {
            let cookie = Value::from(portion.cookie.print().as_str());
            let cookie = if has_cookie { format!(",{cookie}") } else { String::new() };
            items.finish(&format!(",{aliases},{forwarders}{cookie})"));
        }
        Ok(has_more)
    })))
}

/// The kinds asked for: all where none is named.
fn kinds(call: &Call<'_>) -> Vec<Kind> {
    const ALL: [(&str, Kind); 3] =
        [("ACCOUNTS", Kind::Account), ("ALIASES", Kind::Alias), ("FORWARDERS", Kind::Forwarder)];
    let are_named = ALL.iter().any(|(word, _)| call.arguments.has(word));
    ALL.iter().filter(|(word, _)| !are_named || call.arguments.has(word)).map(|(_, kind)| *kind).collect()
}

/// What is still to be listed.
struct Portion {
    domain: DomainName,
    /// Which names are meant: those that hold it.
    filter: String,
    kinds: Vec<Kind>,
    /// Objects yet to be listed, at the most.
    limit: usize,
    cookie: Cookie,
}

impl Portion {
    /// Prints what is meant of the next page, and moves the cookie behind it. False: that was all.
    fn read(&mut self, directory: &Directory, items: &mut Items<'_>) -> Result<bool, DirectoryFault> {
        let is_wanted = self.kinds.contains(&self.cookie.kind);
        let page = match self.page(directory) {
            _ if !is_wanted => Vec::new(),
            Err(DirectoryFault::NoDomain(_)) => Vec::new(),
            page => page?,
        };
        if page.is_empty() {
            self.cookie.kind = self.cookie.kind.next();
            self.cookie.last = None;
        }
        for (name, value) in page {
            if self.limit == 0 {
                break;
            }
            if name.local().contains(&self.filter) {
                items.pair(name.local(), &value);
                self.limit -= 1;
            }
            self.cookie.last = Some(name);
        }
        Ok(self.cookie.kind != Kind::Done && self.limit > 0)
    }

    /// Some objects of the cookie's kind behind its last.
    fn page(&self, directory: &Directory) -> Result<Vec<(AccountName, Value)>, DirectoryFault> {
        let last = self.cookie.last.as_ref();
        Ok(match self.cookie.kind {
            Kind::Account => {
                let names = directory.accounts(&self.domain, last, PAGE)?;
                names.into_iter().map(|name| (name, Value::from(ACCOUNT_TYPE))).collect()
            }
            Kind::Alias => {
                let owner = |owner: AccountName| Value::Array(vec![Value::from(owner.local())]);
                let pairs = directory.aliases(&self.domain, last, PAGE)?;
                pairs.into_iter().map(|(alias, account)| (alias, owner(account))).collect()
            }
            Kind::Forwarder => {
                let forwarders = directory.objects(directory::Kind::Forwarder, &self.domain, last, PAGE)?;
                let target = |address| Value::Array(vec![Value::Array(vec![address])]);
                forwarders.into_iter().map(|(name, address)| (name, target(address))).collect()
            }
            Kind::Done => Vec::new(),
        })
    }
}
