//! `statmount(2)` and `listmount(2)`.

use super::*;
use nsproxy::{LISTMOUNT_REVERSE, MntIdReq, NsKind, NsLink};

/// A task, another mount namespace by id, and a descriptor of each kind asked for.
fn two(major: u8, minor: u8) -> (Kernel, TaskId, u64, i32) {
    let (mut kernel, _, shell) = release(major, minor);
    let other = kernel.sys_clone(shell, CLONE_NEWNS).unwrap();
    let link = NsLink::Own(NsKind::Mnt);
    let id = kernel.stat_ns(shell, other.task, link).unwrap().ns_id;
    let fd = kernel.open_ns(shell, other.pid.cast_signed(), link).unwrap();
    (kernel, shell, id, fd)
}

const OWN: MntIdReq = MntIdReq { mnt_id: None, mnt_ns_id: 0, mnt_ns_fd: None };

fn by_id(id: u64) -> MntIdReq {
    MntIdReq { mnt_ns_id: id, ..OWN }
}

fn first_mount(kernel: &Kernel, task: TaskId) -> u64 {
    kernel.listmount(task, &OWN, 0).unwrap()[0]
}

pub(super) const CASES: &[Case] = &[
    (Rule::StatmountMissing, |bad| {
        let (kernel, _, shell) = release(6, if bad { 7 } else { 8 });
        ok(kernel.listmount(shell, &OWN, 0))
    }),
    (Rule::StatmountFlags, |bad| {
        let (kernel, _, shell) = boot();
        ok(kernel.listmount(shell, &OWN, LISTMOUNT_REVERSE << u32::from(bad)))
    }),
    (Rule::StatmountNsId, |bad| {
        let (kernel, shell, id, _) = two(6, if bad { 10 } else { 11 });
        ok(kernel.listmount(shell, &by_id(id), 0))
    }),
    (Rule::StatmountNsFd, |bad| {
        let (kernel, shell, _, fd) = two(6, if bad { 17 } else { 18 });
        ok(kernel.listmount(shell, &MntIdReq { mnt_ns_fd: Some(fd), ..OWN }, 0))
    }),
    (Rule::StatmountBoth, |bad| {
        let (kernel, shell, id, fd) = two(6, 18);
        let mnt_ns_id = if bad { id } else { 0 };
        ok(kernel.listmount(shell, &MntIdReq { mnt_ns_fd: Some(fd), mnt_ns_id, ..OWN }, 0))
    }),
    (Rule::StatmountNotMnt, |bad| {
        let (mut kernel, shell, _, fd) = two(6, 18);
        let uts = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap();
        let fd = if bad { uts } else { fd };
        ok(kernel.listmount(shell, &MntIdReq { mnt_ns_fd: Some(fd), ..OWN }, 0))
    }),
    (Rule::StatmountNsUnknown, |bad| {
        let (kernel, shell, id, _) = two(6, 18);
        ok(kernel.listmount(shell, &by_id(id + 1000 * u64::from(bad)), 0))
    }),
    (Rule::StatmountForeign, |bad| {
        let (mut kernel, shell, id, _) = two(6, 18);
        let task = user(&mut kernel);
        let mnt_id = kernel.listmount(shell, &by_id(id), 0).unwrap().first().copied();
        ok(kernel.statmount(if bad { task } else { shell }, &MntIdReq { mnt_id, ..by_id(id) }, 0))
    }),
    (Rule::ListmountForeign, |bad| {
        let (mut kernel, shell, id, _) = two(6, 18);
        let task = user(&mut kernel);
        ok(kernel.listmount(if bad { task } else { shell }, &by_id(id), 0))
    }),
    (Rule::StatmountUnknown, |bad| {
        let (kernel, _, shell) = boot();
        let mnt_id = Some(first_mount(&kernel, shell) + 1000 * u64::from(bad));
        ok(kernel.statmount(shell, &MntIdReq { mnt_id, ..OWN }, 0))
    }),
    (Rule::StatmountReach, |bad| {
        let (mut kernel, _, shell) = boot();
        let mnt_id = Some(first_mount(&kernel, shell));
        kernel.chroot(shell, "/tmp").unwrap();
        if bad {
            kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
        }
        ok(kernel.statmount(shell, &MntIdReq { mnt_id, ..OWN }, 0))
    }),
];
