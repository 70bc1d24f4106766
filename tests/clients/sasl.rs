//! SASL's mechanisms, spoken by libraries that nobody here wrote.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::scram::{SCRAM_SHA1_PLUS, SCRAM_SHA256_PLUS};
use rsasl::prelude::{ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SessionError};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

use super::debian::{plain_python, tool};
use super::{NEW, OLD, check_changed};
use crate::world::World;
use crate::world::client::Client;
use crate::world::identity::Identity;
use crate::world::issuer::TOKEN;

/// What rsasl is told when it asks.
struct Answers {
    name: String,
    secret: String,
    can_bind: bool,
}

impl SessionCallback for Answers {
    fn enable_channel_binding(&self) -> bool {
        self.can_bind
    }

    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>(&self.name)?.satisfy::<AuthzId>(&self.name)?;
        request.satisfy::<Password>(self.secret.as_bytes())?.satisfy::<OAuthBearerToken>(&self.secret)?;
        Ok(())
    }
}

/// What the connection has to bind to.
struct Exporter(Option<[u8; 32]>);

impl ChannelBindingCallback for Exporter {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        self.0.as_ref().filter(|_| name == "tls-exporter").map(|binding| &binding[..])
    }
}

/// Lets rsasl log in by `mechanism`; the last reply. It has checked the server's own proof by then.
pub(crate) fn log_in(client: &mut Client, mechanism: &str, name: &str, secret: &str) -> String {
    let export = || client.tls().export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
    let exported = mechanism.ends_with("-PLUS").then(export);
    // Where it may choose, it prefers the form that is not bound.
    let registry = match mechanism {
        "SCRAM-SHA-1-PLUS" => Registry::with_mechanisms(std::slice::from_ref(&SCRAM_SHA1_PLUS)),
        "SCRAM-SHA-256-PLUS" => Registry::with_mechanisms(std::slice::from_ref(&SCRAM_SHA256_PLUS)),
        _ => Registry::default(),
    };
    let answers = Answers { name: name.to_owned(), secret: secret.to_owned(), can_bind: exported.is_some() };
    let config = SASLConfig::builder().with_registry(registry).with_callback(answers).unwrap();
    let offered = Mechname::parse(mechanism.as_bytes()).unwrap();
    let mut session = SASLClient::with_cb(config, Exporter(exported)).start_suggested(&[offered]).unwrap();
    let mut respond = |challenge: Option<&str>| {
        let mut out = Vec::new();
        session.step64(challenge.map(str::as_bytes), &mut out).unwrap();
        if out.is_empty() { "=".to_owned() } else { String::from_utf8(out).unwrap() }
    };
    let mut reply = if mechanism == "LOGIN" {
        client.ask(&format!("AUTH {mechanism}"))
    } else {
        client.ask(&format!("AUTH {mechanism} {}", respond(None)))
    };
    while let Some(challenge) = reply.strip_prefix("300 ") {
        let response = respond(Some(challenge.trim_start_matches('=')));
        reply = client.ask(&response);
    }
    reply
}

/// A world with an account of Alice's that takes all mechanisms, in clear and by STLS.
fn world() -> World {
    let mut world = World::new(Vec::new());
    world.seal();
    furnish(&world);
    world
}

fn furnish(world: &World) {
    world.account("alice", b"", "{UseExtPassword=YES;UseCertificateAuth=YES;}");
    world.set_provable_password("alice", OLD.as_bytes());
}

/// A client that has heard the greeting.
fn greeted(world: &mut World) -> Client {
    world.listen_as("communigate", &[]);
    let mut client = Client::connect(world.address());
    assert!(client.line().starts_with("200 "));
    client
}

fn secured(world: &mut World, config: &Arc<ClientConfig>) -> Client {
    let mut client = greeted(world);
    assert!(client.ask("STLS").starts_with("200 "));
    client.begin_tls(config, usize::MAX);
    client
}

#[test]
fn rsasl_logs_in_by_every_mechanism_that_takes_a_password_and_changes_it() {
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let mut world = world();
        for (name, secret) in [("alice", "wrong password"), ("nobody", OLD)] {
            let refused = log_in(&mut greeted(&mut world), mechanism, name, secret);
            assert_eq!(refused, "515 incorrect password or account name", "{mechanism} {name}");
        }
        let mut client = greeted(&mut world);
        assert_eq!(log_in(&mut client, mechanism, "alice", OLD), "200 login OK, proceed", "{mechanism}");
        assert!(client.ask(&format!("NEWPASS {OLD}")).contains("must differ from the old one"));
        assert_eq!(client.ask(&format!("NEWPASS {NEW}")), "200 Password updated", "{mechanism}");
        check_changed(world.address());
    }
}

#[test]
fn rsasl_binds_its_login_to_the_connection() {
    let mut world = world();
    world.offer_tls(Identity::shared());
    let config = Identity::shared().trust();
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        let mut client = secured(&mut world, &config);
        let refused = log_in(&mut client, mechanism, "alice", "wrong password");
        assert_eq!(refused, "515 incorrect password or account name", "{mechanism}");
        assert_eq!(log_in(&mut client, mechanism, "alice", OLD), "200 login OK, proceed", "{mechanism}");
    }
}

