//! Proofs by digests that only who has the password itself can check:
//!
//! ```text
//! APOP         H(challenge password)                                  (RFC 1939, section 7)
//! CRAM-MD5     HMAC-MD5(password, challenge)                           (RFC 2195)
//! DIGEST-MD5   H(hex(A1) ":" nonce ":00000001:" cnonce ":auth:" hex(A2))   (RFC 2831, section 2.1.2.1)
//!
//! A1 = H(H(username ":" realm ":" password) ":" nonce ":" cnonce [":" authzid])
//! A2 = H("AUTHENTICATE:" uri), of the server's answer H(":" uri)
//! ```
//!
//! MD5 is broken where collisions matter, which here they do not. But whoever has heard a proof can
//! guess passwords against it at the price of a few MD5s, so strong passwords are what keeps them.

use hmac::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{Recoverable, nonce};
use crate::model::{DigestMd5, DigestProof, Digested, Nonce, Secret, Signature};

type Md5Bytes = [u8; 16];

impl Recoverable {
    /// What an account has that has none: nobody knows it. Like most passwords it is short, and ASCII.
    #[expect(clippy::expect_used, reason = "16 bytes are a short password")]
    pub(super) fn decoy() -> Self {
        let Nonce([number, _]) = nonce();
        let text = Zeroizing::new(format!("{number:016x}"));
        Self::new(&Secret::new(text.as_bytes()).expect("it is short"))
    }

    /// Whether whoever made `proof` had this password, and what shows him that the server has it, too,
    /// if the method has that. It is for those alone whose proof is right.
    pub(super) fn check(&self, proof: &DigestProof) -> (Choice, Option<Signature>) {
        let given = proof.digest.expose();
        match &proof.of {
            Digested::Apop { challenge } => (md5(&[challenge, self.expose()]).ct_eq(given), None),
            Digested::CramMd5 { challenge } => (hmac_md5(self.expose(), challenge).ct_eq(given), None),
            Digested::DigestMd5(said) => {
                let as_ruled = Zeroizing::new(latin_1(self.expose()));
                let [(one, signature), (other, other_signature)] =
                    [&as_ruled[..], self.expose()].map(|password| digest_md5(said, password));
                let (is_one, is_other) = (one.ct_eq(given), other.ct_eq(given));
                let signature = if is_one.into() { signature } else { other_signature };
                (is_one | is_other, Some(Signature::DigestMd5(signature)))
            }
        }
    }
}

/// What a client responds by DIGEST-MD5 that has `password`, and what it is answered.
fn digest_md5(said: &DigestMd5, password: &[u8]) -> (Md5Bytes, Md5Bytes) {
    let DigestMd5 { username, realm, nonce, cnonce, authzid, uri } = said;
    let user = Zeroizing::new(md5(&[username, b":", realm, b":", password]));
    let (colon, authzid): (&[u8], &[u8]) = authzid.as_ref().map_or((b"", b""), |authzid| (b":", authzid));
    let a1 = Zeroizing::new(hex(md5(&[&user[..], b":", nonce, b":", cnonce, colon, authzid])));
    let of = |method: &[u8]| {
        let a2 = hex(md5(&[method, b":", uri]));
        md5(&[&a1[..], b":", nonce, b":00000001:", cnonce, b":auth:", &a2])
    };
    (of(b"AUTHENTICATE"), of(b""))
}

/// `password` in ISO 8859-1 if it can be written so, as RFC 2831 wants it digested. Some clients
/// digest it as it is.
fn latin_1(password: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(password).ok();
    let all = text.and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
    all.unwrap_or_else(|| password.to_vec())
}

fn md5(parts: &[&[u8]]) -> Md5Bytes {
    parts.iter().fold(Md5::new(), |digest, part| digest.chain_update(part)).finalize().into()
}

fn hmac_md5(key: &[u8], message: &[u8]) -> Md5Bytes {
    let mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).expect("a key may have any length");
    mac.chain_update(message).finalize().into_bytes().into()
}

