//! A transcript's text as steps.
//!
//! ```text
//! # What the story shows.
//! account alice password "one two" settings {PWDAllowed=NO;}
//! C: USER alice          a line with CR LF
//! S: 300 *               the reply: `*` stands for any text, `?` for any one byte
//! C lf: PASS one two     a line with LF alone
//! C part: QUI            bytes without a line end
//! C2: QUIT               said by a second client
//! ```
//!
//! In what a client says, `\xNN`, `\0`, `\r`, `\n`, `\s` (a space) and `\\` are single bytes, and `\(a*N)` is `a`
//! repeated: N is a number or the name of one of the limits, `+` or `-` a number.

use std::collections::BTreeMap;
use std::time::Duration;

/// One line of a transcript, as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Say { client: u8, bytes: Vec<u8> },
    Hear { client: u8, pattern: String },
    Do(Directive),
}

/// What happens to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// `account NAME password "TEXT" [settings {…}]`
    Account {
        name: String,
        password: Vec<u8>,
        settings: String,
    },
    /// `alias NAME of ACCOUNT`
    Alias {
        alias: String,
        account: String,
    },
    /// `password NAME "TEXT"`: what an administrator does.
    Password {
        name: String,
        password: Vec<u8>,
    },
    /// `domain NAME`
    Domain(String),
    /// `domain-alias NAME of DOMAIN`
    DomainAlias {
        alias: String,
        domain: String,
    },
    /// `suspend DOMAIN`
    Suspend(String),
    /// `settings account NAME {…}`, `settings domain NAME {…}`, `settings accounts-of DOMAIN {…}`,
    /// `settings all-accounts {…}`: what changes.
    Settings {
        of: Scope,
        changes: String,
    },
    /// `set KEY VALUE`, as in the configuration file; once the server runs, as after SIGHUP.
    Set {
        key: String,
        value: String,
    },
    /// `listener DIALECT [KEY VALUE]…`: where later clients connect; the keys are as in the
    /// configuration file.
    Listener {
        dialect: String,
        keys: Vec<String>,
    },
    /// `master-key`: the server has one, from its start.
    MasterKey,
    /// `log-in METHOD NAME "PASSWORD"`, behind it the number of a client: what a client does that proves a
    /// password. What it hears in the end is the next reply.
    LogIn {
        client: u8,
        method: String,
        name: String,
        password: String,
    },
    /// `certificate`: the server has one, from its start.
    Certificate,
    /// `begin-tls`: the client's part of a handshake, and all that follows is under TLS.
    BeginTls(u8),
    /// `expect alert`: the server ends with an alert of TLS.
    ExpectAlert(u8),
    /// `public WORD`: used as a password, and yet something that the log may show.
    Public(String),
    /// `fault store sync once`, `fault store read once`
    FaultSync,
    FaultRead,
    /// `hold store reads`, `hold store commits`: who comes to the store waits.
    HoldReads,
    HoldCommits,
    /// `await store N`: goes on when so many wait for the store.
    AwaitStore(usize),
    /// `await sessions N`: goes on when there are so many.
    AwaitSessions(u32),
    /// `release store`
    ReleaseStore,
    /// `advance 30s`
    Advance(Duration),
    /// `close`, `half-close`, `reset`, each with the number of a client: what that client does.
    Close(u8),
    HalfClose(u8),
    Reset(u8),
    /// `expect eof`, `expect silence`, each with the number of a client. One who has not come yet
    /// comes, and is sent away without a word.
    ExpectEof(u8),
    ExpectSilence(u8),
    /// `expect log TEXT`: somebody says so, sooner or later.
    ExpectLog(String),
    /// `stop`: the server is told to stop, as by SIGTERM.
    Stop,
    /// `restart`: the power fails, and the server starts again on what the disk kept.
    Restart,
}

/// Whose settings are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Account(String),
    Domain(String),
    AccountsOf(String),
    AllAccounts,
}

/// Parses a transcript; with each step comes its line, counted from 0.
pub(crate) fn parse(text: &str, limits: &BTreeMap<String, usize>) -> Result<Vec<(usize, Step)>, String> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() && !line.starts_with('#') {
            let step = step(line, limits).map_err(|why| format!("line {}: {why}: {line}", index + 1))?;
            steps.push((index, step));
        }
    }
    Ok(steps)
}

