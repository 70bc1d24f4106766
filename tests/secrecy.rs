//! What a stranger can learn about accounts: nothing, neither by words (the transcripts show that)
//! nor by the work that an attempt costs.

use keyturn::service::Count;

use crate::world::World;
use crate::world::client::Client;

#[test]
fn every_failed_login_costs_one_hash_of_the_same_kind() {
    let mut world = World::new(Vec::new());
    world.account("alice", b"blue harbor 42", "{}");
    world.account("bob", b"red barn 77777", "{UseAppPassword=NO;}");
    world.set("failures_max", "100");
    let mut client = Client::connect(world.address());
    client.line();
    let hashes = |world: &World| world.count(Count::Hashes);
    for (name, password) in [
        ("alice", "wrong guess 1"),
        ("bob", "wrong guess 2"),
        ("bob", "red barn 77777"),
        ("nobody", "wrong guess 3"),
        ("alice@nowhere.example", "blue harbor 42"),
        ("no name/at all", "wrong guess 4"),
    ] {
        let before = hashes(&world);
        client.ask(&format!("USER {name}"));
        assert!(client.ask(&format!("PASS {password}")).starts_with("515 "), "{name}");
        assert_eq!(hashes(&world) - before, 1, "a login of {name} with {password}");
    }
}
