//! `ns run` and `ns unshare` as whole commands, beside the floor and the peers.

use crate::Bench;
use crate::group::link;
use crate::series::{Line, Pin, Proof, Series, Wanted};
use crate::table::Goal;
use crate::tools::in_path;

const FLOOR: &str = "floor: clone3, maps, mounts, exec";
const UNSHARE: &str = "unshare, the same";
const BWRAP: &str = "bwrap --unshare-all";
const FLOOR_NO_NET: &str = "floor, all but net";
const UNSHARE_NO_NET: &str = "unshare, all but net";
const ALONE: &str = "the program alone";

/// What `unshare` needs to do what the floor does.
const UNSHARE_ARGS: [&str; 11] =
    ["-n", "-r", "-m", "-u", "-i", "-p", "-C", "-T", "--fork", "--mount-proc", "--"];

pub(crate) fn run(bench: &mut Bench) -> Result<(), String> {
    let lines = lines(bench)?;
    for (pin, usual) in [(Pin::Cpu(bench.options.pin), 100), (Pin::No, 60)] {
        let series = Series {
            title: String::from("launch: a program in new namespaces of all eight kinds, whole commands"),
            lines: lines.clone(),
            rounds: bench.rounds(usual, 8),
            warm_up: 3,
            pause_ms: 10,
            pin,
            patience_s: bench.patience(),
        };
        let table = series.measure()?;
        bench.show(&table);
    }
    Ok(())
}

fn lines(bench: &Bench) -> Result<Vec<Line>, String> {
    let tiny = bench.floor.path("tiny")?;
    let floor = bench.floor.path("launch")?;
    let launcher = |label: &str, argv: &[&str]| line(label, argv, &tiny);
    let mut lines = vec![launcher(FLOOR, &[&floor, "-r", "-P"])?];
    if let Some(ns) = &bench.ns {
        lines.push(launcher("ns run", &[&ns.path, "run", "--"])?.goals(goals()));
        lines.push(launcher("ns run --no-init", &[&ns.path, "run", "--no-init", "--"])?);
        lines.push(launcher("ns run --share net", &[&ns.path, "run", "--share", "net", "--"])?);
        let unshare = [ns.path.as_str(), "unshare"];
        lines.push(
            launcher("ns unshare", &[&unshare, UNSHARE_ARGS.as_slice()].concat())?
                .goals([Goal::times(FLOOR, 1.25), Goal::times(UNSHARE, 0.55)]),
        );
        let no_net = launcher("ns unshare, all but net", &[&unshare, &UNSHARE_ARGS[1..]].concat())?;
        lines.push(no_net.goals([Goal::stretch(FLOOR_NO_NET, 1.35), Goal::times(UNSHARE_NO_NET, 0.45)]));
        let start = Line::new("ns unshare --version", &[&unshare[..], &["--version"]].concat());
        lines.push(start.goals([Goal::times(ALONE, 1.7)]));
    }
    if let Some(unshare) = bench.peer("unshare") {
        let unshare = [unshare.path.as_str()];
        lines.push(launcher(UNSHARE, &[&unshare, UNSHARE_ARGS.as_slice()].concat())?);
        lines.push(launcher(UNSHARE_NO_NET, &[&unshare, &UNSHARE_ARGS[1..]].concat())?);
    }
    if let Some(bwrap) = bench.peer("bwrap") {
        lines.push(launcher(BWRAP, &[&bwrap.path, "--unshare-all", "--bind", "/", "/", "--"])?);
    }
    lines.push(launcher(FLOOR_NO_NET, &[&floor, "-r", "-P", "-k", "UmpuiCT"])?);
    lines.push(Line::new("floor: no namespace", &[&floor, "-k", "", &tiny]));
    lines.push(Line::new(ALONE, &[&tiny]));
    Ok(lines)
}

/// The command that runs `program` by the launcher `argv`; proved by a program
/// that says where it runs.
fn line(label: &str, argv: &[&str], program: &str) -> Result<Line, String> {
    let mut line = Line::new(label, &[argv, &[program]].concat());
    if let Some(readlink) = in_path("readlink") {
        let asking = Line::new(label, &[argv, &[&readlink, "/proc/self/ns/uts"]].concat());
        line.proof = Some(Proof { argv: asking.argv, wanted: Wanted::NotLine(link("self", "uts")?) });
    }
    Ok(line)
}

fn goals() -> [Goal; 4] {
    [
        Goal::times(FLOOR, 1.6),
        Goal::times(UNSHARE, 0.65),
        Goal::times(BWRAP, 0.45),
        Goal::stretch(FLOOR, 1.25),
    ]
}
