//! setns.

use super::*;
use nsproxy::{NsKind, NsLink};

fn bits(flags: u64) -> u32 {
    u32::try_from(flags).unwrap()
}

/// The shell joins one namespace of a child that has its own; the shell lacks
/// `CAP_SYS_ADMIN` where `bad` says so.
fn join_without_admin(kind: NsKind, bad: bool) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let child = kernel.clone3(shell, &nsproxy::CloneArgs::new(kind.flag())).unwrap();
    let number = child.pid.cast_signed();
    let fd = kernel.open_ns(shell, number, NsLink::Own(kind)).unwrap();
    if bad {
        drop_cap(&mut kernel, shell, Cap::SysAdmin);
    }
    kernel.setns(shell, fd, 0)
}

/// The shell joins the user namespace of a child.
fn join_user(change: impl FnOnce(&mut Kernel, TaskId)) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let child = kernel.sys_clone(shell, CLONE_NEWUSER | u64::from(SIGCHLD)).unwrap();
    let number = child.pid.cast_signed();
    let fd = kernel.open_ns(shell, number, NsLink::Own(NsKind::User)).unwrap();
    change(&mut kernel, shell);
    kernel.setns(shell, fd, 0)
}

/// A pidfd of a child that may have ended.
fn child_pidfd(ended: bool, reaped: bool) -> (Kernel, TaskId, i32) {
    let (mut kernel, _, shell) = boot();
    let child = kernel.fork(shell).unwrap();
    let fd = kernel.pidfd_open(shell, child.pid.cast_signed(), 0).unwrap();
    if ended {
        kernel.exit(child.task, 0).unwrap();
    }
    if reaped {
        kernel.wait(shell).unwrap();
    }
    (kernel, shell, fd)
}

pub(super) const CASES: &[Case] = &[
    (Rule::BadFd, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap();
        kernel.setns(shell, if bad { fd + 1 } else { fd }, 0)
    }),
    (Rule::SetnsTypeMismatch, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap();
        kernel.setns(shell, fd, bits(if bad { CLONE_NEWIPC } else { CLONE_NEWUTS }))
    }),
    (Rule::SetnsPidfdFlags, |bad| {
        let (mut kernel, shell, fd) = child_pidfd(false, false);
        kernel.setns(shell, fd, bits(if bad { 0 } else { CLONE_NEWUTS }))
    }),
    (Rule::SetnsKindNotBuilt, |bad| {
        let (mut kernel, shell, fd) = child_pidfd(false, false);
        kernel.params_mut().features.set_built(NsKind::Time, !bad);
        kernel.setns(shell, fd, bits(CLONE_NEWTIME))
    }),
    (Rule::SetnsNotNamespace, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = if bad {
            kernel.open_plain(shell).unwrap()
        } else {
            kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap()
        };
        kernel.setns(shell, fd, 0)
    }),
    (Rule::SetnsTargetGone, |bad| {
        let (mut kernel, shell, fd) = child_pidfd(bad, bad);
        kernel.setns(shell, fd, bits(CLONE_NEWUTS))
    }),
    (Rule::SetnsTargetAccess, |bad| {
        let (mut kernel, init, _) = boot();
        let task = user(&mut kernel);
        let fd = kernel.pidfd_open(task, if bad { 1 } else { pid(&kernel, task) }, 0).unwrap();
        let _ = init;
        kernel.setns(task, fd, bits(CLONE_NEWUTS))
    }),
    (Rule::SetnsTargetZombie, |bad| {
        let (mut kernel, shell, fd) = child_pidfd(bad, false);
        kernel.setns(shell, fd, bits(CLONE_NEWUTS))
    }),
    (Rule::SetnsUserOwn, |bad| {
        let (mut kernel, _, shell) = boot();
        if !bad {
            return join_user(|_, _| ());
        }
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::User)).unwrap();
        kernel.setns(shell, fd, 0)
    }),
    (Rule::SetnsUserThreads, |bad| {
        join_user(|kernel, shell| {
            if bad {
                thread_of(kernel, shell);
            }
        })
    }),
    (Rule::SetnsUserSharedFs, |bad| {
        join_user(|kernel, shell| {
            let share = if bad { CLONE_FS } else { 0 };
            kernel.sys_clone(shell, share).unwrap();
        })
    }),
    (Rule::SetnsUserAdmin, |bad| {
        join_user(|kernel, shell| {
            if bad {
                // Neither root by name nor the owner of the namespace any more.
                kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
            }
        })
    }),
    (Rule::SetnsMntAdmin, |bad| join_without_admin(NsKind::Mnt, bad)),
    (Rule::SetnsMntSharedFs, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sys_clone(shell, CLONE_FS).unwrap();
        let flags = CLONE_NEWNS | if bad { 0 } else { CLONE_NEWUTS };
        let fd = kernel.pidfd_open(shell, 2, 0).unwrap();
        kernel.setns(shell, fd, bits(flags))
    }),
    (Rule::SetnsUtsAdmin, |bad| join_without_admin(NsKind::Uts, bad)),
    (Rule::SetnsIpcAdmin, |bad| join_without_admin(NsKind::Ipc, bad)),
    (Rule::SetnsPidAdmin, |bad| join_without_admin(NsKind::Pid, bad)),
    (Rule::SetnsCgroupAdmin, |bad| join_without_admin(NsKind::Cgroup, bad)),
    (Rule::SetnsNetAdmin, |bad| join_without_admin(NsKind::Net, bad)),
    (Rule::SetnsTimeAdmin, |bad| join_without_admin(NsKind::Time, bad)),
    (Rule::SetnsPidNotBelow, |bad| {
        // A child in a new pid namespace gets a descriptor of its parent's.
        let (mut kernel, _, shell) = boot();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Pid)).unwrap();
        let child = kernel.sys_clone(shell, if bad { CLONE_NEWPID } else { 0 }).unwrap();
        kernel.setns(child.task, fd, 0)
    }),
    (Rule::SetnsTimeThreads, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Time)).unwrap();
        kernel.sys_clone(shell, if bad { CLONE_VM } else { 0 }).unwrap();
        kernel.setns(shell, fd, 0)
    }),
];
