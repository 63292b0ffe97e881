//! What may be the case where nobody can look, and what speaks against it.
//!
//! Each [`Supposition`] is a state of the machine that would explain a refusal. The model
//! is asked under every one that is not excluded; those that lead to what the kernel
//! answered remain.

use nsproxy::{Call, Cap, Hook, Rule};

use super::ask::hook;
use super::cause::{Cause, Outside};
use super::evidence::Evidence;
use super::load::Assumed;
use super::locks::{Lock, lock_asked};
use super::machine::{MOST_PID_LEVELS, Machine};
use super::question::Question;
use super::state::{APPARMOR_USERNS, Chroot, Owner, State, limit_file};
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::kind::Kind;
use crate::plan::Step;
use crate::sys::probe;

/// A possible state of what can't be seen.
#[derive(Clone, Debug)]
pub(super) struct Supposition {
    pub(super) assumed: Assumed,
    /// The cause, if it is none of the rules.
    pub(super) outside: Option<Outside>,
    /// What makes it possible.
    pub(super) because: Evidence,
    /// Nothing speaks for it but that nothing speaks against it.
    pub(super) weak: bool,
}

impl Supposition {
    fn new(because: Evidence, change: impl FnOnce(&mut Assumed)) -> Supposition {
        let mut assumed = Assumed::default();
        change(&mut assumed);
        Supposition { assumed, outside: None, because, weak: false }
    }

    fn weak(self) -> Supposition {
        Supposition { weak: true, ..self }
    }

    /// Whether a refusal by `rule` is one for what is supposed, and not for what else had to be
    /// changed in the model for it.
    pub(super) fn leads_to(&self, rule: Rule) -> bool {
        !self.assumed.nproc || rule == Rule::ForkNproc
    }

    /// The cause to name for a refusal by `rule` in this state.
    pub(super) fn cause(&self, rule: Rule) -> Cause {
        self.outside.map_or(Cause::Rule(rule), Cause::Outside)
    }
}

/// What may be, given what was seen. `errno` is what the kernel answered.
pub(super) fn suppositions(
    machine: &Machine<'_>,
    state: &State,
    question: &Question,
    errno: Option<Errno>,
) -> Vec<Supposition> {
    let mut all = Vec::new();
    limits(machine, state, errno, &mut all);
    let chrooted = match &state.chroot {
        Chroot::Unknown => Some(Evidence::inferred(
            "the root directory is not that of the mount namespace: no other process is visible to compare it with",
        )),
        Chroot::Likely(because) => Some(because.clone()),
        Chroot::Yes(_) | Chroot::No => None,
    };
    if let Some(because) = chrooted {
        all.push(Supposition::new(because, |assumed| assumed.chrooted = true));
    }
    if state.fs_sharer.is_none() {
        let because = Evidence::inferred(
            "a process shares root and working directory: kcmp finds none among parent, children and siblings, and others were not asked",
        );
        all.push(Supposition::new(because, |assumed| assumed.shared_fs = true));
    }
    let of_another = matches!(question, Question::WriteTimeOffsets { pid: 1.., .. });
    if of_another || state.time_for_children != state.inode(Kind::Time) {
        let because = Evidence::inferred("a process has entered the time namespace for children");
        all.push(Supposition::new(because, |assumed| assumed.frozen = true));
    }
    let because = || {
        Evidence::inferred(
            "a process that was made with CLONE_VM shares memory or signal handlers; which do can't be read",
        )
    };
    if state.memory_shared.is_none() {
        all.push(Supposition::new(because(), |assumed| assumed.shared_memory = true));
    }
    if state.handlers_shared.is_none() {
        all.push(Supposition::new(because(), |assumed| assumed.shared_handlers = true));
    }
    let because = || {
        Evidence::inferred("the process is in another user namespace than it seems; its own can't be read")
    };
    all.push(Supposition::new(because(), |assumed| assumed.target_elsewhere = true));
    all.push(Supposition::new(because(), |assumed| assumed.target_open = true));
    all.push(Supposition::new(because(), |assumed| assumed.target_granted = true));
    all.push(Supposition::new(because(), |assumed| {
        assumed.target_granted = true;
        assumed.target_elsewhere = true;
    }));
    if state.pid_pending() {
        let because = Evidence::inferred("the first process of the pid namespace for children is ending");
        all.push(Supposition::new(because, |assumed| assumed.dead_init = true));
    }
    tasks(machine, state, &mut all);
    maps(state, &mut all);
    mounts(machine, state, question, &mut all);
    if let Some(errno) = errno {
        outside(machine, state, question, errno, &mut all);
    }
    all
}

