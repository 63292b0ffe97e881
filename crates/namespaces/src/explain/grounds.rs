//! What makes a rule apply here: the line of evidence for each.

use nsproxy::Rule;

use super::ask::Objects;
use super::decide::{Case, limit_kind};
use super::evidence::Evidence;
use super::load::Assumed;
use super::question::Question;
use super::state::{Chroot, MountEntry, Owner, State, Target, USERNS_CLONE, covering, limit_file};
use super::tree::covers_kernel_files;
use crate::idmap::IdKind;
use crate::kind::Kind;

const STATUS: &str = "/proc/self/status";
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The evidence that could be read for a rule. What was only supposed is told apart.
pub(super) fn grounds(case: &Case<'_>, rule: Rule, assumed: &Assumed) -> Vec<Evidence> {
    let state = case.state;
    if let Some(kind) = limit_kind(rule) {
        return limit(state, rule, kind, assumed);
    }
    if let Some(kind) = joined_kind(rule) {
        return join(state, &case.objects, kind);
    }
    match rule {
        Rule::UserNsChrooted => match &state.chroot {
            Chroot::Yes(evidence) => vec![evidence.clone()],
            _ => Vec::new(),
        },
        Rule::UserNsUnmapped => unmapped(state),
        Rule::UnprivilegedUsernsClone => vec![Evidence::file(USERNS_CLONE, "is 0"), capabilities(state)],
        Rule::UnshareNeedsAdmin | Rule::NamespacesNeedAdmin | Rule::CgroupNsAdmin => {
            vec![capabilities(state)]
        }
        Rule::KindNotBuilt | Rule::SetnsKindNotBuilt => not_built(state),
        Rule::UnshareThreads | Rule::SetnsUserThreads | Rule::SetnsTimeThreads => {
            vec![Evidence::file(STATUS, format!("has Threads: {}", state.threads()))]
        }
        Rule::SetnsUserSharedFs | Rule::SetnsMntSharedFs if state.threads() > 1 => {
            vec![Evidence::file(STATUS, format!("has Threads: {}, which share them", state.threads()))]
        }
        Rule::SetnsUserSharedFs | Rule::SetnsMntSharedFs => state
            .fs_sharer
            .map(|pid| Evidence::call("kcmp(KCMP_FS)", format!("says that process {pid} shares them")))
            .into_iter()
            .collect(),
        Rule::SetnsUserOwn => {
            vec![Evidence::file(
                "/proc/self/ns/user",
                format!("is {}, the one asked for", state.name(Kind::User)),
            )]
        }
        Rule::PidNsNotActive | Rule::ThreadWhilePidPending => vec![pending(state)],
        Rule::PidNsDead => {
            vec![pending(state), Evidence::call("NS_GET_PID_FROM_PIDNS", "finds no living process 1 in it")]
        }
        Rule::ParentOfInit => vec![Evidence::file(STATUS, "has an NSpid that ends with 1")],
        _ => grounds_of_others(case, rule),
    }
}

fn grounds_of_others(case: &Case<'_>, rule: Rule) -> Vec<Evidence> {
    let state = case.state;
    match rule {
        Rule::SetnsTargetAccess | Rule::PtraceAccess => {
            case.objects.targets.first().map(|target| access(state, target)).unwrap_or_default()
        }
        Rule::SetnsTargetZombie | Rule::LinkGone | Rule::SetnsTargetGone | Rule::NoSuchTask => {
            case.objects.targets.iter().map(gone).collect()
        }
        Rule::SetnsPidNotBelow => vec![Evidence::call(
            "NS_GET_PARENT",
            "leads from the target upwards and never to the caller's own pid namespace",
        )],
        Rule::MapOpenAccess
        | Rule::MapInitNs
        | Rule::MapOpener
        | Rule::MapAlreadySet
        | Rule::MapAdmin
        | Rule::MapNotPermitted
        | Rule::MapRootNeedsSetfcap
        | Rule::MapParentUnmapped
        | Rule::SetgroupsMapSet
        | Rule::SetgroupsDenied
        | Rule::SetgroupsOpen => maps(case, rule),
        Rule::SetgroupsCall => setgroups_call(case),
        Rule::SetidUnmapped | Rule::SetgroupsUnmapped => set_ids(state, case.question),
        Rule::TimeOffsetsFrozen => {
            let link = match case.question {
                Question::WriteTimeOffsets { pid: pid @ 1.., .. } => {
                    format!("/proc/{pid}/ns/time_for_children")
                }
                _ => "/proc/self/ns/time_for_children".to_owned(),
            };
            vec![Evidence::file(link, "has been entered by a process already")]
        }
        Rule::SetidPermission | Rule::TimeOffsetsPrivilege => vec![capabilities(state)],
        Rule::ForkNproc => vec![Evidence::file("/proc/self/limits", nproc(state))],
        _ => mounts(case, rule),
    }
}

