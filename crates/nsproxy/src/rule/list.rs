//! The closed list of rules.

// The sentences are shown to people as they stand.
#![allow(clippy::doc_markdown)]

use super::{Facts, Releases};
use crate::errno::Errno;

macro_rules! rules {
    ($( $group:literal {
        $( $name:ident : $errno:ident $($lookup:ident)? , $function:literal, $clause:literal, $releases:expr, $says:literal; )*
    } )*) => {
        /// A check of the kernel that can refuse a call.
        ///
        /// The kernel answers with a number; the rule is the reason for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Rule {
            $($( #[doc = $says] $name, )*)*
        }

        impl Rule {
            /// Every rule, in the order of RULES.md.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// The name of the variant.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// What is known about the rule.
            pub const fn facts(self) -> &'static Facts {
                match self { $($(Self::$name => const { &Facts {
                    group: $group,
                    errno: Errno::$errno,
                    function: $function,
                    clause: $clause,
                    releases: $releases,
                    says: $says,
                    lookup: !matches!(stringify!($($lookup)?).as_bytes(), b""),
                } },)*)* }
            }
        }
    };
}

const ALWAYS: Releases = Releases::ALWAYS;
const fn since(major: u8, minor: u8) -> Releases {
    Releases::since(major, minor)
}
const fn until(major: u8, minor: u8) -> Releases {
    Releases::until(major, minor)
}

