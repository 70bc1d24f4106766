//! SCRAM (RFC 5802, RFC 7677), also bound to the TLS connection (RFC 9266):
//!
//! ```text
//! C: flag,[a=name],n=name,r=nonce
//! S: r=nonces,s=salt,i=iterations
//! C: c=base64(flag,[a=name],binding),r=nonces,p=proof
//! S: v=signature
//! ```
//!
//! The flag is `n` for a client that cannot bind its login to the connection, `y` for one that
//! could and believes that this server cannot, and `p=tls-exporter` in the mechanisms whose names
//! end in -PLUS. Commas in names are written `=2C`, equal signs `=3D`.

use std::mem;

use zeroize::Zeroizing;

use super::{Claim, SaslFault};
use crate::model::{Evidence, LoginName, ScramHash, ScramOffer, ScramProof};
use crate::notation::base64;

/// Bytes of a client's nonce: what repeats it must fit in a reply.
const NONCE_BYTES_MAX: usize = 128;

/// An exchange in which nothing has been said.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) hash: ScramHash,
    /// Whether the login is to be bound to the connection.
    pub(super) is_plus: bool,
    /// What it can be bound to: see [`crate::model::TlsPeer::binding`].
    pub(super) binding: Option<[u8; 32]>,
}

/// The first message, understood.
#[derive(Debug)]
pub(super) struct First {
    /// Whose account.
    pub(super) login: LoginName,
    pub(super) hash: ScramHash,
    /// What the last message must repeat: the flag, the name after it, and what binds.
    bound: Vec<u8>,
    /// All behind the second comma.
    bare: Vec<u8>,
    nonce: Vec<u8>,
}

/// A challenge that has been sent.
#[derive(Debug)]
pub(super) struct Challenged {
    login: LoginName,
    hash: ScramHash,
    bound: Vec<u8>,
    /// The nonces of both sides.
    nonce: Vec<u8>,
    /// The first two messages, and a comma behind each.
    said: Vec<u8>,
}

impl Opening {
    /// Reads the client's first message.
    pub(super) fn parse(&self, message: &[u8]) -> Result<First, SaslFault> {
        let mut bare = message;
        let flag = take_field(&mut bare)?;
        let acts_for = take_field(&mut bare)?;
        let mut bound = message[..message.len() - bare.len()].to_vec();
        match (flag, self.is_plus, &self.binding) {
            (b"n", false, _) | (b"y", false, None) => {}
            (b"y", false, Some(_)) => return Err(SaslFault::Downgraded),
            (b"p=tls-exporter", true, Some(binding)) => bound.extend_from_slice(binding),
            ([b'p', b'=', ..], true, _) => return Err(SaslFault::NotBound),
            _ => return Err(SaslFault::Malformed),
        }
        let mut fields = bare.split(|&byte| byte == b',');
        let name = fields.next().and_then(|field| field.strip_prefix(b"n=")).ok_or(SaslFault::Malformed)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix(b"r=")).ok_or(SaslFault::Malformed)?;
        if nonce.is_empty() || nonce.len() > NONCE_BYTES_MAX || !nonce.iter().all(u8::is_ascii_graphic) {
            return Err(SaslFault::Malformed);
        }
        let name = unescape(name)?;
        if let Some(acts_for) = acts_for.strip_prefix(b"a=") {
            // One client library says so when it means nobody.
            if !acts_for.is_empty() && !unescape(acts_for)?.eq_ignore_ascii_case(&name) {
                return Err(SaslFault::OtherIdentity);
            }
        } else if !acts_for.is_empty() {
            return Err(SaslFault::Malformed);
        }
        let login = LoginName::new(&name).ok_or(SaslFault::Malformed)?;
        Ok(First { login, hash: self.hash, bound, bare: bare.to_vec(), nonce: nonce.to_vec() })
    }
}

impl First {
    /// The challenge that says what is in `offer`, and what is to come.
    pub(super) fn challenge(self, offer: &ScramOffer) -> (Vec<u8>, Challenged) {
        let mut nonce = self.nonce;
        nonce.extend(encoded(&offer.nonce));
        let iterations = offer.iterations.to_string();
        let parts: [&[u8]; 6] = [b"r=", &nonce, b",s=", &encoded(&offer.salt), b",i=", iterations.as_bytes()];
        let challenge = parts.concat();
        let said = [&self.bare[..], b",", &challenge, b","].concat();
        (challenge, Challenged { login: self.login, hash: self.hash, bound: self.bound, nonce, said })
    }
}

