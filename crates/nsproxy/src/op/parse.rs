//! From words to calls, for scenarios.

use super::Op;
use crate::scenario::CALLS;
use crate::uapi::{
    CLONE_FILES, CLONE_FS, CLONE_INTO_CGROUP, CLONE_PARENT, CLONE_PIDFD, CLONE_SIGHAND, CLONE_SYSVSEM,
    CLONE_THREAD, CLONE_VFORK, CLONE_VM, MNT_DETACH, MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REC,
    MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, SIGCHLD,
};
use crate::{CapSet, CapSets, Disposition, MapKind, NsKind, NsLink, Prctl, Resource};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ParseError {}

pub(super) fn wrong<T>(text: &str) -> Result<T, ParseError> {
    Err(ParseError(text.to_string()))
}

const SHARED: [(&str, u64); 10] = [
    ("fs", CLONE_FS),
    ("files", CLONE_FILES),
    ("vm", CLONE_VM),
    ("sighand", CLONE_SIGHAND),
    ("thread", CLONE_THREAD | CLONE_SIGHAND | CLONE_VM),
    ("parent", CLONE_PARENT),
    ("vfork", CLONE_VFORK | CLONE_VM),
    ("pidfd", CLONE_PIDFD),
    ("sysvsem", CLONE_SYSVSEM),
    ("into", CLONE_INTO_CGROUP),
];

const MOUNT: [(&str, u64); 9] = [
    ("bind", MS_BIND),
    ("rbind", MS_BIND | MS_REC),
    ("move", MS_MOVE),
    ("shared", MS_SHARED),
    ("private", MS_PRIVATE),
    ("slave", MS_SLAVE),
    ("unbindable", MS_UNBINDABLE),
    ("remount", MS_REMOUNT | MS_BIND),
    ("remount-ro", MS_REMOUNT | MS_BIND | MS_RDONLY),
];

/// `user uts vm 0x100`: the bits of these words together.
pub fn clone_flags(words: &[&str]) -> Result<u64, ParseError> {
    let mut flags = 0;
    for word in words {
        let kind = NsKind::from_name(word).map(NsKind::flag);
        let shared = SHARED.iter().find(|(name, _)| name == word).map(|(_, bit)| *bit);
        let hex = word.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let all = (*word == "all").then_some(crate::uapi::CLONE_NS_FLAGS);
        match kind.or(shared).or(hex).or(all) {
            Some(bits) => flags |= bits,
            None => return Err(ParseError(alloc::format!("unknown flag {word}"))),
        }
    }
    Ok(flags)
}

pub(super) fn num<T: core::str::FromStr>(word: &str) -> Result<T, ParseError> {
    word.parse().map_err(|_| ParseError(alloc::format!("not a number: {word}")))
}

/// The number behind a word: a number, or a name that stands for one.
pub(super) type Names<'a> = &'a dyn Fn(&str) -> Option<i32>;

pub(super) fn named(names: Names<'_>, word: &str) -> Result<i32, ParseError> {
    // A name behind a minus is the group of that number.
    let group = || Some(-names(word.strip_prefix('-')?)?);
    match names(word).or_else(group) {
        Some(number) => Ok(number),
        None => num(word),
    }
}

/// The longest text that a word can stand for.
const LONGEST: usize = 100_000;

