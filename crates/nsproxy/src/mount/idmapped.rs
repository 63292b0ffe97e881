//! Id-mapped mounts: files seen through one belong to other ids (`fs/mnt_idmapping.c`).

use super::{FsType, Mount, Path};
use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::cred::{Kgid, Kuid};
use crate::idmap::IdMap;
use crate::rule::{Denial, Rule};
use crate::task::Task;
use crate::user_namespace::UserNamespace;

/// A copy of the maps of a user namespace, shared by a mount and its copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct MntIdmap {
    pub(crate) count: u32,
    pub(crate) uid_map: IdMap,
    pub(crate) gid_map: IdMap,
}

impl Kernel {
    /// Whether a mount may be given an id mapping.
    pub(super) fn can_idmap_mount(
        &self,
        task: Idx<Task>,
        mnt: Idx<Mount>,
        ns: Idx<UserNamespace>,
    ) -> Result<(), Denial> {
        let mount = &self.mounts[mnt];
        let sb = &self.supers[mount.sb];
        // can_idmap_mount EINVAL: the maps that the filesystem has anyway.
        self.refuse_if(ns == sb.user_ns, Rule::IdmapOwn)?;
        // mount_setattr(2) EPERM: once only.
        self.refuse_if(mount.idmap.is_some(), Rule::IdmapAgain)?;
        let supported = match sb.fstype {
            FsType::Disk => true,
            FsType::Tmpfs => self.params.since(6, 3),
            _ => false,
        };
        // mount_setattr(2) EINVAL: a filesystem that knows nothing of it.
        self.refuse_if(!supported, Rule::IdmapFilesystem)?;
        let capable = self.ns_capable(task, sb.user_ns, Cap::SysAdmin);
        // can_idmap_mount EPERM: CAP_SYS_ADMIN where the filesystem was mounted.
        self.refuse_if(!capable, Rule::IdmapPrivilege)?;
        // mount_setattr(2) EINVAL: nobody may have seen it otherwise.
        let attached = mount.ns.is_none_or(|ns| !self.mnt_ns[ns].anon);
        self.refuse_if(attached, Rule::IdmapAttached)
    }

    /// Both maps must be written (`copy_mnt_idmap`).
    pub(super) fn check_idmap(&self, ns: Idx<UserNamespace>) -> Result<(), Denial> {
        let UserNamespace { uid_map, gid_map, .. } = &self.user_ns[ns];
        self.refuse_if(uid_map.is_empty() || gid_map.is_empty(), Rule::IdmapUnwritten)
    }

    pub(super) fn idmap_mount(&mut self, mnt: Idx<Mount>, ns: Idx<UserNamespace>) {
        let UserNamespace { uid_map, gid_map, .. } = &self.user_ns[ns];
        let (uid_map, gid_map) = (uid_map.clone(), gid_map.clone());
        let new = self.idmaps.insert(MntIdmap { count: 1, uid_map, gid_map });
        let old = self.mounts[mnt].idmap.replace(new);
        self.put_idmap(old);
    }

    pub(super) fn put_idmap(&mut self, idmap: Option<Idx<MntIdmap>>) {
        if let Some(idmap) = idmap {
            self.idmaps[idmap].count -= 1;
            if self.idmaps[idmap].count == 0 {
                self.idmaps.remove(idmap);
            }
        }
    }

    /// Who a file belongs to as seen through a mount; `None` for nobody there.
    pub(super) fn owner_through(&self, at: Path) -> (Option<Kuid>, Option<Kgid>) {
        let mount = &self.mounts[at.mnt];
        let (uid, gid) = (self.dentries[at.dentry].uid, self.dentries[at.dentry].gid);
        let Some(idmap) = mount.idmap else {
            return (Some(uid), Some(gid));
        };
        // What the filesystem calls the id, that the mapping calls another.
        let fs = &self.user_ns[self.supers[mount.sb].user_ns];
        let maps = &self.idmaps[idmap];
        (
            fs.uid_map.up(uid).and_then(|id| maps.uid_map.down(id)),
            fs.gid_map.up(gid).and_then(|id| maps.gid_map.down(id)),
        )
    }

    /// Whom a new file will belong to; `None` where the filesystem knows no such id.
    pub(super) fn owner_of_new(&self, task: Idx<Task>, mnt: Idx<Mount>) -> Option<(Kuid, Kgid)> {
        let cred = self.cred_of(task);
        let mount = &self.mounts[mnt];
        let fs = &self.user_ns[self.supers[mount.sb].user_ns];
        match mount.idmap {
            None => {
                let known = fs.uid_map.up(cred.fsuid).is_some() && fs.gid_map.up(cred.fsgid).is_some();
                known.then_some((cred.fsuid, cred.fsgid))
            }
            Some(idmap) => {
                let maps = &self.idmaps[idmap];
                let uid = maps.uid_map.up(cred.fsuid).and_then(|id| fs.uid_map.down(id))?;
                let gid = maps.gid_map.up(cred.fsgid).and_then(|id| fs.gid_map.down(id))?;
                Some((uid, gid))
            }
        }
    }
}