#[test]
fn rsasl_logs_in_with_a_token() {
    let mut world = world();
    for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
        let mut client = greeted(&mut world);
        assert_eq!(log_in(&mut client, mechanism, "alice@example.com", TOKEN), "200 login OK, proceed", "{mechanism}");
        assert!(client.ask(&format!("NEWPASS {NEW}")).starts_with("510 "), "it is no proof of the password");
    }
}

#[test]
fn rsasl_logs_in_with_a_certificate_that_names_the_account() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    let keys = [format!("client_ca = {path:?}")];
    let mut world = World::new(vec![("communigate".to_owned(), keys.to_vec())]);
    world.offer_tls(Identity::shared());
    furnish(&world);
    let config = |address: Option<&str>, common: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = address.map(|it| SanType::Rfc822Name(it.try_into().unwrap())).into_iter().collect();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_file(Identity::shared().chain()).unwrap()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(trusted);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap())
    };
    for (config, name, expected) in [
        (config(Some("alice@example.com"), "somebody"), "alice@example.com", "200 login OK, proceed"),
        (config(None, "alice"), "alice", "200 login OK, proceed"),
        (config(None, "alice"), "postmaster", "500 acting for another account is not offered"),
        // Its setting UseCertificateAuth is not YES.
        (config(None, "postmaster"), "postmaster", "515 incorrect password or account name"),
        (config(None, "nobody"), "nobody", "515 incorrect password or account name"),
    ] {
        world.listen_as("communigate", &keys);
        let mut client = Client::connect(world.address());
        assert!(client.line().starts_with("200 "));
        assert!(client.ask("STLS").starts_with("200 "));
        client.begin_tls(&config, usize::MAX);
        assert_eq!(log_in(&mut client, "EXTERNAL", name, ""), expected, "{name}");
        if expected.starts_with("200 ") {
            assert!(client.ask(&format!("NEWPASS {NEW}")).starts_with("510 "), "it is no proof of the password");
        }
    }
}

#[test]
fn python_proves_a_password_by_scram_and_sees_that_the_server_knows_it() {
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let mut world = world();
        world.listen_as("communigate", &[]);
        let port = world.address().port().to_string();
        let change = |old: &str| plain_python("scram.py", &["127.0.0.1", &port, mechanism, "alice", old, NEW]);
        assert_eq!(change("wrong password"), "515 incorrect password or account name\n");
        assert_eq!(change(OLD), "200 Password updated\n");
        check_changed(world.address());
    }
}

#[test]
fn python_proves_a_password_by_a_digest_and_sees_that_the_server_knows_it() {
    let keys = ["apop = true".to_owned()];
    for method in ["APOP", "CRAM-MD5", "DIGEST-MD5"] {
        let mut world = World::new(vec![("communigate".to_owned(), keys.to_vec())]);
        world.seal();
        furnish(&world);
        world.listen_as("communigate", &keys);
        let port = world.address().port().to_string();
        let change = |old: &str| plain_python("digest.py", &["127.0.0.1", &port, method, "alice", old, NEW]);
        assert_eq!(change("wrong password"), "515 incorrect password or account name\n");
        assert_eq!(change(OLD), "200 Password updated\n");
        check_changed(world.address());
    }
}

/// Carries base64 between `gsasl` and a server; the last reply, and what the program says in the
/// end.
fn gsasl(client: &mut Client, mechanism: &str, password: &str) -> (String, String) {
    let mut command = tool("gsasl");
    command.args(["--client", "--no-cb", "-m", mechanism, "-a", "alice", "-z", "", "-p", password]);
    command.args(["--service", "pwd", "--hostname", "localhost", "--realm", "", "--quality-of-protection", "qop-auth"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(output.next().as_deref(), Some(mechanism));
    // It has nothing to say at first where the server speaks first.
    let mut reply = client.ask(format!("AUTH {mechanism} {}", output.next().unwrap()).trim_end());
    while let Some(challenge) = reply.strip_prefix("300 ") {
        writeln!(input, "{challenge}").unwrap();
        let response = output.next().unwrap();
        reply = client.ask(if response.is_empty() { "=" } else { &response });
    }
    // After what it has to say it waits for a last word, which may be nothing.
    writeln!(input).ok();
    drop(input);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    (reply, said)
}

#[test]
fn gsasl_logs_in_and_sees_that_the_server_knows_the_password() {
    let mut world = world();
    // PLAIN comes last: neither the domain nor the account asks for what proofs are checked with, so a login
    // with the password takes that away.
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5", "DIGEST-MD5", "PLAIN"] {
        let mut client = greeted(&mut world);
        let (refused, _) = gsasl(&mut client, mechanism, "wrong password");
        assert_eq!(refused, "515 incorrect password or account name", "{mechanism}");
        let (reply, said) = gsasl(&mut client, mechanism, OLD);
        assert_eq!(reply, "200 login OK, proceed", "{mechanism}");
        assert!(said.contains("Client authentication finished (server trusted)"), "{mechanism}: {said}");
    }
}