/// `\n`, `\t`, `\0` and `\\` in a word stand for one character each; `\{9}` makes nine of
/// the character before it.
pub(super) fn text(word: &str) -> String {
    let mut plain = String::new();
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('{') => {
                    let count: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let last = plain.pop();
                    let count = count.parse().unwrap_or(0).min(LONGEST);
                    plain.extend(last.into_iter().cycle().take(count));
                }
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('0') => plain.push('\0'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}

impl Op {
    /// A call from its words. `names` knows the numbers of named tasks and
    /// descriptors as the caller sees them.
    pub fn parse(words: &[&str], names: Names<'_>) -> Result<Self, ParseError> {
        let Some((call, args)) = words.split_first() else {
            return wrong("no call");
        };
        for family in [parse_process, parse_cred, parse_object, super::exact::parse] {
            if let Some(op) = family(call, args, names)? {
                return Ok(op);
            }
        }
        let forms: Vec<&str> =
            CALLS.iter().filter(|word| word.name() == *call).map(|word| word.usage).collect();
        Err(ParseError(match &forms[..] {
            [] => alloc::format!("no such call: {call}"),
            forms => alloc::format!("wrong arguments: {}; it is {}", words.join(" "), forms.join(", or ")),
        }))
    }
}

fn parse_process(call: &str, args: &[&str], names: Names<'_>) -> Result<Option<Op>, ParseError> {
    Ok(Some(match (call, args) {
        ("fork", []) => Op::Clone(u64::from(SIGCHLD)),
        ("vfork", []) => Op::Clone(CLONE_VFORK | CLONE_VM | u64::from(SIGCHLD)),
        ("clone", flags) => {
            let flags = clone_flags(flags)?;
            let thread = flags & (CLONE_THREAD | CLONE_PARENT) != 0;
            Op::Clone3 {
                flags,
                exit_signal: if thread { 0 } else { u64::from(SIGCHLD) },
                set_tid: Vec::new(),
                cgroup: -1,
            }
        }
        ("clone-tid", [tids, flags @ ..]) => Op::Clone3 {
            flags: clone_flags(flags)?,
            exit_signal: u64::from(SIGCHLD),
            set_tid: tids.split(',').map(num).collect::<Result<_, _>>()?,
            cgroup: -1,
        },
        ("unshare", flags) => Op::Unshare(clone_flags(flags)?),
        ("setns", [fd, flags @ ..]) => {
            Op::Setns { fd: named(names, fd)?, flags: u32::try_from(clone_flags(flags)?).unwrap_or(u32::MAX) }
        }
        ("exit", [code]) => Op::ExitGroup(num(code)?),
        ("exit", []) => Op::ExitGroup(0),
        ("exit-thread", []) => Op::Exit(0),
        ("wait", []) => Op::Wait { pid: -1, options: 0 },
        ("wait", [task]) => Op::Wait { pid: named(names, task)?, options: 0 },
        ("kill", [task, signal]) => Op::Kill { pid: named(names, task)?, signal: num(signal)? },
        ("ignore", [signal]) => Op::Sigaction { signal: num(signal)?, to: Disposition::Ignore },
        ("open", [task, link]) => match NsLink::from_name(link) {
            Some(link) => Op::OpenNs { pid: named(names, task)?, link },
            None => return wrong("no such namespace link"),
        },
        ("pidfd", [task]) => Op::PidfdOpen { pid: named(names, task)?, flags: 0 },
        ("close", [fd]) => Op::Close(named(names, fd)?),
        ("setsid", []) => Op::Setsid,
        _ => return Ok(None),
    }))
}

fn parse_cred(call: &str, args: &[&str], names: Names<'_>) -> Result<Option<Op>, ParseError> {
    let map = |kind, task: &str, line: &str| {
        Ok(Some(Op::WriteMap { pid: named(names, task)?, kind, text: text(line) }))
    };
    Ok(Some(match (call, args) {
        ("setuid", [id]) => Op::Setresuid([num(id)?; 3]),
        ("setgid", [id]) => Op::Setresgid([num(id)?; 3]),
        ("drop-caps", []) => Op::Capset(CapSets::default()),
        ("keep-caps", [bits]) => {
            let bits = bits.strip_prefix("0x").unwrap_or(bits);
            let kept = u64::from_str_radix(bits, 16)
                .map(CapSet::from_bits)
                .or_else(|_| wrong("not a hexadecimal number"))?;
            Op::Capset(CapSets { effective: kept, permitted: kept, inheritable: CapSet::EMPTY })
        }
        ("uid_map", [task, line]) => return map(MapKind::Uid, task, line),
        ("gid_map", [task, line]) => return map(MapKind::Gid, task, line),
        ("projid_map", [task, line]) => return map(MapKind::Projid, task, line),
        ("setgroups", [task, word]) => Op::WriteSetgroups { pid: named(names, task)?, text: text(word) },
        ("timens_offsets", [task, line]) => {
            Op::WriteTimensOffsets { pid: named(names, task)?, text: text(line) }
        }
        ("limit", [kind, limit]) => match NsKind::from_name(kind) {
            Some(kind) => Op::WriteMaxNamespaces { kind, limit: num(limit)? },
            None => return wrong("no such kind"),
        },
        ("rlimit-nproc", [limit]) => Op::Prlimit { resource: Resource::Nproc, limit: num(limit)? },
        ("subreaper", []) => Op::Prctl(Prctl::SetChildSubreaper(true)),
        ("no-new-privs", []) => Op::Prctl(Prctl::SetNoNewPrivs(1)),
        _ => return Ok(None),
    }))
}

fn parse_object(call: &str, args: &[&str], names: Names<'_>) -> Result<Option<Op>, ParseError> {
    Ok(Some(match (call, args) {
        ("sethostname", [name]) => Op::Sethostname(text(name)),
        ("mount", [fstype, target]) => Op::Mount {
            source: String::from("none"),
            target: text(target),
            fstype: fstype.to_string(),
            flags: 0,
        },
        ("mount", [how, source, target]) => match MOUNT.iter().find(|(name, _)| name == how) {
            Some((_, flags)) => {
                Op::Mount { source: text(source), target: text(target), fstype: String::new(), flags: *flags }
            }
            None => return wrong("no such way to mount"),
        },
        ("propagation", [how, target]) => match MOUNT.iter().find(|(name, _)| name == how) {
            Some((_, flags)) => Op::Mount {
                source: String::new(),
                target: text(target),
                fstype: String::new(),
                flags: *flags,
            },
            None => return wrong("no such propagation"),
        },
        ("umount", [target]) => Op::Umount { target: text(target), flags: 0 },
        ("umount-lazy", [target]) => Op::Umount { target: text(target), flags: MNT_DETACH },
        ("bind-ns", [fd, target]) => Op::BindNamespace { fd: named(names, fd)?, target: text(target) },
        ("pivot_root", [new, old]) => Op::PivotRoot { new: text(new), old: text(old) },
        ("chroot", [path]) => Op::Chroot(text(path)),
        ("chdir", [path]) => Op::Chdir(text(path)),
        ("mkdir", [path]) => Op::Mkdir(text(path)),
        ("mknod", [path]) => Op::Mknod(text(path)),
        ("veth", [name, peer]) => Op::AddVeth { name: text(name), peer: text(peer) },
        ("move-device", [name, fd]) => Op::MoveDevice { name: text(name), fd: named(names, fd)? },
        ("up", [name]) => Op::SetDeviceUp { name: text(name), up: true },
        ("socket", []) => Op::Socket,
        ("connect", [fd]) => Op::ConnectLoopback(named(names, fd)?),
        ("cgroup-mkdir", [path]) => Op::CgroupMkdir(text(path)),
        ("cgroup-move", [path]) => Op::CgroupMove { path: text(path), pid: 0 },
        ("cgroup-open", [path]) => Op::OpenCgroup(text(path)),
        ("shmget", [key]) => Op::Shmget { key: num(key)?, size: 1, flags: 0o600 },
        ("shmget-create", [key]) => {
            Op::Shmget { key: num(key)?, size: 1, flags: crate::uapi::IPC_CREAT | 0o600 }
        }
        _ => return Ok(None),
    }))
}
