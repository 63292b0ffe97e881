//! `statmount(2)`, as far as it is asked here. Linux 6.8.

use super::arch::syscall;
use crate::errno::Errno;

const SYS_STATMOUNT: libc::c_long = 457;
/// `STATMOUNT_MNT_BASIC`
const MNT_BASIC: u64 = 2;
/// `STATX_MNT_ID_UNIQUE`
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// `struct mnt_id_req`, in its first version.
#[repr(C)]
struct MntIdReq {
    size: u32,
    spare: u32,
    mnt_id: u64,
    param: u64,
}

/// `struct statmount`: what is before the strings, and the fields read here.
#[repr(C)]
struct StatMount {
    size: u32,
    mnt_opts: u32,
    mask: u64,
    sb: [u64; 3],
    mnt_id: u64,
    mnt_parent_id: u64,
    rest: [u64; 64],
}

/// The 64-bit id of the mount that a path leads to.
pub(crate) fn mount_id(path: &str) -> Result<u64, Errno> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let wanted = StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE);
    let stat = statx(CWD, path, AtFlags::NO_AUTOMOUNT, wanted)?;
    if stat.stx_mask & STATX_MNT_ID_UNIQUE == 0 {
        return Err(Errno::ENOSYS);
    }
    Ok(stat.stx_mnt_id)
}

/// The mount that a mount stands on; itself for the first of a mount namespace. `EPERM`
/// for one that the caller's root does not reach, without `CAP_SYS_ADMIN` in the owner.
pub(crate) fn parent(id: u64) -> Result<u64, Errno> {
    let request = MntIdReq { size: size_of::<MntIdReq>() as u32, spare: 0, mnt_id: id, param: MNT_BASIC };
    let mut answer =
        StatMount { size: 0, mnt_opts: 0, mask: 0, sb: [0; 3], mnt_id: 0, mnt_parent_id: 0, rest: [0; 64] };
    // SAFETY: a complete request, and room for as many bytes as are named.
    unsafe {
        syscall(
            SYS_STATMOUNT,
            [&raw const request as usize, &raw mut answer as usize, size_of::<StatMount>(), 0, 0],
        )?;
    }
    if answer.mask & MNT_BASIC == 0 { Err(Errno::ENOSYS) } else { Ok(answer.mnt_parent_id) }
}
