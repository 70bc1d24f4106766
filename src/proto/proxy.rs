//! The header by which a proxy says for whom it connects: the PROXY protocol, versions 1 and 2
//! (`proxy-protocol.txt` of HAProxy).
//!
//! ```text
//! PROXY TCP4 192.0.2.7 198.51.100.1 40112 106\r\n
//! ```
//!
//! Whether somebody may send one is its reader's business: whoever can, chooses the address that
//! limits, lists and the log go by.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use memchr::memchr;

use crate::model::limits::PROXY_HEADER_BYTES_MAX;

/// What a header of version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// Bytes of a header of version 1 at the most, CR LF included (section 2.1).
const LINE_BYTES_MAX: usize = 107;

/// What a header of version 2 begins with (section 2.2): no dialogue begins so.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 before the addresses: the signature, version and command, family and
/// transport, and how many bytes follow.
const FIXED_BYTES: usize = 16;

/// The extension that holds a CRC-32C of the whole header (section 2.2.3).
const CHECKSUM: u8 = 3;

/// What a proxy has said before the client's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client. `None`: the proxy connects for itself, to see whether anybody is there, or for a
    /// client whose address means nothing here; the one that connected counts.
    pub source: Option<SocketAddr>,
    /// Bytes of the header. What follows is the client's.
    pub length: usize,
}

/// Why bytes are no header. It never quotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    /// No header of either version begins so.
    Missing,
    /// It is longer than a header may be.
    TooLong,
    /// It says something that no header of its version may say.
    Malformed,
    /// Its checksum is of other bytes.
    Checksum,
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it does not begin with a PROXY header",
            Self::TooLong => "its PROXY header is too long",
            Self::Malformed => "its PROXY header is malformed",
            Self::Checksum => "the checksum of its PROXY header is wrong",
        })
    }
}

impl std::error::Error for ProxyFault {}

/// Reads the header that `input` begins with. `None`: it is still arriving; call again with the
/// same bytes plus more.
///
/// Of version 1, `UNKNOWN` and what stands behind it is skipped; of version 2, the addresses of
/// `LOCAL`, of an unspecified family and of Unix sockets, and all extensions but the checksum,
/// which must be right if it is there.
///
/// # Errors
/// [`ProxyFault`] as soon as no further bytes could make a header of these.
///
/// # Examples
///
/// ```
/// use keyturn::proto::{ProxyHeader, parse_proxy_header};
///
/// let input = b"PROXY TCP4 192.0.2.7 198.51.100.1 40112 106\r\nUSER alice\r\n";
/// let source = "192.0.2.7:40112".parse().ok();
/// assert_eq!(parse_proxy_header(input), Ok(Some(ProxyHeader { source, length: 45 })));
/// assert_eq!(parse_proxy_header(&input[..44]), Ok(None));
/// ```
pub fn parse(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let may_begin_with = |start: &[u8]| input.iter().zip(start).all(|(one, other)| one == other);
    if may_begin_with(WORD) {
        parse_line(input)
    } else if may_begin_with(SIGNATURE) {
        parse_block(input)
    } else {
        Err(ProxyFault::Missing)
    }
}

/// Version 1.
fn parse_line(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let front = &input[..input.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr(b'\n', front) else {
        return if front.len() < LINE_BYTES_MAX { Ok(None) } else { Err(ProxyFault::TooLong) };
    };
    let line = front[WORD.len()..end].strip_suffix(b"\r").ok_or(ProxyFault::Malformed)?;
    let is_unknown = line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ");
    let source = if is_unknown { None } else { Some(source_in(line).ok_or(ProxyFault::Malformed)?) };
    Ok(Some(ProxyHeader { source, length: end + 1 }))
}

/// The source in what stands behind `PROXY `: the family, two addresses of it, two ports, each
/// after exactly one space.
fn source_in(line: &[u8]) -> Option<SocketAddr> {
    fn both<T: FromStr + Into<IpAddr>>(source: &str, destination: &str) -> Option<IpAddr> {
        destination.parse::<T>().ok()?;
        source.parse::<T>().ok().map(Into::into)
    }
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let mut word = || words.next();
    let (family, source, destination) = (word()?, word()?, word()?);
    let ip = match family {
        "TCP4" => both::<Ipv4Addr>(source, destination)?,
        "TCP6" => both::<Ipv6Addr>(source, destination)?,
        _ => return None,
    };
    let (port, _) = (parse_port(word()?)?, parse_port(word()?)?);
    words.next().is_none().then(|| SocketAddr::new(ip.to_canonical(), port))
}

/// A port as version 1 writes it: without a sign and without leading zeros.
fn parse_port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| is_plain)
}

