//! The options of `nsenter`.

use namespaces::Kind;

use crate::util_linux::table::{About, Complete, Opt, Takes, Value};

/// What an option is known by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    All,
    Help,
    Version,
    Target,
    Enter(Kind),
    NetSocket,
    Setuid,
    Setgid,
    Root,
    Wd,
    Wdns,
    Env,
    NoFork,
    JoinCgroup,
    PreserveCredentials,
    KeepCaps,
    UserParent,
    FollowContext,
    DryRun,
}

const FILE: Takes = Takes::Optional(Value::new("FILE|:ID", Complete::File));
const DIR: Takes = Takes::Optional(Value::new("DIR", Complete::Directory));

const fn required(name: &'static str, complete: Complete) -> Takes {
    Takes::Required(Value::new(name, complete))
}

const fn enter(kind: Kind, short: u8, long: &'static str, help: &'static str) -> Opt<Id> {
    Opt::new(Id::Enter(kind), short, long, FILE, help)
}

const FOLLOW: Complete = Complete::Words(&["follow"]);

/// In the order in which an ambiguous name lists them.
pub(super) static OPTIONS: [Opt<Id>; 26] = [
    Opt::new(Id::All, b'a', "all", Takes::Nothing, "enter all namespaces of the target"),
    Opt::new(Id::Help, b'h', "help", Takes::Nothing, "print this"),
    Opt::new(Id::Version, b'V', "version", Takes::Nothing, "print the version"),
    Opt::new(
        Id::Target,
        b't',
        "target",
        required("PID[:INODE]", Complete::Process),
        "the process to follow [if its pidfd has this inode number]",
    ),
    enter(Kind::Mnt, b'm', "mount", "enter the mount namespace of the target [or this one]"),
    enter(Kind::Uts, b'u', "uts", "enter the UTS namespace: hostname"),
    enter(Kind::Ipc, b'i', "ipc", "enter the IPC namespace: System V IPC, message queues"),
    enter(Kind::Net, b'n', "net", "enter the network namespace"),
    Opt::new(
        Id::NetSocket,
        b'N',
        "net-socket",
        required("FD", Complete::Nothing),
        "enter the network namespace of this socket of the target",
    ),
    enter(Kind::Pid, b'p', "pid", "enter the PID namespace, with a child process"),
    enter(Kind::User, b'U', "user", "enter the user namespace"),
    enter(Kind::Cgroup, b'C', "cgroup", "enter the control group namespace"),
    enter(Kind::Time, b'T', "time", "enter the time namespace"),
    Opt::new(Id::Setuid, b'S', "setuid", required("UID|follow", FOLLOW), "user id of the program"),
    Opt::new(
        Id::Setgid,
        b'G',
        "setgid",
        required("GID|follow", FOLLOW),
        "group id of the program, and no other groups",
    ),
    Opt::new(Id::Root, b'r', "root", DIR, "the target's root directory [or DIR] as root"),
    Opt::new(Id::Wd, b'w', "wd", DIR, "start in the target's directory [or DIR]"),
    Opt::new(Id::Wdns, b'W', "wdns", DIR, "start in DIR, as seen inside"),
    Opt::new(Id::Env, b'e', "env", Takes::Nothing, "take the environment of the target"),
    Opt::new(Id::NoFork, b'F', "no-fork", Takes::Nothing, "make no child for the PID namespace"),
    Opt::new(Id::JoinCgroup, b'c', "join-cgroup", Takes::Nothing, "join the control group of the target"),
    Opt::new(
        Id::PreserveCredentials,
        0,
        "preserve-credentials",
        Takes::Nothing,
        "keep user, group and groups in a user namespace",
    ),
    Opt::new(Id::KeepCaps, 0, "keep-caps", Takes::Nothing, "let the program keep all capabilities inside"),
    Opt::new(
        Id::UserParent,
        0,
        "user-parent",
        Takes::Nothing,
        "enter the parent of the user namespace instead",
    ),
    Opt::new(
        Id::FollowContext,
        b'Z',
        "follow-context",
        Takes::Nothing,
        "take the SELinux context of the target",
    ),
    Opt::new(Id::DryRun, 0, "dry-run", Takes::Nothing, "print the steps, and do nothing"),
];

pub(crate) static ABOUT: About = About {
    name: "nsenter",
    purpose: "Run a program in namespaces that exist",
    operands: "[PROGRAM [ARGUMENT...]]",
    notes: &[
        "A namespace is the target's, or the one bound to FILE, or the one with the 64-bit ID.\n\
         In a user namespace the program is root, unless -S, -G or --preserve-credentials say\n\
         otherwise. Without PROGRAM a login shell is run.",
        "The exit status is that of the program; 127 if it is not found, 126 if it can't be\n\
         executed, 1 if anything else fails.",
    ],
    options: || OPTIONS.iter().map(|option| &option.row).collect(),
};
