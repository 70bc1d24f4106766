//! What holds for every order of events.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A line: now and then a sensible one.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let sensible = "(USER alice|PASS old|NEWPASS new|NOOP|HELP|STLS|INLINE|ECHO x|APOP a b|APOP tim 00000000000000000000000000000000|AUTH LOGIN|AUTH PLAIN AHRpbQBzZWNyZXQ=|dGlt|AUTH EXTERNAL =|AUTH OAUTHBEARER|bixhPXRpbSwBYXV0aD1CZWFyZXIgYS5iLmMBAQ==|AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgYS5iLmMBAQ==|AUTH CRAM-MD5|AUTH CRAM-MD5|dGltIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw|AUTH DIGEST-MD5|AUTH DIGEST-MD5|dXNlcm5hbWU9InRpbSIscmVhbG09Im1haWwuZXhhbXBsZS5jb20iLG5vbmNlPSIxMi4zNCIsbmM9MDAwMDAwMDEsY25vbmNlPSJ4IixkaWdlc3QtdXJpPSJwd2QvaCIscmVzcG9uc2U9MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=|AUTH SCRAM-SHA-1|AUTH SCRAM-SHA-256 biwsbj10aW0scj1u|biwsbj10aW0scj1u|Yz1iaXdzLHI9bkFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0=|=|\\*|USER|PASS|NEWPASS|newpass \r|WHAT)";
    prop_oneof![12 => sensible.prop_map(String::into_bytes), 1 => Just(b"QUIT".to_vec()), 3 => any::<Vec<u8>>()]
}

fn told(pick: u8) -> Told {
    match pick % 4 {
        0 => Told::Busy { retry_after_s: 1 },
        1 => Told::Fault,
        _ => Told::Scram(Box::new(ScramOffer { nonce: [0; 18], salt: [1; 16], iterations: 4096 })),
    }
}

fn verdict(pick: u8) -> Verdict {
    match pick % 7 {
        0 => Verdict::Denied(Denial::UnknownAccount),
        4 => Verdict::TooManyFailures { of: FailuresOf::Account, retry_after_s: 1 },
        1 => Verdict::Busy { retry_after_s: 1 },
        2 => Verdict::Fault,
        3 => Verdict::Accepted(signed()),
        _ => Verdict::Accepted(proof()),
    }
}

fn outcome(pick: u8) -> ChangeOutcome {
    match pick % 8 {
        0 => ChangeOutcome::Unknown,
        1 => ChangeOutcome::Conflict,
        2 => ChangeOutcome::Busy { proof: proof(), retry_after_s: 1 },
        3 => ChangeOutcome::Fault(proof()),
        4 => ChangeOutcome::Refused(proof(), NewPasswordRefusal::SameAsOld),
        _ => ChangeOutcome::Changed(proof()),
    }
}

fn executed(pick: u8) -> CommandOutcome {
    match pick % 8 {
        0 => CommandOutcome::Expired,
        1 => CommandOutcome::Broken,
        2..4 => CommandOutcome::Part(b"201 (a".to_vec()),
        _ => CommandOutcome::Answered { proof: proof(), answer: b"200 OK\r\n".to_vec() },
    }
}

/// An event that may be delivered now, chosen by `pick`.
fn choose<'a>(session: &Session, pick: u8, line: &'a [u8]) -> Event<'a> {
    match (session.awaits(), pick) {
        (_, 250) => Event::TimedOut(Timeout::Idle),
        (_, 251) => Event::ShuttingDown,
        (Awaits::Line, 252) => Event::LineTooLong,
        (Awaits::Line, _) => Event::Line(line),
        (Awaits::Answer, _) if matches!(session.state, State::Asking { .. }) => Event::Told(told(pick)),
        (Awaits::Answer, _) if matches!(session.state, State::Drawing { .. } | State::Greeting) => drawn(),
        (Awaits::Answer, _) if matches!(session.state, State::Commanding) => Event::Executed(executed(pick)),
        (Awaits::Answer, _) if session.is_authenticated() => Event::Changed(outcome(pick)),
        (Awaits::Answer | Awaits::Nothing, _) => Event::Verified(verdict(pick)),
        (Awaits::Room, _) => Event::HasRoom,
        (Awaits::Delay, _) => Event::DelayPassed,
        (Awaits::Quiet, 0..40) => Event::Stray,
        (Awaits::Quiet, _) => Event::Quiet,
    }
}

proptest! {
    #[test]
    fn no_order_of_events_changes_a_password_unproven_or_breaks_a_bound(
        is_poppassd: bool,
        is_certified: bool,
        has_apop: bool,
        turns in vec((any::<u8>(), line()), 0..60),
    ) {
        let mut play = Play::new(if is_poppassd { Dialect::Poppassd } else { Dialect::Communigate });
        if is_certified {
            let certified = vec![LoginName::new(b"tim").unwrap()];
            play.session = Session::new(Wire::Tls);
            play.tell(Event::Secured(Box::new(TlsPeer { certified, binding: Some([7; 32]) })));
        }
        play.rules.has_apop = has_apop;
        play.tell(Event::Opened);
        let mut is_proven = false;
        for (pick, line) in turns {
            let was = play.session.awaits();
            let event = choose(&play.session, pick, &line);
            let is_change_confirmed = matches!(event, Event::Changed(ChangeOutcome::Changed(_)));
            is_proven |= matches!(event, Event::Verified(Verdict::Accepted(_)));
            let is_broken = matches!(event, Event::Executed(CommandOutcome::Broken));
            is_proven &= !matches!(
                event,
                Event::Changed(ChangeOutcome::Conflict | ChangeOutcome::Unknown)
                    | Event::Executed(CommandOutcome::Expired)
            );
            let mut effects = Effects::new();
            play.session.step(event, &play.rules, &mut effects);

            prop_assert!(effects.len() <= 2);
            prop_assert!(was != Awaits::Nothing || effects.is_empty(), "it was over");
            for (index, effect) in effects.iter().enumerate() {
                match effect {
                    Effect::Change { .. } | Effect::Command { .. } | Effect::GoOn => {
                        prop_assert!(is_proven, "no proof");
                    }
                    Effect::Send(_) => prop_assert!(is_proven && effects.len() == 1),
                    Effect::Reply(reply) => {
                        prop_assert_eq!(*reply == Reply::PasswordChanged, is_change_confirmed);
                    }
                    Effect::Ask(_)
                    | Effect::Draw
                    | Effect::Verify { .. }
                    | Effect::Challenge(_)
                    | Effect::Delay => {
                        prop_assert_eq!(effects.len(), 1);
                    }
                    Effect::StartTls => {
                        let fresh = Session { apop: play.session.apop.clone(), ..Session::new(Wire::Tls) };
                        let fresh = format!("{fresh:?}");
                        prop_assert_eq!(format!("{:?}", play.session), fresh);
                    }
                    Effect::Close(_) => {
                        prop_assert_eq!((index, play.session.awaits()), (usize::from(!is_broken), Awaits::Nothing));
                    }
                }
            }
            let is_answered = !effects.is_empty() || play.session.awaits() == Awaits::Quiet;
            prop_assert!(was != Awaits::Line || is_answered, "every line is answered");
        }
    }
}
