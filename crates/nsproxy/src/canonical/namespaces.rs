//! What is in each kind of namespace.

use super::View;
use crate::arena::Idx;
use crate::cgroup::CgroupNamespace;
use crate::ipc::{IpcContents, IpcNamespace, LastPid, Mqueue, MsgQueue, SemSet, Shm};
use crate::mount::MntNamespace;
use crate::net::{DevKind, NetContents, NetDev, NetNamespace};
use crate::ns_common::{NsCommon, NsRef};
use crate::pid_namespace::PidNamespace;
use crate::time_namespace::TimeNamespace;
use crate::user_namespace::UserNamespace;
use crate::utsname::{Names, UtsNamespace};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl View<'_> {
    pub(super) fn namespace(&mut self, ns: NsRef) {
        let NsCommon {
            // What holds it is shown where it is.
            count: _,
            // Numbers of no meaning; the order of the ids is the order of these lines.
            inum: _,
            id: _,
            owner,
            ucounts,
        } = *self.kernel.common(ns);
        let owner = owner.map(|owner| self.ns(NsRef::User(owner)));
        let charged = ucounts.map(|record| self.charged(record));
        let body = match ns {
            NsRef::User(i) => self.user(i),
            NsRef::Mnt(i) => self.mnt(i),
            NsRef::Uts(i) => self.uts(i),
            NsRef::Ipc(i) => self.ipc(i),
            NsRef::Pid(i) => self.pids(i),
            NsRef::Cgroup(i) => {
                let CgroupNamespace { common: _, root } = self.kernel.cgroup_ns[i];
                self.cgroup(root)
            }
            NsRef::Net(i) => self.net(i),
            NsRef::Time(i) => self.time(i),
        };
        self.say(&format!("{} owner {owner:?} charged to {charged:?} {body}", self.ns(ns)));
    }

    fn user(&self, idx: Idx<UserNamespace>) -> String {
        let UserNamespace {
            common: _,
            // How many owners are above.
            level: _,
            owner,
            uid_map,
            gid_map,
            projid_map,
            setgroups_allowed,
            parent_could_setfcap,
            ucount_max,
            rlimit_max,
        } = &self.kernel.user_ns[idx];
        let maps = [uid_map, gid_map, projid_map].map(crate::idmap::IdMap::extents);
        format!(
            "made by {owner} {maps:?} setgroups {setgroups_allowed} setfcap {parent_could_setfcap} {ucount_max:?} {rlimit_max:?}"
        )
    }

    fn mnt(&self, idx: Idx<MntNamespace>) -> String {
        let MntNamespace {
            common: _,
            root,
            // How many say so.
            nr_mounts: _,
            anon,
        } = self.kernel.mnt_ns[idx];
        format!("root mount{} anonymous {anon}", self.mount(root))
    }

    fn uts(&self, idx: Idx<UtsNamespace>) -> String {
        let UtsNamespace { common: _, names } = &self.kernel.uts_ns[idx];
        let Names { nodename, domainname } = &**names;
        format!("{:?} {:?}", nodename.as_bytes(), domainname.as_bytes())
    }

    fn ipc(&self, idx: Idx<IpcNamespace>) -> String {
        let IpcNamespace { common: _, maker, contents } = &self.kernel.ipc_ns[idx];
        let IpcContents { limits, next_id, shms, sems, msgs, queues, readonly } = &**contents;
        let segments: Vec<String> = shms
            .iter()
            .map(|shm| {
                let Shm { perm, size, attached, creator, doomed, cred, maker, last } = shm;
                let tasks = &self.kernel.tasks;
                let creator = creator.and_then(|task| tasks.resolve(task.index, task.generation));
                let creator = creator.map(|task| self.task_number(task));
                let held = self.ns(NsRef::User(self.kernel.creds[*cred].user_ns));
                let last = [*maker, *last].map(|last| self.last(last));
                format!(
                    "{perm:?} {size} attached {attached} by {creator:?} doomed {doomed} from {held} {last:?}"
                )
            })
            .collect();
        let sets: Vec<String> = sems
            .iter()
            .map(|SemSet { perm, semaphores }| {
                let each = semaphores.iter().map(|semaphore| (semaphore.value, self.last(semaphore.last)));
                format!("{perm:?} {:?}", each.collect::<Vec<_>>())
            })
            .collect();
        let msgs: Vec<String> = msgs
            .iter()
            .map(|MsgQueue { perm, messages, qbytes, sender, receiver }| {
                let last = [*sender, *receiver].map(|last| self.last(last));
                format!("{perm:?} {messages:?} {qbytes} {last:?}")
            })
            .collect();
        let queues: Vec<String> = queues
            .iter()
            .map(|queue| {
                let ucounts = &self.kernel.ucounts;
                let maker = queue.ucounts.map(|record| self.ns(NsRef::User(ucounts[record].ns)));
                let Mqueue { name, number, files, uid, gid, ucounts: _ } = queue;
                format!("{name:?} {number} open {files} {uid} {gid} by {maker:?}")
            })
            .collect();
        format!(
            "{limits:?} next {next_id:?} {segments:?} {sets:?} {msgs:?} {queues:?} of {maker:?} readonly {readonly}"
        )
    }

    /// Of who did it last only the pid namespace decides anything: how long that lives.
    fn last(&self, last: LastPid) -> Option<String> {
        last.map(|pid| self.ns(NsRef::Pid(self.kernel.pids[pid].ns)))
    }

    fn pids(&self, idx: Idx<PidNamespace>) -> String {
        let PidNamespace {
            common: _,
            parent,
            // How many parents are above.
            level: _,
            adding,
            // How many numbers are shown with pids.
            pid_allocated: _,
            child_reaper,
            had_init,
            pid_max,
            cursor,
            // The way from a number to its pid.
            idr: _,
            reboot,
        } = self.kernel.pid_ns[idx];
        let parent = parent.map(|parent| self.ns(NsRef::Pid(parent)));
        let reaper = child_reaper.map(|reaper| self.task_number(reaper));
        format!(
            "below {parent:?} adding {adding} init {reaper:?} {had_init} max {pid_max} next {cursor} reboot {reboot}"
        )
    }

    fn net(&self, idx: Idx<NetNamespace>) -> String {
        let NetNamespace { common: _, contents } = &self.kernel.net_ns[idx];
        let NetContents { devices, lo_up, lo_address, next_ifindex } = &**contents;
        let devices: Vec<String> = devices
            .iter()
            .map(|device| {
                let NetDev { serial: _, name, ifindex, up, kind } = device;
                let peer = match kind {
                    DevKind::Physical => String::from("the machine"),
                    DevKind::Veth { peer } => self.device(*peer),
                };
                format!("{name:?} {ifindex} up {up} from {peer}")
            })
            .collect();
        format!("lo {lo_up} {lo_address} {devices:?} next {next_ifindex}")
    }

    /// Where the other end of a cable is.
    fn device(&self, wanted: u64) -> String {
        let found = self.kernel.net_ns.iter().find_map(|(ns, net)| {
            let device = net.contents.devices.iter().find(|device| device.serial == wanted)?;
            Some(format!("{:?} in {}", device.name, self.ns(NsRef::Net(ns))))
        });
        found.unwrap_or(String::from("nowhere"))
    }

    fn time(&self, idx: Idx<TimeNamespace>) -> String {
        let TimeNamespace { common: _, monotonic, boottime, frozen } = self.kernel.time_ns[idx];
        format!("{monotonic:?} {boottime:?} frozen {frozen}")
    }
}
