//! What helps against the rules of the tree of mounts.

use nsproxy::Rule;

use super::Candidate;
use crate::explain::decide::Case;
use crate::explain::grounds::shown_by;
use crate::explain::question::Question;
use crate::explain::state::{MountEntry, covering};
use crate::explain::tree::MOUNT_FLAGS;
use crate::kind::{Kind, Kinds};

pub(super) fn of_rule(case: &Case<'_>, rule: Rule) -> Vec<Candidate> {
    let state = case.state;
    match rule {
        Rule::NetUnreachable => vec![Candidate::command("set the loopback device up", "ip link set lo up")],
        // Of a launch only the binding of namespaces to files is refused so.
        Rule::MountPrivilege if matches!(case.question, Question::Launch(_)) => {
            vec![Candidate::words("as root of the user namespace that owns the mount namespace")]
        }
        Rule::MountPrivilege => vec![
            Candidate::command(
                "make a user and a mount namespace first",
                "unshare --user --map-root-user --mount PROGRAM",
            )
            .ask(Question::Steps(vec![Question::unshare([Kind::User, Kind::Mnt]), case.question.clone()])),
            Candidate::words("as root, with CAP_SYS_ADMIN").machine(|machine| machine.root = true),
        ],
        Rule::FsPrivilege => fs_privilege(case),
        Rule::MountTooRevealing => too_revealing(case),
        Rule::MountMax => vec![
            Candidate::words("unmount what is not needed: findmnt shows all mounts"),
            Candidate::command(
                "as root: raise the limit",
                format!("sysctl -w fs.mount-max={}", state.mount_max.unwrap_or(100_000).saturating_mul(2)),
            )
            .machine(|machine| machine.mount_max = true),
        ],
        Rule::RemountLocked => remount(case),
        Rule::UmountLocked => vec![
            Candidate::words("unmount the mount it stands on, if that was mounted here"),
            Candidate::words("mount over it: a mount of one's own can be unmounted again"),
            Candidate::words("unmount it in the mount namespace that it came from"),
        ],
        Rule::BindLockedChildren => with_flags(case.question, nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_REC)
            .map(|(question, command)| {
                Candidate::command("bind it with all that is mounted in it", command).ask(question)
            })
            .into_iter()
            .collect(),
        Rule::PivotNewNotMount | Rule::PivotLocked => pivot_bind(case),
        Rule::PivotBusy => pivot_bind(case).into_iter().chain(pivot_same(case)).collect(),
        Rule::MoveLocked => with_flags(case.question, nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_REC)
            .map(|(question, command)| {
                Candidate::command("bind it there too, with all that is mounted in it", command).ask(question)
            })
            .into_iter()
            .collect(),
        Rule::UmountBusy => umount_busy(case),
        Rule::RemountBusy => {
            vec![Candidate::words("let the processes that have files open for writing close them, or end")]
        }
        Rule::RemountSuper => remount_super(case),
        Rule::ChrootPrivilege => vec![
            Candidate::command(
                "make a user namespace first, which brings CAP_SYS_CHROOT in it",
                "unshare --user --map-root-user chroot DIR PROGRAM",
            )
            .ask(Question::Steps(vec![Question::unshare(Kind::User), case.question.clone()])),
            Candidate::words("as root, with CAP_SYS_CHROOT").machine(|machine| machine.root = true),
        ],
        Rule::PivotShared => vec![
            Candidate::command(
                "make the mounts private first, in a mount namespace of one's own",
                "mount --make-rprivate /",
            )
            .machine(|machine| machine.private = true),
        ],
        Rule::PivotAbsoluteRoot => vec![Candidate::command(
            "move the new root over / and chroot into it, as switch_root does: the first root can't be put away",
            "cd NEW && mount --move . / && chroot .",
        )],
        Rule::PivotRootNotMount => vec![Candidate::words(
            "leave the chroot: enter the mount namespace anew, ns enter PID --only mnt",
        )],
        Rule::PivotPutOld | Rule::PivotUnreachable => vec![Candidate::words(
            "name a directory below new_root for put_old, or . for both and unmount it then",
        )],
        Rule::UmountNotMountpoint => match case.question {
            Question::Umount { target, .. } => covering(&state.mounts, target)
                .map(|at| {
                    Candidate::words(format!("name a mount point: {target} lies on the mount {}", at.point))
                })
                .into_iter()
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn fs_privilege(case: &Case<'_>) -> Vec<Candidate> {
    let (source, target, fstype) = match case.question {
        Question::Mount { source, target, fstype, .. } => (source.as_str(), target.as_str(), fstype.as_str()),
        _ => ("proc", "/proc", "proc"),
    };
    let mut all = Vec::new();
    if case.flags().is_some_and(|flags| flags & u64::from(Kind::Pid.flag()) != 0) {
        return vec![Candidate::words("fork first, with --fork: the new pid namespace is for children")];
    }
    if let Some(kind) = shown_by(fstype) {
        let kinds = Kinds::from_iter([Kind::User, Kind::Mnt]).with(kind);
        let option = if kind == Kind::Pid { "--pid --fork".to_owned() } else { format!("--{}", kind.name()) };
        let mut visible =
            case.state.mounts.iter().filter(|mount| mount.fstype == fstype && mount.root == "/");
        let is_readonly = visible.clone().count() > 0 && visible.all(MountEntry::shows_readonly);
        let (asked, ro) =
            if is_readonly { (readonly(case.question), "-o ro ") } else { (case.question.clone(), "") };
        let candidate = Candidate::command(
            format!("make a new {kind} namespace too, which the new user namespace owns"),
            format!(
                "unshare --user --map-root-user --mount {option} mount -t {fstype} {ro}{source} {target}"
            ),
        );
        // A new pid namespace is the children's only, so the model has to fork.
        all.push(if kind == Kind::Pid {
            candidate
        } else {
            candidate.ask(Question::Steps(vec![Question::unshare(kinds), asked]))
        });
        if let Some(there) =
            case.state.mounts.iter().find(|mount| mount.fstype == fstype && mount.point != target)
        {
            all.push(
                Candidate::command(
                    "or bind the one that is there",
                    format!("mount --rbind {} {target}", there.point),
                )
                .ask(Question::Mount {
                    source: there.point.clone(),
                    target: target.to_owned(),
                    fstype: String::new(),
                    flags: nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_REC,
                    data: String::new(),
                }),
            );
        }
    }
    if fstype == "overlay" {
        all.push(Candidate::words("use a kernel of 5.11 or later, or fuse-overlayfs"));
    }
    all.push(Candidate::words("as root of the first user namespace").machine(|machine| machine.root = true));
    all
}

fn too_revealing(case: &Case<'_>) -> Vec<Candidate> {
    let (target, fstype) = match case.question {
        Question::Mount { target, fstype, .. } => (target.as_str(), fstype.as_str()),
        _ => ("/proc", "proc"),
    };
    let there = case
        .state
        .mounts
        .iter()
        .find(|mount| mount.fstype == fstype)
        .map_or("/proc", |mount| mount.point.as_str());
    let mut all = vec![
        Candidate::command(
            "mount it read-only, as the one that is there",
            format!("mount -t {fstype} -o ro {fstype} {target}"),
        )
        .ask(readonly(case.question)),
        Candidate::command("bind the one that is there, with all that covers it", format!("mount --rbind {there} {target}")).ask(Question::Mount {
            source: there.to_owned(),
            target: target.to_owned(),
            fstype: String::new(),
            flags: nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_REC,
            data: String::new(),
        }),
        Candidate::words("outside: keep one instance without anything over it, mounted anywhere, or take the masks away, for docker --security-opt systempaths=unconfined, for podman --security-opt unmask=ALL")
            .machine(|machine| machine.uncovered = true),
    ];
    if matches!(case.question, Question::Launch(_)) {
        all.remove(0);
        all[0] = Candidate::command("go without a new proc", "ns run --no-proc -- PROGRAM");
    }
    all
}

/// The mount that is asked for, read-only.
fn readonly(question: &Question) -> Question {
    let mut question = question.clone();
    if let Question::Mount { flags, .. } = &mut question {
        *flags |= nsproxy::uapi::MS_RDONLY;
    }
    question
}

/// The flags that a remount must repeat.
fn remount(case: &Case<'_>) -> Vec<Candidate> {
    let Question::Mount { source, target, fstype, flags, data } = case.question else { return Vec::new() };
    let Some(at) = covering(&case.state.mounts, target) else { return Vec::new() };
    let mut wanted = *flags;
    for (name, bit) in MOUNT_FLAGS {
        if at.has_option(name) {
            wanted |= bit;
        }
    }
    let names: Vec<&str> =
        MOUNT_FLAGS.iter().filter(|(_, bit)| wanted & bit != 0).map(|(name, _)| *name).collect();
    let question = Question::Mount {
        source: source.clone(),
        target: target.clone(),
        fstype: fstype.clone(),
        flags: wanted,
        data: data.clone(),
    };
    vec![
        Candidate::command(
            "repeat the flags that the mount has",
            format!("mount -o remount,bind,{} {target}", names.join(",")),
        )
        .ask(question),
        Candidate::words("use mount_setattr, which sets flags and leaves the others as they are"),
    ]
}

/// The same places with other flags: a bind in place of what is not allowed.
fn with_flags(question: &Question, flags: u64) -> Option<(Question, String)> {
    let Question::Mount { source, target, .. } = question else { return None };
    let changed = Question::Mount {
        source: source.clone(),
        target: target.clone(),
        fstype: String::new(),
        flags,
        data: String::new(),
    };
    Some((changed, format!("mount --rbind {source} {target}")))
}

/// A directory becomes a mount point by being bound to itself.
fn pivot_bind(case: &Case<'_>) -> Vec<Candidate> {
    let Question::PivotRoot { new, .. } = case.question else { return Vec::new() };
    let bind = Question::Mount {
        source: new.clone(),
        target: new.clone(),
        fstype: String::new(),
        flags: nsproxy::uapi::MS_BIND | nsproxy::uapi::MS_REC,
        data: String::new(),
    };
    vec![
        Candidate::command(
            "make it a mount of its own first: bind the directory to itself",
            format!("mount --rbind {new} {new}"),
        )
        .ask(Question::Steps(vec![bind, case.question.clone()])),
    ]
}

/// Where `put_old` lies outside the new root, or the new root on the old one's mount.
fn pivot_same(case: &Case<'_>) -> Vec<Candidate> {
    let Question::PivotRoot { new, .. } = case.question else { return Vec::new() };
    vec![
        Candidate::command(
            "name new_root for put_old too, which puts the old root over it, to be unmounted then",
            format!("cd {new} && pivot_root . . && umount -l ."),
        )
        .ask(Question::PivotRoot { new: new.clone(), old: new.clone() }),
    ]
}

fn umount_busy(case: &Case<'_>) -> Vec<Candidate> {
    let Question::Umount { target, flags } = case.question else { return Vec::new() };
    let point = covering(&case.state.mounts, target).map(|at| at.id);
    let stands_on = |mount: &MountEntry| Some(mount.parent) == point && Some(mount.id) != point;
    let first = if case.state.mounts.iter().any(stands_on) {
        Candidate::command("unmount with it what is mounted on it", format!("umount --recursive {target}"))
    } else {
        Candidate::words("let the processes that use it end, close its files, or leave its directories")
    };
    let lazily = Question::Umount { target: target.clone(), flags: flags | nsproxy::uapi::MNT_DETACH };
    vec![
        first,
        Candidate::command(
            "take it out of sight at once; it goes away when nobody uses it any more",
            format!("umount --lazy {target}"),
        )
        .ask(lazily),
    ]
}

/// The flags of the one mount need no privilege over its file system.
fn remount_super(case: &Case<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    if let Question::Mount { source, target, fstype, flags, .. } = case.question {
        let bind = Question::Mount {
            source: source.clone(),
            target: target.clone(),
            fstype: fstype.clone(),
            flags: flags | nsproxy::uapi::MS_BIND,
            data: String::new(),
        };
        let names = [(",ro", 1), (",nosuid", 2), (",nodev", 4), (",noexec", 8)];
        let named: String = names.iter().filter(|(_, bit)| flags & bit != 0).map(|(name, _)| *name).collect();
        all.push(
            Candidate::command(
                "change the flags of this one mount, and leave the file system as it is",
                format!("mount -o remount,bind{named} {target}"),
            )
            .ask(bind),
        );
    }
    all.push(
        Candidate::words("as root of the user namespace that the file system was mounted from")
            .machine(|machine| machine.root = true),
    );
    all
}