rules! {
"Every call" {
    CallerDead: ESRCH lookup, "none", "none", ALWAYS, "The calling task does not exist or has exited.";
    CallerBlocked: ESRCH lookup, "none", "none", ALWAYS, "The calling task is stopped, or still inside another call: vfork waits for its child, a dying init for its namespace.";
    FirstInitExit: EBUSY lookup, "do_exit", "none", ALWAYS, "The first init must not end: the kernel would panic, and the model goes no further.";
    CallFiltered: EPERM, "__seccomp_filter", "seccomp(2)", ALWAYS, "A filter outside the namespace rules answers this call before the kernel looks at it.";
    BadFd: EBADF lookup, "fdget", "setns(2) EBADF", ALWAYS, "No open file has this descriptor number, or it is an O_PATH or reserved one.";
    NoFreeFd: EMFILE, "alloc_fd", "getrlimit(2) RLIMIT_NOFILE", ALWAYS, "The process has as many open descriptors as RLIMIT_NOFILE allows.";
    NoSuchTask: ESRCH lookup, "find_task_by_vpid", "kill(2) ESRCH", ALWAYS, "No process has this number in the caller's pid namespace.";
}
"clone3 arguments" {
    Clone3SizeTooBig: E2BIG, "copy_clone_args_from_user", "clone(2)", ALWAYS, "The argument structure is larger than a page.";
    Clone3SizeTooSmall: EINVAL, "copy_clone_args_from_user", "clone(2)", ALWAYS, "The argument structure is smaller than its first version of 64 bytes.";
    Clone3Fault: EFAULT lookup, "copy_struct_from_user", "clone(2)", ALWAYS, "The argument structure cannot be read.";
    Clone3UnknownTail: E2BIG, "copy_struct_from_user", "clone(2)", ALWAYS, "Bytes after the part this kernel knows are not zero.";
    SetTidTooMany: EINVAL, "copy_clone_args_from_user", "clone(2) EINVAL set_tid_size", ALWAYS, "More pid numbers are asked for than pid namespaces can be nested.";
    SetTidNull: EINVAL, "copy_clone_args_from_user", "clone(2) EINVAL set_tid", ALWAYS, "set_tid_size is given without set_tid.";
    SetTidEmpty: EINVAL, "copy_clone_args_from_user", "clone(2) EINVAL set_tid", ALWAYS, "set_tid is given with a size of zero.";
    Clone3ExitSignalBits: EINVAL, "copy_clone_args_from_user", "clone(2) EINVAL exit_signal", ALWAYS, "exit_signal has bits outside the low byte.";
    Clone3ExitSignal: EINVAL, "copy_clone_args_from_user", "clone(2) EINVAL exit_signal", until(7, 0), "exit_signal is not a signal number.";
    IntoCgroupField: EINVAL, "copy_clone_args_from_user", "clone(2) CLONE_INTO_CGROUP", ALWAYS, "CLONE_INTO_CGROUP needs a descriptor number and a structure that has the cgroup field.";
    SetTidFault: EFAULT lookup, "copy_clone_args_from_user", "clone(2)", ALWAYS, "The set_tid array cannot be read.";
    Clone3UnknownFlags: EINVAL, "clone3_args_valid", "clone(2) EINVAL", ALWAYS, "A flag is set which this kernel does not know.";
    Clone3ReservedFlags: EINVAL, "clone3_args_valid", "clone(2) EINVAL", ALWAYS, "clone3 takes no signal in its flags, and CLONE_DETACHED is retired.";
    ClearSighandShared: EINVAL, "clone3_args_valid", "clone(2) CLONE_CLEAR_SIGHAND", ALWAYS, "Handlers cannot be shared and cleared at once.";
    Clone3ThreadExitSignal: EINVAL, "clone3_args_valid", "clone(2) EINVAL exit_signal", ALWAYS, "A thread or a sibling takes no exit signal of its own.";
    Clone3Stack: EINVAL, "clone3_stack_valid", "clone(2) EINVAL stack", ALWAYS, "Stack and stack size come together and lie in user memory.";
}
"clone flags" {
    PidfdIsParentTid: EINVAL, "kernel_clone", "clone(2) EINVAL CLONE_PIDFD", ALWAYS, "The pidfd and the parent's tid cannot go to the same address; in the old clone they always would.";
    CloneExitSignal: EINVAL, "kernel_clone", "clone(2) EINVAL", since(7, 1), "The exit signal is not a signal number.";
    NewnsWithFs: EINVAL, "copy_process", "clone(2) EINVAL CLONE_NEWNS", ALWAYS, "Root and working directory cannot be shared with a task in another mount namespace.";
    NewuserWithFs: EINVAL, "copy_process", "clone(2) EINVAL CLONE_NEWUSER", ALWAYS, "Root and working directory cannot be shared with a task in another user namespace.";
    UnprivilegedUsernsClone: EPERM, "copy_process", "user_namespaces(7)", ALWAYS, "This distribution's kernel.unprivileged_userns_clone is 0 and the caller is not privileged.";
    ThreadWithoutSighand: EINVAL, "copy_process", "clone(2) EINVAL CLONE_THREAD", ALWAYS, "Threads of one process share signal handlers.";
    SighandWithoutVm: EINVAL, "copy_process", "clone(2) EINVAL CLONE_SIGHAND", ALWAYS, "Shared signal handlers need shared memory.";
    ParentOfInit: EINVAL, "copy_process", "clone(2) EINVAL CLONE_PARENT", ALWAYS, "An init process can have no siblings: nobody in its namespace could reap them.";
    ThreadInNewNamespace: EINVAL, "copy_process", "clone(2) EINVAL CLONE_THREAD", ALWAYS, "Threads of one process share the user and the pid namespace.";
    ThreadWhilePidPending: EINVAL, "copy_process", "pid_namespaces(7)", ALWAYS, "The caller's children go to another pid namespace, and a thread may not.";
    VmWhileTimePending: EINVAL, "copy_process", "time_namespaces(7)", until(6, 1), "The caller's children go to another time namespace, and a task sharing its memory may not.";
    PidfdDetached: EINVAL, "copy_process", "clone(2) EINVAL CLONE_PIDFD", ALWAYS, "CLONE_DETACHED stands for nothing and is refused with a pidfd.";
    PidfdThread: EINVAL, "copy_process", "clone(2) EINVAL CLONE_PIDFD", until(6, 8), "A pidfd names a process, not a thread.";
    AutoreapFlags: EINVAL, "copy_process", "clone(2) CLONE_AUTOREAP", since(7, 1), "A child that reaps itself is a process of its own with no exit signal.";
    ParentOfAutoreap: EINVAL, "copy_process", "clone(2) CLONE_AUTOREAP", since(7, 1), "A process that reaps itself makes no siblings.";
    NnpThread: EINVAL, "copy_process", "clone(2) CLONE_NNP", since(7, 1), "no_new_privs at clone is for processes.";
    AutokillFlags: EINVAL, "copy_process", "clone(2) CLONE_PIDFD_AUTOKILL", since(7, 1), "Killing by the last close needs a pidfd, a child that reaps itself, and a process.";
    AutokillPrivilege: EPERM, "copy_process", "clone(2) CLONE_PIDFD_AUTOKILL", since(7, 1), "Killing by the last close needs no_new_privs for the child or CAP_SYS_ADMIN.";
}
"clone construction" {
    ForkNproc: EAGAIN, "copy_process", "clone(2) EAGAIN RLIMIT_NPROC", ALWAYS, "The user has as many tasks as RLIMIT_NPROC, here or in a user namespace above, allows.";
    ForkMaxThreads: EAGAIN, "copy_process", "clone(2) EAGAIN threads-max", ALWAYS, "The system has as many tasks as kernel.threads-max allows.";
    ForkLsm: EPERM, "security_task_alloc", "none", ALWAYS, "A security module refuses the new task.";
    NamespacesNeedAdmin: EPERM, "copy_namespaces", "clone(2) EPERM", ALWAYS, "New namespaces need CAP_SYS_ADMIN in the user namespace that will own them.";
    NewipcWithSysvsem: EINVAL, "copy_namespaces", "clone(2) EINVAL CLONE_NEWIPC", ALWAYS, "Semaphore undo lists cannot be shared across ipc namespaces.";
    PidfdFault: EFAULT, "copy_process", "clone(2) CLONE_PIDFD", ALWAYS, "The pidfd cannot be stored at the address given.";
    IntoCgroupBadFd: EBADF lookup, "cgroup_css_set_fork", "clone(2) CLONE_INTO_CGROUP", ALWAYS, "The descriptor is not an open cgroup directory.";
    IntoCgroupGone: ENOENT, "cgroup_css_set_fork", "clone(2) CLONE_INTO_CGROUP", ALWAYS, "The cgroup has been removed.";
    IntoCgroupAccess: EACCES, "cgroup_may_write", "clone(2) EACCES", ALWAYS, "The caller may not write the cgroup's cgroup.procs.";
    IntoCgroupDelegation: ENOENT, "cgroup_procs_write_permission", "cgroup_namespaces(7) nsdelegate", ALWAYS, "With nsdelegate a child goes to no cgroup above or beside the root of the caller's cgroup namespace.";
    IntoCgroupBusy: EBUSY, "cgroup_migrate_vet_dst", "clone(2) EBUSY", ALWAYS, "The cgroup has controllers enabled for its children, so it takes no processes itself.";
    IntoCgroupThread: EOPNOTSUPP, "cgroup_attach_permissions", "clone(2) EOPNOTSUPP", ALWAYS, "A thread stays in the cgroup domain of its process.";
    PidsLimit: EAGAIN, "pids_can_fork", "cgroups(7) pids", ALWAYS, "A cgroup above the child already has as many tasks as its pids.max allows.";
}
"copy_creds and create_user_ns" {
    UserNsLevel: ENOSPC, "create_user_ns", "user_namespaces(7)", ALWAYS, "User namespaces nest 33 levels deep below the first, no deeper.";
    UserNsCount: ENOSPC, "inc_user_namespaces", "namespaces(7) max_user_namespaces", ALWAYS, "The limit on user namespaces is reached, for this user here or for an owner further up.";
    UserNsChrooted: EPERM, "create_user_ns", "clone(2) EPERM chroot", ALWAYS, "The caller is in a chroot, which a user namespace would let it leave.";
    UserNsUnmapped: EPERM, "create_user_ns", "clone(2) EPERM unmapped", ALWAYS, "The caller's user or group id has no mapping in its own user namespace.";
    UserNsLsm: EACCES, "security_create_user_ns", "none", since(6, 1), "A security module refuses the new user namespace.";
}
"create_new_namespaces" {
    KindNotBuilt: EINVAL, "copy_utsname and kin", "clone(2) EINVAL", ALWAYS, "This kernel is built without that kind of namespace.";
    MntNsCount: ENOSPC, "alloc_mnt_ns", "namespaces(7) max_mnt_namespaces", ALWAYS, "The limit on mount namespaces is reached, for this user here or for an owner further up.";
    UtsNsCount: ENOSPC, "clone_uts_ns", "namespaces(7) max_uts_namespaces", ALWAYS, "The limit on uts namespaces is reached, for this user here or for an owner further up.";
    IpcNsCount: ENOSPC, "create_ipc_ns", "namespaces(7) max_ipc_namespaces", ALWAYS, "The limit on ipc namespaces is reached, for this user here or for an owner further up.";
    PidNsNotActive: EINVAL, "copy_pid_ns", "clone(2) EINVAL CLONE_NEWPID", ALWAYS, "The caller's children already go to another pid namespace; a second one cannot be stacked on it.";
    PidNsOwner: EINVAL, "create_pid_namespace", "pid_namespaces(7)", ALWAYS, "The owner of a pid namespace must be the owner of its parent or a descendant of it.";
    PidNsLevel: ENOSPC, "create_pid_namespace", "pid_namespaces(7)", ALWAYS, "Pid namespaces nest 32 levels deep below the first, no deeper.";
    PidNsCount: ENOSPC, "create_pid_namespace", "namespaces(7) max_pid_namespaces", ALWAYS, "The limit on pid namespaces is reached, for this user here or for an owner further up.";
    CgroupNsAdmin: EPERM, "copy_cgroup_ns", "cgroup_namespaces(7)", ALWAYS, "A new cgroup namespace needs CAP_SYS_ADMIN in the user namespace that will own it.";
    CgroupNsCount: ENOSPC, "copy_cgroup_ns", "namespaces(7) max_cgroup_namespaces", ALWAYS, "The limit on cgroup namespaces is reached, for this user here or for an owner further up.";
    NetNsCount: ENOSPC, "copy_net_ns", "namespaces(7) max_net_namespaces", ALWAYS, "The limit on net namespaces is reached, for this user here or for an owner further up.";
    TimeNsCount: ENOSPC, "clone_time_ns", "namespaces(7) max_time_namespaces", ALWAYS, "The limit on time namespaces is reached, for this user here or for an owner further up.";
}
"alloc_pid" {
    SetTidTooDeep: EINVAL, "alloc_pid", "clone(2) EINVAL set_tid_size", ALWAYS, "More pid numbers are given than the child has pid namespaces.";
    SetTidRange: EINVAL, "alloc_pid", "clone(2) EINVAL set_tid", ALWAYS, "A wanted pid number is below 1 or not below that namespace's pid_max.";
    SetTidNoInit: EINVAL, "alloc_pid", "clone(2) EINVAL set_tid", until(7, 0), "The first process of a pid namespace must have number 1.";
    SetTidPrivilege: EPERM, "alloc_pid", "clone(2) EPERM set_tid", ALWAYS, "Choosing a pid needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the owner of every namespace concerned.";
    SetTidBusy: EEXIST, "alloc_pid", "clone(2) EEXIST", ALWAYS, "The wanted pid number is taken.";
    PidMaxAccess: EACCES, "pid_table_root_permissions", "proc_sys_kernel(5)", ALWAYS, "pid_max is writable for the root of the pid namespace's owner and with CAP_SYS_ADMIN in it; before 6.14 for the first root alone.";
    PidMaxRange: EINVAL, "proc_dointvec_minmax", "proc_sys_kernel(5)", ALWAYS, "pid_max lies between 301 and 4194304.";
    LastPidPrivilege: EPERM, "pid_ns_ctl_handler", "pid_namespaces(7)", ALWAYS, "Setting the last pid needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the owner of the pid namespace.";
    LastPidRange: EINVAL, "pid_ns_ctl_handler", "pid_namespaces(7)", ALWAYS, "The last pid lies between 0 and pid_max.";
    PidExhausted: EAGAIN lookup, "alloc_pid", "clone(2) EAGAIN", ALWAYS, "No pid number is free in one of the child's namespaces.";
    FirstPidNotOne: EINVAL, "alloc_pid", "clone(2) EINVAL", since(7, 1), "A pid namespace without init takes only a process with number 1.";
    PidNsDead: ENOMEM, "alloc_pid", "clone(2) ENOMEM", ALWAYS, "The init of the pid namespace is gone, so it takes no more processes.";
}
"unshare" {
    UnshareUnknownFlags: EINVAL, "check_unshare_flags", "unshare(2) EINVAL", ALWAYS, "A flag is set which unshare does not know.";
    UnshareThreads: EINVAL, "check_unshare_flags", "unshare(2) EINVAL", ALWAYS, "Only a process with a single thread can change its user namespace, memory or signal handlers.";
    UnshareSighand: EINVAL, "check_unshare_flags", "unshare(2) EINVAL", ALWAYS, "Another process shares the signal handlers.";
    UnshareVm: EINVAL, "check_unshare_flags", "unshare(2) EINVAL", ALWAYS, "Another process shares the memory.";
    UnshareNeedsAdmin: EPERM, "unshare_nsproxy_namespaces", "unshare(2) EPERM", ALWAYS, "New namespaces need CAP_SYS_ADMIN in the user namespace that will own them.";
}
"setns" {
    SetnsTypeMismatch: EINVAL, "setns", "setns(2) EINVAL", ALWAYS, "The descriptor names a namespace of another kind than the flags ask for.";
    SetnsPidfdFlags: EINVAL, "check_setns_flags", "setns(2) EINVAL", ALWAYS, "With a pidfd the flags name one or more kinds of namespace and nothing else.";
    SetnsKindNotBuilt: EINVAL, "check_setns_flags", "setns(2) EINVAL", ALWAYS, "This kernel is built without that kind of namespace.";
    SetnsNotNamespace: EINVAL lookup, "setns", "setns(2) EINVAL", ALWAYS, "The descriptor is neither a namespace nor a pidfd.";
    SetnsTargetGone: ESRCH lookup, "validate_nsset", "setns(2) ESRCH", ALWAYS, "The process behind the pidfd has been reaped.";
    SetnsTargetAccess: EPERM, "validate_nsset", "setns(2) EPERM ptrace", ALWAYS, "The caller may not inspect the process behind the pidfd.";
    SetnsTargetZombie: ESRCH lookup, "validate_nsset", "setns(2) ESRCH", ALWAYS, "The process behind the pidfd has exited and holds no namespaces any more.";
    SetnsUserOwn: EINVAL, "userns_install", "setns(2) EINVAL", ALWAYS, "A task cannot join the user namespace it is in: it would regain capabilities it dropped.";
    SetnsUserThreads: EINVAL, "userns_install", "setns(2) EINVAL", ALWAYS, "Only a process with a single thread can join a user namespace.";
    SetnsUserSharedFs: EINVAL, "userns_install", "setns(2) EINVAL", ALWAYS, "Another task shares root and working directory with the caller.";
    SetnsUserAdmin: EPERM, "userns_install", "setns(2) EPERM", ALWAYS, "Joining a user namespace needs CAP_SYS_ADMIN in it.";
    SetnsMntAdmin: EPERM, "mntns_install", "setns(2) EPERM", ALWAYS, "Joining a mount namespace needs CAP_SYS_ADMIN in its owner, and CAP_SYS_CHROOT and CAP_SYS_ADMIN in the caller's user namespace.";
    SetnsMntSharedFs: EINVAL, "mntns_install", "setns(2) EINVAL", ALWAYS, "Another task shares root and working directory with the caller.";
    SetnsUtsAdmin: EPERM, "utsns_install", "setns(2) EPERM", ALWAYS, "Joining a uts namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
    SetnsIpcAdmin: EPERM, "ipcns_install", "setns(2) EPERM", ALWAYS, "Joining an ipc namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
    SetnsPidAdmin: EPERM, "pidns_install", "setns(2) EPERM", ALWAYS, "Joining a pid namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
    SetnsPidNotBelow: EINVAL, "pidns_install", "setns(2) EINVAL", ALWAYS, "Only the caller's own pid namespace and those below it can be joined.";
    SetnsCgroupAdmin: EPERM, "cgroupns_install", "setns(2) EPERM", ALWAYS, "Joining a cgroup namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
    SetnsNetAdmin: EPERM, "netns_install", "setns(2) EPERM", ALWAYS, "Joining a net namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
    SetnsTimeThreads: EUSERS, "timens_install", "time_namespaces(7)", ALWAYS, "Another task shares the caller's memory, and with it the clock page.";
    SetnsTimeAdmin: EPERM, "timens_install", "setns(2) EPERM", ALWAYS, "Joining a time namespace needs CAP_SYS_ADMIN in its owner and in the caller's user namespace.";
}
"id maps and setgroups" {
    MapOpenAccess: EACCES, "proc_pid_permission", "user_namespaces(7)", ALWAYS, "The map files belong to the process's owner, and others may not write them.";
    MapInitNs: EPERM, "proc_uid_map_write", "user_namespaces(7)", ALWAYS, "The first user namespace has its map for ever.";
    MapOpener: EPERM, "proc_uid_map_write", "user_namespaces(7) EPERM", ALWAYS, "A map is written from inside the namespace or from its parent.";
    MapPosition: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "A map is written from offset zero in one go, in less than a page.";
    MapAlreadySet: EPERM, "map_write", "user_namespaces(7) EPERM", ALWAYS, "A map is written once.";
    MapAdmin: EPERM, "map_write", "user_namespaces(7) EPERM", ALWAYS, "The opener needs CAP_SYS_ADMIN in the namespace.";
    MapSyntax: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "Each line is three decimal numbers: first id inside, first id outside, count.";
    MapInvalidId: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "4294967295 is not an id.";
    MapWrap: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "A range has at least one id and does not run past the last.";
    MapOverlap: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "Ranges must not overlap, inside or outside.";
    MapTooManyExtents: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "A map has at most 340 lines.";
    MapEmpty: EINVAL, "map_write", "user_namespaces(7) EINVAL", ALWAYS, "A map has at least one line.";
    MapRootNeedsSetfcap: EPERM, "verify_root_map", "user_namespaces(7) CAP_SETFCAP", ALWAYS, "Mapping the parent's id 0 needs CAP_SETFCAP: of the namespace's creator from inside, of the opener from the parent.";
    MapNotPermitted: EPERM, "new_idmap_permitted", "user_namespaces(7) EPERM", ALWAYS, "Without CAP_SETUID or CAP_SETGID in the parent only one's own id can be mapped, and a group only after setgroups is denied.";
    MapParentUnmapped: EPERM, "map_write", "user_namespaces(7) EPERM", ALWAYS, "The outside range is not wholly inside one range of the parent's map.";
    SetgroupsOpen: EACCES, "proc_setgroups_open", "user_namespaces(7)", ALWAYS, "Opening setgroups for writing needs CAP_SYS_ADMIN in the namespace.";
    SetgroupsSyntax: EINVAL, "proc_setgroups_write", "user_namespaces(7) EINVAL", ALWAYS, "The file takes allow or deny, from offset zero.";
    SetgroupsDenied: EPERM, "proc_setgroups_write", "user_namespaces(7) EPERM", ALWAYS, "What was denied stays denied.";
    SetgroupsMapSet: EPERM, "proc_setgroups_write", "user_namespaces(7) EPERM", ALWAYS, "setgroups can be denied only before the group map is written.";
    SetgroupsCall: EPERM, "may_setgroups", "setgroups(2) EPERM", ALWAYS, "setgroups needs CAP_SETGID, a group map, and that it was not denied.";
    SetgroupsTooMany: EINVAL, "setgroups", "setgroups(2) EINVAL", ALWAYS, "A task has at most 65536 supplementary groups.";
    SetgroupsUnmapped: EINVAL, "groups_from_user", "setgroups(2) EINVAL", ALWAYS, "A group id has no mapping in the caller's user namespace.";
    UcountSysctlAccess: EACCES, "set_permissions", "namespaces(7)", ALWAYS, "The limits of a user namespace are writable with CAP_SYS_RESOURCE in it.";
    UcountSysctlRange: EINVAL, "proc_dointvec_minmax", "namespaces(7)", ALWAYS, "A limit lies between 0 and 2147483647.";
}
"signals and waiting" {
    SignalNumber: EINVAL, "check_kill_permission", "kill(2) EINVAL", ALWAYS, "The signal number is not one.";
    KillNobody: ESRCH, "kill_something_info", "kill(2) ESRCH", ALWAYS, "The caller's pid namespace shows it no process but itself and init, or no such group.";
    KillPermission: EPERM, "check_kill_permission", "kill(2) EPERM", ALWAYS, "Neither user id matches the target's, nor does the caller hold CAP_KILL in its user namespace.";
    KillLsm: EACCES, "security_task_kill", "none", ALWAYS, "A security module refuses the signal.";
    SigactionNumber: EINVAL, "do_sigaction", "sigaction(2) EINVAL", ALWAYS, "The signal is not one, or cannot be caught or ignored.";
    TgkillNumber: EINVAL, "do_tkill", "tgkill(2) EINVAL", ALWAYS, "Thread and process are named by positive numbers.";
    TgkillGroup: ESRCH, "do_send_specific", "tgkill(2) ESRCH", ALWAYS, "The thread is not one of that process.";
    PidfdSignalFlags: EINVAL, "pidfd_send_signal", "pidfd_send_signal(2) EINVAL", ALWAYS, "The call takes no such flag.";
    PidfdSignalForeign: EINVAL, "access_pidfd_pidns", "pidfd_send_signal(2) EINVAL", ALWAYS, "The target does not live in the caller's pid namespace or below it.";
    WaitOptions: EINVAL, "kernel_wait4", "waitpid(2) EINVAL", ALWAYS, "The options contain an unknown bit.";
    WaitNumber: ESRCH, "kernel_wait4", "waitpid(2) ESRCH", ALWAYS, "The smallest number has no opposite, so it names no process group.";
    WaitNoChild: ECHILD, "do_wait", "waitpid(2) ECHILD", ALWAYS, "The caller has no child that matches.";
    RebootPrivilege: EPERM, "reboot", "reboot(2) EPERM", ALWAYS, "reboot needs CAP_SYS_BOOT in the owner of the caller's pid namespace.";
    RebootCommand: EINVAL, "reboot_pid_ns", "reboot(2) EINVAL", ALWAYS, "In a pid namespace only restart, halt and power off have a meaning.";
    SetpgidTarget: ESRCH, "setpgid", "setpgid(2) ESRCH", ALWAYS, "The process is neither the caller nor a child of it.";
    SetpgidThread: EINVAL, "setpgid", "setpgid(2) EINVAL", ALWAYS, "The number is that of a thread that leads no process.";
    SetpgidSession: EPERM, "setpgid", "setpgid(2) EPERM", ALWAYS, "The process leads its session, or is in another one, or the group is.";
    SetpgidExecuted: EACCES, "setpgid", "setpgid(2) EACCES", ALWAYS, "The child has executed a program since it was made.";
    SetpgidNegative: EINVAL, "setpgid", "setpgid(2) EINVAL", ALWAYS, "A process group number is not negative.";
    SetsidLeader: EPERM, "ksys_setsid", "setsid(2) EPERM", ALWAYS, "The caller already leads a process group.";
}
"credentials" {
    SetidUnmapped: EINVAL, "sys_setuid", "setuid(2) EINVAL", ALWAYS, "The id has no mapping in the caller's user namespace.";
    SetidPermission: EPERM, "sys_setuid", "setuid(2) EPERM", ALWAYS, "Without CAP_SETUID or CAP_SETGID an id changes only to one the caller already has.";
    CapsetTarget: EPERM, "capset", "capset(2) EPERM", ALWAYS, "A task sets only its own capabilities.";
    CapsetInheritable: EPERM, "cap_capset", "capset(2) EPERM", ALWAYS, "The inheritable set grows only within the permitted set, or within the bounding set with CAP_SETPCAP.";
    CapsetPermitted: EPERM, "cap_capset", "capset(2) EPERM", ALWAYS, "The permitted set never grows.";
    CapsetEffective: EPERM, "cap_capset", "capset(2) EPERM", ALWAYS, "The effective set stays within the permitted set.";
    PrctlArgument: EINVAL, "prctl", "prctl(2) EINVAL", ALWAYS, "An argument of prctl has no meaning here.";
    BoundingDrop: EPERM, "cap_prctl_drop", "prctl(2) PR_CAPBSET_DROP", ALWAYS, "Dropping from the bounding set needs CAP_SETPCAP.";
    SecurebitsChange: EPERM, "cap_task_prctl", "prctl(2) PR_SET_SECUREBITS", ALWAYS, "A locked bit stays, a lock stays locked, and any change needs CAP_SETPCAP.";
    KeepcapsLocked: EPERM, "cap_task_prctl", "prctl(2) PR_SET_KEEPCAPS", ALWAYS, "SECBIT_KEEP_CAPS is locked.";
    AmbientRaise: EPERM, "cap_task_prctl", "prctl(2) PR_CAP_AMBIENT", ALWAYS, "An ambient capability must be permitted and inheritable, and raising must not be switched off.";
    RlimitUnknown: EINVAL, "do_prlimit", "prlimit(2) EINVAL", ALWAYS, "No such resource, or the soft limit is above the hard one.";
    RlimitPermission: EPERM, "do_prlimit", "prlimit(2) EPERM", ALWAYS, "Raising a hard limit needs CAP_SYS_RESOURCE in the first user namespace.";
    RlimitTarget: EPERM, "check_prlimit_permission", "prlimit(2) EPERM", ALWAYS, "Another task's limits need matching ids or CAP_SYS_RESOURCE in its user namespace.";
}
"exec" {
    ExecNproc: EAGAIN, "do_execveat_common", "execve(2) EAGAIN", ALWAYS, "The caller changed to a user with more tasks than RLIMIT_NPROC allows, and it is so still.";
    ExecLsm: EACCES, "security_bprm_check", "none", ALWAYS, "A security module refuses the program.";
    ExecAccess: EACCES, "do_open_execat", "execve(2) EACCES", ALWAYS, "The file is not executable, or its mount is noexec.";
    ExecCaps: EPERM, "bprm_caps_from_vfs_caps", "execve(2) EPERM", ALWAYS, "The program is to have its file capabilities at once, and the caller's bounding set lacks one of them.";
}
"inspecting" {
    PtraceAccess: EACCES, "ptrace_may_access", "namespaces(7)", ALWAYS, "The caller may not inspect this process: ids, dumpability, or capabilities differ.";
    NsDirAccess: EACCES, "proc_pid_permission", "proc_pid_ns(5)", ALWAYS, "Only the process's owner may list its namespaces.";
    LinkGone: ENOENT lookup, "proc_ns_readlink", "namespaces(7)", ALWAYS, "The process has exited; only its user and pid namespace are still there.";
    PidForChildrenEmpty: ENOENT, "pidns_for_children_get", "pid_namespaces(7)", until(7, 0), "The pid namespace for children has no init yet.";
    NsOpenReadOnly: EPERM, "ns_get_path", "namespaces(7)", ALWAYS, "A namespace file opens for reading only.";
    NsIoctlUnknown: ENOTTY, "ns_ioctl", "ioctl_nsfs(2) ENOTTY", ALWAYS, "This kernel has no such request on namespace files.";
    NsIoctlNotNamespace: ENOTTY lookup, "ns_ioctl", "ioctl_nsfs(2) ENOTTY", ALWAYS, "The descriptor is not a namespace file.";
    NsGetUsernsScope: EPERM, "ns_get_owner", "ioctl_nsfs(2) EPERM", ALWAYS, "The owner is not the caller's user namespace or one below it.";
    NsGetParentKind: EINVAL, "ns_ioctl", "ioctl_nsfs(2) EINVAL", ALWAYS, "Only user and pid namespaces have parents.";
    NsGetParentScope: EPERM, "pidns_get_parent", "ioctl_nsfs(2) EPERM", ALWAYS, "The parent is not the caller's pid namespace or one below it.";
    NsGetOwnerUidKind: EINVAL, "ns_ioctl", "ioctl_nsfs(2) EINVAL", ALWAYS, "Only user namespaces have an owner uid.";
    NsMntKind: EINVAL lookup, "ns_ioctl", "ioctl_nsfs(2) EINVAL", ALWAYS, "The request is for mount namespaces.";
    NsMntInfo: EINVAL, "ns_ioctl", "ioctl_nsfs(2) EINVAL", ALWAYS, "NS_MNT_GET_INFO needs a place to write to.";
    NsMntInfoSize: ENOTTY, "nsfs_ioctl_valid", "ioctl_nsfs(2) ENOTTY", since(6, 18), "The information structure is smaller than its first version of 16 bytes.";
    NsMntNextPrivilege: EPERM, "may_see_all_namespaces", "ioctl_nsfs(2) EPERM", ALWAYS, "Walking all mount namespaces is for privileged tasks of the first pid namespace.";
    NsMntNextNull: EFAULT, "ns_ioctl", "ioctl_nsfs(2) EFAULT", since(6, 19), "NS_MNT_GET_NEXT and PREV need a place to write to.";
    NsMntNextEnd: ENOENT lookup, "lookup_mnt_ns", "ioctl_nsfs(2) ENOENT", ALWAYS, "No further mount namespace is visible.";
    NsPidKind: EINVAL lookup, "ns_ioctl", "ioctl_nsfs(2) EINVAL", ALWAYS, "The request is for pid namespaces.";
    NsPidUnknown: ESRCH lookup, "ns_ioctl", "ioctl_nsfs(2) ESRCH", ALWAYS, "No process has this number there, or it has none on the other side.";
    HandleBad: ESTALE lookup, "nsfs_fh_to_dentry", "open_by_handle_at(2) ESTALE", since(6, 18), "No living namespace matches the handle.";
    HandlePermission: ESTALE, "nsfs_fh_to_dentry", "open_by_handle_at(2) ESTALE", since(6, 18), "The caller may not open this namespace; the answer does not admit that it exists.";
    HandleUnsupported: EOPNOTSUPP, "exportfs_encode_fh", "name_to_handle_at(2) EOPNOTSUPP", until(6, 17), "Namespaces have no file handles before 6.18.";
    PidfdOpenFlags: EINVAL, "pidfd_open", "pidfd_open(2) EINVAL", ALWAYS, "An unknown flag, or a number that is not positive.";
    PidfdOpenThread: EINVAL, "pidfd_prepare", "pidfd_open(2) EINVAL", until(6, 14), "The number belongs to a thread that leads no process; ask with PIDFD_THREAD.";
    PidfdOpenNoLeader: ENOENT, "pidfd_prepare", "pidfd_open(2) ENOENT", since(6, 15), "The number belongs to a thread that leads no process; ask with PIDFD_THREAD.";
    PidfdIoctlUnknown: ENOTTY lookup, "pidfd_ioctl", "ioctl_pidfd(2) ENOTTY", ALWAYS, "This kernel has no such request on a pidfd.";
    PidfdIoctlNotPidfd: ENOTTY lookup, "pidfd_ioctl", "ioctl_pidfd(2) ENOTTY", ALWAYS, "The descriptor is not a pidfd.";
    PidfdReaped: ESRCH lookup, "pidfd_ioctl", "ioctl_pidfd(2) ESRCH", ALWAYS, "The process behind the pidfd has been reaped.";
    PidfdArgument: EINVAL, "pidfd_ioctl", "ioctl_pidfd(2) EINVAL", ALWAYS, "The request takes no argument.";
    PidfdZombie: ESRCH lookup, "pidfd_ioctl", "ioctl_pidfd(2) ESRCH", ALWAYS, "The process behind the pidfd has exited and holds no namespaces any more.";
    PidfdKindNotBuilt: EOPNOTSUPP, "pidfd_ioctl", "ioctl_pidfd(2) EOPNOTSUPP", ALWAYS, "This kernel is built without that kind of namespace.";
    PidfdInfoForeign: EREMOTE, "pidfd_info", "ioctl_pidfd(2) EREMOTE", ALWAYS, "The process does not live in the caller's pid namespace or below it.";
    PidfdInfoSize: EINVAL, "pidfd_info", "ioctl_pidfd(2) EINVAL", until(6, 17), "The structure is smaller than its first version of 64 bytes.";
    ListnsMissing: ENOSYS, "listns", "listns(2)", until(6, 18), "The call came with 6.19.";
    ListnsFlags: EINVAL, "listns", "listns(2) EINVAL", ALWAYS, "The call takes no flags.";
    ListnsCount: EOVERFLOW, "listns", "listns(2) EOVERFLOW", ALWAYS, "At most a million ids are answered at once.";
    ListnsSizeTooBig: E2BIG, "copy_ns_id_req", "listns(2) E2BIG", ALWAYS, "The request is larger than a page, or has bytes after the known part.";
    ListnsSizeTooSmall: EINVAL, "copy_ns_id_req", "listns(2) EINVAL", ALWAYS, "The request is smaller than its first version of 32 bytes.";
    ListnsSpare: EINVAL, "copy_ns_id_req", "listns(2) EINVAL", ALWAYS, "A reserved field is not zero.";
    ListnsKind: EOPNOTSUPP, "copy_ns_id_req", "listns(2) EOPNOTSUPP", ALWAYS, "A bit of the mask stands for no kind of namespace.";
    ListnsUser: EINVAL lookup, "prepare_klistns", "listns(2) EINVAL", ALWAYS, "No active user namespace has this id.";
    ListnsAfter: ENOENT lookup, "do_listns", "listns(2) ENOENT", ALWAYS, "No namespace has an id greater than the one given.";
}
"uts" {
    HostnamePrivilege: EPERM, "sethostname", "sethostname(2) EPERM", ALWAYS, "Changing the names needs CAP_SYS_ADMIN in the owner of the uts namespace.";
    HostnameLength: EINVAL, "sethostname", "sethostname(2) EINVAL", ALWAYS, "A name has at most 64 bytes.";
    HostnameFault: EFAULT lookup, "sethostname", "sethostname(2) EFAULT", ALWAYS, "The name cannot be read.";
    HostnameSysctl: EACCES, "proc_sys_permission", "proc_sys_kernel(5)", ALWAYS, "kernel.hostname and kernel.domainname belong to the first user namespace's uid 0.";
}
"ipc" {
    IpcKeyMissing: ENOENT lookup, "ipcget_public", "shmget(2) ENOENT", ALWAYS, "No object has this key in the caller's ipc namespace.";
    IpcKeyExists: EEXIST, "ipcget_public", "shmget(2) EEXIST", ALWAYS, "An object has this key already, and a new one was asked for.";
    IpcAccess: EACCES, "ipcperms", "sysvipc(7)", ALWAYS, "The mode of the object does not let the caller in, nor does CAP_IPC_OWNER in the owner of the namespace.";
    IpcIdentifier: EINVAL lookup, "ipc_obtain_object_check", "shmget(2) EINVAL", ALWAYS, "No object has this identifier in the caller's ipc namespace.";
    IpcRemove: EPERM, "ipcctl_obtain_check", "shmctl(2) EPERM", ALWAYS, "Only owner, creator, or CAP_SYS_ADMIN in the owner of the namespace may remove the object.";
    IpcLimit: ENOSPC, "ipc_addid", "shmget(2) ENOSPC", ALWAYS, "The namespace has as many objects of this kind as its limit allows.";
    ShmSize: EINVAL, "newseg", "shmget(2) EINVAL", ALWAYS, "The size is outside the limits or larger than the segment.";
    ShmPages: ENOSPC, "newseg", "shmget(2) ENOSPC", ALWAYS, "The size in pages is more than a number holds.";
    SemSize: EINVAL, "newary", "semget(2) EINVAL", ALWAYS, "The number of semaphores is outside the limits or larger than the set.";
    SemNumber: EFBIG, "do_semtimedop", "semop(2) EFBIG", ALWAYS, "The set has no semaphore of this number.";
    SemWouldBlock: EAGAIN, "do_semtimedop", "semop(2) EAGAIN", ALWAYS, "The operation would have to wait; the model does not.";
    SemRange: ERANGE, "perform_atomic_semop", "semop(2) ERANGE", ALWAYS, "The value would exceed 32767.";
    MsgSize: EINVAL, "do_msgsnd", "msgsnd(2) EINVAL", ALWAYS, "The message is larger than the namespace allows, or its type is not positive.";
    MsgFull: EAGAIN, "do_msgsnd", "msgsnd(2) EAGAIN", ALWAYS, "The queue is full; the model does not wait.";
    IpcSysctlAccess: EACCES, "ipc_permissions", "ipc_namespaces(7)", ALWAYS, "The limits of an ipc namespace are writable for the root of its owner; before 6.9 for the first root alone.";
    IpcSysctlRange: EINVAL, "proc_dointvec_minmax", "proc_sys_kernel(5)", ALWAYS, "The limit is above the largest that the file takes.";
    MqName: EINVAL, "mq_open", "mq_open(3) EINVAL", ALWAYS, "A queue name is a slash and then no other, without a zero byte.";
    MqNameTooLong: ENAMETOOLONG, "mq_open", "mq_open(3) ENAMETOOLONG", ALWAYS, "A queue name has at most 255 bytes.";
    MqMissing: ENOENT lookup, "mq_open", "mq_open(3) ENOENT", ALWAYS, "The caller's ipc namespace has no queue of this name.";
    MqExists: EEXIST, "mq_open", "mq_open(3) EEXIST", ALWAYS, "The caller's ipc namespace has a queue of this name already.";
    MqLimit: ENOSPC, "mqueue_create_attr", "mq_open(3) ENOSPC", ALWAYS, "The namespace has as many queues as its limit allows.";
    MqAccess: EACCES, "prepare_open", "mq_open(3) EACCES", ALWAYS, "The queue belongs to another user.";
    MqSticky: EPERM, "may_delete", "mq_unlink(3)", ALWAYS, "Only the owner of a queue, or who overrides that, removes it.";
    MqUnmapped: EOVERFLOW, "may_create", "mq_open(3)", ALWAYS, "The caller's file ids have no mapping in the owner of the ipc namespace.";
}
"net" {
    NetDevPrivilege: EPERM, "rtnl_newlink", "capabilities(7) CAP_NET_ADMIN", ALWAYS, "Changing devices needs CAP_NET_ADMIN in the owner of the net namespace.";
    NetDevMissing: ENODEV lookup, "__rtnl_newlink", "netdevice(7) ENODEV", ALWAYS, "The net namespace has no device of this name.";
    NetDevExists: EEXIST, "register_netdevice", "rtnetlink(7) EEXIST", ALWAYS, "The net namespace has a device of this name already.";
    NetDevName: EINVAL, "dev_valid_name", "rtnetlink(7) EINVAL", ALWAYS, "A device name has 1 to 15 bytes and no slash, colon, space or zero byte.";
    NetDevMove: EINVAL, "dev_change_net_namespace", "network_namespaces(7)", ALWAYS, "The loopback device never leaves its namespace.";
    NetDevMoveTarget: EPERM, "rtnl_link_get_net_capable", "rtnetlink(7) EPERM", ALWAYS, "Moving a device needs CAP_NET_ADMIN in the owner of the net namespace it goes to.";
    NetDevDelete: EOPNOTSUPP, "rtnl_delete_link", "rtnetlink(7) EOPNOTSUPP", ALWAYS, "Only devices made by software can be deleted.";
    NetNsFd: EINVAL lookup, "get_net_ns_by_fd", "rtnetlink(7) EINVAL", ALWAYS, "The descriptor names no net namespace.";
    NetUnreachable: ENETUNREACH, "ip_route_output_key", "connect(2) ENETUNREACH", ALWAYS, "The net namespace's loopback device has not been up yet, so there is no route.";
    ConnectNotSocket: ENOTSOCK lookup, "sockfd_lookup", "connect(2) ENOTSOCK", ALWAYS, "Only a socket can be connected.";
    SocketNotOne: ENOTTY lookup, "sock_ioctl", "socket(7)", ALWAYS, "The descriptor is not a socket.";
    SocketNsPrivilege: EPERM, "sock_ioctl", "netns SIOCGSKNS", ALWAYS, "Asking a socket for its net namespace needs CAP_NET_ADMIN in the namespace's owner.";
}
"cgroup" {
    CgroupMissing: ENOENT lookup, "kernfs_walk", "cgroups(7)", ALWAYS, "No cgroup has this path as the caller sees it.";
    CgroupExists: EEXIST, "cgroup_mkdir", "mkdir(2) EEXIST", ALWAYS, "A cgroup of this name exists.";
    CgroupName: EINVAL, "cgroup_mkdir", "mkdir(2) EINVAL", ALWAYS, "A cgroup name is not empty and has no newline.";
    CgroupAccess: EACCES, "cgroup_procs_write_permission", "cgroups(7)", ALWAYS, "The caller owns neither the cgroup nor the nearest one above both ends, and overrides no permission.";
    CgroupChown: EPERM, "setattr_prepare", "chown(2) EPERM", ALWAYS, "Giving a cgroup to somebody needs CAP_CHOWN over its owner.";
    CgroupInUse: EBUSY, "cgroup_destroy_locked", "cgroups(7)", ALWAYS, "The cgroup has processes or children.";
    CgroupDelegation: ENOENT, "cgroup_attach_permissions", "cgroup_namespaces(7) nsdelegate", ALWAYS, "With nsdelegate a migration stays below the root of the caller's cgroup namespace.";
    CgroupInternal: EBUSY, "cgroup_migrate_vet_dst", "cgroups(7)", ALWAYS, "The cgroup has controllers enabled for its children, so it takes no processes itself.";
    CgroupNoController: ENOENT, "cgroup_subtree_control_write", "cgroups(7)", ALWAYS, "A cgroup enables for its children only the controllers that it has from its parent.";
    CgroupControlled: EBUSY, "cgroup_subtree_control_write", "cgroups(7)", ALWAYS, "A controller that a child has enabled for its own children stays enabled.";
    CgroupControllers: EBUSY, "cgroup_vet_subtree_control_enable", "cgroups(7)", ALWAYS, "A cgroup with processes enables no controllers for its children.";
    CgroupPidsMissing: ENOENT lookup, "kernfs_walk", "cgroups(7) pids", ALWAYS, "A cgroup has pids.max while its parent has the pids controller enabled; the root has none.";
    CgroupLimitDelegation: EPERM, "cgroup_file_write", "cgroup_namespaces(7) nsdelegate", ALWAYS, "With nsdelegate the limits of the root of a cgroup namespace are not written from inside.";
    CgroupPidsMaxRange: EINVAL, "pids_max_write", "cgroups(7) pids", ALWAYS, "The limit is max, or a number up to 4194304.";
}
"time" {
    TimeOffsetsPosition: EINVAL, "timens_offsets_write", "time_namespaces(7) EINVAL", ALWAYS, "The offsets are written from offset zero in one go, in less than a page.";
    TimeOffsetsSyntax: EINVAL, "timens_offsets_write", "time_namespaces(7) EINVAL", ALWAYS, "Each line is a clock, seconds, and nanoseconds below a billion.";
    TimeOffsetsGone: ESRCH lookup, "timens_offsets_write", "time_namespaces(7)", ALWAYS, "The process has exited and has no time namespace any more.";
    TimeOffsetsPrivilege: EPERM, "proc_timens_set_offset", "time_namespaces(7) EPERM", ALWAYS, "The opener needs CAP_SYS_TIME in the owner of the time namespace.";
    TimeOffsetsRange: ERANGE, "proc_timens_set_offset", "time_namespaces(7) ERANGE", ALWAYS, "The clock would fall below zero or above half of what the kernel can count.";
    TimeOffsetsFrozen: EACCES, "proc_timens_set_offset", "time_namespaces(7) EACCES", ALWAYS, "A task has entered the time namespace, so its offsets stay.";
}
"mounts" {
    PathMissing: ENOENT lookup, "path_lookupat", "path_resolution(7) ENOENT", ALWAYS, "A component of the path does not exist.";
    PathTooLong: ENAMETOOLONG, "getname_flags", "path_resolution(7) ENAMETOOLONG", ALWAYS, "A path has at most 4,095 bytes.";
    PathNameTooLong: ENAMETOOLONG, "simple_lookup and kin", "path_resolution(7) ENAMETOOLONG", ALWAYS, "A file name has at most 255 bytes.";
    PathNotDir: ENOTDIR lookup, "path_lookupat", "path_resolution(7) ENOTDIR", ALWAYS, "A component of the path is not a directory.";
    PathName: EINVAL, "vfs_mkdir", "mkdir(2) EINVAL", ALWAYS, "A file name is not empty and has no zero byte.";
    PathNoMaking: EPERM, "vfs_mkdir", "mkdir(2) EPERM", ALWAYS, "Nothing can be made in this filesystem.";
    PathExists: EEXIST, "vfs_mkdir", "mkdir(2) EEXIST", ALWAYS, "The name is taken.";
    PathReadOnly: EROFS, "mnt_want_write", "mkdir(2) EROFS", ALWAYS, "The mount or its filesystem is read-only.";
    PathAccess: EACCES, "inode_permission", "mkdir(2) EACCES", ALWAYS, "The mode of the file, or of a directory on the way, does not let the caller in, and its capabilities do not reach the owner.";
    PathOwner: EOVERFLOW, "may_o_create", "mkdir(2) EOVERFLOW", ALWAYS, "The filesystem, or the id mapping of the mount, has no number for the caller's user or group.";
    ChrootPrivilege: EPERM, "chroot", "chroot(2) EPERM", ALWAYS, "chroot needs CAP_SYS_CHROOT in the caller's user namespace.";
    MountStringTooLong: EINVAL, "copy_mount_string", "mount(2)", ALWAYS, "The source and the type of a mount have at most 4,095 bytes each.";
    MountPrivilege: EPERM, "may_mount", "mount(2) EPERM", ALWAYS, "Mounting needs CAP_SYS_ADMIN in the owner of the caller's mount namespace.";
    MountLsm: EACCES, "security_sb_mount", "none", ALWAYS, "A security module refuses the mount.";
    MountGone: ENOENT, "do_lock_mount", "none", since(6, 6), "The place is in a mount that has been unmounted.";
    MountFlags: EINVAL, "flags_to_propagation_type", "mount(2) EINVAL", ALWAYS, "Exactly one propagation type, with MS_REC and MS_SILENT at most.";
    MountNotMountpoint: EINVAL, "path_mounted", "mount(2) EINVAL", ALWAYS, "The path is not the root of a mount.";
    MountForeign: EINVAL, "check_mnt", "mount(2) EINVAL", ALWAYS, "The mount is not in the caller's mount namespace.";
    MountSourceEmpty: EINVAL lookup, "do_loopback", "mount(2) EINVAL", ALWAYS, "A bind or move needs a source.";
    BindLoop: EINVAL, "mnt_ns_loop", "mount_namespaces(7)", ALWAYS, "A mount namespace's file can be mounted only in one with a lower id, as older ones have, so that none ever holds itself; since 6.18 each processor counts for itself.";
    BindUnbindable: EINVAL, "__do_loopback", "mount(2) EINVAL MS_UNBINDABLE", ALWAYS, "The source is marked unbindable.";
    BindForeign: EINVAL, "may_copy_tree", "mount(2) EINVAL", ALWAYS, "The source is a mount of another mount namespace.";
    BindLockedChildren: EINVAL, "has_locked_children", "mount_namespaces(7)", ALWAYS, "A bind without its locked submounts would show what they cover.";
    CopyUnbindableLocked: EPERM, "copy_tree", "mount_namespaces(7)", ALWAYS, "A locked submount that is unbindable can be neither copied nor left out.";
    PropagateNsFile: EINVAL, "copy_tree", "mount_namespaces(7)", ALWAYS, "A mount namespace's file does not propagate.";
    MountNouser: EINVAL, "graft_tree", "none", since(7, 0), "The filesystem at the root of all mounts is the kernel's own, not to be mounted again or changed.";
    MountDirFile: ENOTDIR, "graft_tree", "mount(2) ENOTDIR", ALWAYS, "Directories go on directories and files on files.";
    MountMax: ENOSPC, "count_mounts", "mount(2) ENOSPC mount-max", ALWAYS, "The mount namespace would have more mounts than fs.mount-max.";
    MoveDirFile: EINVAL, "do_move_mount", "mount(2) EINVAL", ALWAYS, "Directories go on directories and files on files.";
    MoveRoot: EINVAL, "do_move_mount", "mount(2) EINVAL", ALWAYS, "The root of the mount tree cannot be moved.";
    MoveLocked: EINVAL, "do_move_mount", "mount_namespaces(7)", ALWAYS, "The mount came from a more privileged namespace and is locked in place.";
    MoveSharedParent: EINVAL, "do_move_mount", "mount(2) EINVAL MS_MOVE", ALWAYS, "A mount whose parent is shared cannot be moved.";
    MoveUnbindable: EINVAL, "do_move_mount", "mount(2) EINVAL MS_MOVE", ALWAYS, "A tree with unbindable mounts cannot move below a shared one.";
    MoveLoop: ELOOP, "do_move_mount", "mount(2) ELOOP", ALWAYS, "A mount cannot move below itself.";
    PropagationUnmounted: EINVAL, "may_change_propagation", "mount(2) EINVAL", ALWAYS, "A mount that has been unmounted passes nothing on.";
    PropagationPrivilege: EPERM, "may_change_propagation", "mount(2) EPERM", ALWAYS, "What a mount passes on is changed by who has CAP_SYS_ADMIN in the owner of its mount namespace.";
    RemountLocked: EPERM, "can_change_locked_flags", "mount_namespaces(7)", ALWAYS, "A flag set by a more privileged namespace cannot be cleared.";
    RemountBusy: EBUSY, "sb_prepare_remount_readonly", "mount(2) EBUSY", ALWAYS, "A filesystem with a file open for writing cannot be made read-only.";
    RemountSuper: EPERM, "do_remount", "mount(2) EPERM", ALWAYS, "Changing the filesystem itself needs CAP_SYS_ADMIN in the user namespace it was mounted from.";
    FsTypeMissing: EINVAL lookup, "do_new_mount", "mount(2) EINVAL", ALWAYS, "A new mount needs a filesystem type.";
    FsTypeUnknown: ENODEV lookup, "get_fs_type", "mount(2) ENODEV", ALWAYS, "The kernel has no such filesystem.";
    FsPrivilege: EPERM, "mount_capable", "mount(2) EPERM", ALWAYS, "This filesystem needs CAP_SYS_ADMIN in the owner of the namespace it shows, or in the first user namespace.";
    MountTooRevealing: EPERM, "mount_too_revealing", "mount_namespaces(7)", ALWAYS, "A new proc or sysfs would show what the ones already visible here hide.";
    ProcPidnsMissing: EINVAL, "proc_parse_param", "proc(5)", until(6, 17), "proc has no option pidns=.";
    ProcPidnsFd: EINVAL lookup, "proc_parse_pidns_param", "proc(5) pidns=", since(6, 18), "The descriptor names no pid namespace.";
    ProcPidnsPrivilege: EPERM, "proc_parse_pidns_param", "proc(5) pidns=", since(6, 18), "Showing a pid namespace needs CAP_SYS_ADMIN in its owner.";
    ProcPidnsScope: EINVAL, "proc_parse_pidns_param", "proc(5) pidns=", since(6, 18), "Only the caller's own pid namespace and those below it can be shown.";
    MountTwice: EBUSY, "do_add_mount", "mount(2) EBUSY", ALWAYS, "The same filesystem is mounted at this very place already.";
    UmountFlags: EINVAL, "ksys_umount", "umount(2) EINVAL", ALWAYS, "An unknown flag, or MNT_EXPIRE with force or detach.";
    UmountNotMountpoint: EINVAL, "can_umount", "umount(2) EINVAL", ALWAYS, "The path is not a mount point.";
    UmountForeign: EINVAL, "check_mnt", "umount(2) EINVAL", ALWAYS, "The mount is not in the caller's mount namespace.";
    UmountLocked: EINVAL, "can_umount", "umount(2) EINVAL", ALWAYS, "The mount came from a more privileged namespace and is locked in place.";
    UmountForce: EPERM, "can_umount", "umount(2) EPERM", ALWAYS, "MNT_FORCE needs CAP_SYS_ADMIN in the user namespace the filesystem was mounted from.";
    UmountRoot: EINVAL, "do_umount", "umount(2) EINVAL", ALWAYS, "The root of the mount tree cannot be unmounted.";
    UmountBusy: EBUSY, "propagate_mount_busy", "umount(2) EBUSY", ALWAYS, "The mount has submounts or is in use.";
    UmountExpire: EAGAIN, "do_umount", "umount(2) EAGAIN", ALWAYS, "The mount is marked expired now; the second such call unmounts it.";
    PivotShared: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "put_old, or the parent of the old or the new root, is shared.";
    PivotForeign: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "Old or new root is not in the caller's mount namespace.";
    PivotLocked: EINVAL, "pivot_root", "mount_namespaces(7)", ALWAYS, "new_root came from a more privileged namespace and is locked in place.";
    PivotBusy: EBUSY, "pivot_root", "pivot_root(2) EBUSY", ALWAYS, "new_root or put_old is on the current root mount.";
    PivotRootNotMount: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "The current root is not the root of a mount.";
    PivotAbsoluteRoot: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "The current root is the initial root mount, which stands on nothing.";
    PivotNewNotMount: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "new_root is not a mount point.";
    PivotPutOld: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "put_old is not at or below new_root.";
    PivotUnreachable: EINVAL, "pivot_root", "pivot_root(2) EINVAL", ALWAYS, "new_root is not below the current root.";
    SetattrMissing: ENOSYS, "mount_setattr", "mount_setattr(2)", until(5, 11), "The call came with 5.12.";
    SetattrFlags: EINVAL, "mount_setattr", "mount_setattr(2) EINVAL", ALWAYS, "An unknown flag or attribute, or a combination that means nothing.";
    SetattrNotMountpoint: EINVAL, "do_mount_setattr", "mount_setattr(2) EINVAL", ALWAYS, "The path is not the root of a mount of the caller's namespace.";
    SetattrLocked: EPERM, "mount_setattr_prepare", "mount_setattr(2) EPERM", ALWAYS, "A flag set by a more privileged namespace cannot be cleared.";
    IdmapFd: EINVAL lookup, "build_mount_idmapped", "mount_setattr(2) EINVAL", ALWAYS, "userns_fd names no user namespace.";
    IdmapInit: EPERM, "build_mount_idmapped", "mount_setattr(2) EPERM", ALWAYS, "The first user namespace is no id mapping.";
    IdmapPrivilege: EPERM, "can_idmap_mount", "mount_setattr(2) EPERM", ALWAYS, "An id-mapped mount needs CAP_SYS_ADMIN in the mapping's user namespace and in the filesystem's.";
    IdmapUnwritten: EINVAL, "copy_mnt_idmap", "mount_setattr(2) EINVAL", since(6, 9), "The user namespace has no maps yet.";
    IdmapOwn: EINVAL, "can_idmap_mount", "mount_setattr(2) EINVAL", since(5, 17), "The filesystem was mounted from this user namespace, and has its maps already.";
    IdmapFilesystem: EINVAL, "can_idmap_mount", "mount_setattr(2) EINVAL", ALWAYS, "The filesystem does not support id-mapped mounts.";
    IdmapAgain: EPERM, "can_idmap_mount", "mount_setattr(2) EPERM", ALWAYS, "A mount is given an id mapping once.";
    IdmapAttached: EINVAL, "can_idmap_mount", "mount_setattr(2) EINVAL", ALWAYS, "Only a mount that is attached nowhere can be given an id mapping.";
    OpenTreeFlags: EINVAL, "open_tree", "open_tree(2) EINVAL", ALWAYS, "An unknown flag, two kinds of copy at once, or recursion without a copy.";
    OpenTreePrivilege: EPERM, "open_tree", "open_tree(2) EPERM", ALWAYS, "A detached copy needs CAP_SYS_ADMIN in the owner of the caller's mount namespace; a namespace made of it, in the caller's user namespace.";
    OpenTreeNotDir: ENOTDIR, "open_new_namespace", "open_tree(2) ENOTDIR", since(7, 2), "The root of a mount namespace is a directory.";
    OpenTreeReveals: EINVAL, "create_new_namespace", "open_tree(2) EINVAL", since(7, 2), "A copy without its submounts would show another owner what they cover.";
    FsmountFlags: EINVAL, "fsmount", "fsmount(2) EINVAL", ALWAYS, "An unknown flag or mount attribute, or access times that exclude each other.";
    StatmountMissing: ENOSYS, "statmount", "statmount(2)", until(6, 7), "The call came with 6.8.";
    StatmountFlags: EINVAL, "statmount", "statmount(2) EINVAL", ALWAYS, "statmount takes no flags, listmount only LISTMOUNT_REVERSE.";
    StatmountNsId: E2BIG, "copy_mnt_id_req", "statmount(2)", until(6, 10), "A mount namespace can be named by its id only since 6.11.";
    StatmountNsFd: EINVAL, "copy_mnt_id_req", "statmount(2)", until(6, 17), "A mount namespace can be named by a descriptor only since 6.18, and in a stable 6.12.";
    StatmountBoth: EINVAL, "copy_mnt_id_req", "statmount(2) EINVAL", ALWAYS, "The mount namespace is named by its id or by a descriptor, not by both.";
    StatmountNotMnt: EINVAL lookup, "grab_requested_mnt_ns", "statmount(2) EINVAL", ALWAYS, "The descriptor names no mount namespace.";
    StatmountNsUnknown: ENOENT lookup, "grab_requested_mnt_ns", "statmount(2) ENOENT", ALWAYS, "No mount namespace has this id.";
    StatmountForeign: EPERM, "statmount", "statmount(2) EPERM", ALWAYS, "Naming another mount namespace by its id needs CAP_SYS_ADMIN in its owner.";
    ListmountForeign: ENOENT, "listmount", "listmount(2) ENOENT", ALWAYS, "Naming another mount namespace by its id needs CAP_SYS_ADMIN in its owner; the answer does not admit that it exists.";
    StatmountUnknown: ENOENT lookup, "do_statmount", "statmount(2) ENOENT", ALWAYS, "The mount namespace has no mount of this number; or it is another one, and has no mount on its lowest one to look from.";
    StatmountReach: EPERM, "do_statmount", "statmount(2) EPERM", ALWAYS, "A mount that the caller's root does not reach is shown only with CAP_SYS_ADMIN in the namespace's owner.";
}
}

