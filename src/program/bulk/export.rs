use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use keyturn::directory::Account;
use keyturn::model::{AccountName, DomainName};

use super::format::Format;
use crate::program::account::{domain_name, domains};
use crate::program::arguments::ExportArguments;
use crate::program::data::{Absent, Data};
use crate::program::failure::{Exit, Failure};
use crate::program::settings::Source;

/// Accounts read from the store at once.
const PAGE_COUNT: usize = 1000;

/// Writes the accounts to a file or to standard output, and returns what to tell besides.
pub(crate) fn export(arguments: &ExportArguments, path: &Path, source: &Source) -> Result<String, Failure> {
    let format = match (arguments.format, &arguments.output) {
        (Some(format), _) => format,
        (None, Some(output)) => Format::of(output)?,
        (None, None) => return Err(Failure::new(Exit::Usage, "name the format with --format")),
    };
    let data = Data::open(path, source, Absent::Refuse)?;
    let domains = match &arguments.domain {
        Some(name) => vec![domain_name(name)?],
        None => domains(&data)?,
    };
    if format == Format::Shadow && domains.len() > 1 {
        let text = "names in a shadow file have no domain: choose one domain with --domain";
        return Err(Failure::new(Exit::Usage, text));
    }
    match &arguments.output {
        Some(output) => {
            let told = |fault: io::Error| Failure::failed(format_args!("{}: {fault}", output.display()));
            let file = create(output).map_err(told)?;
            let mut out = BufWriter::new(&file);
            let count = write_all(&data, &domains, format, &mut out)?;
            out.flush().and_then(|()| file.sync_all()).map_err(told)?;
            drop(out);
            Ok(format!("{count} accounts written to {}\n", output.display()))
        }
        None => {
            write_all(&data, &domains, format, &mut BufWriter::new(io::stdout().lock()))?;
            Ok(String::new())
        }
    }
}

/// A file for the owner alone: it holds hashes. One that is there already is not written over.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub(super) fn write_all(
    data: &Data,
    domains: &[DomainName],
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, Failure> {
    let bar = if io::stdout().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.set_style(style());
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut text = format.header();
    let mut count = 0;
    for domain in domains {
        let mut last: Option<AccountName> = None;
        loop {
            let page: Vec<Account> = data.directory.accounts_in_full(domain, last.as_ref(), PAGE_COUNT)?;
            page.iter().for_each(|account| format.print(account, &mut text));
            match out.write_all(&text) {
                // A reader that has had enough, such as `head`, is no failure.
                Err(fault) if fault.kind() == ErrorKind::BrokenPipe => return Ok(count),
                written => {
                    written.map_err(|fault| Failure::failed(format_args!("the output cannot be written: {fault}")))?
                }
            }
            text.clear();
            count += u64::try_from(page.len()).unwrap_or_default();
            bar.set_position(count);
            match page.into_iter().next_back() {
                Some(account) => last = Some(account.name),
                None => break,
            }
        }
    }
    out.flush().map_err(|fault| Failure::failed(format_args!("the output cannot be written: {fault}")))?;
    bar.finish_and_clear();
    Ok(count)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {human_pos} accounts, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
