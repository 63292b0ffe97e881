//! Failures in the words of `nsenter`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use namespaces::{Directory, Errno, Error, JoinTarget, Kind, Step};

use crate::util_linux::failure::Failure;
use crate::util_linux::program::{self, Program};

/// A file that is no namespace of the kind wanted.
pub(super) fn not_this_kind(kind: Kind, error: Error) -> Failure {
    Failure::system(reassociate(kind), Errno::EINVAL).because(error)
}

pub(super) fn no_parent(error: Error) -> Failure {
    let errno = error.errno().unwrap_or(Errno::EPERM);
    Failure::system("failed to open parent namespace", errno).because(error)
}

pub(super) fn no_socket(fd: i32, error: Error) -> Failure {
    let errno = error.errno().unwrap_or(Errno::EBADF);
    let line = match errno {
        Errno::ENOTTY | Errno::ENOTSOCK => format!("descriptor {fd} of the target is not a socket"),
        _ => format!("cannot get descriptor {fd} of the target"),
    };
    Failure::system(line, errno).because(error)
}

fn reassociate(kind: Kind) -> String {
    format!("reassociate to namespace 'ns/{kind}' failed")
}

pub(super) fn failure(error: Error, program: &Program<'_>) -> Failure {
    let line = match &error {
        Error::Step { step, errno, .. } => step_failed(&step.step, *errno, program),
        Error::Invalid { what: "user id", .. } => Failure::system("setuid() failed", Errno::EINVAL),
        Error::Invalid { what: "group id", .. } => Failure::system("setgid() failed", Errno::EINVAL),
        other => Failure::message(other),
    };
    line.because(error)
}

fn step_failed(step: &Step, errno: Errno, program: &Program<'_>) -> Failure {
    match step {
        Step::Join(JoinTarget::Namespaces(one)) if one.len() == 1 => {
            Failure::system(reassociate(one[0].kind()), errno)
        }
        Step::Join(_) => Failure::system("reassociate to namespaces failed", errno),
        Step::Chroot(Directory::Path(path)) => Failure::on("cannot change root to ", os(path), errno),
        Step::Chroot(_) => Failure::system("change directory by root file descriptor failed", errno),
        Step::Chdir(Directory::Path(_)) => Failure::system("cannot open current working directory", errno),
        Step::Chdir(_) => {
            Failure::system("change directory by working directory file descriptor failed", errno)
        }
        Step::JoinCgroup(_) => Failure::system("write cgroup.procs failed", errno),
        Step::FollowIds(_) => Failure::system("cannot stat the target", errno),
        step => program::step_failed(step, errno, program),
    }
}

fn os(text: &std::ffi::CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}
