//! From words to calls, with every argument as a number: what a call prints as.

use super::parse::{Names, named, num, text, wrong};
use super::print::{NULL, ODDITIES, RESOURCES, TWISTS};
use super::{MntNsWanted, MountWanted, Op, ParseError};
use crate::{
    CapSet, CapSets, Disposition, FileCaps, IpcSysctl, MapKind, MountAttr, NsIdReq, NsIoctl, NsLink,
    PidfdIoctl, Prctl, Program, Reboot, SemOp,
};
use alloc::string::ToString;
use alloc::vec::Vec;

type Parsed = Result<Option<Op>, ParseError>;

/// A number in tens or, behind `0x`, in sixteens.
fn bits(word: &str) -> Result<u64, ParseError> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).or_else(|_| wrong("not a hexadecimal number")),
        None => num(word),
    }
}

fn bits32(word: &str) -> Result<u32, ParseError> {
    u32::try_from(bits(word)?).or_else(|_| wrong("too large a number"))
}

fn choose<T: Copy>(names: &[(&str, T)], word: &str) -> Result<T, ParseError> {
    match names.iter().find(|(name, _)| *name == word) {
        Some((_, value)) => Ok(*value),
        None => Err(ParseError(alloc::format!("unknown word {word}"))),
    }
}

fn list<T: core::str::FromStr>(word: &str) -> Result<Vec<T>, ParseError> {
    if word == "-" { Ok(Vec::new()) } else { word.split(',').map(num).collect() }
}

fn switch(word: &str) -> Result<bool, ParseError> {
    choose(&[("on", true), ("off", false)], word)
}

fn sets(words: [&str; 3]) -> Result<CapSets, ParseError> {
    let set = |word| bits(word).map(CapSet::from_bits);
    Ok(CapSets { effective: set(words[0])?, permitted: set(words[1])?, inheritable: set(words[2])? })
}

fn map_kind(word: &str) -> Result<MapKind, ParseError> {
    choose(&[("uid_map", MapKind::Uid), ("gid_map", MapKind::Gid), ("projid_map", MapKind::Projid)], word)
}

pub(super) fn parse(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    for family in [process, credentials, files, mounts, ipc, rest] {
        if let Some(op) = family(call, args, names)? {
            return Ok(Some(op));
        }
    }
    Ok(None)
}

fn process(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("old-clone", [flags]) => Op::Clone(bits(flags)?),
        ("clone3", [flags, signal, tids, cgroup]) => Op::Clone3 {
            flags: bits(flags)?,
            exit_signal: num(signal)?,
            set_tid: list(tids)?,
            cgroup: named(names, cgroup)?,
        },
        ("clone3-odd", [flags, oddity]) => {
            Op::Clone3Odd { flags: bits(flags)?, oddity: choose(&ODDITIES, oddity)? }
        }
        ("exit-thread", [code]) => Op::Exit(num(code)?),
        ("wait", [pid, options]) => Op::Wait { pid: named(names, pid)?, options: bits32(options)? },
        ("pidfd-kill", [fd, signal, flags]) => {
            Op::PidfdSendSignal { fd: named(names, fd)?, signal: num(signal)?, flags: bits32(flags)? }
        }
        ("tgkill", [tgid, tid, signal]) => {
            Op::Tgkill { tgid: named(names, tgid)?, tid: named(names, tid)?, signal: num(signal)? }
        }
        ("sigaction", [signal, to]) => {
            let all = [
                ("default", Disposition::Default),
                ("ignore", Disposition::Ignore),
                ("handle", Disposition::Handle),
            ];
            Op::Sigaction { signal: num(signal)?, to: choose(&all, to)? }
        }
        ("sigprocmask", [blocked]) => Op::Sigprocmask(bits(blocked)?),
        ("exec", words) => Op::Execve(program(words)?),
        ("setpgid", [pid, pgid]) => Op::Setpgid { pid: named(names, pid)?, pgid: named(names, pgid)? },
        ("reboot", [command]) => {
            let all = [("restart", Reboot::Restart), ("halt", Reboot::Halt), ("other", Reboot::Other)];
            Op::Reboot(choose(&all, command)?)
        }
        _ => return Ok(None),
    }))
}

