//! Whether the kernel's answer to a call is the model's.

use nsproxy::op::{Op, Reply};
use nsproxy::{Denial, NsAnswer, NsIoctl, PidfdAnswer, PidfdInfo, Rule, Waited};

use crate::real::call::Answer;
use crate::seen::Known;

/// Compares two answers. What each side numbers by itself is compared as a class.
pub(crate) fn agree(op: &Op, kernel: &Answer, model: &Result<Reply, Denial>, known: &mut Known) -> bool {
    match (kernel, model) {
        (Answer::Refused(errno), Err(denial)) => *errno == errno_of(op, *denial),
        (Answer::Pending | Answer::Refused(_), Ok(_)) | (_, Err(_)) => false,
        (kernel, Ok(reply)) => same(op, kernel, reply, known),
    }
}

/// The errno as the kernel's call has it. The model calls a missing process by one
/// name; a path below /proc that leads to none is `ENOENT`.
fn errno_of(op: &Op, denial: Denial) -> i32 {
    let through_proc = matches!(
        op,
        Op::OpenNs { .. }
            | Op::OpenNsWrite { .. }
            | Op::ListNs(_)
            | Op::OpenMap { .. }
            | Op::OpenSetgroups(_)
            | Op::OpenTimensOffsets(_)
            | Op::WriteMap { .. }
            | Op::WriteSetgroups { .. }
            | Op::WriteTimensOffsets { .. }
    );
    if through_proc && denial.rule == Rule::NoSuchTask && denial.errno == nsproxy::Errno::ESRCH {
        return libc::ENOENT;
    }
    i32::from(denial.errno.number())
}

fn same(op: &Op, kernel: &Answer, model: &Reply, known: &mut Known) -> bool {
    match (kernel, model) {
        // Where the memory is mapped is of no matter.
        (Answer::Number(address), Reply::Done) if matches!(op, Op::Shmat(_)) => *address > 0,
        (Answer::Number(0), Reply::Done | Reply::Waited(Waited::Nothing | Waited::WouldBlock)) => true,
        // The model tells the new value of the semaphore.
        (Answer::Number(number), Reply::Number(_)) if matches!(op, Op::Semop { .. }) => *number == 0,
        (Answer::Number(number), Reply::Number(ours)) => number == ours,
        (
            Answer::Number(number),
            Reply::Fd(fd) | Reply::Ns(NsAnswer::Fd(fd)) | Reply::Pidfd(PidfdAnswer::Fd(fd)),
        ) => i64::from(*fd).cast_unsigned() == *number,
        (Answer::Child { pid, pidfd }, Reply::Child(child)) => {
            *pid == u64::from(child.pid) && *pidfd == child.pidfd
        }
        (
            Answer::Waited { pid, status },
            Reply::Waited(Waited::Reaped { pid: ours, status: our_status, .. }),
        ) => *pid == u64::from(*ours) && status == our_status,
        (Answer::Number(number), Reply::Ns(NsAnswer::Number(ours))) => match op {
            Op::NsIoctl { request: NsIoctl::GetId | NsIoctl::GetMntnsId, .. } => {
                known.ids.same(*number, *ours)
            }
            _ => number == ours,
        },
        (Answer::Mounts { count, id }, Reply::Ns(NsAnswer::Mounts { count: ours, id: our_id })) => {
            count == ours && known.ids.same(*id, *our_id)
        }
        (Answer::Info(words), Reply::Pidfd(PidfdAnswer::Info(info))) => *words == info_words(info),
        (Answer::Message(message), Reply::Message(ours)) => message == ours,
        (Answer::Ids(ids), Reply::Ids(ours)) => {
            let classes = match op {
                Op::Listmount { .. } => &mut known.mounts,
                _ => &mut known.ids,
            };
            ids.len() == ours.len() && ids.iter().zip(ours).all(|(id, ours)| classes.same(*id, *ours))
        }
        _ => false,
    }
}

/// In the order of the kernel's structure.
fn info_words(info: &PidfdInfo) -> [u32; 11] {
    let PidfdInfo { pid, tgid, ppid, uids, gids } = *info;
    let [ruid, euid, suid, fsuid] = uids;
    let [rgid, egid, sgid, fsgid] = gids;
    [pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid]
}
