//! DIGEST-MD5 (RFC 2831), of which authentication alone is offered, anew each time:
//!
//! ```text
//! S: realm="domain",nonce="nonce",qop="auth",charset=utf-8,algorithm=md5-sess
//! C: username="name",realm="domain",nonce="nonce",cnonce="nonce",nc=00000001,qop=auth,
//!    digest-uri="service/host",response=digest
//! S: rspauth=digest
//! ```
//!
//! What the client has connected to is covered by its digest, and can be anything of that form: no
//! service is registered for this protocol, and a server has many names.

use std::mem;

use super::{Claim, SaslFault};
use crate::model::{DigestMd5, DigestProof, Digested, DomainName, Evidence, LoginName, Md5Digest, Nonce};

/// A challenge that has been sent.
#[derive(Debug)]
pub(super) struct Challenged {
    realm: DomainName,
    nonce: Nonce,
}

/// The challenge that is made from `nonce`, and what is to come.
pub(super) fn challenge(nonce: Nonce, realm: &DomainName) -> (Vec<u8>, Challenged) {
    let challenge = format!("realm=\"{realm}\",nonce=\"{nonce}\",qop=\"auth\",charset=utf-8,algorithm=md5-sess");
    (challenge.into_bytes(), Challenged { realm: realm.clone(), nonce })
}

impl Challenged {
    /// Reads the client's message. Who leaves the realm out means the same one.
    pub(super) fn respond(self, message: &[u8]) -> Result<Claim, SaslFault> {
        let fields = Fields::parse(message)?;
        let username = fields.need("username")?;
        let login = LoginName::new(username).ok_or(SaslFault::Malformed)?;
        let realm = fields.get("realm")?.unwrap_or_default();
        let nonce = fields.need("nonce")?;
        let (cnonce, uri) = (fields.need("cnonce")?, fields.need("digest-uri")?);
        let is_as_asked = nonce == self.nonce.to_string().as_bytes()
            && (realm.is_empty() || realm.eq_ignore_ascii_case(self.realm.as_str().as_bytes()))
            && fields.need("nc")? == b"00000001"
            && fields.get("qop")?.is_none_or(|qop| qop == b"auth")
            && fields.get("charset")?.is_none_or(|charset| charset.eq_ignore_ascii_case(b"utf-8"))
            && uri.contains(&b'/');
        if !is_as_asked {
            return Err(SaslFault::Malformed);
        }
        // It must not be empty. One client library sends it so, and leaves it out of the digest.
        let authzid = fields.get("authzid")?.filter(|authzid| !authzid.is_empty());
        if authzid.is_some_and(|authzid| !authzid.eq_ignore_ascii_case(username)) {
            return Err(SaslFault::OtherIdentity);
        }
        let digest = Md5Digest::parse(fields.need("response")?).ok_or(SaslFault::Malformed)?;
        let of = Digested::DigestMd5(Box::new(DigestMd5 {
            username: username.into(),
            realm: realm.into(),
            nonce: nonce.into(),
            cnonce: cnonce.into(),
            authzid: authzid.map(Into::into),
            uri: uri.into(),
        }));
        Ok(Claim { login, evidence: Evidence::Digest(Box::new(DigestProof { of, digest })) })
    }
}

/// The fields of a message, in their order, unquoted. Those that mean nothing here may be among them.
struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    fn parse(mut message: &[u8]) -> Result<Self, SaslFault> {
        let mut fields = Vec::new();
        while !message.is_empty() {
            let at = memchr::memchr(b'=', message).ok_or(SaslFault::Malformed)?;
            let (name, rest) = message.split_at(at);
            message = &rest[1..];
            fields.push((name.trim_ascii().to_vec(), take_value(&mut message)?));
        }
        Ok(Self(fields))
    }

    /// The value of the field `name`, which may be there once.
    fn get(&self, name: &str) -> Result<Option<&[u8]>, SaslFault> {
        let mut found = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(SaslFault::Malformed),
            (value, None) => Ok(value.map(|(_, value)| &value[..])),
        }
    }

    /// The value of a field that must be there, and say something.
    fn need(&self, name: &str) -> Result<&[u8], SaslFault> {
        self.get(name)?.filter(|value| !value.is_empty()).ok_or(SaslFault::Malformed)
    }
}

/// Takes a value, and the comma behind it if there is one. In quotation marks a backslash stands
/// before what is meant as it is.
fn take_value(message: &mut &[u8]) -> Result<Vec<u8>, SaslFault> {
    let mut rest = mem::take(message).trim_ascii_start();
    let mut value = Vec::new();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let mut bytes = quoted.iter();
        loop {
            match bytes.next().ok_or(SaslFault::Malformed)? {
                b'"' => break,
                b'\\' => value.push(*bytes.next().ok_or(SaslFault::Malformed)?),
                byte => value.push(*byte),
            }
        }
        rest = bytes.as_slice();
    } else {
        let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
        (value, rest) = (rest[..end].trim_ascii_end().to_vec(), &rest[end..]);
    }
    match rest.trim_ascii_start() {
        [] => {}
        [b',', after @ ..] => *message = after,
        _ => return Err(SaslFault::Malformed),
    }
    Ok(value)
}

