mod property;

use super::*;
use crate::model::{AccountName, NewPasswordRefusal, Nonce, ScramOffer, Signature};
use crate::proto::reply::tests::rules;
use crate::proto::{Denial, FailuresOf, Timeout};

fn proof() -> Box<Authenticated> {
    Box::new(Authenticated::attest(AccountName::parse("alice@example.com").unwrap(), 1, None))
}

/// A proof that the server must show to be its own, too.
fn signed() -> Box<Authenticated> {
    Box::new(proof().signed(Some(Signature::Scram(b"signature".to_vec().into()))))
}

fn accepted() -> Event<'static> {
    Event::Verified(Verdict::Accepted(proof()))
}

fn denied() -> Event<'static> {
    Event::Verified(Verdict::Denied(Denial::UnknownAccount))
}

/// An effect in short, with the secrets that only a test may show.
fn show(effect: &Effect) -> String {
    match effect {
        Effect::Reply(reply) => format!("{reply:?}"),
        Effect::Verify { login, evidence: Evidence::Password(secret) } => {
            format!("Verify {login} {}", secret.expose().escape_ascii())
        }
        Effect::Verify { login, evidence } => {
            let shown = format!("Verify {login} {evidence:?}");
            match evidence {
                Evidence::Digest(proof) => match &proof.of {
                    Digested::Apop { challenge } => {
                        shown.replace("of: APOP", &format!("of: Apop '{}'", challenge.escape_ascii()))
                    }
                    Digested::CramMd5 { .. } | Digested::DigestMd5(_) => shown,
                },
                Evidence::Password(_) | Evidence::Scram(_) | Evidence::Certificate | Evidence::Token(_) => shown,
            }
        }
        Effect::Ask(question) => format!("{question:?}"),
        Effect::Draw => "Draw".to_owned(),
        Effect::Change { proof, secret } => {
            format!("Change {} {}", proof.account(), secret.expose().escape_ascii())
        }
        Effect::Command { proof, line, is_inline } => {
            let inline = if *is_inline { " inline" } else { "" };
            format!("Command {}{inline} {}", proof.account(), line.as_bytes().escape_ascii())
        }
        Effect::Send(bytes) => format!("Send {}", bytes.escape_ascii()),
        Effect::GoOn => "GoOn".to_owned(),
        Effect::Delay => "Delay".to_owned(),
        Effect::StartTls => "StartTls".to_owned(),
        Effect::Challenge(challenge) => format!("Challenge '{}'", challenge.escape_ascii()),
        Effect::Close(closing) => format!("Close {closing:?}"),
    }
}

/// A session with all it needs.
struct Play {
    session: Session,
    rules: Rules,
}

impl Play {
    fn new(dialect: Dialect) -> Self {
        Self { session: Session::new(Wire::Clear), rules: rules(dialect) }
    }

    /// One that has greeted with a challenge for APOP.
    fn with_apop(dialect: Dialect, wire: Wire) -> Self {
        let mut play = Self::new(dialect);
        (play.session, play.rules.has_apop) = (Session::new(wire), true);
        assert_eq!(play.tell(Event::Opened), "Draw");
        assert_eq!((play.session.awaits(), play.tell(Event::ShuttingDown)), (Awaits::Answer, String::new()));
        assert_eq!(play.tell(drawn()), "Greeting(Some(Nonce([12, 34])))");
        play
    }

    /// One that has logged in.
    fn logged_in(dialect: Dialect) -> Self {
        let mut play = Self::new(dialect);
        play.lines(&["USER alice", "PASS old"]);
        assert_eq!(play.tell(accepted()), "LoggedIn");
        play
    }

    /// Also checks that what is answered at once is answered alike by `step`, and changes nothing.
    fn tell(&mut self, event: Event<'_>) -> String {
        let at_once = if let Event::Line(line) = &event { self.session.answer_at_once(line) } else { None };
        let before = format!("{:?}", self.session);
        let mut effects = Effects::new();
        self.session.step(event, &self.rules, &mut effects);
        if let Some(at_once) = at_once {
            let [Effect::Reply(stepped)] = &effects[..] else { panic!("{effects:?}") };
            let mut printed = Vec::new();
            stepped.print(&self.rules, &mut printed);
            assert_eq!(printed, at_once);
            assert_eq!(format!("{:?}", self.session), before);
        }
        effects.iter().map(show).collect::<Vec<_>>().join("; ")
    }

    fn line(&mut self, line: &str) -> String {
        self.tell(Event::Line(line.as_bytes()))
    }

