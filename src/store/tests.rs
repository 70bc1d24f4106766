//! The promises of [`Store`], kept by [`Embedded`].

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::{fs, path::Path};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use redb::StorageBackend;

use super::faulty_disk::FaultyDisk;
use super::growth::Frontiers;
use super::medium::Medium;
use super::*;

/// What a store should hold.
type Model = BTreeMap<Vec<u8>, Versioned>;

fn on(disk: &FaultyDisk) -> Embedded {
    with_cache(disk, CACHE_BYTES)
}

fn with_cache(disk: &FaultyDisk, cache_bytes: usize) -> Embedded {
    let medium = Medium::new(disk.clone());
    medium.grow(Frontiers::whole(disk.len().unwrap()));
    Embedded::on_medium(medium, cache_bytes, Path::new("test")).unwrap()
}

fn put(key: &[u8], bytes: &[u8]) -> Transaction {
    Transaction { expect: Vec::new(), write: vec![Write::Put(key.into(), bytes.into())] }
}

fn expecting(mut transaction: Transaction, key: &[u8], revision: Option<Revision>) -> Transaction {
    transaction.expect.push(Expect { key: key.into(), revision });
    transaction
}

fn commit_one(store: &Embedded, transaction: Transaction) -> Outcome {
    store.commit(&[transaction]).unwrap()[0]
}

fn committed(outcome: Outcome) -> Revision {
    match outcome {
        Outcome::Committed(revision) => revision,
        Outcome::Conflict => panic!("a conflict where none was expected"),
    }
}

fn bytes_of(store: &Embedded, key: &[u8]) -> Option<Vec<u8>> {
    store.read(key).unwrap().map(|record| record.bytes)
}

#[test]
fn a_transaction_happens_only_while_its_conditions_hold() {
    let store = on(&FaultyDisk::default());
    let first = committed(commit_one(&store, expecting(put(b"a", b"1"), b"a", None)));
    assert_eq!(commit_one(&store, expecting(put(b"a", b"2"), b"a", None)), Outcome::Conflict);
    assert_eq!(bytes_of(&store, b"a"), Some(b"1".to_vec()));
    let second = committed(commit_one(&store, expecting(put(b"a", b"2"), b"a", Some(first))));
    assert!(second > first);
    assert_eq!(store.read(b"a").unwrap(), Some(Versioned { revision: second, bytes: b"2".to_vec() }));
}

#[test]
fn later_transactions_of_a_group_see_the_earlier_ones() {
    let store = on(&FaultyDisk::default());
    let create = || expecting(put(b"a", b"x"), b"a", None);
    let outcomes = store.commit(&[create(), create(), put(b"b", b"y")]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Committed(_), Outcome::Conflict, Outcome::Committed(_)]), "{outcomes:?}");
}

#[test]
fn a_conflict_writes_nothing_of_its_transaction_and_needs_no_sync() {
    let disk = FaultyDisk::default();
    let store = on(&disk);
    let before = disk.operation_count();
    let mut refused = expecting(put(b"b", b"y"), b"a", Some(Revision(1)));
    refused.write.push(Write::Delete(b"c".to_vec()));
    assert_eq!(store.commit(&[refused.clone(), refused]).unwrap(), [Outcome::Conflict; 2]);
    assert_eq!(bytes_of(&store, b"b"), None);
    assert_eq!(disk.operation_count(), before);
}

#[test]
fn a_group_shares_its_syncs() {
    let disk = FaultyDisk::default();
    let store = on(&disk);
    let group: Vec<_> = (0..50u8).map(|number| put(&[number], b"1")).collect();
    let before = disk.sync_count();
    store.commit(&group).unwrap();
    // Two phases, and one more where the file grows or shrinks.
    let sync_count = disk.sync_count() - before;
    assert!((1..=3).contains(&sync_count), "{sync_count} syncs");
}

