use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;

use super::identity::names_in;
use super::*;

/// Files for a server, and for those who trust it.
struct Folder {
    folder: TempDir,
    trusted: RootCertStore,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), trusted: RootCertStore::empty() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate for `names`, and its key, under the first of them.
    fn issue(&mut self, names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let (chain_path, key_path) = (self.path(&format!("{}.pem", names[0])), self.path(&format!("{}.key", names[0])));
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        std::fs::write(&chain_path, certificate.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        self.trusted.add(certificate.der().clone()).unwrap();
        (chain_path, key_path)
    }

    fn client(&self) -> Arc<ClientConfig> {
        Arc::new(ClientConfig::builder().with_root_certificates(self.trusted.clone()).with_no_client_auth())
    }
}

fn load(pairs: &[(PathBuf, PathBuf)]) -> Result<Option<Certificates>, LoadFault> {
    Certificates::load(pairs.iter().map(|(chain, key)| (chain.as_path(), key.as_path())))
}

fn endpoint(pairs: &[(PathBuf, PathBuf)], client_ca: Option<&Path>) -> Endpoint {
    Endpoint::new(&load(pairs).unwrap().unwrap(), client_ca).unwrap()
}

/// Both ends of a connection.
struct Pair {
    client: ClientConnection,
    server: Box<Session>,
    clear: Vec<u8>,
}

impl Pair {
    fn new(client: &Arc<ClientConfig>, name: &str, endpoint: &Endpoint) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = ClientConnection::new(Arc::clone(client), name).unwrap();
        Self { client, server: endpoint.accept(), clear: Vec::new() }
    }

    /// Carries bytes to and fro, `piece` at a time, until neither has more to say.
    fn talk(&mut self, piece: usize) -> Result<(), String> {
        loop {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            while self.client.wants_write() {
                self.client.write_tls(&mut there).unwrap();
            }
            for piece in there.chunks(piece) {
                let outcome = self.server.receive(piece, &mut self.clear);
                outcome.map_err(|fault| fault.to_string())?;
            }
            self.server.send(&[], &mut back);
            if there.is_empty() && back.is_empty() {
                return Ok(());
            }
            self.hear(&back)?;
        }
    }

    fn hear(&mut self, mut back: &[u8]) -> Result<(), String> {
        while !back.is_empty() {
            self.client.read_tls(&mut back).unwrap();
            self.client.process_new_packets().map_err(|fault| fault.to_string())?;
        }
        Ok(())
    }

    fn shown_certificate(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

#[test]
fn what_is_said_arrives_however_it_is_cut() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let endpoint = endpoint(&[pair], None);
    for piece in [1, 7, usize::MAX] {
        let mut pair = Pair::new(&folder.client(), "a.example", &endpoint);
        assert!(pair.server.is_handshaking());
        pair.talk(piece).unwrap();
        assert!(!pair.server.is_handshaking() && !pair.server.is_slow());
        let long = vec![b'x'; 40_000];
        std::io::Write::write_all(&mut pair.client.writer(), &long).unwrap();
        pair.talk(piece).unwrap();
        assert_eq!(pair.clear, long);

        let mut sealed = Vec::new();
        pair.server.send(&long, &mut sealed);
        pair.server.close(&mut sealed);
        let once = sealed.len();
        pair.server.close(&mut sealed);
        assert_eq!(sealed.len(), once, "there is one last word");
        let mut heard = Vec::new();
        while !sealed.is_empty() {
            let rest = sealed.split_off(sealed.len().min(16_000));
            pair.hear(&sealed).unwrap();
            std::io::Read::read_to_end(&mut pair.client.reader(), &mut heard).ok();
            sealed = rest;
        }
        assert_eq!(heard, long);
    }
}