impl Challenged {
    /// Reads the client's last message.
    pub(super) fn respond(self, message: &[u8]) -> Result<Claim, SaslFault> {
        let at = message.windows(3).rposition(|bytes| bytes == b",p=").ok_or(SaslFault::Malformed)?;
        let (without_proof, proof) = (&message[..at], &message[at + 3..]);
        let mut fields = without_proof.split(|&byte| byte == b',');
        let bound = fields.next().and_then(|field| field.strip_prefix(b"c=")).ok_or(SaslFault::Malformed)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix(b"r=")).ok_or(SaslFault::Malformed)?;
        if decoded(bound)? != self.bound {
            return Err(SaslFault::NotBound);
        }
        if nonce != self.nonce {
            return Err(SaslFault::Malformed);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        let proof = Zeroizing::new(decoded(proof)?);
        if proof.len() != self.hash.bytes() {
            return Err(SaslFault::Malformed);
        }
        bytes[..proof.len()].copy_from_slice(&proof);
        let mut message = self.said;
        message.extend_from_slice(without_proof);
        let evidence = Evidence::Scram(Box::new(ScramProof { hash: self.hash, message, proof: bytes }));
        Ok(Claim { login: self.login, evidence })
    }
}

/// What the server says when the client's proof was right.
pub(super) fn print_signature(signature: &[u8]) -> String {
    let mut text = String::from("v=");
    base64::encode(signature, &mut text);
    text
}

/// Takes what stands before the first comma, and the comma.
pub(super) fn take_field<'a>(message: &mut &'a [u8]) -> Result<&'a [u8], SaslFault> {
    let at = memchr::memchr(b',', message).ok_or(SaslFault::Malformed)?;
    let (field, rest) = mem::take(message).split_at(at);
    *message = &rest[1..];
    Ok(field)
}

