//! Behind HAProxy, as Debian ships it, which wrote the PROXY protocol.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::debian::tool;
use super::{NEW, OLD};
use crate::world::client::{Client, PATIENCE};
use crate::world::identity::Identity;
use crate::world::program::free_address;
use crate::world::{World, log};

/// Where the client is, as told from the proxy on the same machine.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A running proxy; killed when dropped.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    /// One that connects to `server` in the way that `options` say.
    fn before(server: SocketAddr, options: &str) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let file = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n mode tcp\n timeout connect 60s\n timeout client 60s\n timeout server 60s\n\
             listen poppwd\n bind {address}\n server keyturn {server} check inter 50ms {options}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = tool("haproxy");
        command.arg("-db").arg("-f").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), address, _folder: folder }
    }

    fn connect(&self) -> Client {
        let begun = Instant::now();
        loop {
            if let Ok(client) = Client::connect_from(CLIENT, self.address) {
                return client;
            }
            assert!(begun.elapsed() < PATIENCE, "the proxy does not listen");
            std::thread::yield_now();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn haproxy_says_who_connects_in_both_versions_in_clear_and_before_tls() {
    for options in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"] {
        for begins_with_tls in [false, true] {
            let from = log::position();
            let tls = format!("tls = {begins_with_tls}");
            let keys = [tls, "cleartext = \"always\"".to_owned(), "proxy = [\"127.0.0.1\"]".to_owned()];
            let mut world = World::new(vec![("communigate".to_owned(), keys.to_vec())]);
            world.offer_tls(Identity::shared());
            world.account("alice", OLD.as_bytes(), "{}");
            world.listen_as("communigate", &keys);
            let proxy = Proxy::before(world.address(), options);
            let mut client = proxy.connect();
            if begins_with_tls {
                client.begin_tls(&Identity::shared().trust(), usize::MAX);
            }
            assert!(client.line().starts_with("200 example.com keyturn"));
            assert_eq!(client.ask("USER alice"), "300 please send the PASS");
            assert_eq!(client.ask(&format!("PASS {OLD}")), "200 login OK, proceed");
            assert_eq!(client.ask(&format!("NEWPASS {NEW}")), "200 Password updated");
            let port = client.local_address().port();
            let told = format!("([{CLIENT}]:{port}) 'alice@example.com' password changed");
            assert!(log::await_text(from, &told), "{options}: not in the log: {told}");
        }
    }
}
