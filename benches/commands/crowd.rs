//! Many sessions, served by one thread.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use crate::session::Session;

/// Sessions that one thread serves, each in a closed loop. It never sleeps: to wake it would cost
/// the server as much as to serve it.
pub(crate) struct Crowd {
    members: Vec<Member>,
    /// Commands in one send.
    depth: usize,
}

struct Member {
    session: Session,
    /// Replies that have not come.
    awaited: usize,
    received: Vec<u8>,
}

impl Crowd {
    pub(crate) fn open(address: SocketAddr, sessions: usize, depth: usize) -> io::Result<Self> {
        let member = |_| {
            let session = Session::open(address)?;
            session.stream.set_nonblocking(true)?;
            Ok(Member { session, awaited: 0, received: Vec::new() })
        };
        Ok(Self { members: (0..sessions).map(member).collect::<io::Result<_>>()?, depth })
    }

    /// Looks at every session once. Who has all replies sends what `line` appends, as often as
    /// there are commands in a send; what has no line ends. Returns the replies that have come, or
    /// `None`: everybody has them all, and there is nothing to send.
    pub(crate) fn turn(&mut self, mut line: impl FnMut(&mut String) -> bool) -> io::Result<Option<usize>> {
        let (mut replies, mut is_over, mut lines) = (0, true, String::new());
        for member in &mut self.members {
            if member.awaited > 0 {
                let count = member.read()?;
                member.awaited -= count;
                replies += count;
            }
            if member.awaited == 0 {
                lines.clear();
                member.awaited = (0..self.depth).take_while(|_| line(&mut lines)).count();
                member.session.stream.write_all(lines.as_bytes())?;
            }
            is_over &= member.awaited == 0;
        }
        Ok((!is_over).then_some(replies))
    }
}

impl Member {
    /// The replies that have come, all of success.
    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        match self.session.stream.read(&mut buffer) {
            Ok(0) => return Err(io::Error::other("the server has hung up")),
            Ok(count) => self.received.extend(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let whole = self.received.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut count = 0;
        for reply in self.received.drain(..whole).as_slice().split_inclusive(|&byte| byte == b'\n') {
            if reply.first() != Some(&b'2') {
                return Err(io::Error::other(reply.escape_ascii().to_string()));
            }
            count += 1;
        }
        Ok(count)
    }
}
