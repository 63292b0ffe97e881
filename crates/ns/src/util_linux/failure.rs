//! Why a tool failed, in util-linux's words.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use namespaces::explain::Question;
use namespaces::{Errno, Error, Step};

use super::strerror::Strerror;
use crate::explain::{reason, reason_of};

/// A failure, and the exit status that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) what: What,
    /// Whether a line points at `--help`.
    pub(super) hint: bool,
    pub(super) status: u8,
    /// The error of the library behind it, for what can be said of the reason.
    pub(super) cause: Option<Error>,
    /// What it is that could not be done, for `ns explain` to be asked about.
    pub(super) asks: Option<Box<Question>>,
}

/// The line on standard error, without the name in front. In bytes, because
/// it repeats what it was given.
#[derive(Debug)]
pub(super) enum What {
    /// A complaint about an option.
    Usage(Vec<u8>),
    Message(Vec<u8>),
    /// What another program said.
    Verbatim(Vec<u8>),
    /// Somebody else has said it already.
    Nothing,
}

impl Failure {
    /// What the command line means can't be told: `getopt_long(3)`'s line, and
    /// one that points at `--help`.
    pub(crate) fn usage(line: Vec<u8>) -> Failure {
        Failure { what: What::Usage(line), hint: true, status: 1, cause: None, asks: None }
    }

    /// A line of the tool's own.
    pub(crate) fn message(line: impl fmt::Display) -> Failure {
        Failure::bytes(line.to_string().into_bytes())
    }

    /// The same for a line with bytes of unknown meaning in it.
    pub(crate) fn bytes(line: Vec<u8>) -> Failure {
        Failure { what: What::Message(line), hint: false, status: 1, cause: None, asks: None }
    }

    /// Only the line that points at `--help`.
    pub(crate) fn hint() -> Failure {
        Failure { what: What::Nothing, hint: true, status: 1, cause: None, asks: None }
    }

    /// `line: ` and what the system said, in the C library's words.
    pub(crate) fn system(line: impl fmt::Display, errno: impl Into<Errno>) -> Failure {
        Failure::message(format_args!("{line}: {}", Strerror(errno.into())))
    }

    /// The same, with a name of unknown bytes after `what`.
    pub(crate) fn on(what: &str, name: &OsStr, errno: impl Into<Errno>) -> Failure {
        Failure::system_bytes([what.as_bytes(), name.as_bytes()].concat(), errno)
    }

    /// `line: ` and what the system said.
    pub(crate) fn system_bytes(mut line: Vec<u8>, errno: impl Into<Errno>) -> Failure {
        line.extend_from_slice(format!(": {}", Strerror(errno.into())).as_bytes());
        Failure::bytes(line)
    }

    /// A line of another program, with its own name in front.
    pub(crate) fn verbatim(line: String) -> Failure {
        Failure { what: What::Verbatim(line.into_bytes()), hint: false, status: 1, cause: None, asks: None }
    }

    pub(crate) fn with_status(self, status: u8) -> Failure {
        Failure { status, ..self }
    }

    /// What else is known of the cause. A process that has moved already asks only about
    /// the step that it was refused, from where it is.
    pub(super) fn reason(&self) -> Vec<String> {
        let Some(cause) = &self.cause else { return Vec::new() };
        match cause {
            Error::Step { step, errno, .. }
                if !matches!(step.step, Step::Unshare(_) | Step::Join(_) | Step::Clone { .. }) =>
            {
                Question::of_step(&step.step).map_or_else(Vec::new, |question| reason_of(&question, *errno))
            }
            Error::Call { .. }
            | Error::Step { .. }
            | Error::NoSubordinateIds { .. }
            | Error::NoProcess { .. }
            | Error::Invalid { what: "/proc", .. }
            // A helper that did not start: what one is granted can't be asked any more.
            | Error::Helper { status: Some(126 | 127), .. } => reason(cause),
            Error::Map(_) | Error::WrongKind { .. } | Error::NotNamespace { .. } => vec![cause.to_string()],
            _ => Vec::new(),
        }
    }

    /// Remembers the question that it answers.
    pub(crate) fn asking(self, question: Question) -> Failure {
        Failure { asks: Some(Box::new(question)), ..self }
    }

    /// The line, without the name of the tool.
    pub(crate) fn line(&self) -> String {
        match &self.what {
            What::Usage(line) | What::Message(line) | What::Verbatim(line) => {
                String::from_utf8_lossy(line).into_owned()
            }
            What::Nothing => "its options ask for what is not there".to_owned(),
        }
    }

    /// Remembers the error of the library that it comes from.
    pub(crate) fn because(self, cause: Error) -> Failure {
        Failure { cause: Some(cause), ..self }
    }
}
