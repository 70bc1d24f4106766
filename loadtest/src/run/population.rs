//! The accounts under load: which one comes next, and which passwords it has had.
//!
//! Passwords are numbered. Number 0 is the one the accounts were made with; every attempted change
//! takes the next number, whatever becomes of it, so a password says which attempt it belongs to.

use super::ledger::{Entry, Outcome};
use super::random::Random;

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

    /// The account's password with that number.
    pub(crate) fn password(&self, number: u32) -> String {
        if number == 0 { self.password.clone() } else { format!("{}-{number}", self.password) }
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

/// All accounts, of which one generator uses those whose index leaves its own remainder.
#[derive(Debug)]
pub(crate) struct Population {
    accounts: Vec<Account>,
    domains: Vec<f64>,
    users: Vec<f64>,
    part: u32,
    parts: u32,
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
    /// `count` accounts over `domains`, as `history` has left them; this is generator `part` of
    /// `parts`.
    pub(crate) fn new(count: u32, domains: u32, skew: Skew, history: &[Entry], part: u32, parts: u32) -> Self {
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
        Self { accounts, domains: zipf(domains, skew.domains), users: zipf(per_domain, skew.users), part, parts }
    }

    /// Lends an account that nobody uses, by chance; `None` when none is found.
    pub(crate) fn lend(&mut self, random: &mut Random) -> Option<Lent> {
        const TRIES: u32 = 256;
        for _ in 0..TRIES {
            let index = draw(&self.users, random) * self.domains.len() + draw(&self.domains, random);
            match self.accounts.get_mut(index) {
                Some(account) if index as u32 % self.parts == self.part && !account.withdrawn => {
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

/// The distribution function of Zipf's law over `count` ranks.
fn zipf(count: u32, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let mut table: Vec<f64> = (1..=count.max(1))
        .map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        })
        .collect();
    table.iter_mut().for_each(|value| *value /= sum);
    table
}

fn draw(table: &[f64], random: &mut Random) -> usize {
    let chance = random.uniform();
    table.partition_point(|value| *value <= chance).min(table.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: Skew = Skew { users: 0.0, domains: 0.0 };

    #[test]
    fn names_and_passwords_follow_their_patterns() {
        let naming = Naming { user: "u{}@d{d}.example".to_owned(), domains: 3, password: "p w".to_owned() };
        assert_eq!(naming.account(7), "u7@d1.example");
        assert_eq!(naming.password(0), "p w");
        assert_eq!(naming.password(2), "p w-2");
    }

    #[test]
    fn nobody_is_lent_twice_and_parts_do_not_overlap() {
        let mut random = Random::new(3);
        let mut lent = Vec::new();
        for part in 0..2 {
            let mut population = Population::new(10, 2, EVEN, &[], part, 2);
            lent.extend(std::iter::from_fn(|| population.lend(&mut random)).map(|lent| lent.index));
        }
        lent.sort_unstable();
        assert_eq!(lent, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn an_outcome_decides_the_next_password() {
        let mut random = Random::new(3);
        let mut population = Population::new(1, 1, EVEN, &[], 0, 1);
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
        let mut population = Population::new(3, 1, EVEN, &history, 0, 1);
        let mut random = Random::new(3);
        assert_eq!(population.lend(&mut random), Some(Lent { index: 0, password: 1, attempt: 3 }));
        assert_eq!(population.lend(&mut random), None);
    }

    #[test]
    fn zipf_prefers_the_first() {
        let mut random = Random::new(5);
        let table = zipf(100, 1.0);
        let first = (0..1000).filter(|_| draw(&table, &mut random) == 0).count();
        assert!((140..250).contains(&first), "{first}");
    }
}