/// What the server says when the client's digest was right.
pub(super) fn print_signature(signature: [u8; 16]) -> String {
    let digits = signature.iter().map(|byte| format!("{byte:02x}"));
    digits.fold(String::from("rspauth="), |text, digits| text + &digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond(message: &str) -> Result<Claim, SaslFault> {
        let (challenge, challenged) = challenge(Nonce([12, 34]), &DomainName::parse("example.com").unwrap());
        let expected = "realm=\"example.com\",nonce=\"12.34\",qop=\"auth\",charset=utf-8,algorithm=md5-sess";
        assert_eq!(str::from_utf8(&challenge), Ok(expected));
        challenged.respond(message.as_bytes())
    }

    fn parts(message: &str) -> (LoginName, DigestMd5) {
        let Claim { login, evidence } = respond(message).unwrap();
        let Evidence::Digest(proof) = evidence else { panic!("{evidence:?}") };
        assert_eq!((proof.of.method(), proof.digest.expose()[0]), ("DIGEST-MD5", 0xd3));
        assert!(!format!("{proof:?}").contains("211"), "{proof:?}");
        let Digested::DigestMd5(said) = proof.of else { panic!("{proof:?}") };
        (login, *said)
    }

    const RESPONSE: &str = "response=d388dad90d4bbd760a152321f2143af7";

    #[test]
    fn a_response_has_its_fields_in_any_order_and_form() {
        let (login, said) = parts(&format!(
            "charset=utf-8,username=\"chris\",realm=\"example.com\",nonce=\"12.34\",nc=00000001,\
             cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",{RESPONSE},qop=auth"
        ));
        assert_eq!(login.as_bytes(), b"chris");
        assert_eq!((&*said.username, &*said.realm, &*said.nonce), (&b"chris"[..], &b"example.com"[..], &b"12.34"[..]));
        assert_eq!((&*said.cnonce, &*said.uri), (&b"OA6MHXh6VqTrRk"[..], &b"imap/elwood.innosoft.com"[..]));
        assert_eq!(said.authzid, None);
        let (login, said) = parts(&format!(
            "{RESPONSE} , DIGEST-URI=pwd/h ,x=y,Nonce = 12.34, nc=00000001,cnonce=\"a\\\"b\\\\\",\
             username=\"a,b=c@d\",authzid=\"A,b=c@d\",maxbuf=1024,"
        ));
        assert_eq!((login.as_bytes(), &*said.realm), (&b"a,b=c@d"[..], &b""[..]));
        assert_eq!((&*said.cnonce, said.authzid.as_deref()), (&b"a\"b\\"[..], Some(&b"A,b=c@d"[..])));
    }

    #[test]
    fn what_is_not_as_asked_is_refused() {
        assert_eq!(
            parts(&format!(
                "username=\"a\",nonce=\"12.34\",nc=00000001,cnonce=\"b\",digest-uri=\"pwd/h\",{RESPONSE},authzid=\"\""
            ))
            .1
            .authzid,
            None
        );
        let good = format!("username=\"a\",nonce=\"12.34\",nc=00000001,cnonce=\"b\",digest-uri=\"pwd/h\",{RESPONSE}");
        assert!(respond(&good).is_ok());
        for field in good.split(',') {
            let without = good.replace(field, "x=y");
            assert_eq!(respond(&without).err(), Some(SaslFault::Malformed), "without {field}");
            let twice = format!("{good},{field}");
            assert_eq!(respond(&twice).err(), Some(SaslFault::Malformed), "twice {field}");
        }
        for (from, to) in [
            ("\"a\"", "\"\""),
            ("\"a\"", "\"a"),
            ("\"a\"", "\"a\"b"),
            ("12.34", "12.35"),
            ("00000001", "00000002"),
            ("\"b\"", "\"\""),
            ("pwd/h", "pwd"),
            ("d388", "d38"),
            ("nc=", "nc"),
            (",nc=", ",qop=auth-int,nc="),
            (",nc=", ",charset=latin-1,nc="),
            (",nc=", ",realm=\"example.net\",nc="),
        ] {
            assert_eq!(respond(&good.replacen(from, to, 1)).err(), Some(SaslFault::Malformed), "{from} {to}");
        }
        assert_eq!(respond(&format!("{good},authzid=\"b\"")).err(), Some(SaslFault::OtherIdentity));
        assert_eq!(respond("").err(), Some(SaslFault::Malformed));
    }

    #[test]
    fn a_signature_is_printed_in_hexadecimal_digits() {
        let mut signature = [0; 16];
        signature[..2].copy_from_slice(&[0xea, 4]);
        assert_eq!(print_signature(signature), format!("rspauth=ea04{}", "0".repeat(28)));
    }
}