    fn lines(&mut self, lines: &[&str]) -> String {
        lines.iter().fold(String::new(), |_, line| self.line(line))
    }

    /// Fails a login, up to and including the delay.
    fn fail(&mut self) -> String {
        assert_eq!(self.lines(&["USER alice", "PASS bad"]), "Verify alice bad");
        assert_eq!(self.tell(denied()), "Delay");
        assert_eq!(self.session.awaits(), Awaits::Delay);
        self.tell(Event::DelayPassed)
    }
}

/// What follows a refusal, by dialect.
const DIALECTS: [(Dialect, &str); 2] = [(Dialect::Communigate, ""), (Dialect::Poppassd, "; Close Lingering")];

#[test]
fn a_password_is_changed() {
    for (dialect, _) in DIALECTS {
        let mut play = Play::new(dialect);
        assert_eq!(play.tell(Event::Opened), "Greeting(None)");
        assert_eq!(play.line("USER alice"), "SendPass");
        assert_eq!(play.line("PASS  old "), "Verify alice  old ");
        assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Answer, false));
        assert_eq!(play.tell(accepted()), "LoggedIn");
        assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Line, true));
        assert_eq!(play.line("NEWPASS  new "), "Change alice@example.com  new ");
        assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Answer, true));
        assert_eq!(play.tell(Event::Changed(ChangeOutcome::Changed(proof()))), "PasswordChanged");
        assert_eq!(play.line("NEWPASS newer"), "Change alice@example.com newer");
        assert_eq!(play.tell(Event::Changed(ChangeOutcome::Changed(proof()))), "PasswordChanged");
        assert_eq!(play.line("QUIT"), "Goodbye; Close Prompt");
        assert_eq!(play.session.awaits(), Awaits::Nothing);
    }
}

#[test]
fn a_line_that_changes_nothing_is_answered_at_once_where_a_line_is_awaited() {
    for (dialect, _) in DIALECTS {
        let mut play = Play::new(dialect);
        for line in ["NOOP", "noop", "Noop x"] {
            assert_eq!(play.session.answer_at_once(line.as_bytes()), Some(&b"200 OK\r\n"[..]), "{line}");
            assert_eq!(play.line(line), "Done");
        }
        for line in ["NOOPS", "HELP", "QUIT", "PASS old", ""] {
            assert_eq!(play.session.answer_at_once(line.as_bytes()), None, "{line}");
        }
        play.lines(&["USER alice", "PASS old"]);
        assert_eq!(play.session.answer_at_once(b"NOOP"), None, "an answer is awaited");
    }
}

#[test]
fn a_refused_login_is_delayed_and_may_be_repeated_in_one_dialect() {
    for (dialect, then) in DIALECTS {
        assert_eq!(Play::new(dialect).fail(), format!("Denied{then}"));
    }
    let mut play = Play::new(Dialect::Communigate);
    play.fail();
    assert_eq!(play.line("PASS bad"), "UserFirst");
    assert_eq!(play.fail(), "Denied");
    assert_eq!(play.fail(), "Denied; Close Lingering", "failures_max is 3");
    assert_eq!(play.session.awaits(), Awaits::Nothing);
}

/// What a question is answered with.
fn offer() -> Told {
    Told::Scram(Box::new(ScramOffer { nonce: [0; 18], salt: [1; 16], iterations: 4096 }))
}

/// A login by SCRAM up to and including the client's proof.
fn prove(play: &mut Play) -> String {
    // n,,n=tim,r=n
    let question = "Scram { login: LoginName(tim), hash: Sha1 }";
    assert_eq!(play.line("AUTH SCRAM-SHA-1 biwsbj10aW0scj1u"), question);
    assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Answer, false));
    let challenge = format!("Challenge 'r=n{},s=AQEBAQEBAQEBAQEBAQEBAQ==,i=4096'", "A".repeat(24));
    assert_eq!(play.tell(Event::Told(offer())), challenge);
    assert!(play.session.awaits_response());
    // c=biws,r=nAAAAAAAAAAAAAAAAAAAAAAAA,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=
    play.line("Yz1iaXdzLHI9bkFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0=")
}

