//! clone, clone3, unshare, and what they build.

use super::*;
use nsproxy::{Call, CloneArgs, Errno, Hook, NsKind, Resource};

fn clone3(change: impl FnOnce(&mut CloneArgs<'_>)) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let mut args = CloneArgs::new(0);
    change(&mut args);
    ok(kernel.clone3(shell, &args))
}

fn flags(bits: u64) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    ok(kernel.clone3(shell, &CloneArgs::new(bits).with_exit_signal(0)))
}

fn flags_in(major: u8, minor: u8, bits: u64) -> Result<(), Denial> {
    let (mut kernel, _, shell) = release(major, minor);
    ok(kernel.clone3(shell, &CloneArgs::new(bits).with_exit_signal(0)))
}

/// A namespace of `kind` when the limit of the first user namespace is this.
fn limited(kind: NsKind, limit: i64) -> Result<(), Denial> {
    let (mut kernel, init, shell) = boot();
    kernel.write_max_namespaces(init, kind, limit).unwrap();
    kernel.unshare(shell, kind.flag())
}

fn with_tids(bits: u64, tids: &[i32]) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    ok(kernel.clone3(shell, &CloneArgs::new(bits).with_set_tid(tids)))
}

fn into_cgroup(change: impl FnOnce(&mut Kernel, TaskId)) -> Result<(), Denial> {
    let (mut kernel, init, shell) = boot();
    kernel.cgroup_set_subtree_control(init, "/", true).unwrap();
    kernel.cgroup_mkdir(init, "/a").unwrap();
    let fd = kernel.open_cgroup(shell, "/a").unwrap();
    change(&mut kernel, shell);
    let mut args = CloneArgs::new(CLONE_INTO_CGROUP);
    args.cgroup = u64::try_from(fd).unwrap();
    ok(kernel.clone3(shell, &args))
}

const THREAD: u64 = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

