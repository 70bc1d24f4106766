use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::DEFAULT_PORT;
use crate::model::{Dialect, DomainName, NetworkList};

/// What the address of a Unix-domain socket begins with in the file.
const UNIX: &str = "unix:";

/// What the name of a socket that systemd passes begins with in the file.
const SYSTEMD: &str = "systemd:";

/// Bytes that the path of a Unix-domain socket may have (unix(7), without the NUL).
const UNIX_PATH_BYTES_MAX: usize = 107;

/// Bytes that the name of a passed socket may have (sd_listen_fds(3)).
const SYSTEMD_NAME_BYTES_MAX: usize = 255;

/// Where a listener takes connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `192.0.2.1:106`, `[2001:db8::1]:106`: a TCP port of this machine; port 0 lets the system
    /// choose (for tests).
    Ip(SocketAddr),
    /// `unix:/run/keyturn/socket`: a Unix-domain socket, for clients on this machine. It is made at
    /// the start and removed at the end; one that nobody listens on is replaced.
    Unix(PathBuf),
    /// `systemd:poppwd`: the sockets that systemd has opened and passes under this name
    /// (`FileDescriptorName=` in their unit).
    Systemd(Box<str>),
}

/// From where passwords are taken in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleartext {
    /// From this machine, by Unix-domain sockets too; from elsewhere under TLS only.
    #[default]
    Loopback,
    /// From everywhere.
    Always,
    /// From nowhere: under TLS only.
    Never,
}

impl Cleartext {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Loopback, Self::Always, Self::Never];

    /// The word the configuration file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Key `address`: needed, and in no two listeners the same.
    pub address: Address,
    /// Key `dual_stack`: lets `[::]` take connections over IPv4, too. Default false: `0.0.0.0` is a
    /// listener of its own.
    pub dual_stack: bool,
    /// Key `mode`: permissions of a Unix-domain socket, in octal digits. Default `0666`: everybody on
    /// this machine may connect, as to a port.
    pub mode: u16,
    /// Key `dialect`: which family of servers to behave like. Default `communigate`.
    pub dialect: Dialect,
    /// Key `domain`: completes bare login names here. Default `None`: the main domain.
    pub domain: Option<DomainName>,
    /// Key `hide_version`: leaves the version out of the greeting. Default false.
    pub hide_version: bool,
    /// Key `tls`: TLS from the first byte. Default false: by STLS, where there are certificates.
    pub tls: bool,
    /// Key `cleartext`: from where passwords are taken in clear. Default `loopback`.
    pub cleartext: Cleartext,
    /// Key `apop`: greets with a challenge for APOP, if the domain's `AUTHMethods` include that. Default
    /// false: clients that see one log in by it alone, and no account can whose password is not kept
    /// recoverably.
    pub apop: bool,
    /// Key `client_ca`: a file of certificates in PEM; clients that speak TLS are asked for a
    /// certificate from one of those, and need not have one. Default `None`: they are not asked.
    pub client_ca: Option<PathBuf>,
    /// Key `grant` or `deny`: whose connections are taken; lists in the notation of
    /// [`NetworkList`]. Default: everybody's. A running server takes them over.
    pub restriction: Restriction,
    /// Key `proxy`: networks of proxies, in the notation of [`NetworkList`]. Who connects from there
    /// must say within 3 seconds for whom, by a header of the PROXY protocol, version 1 or 2; who
    /// connects from elsewhere speaks for itself, and to it such a header is a bad line. Default:
    /// none. A running server takes them over.
    pub proxy: NetworkList,
}

/// Whose connections a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Everybody's.
    #[default]
    Nobody,
    /// Those from these networks alone.
    Grant(NetworkList),
    /// Those from everywhere but these networks.
    Deny(NetworkList),
}

impl Restriction {
    /// Whether connections from `address` are taken.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match self {
            Self::Nobody => true,
            Self::Grant(networks) => networks.contains(address),
            Self::Deny(networks) => !networks.contains(address),
        }
    }
}

impl Listener {
    /// Permissions of a Unix-domain socket unless others are asked for: those of a TCP port.
    pub const DEFAULT_MODE: u16 = 0o666;

    /// A listener at `address` with every other key at its default.
    #[must_use]
    pub fn at(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            dual_stack: false,
            mode: Self::DEFAULT_MODE,
            dialect: Dialect::default(),
            domain: None,
            hide_version: false,
            tls: false,
            cleartext: Cleartext::default(),
            apop: false,
            client_ca: None,
            restriction: Restriction::default(),
            proxy: NetworkList::default(),
        }
    }

    /// Whether a server that listens on `old` can go on with `new`: all but their lists of networks is
    /// the same.
    pub(crate) fn are_alike(old: &[Self], new: &[Self]) -> bool {
        let without_lists =
            |it: &Self| Self { restriction: Restriction::Nobody, proxy: NetworkList::default(), ..it.clone() };
        old.iter().map(without_lists).eq(new.iter().map(without_lists))
    }

    /// Whether there cannot be both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (Address::Ip(one), Address::Ip(two)) = (&self.address, &other.address) else {
            return self.address == other.address;
        };
        let has_all = |listener: &Self, all: &SocketAddr, of: &SocketAddr| {
            all.ip().is_unspecified() && (all.is_ipv4() == of.is_ipv4() || listener.dual_stack)
        };
        let is_shared = one.ip() == two.ip() || has_all(self, one, two) || has_all(other, two, one);
        one.port() != 0 && one.port() == two.port() && is_shared
    }
}

impl Address {
    /// The IP address and port of TCP; `None` for other sockets.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Systemd(_) => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
            Self::Systemd(name) => write!(f, "{SYSTEMD}{name}"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let is_fit = Path::new(path).is_absolute() && path.len() <= UNIX_PATH_BYTES_MAX && !path.contains('\0');
            let fault = || format!("must be {UNIX} and an absolute path of at most {UNIX_PATH_BYTES_MAX} bytes");
            return if is_fit { Ok(Self::Unix(path.into())) } else { Err(fault()) };
        }
        if let Some(name) = text.strip_prefix(SYSTEMD) {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            let is_fit = is_plain && (1..=SYSTEMD_NAME_BYTES_MAX).contains(&name.len());
            let fault = || format!("must be {SYSTEMD} and the FileDescriptorName of a socket unit");
            return if is_fit { Ok(Self::Systemd(name.into())) } else { Err(fault()) };
        }
        let example = |ip: &str| format!("must be ADDRESS:PORT, such as \"{ip}:{DEFAULT_PORT}\"");
        text.parse().map(Self::Ip).map_err(|_| match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => format!("has no port: {}", example(&ip.to_string())),
            Ok(IpAddr::V6(ip)) => format!("has no port: {}", example(&format!("[{ip}]"))),
            Err(_) => format!("{}; host names are not looked up", example("127.0.0.1")),
        })
    }
}
