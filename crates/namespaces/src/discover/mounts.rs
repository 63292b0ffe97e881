//! Namespaces that are bound to files, in every mount namespace.
//!
//! The mounts of a mount namespace are read from a process in it, or where it
//! has none from a thread that joins it.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::context::Context;
use super::holder::Holder;
use super::name::Name;
use super::relatives;
use super::table::{Entry, Table};
use super::worker::Worker;
use crate::handle::Namespace;
use crate::kind::Kind;
use crate::mountinfo;

/// A mount namespace whose mounts are to be read, and a way to do it.
#[derive(Debug)]
pub(super) struct Task {
    name: Name,
    way: Option<Holder>,
}

impl Task {
    /// The caller's own, `name`, if no process was read.
    pub(super) fn own(name: Name, pid: i32) -> Task {
        Task { name, way: Some(Holder::Process { pid }) }
    }
}

/// A namespace bound to a file, opened if nothing else leads to it.
struct Bound {
    path: PathBuf,
    name: Name,
    fd: Option<OwnedFd>,
}

/// The mount namespaces in `table`. `own` is the caller's, for which it needs
/// no other process.
pub(super) fn tasks(context: &Context, table: &Table, own: Option<Name>) -> Vec<Task> {
    let way = |name: Name, entry: &Entry| {
        let pid = if own == Some(name) { Some(context.me) } else { entry.pid };
        pid.map(|pid| Holder::Process { pid }).or_else(|| entry.holders.first().cloned())
    };
    table
        .entries
        .iter()
        .filter(|(name, _)| name.kind == Kind::Mnt)
        .map(|(name, entry)| Task { name: *name, way: way(*name, entry) })
        .collect()
}

impl Worker<'_> {
    /// Records what is bound to files in one mount namespace. `known` are the
    /// namespaces that other sources have found.
    pub(super) fn mounts(&mut self, task: &Task, known: &HashSet<Name>) {
        self.work += 16;
        let bound = match &task.way {
            Some(Holder::Process { pid }) => through_process(self.context, *pid, None, known),
            Some(Holder::Thread { pid, tid }) => through_process(self.context, *pid, Some(*tid), known),
            Some(holder) => relatives::open_by(self.context, task.name, holder)
                .and_then(|fd| through_thread(self.context, fd, known)),
            // The kernel listed it, and its mounts were read then.
            None => return,
        };
        self.bound(task.name, bound, known);
    }

    /// The same for a mount namespace that no process is known to be in.
    pub(super) fn mounts_of(&mut self, name: Name, fd: OwnedFd, known: &HashSet<Name>) {
        let bound = through_thread(self.context, fd, known);
        self.bound(name, bound, known);
    }

    fn bound(&mut self, within: Name, bound: Option<Vec<Bound>>, known: &HashSet<Name>) {
        let Some(bound) = bound else {
            self.table.unreadable.mount_namespaces += 1;
            return;
        };
        for Bound { path, name, fd } in bound {
            if !self.context.wants_kind(name.kind) || !self.context.is_about(name) {
                continue;
            }
            let seen = known.contains(&name) || self.table.has_details(name);
            self.table.entry(name).hold(Holder::Mount { within, path });
            let Some(fd) = fd.filter(|_| !seen) else { continue };
            let inside = (name.kind == Kind::Mnt).then(|| fd.try_clone().ok()).flatten();
            self.examine(name, fd, Some(known));
            // No endless descent: a mount namespace is only ever bound in an
            // older one.
            if let Some(inside) = inside {
                self.mounts_of(name, inside, known);
            }
        }
    }
}

/// Reads the mounts that a process, or a thread of it, sees.
fn through_process(
    context: &Context,
    pid: i32,
    tid: Option<i32>,
    known: &HashSet<Name>,
) -> Option<Vec<Bound>> {
    let process = context.process(pid).ok()?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let dir = match tid {
        Some(tid) => rustix::fs::openat(&process, format!("task/{tid}"), flags, Mode::empty()).ok()?,
        None => process,
    };
    let text = read(&dir, "mountinfo")?;
    let mut root = None;
    Some(bound_in(&text, known, |path, name| {
        if root.is_none() {
            root = rustix::fs::openat(&dir, c"root", flags, Mode::empty()).ok();
        }
        open_below(context, root.as_ref()?, path, name)
    }))
}

