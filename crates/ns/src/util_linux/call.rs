//! One call of a tool: its name, its arguments, and how it speaks.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use super::failure::{Failure, What};

use crate::exit::ExitCode;

/// How a tool was called.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name as it was given, with which complaints about options begin.
    given: OsString,
    /// The name without directories, with which all other messages begin.
    pub(crate) name: OsString,
    /// What follows the name.
    pub(crate) args: Vec<OsString>,
}

/// What a command line comes to.
pub(super) enum Read<T> {
    Request(Box<T>),
    /// Help or version was asked for, and given.
    Answered(ExitCode),
}

impl Call {
    /// Called by the name of the program, through a link to it.
    pub(super) fn by_name(program: &OsStr, args: &[OsString]) -> Call {
        Call { given: program.to_owned(), name: base_name(program).to_owned(), args: args.to_vec() }
    }

    /// Called as a subcommand.
    pub(super) fn by_word(word: &str, args: &[OsString]) -> Call {
        let name = OsString::from(format!("ns {word}"));
        Call { given: name.clone(), name, args: args.to_vec() }
    }

    /// Says on standard error what failed, and answers with the exit status.
    /// The first line is util-linux's; whatever helps beyond it goes below.
    pub(super) fn report(&self, failure: &Failure) -> ExitCode {
        let mut text = Vec::new();
        match &failure.what {
            What::Usage(line) => text.extend(said(&self.given, line)),
            What::Message(line) => text.extend(said(&self.name, line)),
            What::Verbatim(line) => text.extend([&line[..], b"\n"].concat()),
            What::Nothing => {}
        }
        for line in failure.reason() {
            text.extend_from_slice(&[b"    ", line.as_bytes(), b"\n"].concat());
        }
        if failure.hint {
            let name = self.name.as_bytes();
            text.extend_from_slice(&[b"Try '", name, b" --help' for more information.\n"].concat());
        }
        // At once, so that lines of several processes do not mix.
        let _ = std::io::stderr().write_all(&text);
        ExitCode::from(failure.status)
    }
}

fn said(name: &OsStr, line: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b": ", line, b"\n"].concat()
}

/// The part of a path after the last slash.
pub(super) fn base_name(path: &OsStr) -> &OsStr {
    let bytes = path.as_bytes();
    let start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    OsStr::from_bytes(&bytes[start..])
}
