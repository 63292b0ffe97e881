//! The mount tree.

use super::*;
use nsproxy::{Errno, Hook, MountAttr, NsKind, NsLink};

/// A shell in a mount namespace of its own, with a tmpfs on /mnt and a file /f.
fn tree() -> (Kernel, TaskId) {
    let (mut kernel, _, shell) = boot();
    kernel.unshare(shell, CLONE_NEWNS).unwrap();
    kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
    kernel.mkdir(shell, "/mnt/a").unwrap();
    kernel.mknod(shell, "/f").unwrap();
    (kernel, shell)
}

/// The same tree as a container of root's making sees it: every mount is locked.
fn locked() -> (Kernel, TaskId) {
    let (mut kernel, shell) = tree();
    kernel.mount(shell, "/mnt", "/tmp", "", MS_BIND).unwrap();
    kernel.mount(shell, "", "/tmp", "", MS_REMOUNT | MS_BIND | MS_NODEV).unwrap();
    kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
    (kernel, shell)
}

fn bind(kernel: &mut Kernel, shell: TaskId, from: &str, to: &str) -> Result<(), Denial> {
    kernel.mount(shell, from, to, "", MS_BIND)
}

fn make(kernel: &mut Kernel, shell: TaskId, at: &str, kind: u64) {
    kernel.mount(shell, "", at, "", kind).unwrap();
}

fn shift(kernel: &mut Kernel, shell: TaskId, from: &str, to: &str) -> Result<(), Denial> {
    kernel.mount(shell, from, to, "", MS_MOVE)
}

fn setattr(path: &str, attr: MountAttr) -> Result<(), Denial> {
    let (mut kernel, shell) = tree();
    kernel.mount_setattr(shell, path, 0, &attr)
}

/// A tree where `pivot_root` to /mnt with the old root at /mnt/a works.
fn pivot(change: impl FnOnce(&mut Kernel, TaskId), new: &str, old: &str) -> Result<(), Denial> {
    let (mut kernel, shell) = tree();
    change(&mut kernel, shell);
    kernel.pivot_root(shell, new, old)
}

fn idmap(kernel: &mut Kernel, shell: TaskId, fd: i32) -> Result<(), Denial> {
    let attr = MountAttr { set: MOUNT_ATTR_IDMAP, userns_fd: fd, ..MountAttr::default() };
    kernel.mount_setattr(shell, "/mnt", 0, &attr)
}

/// A descriptor of a fresh user namespace, for the shell.
fn user_ns_fd(kernel: &mut Kernel, shell: TaskId) -> i32 {
    let child = kernel.sys_clone(shell, CLONE_NEWUSER).unwrap();
    let number = child.pid.cast_signed();
    kernel.open_ns(shell, number, NsLink::Own(NsKind::User)).unwrap()
}

