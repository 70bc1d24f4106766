use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use keyturn::auth::Credentials;
use keyturn::directory::{DirectoryFault, Edit, NewAccount};
use keyturn::model::DomainName;
use keyturn::store::{Outcome, Transaction};

use super::checkpoint::Checkpoint;
use super::entry::{Entry, Password, Reject};
use super::format::{self, Format, Numbered};
use crate::program::account::domain_name;
use crate::program::arguments::{Existing, ImportArguments};
use crate::program::data::{Absent, Data, now_unix};
use crate::program::failure::{Exit, Failure};
use crate::program::settings::Source;
use crate::program::welcome;

/// Accounts that share one sync.
const BATCH: usize = 4000;

/// Imports a file and returns what to tell.
///
/// # Errors
/// Some lines were rejected, each of which has been told; or nothing could be done at all.
pub(crate) fn import(arguments: &ImportArguments, path: &Path, source: &Source) -> Result<String, Failure> {
    let input = Input::open(arguments)?;
    let stated = arguments.domain.as_deref().map(domain_name).transpose()?;
    let absent = if arguments.dry_run { Absent::Refuse } else { Absent::Create { main_domain: stated.as_ref() } };
    let data = Data::open(path, source, absent)?;
    if !arguments.dry_run {
        welcome::found(&data, path)?;
    }
    let domain = stated.unwrap_or_else(|| data.config.main_domain.clone());
    let beginning = input.checkpoint.clone();
    let checkpoint = match beginning {
        Some(beginning) if !arguments.from_start => Some(beginning.resumed(&data)?),
        beginning => beginning,
    };
    let bar = input.bar;
    let reader = Box::new(bar.wrap_read(input.reader));
    let mut file =
        input.format.read(reader, &domain).map_err(|why| Failure::failed(format_args!("{}: {why}", input.name)))?;
    let mut stderr = io::stderr();
    let mut import = Import::new(&data, arguments, input.name, bar, &mut stderr);
    import.checkpoint = checkpoint;
    import.run(&mut *file)?;
    import.bar.finish_and_clear();
    let told = import.tally.told(arguments, &file.ignored());
    if import.tally.rejected == 0 { Ok(told) } else { Err(Failure::failed(told.trim_end())) }
}

/// A file to be read.
struct Input {
    /// What it is called in messages.
    name: String,
    reader: Box<dyn Read>,
    format: Format,
    bar: ProgressBar,
    /// Its beginning; standard input has none to come back to.
    checkpoint: Option<Checkpoint>,
}

impl Input {
    fn open(arguments: &ImportArguments) -> Result<Self, Failure> {
        let path = &arguments.file;
        if path.as_os_str() == "-" {
            let format = arguments.format.ok_or_else(|| Failure::new(Exit::Usage, "name the format with --format"))?;
            let (name, reader) = ("standard input".to_owned(), Box::new(io::stdin()));
            let bar = ProgressBar::new_spinner().with_style(style("{spinner} {bytes} read, {msg}"));
            return Ok(Self { name, reader, format, bar, checkpoint: None });
        }
        let format = arguments.format.map_or_else(|| Format::of(path), Ok)?;
        let name = path.display().to_string();
        let file = File::open(path).map_err(|fault| Failure::failed(format_args!("{name}: {fault}")))?;
        let checkpoint = Checkpoint::beginning(path, &file)?;
        let bytes = file.metadata().map_err(Failure::failed)?.len();
        let bar = ProgressBar::new(bytes);
        bar.set_style(style("{bar:40} {percent}% {msg}, {eta} left"));
        Ok(Self { name, reader: Box::new(file), format, bar, checkpoint: Some(checkpoint) })
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What became of the accounts in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) added: u64,
    pub(super) updated: u64,
    pub(super) kept: u64,
    pub(super) rejected: u64,
    /// Dealt with by an earlier run.
    pub(super) skipped: u64,
}

impl Tally {
    fn told(&self, arguments: &ImportArguments, ignored: &[String]) -> String {
        let Self { added, updated, kept, rejected, skipped } = self;
        let would = if arguments.dry_run { "would be " } else { "" };
        let mut text = format!(
            "{added} accounts {would}added, {updated} {would}updated, {kept} there already, {rejected} rejected"
        );
        if *skipped > 0 {
            text.push_str(&format!("; {skipped} before them were dealt with by an earlier run"));
        }
        if !ignored.is_empty() {
            text.push_str(&format!("; columns ignored: {}", ignored.join(", ")));
        }
        text.push('\n');
        text
    }
}

