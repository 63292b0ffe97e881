//! Id maps, setgroups, limits, time offsets.

use super::*;
use nsproxy::{Clocks, NsKind, NsLink, Timespec};

/// A fresh user namespace of root's making; init writes the map.
fn write(text: &str) -> Result<(), Denial> {
    let (mut kernel, init, shell) = boot();
    kernel.unshare(shell, CLONE_NEWUSER).unwrap();
    ok(kernel.write_map(init, 2, MapKind::Uid, text))
}

/// A user namespace of uid 1000, whose maker writes the map itself.
fn own(kind: MapKind, deny: bool, text: &str) -> Result<(), Denial> {
    let (mut kernel, _, _) = boot();
    let task = user(&mut kernel);
    kernel.unshare(task, CLONE_NEWUSER).unwrap();
    if deny {
        kernel.write_setgroups(task, 3, "deny").unwrap();
    }
    ok(kernel.write_map(task, 3, kind, text))
}

fn lines(count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|line| format!("{line} {line} 1")).collect();
    lines.join(
        "
",
    )
}

fn setgroups_file(words: &[&str]) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    kernel.unshare(shell, CLONE_NEWUSER).unwrap();
    let (last, first) = words.split_last().unwrap();
    for word in first {
        kernel.write_setgroups(shell, 2, word).unwrap();
    }
    ok(kernel.write_setgroups(shell, 2, last))
}

/// A shell with a new time namespace for its children, at ten seconds after boot.
fn offsets(text: &str) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    let now = Timespec { sec: 10, nsec: 0 };
    kernel.set_clocks(Clocks { monotonic: now, boottime: now, ..Clocks::default() });
    kernel.unshare(shell, CLONE_NEWTIME).unwrap();
    ok(kernel.write_timens_offsets(shell, 2, text))
}

