//! Namespace files, pidfds, listns.

use super::*;
use nsproxy::{NsHandle, NsIdReq, NsIoctl, NsKind, NsLink, PidfdIoctl, Resource};

/// A request on the shell's own namespace of a kind, by the shell.
fn ioctl(kind: NsKind, request: NsIoctl) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let fd = kernel.open_ns(shell, 2, NsLink::Own(kind)).unwrap();
    ok(kernel.ns_ioctl(shell, fd, request))
}

/// A child in a new namespace asks about the namespace its parent is in.
fn ioctl_from_below(flags: u64, kind: NsKind, request: NsIoctl) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let middle = kernel.sys_clone(shell, kind.flag()).unwrap();
    let number = middle.pid.cast_signed();
    let fd = kernel.open_ns(shell, number, NsLink::Own(kind)).unwrap();
    let asking = kernel.sys_clone(shell, flags).unwrap().task;
    ok(kernel.ns_ioctl(asking, fd, request))
}

fn handle(change: impl FnOnce(&mut NsHandle)) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap();
    let mut handle = kernel.ns_handle(shell, fd).unwrap();
    change(&mut handle);
    ok(kernel.open_ns_handle(shell, handle))
}

fn pidfd_ioctl(ended: bool, reaped: bool, request: PidfdIoctl) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let child = kernel.fork(shell).unwrap();
    let fd = kernel.pidfd_open(shell, child.pid.cast_signed(), 0).unwrap();
    if ended {
        kernel.exit(child.task, 0).unwrap();
    }
    if reaped {
        kernel.wait(shell).unwrap();
    }
    ok(kernel.pidfd_ioctl(shell, fd, request))
}

fn listns(request: NsIdReq, room: usize, flags: u32) -> Result<(), Denial> {
    let (kernel, _, shell) = release(6, 19);
    ok(kernel.listns(shell, &request, room, flags))
}

const UTS: PidfdIoctl = PidfdIoctl::GetNamespace(NsLink::Own(NsKind::Uts), 0);

