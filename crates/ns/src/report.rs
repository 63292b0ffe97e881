//! Failures as lines and exit statuses.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use namespaces::explain::Explanation;
use namespaces::{Errno, Error, Step};

use crate::exit::ExitCode;
use crate::explain::{of_error, short};

/// The exit status for a failure that is not the program's.
pub(crate) const OWN_FAILURE: u8 = 125;

/// Why a subcommand failed, and the exit status that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    line: String,
    /// The reason, if more is known of it than the line says.
    answer: Option<Box<Explanation>>,
    status: u8,
}

impl Failure {
    /// A failure that no error of the library stands behind.
    pub(crate) fn new(line: impl fmt::Display) -> Failure {
        Failure { line: line.to_string(), answer: None, status: 1 }
    }

    /// The failure of a subcommand that runs a program.
    pub(crate) fn of_launch(error: &Error) -> Failure {
        let status = match error {
            Error::Step { step, errno, .. } if matches!(step.step, Step::Execute { .. }) => {
                if *errno == Errno::ENOENT { 127 } else { 126 }
            }
            _ => OWN_FAILURE,
        };
        Failure { status, ..Failure::from(error) }
    }

    /// The same with the exit status of a subcommand that runs a program.
    pub(crate) fn before_launch(self) -> Failure {
        Failure { status: OWN_FAILURE, ..self }
    }

    /// The same with the exit status of arguments that are not understood.
    pub(crate) fn of_usage(self) -> Failure {
        Failure { status: 2, ..self }
    }

    /// The same with the reason of an error that led to it.
    pub(crate) fn because(self, error: &Error) -> Failure {
        Failure { answer: of_error(error).map(Box::new), ..self }
    }

    /// The reason, for whoever asked for nothing else.
    pub(crate) fn into_answer(self) -> Result<Explanation, Failure> {
        self.answer.map(|answer| *answer).ok_or(Failure { answer: None, ..self })
    }

    /// Prints the line, and the reason below it if one is known.
    pub(crate) fn report(&self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "ns: {}", self.line);
        for line in self.answer.iter().flat_map(|answer| short(answer)) {
            let _ = writeln!(stderr, "    {line}");
        }
        ExitCode::from(self.status)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure::new(error).because(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::from(&error)
    }
}

/// The exit status that stands for the program's: its own, or 128 and the
/// number of the signal that ended it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(OWN_FAILURE))
}

/// Writes all of `text` to standard output. A reader that went away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format!("writing to standard output: {}", Errno::from(error)))),
        Ok(()) => Ok(()),
    }
}
