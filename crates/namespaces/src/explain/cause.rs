//! Causes: the rules of the kernel, and what lies outside them.

// The sentences are shown to people as they stand.
#![allow(clippy::doc_markdown)]

use std::fmt;

use nsproxy::Rule;

/// Why a call is refused, or does not do what was wanted.
///
/// Its [`id`](Cause::id) never changes; the sentences may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A check of the kernel's namespace code, by the name that `nsproxy` gives it.
    Rule(Rule),
    /// Something outside those checks.
    Outside(Outside),
}

impl Cause {
    /// Every cause.
    pub fn all() -> impl Iterator<Item = Cause> {
        let rules = Rule::ALL.iter().copied().map(Cause::Rule);
        rules.chain(Outside::ALL.iter().copied().map(Cause::Outside))
    }

    /// The cause with this identifier.
    pub fn from_id(id: &str) -> Option<Cause> {
        Cause::all().find(|cause| cause.id() == id)
    }

    /// The stable identifier: `UserNsChrooted`, `seccomp`.
    pub const fn id(self) -> &'static str {
        match self {
            Cause::Rule(rule) => rule.name(),
            Cause::Outside(outside) => outside.id(),
        }
    }

    /// One sentence.
    pub const fn says(self) -> &'static str {
        match self {
            Cause::Rule(rule) => rule.says(),
            Cause::Outside(outside) => outside.facts().says,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl From<Rule> for Cause {
    fn from(rule: Rule) -> Cause {
        Cause::Rule(rule)
    }
}

impl From<Outside> for Cause {
    fn from(outside: Outside) -> Cause {
        Cause::Outside(outside)
    }
}

/// What is known about a cause outside the rules.
#[derive(Clone, Copy, Debug)]
pub struct OutsideFacts {
    /// One sentence.
    pub says: &'static str,
    /// How it shows.
    pub shows: &'static str,
    /// What helps, the least far-reaching first.
    pub helps: &'static [&'static str],
}

macro_rules! outside {
    ($( $name:ident $id:literal { $says:literal, $shows:literal, [$($helps:literal),* $(,)?] } )*) => {
        /// A cause that is none of the kernel's namespace rules.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Outside {
            $( #[doc = $says] $name, )*
        }

        impl Outside {
            /// Every one.
            pub const ALL: &'static [Outside] = &[$(Outside::$name,)*];

            /// The stable identifier.
            pub const fn id(self) -> &'static str {
                match self { $(Outside::$name => $id,)* }
            }

            /// What is known about it.
            pub const fn facts(self) -> &'static OutsideFacts {
                match self {
                    $(Outside::$name => &OutsideFacts { says: $says, shows: $shows, helps: &[$($helps),*] },)*
                }
            }
        }
    };
}

