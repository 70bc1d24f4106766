//! An inline session of the postmaster.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::server::{DOMAIN, PASSWORD};

/// An inline session of the postmaster.
pub(crate) struct Session {
    pub(crate) stream: TcpStream,
    pub(crate) replies: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Session {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let replies = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        let mut session = Self { stream, replies, line: Vec::new() };
        session.reply()?;
        for line in [&format!("USER postmaster@{DOMAIN}"), &format!("PASS {PASSWORD}"), "INLINE"] {
            session.stream.write_all(format!("{line}\r\n").as_bytes())?;
            session.reply()?;
        }
        Ok(session)
    }

    /// Reads a reply, which must be one of success.
    fn reply(&mut self) -> io::Result<()> {
        self.line.clear();
        self.replies.read_until(b'\n', &mut self.line)?;
        let is_success = matches!(self.line.first(), Some(b'2' | b'3'));
        if is_success { Ok(()) } else { Err(io::Error::other(self.line.escape_ascii().to_string())) }
    }

    /// Sends `count` lines at once and reads their replies.
    pub(crate) fn exchange(&mut self, lines: &str, count: usize) -> io::Result<()> {
        self.stream.write_all(lines.as_bytes())?;
        (0..count).try_for_each(|_| self.reply())
    }

    /// What the server has counted under `name`.
    pub(crate) fn statistic(&mut self, name: &str) -> io::Result<f64> {
        self.exchange(&format!("GETSTATELEMENT {name}\r\n"), 1)?;
        let line = String::from_utf8_lossy(&self.line);
        let number = line.trim_end().strip_prefix("201 #").and_then(|number| number.parse().ok());
        number.ok_or_else(|| io::Error::other(line.into_owned()))
    }

    /// Asks for a list and throws it away; returns its length.
    pub(crate) fn list(&mut self) -> io::Result<usize> {
        self.stream.write_all(b"LISTACCOUNTS\r\n")?;
        let mut length = 0;
        loop {
            let some = self.replies.fill_buf()?;
            let (count, is_end) = (some.len(), some.last() == Some(&b'\n'));
            assert!(count > 0, "the server has hung up");
            self.replies.consume(count);
            length += count;
            if is_end {
                return Ok(length);
            }
        }
    }
}
