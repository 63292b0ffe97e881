//! From names to places (`fs/namei.c`), and the few calls that make names.

use super::{Dentry, FsType, MNT_READONLY, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Fs, Task, TaskId};

impl Kernel {
    /// The place a path names for a task; mounts are crossed, the last one too.
    pub(crate) fn lookup(&self, task: Idx<Task>, path: &str) -> Result<Path, Denial> {
        let missing = self.params.denial(Rule::PathMissing);
        let fs = self.tasks[task].fs.ok_or(missing)?;
        let Fs { root, pwd, .. } = self.fss[fs];
        // path_resolution(7): the empty path names nothing.
        if path.is_empty() {
            return Err(missing);
        }
        let mut at = if path.starts_with('/') { root } else { pwd };
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if !self.dentries[at.dentry].dir {
                return Err(self.params.denial(Rule::PathNotDir));
            }
            at = if name == ".." {
                self.follow_dotdot(at, root)
            } else {
                let dentry = self.find_child(at.dentry, name).ok_or(missing)?;
                self.follow_down(Path { dentry, ..at })
            };
        }
        Ok(at)
    }

    fn find_child(&self, dir: Idx<Dentry>, name: &str) -> Option<Idx<Dentry>> {
        self.dentries[dir].children.iter().copied().find(|child| self.dentries[*child].name == name)
    }

    /// One step up, across mounts, but never above the task's root.
    fn follow_dotdot(&self, mut at: Path, root: Path) -> Path {
        loop {
            if at == root {
                return at;
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
                None => return at,
            }
        }
    }

    pub(crate) fn lookup_dir(&self, task: Idx<Task>, path: &str) -> Result<Path, Denial> {
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
        let path = path.trim_end_matches('/');
        let (above, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(parts) => parts,
            None => (".", path),
        };
        self.refuse_if(name.contains('\0'), Rule::PathName)?;
        let parent = self.lookup_dir(task, above)?;
        // mkdir(2) EEXIST: `/`, `.` and `..` are there, too.
        let taken = matches!(name, "" | "." | "..") || self.find_child(parent.dentry, name).is_some();
        self.refuse_if(taken, Rule::PathExists)?;
        let mount = &self.mounts[parent.mnt];
        // mkdir(2) EROFS.
        let readonly = mount.has(MNT_READONLY) || self.supers[mount.sb].readonly;
        self.refuse_if(readonly, Rule::PathReadOnly)?;
        let fstype = self.supers[mount.sb].fstype;
        if fstype == FsType::Proc || fstype == FsType::Rootfs && self.params.since(7, 0) {
            // Directories that are always as they are know no other name.
            return Err(self.params.denial(Rule::PathMissing));
        }
        let fixed = matches!(fstype, FsType::Sysfs | FsType::Nsfs | FsType::Mqueue | FsType::Cgroup2);
        // mkdir(2) EACCES: directories have mode 0755.
        let (uid, gid) = self.owner_through(parent);
        let own = uid == Some(self.cred_of(task).fsuid);
        let over =
            uid.zip(gid).is_some_and(|(uid, gid)| self.capable_wrt_inode(task, uid, gid, Cap::DacOverride));
        self.refuse_if(!(own || over) || fixed, Rule::PathAccess)?;
        // mkdir(2) EOVERFLOW: the filesystem has no number for the new owner.
        let owner = self.owner_of_new(task, parent.mnt);
        self.refuse_if(owner.is_none(), Rule::PathOwner)?;
        let cred = self.cred_of(task);
        let owner = owner.unwrap_or((cred.fsuid, cred.fsgid));
        self.new_dentry(Some(parent.dentry), name, dir, owner);
        Ok(())
    }
}
