//! From names to places (`fs/namei.c`), and the few calls that make names.

use super::{Dentry, FsType, MNT_EXPIRED, MNT_READONLY, Path, SuperBlock};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::ns_common::NsRef;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};
use crate::uapi::{NAME_MAX, PATH_MAX};

impl Kernel {
    /// The place a path names for a task; mounts are crossed, the last one too. The mount
    /// where the walk ends was used thereby, and is not about to expire any more (`mntput`).
    pub(crate) fn lookup(&mut self, task: Idx<Task>, path: &str) -> Result<Path, Denial> {
        let (end, walked) = self.walk(task, path);
        if let Some(Path { mnt, .. }) = end {
            self.mounts[mnt].flags &= !MNT_EXPIRED;
        }
        walked
    }

    /// The same for umount(2), which gives the mark.
    pub(super) fn lookup_to_umount(&mut self, task: Idx<Task>, path: &str) -> Result<Path, Denial> {
        let (_, walked) = self.walk(task, path);
        // LOOKUP_MOUNTPOINT: what is mounted over a root is meant, too.
        walked.map(|at| self.follow_down(at)).or_else(|_| self.lookup(task, path))
    }

    /// How far the path leads, and what it names.
    fn walk(&self, task: Idx<Task>, path: &str) -> (Option<Path>, Result<Path, Denial>) {
        let missing = self.params.denial(Rule::PathMissing);
        // path_resolution(7): the empty path names nothing.
        let start =
            self.check_path_length(path).and(self.tasks[task].fs.filter(|_| !path.is_empty()).ok_or(missing));
        let Fs { root, pwd, .. } = match start {
            Ok(fs) => self.fss[fs],
            Err(denial) => return (None, Err(denial)),
        };
        let mut at = if path.starts_with('/') { root } else { pwd };
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            match self.walk_component(at, name, root) {
                Ok(next) => at = next,
                Err(denial) => return (Some(at), Err(denial)),
            }
        }
        (Some(at), Ok(at))
    }

    fn walk_component(&self, at: Path, name: &str, root: Path) -> Result<Path, Denial> {
        if !self.dentries[at.dentry].dir {
            return Err(self.params.denial(Rule::PathNotDir));
        }
        if name == ".." {
            return Ok(self.follow_dotdot(at, root));
        }
        self.check_name_length(at, name)?;
        let found = self.find_child(at.dentry, name);
        let dentry = found.ok_or_else(|| self.params.denial(Rule::PathMissing))?;
        Ok(self.follow_down(Path { dentry, ..at }))
    }

    /// `path_resolution(7)` ENAMETOOLONG: a path fits in a page, with the zero at its end.
    fn check_path_length(&self, path: &str) -> Result<(), Denial> {
        self.refuse_if(path.len() >= PATH_MAX, Rule::PathTooLong)
    }

    /// `path_resolution(7)` ENAMETOOLONG: said by each filesystem when it looks for the
    /// name; proc and those of kernfs only find nothing.
    fn check_name_length(&self, dir: Path, name: &str) -> Result<(), Denial> {
        let fstype = self.supers[self.mounts[dir.mnt].sb].fstype;
        let finds_nothing = matches!(fstype, FsType::Proc | FsType::Sysfs | FsType::Cgroup2);
        self.refuse_if(name.len() > NAME_MAX && !finds_nothing, Rule::PathNameTooLong)
    }

    fn find_child(&self, dir: Idx<Dentry>, name: &str) -> Option<Idx<Dentry>> {
        self.dentries[dir].children.iter().copied().find(|child| self.dentries[*child].name == name)
    }

    /// One step up, across mounts, but never above the task's root.
    fn follow_dotdot(&self, from: Path, root: Path) -> Path {
        let mut at = from;
        loop {
            if at == root {
                // What is mounted over the root is crossed, too.
                return self.follow_down(at);
            }
            let mount = &self.mounts[at.mnt];
            if at.dentry != mount.root {
                at.dentry = self.dentries[at.dentry].parent.unwrap_or(at.dentry);
                return self.follow_down(at);
            }
            match mount.parent {
                Some(parent) => {
                    at = Path { mnt: parent, dentry: mount.mountpoint };
                }
                // Nothing above: one stays, but crosses what is mounted there.
                None => return self.follow_down(from),
            }
        }
    }

    pub(crate) fn lookup_dir(&mut self, task: Idx<Task>, path: &str) -> Result<Path, Denial> {
        let at = self.lookup(task, path)?;
        if self.dentries[at.dentry].dir {
            Ok(at)
        } else {
            // chdir(2) ENOTDIR.
            Err(self.params.denial(Rule::PathNotDir))
        }
    }

    /// mkdir(2).
    pub fn mkdir(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Mkdir)?;
        self.make(task, path, true)
    }

    /// mknod(2) of a regular file: something to mount a file on.
    pub fn mknod(&mut self, caller: TaskId, path: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Mknod)?;
        self.make(task, path, false)
    }

    fn make(&mut self, task: Idx<Task>, path: &str, dir: bool) -> Result<(), Denial> {
        // path_resolution(7): the empty path names nothing.
        if path.is_empty() {
            return Err(self.params.denial(Rule::PathMissing));
        }
        self.check_path_length(path)?;
        let path = path.trim_end_matches('/');
        let (above, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(parts) => parts,
            None => (".", path),
        };
        // mkdir(2) EINVAL: a name that no call can pass.
        self.refuse_if(name.contains('\0'), Rule::PathName)?;
        let parent = self.lookup_dir(task, above)?;
        self.check_name_length(parent, name)?;
        // mkdir(2) EEXIST: `/`, `.` and `..` are there, too.
        let taken = matches!(name, "" | "." | "..") || self.find_child(parent.dentry, name).is_some();
        self.refuse_if(taken, Rule::PathExists)?;
        let mount = &self.mounts[parent.mnt];
        if self.supers[mount.sb].fstype == FsType::Proc {
            // Names in proc are what it finds: none of them can be made.
            return Err(self.params.denial(Rule::PathMissing));
        }
        // mkdir(2) EROFS.
        let readonly = mount.has(MNT_READONLY) || self.supers[mount.sb].readonly;
        self.refuse_if(readonly, Rule::PathReadOnly)?;
        let SuperBlock { fstype, shown, .. } = self.supers[mount.sb];
        if fstype == FsType::Proc || fstype == FsType::Rootfs && self.params.since(7, 0) {
            // Directories that are always as they are know no other name.
            return Err(self.params.denial(Rule::PathMissing));
        }
        // mkdir(2) EOVERFLOW: the filesystem has no number for the new owner.
        let owner = self.owner_of_new(task, parent.mnt);
        self.refuse_if(owner.is_none(), Rule::PathOwner)?;
        // mkdir(2) EACCES: directories have mode 0755, in sysfs 0555, that of the queues all.
        let open = fstype == FsType::Mqueue;
        let (uid, gid) = self.owner_through(parent);
        let own = uid == Some(self.cred_of(task).fsuid) && fstype != FsType::Sysfs;
        let over =
            uid.zip(gid).is_some_and(|(uid, gid)| self.capable_wrt_inode(task, uid, gid, Cap::DacOverride));
        self.refuse_if(!(open || own || over), Rule::PathAccess)?;
        if open && !dir {
            // mqueue(7): a file made there is a queue, while there is a namespace for it.
            match shown.and_then(|ns| self.resolve_ns(ns)) {
                Some(NsRef::Ipc(ns)) => self.make_queue(task, ns, name)?,
                _ => self.refuse_if(true, Rule::PathAccess)?,
            }
        }
        let sealed = matches!(fstype, FsType::Sysfs | FsType::Nsfs | FsType::Cgroup2);
        // mknod(2) EACCES, mkdir(2) EPERM: nothing is made here.
        self.refuse_if(sealed && !dir, Rule::PathAccess)?;
        self.refuse_if(dir && (sealed || open), Rule::PathNoMaking)?;
        let cred = self.cred_of(task);
        let owner = owner.unwrap_or((cred.fsuid, cred.fsgid));
        self.new_dentry(Some(parent.dentry), name, dir, owner);
        Ok(())
    }
}
