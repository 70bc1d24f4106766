//! LISTDOMAINOBJECTS: what is in a domain, in portions.

use super::call::{Call, Deed};
use super::refusal::{Refusal, Stop};
use crate::directory;
use crate::model::{AccountName, DomainName};
use crate::notation::{Dictionary, Value};

/// Objects of one portion.
const LIMIT_MAX: usize = 100_000;

/// Names read at a time.
const PAGE: usize = 1024;

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
    let mut cookie = match call.arguments.find_text("cookie") {
        Some(text) if !text.is_empty() => Cookie::parse(text, &domain).ok_or(BAD_COOKIE)?,
        _ => Cookie { counts: call.directory().count_objects(&domain)?, kind: Kind::Account, last: None },
    };
    let found = portion(call, &domain, &filter, limit.min(LIMIT_MAX), &mut cookie)?;
    let [accounts, aliases, forwarders] = cookie.counts.map(|count| Value::from(count.to_string().as_str()));
    let mut answer = vec![accounts, Value::Dictionary(found), aliases, forwarders];
    if call.arguments.has("COOKIE") {
        answer.push(Value::from(cookie.print().as_str()));
    }
    Ok(Deed::Show(Value::Array(answer)))
}

/// The next `limit` objects whose names hold `filter`; moves the cookie behind them.
fn portion(
    call: &Call<'_>,
    domain: &DomainName,
    filter: &str,
    limit: usize,
    cookie: &mut Cookie,
) -> Result<Dictionary, Stop> {
    let names_kinds =
        call.arguments.has("ACCOUNTS") || call.arguments.has("ALIASES") || call.arguments.has("FORWARDERS");
    let wants = |kind: Kind| match kind {
        Kind::Account => !names_kinds || call.arguments.has("ACCOUNTS"),
        Kind::Alias => !names_kinds || call.arguments.has("ALIASES"),
        Kind::Forwarder => !names_kinds || call.arguments.has("FORWARDERS"),
        Kind::Done => false,
    };
    let mut found = Dictionary::new();
    while cookie.kind != Kind::Done && found.len() < limit {
        let page = if wants(cookie.kind) { page(call, domain, cookie)? } else { Vec::new() };
        if page.is_empty() {
            cookie.kind = cookie.kind.next();
            cookie.last = None;
        }
        for (name, value) in page {
            if found.len() == limit {
                break;
            }
            if name.local().contains(filter) {
                found.insert(name.local(), value);
            }
            cookie.last = Some(name);
        }
    }
    Ok(found)
}

/// Some objects of the cookie's kind behind its last.
fn page(call: &Call<'_>, domain: &DomainName, cookie: &Cookie) -> Result<Vec<(AccountName, Value)>, Stop> {
    let last = cookie.last.as_ref();
    Ok(match cookie.kind {
        Kind::Account => {
            let names = call.directory().accounts(domain, last, PAGE)?;
            names.into_iter().map(|name| (name, Value::from("macnt"))).collect()
        }
        Kind::Alias => {
            let owner = |owner: AccountName| Value::Array(vec![Value::from(owner.local())]);
            let pairs = call.directory().aliases(domain, last, PAGE)?;
            pairs.into_iter().map(|(alias, account)| (alias, owner(account))).collect()
        }
        Kind::Forwarder => {
            let forwarders = call.directory().objects(directory::Kind::Forwarder, domain, last, PAGE)?;
            let target = |address| Value::Array(vec![Value::Array(vec![address])]);
            forwarders.into_iter().map(|(name, address)| (name, target(address))).collect()
        }
        Kind::Done => Vec::new(),
    })
}
