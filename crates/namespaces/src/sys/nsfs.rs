//! The ioctls of nsfs (`ioctl_nsfs(2)`), `SIOCGSKNS`, and nsfs file handles.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::arch::syscall;
use super::fd::own;
use crate::errno::Errno;

/// `_IO(0xb7, 0x1)`: the owning user namespace. Linux 4.9.
pub(crate) const NS_GET_USERNS: u32 = 0xb701;
/// `_IO(0xb7, 0x2)`: the parent of a user or pid namespace. Linux 4.9.
pub(crate) const NS_GET_PARENT: u32 = 0xb702;
/// `_IO(0xb7, 0x3)`: the kind. Linux 4.11.
const NS_GET_NSTYPE: u32 = 0xb703;
/// `_IO(0xb7, 0x4)`: the uid of the owner of a user namespace. Linux 4.11.
const NS_GET_OWNER_UID: u32 = 0xb704;
/// `_IOR(0xb7, 0x6, int)`: a pid of the namespace, as the caller sees it. Linux 6.11.
pub(crate) const NS_GET_PID_FROM_PIDNS: u32 = 0x8004_b706;
/// `_IOR(0xb7, 0x8, int)`: a pid of the caller's, as the namespace sees it. Linux 6.11.
pub(crate) const NS_GET_PID_IN_PIDNS: u32 = 0x8004_b708;
/// `_IOR(0xb7, 0xa, struct mnt_ns_info)`: how many mounts. Linux 6.12.
const NS_MNT_GET_INFO: u32 = 0x8010_b70a;
/// `_IOR(0xb7, 0xb, struct mnt_ns_info)`: the next mount namespace. Linux 6.12.
const NS_MNT_GET_NEXT: u32 = 0x8010_b70b;
/// `_IOR(0xb7, 0xc, struct mnt_ns_info)`: the one before. Linux 6.12.
const NS_MNT_GET_PREV: u32 = 0x8010_b70c;
/// `_IOR(0xb7, 0xd, u64)`: the 64-bit id. Linux 6.18.
const NS_GET_ID: u32 = 0x8008_b70d;
/// The network namespace of a socket. Linux 4.14 or so.
const SIOCGSKNS: u32 = 0x894c;

fn ioctl(fd: BorrowedFd<'_>, request: u32, argument: usize) -> Result<usize, Errno> {
    // SAFETY: every caller in this file passes for `argument` what `request`
    // takes: nothing, a number, or the address of a live value of its type.
    unsafe { syscall(libc::SYS_ioctl, [fd.as_raw_fd() as usize, request as usize, argument, 0, 0]) }
}

/// One of the requests that answer with a namespace: [`NS_GET_USERNS`],
/// [`NS_GET_PARENT`].
pub(crate) fn related(fd: BorrowedFd<'_>, request: u32) -> Result<OwnedFd, Errno> {
    debug_assert!(matches!(request, NS_GET_USERNS | NS_GET_PARENT));
    ioctl(fd, request, 0).map(own)
}

/// The `CLONE_NEW*` bit of the kind.
pub(crate) fn kind_flag(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    ioctl(fd, NS_GET_NSTYPE, 0).map(|flag| flag as u32)
}

pub(crate) fn owner_uid(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut uid: u32 = 0;
    ioctl(fd, NS_GET_OWNER_UID, &raw mut uid as usize)?;
    Ok(uid)
}

pub(crate) fn id(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut id: u64 = 0;
    ioctl(fd, NS_GET_ID, &raw mut id as usize)?;
    Ok(id)
}

/// [`NS_GET_PID_FROM_PIDNS`] or [`NS_GET_PID_IN_PIDNS`].
pub(crate) fn translate_pid(fd: BorrowedFd<'_>, request: u32, pid: i32) -> Result<i32, Errno> {
    debug_assert!(matches!(request, NS_GET_PID_FROM_PIDNS | NS_GET_PID_IN_PIDNS));
    // The argument is the pid itself, whatever the encoding of the request says.
    ioctl(fd, request, pid as usize).map(|pid| pid as i32)
}

/// `struct mnt_ns_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MntNsInfo {
    size: u32,
    /// Number of mounts, without the root mount.
    pub(crate) nr_mounts: u32,
    /// The 64-bit id of the mount namespace.
    pub(crate) mnt_ns_id: u64,
}

/// What is known of a mount namespace.
pub(crate) fn mnt_info(fd: BorrowedFd<'_>) -> Result<MntNsInfo, Errno> {
    let mut info = MntNsInfo { size: size_of::<MntNsInfo>() as u32, ..MntNsInfo::default() };
    ioctl(fd, NS_MNT_GET_INFO, &raw mut info as usize)?;
    Ok(info)
}

/// The mount namespace with the next higher id (`next`) or the next lower one.
pub(crate) fn adjacent_mnt(fd: BorrowedFd<'_>, next: bool) -> Result<(OwnedFd, MntNsInfo), Errno> {
    let request = if next { NS_MNT_GET_NEXT } else { NS_MNT_GET_PREV };
    let mut info = MntNsInfo { size: size_of::<MntNsInfo>() as u32, ..MntNsInfo::default() };
    let found = ioctl(fd, request, &raw mut info as usize)?;
    Ok((own(found), info))
}

/// The network namespace that `socket` lives in.
pub(crate) fn of_socket(socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    ioctl(socket, SIOCGSKNS, 0).map(own)
}

/// `struct file_handle` with the payload of nsfs, type 0xf1. Linux 6.18.
#[repr(C)]
struct NsHandle {
    bytes: u32,
    kind: i32,
    ns_id: u64,
    ns_type: u32,
    ns_inum: u32,
}

/// Opens a namespace by the three numbers of its file handle. The kernel says
/// `ESTALE` both when there is none and when the caller may not.
pub(crate) fn open_by_handle(ns_id: u64, flag: u32, inode: u32) -> Result<OwnedFd, Errno> {
    const FD_NSFS_ROOT: i32 = -10003;
    let mut handle = NsHandle { bytes: 16, kind: 0xf1, ns_id, ns_type: flag, ns_inum: inode };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a complete file handle that lives across the call.
    let answer = unsafe {
        syscall(
            libc::SYS_open_by_handle_at,
            [FD_NSFS_ROOT as usize, &raw mut handle as usize, flags as usize, 0, 0],
        )
    };
    answer.map(own)
}