/// A name as it is meant.
pub(super) fn unescape(name: &[u8]) -> Result<Vec<u8>, SaslFault> {
    let mut parts = name.split(|&byte| byte == b'=');
    let mut meant = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let (sign, rest) = part.split_at_checked(2).ok_or(SaslFault::Malformed)?;
        meant.push(match sign {
            b"2C" => b',',
            b"3D" => b'=',
            _ => return Err(SaslFault::Malformed),
        });
        meant.extend_from_slice(rest);
    }
    Ok(meant)
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    base64::encode(bytes, &mut text);
    text.into_bytes()
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, SaslFault> {
    let mut bytes = Vec::with_capacity(text.len());
    base64::decode(text, &mut bytes).ok_or(SaslFault::Malformed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: [u8; 32] = *b"thirty-two bytes of key material";

    fn first(message: &str) -> Result<First, SaslFault> {
        Opening { hash: ScramHash::Sha1, is_plus: false, binding: None }.parse(message.as_bytes())
    }

    fn bound(is_plus: bool, binding: Option<[u8; 32]>, message: &str) -> Result<First, SaslFault> {
        Opening { hash: ScramHash::Sha256, is_plus, binding }.parse(message.as_bytes())
    }

    fn offer() -> ScramOffer {
        // The nonce of the server in RFC 5802, section 5, is no base64; any 18 bytes will do.
        ScramOffer { nonce: [0; 18], salt: [1; 16], iterations: 4096 }
    }

    #[test]
    fn the_challenge_repeats_the_nonce_and_the_proof_is_of_all_that_was_said() {
        let first = first("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL").unwrap();
        assert_eq!(first.login.as_bytes(), b"user");
        let (challenge, challenged) = first.challenge(&offer());
        let challenge = String::from_utf8(challenge).unwrap();
        let nonce = format!("fyko+d2lbbFgONRv9qkxdawL{}", "A".repeat(24));
        assert_eq!(challenge, format!("r={nonce},s=AQEBAQEBAQEBAQEBAQEBAQ==,i=4096"));
        let last = format!("c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
        let Claim { login, evidence } = challenged.respond(last.as_bytes()).unwrap();
        let Evidence::Scram(proof) = evidence else { panic!("{evidence:?}") };
        assert_eq!(login.as_bytes(), b"user");
        let said = format!("n=user,r=fyko+d2lbbFgONRv9qkxdawL,{challenge},c=biws,r={nonce}");
        assert_eq!((proof.hash, String::from_utf8(proof.message.clone()).unwrap()), (ScramHash::Sha1, said));
        assert_eq!((proof.proof[0], &proof.proof[20..]), (0xbf, &[0; 12][..]));
        assert!(!format!("{proof:?}").contains("191"), "{proof:?}");
    }

    #[test]
    fn a_first_message_has_its_parts_in_their_order() {
        for (message, fault) in [
            ("", SaslFault::Malformed),
            ("n,", SaslFault::Malformed),
            ("n,,", SaslFault::Malformed),
            ("n,,r=nonce,n=user", SaslFault::Malformed),
            ("n,,m=must,n=user,r=nonce", SaslFault::Malformed),
            ("n,,n=user", SaslFault::Malformed),
            ("n,,n=user,r=", SaslFault::Malformed),
            ("n,,n=user,r=a b", SaslFault::Malformed),
            ("n,,n=,r=nonce", SaslFault::Malformed),
            ("n,,n=us=er,r=nonce", SaslFault::Malformed),
            ("n,,n=us=2cer,r=nonce", SaslFault::Malformed),
            ("n,,n=user=2,r=nonce", SaslFault::Malformed),
            ("n,user,n=user,r=nonce", SaslFault::Malformed),
            ("x,,n=user,r=nonce", SaslFault::Malformed),
            ("p=tls-exporter,,n=user,r=nonce", SaslFault::Malformed),
            ("n,a=other,n=user,r=nonce", SaslFault::OtherIdentity),
        ] {
            assert_eq!(first(message).err(), Some(fault), "{message}");
        }
        assert!(first(&format!("n,,n=user,r={}", "r".repeat(NONCE_BYTES_MAX + 1))).is_err());
        assert!(first(&format!("n,,n=user,r={}", "r".repeat(NONCE_BYTES_MAX))).is_ok());
        assert!(first("n,a=,n=user,r=nonce").is_ok());
        assert_eq!(first("n,a=A=2Cb=3D,n=a=2Cb=3D,r=nonce,x=more").unwrap().login.as_bytes(), b"a,b=");
    }

    #[test]
    fn a_last_message_fits_the_challenge() {
        let respond = |message: &str| {
            let (_, challenged) = first("n,,n=user,r=nonce").unwrap().challenge(&offer());
            challenged.respond(message.replace('N', &format!("nonce{}", "A".repeat(24))).as_bytes())
        };
        let proof = "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        assert!(respond(&format!("c=biws,r=N,p={proof}")).is_ok());
        assert!(respond(&format!("c=biws,r=N,x=more,p={proof}")).is_ok());
        for (message, fault) in [
            (format!("c=biws,r=N{proof}"), SaslFault::Malformed),
            (format!("r=N,c=biws,p={proof}"), SaslFault::Malformed),
            (format!("c=biws,r=nonce,p={proof}"), SaslFault::Malformed),
            (format!("c=biws,p={proof}"), SaslFault::Malformed),
            (format!("c=?,r=N,p={proof}"), SaslFault::Malformed),
            ("c=biws,r=N,p=".to_owned(), SaslFault::Malformed),
            ("c=biws,r=N,p=AAAA".to_owned(), SaslFault::Malformed),
            // `y,,`, where `n,,` was said at first.
            (format!("c=eSws,r=N,p={proof}"), SaslFault::NotBound),
        ] {
            assert_eq!(respond(&message).err(), Some(fault), "{message}");
        }
    }

    #[test]
    fn a_login_is_bound_to_its_connection_and_to_no_other() {
        let message = "p=tls-exporter,,n=user,r=nonce";
        let last = |binding: &[u8; 32]| {
            let (_, challenged) = bound(true, Some(BINDING), message).unwrap().challenge(&offer());
            let channel = encoded(&[b"p=tls-exporter,,", &binding[..]].concat());
            let nonce = format!(",r=nonce{},p=", "A".repeat(24));
            challenged.respond(&[b"c=", &channel[..], nonce.as_bytes(), &encoded(&[7; 32])].concat()).map(|_| ())
        };
        assert_eq!(last(&BINDING), Ok(()));
        assert_eq!(last(&[0; 32]), Err(SaslFault::NotBound));
    }

    #[test]
    fn a_client_that_was_kept_from_binding_is_not_let_in() {
        for (is_plus, binding, flag, fault) in [
            (false, Some(BINDING), "y", Some(SaslFault::Downgraded)),
            (false, None, "y", None),
            (false, Some(BINDING), "n", None),
            (true, Some(BINDING), "p=tls-exporter", None),
            (true, None, "p=tls-exporter", Some(SaslFault::NotBound)),
            (true, Some(BINDING), "p=tls-unique", Some(SaslFault::NotBound)),
            (true, Some(BINDING), "n", Some(SaslFault::Malformed)),
            (true, Some(BINDING), "y", Some(SaslFault::Malformed)),
            (false, Some(BINDING), "p=tls-exporter", Some(SaslFault::Malformed)),
        ] {
            let message = format!("{flag},,n=user,r=nonce");
            assert_eq!(bound(is_plus, binding, &message).err(), fault, "{is_plus} {flag}");
        }
    }
}