fn hex(bytes: Md5Bytes) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|index| {
        let byte = bytes[index / 2];
        DIGITS[usize::from(if index % 2 == 0 { byte >> 4 } else { byte & 15 })]
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Md5Digest;

    fn recoverable(password: &[u8]) -> Recoverable {
        Recoverable::new(&Secret::new(password).unwrap())
    }

    fn proof(of: Digested, digest: &str) -> DigestProof {
        DigestProof { of, digest: Md5Digest::parse(digest.as_bytes()).unwrap() }
    }

    fn check(password: &str, of: Digested, digest: &str) -> (bool, Option<Signature>) {
        let (is_right, signature) = recoverable(password.as_bytes()).check(&proof(of, digest));
        (is_right.into(), signature)
    }

    fn cram_md5(challenge: &str) -> Digested {
        Digested::CramMd5 { challenge: challenge.as_bytes().into() }
    }

    fn said(nonce: &str, cnonce: &str, uri: &str) -> DigestMd5 {
        let bytes = |text: &str| text.as_bytes().into();
        DigestMd5 {
            username: bytes("chris"),
            realm: bytes("elwood.innosoft.com"),
            nonce: bytes(nonce),
            cnonce: bytes(cnonce),
            authzid: None,
            uri: bytes(uri),
        }
    }

    /// The client's side of CRAM-MD5.
    pub(crate) fn prove_by_digest(password: &str, challenge: &str) -> DigestProof {
        let digest = hex(hmac_md5(password.as_bytes(), challenge.as_bytes()));
        proof(cram_md5(challenge), str::from_utf8(&digest).unwrap())
    }

    #[test]
    fn the_example_of_rfc_1939() {
        let check = |password: &str, challenge: &str| {
            let of = Digested::Apop { challenge: challenge.as_bytes().into() };
            check(password, of, "c4c9334bac560ecc979e58001b3e22fb")
        };
        let challenge = "<1896.697170952@dbc.mtview.ca.us>";
        assert_eq!(check("tanstaaf", challenge), (true, None));
        assert_eq!(check("tanstaaF", challenge), (false, None));
        assert_eq!(check("tanstaaf", &challenge.replace('2', "3")), (false, None));
    }

    #[test]
    fn the_example_of_rfc_2195() {
        let check =
            |password: &str, challenge: &str| check(password, cram_md5(challenge), "b913a602c7eda7a495b4e6e7334d3890");
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(check("tanstaaftanstaaf", challenge), (true, None));
        assert_eq!(check("tanstaaftanstaaF", challenge), (false, None));
        assert_eq!(check("tanstaaftanstaaf", &challenge.replace('2', "3")), (false, None));
    }

    #[test]
    fn the_examples_of_rfc_2831() {
        for (nonce, cnonce, uri, response, signature) in [
            (
                "OA6MG9tEQGm2hh",
                "OA6MHXh6VqTrRk",
                "imap/elwood.innosoft.com",
                "d388dad90d4bbd760a152321f2143af7",
                "ea40f60335c427b5527b84dbabcdfffd",
            ),
            (
                "OA9BSXrbuRhWay",
                "OA9BSuZWMSpW8m",
                "acap/elwood.innosoft.com",
                "6084c6db3fede7352c551284490fd0fc",
                "2f0b3d7c3c2e486600ef710726aa2eae",
            ),
        ] {
            let check = |password: &str, said| check(password, Digested::DigestMd5(Box::new(said)), response);
            let said = || said(nonce, cnonce, uri);
            let signature = Signature::DigestMd5(*Md5Digest::parse(signature.as_bytes()).unwrap().expose());
            assert_eq!(check("secret", said()), (true, Some(signature)));
            let other = |text: &str| text.as_bytes().into();
            for changed in [
                DigestMd5 { username: other("Chris"), ..said() },
                DigestMd5 { realm: other(""), ..said() },
                DigestMd5 { nonce: other(cnonce), ..said() },
                DigestMd5 { cnonce: other(nonce), ..said() },
                DigestMd5 { authzid: Some(other("")), ..said() },
                DigestMd5 { uri: other("pop3/elwood.innosoft.com"), ..said() },
            ] {
                assert!(!check("secret", changed).0);
            }
            assert!(!check("Secret", said()).0);
        }
    }

    #[test]
    fn a_password_is_digested_in_the_old_alphabet_if_it_can_be_written_so_or_as_it_is() {
        assert_eq!(latin_1("p\u{e4}ss\u{ff}".as_bytes()), b"p\xe4ss\xff");
        for password in ["plain", "\u{20ac}uro", "p\u{e4}ss\u{100}"] {
            assert_eq!(latin_1(password.as_bytes()), password.as_bytes());
        }
        assert_eq!(latin_1(b"\xe4"), b"\xe4");
        let password = "p\u{e4}ss".as_bytes();
        for digested in [&latin_1(password), password] {
            let said = said("nonce", "cnonce", "pwd/host");
            let (response, expected) = digest_md5(&said, digested);
            let response = hex(response);
            let proof = proof(Digested::DigestMd5(Box::new(said)), str::from_utf8(&response).unwrap());
            let (is_right, signature) = recoverable(password).check(&proof);
            assert!(bool::from(is_right) && signature == Some(Signature::DigestMd5(expected)));
            assert!(!bool::from(recoverable(b"pass").check(&proof).0));
        }
    }

    #[test]
    fn nobody_knows_a_decoy() {
        assert!(Recoverable::decoy() != Recoverable::decoy() && Recoverable::decoy() != recoverable(&[0; 16]));
    }
}