/// A namespace that was never limited has this, and nothing reaches it.
const UNLIMITED: u64 = i32::MAX as u64;

fn limits(machine: &Machine<'_>, state: &State, errno: Option<Errno>, all: &mut Vec<Supposition>) {
    let deepest_pid = if errno == Some(Errno::ENOSPC) { deepest_pid(machine, state) } else { None };
    for kind in Kind::ALL {
        let Some(limit) = state.limit(kind) else { continue };
        // How deep it is, is asked first.
        if kind == Kind::Pid && deepest_pid.is_some() {
            continue;
        }
        if limit > 0 && limit < UNLIMITED {
            let because = Evidence::file(
                limit_file(kind),
                format!("is {limit} in {}, and as many are in use", state.name(Kind::User)),
            );
            let here = Supposition::new(because, |assumed| assumed.full_here = Some(kind));
            all.push(if limit > 1000 && !state.is_first() { here.weak() } else { here });
        }
        if !state.is_first() {
            let because = Evidence::inferred(format!(
                "a user namespace above {} has its limit on {kind} namespaces reached; limits further up can't be read from here",
                state.name(Kind::User)
            ));
            all.push(Supposition::new(because, |assumed| assumed.full_above = Some(kind)));
        }
    }
    let less_deep = || errno == Some(Errno::ENOSPC) && is_parent(machine, state);
    if !state.is_first() && !less_deep() {
        let because = Evidence::inferred(
            "as many user namespaces lie above as may be nested; how many can't be read from here",
        );
        let deep = Supposition::new(because, |assumed| assumed.deep_user = true);
        // That nobody may make one is reason enough.
        all.push(if state.limit(Kind::User) == Some(0) { deep.weak() } else { deep });
    }
    let first_pid = state.inode(Kind::Pid).is_none_or(|inode| inode == FIRST_PID);
    let less_deep = || {
        errno == Some(Errno::ENOSPC)
            && machine.pid_levels(MOST_PID_LEVELS, state.security.may_filter()) == Some(false)
    };
    if !first_pid && !less_deep() {
        let weak = deepest_pid.is_none() && state.limit(Kind::Pid) == Some(0);
        let because = deepest_pid.unwrap_or_else(|| {
            Evidence::inferred(
                "as many pid namespaces lie above as may be nested; how many can't be read from here",
            )
        });
        let deep = Supposition::new(because, |assumed| assumed.deep_pid = true);
        all.push(if weak { deep.weak() } else { deep });
    }
}

/// Whether something belongs to a user namespace below the own one, of what processes are in and
/// the caller has open: then the own one is not the deepest.
fn is_parent(machine: &Machine<'_>, state: &State) -> bool {
    let (eyes, own) = (machine.eyes(), state.inode(Kind::User));
    let below = |path: &str, kind: Kind| matches!(Owner::of(eyes, path, kind, own), Owner::Below(_));
    let open = (0..FEW_FILES).any(|fd| {
        let path = format!("/proc/thread-self/fd/{fd}");
        let link = eyes.read_link(&path).unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| link.starts_with(&format!("{kind}:[")));
        kind.is_some_and(|kind| below(&path, kind))
    });
    let processes = || eyes.processes(ENOUGH).unwrap_or_default();
    open || processes().into_iter().any(|pid| {
        Kind::ALL.into_iter().any(|kind| {
            let at = |name: &str| format!("/proc/{pid}/ns/{name}");
            below(&at(kind.name()), kind)
                || kind.for_children_name().is_some_and(|name| below(&at(name), kind))
        })
    })
}

/// What shows that there can be no pid namespace below the own one: so many numbers, and one
/// more above those that /proc shows.
fn deepest_pid(machine: &Machine<'_>, state: &State) -> Option<Evidence> {
    let shown = state.status.as_ref()?.pids.len();
    let says = format!("has {shown} numbers in NStgid, and /proc does not show the first pid namespace");
    let deepest = shown >= MOST_PID_LEVELS && shows_first_pid(machine) == Some(false);
    deepest.then(|| Evidence::file("/proc/self/status", says))
}

/// Whether /proc shows the first pid namespace, where process 2 is the kernel's.
fn shows_first_pid(machine: &Machine<'_>) -> Option<bool> {
    if let Ok(link) = machine.eyes().read_link("/proc/1/ns/pid") {
        return Some(link == format!("pid:[{FIRST_PID}]"));
    }
    let second = machine.text("/proc/2/status").ok()?;
    Some(second.lines().find_map(|line| line.strip_prefix("Kthread:"))?.trim() == "1")
}

