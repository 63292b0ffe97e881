//! `ns enter` and `ns nsenter` as whole commands, beside the floor and `nsenter`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Bench;
use crate::group::link;
use crate::series::{Line, Pin, Proof, Series, Wanted};
use crate::table::Goal;
use crate::tools::in_path;

const FLOOR: &str = "floor: setns(pidfd), exec";
const NSENTER: &str = "nsenter -a";

pub(crate) fn run(bench: &mut Bench) -> Result<(), String> {
    let target = Target::start(bench)?;
    let lines = lines(bench, &target.pid)?;
    for (pin, usual) in [(Pin::Cpu(bench.options.pin), 100), (Pin::No, 60)] {
        let series = Series {
            title: String::from(
                "enter: a program in all eight namespaces of another process, whole commands",
            ),
            lines: lines.clone(),
            rounds: bench.rounds(usual, 8),
            warm_up: 3,
            pause_ms: 3,
            pin,
            patience_s: bench.patience(),
        };
        let table = series.measure()?;
        bench.show(&table);
    }
    Ok(())
}

fn lines(bench: &Bench, pid: &str) -> Result<Vec<Line>, String> {
    let tiny = bench.floor.path("tiny")?;
    let enter = |label: &str, argv: &[&str]| {
        let mut line = Line::new(label, &[argv, &[&tiny]].concat());
        if let Some(readlink) = in_path("readlink") {
            let asking = Line::new(label, &[argv, &[&readlink, "/proc/self/ns/uts"]].concat());
            line.proof = Some(Proof { argv: asking.argv, wanted: Wanted::Line(link(pid, "uts")?) });
        }
        Ok::<_, String>(line)
    };
    let mut lines = vec![enter(FLOOR, &[&bench.floor.path("enter")?, pid])?];
    if let Some(ns) = &bench.ns {
        let goals = [Goal::times(FLOOR, 1.8), Goal::times(NSENTER, 0.4)];
        lines.push(enter("ns enter PID", &[&ns.path, "enter", pid, "--"])?.goals(goals));
        let goals = [Goal::times(FLOOR, 1.4), Goal::times(NSENTER, 0.3)];
        lines.push(enter("ns nsenter -a", &[&ns.path, "nsenter", "-t", pid, "-a", "--"])?.goals(goals));
    }
    if let Some(nsenter) = bench.peer("nsenter") {
        lines.push(enter(NSENTER, &[&nsenter.path, "-t", pid, "-a", "--"])?);
    }
    Ok(lines)
}

/// A process in namespaces of its own that sleeps until this is dropped.
struct Target {
    launcher: Child,
    pid: String,
}

impl Target {
    fn start(bench: &Bench) -> Result<Target, String> {
        let launcher = Command::new(bench.floor.path("launch")?)
            .args(["-d", "-r", "-P"])
            .arg(bench.floor.path("sleeper")?)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("starting a target: {error}"))?;
        let mut target = Target { launcher, pid: String::new() };
        let launcher = target.launcher.id();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let children = format!("/proc/{launcher}/task/{launcher}/children");
            std::fs::read_to_string(children).unwrap_or_default().trim().clone_into(&mut target.pid);
            // Not before execve: what comes before it is still the launcher's program.
            let program = format!("/proc/{}/comm", target.pid);
            if std::fs::read_to_string(program).is_ok_and(|name| name.trim() == "sleeper") {
                return Ok(target);
            }
            if matches!(target.launcher.try_wait(), Ok(Some(_)) | Err(_)) {
                return Err(String::from("no target: this system grants us no namespaces"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(String::from("no target: it doesn't come up"))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // The sleeper dies with its parent.
        let _ = self.launcher.kill().and_then(|()| self.launcher.wait());
    }
}
