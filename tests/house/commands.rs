//! Every command that is offered succeeds in some transcript, is refused in one, and is refused in
//! one to somebody who lacks the right; and what it changes is looked for after a kill.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::report;
use crate::transcript::script::Step;
use crate::transcript::{every_script, limits};

/// Commands that never succeed, with the reason.
const NEVER_SUCCEED: &[(&str, &str)] = &[("BLESSSESSION", "no login here has a second step")];

/// The tests in which servers are killed while they carry out commands.
const LEDGERS: [&str; 3] = [
    include_str!("../durability.rs"),
    include_str!("../durability_of_commands.rs"),
    include_str!("../durability_of_settings.rs"),
];

/// Commands that show nothing, and of which nothing is to be found after a kill.
const NOT_KEPT: &[(&str, &[&str])] = &[
    ("nothing is changed", &["NOOP", "VERIFYACCOUNTPASSWORD", "VERIFYACCOUNTIDENTITY", "BLESSSESSION", "WRITELOG"]),
    ("nothing here has such a part", &["REFRESHOSDATA", "RECONNECTCLUSTERADMIN", "SETTRACE"]),
    ("sessions end with the server", &["KILLSESSION", "KILLACCOUNTSESSIONS", "SHUTDOWN"]),
    ("it lasts as long as the server runs", &["SETLOGALL", "SETSTATELEMENT", "REPORTFAILEDLOGINADDRESS"]),
    ("it lasts as long as the server runs", &["TEMPBLACKLISTIP", "SETTEMPBLACKLISTEDIPS"]),
    ("it keeps the moment alone, as preferences are kept", &["RESETACCOUNTSTAT", "RESETDOMAINSTAT"]),
];

/// A command that is offered, as the page of commands has it.
pub(crate) struct Offered {
    pub(crate) name: String,
    /// Whether anybody who has logged in may call it.
    is_for_everybody: bool,
    /// Whether it shows nothing, as what changes something does.
    is_change: bool,
}

/// The commands that are offered.
pub(crate) fn offered() -> Vec<Offered> {
    let page = keyturn::cli::page();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        let name = cells[0].split(['`', ' ']).next()?.to_owned();
        let is_offered = !line.contains("(not supported)");
        is_offered.then(|| Offered {
            name,
            is_for_everybody: cells[1] == "everybody",
            is_change: cells[2] == "nothing",
        })
    };
    page.replace("\\|", "").lines().filter_map(row).collect()
}

/// The codes that each verb was answered with, in the transcripts.
fn answers() -> BTreeMap<String, BTreeSet<u16>> {
    let mut answers: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for (_, steps) in every_script(&limits()) {
        let mut said: BTreeMap<u8, VecDeque<String>> = BTreeMap::new();
        let mut begun: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let mut is_data = false;
        for (_, step) in steps {
            match step {
                Step::Say { client, bytes } => {
                    let line = begun.entry(client).or_default();
                    line.extend_from_slice(&bytes);
                    if !line.ends_with(b"\n") {
                        continue;
                    }
                    let line = String::from_utf8_lossy(&std::mem::take(line)).into_owned();
                    let verb = line.trim_start().split([' ', '{', '(', '"', '\r', '\n']).next().unwrap_or_default();
                    said.entry(client).or_default().push_back(verb.to_ascii_uppercase());
                }
                Step::Hear { .. } if is_data => is_data = false,
                Step::Hear { client, pattern } => {
                    is_data = pattern == "200 data follow";
                    let verb = said.entry(client).or_default().pop_front();
                    let code = pattern.get(..3).and_then(|code| code.parse().ok());
                    if let (Some(verb), Some(code)) = (verb, code) {
                        answers.entry(verb).or_default().insert(code);
                    }
                }
                Step::Do(_) => said.clear(),
            }
        }
    }
    answers
}

#[test]
fn every_offered_command_succeeds_in_some_transcript_and_is_refused_in_one() {
    let answers = answers();
    let mut unseen = Vec::new();
    for Offered { name, is_for_everybody, .. } in offered() {
        let codes = answers.get(&name).cloned().unwrap_or_default();
        let never = NEVER_SUCCEED.iter().any(|(command, _)| *command == name);
        if !never && !codes.iter().any(|code| code / 100 == 2) {
            unseen.push(format!("{name} succeeds in none"));
        }
        if !is_for_everybody && !codes.contains(&510) {
            unseen.push(format!("{name} is refused in none to who lacks the right"));
        }
        if !codes.iter().any(|code| code / 100 == 5 && *code != 510) {
            unseen.push(format!("{name} is refused in none for another reason"));
        }
    }
    report("commands that transcripts do not show", &unseen);
}

#[test]
fn whatever_a_command_changes_is_looked_for_after_a_kill() {
    let drawn: BTreeSet<&str> =
        LEDGERS.iter().flat_map(|text| text.split(|it: char| !it.is_ascii_uppercase())).collect();
    let not_kept: BTreeSet<&str> = NOT_KEPT.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut offences = Vec::new();
    for Offered { name, .. } in offered().into_iter().filter(|command| command.is_change) {
        if !drawn.contains(&*name) && !not_kept.contains(&*name) {
            offences.push(format!("{name} is in no ledger"));
        }
    }
    report("commands that no kill interrupts", &offences);
}
