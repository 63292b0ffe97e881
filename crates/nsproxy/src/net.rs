//! Net namespaces: devices, sockets, and the end of both (`net/core/net_namespace.c`,
//! `net/core/dev.c`, `net/core/rtnetlink.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{Fd, FileKind};
use crate::idmap::is_space;
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsSet};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::shared::{Blank, Shared};
use crate::task::{Task, TaskId};
use crate::uapi::CLONE_NEWNET;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::take;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DevKind {
    /// One end of a cable; the other end has this number in the kernel's list.
    Veth {
        peer: u64,
    },
    Physical,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetDev {
    /// Never used again, so that the two ends of a cable find each other.
    pub(crate) serial: u64,
    pub(crate) name: String,
    pub(crate) ifindex: u32,
    pub(crate) up: bool,
    pub(crate) kind: DevKind,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct NetNamespace {
    pub(crate) common: NsCommon,
    pub(crate) contents: Shared<NetContents>,
}

#[derive(Clone, Debug)]
pub(crate) struct NetContents {
    /// Devices besides the loopback device, which every namespace has.
    pub(crate) devices: Vec<NetDev>,
    pub(crate) lo_up: bool,
    /// The loopback device has its address from the first time that it is up, and keeps it.
    pub(crate) lo_address: bool,
    pub(crate) next_ifindex: u32,
}

/// A network device as a task sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its number.
    pub ifindex: u32,
    /// Whether it is up.
    pub up: bool,
}

impl NetNamespace {
    pub(crate) fn new(common: NsCommon) -> Self {
        Self { common, contents: Shared::BLANK }
    }
}

impl Blank for NetContents {
    fn blank() -> &'static Self {
        static NONE: NetContents =
            NetContents { devices: Vec::new(), lo_up: false, lo_address: false, next_ifindex: 2 };
        &NONE
    }
}

impl NetContents {
    fn has(&self, name: &str) -> bool {
        name == "lo" || self.devices.iter().any(|device| device.name == name)
    }
}

impl Kernel {
    /// The same net namespace, or a new one with nothing but `lo`, down.
    pub(crate) fn copy_net_ns(
        &mut self,
        making: &Making,
        old: Idx<NetNamespace>,
    ) -> Result<Idx<NetNamespace>, Denial> {
        if making.flags & CLONE_NEWNET == 0 {
            self.net_ns[old].common.count += 1;
            return Ok(old);
        }
        self.check_kind_built(NsKind::Net)?;
        let common = self.ns_common_new(making, NsKind::Net, Rule::NetNsCount)?;
        Ok(self.net_ns.insert(NetNamespace::new(common)))
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_net(&mut self, ns: Idx<NetNamespace>) {
        if let Some(dead) = self.net_ns[ns].common.put(NsKind::Net) {
            if !self.net_ns[ns].contents.is_blank() {
                self.cleanup_net(ns);
            }
            self.net_ns.remove(ns);
            self.release_ns_later(dead);
        }
    }

    /// The end of a net namespace: physical devices go back to the first one, cables
    /// vanish with both ends.
    #[cold]
    fn cleanup_net(&mut self, ns: Idx<NetNamespace>) {
        for device in take(&mut self.net_ns[ns].contents.devices) {
            match device.kind {
                DevKind::Physical => self.return_device(device),
                DevKind::Veth { peer } => self.remove_device(peer),
            }
        }
    }

    fn return_device(&mut self, mut device: NetDev) {
        let home = self.init_net;
        if self.net_ns[home].contents.has(&device.name) {
            // default_device_exit_net: the old number, or the first that is free.
            let numbers = core::iter::once(device.ifindex).chain(0..);
            let mut names = numbers.map(|number| alloc::format!("dev{number}"));
            device.name = names.find(|name| !self.net_ns[home].contents.has(name)).unwrap_or_default();
        }
        device.up = false;
        self.adopt_device(home, device);
    }

    fn adopt_device(&mut self, ns: Idx<NetNamespace>, mut device: NetDev) {
        let net = &mut *self.net_ns[ns].contents;
        let taken = net.devices.iter().any(|other| other.ifindex == device.ifindex);
        if taken || device.ifindex < 2 {
            device.ifindex = net.next_ifindex;
        }
        net.next_ifindex = net.next_ifindex.max(device.ifindex) + 1;
        net.devices.push(device);
    }

    fn remove_device(&mut self, serial: u64) {
        for ns in self.net_ns.indices() {
            let devices = &self.net_ns[ns].contents.devices;
            if let Some(at) = devices.iter().position(|device| device.serial == serial) {
                self.net_ns[ns].contents.devices.remove(at);
            }
        }
    }

    pub(crate) fn netns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<NetNamespace>,
    ) -> Result<(), Denial> {
        // setns(2) EPERM: CAP_SYS_ADMIN on both sides.
        let allowed = self.may_join(caller, set, NsRef::Net(target));
        self.refuse_if(!allowed, Rule::SetnsNetAdmin)?;
        if set.nsproxy.net != target {
            self.get_ns(NsRef::Net(target));
            let old = core::mem::replace(&mut set.nsproxy.net, target);
            self.put_net(old);
        }
        Ok(())
    }

