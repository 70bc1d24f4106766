use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;

use keyturn::tls::{Certificates, Endpoint, Session};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::choices_and_stream;

const NAME: &str = "mail.example.com";

thread_local! {
    /// A server's end and what a client needs, made once: no input changes them.
    static ENDS: (Endpoint, Arc<ClientConfig>) = ends();
}

fn ends() -> (Endpoint, Arc<ClientConfig>) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let (chain_path, key_path) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain_path, certificate.pem()).expect("a file");
    std::fs::write(&key_path, key.serialize_pem()).expect("a file");
    let certificates = Certificates::load([(chain_path.as_path(), key_path.as_path())]);
    let endpoint = Endpoint::new(&certificates.expect("good files").expect("a pair"), None).expect("no more files");
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.der().clone()).expect("a certificate");
    (endpoint, Arc::new(ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth()))
}

/// Whatever is cut, changed, left out or added on the way: what a session hands out in clear is the
/// beginning of what the client said, and nothing else; and nothing panics.
///
/// Each choice says what befalls one delivery: how long it is, and what is done to it. The stream
/// is what the client says; its first bytes are also what is added.
pub fn records(input: &[u8]) {
    let (choices, said) = choices_and_stream(input);
    ENDS.with(|(endpoint, config)| {
        let name = ServerName::try_from(NAME).expect("a name");
        let client = ClientConnection::new(Arc::clone(config), name).expect("a client");
        let mut talk = Talk { client, session: endpoint.accept(), clear: Vec::new(), is_over: false };
        let choices = RefCell::new(choices.iter());
        let mut harm = |sealed: &mut Vec<u8>| {
            let Some(&choice) = choices.borrow_mut().next() else { return };
            let at = usize::from(choice >> 3) % sealed.len().max(1);
            match choice & 7 {
                1 if !sealed.is_empty() => sealed[at] ^= 1 << (choice >> 5),
                2 => sealed.truncate(at),
                3 => sealed.splice(at..at, said.iter().copied().take(20)).for_each(drop),
                4 => drop(sealed.drain(..at)),
                _ => {}
            }
        };
        talk.carry(&mut harm);
        for line in said.chunks(50) {
            if talk.client.writer().write_all(line).is_err() {
                break;
            }
            talk.carry(&mut harm);
        }
        assert!(said.starts_with(&talk.clear), "{} is not what was said", talk.clear.escape_ascii());
    });
}

struct Talk {
    client: ClientConnection,
    session: Box<Session>,
    clear: Vec<u8>,
    is_over: bool,
}

impl Talk {
    /// Carries bytes to and fro until there are none, doing harm to those of the client.
    fn carry(&mut self, harm: &mut impl FnMut(&mut Vec<u8>)) {
        while !self.is_over {
            let mut there = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut there).expect("a Vec takes every byte");
            }
            if there.is_empty() {
                return;
            }
            harm(&mut there);
            for piece in there.chunks(1024) {
                self.is_over |= self.session.receive(piece, &mut self.clear).is_err();
                if self.is_over {
                    break;
                }
            }
            let mut back = Vec::new();
            self.session.send(&[], &mut back);
            let mut back = &back[..];
            while !back.is_empty() {
                self.is_over |= self.client.read_tls(&mut back).is_err() || self.client.process_new_packets().is_err();
                if self.is_over {
                    break;
                }
            }
        }
    }
}
