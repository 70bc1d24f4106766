/// Which of the two families of port-106 servers a listener behaves like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// CommuniGate Pro's PWD module: USER answers 300, a failed login 515, refusals leave the
    /// session open.
    #[default]
    Communigate,
    /// The Unix poppassd family: USER answers 200, every failure is 500, and a refused login or
    /// NEWPASS ends the session.
    Poppassd,
}

impl Dialect {
    /// The word the configuration file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Communigate => "communigate",
            Self::Poppassd => "poppassd",
        }
    }
}
