//! `statmount(2)` and `listmount(2)`: the mounts of one's own namespace or of another
//! (`fs/namespace.c`).

use super::{MntNamespace, Mount, MountLine, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::ns_common::NsRef;
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use alloc::string::String;
use alloc::vec::Vec;

/// Which mount namespace a request is about: both fields zero for the caller's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MntIdReq {
    /// The mount; `None` (`LSMT_ROOT`) for the root, of which only listmount knows.
    pub mnt_id: Option<u64>,
    /// A namespace by its id; 0 for none.
    pub mnt_ns_id: u64,
    /// A namespace by descriptor; `None` for none.
    pub mnt_ns_fd: Option<Fd>,
}

/// `LISTMOUNT_REVERSE`
pub const LISTMOUNT_REVERSE: u32 = 1;

impl Kernel {
    /// `listmount(2)`: the numbers of the mounts below one, in the order of their making.
    pub fn listmount(&self, caller: TaskId, request: &MntIdReq, flags: u32) -> Result<Vec<u64>, Denial> {
        let task = self.enter(caller, Call::Listmount)?;
        self.refuse_if(true, Rule::StatmountMissing)?;
        // listmount(2) EINVAL.
        self.refuse_if(flags & !LISTMOUNT_REVERSE != 0, Rule::StatmountFlags)?;
        let ns = self.grab_requested_mnt_ns(task, request, Rule::ListmountForeign)?;
        let root = self.grab_requested_root(task, ns)?;
        let from = match request.mnt_id {
            None => root,
            Some(id) => self.mount_of_request(task, ns, root, id)?,
        };
        let mut numbers: Vec<u64> = self
            .mount_tree(self.mnt_ns[ns].root)
            .into_iter()
            .filter(|mnt| request.mnt_id.is_none() || *mnt != from.mnt)
            .filter(|mnt| self.mount_reachable(*mnt, from))
            .map(|mnt| self.mounts[mnt].id)
            .collect();
        numbers.sort_unstable();
        if flags & LISTMOUNT_REVERSE != 0 {
            numbers.reverse();
        }
        Ok(numbers)
    }

    /// `statmount(2)`: one mount, as a line of mountinfo. Where the caller's root does not
    /// reach it, its mount point is empty.
    pub fn statmount(&self, caller: TaskId, request: &MntIdReq, flags: u32) -> Result<MountLine, Denial> {
        let task = self.enter(caller, Call::Statmount)?;
        self.refuse_if(true, Rule::StatmountMissing)?;
        // statmount(2) EINVAL: no flags, and a mount.
        let Some(id) = request.mnt_id else {
            return Err(self.params.denial(Rule::StatmountUnknown));
        };
        self.refuse_if(flags != 0, Rule::StatmountFlags)?;
        let ns = self.grab_requested_mnt_ns(task, request, Rule::StatmountForeign)?;
        let root = self.grab_requested_root(task, ns)?;
        let at = self.mount_of_request(task, ns, root, id)?;
        if let Some(line) = self.mount_line(at.mnt, root) {
            return Ok(line);
        }
        let unreached =
            self.mount_line(at.mnt, at).map(|line| MountLine { mountpoint: String::new(), ..line });
        // statmount(2) ENOENT: nor is it seen from itself.
        unreached.ok_or_else(|| self.params.denial(Rule::StatmountUnknown))
    }

    /// The number of the mount in which the place of a descriptor lies, as statx(2) tells it.
    pub fn mount_id(&self, caller: TaskId, fd: Fd) -> Result<u64, Denial> {
        let task = self.observe(caller)?;
        let path = self.fd_path(task, fd)?;
        Ok(self.mounts[path.mnt].id)
    }

