//! The client's side of the methods that prove a password by a digest of it.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

use super::client::Client;

/// Logs in by `method`; the last reply. `greeting` is what the server has greeted with.
pub(crate) fn log_in(client: &mut Client, greeting: &str, method: &str, name: &str, password: &str) -> String {
    match method {
        "APOP" => {
            let at = greeting.find('<').unwrap_or_else(|| panic!("no challenge: {greeting}"));
            let digest = hex(&Md5::digest(format!("{}{password}", &greeting[at..])));
            client.ask(&format!("APOP {name} {digest}"))
        }
        "CRAM-MD5" => {
            let challenge = challenge(&client.ask("AUTH CRAM-MD5"));
            let mac = <Hmac<Md5> as KeyInit>::new_from_slice(password.as_bytes()).unwrap();
            let digest = hex(&mac.chain_update(&challenge).finalize().into_bytes());
            respond(client, &format!("{name} {digest}"))
        }
        "DIGEST-MD5" => digest_md5(client, name, password),
        _ => panic!("{method} is no such method"),
    }
}

fn digest_md5(client: &mut Client, name: &str, password: &str) -> String {
    let challenge = String::from_utf8(challenge(&client.ask("AUTH DIGEST-MD5"))).unwrap();
    let field = |name: &str| challenge.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    let (realm, nonce, cnonce, uri) = (field("realm"), field("nonce"), "cnonce", "pwd/localhost");
    let user = Md5::digest(format!("{name}:{realm}:{password}"));
    let a1 = hex(&Md5::digest([&user[..], format!(":{nonce}:{cnonce}").as_bytes()].concat()));
    let made = |method: &str| {
        let a2 = hex(&Md5::digest(format!("{method}:{uri}")));
        hex(&Md5::digest(format!("{a1}:{nonce}:00000001:{cnonce}:auth:{a2}")))
    };
    let response = made("AUTHENTICATE");
    let reply = respond(
        client,
        &format!(
            "username=\"{name}\",realm=\"{realm}\",nonce=\"{nonce}\",cnonce=\"{cnonce}\",nc=00000001,\
             digest-uri=\"{uri}\",response={response}"
        ),
    );
    if !reply.starts_with("300 ") {
        return reply;
    }
    assert_eq!(self::challenge(&reply), format!("rspauth={}", made("")).into_bytes(), "the server's own proof");
    client.ask("")
}

fn challenge(reply: &str) -> Vec<u8> {
    let text = reply.strip_prefix("300 ").unwrap_or_else(|| panic!("no challenge: {reply}"));
    let mut bytes = Vec::new();
    keyturn::notation::base64::decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

fn respond(client: &mut Client, response: &str) -> String {
    let mut text = String::new();
    keyturn::notation::base64::encode(response.as_bytes(), &mut text);
    client.ask(&text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
