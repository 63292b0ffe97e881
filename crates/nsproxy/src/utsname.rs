//! Host and domain name (`kernel/utsname.c`, `kernel/sys.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::ns_common::{NsCommon, NsKind, NsRef};
use crate::nsproxy::{Making, NsSet};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::shared::{Blank, Shared};
use crate::task::{Task, TaskId};
use crate::uapi::CLONE_NEWUTS;

/// A name of at most 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    len: usize,
    bytes: [u8; 64],
}

impl Name {
    const fn new(name: &[u8]) -> Self {
        let len = if name.len() < 64 { name.len() } else { 64 };
        let mut bytes = [0; 64];
        bytes.split_at_mut(len).0.copy_from_slice(name.split_at(len).0);
        Self { len, bytes }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct UtsNamespace {
    pub(crate) common: NsCommon,
    pub(crate) names: Shared<Names>,
}

#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) nodename: Name,
    pub(crate) domainname: Name,
}

impl Blank for Names {
    fn blank() -> &'static Self {
        static NONE: Names = Names { nodename: Name::new(b"(none)"), domainname: Name::new(b"(none)") };
        &NONE
    }
}

/// The two names that a uts namespace has of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utsname {
    /// Host name.
    pub nodename: alloc::vec::Vec<u8>,
    /// NIS domain name.
    pub domainname: alloc::vec::Vec<u8>,
}

/// Which of the two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Host,
    Domain,
}

impl Kernel {
    /// The same uts namespace, or a new one with the same names.
    pub(crate) fn copy_utsname(
        &mut self,
        making: &Making,
        old: Idx<UtsNamespace>,
    ) -> Result<Idx<UtsNamespace>, Denial> {
        if making.flags & CLONE_NEWUTS == 0 {
            self.uts_ns[old].common.count += 1;
            return Ok(old);
        }
        self.check_kind_built(NsKind::Uts)?;
        let common = self.ns_common_new(making, NsKind::Uts, Rule::UtsNsCount)?;
        let names = self.uts_ns[old].names.clone();
        Ok(self.uts_ns.insert(UtsNamespace { common, names }))
    }

    /// Drops one reference; the last one ends the namespace.
    pub(crate) fn put_uts_ns(&mut self, ns: Idx<UtsNamespace>) {
        if let Some(dead) = self.uts_ns[ns].common.put(NsKind::Uts) {
            self.uts_ns.remove(ns);
            self.release_ns_now(dead);
        }
    }

    pub(crate) fn utsns_install(
        &mut self,
        caller: Idx<Task>,
        set: &mut NsSet,
        target: Idx<UtsNamespace>,
    ) -> Result<(), Denial> {
        // setns(2) EPERM: CAP_SYS_ADMIN on both sides.
        let allowed = self.may_join(caller, set, NsRef::Uts(target));
        self.refuse_if(!allowed, Rule::SetnsUtsAdmin)?;
        if set.nsproxy.uts != target {
            self.get_ns(NsRef::Uts(target));
            let old = core::mem::replace(&mut set.nsproxy.uts, target);
            self.put_uts_ns(old);
        }
        Ok(())
    }

    /// sethostname(2).
    pub fn sethostname(&mut self, caller: TaskId, name: &[u8]) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Sethostname)?;
        let length = i64::try_from(name.len()).unwrap_or(i64::MAX);
        self.set_name(task, Which::Host, Some(name), length)
    }

    /// setdomainname(2).
    pub fn setdomainname(&mut self, caller: TaskId, name: &[u8]) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Setdomainname)?;
        let length = i64::try_from(name.len()).unwrap_or(i64::MAX);
        self.set_name(task, Which::Domain, Some(name), length)
    }

    /// sethostname(2) with a length that need not be the name's, and `None` for a bad
    /// pointer: for those who probe the order of the checks.
    pub fn sethostname_raw(
        &mut self,
        caller: TaskId,
        name: Option<&[u8]>,
        length: i64,
    ) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Sethostname)?;
        self.set_name(task, Which::Host, name, length)
    }

    fn set_name(
        &mut self,
        task: Idx<Task>,
        which: Which,
        name: Option<&[u8]>,
        length: i64,
    ) -> Result<(), Denial> {
        let ns = self.current_nsproxy(task).uts;
        let owner = self.ruling_user_ns(NsRef::Uts(ns));
        // sethostname(2) EPERM: CAP_SYS_ADMIN in the owner of the uts namespace.
        let capable = self.ns_capable(task, owner, Cap::SysAdmin);
        self.refuse_if(!capable, Rule::HostnamePrivilege)?;
        // sethostname(2) EINVAL: at most 64 bytes.
        let fits = (0..=64).contains(&length);
        self.refuse_if(!fits, Rule::HostnameLength)?;
        // sethostname(2) EFAULT: the name must be readable for all of that length.
        let length = usize::try_from(length).unwrap_or(0).min(64);
        let name = name
            .and_then(|name| name.get(..length))
            .ok_or_else(|| self.params.denial(Rule::HostnameFault))?;
        self.store_name(ns, which, name);
        Ok(())
    }

    fn store_name(&mut self, ns: Idx<UtsNamespace>, which: Which, name: &[u8]) {
        let names = &mut *self.uts_ns[ns].names;
        match which {
            Which::Host => names.nodename = Name::new(name),
            Which::Domain => names.domainname = Name::new(name),
        }
    }

    /// Writing `/proc/sys/kernel/hostname`, which asks for an id and for no capability.
    pub fn write_hostname_sysctl(&mut self, caller: TaskId, name: &[u8]) -> Result<(), Denial> {
        self.write_name_sysctl(caller, Which::Host, name)
    }

    /// Writing `/proc/sys/kernel/domainname`, in the same way.
    pub fn write_domainname_sysctl(&mut self, caller: TaskId, name: &[u8]) -> Result<(), Denial> {
        self.write_name_sysctl(caller, Which::Domain, name)
    }

    fn write_name_sysctl(&mut self, caller: TaskId, which: Which, name: &[u8]) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Write)?;
        self.check_free_fd(task)?;
        // proc_sys_kernel(5): mode 0644, owned by the first namespace's root.
        let root = self.cred_of(task).euid == 0;
        self.refuse_if(!root, Rule::HostnameSysctl)?;
        let ns = self.current_nsproxy(task).uts;
        let line = name.split(|byte| matches!(byte, b'\n' | 0)).next();
        self.store_name(ns, which, line.unwrap_or_default());
        Ok(())
    }

    /// uname(2): the names a task sees.
    pub fn uname(&self, task: TaskId) -> Result<Utsname, Denial> {
        let task = self.observe(task)?;
        let nsproxy = self.nsproxy_of(task).ok_or_else(|| self.params.denial(Rule::LinkGone))?;
        let names = &self.uts_ns[nsproxy.uts].names;
        Ok(Utsname {
            nodename: names.nodename.as_bytes().to_vec(),
            domainname: names.domainname.as_bytes().to_vec(),
        })
    }
}
