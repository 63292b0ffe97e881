//! capset, and the operations of prctl that touch credentials or reparenting
//! (`kernel/capability.c`, `security/commoncap.c`, `kernel/sys.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::{Cap, CapSet};
use crate::params::Call;
use crate::rule::{Denial, Rule};
use crate::task::{Task, TaskId};
use crate::uapi::{NSIG, SECBIT_KEEP_CAPS, SECBIT_KEEP_CAPS_LOCKED, SECBIT_NO_CAP_AMBIENT_RAISE};

/// The operations of prctl(2) the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prctl {
    /// `PR_SET_CHILD_SUBREAPER`
    SetChildSubreaper(bool),
    /// `PR_SET_NO_NEW_PRIVS`; only 1 is accepted.
    SetNoNewPrivs(u64),
    /// `PR_SET_SECUREBITS`
    SetSecurebits(u32),
    /// `PR_SET_KEEPCAPS`; 0 or 1.
    SetKeepcaps(u64),
    /// `PR_SET_DUMPABLE`; 0 or 1.
    SetDumpable(u64),
    /// `PR_SET_PDEATHSIG`
    SetPdeathsig(u32),
    /// `PR_CAPBSET_DROP` of a capability number.
    CapbsetDrop(u64),
    /// `PR_CAP_AMBIENT_RAISE` of a capability number.
    AmbientRaise(u64),
    /// `PR_CAP_AMBIENT_LOWER` of a capability number.
    AmbientLower(u64),
    /// `PR_CAP_AMBIENT_CLEAR_ALL`
    AmbientClearAll,
}

/// The three sets capset(2) changes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSets {
    /// What the task may use now.
    pub effective: CapSet,
    /// What it may make effective.
    pub permitted: CapSet,
    /// What survives exec together with the file's set.
    pub inheritable: CapSet,
}

/// Every second securebit locks the one below it.
const SECUREBITS_LOCKS: u32 = 0xaaa;

