//! One client's session: connect, log in, change the password, go.
//!
//! It is the client's side of poppwd and of the command line behind it, read independently of the
//! server. What the replies mean for the account is decided by the caller, who knows what was to
//! be expected.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use md5::{Digest, Md5};
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};
use tokio_uring::net::TcpStream;

use super::profile::Profile;
use crate::clock;
use crate::wire::{Refusal, is_reply, line_bytes, refusal};

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
    /// From PASS or APOP to its answer.
    Pass,
    /// From INLINE to the answer to the last command before the change.
    Commands,
    /// From NEWPASS, or the command that stands for it, to its answer.
    NewPass,
    /// In place of a step that is refused for now: until that is said.
    Refusal,
}

/// All of them, in order, with their names.
pub(crate) const STEPS: [(Step, &str); 7] = [
    (Step::Connect, "connect"),
    (Step::Greeting, "greeting"),
    (Step::User, "user"),
    (Step::Pass, "pass"),
    (Step::Commands, "commands"),
    (Step::NewPass, "newpass"),
    (Step::Refusal, "refusal"),
];

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The change was answered 200.
    Changed,
    /// The server said no, in so many words, at this step.
    Refused(Step, Refusal),
    /// The client left or stalled on purpose, without an answer to a change.
    Abandoned,
    /// No answer came in time.
    TimedOut(Step),
    /// The connection broke or was closed without an answer.
    Broken(Step),
    /// The server answered something that poppwd does not have.
    Nonsense(Step),
}

/// When a step was begun and when it had succeeded, on the monotonic clock, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Just before the first byte was sent.
    pub(crate) begun: u64,
    /// When the whole answer was there.
    pub(crate) done: u64,
}

/// The steps of a session, as far as it came.
pub(crate) type Spans = [Option<Span>; STEPS.len()];

/// Why a step did not succeed.
#[derive(Debug)]
enum Trouble {
    Refused(Refusal),
    TimedOut,
    Broken,
    Nonsense,
}

