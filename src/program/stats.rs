//! `keyturn account stats`: how the passwords are kept, so that an operator can see how far an
//! import or a raise of the parameters has got.

use std::collections::BTreeMap;
use std::fmt::Write;

use keyturn::auth::{Credentials, Verifier};
use keyturn::model::{AccountName, Argon2idCost, DomainName};

use super::data::Data;
use super::failure::Failure;

/// Accounts and domains read from the store at once.
const PAGE_COUNT: usize = 1000;

/// Kinds that are told apart. No installation has so many, unless its hashes came with rounds drawn
/// at random; the rest is counted as one.
const KINDS_MAX: usize = 1000;

/// Counts the accounts of `domain`, or of all domains, and returns what to print.
///
/// # Errors
/// There is no such domain; or as the store tells.
pub(crate) fn stats(data: &Data, domain: Option<&DomainName>, as_json: bool) -> Result<String, Failure> {
    let mut counts = Counts::new(data.config.argon2id);
    if let Some(domain) = domain {
        counts.add_domain(data, domain)?;
    } else {
        let mut last = None;
        loop {
            let page = data.directory.domains(last.as_ref(), PAGE_COUNT)?;
            for domain in &page {
                counts.add_domain(data, domain)?;
            }
            last = page.last().cloned();
            if page.len() < PAGE_COUNT {
                break;
            }
        }
    }
    Ok(if as_json { counts.to_json() } else { counts.to_table() })
}

/// How a password is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    scheme: String,
    parameters: String,
    /// As new passwords are.
    is_current: bool,
}

/// How many accounts there are of each kind.
struct Counts {
    cost: Argon2idCost,
    kinds: BTreeMap<Kind, u64>,
}

impl Counts {
    fn new(cost: Argon2idCost) -> Self {
        Self { cost, kinds: BTreeMap::new() }
    }

    fn add_domain(&mut self, data: &Data, domain: &DomainName) -> Result<(), Failure> {
        let mut last: Option<AccountName> = None;
        loop {
            let page = data.directory.credentials(domain, last.as_ref(), PAGE_COUNT)?;
            page.iter().for_each(|(_, credentials)| self.add(credentials));
            if page.len() < PAGE_COUNT {
                return Ok(());
            }
            last = page.into_iter().next_back().map(|(name, _)| name);
        }
    }

    fn add(&mut self, credentials: &Credentials) {
        let joined = |part: &dyn Fn(&Verifier) -> String| {
            let parts: Vec<String> = credentials.verifiers.iter().map(part).collect();
            parts.join("+")
        };
        let scheme = if credentials.verifiers.is_empty() {
            "none".to_owned()
        } else {
            joined(&|verifier| verifier.scheme().to_owned())
        };
        let parameters = joined(&Verifier::parameters);
        let mut kind = Kind { scheme, parameters, is_current: !credentials.needs_upgrade(self.cost) };
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind) {
            kind = Kind { scheme: "others".to_owned(), parameters: String::new(), is_current: false };
        }
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// The most frequent kind first.
    fn sorted(&self) -> Vec<(&Kind, u64)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(kind, count)| (kind, *count)).collect();
        kinds.sort_by(|(kind, count), (other, others)| others.cmp(count).then_with(|| kind.cmp(other)));
        kinds
    }

    fn total(&self) -> u64 {
        self.kinds.values().sum()
    }

    fn current(&self) -> u64 {
        self.kinds.iter().filter(|(kind, _)| kind.is_current).map(|(_, count)| count).sum()
    }

    fn to_table(&self) -> String {
        let mut out =
            format!("{:>12}  {:<14}  {:<28}  kept as new passwords are\n", "accounts", "scheme", "parameters");
        for (Kind { scheme, parameters, is_current }, count) in self.sorted() {
            let answer = if *is_current { "yes" } else { "no, until the next login" };
            let parameters = if parameters.is_empty() { "-" } else { parameters };
            // Writing to a String does not fail.
            writeln!(out, "{count:>12}  {scheme:<14}  {parameters:<28}  {answer}").unwrap_or_default();
        }
        writeln!(out, "{:>12}  in all, {} of them kept as new passwords are", self.total(), self.current())
            .unwrap_or_default();
        out
    }

    /// One line. Schemes and parameters hold nothing that would have to be escaped.
    fn to_json(&self) -> String {
        let kinds = self.sorted().into_iter().map(|(Kind { scheme, parameters, is_current }, count)| {
            format!(r#"{{"scheme":"{scheme}","parameters":"{parameters}","current":{is_current},"accounts":{count}}}"#)
        });
        let kinds: Vec<String> = kinds.collect();
        let (accounts, current) = (self.total(), self.current());
        format!("{{\"accounts\":{accounts},\"current\":{current},\"kinds\":[{}]}}\n", kinds.join(","))
    }
}

#[cfg(test)]
mod tests {
    use keyturn::auth::legacy;

    use super::*;

    const COST: Argon2idCost = Argon2idCost { m_kib: 64, t: 1, p: 1 };

    fn argon2id(cost: Argon2idCost) -> Credentials {
        Credentials::new(Verifier::Argon2id { cost, salt: [0; 16], tag: [0; 32] }, 0)
    }

    fn sha_crypt(rounds: usize) -> Credentials {
        let hash = format!("$5$rounds={rounds}$salt$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC");
        Credentials::new(legacy::parse(hash.as_bytes()).unwrap(), 0)
    }

    fn counts(of: &[Credentials]) -> Counts {
        let mut counts = Counts::new(COST);
        of.iter().for_each(|credentials| counts.add(credentials));
        counts
    }

    #[test]
    fn kinds_are_counted_apart_the_most_frequent_first() {
        let older = argon2id(Argon2idCost { t: 2, ..COST });
        let sha = Credentials::new(legacy::parse(b"{SHA}fCIvspJ9goryL1khNOiTJIBjfA0=").unwrap(), 0);
        let empty = Credentials::none(0);
        let counts = counts(&[sha, argon2id(COST), older.clone(), argon2id(COST), older, argon2id(COST), empty]);
        let json = concat!(
            r#"{"accounts":7,"current":3,"kinds":["#,
            r#"{"scheme":"argon2id","parameters":"m=64,t=1,p=1","current":true,"accounts":3},"#,
            r#"{"scheme":"argon2id","parameters":"m=64,t=2,p=1","current":false,"accounts":2},"#,
            r#"{"scheme":"none","parameters":"","current":false,"accounts":1},"#,
            r#"{"scheme":"sha","parameters":"","current":false,"accounts":1}]}"#,
            "\n"
        );
        assert_eq!(counts.to_json(), json);
        let table = counts.to_table();
        assert_eq!(table.lines().count(), 6, "{table}");
        assert!(table.lines().nth(1).is_some_and(|line| line.trim_start().starts_with("3  argon2id")), "{table}");
    }

    #[test]
    fn an_empty_directory_is_counted_too() {
        assert_eq!(counts(&[]).to_json(), "{\"accounts\":0,\"current\":0,\"kinds\":[]}\n");
    }

    #[test]
    fn kinds_without_end_are_counted_as_one() {
        let all: Vec<Credentials> = (0..KINDS_MAX + 50).map(|more| sha_crypt(1000 + more)).collect();
        let counts = counts(&all);
        assert_eq!((counts.kinds.len(), counts.total()), (KINDS_MAX + 1, all.len() as u64));
        assert!(counts.sorted()[0].0.scheme == "others" && counts.sorted()[0].1 == 50);
    }
}
