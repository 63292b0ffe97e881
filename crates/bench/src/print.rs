//! Tables for people.

use crate::report::Report;
use crate::table::{Limit, Summary, SummaryLine, Verdict};

pub(crate) fn heading(report: &Report) {
    let machine = &report.machine;
    println!(
        "Linux {} {}, {} CPUs ({}), load {}, {}",
        machine.kernel,
        machine.architecture,
        machine.cpus,
        machine.cpu_model,
        machine.load,
        if machine.root { "as root" } else { "not as root" },
    );
    if let Some(ns) = &report.ns {
        println!("ns: {} ({})", ns.path, ns.note);
    }
    let peers: Vec<String> = report.peers.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
    println!("peers found: {}", if peers.is_empty() { String::from("none") } else { peers.join(", ") });
    for left in &report.left_out {
        left_out(&left.what, &left.reason);
    }
}

pub(crate) fn left_out(what: &str, reason: &str) {
    println!("left out: {what}: {reason}");
}

pub(crate) fn table(table: &Summary) {
    println!("\n{} ({}; {} % idle before)", table.title, table.how, table.idle_percent);
    let width = table.lines.iter().map(|line| line.label.chars().count()).max().unwrap_or(0).max(12);
    let first = table.lines.first().map(|line| line.label.as_str());
    println!(
        "  {:width$} {:>9} {:>9} {:>9} {:>8} {:>9} {:>7}",
        "microseconds", "median", "min", "p90", "x", "cpu", "faults"
    );
    for line in &table.lines {
        row(line, width, first);
    }
    for left in &table.left_out {
        println!("  left out: {}: {}", left.what, left.reason);
    }
    for line in &table.lines {
        for verdict in &line.goals {
            goal(&line.label, verdict);
        }
    }
}

fn row(line: &SummaryLine, width: usize, first: Option<&str>) {
    let optional = |value: Option<f64>| value.map_or(String::from("-"), |value| format!("{value:.0}"));
    let digits = usize::from(line.median_us < 1000.0);
    // Of whom, where it isn't the first line.
    let of = if first == Some(line.ratio_to.as_str()) || line.ratio_to == line.label {
        String::new()
    } else {
        format!("  x of: {}", line.ratio_to)
    };
    println!(
        "  {:width$} {:>9.digits$} {:>9.digits$} {:>9.digits$} {:>8.2} {:>9} {:>7}{of}",
        line.label,
        line.median_us,
        line.min_us,
        line.p90_us,
        line.ratio,
        optional(line.cpu_us),
        optional(line.page_faults),
    );
}

fn goal(label: &str, verdict: &Verdict) {
    let goal = &verdict.goal;
    let name = if goal.stretch { "stretch" } else { "goal" };
    let (limit, show): (String, fn(f64) -> String) = match goal.limit {
        Limit::Times(limit) => (format!("{limit:.2} x"), |value| format!("{value:.2} x")),
        Limit::MicrosOver(limit) => (format!("{limit:.0} µs over"), |value| format!("{value:.1} µs over")),
    };
    let outcome = match (verdict.met, verdict.measured.map(show)) {
        (Some(true), Some(measured)) => format!("met: {measured}"),
        (Some(false), Some(measured)) => format!("MISSED: {measured}"),
        _ => String::from("not measured"),
    };
    let noise = match verdict.of_minima.filter(|_| verdict.noisy) {
        Some(minima) => format!(" (noisy: the fastest of each say {})", show(minima)),
        None => String::new(),
    };
    println!("  {name}: {label}: at most {limit} {}: {outcome}{noise}", goal.against);
}

pub(crate) fn ending(report: &Report) {
    let verdicts = || report.tables.iter().flat_map(|table| &table.lines).flat_map(|line| &line.goals);
    let count = |met| verdicts().filter(|v| !v.goal.stretch && v.met == Some(met)).count();
    println!("\ngoals: {} met, {} missed", count(true), count(false));
}