#[test]
fn the_server_proves_itself_before_it_says_that_the_client_has_logged_in() {
    for (dialect, _) in DIALECTS {
        for empty in ["", "="] {
            let mut play = Play::new(dialect);
            assert_eq!(prove(&mut play), "Verify tim Scram(ScramProof(SCRAM-SHA-1))");
            assert_eq!(play.tell(Event::Verified(Verdict::Accepted(signed()))), "Challenge 'v=c2lnbmF0dXJl'");
            assert!(play.session.awaits_response() && play.session.is_authenticated());
            assert_eq!(play.line(empty), "LoggedIn");
            assert_eq!(play.line("NEWPASS new"), "Change alice@example.com new");
        }
        for (line, fault) in [("*", "Cancelled"), ("NEWPASS new", "NotBase64"), ("NOOP", "Malformed")] {
            let mut play = Play::new(dialect);
            prove(&mut play);
            play.tell(Event::Verified(Verdict::Accepted(signed())));
            assert_eq!(play.line(line), format!("BadCommand(BadResponse({fault})); Close Lingering"), "{line}");
        }
    }
}

/// What a session is given that draws a nonce.
fn drawn() -> Event<'static> {
    Event::Drawn(Nonce([12, 34]))
}

#[test]
fn a_password_is_proven_by_a_digest_of_a_challenge() {
    let asked = "realm=\\\"mail.example.com\\\",nonce=\\\"12.34\\\",qop=\\\"auth\\\",charset=utf-8,algorithm=md5-sess";
    // username="tim",realm="mail.example.com",nonce="12.34",nc=00000001,cnonce="x",digest-uri="pwd/h",response=
    // and 32 times 0
    let long = "dXNlcm5hbWU9InRpbSIscmVhbG09Im1haWwuZXhhbXBsZS5jb20iLG5vbmNlPSIxMi4zNCIsbmM9MDAwMDAwMDEsY25vbmNlPSJ4IixkaWdlc3QtdXJpPSJwd2QvaCIscmVzcG9uc2U9MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=";
    // tim and 32 times 0
    let short = "dGltIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw";
    let signed = || Box::new(proof().signed(Some(Signature::DigestMd5([7; 16]))));
    for (dialect, then) in DIALECTS {
        for (line, challenge, response, method, accepted) in [
            ("AUTH CRAM-MD5", "<12.34@mail.example.com>", short, "CRAM-MD5", "LoggedIn".to_owned()),
            ("AUTH digest-md5", asked, long, "DIGEST-MD5", format!("Challenge 'rspauth={}'", "07".repeat(16))),
        ] {
            let challenged = || {
                let mut play = Play::new(dialect);
                assert_eq!(play.line(line), "Draw");
                assert_eq!((play.session.awaits(), play.tell(Event::ShuttingDown)), (Awaits::Answer, String::new()));
                assert_eq!(play.tell(drawn()), format!("Challenge '{challenge}'"));
                assert!(play.session.awaits_response());
                play
            };
            let mut play = challenged();
            let proven = format!("Verify tim Digest(DigestProof {{ of: {method}, digest: Md5Digest(***) }})");
            assert_eq!(play.line(response), proven);
            let signed = if method == "CRAM-MD5" { proof() } else { signed() };
            assert_eq!(play.tell(Event::Verified(Verdict::Accepted(signed))), accepted);
            if method == "DIGEST-MD5" {
                assert_eq!(play.line(""), "LoggedIn");
            }
            assert_eq!(play.line("NEWPASS new"), "Change alice@example.com new");
            let mut play = challenged();
            play.line(response);
            assert_eq!(play.tell(denied()), "Delay");
            assert_eq!(play.tell(Event::DelayPassed), format!("Denied{then}"));
            for (response, fault) in [("*", "Cancelled"), ("dGlt", "Malformed"), ("NOOP!", "NotBase64")] {
                let refused = format!("BadCommand(BadResponse({fault})){then}");
                assert_eq!(challenged().line(response), refused, "{method} {response}");
            }
        }
        assert_eq!(Play::new(dialect).line("AUTH CRAM-MD5 dGlt"), format!("BadCommand(BadResponse(Malformed)){then}"));
    }
}

const APOP: &str = "APOP tim 00000000000000000000000000000000";

