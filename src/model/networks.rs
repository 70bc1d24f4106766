use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A set of network addresses, as administrators write it: one entry per line.
///
/// ```text
/// ; the office
/// 192.0.2.0/24
/// 198.51.100.7-198.51.100.20   ; both ends included
/// !192.0.2.66                  ; but not this one
/// 2001:db8::/32
/// ```
///
/// An entry is an address, a range or a network whose low bits are zero. Behind `!` it is taken
/// out of what the lines before it have built, so the last entry that names an address decides.
/// `;` begins a comment; empty lines mean nothing. An IPv4 address and its IPv6-mapped form
/// (RFC 4291, section 2.5.5.2) are the same.
///
/// ```
/// use keyturn::model::NetworkList;
///
/// let list: NetworkList = "10.0.0.0/8\n!10.1.2.3".parse()?;
/// assert!(list.contains("10.1.2.4".parse().unwrap()) && !list.contains("10.1.2.3".parse().unwrap()));
/// # Ok::<(), keyturn::model::NetworkFault>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkList {
    /// First and last address of each part, in order and apart from each other.
    parts: Box<[(IpAddr, IpAddr)]>,
}

impl NetworkList {
    /// Whether it has no address at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether `address` is in the set. The time it takes grows with the logarithm of the entries.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let index = self.parts.partition_point(|(first, _)| *first <= address);
        index.checked_sub(1).is_some_and(|before| address <= self.parts[before].1)
    }

    /// The entries that make this list, none of which takes anything out: each an address, a network
    /// where it is one, or a range.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.parts.iter().map(|&(first, last)| match mask_of(first, last) {
            _ if first == last => first.to_string(),
            Some(mask) => format!("{first}/{mask}"),
            None => format!("{first}-{last}"),
        })
    }

    /// Cuts the line of all addresses where an entry begins or ends, and asks of each piece which
    /// entry decides it.
    fn of(entries: &[Entry]) -> Self {
        let mut cuts = Vec::with_capacity(2 * entries.len());
        for (index, entry) in entries.iter().enumerate() {
            cuts.push((Cut::Before(entry.first), index));
            cuts.push((Cut::Behind(entry.last), index));
        }
        cuts.sort_unstable_by_key(|(cut, index)| (cut.place(), *index));
        let mut parts = Vec::new();
        let mut open: Option<IpAddr> = None;
        let mut deciding = BTreeSet::new();
        for cuts in cuts.chunk_by(|(one, _), (other, _)| one.place() == other.place()) {
            for (cut, index) in cuts {
                match cut {
                    Cut::Before(_) => _ = deciding.insert(*index),
                    Cut::Behind(_) => _ = deciding.remove(index),
                }
            }
            let is_in = deciding.last().is_some_and(|&index| !entries[index].is_excluded);
            match open {
                None if is_in => open = Some(cuts[0].0.next()),
                Some(first) if !is_in => {
                    let last = cuts[0].0.previous();
                    // Between two cuts at the same place there is nothing.
                    parts.extend((first <= last).then_some((first, last)));
                    open = None;
                }
                None | Some(_) => {}
            }
        }
        Self { parts: parts.into() }
    }
}

impl FromStr for NetworkList {
    type Err = NetworkFault;

    /// Reads a list whose lines end with LF or CR LF.
    fn from_str(text: &str) -> Result<Self, NetworkFault> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let entry = line.split(';').next().unwrap_or_default().trim();
            if !entry.is_empty() {
                entries.push(Entry::parse(entry).map_err(|what| NetworkFault { line: index + 1, what })?);
            }
        }
        Ok(Self::of(&entries))
    }
}

/// First bits of an IPv6 address that tell networks apart; one customer of a provider has all of the
/// rest (RFC 6177).
pub const IPV6_NETWORK_BITS: u8 = 64;

/// What limits count as one address: one of IPv4, or the network of IPv6 with so many first bits,
/// told by its first address.
#[must_use]
pub fn network_of(address: IpAddr, ipv6_prefix_length: u8) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let low = u128::MAX.checked_shr(ipv6_prefix_length.into()).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & !low).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Where and why a text is no list of network addresses. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkFault {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: BadNetwork,
}

