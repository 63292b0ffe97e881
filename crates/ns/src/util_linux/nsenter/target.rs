//! The process whose namespaces are entered, and what is taken from it.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use namespaces::discover::Discovery;
use namespaces::explain::Question;
use namespaces::{Errno, Error, Kind, Kinds, Namespace, Process};
use rustix::fs::{Mode, OFlags};

use super::request::Request;
use crate::util_linux::failure::Failure;
use crate::util_linux::program::Environment;

/// The target of a request that has one.
pub(super) struct Target<'a> {
    request: &'a Request,
}

impl<'a> Target<'a> {
    pub(super) fn new(request: &'a Request) -> Target<'a> {
        Target { request }
    }

    /// Its number, if there is a target.
    pub(super) fn pid(&self) -> Result<i32, Failure> {
        self.request.pid.ok_or_else(|| Failure::message("no target PID specified"))
    }

    pub(super) fn process(&self, kinds: Kinds) -> Result<Process, Failure> {
        let pid = self.pid()?;
        let opened = match self.request.inode {
            Some(inode) => Process::open_checked(pid, inode),
            None => Process::open(pid),
        };
        opened.map_err(|error| {
            let first = FILES.into_iter().find(|kind| kinds.contains(*kind));
            let line = if let (None, Some(kind)) = (self.request.inode, first) {
                Failure::system(format_args!("cannot open /proc/{pid}/ns/{kind}"), Errno::ENOENT)
            } else {
                let line = format!("failed to obtain a valid file descriptor for PID {pid}");
                Failure::system(line, Errno::ESRCH)
            };
            line.because(error).asking(Question::JoinProcess { pid, kinds })
        })
    }

    /// All kinds, the user namespace only if it is another than the caller's, or among those `asked` for.
    pub(super) fn all(&self, asked: Kinds) -> Result<Kinds, Failure> {
        let Some(pid) = self.request.pid else {
            return Err(Failure::message("no target PID specified for --all"));
        };
        let mut kinds = Kinds::ALL;
        if asked.contains(Kind::User) {
            return Ok(kinds);
        }
        let theirs = format!("/proc/{pid}/ns/user");
        let link = |path: &str| rustix::fs::readlink(path, Vec::new());
        let failed = |errno: rustix::io::Errno| {
            let object = format!("user namespace of process {pid}");
            let cause = Error::Call { doing: "opening", object, errno: errno.into() };
            let line = Failure::system(format_args!("stat of {theirs} failed"), errno).because(cause);
            line.asking(Question::OpenNamespace { pid, link: Kind::User.into() })
        };
        let user = link(&theirs).map_err(failed)?;
        if link("/proc/self/ns/user").is_ok_and(|mine| mine == user) {
            kinds.remove(Kind::User);
        }
        Ok(kinds)
    }

    /// A file of its `/proc` directory.
    pub(super) fn open(&self, file: &str, flags: OFlags) -> Result<OwnedFd, Failure> {
        self.open_with_errno(file, flags).map_err(|(failure, _)| failure)
    }

    fn open_with_errno(&self, file: &str, flags: OFlags) -> Result<OwnedFd, (Failure, Option<Errno>)> {
        let Some(pid) = self.request.pid else {
            let line = format!("neither filename nor target pid supplied for {file}");
            return Err((Failure::message(line), None));
        };
        let path = format!("/proc/{pid}/{file}");
        let opened = rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty());
        opened
            .map_err(|errno| (Failure::system(format_args!("cannot open {path}"), errno), Some(errno.into())))
    }

    /// Its environment: each variable as it is set last.
    pub(super) fn environment(&self) -> Result<Environment, Unread> {
        let unread = |(failure, errno)| match errno {
            Some(Errno::EACCES) => Unread::Refused(failure),
            _ => Unread::Failed(failure),
        };
        let text = self.open_with_errno("environ", OFlags::RDONLY).map_err(unread)?;
        Ok(variables(&read_all("environ", text).map_err(Unread::Failed)?))
    }