#[test]
fn a_password_is_proven_by_a_digest_of_the_greeting() {
    let proven = "Verify tim Digest(DigestProof { of: Apop '<12.34@mail.example.com>', digest: Md5Digest(***) })";
    for (dialect, then) in DIALECTS {
        for wire in [Wire::Exposed, Wire::Clear, Wire::Tls] {
            let mut play = Play::with_apop(dialect, wire);
            assert_eq!(play.line(APOP), proven);
            assert_eq!(play.tell(accepted()), "LoggedIn");
            assert_eq!(play.line(APOP), format!("AlreadyLoggedIn{then}"));
        }
        // The first greeting counts under TLS, too.
        let mut play = Play::with_apop(dialect, Wire::Clear);
        assert_eq!(play.line("STLS") + &play.tell(Event::Quiet), "TlsReady; StartTls");
        assert_eq!(play.tell(Event::Secured(Box::default())) + &play.line(APOP), proven);
        assert_eq!(play.tell(denied()), "Delay");
        assert_eq!(play.tell(Event::DelayPassed), format!("Denied{then}"));
        for line in ["APOP", "APOP tim", "APOP tim 0000", "APOP  00000000000000000000000000000000"] {
            let refused = Play::with_apop(dialect, Wire::Clear).line(line);
            assert_eq!(refused, format!("BadCommand(BadApop){then}"), "{line}");
        }
        // Where it was enabled at first and is not any more, and where it was not at first.
        let mut play = Play::with_apop(dialect, Wire::Clear);
        play.rules.has_apop = false;
        assert_eq!(play.line(APOP), format!("ApopNotEnabled{then}"));
        for line in [APOP, "APOP"] {
            let mut play = Play::new(dialect);
            play.tell(Event::Opened);
            play.rules.has_apop = true;
            assert_eq!(play.line(line), format!("ApopNotEnabled{then}"));
        }
    }
    let mut play = Play::with_apop(Dialect::Communigate, Wire::Clear);
    play.lines(&["USER alice", "APOP"]);
    assert_eq!(play.line("PASS old"), "UserFirst", "the name before it is forgotten");
}

#[test]
fn what_cannot_be_found_out_ends_the_exchange_and_is_no_failure_of_the_client() {
    for (dialect, then) in DIALECTS {
        for (told, reply) in
            [(Told::Busy { retry_after_s: 7 }, "LoginBusy { retry_after_s: 7 }"), (Told::Fault, "LoginFault")]
        {
            let mut play = Play::new(dialect);
            play.line("AUTH SCRAM-SHA-1 biwsbj10aW0scj1u");
            assert_eq!(play.tell(Event::TimedOut(Timeout::Login)), "", "an answer is awaited");
            assert_eq!(play.tell(Event::Told(told)), format!("{reply}{then}"));
            assert_eq!(play.session.failures, 0);
        }
        let mut play = Play::new(dialect);
        prove(&mut play);
        assert_eq!(play.tell(denied()), "Delay");
        assert_eq!(play.tell(Event::DelayPassed), format!("Denied{then}"));
    }
}

#[test]
fn a_login_is_bound_to_what_the_handshake_has_agreed_on() {
    // p=tls-exporter,,n=tim,r=n
    let bound = "AUTH SCRAM-SHA-1-PLUS cD10bHMtZXhwb3J0ZXIsLG49dGltLHI9bg==";
    // y,,n=tim,r=n
    let could = "AUTH SCRAM-SHA-1 eSwsbj10aW0scj1u";
    let with = |binding| {
        let mut play = Play { session: Session::new(Wire::Tls), rules: rules(Dialect::Communigate) };
        assert_eq!(play.tell(Event::Secured(Box::new(TlsPeer { binding, ..TlsPeer::default() }))), "");
        assert_eq!(play.tell(Event::Opened), "Greeting(None)");
        play
    };
    assert!(with(Some([7; 32])).line(bound).starts_with("Scram"));
    assert_eq!(with(Some([7; 32])).line(could), "BadCommand(BadResponse(Downgraded))");
    for mut play in [with(None), Play::new(Dialect::Communigate)] {
        assert_eq!(play.line(bound), "BadCommand(BadResponse(NotBound))");
        assert!(play.line(could).starts_with("Scram"));
    }
}

#[test]
fn a_client_with_a_certificate_says_whom_it_means() {
    let mut play = Play::new(Dialect::Communigate);
    assert_eq!(play.line("AUTH EXTERNAL"), "BadCommand(BadResponse(NoCertificate))");
    play.session = Session::new(Wire::Tls);
    play.tell(Event::Secured(Box::default()));
    assert_eq!(play.line("AUTH EXTERNAL ="), "BadCommand(BadResponse(NoCertificate))");
    let certified = vec![LoginName::new(b"tim").unwrap()];
    play.session = Session::new(Wire::Tls);
    play.tell(Event::Secured(Box::new(TlsPeer { certified, ..TlsPeer::default() })));
    assert_eq!(play.line("AUTH EXTERNAL dG9t"), "BadCommand(BadResponse(OtherIdentity))");
    assert_eq!(play.line("AUTH EXTERNAL"), "Challenge ''");
    assert_eq!(play.line("="), "Verify tim Certificate");
    assert_eq!(play.tell(accepted()), "LoggedIn");
}

