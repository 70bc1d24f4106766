use std::cell::Cell;
use std::fmt;

use super::accounts::is_guarded;
use super::answer::Answer;
use super::arguments::Arguments;
use super::call::{Call, Deed, Perform, Scene, Work, is_lent, target};
use super::listing::Listing;
use super::refusal::{Refusal, Stop};
use super::right::{Actor, Target};
use super::table::{Found, Row, Status, find};
use crate::auth::Credentials;
use crate::control::Action;
#[cfg(doc)]
use crate::control::Control;
use crate::directory::Account;
use crate::model::Authenticated;
use crate::proto::CommandLine;
use crate::store::{ReadFault, Transaction};

/// A command line, who sent it, and what has been hashed for it so far.
///
/// [`Errand::run`] changes nothing and may be called as often as needed: again after the hashing
/// it asked for, and again when what it wanted to commit met somebody else's change.
pub struct Errand {
    line: CommandLine,
    is_inline: bool,
    made: Option<Credentials>,
    is_right: Option<bool>,
}

/// What is to happen next for an errand.
#[derive(Debug)]
pub enum Next {
    /// Tell the client this.
    Tell(Answer),
    /// Tell the client all pieces of this.
    List(Listing),
    /// Commit this; then tell the client that it is done.
    Commit {
        /// What to commit.
        transaction: Transaction,
        /// Whether to put it in force with [`Control::renew`] before the client is told.
        renews: bool,
    },
    /// Do this to the running server; then tell the client how it went.
    Do(Action),
    /// Do this work, then run the errand again.
    Hash(Work),
    /// Nothing: the caller's login is void, for the account is gone, or its password is another
    /// one now.
    Expired,
}

impl Errand {
    /// An errand for the session that sent `line`.
    #[must_use]
    pub fn new(line: CommandLine, is_inline: bool) -> Self {
        Self { line, is_inline, made: None, is_right: None }
    }

    /// Takes the result of [`Work::Make`].
    pub fn take_credentials(&mut self, credentials: Credentials) {
        self.made = Some(credentials);
    }

    /// Takes the result of [`Work::Check`].
    pub fn take_verdict(&mut self, is_right: bool) {
        self.is_right = Some(is_right);
    }

    /// The name that the command was sent under.
    pub(super) fn word(&self) -> &[u8] {
        split(self.line.as_bytes()).0
    }

    pub(super) fn made(&self) -> Option<&Credentials> {
        self.made.as_ref()
    }

    pub(super) fn is_right(&self) -> Option<bool> {
        self.is_right
    }

    /// Reads what the command needs and tells what is to happen. The rights of the caller are
    /// those in the directory now, not those it logged in with.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn run(&self, caller: &Authenticated, scene: &Scene<'_>) -> Result<Next, ReadFault> {
        let account = scene.sight.account(caller.account())?;
        let Some(account) = account.filter(|it| it.accepts(caller)) else {
            return Ok(Next::Expired);
        };
        let deed = if account.may_log_in() {
            let actor = Actor {
                rights: account.rights().to_vec(),
                is_of_main_domain: account.name.domain() == scene.sight.directory().main_domain(),
                bar: caller.bar(),
                name: account.name.clone(),
            };
            self.perform(&actor, scene)
        } else {
            Err(Refusal::NoRight.into())
        };
        Ok(match deed {
            Ok(Deed::Nothing) => Next::Tell(Answer::done()),
            Ok(Deed::Show(value)) => Next::Tell(Answer::data(&value, self.is_inline)),
            Ok(Deed::List(pages)) => Next::List(Listing::new(pages, self.is_inline)),
            Ok(Deed::Say(text)) => Next::Tell(Answer::remark(&text)),
            Ok(Deed::Commit(transaction)) => Next::Commit { transaction, renews: false },
            Ok(Deed::Renew(transaction)) => Next::Commit { transaction, renews: true },
            Ok(Deed::Act(action)) => Next::Do(action),
            Ok(Deed::Hash(work)) => Next::Hash(work),
            Err(Stop::Refused(refusal)) => Next::Tell(Answer::refused(refusal)),
            Err(Stop::Unreadable(fault)) => return Err(fault),
        })
    }

    fn perform(&self, actor: &Actor, scene: &Scene<'_>) -> Result<Deed, Stop> {
        let (word, rest) = split(self.line.as_bytes());
        if word.eq_ignore_ascii_case(b"HELP") {
            return Ok(Deed::Say(super::handbook::help(rest)));
        }
        let (row, perform, arguments) = understand(word, rest)?;
        let (target, found) = target(row, &arguments, actor, scene.sight.directory())?;
        check_right(row, actor, (&target, found.as_ref()), scene)?;
        perform(&Call { scene, errand: self, row, actor, target, found, arguments })
    }
}

/// The row that `word` names, what carries it out, and its arguments in `rest`.
fn understand(word: &[u8], rest: &[u8]) -> Result<(&'static Row, Perform, Arguments), Refusal> {
    match find(word) {
        Some(Found::Row(row, grammar)) => match row.status {
            Status::Full(perform) | Status::Partial(perform) => {
                let arguments = grammar.read(rest).map_err(|misfit| Refusal::Misfit(row, misfit))?;
                Ok((row, perform, arguments))
            }
            Status::Unsupported => Err(Refusal::Unsupported(row)),
        },
        Some(Found::Bygone(_)) => Err(Refusal::UnsupportedSpelling),
        None => Err(Refusal::UnknownCommand),
    }
}

/// Reads `line` as a command, and does nothing.
///
/// # Errors
/// What the client is told of its mistake.
pub fn check_line(line: &[u8]) -> Result<(), Answer> {
    let (word, rest) = split(line);
    understand(word, rest).map(drop).map_err(Answer::refused)
}

fn check_right(
    row: &'static Row,
    actor: &Actor,
    (target, found): (&Target, Option<&Account>),
    scene: &Scene<'_>,
) -> Result<(), Stop> {
    let fault = Cell::new(None);
    let administers_also = |domain: &_| {
        is_lent(domain, actor.name.domain(), scene.sight.directory()).unwrap_or_else(|unreadable| {
            fault.set(Some(unreadable));
            false
        })
    };
    let may = actor.may(row.right, target, row.is_reading(), administers_also);
    if let Some(fault) = fault.take() {
        return Err(fault.into());
    }
    // Whoever could change an account with more rights than his own could take them over.
    let is_own = matches!(target, Target::Object(name) if *name == actor.name);
    let is_guarded = || found.is_some_and(|account| is_guarded(account, scene.sight.directory()));
    let is_guarded = !row.is_reading() && !is_own && !actor.is_master() && is_guarded();
    if may && !is_guarded { Ok(()) } else { Err(Refusal::NoRight.into()) }
}

/// The first word of `line`, and what follows it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| b" {(\"".contains(byte)).unwrap_or(line.len());
    line.split_at(end)
}

/// What a log may show of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// The command's name.
    pub name: &'static str,
    /// Whether it changes something when it succeeds.
    pub is_change: bool,
}

/// Which command is on `line`; `None` when it is none, and may be a secret altogether.
#[must_use]
pub fn verb(line: &[u8]) -> Option<Verb> {
    Some(match find(split(line).0)? {
        Found::Row(row, _) => Verb { name: row.name(), is_change: !row.is_reading() },
        Found::Bygone(name) => Verb { name, is_change: false },
    })
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errand({})", verb(self.line.as_bytes()).map_or("?", |verb| verb.name))
    }
}
