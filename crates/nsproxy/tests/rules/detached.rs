//! Mounts that are attached nowhere, and id-mapped ones.

use super::*;
use nsproxy::{MountAttr, NsKind, NsLink};

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

pub(super) const CASES: &[Case] = &[
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
];
