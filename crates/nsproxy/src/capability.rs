//! Capability sets, and the test that asks for one in a user namespace
//! (`security/commoncap.c`, `kernel/capability.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::cred::Cred;
use crate::params::Hook;
use crate::task::Task;
use crate::user_namespace::UserNamespace;
use core::fmt;

macro_rules! caps {
    ($($name:ident = $number:literal;)*) => {
        /// One capability.
        #[allow(missing_docs)] // capabilities(7) explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Cap { $($name = $number,)* }

        impl Cap {
            /// Every capability, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

caps! {
    Chown = 0; DacOverride = 1; DacReadSearch = 2; Fowner = 3; Fsetid = 4; Kill = 5; Setgid = 6; Setuid = 7;
    Setpcap = 8; LinuxImmutable = 9; NetBindService = 10; NetBroadcast = 11; NetAdmin = 12; NetRaw = 13;
    IpcLock = 14; IpcOwner = 15; SysModule = 16; SysRawio = 17; SysChroot = 18; SysPtrace = 19; SysPacct = 20;
    SysAdmin = 21; SysBoot = 22; SysNice = 23; SysResource = 24; SysTime = 25; SysTtyConfig = 26; Mknod = 27;
    Lease = 28; AuditWrite = 29; AuditControl = 30; Setfcap = 31; MacOverride = 32; MacAdmin = 33; Syslog = 34;
    WakeAlarm = 35; BlockSuspend = 36; AuditRead = 37; Perfmon = 38; Bpf = 39; CheckpointRestore = 40;
}

impl Cap {
    /// The capability with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapSet(u64);

impl CapSet {
    /// No capability.
    pub const EMPTY: Self = Self(0);
    /// All of them.
    pub const FULL: Self = Self((1 << 41) - 1);

    /// Those that are about files: `CHOWN`, `DAC_OVERRIDE`, `DAC_READ_SEARCH`, `FOWNER`,
    /// `FSETID`, `LINUX_IMMUTABLE`, `MKNOD`, `MAC_OVERRIDE`.
    pub(crate) const FILES: Self = Self(0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32);

    /// The set of these bits; bits without a capability are dropped, as the kernel does.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::FULL.0)
    }

    /// The bits as `/proc/PID/status` shows them.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether the capability is in the set.
    pub const fn has(self, cap: Cap) -> bool {
        self.0 >> (cap as u8) & 1 != 0
    }

    /// The set and one more.
    #[must_use]
    pub const fn with(self, cap: Cap) -> Self {
        Self(self.0 | 1 << (cap as u8))
    }

    /// The set and one less.
    #[must_use]
    pub const fn without(self, cap: Cap) -> Self {
        Self(self.0 & !(1 << (cap as u8)))
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are in `other` too.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Kernel {
    /// Whether `cred` holds `cap` in `target`: the walk every capability check takes.
    ///
    /// `user_namespaces(7)`, "Capabilities": a capability in a namespace holds in
    /// all its descendants, and the owner of a namespace has all of them in it
    /// when it resides in the parent.
    pub(crate) fn cap_capable(&self, cred: &Cred, target: Idx<UserNamespace>, cap: Cap) -> bool {
        let own_level = self.user_ns[cred.user_ns].level;
        let mut at = target;
        loop {
            if at == cred.user_ns {
                return cred.cap_effective.has(cap);
            }
            let ns = &self.user_ns[at];
            if ns.level <= own_level {
                return false;
            }
            let Some(parent) = ns.common.owner else {
                return false;
            };
            if parent == cred.user_ns && ns.owner == cred.euid {
                return true;
            }
            at = parent;
        }
    }

    /// `cap_capable`, and no security module vetoes.
    pub(crate) fn cred_capable(&self, cred: &Cred, ns: Idx<UserNamespace>, cap: Cap) -> bool {
        self.cap_capable(cred, ns, cap) && self.params.hook(Hook::Capable(cap)).is_none()
    }

    pub(crate) fn ns_capable(&self, task: Idx<Task>, ns: Idx<UserNamespace>, cap: Cap) -> bool {
        self.cred_capable(&self.creds[self.tasks[task].cred], ns, cap)
    }

    /// The test against the first user namespace.
    pub(crate) fn capable(&self, task: Idx<Task>, cap: Cap) -> bool {
        self.ns_capable(task, self.init_user_ns, cap)
    }

    pub(crate) fn checkpoint_restore_ns_capable(&self, task: Idx<Task>, ns: Idx<UserNamespace>) -> bool {
        self.ns_capable(task, ns, Cap::CheckpointRestore) || self.ns_capable(task, ns, Cap::SysAdmin)
    }
}