/// What is wrong with an entry of a list of network addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNetwork {
    /// This is no IPv4 or IPv6 address.
    Address,
    /// The mask is not a number of bits from 1 to 32, or 128 for IPv6.
    Mask,
    /// The network has bits set that its mask does not cover.
    LowBits,
    /// The range ends before it begins, or in the other family.
    Order,
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "this is no network address",
            Self::Mask => "a mask has 1 to 32 bits, or 1 to 128 for IPv6",
            Self::LowBits => "the bits behind the mask must be zero",
            Self::Order => "the range ends before it begins",
        })
    }
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, in line {}", self.what, self.line)
    }
}

impl std::error::Error for NetworkFault {}

/// One line of a list.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: IpAddr,
    last: IpAddr,
    is_excluded: bool,
}

impl Entry {
    fn parse(text: &str) -> Result<Self, BadNetwork> {
        let (text, is_excluded) = text.strip_prefix('!').map_or((text, false), |text| (text, true));
        let (first, last) = if let Some((network, mask)) = text.split_once('/') {
            let network = address(network)?;
            (network, last_of(network, mask.trim())?)
        } else if let Some((first, last)) = text.split_once('-') {
            (address(first)?, address(last)?)
        } else {
            let only = address(text)?;
            (only, only)
        };
        let canonical = (first.to_canonical(), last.to_canonical());
        // A network around the mapped addresses is one of IPv6.
        let (first, last) = if canonical.0.is_ipv4() == canonical.1.is_ipv4() { canonical } else { (first, last) };
        let is_ordered = first <= last && first.is_ipv4() == last.is_ipv4();
        if is_ordered { Ok(Self { first, last, is_excluded }) } else { Err(BadNetwork::Order) }
    }
}

/// An address, which may stand in brackets.
fn address(text: &str) -> Result<IpAddr, BadNetwork> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| BadNetwork::Address)
}

/// The last address of the network that begins with `first` and has the mask `mask`, in bits.
fn last_of(first: IpAddr, mask: &str) -> Result<IpAddr, BadNetwork> {
    let bits_max = if first.is_ipv4() { 32 } else { 128 };
    let is_number = mask.bytes().all(|byte| byte.is_ascii_digit());
    let bits = mask.parse().ok().filter(|bits| is_number && (1..=bits_max).contains(bits)).ok_or(BadNetwork::Mask)?;
    let (network, last) = match first {
        IpAddr::V4(first) => {
            let low = u32::MAX.checked_shr(bits).unwrap_or(0);
            (first.to_bits() & low == 0, IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | low)))
        }
        IpAddr::V6(first) => {
            let low = u128::MAX.checked_shr(bits).unwrap_or(0);
            (first.to_bits() & low == 0, IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | low)))
        }
    };
    if network { Ok(last) } else { Err(BadNetwork::LowBits) }
}

/// The mask of the network that has exactly the addresses from `first` to `last`, if one has.
fn mask_of(first: IpAddr, last: IpAddr) -> Option<u32> {
    let (first, last, bits) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (first.to_bits().into(), last.to_bits().into(), 32),
        (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits(), last.to_bits(), 128),
        _ => return None,
    };
    let low: u128 = first ^ last;
    let is_network = low & first == 0 && low & low.wrapping_add(1) == 0;
    let mask = bits - (u128::BITS - low.leading_zeros());
    (is_network && mask > 0).then_some(mask)
}

/// A place between two neighbouring addresses.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Before(IpAddr),
    Behind(IpAddr),
}

impl Cut {
    /// Orders cuts. Before an address and behind the one before it is the same place, told by two
    /// values: the piece between them is empty.
    fn place(self) -> (IpAddr, bool) {
        match self {
            Self::Before(address) => (address, false),
            Self::Behind(address) => (address, true),
        }
    }

    /// The first address after it. There is one wherever a piece begins.
    fn next(self) -> IpAddr {
        match self {
            Self::Before(address) => address,
            Self::Behind(IpAddr::V4(address)) => Ipv4Addr::from_bits(address.to_bits() + 1).into(),
            Self::Behind(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() + 1).into(),
        }
    }

