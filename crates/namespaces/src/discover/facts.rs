//! What is learnt of processes, and which namespaces are asked.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags};

/// Which namespaces are opened and asked for their id, owner and parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ask {
    /// Each one.
    #[default]
    All,
    /// Only those that no process is in.
    WithoutProcess,
    /// None.
    Nothing,
}

/// What is read of the process that stands for a namespace: the first one in
/// it, and all of those that [`Discovery::members`](super::Discovery::members) asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its command line.
    pub command: bool,
    /// The pid of its parent.
    pub parent: bool,
    /// Its effective user id.
    pub uid: bool,
    /// The command line also of those that hold a namespace no process is in.
    pub holders: bool,
}

impl Facts {
    /// Nothing.
    pub const NONE: Facts = Facts { command: false, parent: false, uid: false, holders: false };

    pub(super) const fn of_members(self) -> bool {
        self.command || self.parent || self.uid
    }
}

impl Default for Facts {
    /// Command lines, of holders too.
    fn default() -> Facts {
        Facts { command: true, holders: true, ..Facts::NONE }
    }
}

/// What was learnt of a process, as far as it was asked for and could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Its command line: arguments, each with a NUL byte behind it; or the name
    /// of the program, without one, if it has none.
    pub command: Option<Vec<u8>>,
    /// The pid of its parent; 0 if that can't be seen from here.
    pub parent: Option<i32>,
    /// Its effective user id, as the caller's user namespace names it.
    pub uid: Option<u32>,
}

impl Seen {
    /// Reads it of the process that the directory `ns` belongs to.
    pub(super) fn read(ns: &OwnedFd, facts: Facts) -> Seen {
        Seen {
            command: facts.command.then(|| command(ns)).flatten(),
            parent: facts.parent.then(|| parent(ns)).flatten(),
            uid: facts.uid.then(|| uid(ns)).flatten(),
        }
    }
}

/// The most bytes that are kept of a command line.
const COMMAND_BYTES: usize = 8191;

fn read<'a>(ns: &OwnedFd, file: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = rustix::fs::openat(ns, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = rustix::io::read(&file, &mut *buffer).ok()?;
    Some(&buffer[..length])
}

fn command(ns: &OwnedFd) -> Option<Vec<u8>> {
    let mut buffer = [0_u8; COMMAND_BYTES];
    match read(ns, c"../cmdline", &mut buffer) {
        Some(text) if !text.is_empty() => Some(text.to_vec()),
        _ => Some(read(ns, c"../comm", &mut buffer)?.trim_ascii_end().to_vec()),
    }
}

/// The fourth field of `proc_pid_stat(5)`. The second one, a name in brackets,
/// may have brackets and blanks in it.
fn parent(ns: &OwnedFd) -> Option<i32> {
    let mut buffer = [0_u8; 256];
    let text = read(ns, c"../stat", &mut buffer)?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let field = text[end..].split(|byte| *byte == b' ').nth(2)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The owner of the directory of a process is its effective user, other than
/// that of the files in it.
fn uid(ns: &OwnedFd) -> Option<u32> {
    Some(rustix::fs::statat(ns, c"..", AtFlags::empty()).ok()?.st_uid)
}
