use tracing::event;

use crate::config::{Config, Difference, Listener, ModuleFault};
use crate::directory::{Directory, Holder};
use crate::notation::{Dictionary, Value};
use crate::store::ReadFault;
use crate::syslog::{FAILURE, MAJOR};

/// The name under which the settings of the module are kept for the server.
pub const MODULE: &str = "ModulePWD";

/// Where the settings come from, and which are in force: the command line's go before the ones
/// kept in the store, and those before the file's.
#[derive(Debug)]
pub(super) struct Settings {
    /// What the file and the command line say.
    file: Config,
    are_listeners_fixed: bool,
    /// With what is kept in the store.
    wanted: Config,
    /// What of `wanted` could be put in force.
    in_force: Config,
}

/// Settings that have been read and are not in force yet.
#[derive(Debug)]
pub(super) struct Read {
    file: Config,
    wanted: Config,
}

impl Settings {
    pub(super) fn new(file: Config, are_listeners_fixed: bool) -> Self {
        Self { wanted: file.clone(), in_force: file.clone(), file, are_listeners_fixed }
    }

    pub(super) fn in_force(&self) -> &Config {
        &self.in_force
    }

    pub(super) fn wanted(&self) -> &Config {
        &self.wanted
    }

    /// Reads what is kept in the store.
    pub(super) fn read(&self, directory: &Directory) -> Result<Read, ReadFault> {
        self.read_over(self.file.clone(), directory)
    }

    /// As [`Settings::read`], over another file.
    pub(super) fn read_over(&self, file: Config, directory: &Directory) -> Result<Read, ReadFault> {
        let kept = match directory.kept(&Holder::Server, MODULE)? {
            Some(Value::Dictionary(kept)) => kept,
            _ => Dictionary::new(),
        };
        let wanted = self.over(&file, &kept).unwrap_or_else(|fault| {
            event!(target: "SYSTEM", FAILURE, "settings of the module PWD not applied: {fault}");
            file.clone()
        });
        Ok(Read { file, wanted })
    }

    fn over(&self, file: &Config, kept: &Dictionary) -> Result<Config, ModuleFault> {
        let mut config = file.with_module(kept)?;
        if self.are_listeners_fixed {
            config.listeners.clone_from(&file.listeners);
        }
        Ok(config)
    }

    pub(super) fn check(&self, kept: &Dictionary) -> Result<(), ModuleFault> {
        self.over(&self.file, kept).map(drop)
    }

    /// Tells the log what of the file does not hold.
    pub(super) fn report_overruled(&self) {
        let Difference { live, restart } = self.file.difference(&self.wanted);
        for key in live.iter().map(String::as_str).chain(restart) {
            event!(target: "SYSTEM", MAJOR, "set over the wire, and not as the configuration file says: {key}");
        }
    }

    /// Puts all of `read` in force: nothing runs yet.
    pub(super) fn start_with(&mut self, Read { file, wanted }: Read) {
        (self.in_force, self.wanted, self.file) = (wanted.clone(), wanted, file);
    }

    /// Puts in force what of `read` can be, and returns what has changed.
    pub(super) fn take_over(&mut self, Read { file, wanted }: Read) -> Difference {
        let difference = self.in_force.difference(&wanted);
        self.in_force.live = wanted.live.clone();
        if self.in_force.offers_tls() && wanted.offers_tls() {
            self.in_force.certificates.clone_from(&wanted.certificates);
        }
        self.in_force.oauth.clone_from(&wanted.oauth);
        if Listener::are_alike(&self.in_force.listeners, &wanted.listeners) {
            self.in_force.listeners.clone_from(&wanted.listeners);
        }
        (self.wanted, self.file) = (wanted, file);
        difference
    }
}

/// Tells the log what has changed.
pub(super) fn report(difference: &Difference) {
    for change in &difference.live {
        event!(target: "SYSTEM", MAJOR, "configuration applied: {change}");
    }
    for key in &difference.restart {
        event!(target: "SYSTEM", MAJOR, "configuration not applied: {key} needs a restart");
    }
}
