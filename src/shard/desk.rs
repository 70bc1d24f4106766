use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{Cleartext, Listener, Live, Restriction};
use crate::control::{Control, End};
use crate::model::{DomainName, NetworkList, Tick};
use crate::proto::sasl::Mechanisms;
use crate::proto::{Effects, Rules, Wire, greeting};
use crate::service::{Mailbox, Service};
use crate::tls::Endpoint;

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
    /// In this turn commands were handed in.
    pub has_ordered: bool,
    /// When somebody was last told that the server is busy.
    pub refused: Option<Tick>,
    /// No new lines are obeyed.
    pub is_stopping: bool,
    /// Empty between two steps of a session.
    pub effects: Effects,
    /// The replies of the connection being moved; empty between two of them.
    pub replies: Vec<u8>,
    /// What was received under TLS, opened; overwritten and emptied between two uses.
    pub clear: Vec<u8>,
    /// What is to be sent under TLS, sealed; empty between two uses.
    pub sealed: Vec<u8>,
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
    /// TLS, if the listener offers it.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Whether sessions begin with a handshake.
    pub begins_with_tls: bool,
    /// Whose connections it takes.
    pub restriction: Restriction,
    /// Where connections come from that a proxy makes for somebody else.
    pub proxies: NetworkList,
    cleartext: Cleartext,
    /// Whether it greets with a challenge for APOP if its domain offers that.
    apop: bool,
}

impl House {
    pub(super) fn new(
        listener: &Listener,
        main_domain: &DomainName,
        live: &Live,
        endpoint: Option<Arc<Endpoint>>,
        control: &Control,
    ) -> Self {
        let version = (!listener.hide_version).then_some(env!("CARGO_PKG_VERSION"));
        let domain = Arc::new(listener.domain.as_ref().unwrap_or(main_domain).clone());
        let greeting = greeting(listener.dialect, &domain, version).into();
        let has_stls = endpoint.is_some() && !listener.tls;
        let (mechanisms, shown) = (Mechanisms::NONE, Mechanisms::NONE);
        let (dialect, failures_max) = (listener.dialect, live.failures_max);
        let rules = Rules { dialect, domain, greeting, has_apop: false, has_stls, mechanisms, shown, failures_max };
        let mut house = Self {
            rules,
            domain: listener.domain.clone().map(Arc::new),
            endpoint,
            begins_with_tls: listener.tls,
            restriction: listener.restriction.clone(),
            proxies: listener.proxy.clone(),
            cleartext: listener.cleartext,
            apop: listener.apop,
        };
        house.offer_methods(control);
        house
    }

    /// Offers APOP and the mechanisms that its domain does. Where nobody's tokens are taken, they are not.
    fn offer_methods(&mut self, control: &Control) {
        let methods = control.auth_methods(self.domain.as_deref());
        let takes_tokens = control.takes_tokens();
        let may = |name: &str| takes_tokens || !["OAUTHBEARER", "XOAUTH2"].contains(&name);
        self.rules.has_apop = self.apop && methods.include("APOP");
        self.rules.mechanisms = Mechanisms::of(|name| may(name) && methods.include(name));
        self.rules.shown = Mechanisms::of(|name| may(name) && methods.show(name));
    }

    /// How the bytes of a session with `peer` travel, at first.
    pub(super) fn wire(&self, peer: IpAddr) -> Wire {
        match self.cleartext {
            _ if self.begins_with_tls => Wire::Tls,
            Cleartext::Always => Wire::Clear,
            Cleartext::Loopback if peer.to_canonical().is_loopback() => Wire::Clear,
            Cleartext::Loopback | Cleartext::Never => Wire::Exposed,
        }
    }
}

impl Desk {
    /// Takes over new settings.
    pub(super) fn apply(&mut self, live: Arc<Live>, listeners: &[Listener]) {
        for (house, listener) in self.listeners.iter_mut().zip(listeners) {
            house.rules.failures_max = live.failures_max;
            house.restriction.clone_from(&listener.restriction);
            house.proxies.clone_from(&listener.proxy);
            house.offer_methods(&self.control);
        }
        self.live = live;
    }
}
