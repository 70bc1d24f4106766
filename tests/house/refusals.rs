//! Whatever the command line says when it refuses something is seen in some transcript.

use super::report;
use super::source::{Source, literals, rust_files};
use crate::transcript::every_script;
use crate::transcript::limits;
use crate::transcript::script::Step;

/// Where the words of a refusal stand: a file, and what comes before them there.
const WORDS: &[(&str, &str)] = &[
    ("src/cli/refusal.rs", "impl fmt::Display for Refusal {"),
    ("src/config/module.rs", "impl Config {"),
    ("src/directory/router.rs", "impl fmt::Display for RouterFault {"),
    ("src/model/networks.rs", "impl fmt::Display for BadNetwork {"),
    ("src/notation/fault.rs", "impl fmt::Display for SyntaxFault {"),
];

/// What no transcript shows, with the reason.
const UNTOLD: &[(&str, &str)] = &[
    ("the server is not set up", "nobody can log in to such a server"),
    ("the settings cannot be kept", "what a client can say can be kept"),
    ("cannot be used", "numbers that can be used each can be used together"),
    ("domain has too many objects for one step", "it takes a hundred thousand"),
    ("the answer is too long - ask for a part of it", "it takes sixteen mebibytes"),
    ("something follows the value", "a command goes on behind a value"),
    ("more than {TEXT_BYTES_MAX} bytes", "no line is so long"),
];

/// Shorter pieces of words say nothing.
const PIECE_BYTES_MIN: usize = 4;

/// The words for every refusal, as they stand in the sources, with their file.
fn words() -> Vec<(String, String)> {
    let mut words = Vec::new();
    for Source { path, text, .. } in rust_files("src") {
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let parts =
            WORDS.iter().filter(|(file, _)| *file == path).flat_map(|(_, before)| product.split(before).skip(1));
        let inner = parts.map(|part| part.split("\n}\n").next().unwrap_or_default());
        let all = inner.flat_map(literals).map(|(_, literal)| literal);
        let is_general = |at: usize| product[..at].trim_end().ends_with("General(");
        let general = literals(product).into_iter().filter(|(at, _)| path.starts_with("src/cli/") && is_general(*at));
        let found = all.chain(general.map(|(_, literal)| literal));
        words.extend(found.map(|found| (path.clone(), found.to_owned())));
    }
    words
}

/// What is said word for word: `must have {count} bytes` says `must have ` and ` bytes`.
fn pieces(words: &str) -> impl Iterator<Item = &str> {
    let outside = words.split('{').enumerate().map(|(index, part)| match index {
        0 => part,
        _ => part.split_once('}').map_or("", |(_, after)| after),
    });
    outside.filter(|piece| piece.len() >= PIECE_BYTES_MIN)
}

#[test]
fn every_refusal_of_the_command_line_is_seen_in_some_transcript() {
    let steps = every_script(&limits()).into_iter().flat_map(|(_, steps)| steps);
    let heard = |(_, step)| match step {
        Step::Hear { pattern, .. } => pattern.starts_with('5').then_some(pattern),
        Step::Say { .. } | Step::Do(_) => None,
    };
    let refused: Vec<String> = steps.filter_map(heard).collect();
    let words = words();
    assert!(words.len() > 80, "the words have moved: {} are left", words.len());
    let is_told = |words: &str| refused.iter().any(|line| pieces(words).all(|piece| line.contains(piece)));
    let mut wrong = Vec::new();
    for (path, words) in words.iter().filter(|(_, words)| pieces(words).next().is_some()) {
        let is_untold = UNTOLD.iter().any(|(untold, _)| untold == words);
        if is_told(words) == is_untold {
            wrong.push(format!("{path}: {words}"));
        }
    }
    report("refusals in no transcript, or in one although they are said to be in none", &wrong);
}