#[test]
fn a_client_whose_token_is_not_taken_is_told_so_before_its_login_fails() {
    for (dialect, then) in DIALECTS {
        for (line, excuse) in [
            ("AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgYS5iLmMBAQ==", r#"{\"status\":\"invalid_token\"}"#),
            ("AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgYS5iLmMBAQ==", r#"{\"status\":\"401\",\"schemes\":\"bearer\"}"#),
        ] {
            for answer in ["AQ==", "=", "*", "NOOP"] {
                let mut play = Play::new(dialect);
                assert_eq!(play.line(line), "Verify tim Token(Token(***))");
                assert_eq!(play.tell(denied()), format!("Challenge '{excuse}'"));
                assert!(play.session.awaits_response() && !play.session.is_authenticated());
                assert_eq!(play.line(answer), "Delay");
                assert_eq!(play.tell(Event::DelayPassed), format!("Denied{then}"));
            }
        }
    }
}

#[test]
fn where_others_may_read_a_proof_is_taken_and_no_password() {
    let mut play = Play::new(Dialect::Communigate);
    play.session = Session::new(Wire::Exposed);
    for line in ["USER alice", "AUTH PLAIN", "AUTH LOGIN dGlt", "AUTH OAUTHBEARER", "AUTH XOAUTH2 ="] {
        assert_eq!(play.line(line), "TlsNeeded", "{line}");
    }
    prove(&mut play);
    assert_eq!(play.tell(accepted()), "LoggedIn");
    assert_eq!(play.line("NEWPASS new"), "TlsNeeded");
    assert_eq!(play.line("NEWPASS new"), "TlsNeeded", "the login counts for what is no secret");
}

#[test]
fn every_denial_looks_the_same() {
    let account = || AccountName::parse("alice@example.com").unwrap();
    for denial in [Denial::UnknownAccount, Denial::WrongPassword(account()), Denial::Disabled(account())] {
        let mut play = Play::new(Dialect::Communigate);
        play.lines(&["USER alice", "PASS bad"]);
        assert_eq!(play.tell(Event::Verified(Verdict::Denied(denial))), "Delay");
        assert_eq!(play.tell(Event::DelayPassed), "Denied");
    }
}

#[test]
fn a_login_that_was_not_looked_at_is_delayed_and_counts_as_a_failure() {
    for (dialect, then) in DIALECTS {
        let mut play = Play::new(dialect);
        play.lines(&["USER alice", "PASS bad"]);
        let verdict = Verdict::TooManyFailures { of: FailuresOf::Account, retry_after_s: 7 };
        assert_eq!(play.tell(Event::Verified(verdict)), "Delay");
        assert_eq!(play.tell(Event::DelayPassed), format!("TooManyFailures {{ retry_after_s: 7 }}{then}"));
        assert_eq!(play.session.failures, 1);
    }
}

#[test]
fn a_login_that_could_not_be_checked_is_no_failure_of_the_client() {
    for (dialect, then) in DIALECTS {
        for (verdict, reply) in
            [(Verdict::Busy { retry_after_s: 7 }, "LoginBusy { retry_after_s: 7 }"), (Verdict::Fault, "LoginFault")]
        {
            let mut play = Play::new(dialect);
            play.lines(&["USER alice", "PASS old"]);
            assert_eq!(play.tell(Event::Verified(verdict)), format!("{reply}{then}"));
            assert_eq!(play.session.failures, 0);
        }
    }
}

#[test]
fn a_change_that_did_not_happen_leaves_the_login_as_it_was() {
    let too_short = || NewPasswordRefusal::TooShort { characters_min: 8 };
    let refused = "NewPasswordRefused(TooShort { characters_min: 8 })";
    for (dialect, then) in DIALECTS {
        for (outcome, reply) in [
            (ChangeOutcome::Refused(proof(), too_short()), refused),
            (ChangeOutcome::Busy { proof: proof(), retry_after_s: 7 }, "ChangeBusy { retry_after_s: 7 }"),
            (ChangeOutcome::Fault(proof()), "ChangeFault"),
        ] {
            let mut play = Play::logged_in(dialect);
            play.line("NEWPASS new");
            assert_eq!(play.tell(Event::Changed(outcome)), format!("{reply}{then}"));
            assert_eq!(play.session.is_authenticated(), then.is_empty());
        }
    }
}

#[test]
fn a_conflict_asks_for_another_login() {
    for (dialect, then) in DIALECTS {
        let mut play = Play::logged_in(dialect);
        play.line("NEWPASS new");
        assert_eq!(play.tell(Event::Changed(ChangeOutcome::Conflict)), format!("ChangedElsewhere{then}"));
        assert!(!play.session.is_authenticated());
        let after = if then.is_empty() { "UserFirst" } else { "" };
        assert_eq!(play.line("PASS new"), after, "the name is forgotten with the proof");
    }
}

#[test]
fn an_unknown_outcome_is_never_a_success_and_ends_the_session() {
    for (dialect, _) in DIALECTS {
        let mut play = Play::logged_in(dialect);
        play.line("NEWPASS new");
        assert_eq!(play.tell(Event::Changed(ChangeOutcome::Unknown)), "ChangeUnknown; Close Lingering");
    }
}

#[test]
fn commands_out_of_order_are_refused() {
    for (dialect, then) in DIALECTS {
        for (lines, reply) in [
            (&["PASS old"][..], "UserFirst"),
            (&["NEWPASS new"], "LoginFirst"),
            (&["NEWPASS"], "LoginFirst"),
            (&["NEWPASS \0"], "LoginFirst"),
            (&["LISTDOMAINS"], "LoginFirst"),
            (&["USER alice", "NEWPASS new"], "LoginFirst"),
            (&["USER alice", ""], "LoginFirst"),
            (&["APOP alice 0123"], "ApopNotEnabled"),
            (&["USER alice", "APOP alice 0123"], "ApopNotEnabled"),
            (&["USER"], "BadCommand(NameMissing)"),
            (&["USER alice", "PASS "], "BadCommand(PasswordMissing)"),
        ] {
            assert_eq!(Play::new(dialect).lines(lines), format!("{reply}{then}"), "{lines:?}");
        }
        for (line, reply) in [
            ("USER bob", "AlreadyLoggedIn"),
            ("USER", "AlreadyLoggedIn"),
            ("PASS old", "AlreadyLoggedIn"),
            ("PASS", "AlreadyLoggedIn"),
            ("APOP alice 0123", "AlreadyLoggedIn"),
            ("NEWPASS ", "BadCommand(NewPasswordMissing)"),
            ("NEWPASS a\rb", "BadCommand(NewPasswordControl)"),
        ] {
            assert_eq!(Play::logged_in(dialect).line(line), format!("{reply}{then}"), "{line:?}");
        }
    }
}

#[test]
fn a_refusal_leaves_the_state_in_the_communigate_dialect() {
    let mut play = Play::new(Dialect::Communigate);
    let refused = ["USER alice", "PASS", "NEWPASS new", "APOP x y", "WHAT"];
    play.lines(&refused);
    assert_eq!(play.line("PASS old"), "Verify alice old");
    let mut play = Play::logged_in(Dialect::Communigate);
    play.lines(&["USER bob", "PASS", "NEWPASS"]);
    assert_eq!(play.line("NEWPASS new"), "Change alice@example.com new");
}

#[test]
fn an_exchange_takes_every_line_for_a_response() {
    for (dialect, then) in DIALECTS {
        let mut play = Play::new(dialect);
        assert_eq!(play.line("AUTH LOGIN"), "Challenge 'Username:'");
        assert!(play.session.answer_at_once(b"NOOP").is_none(), "it may be a name");
        assert_eq!(play.line("dGlt"), "Challenge 'Password:'");
        assert_eq!(play.line("QUIT"), r"Verify tim AB\x13");
        assert_eq!(play.tell(accepted()), "LoggedIn");
        let already = format!("AlreadyLoggedIn{then}");
        assert_eq!(play.line("AUTH PLAIN"), already);

        for (lines, fault) in [
            (&["AUTH PLAIN", "*"][..], "Cancelled"),
            (&["AUTH PLAIN", "NOOP!"], "NotBase64"),
            (&["AUTH plain dGlt"], "Malformed"),
        ] {
            let mut play = Play::new(dialect);
            play.line("USER alice");
            assert_eq!(play.lines(lines), format!("BadCommand(BadResponse({fault})){then}"));
            let after = if then.is_empty() { "UserFirst" } else { "" };
            assert_eq!(play.line("PASS old"), after, "the name was given up for the exchange");
        }
    }
}

#[test]
fn stls_forgets_all_that_came_before_it() {
    for (dialect, _) in DIALECTS {
        let mut play = Play::new(dialect);
        play.lines(&["USER alice"]);
        assert_eq!(play.line("STLS"), "");
        assert_eq!(play.session.awaits(), Awaits::Quiet);
        assert_eq!(play.tell(Event::TimedOut(Timeout::Idle)) + &play.tell(Event::ShuttingDown), "");
        assert_eq!(play.tell(Event::Quiet), "TlsReady; StartTls");
        assert_eq!(format!("{:?}", play.session), format!("{:?}", Session::new(Wire::Tls)));
        assert_eq!(play.lines(&["USER alice", "PASS old"]), "Verify alice old");
    }
    let mut play = Play::new(Dialect::Communigate);
    play.line("INLINE");
    play.fail();
    play.line("STLS");
    play.tell(Event::Quiet);
    assert_eq!(format!("{:?}", play.session), format!("{:?}", Session::new(Wire::Tls)));
}

#[test]
fn stls_is_refused_where_it_makes_no_sense() {
    for (dialect, then) in DIALECTS {
        let mut play = Play::new(dialect);
        play.line("STLS");
        assert_eq!(play.tell(Event::Stray), "NotBehindStls; Close Lingering");
        let mut play = Play { session: Session::new(Wire::Tls), rules: rules(dialect) };
        assert_eq!(play.line("STLS"), format!("TlsStarted{then}"));
        let mut play = Play::new(dialect);
        play.rules.has_stls = false;
        assert_eq!(play.line("STLS"), format!("TlsNotOffered{then}"));
        assert_eq!(Play::logged_in(dialect).line("STLS"), format!("AlreadyLoggedIn{then}"));
    }
}

#[test]
fn no_password_is_taken_where_others_may_read_it() {
    for (dialect, then) in DIALECTS {
        for line in ["USER alice", "PASS old", "AUTH PLAIN", "AUTH LOGIN"] {
            let mut play = Play { session: Session::new(Wire::Exposed), rules: rules(dialect) };
            assert_eq!(play.line(line), format!("TlsNeeded{then}"));
        }
    }
    let mut play = Play { session: Session::new(Wire::Exposed), rules: rules(Dialect::Communigate) };
    assert_eq!(play.lines(&["USER alice", "STLS"]), "");
    play.tell(Event::Quiet);
    assert_eq!(play.lines(&["USER alice", "PASS old"]), "Verify alice old");
}

#[test]
fn the_last_user_counts() {
    let mut play = Play::new(Dialect::Communigate);
    assert_eq!(play.lines(&["USER alice", "USER bob", "PASS old"]), "Verify bob old");
    let mut play = Play::new(Dialect::Communigate);
    assert_eq!(play.lines(&["USER alice", "USER ", "PASS old"]), "UserFirst", "alice was not meant");
}

#[test]
fn noop_help_and_quit_are_answered_in_every_state_that_reads() {
    for (dialect, _) in DIALECTS {
        let asked_for_pass = || {
            let mut play = Play::new(dialect);
            play.line("USER alice");
            play
        };
        for mut play in [Play::new(dialect), asked_for_pass(), Play::logged_in(dialect)] {
            let state = format!("{:?}", play.session);
            assert_eq!(play.line("NOOP"), "Done");
            if dialect == Dialect::Poppassd || !play.session.is_authenticated() {
                assert_eq!(play.line("help "), "Help");
            }
            assert_eq!(format!("{:?}", play.session), state);
            assert_eq!(play.line("quit"), "Goodbye; Close Prompt");
        }
    }
}

#[test]
fn the_ends_that_nobody_asked_for_are_told_in_one_line() {
    for (dialect, _) in DIALECTS {
        for mut play in [Play::new(dialect), Play::logged_in(dialect)] {
            assert_eq!(play.tell(Event::LineTooLong), "LineTooLong; Close Lingering");
        }
        for limit in [Timeout::Idle, Timeout::Login, Timeout::Line] {
            let mut play = Play::new(dialect);
            assert_eq!(play.tell(Event::TimedOut(limit)), format!("TimedOut({limit:?}); Close Lingering"));
        }
        let mut play = Play::logged_in(dialect);
        assert_eq!(play.tell(Event::ShuttingDown), "ShuttingDown; Close Lingering");
        assert_eq!(play.line("NOOP") + &play.tell(Event::Opened) + &play.tell(denied()), "", "it is over");
    }
}

#[test]
fn work_once_asked_for_is_answered_with_its_outcome() {
    let mut play = Play::logged_in(Dialect::Communigate);
    play.line("NEWPASS new");
    assert_eq!(play.tell(Event::TimedOut(Timeout::Idle)) + &play.tell(Event::ShuttingDown), "");
    assert_eq!(play.tell(Event::Changed(ChangeOutcome::Changed(proof()))), "PasswordChanged");
}

fn answered(answer: &str) -> Event<'static> {
    Event::Executed(CommandOutcome::Answered { proof: proof(), answer: answer.into() })
}

#[test]
fn other_lines_are_commands_after_the_login_in_one_dialect() {
    for line in ["LISTDOMAINS", "help", "", " x {y}", "\u{1}"] {
        let mut play = Play::logged_in(Dialect::Communigate);
        let asked = format!("Command alice@example.com {}", line.as_bytes().escape_ascii());
        assert_eq!(play.line(line), asked);
        assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Answer, true));
        assert_eq!(play.tell(Event::TimedOut(Timeout::Idle)) + &play.tell(Event::ShuttingDown), "");
        assert_eq!(play.tell(answered("200 OK\r\n")), r"Send 200 OK\r\n");
        assert_eq!(play.line("NEWPASS new"), "Change alice@example.com new");
    }
    assert_eq!(Play::logged_in(Dialect::Poppassd).line("LISTDOMAINS"), "BadCommand(UnknownVerb); Close Lingering");
}

