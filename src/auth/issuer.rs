//! Whose tokens are taken (RFC 7519), and what must be true of one (RFC 8725).
//!
//! The algorithm is a property of the key: what a token says of its own algorithm must fit, and
//! chooses nothing.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::model::{AccountName, Token};

/// How far the clocks of this machine and of an issuer may differ, in seconds.
const LEEWAY_S: u64 = 30;

/// Keys that an issuer may have: each may have to be tried.
const KEYS_MAX: usize = 64;

/// Who says in tokens who their bearers are.
pub struct Issuer {
    keys: Vec<Key>,
    /// `iss`, `aud`, `exp` and, where there is one, `nbf` must be right.
    validation: Validation,
    /// The claim that holds the account's name, as `alice@example.com`.
    claim: String,
}

/// All whose tokens are taken.
#[derive(Debug, Default)]
pub struct Issuers(pub Vec<Issuer>);

/// A key, and the one algorithm it is for.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a text is not a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysFault {
    /// It is no JSON Web Key Set (RFC 7517).
    NotKeys,
    /// It has no key that signatures can be checked with.
    NoneOfUse,
    /// It has too many keys.
    TooMany,
}

impl Issuer {
    /// Who signs as `issuer`, for the audience `audience`, with one of the keys in the JSON Web Key
    /// Set `keys`: for RS256, ES256, EdDSA (Ed25519) or HS256. Other keys in there are for others.
    ///
    /// # Errors
    /// [`KeysFault`].
    pub fn new(issuer: &str, audience: &str, claim: &str, keys: &[u8]) -> Result<Self, KeysFault> {
        let set: JwkSet = serde_json::from_slice(keys).map_err(|_| KeysFault::NotKeys)?;
        let keys: Vec<Key> = set.keys.iter().filter_map(Key::new).collect();
        if keys.is_empty() {
            return Err(KeysFault::NoneOfUse);
        }
        if keys.len() > KEYS_MAX {
            return Err(KeysFault::TooMany);
        }
        let mut validation = Validation::default();
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        Ok(Self { keys, validation, claim: claim.to_owned() })
    }

    /// Whom `token` names, if it is one of this issuer's and good now.
    fn account_of(&self, token: &[u8], id: Option<&str>, algorithm: Algorithm) -> Option<AccountName> {
        let is_meant =
            |key: &&Key| key.algorithm == algorithm && (id.is_none() || key.id.is_none() || key.id.as_deref() == id);
        let claims = self.keys.iter().filter(is_meant).find_map(|key| {
            let validation = Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
            decode::<Map<String, Value>>(token, &key.key, &validation).ok().map(|data| data.claims)
        })?;
        // Whoever may choose the address at an issuer would otherwise choose the account.
        if self.claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false)) {
            return None;
        }
        AccountName::parse(claims.get(&self.claim)?.as_str()?).ok()
    }
}

impl Issuers {
    /// Whom `token` names.
    pub(super) fn account_of(&self, token: &Token) -> Option<AccountName> {
        let header = decode_header(token.expose()).ok()?;
        let of = |issuer: &Issuer| issuer.account_of(token.expose(), header.kid.as_deref(), header.alg);
        self.0.iter().find_map(of)
    }
}

impl Key {
    /// `None`: it is not for signatures, or not for an algorithm that is taken.
    fn new(jwk: &Jwk) -> Option<Self> {
        let algorithm = algorithm_for(&jwk.algorithm)?;
        let stated = jwk.common.key_algorithm.map(|stated| stated.to_string());
        let is_for_it = stated.is_none_or(|stated| stated == format!("{algorithm:?}"));
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let key = DecodingKey::from_jwk(jwk).ok().filter(|_| is_for_it && is_for_signatures)?;
        Some(Self { id: jwk.common.key_id.clone(), algorithm, key })
    }
}

/// The one algorithm that a key of that kind is taken for.
fn algorithm_for(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    use AlgorithmParameters as Of;
    if let Of::RSA(_) = parameters {
        return Some(Algorithm::RS256);
    }
    if let Of::OctetKey(_) = parameters {
        return Some(Algorithm::HS256);
    }
    let is_p256 = matches!(parameters, Of::EllipticCurve(it) if it.curve == EllipticCurve::P256);
    let is_ed25519 = matches!(parameters, Of::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519);
    is_p256.then_some(Algorithm::ES256).or(is_ed25519.then_some(Algorithm::EdDSA))
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?}, {} keys)", self.validation.iss, self.keys.len())
    }
}

impl fmt::Display for KeysFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKeys => f.write_str("is not a JSON Web Key Set"),
            Self::NoneOfUse => f.write_str("has no key for RS256, ES256, EdDSA or HS256"),
            Self::TooMany => write!(f, "has more than {KEYS_MAX} keys"),
        }
    }
}