fn program(words: &[&str]) -> Result<Program, ParseError> {
    let mut program = Program::default();
    for word in words {
        match word.split_once('=') {
            Some(("setuid", uid)) => program.setuid = Some(num(uid)?),
            Some(("setgid", gid)) => program.setgid = Some(num(gid)?),
            Some(("caps", parts)) => {
                let [permitted, inheritable, effective, rootid] = parts.split(',').collect::<Vec<_>>()[..]
                else {
                    return wrong("file capabilities are four numbers");
                };
                program.caps = Some(FileCaps {
                    permitted: CapSet::from_bits(bits(permitted)?),
                    inheritable: CapSet::from_bits(bits(inheritable)?),
                    effective: effective == "1",
                    rootid: num(rootid)?,
                });
            }
            Some(_) => return wrong("no such property of a program"),
            None => match *word {
                "unreadable" => program.unreadable = true,
                "not-executable" => program.not_executable = true,
                "nosuid" => program.nosuid = true,
                _ => return wrong("no such property of a program"),
            },
        }
    }
    Ok(program)
}

fn credentials(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("setuid-plain", [id]) => Op::Setuid(num(id)?),
        ("setgid-plain", [id]) => Op::Setgid(num(id)?),
        ("setreuid", [real, effective]) => Op::Setreuid([num(real)?, num(effective)?]),
        ("setregid", [real, effective]) => Op::Setregid([num(real)?, num(effective)?]),
        ("setuid", [real, effective, saved]) => Op::Setresuid([num(real)?, num(effective)?, num(saved)?]),
        ("setgid", [real, effective, saved]) => Op::Setresgid([num(real)?, num(effective)?, num(saved)?]),
        ("setfsuid", [id]) => Op::Setfsuid(num(id)?),
        ("setfsgid", [id]) => Op::Setfsgid(num(id)?),
        ("setgroups-call", ["too-many"]) => Op::Setgroups(alloc::vec![0; 65_537]),
        ("setgroups-call", [groups]) => Op::Setgroups(list(groups)?),
        ("capset", [effective, permitted, inheritable]) => {
            Op::Capset(sets([effective, permitted, inheritable])?)
        }
        ("capset-of", [pid, effective, permitted, inheritable]) => {
            Op::CapsetOf { pid: named(names, pid)?, sets: sets([effective, permitted, inheritable])? }
        }
        ("prctl", [operation, value]) => Op::Prctl(prctl(operation, bits(value)?)?),
        ("rlimit", [resource, limit]) => {
            Op::Prlimit { resource: choose(&RESOURCES, resource)?, limit: num(limit)? }
        }
        ("rlimit-of", [pid, resource, soft, hard]) => Op::PrlimitOf {
            pid: named(names, pid)?,
            resource: choose(&RESOURCES, resource)?,
            soft: num(soft)?,
            hard: num(hard)?,
        },
        ("open-map", [pid, kind]) => Op::OpenMap { pid: named(names, pid)?, kind: map_kind(kind)? },
        ("open-setgroups", [pid]) => Op::OpenSetgroups(named(names, pid)?),
        ("open-timens_offsets", [pid]) => Op::OpenTimensOffsets(named(names, pid)?),
        ("write", [fd, words]) => Op::Write { fd: named(names, fd)?, text: text(words) },
        ("write-hostname", [name]) => Op::WriteHostname(text(name)),
        ("pid_max", [value]) => Op::WritePidMax(num(value)?),
        ("ns_last_pid", [value]) => Op::WriteNsLastPid(num(value)?),
        ("ipc-sysctl", [name, value]) => {
            let all = IpcSysctl::ALL.map(|which| (which.name(), which));
            Op::WriteIpcSysctl { which: choose(&all, name)?, value: num(value)? }
        }
        _ => return Ok(None),
    }))
}

fn prctl(operation: &str, value: u64) -> Result<Prctl, ParseError> {
    let small = u32::try_from(value).unwrap_or(u32::MAX);
    Ok(match operation {
        "subreaper" => Prctl::SetChildSubreaper(value != 0),
        "no-new-privs" => Prctl::SetNoNewPrivs(value),
        "securebits" => Prctl::SetSecurebits(small),
        "keepcaps" => Prctl::SetKeepcaps(value),
        "dumpable" => Prctl::SetDumpable(value),
        "pdeathsig" => Prctl::SetPdeathsig(small),
        "bounding-drop" => Prctl::CapbsetDrop(value),
        "ambient-raise" => Prctl::AmbientRaise(value),
        "ambient-lower" => Prctl::AmbientLower(value),
        "ambient-clear" => Prctl::AmbientClearAll,
        _ => return wrong("no such prctl"),
    })
}

fn link(word: &str) -> Result<NsLink, ParseError> {
    NsLink::from_name(word).ok_or_else(|| ParseError("no such namespace link".to_string()))
}

