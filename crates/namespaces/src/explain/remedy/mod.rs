//! What helps against each cause, the least far-reaching first, asked of the model again.

mod mounts;

use std::ffi::CString;
use std::path::Path;

use nsproxy::Rule;

use super::answer::Remedy;
use super::cause::{Cause, Outside};
use super::decide::{Case, limit_kind};
use super::grounds::joined_kind;
use super::load::{Assumed, Remedied};
use super::lookup;
use super::question::Question;
use super::state::{OVERFLOW, Owner, State};
use crate::caps::Capabilities;
use crate::idmap::IdKind;
use crate::kind::{Kind, Kinds};
use crate::plan::Step;

/// A remedy and what it changes.
struct Candidate {
    remedy: Remedy,
    change: Change,
}

enum Change {
    /// Nothing that the model knows.
    Unknown,
    /// Another call is made.
    Ask(Question),
    /// The machine is another.
    Machine(fn(&mut Remedied)),
}

impl Candidate {
    fn words(says: impl Into<String>) -> Candidate {
        Candidate { remedy: Remedy::words(says), change: Change::Unknown }
    }

    fn command(says: impl Into<String>, command: impl Into<String>) -> Candidate {
        Candidate { remedy: Remedy::command(says, command), change: Change::Unknown }
    }

    fn ask(self, question: Question) -> Candidate {
        Candidate { change: Change::Ask(question), ..self }
    }

    fn machine(self, change: fn(&mut Remedied)) -> Candidate {
        Candidate { change: Change::Machine(change), ..self }
    }
}

/// The remedies for a cause under the assumptions that led to it. One that the model
/// says would not help is left out.
pub(super) fn remedies(case: &Case<'_>, cause: Cause, assumed: &Assumed) -> Vec<Remedy> {
    let candidates = match cause {
        Cause::Rule(rule) => of_rule(case, rule, assumed),
        Cause::Outside(outside) => of_outside(case, outside),
    };
    candidates.into_iter().filter_map(|candidate| checked(case, assumed, candidate)).collect()
}

fn checked(case: &Case<'_>, assumed: &Assumed, candidate: Candidate) -> Option<Remedy> {
    let Candidate { mut remedy, change } = candidate;
    let helps = match change {
        Change::Unknown => return Some(remedy),
        Change::Ask(question) => case.ask(&question, assumed),
        Change::Machine(change) => {
            let mut other = assumed.clone();
            change(&mut other.remedied);
            case.ask(case.question, &other)
        }
    };
    remedy.checked = helps.is_some_and(|answer| answer.is_ok());
    remedy.checked.then_some(remedy)
}

fn of_outside(case: &Case<'_>, outside: Outside) -> Vec<Candidate> {
    let facts = outside.facts().helps.iter().map(|says| Candidate::words(*says));
    match outside {
        Outside::AppArmorUserns => {
            let program = std::fs::read_link("/proc/self/exe")
                .map_or("PROGRAM".to_owned(), |path| path.display().to_string());
            let name = program.rsplit('/').next().unwrap_or("program").to_owned();
            let profile = format!(
                "abi <abi/4.0>, include <tunables/global> profile {name} {program} flags=(unconfined) {{ userns, }}"
            );
            vec![
                Candidate::command(
                    format!("as root: allow it to this one program with a profile for {program}"),
                    format!(
                        "printf '%s\\n' '{profile}' > /etc/apparmor.d/{name} && apparmor_parser -r /etc/apparmor.d/{name}"
                    ),
                ),
                Candidate::command(
                    "as root: allow it to every program of the machine",
                    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
                ),
            ]
        }
        Outside::NoSubordinateIds => {
            let uid = case.state.status.as_ref().map_or(0, |status| status.uids[0]);
            let user = crate::idmap::user_name(uid).unwrap_or_else(|| uid.to_string());
            subordinate_ids(&user)
                .into_iter()
                .map(|remedy| Candidate { remedy, change: Change::Unknown })
                .collect()
        }
        Outside::Yama => facts
            .take(2)
            .chain([Candidate::command("as root, for all programs", "sysctl -w kernel.yama.ptrace_scope=0")])
            .collect(),
        Outside::DeviceNode => match case.question {
            Question::MakeDevice(path) => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let known = |name: &String| Path::new("/dev").join(name).exists();
                let name = name.filter(known).unwrap_or_else(|| "NAME".to_owned());
                vec![Candidate::command(
                    "bind the device from outside",
                    format!("touch '{0}' && mount --bind /dev/{name} '{0}'", path.display()),
                )]
            }
            _ => facts.collect(),
        },
        Outside::HelperOtherUser => {
            let without = match case.question {
                Question::MapHelper { pid, kind, map } => {
                    let write = Question::WriteMap { pid: *pid, kind: *kind, text: map.clone() };
                    let command =
                        format!("printf '{}\\n' > /proc/{pid}/{}", map.replace('\n', "\\n"), kind.file());
                    Some(Candidate::command("write the map without a helper", command).ask(write))
                }
                _ => None,
            };
            facts.take(1).chain(without).collect()
        }
        Outside::NotNamespaceFile => {
            // Only of an empty one it may be that a namespace was bound to it.
            let left = match case.question {
                Question::JoinFile { path, .. } => super::beyond::is_empty_file(path),
                _ => false,
            };
            let anew = "or, if it is that: remove the file and make the namespace anew";
            facts.chain(left.then(|| Candidate::words(anew))).collect()
        }
        _ => facts.collect(),
    }
}