fn nproc(state: &State) -> String {
    state.nproc.map_or("has no limit on processes".to_owned(), |limit| format!("has Max processes {limit}"))
}

fn limit(state: &State, rule: Rule, kind: Kind, assumed: &Assumed) -> Vec<Evidence> {
    if matches!(rule, Rule::UserNsLevel | Rule::PidNsLevel) {
        return Vec::new();
    }
    match state.limit(kind) {
        Some(limit) if assumed.full_above.is_none() => {
            let reached = if limit > 0 { ", and as many are in use" } else { "" };
            let says = format!("is {limit} in {}{reached}", state.name(Kind::User));
            vec![Evidence::file(limit_file(kind), says)]
        }
        Some(limit) => vec![Evidence::file(
            limit_file(kind),
            format!("is {limit} in {}, which is not the limit that is reached", state.name(Kind::User)),
        )],
        None => Vec::new(),
    }
}

/// What the caller holds, and that it is not enough.
pub(super) fn capabilities(state: &State) -> Evidence {
    match &state.status {
        Some(status) if status.effective.is_empty() => {
            Evidence::file(STATUS, format!("has CapEff: 0, no capability in {}", state.name(Kind::User)))
        }
        Some(status) => Evidence::file(
            STATUS,
            format!("has CapEff: {:x} in {}", status.effective.bits(), state.name(Kind::User)),
        ),
        None => Evidence::file(STATUS, "can't be read"),
    }
}

fn unmapped(state: &State) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (file, map) in [("/proc/self/uid_map", &state.uid_map), ("/proc/self/gid_map", &state.gid_map)] {
        let ids = state
            .status
            .as_ref()
            .map(|status| if file.ends_with("uid_map") { status.uids[1] } else { status.gids[1] });
        let Some(map) = map else { continue };
        if map.is_empty() {
            all.push(Evidence::file(file, "is empty"));
        } else if let Some(id) = ids.filter(|id| *id == super::state::OVERFLOW)
            && !map.iter().any(|extent| id >= extent.inside && id - extent.inside < extent.count)
        {
            all.push(Evidence::file(
                file,
                format!("does not contain the caller's effective id, which shows as {id}"),
            ));
        }
    }
    all
}

fn not_built(state: &State) -> Vec<Evidence> {
    let missing = Kind::ALL.into_iter().filter(|kind| state.inode(*kind).is_none());
    missing.map(|kind| Evidence::file(format!("/proc/self/ns/{kind}"), "does not exist")).collect()
}

fn pending(state: &State) -> Evidence {
    let says = match state.pid_for_children {
        Some(inode) => format!("is pid:[{inode}], not the caller's own {}", state.name(Kind::Pid)),
        None => {
            format!("is a namespace without a process yet, not the caller's own {}", state.name(Kind::Pid))
        }
    };
    Evidence::file("/proc/self/ns/pid_for_children", says)
}

