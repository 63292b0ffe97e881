//! Mounts that are attached nowhere, id-mapped ones, and options of proc.

use super::*;
use nsproxy::{MountAttr, NsKind, NsLink, ProcOptions};

/// A tmpfs with a directory on `/mnt`, and a task that may mount.
fn tree(major: u8, minor: u8) -> (Kernel, TaskId) {
    let (mut kernel, _, shell) = release(major, minor);
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
    kernel.mkdir(shell, "/mnt/a").unwrap();
    kernel.mknod(shell, "/mnt/f").unwrap();
    (kernel, shell)
}

/// A user namespace in which 1000 outside is 0.
fn user_ns_fd(kernel: &mut Kernel, shell: TaskId) -> i32 {
    let child = kernel.sys_clone(shell, CLONE_NEWUSER).unwrap();
    let number = child.pid.cast_signed();
    kernel.write_map(shell, number, MapKind::Uid, "0 1000 1").unwrap();
    kernel.write_map(shell, number, MapKind::Gid, "0 1000 1").unwrap();
    kernel.open_ns(shell, number, NsLink::Own(NsKind::User)).unwrap()
}

fn idmap(fd: i32) -> MountAttr {
    MountAttr { set: MOUNT_ATTR_IDMAP, userns_fd: fd, ..MountAttr::default() }
}

fn open_tree(flags: u32) -> Result<(), Denial> {
    let (mut kernel, shell) = tree(7, 0);
    ok(kernel.open_tree(shell, "/mnt", flags))
}

fn pidns(kernel: &mut Kernel, task: TaskId, fd: i32) -> Result<(), Denial> {
    kernel.mount_proc(task, "/tmp", 0, &ProcOptions { pidns: Some(fd), ..ProcOptions::default() })
}

pub(super) const CASES: &[Case] = &[
    (Rule::IdmapUnwritten, |bad| {
        let (mut kernel, shell) = tree(6, if bad { 9 } else { 8 });
        let child = kernel.sys_clone(shell, CLONE_NEWUSER).unwrap();
        let fd = kernel.open_ns(shell, child.pid.cast_signed(), NsLink::Own(NsKind::User)).unwrap();
        let tree = kernel.open_tree(shell, "/mnt", OPEN_TREE_CLONE).unwrap();
        kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd))
    }),
    (Rule::IdmapOwn, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let init = kernel.init();
        kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
        kernel.write_map(init, 2, MapKind::Uid, "0 0 2000").unwrap();
        kernel.write_map(init, 2, MapKind::Gid, "0 0 2000").unwrap();
        kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        let fd = if bad {
            kernel.open_ns(shell, 2, NsLink::Own(NsKind::User)).unwrap()
        } else {
            user_ns_fd(&mut kernel, shell)
        };
        let tree = kernel.open_tree(shell, "/mnt", OPEN_TREE_CLONE).unwrap();
        kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd))
    }),
    (Rule::IdmapFilesystem, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let fd = user_ns_fd(&mut kernel, shell);
        let tree = kernel.open_tree(shell, if bad { "/proc" } else { "/mnt" }, OPEN_TREE_CLONE).unwrap();
        kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd))
    }),
    (Rule::IdmapAgain, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let fd = user_ns_fd(&mut kernel, shell);
        let tree = kernel.open_tree(shell, "/mnt", OPEN_TREE_CLONE).unwrap();
        if bad {
            kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd)).unwrap();
        }
        kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd))
    }),
    (Rule::IdmapAttached, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let fd = user_ns_fd(&mut kernel, shell);
        let clone = if bad { 0 } else { OPEN_TREE_CLONE };
        let tree = kernel.open_tree(shell, "/mnt", clone).unwrap();
        kernel.mount_setattr_fd(shell, tree, 0, &idmap(fd))
    }),
    (Rule::OpenTreeFlags, |bad| open_tree(if bad { AT_RECURSIVE } else { AT_RECURSIVE | OPEN_TREE_CLONE })),
    (Rule::OpenTreeFlags, |bad| open_tree(if bad { OPEN_TREE_CLONE | 2 } else { OPEN_TREE_NAMESPACE })),
    (Rule::OpenTreePrivilege, |bad| {
        let (mut kernel, _) = tree(6, 18);
        let task = user(&mut kernel);
        ok(kernel.open_tree(task, "/mnt", if bad { OPEN_TREE_CLONE } else { 0 }))
    }),
    (Rule::OpenTreeNotDir, |bad| {
        let (mut kernel, shell) = tree(7, 2);
        ok(kernel.open_tree(shell, if bad { "/mnt/f" } else { "/mnt/a" }, OPEN_TREE_NAMESPACE))
    }),
    (Rule::OpenTreeReveals, |bad| {
        let (mut kernel, shell) = tree(7, 2);
        kernel.mount(shell, "none", "/mnt/a", "tmpfs", 0).unwrap();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        let recursive = if bad { 0 } else { AT_RECURSIVE };
        ok(kernel.open_tree(shell, "/mnt", OPEN_TREE_NAMESPACE | recursive))
    }),
    (Rule::FsmountFlags, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        ok(kernel.fsmount(shell, "tmpfs", if bad { FSMOUNT_NAMESPACE } else { FSMOUNT_CLOEXEC }, 0))
    }),
    (Rule::PathOwner, |bad| {
        let (mut kernel, _, _) = boot();
        let task = if bad {
            let task = user(&mut kernel);
            kernel.unshare(task, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
            task
        } else {
            contained(&mut kernel, CLONE_NEWNS)
        };
        kernel.mount(task, "none", "/mnt", "tmpfs", 0).unwrap();
        kernel.mkdir(task, "/mnt/a")
    }),
    (Rule::ProcPidnsMissing, |bad| {
        let (mut kernel, shell) = tree(6, if bad { 17 } else { 18 });
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Pid)).unwrap();
        pidns(&mut kernel, shell, fd)
    }),
    (Rule::ProcPidnsFd, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let kind = if bad { NsKind::Uts } else { NsKind::Pid };
        let fd = kernel.open_ns(shell, 2, NsLink::Own(kind)).unwrap();
        pidns(&mut kernel, shell, fd)
    }),
    (Rule::ProcPidnsPrivilege, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Pid)).unwrap();
        kernel.unshare(shell, if bad { CLONE_NEWUSER | CLONE_NEWNS } else { CLONE_NEWNS }).unwrap();
        pidns(&mut kernel, shell, fd)
    }),
    (Rule::ProcPidnsScope, |bad| {
        let (mut kernel, shell) = tree(6, 18);
        let outer = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Pid)).unwrap();
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        let inside = kernel.fork(shell).unwrap().task;
        let own = kernel.open_ns(inside, 1, NsLink::Own(NsKind::Pid)).unwrap();
        pidns(&mut kernel, inside, if bad { outer } else { own })
    }),
    (Rule::MountTooRevealing, |bad| {
        // A proc of nothing but processes needs none that is visible, from 7.2 on.
        let (mut kernel, _, shell) = release(7, if bad { 1 } else { 2 });
        kernel.umount(shell, "/proc", MNT_DETACH).unwrap();
        kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID).unwrap();
        let inside = kernel.fork(shell).unwrap().task;
        kernel.mount_proc(inside, "/proc", 0, &ProcOptions { subset_pid: true, ..ProcOptions::default() })
    }),
];