fn step(line: &str, limits: &BTreeMap<String, usize>) -> Result<Step, String> {
    let (head, rest) = line.split_once(':').unwrap_or((line, ""));
    let text = rest.strip_prefix(' ').unwrap_or(rest);
    let mut letters = head.chars();
    let side = letters.next();
    let (number, ending) = letters.as_str().split_once(' ').unwrap_or((letters.as_str(), ""));
    if !line.contains(':') || !number.chars().all(|c| c.is_ascii_digit()) {
        return directive(line, limits).map(Step::Do);
    }
    let client = if number.is_empty() { 1 } else { number.parse().map_err(|_| "no number of a client")? };
    match (side, ending) {
        (Some('S'), "") => Ok(Step::Hear { client, pattern: text.to_owned() }),
        (Some('C'), _) => {
            let mut bytes = unescape(text, limits)?;
            bytes.extend_from_slice(match ending {
                "" => b"\r\n",
                "lf" => b"\n",
                "part" => b"",
                _ => return Err(format!("no such line end as '{ending}'")),
            });
            Ok(Step::Say { client, bytes })
        }
        _ => directive(line, limits).map(Step::Do),
    }
}

fn directive(line: &str, limits: &BTreeMap<String, usize>) -> Result<Directive, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let client = |number: &str| number.parse::<u8>().map_err(|_| "no number of a client".to_owned());
    let text = |word: &str| word.to_owned();
    Ok(match words.as_slice() {
        ["account", name, "password", ..] => {
            let (password, after) = quoted(line).ok_or("the password is not in quotation marks")?;
            Directive::Account { name: text(name), password: unescape(password, limits)?, settings: settings(after)? }
        }
        ["alias", alias, "of", account] => Directive::Alias { alias: text(alias), account: text(account) },
        ["password", name, ..] => {
            let (password, _) = quoted(line).ok_or("the password is not in quotation marks")?;
            Directive::Password { name: text(name), password: unescape(password, limits)? }
        }
        ["domain", name] => Directive::Domain(text(name)),
        ["suspend", name] => Directive::Suspend(text(name)),
        ["settings", scope, rest @ ..] => {
            let changes = line.find('{').map(|start| text(&line[start..])).ok_or("no dictionary")?;
            let of = match (*scope, rest) {
                ("account", [name, _, ..]) => Scope::Account(text(name)),
                ("domain", [name, _, ..]) => Scope::Domain(text(name)),
                ("accounts-of", [name, _, ..]) => Scope::AccountsOf(text(name)),
                ("all-accounts", _) => Scope::AllAccounts,
                _ => return Err("nobody has such settings".to_owned()),
            };
            Directive::Settings { of, changes }
        }
        ["domain-alias", alias, "of", domain] => Directive::DomainAlias { alias: text(alias), domain: text(domain) },
        ["set", key, value] => Directive::Set { key: text(key), value: text(value) },
        ["listener", dialect, keys @ ..] => {
            let key = |pair: &[&str]| match pair {
                [_, "true" | "false"] => Ok(pair.join(" = ")),
                [key @ ("proxy" | "grant" | "deny"), network] => Ok(format!("{key} = [\"{network}\"]")),
                [key, value] => Ok(format!("{key} = \"{value}\"")),
                _ => Err("a key without a value".to_owned()),
            };
            Directive::Listener { dialect: text(dialect), keys: keys.chunks(2).map(key).collect::<Result<_, _>>()? }
        }
        ["master-key"] => Directive::MasterKey,
        ["log-in", method, name, ..] => {
            let (password, after) = quoted(line).ok_or("the password is not in quotation marks")?;
            let client = if after.is_empty() { 1 } else { client(after.trim())? };
            Directive::LogIn { client, method: text(method), name: text(name), password: text(password) }
        }
        ["certificate"] => Directive::Certificate,
        ["begin-tls"] => Directive::BeginTls(1),
        ["begin-tls", number] => Directive::BeginTls(client(number)?),
        ["expect", "alert"] => Directive::ExpectAlert(1),
        ["public", word] => Directive::Public(text(word)),
        ["fault", "store", "sync", "once"] => Directive::FaultSync,
        ["fault", "store", "read", "once"] => Directive::FaultRead,
        ["hold", "store", "reads"] => Directive::HoldReads,
        ["hold", "store", "commits"] => Directive::HoldCommits,
        ["await", "store", count] => Directive::AwaitStore(count.parse().map_err(|_| "no number")?),
        ["await", "sessions", count] => Directive::AwaitSessions(count.parse().map_err(|_| "no number")?),
        ["release", "store"] => Directive::ReleaseStore,
        ["advance", time] => Directive::Advance(duration(time)?),
        ["close"] => Directive::Close(1),
        ["close", number] => Directive::Close(client(number)?),
        ["half-close"] => Directive::HalfClose(1),
        ["half-close", number] => Directive::HalfClose(client(number)?),
        ["reset"] => Directive::Reset(1),
        ["expect", "eof"] => Directive::ExpectEof(1),
        ["expect", "eof", number] => Directive::ExpectEof(client(number)?),
        ["expect", "silence"] => Directive::ExpectSilence(1),
        ["expect", "silence", number] => Directive::ExpectSilence(client(number)?),
        ["expect", "log", ..] => Directive::ExpectLog(text(line.trim_start_matches("expect log").trim())),
        ["stop"] => Directive::Stop,
        ["restart"] => Directive::Restart,
        _ => return Err("no such directive".to_owned()),
    })
}

