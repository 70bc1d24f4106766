//! How known clients behave on the wire.

use std::str::FromStr;

use super::random::Random;

/// A client program's habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Lower-case verbs; closes after the reply to NEWPASS, without QUIT.
    Roundcube,
    /// Says QUIT and waits for the answer.
    Snappymail,
    /// Sends only what stands before the last `@` of the name.
    Eudora,
    /// An administration library: APOP where the greeting has a challenge, INLINE, commands, bare
    /// line feeds.
    Cli,
    /// Goes away after NEWPASS without waiting for the answer.
    Abandon,
    /// Drips: one byte at a time.
    Slow,
    /// Stalls: stops in the middle of its PASS line, and waits for the server to hang up.
    Stall,
}

/// The names of all profiles, as the command line writes them.
const NAMES: [(&str, Profile); 7] = [
    ("roundcube", Profile::Roundcube),
    ("snappymail", Profile::Snappymail),
    ("eudora", Profile::Eudora),
    ("cli", Profile::Cli),
    ("abandon", Profile::Abandon),
    ("slow", Profile::Slow),
    ("stall", Profile::Stall),
];

impl Profile {
    /// The login name this client makes of an account's name.
    pub(crate) fn login(self, account: &str) -> &str {
        match self {
            Self::Eudora => account.rsplit_once('@').map_or(account, |(local, _)| local),
            Self::Roundcube | Self::Snappymail | Self::Cli | Self::Abandon | Self::Slow | Self::Stall => account,
        }
    }

    /// A command line as this client writes it.
    pub(crate) fn line(self, verb: &str, argument: &str) -> Vec<u8> {
        let verb = if self == Self::Roundcube { verb.to_ascii_lowercase() } else { verb.to_owned() };
        let blank = if argument.is_empty() { "" } else { " " };
        let end = if self == Self::Cli { "\n" } else { "\r\n" };
        format!("{verb}{blank}{argument}{end}").into_bytes()
    }

    /// The line with which this client gives its own account the password `new`.
    pub(crate) fn change(self, new: &str) -> Vec<u8> {
        if self == Self::Cli {
            let quoted = new.replace('\\', "\\\\").replace('"', "\\\"");
            return self.line("SETACCOUNTPASSWORD", &format!("* PASSWORD \"{quoted}\""));
        }
        self.line("NEWPASS", new)
    }

    /// Whether it stays to hear what became of the change.
    pub(crate) fn stays(self) -> bool {
        !matches!(self, Self::Abandon | Self::Stall)
    }

    /// Whether it says QUIT in the end and waits for the answer.
    pub(crate) fn says_quit(self) -> bool {
        match self {
            Self::Snappymail | Self::Eudora | Self::Cli | Self::Slow => true,
            Self::Roundcube | Self::Abandon | Self::Stall => false,
        }
    }
}

/// Profiles by weight, such as `roundcube:70,snappymail:30`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix(Vec<(Profile, f64)>);

impl Mix {
    /// One profile, by chance.
    pub(crate) fn draw(&self, random: &mut Random) -> Profile {
        let mut left = random.uniform() * self.0.iter().map(|(_, weight)| weight).sum::<f64>();
        for (profile, weight) in &self.0 {
            left -= weight;
            if left < 0.0 {
                return *profile;
            }
        }
        self.0[self.0.len() - 1].0
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let member = |part: &str| {
            let (name, weight) = part.split_once(':').unwrap_or((part, "1"));
            let profile = NAMES.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile);
            let weight: f64 = weight.parse().map_err(|fault| format!("{part}: {fault}"))?;
            match profile {
                Some(profile) if weight > 0.0 && weight.is_finite() => Ok((profile, weight)),
                Some(_) => Err(format!("{part}: a weight is above 0")),
                None => Err(format!("{name}: expected one of {}", NAMES.map(|(name, _)| name).join(", "))),
            }
        };
        text.split(',').map(member).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_write_as_they_do() {
        assert_eq!(Profile::Roundcube.line("USER", "a@b"), b"user a@b\r\n");
        assert_eq!(Profile::Snappymail.line("QUIT", ""), b"QUIT\r\n");
        assert_eq!(Profile::Eudora.login("a@b@c"), "a@b");
        assert_eq!(Profile::Slow.login("a@b"), "a@b");
        assert_eq!(Profile::Slow.change("a \"b\""), b"NEWPASS a \"b\"\r\n");
        assert_eq!(Profile::Cli.change("a \"\\"), b"SETACCOUNTPASSWORD * PASSWORD \"a \\\"\\\\\"\n");
    }

    #[test]
    fn a_mix_follows_its_weights() {
        let mix: Mix = "roundcube:9,slow".parse().unwrap();
        let mut random = Random::new(1);
        let slow = (0..1000).filter(|_| mix.draw(&mut random) == Profile::Slow).count();
        assert!((60..140).contains(&slow), "{slow}");
        for text in ["", "netscape", "slow:0", "slow:x"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
