//! CRAM-MD5 (RFC 2195):
//!
//! ```text
//! S: <nonce@domain>
//! C: name SP digest
//! ```

use super::{Claim, SaslFault};
use crate::model::{DigestProof, Digested, DomainName, Evidence, LoginName, Md5Digest, Nonce};
use crate::proto::challenge::challenge as text;

/// A challenge that has been sent.
#[derive(Debug)]
pub(super) struct Challenged {
    challenge: Box<[u8]>,
}

/// The challenge that is made from `nonce`, and what is to come.
pub(super) fn challenge(nonce: Nonce, domain: &DomainName) -> (Vec<u8>, Challenged) {
    let challenge = text(nonce, domain).into_bytes();
    (challenge.clone(), Challenged { challenge: challenge.into() })
}

impl Challenged {
    /// Reads the client's message. A name may hold blanks; none is behind the last one.
    pub(super) fn respond(self, message: &[u8]) -> Result<Claim, SaslFault> {
        let at = memchr::memrchr(b' ', message).ok_or(SaslFault::Malformed)?;
        let login = LoginName::new(&message[..at]).ok_or(SaslFault::Malformed)?;
        let digest = Md5Digest::parse(&message[at + 1..]).ok_or(SaslFault::Malformed)?;
        let of = Digested::CramMd5 { challenge: self.challenge };
        Ok(Claim { login, evidence: Evidence::Digest(Box::new(DigestProof { of, digest })) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_name_and_a_digest_of_the_challenge() {
        let respond = |message: &str| {
            let domain = DomainName::parse("postoffice.reston.mci.net").unwrap();
            let (challenge, challenged) = challenge(Nonce([1896, 697_170_952]), &domain);
            assert_eq!(challenge, b"<1896.697170952@postoffice.reston.mci.net>");
            challenged.respond(message.as_bytes())
        };
        for (message, name) in [
            // The example of RFC 2195, section 3.
            ("tim b913a602c7eda7a495b4e6e7334d3890", "tim"),
            ("tim t B913A602C7EDA7A495B4E6E7334D3890", "tim t"),
        ] {
            let Claim { login, evidence } = respond(message).unwrap();
            let Evidence::Digest(proof) = evidence else { panic!("{evidence:?}") };
            assert_eq!((login.as_bytes(), proof.digest.expose()[0]), (name.as_bytes(), 0xb9));
            let Digested::CramMd5 { challenge } = &proof.of else { panic!("{proof:?}") };
            assert!(challenge.starts_with(b"<1896.") && !format!("{proof:?}").contains("185"), "{proof:?}");
        }
        for message in [
            "",
            "tim",
            " b913a602c7eda7a495b4e6e7334d3890",
            "b913a602c7eda7a495b4e6e7334d3890",
            "tim b913a602c7eda7a495b4e6e7334d3890 ",
            "tim b913a602c7eda7a495b4e6e7334d389",
            "tim b913a602c7eda7a495b4e6e7334d389x",
        ] {
            assert_eq!(respond(message).err(), Some(SaslFault::Malformed), "{message}");
        }
    }
}
