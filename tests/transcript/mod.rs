//! The transcripts under `tests/transcripts`: the specification's examples, each played four ways.
//!
//! `KEYTURN_TRANSCRIPTS=rewrite` writes what was heard into the files instead of failing, so that
//! an intended change is one difference to review. `KEYTURN_TRANSCRIPT=login` plays those with
//! `login` in their names. `KEYTURN_SEED` repeats the random splits.

mod play;
pub(crate) mod script;

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::play::{Way, play};
use self::script::{Step, fits};
use crate::house::source::{collect, root};
use crate::world::client::Heard;
use crate::world::seed::seed;

/// Transcripts played at the same time.
const PLAYERS: usize = 4;

/// The values of `model::limits` under their names.
pub(crate) fn limits() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("src/model/limits.rs")).unwrap();
    let constants = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.strip_suffix(';'));
    let parsed = constants.filter_map(|constant| {
        let (name, value) = constant.split_once(": usize = ")?;
        Some((name.to_owned(), value.replace('_', "").parse().ok()?))
    });
    parsed.collect()
}

fn files() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    collect(&root().join("tests/transcripts"), &mut paths);
    let wanted = std::env::var("KEYTURN_TRANSCRIPT").unwrap_or_default();
    paths.retain(|path| name(path).contains(&wanted));
    paths.sort();
    paths
}

/// Every transcript's name and steps.
pub(crate) fn every_script(limits: &BTreeMap<String, usize>) -> Vec<(String, Vec<(usize, Step)>)> {
    let parse = |path: &PathBuf| {
        let steps = script::parse(&fs::read_to_string(path).unwrap(), limits);
        (name(path).to_owned(), steps.unwrap_or_else(|why| panic!("{}: {why}", name(path))))
    };
    files().iter().map(parse).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

#[test]
fn every_transcript_is_answered_alike_however_its_bytes_are_cut() {
    let (files, limits, seed) = (files(), limits(), seed());
    println!("KEYTURN_SEED={seed}");
    let rewrite = std::env::var("KEYTURN_TRANSCRIPTS").is_ok_and(|value| value == "rewrite");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if rewrite {
                        rewrite_file(path, &limits);
                    }
                    failures.lock().unwrap().extend(check(path, &limits, seed));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(!files.is_empty(), "no transcripts");
    assert!(failures.is_empty(), "KEYTURN_SEED={seed}\n{}", failures.join("\n"));
}

/// Plays one file in all four ways, each against the same expectations; returns what was wrong.
fn check(path: &Path, limits: &BTreeMap<String, usize>, seed: u64) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    if !text.starts_with("# ") {
        return vec![format!("{}: the first line says the point of the story, after '# '", name(path))];
    }
    let steps = match script::parse(&text, limits) {
        Ok(steps) => steps,
        Err(why) => return vec![format!("{}: {why}", name(path))],
    };
    let mut failures = Vec::new();
    for way in [Way::WholeLines, Way::ByteByByte, Way::RandomSplits(seed), Way::Pipelined] {
        let Ok(played) = catch_unwind(|| play(&steps, way, false)) else {
            return vec![format!("{}, {way:?}: panicked, see above", name(path))];
        };
        failures.extend(played.failures.iter().map(|what| format!("{}, {way:?}: {what}", name(path))));
        if !failures.is_empty() {
            break;
        }
    }
    failures
}

/// Replaces the expectations of a file that do not fit what is heard.
fn rewrite_file(path: &Path, limits: &BTreeMap<String, usize>) {
    let text = fs::read_to_string(path).unwrap();
    let steps = script::parse(&text, limits).unwrap_or_else(|why| panic!("{}: {why}", name(path)));
    let played = play(&steps, Way::WholeLines, true);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (index, step) in &steps {
        if let (Step::Hear { pattern, client }, Some(heard)) = (step, played.heard.get(index)) {
            let number = if *client == 1 { String::new() } else { client.to_string() };
            match heard {
                Heard::Line(line) if fits(pattern.as_bytes(), line) => {}
                Heard::Line(line) => lines[*index] = format!("S{number}: {}", String::from_utf8_lossy(line)),
                Heard::Eof(_) => lines[*index] = format!("expect eof {number}").trim_end().to_owned(),
                Heard::Reset | Heard::Silence => panic!("{}: line {}: {heard:?}", name(path), index + 1),
            }
        }
    }
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