#[test]
fn inline_stays_for_the_session_and_is_unknown_in_the_other_dialect() {
    let mut play = Play::new(Dialect::Communigate);
    assert_eq!(play.line("INLINE"), "Done");
    play.lines(&["USER alice", "PASS old"]);
    play.tell(accepted());
    assert_eq!(play.line("LISTDOMAINS"), "Command alice@example.com inline LISTDOMAINS");
    play.tell(answered("201 ()\r\n"));
    assert_eq!(play.line("inline"), "Done");
    assert_eq!(Play::new(Dialect::Poppassd).line("INLINE"), "LoginFirst; Close Lingering");
    assert_eq!(Play::logged_in(Dialect::Poppassd).line("INLINE"), "BadCommand(UnknownVerb); Close Lingering");
}

fn part(text: &str) -> Event<'static> {
    Event::Executed(CommandOutcome::Part(text.into()))
}

#[test]
fn a_long_answer_is_sent_in_parts_as_there_is_room() {
    let mut play = Play::logged_in(Dialect::Communigate);
    play.line("LISTACCOUNTS");
    for text in ["201 {a=x;", "b=x;"] {
        assert_eq!(play.tell(part(text)), format!("Send {text}"));
        assert_eq!((play.session.awaits(), play.session.is_authenticated()), (Awaits::Room, true));
        assert_eq!(play.tell(Event::TimedOut(Timeout::Idle)) + &play.tell(Event::ShuttingDown), "");
        assert_eq!(play.tell(Event::HasRoom), "GoOn");
        assert_eq!(play.session.awaits(), Awaits::Answer);
    }
    assert_eq!(play.tell(answered("}\r\n")), r"Send }\r\n");
    assert_eq!(play.line("NOOP"), "Done");
}