impl std::error::Error for KeysFault {}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.example.com";

    /// One who signs, and what he publishes.
    struct Signer {
        algorithm: Algorithm,
        key: EncodingKey,
        public: Value,
    }

    impl Signer {
        fn rsa() -> Self {
            // Behind the 26 bytes of PKCS #8 (RFC 5208) lies the PKCS #1 key.
            let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
            Self::publishing(Algorithm::RS256, EncodingKey::from_rsa_der(&pair.serialize_der()[26..]))
        }

        fn p256() -> Self {
            let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            Self::publishing(Algorithm::ES256, EncodingKey::from_ec_der(&pair.serialize_der()))
        }

        fn ed25519() -> Self {
            let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
            let x = Base64UrlUnpadded::encode_string(pair.public_key_raw());
            let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
            Self { algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(&pair.serialize_der()), public }
        }

        fn hmac() -> Self {
            Self::publishing(Algorithm::HS256, EncodingKey::from_secret(b"a secret that both sides have in common"))
        }

        fn publishing(algorithm: Algorithm, key: EncodingKey) -> Self {
            let public = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
            Self { algorithm, key, public }
        }

        fn sign(&self, claims: &Value) -> String {
            encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
        }
    }

    fn keys(public: &[&Value]) -> Vec<u8> {
        json!({ "keys": public }).to_string().into_bytes()
    }

    fn issuers(public: &[&Value]) -> Issuers {
        Issuers(vec![Issuer::new(ISSUER, "keyturn", "email", &keys(public)).unwrap()])
    }

    fn claims() -> Value {
        let now = get_current_timestamp();
        json!({ "iss": ISSUER, "aud": "keyturn", "exp": now + 300, "nbf": now - 300, "email": "Alice@example.com" })
    }

    fn named(issuers: &Issuers, token: &str) -> Option<String> {
        issuers.account_of(&Token::new(token.as_bytes())).map(|name| name.to_string())
    }

    #[test]
    fn a_token_of_every_algorithm_names_its_bearer_and_a_changed_one_nobody() {
        let other = Signer::p256();
        for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519(), Signer::hmac()] {
            let algorithm = signer.algorithm;
            let trusted = issuers(&[&other.public, &signer.public]);
            let token = signer.sign(&claims());
            assert_eq!(named(&trusted, &token).as_deref(), Some("alice@example.com"), "{algorithm:?}");
            assert_eq!(named(&issuers(&[&other.public]), &token), None, "{algorithm:?}");
            assert_eq!(named(&Issuers::default(), &token), None);
            let mut parts = token.split('.');
            let (head, _, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let body = signer.sign(&json!({ "email": "bob@example.com" }));
            let forged = format!("{head}.{}.{signature}", body.split('.').nth(1).unwrap());
            assert_eq!(named(&trusted, &forged), None, "{algorithm:?}");
        }
    }

    #[test]
    fn what_a_token_must_say_is_checked() {
        let signer = Signer::hmac();
        let trusted = issuers(&[&signer.public]);
        let now = get_current_timestamp();
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            named(&trusted, &signer.sign(&claims))
        };
        assert!(with("email_verified", json!(true)).is_some());
        for (key, value) in [
            ("iss", json!("https://other.example.com")),
            ("iss", Value::Null),
            ("aud", json!("another")),
            ("aud", json!(["another"])),
            ("aud", Value::Null),
            ("exp", json!(now - 60)),
            ("exp", Value::Null),
            ("nbf", json!(now + 300)),
            ("email", json!("no name")),
            ("email", json!(7)),
            ("email", Value::Null),
            ("email_verified", json!(false)),
        ] {
            assert_eq!(with(key, value.clone()), None, "{key} {value}");
        }
        for key in ["iss", "aud", "exp", "email"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(key);
            assert_eq!(named(&trusted, &signer.sign(&claims)), None, "without {key}");
        }
    }

    #[test]
    fn a_token_does_not_choose_its_algorithm() {
        let signer = Signer::rsa();
        let trusted = issuers(&[&signer.public]);
        let whole = signer.sign(&claims());
        let body = whole.split('.').nth(1).unwrap();
        // `{"alg":"none"}`, and in other letters.
        for head in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIn0"] {
            assert_eq!(named(&trusted, &format!("{head}.{body}.")), None);
        }
        // The public key taken for a secret: what everybody has would sign.
        let published = signer.public.to_string();
        for secret in [published.as_bytes(), signer.public["n"].as_str().unwrap().as_bytes()] {
            let token = encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(named(&trusted, &token), None);
        }
        // Another hash with the right key is not what the key is for.
        let token = encode(&Header::new(Algorithm::RS512), &claims(), &signer.key).unwrap();
        assert_eq!(named(&trusted, &token), None);
        for token in ["", ".", "..", "a.b.c", &whole[..whole.len() - 2]] {
            assert_eq!(named(&trusted, token), None, "{token}");
        }
    }

    #[test]
    fn keys_are_chosen_by_their_names_where_they_have_some() {
        let mut signer = Signer::p256();
        signer.public["kid"] = json!("one");
        let trusted = issuers(&[&signer.public]);
        let with = |kid: Option<&str>| {
            let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
            named(&trusted, &encode(&header, &claims(), &signer.key).unwrap())
        };
        assert!(with(Some("one")).is_some() && with(None).is_some());
        assert_eq!(with(Some("two")), None);
    }

    #[test]
    fn only_keys_that_signatures_can_be_checked_with_are_taken() {
        let fault = |text: &[u8]| Issuer::new(ISSUER, "keyturn", "email", text).err();
        assert_eq!(fault(b"{}"), Some(KeysFault::NotKeys));
        assert_eq!(fault(b"-----BEGIN"), Some(KeysFault::NotKeys));
        assert_eq!(fault(&keys(&[])), Some(KeysFault::NoneOfUse));
        let mut sealing = Signer::p256().public;
        sealing["use"] = json!("enc");
        assert_eq!(fault(&keys(&[&sealing])), Some(KeysFault::NoneOfUse));
        let mut other = Signer::hmac().public;
        other["alg"] = json!("HS512");
        assert_eq!(fault(&keys(&[&other])), Some(KeysFault::NoneOfUse));
        let good = Signer::p256().public;
        assert_eq!(fault(&keys(&vec![&good; KEYS_MAX + 1])), Some(KeysFault::TooMany));
        let shown = format!("{:?}", issuers(&[&Signer::hmac().public]));
        assert!(!shown.contains("secret") && shown.contains("1 keys"), "{shown}");
    }
}
