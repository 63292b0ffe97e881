//! `unshare`, `nsenter` and `lsns` of util-linux, under their own names.
//!
//! Each is a table of options ([`About`] and the rows) and a `run`. The table is all there is
//! to know of the options: the command line is parsed with it, and the help,
//! the completions and the man page are made from it. What a tool does is done
//! by the library, as for the subcommands.
//!
//! This is the way to a program that starts often, so it goes without clap.

#![allow(dead_code)]

mod call;
mod completion;
mod definition;
mod failure;
mod getopt;
mod help;
mod lsns;
mod nsenter;
mod number;
mod program;
mod signals;
mod strerror;
mod table;
mod unshare;

use std::ffi::{OsStr, OsString};

use call::Call;
use failure::Failure;
use table::About;

pub(crate) use completion::completion;
pub(crate) use definition::definitions;
pub(crate) use signals::number as signal;

use namespaces::Plan;
use namespaces::explain::Question;

use crate::exit::ExitCode;
use crate::report;

/// A tool: what there is to know of it, and what it does.
struct Entry {
    about: &'static About,
    run: fn(&Call) -> Result<ExitCode, Failure>,
    /// The steps it is about to take, if it asks anything of the kernel.
    plan: Option<MakePlan>,
}

type MakePlan = fn(&Call) -> Result<Plan, Failure>;

static TOOLS: [Entry; 3] = [
    Entry { about: &unshare::ABOUT, run: unshare::run, plan: Some(unshare::plan) },
    Entry { about: &nsenter::ABOUT, run: nsenter::run, plan: Some(nsenter::plan) },
    Entry { about: &lsns::ABOUT, run: lsns::run, plan: None },
];

/// Runs the tool that the command line is for, if it is one: by the name of
/// the program, or as the first word after `ns`. `ns help TOOL` is for it too.
pub(crate) fn run(args: &[OsString]) -> Option<ExitCode> {
    let (program, rest) = args.split_first()?;
    let (entry, call) = if let Some(entry) = find(call::base_name(program)) {
        (entry, Call::by_name(program, rest))
    } else {
        let (word, rest) = rest.split_first()?;
        if word == "help" {
            let entry = find(rest.first()?)?;
            (entry, Call::by_word(entry.about.name, &["--help".into()]))
        } else {
            let entry = find(word)?;
            (entry, Call::by_word(entry.about.name, rest))
        }
    };
    Some((entry.run)(&call).unwrap_or_else(|failure| call.report(&failure)))
}

/// What a command line of a tool comes down to: a launch, or the question that failed already
/// as the options were read.
pub(crate) fn question(tool: &str, args: &[String]) -> Result<Question, report::Failure> {
    let plan = find(tool.as_ref()).and_then(|entry| entry.plan);
    let plan = plan.ok_or_else(|| report::Failure::new(format!("{tool} asks nothing of the kernel")))?;
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    match plan(&Call::by_word(tool, &args)) {
        Ok(plan) => Ok(Question::of(plan)),
        Err(Failure { asks: Some(question), .. }) => Ok(*question),
        Err(failure) => {
            let line = report::Failure::new(format!("{tool}: {}", failure.line()));
            Err(if let Some(cause) = &failure.cause { line.because(cause) } else { line })
        }
    }
}

fn find(name: &OsStr) -> Option<&'static Entry> {
    TOOLS.iter().find(|entry| name == entry.about.name)
}