fn files(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("open-rw", [pid, name]) => Op::OpenNsWrite { pid: named(names, pid)?, link: link(name)? },
        ("list", [pid]) => Op::ListNs(named(names, pid)?),
        ("reopen", [fd, twist]) => Op::Reopen { fd: named(names, fd)?, twist: choose(&TWISTS, twist)? },
        ("listns", [size, spare, ns_id, ns_type, user]) => Op::Listns(NsIdReq {
            size: num(size)?,
            spare: num(spare)?,
            ns_id: num(ns_id)?,
            ns_type: bits(ns_type)?,
            user_ns_id: num(user)?,
        }),
        ("pidfd", [pid, flags]) => Op::PidfdOpen { pid: named(names, pid)?, flags: bits32(flags)? },
        ("dup", [fd]) => Op::Dup(named(names, fd)?),
        ("ns-ioctl", [fd, request, argument]) => {
            Op::NsIoctl { fd: named(names, fd)?, request: ns_ioctl(request, argument)? }
        }
        ("pidfd-ioctl", [fd, request, argument]) => {
            let request = match *request {
                "info" => PidfdIoctl::GetInfo(num(argument)?),
                "unknown" => PidfdIoctl::Unknown,
                name => PidfdIoctl::GetNamespace(link(name)?, num(argument)?),
            };
            Op::PidfdIoctl { fd: named(names, fd)?, request }
        }
        ("sethostname-odd", [length, fault]) => {
            let fault = choose(&[("fault", true), ("readable", false)], fault)?;
            Op::SethostnameOdd { length: num(length)?, fault }
        }
        ("setdomainname", [name]) => Op::Setdomainname(text(name)),
        _ => return Ok(None),
    }))
}

fn ns_ioctl(request: &str, argument: &str) -> Result<NsIoctl, ParseError> {
    let number = || num(argument);
    Ok(match request {
        "userns" => NsIoctl::GetUserns,
        "parent" => NsIoctl::GetParent,
        "nstype" => NsIoctl::GetNstype,
        "owner-uid" => NsIoctl::GetOwnerUid,
        "mntns-id" => NsIoctl::GetMntnsId,
        "id" => NsIoctl::GetId,
        "unknown" => NsIoctl::Unknown,
        "pid-from" => NsIoctl::GetPidFromPidns(number()?),
        "tgid-from" => NsIoctl::GetTgidFromPidns(number()?),
        "pid-in" => NsIoctl::GetPidInPidns(number()?),
        "tgid-in" => NsIoctl::GetTgidInPidns(number()?),
        "next" => NsIoctl::MntGetNext(number()? != 0),
        "prev" => NsIoctl::MntGetPrev(number()? != 0),
        "info" if argument == NULL => NsIoctl::MntGetInfo(None),
        "info" => NsIoctl::MntGetInfo(Some(number()?)),
        _ => return wrong("no such request"),
    })
}

fn mount_attr(words: &[&str], names: Names<'_>) -> Result<MountAttr, ParseError> {
    let [set, clear, propagation, fd] = words else {
        return wrong("mount attributes are four numbers");
    };
    Ok(MountAttr {
        set: bits(set)?,
        clear: bits(clear)?,
        propagation: bits(propagation)?,
        userns_fd: named(names, fd)?,
    })
}

fn mount_wanted(word: &str, names: Names<'_>) -> Result<MountWanted, ParseError> {
    Ok(match word {
        "root" => MountWanted::Root,
        "nobody" => MountWanted::Nobody,
        fd => MountWanted::Of(named(names, fd)?),
    })
}

fn ns_wanted(word: &str, names: Names<'_>) -> Result<MntNsWanted, ParseError> {
    Ok(match word.split_once('=') {
        None if word == "own" => MntNsWanted::Own,
        None if word == "nobody" => MntNsWanted::Nobody,
        Some(("id", fd)) => MntNsWanted::Id(named(names, fd)?),
        Some(("fd", fd)) => MntNsWanted::Fd(named(names, fd)?),
        Some(("both", fd)) => MntNsWanted::Both(named(names, fd)?),
        _ => return wrong("no such way to name a mount namespace"),
    })
}