/// What stands between the first two quotation marks, and what follows.
fn quoted(line: &str) -> Option<(&str, &str)> {
    line.split_once('"')?.1.split_once('"')
}

fn settings(after: &str) -> Result<String, String> {
    match after.trim().strip_prefix("settings") {
        Some(dictionary) => Ok(dictionary.trim().to_owned()),
        None if after.trim().is_empty() => Ok("{}".to_owned()),
        None => Err("expected 'settings {…}'".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text.trim_end_matches(unit).parse().map_err(|_| "no number".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err("a time ends in 's' or 'ms'".to_owned()),
    }
}

fn unescape(text: &str, limits: &BTreeMap<String, usize>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = escaped.chars().next().ok_or("a lone backslash")?;
        rest = &escaped[kind.len_utf8()..];
        match kind {
            '\\' => bytes.push(b'\\'),
            '0' => bytes.push(0),
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            's' => bytes.push(b' '),
            'x' => {
                let digits = rest.get(..2).ok_or("\\x wants two digits")?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| "\\x wants hexadecimal digits")?);
                rest = &rest[2..];
            }
            '(' => {
                let (repeat, after) = rest.split_once(')').ok_or("\\( without )")?;
                let (what, count) = repeat.split_once('*').ok_or("\\( without *")?;
                bytes.extend(unescape(what, limits)?.repeat(number(count, limits)?));
                rest = after;
            }
            _ => return Err(format!("no such escape as \\{kind}")),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The value of `5`, `LIMIT`, `LIMIT+5` or `LIMIT-5`.
fn number(text: &str, limits: &BTreeMap<String, usize>) -> Result<usize, String> {
    let plain = |text: &str| {
        let known = limits.get(text).copied();
        known.or_else(|| text.parse().ok()).ok_or_else(|| format!("'{text}' is neither a number nor a limit"))
    };
    if let Some((base, more)) = text.split_once('+') {
        return Ok(plain(base)? + plain(more)?);
    }
    if let Some((base, less)) = text.split_once('-') {
        return Ok(plain(base)? - plain(less)?);
    }
    plain(text)
}

/// Whether `text` fits `pattern`, where `*` stands for any text and `?` for any one byte.
pub(crate) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([b'*', pattern @ ..], _) => (0..=text.len()).any(|skipped| fits(pattern, &text[skipped..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => fits(pattern, text),
        ([p, pattern @ ..], [t, text @ ..]) if p == t => fits(pattern, text),
        (pattern, text) => pattern.is_empty() && text.is_empty(),
    }
}

#[test]
fn lines_are_understood() {
    let limits = BTreeMap::from([("LINE_BYTES_MAX".to_owned(), 8)]);
    let check = |line: &str, expected: Step| assert_eq!(step(line, &limits), Ok(expected), "{line}");
    let say = |client, bytes: &[u8]| Step::Say { client, bytes: bytes.to_vec() };
    check("C: USER  a:b ", say(1, b"USER  a:b \r\n"));
    check(r"C2 lf: \x41\0\\\s", say(2, b"A\0\\ \n"));
    check(r"C part: \(ab*2)\(c*LINE_BYTES_MAX-6)", say(1, b"ababcc"));
    check("S: 5?? *", Step::Hear { client: 1, pattern: "5?? *".to_owned() });
    check("advance 30s", Step::Do(Directive::Advance(Duration::from_secs(30))));
    let account = |settings: &str| {
        let (name, settings) = ("a@b".to_owned(), settings.to_owned());
        Step::Do(Directive::Account { name, password: b"p: q".to_vec(), settings })
    };
    check("account a@b password \"p: q\"", account("{}"));
    check("account a@b password \"p: q\" settings {A=B;}", account("{A=B;}"));
    assert!(step("S lf: x", &limits).is_err());
    assert!(step("nonsense", &limits).is_err());
}

#[test]
fn patterns_fit_what_they_say() {
    assert!(fits(b"200 *", b"200 ") && fits(b"*x", b"xx") && fits(b"5?? a", b"515 a") && fits(b"", b""));
    assert!(!fits(b"200 *", b"200") && !fits(b"a", b"ab") && !fits(b"?", b""));
}