impl Kernel {
    /// capset(2) on `pid`, which must be the caller (or 0).
    pub fn capset(&mut self, caller: TaskId, pid: i32, sets: CapSets) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Capset)?;
        let own = self.pid_vnr(task, self.tasks[task].pid);
        // capset(2) EPERM: another task's capabilities.
        let other = pid != 0 && u32::try_from(pid) != Ok(own);
        self.refuse_if(other, Rule::CapsetTarget)?;
        self.cap_capset(task, sets)?;
        let mut new = self.prepare_creds(task);
        new.cap_effective = sets.effective;
        new.cap_permitted = sets.permitted;
        new.cap_inheritable = sets.inheritable;
        new.cap_ambient = new.cap_ambient.and(sets.permitted).and(sets.inheritable);
        self.commit_creds(task, new);
        Ok(())
    }

    fn cap_capset(&self, task: Idx<Task>, sets: CapSets) -> Result<(), Denial> {
        let old = self.cred_of(task);
        let setpcap = self.ns_capable(task, old.user_ns, Cap::Setpcap);
        // capset(2) EPERM: inheritable beyond permitted, or beyond the bounding set.
        let within_permitted = sets.inheritable.within(old.cap_inheritable.or(old.cap_permitted));
        let within_bound = sets.inheritable.within(old.cap_inheritable.or(old.cap_bset));
        let inheritable_ok = (setpcap || within_permitted) && within_bound;
        self.refuse_if(!inheritable_ok, Rule::CapsetInheritable)?;
        // capset(2) EPERM: permitted never grows.
        let permitted_ok = sets.permitted.within(old.cap_permitted);
        self.refuse_if(!permitted_ok, Rule::CapsetPermitted)?;
        // capset(2) EPERM: effective within permitted.
        let effective_ok = sets.effective.within(sets.permitted);
        self.refuse_if(!effective_ok, Rule::CapsetEffective)
    }

    /// prctl(2).
    pub fn prctl(&mut self, caller: TaskId, operation: Prctl) -> Result<(), Denial> {
        let task = self.enter(caller, Call::Prctl)?;
        match operation {
            Prctl::SetChildSubreaper(on) => self.set_child_subreaper(task, on),
            Prctl::SetNoNewPrivs(value) => {
                // prctl(2) EINVAL: there is no way back.
                self.refuse_if(value != 1, Rule::PrctlArgument)?;
                self.tasks[task].no_new_privs = true;
            }
            Prctl::SetSecurebits(bits) => self.set_securebits(task, bits)?,
            Prctl::SetKeepcaps(value) => self.set_keepcaps(task, value)?,
            Prctl::SetDumpable(value) => {
                // prctl(2) EINVAL: 2 can only be set by fs.suid_dumpable.
                self.refuse_if(value > 1, Rule::PrctlArgument)?;
                if let Some(mm) = self.tasks[task].mm {
                    self.mms[mm].dumpable = u8::from(value != 0);
                }
            }
            Prctl::SetPdeathsig(signal) => {
                // prctl(2) EINVAL: not a signal.
                self.refuse_if(signal > NSIG, Rule::PrctlArgument)?;
                self.tasks[task].pdeath_signal = u8::try_from(signal).unwrap_or(0);
            }
            Prctl::CapbsetDrop(number) => self.cap_prctl_drop(task, number)?,
            Prctl::AmbientRaise(number) => self.ambient_raise(task, number)?,
            Prctl::AmbientLower(number) => {
                let cap = self.cap_argument(number)?;
                let mut new = self.prepare_creds(task);
                new.cap_ambient = new.cap_ambient.without(cap);
                self.commit_creds(task, new);
            }
            Prctl::AmbientClearAll => {
                let mut new = self.prepare_creds(task);
                new.cap_ambient = CapSet::EMPTY;
                self.commit_creds(task, new);
            }
        }
        Ok(())
    }

    /// prctl(2) `PR_SET_CHILD_SUBREAPER`: all descendants remember that there is one.
    fn set_child_subreaper(&mut self, task: Idx<Task>, on: bool) {
        let signal = self.tasks[task].signal;
        self.signals[signal].is_child_subreaper = on;
        if !on {
            return;
        }
        let mut todo = alloc::vec![self.signals[signal].leader];
        while let Some(at) = todo.pop() {
            for thread in self.threads(at) {
                let children: alloc::vec::Vec<_> = self.children(thread).collect();
                for child in children {
                    let signal = self.tasks[child].signal;
                    self.signals[signal].has_child_subreaper = true;
                    todo.push(child);
                }
            }
        }
    }

    fn cap_argument(&self, number: u64) -> Result<Cap, Denial> {
        // prctl(2) EINVAL: no such capability.
        Cap::from_number(number).ok_or_else(|| self.params.denial(Rule::PrctlArgument))
    }

    fn cap_prctl_drop(&mut self, task: Idx<Task>, number: u64) -> Result<(), Denial> {
        let own_ns = self.current_user_ns(task);
        // prctl(2) EPERM: CAP_SETPCAP.
        let capable = self.ns_capable(task, own_ns, Cap::Setpcap);
        self.refuse_if(!capable, Rule::BoundingDrop)?;
        let cap = self.cap_argument(number)?;
        let mut new = self.prepare_creds(task);
        new.cap_bset = new.cap_bset.without(cap);
        self.commit_creds(task, new);
        Ok(())
    }

    fn set_securebits(&mut self, task: Idx<Task>, bits: u32) -> Result<(), Denial> {
        let old = self.cred_of(task).securebits;
        // prctl(2) EPERM: locked bits and locks stay, unknown bits are none, CAP_SETPCAP.
        let locked_changed = (old & SECUREBITS_LOCKS) >> 1 & (old ^ bits) != 0;
        let lock_cleared = old & SECUREBITS_LOCKS & !bits != 0;
        // Four bits about interpreters came with 6.14.
        let known = if self.params.since(6, 14) { 0xfff } else { 0xff };
        let unknown = bits & !known != 0;
        let own_ns = self.current_user_ns(task);
        let capable = self.ns_capable(task, own_ns, Cap::Setpcap);
        let refused = locked_changed || lock_cleared || unknown || !capable;
        self.refuse_if(refused, Rule::SecurebitsChange)?;
        let mut new = self.prepare_creds(task);
        new.securebits = bits;
        self.commit_creds(task, new);
        Ok(())
    }

    fn set_keepcaps(&mut self, task: Idx<Task>, value: u64) -> Result<(), Denial> {
        // prctl(2) EINVAL: 0 or 1.
        self.refuse_if(value > 1, Rule::PrctlArgument)?;
        let locked = self.cred_of(task).securebits & SECBIT_KEEP_CAPS_LOCKED != 0;
        // prctl(2) EPERM: locked.
        self.refuse_if(locked, Rule::KeepcapsLocked)?;
        let mut new = self.prepare_creds(task);
        new.securebits &= !SECBIT_KEEP_CAPS;
        if value == 1 {
            new.securebits |= SECBIT_KEEP_CAPS;
        }
        self.commit_creds(task, new);
        Ok(())
    }

    fn ambient_raise(&mut self, task: Idx<Task>, number: u64) -> Result<(), Denial> {
        let cap = self.cap_argument(number)?;
        let old = self.cred_of(task);
        // prctl(2) EPERM: permitted, inheritable, and not switched off.
        let allowed = old.cap_permitted.has(cap)
            && old.cap_inheritable.has(cap)
            && old.securebits & SECBIT_NO_CAP_AMBIENT_RAISE == 0;
        self.refuse_if(!allowed, Rule::AmbientRaise)?;
        let mut new = self.prepare_creds(task);
        new.cap_ambient = new.cap_ambient.with(cap);
        self.commit_creds(task, new);
        Ok(())
    }
}
