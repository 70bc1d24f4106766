//! TLS on the wire: what no transcript can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memchr::memmem;
use rustix::process::Signal;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};

use crate::world::client::{Client, Heard, PATIENCE};
use crate::world::identity::{Identity, trust, trust_with};
use crate::world::program::{Home, Program, await_that};

const OLD: &str = "blue harbor 42";
const NEW: &str = "seven green kites";

/// A place with an account of Alice's, whose server offers TLS.
fn home(identity: &Identity) -> Home {
    let home = Home::new("communigate", "");
    secure(&home, identity, "");
    home.add_account("alice", OLD);
    home
}

fn secure(home: &Home, identity: &Identity, more: &str) {
    let text = home.configuration("communigate", &format!("failed_reply_delay_ms = 0\nlog_level = 4\n{more}"));
    home.configure(&format!("{text}\n{}", identity.table()));
}

/// A client that has begun TLS by STLS.
fn secured(home: &Home, config: &Arc<ClientConfig>) -> Client {
    let mut client = Client::connect(home.address);
    assert!(client.line().starts_with("200 "));
    assert_eq!(client.ask("STLS"), "200 please begin TLS");
    client.begin_tls(config, usize::MAX);
    client
}

fn change_password(client: &mut Client, old: &str, new: &str) {
    assert_eq!(client.ask("USER alice"), "300 please send the PASS");
    assert_eq!(client.ask(&format!("PASS {old}")), "200 login OK, proceed");
    assert_eq!(client.ask(&format!("NEWPASS {new}")), "200 Password updated");
    assert!(client.ask("QUIT").starts_with("200 "));
    assert_eq!(client.hear(PATIENCE), Heard::Eof(Vec::new()), "TLS has a last word");
}

#[test]
fn both_versions_and_keys_of_both_kinds_work() {
    for (identity, is_slow) in [(Identity::new(), false), (Identity::slow(), true)] {
        let home = home(&identity);
        let mut program = home.serve();
        let mut password = OLD.to_owned();
        for (version, shown) in
            [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
        {
            let config = trust_with(&[identity.chain()], &[version]);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let mut client = secured(&home, &config);
                let next = format!("{password}+");
                change_password(&mut client, &password, &next);
                assert_eq!(client.tls().protocol_version(), Some(shown));
                assert_eq!(client.tls().handshake_kind(), Some(kind), "{shown:?}");
                password = next;
            }
        }
        program.signal(Signal::USR1);
        let counted = program.await_line(" slow_handshakes=");
        assert_eq!(counted.contains(" slow_handshakes=0 "), !is_slow, "{counted}");
    }
}

/// Sessions come and go while `body` runs, and one stays and works; none of them fails. `body` sees how
/// many there have been.
fn under_load(home: &Home, config: &Arc<ClientConfig>, body: impl FnOnce(&AtomicUsize)) {
    let (is_over, sessions) = (AtomicBool::new(false), AtomicUsize::new(0));
    let logged_in = || {
        let mut client = secured(home, config);
        assert_eq!(client.ask("USER alice"), "300 please send the PASS");
        assert_eq!(client.ask(&format!("PASS {OLD}")), "200 login OK, proceed");
        client
    };
    std::thread::scope(|scope| {
        let come_and_go = || {
            while !is_over.load(Ordering::Relaxed) {
                assert!(logged_in().ask("QUIT").starts_with("200 "));
                sessions.fetch_add(1, Ordering::Relaxed);
            }
        };
        let stay = || {
            let mut client = logged_in();
            while !is_over.load(Ordering::Relaxed) {
                assert!(client.ask("NOOP").starts_with("200 "));
            }
            assert!(client.ask("QUIT").starts_with("200 "));
        };
        let loads = [scope.spawn(come_and_go), scope.spawn(come_and_go), scope.spawn(stay)];
        // If it panics, too: the scope waits for all of them.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&sessions)));
        is_over.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        loads.into_iter().for_each(|load| load.join().unwrap());
    });
}

