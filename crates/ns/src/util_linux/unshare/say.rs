//! Failures in the words of `unshare`.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

use namespaces::explain::Question;
use namespaces::{Directory, Errno, Error, Kind, Kinds, MapError, MapWriter, Step};

use super::request::Request;
use crate::util_linux::failure::Failure;
use crate::util_linux::program::{self, Program};

/// A map that the kernel would call invalid, found before it is asked.
pub(super) fn map(file: &str, error: MapError) -> Failure {
    let line = format!("failed to write /proc/self/{file}");
    Failure::system(line, Errno::EINVAL).because(Error::Map(error))
}

pub(super) fn failure(error: Error, request: &Request, program: &Program) -> Failure {
    let line = match &error {
        Error::Step { step, errno, .. } => step_failed(&step.step, *errno, program),
        Error::Helper { program, status: Some(127), .. } => {
            Failure::system(format_args!("failed to execute {program}"), Errno::ENOENT).with_status(127)
        }
        Error::Helper { program, said, .. } => Failure::verbatim(format!("{program}: {said}")),
        // Numbers that the kernel would refuse, found before it is asked.
        Error::Invalid { what: "time offset", .. } => {
            Failure::system("failed to write to /proc/self/timens_offsets", Errno::ERANGE)
                .asking(clocks(request))
        }
        Error::Invalid { what: "user id", .. } if request.uid == Some(u32::MAX) => {
            Failure::system("setuid() failed", Errno::EINVAL)
        }
        Error::Invalid { what: "group id", .. } if request.gid == Some(u32::MAX) => {
            Failure::system("setgid() failed", Errno::EINVAL)
        }
        other => Failure::message(other),
    };
    line.because(error)
}

/// The clocks that are to be set, in a time namespace of their own.
fn clocks(request: &Request) -> Question {
    let line = |clock: &str, seconds: Option<i64>| seconds.map(|seconds| format!("{clock} {seconds} 0"));
    let lines = [line("monotonic", request.monotonic), line("boottime", request.boottime)];
    let text = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
    let kinds = request.kinds.intersection(Kinds::from_iter([Kind::User, Kind::Time]));
    Question::Steps(vec![Question::unshare(kinds), Question::WriteTimeOffsets { pid: 0, text }])
}

fn step_failed(step: &Step, errno: Errno, program: &Program) -> Failure {
    match step {
        Step::Unshare(_) => Failure::system("unshare failed", errno),
        Step::WriteMap { kind, writer, .. } => {
            let file = kind.file();
            match writer {
                MapWriter::Child => wrote(&format!("/proc/self/{file}"), errno),
                _ => Failure::system(format_args!("failed to write /proc/self/{file}"), errno),
            }
        }
        Step::Setgroups { .. } => wrote("/proc/self/setgroups", errno),
        Step::TimeOffsets(_) => Failure::system("failed to write to /proc/self/timens_offsets", errno),
        Step::Bind { kind, path } => {
            let link = kind.for_children_name().unwrap_or(kind.name());
            let line = [b"mount /proc/self/ns/", link.as_bytes(), b" on ", path.to_bytes(), b" failed"];
            Failure::system_bytes(line.concat(), errno)
        }
        Step::Propagation(_) => Failure::system("cannot change root filesystem propagation", errno),
        Step::MakePrivate(path) => {
            let line = [b"cannot change ", path.to_bytes(), b" filesystem propagation"].concat();
            Failure::system_bytes(line, errno)
        }
        Step::Chroot(Directory::Path(path)) => {
            let line = [b"cannot change root directory to '", path.to_bytes(), b"'"].concat();
            Failure::system_bytes(line, errno)
        }
        Step::Chdir(Directory::Path(path)) => Failure::on("cannot change directory to ", os(path), errno),
        Step::MountProc { on, .. } | Step::MountBinfmt(on) => {
            Failure::system_bytes([b"mount ", on.to_bytes(), b" failed"].concat(), errno)
        }
        Step::RegisterBinfmt { file, .. } => wrote(&file.to_string_lossy(), errno),
        step => program::step_failed(step, errno, program),
    }
}

/// A file that could not be opened, or not written: the answer tells which.
fn wrote(file: &str, errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT | Errno::EACCES | Errno::ENOTDIR | Errno::ELOOP | Errno::EROFS => {
            Failure::system(format_args!("cannot open {file}"), errno)
        }
        errno => Failure::system(format_args!("write failed {file}"), errno),
    }
}

fn os(text: &CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}