/// Which of the conditions of ptrace(2), "Ptrace access mode checking", fails.
pub(super) fn access(state: &State, target: &Target) -> Vec<Evidence> {
    let path = format!("/proc/{}/status", target.shown);
    let (Some(own), Some(theirs)) = (&state.status, &target.status) else {
        return vec![Evidence::file(path, "can't be read")];
    };
    let mut all = Vec::new();
    if theirs.uids[..3] != [own.uids[3]; 3] || theirs.gids[..3] != [own.gids[3]; 3] {
        let (uids, gids) = (&theirs.uids[..3], &theirs.gids[..3]);
        all.push(Evidence::file(
            path.clone(),
            format!(
                "has Uid {uids:?} and Gid {gids:?}, not the caller's {} and {}",
                own.uids[3], own.gids[3]
            ),
        ));
    }
    if target.proc_owner.is_some_and(|owner| owner != theirs.uids[1]) {
        all.push(Evidence::file(
            path.clone(),
            format!("belongs to {}: the process is not dumpable", target.proc_owner.unwrap_or(0)),
        ));
    }
    if !own.effective.contains(theirs.permitted) {
        let (theirs, own) = (theirs.permitted.bits(), own.effective.bits());
        all.push(Evidence::file(
            path.clone(),
            format!("has CapPrm: {theirs:x}, more than the caller's CapEff: {own:x}"),
        ));
    }
    if target.uid_map != state.uid_map {
        all.push(Evidence::file(
            format!("/proc/{}/uid_map", target.shown),
            "differs: it is in another user namespace",
        ));
    }
    let says = if own.effective.contains(crate::caps::Capabilities::SYS_PTRACE) {
        format!("has CAP_SYS_PTRACE over {} and what is below it only", state.name(Kind::User))
    } else {
        format!("has CapEff: {:x}, without CAP_SYS_PTRACE", own.effective.bits())
    };
    all.push(Evidence::file(STATUS, says));
    all
}

fn gone(target: &Target) -> Evidence {
    let path = format!("/proc/{}/status", target.shown);
    match (&target.status, target.zombie) {
        (None, _) => Evidence::file(path, "does not exist"),
        (_, true) => Evidence::file(path, "has State: Z: it has ended and waits for its parent"),
        _ => Evidence::file(path, "was there when it was read"),
    }
}

/// The owner of what is to be joined against the caller's capabilities.
fn join(state: &State, objects: &Objects, kind: Kind) -> Vec<Evidence> {
    let of_target = objects.targets.iter().find_map(|target| {
        let ns = target.namespace(kind)?;
        Some((format!("/proc/{}/ns/{kind}", target.shown), ns.to_string(), &ns.owner))
    });
    let of_file = || {
        let found = objects.files.iter().find(|(_, ns)| ns.kind == kind);
        found.map(|(path, ns)| (path.clone(), ns.to_string(), &ns.owner))
    };
    let Some((path, name, owner)) = of_target.or_else(of_file) else { return vec![capabilities(state)] };
    let says = match owner {
        Owner::Own => format!("is {name}, which belongs to the caller's own {}", state.name(Kind::User)),
        Owner::Beyond => {
            format!(
                "is {name}, which belongs to a user namespace that is not below the caller's {}",
                state.name(Kind::User)
            )
        }
        Owner::Below(way) => match way.last() {
            Some(last) => format!("is {name}, which belongs to user:[{}] of user {}", last.inode, last.uid),
            None => format!("is {name}"),
        },
        Owner::Unknown => format!("is {name}, whose owner can't be read"),
    };
    vec![Evidence::file(path, says), capabilities(state)]
}

/// The kind whose owner setns(2) asks for a capability, if that is the rule.
pub(super) fn joined_kind(rule: Rule) -> Option<Kind> {
    Some(match rule {
        Rule::SetnsUserAdmin => Kind::User,
        Rule::SetnsMntAdmin => Kind::Mnt,
        Rule::SetnsUtsAdmin => Kind::Uts,
        Rule::SetnsIpcAdmin => Kind::Ipc,
        Rule::SetnsPidAdmin => Kind::Pid,
        Rule::SetnsCgroupAdmin => Kind::Cgroup,
        Rule::SetnsNetAdmin => Kind::Net,
        Rule::SetnsTimeAdmin => Kind::Time,
        _ => return None,
    })
}