outside! {
    Seccomp "seccomp" {
        "A seccomp filter answers this call before the kernel looks at it.",
        "Seccomp is 2 in /proc/PID/status, and a call that the kernel itself would refuse with another number, or not at all, is refused with the filter's.",
        [
            "give the container a seccomp profile that allows the call, for docker and podman --security-opt seccomp=PROFILE.json",
            "for a systemd service set RestrictNamespaces=no, or the kinds it needs, and let SystemCallFilter= have the call",
            "let the container have CAP_SYS_ADMIN only if it is to be trusted like the host: the usual profiles then allow these calls",
        ]
    }
    Clone3Filtered "clone3-filtered" {
        "A seccomp filter answers clone3 with an error other than ENOSYS, so that programs do not fall back to clone.",
        "clone3 without arguments is answered with the filter's number, and not with EINVAL as the kernel does.",
        [
            "update the container runtime or its seccomp profile: for clone3 it must answer ENOSYS",
            "use a program that makes its namespaces with unshare, as util-linux's unshare does",
        ]
    }
    AppArmorUserns "apparmor-userns" {
        "AppArmor lets unprivileged programs without a profile create user namespaces, and takes all capabilities from them inside.",
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1, and the label in /proc/self/attr/current has no profile that allows userns.",
        [
            "install an AppArmor profile that allows userns for this one program",
            "set kernel.apparmor_restrict_unprivileged_userns to 0, which allows it to every program of the machine",
        ]
    }
    AppArmor "apparmor" {
        "The AppArmor profile of this process forbids it.",
        "/proc/self/attr/current names a profile in enforce mode; the kernel log has a line with apparmor=\"DENIED\".",
        [
            "allow it in that profile: userns, mount, pivot_root or capability rules",
            "put that one profile in complain mode with aa-complain",
        ]
    }
    Selinux "selinux" {
        "The SELinux policy forbids it to this domain.",
        "/sys/fs/selinux/enforce is 1; the audit log has an avc: denied line, for user namespaces with class user_namespace.",
        [
            "make a policy module from the audit log with audit2allow, for this domain only",
            "make this one domain permissive with semanage permissive -a DOMAIN",
        ]
    }
    Landlock "landlock" {
        "A Landlock ruleset of this process forbids all changes of mounts, and looking into processes outside its domain.",
        "Landlock is active, and a mount call of a process with the capability for it is refused with EPERM.",
        [
            "do the mounting before the program restricts itself, or from a process that has not",
        ]
    }
    SecurityModule "security-module" {
        "A security module forbids it.",
        "The rules allow the call, no filter answers it, and a security module is active that can refuse it: /sys/kernel/security/lsm.",
        [
            "look into the kernel log and the audit log for its line, and allow this one thing in its policy",
        ]
    }
    UserNamespaceDisabled "user-namespace-disabled" {
        "This kernel was started with user namespaces switched off.",
        "/sys/module/user_namespace/parameters/enable is N.",
        [
            "start the kernel with user_namespace.enable=1",
        ]
    }
    SandboxedKernel "sandboxed-kernel" {
        "This is not Linux but a program that stands in for it, and it lacks the call.",
        "/proc/version or /proc/sys/kernel/ostype names it, or calls are missing that a kernel of this release has.",
        [
            "run it where a real kernel answers: gVisor and its like have no such thing",
        ]
    }
    OldKernel "old-kernel" {
        "This kernel is too old for the call.",
        "The call is answered with ENOSYS, or the release in /proc/sys/kernel/osrelease is before the one that has it.",
        [
            "use a newer kernel, or a program that does without",
        ]
    }
    ProcHidden "proc-hidden" {
        "This /proc hides the processes of others.",
        "The mount of /proc has the option hidepid, and the process has no directory there although it exists.",
        [
            "ask as the user of the process",
            "be in the group that the option gid= of the mount names",
            "mount another proc without hidepid",
        ]
    }
    ProcUnusable "proc-unusable" {
        "There is no /proc here, or it shows another pid namespace than the caller's.",
        "/proc/self does not name the caller.",
        [
            "mount a new proc: mount -t proc proc /proc",
        ]
    }
    Yama "yama" {
        "Yama allows attaching to child processes only.",
        "/proc/sys/kernel/yama/ptrace_scope is 1 or more. It does not act on reading or joining namespaces.",
        [
            "start the program under the debugger",
            "let the program name its debugger with PR_SET_PTRACER",
            "set kernel.yama.ptrace_scope to 0, which allows it to all programs of a user",
        ]
    }
    AlreadyTraced "already-traced" {
        "Another process traces it, and a process has one tracer at a time.",
        "TracerPid in /proc/PID/status is not 0.",
        [
            "let the tracer go first: end strace or the debugger, or have it detach",
            "ask that tracer for what is wanted",
        ]
    }
    NotTraceable "not-traceable" {
        "There is nothing to attach to: it is a thread of the kernel or of the caller's own process, or it has ended.",
        "Kthread is 1 in /proc/PID/status, Tgid there is the caller's, or State is Z.",
        [
            "attach to another process, or from another one",
        ]
    }
    NotBlockDevice "not-a-block-device" {
        "The file system lies on a device, and what is named is none.",
        "/proc/filesystems has the type without nodev, and the source is no block device.",
        ["name a block device, or let mount -o loop make one of an image"]
    }
    PathLoop "path-loop" {
        "The path leads through too many symbolic links.",
        "Following it is answered with ELOOP: a link leads back to itself, or there are more than 40.",
        [
            "set the link right: readlink shows where it leads",
        ]
    }
    NoSubordinateIds "no-subordinate-ids" {
        "The user has no subordinate ids.",
        "/etc/subuid or /etc/subgid has no line for the user.",
        [
            "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER",
            "map only the user's own id, which needs no subordinate ids",
        ]
    }
    SubordinateRange "subordinate-range" {
        "The map asks for ids that the user was not given.",
        "No line of the user in /etc/subuid or /etc/subgid contains the whole range.",
        [
            "ask for a range that a line of the file contains",
            "as root: have the range added with usermod --add-subuids or --add-subgids",
        ]
    }
    HelperMissing "helper-missing" {
        "newuidmap and newgidmap are not installed.",
        "No directory of PATH has them.",
        [
            "as root: install the package uidmap, or shadow-utils",
            "map only the user's own id, which needs no helper",
        ]
    }
    HelperNotExecutable "helper-not-executable" {
        "newuidmap or newgidmap may not be executed by this user.",
        "The mode of the file has no x bit for the user, or a directory on the way can't be searched.",
        [
            "as root: chmod 4755 the file, or install the package uidmap or shadow-utils anew",
            "map only the user's own id, which needs no helper",
        ]
    }
    HelperOtherUser "helper-other-user" {
        "newuidmap and newgidmap write maps only for a process of the user and group who call them.",
        "The owner or group of /proc/PID is not the caller's real user or group id, or that group is not the one of the user in /etc/passwd.",
        [
            "call it as the user of the process",
            "with CAP_SETUID or CAP_SETGID in the parent user namespace: write the map without a helper",
        ]
    }
    HelperUnprivileged "helper-unprivileged" {
        "newuidmap or newgidmap has lost its set-user-id bit and its file capability.",
        "The mode of the file has no s bit, and it has no security.capability attribute.",
        [
            "as root: setcap cap_setuid+ep newuidmap, and cap_setgid+ep newgidmap; or chmod u+s",
        ]
    }
    NoNewPrivs "no-new-privs" {
        "no_new_privs is set, so that set-user-id bits and file capabilities are ignored.",
        "NoNewPrivs is 1 in /proc/PID/status.",
        [
            "start it without: for docker and podman not with --security-opt no-new-privileges, for a systemd service with NoNewPrivileges=no",
            "map only the user's own id, which needs no helper",
        ]
    }
    NosuidMount "nosuid-mount" {
        "The helper lies on a mount with nosuid, so that its set-user-id bit and file capability are ignored.",
        "The mount in /proc/self/mountinfo that holds the helper has the option nosuid.",
        [
            "as root: remount that one with suid, or install the helper elsewhere",
            "map only the user's own id, which needs no helper",
        ]
    }
    NotNamespaceFile "not-a-namespace-file" {
        "The file is none of a namespace, and no namespace is mounted on it here.",
        "The file system of the file is not nsfs.",
        [
            "name a file of a namespace: /proc/PID/ns/KIND, or one on which a namespace is mounted",
            "if the file is the empty one that ip netns or ns pin made: enter the mount namespace in which the namespace is mounted",
        ]
    }
    PidReused "pid-reused" {
        "The process has ended, and its number belongs to another one now.",
        "The pidfd of the process with this number has another inode number than the one given.",
        [
            "look the process up again, and hold it by a pidfd: ns enter and ns show do",
        ]
    }
    InitIgnores "init-ignores-signal" {
        "The process is the first of its pid namespace, which the signals it has no handler for do not reach.",
        "NSpid in /proc/PID/status ends with 1, and the signal is not in SigCgt.",
        [
            "send SIGKILL from outside the pid namespace",
            "put an init beside the program that passes signals on and reaps: ns run does, docker with --init",
        ]
    }
    InitDoesNotReap "init-does-not-reap" {
        "The first process of the pid namespace leaves ended processes unreaped.",
        "Processes in state Z whose parent is the first process of the pid namespace.",
        [
            "put an init beside the program that reaps: ns run does, docker with --init",
        ]
    }
    AlreadyThere "already-there" {
        "The caller is in these namespaces already.",
        "The links in /proc/PID/ns name the same namespaces as those in /proc/self/ns.",
        [
            "run the program as it is: there is nothing to join",
        ]
    }
    Held "held" {
        "Something holds the namespace.",
        "A process, a thread, an open file, a socket, a mount or a namespace below it, each of which ns show lists.",
        [
            "let go of what holds it",
        ]
    }
    MountPropagates "mount-propagates" {
        "The mount will appear in other mount namespaces too: the mount it goes on is shared.",
        "The mount has shared:N in /proc/self/mountinfo.",
        [
            "make the mounts private in a mount namespace of one's own: ns run, or unshare --mount",
        ]
    }
    DeviceNode "device-node" {
        "Device nodes are made only with CAP_MKNOD in the first user namespace.",
        "The caller is in another user namespace, or lacks the capability.",
        [
            "bind the device from outside: mount --bind /dev/NAME TARGET",
        ]
    }
    ChownUnmapped "chown-unmapped" {
        "The id has no mapping in this user namespace.",
        "No line of /proc/self/uid_map or gid_map contains the id.",
        [
            "make the user namespace with a map that contains the id",
        ]
    }
    ChownPrivilege "chown-privilege" {
        "Giving a file away needs CAP_CHOWN, and that the file's owner and group are mapped in the caller's user namespace.",
        "CapEff in /proc/self/status lacks it, or the file belongs to an id without mapping.",
        [
            "do it as root of a user namespace that maps the owner",
        ]
    }
    CgroupNotDelegated "cgroup-not-delegated" {
        "The cgroup was not given to this user.",
        "The directory or its cgroup.procs belongs to another user.",
        [
            "let systemd delegate one: systemd-run --user --scope -p Delegate=yes PROGRAM",
            "as root: give the one directory away with chown, together with its cgroup.procs, cgroup.threads and cgroup.subtree_control",
        ]
    }
    OverlayOptions "overlay-options" {
        "The options of the overlay do not fit together.",
        "A directory is not named or not there, upperdir and workdir do not lie beside each other on one writable mount, a layer is named twice, or an option needs trusted.* attributes, which only the first user namespace has.",
        [
            "name at least two directories for lowerdir, or one and upperdir with workdir, which lie beside each other on one mount",
            "in a user namespace add userxattr, and leave metacopy and redirect_dir out",
        ]
    }
    Unknown "unknown" {
        "Nothing that can be read here explains it.",
        "The rules allow the call, and no filter, sysctl or security module that forbids it is to be seen.",
        [
            "look into the kernel log: dmesg",
        ]
    }
}
