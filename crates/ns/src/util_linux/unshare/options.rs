//! The options of `unshare`.

use namespaces::Kind;

use crate::util_linux::table::{About, Complete, Opt, Takes, Value};

/// What an option is known by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    Help,
    Version,
    New(Kind),
    MountProc,
    MountBinfmt,
    LoadInterp,
    Propagation,
    Root,
    Wd,
    Setuid,
    Setgid,
    MapUser,
    MapGroup,
    MapRootUser,
    MapCurrentUser,
    MapAuto,
    MapSubids,
    MapUsers,
    MapGroups,
    Owner,
    Fork,
    KillChild,
    ForwardSignals,
    Setgroups,
    KeepCaps,
    Monotonic,
    Boottime,
    ClearEnv,
    WhitelistEnv,
    DryRun,
}

const FILE: Takes = Takes::OptionalLong(Value::new("FILE", Complete::File));
const DIR: Value = Value::new("DIR", Complete::Directory);
const RANGE: Takes = Takes::Required(Value::new(
    "INNER:OUTER:COUNT|auto|subids|all",
    Complete::Words(&["auto", "subids", "all"]),
));
const SECONDS: Takes = Takes::Required(Value::new("SECONDS", Complete::Nothing));
const SIGNAL: Takes = Takes::Optional(Value::new("SIGNAL", Complete::Signal));
const MODE: Takes =
    Takes::Required(Value::new("MODE", Complete::Words(&["private", "shared", "slave", "unchanged"])));

const fn required(name: &'static str, complete: Complete) -> Takes {
    Takes::Required(Value::new(name, complete))
}

/// In the order in which an ambiguous name lists them.
pub(super) static OPTIONS: [Opt<Id>; 37] = [
    Opt::new(Id::Help, b'h', "help", Takes::Nothing, "print this"),
    Opt::new(Id::Version, b'V', "version", Takes::Nothing, "print the version"),
    Opt::new(Id::New(Kind::Mnt), b'm', "mount", FILE, "new mount namespace [and keep it in FILE]"),
    Opt::new(Id::New(Kind::Uts), b'u', "uts", FILE, "new UTS namespace: hostname"),
    Opt::new(Id::New(Kind::Ipc), b'i', "ipc", FILE, "new IPC namespace: System V IPC, message queues"),
    Opt::new(Id::New(Kind::Net), b'n', "net", FILE, "new network namespace"),
    Opt::new(Id::New(Kind::Pid), b'p', "pid", FILE, "new PID namespace, for children: see --fork"),
    Opt::new(Id::New(Kind::User), b'U', "user", FILE, "new user namespace"),
    Opt::new(Id::New(Kind::Cgroup), b'C', "cgroup", FILE, "new control group namespace"),
    Opt::new(Id::New(Kind::Time), b'T', "time", FILE, "new time namespace"),
    Opt::new(Id::Fork, b'f', "fork", Takes::Nothing, "run the program as a child"),
    Opt::new(Id::KillChild, 0, "kill-child", SIGNAL, "end the program with this one (--fork) [KILL]"),
    Opt::new(
        Id::ForwardSignals,
        0,
        "forward-signals",
        Takes::Nothing,
        "pass TERM, INT, HUP, QUIT, USR1, USR2, WINCH, CONT, TSTP on (--fork)",
    ),
    Opt::new(
        Id::MountProc,
        0,
        "mount-proc",
        Takes::Optional(DIR),
        "mount a new proc on /proc or DIR (--mount)",
    ),
    Opt::new(
        Id::MountBinfmt,
        0,
        "mount-binfmt",
        Takes::Optional(DIR),
        "mount the binary formats of the user namespace (--user, --mount)",
    ),
    Opt::new(
        Id::MapUser,
        0,
        "map-user",
        required("UID|NAME", Complete::User),
        "what you are inside (--user)",
    ),
    Opt::new(Id::MapUsers, 0, "map-users", RANGE, "map a range of user ids (--user)"),
    Opt::new(
        Id::MapGroup,
        0,
        "map-group",
        required("GID|NAME", Complete::Group),
        "what your group is inside (--user)",
    ),
    Opt::new(Id::MapGroups, 0, "map-groups", RANGE, "map a range of group ids (--user)"),
    Opt::new(Id::MapRootUser, b'r', "map-root-user", Takes::Nothing, "be root inside (--user)"),
    Opt::new(Id::MapCurrentUser, b'c', "map-current-user", Takes::Nothing, "be yourself inside (--user)"),
    Opt::new(Id::MapAuto, 0, "map-auto", Takes::Nothing, "map your subordinate ids, from 0 on (--user)"),
    Opt::new(
        Id::MapSubids,
        0,
        "map-subids",
        Takes::Nothing,
        "map your subordinate ids to themselves (--user)",
    ),
    Opt::new(
        Id::Owner,
        0,
        "owner",
        required("UID:GID", Complete::Nothing),
        "let the user namespace belong to UID (--user)",
    ),
    Opt::new(Id::Propagation, 0, "propagation", MODE, "propagation of mounts in the new mount namespace"),
    Opt::new(
        Id::Setgroups,
        0,
        "setgroups",
        required("allow|deny", Complete::Words(&["allow", "deny"])),
        "setgroups(2) in the user namespace",
    ),
    Opt::new(Id::KeepCaps, 0, "keep-caps", Takes::Nothing, "let the program keep all capabilities inside"),
    Opt::new(Id::Setuid, b'S', "setuid", required("UID", Complete::Nothing), "user id of the program"),
    Opt::new(
        Id::Setgid,
        b'G',
        "setgid",
        required("GID", Complete::Nothing),
        "group id of the program, and no other groups",
    ),
    Opt::new(Id::Root, b'R', "root", Takes::Required(DIR), "make DIR the root"),
    Opt::new(Id::Wd, b'w', "wd", Takes::Required(DIR), "start in DIR, as seen below the root"),
    Opt::new(Id::Monotonic, 0, "monotonic", SECONDS, "set the monotonic clock ahead (needs --time)"),
    Opt::new(Id::Boottime, 0, "boottime", SECONDS, "set the boot-time clock ahead (needs --time)"),
    Opt::new(
        Id::LoadInterp,
        b'l',
        "load-interp",
        required("FORMAT", Complete::Nothing),
        "register a binary format there (--mount-binfmt)",
    ),
    Opt::new(Id::ClearEnv, 0, "clear-env", Takes::Nothing, "give the program an empty environment"),
    Opt::new(
        Id::WhitelistEnv,
        0,
        "whitelist-env",
        required("NAME,...", Complete::Nothing),
        "the same, but for these variables",
    ),
    Opt::new(Id::DryRun, 0, "dry-run", Takes::Nothing, "print the steps, and do nothing"),
];

pub(crate) static ABOUT: About = About {
    name: "unshare",
    purpose: "Run a program in new namespaces",
    operands: "[PROGRAM [ARGUMENT...]]",
    notes: &[
        "Options in parentheses are implied. FILE must exist; the namespace is bound to it\n\
         and stays when the program has ended. Without PROGRAM a login shell is run.",
        "The exit status is that of the program; 127 if it is not found, 126 if it can't be\n\
         executed, 1 if anything else fails.",
    ],
    options: || OPTIONS.iter().map(|option| &option.row).collect(),
};
