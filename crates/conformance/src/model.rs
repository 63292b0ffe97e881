//! The same process as a task of `nsproxy`.

use namespaces::Kinds;
use nsproxy::{Kernel, NsLink, TaskId};

use crate::{LINKS, Seen};

/// A kernel with one process like this one.
pub(crate) struct Model {
    kernel: Kernel,
    task: TaskId,
    links: Vec<String>,
}

impl Model {
    /// A task with the ids of the caller and the capabilities that go with them.
    pub(crate) fn like_the_caller() -> Model {
        let mut kernel = Kernel::default();
        let init = kernel.init();
        let task = kernel.fork(init).map_or(init, |child| child.task);
        // As init has it, root needs no change; and a user is one by these.
        let (uid, gid) = caller();
        if uid != 0 {
            let _ = kernel.setresgid(task, gid, gid, gid);
            let _ = kernel.setresuid(task, uid, uid, uid);
        }
        let mut model = Model { kernel, task, links: Vec::new() };
        model.links = model.read_links();
        model
    }

    pub(crate) fn unshare(&mut self, kinds: Kinds) -> Seen {
        let answer = match self.kernel.unshare(self.task, u64::from(kinds.flags())) {
            Ok(()) => "ok".to_owned(),
            Err(denial) => denial.errno.name().to_owned(),
        };
        let links = self.read_links();
        let pairs = LINKS.into_iter().zip(links.iter().zip(&self.links));
        let changed = pairs.filter(|(_, (new, old))| new != old).map(|(link, _)| link).collect();
        self.links = links;
        Seen { answer, changed }
    }

    fn read_links(&self) -> Vec<String> {
        let read = |name: &str| {
            let link = NsLink::ALL.into_iter().find(|link| link.name() == name)?;
            self.kernel.readlink_ns(self.task, self.task, link).ok()
        };
        LINKS.iter().map(|name| read(name).unwrap_or_else(|| "-".to_owned())).collect()
    }
}

/// The effective ids of this process.
fn caller() -> (u32, u32) {
    let ids = namespaces::Process::current().and_then(|me| me.credentials());
    ids.map_or((0, 0), |ids| (ids.uids[1], ids.gids[1]))
}