/// Reads the mounts of the mount namespace `fd` from a thread that joins it.
fn through_thread(context: &Context, fd: OwnedFd, known: &HashSet<Name>) -> Option<Vec<Bound>> {
    let namespace = Namespace::from_fd(fd).ok()?;
    let inside = || {
        // The namespace need not have a /proc, or not this one.
        let text = read(&context.proc, "thread-self/mountinfo")?;
        let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        Some(bound_in(&text, known, |path, name| open_below(context, root.as_ref()?, path, name)))
    };
    namespace.within(inside).ok().flatten()
}

fn read(dir: &OwnedFd, file: &str) -> Option<Vec<u8>> {
    let file = rustix::fs::openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::with_capacity(8192);
    loop {
        if text.capacity() - text.len() < 4096 {
            text.reserve(text.capacity());
        }
        match rustix::io::read(&file, rustix::buffer::spare_capacity(&mut text)) {
            Ok(0) => return Some(text),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// The lines of `proc_pid_mountinfo(5)` whose root is a namespace.
fn bound_in(
    text: &[u8],
    known: &HashSet<Name>,
    mut open: impl FnMut(&Path, Name) -> Option<OwnedFd>,
) -> Vec<Bound> {
    let mut bound = Vec::new();
    for mount in mountinfo::mounts(text) {
        let Some(name) = Name::from_link(mount.root) else { continue };
        let path = mount.point();
        let fd = if known.contains(&name) { None } else { open(&path, name) };
        bound.push(Bound { path, name, fd });
    }
    bound
}

/// Opens what is bound to `path` below `root`, if that is `name`. Mount points
/// have no symbolic links in their paths, so none is followed.
fn open_below(context: &Context, root: &OwnedFd, path: &Path, name: Name) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let found = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).ok()?;
    context.reopen(&found, name).ok()
}

/// Opens `name`, bound to `path` in a mount namespace that process `pid` is in.
pub(super) fn open_through(context: &Context, pid: i32, path: &Path, name: Name) -> Option<OwnedFd> {
    let dir = context.process(pid).ok()?;
    let root = rustix::fs::openat(dir, c"root", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    open_below(context, &root, path, name)
}

/// Opens `name`, bound to `path` in the mount namespace of the calling thread.
pub(super) fn open_here(context: &Context, path: &Path, name: Name) -> Option<OwnedFd> {
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    open_below(context, &root, path, name)
}

/// Opens `name`, bound to `path` in the mount namespace `within`.
pub(super) fn open_within(context: &Context, within: &Namespace, path: &Path, name: Name) -> Option<OwnedFd> {
    within.within(|| open_here(context, path, name)).ok().flatten()
}

/// The caller's mount namespace.
pub(super) fn own() -> Option<Namespace> {
    Namespace::current(Kind::Mnt).ok()
}

/// Walks from `start` through all mount namespaces that the caller may see, in
/// both directions.
pub(super) fn walk(start: &Namespace, mut each: impl FnMut(Name, OwnedFd)) {
    for next in [true, false] {
        let mut at = start.as_fd().try_clone_to_owned().ok();
        while let Some((fd, _)) =
            at.as_ref().and_then(|fd| crate::sys::nsfs::adjacent_mnt(fd.as_fd(), next).ok())
        {
            if let (Ok(name), Ok(copy)) = (Context::name(fd.as_fd(), Kind::Mnt), fd.try_clone()) {
                each(name, copy);
            }
            at = Some(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_namespaces_are_read_from_mountinfo() {
        let text = b"22 1 0:5 net:[4026532001] /run/netns/a\\040b rw - nsfs nsfs rw\n\
            23 1 0:6 / /proc rw,nosuid shared:2 - proc proc rw\n\
            24 1 0:6 /net:[1] /x rw - ext4 /dev/sda rw\n\n";
        let bound = bound_in(text, &HashSet::new(), |_, _| None);
        assert_eq!(bound.len(), 1);
        assert_eq!(bound[0].name, Name::new(Kind::Net, 4_026_532_001));
        assert_eq!(bound[0].path, Path::new("/run/netns/a b"));
    }
}
