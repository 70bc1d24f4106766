//! What one client is up to, and what the end of a session means for it.

use std::net::{Ipv4Addr, SocketAddr};

use super::crew::Plan;
use super::population::{Lent, Naming};
use super::profile::Profile;
use super::random::Random;
use super::session::{Ending, Step};
use crate::wire::Refusal;

/// A password that no sensible policy accepts.
const TOO_SHORT: &str = "x";

/// An old password that no account has.
const WRONG: &str = "certainly not this one";

/// What one client is up to.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    /// Whose habits it has.
    pub(crate) profile: Profile,
    /// The address it comes from; `None`: whichever the system takes.
    pub(crate) source: Option<Ipv4Addr>,
    /// It gives a wrong old password.
    pub(crate) is_wrong: bool,
    /// It chooses a new password that is too short. Told so, it comes again with a better one, in
    /// a new session, for web pages hold one for each time that their button is pressed.
    pub(crate) is_too_short: bool,
}

/// What the end of a session means for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is through.
    Over(End),
    /// The server refused what it should have granted: overload, if it is in order.
    Refused,
    /// The server refused a new password that is too short, as it should.
    Corrected,
}

/// How a client's errand ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The password is changed.
    Changed,
    /// The client was refused as often as it cared to try.
    Refused,
    /// The server refused a wrong old password, as it should.
    Denied,
    /// The server refused the right old password: the accounts are not as they are said to be, or
    /// the server has lost a change.
    LockedOut,
    /// The client left on purpose.
    Abandoned,
    /// No answer came in time.
    TimedOut,
    /// The connection broke.
    Broken,
    /// The server answered what poppwd does not have, or granted what it should have refused.
    Nonsense,
    /// The server said that it does not know what became of the change.
    Unknown,
    /// There was no session: no free account, or too many sessions at a time.
    Unstarted,
}

impl Errand {
    /// Draws one.
    pub(crate) fn draw(plan: &Plan, random: &mut Random) -> Self {
        let is_wrong = random.happens(plan.wrong_share);
        let is_too_short = random.happens(plan.bad_first_share);
        let profile = plan.mix.draw(random);
        Self {
            profile,
            source: plan.sources.draw(plan.address, random),
            is_wrong,
            is_too_short: is_too_short && profile.stays(),
        }
    }

    /// The account's name, the old password and the new one.
    pub(crate) fn words(&self, naming: &Naming, lent: &Lent) -> (String, String, String) {
        let old = if self.is_wrong { WRONG.to_owned() } else { naming.password(lent.index, lent.password) };
        let new = if self.is_too_short { TOO_SHORT.to_owned() } else { naming.password(lent.index, lent.attempt) };
        (naming.account(lent.index), old, new)
    }

    /// What it means for this client when its session ends so.
    pub(crate) fn meaning(&self, ending: Ending) -> Meaning {
        Meaning::Over(match ending {
            Ending::Refused(Step::Pass, Refusal::Denied) if self.is_wrong => End::Denied,
            Ending::Refused(Step::Pass, Refusal::Denied) => End::LockedOut,
            Ending::Refused(Step::NewPass, Refusal::Denied) if self.is_too_short => return Meaning::Corrected,
            Ending::Refused(Step::NewPass, Refusal::Unknown) => End::Unknown,
            Ending::Refused(..) => return Meaning::Refused,
            Ending::Changed if self.is_wrong || self.is_too_short => End::Nonsense,
            Ending::Changed => End::Changed,
            Ending::Abandoned => End::Abandoned,
            Ending::TimedOut(_) => End::TimedOut,
            Ending::Broken(_) => End::Broken,
            Ending::Nonsense(_) => End::Nonsense,
        })
    }
}

/// Most addresses that clients of one kind can come from.
pub(crate) const SOURCES_MAX: i64 = 1 << 22;

/// Where clients come from: so many loopback addresses, from the first one on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources {
    first: Ipv4Addr,
    count: u32,
}