#[test]
fn revisions_grow_over_deletion_and_reopening() {
    let disk = FaultyDisk::default();
    let store = on(&disk);
    let first = committed(commit_one(&store, put(b"a", b"1")));
    let delete = Transaction { expect: Vec::new(), write: vec![Write::Delete(b"a".to_vec())] };
    let deleted = committed(commit_one(&store, delete));
    assert_eq!(store.read(b"a").unwrap(), None);
    drop(store);
    let store = on(&disk);
    let again = committed(commit_one(&store, put(b"a", b"1")));
    assert!(first < deleted && deleted < again);
    assert_eq!(commit_one(&store, expecting(put(b"a", b"2"), b"a", Some(first))), Outcome::Conflict);
}

#[test]
fn a_scan_ends_where_its_prefix_does() {
    let store = on(&FaultyDisk::default());
    for key in [b"a".as_slice(), b"b", b"b/1", b"b/2", b"b\xff", b"c"] {
        commit_one(&store, put(key, b"x"));
    }
    let keys = |prefix: &[u8], after: Option<&[u8]>, count_max| -> Vec<Vec<u8>> {
        store.scan(prefix, after, count_max).unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(b"b", None, 9), [b"b".as_slice(), b"b/1", b"b/2", b"b\xff"]);
    assert_eq!(keys(b"b/", None, 9), [b"b/1", b"b/2"]);
    assert_eq!(keys(b"b/", Some(b"b/1"), 9), [b"b/2"]);
    assert_eq!(keys(b"b/", Some(b"a"), 1), [b"b/1"]);
    assert!(keys(b"b/", Some(b"c"), 9).is_empty());
    assert!(keys(b"", None, 0).is_empty());
    assert_eq!(keys(b"", None, 9).len(), 6);
}

/// A transaction in terms of a few keys; whether it expects the truth is a choice of its own.
#[derive(Clone, Debug)]
struct Plan {
    expect: Vec<(u8, Expectation)>,
    write: Vec<(u8, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug)]
enum Expectation {
    Truth,
    Absence,
    Revision(u64),
}

fn plan() -> impl Strategy<Value = Plan> {
    let expectation = prop_oneof![
        4 => Just(Expectation::Truth),
        1 => Just(Expectation::Absence),
        1 => (0..40u64).prop_map(Expectation::Revision),
    ];
    let write = (0..6u8, proptest::option::weighted(0.7, vec(any::<u8>(), 0..20)));
    (vec((0..6u8, expectation), 0..3), vec(write, 0..4)).prop_map(|(expect, write)| Plan { expect, write })
}

impl Plan {
    fn against(&self, model: &Model) -> Transaction {
        let expect = self.expect.iter().map(|(key, expectation)| {
            let key = vec![*key];
            let revision = match expectation {
                Expectation::Truth => model.get(&key).map(|record| record.revision),
                Expectation::Absence => None,
                Expectation::Revision(number) => Some(Revision(*number)),
            };
            Expect { key, revision }
        });
        let write = self.write.iter().map(|(key, bytes)| match bytes {
            Some(bytes) => Write::Put(vec![*key], bytes.clone()),
            None => Write::Delete(vec![*key]),
        });
        Transaction { expect: expect.collect(), write: write.collect() }
    }
}

/// Does to the model what the outcome says was done to the store, and checks that it had to be so.
fn follow(model: &mut Model, transaction: &Transaction, outcome: Outcome) {
    let revision_of = |model: &Model, key: &Vec<u8>| model.get(key).map(|record| record.revision);
    let holds = transaction.expect.iter().all(|expect| revision_of(model, &expect.key) == expect.revision);
    assert_eq!(holds, matches!(outcome, Outcome::Committed(_)), "{transaction:?}");
    if let Outcome::Committed(revision) = outcome {
        for write in &transaction.write {
            match write {
                Write::Put(key, bytes) => {
                    model.insert(key.clone(), Versioned { revision, bytes: bytes.clone() });
                }
                Write::Delete(key) => {
                    model.remove(key);
                }
            }
        }
    }
}

