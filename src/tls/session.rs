use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{Error, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use zeroize::{Zeroize, Zeroizing};

use super::identity::names_in;
use crate::model::TlsPeer;

/// One connection's TLS, seen from the server.
pub struct Session {
    connection: ServerConnection,
    is_slow: bool,
    is_ended: bool,
}

/// Why a session cannot go on. [`Session::send`] still has an alert for the client.
#[derive(Clone, Debug)]
pub struct TlsFault(Error);

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>, is_slow: bool) -> Self {
        let mut connection = ServerConnection::new(config).expect("the configuration is one for TCP");
        // What it is given to send is taken from it at once.
        connection.set_buffer_limit(None);
        Self { connection, is_slow, is_ended: false }
    }

    /// Takes in what was received, and appends what the client said to `clear`: at most 17 KiB
    /// more than `sealed` has, for the beginning of a record is kept. What must be sent in answer
    /// comes with the next [`Session::send`].
    ///
    /// # Errors
    /// The client does not speak TLS as it should; the session is at its end.
    pub fn receive(&mut self, mut sealed: &[u8], clear: &mut Vec<u8>) -> Result<(), TlsFault> {
        while !sealed.is_empty() && !self.is_ended {
            self.connection
                .read_tls(&mut sealed)
                .map_err(|_| TlsFault(Error::General("a record is too long".into())))?;
            self.is_ended = self.connection.process_new_packets().map_err(TlsFault)?.peer_has_closed();
            self.read(clear);
        }
        self.connection.read_tls(&mut Wipe).ok();
        Ok(())
    }

    fn read(&mut self, clear: &mut Vec<u8>) {
        let mut reader = self.connection.reader();
        while let Ok(chunk) = reader.fill_buf() {
            let bytes = chunk.len();
            if bytes == 0 {
                break;
            }
            clear.extend_from_slice(chunk);
            reader.consume(bytes);
        }
    }

    /// Appends to `sealed` what is due of the handshake, and `clear` in records of its own.
    pub fn send(&mut self, clear: &[u8], sealed: &mut Vec<u8>) {
        if !clear.is_empty() {
            self.connection.writer().write_all(clear).expect("there is no limit");
        }
        while self.connection.wants_write() {
            self.connection.write_tls(sealed).expect("a Vec takes every byte");
        }
    }

    /// Appends the last word to `sealed` (RFC 8446, section 6.1), once.
    pub fn close(&mut self, sealed: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.send(&[], sealed);
    }

    /// Whether the handshake has not come to its end.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What a session that has its handshake behind it knows of the connection.
    #[must_use]
    pub fn peer(&self) -> TlsPeer {
        // Where the extended master secret was not agreed on, nothing exported is unique (RFC 9266,
        // section 4), and rustls does not tell: so logins are bound under TLS 1.3 alone.
        let is_unique = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let export = |connection: &ServerConnection| {
            connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
        };
        let certificate = self.connection.peer_certificates().and_then(<[_]>::first);
        TlsPeer {
            binding: is_unique.then(|| export(&self.connection)).flatten(),
            certified: certificate.map(|certificate| names_in(certificate)).unwrap_or_default(),
        }
    }

    /// Whether the client has said its last word (close_notify).
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether the next [`Session::receive`] may take a millisecond and more.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.is_slow && self.is_handshaking()
    }
}

/// A step of a handshake, to be made by a thread that may take its time.
#[derive(Debug)]
pub struct Step {
    session: Box<Session>,
    sealed: Box<[u8]>,
    opened: Option<Opened>,
}

/// What came of a step, or of not making it.
pub struct Opened {
    /// Whether the client speaks TLS as it should.
    pub outcome: Result<(), TlsFault>,
    /// What it said.
    pub clear: Zeroizing<Vec<u8>>,
}

impl Step {
    /// A step that takes in what was received.
    #[must_use]
    pub fn new(session: Box<Session>, sealed: &[u8]) -> Self {
        Self { session, sealed: sealed.into(), opened: None }
    }

    /// Makes it.
    pub fn make(&mut self) {
        let mut clear = Zeroizing::default();
        let outcome = self.session.receive(&self.sealed, &mut clear);
        self.opened = Some(Opened { outcome, clear });
    }

    /// The session, and what came of the step; `None` when it was not made.
    #[must_use]
    pub fn finish(self) -> (Box<Session>, Option<Opened>) {
        (self.session, self.opened)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({:?}, {} bytes)", self.outcome, self.clear.len())
    }
}

/// Overwrites what it should read into: all that records were opened in.
struct Wipe;

impl Read for Wipe {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        place.zeroize();
        Err(ErrorKind::WouldBlock.into())
    }
}

impl fmt::Display for Session {
    /// What was agreed on, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        };
        let suite = self.connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        write!(f, "{version}, {}", suite.unwrap_or("no suite"))?;
        if self.connection.handshake_kind() == Some(HandshakeKind::Resumed) {
            f.write_str(", resumed")?;
        }
        if self.connection.peer_certificates().is_some() {
            f.write_str(", with a client certificate")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TlsFault {}
