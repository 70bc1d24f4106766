//! The accounts under load: which one comes next, and which passwords it has had.
//!
//! Passwords are numbered. Number 0 is the one the accounts were made with; every attempted change
//! takes the next number, whatever becomes of it, so a password says which attempt it belongs to.

use std::io;

use clap::Args;

use super::ledger::{Entry, Outcome};
use super::random::Random;
use crate::target::first_line_of_stdin;

/// Accounts as the command line names them.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountOptions {
    /// Accounts' names: `{}` stands for the index, `{d}` for the domain's index
    #[arg(long, default_value = "u{}@bench.example")]
    users: String,
    /// How many domains they are spread over
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) domains: u32,
    /// Read the accounts' first password from the first line of standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

impl AccountOptions {
    /// How they are called; reads the password.
    ///
    /// # Errors
    /// When several would have the same name, or standard input has no password.
    pub(crate) fn naming(&self) -> io::Result<Naming> {
        let wrong = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if !self.users.contains("{}") {
            return wrong("--users needs {} where the account's index is to stand");
        }
        if self.domains > 1 && !self.users.contains("{d}") {
            return wrong("several --domains need {d} in --users, where the domain's index is to stand");
        }
        let password = first_line_of_stdin()?;
        if password.is_empty() {
            return wrong("there is no password on standard input");
        }
        Ok(Naming { user: self.users.clone(), domains: self.domains, password })
    }
}

/// How accounts and passwords are called.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    /// The accounts' names; `{}` stands for the index and `{d}` for the domain's.
    pub(crate) user: String,
    /// Number of domains; account `i` lives in domain `i` modulo this.
    pub(crate) domains: u32,
    /// The password with number 0.
    pub(crate) password: String,
}

impl Naming {
    /// The name of account `index`.
    pub(crate) fn account(&self, index: u32) -> String {
        let domain = index % self.domains.max(1);
        self.user.replace("{d}", &domain.to_string()).replace("{}", &index.to_string())
    }

    /// The password of account `index` with that number. All but the first differ between accounts,
    /// so that a password given to another account than it was meant for is found.
    pub(crate) fn password(&self, index: u32, number: u32) -> String {
        if number == 0 { self.password.clone() } else { format!("{}-{index}-{number}", self.password) }
    }
}

/// What is known of an account's password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    /// The number of the last password the server has acknowledged.
    acknowledged: u32,
    /// The number of the last attempt.
    attempted: u32,
    /// In use by a session, or left with an unknown outcome: not to be chosen.
    withdrawn: bool,
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Population {
    accounts: Vec<Account>,
    domains: Ranks,
    users: Ranks,
}

/// An account lent to a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lent {
    /// Which one.
    pub(crate) index: u32,
    /// The number of its password.
    pub(crate) password: u32,
    /// The number for the next one; counts up when that is refused and the client tries again.
    pub(crate) attempt: u32,
}

/// How unevenly accounts and domains are used: Zipf's exponents, 0 for evenly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skew {
    /// Among the accounts of one domain.
    pub(crate) users: f64,
    /// Among domains.
    pub(crate) domains: f64,
}

impl Population {
    /// `count` accounts over `domains`, as `history` has left them.
    pub(crate) fn new(count: u32, domains: u32, skew: Skew, history: &[Entry]) -> Self {
        let domains = domains.clamp(1, count.max(1));
        let mut accounts = vec![Account::default(); count as usize];
        for entry in history {
            let Some(account) = accounts.get_mut(entry.account as usize) else {
                continue;
            };
            account.attempted = account.attempted.max(entry.number);
            account.withdrawn = matches!(entry.outcome, None | Some(Outcome::Unknown));
            if entry.outcome == Some(Outcome::Acknowledged) {
                account.acknowledged = entry.number;
            }
        }
        let per_domain = count.div_ceil(domains);
        Self { accounts, domains: Ranks::new(domains, skew.domains), users: Ranks::new(per_domain, skew.users) }
    }

    /// Lends an account that nobody uses, by chance; `None` when none is found.
    pub(crate) fn lend(&mut self, random: &mut Random) -> Option<Lent> {
        const TRIES: u32 = 256;
        for _ in 0..TRIES {
            let index = self.users.draw(random) * self.domains.count + self.domains.draw(random);
            match self.accounts.get_mut(index) {
                Some(account) if !account.withdrawn => {
                    account.withdrawn = true;
                    let attempt = account.attempted + 1;
                    return Some(Lent { index: index as u32, password: account.acknowledged, attempt });
                }
                Some(_) | None => {}
            }
        }
        None
    }