impl Trouble {
    fn at(self, step: Step) -> Ending {
        match self {
            Self::Refused(why) => Ending::Refused(step, why),
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

/// Holds the session `call` describes. `intend` is called just before the change is sent; when it
/// says no, nothing is sent.
pub(crate) async fn hold(call: &Call<'_>, spans: &mut Spans, intend: impl FnOnce() -> bool) -> Ending {
    match converse(call, spans, intend).await {
        Ok(ending) | Err(ending) => ending,
    }
}

async fn converse(call: &Call<'_>, spans: &mut Spans, intend: impl FnOnce() -> bool) -> Result<Ending, Ending> {
    let profile = call.profile;
    let mut line = timed(spans, Step::Connect, connect(call)).await?;
    let greeting = timed(spans, Step::Greeting, line.hear(&[b"200"])).await?;
    let login = profile.login(call.account);
    match challenge(&greeting) {
        Some(challenge) if profile == Profile::Cli => {
            let apop = profile.line("APOP", &format!("{login} {}", digest(challenge, call.old)));
            timed(spans, Step::Pass, line.ask(apop, &[b"200"])).await?;
        }
        Some(_) | None => {
            timed(spans, Step::User, line.ask(profile.line("USER", login), &[b"200", b"300"])).await?;
            let pass = profile.line("PASS", call.old);
            if profile == Profile::Stall {
                line.stall(pass).await;
                return Ok(Ending::Abandoned);
            }
            timed(spans, Step::Pass, line.ask(pass, &[b"200"])).await?;
        }
    }
    if profile == Profile::Cli {
        timed(spans, Step::Commands, line.command(profile)).await?;
    }
    if !intend() {
        return Err(Ending::Broken(Step::Pass));
    }
    let change = profile.change(call.new);
    if profile == Profile::Abandon {
        line.say(change).await.map_err(|_| Ending::Broken(Step::NewPass))?;
        return Ok(Ending::Abandoned);
    }
    timed(spans, Step::NewPass, line.ask(change, &[b"200"])).await?;
    if profile.says_quit() {
        // The password is changed, whatever becomes of the farewell.
        line.ask(profile.line("QUIT", ""), &[b"200"]).await.ok();
    }
    Ok(Ending::Changed)
}

/// Takes the time of `step`, which is `work`.
async fn timed<T>(spans: &mut Spans, step: Step, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Ending> {
    let begun = clock::monotonic_ns();
    let result = work.await;
    let span = Some(Span { begun, done: clock::monotonic_ns() });
    match &result {
        Ok(_) => spans[step as usize] = span,
        Err(Trouble::Refused(Refusal::NotNow)) => spans[Step::Refusal as usize] = span,
        Err(_) => {}
    }
    result.map_err(|trouble| trouble.at(step))
}

/// The challenge of a greeting that offers APOP: what stands in angle brackets, these included,
/// with an `@` in it (RFC 1939, section 7).
fn challenge(greeting: &[u8]) -> Option<&[u8]> {
    let from = greeting.iter().position(|byte| *byte == b'<')?;
    let to = greeting.iter().rposition(|byte| *byte == b'>')?;
    greeting.get(from..=to).filter(|challenge| challenge.contains(&b'@'))
}

/// What APOP proves the password with: MD5 over the challenge and the password.
fn digest(challenge: &[u8], password: &str) -> String {
    let hash = Md5::new_with_prefix(challenge).chain_update(password).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
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
        self.hear(codes).await.map(drop)
    }

    /// What administration libraries do between login and change: data is to come in the replies
    /// from now on, and some is asked for.
    async fn command(&mut self, profile: Profile) -> Result<(), Trouble> {
        self.ask(profile.line("INLINE", ""), &[b"200"]).await?;
        self.ask(profile.line("GETACCOUNTSETTINGS", "*"), &[b"201"]).await
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

    /// Sends half of `command`, and holds the session until the server ends it or patience does.
    async fn stall(&mut self, mut command: Vec<u8>) {
        command.truncate(command.len() / 2);
        let mut left = if self.say(command).await.is_ok() { Ok(()) } else { Err(Trouble::Broken) };
        while left.is_ok() {
            self.received.clear();
            left = self.receive().await;
        }
    }

    /// Waits for one reply and returns it.
    async fn hear(&mut self, codes: &[&[u8; 3]]) -> Result<Vec<u8>, Trouble> {
        let length = loop {
            if let Some(length) = line_bytes(&self.received) {
                break length;
            }
            if self.received.len() > REPLY_BYTES_MAX {
                return Err(Trouble::Nonsense);
            }
            self.receive().await?;
        };
        let reply: Vec<u8> = self.received.drain(..length).collect();
        match refusal(&reply) {
            Some(why) => Err(Trouble::Refused(why)),
            None if is_reply(&reply, codes) => Ok(reply),
            None => Err(Trouble::Nonsense),
        }
    }

    /// Waits for more bytes.
    async fn receive(&mut self) -> Result<(), Trouble> {
        let Ok((count, chunk)) = timeout(self.patience, self.stream.read(Vec::with_capacity(512))).await else {
            // The abandoned read ends when the connection does.
            self.stream.shutdown(Shutdown::Both).ok();
            return Err(Trouble::TimedOut);
        };
        if count? == 0 {
            return Err(Trouble::Broken);
        }
        self.received.extend_from_slice(&chunk);
        Ok(())
    }
}

/// Connects. The ring has no operation that binds, so this one step goes by way of epoll.
async fn connect(call: &Call<'_>) -> Result<Line, Trouble> {
    let socket = if call.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = call.source {
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    let Ok(connected) = timeout(call.patience, socket.connect(call.address)).await else {
        return Err(Trouble::TimedOut);
    };
    let stream = connected?.into_std()?;
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that says `replies`, the first at once and each other after a line; then it ends
    /// its side. Returns where it listens, and in the end what it was sent.
    fn play(replies: &'static [&'static str]) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            for (count, reply) in replies.iter().enumerate() {
                let lines = |heard: &[u8]| heard.iter().filter(|byte| **byte == b'\n').count();
                while lines(&heard) < count {
                    let mut byte = [0; 1];
                    stream.read_exact(&mut byte).unwrap();
                    heard.extend(byte);
                }
                stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
            stream.read_to_end(&mut heard).ok();
            String::from_utf8(heard).unwrap()
        });
        (address, server)
    }

    /// How a session with such a server ends, what it sends, and which steps succeed.
    fn session(profile: Profile, replies: &'static [&'static str]) -> (Ending, String, Vec<Step>) {
        let (address, server) = play(replies);
        let mut spans = [None; STEPS.len()];
        let ending = tokio_uring::start(async {
            let (account, old, new) = ("tim@d.example", "tanstaaf", "new \"one\"");
            let patience = Duration::from_secs(60);
            let call = Call { address, source: None, profile, account, old, new, patience };
            hold(&call, &mut spans, || true).await
        });
        let steps = STEPS.iter().filter(|(step, _)| spans[*step as usize].is_some()).map(|(step, _)| *step).collect();
        (ending, server.join().unwrap(), steps)
    }

    const WHOLE: &[&str] = &["200 hello", "300 go on", "200 in", "200 changed", "200 bye"];

    #[test]
    fn each_client_says_what_it_says() {
        for (profile, sent) in [
            (Profile::Roundcube, "user tim@d.example\r\npass tanstaaf\r\nnewpass new \"one\"\r\n"),
            (Profile::Snappymail, "USER tim@d.example\r\nPASS tanstaaf\r\nNEWPASS new \"one\"\r\nQUIT\r\n"),
            (Profile::Eudora, "USER tim\r\nPASS tanstaaf\r\nNEWPASS new \"one\"\r\nQUIT\r\n"),
            (Profile::Slow, "USER tim@d.example\r\nPASS tanstaaf\r\nNEWPASS new \"one\"\r\nQUIT\r\n"),
        ] {
            let replies = if profile.says_quit() { WHOLE } else { &WHOLE[..4] };
            let (ending, heard, steps) = session(profile, replies);
            assert_eq!((ending, heard.as_str()), (Ending::Changed, sent), "{profile:?}");
            assert_eq!(steps, [Step::Connect, Step::Greeting, Step::User, Step::Pass, Step::NewPass]);
        }
    }

    #[test]
    fn one_leaves_after_newpass_and_another_stops_in_the_middle_of_pass() {
        let (ending, heard, steps) = session(Profile::Abandon, &WHOLE[..3]);
        assert_eq!(ending, Ending::Abandoned);
        assert!(heard.ends_with("NEWPASS new \"one\"\r\n"), "{heard}");
        assert_eq!(steps.last(), Some(&Step::Pass));
        let (ending, heard, steps) = session(Profile::Stall, &WHOLE[..2]);
        assert_eq!((ending, heard.as_str()), (Ending::Abandoned, "USER tim@d.example\r\nPASS ta"));
        assert_eq!(steps.last(), Some(&Step::User));
    }

    /// The challenge and the digest are the example of RFC 1939, section 7.
    #[test]
    fn a_library_answers_a_challenge_and_else_sends_the_password() {
        let rest = "INLINE\nGETACCOUNTSETTINGS *\nSETACCOUNTPASSWORD * PASSWORD \"new \\\"one\\\"\"\nQUIT\n";
        let greeting = "200 d.example PWD Server ready <1896.697170952@dbc.mtview.ca.us>";
        let (ending, heard, steps) =
            session(Profile::Cli, vec![greeting, "200 in", "200 OK", "201 {}", "200 OK", "200 bye"].leak());
        assert_eq!(ending, Ending::Changed);
        assert_eq!(heard, format!("APOP tim@d.example c4c9334bac560ecc979e58001b3e22fb\n{rest}"));
        assert_eq!(steps, [Step::Connect, Step::Greeting, Step::Pass, Step::Commands, Step::NewPass]);
        let (ending, heard, _) =
            session(Profile::Cli, &["200 ready", "300 pass", "200 in", "200 OK", "201 {}", "200 OK", "200 bye"]);
        assert_eq!(ending, Ending::Changed);
        assert_eq!(heard, format!("USER tim@d.example\nPASS tanstaaf\n{rest}"));
    }

    #[test]
    fn what_was_not_written_down_is_not_asked_for() {
        let (address, server) = play(&["200 hello", "300 go on", "200 in"]);
        let ending = tokio_uring::start(async {
            let (profile, patience) = (Profile::Roundcube, Duration::from_secs(60));
            let call = Call { address, source: None, profile, account: "tim", old: "old", new: "new", patience };
            hold(&call, &mut [None; STEPS.len()], || false).await
        });
        assert_eq!(ending, Ending::Broken(Step::Pass));
        assert_eq!(server.join().unwrap(), "user tim\r\npass old\r\n");
    }

    #[test]
    fn a_session_ends_where_the_server_says_no_or_nothing_or_nonsense() {
        for (replies, ending) in [
            (&["501 too many connections - try again later"][..], Ending::Refused(Step::Greeting, Refusal::NotNow)),
            (&["200 hello", "300 go on", "515 no"], Ending::Refused(Step::Pass, Refusal::Denied)),
            (&["200 hello", "300 go on"], Ending::Broken(Step::Pass)),
            (&["200 hello", "250-hm"], Ending::Nonsense(Step::User)),
            (
                &["200 hello", "300 go on", "200 in", "501 it may or may not be done"],
                Ending::Refused(Step::NewPass, Refusal::Unknown),
            ),
        ] {
            let (found, _, steps) = session(Profile::Roundcube, replies);
            assert_eq!(found, ending);
            assert_eq!(
                steps.contains(&Step::Refusal),
                matches!(ending, Ending::Refused(_, Refusal::NotNow)),
                "{steps:?}"
            );
        }
    }
}
