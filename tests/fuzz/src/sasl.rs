use keyturn::model::limits::REPLY_BYTES_MAX;
use keyturn::model::{Digested, DomainName, Evidence, LoginName, Nonce, ScramOffer, Signature, TlsPeer};
use keyturn::notation::base64;
use keyturn::proto::sasl::{Claim, Exchange, Mechanism, Next, Question, Response, print_challenge, server_final};

/// In the order of the first byte of an input.
const MECHANISMS: [&str; 11] = [
    "PLAIN",
    "LOGIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "OAUTHBEARER",
    "XOAUTH2",
    "CRAM-MD5",
    "DIGEST-MD5",
];

/// What is drawn for a challenge.
const NONCE: Nonce = Nonce([u64::MAX, 34]);

/// Whatever a client says in an exchange, it is refused, or claims what it has said and nothing
/// else; and what it is challenged with is one reply.
///
/// The first byte chooses the mechanism, the second one what TLS knows of the connection and
/// whether the first response comes with AUTH. The rest are responses, which are not in base64
/// yet, with an 0xff between them. An `@` in one stands for the nonce of the challenge before it.
pub fn sasl(input: &[u8]) {
    let Some((&[first, second], stream)) = input.split_first_chunk() else { return };
    let name = MECHANISMS[usize::from(first) % MECHANISMS.len()];
    let mechanism = Mechanism::parse(name.as_bytes()).expect("it is one of ours");
    let certified = if second & 1 == 0 { Vec::new() } else { vec![LoginName::new(b"alice@example.com").expect("a name")] };
    let peer = TlsPeer { binding: (second & 2 != 0).then_some([7; 32]), certified };
    let mut responses = stream.split(|&byte| byte == 0xff);
    let has_initial = second & 4 != 0;
    let initial = has_initial.then(|| responses.next().unwrap_or_default());
    let initial = initial.map(|bytes| Response::parse(&encoded(bytes)).expect("it is base64"));
    let mut next = Exchange::begin(mechanism, initial, (second & 8 != 0).then_some(&peer));
    let (mut said, mut nonce) = (Vec::new(), Vec::new());
    loop {
        next = match next {
            Err(_) => return,
            Ok(Next::Check(claim)) => return check(name, &said, &claim),
            Ok(Next::CheckToken(claim, bearer)) => {
                print(bearer.excuse());
                return check(name, &said, &claim);
            }
            Ok(Next::Ask(Question::Scram { login, .. }, asking)) => {
                assert!(!login.as_bytes().is_empty());
                Ok(asking.learn(&ScramOffer { nonce: [0; 18], salt: [1; 16], iterations: 4096 }))
            }
            Ok(Next::Draw(drawing)) => {
                assert!(!has_initial, "the server speaks first");
                nonce = NONCE.to_string().into_bytes();
                Ok(drawing.challenge(NONCE, &DomainName::parse("mail.example.com").expect("a name")))
            }
            Ok(Next::Challenge(challenge, exchange)) => {
                print(&challenge);
                said = challenge.to_vec();
                if let Some(rest) = challenge.strip_prefix(b"r=") {
                    nonce = rest.split(|&byte| byte == b',').next().unwrap_or_default().to_vec();
                }
                let Some(response) = responses.next() else { return };
                let parts: Vec<&[u8]> = response.split(|&byte| byte == b'@').collect();
                let whole = if nonce.is_empty() { response.to_vec() } else { parts.join(&nonce[..]) };
                exchange.step(&encoded(&whole))
            }
        };
    }
}

/// `said` is what the client was challenged with last.
fn check(name: &str, said: &[u8], Claim { login, evidence }: &Claim) {
    assert!(!login.as_bytes().is_empty());
    match evidence {
        Evidence::Password(secret) => assert!(!secret.expose().is_empty() && ["PLAIN", "LOGIN"].contains(&name)),
        Evidence::Certificate => assert_eq!((name, login.as_bytes()), ("EXTERNAL", &b"alice@example.com"[..])),
        Evidence::Token(token) => assert!(!token.expose().is_empty() && name.contains("OAUTH")),
        Evidence::Digest(proof) => {
            assert_eq!(proof.of.method(), name);
            match &proof.of {
                Digested::Apop { .. } => panic!("it is no mechanism of AUTH"),
                Digested::CramMd5 { challenge } => assert_eq!(&challenge[..], said),
                Digested::DigestMd5(parts) => {
                    assert_eq!(&parts.username[..], login.as_bytes());
                    assert_eq!(parts.nonce[..], *NONCE.to_string().as_bytes());
                    assert!(parts.realm.is_empty() || parts.realm.eq_ignore_ascii_case(b"mail.example.com"));
                    print(&server_final(&Signature::DigestMd5(*proof.digest.expose())));
                }
            }
        }
        Evidence::Scram(proof) => {
            assert!(name.starts_with(proof.hash.mechanism()));
            assert!(proof.message.starts_with(b"n=") && proof.proof[proof.hash.bytes()..].iter().all(|&byte| byte == 0));
            let at = proof.message.windows(said.len()).position(|part| part == said).expect("it was said");
            let bound = &proof.message[at + said.len()..];
            // `p=tls-exporter,` begins with these three bytes in base64.
            assert_eq!(bound.starts_with(b",c=cD10"), name.ends_with("-PLUS"));
        }
    }
}

fn print(challenge: &[u8]) {
    let mut line = Vec::new();
    print_challenge(challenge, &mut line);
    assert!(line.starts_with(b"300 ") && line.ends_with(b"\r\n") && line.len() > 6 && line.len() <= REPLY_BYTES_MAX);
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    base64::encode(bytes, &mut text);
    text.into_bytes()
}