pub(super) const CASES: &[Case] = &[
    (Rule::NoFreeFd, |bad| {
        let (mut kernel, _, shell) = boot();
        let limit = if bad { 3 } else { 4 };
        kernel.prlimit(shell, 0, Resource::Nofile, limit, limit).unwrap();
        ok(kernel.open_plain(shell))
    }),
    (Rule::NsDirAccess, |bad| {
        let (mut kernel, init, _) = boot();
        let task = user(&mut kernel);
        ok(kernel.list_ns(task, if bad { init } else { task }))
    }),
    (Rule::LinkGone, |bad| {
        let (mut kernel, _, shell) = boot();
        let child = kernel.fork(shell).unwrap();
        kernel.exit(child.task, 0).unwrap();
        let kind = if bad { NsKind::Uts } else { NsKind::User };
        ok(kernel.open_ns(shell, 3, NsLink::Own(kind)))
    }),
    (Rule::PidForChildrenEmpty, |bad| {
        let (mut kernel, _, shell) = release(7, u8::from(!bad));
        kernel.unshare(shell, CLONE_NEWPID).unwrap();
        ok(kernel.open_ns(shell, 2, NsLink::PidForChildren))
    }),
    (Rule::NsOpenReadOnly, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.open_ns_mode(shell, 2, NsLink::Own(NsKind::Uts), bad))
    }),
    (Rule::NsIoctlUnknown, |bad| ioctl(NsKind::Uts, if bad { NsIoctl::Unknown } else { NsIoctl::GetId })),
    (Rule::NsIoctlNotNamespace, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = if bad {
            kernel.open_plain(shell).unwrap()
        } else {
            kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap()
        };
        ok(kernel.ns_ioctl(shell, fd, NsIoctl::GetNstype))
    }),
    (Rule::NsGetUsernsScope, |bad| {
        let flags = if bad { CLONE_NEWUSER } else { 0 };
        ioctl_from_below(flags, NsKind::Uts, NsIoctl::GetUserns)
    }),
    (Rule::NsGetParentKind, |bad| {
        let kind = if bad { NsKind::Uts } else { NsKind::Pid };
        ioctl_from_below(0, kind, NsIoctl::GetParent)
    }),
    (Rule::NsGetParentScope, |bad| {
        let flags = if bad { CLONE_NEWPID } else { 0 };
        ioctl_from_below(flags, NsKind::Pid, NsIoctl::GetParent)
    }),
    (Rule::NsGetOwnerUidKind, |bad| {
        ioctl(if bad { NsKind::Uts } else { NsKind::User }, NsIoctl::GetOwnerUid)
    }),
    (Rule::NsMntKind, |bad| ioctl(if bad { NsKind::Uts } else { NsKind::Mnt }, NsIoctl::GetMntnsId)),
    (Rule::NsMntInfo, |bad| ioctl(NsKind::Mnt, NsIoctl::MntGetInfo((!bad).then_some(16)))),
    (Rule::NsMntInfoSize, |bad| ioctl(NsKind::Mnt, NsIoctl::MntGetInfo(Some(if bad { 15 } else { 16 })))),
    (Rule::NsMntNextPrivilege, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sys_clone(shell, CLONE_NEWNS).unwrap();
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        if bad {
            drop_cap(&mut kernel, shell, Cap::SysAdmin);
        }
        ok(kernel.ns_ioctl(shell, fd, NsIoctl::MntGetNext(true)))
    }),
    (Rule::NsMntNextNull, |bad| {
        let (mut kernel, _, shell) = release(6, if bad { 19 } else { 18 });
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        ok(kernel.ns_ioctl(shell, fd, NsIoctl::MntGetNext(false)))
    }),
    (Rule::NsMntNextEnd, |bad| {
        let (mut kernel, _, shell) = boot();
        if !bad {
            kernel.sys_clone(shell, CLONE_NEWNS).unwrap();
        }
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Mnt)).unwrap();
        ok(kernel.ns_ioctl(shell, fd, NsIoctl::MntGetNext(true)))
    }),
    (Rule::NsPidKind, |bad| ioctl(if bad { NsKind::Uts } else { NsKind::Pid }, NsIoctl::GetPidInPidns(2))),
    (Rule::NsPidUnknown, |bad| ioctl(NsKind::Pid, NsIoctl::GetPidInPidns(if bad { 9 } else { 2 }))),
    (Rule::HandleBad, |bad| handle(|handle| handle.inum += u32::from(bad))),
    (Rule::HandlePermission, |bad| {
        let (mut kernel, _, shell) = boot();
        let child = kernel.sys_clone(shell, CLONE_NEWUTS).unwrap();
        let fd = kernel.open_ns(shell, child.pid.cast_signed(), NsLink::Own(NsKind::Uts)).unwrap();
        let handle = kernel.ns_handle(shell, fd).unwrap();
        if bad {
            drop_cap(&mut kernel, shell, Cap::SysAdmin);
        }
        ok(kernel.open_ns_handle(shell, handle))
    }),
    (Rule::HandleUnsupported, |bad| {
        let (mut kernel, _, shell) = release(6, if bad { 17 } else { 18 });
        let fd = kernel.open_ns(shell, 2, NsLink::Own(NsKind::Uts)).unwrap();
        ok(kernel.ns_handle(shell, fd))
    }),
    (Rule::PidfdOpenFlags, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.pidfd_open(shell, 2, if bad { 1 } else { PIDFD_THREAD }))
    }),
    (Rule::PidfdOpenThread, |bad| {
        let (mut kernel, _, shell) = release(6, 14);
        thread_of(&mut kernel, shell);
        ok(kernel.pidfd_open(shell, 3, if bad { 0 } else { PIDFD_THREAD }))
    }),
    (Rule::PidfdOpenNoLeader, |bad| {
        let (mut kernel, _, shell) = boot();
        thread_of(&mut kernel, shell);
        ok(kernel.pidfd_open(shell, 3, if bad { 0 } else { PIDFD_THREAD }))
    }),
    (Rule::PidfdIoctlUnknown, |bad| pidfd_ioctl(false, false, if bad { PidfdIoctl::Unknown } else { UTS })),
    (Rule::PidfdIoctlNotPidfd, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd =
            if bad { kernel.open_plain(shell).unwrap() } else { kernel.pidfd_open(shell, 2, 0).unwrap() };
        ok(kernel.pidfd_ioctl(shell, fd, UTS))
    }),
    (Rule::PidfdReaped, |bad| pidfd_ioctl(bad, bad, UTS)),
    (Rule::PidfdArgument, |bad| {
        let request = PidfdIoctl::GetNamespace(NsLink::Own(NsKind::Uts), u64::from(bad));
        pidfd_ioctl(false, false, request)
    }),
    (Rule::PidfdZombie, |bad| pidfd_ioctl(bad, false, UTS)),
    (Rule::PidfdKindNotBuilt, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.params_mut().features.set_built(NsKind::Uts, !bad);
        let fd = kernel.pidfd_open(shell, 2, 0).unwrap();
        ok(kernel.pidfd_ioctl(shell, fd, UTS))
    }),
    (Rule::PidfdInfoForeign, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.pidfd_open(shell, 2, 0).unwrap();
        let child = kernel.sys_clone(shell, if bad { CLONE_NEWPID } else { 0 }).unwrap();
        ok(kernel.pidfd_ioctl(child.task, fd, PidfdIoctl::GetInfo(64)))
    }),
    (Rule::PidfdInfoSize, |bad| {
        let (mut kernel, _, shell) = release(6, 17);
        let fd = kernel.pidfd_open(shell, 2, 0).unwrap();
        ok(kernel.pidfd_ioctl(shell, fd, PidfdIoctl::GetInfo(if bad { 63 } else { 64 })))
    }),
    (Rule::ListnsMissing, |bad| {
        let (kernel, _, shell) = release(6, if bad { 18 } else { 19 });
        ok(kernel.listns(shell, &NsIdReq::default(), 10, 0))
    }),
    (Rule::ListnsFlags, |bad| listns(NsIdReq::default(), 10, u32::from(bad))),
    (Rule::ListnsCount, |bad| listns(NsIdReq::default(), 1_000_000 + usize::from(bad), 0)),
    (Rule::ListnsSizeTooBig, |bad| {
        let size = 4096 + u32::from(bad);
        listns(NsIdReq { size, ..NsIdReq::default() }, 10, 0)
    }),
    (Rule::ListnsSizeTooSmall, |bad| {
        let size = 32 - u32::from(bad);
        listns(NsIdReq { size, ..NsIdReq::default() }, 10, 0)
    }),
    (Rule::ListnsSpare, |bad| {
        let spare = u32::from(bad);
        listns(NsIdReq { spare, ..NsIdReq::default() }, 10, 0)
    }),
    (Rule::ListnsKind, |bad| {
        let ns_type = CLONE_NEWUTS | u64::from(bad);
        listns(NsIdReq { ns_type, ..NsIdReq::default() }, 10, 0)
    }),
    (Rule::ListnsUser, |bad| {
        let user_ns_id = if bad { 2 } else { 3 };
        listns(NsIdReq { user_ns_id, ..NsIdReq::default() }, 10, 0)
    }),
    (Rule::ListnsAfter, |bad| {
        let ns_id = if bad { 8 } else { 7 };
        listns(NsIdReq { ns_id, ..NsIdReq::default() }, 10, 0)
    }),
];
