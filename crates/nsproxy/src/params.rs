//! What a kernel is configured with: release, features, sysctls, and what lies
//! outside the namespace rules (security modules, filters, mutations for tests).

use crate::capability::Cap;
use crate::errno::Errno;
use crate::ns_common::NsKind;
use crate::rule::{Denial, Rule};
use crate::uapi::PID_MAX_LIMIT;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// The highest `kernel.threads-max`: every thread needs a number that fits in a futex.
const MAX_THREADS: u32 = 0x3fff_ffff;
/// The highest value of a sysctl that is an int.
const SYSCTL_INT_MAX: u32 = 0x7fff_ffff;

/// A release of the kernel, compared by major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// Major and minor number, one byte each.
    number: u16,
}

impl Release {
    /// The release `major.minor`.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { number: u16::from_be_bytes([major, minor]) }
    }

    /// Reads `6.18` or `6.18.44-cloud`; anything unreadable is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        Some(Self::new(major, minor[..digits].parse().ok()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor] = self.number.to_be_bytes();
        write!(f, "{major}.{minor}")
    }
}

macro_rules! calls {
    ($($name:ident $text:literal;)*) => {
        /// The system calls of the model, to attach filters to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Call {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Call {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name of the system call.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

calls! {
    Clone "clone"; Clone3 "clone3"; Unshare "unshare"; Setns "setns"; Exit "exit"; ExitGroup "exit_group";
    Wait "wait4"; Kill "kill"; Tgkill "tgkill"; PidfdSendSignal "pidfd_send_signal"; Sigaction "rt_sigaction";
    Sigprocmask "rt_sigprocmask"; Execve "execve"; SetUid "setuid"; SetGid "setgid"; SetResUid "setresuid";
    SetResGid "setresgid"; SetReUid "setreuid"; SetReGid "setregid"; SetFsUid "setfsuid"; SetFsGid "setfsgid";
    SetGroups "setgroups"; Capset "capset"; Prctl "prctl"; Prlimit "prlimit64"; Setpgid "setpgid"; Setsid "setsid";
    Reboot "reboot"; Chroot "chroot"; Chdir "chdir"; PivotRoot "pivot_root"; Mount "mount"; Umount "umount2";
    MountSetattr "mount_setattr"; OpenTree "open_tree"; Fsmount "fsmount"; MoveMount "move_mount"; Listmount "listmount"; Statmount "statmount"; Mkdir "mkdir"; Mknod "mknod"; Sethostname "sethostname";
    Setdomainname "setdomainname"; Uname "uname"; Open "openat"; Close "close"; Dup "dup"; Ioctl "ioctl";
    Write "write"; PidfdOpen "pidfd_open"; Listns "listns"; NameToHandle "name_to_handle_at";
    OpenByHandle "open_by_handle_at"; Shmget "shmget"; Shmat "shmat"; Shmdt "shmdt"; Shmctl "shmctl";
    Semget "semget"; Semop "semop"; Semctl "semctl"; Msgget "msgget"; Msgsnd "msgsnd"; Msgrcv "msgrcv";
    Msgctl "msgctl"; MqOpen "mq_open"; MqUnlink "mq_unlink"; Socket "socket"; Connect "connect";
    Netlink "sendmsg"; ClockGettime "clock_gettime"; Getpid "getpid";
}

/// A place outside the namespace rules where something else may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A filter on a whole call, before anything else (seccomp).
    Call(Call),
    /// A filter on clone, unshare or setns when any of these bits is among the flags, as
    /// container runtimes have it. What it cannot see, as the flags of clone3, passes.
    Flags(Call, u64),
    /// Creation of a user namespace (`security_create_user_ns`).
    UsernsCreate,
    /// Creation of a task (`security_task_alloc`).
    TaskAlloc,
    /// Use of one capability, in any user namespace.
    Capable(Cap),
    /// Looking at another process (`security_ptrace_access_check`).
    PtraceAccess,
    /// Sending a signal (`security_task_kill`).
    TaskKill,
    /// Mounting, unmounting, moving (`security_sb_mount` and kin).
    SbMount,
    /// Executing a program (`security_bprm_check`).
    BprmCheck,
}

/// A deliberate fault, to prove that a test would notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// The check is skipped. A lookup cannot be skipped: nothing would be found.
    Off(Rule),
    /// The check answers with another errno.
    Errno(Rule, Errno),
    /// Something that a call does is left out.
    Effect(Effect),
}

