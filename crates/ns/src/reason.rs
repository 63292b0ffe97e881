//! The reason behind an error number, where a single file proves it.
//!
//! Only what can be shown is said: a switch of the system that forbids user
//! namespaces. Everything else stays with the error itself.

use namespaces::{Errno, Error, Kind, Step};

/// A sentence for the line below the error.
pub(crate) fn of(error: &Error) -> Option<String> {
    let Error::Step { step, errno, .. } = error else { return None };
    match step.step {
        Step::Clone { .. } if *errno == Errno::ENOMEM => Some(
            "if a pid namespace was joined: its pid 1 has ended, and no process can be made in it any more"
                .to_owned(),
        ),
        Step::Clone { kinds, .. } if kinds.contains(Kind::User) => of_new_user_namespace(*errno),
        Step::MountProc { .. } if *errno == Errno::EPERM => Some(
            "a new proc needs one that nothing covers in the present mount namespace; --no-proc goes without"
                .to_owned(),
        ),
        _ => None,
    }
}

fn of_new_user_namespace(errno: Errno) -> Option<String> {
    if errno == Errno::ENOSPC && reads("user/max_user_namespaces", "0") {
        return Some(
            "/proc/sys/user/max_user_namespaces is 0: this system grants no user namespaces".to_owned(),
        );
    }
    if errno == Errno::ENOSPC {
        return Some("a limit in /proc/sys/user is reached, here or in a user namespace above, or there are more than 32 above".to_owned());
    }
    if errno == Errno::EPERM && reads("kernel/unprivileged_userns_clone", "0") {
        return Some(
            "/proc/sys/kernel/unprivileged_userns_clone is 0: only root may make user namespaces here"
                .to_owned(),
        );
    }
    if matches!(errno, Errno::EPERM | Errno::EACCES)
        && reads("kernel/apparmor_restrict_unprivileged_userns", "1")
    {
        return Some("/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1: AppArmor needs a profile that allows userns for this program".to_owned());
    }
    None
}

fn reads(file: &str, value: &str) -> bool {
    std::fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == value)
}
