//! A connection that a proxy makes for somebody else: who that is comes before everything.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::event;

use super::{After, Connection, Phase};
use crate::model::Tick;
use crate::model::limits::PROXY_HEADER_BYTES_MAX;
use crate::proto::{Closing, Inbox, ProxyFault, parse_proxy_header};
use crate::ring::Incoming;
use crate::shard::desk::Desk;
use crate::shard::dialogue::Dialogue;
use crate::syslog::{LOW_LEVEL, PROBLEM};

/// How long a proxy may take over its header.
const HEADER: Duration = Duration::from_secs(3);

impl Connection {
    /// Awaits the header of a proxy, and says nothing before it.
    pub(in super::super) fn await_proxy(&mut self, now: Tick) {
        self.phase = Phase::AwaitingProxy { until: now + HEADER };
    }

    /// The proxy has not sent its header in time.
    pub(super) fn give_up_proxy(&mut self) {
        let (session, peer) = self.dialogue.name();
        event!(target: "PWD", PROBLEM, session, %peer, "connection refused: no PROXY header within {HEADER:?}");
        self.hang_up();
    }

    /// Takes in what a proxy has sent. What follows its header is the client's, and is kept nowhere:
    /// the header ends in what was received last.
    pub(super) fn take_in_proxy(&mut self, chunk: &[u8], desk: &mut Desk) -> After {
        let early = self.inbox.kept_bytes();
        let bytes_max = PROXY_HEADER_BYTES_MAX + Incoming::BUFFER_BYTES;
        let found = match early {
            0 => parse_proxy_header(chunk),
            _ if self.inbox.keep(chunk, bytes_max) => parse_proxy_header(self.inbox.kept()),
            _ => Err(ProxyFault::TooLong),
        };
        match found {
            Ok(Some(header)) => {
                self.inbox = Inbox::default();
                self.introduce(header.source, desk);
                let rest = &chunk[header.length - early..];
                if rest.is_empty() { After::Rest } else { self.receive_bytes(rest, desk) }
            }
            Ok(None) if early > 0 || self.inbox.keep(chunk, bytes_max) => After::Rest,
            Ok(None) => unreachable!("an empty inbox has room for one buffer"),
            Err(fault) => {
                let (session, peer) = self.dialogue.name();
                event!(target: "PWD", PROBLEM, session, %peer, "connection refused: {fault}");
                self.phase = Phase::Finishing(Closing::Lingering);
                After::Rest
            }
        }
    }

    /// The proxy has said who its client is: only now is that one judged, and greeted.
    fn introduce(&mut self, source: Option<SocketAddr>, desk: &mut Desk) {
        let (number, proxy) = self.dialogue.name();
        let (peer, listener) = (source.unwrap_or(proxy), self.dialogue.listener());
        if let Some(channel) = self.channel.take() {
            desk.control.channels.release(channel);
        }
        let admitted = match desk.admit(listener, peer.ip()) {
            Ok((channel, admitted)) => {
                self.channel = Some(channel);
                admitted
            }
            Err(why) => {
                event!(target: "PWD", PROBLEM, %peer, "connection by way of {proxy} refused: {why}");
                why.print(&desk.listeners[listener], &mut desk.replies);
                self.phase = Phase::Finishing(Closing::Lingering);
                return;
            }
        };
        event!(target: "PWD", LOW_LEVEL, session = number, %peer, "incoming connection by way of {proxy}");
        let wire = desk.listeners[listener].wire(peer.ip());
        self.dialogue = Dialogue::new(number, peer, listener, wire, admitted.is_debugged);
        self.opened = desk.now;
        self.phase = Phase::Open;
        self.begin(desk);
    }
}