pub(super) const CASES: &[Case] = &[
    (Rule::CallerDead, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            kernel.exit(shell, 0).unwrap();
        }
        ok(kernel.fork(shell))
    }),
    (Rule::CallerBlocked, |bad| {
        let (mut kernel, _, shell) = boot();
        let child = kernel.vfork(shell).unwrap().task;
        if !bad {
            kernel.exit(child, 0).unwrap();
        }
        ok(kernel.fork(shell))
    }),
    (Rule::FirstInitExit, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.exit(if bad { init } else { shell }, 0)
    }),
    (Rule::CallFiltered, |bad| {
        let (mut kernel, _, shell) = boot();
        let call = if bad { Call::Unshare } else { Call::Setns };
        kernel.params_mut().hooks.push((Hook::Call(call), Errno::EPERM));
        kernel.unshare(shell, CLONE_NEWUTS)
    }),
    (Rule::Clone3SizeTooBig, |bad| clone3(|args| args.size = if bad { 4097 } else { 4096 })),
    (Rule::Clone3SizeTooSmall, |bad| clone3(|args| args.size = if bad { 63 } else { 64 })),
    (Rule::Clone3Fault, |bad| clone3(|args| args.fault = bad)),
    (Rule::Clone3UnknownTail, |bad| {
        clone3(|args| {
            args.size = 96;
            args.unknown_tail = bad;
        })
    }),
    (Rule::SetTidTooMany, |bad| clone3(|args| args.set_tid_size = if bad { 33 } else { 32 })),
    (Rule::SetTidNull, |bad| clone3(|args| args.set_tid_size = u64::from(bad))),
    (Rule::SetTidEmpty, |bad| clone3(|args| args.set_tid = bad.then_some(&[]))),
    (Rule::Clone3ExitSignalBits, |bad| clone3(|args| args.exit_signal = if bad { 0x111 } else { 17 })),
    (Rule::Clone3ExitSignal, |bad| clone3(|args| args.exit_signal = if bad { 65 } else { 64 })),
    (Rule::IntoCgroupField, |bad| {
        into_cgroup(|_, _| ()).unwrap();
        clone3(|args| {
            args.flags = CLONE_INTO_CGROUP;
            args.cgroup = if bad { u64::MAX } else { 3 };
        })
    }),
    (Rule::SetTidFault, |bad| {
        clone3(|args| {
            args.set_tid = Some(&[31_000]);
            args.set_tid_size = if bad { 2 } else { 1 };
        })
    }),
    (Rule::Clone3UnknownFlags, |bad| clone3(|args| args.flags = if bad { 1 << 34 } else { CLONE_NEWUTS })),
    (Rule::Clone3ReservedFlags, |bad| clone3(|args| args.flags = if bad { 17 } else { CLONE_NEWTIME })),
    (Rule::ClearSighandShared, |bad| {
        let share = if bad { CLONE_SIGHAND | CLONE_VM } else { 0 };
        flags(CLONE_CLEAR_SIGHAND | share)
    }),
    (Rule::Clone3ThreadExitSignal, |bad| {
        clone3(|args| {
            args.flags = CLONE_PARENT;
            args.exit_signal = if bad { 17 } else { 0 };
        })
    }),
    (Rule::Clone3Stack, |bad| {
        clone3(|args| {
            args.stack = 0x10000;
            args.stack_size = if bad { 0 } else { 0x1000 };
        })
    }),
    (Rule::PidfdIsParentTid, |bad| {
        let (mut kernel, _, shell) = boot();
        let tid = if bad { CLONE_PARENT_SETTID } else { 0 };
        ok(kernel.sys_clone(shell, CLONE_PIDFD | tid))
    }),
    (Rule::CloneExitSignal, |bad| {
        let (mut kernel, _, shell) = if bad { release(7, 1) } else { release(7, 0) };
        ok(kernel.sys_clone(shell, 65))
    }),
    (Rule::NewnsWithFs, |bad| flags(CLONE_NEWNS | if bad { CLONE_FS } else { 0 })),
    (Rule::NewuserWithFs, |bad| flags(CLONE_NEWUSER | if bad { CLONE_FS } else { 0 })),
    (Rule::UnprivilegedUsernsClone, |bad| {
        let (mut kernel, _, _) = boot();
        kernel.params_mut().features.unprivileged_userns_clone = Some(!bad);
        let task = user(&mut kernel);
        ok(kernel.sys_clone(task, CLONE_NEWUSER))
    }),
    (Rule::ThreadWithoutSighand, |bad| flags(CLONE_THREAD | CLONE_VM | if bad { 0 } else { CLONE_SIGHAND })),
    (Rule::SighandWithoutVm, |bad| flags(CLONE_SIGHAND | if bad { 0 } else { CLONE_VM })),
    (Rule::ParentOfInit, |bad| {
        let (mut kernel, init, shell) = boot();
        ok(kernel.sys_clone(if bad { init } else { shell }, CLONE_PARENT))
    }),
    (Rule::ThreadInNewNamespace, |bad| flags(THREAD | if bad { CLONE_NEWPID } else { CLONE_NEWUTS })),
    (Rule::ThreadWhilePidPending, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        ok(kernel.sys_clone(shell, if bad { THREAD } else { CLONE_VM }))
    }),
    (Rule::VmWhileTimePending, |bad| {
        let (mut kernel, _, shell) = if bad { release(6, 1) } else { release(6, 6) };
        kernel.unshare(shell, CLONE_NEWTIME).unwrap();
        ok(kernel.sys_clone(shell, CLONE_VM))
    }),
    (Rule::PidfdDetached, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.sys_clone(shell, CLONE_DETACHED | if bad { CLONE_PIDFD } else { 0 }))
    }),
    (Rule::PidfdThread, |bad| flags_in(6, if bad { 8 } else { 9 }, THREAD | CLONE_PIDFD)),
    (Rule::AutoreapFlags, |bad| flags_in(7, 1, CLONE_AUTOREAP | if bad { CLONE_PARENT } else { 0 })),
    (Rule::ParentOfAutoreap, |bad| {
        let (mut kernel, _, shell) = release(7, 1);
        let reaped = if bad { CLONE_AUTOREAP } else { 0 };
        let args = CloneArgs::new(reaped).with_exit_signal(0);
        let child = kernel.clone3(shell, &args).unwrap().task;
        ok(kernel.sys_clone(child, CLONE_PARENT))
    }),
    (Rule::NnpThread, |bad| flags_in(7, 1, CLONE_NNP | if bad { THREAD } else { 0 })),
    (Rule::AutokillFlags, |bad| {
        let pidfd = if bad { 0 } else { CLONE_PIDFD };
        flags_in(7, 1, CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | pidfd)
    }),
    (Rule::AutokillPrivilege, |bad| {
        let (mut kernel, _, _) = release(7, 1);
        let task = user(&mut kernel);
        let nnp = if bad { 0 } else { CLONE_NNP };
        let bits = CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_PIDFD | nnp;
        ok(kernel.clone3(task, &CloneArgs::new(bits).with_exit_signal(0)))
    }),
    (Rule::ForkNproc, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let limit = if bad { 1 } else { 2 };
        kernel.prlimit(task, 0, Resource::Nproc, limit, limit).unwrap();
        ok(kernel.fork(task))
    }),
    (Rule::ForkMaxThreads, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.params_mut().threads_max = if bad { 2 } else { 3 };
        ok(kernel.fork(shell))
    }),
    (Rule::ForkLsm, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            kernel.params_mut().hooks.push((Hook::TaskAlloc, Errno::EPERM));
        }
        ok(kernel.fork(shell))
    }),
    (Rule::NamespacesNeedAdmin, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let user_ns = if bad { 0 } else { CLONE_NEWUSER };
        ok(kernel.sys_clone(task, CLONE_NEWUTS | user_ns))
    }),
    (Rule::NewipcWithSysvsem, |bad| flags(CLONE_NEWIPC | if bad { CLONE_SYSVSEM } else { 0 })),
    (Rule::PidfdFault, |bad| {
        clone3(|args| {
            args.flags = CLONE_PIDFD;
            args.pidfd = if bad { CloneArgs::BAD_ADDRESS } else { 0x1000 };
        })
    }),
    (Rule::IntoCgroupBadFd, |bad| {
        into_cgroup(|kernel, shell| {
            if bad {
                kernel.close(shell, 3).unwrap();
                kernel.open_plain(shell).unwrap();
            }
        })
    }),
    (Rule::IntoCgroupGone, |bad| {
        into_cgroup(|kernel, shell| {
            if bad {
                kernel.cgroup_rmdir(shell, "/a").unwrap();
            }
        })
    }),
    (Rule::IntoCgroupAccess, |bad| {
        into_cgroup(|kernel, shell| {
            if bad {
                kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
            }
        })
    }),
    (Rule::IntoCgroupDelegation, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.params_mut().features.nsdelegate = bad;
        kernel.cgroup_mkdir(shell, "/a").unwrap();
        kernel.cgroup_mkdir(shell, "/b").unwrap();
        let fd = kernel.open_cgroup(shell, "/b").unwrap();
        kernel.cgroup_move(shell, "/a", 0).unwrap();
        kernel.unshare(shell, CLONE_NEWCGROUP).unwrap();
        let mut args = nsproxy::CloneArgs::new(CLONE_INTO_CGROUP);
        args.cgroup = u64::try_from(fd).unwrap();
        ok(kernel.clone3(shell, &args))
    }),
    (Rule::IntoCgroupBusy, |bad| {
        into_cgroup(|kernel, shell| kernel.cgroup_set_subtree_control(shell, "/a", bad).unwrap())
    }),
    (Rule::IntoCgroupThread, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.cgroup_mkdir(shell, "/a").unwrap();
        let fd = kernel.open_cgroup(shell, if bad { "/a" } else { "/" }).unwrap();
        let flags = CLONE_INTO_CGROUP | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
        let mut args = CloneArgs::new(flags).with_exit_signal(0);
        args.cgroup = u64::from(fd.unsigned_abs());
        ok(kernel.clone3(shell, &args))
    }),
    (Rule::PidsLimit, |bad| {
        into_cgroup(|kernel, shell| {
            let max = u32::from(!bad);
            kernel.cgroup_set_pids_max(shell, "/a", Some(max)).unwrap();
        })
    }),
    (Rule::UserNsLevel, |bad| {
        let (mut kernel, _, shell) = boot();
        for _ in 0..if bad { 33 } else { 32 } {
            kernel.unshare(shell, CLONE_NEWUSER).unwrap();
            kernel.write_map(shell, 2, MapKind::Uid, "0 0 1").unwrap();
            kernel.write_setgroups(shell, 2, "deny").ok();
            kernel.write_map(shell, 2, MapKind::Gid, "0 0 1").unwrap();
        }
        kernel.unshare(shell, CLONE_NEWUSER)
    }),
    (Rule::UserNsCount, |bad| limited(NsKind::User, i64::from(!bad))),
    (Rule::UserNsChrooted, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.chroot(shell, if bad { "/tmp" } else { "/" }).unwrap();
        kernel.unshare(shell, CLONE_NEWUSER)
    }),
    (Rule::UserNsUnmapped, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        if !bad {
            kernel.write_map(shell, 2, MapKind::Uid, "0 0 1").unwrap();
            kernel.write_setgroups(shell, 2, "deny").unwrap();
            kernel.write_map(shell, 2, MapKind::Gid, "0 0 1").unwrap();
        }
        kernel.unshare(shell, CLONE_NEWUSER)
    }),
    (Rule::UserNsLsm, |bad| {
        let (mut kernel, _, shell) = boot();
        let at = if bad { Hook::UsernsCreate } else { Hook::SbMount };
        kernel.params_mut().hooks.push((at, Errno::EACCES));
        kernel.unshare(shell, CLONE_NEWUSER)
    }),
    (Rule::KindNotBuilt, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.params_mut().features.set_built(NsKind::Time, !bad);
        kernel.unshare(shell, CLONE_NEWTIME)
    }),
    (Rule::MntNsCount, |bad| limited(NsKind::Mnt, i64::from(!bad))),
    (Rule::UtsNsCount, |bad| limited(NsKind::Uts, i64::from(!bad))),
    (Rule::IpcNsCount, |bad| limited(NsKind::Ipc, i64::from(!bad))),
    (Rule::PidNsCount, |bad| limited(NsKind::Pid, i64::from(!bad))),
    (Rule::CgroupNsCount, |bad| limited(NsKind::Cgroup, i64::from(!bad))),
    (Rule::NetNsCount, |bad| limited(NsKind::Net, i64::from(!bad))),
    (Rule::TimeNsCount, |bad| limited(NsKind::Time, i64::from(!bad))),
    (Rule::PidNsNotActive, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        kernel.unshare(shell, if bad { CLONE_NEWPID } else { CLONE_NEWUTS })
    }),
    (Rule::PidNsOwner, |bad| {
        // A child born with first credentials inside a container's pid namespace.
        let (mut kernel, _, shell) = boot();
        let owned = if bad { CLONE_NEWUSER } else { 0 };
        let inner = kernel.sys_clone(shell, CLONE_NEWPID | owned).unwrap();
        let fd = kernel.pidfd_open(shell, inner.pid.cast_signed(), 0).unwrap();
        kernel.setns(shell, fd, u32::try_from(CLONE_NEWPID).unwrap()).unwrap();
        let child = kernel.fork(shell).unwrap().task;
        kernel.unshare(child, CLONE_NEWPID)
    }),
    (Rule::PidNsLevel, |bad| {
        let (mut kernel, _, mut at) = boot();
        for _ in 0..if bad { 32 } else { 31 } {
            at = kernel.sys_clone(at, CLONE_NEWPID).unwrap().task;
        }
        kernel.unshare(at, CLONE_NEWPID)
    }),
    (Rule::CgroupNsAdmin, |bad| {
        // Only another switched-off check lets a call get as far as this one.
        let (mut kernel, _, _) = boot();
        let off = nsproxy::Mutation::Off(Rule::UnshareNeedsAdmin);
        kernel.params_mut().mutations.push(off);
        let task = user(&mut kernel);
        kernel.unshare(task, if bad { CLONE_NEWCGROUP } else { CLONE_NEWUTS })
    }),
    (Rule::SetTidTooDeep, |bad| with_tids(0, if bad { &[31_000, 31_000] } else { &[31_000] })),
    (Rule::SetTidRange, |bad| with_tids(0, if bad { &[0] } else { &[31_000] })),
    (Rule::SetTidNoInit, |bad| with_tids(CLONE_NEWPID, if bad { &[2] } else { &[1] })),
    (Rule::SetTidPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let tids: &[i32] = if bad { &[1, 9] } else { &[1] };
        let args = CloneArgs::new(CLONE_NEWUSER | CLONE_NEWPID).with_set_tid(tids);
        ok(kernel.clone3(task, &args))
    }),
    (Rule::SetTidBusy, |bad| with_tids(0, if bad { &[2] } else { &[3] })),
    (Rule::PidMaxAccess, |bad| {
        let (mut kernel, _, _) = boot();
        let inside = contained(&mut kernel, CLONE_NEWPID);
        let child = kernel.fork(inside).unwrap().task;
        kernel.write_pid_max(if bad { inside } else { child }, 400)
    }),
    (Rule::PidMaxRange, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.write_pid_max(shell, 301 - i64::from(bad))
    }),
    (Rule::LastPidPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let inside = contained(&mut kernel, CLONE_NEWPID);
        let child = kernel.fork(inside).unwrap().task;
        kernel.write_ns_last_pid(if bad { inside } else { child }, 41)
    }),
    (Rule::LastPidRange, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.write_pid_max(shell, 400).unwrap();
        kernel.write_ns_last_pid(shell, 400 + i64::from(bad))
    }),
    (Rule::PidExhausted, |bad| {
        let (mut kernel, _, shell) =
            boot_as(Params { pid_max: if bad { 3 } else { 4 }, ..Params::default() });
        ok(kernel.fork(shell))
    }),
    (Rule::FirstPidNotOne, |bad| {
        let (mut kernel, _, shell) = release(7, 1);
        let tids: &[i32] = if bad { &[2] } else { &[1] };
        ok(kernel.clone3(shell, &CloneArgs::new(CLONE_NEWPID).with_set_tid(tids)))
    }),
    (Rule::PidNsDead, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        let init = kernel.fork(shell).unwrap().task;
        if bad {
            kernel.exit(init, 0).unwrap();
        }
        ok(kernel.fork(shell))
    }),
    (Rule::UnshareUnknownFlags, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, if bad { 1 << 40 } else { CLONE_NEWUTS })
    }),
    (Rule::UnshareThreads, |bad| {
        let (mut kernel, _, shell) = boot();
        thread_of(&mut kernel, shell);
        kernel.unshare(shell, if bad { CLONE_NEWUSER } else { CLONE_NEWUTS })
    }),
    (Rule::UnshareSighand, |bad| {
        let (mut kernel, _, shell) = boot();
        let share = if bad { CLONE_SIGHAND } else { 0 };
        kernel.sys_clone(shell, CLONE_VM | share).unwrap();
        kernel.unshare(shell, CLONE_SIGHAND)
    }),
    (Rule::UnshareVm, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sys_clone(shell, if bad { CLONE_VM } else { 0 }).unwrap();
        kernel.unshare(shell, CLONE_VM)
    }),
    (Rule::UnshareNeedsAdmin, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let user_ns = if bad { 0 } else { CLONE_NEWUSER };
        kernel.unshare(task, CLONE_NEWUTS | user_ns)
    }),
];
