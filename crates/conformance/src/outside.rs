//! Calls that reach beyond the world, into the machine around it.

use nsproxy::op::Op;
use nsproxy::uapi::{CLONE_NEWUSER, MS_BIND, MS_REMOUNT};
use nsproxy::{Cap, Kernel, NsId, NsKind, NsLink, Release, Resource, TaskId};

/// Why a call is not to be made, if it might change the machine and not only the world, or is
/// answered by what the machine does beside it.
pub(crate) fn reached(kernel: &Kernel, me: TaskId, op: &Op) -> Option<&'static str> {
    let reasons = [
        // The limits of the machine's own user namespace are not the world's.
        (sets_limits(kernel, me, op), "it would limit the whole machine"),
        (sets_pid_max(kernel, op), "there is one pid_max for the whole machine before 6.14"),
        (
            remounts(kernel, me, op),
            "a remount without MS_BIND where nsfs or cgroup2 is mounted might be one for the whole machine",
        ),
        (
            ties_an_init(kernel, me, op),
            "an init in the process group of another process of its namespace would never end",
        ),
        (limits_root(kernel, me, op), "the processes of the whole machine's root would count"),
    ];
    reasons.into_iter().find_map(|(reached, why)| reached.then_some(why))
}

pub(crate) fn namespace(kernel: &Kernel, task: TaskId, link: nsproxy::NsLink) -> Option<NsId> {
    let all = kernel.namespaces_of(task).ok()?;
    all.into_iter().find(|(name, _)| *name == link)?.1.map(|ns| ns.id)
}

const USER: NsLink = NsLink::Own(NsKind::User);

fn in_first_user_ns(kernel: &Kernel, me: TaskId) -> bool {
    namespace(kernel, me, USER) == namespace(kernel, kernel.init(), USER)
}

fn sets_pid_max(kernel: &Kernel, op: &Op) -> bool {
    matches!(op, Op::WritePidMax(_)) && kernel.params().release < Release::new(6, 14)
}

fn sets_limits(kernel: &Kernel, me: TaskId, op: &Op) -> bool {
    if !matches!(op, Op::WriteMaxNamespaces { .. }) {
        return false;
    }
    let outside = namespace(kernel, kernel.init(), USER);
    let capable = outside.is_some_and(|ns| kernel.host_capable(me, ns, Cap::SysResource).unwrap_or(true));
    in_first_user_ns(kernel, me) && capable
}

/// Whether a call makes a user namespace that allows its creator, the machine's root, a
/// number of processes: `create_user_ns` takes over the limit of a caller whose real user is
/// another, and what counts is the processes of the effective one, all of the machine's.
fn limits_root(kernel: &Kernel, me: TaskId, op: &Op) -> bool {
    let (Op::Clone(flags) | Op::Clone3 { flags, .. } | Op::Unshare(flags)) = op else { return false };
    let root_by_effect =
        || kernel.status(kernel.init(), me).is_ok_and(|status| status.uids[0] != 0 && status.uids[1] == 0);
    let limited = || kernel.rlimit(me, Resource::Nproc).is_ok_and(|limit| limit != u64::MAX);
    flags & CLONE_NEWUSER != 0 && in_first_user_ns(kernel, me) && root_by_effect() && limited()
}

/// Whether a call may remount a file system that the world shares with the machine
/// outside: of these there is one only, whatever namespace it is mounted in.
fn remounts(kernel: &Kernel, task: TaskId, op: &Op) -> bool {
    let Op::Mount { flags, .. } = op else { return false };
    let shared = |fstype: &str| matches!(fstype, "nsfs" | "cgroup2");
    flags & (MS_REMOUNT | MS_BIND) == MS_REMOUNT
        && kernel.mountinfo(task).is_ok_and(|lines| lines.iter().any(|line| shared(line.fstype)))
}

/// Whether a call puts the init of a pid namespace into the group of another process in
/// it. `zap_pid_ns_processes` waits until only the number of init itself is in use, but its
/// group keeps that of the other: it waits for ever, and nothing ends it.
fn ties_an_init(kernel: &Kernel, task: TaskId, op: &Op) -> bool {
    let Op::Setpgid { .. } = op else { return false };
    let mut after = kernel.clone();
    if after.apply(task, op).is_err() {
        return false;
    }
    let of_itself = |task| after.status(task, task).ok();
    after.tasks().into_iter().filter_map(of_itself).any(|status| status.pid == 1 && status.pgid > 1)
}
