//! Accounts created through one session and through many.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use crate::crowd::Crowd;
use crate::found::{Found, Rows, cpu_of};
use crate::session::Session;
use crate::support::machine::Spread;
use crate::support::server::{Home, Server};
use crate::{COST, GENERATOR_CPU, GROUP_RATIO_MIN, SERVER, SESSIONS, create, populate, yes_or_no};

/// Of so many accounts of a block one is created through one session.
const CREATION_ALONE: u64 = 10;
const CREATION_BLOCKS: u64 = 10;

/// Creates `count` accounts, in each block of them some through one session and the rest through
/// many, and lists them.
pub(crate) fn measure_creation(count: u64, machine: &str) -> io::Result<String> {
    let home = Home::new(SERVER.cpus.len(), COST)?;
    populate(&home, 0)?;
    let sync = Spread::of(sync_times_us(home.path())?);
    let server = home.serve(SERVER)?;
    let (mut rows, mut ratios, mut per_sync) = (Rows::default(), Vec::new(), Vec::new());
    let mut watcher = Session::open(server.address())?;
    for block in 0..CREATION_BLOCKS {
        let (first, end) = (count * block / CREATION_BLOCKS, count * (block + 1) / CREATION_BLOCKS);
        let alone = first + (end - first) / CREATION_ALONE;
        let one = create_all(&server, 1, first..alone)?;
        let before = [watcher.statistic("groups")?, watcher.statistic("grouped")?];
        let many = create_all(&server, SESSIONS, alone..end)?;
        let after = [watcher.statistic("groups")?, watcher.statistic("grouped")?];
        rows.add("1 session", one);
        rows.add(&format!("{SESSIONS} sessions"), many);
        ratios.push(many.per_s / one.per_s);
        per_sync.push((after[1] - before[1]) / (after[0] - before[0]));
    }
    let mut list = String::new();
    watcher.stream.write_all(b"LISTACCOUNTS\r\nQUIT\r\n")?;
    watcher.replies.read_to_string(&mut list)?;
    let listed = list.matches("=macnt;").count() as u64;
    assert_eq!(listed, count + 1, "every acknowledged account is in the list, and the postmaster");
    let ratio = Spread::of(ratios.iter().copied());
    Ok(format!(
        "# {count} accounts created\n\n{machine}. Server on CPU 0 with one shard, sessions on CPU {GENERATOR_CPU}.\n\
         `cargo bench --bench commands -- --created {count}`: median (min–max) of {CREATION_BLOCKS} blocks, in each of which \
         one session created 1/{CREATION_ALONE} of the accounts, {} in all, and then {SESSIONS} sessions the others.\n\n\
         | through | per second | server CPU each, µs | per second and core at that cost |\n|---|---|---|---|\n{}\n\
         | measure | found | wanted | reached |\n|---|---|---|---|\n\
         | {SESSIONS} sessions against one | **{}** | ≥ {GROUP_RATIO_MIN} | {} |\n\
         | accounts for each commit, {SESSIONS} sessions | {} | | |\n\
         | a sync of this disk after a write of 4 KiB, µs; a commit has two | {} | | |\n\
         | accounts in the list afterwards, the postmaster left out | {} | {count} | yes |\n",
        count / CREATION_ALONE,
        rows.print(),
        ratio.show(1),
        yes_or_no(ratio.median >= GROUP_RATIO_MIN),
        Spread::of(per_sync.iter().copied()).show(1),
        sync.show(0),
        listed - 1,
    ))
}

/// Creates the accounts of these numbers through `sessions` sessions.
fn create_all(server: &Server, sessions: usize, numbers: Range<u64>) -> io::Result<Found> {
    let mut crowd = Crowd::open(server.address(), sessions, 1)?;
    let (begun, cpu_before, mut left) = (Instant::now(), cpu_of(server)?, numbers.clone());
    let mut line = |lines: &mut String| {
        left.next().is_some_and(|number| {
            create("c", number, lines);
            true
        })
    };
    while crowd.turn(&mut line)?.is_some() {}
    Ok(Found::of((numbers.end - numbers.start) as usize, begun.elapsed(), cpu_of(server)? - cpu_before))
}

/// How long syncs of a file in `folder` take whose length does not change.
fn sync_times_us(folder: &Path) -> io::Result<Vec<f64>> {
    const COUNT: u64 = 200;
    const BLOCK: [u8; 4096] = [1; 4096];
    let path = folder.join("sync");
    let file = File::create(&path)?;
    let write = |index| file.write_all_at(&BLOCK, index * BLOCK.len() as u64);
    (0..COUNT).try_for_each(write)?;
    file.sync_all()?;
    let time = |index| {
        write(index)?;
        let begun = Instant::now();
        file.sync_data()?;
        Ok(begun.elapsed().as_secs_f64() * 1e6)
    };
    let times = (0..COUNT).map(time).collect();
    fs::remove_file(path)?;
    times
}
