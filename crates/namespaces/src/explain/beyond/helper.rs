//! Why `newuidmap(1)` or `newgidmap(1)` does not write a map.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use nsproxy::Rule;

use super::{allowed, outside, refused};
use crate::errno::Errno;
use crate::explain::answer::Verdict;
use crate::explain::cause::Outside;
use crate::explain::decide::Case;
use crate::explain::evidence::Evidence;
use crate::explain::state::{covering, foreign_proc};
use crate::idmap::{IdKind, IdMap, IdRange, ranges_of, user_group, user_name};

/// The checks in the order in which they would stop it.
pub(super) fn decide(case: &Case<'_>, pid: i32, kind: IdKind, map: &str) -> Verdict {
    let program = match find(kind.helper()) {
        Ok(program) => program,
        Err(None) => {
            let says = format!("has no {}", kind.helper());
            return outside(case, Outside::HelperMissing, None, vec![Evidence::file("PATH", says)]);
        }
        Err(Some(file)) => {
            let mode = std::fs::metadata(&file).map_or(0, |meta| meta.permissions().mode());
            let says = format!("has the mode {:o}, with which the caller may not execute it", mode & 0o7777);
            let evidence = vec![Evidence::file(file.display().to_string(), says)];
            return outside(case, Outside::HelperNotExecutable, Some(Errno::EACCES), evidence);
        }
    };
    if let Some(foreign) = foreign_proc() {
        return outside(case, Outside::ProcUnusable, None, vec![foreign]);
    }
    let shown = program.display().to_string();
    let parsed: IdMap = match map.parse() {
        Ok(map) => map,
        Err(error) => {
            let rule = if error.to_string().contains("overlap") { Rule::MapOverlap } else { Rule::MapSyntax };
            return refused(case, rule, Some(Errno::EINVAL), vec![Evidence::question(error.to_string())]);
        }
    };
    if let Some(verdict) = others(case, pid) {
        return verdict;
    }
    if let Some(verdict) = granted(case, kind, &parsed) {
        return verdict;
    }
    if let Some(verdict) = privilege(case, &program, &shown) {
        return verdict;
    }
    if let Some(verdict) = target(case, pid, kind) {
        return verdict;
    }
    if let Some(verdict) = mapped_here(case, kind, &parsed) {
        return verdict;
    }
    allowed(format!("{shown} writes the map"))
}

/// The first that can be executed, as execvp(3) looks for it; else one that is there.
fn find(name: &str) -> Result<PathBuf, Option<PathBuf>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there: Vec<PathBuf> =
        std::env::split_paths(&path).map(|dir| dir.join(name)).filter(|file| file.is_file()).collect();
    let may_execute = |file: &&PathBuf| rustix::fs::access(*file, rustix::fs::Access::EXEC_OK).is_ok();
    there.iter().find(may_execute).cloned().ok_or_else(|| there.into_iter().next())
}

/// Whether the helper gets the privilege it needs.
fn privilege(case: &Case<'_>, program: &std::path::Path, shown: &str) -> Option<Verdict> {
    let state = case.state;
    let status = state.status.as_ref()?;
    // Root needs no bit.
    if status.effective.contains(crate::caps::Capabilities::SETUID.union(crate::caps::Capabilities::SETGID)) {
        return None;
    }
    let mode = std::fs::metadata(program).map_or(0, |meta| meta.permissions().mode());
    let mut value = [0_u8; 64];
    let file_caps = rustix::fs::getxattr(program, "security.capability", &mut value[..]).is_ok();
    if mode & 0o4000 == 0 && !file_caps {
        let says = format!("has the mode {:o} and no file capability", mode & 0o7777);
        return Some(outside(
            case,
            Outside::HelperUnprivileged,
            Some(Errno::EPERM),
            vec![Evidence::file(shown, says)],
        ));
    }
    if status.no_new_privs {
        let evidence = vec![Evidence::file("/proc/self/status", "has NoNewPrivs: 1")];
        return Some(outside(case, Outside::NoNewPrivs, Some(Errno::EPERM), evidence));
    }
    let real = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let mount =
        covering(&state.mounts, &real.to_string_lossy()).filter(|mount| mount.has_option("nosuid"))?;
    let says = format!("is the mount on {} with nosuid, where {shown} lies", mount.point);
    let evidence = vec![Evidence::file(format!("/proc/self/mountinfo:{}", mount.line), says)];
    Some(outside(case, Outside::NosuidMount, Some(Errno::EPERM), evidence))
}