fn maps(case: &Case<'_>, rule: Rule) -> Vec<Evidence> {
    let state = case.state;
    let (pid, kind) = match case.question {
        Question::WriteMap { pid, kind, .. } => (*pid, Some(*kind)),
        Question::WriteSetgroups { pid, .. } => (*pid, None),
        _ => (0, None),
    };
    let whose = if pid == 0 { "self".to_owned() } else { pid.to_string() };
    let file = |name: &str| format!("/proc/{whose}/{name}");
    let map_file = file(kind.map_or("gid_map", IdKind::file));
    let target = case.objects.target(pid);
    let setgroups = target.map_or(state.setgroups, |target| target.setgroups);
    let denied =
        Evidence::file(file("setgroups"), if setgroups == Some(false) { "is deny" } else { "is allow" });
    match rule {
        Rule::MapAlreadySet => vec![Evidence::file(map_file, "has lines already")],
        Rule::SetgroupsMapSet => vec![Evidence::file(file("gid_map"), "has lines already")],
        Rule::SetgroupsDenied => vec![denied],
        Rule::MapOpenAccess => {
            let owner = target.and_then(|target| target.proc_owner);
            vec![Evidence::file(
                map_file,
                format!("belongs to user {}", owner.map_or("unknown".to_owned(), |o| o.to_string())),
            )]
        }
        Rule::MapNotPermitted => {
            let mut all = vec![capabilities(state)];
            if kind == Some(IdKind::Gid) {
                all.insert(0, denied);
            }
            if let Some(status) = &state.status {
                let (euid, egid) = (status.uids[1], status.gids[1]);
                all.push(Evidence::file(STATUS, format!("has the effective ids {euid} and {egid}: without privilege only these can be mapped, one each")));
            }
            all
        }
        Rule::MapRootNeedsSetfcap => {
            vec![Evidence::question("the map contains the parent's id 0"), capabilities(state)]
        }
        Rule::MapParentUnmapped => {
            vec![Evidence::file("/proc/self/uid_map", "does not contain the whole range outside")]
        }
        Rule::MapInitNs => vec![Evidence::file(
            format!("/proc/{whose}/ns/user"),
            format!("is {}, the first user namespace", state.name(Kind::User)),
        )],
        Rule::MapOpener => vec![Evidence::file(
            format!("/proc/{whose}/ns/user"),
            "is neither the caller's user namespace nor made directly from it",
        )],
        _ => vec![capabilities(state)],
    }
}

fn setgroups_call(case: &Case<'_>) -> Vec<Evidence> {
    let state = case.state;
    if let Some(joined) = case.objects.targets.iter().find(|target| target.setgroups == Some(false)) {
        return vec![Evidence::file(format!("/proc/{}/setgroups", joined.shown), "is deny, for ever")];
    }
    let mut all = Vec::new();
    if state.setgroups == Some(false) {
        all.push(Evidence::file("/proc/self/setgroups", "is deny, for ever"));
    }
    if state.gid_map.as_ref().is_some_and(Vec::is_empty) {
        all.push(Evidence::file("/proc/self/gid_map", "is empty"));
    }
    if matches!(case.question, Question::SetGroups(_)) && !state.has(crate::caps::Capabilities::SETGID) {
        all.push(Evidence::file(STATUS, "has a CapEff without CAP_SETGID"));
    }
    all
}

fn set_ids(state: &State, question: &Question) -> Vec<Evidence> {
    let (file, map, ids) = match question {
        Question::SetUid(uid) => ("/proc/self/uid_map", &state.uid_map, vec![*uid]),
        Question::SetGid(gid) => ("/proc/self/gid_map", &state.gid_map, vec![*gid]),
        Question::SetGroups(groups) => ("/proc/self/gid_map", &state.gid_map, groups.clone()),
        _ => return Vec::new(),
    };
    let map = map.as_deref().unwrap_or_default();
    let mapped = |id: u32| map.iter().any(|extent| id >= extent.inside && id - extent.inside < extent.count);
    let lines: Vec<String> = map.iter().map(ToString::to_string).collect();
    let missing: Vec<String> = ids.iter().filter(|id| !mapped(**id)).map(ToString::to_string).collect();
    vec![Evidence::file(file, format!("is {:?}, without {}", lines.join("; "), missing.join(", ")))]
}

fn place(mount: &MountEntry) -> String {
    format!("{MOUNTINFO}:{}", mount.line)
}