    /// capabilities(7): `CAP_NET_ADMIN` in the owner of the net namespace.
    fn net_admin(&self, task: Idx<Task>, ns: Idx<NetNamespace>) -> bool {
        let owner = self.ruling_user_ns(NsRef::Net(ns));
        self.ns_capable(task, owner, Cap::NetAdmin)
    }

    fn check_dev_name(&self, ns: Idx<NetNamespace>, name: &str) -> Result<(), Denial> {
        let odd = name.is_empty()
            || name.len() > 15
            || name == "."
            || name == ".."
            || name.bytes().any(|byte| matches!(byte, b'/' | b':' | 0) || is_space(byte));
        // rtnetlink(7) EINVAL: not a name of a device (`dev_valid_name`).
        self.refuse_if(odd, Rule::NetDevName)?;
        // rtnetlink(7) EEXIST.
        self.refuse_if(self.net_ns[ns].contents.has(name), Rule::NetDevExists)
    }

    fn new_device(&mut self, ns: Idx<NetNamespace>, name: &str, kind: DevKind) -> u64 {
        self.next_device += 1;
        let serial = self.next_device;
        self.adopt_device(ns, NetDev { serial, name: String::from(name), ifindex: 0, up: false, kind });
        serial
    }

    /// A pair of connected devices in the caller's net namespace.
    pub fn add_veth(&mut self, caller: TaskId, name: &str, peer: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Netlink)?;
        let ns = self.current_nsproxy(task).net;
        let admin = self.net_admin(task, ns);
        self.refuse_if(!admin, Rule::NetDevPrivilege)?;
        self.check_dev_name(ns, name)?;
        self.check_dev_name(ns, peer)?;
        // register_netdevice EEXIST: the second end finds the name taken by the first.
        self.refuse_if(name == peer, Rule::NetDevExists)?;
        let other = self.next_device + 2;
        let first = self.new_device(ns, name, DevKind::Veth { peer: other });
        self.new_device(ns, peer, DevKind::Veth { peer: first });
        Ok(())
    }

    /// A device of the machine appears in the first net namespace: for the host to say.
    /// Its name must be one, and not taken.
    pub fn plug_device(&mut self, name: &str) -> Result<(), Denial> {
        self.check_dev_name(self.init_net, name)?;
        self.new_device(self.init_net, name, DevKind::Physical);
        Ok(())
    }

    fn find_device(&self, ns: Idx<NetNamespace>, name: &str) -> Option<usize> {
        self.net_ns[ns].contents.devices.iter().position(|device| device.name == name)
    }

    /// Switches a device on or off.
    pub fn set_device_up(&mut self, caller: TaskId, name: &str, up: bool) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Netlink)?;
        let ns = self.current_nsproxy(task).net;
        let admin = self.net_admin(task, ns);
        self.refuse_if(!admin, Rule::NetDevPrivilege)?;
        if name == "lo" {
            self.net_ns[ns].contents.lo_up = up;
            self.net_ns[ns].contents.lo_address |= up;
            return Ok(());
        }
        // rtnetlink(7) ENODEV: no device of this name here.
        let at = self.find_device(ns, name).ok_or_else(|| self.params.denial(Rule::NetDevMissing))?;
        self.net_ns[ns].contents.devices[at].up = up;
        Ok(())
    }

    /// Moves a device to the net namespace behind a descriptor.
    pub fn move_device(&mut self, caller: TaskId, name: &str, fd: Fd) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Netlink)?;
        let ns = self.current_nsproxy(task).net;
        let admin = self.net_admin(task, ns);
        self.refuse_if(!admin, Rule::NetDevPrivilege)?;
        // Up to 6.12 the device is looked up before the namespace.
        let missing = !self.net_ns[ns].contents.has(name) && !self.params.since(6, 13);
        self.refuse_if(missing, Rule::NetDevMissing)?;
        let file = self.fget(task, fd)?;
        // rtnetlink(7) IFLA_NET_NS_FD.
        let FileKind::Ns(NsRef::Net(target)) = self.files_open[file].kind else {
            return Err(self.params.denial(Rule::NetNsFd));
        };
        let admin = self.net_admin(task, target);
        // rtnl_link_get_net_capable
        self.refuse_if(!admin, Rule::NetDevMoveTarget)?;
        // Since 6.13 a move to where the device is asks no more.
        if ns == target && self.params.since(6, 13) && self.net_ns[ns].contents.has(name) {
            return Ok(());
        }
        // network_namespaces(7): lo stays.
        self.refuse_if(name == "lo", Rule::NetDevMove)?;
        // rtnetlink(7) ENODEV: no device of this name here.
        let at = self.find_device(ns, name).ok_or_else(|| self.params.denial(Rule::NetDevMissing))?;
        if ns == target {
            return Ok(());
        }
        // netif_change_net_namespace EEXIST
        self.refuse_if(self.net_ns[target].contents.has(name), Rule::NetDevExists)?;
        let mut device = self.net_ns[ns].contents.devices.remove(at);
        device.up = false;
        self.adopt_device(target, device);
        Ok(())
    }

    /// Deletes a device made by software; the other end of a cable goes with it.
    pub fn delete_device(&mut self, caller: TaskId, name: &str) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Netlink)?;
        let ns = self.current_nsproxy(task).net;
        let admin = self.net_admin(task, ns);
        self.refuse_if(!admin, Rule::NetDevPrivilege)?;
        // rtnetlink(7) EOPNOTSUPP: not a device of the machine, nor lo.
        self.refuse_if(name == "lo", Rule::NetDevDelete)?;
        // rtnetlink(7) ENODEV: no device of this name here.
        let at = self.find_device(ns, name).ok_or_else(|| self.params.denial(Rule::NetDevMissing))?;
        let NetDev { serial, kind, .. } = self.net_ns[ns].contents.devices[at];
        let DevKind::Veth { peer } = kind else {
            // rtnl_delete_link EOPNOTSUPP: a device without dellink.
            return self.refuse_if(true, Rule::NetDevDelete);
        };
        self.remove_device(serial);
        self.remove_device(peer);
        Ok(())
    }

    /// socket(2): the socket stays in the net namespace it is made in.
    pub fn socket(&mut self, caller: TaskId) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Socket)?;
        let ns = self.current_nsproxy(task).net;
        self.get_ns(NsRef::Net(ns));
        self.open_file(task, FileKind::Socket(ns), false)
    }

    /// The net namespace of a socket; `none` says that the descriptor is not one.
    fn socket_net(&self, task: Idx<Task>, fd: Fd, none: Rule) -> Result<Idx<NetNamespace>, Denial> {
        let file = self.fget(task, fd)?;
        match self.files_open[file].kind {
            FileKind::Socket(ns) => Ok(ns),
            _ => Err(self.params.denial(none)),
        }
    }

    /// connect(2) to 127.0.0.1: whether there is a route.
    pub fn connect_loopback(&mut self, caller: TaskId, fd: Fd) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Connect)?;
        // connect(2) ENOTSOCK: sockfd_lookup.
        let ns = self.socket_net(task, fd, Rule::ConnectNotSocket)?;
        // connect(2) ENETUNREACH: the route to an own address outlasts the device's going down.
        let routed = self.net_ns[ns].contents.lo_address;
        self.refuse_if(!routed, Rule::NetUnreachable)
    }

    /// `SIOCGSKNS`: a descriptor of the socket's net namespace.
    pub fn socket_namespace(&mut self, caller: TaskId, fd: Fd) -> Result<Fd, Denial> {
        let task = self.enter(caller, Call::Ioctl)?;
        if let FileKind::Pidfd { pid, thread, .. } = self.files_open[self.fget(task, fd)?].kind {
            self.pidfd_looks_first(task, pid, thread, false)?;
        }
        // ioctl(2) ENOTTY: another kind of file does not know the request.
        let ns = self.socket_net(task, fd, Rule::SocketNotOne)?;
        let admin = self.net_admin(task, ns);
        // sock_ioctl SIOCGSKNS: CAP_NET_ADMIN.
        self.refuse_if(!admin, Rule::SocketNsPrivilege)?;
        self.get_ns(NsRef::Net(ns));
        self.open_file(task, FileKind::Ns(NsRef::Net(ns)), true)
    }

    /// The devices a task sees, by number.
    pub fn devices(&self, task: TaskId) -> Result<Vec<Device>, Denial> {
        let task = self.observe(task)?;
        let nsproxy = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?;
        let net = &self.net_ns[nsproxy.net].contents;
        let lo = Device { name: String::from("lo"), ifindex: 1, up: net.lo_up };
        let mut all = alloc::vec![lo];
        all.extend(net.devices.iter().map(|device| Device {
            name: device.name.clone(),
            ifindex: device.ifindex,
            up: device.up,
        }));
        all.sort_by_key(|device| device.ifindex);
        Ok(all)
    }
}
