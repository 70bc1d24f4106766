//! The configuration in force: the file, and what the command line puts in its place.

use std::path::{Path, PathBuf};

use keyturn::config::{self, Address, Config, ConfigError, Listener};
use keyturn::model::DomainName;

use super::failure::{Exit, Failure};

/// Where the configuration comes from; kept to read it again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// `None`: the defaults hold.
    pub(crate) file: Option<PathBuf>,
    /// When not empty, the only places to listen.
    pub(crate) listen: Vec<Address>,
}

impl Source {
    /// Reads and checks the configuration. A file that names no main domain means the given one.
    ///
    /// # Errors
    /// Every problem of the file, one a line.
    pub(crate) fn load(&self, main_domain: Option<&DomainName>) -> Result<Config, Failure> {
        let mut config = Config::default();
        if let Some(main_domain) = main_domain {
            config.main_domain = main_domain.clone();
        }
        if let Some(path) = &self.file {
            config = load_file(path, &config)?;
        }
        if !self.listen.is_empty() {
            config.listeners = self.listen.iter().cloned().map(Listener::at).collect();
        }
        Ok(config)
    }

    /// Where `key` stands, as what is wrong with it is told: `FILE:LINE: KEY`. The key alone where no
    /// file has it.
    pub(crate) fn place(&self, key: &str) -> String {
        let line = |path: &PathBuf| config::line_of(&std::fs::read_to_string(path).ok()?, key);
        match self.file.as_ref().and_then(|path| Some((path.display(), line(path)?))) {
            Some((shown, line)) => format!("{shown}:{line}: {key}"),
            None => key.to_owned(),
        }
    }
}

fn load_file(path: &Path, default: &Config) -> Result<Config, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|fault| Failure::new(Exit::Misconfigured, format_args!("{shown} cannot be read: {fault}")))?;
    default.parse_over(&text).map_err(|errors| {
        let line = |ConfigError { line, field, why }: &ConfigError| format!("{shown}:{line}: {field}: {why}");
        Failure::new(Exit::Misconfigured, errors.iter().map(line).collect::<Vec<_>>().join("\n"))
    })
}
