//! `keyturn settings`: what administrators have set over the wire, seen and undone offline. Whoever
//! has closed the listeners or denied his own address has no other way back.

use std::fmt::Write;
use std::path::Path;

use keyturn::control::{LISTS, List, MODULE, ROUTER_TABLE};
use keyturn::directory::{DirectoryFault, Holder};
use keyturn::notation::{Dictionary, Value};

use super::arguments::SettingsCommand;
use super::data::{Absent, Data};
use super::failure::Failure;
use super::settings::Source;

/// Carries out a command on what was set over the wire and returns what to print.
pub(crate) fn settings(action: &SettingsCommand, path: &Path, source: &Source) -> Result<String, Failure> {
    let data = Data::open(path, source, Absent::Refuse)?;
    match action {
        SettingsCommand::Show => show(&data),
        SettingsCommand::Reset => reset(&data),
    }
}

/// What there may be: whose it is, its name, and its value when nothing was set.
fn places() -> impl Iterator<Item = (Holder, &'static str, Value)> {
    let module = (Holder::Server, MODULE, Value::Dictionary(Dictionary::new()));
    let texts = LISTS.map(List::name).into_iter().chain([ROUTER_TABLE]);
    let of = |holder: Holder| texts.clone().map(move |name| (holder.clone(), name, Value::from("")));
    std::iter::once(module).chain(of(Holder::Server)).chain(of(Holder::Cluster))
}

fn show(data: &Data) -> Result<String, Failure> {
    let mut out = String::new();
    for (holder, name, nothing) in places() {
        let kept = data.directory.kept(&holder, name)?;
        if let Some(value) = kept.filter(|value| *value != nothing) {
            let whose = if holder == Holder::Cluster { "cluster " } else { "" };
            writeln!(out, "{whose}{name} = {value}").map_err(Failure::failed)?;
        }
    }
    if out.is_empty() {
        out.push_str("nothing was set over the wire\n");
    }
    Ok(out)
}

fn reset(data: &Data) -> Result<String, Failure> {
    for (holder, name, nothing) in places() {
        data.commit(data.directory.keep(&holder, name, |_| Ok::<_, DirectoryFault>(nothing))?)?;
    }
    Ok("the configuration file holds again, no address is denied or blacklisted, and the router table is empty\n"
        .to_owned())
}