/// Version 2.
fn parse_block(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyFault> {
    let fixed = input.get(SIGNATURE.len()..FIXED_BYTES).and_then(<[u8]>::first_chunk);
    let Some(&[command, family, high, low]) = fixed else { return Ok(None) };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyFault::Malformed),
    };
    let address_bytes = match family {
        _ if is_local => 0,
        0x00 => 0,
        0x11 => 2 * (4 + 2),
        0x21 => 2 * (16 + 2),
        0x31 => 2 * 108,
        _ => return Err(ProxyFault::Malformed),
    };
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > PROXY_HEADER_BYTES_MAX {
        return Err(ProxyFault::TooLong);
    }
    if length < FIXED_BYTES + address_bytes {
        return Err(ProxyFault::Malformed);
    }
    let Some(header) = input.get(..length) else { return Ok(None) };
    if address_bytes > 0 {
        check_extensions(header, FIXED_BYTES + address_bytes)?;
    }
    let addresses = &header[FIXED_BYTES..FIXED_BYTES + address_bytes];
    let source = match family {
        0x11 => source_among::<4>(addresses),
        0x21 => source_among::<16>(addresses),
        _ => None,
    };
    Ok(Some(ProxyHeader { source, length }))
}

/// The source among `addresses`: two of N bytes each, and behind them their ports. None when there
/// are none.
fn source_among<const N: usize>(addresses: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let ip = IpAddr::from(*addresses.first_chunk::<N>()?);
    let port = u16::from_be_bytes(*addresses.get(2 * N..)?.first_chunk()?);
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Checks what follows the addresses, from byte `start` of `header` on: extensions of a type, two
/// bytes of length and a value each.
fn check_extensions(header: &[u8], start: usize) -> Result<(), ProxyFault> {
    let mut rest = &header[start..];
    while let [kind, high, low, after @ ..] = rest {
        let bytes = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = after.split_at_checked(bytes).ok_or(ProxyFault::Malformed)?;
        rest = after;
        if *kind == CHECKSUM {
            let told = value.try_into().map(u32::from_be_bytes).map_err(|_| ProxyFault::Malformed)?;
            let end = header.len() - rest.len();
            let zeroed = end - size_of::<u32>()..end;
            let bytes = header.iter().enumerate().map(|(index, byte)| if zeroed.contains(&index) { 0 } else { *byte });
            if crc32c(bytes) != told {
                return Err(ProxyFault::Checksum);
            }
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(ProxyFault::Malformed) }
}

/// CRC-32C (RFC 3720, appendix B.4), bit by bit: a header is short, and few have a checksum.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn header(source: &str, length: usize) -> Result<Option<ProxyHeader>, ProxyFault> {
        let source = (!source.is_empty()).then(|| source.parse().unwrap());
        Ok(Some(ProxyHeader { source, length }))
    }

    /// A header of version 2.
    fn block(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0xb0, 0, 106];

    #[test]
    fn lines_of_version_1_are_read() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40112 106\r\n", "192.0.2.7:40112"),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 0 106\r\n", "192.0.2.7:0"),
            ("PROXY TCP6 2001:db8::7 2001:DB8:0:0:0:0:0:1 40112 106\r\n", "[2001:db8::7]:40112"),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 40112 106\r\n", "192.0.2.7:40112"),
            ("PROXY UNKNOWN\r\n", ""),
            ("PROXY UNKNOWN ffff::1 whatever  this is\r\n", ""),
        ] {
            assert_eq!(parse(line.as_bytes()), header(source, line.len()), "{line}");
            assert_eq!(parse(format!("{line}USER alice\r\n").as_bytes()), header(source, line.len()), "{line}");
        }
        assert_eq!(parse(b"PROXY UNKNOWN \xff\0\r\n"), header("", 18));
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 16));
        assert_eq!(parse(longest.as_bytes()), header("", LINE_BYTES_MAX));
    }

    #[test]
    fn what_is_no_line_of_version_1_is_told() {
        use ProxyFault::{Malformed, Missing, TooLong};
        for (line, fault) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40112 106\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40112\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40112 106 \r\n", Malformed),
            ("PROXY TCP4  192.0.2.7 198.51.100.1 40112 106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.07 198.51.100.1 40112 106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 040112 106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 +4011 106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 65536 106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1  106\r\n", Malformed),
            ("PROXY TCP4 192.0.2.7 2001:db8::1 40112 106\r\n", Malformed),
            ("PROXY TCP4 2001:db8::7 2001:db8::1 40112 106\r\n", Malformed),
            ("PROXY TCP6 192.0.2.7 198.51.100.1 40112 106\r\n", Malformed),
            ("PROXY UDP4 192.0.2.7 198.51.100.1 40112 106\r\n", Malformed),
            ("PROXY tcp4 192.0.2.7 198.51.100.1 40112 106\r\n", Malformed),
            ("PROXY UNKNOWNS\r\n", Malformed),
            ("PROXY \r\n", Malformed),
            ("PROXY\r\n", Missing),
            ("proxy UNKNOWN\r\n", Missing),
            ("USER alice\r\n", Missing),
            ("\r\nUSER alice\r\n", Missing),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(fault), "{line}");
        }
        let longer = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 15));
        assert_eq!(parse(longer.as_bytes()), Err(TooLong));
    }

    #[test]
    fn blocks_of_version_2_are_read() {
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 15], &[1], &[0x9c, 0xb0, 0, 106]].concat();
        let noop = extension(4, b"");
        for (block, source) in [
            (block(0x21, 0x11, &V4), "192.0.2.7:40112"),
            (block(0x21, 0x11, &[&V4[..], &noop, &extension(0xe0, &[7; 300])].concat()), "192.0.2.7:40112"),
            (block(0x21, 0x21, &v6), "[2001:db8::7]:40112"),
            (block(0x21, 0x21, &[&v6[..], &noop].concat()), "[2001:db8::7]:40112"),
            (block(0x21, 0x31, &[0; 216]), ""),
            (block(0x21, 0x00, b""), ""),
            (block(0x21, 0x00, b"anything"), ""),
            (block(0x20, 0x00, b""), ""),
            (block(0x20, 0x11, &V4), ""),
            (block(0x20, 0x77, b"any"), ""),
        ] {
            assert_eq!(parse(&block), header(source, block.len()), "{block:?}");
            assert_eq!(parse(&[&block[..], b"USER alice\r\n"].concat()), header(source, block.len()), "{block:?}");
        }
    }

    #[test]
    fn what_is_no_block_of_version_2_is_told() {
        use ProxyFault::Malformed;
        for block in [
            block(0x11, 0x11, &V4),
            block(0x22, 0x11, &V4),
            block(0x21, 0x12, &V4),
            block(0x21, 0x01, &V4),
            block(0x21, 0x11, &V4[..11]),
            block(0x21, 0x21, &[0; 35]),
            block(0x21, 0x31, &[0; 215]),
            block(0x21, 0x11, &[&V4[..], &[4]].concat()),
            block(0x21, 0x11, &[&V4[..], &[4, 0, 1]].concat()),
            block(0x21, 0x11, &[&V4[..], &extension(CHECKSUM, &[1, 2, 3])].concat()),
        ] {
            assert_eq!(parse(&block), Err(Malformed), "{block:?}");
        }
    }

    #[test]
    fn a_block_has_a_greatest_length() {
        let padded = |bytes: usize| block(0x20, 0, &vec![0; bytes - FIXED_BYTES]);
        assert_eq!(parse(&padded(PROXY_HEADER_BYTES_MAX)), header("", PROXY_HEADER_BYTES_MAX));
        let fault = parse(&padded(PROXY_HEADER_BYTES_MAX + 1)[..FIXED_BYTES]);
        assert_eq!(fault, Err(ProxyFault::TooLong), "before the rest has come");
    }

    #[test]
    fn a_checksum_must_be_right() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
        assert_eq!(crc32c((0..32).rev()), 0x113f_db5c);
        let with = |checksum: u32| {
            let body = [&V4[..], &extension(4, b"pad"), &extension(CHECKSUM, &checksum.to_be_bytes()), &[5, 0, 0]];
            block(0x21, 0x11, &body.concat())
        };
        let right = crc32c(with(0).into_iter());
        assert_eq!(parse(&with(right)), header("192.0.2.7:40112", with(right).len()));
        assert_eq!(parse(&with(right ^ 1)), Err(ProxyFault::Checksum));
    }

    /// A header that is whole, of either version.
    fn any_header() -> impl Strategy<Value = Vec<u8>> {
        let v4 = any::<(Ipv4Addr, Ipv4Addr, u16, u16)>();
        let v6 = any::<(Ipv6Addr, Ipv6Addr, u16, u16)>();
        let extensions = vec((4..=u8::MAX, vec(any::<u8>(), 0..20)), 0..4);
        let blocks = (0x20..=0x21_u8, proptest::sample::select(&[0x00, 0x11, 0x21, 0x31_u8][..]), extensions);
        prop_oneof![
            v4.prop_map(|(a, b, c, d)| format!("PROXY TCP4 {a} {b} {c} {d}\r\n").into_bytes()),
            v6.prop_map(|(a, b, c, d)| format!("PROXY TCP6 {a} {b} {c} {d}\r\n").into_bytes()),
            "[ -~]{0,90}".prop_map(|rest| format!("PROXY UNKNOWN {rest}\r\n").into_bytes()),
            blocks.prop_map(|(command, family, extensions)| {
                let address_bytes = [0, 12, 36, 216][usize::from(family >> 4)];
                let extensions = extensions.iter().flat_map(|(kind, value)| extension(*kind, value));
                let body: Vec<u8> = (0..address_bytes).map(|byte| byte as u8).chain(extensions).collect();
                block(command, family, &body)
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_header_is_known_by_its_last_byte_and_not_before(header in any_header(), more in vec(any::<u8>(), 0..9)) {
            let found = parse(&header);
            prop_assert!(matches!(found, Ok(Some(ProxyHeader { length, .. })) if length == header.len()), "{found:?}");
            for cut in 0..header.len() {
                prop_assert_eq!(parse(&header[..cut]), Ok(None));
            }
            prop_assert_eq!(parse(&[header, more].concat()), found);
        }

        #[test]
        fn a_source_of_version_1_is_the_one_of_version_2(source: Ipv6Addr, other: Ipv6Addr, port: u16) {
            let line = format!("PROXY TCP6 {source} {other} {port} 1\r\n");
            let body = [&source.octets()[..], &other.octets(), &port.to_be_bytes(), &[0, 1]].concat();
            let of_line = parse(line.as_bytes()).unwrap().unwrap().source;
            prop_assert_eq!(of_line, Some(SocketAddr::new(IpAddr::from(source).to_canonical(), port)));
            prop_assert_eq!(parse(&block(0x21, 0x21, &body)).unwrap().unwrap().source, of_line);
        }

        #[test]
        fn what_more_bytes_could_not_mend_stays_a_fault(header in any_header(), at: prop::sample::Index, byte: u8) {
            let mut bytes = header;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let mut seen = None;
            for cut in 0..=bytes.len() {
                let found = parse(&bytes[..cut]);
                if let Some(seen) = seen {
                    prop_assert_eq!(found, seen);
                } else if found != Ok(None) {
                    seen = Some(found);
                }
            }
        }
    }
}