    pub(super) fn read(&self, file: &str) -> Result<Vec<u8>, Failure> {
        read_all(file, self.open(file, OFlags::RDONLY)?)
    }

    /// The `cgroup.procs` of its group in the unified hierarchy.
    pub(super) fn cgroup_procs(&self) -> Result<OwnedFd, Failure> {
        let text = self.read("cgroup")?;
        let only_v2 = || Failure::message("--join-cgroup is only supported in cgroup v2");
        let group = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
        let (mount, group) = unified_mount().zip(group).ok_or_else(only_v2)?;
        let group = OsStr::from_bytes(group.strip_prefix(b"/").unwrap_or(group));
        let path = mount.join(group).join("cgroup.procs");
        rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Failure::on("cannot open ", path.as_os_str(), errno))
    }
}

/// Why an environment could not be read.
pub(super) enum Unread {
    /// Its file belongs to somebody else.
    Refused(Failure),
    Failed(Failure),
}

impl Unread {
    pub(super) fn failure(self) -> Failure {
        match self {
            Unread::Refused(failure) | Unread::Failed(failure) => failure,
        }
    }
}

fn read_all(name: &str, file: OwnedFd) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::system(format_args!("cannot read {name}"), Errno::from(error));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(file), &mut text).map_err(failed)?;
    Ok(text)
}

/// In this order single namespaces are opened and joined.
pub(super) const FILES: [Kind; 8] =
    [Kind::User, Kind::Cgroup, Kind::Ipc, Kind::Uts, Kind::Net, Kind::Pid, Kind::Mnt, Kind::Time];

/// Those that this kernel has.
pub(super) fn known(kinds: Kinds) -> Kinds {
    let there = |kind: &Kind| {
        let path = format!("/proc/self/ns/{kind}");
        rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok()
    };
    kinds.iter().filter(there).collect()
}

/// Where the unified hierarchy is mounted, alone or beside the older ones.
fn unified_mount() -> Option<PathBuf> {
    let text = std::fs::read("/proc/self/mountinfo").ok()?;
    // `mountinfo`: the mount point is the fifth field, the type the first after " - ".
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        let whole = mount.split(' ').nth(3)? == "/";
        (whole && file_system.starts_with("cgroup2 ")).then(|| PathBuf::from(point))
    })
}

/// The variables of an environment as `/proc/PID/environ` has it. What is no
/// variable is left out, and of several with one name all but the last.
fn variables(text: &[u8]) -> Environment {
    let mut variables = Environment::new();
    for entry in text.split(|byte| *byte == 0) {
        let Some(equals) = entry.iter().position(|byte| *byte == b'=') else { continue };
        let text = |bytes: &[u8]| OsString::from(OsStr::from_bytes(bytes));
        let (name, value) = (text(&entry[..equals]), text(&entry[equals + 1..]));
        if name.is_empty() {
            continue;
        }
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => variables.push((name, value)),
        }
    }
    variables
}

/// The namespace with this 64-bit id, which the kernel finds by that alone
/// only since Linux 6.19; else it is looked for.
pub(super) fn namespace_with_id(kind: Kind, id: u64) -> Result<Namespace, Failure> {
    let failed = |error: Error| {
        let errno = error.errno().unwrap_or(Errno::ESTALE);
        Failure::system(shown(id), errno).because(error)
    };
    let by_handle = Namespace::from_id(kind, id, 0);
    let Err(error) = by_handle else { return by_handle.map_err(failed) };
    let system = Discovery::new().kinds(kind).scan().map_err(failed)?;
    match system.by_id(id).filter(|found| found.name.kind == kind) {
        Some(found) => system.open(found.name).map_err(failed),
        None => Err(failed(error)),
    }
}

fn shown(id: u64) -> impl Display {
    format!("cannot open namespace of id {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_variable_set_twice_the_last_value_counts() {
        let variables = variables(b"A=1\0no variable\0B=2=3\0A=4\0=5\0C=\0");
        let shown: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_str().unwrap(), value.to_str().unwrap()))
            .collect();
        assert_eq!(shown, ["A=4", "B=2=3", "C="]);
    }
}
