//! The server under load: where it is, what it speaks, and how to reach it.

use std::io::{self, BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::wire::{Refusal, is_reply, line_bytes, refusal};

/// How long the unmeasured set-up waits for one reply.
const SETUP_WAIT_MAX: Duration = Duration::from_secs(30);

/// Which server, as the command line names it.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Server {
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8106")]
    address: SocketAddr,
    /// Allow a server that is not on this machine; make sure that its owner allows it, too
    #[arg(long)]
    allow_remote: bool,
}

impl Server {
    /// Its address.
    ///
    /// # Errors
    /// When it is another machine's and nobody has allowed that.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        if self.address.ip().is_loopback() || self.allow_remote {
            return Ok(self.address);
        }
        let text = format!("{} is not on this machine; --allow-remote allows it", self.address);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

/// A line protocol the generator can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// poppwd, in any dialect.
    Keyturn,
    /// redis inline commands, for comparison.
    Redis,
    /// memcached's meta commands, for comparison.
    Memcached,
}

impl Protocol {
    /// The cheapest request: it asks for nothing and has a one-line answer.
    pub(crate) fn no_operation(self) -> &'static [u8] {
        match self {
            Self::Keyturn => b"NOOP\r\n",
            Self::Redis => b"PING\r\n",
            Self::Memcached => b"mn\r\n",
        }
    }

    /// Whether `line` is the right answer to [`Protocol::no_operation`].
    pub(crate) fn is_no_operation_reply(self, line: &[u8]) -> bool {
        match self {
            Self::Keyturn => is_reply(line, &[b"200"]),
            Self::Redis => line == b"+PONG\r\n",
            Self::Memcached => line == b"MN\r\n",
        }
    }
}

/// Who logs in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The name; `{}` in it stands for the connection's index.
    pub(crate) user: String,
    /// The password of all of them.
    pub(crate) password: String,
}

impl Login {
    /// The name for the connection `index`.
    pub(crate) fn user(&self, index: usize) -> String {
        self.user.replace("{}", &index.to_string())
    }
}

/// Whether a password lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It does.
    Granted,
    /// It does not.
    Denied,
    /// The server does not say: it is busy.
    NotNow,
}

/// The first line of standard input, without its end: where passwords come from.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) fn first_line_of_stdin() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A connection in the hands of the set-up: blocking, one line at a time.
#[derive(Debug)]
pub(crate) struct Talk {
    stream: TcpStream,
}

impl Talk {
    /// Connects, from `source` if one is given, and reads the greeting where the protocol has one.
    ///
    /// # Errors
    /// When the server cannot be reached or greets with anything but success;
    /// [`io::ErrorKind::ResourceBusy`] when it refuses the session for now.
    pub(crate) fn open(address: SocketAddr, protocol: Protocol, source: Option<Ipv4Addr>) -> io::Result<Self> {
        let stream = match source {
            Some(source) => connect_from(source, address)?,
            None => TcpStream::connect(address)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SETUP_WAIT_MAX))?;
        let mut talk = Self { stream };
        if protocol == Protocol::Keyturn {
            let line = talk.line()?;
            if refusal(&line) == Some(Refusal::NotNow) {
                return Err(io::Error::from(io::ErrorKind::ResourceBusy));
            }
            if !is_reply(&line, &[b"200"]) {
                return Err(wrong("a new connection", &line));
            }
        }
        Ok(talk)
    }

    /// Logs in with USER and PASS.
    ///
    /// # Errors
    /// When the connection fails or the server does not accept the password.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> io::Result<()> {
        match self.try_log_in(user, password)? {
            Access::Granted => Ok(()),
            Access::Denied => Err(io::Error::other(format!("the server refuses the password of {user}"))),
            Access::NotNow => Err(io::Error::other("the server is too busy to let anybody in")),
        }
    }

    /// Tries to log in with USER and PASS.
    ///
    /// # Errors
    /// When the connection fails or the server answers neither yes nor no.
    pub(crate) fn try_log_in(&mut self, user: &str, password: &str) -> io::Result<Access> {
        self.stream.write_all(format!("USER {user}\r\n").as_bytes())?;
        self.expect_code("USER", &[b"200", b"300"])?;
        self.stream.write_all(format!("PASS {password}\r\n").as_bytes())?;
        let line = self.line()?;
        match refusal(&line) {
            None if is_reply(&line, &[b"200"]) => Ok(Access::Granted),
            Some(Refusal::Denied) => Ok(Access::Denied),
            Some(Refusal::NotNow) => Ok(Access::NotNow),
            None | Some(Refusal::Unknown) => Err(wrong("PASS", &line)),
        }
    }

    /// Asks for nothing and returns the reply line, CR LF included.
    ///
    /// # Errors
    /// When the connection fails or the answer is not the right one.
    pub(crate) fn no_operation(&mut self, protocol: Protocol) -> io::Result<Vec<u8>> {
        self.stream.write_all(protocol.no_operation())?;
        let line = self.line()?;
        if protocol.is_no_operation_reply(&line) {
            Ok(line)
        } else {
            Err(wrong("a request that asks for nothing", &line))
        }
    }

    /// Ends the set-up and hands over the connection.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn expect_code(&mut self, to: &str, codes: &[&[u8; 3]]) -> io::Result<()> {
        let line = self.line()?;
        if is_reply(&line, codes) { Ok(()) } else { Err(wrong(to, &line)) }
    }

    /// Reads one line. Nothing may follow it: the server answers, it does not chat.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            line.extend_from_slice(&chunk[..count]);
            match line_bytes(&line) {
                Some(bytes) if bytes == line.len() => return Ok(line),
                Some(_) => return Err(wrong("one request", &line)),
                None => {}
            }
        }
    }
}

/// Says which reply is not the one asked for.
pub(crate) fn wrong(to: &str, reply: &[u8]) -> io::Error {
    io::Error::other(format!("the server answers {to} with \"{}\"", reply.escape_ascii()))
}

fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(IpAddr::V4(source), 0))?;
    connect(&socket, &address)?;
    Ok(TcpStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_put_under_load_unless_that_is_allowed() {
        let server = |address: &str, allow_remote| Server { address: address.parse().unwrap(), allow_remote };
        for local in ["127.0.0.1:106", "127.9.9.9:106", "[::1]:106"] {
            assert!(server(local, false).address().is_ok(), "{local}");
        }
        for remote in ["0.0.0.0:106", "192.0.2.1:106", "[2001:db8::1]:106"] {
            assert!(server(remote, false).address().is_err(), "{remote}");
            assert!(server(remote, true).address().is_ok(), "{remote}");
        }
    }
}
