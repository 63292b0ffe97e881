//! POSIX message queues, as names with owners (`ipc/mqueue.c`).

use super::IpcNamespace;
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Kgid, Kuid};
use crate::file::{Fd, FileKind};
use crate::ns_common::{NsId, NsRef};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{NAME_MAX, PATH_MAX};
use crate::ucount::Ucounts;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Debug)]
pub(crate) struct Mqueue {
    /// `None` once it is unlinked, and there only for those who have it open.
    pub(crate) name: Option<String>,
    /// Which one of its namespace this is.
    pub(crate) number: u64,
    /// Open files.
    pub(crate) files: u32,
    pub(crate) uid: Kuid,
    pub(crate) gid: Kgid,
    /// Whose `RLIMIT_MSGQUEUE` it counts for; from 5.14 on this holds a user namespace.
    pub(crate) ucounts: Option<Idx<Ucounts>>,
}

impl Mqueue {
    /// As long as it has a name or is open somewhere, and so long it counts for `queues_max`.
    fn is_there(&self) -> bool {
        self.name.is_some() || self.files > 0
    }
}

impl Kernel {
    fn check_mq_name<'a>(&self, name: &'a str) -> Result<&'a str, Denial> {
        // mq_open(3) EINVAL: a slash at the start, which the C library takes off. A name
        // that no call can pass is none.
        let bare = name.strip_prefix('/').filter(|bare| !bare.contains('\0'));
        self.refuse_if(bare.is_none(), Rule::MqName)?;
        let bare = bare.unwrap_or(name);
        // mq_open(3) ENOENT: nothing behind it.
        if bare.is_empty() {
            return Err(self.params.denial(Rule::MqMissing));
        }
        // getname
        self.refuse_if(bare.len() >= PATH_MAX, Rule::MqNameTooLong)?;
        Ok(bare)
    }

    /// Looks the name up, which is a file name.
    fn find_queue(&self, ns: Idx<IpcNamespace>, name: &str) -> Result<Option<&Mqueue>, Denial> {
        // lookup_noperm
        self.refuse_if(name.contains('/') || matches!(name, "." | ".."), Rule::MqAccess)?;
        // mq_open(3) ENAMETOOLONG.
        self.refuse_if(name.len() > NAME_MAX, Rule::MqNameTooLong)?;
        let mut queues = self.ipc_ns[ns].contents.queues.iter();
        Ok(queues.find(|queue| queue.name.as_deref() == Some(name)))
    }

    /// mount(2) EROFS: the filesystem of the queues can be mounted, and made read-only.
    fn check_queues_writable(&self, ns: Idx<IpcNamespace>) -> Result<(), Denial> {
        self.refuse_if(self.ipc_ns[ns].contents.readonly, Rule::PathReadOnly)
    }

    /// `mq_open(3)`, mode 0600: with `create` (`O_CREAT`) and `exclusive` (`O_EXCL`).
    pub fn mq_open(
        &mut self,
        caller: TaskId,
        name: &str,
        create: bool,
        exclusive: bool,
    ) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::MqOpen)?;
        let name = self.check_mq_name(name)?;
        // mq_open(3) EMFILE: the descriptor is reserved first.
        self.check_free_fd(task)?;
        let ns = self.current_nsproxy(task).ipc;
        let cred = self.cred_of(task);
        let uid = cred.fsuid;
        match self.find_queue(ns, name)? {
            Some(queue) => {
                // mq_open(3) EEXIST: O_EXCL and it exists.
                self.refuse_if(create && exclusive, Rule::MqExists)?;
                self.check_queues_writable(ns)?;
                let allowed =
                    queue.uid == uid || self.capable_wrt_inode(task, queue.uid, queue.gid, Cap::DacOverride);
                // mq_open(3) EACCES: another user's queue.
                self.refuse_if(!allowed, Rule::MqAccess)?;
            }
            None if create => {
                self.check_queues_writable(ns)?;
                let owner = self.ruling_user_ns(NsRef::Ipc(ns));
                // mq_open(3) EOVERFLOW: ids that the queue's filesystem cannot hold.
                let unmapped = !self.maps_fs_ids(task, owner);
                self.refuse_if(unmapped, Rule::MqUnmapped)?;
                self.make_queue(task, ns, name)?;
            }
            // mq_open(3) ENOENT: no queue, and O_CREAT was not given.
            None => return Err(self.params.denial(Rule::MqMissing)),
        }
        let queues = &mut self.ipc_ns[ns].contents.queues;
        let found = queues.iter_mut().find(|queue| queue.name.as_deref() == Some(name));
        let missing = self.params.denial(Rule::MqMissing);
        let Mqueue { number, files, ucounts, .. } = found.ok_or(missing)?;
        *files += 1;
        let (number, ucounts) = (*number, *ucounts);
        self.get_queue(ucounts);
        let ns = self.ns_id(NsRef::Ipc(ns));
        self.open_file(task, FileKind::Queue { ns, number, ucounts }, true)
    }

    /// A new queue (`mqueue_create_attr`).
    pub(crate) fn make_queue(
        &mut self,
        task: Idx<Task>,
        ns: Idx<IpcNamespace>,
        name: &str,
    ) -> Result<(), Denial> {
        let full = self.ipc_ns[ns].contents.queues.len() >= self.ipc_ns[ns].contents.limits.queues_max;
        // mq_open(3) ENOSPC: queues_max, which CAP_SYS_RESOURCE of the machine overrides.
        let refused = full && !self.capable(task, Cap::SysResource);
        self.refuse_if(refused, Rule::MqLimit)?;
        let cred = self.cred_of(task);
        let (uid, gid) = (cred.fsuid, cred.fsgid);
        let name = Some(String::from(name));
        let ucounts = self.params.since(5, 14).then_some(cred.ucounts);
        self.get_queue(ucounts);
        let queues = &mut self.ipc_ns[ns].contents.queues;
        let number = queues.last().map_or(0, |last| last.number + 1);
        queues.push(Mqueue { name, number, files: 0, uid, gid, ucounts });
        Ok(())
    }

    /// `mq_unlink(3)`.
    pub fn mq_unlink(&mut self, caller: TaskId, name: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::MqUnlink)?;
        let name = self.check_mq_name(name)?;
        let ns = self.current_nsproxy(task).ipc;
        self.check_queues_writable(ns)?;
        let Some(queue) = self.find_queue(ns, name)? else {
            // mq_unlink(3) ENOENT.
            return Err(self.params.denial(Rule::MqMissing));
        };
        let fsuid = self.cred_of(task).fsuid;
        let own = queue.uid == fsuid || self.ipc_ns[ns].maker.0 == fsuid;
        let allowed = own || self.capable_wrt_inode(task, queue.uid, queue.gid, Cap::Fowner);
        // unlink(2) EPERM: the directory is sticky.
        self.refuse_if(!allowed, Rule::MqSticky)?;
        let (number, ucounts) = (queue.number, queue.ucounts);
        let queues = &mut self.ipc_ns[ns].contents.queues;
        for queue in queues.iter_mut().filter(|queue| queue.number == number) {
            queue.name = None;
        }
        queues.retain(Mqueue::is_there);
        self.put_queue(ucounts);
        Ok(())
    }

    /// One file of a queue less (`mqueue_evict_inode`, with the last one).
    pub(crate) fn close_queue(&mut self, ns: NsId, number: u64, ucounts: Option<Idx<Ucounts>>) {
        if let Some(NsRef::Ipc(ns)) = self.resolve_ns(ns) {
            let queues = &mut self.ipc_ns[ns].contents.queues;
            for queue in queues.iter_mut().filter(|queue| queue.number == number) {
                queue.files -= 1;
            }
            queues.retain(Mqueue::is_there);
        }
        self.put_queue(ucounts);
    }

    /// Its name holds the maker's record, and so does each of its files.
    fn get_queue(&mut self, ucounts: Option<Idx<Ucounts>>) {
        if let Some(ucounts) = ucounts {
            self.ucounts[ucounts].count += 1;
        }
    }

    /// The end of one of these.
    pub(crate) fn put_queue(&mut self, ucounts: Option<Idx<Ucounts>>) {
        if let Some(ucounts) = ucounts {
            self.put_ucounts(ucounts);
        }
    }

    /// The queue names a task can see.
    pub fn mq_names(&self, task: TaskId) -> Result<Vec<String>, Denial> {
        let task = self.observe(task)?;
        let nsproxy = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?;
        let queues = &self.ipc_ns[nsproxy.ipc].contents.queues;
        Ok(queues.iter().filter_map(|queue| queue.name.clone()).collect())
    }
}
