//! What a TARGET on the command line means.

use namespaces::{Namespace, Process};

use crate::report::Failure;

/// A process or a namespace.
#[derive(Debug)]
pub(crate) enum Target {
    Process(Process),
    Namespace(Namespace),
}

impl Target {
    /// A number is a process; everything else a file.
    pub(crate) fn find(text: &str) -> Result<Target, Failure> {
        if let Ok(pid) = text.parse() {
            return Ok(Target::Process(Process::open(pid)?));
        }
        Ok(Target::Namespace(Namespace::open(text)?))
    }
}