fn everything(store: &Embedded, page_length: usize) -> Model {
    let mut all = Model::new();
    loop {
        let after = all.last_key_value().map(|(key, _)| key.clone());
        let page = store.scan(b"", after.as_deref(), page_length).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_agrees_with_a_map(
        groups in vec(vec(plan(), 0..5), 1..12),
        page_length in 1..5usize,
        reopen_at in any::<Index>(),
    ) {
        let disk = FaultyDisk::default();
        let mut store = on(&disk);
        let mut model = Model::new();
        let mut last = Revision(0);
        let reopen_at = reopen_at.index(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let transactions: Vec<_> = group.iter().map(|plan| plan.against(&model)).collect();
            let outcomes = store.commit(&transactions).unwrap();
            prop_assert_eq!(outcomes.len(), transactions.len());
            for (transaction, outcome) in transactions.iter().zip(outcomes) {
                if let Outcome::Committed(revision) = outcome {
                    prop_assert!(revision > last);
                    last = revision;
                }
                follow(&mut model, transaction, outcome);
            }
            if index == reopen_at {
                drop(store);
                store = on(&disk);
            }
            prop_assert_eq!(&everything(&store, page_length), &model);
        }
    }

    /// The power fails at any operation of a commit, and of what was not synced by then any part
    /// reaches the disk. What was acknowledged is there, and the group that was not is there
    /// wholly or not at all.
    #[test]
    fn a_power_cut_loses_nothing_acknowledged(
        acknowledged in vec(vec(any::<u8>(), 0..3000), 1..5),
        cut in any::<Index>(),
        survivors in vec(any::<bool>(), 1..40),
    ) {
        let disk = FaultyDisk::default();
        let store = on(&disk);
        for (number, bytes) in acknowledged.iter().enumerate() {
            commit_one(&store, put(&[number as u8], bytes));
        }
        let group: Vec<_> = (0..acknowledged.len()).map(|number| put(&[number as u8], b"new")).collect();
        let before = disk.operation_count();
        let length = {
            let rehearsal = FaultyDisk::holding(disk.live_image());
            let store = on(&rehearsal);
            let before = rehearsal.operation_count();
            store.commit(&group).unwrap();
            rehearsal.operation_count() - before
        };
        disk.fail_after(cut.index(length));
        let answer = store.commit(&group);
        prop_assert!(disk.operation_count() > before);
        let image = disk.image_after_power_cut(|index| survivors[index % survivors.len()]);
        drop(store);

        let store = on(&FaultyDisk::holding(image));
        let found: Vec<_> = (0..acknowledged.len()).map(|number| bytes_of(&store, &[number as u8]).unwrap()).collect();
        let changed = found.iter().all(|bytes| bytes == b"new");
        prop_assert!(changed || found == acknowledged, "half a group survived");
        prop_assert!(changed || answer.is_err(), "an acknowledged group was lost");
    }
}

/// The disk fails once, at any one operation of a commit, and then works again. Nothing is
/// acknowledged from then on: the kernel may have dropped the pages whose write-back failed and
/// report the next sync as fine.
#[test]
fn after_one_fault_nothing_is_acknowledged_until_the_store_is_reopened() {
    let mut unknown_count = 0;
    for operation in 0.. {
        let disk = FaultyDisk::default();
        let store = on(&disk);
        commit_one(&store, put(b"a", b"old"));
        disk.fail_after(operation);
        let answer = store.commit(&[put(b"a", b"new"), put(b"b", b"new")]);
        let Err(fault) = answer else {
            assert!(!disk.has_failed(), "an acknowledgement in spite of a fault");
            break;
        };
        unknown_count += usize::from(matches!(fault, CommitFault::Unknown(_)));
        assert!(matches!(store.commit(&[put(b"a", b"newer")]), Err(CommitFault::Closed(_))));
        assert_eq!(bytes_of(&store, b"a"), Some(b"old".to_vec()), "reads go on");

        let image = disk.live_image();
        drop(store);
        let store = on(&FaultyDisk::holding(image));
        let pair = (bytes_of(&store, b"a"), bytes_of(&store, b"b"));
        let old = (Some(b"old".to_vec()), None);
        let new = (Some(b"new".to_vec()), Some(b"new".to_vec()));
        assert!(pair == new || pair == old, "{pair:?}");
        committed(commit_one(&store, put(b"a", b"newest")));
    }
    assert!(unknown_count > 0);
}

/// The same, with a store that remembers nothing, so that after the fault all records come from
/// the disk again. They are those that a power cut would leave: what was acknowledged, and not
/// what the disk shows of a commit that failed before its last sync.
#[test]
fn reads_go_on_after_a_fault_without_what_was_not_acknowledged() {
    let group = |bytes: &[u8]| -> Vec<_> { (0..60u8).map(|number| put(&[number], bytes)).collect() };
    let old = [b'o'; 1000];
    let (mut fault_count, mut old_count) = (0, 0);
    for operation in 0.. {
        let disk = FaultyDisk::default();
        let store = with_cache(&disk, 0);
        store.commit(&group(&old)).unwrap();
        disk.fail_after(operation);
        let answer = store.commit(&group(b"new"));
        if !disk.has_failed() {
            break;
        }
        if answer.is_ok() {
            // The operation was one that redb can do without and repeats later.
            continue;
        }
        fault_count += 1;
        let image = disk.live_image();
        let survivor = on(&FaultyDisk::holding(disk.image_after_power_cut(|_| false)));
        let all = everything(&store, 7);
        assert_eq!(all, everything(&survivor, 99), "at operation {operation}");
        assert_eq!(store.read(&[7]).unwrap(), survivor.read(&[7]).unwrap());
        old_count += usize::from(all.values().all(|record| record.bytes == old));
        assert!(matches!(store.commit(&group(b"newer")), Err(CommitFault::Closed(_))));
        assert!(disk.live_image() == image, "reading changed the disk");
    }
    assert!(fault_count > 4 && old_count > 2, "{fault_count} faults, {old_count} before the last sync");
}

/// A sector cannot be read, once. The reader that met it is answered all the same, and nothing is
/// written any more to such a disk.
#[test]
fn a_fault_of_reading_closes_the_store_to_writing() {
    let disk = FaultyDisk::default();
    let store = with_cache(&disk, 0);
    commit_one(&store, put(b"a", b"1"));
    disk.fail_next_read();
    assert_eq!(bytes_of(&store, b"a"), Some(b"1".to_vec()));
    let fault = store.commit(&[put(b"a", b"2")]).unwrap_err();
    assert!(matches!(&fault, CommitFault::Closed(why) if why.contains("told to fail")), "{fault:?}");
    assert_eq!(bytes_of(&store, b"a"), Some(b"1".to_vec()));
}

#[test]
fn a_new_file_belongs_to_its_owner_alone_and_is_not_opened_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = Embedded::open(&path).unwrap();
    commit_one(&store, put(b"a", b"1"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the draft is left behind");

    let fault = Embedded::open(&path).unwrap_err();
    assert_eq!(fault.kind, OpenFaultKind::InUse);
    assert!(fault.to_string().contains("stop the server"), "{fault}");

    drop(store);
    let store = Embedded::open(&path).unwrap();
    assert_eq!(bytes_of(&store, b"a"), Some(b"1".to_vec()));
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    for content in [b"".as_slice(), b"keyturn", &[0; 8192], &[0xa5; 8192]] {
        fs::write(&path, content).unwrap();
        let fault = Embedded::open(&path).unwrap_err();
        assert!(matches!(fault.kind, OpenFaultKind::Unreadable(_)), "{fault:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let fault = Embedded::open(Path::new("/nonexistent/store.redb")).unwrap_err();
    assert!(matches!(fault.kind, OpenFaultKind::Io(_)), "{fault:?}");
}

#[test]
fn a_store_of_a_later_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(Embedded::open(&path).unwrap());
    embedded::set_format(&path, 7);
    let fault = Embedded::open(&path).unwrap_err();
    assert_eq!(fault.kind, OpenFaultKind::NewerFormat { found: 7, known: 1 });
}

#[test]
fn records_are_not_printed() {
    let text = format!("{:?}", put(b"key", b"verifier"));
    assert!(text.contains("key") && !text.contains("verifier"), "{text}");
}