    /// The namespace asked for.
    fn grab_requested_mnt_ns(
        &self,
        task: Idx<Task>,
        request: &MntIdReq,
        foreign: Rule,
    ) -> Result<Idx<MntNamespace>, Denial> {
        let own = self.current_nsproxy(task).mnt;
        let MntIdReq { mnt_ns_id, mnt_ns_fd, .. } = *request;
        // statmount(2) E2BIG, EINVAL: what older structures do not have.
        self.refuse_if(mnt_ns_id != 0, Rule::StatmountNsId)?;
        let fd_taken = self.params.features.mnt_ns_fd;
        self.refuse_if(mnt_ns_fd.is_some() && !fd_taken, Rule::StatmountNsFd)?;
        // statmount(2) EINVAL: one way at a time.
        self.refuse_if(mnt_ns_id != 0 && mnt_ns_fd.is_some(), Rule::StatmountBoth)?;
        match mnt_ns_fd {
            Some(fd) => match self.files_open[self.fget(task, fd)?].kind {
                FileKind::Ns(NsRef::Mnt(ns)) => Ok(ns),
                // grab_requested_mnt_ns EINVAL: not a mount namespace.
                _ => Err(self.params.denial(Rule::StatmountNotMnt)),
            },
            None if mnt_ns_id == 0 => Ok(own),
            None => {
                let found = self.mnt_ns.iter().find(|(_, ns)| ns.common.id == mnt_ns_id && !ns.anon);
                // lookup_mnt_ns ENOENT: no mount namespace has this id.
                let unknown = self.params.denial(Rule::StatmountNsUnknown);
                let (ns, _) = found.ok_or(unknown)?;
                // By its id a namespace is for those who rule it.
                let capable = self.ns_capable(task, self.ruling_user_ns(NsRef::Mnt(ns)), Cap::SysAdmin);
                self.refuse_if(ns != own && !capable, foreign)?;
                Ok(ns)
            }
        }
    }

    /// The root that counts in a namespace: the caller's in its own. In another it is the
    /// first mount on the lowest one, whatever was mounted over it later.
    fn grab_requested_root(&self, task: Idx<Task>, ns: Idx<MntNamespace>) -> Result<Path, Denial> {
        if let Some(fs) = self.tasks[task].fs
            && ns == self.current_nsproxy(task).mnt
        {
            return Ok(self.fss[fs].root);
        }
        let lowest = self.mnt_ns[ns].root;
        // Until 7.0 only mounts that are younger than the lowest one are found.
        let oldest = if self.params.since(7, 1) { 0 } else { self.mounts[lowest].id };
        let younger = self.submounts(lowest).filter(|mnt| self.mounts[*mnt].id > oldest);
        let first = younger.min_by_key(|mnt| self.mounts[*mnt].id);
        // grab_requested_root ENOENT: nothing is mounted there.
        let mnt = first.ok_or_else(|| self.params.denial(Rule::StatmountUnknown))?;
        Ok(Path { mnt, dentry: self.mounts[mnt].root })
    }

    fn mount_of_request(
        &self,
        task: Idx<Task>,
        ns: Idx<MntNamespace>,
        root: Path,
        id: u64,
    ) -> Result<Path, Denial> {
        let tree = self.mount_tree(self.mnt_ns[ns].root);
        let mnt = tree.into_iter().find(|mnt| self.mounts[*mnt].id == id);
        // statmount(2) ENOENT: no mount of the namespace has this id.
        let mnt = mnt.ok_or_else(|| self.params.denial(Rule::StatmountUnknown))?;
        // statmount(2) EPERM: beyond one's root only for those who rule the namespace.
        let capable = self.ns_capable(task, self.ruling_user_ns(NsRef::Mnt(ns)), Cap::SysAdmin);
        let allowed = self.mount_reachable(mnt, root) || capable;
        self.refuse_if(!allowed, Rule::StatmountReach)?;
        Ok(Path { mnt, dentry: self.mounts[mnt].root })
    }

    fn mount_reachable(&self, mnt: Idx<Mount>, root: Path) -> bool {
        self.is_path_reachable(Path { mnt, dentry: self.mounts[mnt].root }, root)
    }
}
