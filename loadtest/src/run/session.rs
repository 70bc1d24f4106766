//! One client's session: connect, log in, change the password, go.
//!
//! It is the client's side of poppwd, read independently of the server. What the replies mean for
//! the account is decided by the caller, who knows what was to be expected.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};
use tokio_uring::net::TcpStream;

use super::profile::Profile;
use crate::clock;
use crate::wire::{is_refusal, is_reply, line_bytes};

/// How long a slow client waits before each byte.
const DRIP: Duration = Duration::from_millis(50);

/// The longest line a server may answer with before it counts as nonsense.
const REPLY_BYTES_MAX: usize = 4096;

/// What the client is to do.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The address to come from; `None`: whichever the system takes.
    pub(crate) source: Option<Ipv4Addr>,
    /// Whose habits to show.
    pub(crate) profile: Profile,
    /// The account's name.
    pub(crate) account: &'a str,
    /// The password to log in with.
    pub(crate) old: &'a str,
    /// A password that will be refused, to be tried first.
    pub(crate) bad_first: Option<&'a str>,
    /// The password to set.
    pub(crate) new: &'a str,
    /// How long to wait for a connection or a reply.
    pub(crate) patience: Duration,
}

/// The parts of a session that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Until the connection stands.
    Connect,
    /// Until the greeting is there.
    Greeting,
    /// From USER to its answer.
    User,
    /// From PASS to its answer.
    Pass,
    /// From NEWPASS to its answer.
    NewPass,
}

/// All of them, in order, with their names.
pub(crate) const STEPS: [(Step, &str); 5] = [
    (Step::Connect, "connect"),
    (Step::Greeting, "greeting"),
    (Step::User, "user"),
    (Step::Pass, "pass"),
    (Step::NewPass, "newpass"),
];

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// NEWPASS was answered 200.
    Changed,
    /// The server said no, in so many words, at this step.
    Refused(Step),
    /// The client left on purpose, without an answer to NEWPASS.
    Abandoned,
    /// No answer came in time.
    TimedOut(Step),
    /// The connection broke or was closed without an answer.
    Broken(Step),
    /// The server answered something that poppwd does not have.
    Nonsense(Step),
}

/// How long each step took, in nanoseconds, as far as the session came.
pub(crate) type Times = [Option<u64>; STEPS.len()];

/// Why a step did not succeed.
enum Trouble {
    Refused,
    TimedOut,
    Broken,
    Nonsense,
}

impl Trouble {
    fn at(self, step: Step) -> Ending {
        match self {
            Self::Refused => Ending::Refused(step),
            Self::TimedOut => Ending::TimedOut(step),
            Self::Broken => Ending::Broken(step),
            Self::Nonsense => Ending::Nonsense(step),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// Holds the session `call` describes. `intend` is called just before NEWPASS is sent; when it
/// fails, nothing is sent.
pub(crate) async fn hold(call: &Call<'_>, times: &mut Times, intend: impl FnOnce() -> io::Result<()>) -> Ending {
    match converse(call, times, intend).await {
        Ok(ending) | Err(ending) => ending,
    }
}

async fn converse(
    call: &Call<'_>,
    times: &mut Times,
    intend: impl FnOnce() -> io::Result<()>,
) -> Result<Ending, Ending> {
    let mut timer = Timer { times, since: clock::monotonic_ns() };
    let connected = match timeout(call.patience, connect(call)).await {
        Ok(connected) => connected.map_err(Trouble::from),
        Err(_) => Err(Trouble::TimedOut),
    };
    let mut line = timer.done(Step::Connect, connected)?;
    let greeted = line.hear(&[b"200"]).await;
    timer.done(Step::Greeting, greeted)?;
    let profile = call.profile;
    let answered = line.ask(profile.line("USER", profile.login(call.account)), &[b"200", b"300"]).await;
    timer.done(Step::User, answered)?;
    let answered = line.ask(profile.line("PASS", call.old), &[b"200"]).await;
    timer.done(Step::Pass, answered)?;
    if let Some(bad) = call.bad_first {
        match line.ask(profile.line("NEWPASS", bad), &[b"200"]).await {
            Err(Trouble::Refused) => {}
            Ok(()) => return Err(Ending::Nonsense(Step::NewPass)),
            Err(trouble) => return Err(trouble.at(Step::NewPass)),
        }
        timer.since = clock::monotonic_ns();
    }
    intend().map_err(|_| Ending::Broken(Step::Pass))?;
    let new_pass = profile.line("NEWPASS", call.new);
    if profile == Profile::Abandon {
        line.say(new_pass).await.map_err(|_| Ending::Broken(Step::NewPass))?;
        return Ok(Ending::Abandoned);
    }
    let answered = line.ask(new_pass, &[b"200"]).await;
    timer.done(Step::NewPass, answered)?;
    if profile.says_quit() {
        // The password is changed, whatever becomes of the farewell.
        line.ask(profile.line("QUIT", ""), &[b"200"]).await.ok();
    }
    Ok(Ending::Changed)
}

/// Takes the time of each step.
struct Timer<'a> {
    times: &'a mut Times,
    since: u64,
}

impl Timer<'_> {
    fn done<T>(&mut self, step: Step, result: Result<T, Trouble>) -> Result<T, Ending> {
        let now = clock::monotonic_ns();
        if result.is_ok() {
            self.times[step as usize] = Some(now - self.since);
        }
        self.since = now;
        result.map_err(|trouble| trouble.at(step))
    }
}

/// The connection, with the part of a line that has come.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
    patience: Duration,
    drips: bool,
}

impl Line {
    async fn ask(&mut self, command: Vec<u8>, codes: &[&[u8; 3]]) -> Result<(), Trouble> {
        self.say(command).await?;
        self.hear(codes).await
    }

    async fn say(&mut self, command: Vec<u8>) -> Result<(), Trouble> {
        if self.drips {
            for byte in command {
                sleep(DRIP).await;
                self.stream.write_all(vec![byte]).await.0?;
            }
            return Ok(());
        }
        Ok(self.stream.write_all(command).await.0?)
    }

    /// Waits for one reply.
    async fn hear(&mut self, codes: &[&[u8; 3]]) -> Result<(), Trouble> {
        let length = loop {
            if let Some(length) = line_bytes(&self.received) {
                break length;
            }
            if self.received.len() > REPLY_BYTES_MAX {
                return Err(Trouble::Nonsense);
            }
            let Ok((count, chunk)) = timeout(self.patience, self.stream.read(Vec::with_capacity(512))).await else {
                // The abandoned read ends when the connection does.
                self.stream.shutdown(Shutdown::Both).ok();
                return Err(Trouble::TimedOut);
            };
            if count? == 0 {
                return Err(Trouble::Broken);
            }
            self.received.extend_from_slice(&chunk);
        };
        let reply: Vec<u8> = self.received.drain(..length).collect();
        let is_no = is_refusal(&reply);
        match (is_reply(&reply, codes), is_no) {
            (true, _) => Ok(()),
            (false, true) => Err(Trouble::Refused),
            (false, false) => Err(Trouble::Nonsense),
        }
    }
}

/// Connects. The ring has no operation that binds, so this one step goes by way of epoll.
async fn connect(call: &Call<'_>) -> io::Result<Line> {
    let socket = if call.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = call.source {
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    let stream = socket.connect(call.address).await?.into_std()?;
    // A ring operation on a non-blocking socket fails instead of waiting.
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(Line {
        stream: TcpStream::from_std(stream),
        received: Vec::new(),
        patience: call.patience,
        drips: call.profile == Profile::Slow,
    })
}
