//! The one place where something is printed, and what the exit status says.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::error::context;

/// What came of it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Both sides agree.
    Agreed,
    Differ,
    /// Something could not be compared.
    NotCompared,
}

impl Verdict {
    pub(crate) fn agreed(agreed: bool) -> Self {
        if agreed { Self::Agreed } else { Self::Differ }
    }

    /// What a worker's exit status says; `None` if it did not come to its end.
    pub(crate) fn of_status(code: Option<i32>) -> Option<Self> {
        [Self::Agreed, Self::Differ, Self::NotCompared].into_iter().find(|it| Some(*it as i32) == code)
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        ExitCode::from(verdict as u8)
    }
}

/// Prints to standard output. The error of kind `BrokenPipe` says that nobody reads on.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    context("writing to standard output", write!(out, "{text}").and_then(|()| out.flush()))
}

/// Prints a line to standard error.
pub(crate) fn note(text: impl Display) {
    // Without standard error there is nowhere to say so.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what failed.
pub(crate) fn complain(text: impl Display) {
    note(format_args!("conformance: {text}"));
}
