//! The exit status of this process.

/// A status, as [`std::process::ExitCode`] is one; but a number can be got out
/// of it, for a `main` that the C library calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(u8);

impl ExitCode {
    pub(crate) const SUCCESS: ExitCode = ExitCode(0);
    pub(crate) const FAILURE: ExitCode = ExitCode(1);

    pub(crate) fn number(self) -> u8 {
        self.0
    }
}

impl From<u8> for ExitCode {
    fn from(number: u8) -> ExitCode {
        ExitCode(number)
    }
}
