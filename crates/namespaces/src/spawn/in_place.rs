//! What a process can ask for that gives itself away: one with a single thread
//! and nothing else to do than to become the program or to wait for it.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{At, Root, Spawn};
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::idmap::MapWriter;
use crate::kind::{Kind, Kinds};
use crate::launch;
use crate::plan::{Form, Id, JoinTarget, Plan, lower};
use crate::process::Process;

/// Asked for beside the rest of a [`Spawn`].
#[derive(Clone, Debug, Default)]
pub(crate) struct InPlace {
    /// The user and group that the caller becomes before all else.
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) setgroups: Option<bool>,
    pub(crate) binds: Vec<(Kind, PathBuf)>,
    /// Where proc is mounted, seen from the new root and working directory.
    pub(crate) proc_on: Option<PathBuf>,
    /// The mount that is made private before that.
    pub(crate) proc_apart: bool,
    pub(crate) binfmt_on: Option<PathBuf>,
    pub(crate) binfmt: Option<OsString>,
    pub(crate) cgroup: Option<Arc<OwnedFd>>,
    pub(crate) security_context: Option<OsString>,
    /// The open `/proc/PID` of the process whose owner is followed.
    pub(crate) follow: Option<Arc<OwnedFd>>,
    pub(crate) clear_groups_first: bool,
    /// Leaves descriptors and the disposition of `SIGPIPE` as they are.
    pub(crate) inherit: bool,
}

impl Spawn {
    /// Will start the login shell of the user that it runs as by then, from
    /// the `/etc/passwd` that there is by then; `/bin/sh` without an entry.
    pub fn login_shell() -> Spawn {
        Spawn { program: None, ..Spawn::new("") }
    }

    /// Lets the calling thread itself take the new namespaces, with
    /// `unshare(2)`, and stay there: as [`unshare`](crate::unshare()) does, with
    /// the same rules for threads. The new process is made in them.
    pub fn unshare_in_place(&mut self) -> &mut Spawn {
        self.unshare_in_place = true;
        self
    }

    /// Joins these namespaces of `process`, and then the others. First all
    /// that the caller may join from outside; then the user namespace, and
    /// with what it may do there, the rest.
    pub fn join_both(
        &mut self,
        process: impl Into<Arc<Process>>,
        kinds: impl Into<Kinds>,
        namespaces: impl IntoIterator<Item = Namespace>,
    ) -> &mut Spawn {
        self.join = Some(JoinTarget::Both {
            process: process.into(),
            kinds: kinds.into(),
            namespaces: namespaces.into_iter().map(Arc::new).collect(),
        });
        self
    }

    /// Becomes this user and group, without supplementary groups, before the
    /// namespaces are made, so that they belong to that user. With
    /// [`unshare_in_place`](Spawn::unshare_in_place) or [`exec`](Spawn::exec) only.
    pub fn owner(&mut self, uid: u32, gid: u32) -> &mut Spawn {
        self.in_place.owner = Some((uid, gid));
        self
    }

    /// Who writes the group map, if not the one who writes the user map: to be
    /// set after [`map_writer`](Spawn::map_writer).
    pub fn gid_map_writer(&mut self, writer: MapWriter) -> &mut Spawn {
        self.map_writers.1 = writer;
        self
    }

    /// Allows or denies `setgroups(2)` in the user namespace.
    pub fn setgroups(&mut self, allow: bool) -> &mut Spawn {
        self.in_place.setgroups = Some(allow);
        self
    }

    /// Binds the new namespace of `kind` to the file `path`, which must be
    /// there, on top of what is bound there already. It stays bound whatever
    /// comes of the launch. With [`unshare_in_place`](Spawn::unshare_in_place)
    /// or [`exec`](Spawn::exec) only; else see [`pin`](Spawn::pin).
    pub fn bind(&mut self, kind: Kind, path: impl AsRef<Path>) -> &mut Spawn {
        self.in_place.binds.push((kind, path.as_ref().to_owned()));
        self
    }

