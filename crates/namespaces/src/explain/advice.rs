//! What helps against a cause in general, for its page. What helps in a case is found
//! in `remedy`.

use nsproxy::Rule;

use super::cause::Cause;
use super::grounds::joined_kind;

/// The least far-reaching first.
pub(super) fn helps(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::Outside(outside) => outside.facts().helps,
        Cause::Rule(rule) => of_rule(rule),
    }
}

#[allow(clippy::too_many_lines)] // A table.
fn of_rule(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::CallFiltered => super::cause::Outside::Seccomp.facts().helps,
        Rule::UserNsLevel | Rule::PidNsLevel => &["make it from a namespace further up"],
        Rule::UserNsCount
        | Rule::MntNsCount
        | Rule::UtsNsCount
        | Rule::IpcNsCount
        | Rule::PidNsCount
        | Rule::CgroupNsCount
        | Rule::NetNsCount
        | Rule::TimeNsCount => &[
            "let go of namespaces of this user that nobody needs: ns ls shows them",
            "raise the limit in /proc/sys/user of the user namespace whose limit it is, with CAP_SYS_RESOURCE there",
        ],
        Rule::UserNsChrooted => &[
            "make the directory the root of a mount namespace with pivot_root, in place of chroot: ns run --root DIR",
            "make the user namespace first, and change the root inside it",
        ],
        Rule::UserNsUnmapped => &["write the maps of the present user namespace first, from its parent"],
        Rule::UnprivilegedUsernsClone => &["as root: sysctl -w kernel.unprivileged_userns_clone=1"],
        Rule::UnshareNeedsAdmin | Rule::NamespacesNeedAdmin | Rule::CgroupNsAdmin => &[
            "make a user namespace in the same call, which brings all capabilities in it",
            "as root of the user namespace, with CAP_SYS_ADMIN",
        ],
        Rule::UnshareThreads | Rule::SetnsUserThreads | Rule::SetnsTimeThreads => {
            &["do it before the program starts threads, or in a child process"]
        }
        Rule::SetnsUserSharedFs | Rule::SetnsMntSharedFs => &["call unshare(CLONE_FS) first"],
        Rule::SetnsUserOwn => &["leave user out of what is joined"],
        Rule::PidForChildrenEmpty => &["let the process fork first: its child is the init of that namespace"],
        Rule::PidNsNotActive | Rule::ThreadWhilePidPending => &["fork first, and do it in the child"],
        Rule::PidNsDead => {
            &["make the pid namespace anew, and keep its first process alive: unshare --pid --fork"]
        }
        _ if joined_kind(rule).is_some() => &[
            "join the user namespace that owns it in the same call, or before",
            "as root of a user namespace that is the owner or above it",
        ],
        Rule::SetnsTargetAccess | Rule::PtraceAccess => &[
            "ask as the user of that process, with the capabilities that it has",
            "as root of the user namespace that it is in, with CAP_SYS_PTRACE",
        ],
        Rule::PathAccess => &[
            "make the call as the user to whom the file or directory belongs",
            "as that user: let the one other user in, setfacl -m u:UID:x DIRECTORY",
        ],
        Rule::MapNotPermitted => &[
            "map only the caller's own id; for a group deny setgroups first",
            "let newuidmap and newgidmap write the maps, within what /etc/subuid and /etc/subgid grant",
        ],
        Rule::MapRootNeedsSetfcap => {
            &["map another id than the parent's 0, or write the map as root of the parent"]
        }
        Rule::MapAlreadySet => &["make a new user namespace"],
        Rule::SetgroupsCall => &[
            "leave the groups as they are",
            "make the user namespace with a group map that newgidmap writes, which leaves setgroups allowed",
        ],
        Rule::SetidUnmapped | Rule::SetgroupsUnmapped => {
            &["make the user namespace with a map that contains the id"]
        }
        Rule::TimeOffsetsFrozen => {
            &["make a new time namespace, and set its clocks before any process enters it"]
        }
        Rule::NoFreeFd => &[
            "close descriptors that are not needed, or raise the limit: ulimit -n, LimitNOFILE= of a systemd unit, nofile in /etc/security/limits.conf",
        ],
        Rule::NoSuchTask | Rule::SetnsTargetGone | Rule::SetnsTargetZombie | Rule::LinkGone => &[
            "name a process that still runs, by its number in the caller's own pid namespace: ns ls shows one in each namespace",
        ],
        Rule::PidExhausted => &[
            "end processes of this pid namespace, or of one above",
            "as root of the user namespace that owns it: raise kernel.pid_max there",
        ],
        Rule::ForkNproc => &["end processes of this user, or raise its limit"],
        Rule::MountPrivilege => &["make a user and a mount namespace first"],
        Rule::FsPrivilege => {
            &["make the namespace that the file system shows new too, or bind the one that is there"]
        }
        Rule::MountTooRevealing => &[
            "bind the one that is there, with all that covers it",
            "outside: keep one instance without anything over it",
        ],
        Rule::MountMax => &["unmount what is not needed", "as root: raise fs.mount-max"],
        Rule::RemountLocked | Rule::SetattrLocked => &[
            "repeat the flags that the mount has",
            "use mount_setattr, which leaves other flags as they are",
        ],
        Rule::UmountLocked | Rule::MoveLocked => {
            &["mount over it", "unmount it in the mount namespace that it came from"]
        }
        Rule::CopyUnbindableLocked => &["make it bindable again: mount --make-private"],
        Rule::BindLockedChildren => &["bind it with all that is mounted in it: mount --rbind"],
        Rule::PivotNewNotMount | Rule::PivotBusy | Rule::PivotLocked => {
            &["bind the directory to itself first"]
        }
        Rule::PivotShared => &["make the mounts private first: mount --make-rprivate /"],
        Rule::PivotAbsoluteRoot => &["move the new root over / and chroot into it, as switch_root does"],
        Rule::PivotPutOld | Rule::PivotUnreachable => {
            &["name a directory below new_root for put_old, or . for both"]
        }
        Rule::NetUnreachable => &["ip link set lo up"],
        _ => &[],
    }
}
