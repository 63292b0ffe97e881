//! Uts names, ipc objects, network devices, cgroups.

use super::*;
use nsproxy::{IpcSysctl, NsKind, NsLink, SemOp};

fn sem(count: usize, op: SemOp) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let id = kernel.semget(shell, 7, count, IPC_CREAT | 0o600).unwrap();
    ok(kernel.semop(shell, id, op))
}

const UP: SemOp = SemOp { number: 0, change: 1, undo: false };

/// The shell with a veth pair, and a descriptor of another net namespace.
fn net() -> (Kernel, TaskId, i32) {
    let (mut kernel, _, shell) = boot();
    kernel.plug_device("eth0").unwrap();
    kernel.add_veth(shell, "a", "b").unwrap();
    let child = kernel.sys_clone(shell, CLONE_NEWNET).unwrap();
    let number = child.pid.cast_signed();
    let fd = kernel.open_ns(shell, number, NsLink::Own(NsKind::Net)).unwrap();
    (kernel, shell, fd)
}

fn cgroup(change: impl FnOnce(&mut Kernel, TaskId) -> Result<(), Denial>) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    kernel.cgroup_mkdir(shell, "/a").unwrap();
    change(&mut kernel, shell)
}

/// The same with controllers for it.
fn controlled(change: impl FnOnce(&mut Kernel, TaskId) -> Result<(), Denial>) -> Result<(), Denial> {
    cgroup(|kernel, shell| {
        kernel.cgroup_set_subtree_control(shell, "/", true)?;
        change(kernel, shell)
    })
}

