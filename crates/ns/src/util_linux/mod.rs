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

use crate::exit::ExitCode;

/// A tool: what there is to know of it, and what it does.
struct Entry {
    about: &'static About,
    run: fn(&Call) -> Result<ExitCode, Failure>,
}

static TOOLS: [Entry; 3] = [
    Entry { about: &unshare::ABOUT, run: unshare::run },
    Entry { about: &nsenter::ABOUT, run: nsenter::run },
    Entry { about: &lsns::ABOUT, run: lsns::run },
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

fn find(name: &OsStr) -> Option<&'static Entry> {
    TOOLS.iter().find(|entry| name == entry.about.name)
}
