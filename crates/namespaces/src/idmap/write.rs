//! The three ways to write a map.

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

/// Runs `newuidmap` or `newgidmap` on the process `pid`, a child of the caller
/// that is held until this is done.
pub(crate) fn run_helper(kind: IdKind, pid: i32, map: &IdMap) -> Result<()> {
    let program = kind.helper();
    let mut command = Command::new(program);
    command.arg(pid.to_string());
    for extent in map.extents() {
        command.args([extent.inside, extent.outside, extent.count].map(|n| n.to_string()));
    }
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().map_err(
        |error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Helper {
                program,
                pid,
                map: Box::new(map.clone()),
                said: "not installed; it is in the package uidmap or shadow-utils".to_owned(),
            },
            _ => Error::call("running", program, error),
        },
    )?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().strip_prefix(program).unwrap_or(said.trim()).trim_start_matches(": ");
    let said = if said.is_empty() { output.status.to_string() } else { said.replace('\n', "; ") };
    Err(Error::Helper { program, said, pid, map: Box::new(map.clone()) })
}