/// `(uid_t)-1` and `(gid_t)-1`
fn names_no_id(question: &Question) -> bool {
    match question {
        Question::SetUid(id) | Question::SetGid(id) => *id == u32::MAX,
        Question::SetGroups(ids) => ids.contains(&u32::MAX),
        _ => false,
    }
}

/// For a user who has none.
pub(super) fn subordinate_ids(user: &str) -> Vec<Remedy> {
    vec![
        Remedy::command(
            "as root: give the user some",
            format!("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"),
        ),
        Remedy::words("map only the user's own id, which needs no subordinate ids"),
    ]
}

fn of_rule(case: &Case<'_>, rule: Rule, assumed: &Assumed) -> Vec<Candidate> {
    if let Some(kind) = limit_kind(rule) {
        return limits(case.state, rule, kind, assumed);
    }
    if let Some(kind) = joined_kind(rule) {
        return join(case, kind);
    }
    match rule {
        Rule::UserNsChrooted => chroot(case),
        Rule::UserNsUnmapped => unmapped(),
        Rule::UnprivilegedUsernsClone => vec![
            Candidate::command("as root", "sysctl -w kernel.unprivileged_userns_clone=1")
                .machine(|machine| machine.userns_clone = true),
        ],
        Rule::UnshareNeedsAdmin | Rule::NamespacesNeedAdmin => needs_admin(case),
        Rule::UnshareThreads | Rule::SetnsUserThreads | Rule::SetnsTimeThreads => vec![
            Candidate::words("do it before the program starts threads").machine(|machine| machine.alone = true),
            Candidate::words("do it in a child process, which has one thread: fork first").machine(|machine| machine.alone = true),
        ],
        Rule::SetnsUserSharedFs | Rule::SetnsMntSharedFs => vec![
            Candidate::words("call unshare(CLONE_FS) first, which gives the caller a root and working directory of its own")
                .machine(|machine| machine.alone = true),
        ],
        Rule::SetnsUserOwn => vec![Candidate::words("leave user out of what is joined: the caller is in it already")]
            .into_iter()
            .map(|candidate| without_user(case.question).map_or(Candidate::words("nothing is to be done: the caller is in it already"), |q| candidate.ask(q)))
            .collect(),
        Rule::PidNsNotActive | Rule::ThreadWhilePidPending if case.state.pid_dead => dead_pid_namespace(),
        Rule::PidNsNotActive | Rule::ThreadWhilePidPending => vec![
            Candidate::words("fork first, and do it in the child, which is in that pid namespace").machine(|machine| machine.no_pending = true),
        ],
        Rule::PidNsDead => dead_pid_namespace(),
        Rule::PidExhausted => vec![
            Candidate::words("end processes of this pid namespace, or of one above"),
            Candidate::command(
                format!("as root of the user namespace that owns {}: raise the limit", case.state.name(Kind::Pid)),
                "sysctl -w kernel.pid_max=32768",
            ),
        ],
        Rule::ForkNproc => vec![
            Candidate::words("end processes of this user, or raise its limit: ulimit -u, LimitNPROC= of a systemd unit, nproc in /etc/security/limits.conf"),
        ],
        Rule::NoFreeFd
        | Rule::NoSuchTask
        | Rule::SetnsTargetGone
        | Rule::SetnsTargetZombie
        | Rule::LinkGone
        | Rule::PidForChildrenEmpty => {
            super::advice::helps(rule.into()).iter().map(|says| Candidate::words(*says)).collect()
        }
        _ => of_other_rule(case, rule),
    }
}