impl Sources {
    /// The addresses of honest clients; 0: leave it to the system.
    pub(crate) fn honest(count: u32) -> Self {
        Self { first: Ipv4Addr::new(127, 1, 0, 1), count }
    }

    /// The addresses of an attack.
    pub(crate) fn hostile(count: u32) -> Self {
        Self { first: Ipv4Addr::new(127, 128, 0, 1), count }
    }

    /// One of them, when the server is on one, too.
    fn draw(self, server: SocketAddr, random: &mut Random) -> Option<Ipv4Addr> {
        let number = (random.uniform() * f64::from(self.count)) as u32;
        let has_choice = self.count > 0 && server.is_ipv4() && server.ip().is_loopback();
        has_choice.then(|| Ipv4Addr::from_bits(self.first.to_bits() + number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_means_depends_on_what_was_asked_for() {
        let pass = Ending::Refused(Step::Pass, Refusal::Denied);
        let busy_pass = Ending::Refused(Step::Pass, Refusal::NotNow);
        let new_pass = Ending::Refused(Step::NewPass, Refusal::Denied);
        let unknown = Ending::Refused(Step::NewPass, Refusal::Unknown);
        for (is_wrong, is_too_short, ending, meaning) in [
            (false, false, Ending::Changed, Meaning::Over(End::Changed)),
            (true, false, Ending::Changed, Meaning::Over(End::Nonsense)),
            (false, true, Ending::Changed, Meaning::Over(End::Nonsense)),
            (false, false, pass, Meaning::Over(End::LockedOut)),
            (true, false, pass, Meaning::Over(End::Denied)),
            (true, true, pass, Meaning::Over(End::Denied)),
            (true, false, busy_pass, Meaning::Refused),
            (false, true, new_pass, Meaning::Corrected),
            (false, false, new_pass, Meaning::Refused),
            (false, false, unknown, Meaning::Over(End::Unknown)),
            (false, false, Ending::TimedOut(Step::User), Meaning::Over(End::TimedOut)),
        ] {
            let errand = Errand { profile: Profile::Roundcube, source: None, is_wrong, is_too_short };
            assert_eq!(errand.meaning(ending), meaning, "{is_wrong} {is_too_short} {ending:?}");
        }
    }

    #[test]
    fn honest_clients_and_attackers_come_from_addresses_of_their_own() {
        let server: SocketAddr = "127.0.0.1:106".parse().unwrap();
        let mut random = Random::new(1);
        let mut drawn =
            |sources: Sources| (0..1000).filter_map(|_| sources.draw(server, &mut random)).collect::<Vec<_>>();
        let honest = drawn(Sources::honest(2));
        assert!(honest.contains(&Ipv4Addr::new(127, 1, 0, 1)) && honest.contains(&Ipv4Addr::new(127, 1, 0, 2)));
        let most = SOURCES_MAX as u32;
        let (honest, hostile) = (drawn(Sources::honest(most)), drawn(Sources::hostile(most)));
        assert!(honest.iter().max() < hostile.iter().min() && hostile.iter().all(Ipv4Addr::is_loopback));
        assert!(drawn(Sources::honest(0)).is_empty());
        let remote = "192.0.2.1:106".parse().unwrap();
        assert_eq!(Sources::honest(9).draw(remote, &mut Random::new(1)), None);
    }

    #[test]
    fn words_are_wrong_and_short_on_purpose_only() {
        let naming = Naming { user: "u{}@d".to_owned(), domains: 1, password: "secret".to_owned() };
        let lent = Lent { index: 3, password: 1, attempt: 2 };
        let words = |is_wrong, is_too_short| {
            Errand { profile: Profile::Slow, source: None, is_wrong, is_too_short }.words(&naming, &lent)
        };
        assert_eq!(words(false, false), ("u3@d".to_owned(), "secret-3-1".to_owned(), "secret-3-2".to_owned()));
        assert_eq!(words(true, false).1, WRONG);
        assert_eq!(words(false, true).2, TOO_SHORT);
    }
}
