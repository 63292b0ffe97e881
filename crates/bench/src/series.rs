//! Timing whole commands in turn.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use crate::machine::{Pinned, wait_until_idle};
use crate::table::{Goal, LeftOut, Row, Table};

/// How long a command may take when it is tried, before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// One command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) argv: Vec<String>,
    /// The same command doing something that shows that it works.
    pub(crate) proof: Option<Proof>,
    pub(crate) goals: Vec<Goal>,
}

/// A command that does nothing must not win.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) argv: Vec<String>,
    pub(crate) wanted: Wanted,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// Prints this line.
    Line(String),
    /// Prints anything else.
    NotLine(String),
    /// Prints at least so many lines.
    Lines(usize),
}

impl Line {
    pub(crate) fn new(label: &str, argv: &[&str]) -> Line {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        Line { label: label.to_owned(), argv, proof: None, goals: Vec::new() }
    }

    pub(crate) fn goals(mut self, goals: impl IntoIterator<Item = Goal>) -> Line {
        self.goals.extend(goals);
        self
    }
}

/// The commands that are compared with each other, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) rounds: usize,
    pub(crate) warm_up: usize,
    /// Before each command, so that one doesn't pay for what the kernel still
    /// does about the one before: network namespaces are cleaned up later.
    pub(crate) pause_ms: u64,
    pub(crate) pin: Pin,
    /// How long to wait for an idle machine.
    pub(crate) patience_s: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Pin {
    No,
    Cpu(Option<usize>),
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    wall_ns: u64,
    cpu_ns: u64,
    faults: u64,
}

impl Series {
    /// Runs everything. What fails is left out, and the table says why.
    pub(crate) fn measure(&self) -> Result<Table, String> {
        let pinned = match self.pin {
            Pin::No => None,
            Pin::Cpu(cpu) => Some(Pinned::to(cpu)?),
        };
        let place =
            pinned.as_ref().map_or(String::from("all CPUs"), |pinned| format!("on CPU {}", pinned.cpu));
        let mut table = Table {
            title: self.title.clone(),
            how: format!("{place}, {} rounds, {} ms pause", self.rounds, self.pause_ms),
            idle_percent: wait_until_idle(Duration::from_secs(self.patience_s)),
            ..Table::default()
        };
        let null = File::options().read(true).write(true).open("/dev/null").map_err(|e| e.to_string())?;
        let mut running = Vec::new();
        for line in &self.lines {
            match prove(line).and_then(|()| warm_up(line, self.warm_up, &null)) {
                Ok(command) => running.push((command, row_of(line))),
                Err(reason) => table.left_out.push(LeftOut { what: line.label.clone(), reason }),
            }
        }
        for round in 0..self.rounds {
            running.retain_mut(|(command, row)| {
                std::thread::sleep(Duration::from_millis(self.pause_ms));
                let failure = match once(command) {
                    Ok((status, cost)) if status.success() => {
                        row.wall_ns.push(vec![cost.wall_ns]);
                        row.cpu_ns.push(cost.cpu_ns);
                        row.faults.push(cost.faults);
                        return true;
                    }
                    Ok((status, _)) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                let reason = format!("failed in round {}: {failure}", round + 1);
                table.left_out.push(LeftOut { what: row.label.clone(), reason });
                false
            });
        }
        table.rows = running.into_iter().map(|(_, row)| row).collect();
        Ok(table)
    }
}

fn row_of(line: &Line) -> Row {
    Row { label: line.label.clone(), goals: line.goals.clone(), ..Row::default() }
}

fn command_of(argv: &[String]) -> Result<Command, String> {
    let (program, args) = argv.split_first().ok_or("the command is empty")?;
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

fn prove(line: &Line) -> Result<(), String> {
    let Some(proof) = &line.proof else { return Ok(()) };
    let output = command_of(&proof.argv)?.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(failure(output.status, &String::from_utf8_lossy(&output.stderr)));
    }
    let first = text.lines().next().unwrap_or_default();
    let fine = match &proof.wanted {
        Wanted::Line(line) => first == line,
        Wanted::NotLine(line) => !first.is_empty() && first != line,
        Wanted::Lines(count) => text.lines().count() >= *count,
    };
    if fine { Ok(()) } else { Err(format!("it doesn't do what it says: {:?} gave {first:?}", proof.argv)) }
}

/// Runs a command a few times, the first time with an eye on what it says.
fn warm_up(line: &Line, times: usize, null: &File) -> Result<Command, String> {
    let failed = |error: io::Error| format!("{}: {error}", line.argv[0]);
    let mut command = command_of(&line.argv)?;
    let standard = |null: &File| null.try_clone().map(Stdio::from).map_err(failed);
    command.stdin(standard(null)?).stdout(standard(null)?).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("it hangs: no end after {} s", PATIENCE.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    if !status.success() {
        let mut text = String::new();
        let _ = child.stderr.take().map(|pipe| pipe.take(4096).read_to_string(&mut text));
        return Err(failure(status, &text));
    }
    command.stderr(standard(null)?);
    for _ in 1..times {
        once(&mut command).map_err(failed)?;
    }
    Ok(command)
}

fn failure(status: ExitStatus, said: &str) -> String {
    format!("{status}: {}", said.lines().next().unwrap_or("it says nothing"))
}

fn once(command: &mut Command) -> io::Result<(ExitStatus, Cost)> {
    let before = of_children()?;
    let start = Instant::now();
    let status = command.spawn()?.wait()?;
    let wall = start.elapsed();
    let after = of_children()?;
    let cost = Cost {
        wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
        cpu_ns: after.cpu_ns.saturating_sub(before.cpu_ns),
        faults: after.faults.saturating_sub(before.faults),
    };
    Ok((status, cost))
}

/// What all children that were waited for have used, and theirs.
fn of_children() -> io::Result<Cost> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_nanoseconds() + usage.system_time().num_nanoseconds();
    Ok(Cost {
        wall_ns: 0,
        cpu_ns: u64::try_from(cpu).unwrap_or_default(),
        faults: u64::try_from(usage.minor_page_faults()).unwrap_or_default(),
    })
}