fn of_other_rule(case: &Case<'_>, rule: Rule) -> Vec<Candidate> {
    match rule {
        Rule::SetnsTargetAccess | Rule::PtraceAccess => vec![
            Candidate::words("ask as the user of that process, with the capabilities that it has"),
            Candidate::words("as root of the user namespace that the process is in, with CAP_SYS_PTRACE")
                .machine(|machine| machine.root = true),
        ],
        Rule::PathAccess => path_access(case),
        Rule::HostnamePrivilege => hostname(case),
        Rule::KillPermission => vec![
            Candidate::words("send it as the user whose process it is"),
            Candidate::words("as root of the user namespace that the process is in, with CAP_KILL")
                .machine(|machine| machine.root = true),
        ],
        Rule::MapNotPermitted | Rule::MapRootNeedsSetfcap => map(case, rule),
        Rule::MapAlreadySet => vec![Candidate::words("make a new user namespace: a map is written once")],
        Rule::MapOpener => {
            vec![Candidate::words("write it from the user namespace directly above, or from inside")]
        }
        Rule::MapAdmin | Rule::MapOpenAccess => {
            vec![Candidate::words("write it as the user who made the namespace, or as root of its parent")]
        }
        Rule::MapParentUnmapped => {
            vec![Candidate::words("map only ids that the parent itself has: see its uid_map")]
        }
        Rule::SetgroupsMapSet => {
            vec![Candidate::words("write deny before the group map, or leave setgroups allowed")]
        }
        Rule::SetgroupsCall => setgroups(case.state),
        Rule::SetidUnmapped | Rule::SetgroupsUnmapped if names_no_id(case.question) => {
            vec![Candidate::words("name another one: 4294967295 stands for no id, and no map can contain it")]
        }
        Rule::SetidUnmapped | Rule::SetgroupsUnmapped => vec![Candidate::command(
            "make the user namespace with a map that contains it",
            "ns run --map auto -- PROGRAM",
        )],
        Rule::TimeOffsetsFrozen => vec![Candidate::command(
            "make a new time namespace, and set its clocks before any process enters it",
            "ns run --monotonic SECONDS -- PROGRAM",
        )],
        _ => mounts::of_rule(case, rule),
    }
}

/// A uts namespace that the caller may name.
fn hostname(case: &Case<'_>) -> Vec<Candidate> {
    let name = match case.question {
        Question::SetHostname(name) => name.as_str(),
        _ => "NAME",
    };
    let after = |kinds: Kinds| Question::Steps(vec![Question::unshare(kinds), case.question.clone()]);
    let (uts, both) = (Kinds::from(Kind::Uts), Kinds::from(Kind::Uts).with(Kind::User));
    vec![
        Candidate::command("make a new uts namespace first", format!("unshare --uts hostname {name}"))
            .ask(after(uts)),
        Candidate::command(
            "make a user and a uts namespace first",
            format!("unshare --user --map-root-user --uts hostname {name}"),
        )
        .ask(after(both)),
        Candidate::words("as root of the user namespace that owns the uts namespace")
            .machine(|machine| machine.root = true),
    ]
}