fn mounts(case: &Case<'_>, rule: Rule) -> Vec<Evidence> {
    let state = case.state;
    let path = match case.question {
        Question::Mount { target, .. } | Question::Umount { target, .. } | Question::Chroot(target) => {
            target.as_str()
        }
        Question::PivotRoot { new, .. } => new.as_str(),
        _ => "/proc",
    };
    let at = covering(&state.mounts, path);
    let point = |path: &str| state.mounts.iter().rev().find(|mount| mount.point == path);
    match rule {
        Rule::MountPrivilege => vec![owner_line(state, Kind::Mnt), capabilities(state)],
        Rule::FsPrivilege => match case.question {
            Question::Mount { fstype, .. } => vec![fs_owner(state, fstype), capabilities(state)],
            // The new ones are for children, or none was asked for.
            _ => vec![Evidence::file(
                "/proc/self/ns/pid",
                format!("is {}, which is not the new user namespace's", state.name(Kind::Pid)),
            )],
        },
        Rule::MountTooRevealing => {
            let fstype = match case.question {
                Question::Mount { fstype, .. } => fstype.as_str(),
                _ => "proc",
            };
            too_revealing(state, fstype)
        }
        Rule::MountMax => vec![
            Evidence::file("/proc/sys/fs/mount-max", format!("is {}", state.mount_max.unwrap_or(0))),
            Evidence::file(MOUNTINFO, format!("has {} lines", state.mounts.len())),
        ],
        Rule::RemountLocked | Rule::SetattrLocked => at.map(locked_flags).into_iter().collect(),
        Rule::UmountLocked | Rule::PivotLocked => at.map(is_mount).into_iter().collect(),
        Rule::MoveLocked => source(case).map(is_mount).into_iter().collect(),
        Rule::BindLockedChildren => locked_children(case),
        Rule::UmountBusy => {
            let on_it = at.map(|at| standing_on(state, at)).unwrap_or_default();
            let users = super::usage::users(case).filter(|_| on_it.is_empty());
            on_it.into_iter().chain(users.into_iter().flat_map(|users| users.seen)).collect()
        }
        Rule::RemountBusy => super::usage::users(case).map(|users| users.seen).unwrap_or_default(),
        Rule::ChrootPrivilege => vec![capabilities(state)],
        Rule::HostnamePrivilege => vec![owner_line(state, Kind::Uts), capabilities(state)],
        Rule::RemountSuper => at
            .map(|at| {
                let says = format!("is the mount on {}, of a {} that was not mounted from the caller's user namespace or one below it", at.point, at.fstype);
                vec![Evidence::file(place(at), says), capabilities(state)]
            })
            .unwrap_or_default(),
        Rule::UmountNotMountpoint | Rule::PivotNewNotMount | Rule::MountNotMountpoint => {
            vec![Evidence::file(MOUNTINFO, format!("has no mount on {path}"))]
        }
        Rule::PivotShared => pivot_shared(case),
        Rule::PivotBusy | Rule::PivotPutOld | Rule::PivotUnreachable => match case.question {
            Question::PivotRoot { new, old } => {
                let on = |path: &str| covering(&state.mounts, path).map_or("?", |mount| mount.point.as_str());
                vec![Evidence::file(
                    MOUNTINFO,
                    format!("has {new} on the mount {}, and {old} on {}", on(new), on(old)),
                )]
            }
            _ => Vec::new(),
        },
        Rule::PivotRootNotMount => match &state.chroot {
            Chroot::Yes(evidence) => vec![evidence.clone()],
            _ => vec![Evidence::file(MOUNTINFO, "has no mount on /")],
        },
        Rule::PivotAbsoluteRoot => point("/")
            .map(|root| {
                Evidence::file(
                    place(root),
                    format!("is the root, of type {}, which stands on nothing", root.fstype),
                )
            })
            .into_iter()
            .collect(),
        Rule::FsTypeUnknown => vec![Evidence::file("/proc/filesystems", "does not name it")],
        _ => Vec::new(),
    }
}

fn is_mount(mount: &MountEntry) -> Evidence {
    Evidence::file(place(mount), format!("is the mount on {}", mount.point))
}

/// The mount that is to be moved or bound.
fn source<'a>(case: &'a Case<'_>) -> Option<&'a MountEntry> {
    match case.question {
        Question::Mount { source, .. } => covering(&case.state.mounts, source),
        _ => None,
    }
}