fn mounts(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("mount", [source, target, fstype, flags]) => Op::Mount {
            source: text(source),
            target: text(target),
            fstype: text(fstype),
            flags: bits(flags)?,
        },
        ("umount", [target, flags]) => Op::Umount { target: text(target), flags: bits32(flags)? },
        ("mount_setattr", [path, flags, attr @ ..]) => {
            Op::MountSetattr { path: text(path), flags: bits32(flags)?, attr: mount_attr(attr, names)? }
        }
        ("mount_setattr-fd", [fd, flags, attr @ ..]) => {
            let fd = named(names, fd)?;
            Op::MountSetattrFd { fd, flags: bits32(flags)?, attr: mount_attr(attr, names)? }
        }
        ("open_tree", [path, flags]) => Op::OpenTree { path: text(path), flags: bits32(flags)? },
        ("fsmount", [fstype, flags, attr]) => {
            Op::Fsmount { fstype: text(fstype), flags: bits32(flags)?, attr: bits(attr)? }
        }
        ("mount-proc", [fd, target]) => Op::MountProc { pidns: named(names, fd)?, target: text(target) },
        ("listmount", [mount, ns, flags]) => Op::Listmount {
            mount: mount_wanted(mount, names)?,
            ns: ns_wanted(ns, names)?,
            flags: bits32(flags)?,
        },
        ("statmount", [mount, ns, flags]) => Op::Statmount {
            mount: mount_wanted(mount, names)?,
            ns: ns_wanted(ns, names)?,
            flags: bits32(flags)?,
        },
        ("move_mount", [fd, target]) => Op::MoveMount { fd: named(names, fd)?, target: text(target) },
        _ => return Ok(None),
    }))
}

fn ipc(call: &str, args: &[&str], _: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("shmget", [key, size, flags]) => {
            Op::Shmget { key: num(key)?, size: num(size)?, flags: bits32(flags)? }
        }
        ("shmat", [id]) => Op::Shmat(num(id)?),
        ("shmdt", [id]) => Op::Shmdt(num(id)?),
        ("shm-remove", [id]) => Op::ShmRemove(num(id)?),
        ("semget", [key, count, flags]) => {
            Op::Semget { key: num(key)?, count: num(count)?, flags: bits32(flags)? }
        }
        ("semop", [id, number, change, undo]) => {
            let undo = choose(&[("undo", true), ("plain", false)], undo)?;
            Op::Semop { id: num(id)?, op: SemOp { number: num(number)?, change: num(change)?, undo } }
        }
        ("sem-value", [id, number]) => Op::SemValue { id: num(id)?, number: num(number)? },
        ("sem-remove", [id]) => Op::SemRemove(num(id)?),
        ("msgget", [key, flags]) => Op::Msgget { key: num(key)?, flags: bits32(flags)? },
        ("msgsnd", [id, kind, words]) => {
            Op::Msgsnd { id: num(id)?, kind: num(kind)?, text: text(words).into_bytes() }
        }
        ("msgsnd-long", [id, kind]) => {
            Op::Msgsnd { id: num(id)?, kind: num(kind)?, text: alloc::vec![b'x'; 8193] }
        }
        ("msgrcv", [id]) => Op::Msgrcv(num(id)?),
        ("msg-remove", [id]) => Op::MsgRemove(num(id)?),
        ("mq_open", [name, create, exclusive]) => {
            Op::MqOpen { name: text(name), create: switch(create)?, exclusive: switch(exclusive)? }
        }
        ("mq_unlink", [name]) => Op::MqUnlink(text(name)),
        _ => return Ok(None),
    }))
}

fn rest(call: &str, args: &[&str], names: Names<'_>) -> Parsed {
    Ok(Some(match (call, args) {
        ("down", [name]) => Op::SetDeviceUp { name: text(name), up: false },
        ("delete-device", [name]) => Op::DeleteDevice(text(name)),
        ("socket-namespace", [fd]) => Op::SocketNamespace(named(names, fd)?),
        ("cgroup-rmdir", [path]) => Op::CgroupRmdir(text(path)),
        ("cgroup-move", [path, pid]) => Op::CgroupMove { path: text(path), pid: named(names, pid)? },
        ("cgroup-chown", [path, owner]) => Op::CgroupChown { path: text(path), owner: num(owner)? },
        ("cgroup-pids-max", [path, "max"]) => Op::CgroupPidsMax { path: text(path), max: None },
        ("cgroup-pids-max", [path, max]) => Op::CgroupPidsMax { path: text(path), max: Some(num(max)?) },
        ("cgroup-subtree-control", [path, on]) => {
            Op::CgroupSubtreeControl { path: text(path), on: switch(on)? }
        }
        ("settle-all", []) => Op::Settle,
        _ => return Ok(None),
    }))
}
