use std::fmt;

use zeroize::Zeroizing;

/// A digest by MD5 (RFC 1321) that a client has made of its password, among other things. It is not
/// printed, and overwritten when it is dropped.
pub struct Md5Digest(Zeroizing<[u8; 16]>);

impl Md5Digest {
    /// Reads 32 hexadecimal digits, in any letter case.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (pairs, []) = text.as_chunks() else { return None };
        let mut digest = Zeroizing::new([0; 16]);
        if pairs.len() != digest.len() {
            return None;
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = value_of(*high)? << 4 | value_of(*low)?;
        }
        Some(Self(digest))
    }

    /// The bytes, for whoever compares them, in constant time.
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

fn value_of(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl fmt::Debug for Md5Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Digest(***)")
    }
}

/// A client's proof that it has a password: a digest of it and of what this session alone was asked.
/// Whoever checks it must have the password, too.
#[derive(Debug)]
pub struct DigestProof {
    /// What else was digested, and how.
    pub of: Digested,
    /// What came out.
    pub digest: Md5Digest,
}

/// What a digest was made of beside the password.
pub enum Digested {
    /// APOP (RFC 1939, section 7): the challenge, and behind it the password.
    Apop {
        /// What the server has greeted with.
        challenge: Box<[u8]>,
    },
    /// CRAM-MD5 (RFC 2195): an HMAC of the challenge, with the password as its key.
    CramMd5 {
        /// What the client was asked.
        challenge: Box<[u8]>,
    },
    /// DIGEST-MD5 (RFC 2831).
    DigestMd5(Box<DigestMd5>),
}

/// The parts of a response by DIGEST-MD5 that its digest covers, as they were sent (RFC 2831,
/// section 2.1.2.1). The count of uses of the nonce is 1, the quality of protection `auth`.
pub struct DigestMd5 {
    /// Whose password.
    pub username: Box<[u8]>,
    /// Where the name belongs; may be empty.
    pub realm: Box<[u8]>,
    /// What the client was asked.
    pub nonce: Box<[u8]>,
    /// What the client asks.
    pub cnonce: Box<[u8]>,
    /// Whom the client wants to act for.
    pub authzid: Option<Box<[u8]>>,
    /// What the client has connected to.
    pub uri: Box<[u8]>,
}

impl Digested {
    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Apop { .. } => "APOP",
            Self::CramMd5 { .. } => "CRAM-MD5",
            Self::DigestMd5(_) => "DIGEST-MD5",
        }
    }
}

impl fmt::Debug for Digested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
    }
}

impl fmt::Debug for DigestMd5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestMd5(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_32_hexadecimal_digits_and_never_printed() {
        let bytes = |text: &str| Md5Digest::parse(text.as_bytes()).map(|digest| *digest.expose());
        let digits = "00112233445566778899aabbccddeeff";
        assert_eq!(bytes(digits).unwrap()[..3], [0, 0x11, 0x22]);
        assert_eq!(bytes(digits), bytes(&digits.to_ascii_uppercase()));
        for text in ["", "0", &digits[1..], &digits[2..], &digits.replace('0', "g"), &format!("{digits}00")] {
            assert_eq!(bytes(text), None, "{text}");
        }
        assert_eq!(format!("{:?}", Md5Digest::parse(digits.as_bytes())), "Some(Md5Digest(***))");
    }
}
