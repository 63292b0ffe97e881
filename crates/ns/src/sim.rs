//! `ns sim`: a script of calls against a kernel that is only modelled.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use namespaces::Errno;
use nsproxy::scenario::{CALLS, DIRECTIVES, Picture, QUESTIONS, Scenario};

use crate::exit::ExitCode;
use crate::report::{Failure, print};

const AFTER_HELP: &str = "\
A line is the calling task, the call, and what it should answer:

  init: fork -> sh
  sh: setuid 1000
  sh: unshare uts       => EPERM UnshareNeedsAdmin
  sh: unshare user uts  => ok

Each is shown with its answer, and a refusal with the rule behind it. The exit
status is 1 if an answer is not the one expected. Nothing on this machine is
touched. `show` draws a picture: tasks, their nsproxies, the namespaces in them.
`ns sim --calls` lists all calls, questions and other lines.";

/// Run a script of calls against a modelled kernel
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Draw the picture after this line, not after the last
    #[arg(long, value_name = "LINE")]
    after: Option<usize>,

    /// Print only the picture, for graphviz
    #[arg(long, group = "form")]
    dot: bool,

    /// Print only the picture, as an image
    #[arg(long, group = "form")]
    svg: bool,

    /// Print only the picture, as JSON
    #[arg(long, group = "form")]
    json: bool,

    /// List the words a script is made of
    #[arg(long, group = "form", conflicts_with_all = ["after", "file"])]
    calls: bool,

    /// The script [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.calls {
        print(&calls())?;
        return Ok(ExitCode::SUCCESS);
    }
    let script = read(args.file.as_deref())?;
    let mut scenario = Scenario::new();
    let mut picture = None;
    for (number, line) in (1..).zip(script.lines()) {
        if let Err(error) = scenario.line(number, line) {
            if !(args.dot || args.svg || args.json) {
                print(&scenario.transcript())?;
            }
            return Err(Failure::new(error));
        }
        if args.after == Some(number) {
            picture = Some(scenario.picture());
        }
    }
    let picture = match (picture, args.after) {
        (Some(picture), _) => picture,
        (None, None) => scenario.picture(),
        (None, Some(line)) => return Err(Failure::new(format!("the script has no line {line}"))),
    };
    print(&text(args, &scenario, &picture))?;
    Ok(if scenario.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All words, as the columns of a table.
fn calls() -> String {
    let mut text = String::new();
    for (title, words) in [
        ("TASK: CALL", CALLS),
        ("TASK: sees QUESTION  => ANSWER", QUESTIONS),
        ("lines without a task", DIRECTIVES),
    ] {
        let _ = writeln!(text, "{title}");
        for word in words {
            let _ = writeln!(text, "  {:<36} {}", word.usage, word.says.replace('`', ""));
        }
    }
    text
}

fn text(args: &Args, scenario: &Scenario, picture: &Picture) -> String {
    match (args.dot, args.svg, args.json) {
        (true, ..) => picture.dot(),
        (_, true, _) => picture.svg(),
        (.., true) => picture.json(),
        _ => format!("{}\n{}", scenario.transcript(), picture.text()),
    }
}

fn read(file: Option<&Path>) -> Result<String, Failure> {
    let mut text = Vec::new();
    let read = match file {
        Some(file) => std::fs::read(file).map(|bytes| text = bytes),
        None => std::io::stdin().read_to_end(&mut text).map(drop),
    };
    let name = file.map_or("standard input".to_owned(), |file| file.display().to_string());
    read.map_err(|error| Failure::new(format!("reading {name}: {}", Errno::from(error))))?;
    String::from_utf8(text).map_err(|_| Failure::new(format!("{name} is not text")))
}