/// Something that calls do, to be left out by a [`Mutation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Orphans get a new parent by a subreaper, not only by init.
    Subreaper,
    /// A new user namespace's first task has all capabilities.
    FullCaps,
    /// A new user namespace's first task has no securebits.
    PlainSecurebits,
    /// Copies of shared mounts for another owner become slaves.
    Slaves,
    /// Copies of mounts for another owner are locked.
    Locks,
    /// Ranges of a map begin where it says.
    MapStart,
    /// Entering a time namespace freezes its offsets.
    Freeze,
    /// The semaphore undo list runs when it is left.
    Undo,
    /// The end of a namespace gives its charge back.
    Uncharge,
    /// A change of ids takes dumpability away.
    Undumpable,
    /// A new mount namespace takes the caller's root and working directory along.
    MoveFs,
    /// Joining a mount namespace leaves a chroot.
    LeaveChroot,
    /// Descriptors marked so are closed by exec.
    CloseOnExec,
}

impl Effect {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Subreaper,
        Self::FullCaps,
        Self::PlainSecurebits,
        Self::Slaves,
        Self::Locks,
        Self::MapStart,
        Self::Freeze,
        Self::Undo,
        Self::Uncharge,
        Self::Undumpable,
        Self::MoveFs,
        Self::LeaveChroot,
        Self::CloseOnExec,
    ];
}

/// What the kernel was built with or patched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    kinds: u8,
    /// The Debian and Ubuntu patch: `kernel.unprivileged_userns_clone`, or no such patch.
    pub unprivileged_userns_clone: Option<bool>,
    /// cgroup2 is mounted with `nsdelegate`.
    pub nsdelegate: bool,
    /// A fault of all kernels before 7.0, mended in stable releases from February 2026 on:
    /// an unshare with `CLONE_NEWNS` that is refused after the mounts are copied leaves
    /// the caller's root and working directory in the copy, which is gone.
    pub refused_unshare_loses_root: bool,
    /// Seen on 6.12.117: setns with a pidfd and `CLONE_NEWNS` among other kinds is refused
    /// when root and working directory are shared, as it is with `CLONE_NEWNS` alone.
    pub setns_needs_own_fs: bool,
    /// An exited process can be looked into by its user only if its memory could; in
    /// stable releases from May 2026 on. Before, anything exited can. Without a meaning
    /// since 7.2.
    pub dumpable_outlives_memory: bool,
    /// A request on the pidfd of an exited process asks first whether the caller may look
    /// into it; always since 7.2, and in stable releases from summer 2026 on.
    pub pidfd_access_first: bool,
    /// The owner of a filesystem may force its unmount; since 6.15, and in stable releases
    /// from spring 2025 on. Before, only `CAP_SYS_ADMIN` in the first user namespace may.
    pub owner_forces_umount: bool,
    /// What a mount passes on is changed by whoever may mount, wherever the mount is, also
    /// nowhere; before 6.16, and stable releases of summer 2025.
    pub any_propagation_changed: bool,
    /// A place in a mount that has been unmounted is missing, not merely elsewhere; always
    /// since 6.15, and in stable releases of 6.6 and 6.12 from spring 2025 on.
    pub unmounted_place_is_gone: bool,
    /// A mount namespace can be named to statmount and listmount by a descriptor; always
    /// since 6.18, and seen on 6.12.117.
    pub mnt_ns_fd: bool,
    /// The System V sysctls of an ipc namespace are for the root of its user namespace to
    /// write; always since 6.9, and seen on 6.1.0-50. Before, for the first one's.
    pub ipc_sysctls_of_owner: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            kinds: u8::MAX,
            unprivileged_userns_clone: None,
            nsdelegate: false,
            refused_unshare_loses_root: false,
            setns_needs_own_fs: false,
            dumpable_outlives_memory: true,
            pidfd_access_first: false,
            owner_forces_umount: true,
            any_propagation_changed: false,
            unmounted_place_is_gone: false,
            mnt_ns_fd: false,
            ipc_sysctls_of_owner: false,
        }
    }
}

impl Features {
    /// Whether a kind of namespace is compiled in. Mount namespaces always are.
    pub fn built(&self, kind: NsKind) -> bool {
        kind == NsKind::Mnt || self.kinds & kind.bit() != 0
    }

    /// Compiles a kind of namespace in or out.
    pub fn set_built(&mut self, kind: NsKind, built: bool) {
        if built {
            self.kinds |= kind.bit();
        } else {
            self.kinds &= !kind.bit();
        }
    }
}