/// More are not looked at.
const ENOUGH: usize = 1000;
/// Nor at more of the own descriptors.
const FEW_FILES: u32 = 64;

const FIRST_PID: u64 = 0xefff_fffc;

fn tasks(machine: &Machine<'_>, state: &State, all: &mut Vec<Supposition>) {
    let because = match state.nproc {
        Some(limit) => Evidence::file(
            "/proc/self/limits",
            format!("allows this user {limit} processes, and there are as many"),
        ),
        None => Evidence::inferred(
            "a user namespace above was made by a user who has as many processes as its limit allows",
        ),
    };
    if state.nproc.is_some() || !state.is_first() {
        all.push(Supposition::new(because, |assumed| assumed.nproc = true));
    }
    let most = machine.number("/proc/sys/kernel/threads-max");
    let tasks = machine
        .text("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(3)?.split_once('/')?.1.parse::<u64>().ok());
    if let (Some(most), Some(tasks)) = (most, tasks)
        && tasks + tasks / 8 >= most
    {
        let because =
            Evidence::file("/proc/sys/kernel/threads-max", format!("is {most}, and there are {tasks} tasks"));
        all.push(Supposition::new(because, |assumed| assumed.threads_max = true));
    }
}

fn maps(state: &State, all: &mut Vec<Supposition>) {
    if state.is_first() {
        return;
    }
    let because =
        Evidence::inferred("the creator of the user namespace lacked CAP_SETFCAP, which can't be read");
    all.push(Supposition::new(because, |assumed| assumed.no_setfcap = true));
    if state.uid_map.as_ref().is_none_or(Vec::is_empty) {
        let because = Evidence::file(
            "/proc/self/uid_map",
            "is empty, and the user namespace belongs to another user, which can't be read inside",
        );
        all.push(Supposition::new(because, |assumed| assumed.other_owner = true));
    }
}

fn mounts(machine: &Machine<'_>, state: &State, question: &Question, all: &mut Vec<Supposition>) {
    let about = matches!(
        question,
        Question::Mount { .. }
            | Question::Umount { .. }
            | Question::PivotRoot { .. }
            | Question::Launch(_)
            | Question::Steps(_)
    );
    if !about {
        return;
    }
    let free = lock_asked(machine, state, question) == Lock::Free;
    if *state.owner(Kind::Mnt) != Owner::Unknown && !state.is_first() && !free {
        let because = Evidence::inferred(format!(
            "{} was made from a more privileged one, whose mounts are locked in it; mountinfo does not show which",
            state.name(Kind::Mnt)
        ));
        all.push(Supposition::new(because, |assumed| assumed.locked_mounts = true));
    }
    if !state.is_first() {
        let because = Evidence::inferred(
            "the file system was mounted from the caller's own user namespace, which can't be read",
        );
        all.push(Supposition::new(because, |assumed| assumed.own_filesystems = true));
    }
    if let Some(most) = state.mount_max
        && state.mounts.len() as u64 * 2 >= most
    {
        let because = Evidence::file(
            "/proc/sys/fs/mount-max",
            format!("is {most}, and the mount namespace has as many"),
        );
        all.push(Supposition::new(because, |assumed| assumed.mount_max = true));
    }
}

/// Something that is none of the rules, with the errno that was seen.
fn outside(
    machine: &Machine<'_>,
    state: &State,
    question: &Question,
    errno: Errno,
    all: &mut Vec<Supposition>,
) {
    let security = &state.security;
    let mut add = |hooks: &[Hook], outside: Outside, because: Evidence, weak: bool| {
        for at in hooks {
            let Some(hooked) = hook(*at, errno) else { continue };
            let mut new = Supposition::new(because.clone(), |assumed| assumed.hook = Some(hooked));
            new.outside = Some(outside);
            new.weak = weak;
            all.push(new);
        }
    };
    if security.may_filter() {
        let hooks: Vec<Hook> = calls(question).into_iter().map(Hook::Call).collect();
        let because = match security.seccomp {
            Some(mode) => Evidence::file("/proc/self/status", format!("has Seccomp: {mode}")),
            None => Evidence::file("/proc/self/status", "can't be read"),
        };
        add(&hooks, Outside::Seccomp, because, false);
    }
    let lsm = [Hook::UsernsCreate, Hook::SbMount, Hook::PtraceAccess];
    if security.apparmor_userns == Some(1) && !state.has(Capabilities::SYS_ADMIN) {
        let label = security.label.as_deref().unwrap_or("unreadable");
        let because =
            Evidence::file(APPARMOR_USERNS, format!("is 1, and {} is {label}", security.label_from));
        add(&[Hook::UsernsCreate, Hook::Capable(Cap::SysAdmin)], Outside::AppArmorUserns, because, false);
    }
    if security.has_module("apparmor") && security.is_confined() {
        let label = security.label.clone().unwrap_or_default();
        add(&lsm, Outside::AppArmor, Evidence::file(security.label_from, format!("is {label}")), false);
    }
    if security.has_module("selinux") && security.selinux_enforce == Some(1) {
        let label = security.label.clone().unwrap_or_else(|| "unreadable".to_owned());
        add(
            &lsm,
            Outside::Selinux,
            Evidence::file(security.label_from, format!("is {label}, and SELinux enforces")),
            false,
        );
    }
    let mounting = may_change_mounts(machine, state);
    if security.has_module("landlock") && errno == Errno::EPERM {
        let lists = "lists landlock; whether this process has restricted itself can't be read";
        let because = Evidence::file(security.modules_from, lists);
        match mounting {
            Some(true) => {}
            Some(false) => {
                let says = "is refused in a mount namespace of one's own, where the rules allow it";
                add(&[Hook::SbMount], Outside::Landlock, Evidence::call("mount(MS_PRIVATE)", says), false);
            }
            None => add(&[Hook::SbMount], Outside::Landlock, because.clone(), true),
        }
        add(&[Hook::PtraceAccess], Outside::Landlock, because, true);
    }
    let others: Vec<&str> =
        ["smack", "tomoyo", "bpf"].into_iter().filter(|name| security.has_module(name)).collect();
    if !others.is_empty() {
        let because = Evidence::file(security.modules_from, format!("lists {}", others.join(", ")));
        let hooks = if mounting == Some(true) { &lsm[..1] } else { &lsm[..] };
        add(hooks, Outside::SecurityModule, because, true);
    }
}

/// Whether a mount can be changed in a mount namespace that is the caller's own: what
/// forbids it there is none of the rules. `None` if that can't be tried.
fn may_change_mounts(machine: &Machine<'_>, state: &State) -> Option<bool> {
    use nsproxy::uapi::{MS_PRIVATE, MS_REC};
    if state.chroot.is_yes() {
        return None;
    }
    let private = probe::Call::Mount(c"none", c"/", c"", MS_PRIVATE | MS_REC, c"");
    match machine.probe(&[probe::Call::Unshare(u64::from(Kind::Mnt.flag())), private])? {
        probe::Outcome::Done => Some(true),
        probe::Outcome::Refused(1, Errno::EPERM | Errno::EACCES) => Some(false),
        _ => None,
    }
}

/// The calls of a question, to which a filter may answer.
fn calls(question: &Question) -> Vec<Call> {
    match question {
        Question::Unshare(_) => vec![Call::Unshare],
        Question::Clone(_) => vec![Call::Clone3],
        Question::JoinProcess { .. } | Question::JoinFile { .. } => vec![Call::Setns],
        Question::Mount { .. } => vec![Call::Mount],
        Question::Umount { .. } => vec![Call::Umount],
        Question::PivotRoot { .. } => vec![Call::PivotRoot],
        Question::Chroot(_) => vec![Call::Chroot],
        Question::SetHostname(_) => vec![Call::Sethostname],
        Question::SetUid(_) => vec![Call::SetUid],
        Question::SetGid(_) => vec![Call::SetGid],
        Question::SetGroups(_) => vec![Call::SetGroups],
        Question::Launch(plan) => {
            let mut all: Vec<Call> = plan.steps().iter().filter_map(|step| call_of(&step.step)).collect();
            all.dedup();
            all
        }
        Question::Steps(all) => all.iter().flat_map(calls).collect(),
        _ => Vec::new(),
    }
}

fn call_of(step: &Step) -> Option<Call> {
    Some(match step {
        Step::Join(_) | Step::EnterTime => Call::Setns,
        Step::Clone { .. } | Step::Init => Call::Clone3,
        Step::Unshare(_) => Call::Unshare,
        Step::Hostname(_) => Call::Sethostname,
        Step::Domainname(_) => Call::Setdomainname,
        Step::MountProc { .. } | Step::Propagation(_) => Call::Mount,
        Step::PivotRoot(_) => Call::PivotRoot,
        Step::Chroot(_) => Call::Chroot,
        Step::Uid(_) => Call::SetUid,
        Step::Gid(_) => Call::SetGid,
        Step::Groups { .. } => Call::SetGroups,
        _ => return None,
    })
}