    /// Mounts a new proc on `dir`, a path as the program sees it. With
    /// `apart`, the mount that is there is made private first.
    pub fn mount_proc_on(&mut self, dir: impl AsRef<Path>, apart: bool) -> &mut Spawn {
        self.in_place.proc_on = Some(dir.as_ref().to_owned());
        self.in_place.proc_apart = apart;
        self
    }

    /// Mounts the binary formats of the new user namespace on `dir`, a path as
    /// the program sees it. Linux 6.7.
    pub fn mount_binfmt_on(&mut self, dir: impl AsRef<Path>) -> &mut Spawn {
        self.in_place.binfmt_on = Some(dir.as_ref().to_owned());
        self
    }

    /// Registers a binary format there, as `binfmt_misc` takes it:
    /// `:name:type:offset:magic:mask:interpreter:flags`. With the flag `F` the
    /// interpreter is opened before the root changes.
    pub fn register_binfmt(&mut self, format: impl AsRef<OsStr>) -> &mut Spawn {
        self.in_place.binfmt = Some(format.as_ref().to_owned());
        self
    }

    /// `chroot(2)` to an open directory. The working directory stays the one
    /// it was, above the root or below, unless it is set.
    pub fn chroot_to(&mut self, dir: impl Into<OwnedFd>) -> &mut Spawn {
        self.root = Some(Root::Chroot(At::Open(Arc::new(dir.into()))));
        self
    }

    /// The working directory, already open.
    pub fn current_dir_at(&mut self, dir: impl Into<OwnedFd>) -> &mut Spawn {
        self.current_dir = Some(At::Open(Arc::new(dir.into())));
        self
    }

    /// Becomes a member of the control group whose `cgroup.procs` this is,
    /// after joining namespaces.
    pub fn join_cgroup(&mut self, procs: impl Into<OwnedFd>) -> &mut Spawn {
        self.in_place.cgroup = Some(Arc::new(procs.into()));
        self
    }

    /// Runs the program in this context of `SELinux`.
    pub fn security_context(&mut self, context: impl AsRef<OsStr>) -> &mut Spawn {
        self.in_place.security_context = Some(context.as_ref().to_owned());
        self
    }

    /// The owner of an open `/proc/PID`, as seen from the namespaces joined,
    /// is the one whose ids [`follow_uid`](Spawn::follow_uid) and
    /// [`follow_gid`](Spawn::follow_gid) take.
    pub fn follow(&mut self, process: impl Into<OwnedFd>) -> &mut Spawn {
        self.in_place.follow = Some(Arc::new(process.into()));
        self
    }

    /// The user id of the process that is [followed](Spawn::follow).
    pub fn follow_uid(&mut self) -> &mut Spawn {
        self.uid = Some(Id::Followed);
        self
    }

    /// The group id of the process that is [followed](Spawn::follow).
    pub fn follow_gid(&mut self) -> &mut Spawn {
        self.gid = Some(Id::Followed);
        self
    }

    /// Clears the supplementary groups before joining, where that is allowed;
    /// where it is not, they must be cleared after.
    pub fn clear_groups_first(&mut self) -> &mut Spawn {
        self.in_place.clear_groups_first = true;
        self.groups = Some(Vec::new());
        self
    }

    /// Lets the program have every descriptor that the caller has without
    /// close-on-exec, and `SIGPIPE` as the caller has it.
    pub fn inherit(&mut self) -> &mut Spawn {
        self.in_place.inherit = true;
        self
    }

    /// The steps that [`exec`](Spawn::exec) will take.
    pub fn exec_plan(&self) -> Result<Plan> {
        lower(self, Form::Exec)
    }

    /// Replaces the calling process by the program, in the manner of
    /// [`CommandExt::exec`](std::os::unix::process::CommandExt::exec): the
    /// calling thread itself joins and takes the namespaces. Comes back only
    /// with the reason why it could not; the thread is then where it had come to.
    ///
    /// A new pid namespace is for the children of the program, not for itself.
    pub fn exec(&self) -> Error {
        match self.exec_plan() {
            Ok(plan) => launch::exec(self, &plan),
            Err(error) => error,
        }
    }
}
