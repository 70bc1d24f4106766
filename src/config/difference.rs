//! What changed between two readings of the file.

use super::{Config, Listener};

/// The keys that differ, by whether a running server can take them over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Applied while running: each as `key: old -> new`, or what has changed.
    pub live: Vec<String>,
    /// Kept as they were until the next start.
    pub restart: Vec<&'static str>,
}

impl Difference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    pub(super) fn between(old: &Config, new: &Config) -> Self {
        let restart = [
            ("main_domain", old.main_domain != new.main_domain),
            ("shards", old.shards != new.shards),
            ("master_key", old.master_key != new.master_key),
            ("argon2id", old.argon2id != new.argon2id),
            // Listeners offer TLS or they do not; which certificates they show can change.
            ("certificate", old.offers_tls() != new.offers_tls()),
            ("listener", !Listener::are_alike(&old.listeners, &new.listeners)),
        ];
        let restart = restart.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect();
        let mut live = changed_lines(old, new);
        if old.certificates != new.certificates && old.offers_tls() && new.offers_tls() {
            live.push(format!("certificate: {} -> {} files", old.certificates.len(), new.certificates.len()));
        }
        if old.oauth != new.oauth {
            live.push(format!("oauth: {} -> {} issuers", old.oauth.len(), new.oauth.len()));
        }
        if Listener::are_alike(&old.listeners, &new.listeners) {
            let pairs = old.listeners.iter().zip(&new.listeners).filter(|(old, new)| old != new);
            live.extend(pairs.map(|(_, new)| format!("listener {}: grant, deny or proxy", new.address)));
        }
        Self { live, restart }
    }
}

/// The keys of `live` whose printed lines differ: the printer is the one place that knows what
/// each field is called.
fn changed_lines(old: &Config, new: &Config) -> Vec<String> {
    let with_live = |live| Config { live, ..Config::default() }.to_string();
    let (old, new) = (with_live(old.live.clone()), with_live(new.live.clone()));
    let pairs = old.lines().zip(new.lines()).filter(|(old, new)| old != new);
    pairs
        .filter_map(|(old, new)| {
            let (key, old) = old.split_once(" = ")?;
            let (_, new) = new.split_once(" = ")?;
            Some(format!("{key}: {old} -> {new}"))
        })
        .collect()
}
