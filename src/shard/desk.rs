use std::fmt;
use std::sync::Arc;

use crate::config::{Listener, Live};
use crate::control::{Control, End};
use crate::model::{DomainName, Tick};
use crate::proto::{Effects, Rules, greeting};
use crate::service::{Mailbox, Service};

/// What the shard lends each of its connections while they move: settings, the service, and
/// buffers that would otherwise be allocated each time.
pub(super) struct Desk {
    pub control: Arc<Control>,
    /// Lets a session of this shard end.
    pub end: End,
    pub live: Arc<Live>,
    pub listeners: Vec<House>,
    pub service: Service,
    /// Where the service leaves its answers.
    pub mailbox: Arc<Mailbox>,
    /// Read once a turn.
    pub now: Tick,
    /// Counts the turns.
    pub turn: u64,
    /// No new lines are obeyed.
    pub is_stopping: bool,
    /// Empty between two steps of a session.
    pub effects: Effects,
    /// The replies of the connection being moved; empty between two of them.
    pub replies: Vec<u8>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { live, service, replies, .. } = self;
        f.debug_struct("Desk").field("live", live).field("service", service).field("replies", replies).finish()
    }
}

/// What a listener lays down for the sessions that come through it.
#[derive(Clone, Debug)]
pub(super) struct House {
    pub rules: Rules,
    /// Completes bare login names; `None`: the main domain.
    pub domain: Option<Arc<DomainName>>,
}

impl House {
    pub(super) fn new(listener: &Listener, main_domain: &DomainName, live: &Live) -> Self {
        let version = (!listener.hide_version).then_some(env!("CARGO_PKG_VERSION"));
        let host = listener.domain.as_ref().unwrap_or(main_domain);
        let greeting = greeting(listener.dialect, host, version).into();
        let rules = Rules { dialect: listener.dialect, greeting, failures_max: live.failures_max };
        Self { rules, domain: listener.domain.clone().map(Arc::new) }
    }
}

impl Desk {
    /// Takes over new settings.
    pub(super) fn apply(&mut self, live: Arc<Live>) {
        for listener in &mut self.listeners {
            listener.rules.failures_max = live.failures_max;
        }
        self.live = live;
    }
}
