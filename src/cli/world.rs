//! What the tests of commands have in common: a directory in memory, and whoever carries errands
//! out.

use std::sync::Arc;

use super::answer::Answer;
use super::call::{Scene, Work};
use super::errand::{Errand, Next};
use crate::auth::{Hasher, Recognizer};
use crate::config::Config;
use crate::control::Control;
use crate::directory::{Directory, Sight};
use crate::model::{AccountName, Argon2idCost, Authenticated, Clock, DomainName, Secret};
use crate::notation::{Dictionary, Form, Value};
use crate::proto::CommandLine;
use crate::store::{Embedded, Outcome, Store, Transaction};

/// The password of every account.
pub(super) const PASSWORD: &str = "blue harbor 42";

/// The main domain `main.example` with its postmaster, and more as tests need it.
pub(super) struct World {
    store: Arc<Embedded>,
    pub(super) directory: Directory,
    pub(super) control: Control,
    hasher: Hasher,
}

impl World {
    pub(super) fn new() -> Self {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let main_domain = DomainName::parse("main.example").unwrap();
        let directory = Directory::new(Arc::clone(&store) as Arc<dyn Store>, main_domain);
        let mut hasher = Hasher::new(Argon2idCost { m_kib: 32, t: 1, p: 1 }, Recognizer::new());
        let postmaster = hasher.make(&Secret::new(PASSWORD.as_bytes()).unwrap(), 1);
        let config = Config { main_domain: directory.main_domain().clone(), ..Config::default() };
        let world = Self { store, directory, control: Control::new(config, false, Clock::new()), hasher };
        world.commit(&world.directory.found(postmaster).unwrap());
        world
    }

    /// With `other.example`, also called `alias.example`; `admin`, who administers it, `user` in
    /// each domain, and `alias` of the one in `other.example`.
    pub(super) fn furnished() -> Self {
        let mut world = Self::new();
        for line in [
            "CREATEDOMAIN other.example",
            "SETDOMAINALIASES other.example (alias.example)",
            "CREATEACCOUNT user@main.example {Password=\"blue harbor 42\";}",
            "CREATEACCOUNT user@other.example {Password=\"blue harbor 42\";RealName=\"A User\";}",
            "SETACCOUNTALIASES user@other.example (alias)",
            "CREATEACCOUNT admin@other.example {Password=\"blue harbor 42\";}",
            "SETACCOUNTRIGHTS admin@other.example (Domain,BasicSettings,CanCreateAccounts,AccessModes)",
        ] {
            assert_eq!(world.master(line), "200 OK", "{line}");
        }
        world
    }

    fn commit(&self, transaction: &Transaction) -> bool {
        let outcomes = self.store.commit(std::slice::from_ref(transaction)).unwrap();
        matches!(outcomes[..], [Outcome::Committed(_)])
    }

    /// What an inline session of the postmaster is answered.
    pub(super) fn master(&mut self, line: &str) -> String {
        self.by("postmaster@main.example", line)
    }

    /// What an inline session of `account` is answered, without the end of the line.
    pub(super) fn by(&mut self, account: &str, line: &str) -> String {
        self.line_by(account, line.as_bytes())
    }

    /// As [`World::by`], for a line that need not be text.
    pub(super) fn line_by(&mut self, account: &str, line: &[u8]) -> String {
        let name = AccountName::parse(account).unwrap();
        let revision = self.directory.account(&name).unwrap().map_or(0, |account| account.password_revision);
        let proof = self.proof(name, revision);
        self.with_proof(&proof, line)
    }

    /// What a session has that logged in when the account's password was the `revision`th.
    pub(super) fn proof(&self, name: AccountName, revision: u64) -> Authenticated {
        self.hasher.renew(name, revision, &Secret::new(PASSWORD.as_bytes()).unwrap())
    }

    /// What an inline session that has shown `proof` is answered.
    pub(super) fn with_proof(&mut self, proof: &Authenticated, line: &[u8]) -> String {
        let mut errand = Errand::new(CommandLine::new(line), true);
        loop {
            let (sight, control) = (&Sight::new(&self.directory), &self.control);
            let scene =
                Scene { sight, now: 1_000_000_000, started_at: 999_999_000, password_characters_min: 8, control };
            match errand.run(proof, &scene).unwrap() {
                Next::Tell(answer) => return line_of(answer),
                Next::List(mut listing) => {
                    let mut bytes = Vec::new();
                    loop {
                        let piece = listing.next_piece(&self.directory).unwrap();
                        bytes.extend(piece.bytes);
                        if piece.is_last {
                            break;
                        }
                    }
                    return String::from_utf8(bytes).unwrap().strip_suffix("\r\n").unwrap().to_owned();
                }
                Next::Do(action) => return line_of(Answer::of(self.control.carry_out(action))),
                Next::Commit { transaction, renews } => {
                    if self.commit(&transaction) {
                        let restart = if renews { self.control.renew(&self.directory).unwrap() } else { Vec::new() };
                        return line_of(Answer::saved(&restart));
                    }
                }
                Next::Hash(Work::Make { secret, salt, wanted, .. }) => {
                    errand.take_credentials(self.hasher.make_as(&secret, 2, salt, wanted));
                }
                Next::Hash(Work::Check { account, secret }) => {
                    let subject = (account.name, account.password_revision, &account.credentials);
                    errand.take_verdict(self.hasher.authenticate(Some(subject), &secret).is_some());
                }
                Next::Expired => return "expired".to_owned(),
            }
        }
    }

    /// Expects what an inline session of the postmaster is answered to each of `lines`.
    #[track_caller]
    pub(super) fn expect(&mut self, lines: &[(&str, &str)]) {
        self.expect_by("postmaster@main.example", lines);
    }

    #[track_caller]
    pub(super) fn expect_by(&mut self, account: &str, lines: &[(&str, &str)]) {
        for (line, answer) in lines {
            assert_eq!(self.by(account, line), *answer, "{line}");
        }
    }
}

/// The only line of an answer, without its end.
fn line_of(answer: Answer) -> String {
    let text = String::from_utf8(answer.into_bytes()).unwrap();
    text.strip_suffix("\r\n").unwrap().to_owned()
}

/// The dictionary in the answer `201 {...}`.
pub(super) fn dictionary(answer: &str) -> Dictionary {
    let text = answer.strip_prefix("201 ").unwrap_or_else(|| panic!("{answer}"));
    let Value::Dictionary(dictionary) = Value::parse(text.as_bytes(), Form::Line).unwrap() else { panic!("{answer}") };
    dictionary
}
