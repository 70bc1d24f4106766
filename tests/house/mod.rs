//! House rules: what the code looks like and where things live, kept by tests.

pub(crate) mod commands;
mod layers;
mod refusals;
mod replies;
pub(crate) mod source;

use std::collections::BTreeSet;
use std::fs;

use self::source::{Source, collect, identifiers, item_end, root, rust_files};

/// Folders that may hold `unsafe`, with the reason.
const UNSAFE: &[(&str, &str)] = &[
    ("src/cpu.rs", "system calls that have no safe wrapper"),
    ("src/program/passed.rs", "descriptors that systemd passes by their numbers"),
    ("src/ring/", "the kernel shares memory with us there"),
    ("loadtest/src/peak/", "the load generator's own ring"),
    ("src/auth/argon2id/", "vector instructions, and memory advised to the kernel"),
];

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 800;

/// Longest function body, in lines of code.
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions (`path` or `path::name`) that may be longer, with the reason.
const LONGER: &[(&str, &str)] = &[];

/// What may lie at the top level, apart from dotfiles.
const TOP_LEVEL: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "benches", "loadtest", "src", "tests"];

/// What running the product leaves at the top level; git ignores it.
const LEFTOVERS: &[&str] = &["keyturn-data", "target"];

fn all_sources() -> Vec<Source> {
    ["src", "tests", "benches", "loadtest"].iter().flat_map(|folder| rust_files(folder)).collect()
}

fn report(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn unsafe_stays_behind_its_doors() {
    let mut offences = Vec::new();
    for file in all_sources().iter().filter(|file| !UNSAFE.iter().any(|(door, _)| file.path.starts_with(door))) {
        let found = identifiers(&file.code).into_iter().filter(|found| found.word == "unsafe");
        offences.extend(found.map(|found| format!("{}:{}", file.path, found.line)));
    }
    report("`unsafe` outside its folders", &offences);
}

#[test]
fn only_auth_attests_that_a_password_was_right() {
    let mut offences = Vec::new();
    for file in rust_files("src").iter().filter(|file| !file.path.starts_with("src/auth/")) {
        let found = identifiers(&file.product).into_iter().filter(|found| found.word == "attest");
        let calls = found.filter(|found| !found.before.ends_with("fn "));
        offences.extend(calls.map(|found| format!("{}:{}", file.path, found.line)));
    }
    report("`Authenticated::attest` called outside auth", &offences);
}

#[test]
fn files_and_functions_are_short() {
    let excepted = |name: &str| LONGER.iter().any(|(longer, _)| *longer == name);
    let mut offences = Vec::new();
    for file in all_sources() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX && !excepted(&file.path) {
            offences.push(format!("{}: {lines} lines", file.path));
        }
        for (name, lines) in functions(&file.code) {
            let name = format!("{}::{name}", file.path);
            if lines > FUNCTION_LINES_MAX && !excepted(&name) {
                offences.push(format!("{name}: {lines} lines"));
            }
        }
    }
    report("too long", &offences);
}

/// The functions in `code`, each with the number of lines of code between its braces.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ") {
        let start = from + at;
        from = start + 3;
        let is_word = !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name = code[from..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !is_word || name.is_empty() {
            continue;
        }
        let item = &code[start..item_end(code, start)];
        let body = item.split_once('{').map_or("", |(_, body)| body.trim_end().trim_end_matches('}'));
        found.push((name, body.lines().filter(|line| !line.trim().is_empty()).count()));
    }
    found
}

#[test]
fn functions_are_measured_by_their_lines_of_code() {
    assert_eq!(functions("fn a() {\n    b();\n\n    c();\n}\nfn d();\n"), [("a", 2), ("d", 0)]);
}

#[test]
fn every_limit_is_reached_by_some_test() {
    let limits = rust_files("src/model").into_iter().find(|file| file.path == "src/model/limits.rs").unwrap();
    let mut tested: BTreeSet<String> = BTreeSet::new();
    for file in rust_files("src").iter().chain(&rust_files("tests")) {
        let code = file.test_code();
        tested.extend(identifiers(&code).iter().map(|found| found.word.to_owned()));
    }
    for text in transcripts() {
        tested.extend(identifiers(&text).iter().map(|found| found.word.to_owned()));
    }
    let names = identifiers(&limits.product);
    let constants = names.iter().filter(|found| found.before.ends_with("const "));
    let untested = constants.filter(|found| !tested.contains(found.word)).map(|found| found.word.to_owned());
    report("limits that no test names", &untested.collect::<Vec<_>>());
}

/// The texts of all transcripts.
fn transcripts() -> Vec<String> {
    let mut paths = Vec::new();
    collect(&root().join("tests/transcripts"), &mut paths);
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn the_readme_shows_a_dialogue_that_was_played() {
    let dialogue = |text: &str| {
        let is_spoken = |line: &&str| line.starts_with("C: ") || line.starts_with("S: ");
        text.lines().map(str::trim).filter(is_spoken).map(str::to_owned).collect::<Vec<_>>()
    };
    let readme = dialogue(&fs::read_to_string(root().join("README.md")).unwrap());
    let played = dialogue(&fs::read_to_string(root().join("tests/transcripts/readme.txt")).unwrap());
    assert!(!played.is_empty(), "tests/transcripts/readme.txt holds a dialogue");
    assert_eq!(readme, played, "README.md and tests/transcripts/readme.txt differ");
}

#[test]
fn the_top_level_stays_as_it_is() {
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strangers = names.filter(|name| {
        let name = name.as_str();
        !name.starts_with('.') && !TOP_LEVEL.contains(&name) && !LEFTOVERS.contains(&name)
    });
    report("unexpected at the top level", &strangers.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("to", "do!")];
    let mut paths = vec![root().join("README.md"), root().join("Cargo.toml"), root().join("tests/run")];
    ["src", "tests", "benches", "loadtest", ".ci"].iter().for_each(|folder| collect(&root().join(folder), &mut paths));
    let mut offences = Vec::new();
    for path in paths {
        // Recorded inputs of the fuzz targets are no text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let is_word = |c: char| !c.is_alphanumeric() && c != '_' && c != '!';
        for (index, line) in text.lines().enumerate() {
            if line.split(is_word).any(|word| marks.contains(&word)) {
                offences.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    report("marks of unfinished work", &offences);
}
