//! The file of master keys, which seal the accounts' records.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keyturn::auth::MasterKey;
use keyturn::config::Config;
use keyturn::directory::KeyFault;
use zeroize::Zeroizing;

use super::data::Data;
use super::failure::{Exit, Failure};
use super::settings::Source;

/// The key of the configuration.
const KEY: &str = "master_key";

/// The name of systemd's credential (systemd.exec(5), `LoadCredential=`).
const CREDENTIAL: &str = "master_key";

/// Keys that one file may hold. Two are enough for a change of key.
const KEYS_MAX: usize = 16;

/// Bytes that such a file may have, remarks included.
const FILE_BYTES_MAX: u64 = 8192;

/// Who may look at a file that is no credential of systemd's: its owner, and its group.
const FORBIDDEN_MODE: u32 = 0o027;

/// Where the keys are, if they are anywhere: where the configuration says, or where systemd has put
/// its credential.
pub(crate) fn path(config: &Config) -> Option<PathBuf> {
    let credential = || Some(PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL));
    config.master_key.clone().or_else(|| credential().filter(|path| path.exists()))
}

/// The keys that the configuration means, the one that seals first; none where it means none.
///
/// # Errors
/// The file cannot be read, is open to others, or holds something else than keys.
pub(crate) fn load(config: &Config, source: &Source) -> Result<Vec<MasterKey>, Failure> {
    let Some(path) = path(config) else { return Ok(Vec::new()) };
    let wrong =
        |why: String| Failure::new(Exit::Misconfigured, format!("{}: {}: {why}", source.place(KEY), path.display()));
    // The mode is that of the very file which is read.
    let file = OpenOptions::new().read(true).open(&path).map_err(|fault| {
        let is_absent = fault.kind() == io::ErrorKind::NotFound;
        let how = " (openssl rand -hex 32 makes a first key; the file must be for the server's user alone)";
        wrong(format!("{fault}{}", if is_absent { how } else { "" }))
    })?;
    if config.master_key.is_some() {
        check_mode(&file).map_err(wrong)?;
    }
    let text = read(file).map_err(|fault| wrong(fault.to_string()))?;
    parse(&text).map_err(wrong)
}

/// Lets the directory of `data` use the keys that the configuration means, once the store names the
/// one that seals.
///
/// # Errors
/// As [`load`]; or the store has records under a key that is not among them.
pub(crate) fn unlock(data: &Data, source: &Source) -> Result<(), Failure> {
    take(data, &data.config, source)
}

/// As [`unlock`], with the keys that `config` means, which may have changed since.
///
/// # Errors
/// As [`unlock`].
pub(crate) fn take(data: &Data, config: &Config, source: &Source) -> Result<(), Failure> {
    let keys = load(config, source)?;
    data.directory.check_keys(&keys).map_err(|fault| missing(fault, config, source, &keys))?;
    data.directory.use_keys(keys, |naming| data.commit(naming))
}

/// What to do about records that cannot be opened.
fn missing(fault: KeyFault, config: &Config, source: &Source, keys: &[MasterKey]) -> Failure {
    let id = match fault {
        KeyFault::Read(fault) => return fault.into(),
        KeyFault::Missing(id) => id,
    };
    let have = match path(config) {
        None => "there is none: name its file, or give systemd's credential master_key".to_owned(),
        Some(path) => {
            let ids: Vec<_> = keys.iter().map(|key| key.id().to_string()).collect();
            format!("{} has {} instead: correct it, or add that key behind the others", path.display(), ids.join(" "))
        }
    };
    let place = source.place(KEY);
    Failure::new(Exit::Misconfigured, format!("{place}: passwords are sealed with the key {id}, and {have}"))
}

fn check_mode(file: &File) -> Result<(), String> {
    let mode = file.metadata().map_err(|fault| fault.to_string())?.mode();
    if mode & FORBIDDEN_MODE == 0 {
        return Ok(());
    }
    Err(format!("is open to others (mode {:04o}): chmod 600 it, or 640 for a group of its own", mode & 0o7777))
}

fn read(file: File) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(FILE_BYTES_MAX).unwrap_or_default()));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The keys in `text`: one a line; empty lines and those that begin with `#` do not count.
fn parse(text: &str) -> Result<Vec<MasterKey>, String> {
    let mut keys: Vec<MasterKey> = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key =
            MasterKey::parse(line).ok_or_else(|| format!("line {} is no key of 64 hexadecimal digits", index + 1))?;
        if keys.iter().any(|other| other.id() == key.id()) {
            return Err(format!("line {} repeats a key", index + 1));
        }
        keys.push(key);
    }
    match keys.len() {
        0 => Err("holds no key: openssl rand -hex 32 prints one".into()),
        1..=KEYS_MAX => Ok(keys),
        _ => Err(format!("holds more than {KEYS_MAX} keys")),
    }
}

/// What the configuration's keys are, in words; `None`: there are none.
///
/// # Errors
/// As [`load`].
pub(crate) fn describe(config: &Config, source: &Source) -> Result<Option<String>, Failure> {
    let keys = load(config, source)?;
    let Some((first, others)) = keys.split_first() else { return Ok(None) };
    let shown = path(config).as_deref().map(Path::display).map(|path| path.to_string()).unwrap_or_default();
    let others = if others.is_empty() { String::new() } else { format!(", and {} for older records", others.len()) };
    Ok(Some(format!("{shown}: {} seals{others}", first.id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn a_file_has_keys_remarks_and_nothing_else() {
        let text = format!("# new\n{}\n\n  {}  \r\n", key('a'), key('b'));
        let keys = parse(&text).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].id(), MasterKey::parse(&key('A')).unwrap().id());
        for (text, why) in [
            (String::new(), "holds no key"),
            ("# nothing".into(), "holds no key"),
            (key('a')[1..].into(), "line 1 is no key"),
            (key('a') + "a", "line 1 is no key"),
            (format!("{}\n{}", key('a'), key('g')), "line 2 is no key"),
            (format!("{}\n\n{}", key('a'), key('A')), "line 3 repeats a key"),
            (format!("+{}", &key('a')[1..]), "line 1 is no key"),
        ] {
            let fault = parse(&text).unwrap_err();
            assert!(fault.starts_with(why), "{fault}");
        }
    }
}