/// What is mounted below the source of a bind, and would not be in it.
fn locked_children(case: &Case<'_>) -> Vec<Evidence> {
    let (Some(at), Question::Mount { source, .. }) = (source(case), case.question) else { return Vec::new() };
    let below = source.trim_end_matches('/');
    let covers = |mount: &&MountEntry| {
        mount.parent == at.id && mount.point.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'))
    };
    let shown = case.state.mounts.iter().filter(covers).take(4).map(|mount| {
        Evidence::file(place(mount), format!("is the mount on {}, and covers what is below it", mount.point))
    });
    [is_mount(at)].into_iter().chain(shown).collect()
}

fn standing_on(state: &State, at: &MountEntry) -> Vec<Evidence> {
    let children = state.mounts.iter().filter(|mount| mount.parent == at.id && mount.id != at.id);
    let says = |child: &MountEntry| format!("is the mount on {}, which stands on {}", child.point, at.point);
    children.take(4).map(|child| Evidence::file(place(child), says(child))).collect()
}

fn owner_line(state: &State, kind: Kind) -> Evidence {
    let whose = match state.owner(kind) {
        Owner::Own => format!("belongs to the caller's own {}", state.name(Kind::User)),
        Owner::Beyond => {
            format!("does not belong to the caller's {} or one below it", state.name(Kind::User))
        }
        Owner::Below(_) => "belongs to a user namespace below the caller's".to_owned(),
        Owner::Unknown => "has an owner that can't be read".to_owned(),
    };
    Evidence::file(format!("/proc/self/ns/{kind}"), format!("is {}, which {whose}", state.name(kind)))
}

/// Which namespace a file system shows.
pub(super) fn shown_by(fstype: &str) -> Option<Kind> {
    match fstype {
        "proc" => Some(Kind::Pid),
        "sysfs" => Some(Kind::Net),
        "mqueue" => Some(Kind::Ipc),
        "cgroup" | "cgroup2" => Some(Kind::Cgroup),
        _ => None,
    }
}

fn fs_owner(state: &State, fstype: &str) -> Evidence {
    match shown_by(fstype) {
        Some(kind) => owner_line(state, kind),
        None => Evidence::file(
            "/proc/self/ns/user",
            format!("is {}; {fstype} is mounted from the first user namespace only", state.name(Kind::User)),
        ),
    }
}

/// What hides files of each proc (or sysfs) that is there.
fn too_revealing(state: &State, fstype: &str) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = state
        .mounts
        .iter()
        .filter(|mount| covers_kernel_files(mount, &state.mounts))
        .filter(|mount| {
            state.mounts.iter().any(|parent| parent.id == mount.parent && parent.fstype == fstype)
        })
        .map(|mount| Evidence::file(place(mount), format!("covers {} with {}", mount.point, mount.fstype)))
        .collect();
    let visible: Vec<&MountEntry> =
        state.mounts.iter().filter(|mount| mount.fstype == fstype && mount.root == "/").collect();
    if visible.is_empty() {
        all.push(Evidence::file(MOUNTINFO, format!("has no {fstype} in it that shows all of it")));
    }
    for mount in visible.iter().filter(|mount| mount.shows_readonly()) {
        all.push(Evidence::file(
            place(mount),
            format!("is a read-only {fstype} on {}, and a new one must be too", mount.point),
        ));
    }
    all.truncate(8);
    all
}

fn locked_flags(mount: &MountEntry) -> Evidence {
    Evidence::file(
        place(mount),
        format!("is the mount on {} with {}, of which none can be cleared here", mount.point, mount.options),
    )
}

fn pivot_shared(case: &Case<'_>) -> Vec<Evidence> {
    let Question::PivotRoot { new, old } = case.question else { return Vec::new() };
    let mounts = &case.state.mounts;
    let parent = |mount: &MountEntry| mounts.iter().find(|other| other.id == mount.parent).cloned();
    let new_mount = covering(mounts, new).cloned();
    let root = mounts.iter().rev().find(|mount| mount.point == "/").cloned();
    let concerned = [
        ("put_old lies on", covering(mounts, old).cloned()),
        ("new_root stands on", new_mount.as_ref().and_then(parent)),
        ("the current root stands on", root.as_ref().and_then(parent)),
    ];
    concerned
        .into_iter()
        .filter_map(|(what, mount)| {
            let mount = mount?;
            let group = mount.shared?;
            Some(Evidence::file(
                place(&mount),
                format!("is shared:{group}, the mount on {}, which {what}", mount.point),
            ))
        })
        .collect()
}