pub(super) const PAGE_HEAD: &str = "\
# Rules

Every check that can refuse a call, in the order of the groups of the crate.
The page is generated from the `Rule` enum; a test keeps the two in step. Within
a call the checks stand in the order of the kernel, which decides the errno when
several would refuse.
";

pub(super) const PAGE_TAIL: &str = "
## Left out, and why

| check | why |
|---|---|
| `ENOMEM` of any allocation, also as `ENOSPC` of a ucounts record | the model's memory does not run out; a host can inject it with a hook |
| `EAGAIN` and `EINVAL` of `set_cred_ucounts` | only an allocation failure |
| `ERESTARTNOINTR`, `EINTR` of a signal pending during clone, `EINTR` of net creation | calls are atomic in the model, so no signal arrives inside one |
| `EAGAIN` of `copy_fs` while an exec is in progress | calls are atomic in the model |
| `ENOMEM` of a pid namespace that dies between `alloc_pid` and the task list lock | calls are atomic in the model |
| `EFAULT` and `ESPIPE` of writes to map, setgroups and offset files | the text is a value, and a file has no seek position of its own |
| `EINVAL` of opening a map file of a task that is gone | the task is looked up first: `NoSuchTask` |
| `EINVAL` of setns to an anonymous mount namespace | nothing hands out a descriptor of one |
| `MOVE_MOUNT_BENEATH`, `MOVE_MOUNT_SET_GROUP` | where a mount goes in a stack decides nothing about namespaces; not in the reference |
| sizes, tails and masks of statmount and listmount | the structures are values, and the answer is always whole |
| `EMFILE` of copying a descriptor table, by clone and unshare | the copy is as small as the original |
| errors of the init functions of a net namespace | memory only |
| `EOPNOTSUPP` of threaded and domain cgroups, `ENODEV` of a cgroup that dies during clone | the model has neither kind, and calls are atomic |
| `EINVAL` of chown to an unmapped id | files change hands only in the cgroup filesystem, where it is `SetidUnmapped` |
| `ENOTTY` in place of `ESRCH` for unknown pids in early 6.18, 6.19 and 7.0 | mended within the releases, which the model counts by two numbers |
| `EOVERFLOW` and trailing bytes of file handles, file handles of pidfs | a handle is a value here |
| `EFAULT` and tails of listns(2) and of the ioctl structures | the buffers are values |
| `ELOOP`, `EINVAL` of opening with `O_NOFOLLOW` and of reading a namespace file | links are opened only to be held |
| netlink `NETNSA_*`: ids of net namespaces for each other | names for devices' peers; they decide nothing |
| fanotify marks on mount namespaces, inotify and fanotify counters | they watch, and count no namespaces |
| PTRACE attach, SCM_CREDENTIALS, SO_PEERCRED, scheduling calls | outside the namespace calls |
";