    /// Takes an account back. `outcome` is that of its last attempt, `None` when that was not made.
    pub(crate) fn take_back(&mut self, lent: &Lent, outcome: Option<Outcome>) {
        let account = &mut self.accounts[lent.index as usize];
        account.withdrawn = outcome == Some(Outcome::Unknown);
        account.attempted = if outcome.is_some() { lent.attempt } else { lent.attempt - 1 };
        if outcome == Some(Outcome::Acknowledged) {
            account.acknowledged = lent.attempt;
        }
    }
}

/// Ranks, the first of which is drawn most often.
#[derive(Debug)]
struct Ranks {
    count: usize,
    /// The distribution function of Zipf's law over them; empty when all are drawn alike.
    table: Vec<f64>,
}

impl Ranks {
    fn new(count: u32, exponent: f64) -> Self {
        let count = count.max(1);
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| f64::from(rank).powf(-exponent));
        let mut table: Vec<f64> = if exponent == 0.0 { Vec::new() } else { weights.collect() };
        for value in &mut table {
            sum += *value;
            *value = sum;
        }
        table.iter_mut().for_each(|value| *value /= sum);
        Self { count: count as usize, table }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let chance = random.uniform();
        let rank = if self.table.is_empty() {
            (chance * self.count as f64) as usize
        } else {
            self.table.partition_point(|value| *value <= chance)
        };
        rank.min(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: Skew = Skew { users: 0.0, domains: 0.0 };

    #[test]
    fn names_and_passwords_follow_their_patterns() {
        let naming = Naming { user: "u{}@d{d}.example".to_owned(), domains: 3, password: "p w".to_owned() };
        assert_eq!(naming.account(7), "u7@d1.example");
        assert_eq!(naming.password(7, 0), "p w");
        assert_eq!(naming.password(7, 2), "p w-7-2");
    }

    #[test]
    fn everybody_is_lent_and_nobody_twice() {
        let mut random = Random::new(3);
        let mut population = Population::new(10, 3, EVEN, &[]);
        let mut lent: Vec<u32> = std::iter::from_fn(|| population.lend(&mut random)).map(|lent| lent.index).collect();
        lent.sort_unstable();
        assert_eq!(lent, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn an_outcome_decides_the_next_password() {
        let mut random = Random::new(3);
        let mut population = Population::new(1, 1, EVEN, &[]);
        for (outcome, next) in [
            (Some(Outcome::Acknowledged), Some((1, 2))),
            (Some(Outcome::Refused), Some((1, 3))),
            (None, Some((1, 3))),
            (Some(Outcome::Unknown), None),
        ] {
            let lent = population.lend(&mut random).unwrap();
            population.take_back(&lent, outcome);
            let after = population.lend(&mut random);
            assert_eq!(after.as_ref().map(|lent| (lent.password, lent.attempt)), next, "{outcome:?}");
            if let Some(after) = after {
                population.take_back(&after, None);
            }
        }
    }

    #[test]
    fn history_is_continued() {
        let entry = |account, number, outcome| Entry { account, number, outcome };
        let history = [
            entry(0, 1, Some(Outcome::Acknowledged)),
            entry(0, 2, Some(Outcome::Refused)),
            entry(1, 1, None),
            entry(2, 1, Some(Outcome::Unknown)),
        ];
        let mut population = Population::new(3, 1, EVEN, &history);
        let mut random = Random::new(3);
        assert_eq!(population.lend(&mut random), Some(Lent { index: 0, password: 1, attempt: 3 }));
        assert_eq!(population.lend(&mut random), None);
    }

    /// Zipf's law with exponent 1: rank r has 1/r of the share of the first.
    #[test]
    fn some_accounts_and_some_domains_are_preferred() {
        let mut random = Random::new(5);
        let mut population = Population::new(400, 4, Skew { users: 1.0, domains: 1.0 }, &[]);
        let (mut domains, mut firsts) = ([0_u32; 4], 0_u32);
        for _ in 0..4000 {
            let lent = population.lend(&mut random).unwrap();
            domains[lent.index as usize % 4] += 1;
            firsts += u32::from(lent.index < 4);
            population.take_back(&lent, None);
        }
        // 12/25, 6/25, 4/25 and 3/25 of the sessions, within four standard deviations.
        for (found, expected) in domains.into_iter().zip([1920, 960, 640, 480]) {
            assert!(found.abs_diff(expected) < 127, "{domains:?}");
        }
        // 1 / (1 + 1/2 + … + 1/100) of them for the first account of each domain.
        assert!(firsts.abs_diff(771) < 100, "{firsts}");
    }
}