#[test]
fn the_last_word_is_noticed_and_ends_what_is_taken_in() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let endpoint = endpoint(&[pair], None);
    let mut pair = Pair::new(&folder.client(), "a.example", &endpoint);
    pair.talk(usize::MAX).unwrap();
    std::io::Write::write_all(&mut pair.client.writer(), b"QUIT").unwrap();
    pair.client.send_close_notify();
    let mut there = Vec::new();
    pair.client.write_tls(&mut there).unwrap();
    there.extend_from_slice(b"garbage behind it");
    pair.server.receive(&there, &mut pair.clear).unwrap();
    assert!(pair.server.is_ended());
    assert_eq!(pair.clear, b"QUIT");
}

#[test]
fn what_is_no_tls_is_a_fault_with_an_alert() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let mut session = endpoint(&[pair], None).accept();
    let (mut clear, mut sealed) = (Vec::new(), Vec::new());
    assert!(session.receive(b"USER alice\r\n", &mut clear).is_err());
    session.send(&[], &mut sealed);
    assert_eq!((clear.len(), sealed[0], sealed.len()), (0, REFUSAL[0], REFUSAL.len()));
}

#[test]
fn a_client_is_shown_the_certificate_for_the_name_it_asks_for() {
    let mut folder = Folder::new();
    let pairs =
        [["a.example"], ["b.example"], ["*.c.example"]].map(|names| folder.issue(&names, &PKCS_ECDSA_P256_SHA256));
    let endpoint = endpoint(&pairs, None);
    let shown = |name: &str| {
        let mut pair = Pair::new(&folder.client(), name, &endpoint);
        pair.talk(usize::MAX).map(|()| pair.shown_certificate())
    };
    for (name, (chain, _)) in [("a.example", &pairs[0]), ("B.example", &pairs[1]), ("mail.c.example", &pairs[2])] {
        assert_eq!(shown(name).unwrap(), CertificateDer::from_pem_file(chain).unwrap(), "{name}");
    }
    assert!(shown("unknown.example").unwrap_err().contains("not valid for name"), "the first one is shown");
}

#[test]
fn a_session_is_resumed_until_the_certificates_change() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let pairs = [pair];
    let endpoint_of = || endpoint(&pairs, None);
    let endpoint = endpoint_of();
    let client = folder.client();
    let shown = || {
        let mut pair = Pair::new(&client, "a.example", &endpoint);
        pair.talk(usize::MAX).unwrap();
        pair.server.to_string()
    };
    assert_eq!(shown(), "TLS 1.3, TLS13_AES_256_GCM_SHA384");
    assert_eq!(shown(), "TLS 1.3, TLS13_AES_256_GCM_SHA384, resumed");
    endpoint.replace(endpoint_of());
    assert_eq!(shown(), "TLS 1.3, TLS13_AES_256_GCM_SHA384");
}

#[test]
fn a_client_may_have_a_certificate_where_it_is_asked_for_one() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.path("ca.pem"), authority.pem()).unwrap();
    let endpoint = endpoint(&[pair], Some(&folder.path("ca.pem")));
    let certified = |issuer: &CertifiedIssuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["webmail".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(folder.trusted.clone());
        Arc::new(builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap())
    };
    let shown = |client: &Arc<ClientConfig>| {
        let mut pair = Pair::new(client, "a.example", &endpoint);
        pair.talk(usize::MAX).map(|()| pair.server.to_string())
    };
    assert!(shown(&certified(&authority)).unwrap().ends_with("with a client certificate"));
    assert!(!shown(&folder.client()).unwrap().contains("client certificate"));
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let stranger = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    assert!(shown(&certified(&stranger)).unwrap_err().contains("certificate"));
}

