//! `ns lsns` and `ns ls` as whole commands, beside the floor and the `lsns` of
//! others, on machines with few and with many processes.

use crate::Bench;
use crate::crowd::{Crowd, EVERY};
use crate::machine::is_root;
use crate::series::{Line, Pin, Proof, Series, Wanted};
use crate::table::{Goal, Summary};

const FLOOR: &str = "floor: links, descriptors, commands";
const OURS: &str = "ns lsns";
const MORE: &str = "ns ls";
const LSNS: &str = "lsns";

/// A crowd, how often to measure beside it, and the part of `lsns` to reach.
const CROWDS: [(Crowd, usize, f64); 5] = [
    (Crowd { processes: 100, sockets: 0 }, 30, 1.0 / 4.0),
    (Crowd { processes: 1_000, sockets: 0 }, 30, 1.0 / 4.0),
    (Crowd { processes: 4_000, sockets: 0 }, 10, 1.0 / 5.0),
    (Crowd { processes: 10_000, sockets: 0 }, 5, 1.0 / 30.0),
    (Crowd { processes: 50, sockets: 1_000 }, 10, 1.0 / 4.0),
];

/// Up to so many processes the others are also timed listing only a part,
/// for which they read everything, in a time that grows with the square.
const OF_PARTS: usize = 1_000;

/// Sleepers at most, in quick mode.
const QUICK: usize = 100;

/// How much longer a process may take to list among many than among few, for
/// what is called linear.
const LINEAR: f64 = 1.5;

pub(crate) fn run(bench: &mut Bench) -> Result<(), String> {
    if !is_root() {
        return Err(String::from("needs root: for processes that have namespaces, but no user namespace"));
    }
    if bench.peer("lsns").is_some() && !lsns_reads_descriptors(bench) {
        bench.leave_out(
            "the goal for sockets, a fair comparison elsewhere",
            "this lsns is older than 2.41 and looks at no descriptors; put a newer one first in PATH",
        );
    }
    let first = bench.report.tables.len();
    for (crowd, usual, part) in CROWDS {
        if bench.options.quick && crowd.processes > QUICK {
            continue;
        }
        let series = Series {
            title: title(crowd),
            lines: lines(bench, crowd, part)?,
            rounds: bench.rounds(usual, 3),
            warm_up: 1,
            pause_ms: 3,
            pin: Pin::No,
            patience_s: bench.patience(),
        };
        match crowd.measure(&bench.floor, &series) {
            Ok(table) => bench.show(&table),
            Err(reason) => bench.leave_out(&series.title, &reason),
        }
    }
    print_growth(&bench.report.tables[first..]);
    Ok(())
}

fn title(crowd: Crowd) -> String {
    match crowd {
        Crowd { processes, sockets: 0 } => format!("ls: beside {processes} processes"),
        Crowd { processes, sockets } => {
            format!("ls: beside {processes} processes with {sockets} sockets each")
        }
    }
}

fn lines(bench: &Bench, crowd: Crowd, part: f64) -> Result<Vec<Line>, String> {
    // Each of those that have namespaces of their own has four.
    let wanted = crowd.processes / EVERY * 4;
    let list = |label: &str, argv: &[&str]| {
        let mut line = Line::new(label, argv);
        line.proof = Some(Proof { argv: line.argv.clone(), wanted: Wanted::Lines(wanted) });
        line
    };
    let mut lines = vec![list(FLOOR, &[&bench.floor.path("list")?])];
    if let Some(ns) = &bench.ns {
        // An lsns that looks at no sockets is not what this goal is about.
        let comparable = crowd.sockets == 0 || lsns_reads_descriptors(bench);
        let goal = comparable.then(|| Goal::times(LSNS, part));
        lines.push(list(OURS, &[&ns.path, "lsns"]).goals(goal));
        lines.push(Line::new("ns lsns -t net", &[&ns.path, "lsns", "-t", "net"]));
        lines.push(Line::new("ns lsns -p 1", &[&ns.path, "lsns", "-p", "1"]));
        lines.push(Line::new("ns lsns -p 1 -o NS,TYPE", &[&ns.path, "lsns", "-p", "1", "-o", "NS,TYPE"]));
        lines.push(list(MORE, &[&ns.path, "ls"]));
    }
    if let Some(lsns) = bench.peer("lsns") {
        lines.push(list(LSNS, &[&lsns.path]));
        if crowd.processes <= OF_PARTS {
            lines.push(Line::new("lsns -t net", &[&lsns.path, "-t", "net"]));
            lines.push(Line::new("lsns -p 1", &[&lsns.path, "-p", "1"]));
        }
    }
    Ok(lines)
}

/// From this release on it looks for namespaces where `ns ls` does: also in
/// descriptors and sockets.
fn lsns_reads_descriptors(bench: &Bench) -> bool {
    bench.peer("lsns").is_some_and(|lsns| lsns.is_at_least(2, 41))
}

/// Says what a process costs in each crowd: the same, if listing is linear. By
/// the fastest run, which others' work disturbed least.
fn print_growth(tables: &[Summary]) {
    for label in [FLOOR, OURS, MORE, LSNS] {
        let each: Vec<(usize, f64)> = CROWDS
            .iter()
            .filter(|(crowd, ..)| crowd.sockets == 0 && crowd.processes > QUICK)
            .filter_map(|(crowd, ..)| {
                let table = tables.iter().find(|table| table.title == title(*crowd))?;
                let line = table.lines.iter().find(|line| line.label == label)?;
                #[allow(clippy::cast_precision_loss)] // thousands
                Some((crowd.processes, line.min_us / crowd.processes as f64))
            })
            .collect();
        let (Some((_, few)), Some((_, many))) = (each.first(), each.last()) else { continue };
        let list: Vec<String> = each.iter().map(|(count, cost)| format!("{cost:.1} ({count})")).collect();
        let verdict = if *many <= few * LINEAR { "linear" } else { "NOT linear" };
        println!("  {label}: microseconds a process: {}: {verdict}", list.join(", "));
    }
}
