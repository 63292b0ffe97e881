//! Launches through the library, in process, beside the C floor.

use std::time::Duration;

use namespaces::{Kind, Kinds};

use crate::Bench;
use crate::group::looper::{Floor, Order, library_block};
use crate::machine::{Pinned, is_root, wait_until_idle};
use crate::table::{Goal, Row, Table};

/// Launches in a block.
const BLOCK: usize = 20;

/// What the parent has touched in one of the lines: a `fork` would copy its
/// page tables.
const TOUCHED: usize = 64 << 20;

/// Who launches a block.
#[derive(Clone, Copy, PartialEq)]
enum Launcher {
    Floor,
    Library,
    /// The library, in a process with much memory.
    BigLibrary,
}

struct Candidate {
    launcher: Launcher,
    order: Order,
    row: Row,
}

pub(crate) fn run(bench: &mut Bench) -> Result<(), String> {
    let tiny = bench.floor.path("tiny")?;
    let rounds = bench.rounds(40, 3);
    let pinned = Pinned::to(bench.options.pin)?;
    let mut floor = Floor::start(bench)?;
    let mut candidates = candidates();
    let idle_percent = wait_until_idle(Duration::from_secs(bench.patience()));
    let mut memory = Vec::new();
    for round in 0..=rounds {
        for candidate in &mut candidates {
            if candidate.launcher == Launcher::BigLibrary {
                memory = touched();
            }
            let block = match candidate.launcher {
                Launcher::Floor => floor.block(candidate.order)?,
                _ => library_block(&tiny, candidate.order)?,
            };
            drop(std::mem::take(&mut memory));
            // The first round warms up.
            if round > 0 {
                candidate.row.wall_ns.push(block.each);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let table = Table {
        title: String::from("library: create, execute and reap, in process"),
        how: format!("on CPU {}, {rounds} rounds of {BLOCK} launches, 10 ms pause", pinned.cpu),
        idle_percent,
        rows: candidates.into_iter().map(|candidate| candidate.row).collect(),
        ..Table::default()
    };
    bench.show(&table);
    if !is_root() {
        bench.leave_out("library: kinds without a user namespace", "needs root");
    }
    Ok(())
}

/// Memory that is really there, in small pages: few big ones are cheap to copy.
fn touched() -> Vec<u8> {
    let small = rustix::thread::disable_transparent_huge_pages(true);
    let memory = std::hint::black_box(vec![1; TOUCHED]);
    if small.is_ok() {
        let _ = rustix::thread::disable_transparent_huge_pages(false);
    }
    memory
}

fn candidates() -> Vec<Candidate> {
    let mut list = Vec::new();
    for (name, kinds) in sets() {
        let (floor, own) = (format!("floor: {name}"), format!("Spawn: {name}"));
        add(&mut list, Launcher::Floor, kinds, false, &floor, &floor, vec![]);
        add(&mut list, Launcher::Library, kinds, false, &own, &floor, vec![Goal::times(&floor, 1.1)]);
    }
    for (name, kinds) in sets().into_iter().filter(|(_, kinds)| kinds.is_empty() || *kinds == Kinds::ALL) {
        let (own, big) = (format!("Spawn: {name}"), format!("Spawn: {name}, 64 MiB touched"));
        add(&mut list, Launcher::BigLibrary, kinds, false, &big, &own, vec![Goal::times(&own, 1.1)]);
    }
    if is_root() {
        let user = Kinds::from(Kind::User);
        let (floor, own) = ("floor: user, caller maps", "Spawn: user, caller maps");
        let goals = vec![Goal::micros_over("Spawn: user", 15.0)];
        add(&mut list, Launcher::Floor, user, true, floor, "floor: user", vec![]);
        add(&mut list, Launcher::Library, user, true, own, "Spawn: user", goals);
    }
    list
}

fn add(
    list: &mut Vec<Candidate>,
    launcher: Launcher,
    kinds: Kinds,
    map: bool,
    label: &str,
    base: &str,
    goals: Vec<Goal>,
) {
    let order = Order { count: BLOCK, kinds, map };
    let row = Row { label: label.to_owned(), base: Some(base.to_owned()), goals, ..Row::default() };
    list.push(Candidate { launcher, order, row });
}

/// The sets of kinds to launch with: without a user namespace only as root.
fn sets() -> Vec<(&'static str, Kinds)> {
    let sets = [
        ("none", Kinds::EMPTY),
        ("uts", Kinds::from(Kind::Uts)),
        ("user", Kinds::from(Kind::User)),
        ("pid", Kinds::from(Kind::Pid)),
        ("mnt", Kinds::from(Kind::Mnt)),
        ("net", Kinds::from(Kind::Net)),
        ("all but net", Kinds::ALL.without(Kind::Net)),
        ("all", Kinds::ALL),
    ];
    let granted = |kinds: Kinds| is_root() || kinds.is_empty() || kinds.contains(Kind::User);
    sets.into_iter().filter(|(_, kinds)| granted(*kinds)).collect()
}