pub(super) const CASES: &[Case] = &[
    (Rule::NoSuchTask, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        ok(kernel.write_map(init, if bad { 99 } else { 2 }, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapOpenAccess, |bad| {
        let (mut kernel, init, shell) = boot();
        let other = user(&mut kernel);
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        ok(kernel.open_map(if bad { other } else { init }, 2, MapKind::Uid))
    }),
    (Rule::MapInitNs, |bad| {
        let (mut kernel, init, shell) = boot();
        if !bad {
            kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        }
        ok(kernel.write_map(init, 2, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapOpener, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        if bad {
            // A grandchild namespace, written from the grandparent.
            kernel.write_map(init, 2, MapKind::Uid, "0 0 1000").unwrap();
            kernel.write_map(init, 2, MapKind::Gid, "0 0 1000").unwrap();
            kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        }
        ok(kernel.write_map(init, 2, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapPosition, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        let fd = kernel.open_map(init, 2, MapKind::Uid).unwrap();
        ok(kernel.write(init, fd, u64::from(bad), b"0 0 1"))
    }),
    (Rule::MapAlreadySet, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        if bad {
            kernel.write_map(init, 2, MapKind::Uid, "0 0 1").unwrap();
        }
        ok(kernel.write_map(init, 2, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapAdmin, |bad| {
        // Opened without the capability, by someone who owns the file.
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        if bad {
            kernel.capset(shell, 0, CapSets::default()).unwrap();
            kernel.prctl(shell, nsproxy::Prctl::SetDumpable(1)).unwrap();
        }
        ok(kernel.write_map(shell, 2, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapSyntax, |bad| write(if bad { "0 0 1 x" } else { "0 0 1 \n" })),
    (Rule::MapInvalidId, |bad| write(if bad { "4294967295 0 1" } else { "4294967294 0 1" })),
    (Rule::MapWrap, |bad| write(if bad { "2 0 4294967294" } else { "1 0 4294967294" })),
    (Rule::MapOverlap, |bad| write(if bad { "0 0 10\n9 100 1" } else { "0 0 10\n10 100 1" })),
    (Rule::MapTooManyExtents, |bad| write(&lines(if bad { 341 } else { 340 }))),
    (Rule::MapEmpty, |bad| {
        // Only a parser that lets syntax errors pass gets to the end with no line.
        let (mut kernel, init, shell) = boot();
        kernel.params_mut().mutations.push(nsproxy::Mutation::Off(Rule::MapSyntax));
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        ok(kernel.write_map(init, 2, MapKind::Uid, if bad { "" } else { "0 0 1" }))
    }),
    (Rule::MapRootNeedsSetfcap, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            drop_cap(&mut kernel, shell, Cap::Setfcap);
            kernel.prctl(shell, nsproxy::Prctl::SetDumpable(1)).unwrap();
        }
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        ok(kernel.write_map(shell, 2, MapKind::Uid, "0 0 1"))
    }),
    (Rule::MapNotPermitted, |bad| own(MapKind::Uid, false, if bad { "0 1001 1" } else { "0 1000 1" })),
    (Rule::MapNotPermitted, |bad| own(MapKind::Gid, !bad, "0 1000 1")),
    (Rule::MapParentUnmapped, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        kernel.write_map(init, 2, MapKind::Uid, "0 0 10").unwrap();
        kernel.write_map(init, 2, MapKind::Gid, "0 0 10").unwrap();
        let child = kernel.sys_clone(shell, CLONE_NEWUSER).unwrap();
        let number = child.pid.cast_signed();
        ok(kernel.write_map(shell, number, MapKind::Uid, if bad { "0 5 6" } else { "0 5 5" }))
    }),
    (Rule::SetgroupsOpen, |bad| {
        // The same user, but in a user namespace beside.
        let (mut kernel, init, shell) = boot();
        let other = kernel.fork(init).unwrap().task;
        kernel.unshare(other, CLONE_NEWUSER).unwrap();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        ok(kernel.open_setgroups(if bad { other } else { init }, 2))
    }),
    (Rule::SetgroupsSyntax, |bad| setgroups_file(&[if bad { "denying" } else { "deny \n" }])),
    (Rule::SetgroupsDenied, |bad| setgroups_file(if bad { &["deny", "allow"] } else { &["allow", "allow"] })),
    (Rule::SetgroupsMapSet, |bad| {
        let (mut kernel, init, shell) = boot();
        kernel.unshare(shell, CLONE_NEWUSER).unwrap();
        if bad {
            kernel.write_map(init, 2, MapKind::Gid, "0 0 1").unwrap();
        }
        ok(kernel.write_setgroups(init, 2, "deny"))
    }),
    (Rule::SetgroupsCall, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, 0);
        if !bad {
            return kernel.setgroups(task, &[]);
        }
        let other = user(&mut kernel);
        kernel.setgroups(other, &[])
    }),
    (Rule::SetgroupsTooMany, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.setgroups(shell, &vec![1; if bad { 65_537 } else { 65_536 }])
    }),
    (Rule::SetgroupsUnmapped, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, 0);
        kernel.setgroups(task, &[u32::from(bad)])
    }),
    (Rule::UcountSysctlAccess, |bad| {
        let (mut kernel, init, _) = boot();
        let task = user(&mut kernel);
        kernel.write_max_namespaces(if bad { task } else { init }, NsKind::Uts, 5)
    }),
    (Rule::UcountSysctlRange, |bad| {
        let (mut kernel, init, _) = boot();
        let limit = 2_147_483_647 + i64::from(bad);
        kernel.write_max_namespaces(init, NsKind::Uts, limit)
    }),
    (Rule::TimeOffsetsPosition, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWTIME).unwrap();
        let fd = kernel.open_timens_offsets(shell, 2).unwrap();
        ok(kernel.write(shell, fd, u64::from(bad), b"monotonic 1 0"))
    }),
    (Rule::TimeOffsetsSyntax, |bad| offsets(if bad { "realtime 1 0" } else { "7 1 0 more" })),
    (Rule::TimeOffsetsPrivilege, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWTIME).unwrap();
        if bad {
            drop_cap(&mut kernel, shell, Cap::SysTime);
        }
        ok(kernel.write_timens_offsets(shell, 2, "monotonic 1 0"))
    }),
    (Rule::TimeOffsetsRange, |bad| offsets(if bad { "monotonic -11 0" } else { "monotonic -10 0" })),
    (Rule::TimeOffsetsGone, |bad| {
        let (mut kernel, init, shell) = boot();
        if bad {
            kernel.exit_group(shell, 0).unwrap();
        }
        ok(kernel.write_timens_offsets(init, 2, "monotonic 1 0"))
    }),
    (Rule::TimeOffsetsFrozen, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.unshare(shell, CLONE_NEWTIME).unwrap();
        if bad {
            kernel.fork(shell).unwrap();
        }
        ok(kernel.write_timens_offsets(shell, 2, "monotonic 1 0"))
    }),
    (Rule::PtraceAccess, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let target = if bad { 1 } else { pid(&kernel, task) };
        ok(kernel.open_ns(task, target, NsLink::Own(NsKind::Uts)))
    }),
];