/// What lets the caller in where a path ends.
fn path_access(case: &Case<'_>) -> Vec<Candidate> {
    let Some(place) = lookup::forbidden(case) else { return Vec::new() };
    let uid = case.state.status.as_ref().map_or(0, |status| status.uids[3]);
    let (path, owner) = (&place.path, place.owner);
    let right = if place.is_dir { "x" } else { "r" };
    if owner == OVERFLOW && !case.state.is_first() {
        let says = format!("outside this user namespace: {path} belongs to a user without a number here");
        return vec![Candidate::words(says)];
    }
    vec![
        Candidate::words(format!("make the call as user {owner}, to whom {path} belongs")),
        Candidate::command(
            "as that user: let this one user in",
            format!("setfacl -m u:{uid}:{right} {path}"),
        ),
    ]
}

fn limits(state: &State, rule: Rule, kind: Kind, assumed: &Assumed) -> Vec<Candidate> {
    let name = format!("user.max_{kind}_namespaces");
    match rule {
        Rule::UserNsLevel | Rule::PidNsLevel => vec![Candidate::words(format!(
            "make it from a {kind} namespace further up: {} is too deep",
            state.name(kind)
        ))],
        _ => {
            let here = state.limit(kind).filter(|_| assumed.full_above.is_none());
            let mut all = Vec::new();
            if here != Some(0) {
                all.push(Candidate::words(format!(
                    "let go of {kind} namespaces of this user: ns ls --kind {kind} shows them"
                )));
            }
            let (whose, more) = match here {
                Some(limit) => (state.name(Kind::User), (limit.saturating_mul(2)).max(1000).to_string()),
                None => (
                    "the user namespace above whose limit it is".to_owned(),
                    format!("$(($(sysctl -n {name}) * 2 + 1000))"),
                ),
            };
            all.push(
                Candidate::command(
                    format!("with CAP_SYS_RESOURCE in {whose}: raise the limit"),
                    format!("sysctl -w {name}={more}"),
                )
                .machine(|machine| machine.limits = true),
            );
            all
        }
    }
}

/// The caller's next children stay bound to it: nothing leads back.
fn dead_pid_namespace() -> Vec<Candidate> {
    vec![
        Candidate::command(
            "from another process, for this one can make neither a child nor a pid namespace any more: make it anew, with a process in it that stays as its init",
            "unshare --pid --fork --mount-proc PROGRAM",
        ),
        Candidate::words("keep its first process alive as long as others are to come: it is their init"),
    ]
}

fn chroot(case: &Case<'_>) -> Vec<Candidate> {
    let program = program(case.question).unwrap_or_else(|| "PROGRAM".to_owned());
    let direct = case.state.has(Capabilities::SYS_ADMIN).then(|| {
        Candidate::command(
            "make no user namespace: with CAP_SYS_ADMIN the other kinds need none",
            format!("ns run --share user -- {program}"),
        )
    });
    let outside = [
        Candidate::command(
            "from outside the chroot: make the directory the root of a mount namespace with pivot_root, in its place",
            "ns run --root DIR -- PROGRAM",
        ),
        Candidate::words(
            "from outside the chroot: make the user namespace first, and change the root inside it",
        ),
    ];
    let needless = case_kinds(case.question).len() > 1;
    direct.filter(|_| needless).into_iter().chain(outside).collect()
}

fn unmapped() -> Vec<Candidate> {
    vec![
        Candidate::command(
            "from the parent user namespace: write the maps of the present one first, PID being a process in it",
            "echo deny > /proc/PID/setgroups; echo \"0 $(id -u) 1\" > /proc/PID/uid_map; echo \"0 $(id -g) 1\" > /proc/PID/gid_map",
        )
        .machine(|machine| machine.mapped = true),
        Candidate::command("or make the present one with maps", "unshare --user --map-root-user PROGRAM"),
    ]
}

/// The same call with a user namespace.
fn needs_admin(case: &Case<'_>) -> Vec<Candidate> {
    let user = u64::from(Kind::User.flag());
    let with_user = match case.question {
        Question::Unshare(flags) => Some(Question::Unshare(flags | user)),
        Question::Clone(flags) => Some(Question::Clone(flags | user)),
        Question::Steps(all) => match all.as_slice() {
            [Question::Unshare(flags), rest @ ..] => Some(Question::Steps(
                [Question::Unshare(flags | user)].into_iter().chain(rest.iter().cloned()).collect(),
            )),
            _ => None,
        },
        _ => None,
    };
    let kinds = case_kinds(case.question);
    let mut all = Vec::new();
    let program = program(case.question).unwrap_or_else(|| "PROGRAM".to_owned());
    let command = format!("unshare --user --map-root-user {}{program}", options(kinds));
    let words = Candidate::command(
        "make a user namespace in the same call, which brings all capabilities in it",
        command,
    );
    match with_user {
        Some(question) => all.push(words.ask(question)),
        None => all.push(words),
    }
    all.push(
        Candidate::words("as root of the user namespace, with CAP_SYS_ADMIN")
            .machine(|machine| machine.root = true),
    );
    all
}