/// Whether the files grant the ranges: `subuid(5)`.
fn granted(case: &Case<'_>, kind: IdKind, map: &IdMap) -> Option<Verdict> {
    let file = if kind == IdKind::Uid { "/etc/subuid" } else { "/etc/subgid" };
    let status = case.state.status.as_ref()?;
    let (uid, gid) = (status.uids[0], status.gids[0]);
    let text = case.machine.text(file).unwrap_or_default();
    let ranges = ranges_of(&text, uid);
    let user = user_name(uid).unwrap_or_else(|| uid.to_string());
    let own = if kind == IdKind::Uid { uid } else { gid };
    for extent in map.extents() {
        let alone = extent.count == 1 && extent.outside == own;
        let within = |range: &IdRange| {
            extent.outside >= range.first
                && u64::from(extent.outside) + u64::from(extent.count)
                    <= u64::from(range.first) + u64::from(range.count)
        };
        if alone || ranges.iter().any(within) {
            continue;
        }
        if ranges.is_empty() {
            let evidence = vec![Evidence::file(file, format!("has no line for {user}"))];
            return Some(outside(case, Outside::NoSubordinateIds, Some(Errno::EPERM), evidence));
        }
        let lines: Vec<String> =
            ranges.iter().map(|range| format!("{}:{}", range.first, range.count)).collect();
        let says = format!(
            "gives {user} {}, which does not contain {} ids from {}",
            lines.join(" and "),
            extent.count,
            extent.outside
        );
        return Some(outside(
            case,
            Outside::SubordinateRange,
            Some(Errno::EPERM),
            vec![Evidence::file(file, says)],
        ));
    }
    None
}

/// Whether the process is the caller's: both helpers compare the owner of `/proc/PID` with
/// the real ids, and these with the user's line in `/etc/passwd`.
fn others(case: &Case<'_>, pid: i32) -> Option<Verdict> {
    let own = case.state.status.as_ref()?;
    let (uid, gid) = (own.uids[0], own.gids[0]);
    // Of the directory, which unlike the files in it belongs to the process's user always.
    let path = format!("/proc/{pid}");
    let owner = std::fs::metadata(&path).ok()?;
    let owner = (owner.uid(), owner.gid());
    let says = if owner == (uid, gid) {
        let group = user_group(uid).filter(|group| *group != gid)?;
        Evidence::file("/etc/passwd", format!("gives user {uid} the group {group}, not the caller's {gid}"))
    } else {
        Evidence::file(path, format!("belongs to {}:{}, not to the caller's {uid}:{gid}", owner.0, owner.1))
    };
    Some(outside(case, Outside::HelperOtherUser, Some(Errno::EPERM), vec![says]))
}

fn target(case: &Case<'_>, pid: i32, kind: IdKind) -> Option<Verdict> {
    let target = case.objects.target(pid)?;
    let path = format!("/proc/{pid}/{}", kind.file());
    if target.status.is_none() {
        return Some(refused(
            case,
            Rule::NoSuchTask,
            Some(Errno::ENOENT),
            vec![Evidence::file(path, "does not exist")],
        ));
    }
    let map = if kind == IdKind::Uid { &target.uid_map } else { &target.gid_map };
    let set = map.as_ref().is_some_and(|map| !map.is_empty());
    set.then(|| {
        refused(
            case,
            Rule::MapAlreadySet,
            Some(Errno::EPERM),
            vec![Evidence::file(path, "has lines already")],
        )
    })
}

/// Whether the caller's own namespace has the ids that it is to pass on.
fn mapped_here(case: &Case<'_>, kind: IdKind, map: &IdMap) -> Option<Verdict> {
    let (file, own) = match kind {
        IdKind::Uid => ("/proc/self/uid_map", case.state.uid_map.as_ref()?),
        IdKind::Gid => ("/proc/self/gid_map", case.state.gid_map.as_ref()?),
    };
    let lost = map.extents().iter().find(|extent| {
        !own.iter().any(|line| {
            extent.outside >= line.inside
                && u64::from(extent.outside) + u64::from(extent.count)
                    <= u64::from(line.inside) + u64::from(line.count)
        })
    })?;
    let says = format!("has no line that contains {} ids from {}", lost.count, lost.outside);
    Some(refused(case, Rule::MapParentUnmapped, Some(Errno::EPERM), vec![Evidence::file(file, says)]))
}
