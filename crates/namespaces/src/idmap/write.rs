//! The three ways to write a map.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use super::IdMap;
use crate::error::{Error, Result};

/// Which of the two maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// User ids: `uid_map`.
    Uid,
    /// Group ids: `gid_map`.
    Gid,
}

impl IdKind {
    /// The file in `/proc/PID`.
    pub const fn file(self) -> &'static str {
        match self {
            IdKind::Uid => "uid_map",
            IdKind::Gid => "gid_map",
        }
    }

    pub(crate) const fn helper(self) -> &'static str {
        match self {
            IdKind::Uid => "newuidmap",
            IdKind::Gid => "newgidmap",
        }
    }
}

/// Who writes the maps of a new user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapWriter {
    /// The least that the maps need: the new process for a map of the
    /// caller's own id, the caller if it has the capabilities, else the helpers.
    #[default]
    Auto,
    /// The new process itself. The kernel lets it map only the caller's own
    /// ids, one each, and takes `setgroups(2)` away from it.
    Child,
    /// The caller, which needs `CAP_SETUID` and `CAP_SETGID`.
    Caller,
    /// `newuidmap(1)` and `newgidmap(1)`, within what `/etc/subuid` and
    /// `/etc/subgid` grant.
    Helpers,
}

impl IdKind {
    /// What `newuidmap` or `newgidmap` is called with, its name first.
    pub(crate) fn helper_words(self, pid: i32, map: &IdMap) -> Vec<CString> {
        let numbers = map.extents().iter().flat_map(|e| [e.inside, e.outside, e.count]);
        let words = [self.helper().to_owned(), pid.to_string()];
        let words = words.into_iter().chain(numbers.map(|number| number.to_string()));
        // Digits and letters have no byte of value zero.
        words.filter_map(|word| CString::new(word).ok()).collect()
    }

    /// What its exit status, if it exited, and its complaint come to.
    pub(crate) fn helper_outcome(self, pid: i32, map: &IdMap, status: Option<i32>, said: &str) -> Result<()> {
        let program = self.helper();
        let said = said.trim();
        let said = said.strip_prefix(program).unwrap_or(said).trim_start_matches(": ").replace('\n', "; ");
        let said = match status {
            Some(0) => return Ok(()),
            Some(127) if said.is_empty() => {
                "not installed; it is in the package uidmap or shadow-utils".to_owned()
            }
            Some(status) if said.is_empty() => format!("exit status {status}"),
            None if said.is_empty() => "killed".to_owned(),
            _ => said,
        };
        Err(Error::Helper { program, status, said, pid, map: Box::new(map.clone()) })
    }
}

/// Runs `newuidmap` or `newgidmap` on the process `pid`, a child of the caller
/// that is held until this is done.
pub(crate) fn run_helper(kind: IdKind, pid: i32, map: &IdMap) -> Result<()> {
    let words = kind.helper_words(pid, map);
    let mut command = Command::new(kind.helper());
    command.args(words.iter().skip(1).map(|word| OsStr::from_bytes(word.to_bytes())));
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    match output {
        Ok(output) => {
            kind.helper_outcome(pid, map, output.status.code(), &String::from_utf8_lossy(&output.stderr))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            kind.helper_outcome(pid, map, Some(127), "")
        }
        Err(error) => Err(Error::call("running", kind.helper(), error)),
    }
}
