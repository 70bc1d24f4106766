//! The layer table of `src/ARCHITECTURE.md` against what the modules use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::source::{Identifier, identifiers, root, rust_files};

/// The rows of the table.
struct Layers {
    /// Which modules each module may use.
    uses: BTreeMap<String, BTreeSet<String>>,
    /// In which modules each outside crate that the table names may be used.
    crates: BTreeMap<String, BTreeSet<String>>,
}

impl Layers {
    fn read() -> Self {
        let text = fs::read_to_string(root().join("src/ARCHITECTURE.md")).unwrap();
        let mut rows =
            text.lines().map(cells).skip_while(|cells| !cells.starts_with(&["module".into(), "may use".into()]));
        let header =
            rows.next().expect("src/ARCHITECTURE.md has a table whose first columns are 'module' and 'may use'");
        let crates_column =
            header.iter().position(|cell| cell.contains("crates")).expect("the table has a column of crates");
        let mut layers = Self { uses: BTreeMap::new(), crates: BTreeMap::new() };
        for row in rows.skip(1).take_while(|row| row.len() == header.len()) {
            let module = words(&row[0]).remove(0);
            let mut uses = BTreeSet::from([module.clone()]);
            if row[1].contains("the above") || row[1].contains("everything above") {
                uses.extend(layers.uses.keys().cloned());
            }
            uses.extend(words(&row[1]));
            layers.uses.insert(module.clone(), uses);
            for name in words(&row[crates_column]) {
                layers.crates.entry(name.replace('-', "_")).or_default().insert(module.clone());
            }
        }
        layers
    }
}

/// The cells of a table's row, trimmed; none for a line that is no row.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inner.map(|inner| inner.split('|').map(|cell| cell.trim().to_owned()).collect()).unwrap_or_default()
}

/// The names in a cell, remarks in parentheses left out.
fn words(cell: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let outside = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    let plain: String = cell.chars().filter(outside).collect();
    let is_part = |c: char| c.is_alphanumeric() || "_-".contains(c);
    plain.split(|c| !is_part(c)).filter(|word| word.contains(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// The module of the top layer that a file belongs to.
fn module_of(path: &str) -> &str {
    let path = path.trim_start_matches("src/");
    path.split_once('/').map_or(path.trim_end_matches(".rs"), |(module, _)| module)
}

/// The name that follows `crate::` (or `keyturn::`) when `found` is that word, or the first names
/// of all branches of a `crate::{…}`.
fn modules_named(found: &Identifier<'_>) -> Vec<String> {
    if !["crate", "keyturn"].contains(&found.word) {
        return Vec::new();
    }
    let Some(path) = found.after.strip_prefix("::") else { return Vec::new() };
    let head = |path: &str| path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    match path.strip_prefix('{') {
        Some(branches) => branches.split(',').filter_map(head).filter(|name| !name.is_empty()).collect(),
        None => head(path).into_iter().collect(),
    }
}

#[test]
fn modules_use_only_what_the_layer_table_allows() {
    let layers = Layers::read();
    let mut offences = Vec::new();
    for file in rust_files("src").iter().filter(|file| file.path != "src/lib.rs") {
        let module = module_of(&file.path);
        let Some(allowed) = layers.uses.get(module) else {
            offences.push(format!("{}: the table has no row for '{module}'", file.path));
            continue;
        };
        for found in identifiers(&file.product) {
            for named in modules_named(&found).iter().filter(|named| layers.uses.contains_key(*named)) {
                if !allowed.contains(named) {
                    let line = file.text.lines().nth(found.line - 1).unwrap_or_default();
                    offences.push(format!("{}:{}: {}", file.path, found.line, line.trim()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "not allowed by the table in src/ARCHITECTURE.md:\n{}", offences.join("\n"));
}

/// Who may speak to the log; lower layers return what happened and let the caller say it.
const SPEAKERS: &[&str] = &["service", "shard", "admin", "syslog", "main"];

#[test]
fn outside_crates_live_in_their_layers() {
    let layers = Layers::read();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut offences = Vec::new();
    for dependency in dependencies(&manifest) {
        let name = dependency.replace('-', "_");
        let mut homes = layers.crates.get(&name).cloned().unwrap_or_default();
        if name == "tracing" {
            homes.extend(SPEAKERS.iter().map(|&module| module.to_owned()));
        }
        if homes.is_empty() {
            offences.push(format!("Cargo.toml: the table gives '{dependency}' no home"));
        }
        for file in rust_files("src").iter().filter(|file| !homes.contains(module_of(&file.path))) {
            let is_use = |found: &&Identifier<'_>| found.word == name && is_crate_path(found);
            for found in identifiers(&file.product).iter().filter(is_use) {
                let line = file.text.lines().nth(found.line - 1).unwrap_or_default();
                offences.push(format!("{}:{}: {}", file.path, found.line, line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "outside the layers that the table names:\n{}", offences.join("\n"));
}

/// Whether the identifier begins a path, as the name of a crate does.
fn is_crate_path(found: &Identifier<'_>) -> bool {
    let starts = !found.before.ends_with("::") || found.before.ends_with(" ::");
    let is_use = found.before.trim_start().starts_with("use") && found.after.trim_start().starts_with(';');
    starts && (found.after.starts_with("::") || is_use)
}

/// The names in the `[dependencies]` table of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let table = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let entries = table.take_while(|line| !line.starts_with('['));
    entries.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect()
}

#[test]
fn the_table_is_read_as_written() {
    assert_eq!(words("`directory`, `auth` (record type only), the-store"), ["directory", "auth", "the-store"]);
    assert_eq!(words("–"), Vec::<String>::new());
    assert_eq!(cells("| a | b c |"), ["a", "b c"]);
    assert_eq!(module_of("src/main.rs"), "main");
    assert_eq!(module_of("src/ring/buffers.rs"), "ring");
    let named = identifiers("use crate::{model::Tick, store};").iter().flat_map(modules_named).collect::<Vec<_>>();
    assert_eq!(named, ["model", "store"]);
}