pub(super) const CASES: &[Case] = &[
    (Rule::PathMissing, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, if bad { "/none" } else { "/mnt" })
    }),
    (Rule::PathNotDir, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, if bad { "/f" } else { "/mnt" })
    }),
    (Rule::PathTooLong, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, &"/".repeat(if bad { 4096 } else { 4095 }))
    }),
    (Rule::PathNameTooLong, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mkdir(shell, &"a".repeat(if bad { 256 } else { 255 }))
    }),
    (Rule::MountStringTooLong, |bad| {
        let (mut kernel, shell) = tree();
        let source = "x".repeat(if bad { 4096 } else { 4095 });
        kernel.mount(shell, &source, "/mnt", "tmpfs", 0)
    }),
    (Rule::PathName, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mkdir(shell, if bad { "/a\0" } else { "/a" })
    }),
    (Rule::PathNoMaking, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.mount(shell, "none", "/tmp", if bad { "sysfs" } else { "tmpfs" }, 0).unwrap();
        ok(kernel.mkdir(shell, "/tmp/a"))
    }),
    (Rule::PathExists, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mkdir(shell, if bad { "/mnt" } else { "/new" })
    }),
    (Rule::PathReadOnly, |bad| {
        let (mut kernel, shell) = tree();
        let flags = MS_REMOUNT | MS_BIND | if bad { MS_RDONLY } else { 0 };
        make(&mut kernel, shell, "/mnt", flags);
        kernel.mkdir(shell, "/mnt/b")
    }),
    (Rule::PathAccess, |bad| {
        let (mut kernel, shell) = tree();
        if bad {
            kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
        }
        kernel.mkdir(shell, "/mnt/b")
    }),
    (Rule::ChrootPrivilege, |bad| {
        let (mut kernel, shell) = tree();
        if bad {
            drop_cap(&mut kernel, shell, Cap::SysChroot);
        }
        kernel.chroot(shell, "/mnt")
    }),
    (Rule::MountPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, if bad { 0 } else { CLONE_NEWNS });
        kernel.mount(task, "none", "/mnt", "tmpfs", 0)
    }),
    (Rule::MountLsm, |bad| {
        let (mut kernel, shell) = tree();
        let at = if bad { Hook::SbMount } else { Hook::TaskKill };
        kernel.params_mut().hooks.push((at, Errno::EACCES));
        kernel.mount(shell, "none", "/tmp", "tmpfs", 0)
    }),
    (Rule::MountFlags, |bad| {
        let (mut kernel, shell) = tree();
        let more = if bad { MS_SLAVE } else { MS_REC };
        kernel.mount(shell, "", "/mnt", "", MS_PRIVATE | more)
    }),
    (Rule::MountNotMountpoint, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "", if bad { "/mnt/a" } else { "/mnt" }, "", MS_PRIVATE)
    }),
    (Rule::MountGone, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        }
        kernel.mount(shell, "none", "a", "tmpfs", 0)
    }),
    (Rule::MountForeign, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        }
        kernel.mount(shell, "", ".", "", MS_REMOUNT | MS_BIND)
    }),
    (Rule::MountSourceEmpty, |bad| {
        let (mut kernel, shell) = tree();
        bind(&mut kernel, shell, if bad { "" } else { "/mnt" }, "/tmp")
    }),
    (Rule::BindLoop, |bad| {
        let (mut kernel, shell) = tree();
        let child = kernel.sys_clone(shell, if bad { 0 } else { CLONE_NEWNS }).unwrap();
        let number = child.pid.cast_signed();
        let fd = kernel.open_ns(shell, number, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.bind_namespace(shell, fd, "/f")
    }),
    (Rule::BindUnbindable, |bad| {
        let (mut kernel, shell) = tree();
        make(&mut kernel, shell, "/mnt", if bad { MS_UNBINDABLE } else { MS_PRIVATE });
        bind(&mut kernel, shell, "/mnt", "/tmp")
    }),
    (Rule::BindForeign, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        }
        bind(&mut kernel, shell, "a", "/tmp")
    }),
    (Rule::BindLockedChildren, |bad| {
        let (mut kernel, shell) = locked();
        let recurse = if bad { 0 } else { MS_REC };
        kernel.mount(shell, "/", "/home", "", MS_BIND | recurse)
    }),
    (Rule::CopyUnbindableLocked, |bad| {
        let (mut kernel, shell) = locked();
        make(&mut kernel, shell, "/tmp", if bad { MS_UNBINDABLE } else { MS_PRIVATE });
        kernel.mount(shell, "/", "/home", "", MS_BIND | MS_REC)
    }),
    (Rule::PropagateNsFile, |bad| {
        let (mut kernel, shell) = tree();
        make(&mut kernel, shell, "/", MS_SHARED);
        if bad {
            bind(&mut kernel, shell, "/", "/mnt/a").unwrap();
        }
        let child = kernel.sys_clone(shell, CLONE_NEWNS).unwrap();
        let number = child.pid.cast_signed();
        let fd = kernel.open_ns(shell, number, NsLink::Own(NsKind::Mnt)).unwrap();
        if !bad {
            make(&mut kernel, shell, "/", MS_PRIVATE);
        }
        kernel.bind_namespace(shell, fd, "/f")
    }),
    (Rule::MountDirFile, |bad| {
        let (mut kernel, shell) = tree();
        bind(&mut kernel, shell, "/mnt", if bad { "/f" } else { "/tmp" })
    }),
    (Rule::MountMax, |bad| {
        let (mut kernel, shell) = tree();
        kernel.params_mut().mount_max = if bad { 4 } else { 5 };
        bind(&mut kernel, shell, "/mnt", "/tmp")
    }),
    (Rule::MoveDirFile, |bad| {
        let (mut kernel, shell) = tree();
        shift(&mut kernel, shell, "/mnt", if bad { "/f" } else { "/tmp" })
    }),
    (Rule::MoveRoot, |bad| {
        // The root of everything shows only to who joins the namespace anew.
        let (mut kernel, shell) = tree();
        if !bad {
            return shift(&mut kernel, shell, "/mnt", "/tmp");
        }
        kernel.umount(shell, "/proc", 0).unwrap();
        kernel.umount(shell, "/mnt", 0).unwrap();
        kernel.umount(shell, "/", MNT_DETACH).unwrap();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.setns(shell, fd, 0).unwrap();
        kernel.mkdir(shell, "/d").unwrap();
        shift(&mut kernel, shell, "/", "/d")
    }),
    (Rule::MoveLocked, |bad| {
        let (mut kernel, shell) = locked();
        if !bad {
            kernel.mount(shell, "none", "/home", "tmpfs", 0).unwrap();
        }
        shift(&mut kernel, shell, if bad { "/mnt" } else { "/home" }, "/run")
    }),
    (Rule::MoveSharedParent, |bad| {
        let (mut kernel, shell) = tree();
        make(&mut kernel, shell, "/", if bad { MS_SHARED } else { MS_PRIVATE });
        shift(&mut kernel, shell, "/mnt", "/tmp")
    }),
    (Rule::MoveUnbindable, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "none", "/tmp", "tmpfs", 0).unwrap();
        make(&mut kernel, shell, "/tmp", MS_SHARED);
        make(&mut kernel, shell, "/mnt", if bad { MS_UNBINDABLE } else { MS_PRIVATE });
        shift(&mut kernel, shell, "/mnt", "/tmp")
    }),
    (Rule::MoveLoop, |bad| {
        let (mut kernel, shell) = tree();
        shift(&mut kernel, shell, "/mnt", if bad { "/mnt/a" } else { "/tmp" })
    }),
    (Rule::RemountLocked, |bad| {
        let (mut kernel, shell) = locked();
        let kept = if bad { 0 } else { MS_NODEV };
        kernel.mount(shell, "", "/tmp", "", MS_REMOUNT | MS_BIND | kept)
    }),
    (Rule::RemountBusy, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "", "/tmp", "mqueue", 0).unwrap();
        let fd = kernel.mq_open(shell, "/queue", true, false).unwrap();
        if !bad {
            kernel.close(shell, fd).unwrap();
        }
        kernel.mount(shell, "", "/tmp", "", MS_REMOUNT | MS_RDONLY)
    }),
    (Rule::RemountSuper, |bad| {
        let (mut kernel, shell) = locked();
        if !bad {
            kernel.mount(shell, "none", "/home", "tmpfs", 0).unwrap();
        }
        kernel.mount(shell, "", if bad { "/mnt" } else { "/home" }, "", MS_REMOUNT | MS_RDONLY)
    }),
    (Rule::PropagationUnmounted, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        }
        kernel.mount(shell, "", ".", "", MS_SHARED)
    }),
    (Rule::PropagationPrivilege, |bad| {
        // A user in a container's mount namespace, whose root directory root takes elsewhere.
        let (mut kernel, init, _) = boot();
        let owner = user(&mut kernel);
        let inside = kernel.sys_clone(owner, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS).unwrap().task;
        let outside = kernel.sys_clone(init, CLONE_NEWNS | CLONE_NEWUTS).unwrap().task;
        let root = kernel.fork(init).unwrap().task;
        let join = |kernel: &mut Kernel, target| {
            let number = pid(kernel, target);
            let fd = kernel.pidfd_open(root, number, 0).unwrap();
            kernel.setns(root, fd, u32::try_from(CLONE_NEWNS | CLONE_NEWUTS).unwrap()).unwrap();
        };
        join(&mut kernel, inside);
        let task = kernel.sys_clone(root, CLONE_FS).unwrap().task;
        kernel.setresgid(task, 1000, 1000, 1000).unwrap();
        kernel.setresuid(task, 1000, 1000, 1000).unwrap();
        if bad {
            join(&mut kernel, outside);
        }
        kernel.mount(task, "", "/", "", MS_SHARED)
    }),
    (Rule::FsTypeMissing, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "none", "/tmp", if bad { "" } else { "tmpfs" }, 0)
    }),
    (Rule::FsTypeUnknown, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "none", "/tmp", if bad { "zfs" } else { "tmpfs" }, 0)
    }),
    (Rule::FsPrivilege, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, CLONE_NEWNS);
        kernel.mount(task, "none", "/tmp", if bad { "mqueue" } else { "tmpfs" }, 0)
    }),
    (Rule::MountTooRevealing, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            kernel.mount(shell, "none", "/proc/sys", "tmpfs", 0).unwrap();
        }
        let flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
        let inner = kernel.sys_clone(shell, flags).unwrap().task;
        kernel.mount(inner, "proc", "/tmp", "proc", 0)
    }),
    (Rule::MountNouser, |bad| {
        let (mut kernel, _, shell) = release(7, 2);
        kernel.unshare(shell, UNSHARE_EMPTY_MNTNS).unwrap();
        kernel.mount(shell, "none", "/", "", MS_REMOUNT | if bad { 0 } else { MS_BIND })
    }),
    (Rule::MountTwice, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "sysfs", "/sys", "sysfs", 0).unwrap();
        kernel.mount(shell, "sysfs", if bad { "/sys" } else { "/tmp" }, "sysfs", 0)
    }),
    (Rule::UmountFlags, |bad| {
        let (mut kernel, shell) = tree();
        kernel.umount(shell, "/mnt", if bad { 16 } else { UMOUNT_NOFOLLOW })
    }),
    (Rule::UmountNotMountpoint, |bad| {
        let (mut kernel, shell) = tree();
        kernel.umount(shell, if bad { "/mnt/a" } else { "/mnt" }, 0)
    }),
    (Rule::UmountForeign, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, ".", MNT_DETACH).unwrap();
        }
        kernel.umount(shell, ".", MNT_DETACH)
    }),
    (Rule::UmountLocked, |bad| {
        let (mut kernel, shell) = locked();
        if !bad {
            kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        }
        kernel.umount(shell, "/mnt", MNT_DETACH)
    }),
    (Rule::UmountForce, |bad| {
        let (mut kernel, shell) = locked();
        bind(&mut kernel, shell, "/mnt", "/home").unwrap();
        kernel.umount(shell, "/home", if bad { MNT_FORCE } else { 0 })
    }),
    (Rule::UmountRoot, |bad| {
        let (mut kernel, shell) = tree();
        if !bad {
            return kernel.umount(shell, "/mnt", 0);
        }
        kernel.umount(shell, "/proc", 0).unwrap();
        kernel.umount(shell, "/mnt", 0).unwrap();
        kernel.umount(shell, "/", MNT_DETACH).unwrap();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.setns(shell, fd, 0).unwrap();
        kernel.umount(shell, "/", MNT_DETACH)
    }),
    (Rule::UmountBusy, |bad| {
        let (mut kernel, shell) = tree();
        kernel.chdir(shell, if bad { "/mnt" } else { "/" }).unwrap();
        kernel.umount(shell, "/mnt", 0)
    }),
    (Rule::UmountExpire, |bad| {
        let (mut kernel, shell) = tree();
        if !bad {
            kernel.umount(shell, "/mnt", MNT_EXPIRE).unwrap_err();
        }
        kernel.umount(shell, "/mnt", MNT_EXPIRE)
    }),
    (Rule::PivotShared, |bad| {
        let kind = if bad { MS_SHARED } else { MS_PRIVATE };
        pivot(|kernel, shell| make(kernel, shell, "/mnt", kind), "/mnt", "/mnt/a")
    }),
    (Rule::PivotForeign, |bad| {
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "none", "/tmp", "tmpfs", 0).unwrap();
        kernel.chdir(shell, "/mnt").unwrap();
        if bad {
            kernel.umount(shell, "/mnt", MNT_DETACH).unwrap();
        }
        kernel.pivot_root(shell, ".", "/tmp")
    }),
    (Rule::PivotLocked, |bad| {
        let (mut kernel, shell) = locked();
        if !bad {
            kernel.mount(shell, "/mnt", "/home", "", MS_BIND | MS_REC).unwrap();
        }
        let new = if bad { "/mnt" } else { "/home" };
        kernel.pivot_root(shell, new, &format!("{new}/a"))
    }),
    (Rule::PivotBusy, |bad| {
        pivot(|_, _| (), if bad { "/home" } else { "/mnt" }, if bad { "/home" } else { "/mnt/a" })
    }),
    (Rule::PivotRootNotMount, |bad| {
        let change = |kernel: &mut Kernel, shell| {
            kernel.mkdir(shell, "/home/new").unwrap();
            bind(kernel, shell, "/mnt", "/home/new").unwrap();
            kernel.chroot(shell, if bad { "/home" } else { "/" }).unwrap();
        };
        let new = if bad { "/new" } else { "/home/new" };
        pivot(change, new, &format!("{new}/a"))
    }),
    (Rule::PivotAbsoluteRoot, |bad| {
        let (mut kernel, shell) = tree();
        if !bad {
            return kernel.pivot_root(shell, "/mnt", "/mnt/a");
        }
        kernel.umount(shell, "/proc", 0).unwrap();
        kernel.umount(shell, "/mnt", 0).unwrap();
        kernel.umount(shell, "/", MNT_DETACH).unwrap();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        kernel.setns(shell, fd, 0).unwrap();
        kernel.mkdir(shell, "/d").unwrap();
        kernel.mount(shell, "none", "/d", "tmpfs", 0).unwrap();
        kernel.mkdir(shell, "/d/old").unwrap();
        kernel.pivot_root(shell, "/d", "/d/old")
    }),
    (Rule::PivotNewNotMount, |bad| {
        let change = |kernel: &mut Kernel, shell| kernel.mkdir(shell, "/mnt/a/old").unwrap();
        let new = if bad { "/mnt/a" } else { "/mnt" };
        pivot(change, new, "/mnt/a/old")
    }),
    (Rule::PivotPutOld, |bad| {
        let change = |kernel: &mut Kernel, shell| {
            kernel.mount(shell, "none", "/tmp", "tmpfs", 0).unwrap();
        };
        pivot(change, "/mnt", if bad { "/tmp" } else { "/mnt/a" })
    }),
    (Rule::PivotUnreachable, |bad| {
        // The caller's root is a mount beside the new one.
        let (mut kernel, shell) = tree();
        kernel.mount(shell, "none", "/tmp", "tmpfs", 0).unwrap();
        kernel.chdir(shell, "/mnt").unwrap();
        kernel.chroot(shell, if bad { "/tmp" } else { "/" }).unwrap();
        kernel.pivot_root(shell, ".", "a")
    }),
    (Rule::SetattrMissing, |bad| {
        let (mut kernel, init, _) = release(5, if bad { 11 } else { 12 });
        kernel.mount_setattr(init, "/", 0, &MountAttr::default())
    }),
    (Rule::SetattrFlags, |bad| {
        let set = if bad { 1 << 40 } else { MOUNT_ATTR_RDONLY };
        setattr("/mnt", MountAttr { set, ..MountAttr::default() })
    }),
    (Rule::SetattrNotMountpoint, |bad| {
        let path = if bad { "/mnt/a" } else { "/mnt" };
        setattr(path, MountAttr { set: MOUNT_ATTR_RDONLY, ..MountAttr::default() })
    }),
    (Rule::SetattrLocked, |bad| {
        let (mut kernel, shell) = locked();
        let clear = if bad { MOUNT_ATTR_NODEV } else { MOUNT_ATTR_NOSUID };
        kernel.mount_setattr(shell, "/tmp", 0, &MountAttr { clear, ..MountAttr::default() })
    }),
    (Rule::IdmapFd, |bad| {
        let (mut kernel, shell) = tree();
        let fd = if bad { kernel.open_plain(shell).unwrap() } else { user_ns_fd(&mut kernel, shell) };
        idmap(&mut kernel, shell, fd)
    }),
    (Rule::IdmapInit, |bad| {
        let (mut kernel, shell) = tree();
        let fd = if bad {
            kernel.open_ns(shell, 1, NsLink::Own(NsKind::User)).unwrap()
        } else {
            user_ns_fd(&mut kernel, shell)
        };
        idmap(&mut kernel, shell, fd)
    }),
    (Rule::IdmapPrivilege, |bad| {
        // In a container, with a descriptor of somebody else's user namespace.
        let (mut kernel, _, shell) = boot();
        let outer = user_ns_fd(&mut kernel, shell);
        kernel.unshare(shell, CLONE_NEWUSER | CLONE_NEWNS).unwrap();
        kernel.mount(shell, "none", "/mnt", "tmpfs", 0).unwrap();
        let fd = if bad { outer } else { kernel.open_ns(shell, 2, NsLink::Own(NsKind::User)).unwrap() };
        idmap(&mut kernel, shell, fd)
    }),
];
