//! Many launches in a row: what the kernel does about a namespace later is
//! part of what a launch costs then.

use std::time::Duration;

use namespaces::Kinds;

use crate::Bench;
use crate::group::looper::{Floor, Order, library_block};
use crate::machine::{Pinned, wait_until_idle};
use crate::stats::micros;
use crate::table::{Goal, Row, Table};

const FLOOR: &str = "floor: clone3, exec, wait";

/// For the kernel to be done with the block before.
const DRAIN: Duration = Duration::from_millis(1500);

/// 0.95 of the floor's throughput, as times.
const GOAL: f64 = 1.0 / 0.95;

pub(crate) fn run(bench: &mut Bench) -> Result<(), String> {
    let tiny = bench.floor.path("tiny")?;
    let rounds = bench.rounds(5, 2);
    let count = if bench.options.quick { 200 } else { 2000 };
    let drain = if bench.options.quick { DRAIN / 3 } else { DRAIN };
    let order = Order { count, kinds: Kinds::ALL, map: false };
    let pinned = Pinned::to(bench.options.pin)?;
    let mut floor = Floor::start(bench)?;
    let idle_percent = wait_until_idle(Duration::from_secs(bench.patience()));
    let mut rows = [
        Row { label: FLOOR.to_owned(), ..Row::default() },
        Row { label: String::from("Spawn"), goals: vec![Goal::times(FLOOR, GOAL)], ..Row::default() },
    ];
    for _ in 0..rounds {
        for (index, row) in rows.iter_mut().enumerate() {
            std::thread::sleep(drain);
            let block = if index == 0 { floor.block(order)? } else { library_block(&tiny, order)? };
            row.wall_ns.push(vec![block.total / count as u64]);
        }
    }
    let table = Table {
        title: format!("bulk: {count} launches in a row, all eight kinds, in process; time of one"),
        how: format!("on CPU {}, {rounds} rounds", pinned.cpu),
        idle_percent,
        rows: rows.to_vec(),
        ..Table::default()
    };
    bench.show(&table);
    for line in table.summary().lines {
        println!("  {}: {:.0} launches a second", line.label, 1e6 / line.median_us.max(micros(1)));
    }
    Ok(())
}