#[test]
fn a_certificate_names_its_mail_addresses_or_else_what_it_is_commonly_called() {
    let names = |common: &str, alternatives: &[SanType]| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternatives.to_vec();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        names_in(certificate.der()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let address = |text: &str| SanType::Rfc822Name(text.try_into().unwrap());
    let host = SanType::DnsName("a.example".try_into().unwrap());
    assert_eq!(names("alice", &[]), ["alice"]);
    assert_eq!(names("alice", std::slice::from_ref(&host)), ["alice"]);
    let both = [address("alice@example.com"), host, address("al@example.com")];
    assert_eq!(names("somebody", &both), ["alice@example.com", "al@example.com"]);
    assert_eq!(names(&"x".repeat(400), &[]), [""; 0], "too long for a name");
    assert!(names_in(b"no certificate").is_empty());
}

#[test]
fn both_sides_export_the_same_for_a_login_to_be_bound_to() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let endpoint = endpoint(&[pair], None);
    let talk = |client: &Arc<ClientConfig>| {
        let mut pair = Pair::new(client, "a.example", &endpoint);
        pair.talk(usize::MAX).unwrap();
        let own = pair.client.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        (pair.server.peer().binding, own)
    };
    let (first, own) = talk(&folder.client());
    assert_eq!(first, Some(own));
    assert_ne!(talk(&folder.client()).0, first, "each connection has its own");
    let older = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12]);
    let older = older.with_root_certificates(folder.trusted.clone()).with_no_client_auth();
    assert_eq!(talk(&Arc::new(older)).0, None);
}

#[test]
fn a_step_that_signs_with_an_rsa_key_may_be_made_elsewhere() {
    let mut folder = Folder::new();
    let pair = folder.issue(&["a.example"], &PKCS_RSA_SHA256);
    let endpoint = endpoint(&[pair], None);
    let mut pair = Pair::new(&folder.client(), "a.example", &endpoint);
    let mut there = Vec::new();
    pair.client.write_tls(&mut there).unwrap();
    assert!(pair.server.is_slow());
    let mut step = Step::new(pair.server, &there);
    std::thread::scope(|scope| {
        scope.spawn(|| step.make());
    });
    let (server, opened) = step.finish();
    pair.server = server;
    assert!(opened.unwrap().outcome.is_ok());
    pair.talk(usize::MAX).unwrap();
    assert!(!pair.server.is_slow() && !pair.server.is_handshaking());
    assert!(Step::new(endpoint.accept(), b"").finish().1.is_none(), "it was not made");
}

#[test]
fn a_file_of_no_use_is_named_and_not_quoted() {
    let mut folder = Folder::new();
    let (chain, key) = folder.issue(&["a.example"], &PKCS_ECDSA_P256_SHA256);
    let (other_chain, other_key) = folder.issue(&["b.example"], &PKCS_ECDSA_P256_SHA256);
    let text = std::fs::read_to_string(&key).unwrap();
    let cut = folder.path("cut.key");
    std::fs::write(&cut, &text[..text.len() / 2]).unwrap();
    let garbled = folder.path("garbled.key");
    std::fs::write(&garbled, text.replace("-----BEGIN PRIVATE", "-----BEGUN PRIVATE")).unwrap();
    let missing = folder.path("missing");
    for (pair, culprit, why) in [
        ((&missing, &key), &missing, "cannot be read"),
        ((&chain, &missing), &missing, "cannot be read"),
        ((&key, &key), &key, "does not hold a certificate"),
        ((&chain, &chain), &chain, "does not hold a private key"),
        ((&chain, &cut), &cut, "is not good PEM"),
        ((&chain, &garbled), &garbled, "does not hold a private key"),
        ((&chain, &other_key), &other_key, "is not the key of the certificate that comes first in"),
        ((&other_chain, &key), &key, "is not the key of the certificate that comes first in"),
    ] {
        let told = load(&[(pair.0.clone(), pair.1.clone())]).unwrap_err().to_string();
        assert!(told.starts_with(&culprit.display().to_string()) && told.contains(why), "{told}");
        assert!(text.lines().skip(1).all(|line| !told.contains(line)), "{told}");
    }
    assert!(load(&[]).unwrap().is_none());
}