#[test]
fn an_answer_that_breaks_off_ends_the_session_without_a_word() {
    let mut play = Play::logged_in(Dialect::Communigate);
    play.line("LISTACCOUNTS");
    play.tell(part("201 {a=x;"));
    play.tell(Event::HasRoom);
    assert_eq!(play.tell(Event::Executed(CommandOutcome::Broken)), "Close Prompt");
    assert_eq!(play.session.awaits(), Awaits::Nothing);
}

#[test]
fn a_login_that_became_void_ends_with_a_command() {
    let mut play = Play::logged_in(Dialect::Communigate);
    play.line("LISTDOMAINS");
    assert_eq!(play.tell(Event::Executed(CommandOutcome::Expired)), "ChangedElsewhere");
    assert!(!play.session.is_authenticated());
    assert_eq!(play.line("LISTDOMAINS"), "LoginFirst");
}

#[test]
#[should_panic(expected = "did not await")]
fn an_answer_nobody_asked_for_is_a_bug() {
    Play::new(Dialect::Communigate).tell(accepted());
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 48, "{}", size_of::<Session>());
    assert!(size_of::<Effect>() <= 48, "{}", size_of::<Effect>());
}

#[test]
fn debug_output_has_no_secret() {
    let secret = b"PASS hunter2";
    assert_eq!(format!("{:?}", Event::Line(secret)), "Line(12 bytes)");
    let (mut session, mut effects) = (Session::new(Wire::Clear), Effects::new());
    for line in [b"USER alice", &secret[..]] {
        session.step(Event::Line(line), &rules(Dialect::Communigate), &mut effects);
    }
    session.step(accepted(), &rules(Dialect::Communigate), &mut effects);
    session.step(Event::Line(b"NEWPASS hunter2"), &rules(Dialect::Communigate), &mut effects);
    let shown = format!("{effects:?} {session:?}");
    assert!(shown.contains("Change") && !shown.contains("hunter2"), "{shown}");
}