fn case_kinds(question: &Question) -> Kinds {
    let of = |flags: u64| Kind::ALL.into_iter().filter(|kind| flags & u64::from(kind.flag()) != 0).collect();
    match question {
        Question::Unshare(flags) | Question::Clone(flags) => of(*flags),
        Question::Steps(all) => all.iter().map(case_kinds).fold(Kinds::EMPTY, Kinds::union),
        Question::Launch(plan) => plan.steps().iter().fold(Kinds::EMPTY, |all, step| match step.step {
            Step::Unshare(kinds) | Step::Clone { kinds, .. } => all.union(kinds),
            _ => all,
        }),
        _ => Kinds::EMPTY,
    }
}

/// The program that is to be run and its arguments, as a shell takes them.
fn program(question: &Question) -> Option<String> {
    let Question::Launch(plan) = question else { return None };
    let argv = plan.steps().iter().find_map(|step| match &step.step {
        Step::Execute { argv, .. } => Some(argv),
        _ => None,
    })?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&byte);
    let quoted = |word: &CString| {
        let text = word.to_string_lossy();
        if !text.is_empty() && text.bytes().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    Some(argv.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

/// As `unshare(1)` takes them.
fn options(kinds: Kinds) -> String {
    let name = |kind: Kind| if kind == Kind::Mnt { "mount" } else { kind.name() };
    let others = kinds.without(Kind::User);
    let mut words: Vec<String> = others.iter().map(|kind| format!("--{}", name(kind))).collect();
    if kinds.contains(Kind::Pid) {
        words.push("--fork".to_owned());
    }
    words.push(String::new());
    words.join(" ")
}

fn without_user(question: &Question) -> Option<Question> {
    match question {
        Question::JoinProcess { pid, kinds } if kinds.len() > 1 => {
            Some(Question::JoinProcess { pid: *pid, kinds: kinds.without(Kind::User) })
        }
        _ => None,
    }
}

/// The order in which it would go, or that it never does.
fn join(case: &Case<'_>, kind: Kind) -> Vec<Candidate> {
    let mut all = Vec::new();
    if let Question::JoinProcess { pid, kinds } = case.question
        && !kinds.contains(Kind::User)
    {
        let together = kinds.with(Kind::User);
        let names: Vec<&str> = together.iter().map(Kind::name).collect();
        all.push(
            Candidate::command(
                "join the user namespace in the same call, which comes first and brings the capabilities",
                format!("ns enter {pid} --only {} -- PROGRAM", names.join(",")),
            )
            .ask(Question::JoinProcess { pid: *pid, kinds: together }),
        );
    }
    if let Question::JoinFile { .. } = case.question
        && let Some((_, ns)) = case.objects.files.iter().find(|(_, ns)| ns.kind == kind)
        && let Owner::Below(way) = &ns.owner
        && let Some(last) = way.last()
        && kind != Kind::User
    {
        all.push(Candidate::words(format!("join user:[{}] first, which owns {ns}", last.inode)));
    }
    if let Question::JoinProcess { pid, kinds } = case.question
        && kinds.len() > 1
    {
        // What each alone would be.
        let able: Vec<Kind> = kinds
            .iter()
            .filter(|one| {
                let question = Question::JoinProcess { pid: *pid, kinds: Kinds::from(*one) };
                case.ask(&question, &Assumed::default()).is_some_and(|answer| answer.is_ok())
            })
            .collect();
        if !able.is_empty() {
            let names: Vec<&str> = able.iter().map(|kind| kind.name()).collect();
            let kinds = able.into_iter().collect();
            all.push(
                Candidate::command(
                    format!("join only what the caller may: {}", names.join(", ")),
                    format!("ns enter {pid} --only {} -- PROGRAM", names.join(",")),
                )
                .ask(Question::JoinProcess { pid: *pid, kinds }),
            );
        }
    }
    all.push(
        Candidate::words("as root of a user namespace that is the owner or above it")
            .machine(|machine| machine.root = true),
    );
    all
}

fn map(case: &Case<'_>, rule: Rule) -> Vec<Candidate> {
    let needs_setfcap = rule == Rule::MapRootNeedsSetfcap;
    let Question::WriteMap { pid, kind, text } = case.question else {
        if needs_setfcap {
            return without_user_namespace(case);
        }
        return vec![Candidate::words(
            "map only the caller's own id, with a count of 1, or let newuidmap and newgidmap write the maps",
        )];
    };
    let mut all = Vec::new();
    let status = case.state.status.as_ref();
    let whose = if *pid == 0 { "self".to_owned() } else { pid.to_string() };
    if *kind == IdKind::Gid {
        let deny = Question::WriteSetgroups { pid: *pid, text: "deny".to_owned() };
        let denied = Question::Steps(vec![deny, case.question.clone()]);
        all.push(
            Candidate::command(
                "deny setgroups in the namespace first, for ever",
                format!("echo deny > /proc/{whose}/setgroups && echo '{text}' > /proc/{whose}/gid_map"),
            )
            .ask(denied),
        );
    }
    if let Some(status) = status {
        let (file, own) = match kind {
            IdKind::Uid => ("uid_map", status.uids[1]),
            IdKind::Gid => ("gid_map", status.gids[1]),
        };
        let single = format!("0 {own} 1");
        if own != 0 || !needs_setfcap {
            all.push(
                Candidate::command(
                    "map only the caller's own id",
                    format!("echo '{single}' > /proc/{whose}/{file}"),
                )
                .ask(Question::WriteMap { pid: *pid, kind: *kind, text: single }),
            );
        }
    }
    if needs_setfcap {
        all.extend(without_user_namespace(case));
    } else {
        all.extend(helper(case, *pid, *kind, text));
    }
    all
}

/// Where the parent's root can't be mapped: its root needs no user namespace.
fn without_user_namespace(case: &Case<'_>) -> Vec<Candidate> {
    let program = program(case.question).unwrap_or_else(|| "PROGRAM".to_owned());
    let candidate = Candidate::command(
        "make no user namespace: with CAP_SYS_ADMIN the other kinds need none",
        format!("ns run --share user -- {program}"),
    );
    case.state.has(Capabilities::SYS_ADMIN).then_some(candidate).into_iter().collect()
}

/// newuidmap(1) and newgidmap(1), where the lines of the user grant all that is wanted.
fn helper(case: &Case<'_>, pid: i32, kind: IdKind, text: &str) -> Option<Candidate> {
    let uid = case.state.status.as_ref()?.uids[0];
    let file = if kind == IdKind::Uid { "/etc/subuid" } else { "/etc/subgid" };
    let ranges = crate::idmap::ranges_of(&case.machine.text(file).ok()?, uid);
    let granted = |line: &str| {
        let numbers: Vec<u32> = line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [_, outside, count] = numbers[..] else { return false };
        ranges.iter().any(|range| {
            outside >= range.first
                && u64::from(outside) + u64::from(count) <= u64::from(range.first) + u64::from(range.count)
        })
    };
    let pid = if pid == 0 { "PID".to_owned() } else { pid.to_string() };
    text.lines().all(granted).then(|| {
        Candidate::command(
            format!("let {} write it: {file} grants these ids, and setgroups stays allowed", kind.helper()),
            format!("{} {pid} {}", kind.helper(), text.replace('\n', " ")),
        )
    })
}

fn setgroups(state: &State) -> Vec<Candidate> {
    let mut all = vec![Candidate::words(
        "leave the groups as they are: nsenter --preserve-credentials, su and sudo can't",
    )];
    if state.setgroups == Some(false) {
        all.insert(
            0,
            Candidate::command("make the user namespace with a group map that newgidmap writes, which leaves setgroups allowed", "ns run --map auto -- PROGRAM"),
        );
    }
    all
}
