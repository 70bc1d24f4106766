//! Rust sources as the house rules read them: comments and literals blanked out, so that only
//! code is looked at, every line still at its number.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub(crate) struct Source {
    /// Relative to the repository root.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// Comments and the contents of literals replaced by spaces.
    pub(crate) code: String,
    /// `code` without what is compiled for tests only.
    pub(crate) product: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let code = blank_comments_and_literals(&text);
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let product = if is_test_file(&name) { blank(&code, 0, code.len()) } else { blank_test_items(&code) };
        Self { path: name, text, code, product }
    }

    /// What is compiled for tests only.
    pub(crate) fn test_code(&self) -> String {
        let only_tests = |(code, product): (char, char)| if code == product && code != '\n' { ' ' } else { code };
        self.code.chars().zip(self.product.chars()).map(only_tests).collect()
    }
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under `folder`, in order; none when there is no such folder.
pub(crate) fn rust_files(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths.iter().map(|path| Source::read(path)).collect()
}

/// Every file under `folder`, what builds and fuzzing have left there excepted.
pub(crate) fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("corpus") {
                collect(&path, into);
            }
        } else {
            into.push(path);
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The identifiers of `code` with the number of their line, counted from 1, and what precedes
/// and follows them.
pub(crate) fn identifiers(code: &str) -> Vec<Identifier<'_>> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(start) = rest.find(is_identifier_start) {
            let word = &rest[start..];
            let end = word.find(|c| !is_identifier_part(c)).unwrap_or(word.len());
            let before = &line[..line.len() - word.len()];
            found.push(Identifier { line: index + 1, before, word: &word[..end], after: &word[end..] });
            rest = &word[end..];
        }
    }
    found
}

/// An identifier in its line.
pub(crate) struct Identifier<'a> {
    pub(crate) line: usize,
    pub(crate) before: &'a str,
    pub(crate) word: &'a str,
    pub(crate) after: &'a str,
}

fn is_identifier_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_identifier_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Replaces everything but line ends between two byte positions by spaces.
fn blank(text: &str, from: usize, to: usize) -> String {
    let hidden = text[from..to].chars().map(|c| if c == '\n' { c } else { ' ' });
    text[..from].chars().chain(hidden).chain(text[to..].chars()).collect()
}

/// One character is answered for each one read, so that positions count alike in both.
fn blank_comments_and_literals(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = comment_or_literal(rest, code.chars().next_back());
        if hidden == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..hidden].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[hidden..];
        }
    }
    code
}

/// The strings in `text` that are written in quotation marks, as they stand there, with the position
/// of their first mark.
pub(crate) fn literals(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = text[at..].chars().next() {
        let hidden = comment_or_literal(&text[at..], text[..at].chars().next_back());
        if first == '"' {
            found.push((at, text[at..at + hidden].trim_matches('"')));
        }
        at += hidden.max(first.len_utf8());
    }
    found
}

/// The length in bytes of the comment or literal that `rest` begins with; 0 when it begins with
/// code. Prefixes of literals (`b`, `r#`) count as code, except where they tell how it ends.
fn comment_or_literal(rest: &str, previous: Option<char>) -> usize {
    let to_end = |at: Option<usize>, end: &str| at.map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if !previous.is_some_and(is_identifier_part) || previous == Some('b') {
        let hashes = rest.strip_prefix('r').map(|raw| raw.chars().take_while(|&c| c == '#').count());
        if let Some(hashes) = hashes
            && rest[1 + hashes..].starts_with('"')
        {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            return to_end(rest[start..].find(&end).map(|at| at + start), &end);
        }
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if let Some(after) = rest.strip_prefix('\'') {
        let mut next = after.chars();
        let is_character = next.next() == Some('\\') || next.next() == Some('\'');
        return if is_character { quoted(rest, '\'') } else { 0 };
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a literal with its marks; a backslash hides the character after it.
fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == mark {
            return at + 1;
        }
    }
    rest.len()
}

/// Blanks every item that follows `#[cfg(test)]`.
fn blank_test_items(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut product = code.to_owned();
    while let Some(start) = product.find(MARK) {
        let end = item_end(&product, start + MARK.len());
        product = blank(&product, start, end);
    }
    product
}

/// The position after the item at `from`: after its closing brace, or after its semicolon when
/// that comes first.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return from + at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_literals_and_test_items_are_not_code() {
    let text =
        "a // b\n/* c /* d */ e */ f \"g\\\"h\" 'i' 'j r#\"k\"l\"# b'm' '\\'' n\n#[cfg(test)]\nmod o { p {} }\nq";
    let code = blank_comments_and_literals(text);
    let words = |code: &str| identifiers(code).iter().map(|found| found.word.to_owned()).collect::<Vec<_>>();
    assert_eq!(words(&code), ["a", "f", "j", "b", "n", "cfg", "test", "mod", "o", "p", "q"]);
    assert_eq!(words(&blank_test_items(&code)), ["a", "f", "j", "b", "n", "q"]);
    assert_eq!(code.lines().count(), text.lines().count());
}