/// Everything a kernel is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The release whose behaviour is modelled; 6.18 unless said otherwise.
    pub release: Release,
    /// What was compiled in or patched.
    pub features: Features,
    /// `kernel.threads-max`, at most `0x3fff_ffff`.
    pub threads_max: u32,
    /// `kernel.pid_max` of the first pid namespace when it comes up: from 2 (a running
    /// kernel: 301) to 4194304.
    pub pid_max: u32,
    /// `fs.mount-max`, at most `0x7fff_ffff`.
    pub mount_max: u32,
    /// `fs.suid_dumpable`: what a process becomes when its credentials change; at most 2.
    pub suid_dumpable: u8,
    /// Whether the charges of user, pid, net and ipc namespaces are given back only
    /// by [`Kernel::settle`](crate::Kernel::settle), as the kernel's work queues
    /// do it a little later, or at once.
    pub deferred_release: bool,
    /// Whether those that one call ends, the threads of a process and the processes that a
    /// signal reaches, end in the order opposite to the usual one. The kernel leaves it to its
    /// scheduler: where the two differ, the outcome is open.
    pub ends_backwards: bool,
    /// Refusals from outside the namespace rules.
    pub hooks: Vec<(Hook, Errno)>,
    /// Deliberate faults.
    pub mutations: Vec<Mutation>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            release: Release::new(6, 18),
            features: Features::default(),
            threads_max: 2_000_000,
            pid_max: PID_MAX_LIMIT,
            mount_max: 100_000,
            suid_dumpable: 0,
            deferred_release: true,
            ends_backwards: false,
            hooks: Vec::new(),
            mutations: Vec::new(),
        }
    }
}

impl Params {
    /// The defaults, for another release.
    pub fn for_release(major: u8, minor: u8) -> Self {
        Self { release: Release::new(major, minor), ..Self::default() }
    }

    /// Within the kernel's limits. Below them a smaller kernel is allowed, as long as
    /// init itself finds a number.
    fn clamp(&mut self) {
        self.threads_max = self.threads_max.min(MAX_THREADS);
        self.pid_max = self.pid_max.clamp(2, PID_MAX_LIMIT);
        self.mount_max = self.mount_max.min(SYSCTL_INT_MAX);
        self.suid_dumpable = self.suid_dumpable.min(2);
    }

    pub(crate) fn clamped(mut self) -> Self {
        self.clamp();
        self
    }

    #[inline]
    pub(crate) fn since(&self, major: u8, minor: u8) -> bool {
        self.release >= Release::new(major, minor)
    }

    #[inline]
    pub(crate) fn hook(&self, hook: Hook) -> Option<Errno> {
        if self.hooks.is_empty() { None } else { self.find_hook(hook) }
    }

    #[cold]
    fn find_hook(&self, hook: Hook) -> Option<Errno> {
        self.hooks.iter().find(|(at, _)| *at == hook).map(|(_, errno)| *errno)
    }

    /// The filter on a call with these flags.
    pub(crate) fn flags_hook(&self, call: Call, flags: u64) -> Option<Errno> {
        self.hooks.iter().find_map(|(at, errno)| match at {
            Hook::Flags(of, mask) if *of == call && flags & mask != 0 => Some(*errno),
            _ => None,
        })
    }

    /// Whether the rule is in force: in this release, and not mutated away.
    pub(crate) fn holds(&self, rule: Rule) -> bool {
        rule.facts().releases.contains(self.release) && !self.mutations.contains(&Mutation::Off(rule))
    }

    /// Whether something that calls do is left out.
    #[inline]
    pub(crate) fn lacks(&self, effect: Effect) -> bool {
        !self.mutations.is_empty() && self.mutates(effect)
    }

    #[cold]
    fn mutates(&self, effect: Effect) -> bool {
        self.mutations.contains(&Mutation::Effect(effect))
    }

    #[cold]
    pub(crate) fn denial(&self, rule: Rule) -> Denial {
        let replaced = self.mutations.iter().find_map(|mutation| match mutation {
            Mutation::Errno(of, errno) if *of == rule => Some(*errno),
            _ => None,
        });
        Denial { errno: replaced.unwrap_or(rule.errno()), rule }
    }
}

/// The parameters of a running kernel, to change them. What was set beyond a limit of the
/// kernel's own is brought to that limit when the change ends.
#[derive(Debug)]
pub struct ParamsMut<'a>(pub(crate) &'a mut Params);

impl Deref for ParamsMut<'_> {
    type Target = Params;

    fn deref(&self) -> &Params {
        self.0
    }
}

impl DerefMut for ParamsMut<'_> {
    fn deref_mut(&mut self) -> &mut Params {
        self.0
    }
}

impl Drop for ParamsMut<'_> {
    fn drop(&mut self) {
        self.0.clamp();
    }
}
