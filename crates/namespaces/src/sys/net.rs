//! The loopback device, and what a socket says of its network namespace.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::arch::syscall;
use crate::errno::Errno;

/// The part of `struct ifreq` that `SIOCSIFFLAGS` reads; 40 bytes in all.
#[repr(C)]
struct IfReqFlags {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Sets `lo` of the caller's network namespace up: `netdevice(7)`.
///
/// A plain ioctl, because this runs in a new process before `execve`, where a
/// netlink library must not allocate.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut request = IfReqFlags {
        name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        flags: (libc::IFF_UP | libc::IFF_RUNNING) as i16,
        rest: [0; 22],
    };
    // SAFETY: a live structure of the size and layout of `struct ifreq`.
    unsafe {
        syscall(
            libc::SYS_ioctl,
            [
                socket.as_fd().as_raw_fd() as usize,
                libc::SIOCSIFFLAGS as usize,
                &raw mut request as usize,
                0,
                0,
            ],
        )?;
    }
    Ok(())
}

/// Whether `lo` of the caller's network namespace is up.
pub(crate) fn loopback_is_up() -> Result<bool, Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut request = IfReqFlags { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: 0, rest: [0; 22] };
    // SAFETY: a live structure of the size and layout of `struct ifreq`.
    unsafe {
        syscall(
            libc::SYS_ioctl,
            [
                socket.as_fd().as_raw_fd() as usize,
                libc::SIOCGIFFLAGS as usize,
                &raw mut request as usize,
                0,
                0,
            ],
        )?;
    }
    Ok(request.flags & libc::IFF_UP as i16 != 0)
}

/// `SO_NETNS_COOKIE` of `socket(7)`: a number for the network namespace the
/// socket is in, never used again. Linux 5.14.
pub(crate) fn netns_cookie(socket: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut cookie: u64 = 0;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: a live value and its length, both of which the kernel may write.
    unsafe {
        syscall(
            libc::SYS_getsockopt,
            [
                socket.as_raw_fd() as usize,
                libc::SOL_SOCKET as usize,
                libc::SO_NETNS_COOKIE as usize,
                &raw mut cookie as usize,
                &raw mut length as usize,
            ],
        )?;
    }
    Ok(cookie)
}
