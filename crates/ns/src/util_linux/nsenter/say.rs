//! Failures in the words of `nsenter`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use namespaces::{Directory, Errno, Error, JoinTarget, Kind, Namespace, Step};

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

/// `given` are the namespaces that were joined one by one.
pub(super) fn failure(error: Error, given: &[Namespace], program: &Program<'_>) -> Failure {
    let line = match &error {
        Error::Step { step, errno, .. } => step_failed(&step.step, *errno, given, program),
        Error::Invalid { what: "user id", .. } => Failure::system("setuid() failed", Errno::EINVAL),
        Error::Invalid { what: "group id", .. } => Failure::system("setgid() failed", Errno::EINVAL),
        other => Failure::message(other),
    };
    line.because(error)
}

fn step_failed(step: &Step, errno: Errno, given: &[Namespace], program: &Program<'_>) -> Failure {
    match step {
        Step::Join(JoinTarget::Both { namespaces, .. }) if namespaces.is_empty() => {
            Failure::system("reassociate to namespaces failed", errno)
        }
        Step::Join(target) => match culprit(target, errno, given) {
            Some(kind) => Failure::system(reassociate(kind), errno),
            None => Failure::system("reassociate to namespaces failed", errno),
        },
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

/// The first of those given that can't be joined, as far as the process has
/// come; `None` if it is those of the target.
fn culprit(target: &JoinTarget, errno: Errno, given: &[Namespace]) -> Option<Kind> {
    if let JoinTarget::Both { process, kinds, .. } = target {
        let mut left = kinds.intersection(process.kinds_apart().unwrap_or(*kinds));
        let user = given.iter().any(|namespace| namespace.kind() == Kind::User);
        // The caller's own user namespace can't be joined.
        if kinds.contains(Kind::User) && !user && errno == Errno::EINVAL {
            return None;
        }
        // Of that one only children are in the one joined.
        left.remove(Kind::Pid);
        if !left.is_empty() || kinds.contains(Kind::Pid) && namespaces::enter(process, Kind::Pid).is_err() {
            return None;
        }
    }
    let user = given.iter().filter(|namespace| namespace.kind() == Kind::User);
    let others = given.iter().filter(|namespace| namespace.kind() != Kind::User);
    user.chain(others).find(|namespace| namespace.enter().is_err()).map(Namespace::kind)
}

fn os(text: &std::ffi::CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}