    /// The last address before it. There is one wherever a piece ends.
    fn previous(self) -> IpAddr {
        match self {
            Self::Behind(address) => address,
            Self::Before(IpAddr::V4(address)) => Ipv4Addr::from_bits(address.to_bits() - 1).into(),
            Self::Before(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() - 1).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> NetworkList {
        text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[track_caller]
    fn check(text: &str, inside: &[&str], outside: &[&str]) {
        let list = list(text);
        let has = |address: &&str| list.contains(address.parse().unwrap());
        assert_eq!(inside.iter().find(|it| !has(it)), None, "{text}");
        assert_eq!(outside.iter().find(|it| has(it)), None, "{text}");
    }

    #[test]
    fn entries_are_addresses_ranges_and_networks() {
        check("10.0.0.1", &["10.0.0.1"], &["10.0.0.0", "10.0.0.2", "::a00:1"]);
        check(" 10.0.0.9 - 10.0.1.1 ", &["10.0.0.9", "10.0.0.255", "10.0.1.1"], &["10.0.0.8", "10.0.1.2"]);
        check("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127", "192.0.3.0"]);
        check("0.0.0.0-255.255.255.255", &["0.0.0.0", "255.255.255.255"], &["::", "::1"]);
        check("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::", "2001:db7:ffff::"]);
        check("[2001:db8::1]-[2001:db8::3]", &["2001:db8::2"], &["2001:db8::4"]);
        check("[192.0.2.1]", &["192.0.2.1"], &[]);
        check("::/1\n8000::/1", &["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], &["10.0.0.1"]);
    }

    #[test]
    fn comments_and_empty_lines_mean_nothing() {
        check("; office\r\n\r\n  \n10.0.0.1 ; mine\n;10.0.0.2\r\n10.0.0.3", &["10.0.0.1", "10.0.0.3"], &["10.0.0.2"]);
        assert!(list("").is_empty() && list("; nothing").is_empty() && !list("::1").is_empty());
    }

    #[test]
    fn the_last_entry_that_names_an_address_decides() {
        let text = "10.0.0.0/8\n! 10.1.0.0/16\n10.1.1.0-10.1.1.9\n!10.1.1.5";
        check(text, &["10.0.255.255", "10.1.1.0", "10.1.1.6", "10.2.0.0"], &["10.1.0.0", "10.1.1.5", "10.1.1.10"]);
        check("!10.0.0.1\n10.0.0.0/24", &["10.0.0.1"], &[]);
        check("10.0.0.1-10.0.0.9\n!10.0.0.1-10.0.0.5\n!10.0.0.6-10.0.0.9", &[], &["10.0.0.5", "10.0.0.6"]);
        assert!(list("10.0.0.1-10.0.0.9\n!10.0.0.1-10.0.0.5\n!10.0.0.6-10.0.0.9").is_empty());
    }

    #[test]
    fn an_ipv4_address_is_its_ipv6_mapped_form() {
        check("::ffff:10.0.0.1", &["10.0.0.1", "::ffff:10.0.0.1"], &["10.0.0.2"]);
        check("::ffff:0:0/96", &["0.0.0.0", "255.255.255.255"], &["::"]);
        check("10.0.0.0/8", &["::ffff:10.1.2.3"], &["::10.1.2.3"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        use BadNetwork::{Address, LowBits, Mask, Order};
        for (text, what) in [
            ("x", Address),
            ("10.0.0", Address),
            ("10.0.0.01", Address),
            ("!", Address),
            ("10.0.0.1-", Address),
            ("10.0.0.1 10.0.0.2", Address),
            ("[::1", Address),
            ("10.0.0.0/0", Mask),
            ("10.0.0.0/33", Mask),
            ("10.0.0.0/+8", Mask),
            ("10.0.0.0/", Mask),
            ("::/129", Mask),
            ("10.0.0.1/8", LowBits),
            ("2001:db8::1/64", LowBits),
            ("10.0.0.2-10.0.0.1", Order),
            ("10.0.0.1-::1", Order),
        ] {
            let fault = format!("10.0.0.1\n\n{text}").parse::<NetworkList>();
            assert_eq!(fault, Err(NetworkFault { line: 3, what }), "{text}");
        }
        let fault = NetworkFault { line: 3, what: Address };
        assert_eq!(fault.to_string(), "this is no network address, in line 3");
    }

    #[test]
    fn addresses_of_ipv6_count_by_their_first_bits() {
        let of = |address: &str, bits: u8| network_of(address.parse().unwrap(), bits).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:2ff::", 56), "2001:db8:1:200::");
        assert_eq!(of("2001:db8::1", 128), "2001:db8::1");
        assert_eq!(of("ffff::1", 1), "8000::");
        assert_eq!((of("192.0.2.7", 1), of("::ffff:192.0.2.7", 64)), ("192.0.2.7".to_owned(), "192.0.2.7".to_owned()));
    }

    #[test]
    fn entries_are_as_short_as_can_be() {
        let entries = |text: &str| list(text).entries().collect::<Vec<_>>().join(" ");
        assert_eq!(entries("10.0.0.1\n10.1.0.0/16\n192.0.2.0-192.0.2.2"), "10.0.0.1 10.1.0.0/16 192.0.2.0-192.0.2.2");
        assert_eq!(entries("192.0.2.0/24\n!192.0.2.128/25\n2001:db8::/32"), "192.0.2.0/25 2001:db8::/32");
        assert_eq!(entries("0.0.0.0-255.255.255.255\n::/1"), "0.0.0.0-255.255.255.255 ::/1");
        assert_eq!(entries("10.0.0.1-10.0.0.2\n10.0.0.5-10.0.0.6"), "10.0.0.1-10.0.0.2 10.0.0.5-10.0.0.6");
    }

    /// One of few addresses near each other, at either end of its family, so that entries overlap
    /// and touch.
    fn any_address() -> impl Strategy<Value = IpAddr> {
        let v4 = prop_oneof![0..24_u32, u32::MAX - 24..=u32::MAX].prop_map(|bits| Ipv4Addr::from_bits(bits).into());
        let v6 = prop_oneof![0..24_u128, u128::MAX - 24..=u128::MAX].prop_map(|bits| Ipv6Addr::from_bits(bits).into());
        prop_oneof![v4, v6]
    }

    /// An entry, as it is written and as it is meant.
    fn any_entry() -> impl Strategy<Value = (String, Entry)> {
        (any_address(), any_address(), any::<bool>()).prop_map(|(one, other, is_excluded)| {
            let other = if one.is_ipv4() == other.is_ipv4() { other } else { one };
            let (first, last) = (one.min(other), one.max(other));
            let mark = if is_excluded { "!" } else { "" };
            let text = if first == last { format!("{mark}{first}") } else { format!("{mark}{first}-{last}") };
            (text, Entry { first, last, is_excluded })
        })
    }

    proptest! {
        #[test]
        fn a_list_holds_what_its_lines_say_one_after_the_other(
            entries in vec(any_entry(), 0..12),
            addresses in vec(any_address(), 32),
        ) {
            let text: Vec<_> = entries.iter().map(|(text, _)| text.as_str()).collect();
            let list = list(&text.join("\n"));
            for address in addresses {
                let naming = |entry: &Entry| entry.first <= address && address <= entry.last;
                let deciding = entries.iter().rev().map(|(_, entry)| entry).find(|entry| naming(entry));
                let is_in = deciding.is_some_and(|entry| !entry.is_excluded);
                prop_assert_eq!(list.contains(address), is_in, "{}", address);
            }
            let entries: Vec<_> = list.entries().collect();
            prop_assert_eq!(entries.join("\n").parse(), Ok(list));
        }

        #[test]
        fn a_network_is_the_range_of_all_addresses_that_share_its_bits(bits in any::<u128>(), mask in 1..=128_u32) {
            let low = u128::MAX.checked_shr(mask).unwrap_or(0);
            let (first, last) = (Ipv6Addr::from_bits(bits & !low), Ipv6Addr::from_bits(bits | low));
            prop_assert_eq!(list(&format!("{first}/{mask}")), list(&format!("{first}-{last}")));
            let (first, mask) = (first.to_bits() as u32, mask.div_ceil(4));
            let low = u32::MAX.checked_shr(mask).unwrap_or(0);
            let (first, last) = (Ipv4Addr::from_bits(first & !low), Ipv4Addr::from_bits(first | low));
            prop_assert_eq!(list(&format!("{first}/{mask}")), list(&format!("{first}-{last}")));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:./!;\\[\\] \\-\\n]{0,60}") {
            _ = text.parse::<NetworkList>();
        }
    }
}
