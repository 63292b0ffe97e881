//! `listns(2)`, Linux 6.19.

use super::arch::syscall;
use crate::errno::Errno;

const SYS_LISTNS: libc::c_long = 470;

/// `struct ns_id_req`.
#[repr(C)]
struct NsIdReq {
    size: u32,
    spare: u32,
    ns_id: u64,
    ns_type: u32,
    spare2: u32,
    user_ns_id: u64,
}

/// Fills `ids` with the ids above `after` of the active namespaces whose kind
/// is in `flags` (0 for all), and says how many there were.
pub(crate) fn listns(after: u64, flags: u32, ids: &mut [u64]) -> Result<usize, Errno> {
    let request = NsIdReq {
        size: size_of::<NsIdReq>() as u32,
        spare: 0,
        ns_id: after,
        ns_type: flags,
        spare2: 0,
        user_ns_id: 0,
    };
    // SAFETY: the request and the buffer live across the call, and the kernel
    // writes at most `ids.len()` numbers.
    unsafe { syscall(SYS_LISTNS, [&raw const request as usize, ids.as_mut_ptr() as usize, ids.len(), 0, 0]) }
}