pub(super) const CASES: &[Case] = &[
    (Rule::HostnamePrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, if bad { 0 } else { CLONE_NEWUTS });
        kernel.sethostname(task, b"box")
    }),
    (Rule::HostnameLength, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sethostname(shell, &vec![b'x'; if bad { 65 } else { 64 }])
    }),
    (Rule::HostnameFault, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sethostname_raw(shell, (!bad).then_some(b"box"), 3)
    }),
    (Rule::HostnameSysctl, |bad| {
        let (mut kernel, _, shell) = boot();
        let inside = contained(&mut kernel, CLONE_NEWUTS);
        kernel.write_hostname_sysctl(if bad { inside } else { shell }, b"box")
    }),
    (Rule::IpcKeyMissing, |bad| {
        let (mut kernel, _, shell) = boot();
        let create = if bad { 0 } else { IPC_CREAT };
        ok(kernel.shmget(shell, 7, 10, create | 0o600))
    }),
    (Rule::IpcKeyExists, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.shmget(shell, 7, 10, IPC_CREAT | 0o600).unwrap();
        let exclusive = if bad { IPC_EXCL } else { 0 };
        ok(kernel.shmget(shell, 7, 10, IPC_CREAT | exclusive | 0o600))
    }),
    (Rule::IpcAccess, |bad| {
        let (mut kernel, _, shell) = boot();
        let mode = if bad { 0o600 } else { 0o666 };
        let id = kernel.shmget(shell, 7, 10, IPC_CREAT | mode).unwrap();
        let task = user(&mut kernel);
        kernel.shmat(task, id)
    }),
    (Rule::IpcIdentifier, |bad| {
        let (mut kernel, _, shell) = boot();
        let id = kernel.shmget(shell, 7, 10, IPC_CREAT | 0o600).unwrap();
        if bad {
            kernel.unshare(shell, CLONE_NEWIPC).unwrap();
        }
        kernel.shmat(shell, id)
    }),
    (Rule::IpcRemove, |bad| {
        let (mut kernel, _, shell) = boot();
        let id = kernel.msgget(shell, 7, IPC_CREAT | 0o666).unwrap();
        let task = user(&mut kernel);
        kernel.msg_remove(if bad { task } else { shell }, id)
    }),
    (Rule::IpcLimit, |bad| {
        let (mut kernel, _, shell) = boot();
        for _ in 0..if bad { 4096 } else { 4095 } {
            kernel.shmget(shell, IPC_PRIVATE, 1, IPC_CREAT).unwrap();
        }
        ok(kernel.shmget(shell, IPC_PRIVATE, 1, IPC_CREAT))
    }),
    (Rule::ShmSize, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.shmget(shell, 7, u64::from(!bad), IPC_CREAT))
    }),
    (Rule::ShmPages, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.write_ipc_sysctl(shell, nsproxy::IpcSysctl::Shmmax, u64::MAX).unwrap();
        ok(kernel.shmget(shell, 7, if bad { u64::MAX } else { 1 }, IPC_CREAT))
    }),
    (Rule::SemSize, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.semget(shell, 7, usize::from(!bad), IPC_CREAT))
    }),
    (Rule::SemNumber, |bad| sem(1, SemOp { number: u16::from(bad), ..UP })),
    (Rule::SemWouldBlock, |bad| sem(1, SemOp { change: if bad { -1 } else { 0 }, ..UP })),
    (Rule::SemRange, |bad| {
        let (mut kernel, _, shell) = boot();
        let id = kernel.semget(shell, 7, 1, IPC_CREAT | 0o600).unwrap();
        kernel.semop(shell, id, SemOp { change: 32_766, ..UP }).unwrap();
        ok(kernel.semop(shell, id, SemOp { change: if bad { 2 } else { 1 }, ..UP }))
    }),
    (Rule::MsgSize, |bad| {
        let (mut kernel, _, shell) = boot();
        let id = kernel.msgget(shell, 7, IPC_CREAT | 0o600).unwrap();
        kernel.msgsnd(shell, id, i64::from(!bad), b"x")
    }),
    (Rule::MsgFull, |bad| {
        let (mut kernel, _, shell) = boot();
        let id = kernel.msgget(shell, 7, IPC_CREAT | 0o600).unwrap();
        kernel.msgsnd(shell, id, 1, &[0; 8192]).unwrap();
        kernel.msgsnd(shell, id, 1, &[0; 8191]).unwrap();
        kernel.msgsnd(shell, id, 1, if bad { b"xx" } else { b"x" })
    }),
    (Rule::IpcSysctlAccess, |bad| {
        let (mut kernel, _, shell) = boot();
        let inside = contained(&mut kernel, if bad { 0 } else { CLONE_NEWIPC });
        let _ = shell;
        kernel.write_ipc_sysctl(inside, IpcSysctl::Shmmni, 7)
    }),
    (Rule::IpcSysctlRange, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.write_ipc_sysctl(shell, IpcSysctl::ShmRmidForced, 1 + u64::from(bad))
    }),
    (Rule::MqName, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.mq_open(shell, if bad { "a" } else { "/a" }, true, false))
    }),
    (Rule::MqSticky, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.mq_open(shell, "/a", true, false).unwrap();
        let other = user(&mut kernel);
        ok(kernel.mq_unlink(if bad { other } else { shell }, "/a"))
    }),
    (Rule::MqUnmapped, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWIPC).unwrap();
        if !bad {
            let init = kernel.init();
            kernel.write_map(init, 2, MapKind::Gid, "0 0 1").unwrap();
            kernel.write_map(init, 2, MapKind::Uid, "0 0 1").unwrap();
        }
        ok(kernel.mq_open(shell, "/a", true, false))
    }),
    (Rule::MqNameTooLong, |bad| {
        let (mut kernel, _, shell) = boot();
        let name = "x".repeat(if bad { 256 } else { 255 });
        ok(kernel.mq_open(shell, &format!("/{name}"), true, false))
    }),
    (Rule::MqMissing, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.mq_open(shell, "/a", !bad, false))
    }),
    (Rule::MqExists, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.mq_open(shell, "/a", true, true).unwrap();
        ok(kernel.mq_open(shell, "/a", true, bad))
    }),
    (Rule::MqLimit, |bad| {
        let (mut kernel, _, shell) = boot();
        drop_cap(&mut kernel, shell, Cap::SysResource);
        for queue in 0..if bad { 256 } else { 255 } {
            kernel.mq_open(shell, &format!("/{queue}"), true, true).unwrap();
        }
        ok(kernel.mq_open(shell, "/last", true, true))
    }),
    (Rule::MqAccess, |bad| {
        let (mut kernel, _, shell) = boot();
        let task = user(&mut kernel);
        kernel.mq_open(if bad { shell } else { task }, "/a", true, true).unwrap();
        ok(kernel.mq_open(task, "/a", false, false))
    }),
    (Rule::NetDevPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, if bad { 0 } else { CLONE_NEWNET });
        kernel.set_device_up(task, "lo", true)
    }),
    (Rule::NetDevMissing, |bad| {
        let (mut kernel, shell, _) = net();
        kernel.set_device_up(shell, if bad { "c" } else { "a" }, true)
    }),
    (Rule::NetDevExists, |bad| {
        let (mut kernel, shell, _) = net();
        kernel.add_veth(shell, if bad { "a" } else { "c" }, "d")
    }),
    (Rule::NetDevName, |bad| {
        let (mut kernel, shell, _) = net();
        kernel.add_veth(shell, if bad { "c/" } else { "c" }, "d")
    }),
    (Rule::NetDevMove, |bad| {
        let (mut kernel, shell, fd) = net();
        kernel.move_device(shell, if bad { "lo" } else { "a" }, fd)
    }),
    (Rule::NetDevMoveTarget, |bad| {
        // Admin of its own net namespace, but not of the first one.
        let (mut kernel, _, shell) = boot();
        let inside = contained(&mut kernel, CLONE_NEWNET);
        kernel.add_veth(inside, "a", "b").unwrap();
        let _ = shell;
        let init = kernel.init();
        let outer = kernel.open_ns(init, 1, NsLink::Own(NsKind::Net)).unwrap();
        let child = kernel.fork(init).unwrap().task;
        let own = pid(&kernel, inside);
        let target = kernel.open_ns(child, own, NsLink::Own(NsKind::Net)).unwrap();
        kernel.setns(child, target, 0).unwrap();
        if bad {
            let user_ns = kernel.open_ns(child, own, NsLink::Own(NsKind::User)).unwrap();
            kernel.setns(child, user_ns, 0).unwrap();
        }
        kernel.move_device(child, "a", outer)
    }),
    (Rule::NetDevDelete, |bad| {
        let (mut kernel, shell, _) = net();
        kernel.delete_device(shell, if bad { "eth0" } else { "a" })
    }),
    (Rule::NetNsFd, |bad| {
        let (mut kernel, shell, fd) = net();
        let plain = kernel.open_plain(shell).unwrap();
        kernel.move_device(shell, "a", if bad { plain } else { fd })
    }),
    (Rule::NetUnreachable, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWNET).unwrap();
        let socket = kernel.socket(shell).unwrap();
        kernel.set_device_up(shell, "lo", !bad).unwrap();
        kernel.connect_loopback(shell, socket)
    }),
    (Rule::ConnectNotSocket, |bad| {
        let (mut kernel, _, shell) = boot();
        let plain = kernel.open_plain(shell).unwrap();
        let socket = kernel.socket(shell).unwrap();
        kernel.set_device_up(shell, "lo", true).unwrap();
        kernel.connect_loopback(shell, if bad { plain } else { socket })
    }),
    (Rule::SocketNotOne, |bad| {
        let (mut kernel, _, shell) = boot();
        let plain = kernel.open_plain(shell).unwrap();
        let socket = kernel.socket(shell).unwrap();
        ok(kernel.socket_namespace(shell, if bad { plain } else { socket }))
    }),
    (Rule::SocketNsPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, if bad { 0 } else { CLONE_NEWNET });
        let socket = kernel.socket(task).unwrap();
        ok(kernel.socket_namespace(task, socket))
    }),
    (Rule::CgroupMissing, |bad| {
        cgroup(|kernel, shell| kernel.cgroup_move(shell, if bad { "/b" } else { "/a" }, 0))
    }),
    (Rule::CgroupExists, |bad| {
        cgroup(|kernel, shell| kernel.cgroup_mkdir(shell, if bad { "/a" } else { "/b" }))
    }),
    (Rule::CgroupName, |bad| {
        cgroup(|kernel, shell| kernel.cgroup_mkdir(shell, if bad { "/\n" } else { "/b" }))
    }),
    (Rule::CgroupAccess, |bad| {
        cgroup(|kernel, shell| {
            let task = user(kernel);
            kernel.cgroup_move(if bad { task } else { shell }, "/a", 0)
        })
    }),
    (Rule::CgroupChown, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.cgroup_mkdir(shell, "/a").unwrap();
        if bad {
            drop_cap(&mut kernel, shell, Cap::Chown);
        }
        ok(kernel.cgroup_chown(shell, "/a", 1000))
    }),
    (Rule::CgroupInUse, |bad| {
        cgroup(|kernel, shell| {
            kernel.cgroup_move(shell, if bad { "/a" } else { "/" }, 0)?;
            kernel.cgroup_rmdir(shell, "/a")
        })
    }),
    (Rule::CgroupDelegation, |bad| {
        cgroup(|kernel, shell| {
            kernel.params_mut().features.nsdelegate = bad;
            kernel.cgroup_move(shell, "/a", 0)?;
            kernel.unshare(shell, CLONE_NEWCGROUP)?;
            kernel.cgroup_move(shell, "/..", 0)
        })
    }),
    (Rule::CgroupInternal, |bad| {
        controlled(|kernel, shell| {
            kernel.cgroup_set_subtree_control(shell, "/a", bad)?;
            kernel.cgroup_move(shell, "/a", 0)
        })
    }),
    (Rule::CgroupNoController, |bad| {
        cgroup(|kernel, shell| {
            kernel.cgroup_set_subtree_control(shell, "/", !bad)?;
            kernel.cgroup_set_subtree_control(shell, "/a", true)
        })
    }),
    (Rule::CgroupControlled, |bad| {
        controlled(|kernel, shell| {
            kernel.cgroup_set_subtree_control(shell, "/a", bad)?;
            kernel.cgroup_set_subtree_control(shell, "/", false)
        })
    }),
    (Rule::CgroupControllers, |bad| {
        controlled(|kernel, shell| {
            kernel.cgroup_move(shell, if bad { "/a" } else { "/" }, 0)?;
            kernel.cgroup_set_subtree_control(shell, "/a", true)
        })
    }),
    (Rule::CgroupPidsMissing, |bad| {
        controlled(|kernel, shell| kernel.cgroup_set_pids_max(shell, if bad { "/" } else { "/a" }, Some(1)))
    }),
    (Rule::CgroupLimitDelegation, |bad| {
        controlled(|kernel, shell| {
            kernel.params_mut().features.nsdelegate = bad;
            kernel.cgroup_move(shell, "/a", 0)?;
            kernel.unshare(shell, CLONE_NEWCGROUP)?;
            kernel.cgroup_set_pids_max(shell, "/", Some(9))
        })
    }),
    (Rule::CgroupPidsMaxRange, |bad| {
        let max = 4_194_304 + u32::from(bad);
        controlled(|kernel, shell| kernel.cgroup_set_pids_max(shell, "/a", Some(max)))
    }),
];