/// An import under way.
pub(super) struct Import<'a> {
    data: &'a Data,
    arguments: &'a ImportArguments,
    name: String,
    bar: ProgressBar,
    /// Where rejected lines are told.
    told: &'a mut dyn Write,
    pub(super) checkpoint: Option<Checkpoint>,
    /// Hashes of the names that a dry run would have taken.
    taken: HashSet<u64>,
    numbers: RandomState,
    /// Domains that exist, or would by now.
    domains: HashSet<DomainName>,
    pub(super) tally: Tally,
}

/// What is to be committed for one account.
struct Step {
    line: u64,
    transaction: Transaction,
    is_new: bool,
}

impl<'a> Import<'a> {
    pub(super) fn new(
        data: &'a Data,
        arguments: &'a ImportArguments,
        name: String,
        bar: ProgressBar,
        told: &'a mut dyn Write,
    ) -> Self {
        Self {
            data,
            arguments,
            name,
            bar,
            told,
            checkpoint: None,
            taken: HashSet::new(),
            numbers: RandomState::new(),
            domains: HashSet::new(),
            tally: Tally::default(),
        }
    }

    /// Imports all of `file`, or what an earlier run has left of it.
    ///
    /// # Errors
    /// The file or the store fails.
    pub(super) fn run(&mut self, file: &mut dyn format::Source) -> Result<(), Failure> {
        let resumed = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.line);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = file.next().map_err(|fault| Failure::failed(format_args!("{}: {fault}", self.name)))?;
            let is_last = next.is_none();
            match next {
                Some(numbered) if numbered.line <= resumed => self.tally.skipped += 1,
                Some(numbered) => batch.push(numbered),
                None => {}
            }
            if batch.len() == BATCH || is_last {
                self.take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)), is_last)?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Imports the accounts of a batch, and notes how far the import has come.
    fn take(&mut self, batch: Vec<Numbered>, is_last: bool) -> Result<(), Failure> {
        let line = batch.last().map(|numbered| numbered.line);
        let mut entries = Vec::with_capacity(batch.len());
        for Numbered { line, entry } in batch {
            match entry {
                Ok(entry) => entries.push((line, entry)),
                Err(why) => self.reject(line, &why),
            }
        }
        let mut steps = Vec::with_capacity(entries.len());
        for (line, account) in self.hash(entries) {
            match self.prepare(account) {
                Ok(Some((transaction, is_new))) => steps.push(Step { line, transaction, is_new }),
                Ok(None) => self.tally.kept += 1,
                Err(DirectoryFault::Read(fault)) => return Err(fault.into()),
                Err(fault) => self.reject(line, &reason(&fault)),
            }
        }
        let transactions: Vec<_> = steps.iter_mut().map(|step| std::mem::take(&mut step.transaction)).collect();
        let outcomes = if self.arguments.dry_run { Vec::new() } else { self.commit(transactions, line, is_last)? };
        for (index, step) in steps.iter().enumerate() {
            match outcomes.get(index) {
                Some(Outcome::Conflict) => self.reject(step.line, &"the name is taken by an earlier line".into()),
                _ if step.is_new => self.tally.added += 1,
                _ => self.tally.updated += 1,
            }
        }
        let Tally { added, updated, rejected, .. } = self.tally;
        self.bar.set_message(format!("{} accounts, {rejected} rejected", added + updated));
        Ok(())
    }

    fn commit(
        &mut self,
        mut group: Vec<Transaction>,
        line: Option<u64>,
        is_last: bool,
    ) -> Result<Vec<Outcome>, Failure> {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.line = line.unwrap_or(checkpoint.line);
            group.push(if is_last { Checkpoint::forget(self.data)? } else { checkpoint.keep(self.data)? });
        }
        Ok(self.data.store.commit(&group)?)
    }

    /// Makes accounts of the entries; passwords are hashed on all cores.
    fn hash(&self, entries: Vec<(u64, Entry)>) -> Vec<(u64, NewAccount)> {
        let now = now_unix();
        let is_plain = |(_, entry): &(u64, Entry)| matches!(entry.password, Some(Password::Plain(_)));
        let cores =
            if entries.iter().any(is_plain) { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
        let convert = |entries: Vec<(u64, Entry)>| {
            let mut hasher = None;
            let convert = |(line, entry): (u64, Entry)| {
                // An entry whose domain is not there is rejected later, for that reason.
                let edit = Edit::Update(entry.settings.clone());
                let wanted = self.data.directory.wanted_with(&entry.name, &edit).unwrap_or_default();
                let hash = |secret: &_| -> Credentials {
                    let hasher = hasher.get_or_insert_with(|| self.data.hasher());
                    hasher.make_as(secret, now, None, wanted)
                };
                (line, entry.into_account(now, hash))
            };
            entries.into_iter().map(convert).collect::<Vec<_>>()
        };
        if cores == 1 {
            return convert(entries);
        }
        let share = entries.len().div_ceil(cores);
        let mut shares: Vec<Vec<_>> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            if index % share == 0 {
                shares.push(Vec::with_capacity(share));
            }
            shares.last_mut().expect("one was just begun").push(entry);
        }
        thread::scope(|scope| {
            let threads: Vec<_> = shares.into_iter().map(|share| scope.spawn(|| convert(share))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("hashing does not panic")).collect()
        })
    }

    /// What to commit for `account`, and whether it is new; `None`: it is there, and stays as it is.
    fn prepare(&mut self, account: NewAccount) -> Result<Option<(Transaction, bool)>, DirectoryFault> {
        let directory = &self.data.directory;
        if let Some(found) = directory.account(&account.name)? {
            let credentials = Some(account.credentials).filter(|credentials| !credentials.verifiers.is_empty());
            // Those of applications and single services stay as they are.
            let alternatives = found.credentials.alternatives.clone();
            let credentials = credentials.map(|credentials| Credentials { alternatives, ..credentials });
            return match self.arguments.existing {
                Existing::Keep => Ok(None),
                Existing::Reject => Err(DirectoryFault::NameTaken(found.name)),
                Existing::Update => {
                    let change = directory.edit_account(&found, Edit::Update(account.settings), credentials)?;
                    Ok(Some((change, false)))
                }
            };
        }
        self.expect_domain(account.name.domain())?;
        if self.arguments.dry_run {
            self.take_names(&account)?;
        }
        if self.data.directory.domain_named(account.name.domain())?.is_none() {
            // A dry run makes no domains.
            return Ok(Some((Transaction::default(), true)));
        }
        directory.add_account(account).map(|change| Some((change, true)))
    }

    /// Sees to it that there is such a domain.
    fn expect_domain(&mut self, domain: &DomainName) -> Result<(), DirectoryFault> {
        if self.domains.contains(domain) {
            return Ok(());
        }
        let directory = &self.data.directory;
        if directory.domain_named(domain)?.is_none() {
            if !self.arguments.create_domains {
                return Err(DirectoryFault::NoDomain(domain.clone()));
            }
            let change = directory.create_domain(domain, now_unix())?;
            if !self.arguments.dry_run {
                // Whatever is wrong with the store is told when the accounts are committed.
                self.data.store.commit(&[change]).ok();
            }
        }
        self.domains.insert(domain.clone());
        Ok(())
    }

    /// Notes the names of an account that is not made.
    fn take_names(&mut self, account: &NewAccount) -> Result<(), DirectoryFault> {
        for name in std::iter::once(&account.name).chain(&account.aliases) {
            if !self.taken.insert(self.numbers.hash_one(name)) {
                return Err(DirectoryFault::NameTaken(name.clone()));
            }
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, why: &Reject) {
        self.tally.rejected += 1;
        let Self { name, told, .. } = self;
        // Nobody is left to hear that the message could not be written.
        self.bar.suspend(|| writeln!(told, "{name}:{line}: {why}").unwrap_or_default());
    }
}

/// Why an account cannot be made, and what to do about it. Names are no secrets, but a line that
/// is not what it should be may have anything for one.
fn reason(fault: &DirectoryFault) -> Reject {
    if matches!(fault, DirectoryFault::NoDomain(_)) {
        "its domain does not exist: add it with `keyturn domain add`, or all of them with --create-domains".into()
    } else if matches!(fault, DirectoryFault::NameTaken(_)) {
        "the name, or one of the aliases, is taken already".into()
    } else {
        Reject::new(fault)
    }
}
