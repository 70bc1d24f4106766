//! A client that sends exactly the bytes it is told to, and tells what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

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
    received: Vec<u8>,
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
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends `bytes` in one write. A server that has closed already is no fault: what it said
    /// last is still to be read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(fault) if !is_gone(fault.kind()) => panic!("sending failed: {fault}"),
            _ => {}
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

    /// The next thing that comes, waiting at most for `patience`.
    pub(crate) fn hear(&mut self, patience: Duration) -> Heard {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("a reply ends in CR LF: {line:?}"));
                return Heard::Line(text.to_vec());
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Heard::Eof(std::mem::take(&mut self.received)),
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