/// Of a full handshake: in a resumed one the client shows what it was shown first.
fn shown_certificate(home: &Home, config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut config = ClientConfig::clone(config);
    config.resumption = Resumption::disabled();
    secured(home, &Arc::new(config)).tls().peer_certificates().unwrap()[0].to_vec()
}

const REPLACEMENTS: usize = 12;

#[test]
fn a_certificate_is_replaced_under_load_over_and_over_and_no_session_fails() {
    let (identity, others) = (Identity::new(), [Identity::new(), Identity::new(), Identity::new()]);
    let home = home(&identity);
    let mut program = home.serve();
    let chains: Vec<_> = [&identity].into_iter().chain(&others).map(Identity::chain).collect();
    let config = trust(&chains);
    under_load(&home, &config, |sessions| {
        for index in 0..REPLACEMENTS {
            let other = &others[index % others.len()];
            let before = sessions.load(Ordering::Relaxed);
            identity.adopt(other);
            // Every fourth is noticed without being told.
            if index % 4 > 0 {
                program.signal(Signal::HUP);
            }
            await_that("the new certificate", || shown_certificate(&home, &config) == other.certificate());
            await_that("sessions", || sessions.load(Ordering::Relaxed) > before + 2);
        }
    });
    assert!(!program.said().contains("TLS failed"), "{}", program.said());
}

#[test]
fn a_certificate_of_no_use_is_told_and_the_one_before_stays() {
    let (identity, other) = (Identity::new(), Identity::new());
    let home = home(&identity);
    let mut program = home.serve();
    let config = identity.trust();
    identity.adopt_key(&other);
    program.signal(Signal::HUP);
    let told = program.await_line("certificates not read");
    assert!(told.contains("key.pem is not the key of"), "{told}");
    change_password(&mut secured(&home, &config), OLD, NEW);
    program.kill();

    let mut program = home.spawn();
    assert_eq!(program.wait().code(), Some(1));
    program.await_line("no TLS can be offered");
    for command in ["check", "doctor"] {
        let output = home.run(&[command], "");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains("is not the key of"), "{said}");
    }
}

/// All memory of a process that it may write to: what is left of a password lies there.
fn memory_of(program: &Program) -> Vec<u8> {
    let (maps, memory) = (format!("/proc/{}/maps", program.pid()), format!("/proc/{}/mem", program.pid()));
    let memory = std::fs::File::open(memory).unwrap();
    let mut found = Vec::new();
    for line in std::fs::read_to_string(maps).unwrap().lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Some mappings cannot be read, such as rings; their buffers are mapped apart.
        if std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, start).is_ok() {
            found.append(&mut bytes);
        }
    }
    found
}

#[test]
fn nothing_of_a_password_is_left_in_memory_after_its_session() {
    let identity = Identity::new();
    let home = home(&identity);
    secure(&home, &identity, "login_seconds = 3600\nidle_seconds = 3600");
    let program = home.serve();
    let holds = |text: &str| memmem::find(&memory_of(&program), text.as_bytes()).is_some();
    // To show that what is looked for would be found.
    let mut witness = secured(&home, &identity.trust());
    witness.send(b"USER witness-of-memory\r\n");
    assert_eq!(witness.line(), "300 please send the PASS");
    assert!(holds("witness-of-memory"));

    let mut client = secured(&home, &identity.trust());
    change_password(&mut client, OLD, NEW);
    let mut client = secured(&home, &identity.trust());
    client.send(b"USER alice\r\nPASS ");
    client.send(b"half a password that is\r\nNEWPASS never finished");
    assert!(client.line().starts_with("300 "));
    assert!(client.line().starts_with("515 "));
    drop(client);
    // A worker overwrites its arena when it has had nothing to do for a second.
    for secret in [OLD, NEW, "half a password", "never finished"] {
        await_that(&format!("the end of '{secret}' in memory"), || !holds(secret));
    }
    assert!(holds("witness-of-memory"));
}
