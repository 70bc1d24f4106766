//! A client that sends exactly the bytes it is told to, and tells what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};

use super::identity::caller;

/// How long a test waits for something that must come before it calls it missing. Generous: it
/// guards against hanging, and no test passes or fails by how fast the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A line, without its CR LF.
    Line(Vec<u8>),
    /// The server has closed, cleanly; with what came after the last line end.
    Eof(Vec<u8>),
    /// The server has reset the connection.
    Reset,
    /// Nothing for as long as was asked.
    Silence,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    tls: Option<Tls>,
    received: Vec<u8>,
    /// Bytes of it known to hold no line end.
    searched: usize,
}

/// A client's TLS.
#[derive(Debug)]
struct Tls {
    connection: Box<ClientConnection>,
    /// Bytes of what it sends that go into one write.
    piece_bytes: usize,
}

impl Client {
    /// Connects; the greeting is not read.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    /// Connects, unless nobody listens.
    pub(crate) fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, tls: None, received: Vec::new(), searched: 0 })
    }

    /// Connects from an address of this machine, unless nobody listens.
    pub(crate) fn connect_from(ip: IpAddr, address: SocketAddr) -> std::io::Result<Self> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::new(ip, 0))?;
        connect(&socket, &address)?;
        Ok(Self { stream: socket.into(), tls: None, received: Vec::new(), searched: 0 })
    }

    /// Connects with little room for what is not read at once; the greeting is not read.
    pub(crate) fn connect_narrowly(address: SocketAddr) -> Self {
        let client = Self::connect(address);
        rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 1 << 16).unwrap();
        client
    }

    /// Sends `bytes` in one write. A server that has closed already is no fault: what it said
    /// last is still to be read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            None => self.send_in_clear(bytes),
            Some(tls) => {
                tls.connection.writer().write_all(bytes).unwrap();
                self.send_sealed();
            }
        }
    }

    /// Sends bytes past TLS.
    pub(crate) fn send_in_clear(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(fault) if !is_gone(fault.kind()) => panic!("sending failed: {fault}"),
            _ => {}
        }
    }

    /// Begins TLS, and returns when the handshake is over. Its bytes are sent in pieces.
    pub(crate) fn begin_tls(&mut self, config: &Arc<ClientConfig>, piece_bytes: usize) {
        assert!(self.received.is_empty(), "a server says nothing between its reply and the handshake");
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.tls = Some(Tls { connection: Box::new(caller(config)), piece_bytes });
        while self.tls.as_ref().is_some_and(|tls| tls.connection.is_handshaking()) {
            self.send_sealed();
            let tls = self.tls.as_mut().unwrap();
            if tls.connection.is_handshaking() {
                match tls.connection.read_tls(&mut self.stream) {
                    Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                    outcome => assert!(outcome.unwrap() > 0, "closed instead of a handshake"),
                }
                tls.connection.process_new_packets().unwrap();
            }
        }
        self.send_sealed();
    }

    /// What was agreed on under TLS, and the certificate that the server has shown.
    pub(crate) fn tls(&self) -> &ClientConnection {
        &self.tls.as_ref().unwrap().connection
    }

    fn send_sealed(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        let mut sealed = Vec::new();
        while tls.connection.wants_write() {
            tls.connection.write_tls(&mut sealed).unwrap();
        }
        let piece_bytes = tls.piece_bytes;
        for piece in sealed.chunks(piece_bytes) {
            self.send_in_clear(piece);
        }
    }

    fn read(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(chunk) };
        loop {
            match tls.connection.reader().read(chunk) {
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            // At the end of the connection the next look says whether it was announced.
            tls.connection.read_tls(&mut self.stream)?;
            tls.connection.process_new_packets().map_err(std::io::Error::other)?;
        }
    }

    /// Sends `text` and CR LF, and returns the line that comes back, as text.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        self.send(format!("{text}\r\n").as_bytes());
        self.line()
    }

    /// The next line, as text.
    pub(crate) fn line(&mut self) -> String {
        match self.hear(PATIENCE) {
            Heard::Line(line) => String::from_utf8_lossy(&line).into_owned(),
            other @ (Heard::Eof(_) | Heard::Reset | Heard::Silence) => panic!("expected a line, got {other:?}"),
        }
    }

    /// Takes a reply back: it is the next one that comes.
    pub(crate) fn unread(&mut self, reply: &str) {
        self.received.splice(0..0, format!("{reply}\r\n").into_bytes());
        self.searched = 0;
    }

    /// The next thing that comes, waiting at most for `patience`.
    pub(crate) fn hear(&mut self, patience: Duration) -> Heard {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.received[self.searched..]) {
                let line: Vec<u8> = self.received.drain(..=self.searched + length).collect();
                self.searched = 0;
                let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("a reply ends in CR LF: {line:?}"));
                return Heard::Line(text.to_vec());
            }
            self.searched = self.received.len();
            let mut chunk = [0; 16 << 10];
            match self.read(&mut chunk) {
                Ok(0) => {
                    self.searched = 0;
                    return Heard::Eof(std::mem::take(&mut self.received));
                }
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(fault) if is_gone(fault.kind()) => return Heard::Reset,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Heard::Silence,
                Err(fault) => panic!("receiving failed: {fault}"),
            }
        }
    }

    /// Tells the server that nothing more will be sent; its replies can still be read.
    pub(crate) fn half_close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            self.send_sealed();
        }
        match self.stream.shutdown(Shutdown::Write) {
            Err(fault) if fault.kind() != ErrorKind::NotConnected => panic!("half-closing failed: {fault}"),
            _ => {}
        }
    }

    /// Ends the connection as a crashing client does: with a reset.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// The client's end.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
