//! The server under load: where it is, what it speaks, and how to reach it.

use std::io::{self, BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::ValueEnum;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::wire::{is_refusal, is_reply, line_bytes};

/// How long the unmeasured set-up waits for one reply.
const SETUP_WAIT_MAX: Duration = Duration::from_secs(30);

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
    /// It does not, or not now.
    Refused,
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
    /// When the server cannot be reached or greets with anything but success.
    pub(crate) fn open(address: SocketAddr, protocol: Protocol, source: Option<Ipv4Addr>) -> io::Result<Self> {
        let stream = match source {
            Some(source) => connect_from(source, address)?,
            None => TcpStream::connect(address)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SETUP_WAIT_MAX))?;
        let mut talk = Self { stream };
        if protocol == Protocol::Keyturn {
            talk.expect_code("the greeting", &[b"200"])?;
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
            Access::Refused => Err(io::Error::other(format!("the server refuses the password of {user}"))),
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
        if is_reply(&line, &[b"200"]) {
            Ok(Access::Granted)
        } else if is_refusal(&line) {
            Ok(Access::Refused)
        } else {
            Err(wrong("PASS", &line))
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
