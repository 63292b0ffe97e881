//! The words of the language: what `CALLS.md` and `ns sim --calls` list.

use alloc::string::String;
use core::fmt::Write;

/// A call, a question or a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// How it is written: capitals stand for something else, brackets for what may be left out.
    pub usage: &'static str,
    /// A line that can be read.
    pub example: &'static str,
    /// What it stands for.
    pub says: &'static str,
}

impl Word {
    /// The word itself.
    pub fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }
}

const fn call(usage: &'static str, example: &'static str, says: &'static str) -> Word {
    Word { usage, example, says }
}

const fn plain(usage: &'static str, says: &'static str) -> Word {
    Word { usage, example: usage, says }
}

/// What stands behind `TASK:`.
pub const CALLS: &[Word] = &[
    call("fork", "fork", "fork(2)"),
    call("vfork", "vfork", "vfork(2)"),
    call(
        "clone [WHAT...]",
        "clone uts pid",
        "clone3(2) with these flags and `SIGCHLD`, for a thread or a sibling without",
    ),
    call(
        "clone-tid TID,... [WHAT...]",
        "clone-tid 100,1 pid",
        "the same with the numbers wanted, the deepest namespace first",
    ),
    call(
        "clone3 FLAGS SIGNAL TID,...|- CGROUP",
        "clone3 0x4000000 17 - -1",
        "clone3(2), all in numbers; -1 is no cgroup",
    ),
    call(
        "clone3-odd FLAGS ODDITY",
        "clone3-odd 0x0 fault",
        "clone3(2) with a structure that is wrong in one way",
    ),
    call("old-clone FLAGS", "old-clone 0x4000011", "clone(2), all bits as they are"),
    call("unshare [WHAT...]", "unshare user uts", "unshare(2)"),
    call("setns FD [WHAT...]", "setns 3 uts", "setns(2)"),
    call("exit [CODE]", "exit 3", "exit_group(2): the whole process"),
    call("exit-thread [CODE]", "exit-thread 0", "exit(2): the thread"),
    call("wait [TASK [OPTIONS]]", "wait 2 0x1", "wait4(2)"),
    call("kill TASK SIGNAL", "kill 2 9", "kill(2); `-TASK` is its group"),
    call("pidfd-kill FD SIGNAL FLAGS", "pidfd-kill 3 9 0x0", "pidfd_send_signal(2)"),
    call("tgkill TASK THREAD SIGNAL", "tgkill 2 3 9", "tgkill(2)"),
    call("ignore SIGNAL", "ignore 17", "rt_sigaction(2) with `SIG_IGN`"),
    call("sigaction SIGNAL default|ignore|handle", "sigaction 15 handle", "rt_sigaction(2)"),
    call("sigprocmask BITS", "sigprocmask 0x4000", "rt_sigprocmask(2), `SIG_SETMASK`"),
    call(
        "exec [setuid=UID] [setgid=GID] [caps=P,I,E,ROOTID] [unreadable] [not-executable] [nosuid]",
        "exec setuid=0",
        "execve(2) of a program like this",
    ),
    call("setsid", "setsid", "setsid(2)"),
    call("setpgid TASK GROUP", "setpgid 0 0", "setpgid(2)"),
    call("reboot restart|halt|other", "reboot halt", "reboot(2)"),
    call("setuid ID", "setuid 1000", "setresuid(2) with all three the same"),
    call("setuid REAL EFFECTIVE SAVED", "setuid 1 2 3", "setresuid(2)"),
    call("setuid-plain ID", "setuid-plain 1000", "setuid(2)"),
    call("setreuid REAL EFFECTIVE", "setreuid 1 2", "setreuid(2)"),
    call("setfsuid ID", "setfsuid 1000", "setfsuid(2)"),
    call("setgid ID", "setgid 1000", "setresgid(2) with all three the same"),
    call("setgid REAL EFFECTIVE SAVED", "setgid 1 2 3", "setresgid(2)"),
    call("setgid-plain ID", "setgid-plain 1000", "setgid(2)"),
    call("setregid REAL EFFECTIVE", "setregid 1 2", "setregid(2)"),
    call("setfsgid ID", "setfsgid 1000", "setfsgid(2)"),
    call("setgroups-call GID,...|-|too-many", "setgroups-call 1,2", "setgroups(2); `setgroups` is the file"),
    call("drop-caps", "drop-caps", "capset(2) with nothing"),
    call("keep-caps BITS", "keep-caps 0x200000", "capset(2) with these effective and permitted"),
    call("capset EFFECTIVE PERMITTED INHERITABLE", "capset 0x1 0x1 0x0", "capset(2)"),
    call(
        "capset-of TASK EFFECTIVE PERMITTED INHERITABLE",
        "capset-of 2 0x1 0x1 0x0",
        "capset(2) with a number in the header",
    ),
    call("subreaper", "subreaper", "prctl(2) `PR_SET_CHILD_SUBREAPER`"),
    call("no-new-privs", "no-new-privs", "prctl(2) `PR_SET_NO_NEW_PRIVS`"),
    call(
        "prctl OPERATION VALUE",
        "prctl securebits 0x1",
        "prctl(2): subreaper, no-new-privs, securebits, keepcaps, dumpable, pdeathsig, bounding-drop, ambient-raise, ambient-lower, ambient-clear",
    ),
    call("rlimit-nproc LIMIT", "rlimit-nproc 10", "prlimit(2) of the caller's `RLIMIT_NPROC`"),
    call(
        "rlimit RESOURCE LIMIT",
        "rlimit nofile 10",
        "prlimit(2): nproc, msgqueue, sigpending, memlock, nofile",
    ),
    call("rlimit-of TASK RESOURCE SOFT HARD", "rlimit-of 2 nofile 10 20", "prlimit(2) of another"),
    call("uid_map TASK LINES", "uid_map 2 x", "writes the file; likewise gid_map and projid_map"),
    call("gid_map TASK LINES", "gid_map 2 x", "writes the file"),
    call("projid_map TASK LINES", "projid_map 2 x", "writes the file"),
    call("setgroups TASK WORD", "setgroups 2 deny", "writes the file; `setgroups-call` is the call"),
    call("timens_offsets TASK LINES", "timens_offsets 2 x", "writes the file"),
    call("open-map TASK uid_map|gid_map|projid_map", "open-map 2 uid_map", "opens the file for writing"),
    call("open-setgroups TASK", "open-setgroups 2", "opens the file for writing"),
    call("open-timens_offsets TASK", "open-timens_offsets 2", "opens the file for writing"),
    call("write FD TEXT", "write 3 x", "write(2) to one of these"),
    call("limit KIND COUNT", "limit uts 5", "writes `/proc/sys/user/max_KIND_namespaces`"),
    call("pid_max COUNT", "pid_max 1000", "writes `kernel.pid_max`"),
    call("ns_last_pid NUMBER", "ns_last_pid 100", "writes `kernel.ns_last_pid`"),
    call(
        "ipc-sysctl NAME VALUE",
        "ipc-sysctl shmmni 5",
        "writes one of the files `kernel.shm*`, `kernel.msg*`, `fs.mqueue.queues_max`",
    ),
    call("sethostname NAME", "sethostname box", "sethostname(2)"),
    call(
        "sethostname-odd LENGTH fault|readable",
        "sethostname-odd 3 fault",
        "sethostname(2) with a length of its own",
    ),
    call("write-hostname NAME", "write-hostname box", "writes `kernel.hostname`"),
    call("setdomainname NAME", "setdomainname box", "setdomainname(2)"),
    call("open TASK LINK", "open 2 uts", "opens `/proc/TASK/ns/LINK`"),
    call("open-rw TASK LINK", "open-rw 2 uts", "the same for writing"),
    call("list TASK", "list 2", "lists the directory `/proc/TASK/ns`"),
    call(
        "reopen FD as-it-is|other-id|other-type",
        "reopen 3 other-id",
        "name_to_handle_at(2), then open_by_handle_at(2)",
    ),
    call("listns SIZE SPARE NS_ID NS_TYPE USER_NS_ID", "listns 32 0 0 0x0 0", "listns(2)"),
    call("pidfd TASK [FLAGS]", "pidfd 2 0x0", "pidfd_open(2)"),
    call(
        "ns-ioctl FD REQUEST ARGUMENT",
        "ns-ioctl 3 userns 0",
        "ioctl(2) on a namespace: userns, parent, nstype, owner-uid, mntns-id, id, pid-from, tgid-from, pid-in, tgid-in, next, prev, info, unknown",
    ),
    call("pidfd-ioctl FD LINK|info|unknown ARGUMENT", "pidfd-ioctl 3 info 64", "ioctl(2) on a pidfd"),
    call("dup FD", "dup 3", "fcntl(2) `F_DUPFD_CLOEXEC`"),
    call("close FD", "close 3", "close(2)"),
    call("mount FSTYPE TARGET", "mount tmpfs /mnt", "mount(2) of a new filesystem"),
    call(
        "mount HOW SOURCE TARGET",
        "mount bind /mnt /tmp",
        "mount(2): bind, rbind, move, remount, remount-ro",
    ),
    call("mount SOURCE TARGET FSTYPE FLAGS", "mount none /mnt tmpfs 0x0", "mount(2), all in numbers"),
    call("propagation HOW TARGET", "propagation shared /mnt", "mount(2): shared, private, slave, unbindable"),
    call("umount TARGET [FLAGS]", "umount /mnt 0x2", "umount2(2)"),
    call("umount-lazy TARGET", "umount-lazy /mnt", "umount2(2) `MNT_DETACH`"),
    call("bind-ns FD TARGET", "bind-ns 3 /f", "mount(2) of a namespace's file"),
    call(
        "mount_setattr PATH FLAGS SET CLEAR PROPAGATION USERNS_FD",
        "mount_setattr /mnt 0x0 0x1 0x0 0x0 0",
        "mount_setattr(2) by path",
    ),
    call(
        "mount_setattr-fd FD FLAGS SET CLEAR PROPAGATION USERNS_FD",
        "mount_setattr-fd 3 0x0 0x1 0x0 0x0 0",
        "mount_setattr(2) by descriptor",
    ),
    call("open_tree PATH FLAGS", "open_tree /mnt 0x1", "open_tree(2)"),
    call("fsmount FSTYPE FLAGS ATTR", "fsmount tmpfs 0x0 0x0", "fsopen(2), fsconfig(2), fsmount(2)"),
    call("move_mount FD TARGET", "move_mount 3 /mnt", "move_mount(2)"),
    call("mount-proc FD TARGET", "mount-proc 3 /mnt", "mount(2) of proc with `pidns=`"),
    call(
        "listmount root|FD|nobody own|id=FD|fd=FD|both=FD|nobody FLAGS",
        "listmount root own 0x0",
        "listmount(2): below which mount, in which namespace",
    ),
    call(
        "statmount FD|nobody own|id=FD|fd=FD|both=FD|nobody FLAGS",
        "statmount 3 own 0x0",
        "statmount(2) of the mount of a descriptor",
    ),
    call("pivot_root NEW OLD", "pivot_root /mnt /mnt/old", "pivot_root(2)"),
    call("chroot PATH", "chroot /mnt", "chroot(2)"),
    call("chdir PATH", "chdir /mnt", "chdir(2)"),
    call("mkdir PATH", "mkdir /mnt/a", "mkdir(2)"),
    call("mknod PATH", "mknod /f", "mknod(2) of a regular file"),
    call("veth NAME PEER", "veth a b", "a pair of connected devices"),
    call("move-device NAME FD", "move-device a 3", "to the net namespace of the descriptor"),
    call("delete-device NAME", "delete-device a", "with its peer"),
    call("up NAME", "up lo", "switches a device on"),
    call("down NAME", "down lo", "switches it off"),
    call("socket", "socket", "socket(2)"),
    call("connect FD", "connect 3", "connect(2) to 127.0.0.1"),
    call("socket-namespace FD", "socket-namespace 3", "ioctl(2) `SIOCGSKNS`"),
    call(
        "cgroup-mkdir PATH",
        "cgroup-mkdir /a",
        "mkdir(2) in the cgroup filesystem, below the root of the caller's namespace",
    ),
    call("cgroup-rmdir PATH", "cgroup-rmdir /a", "rmdir(2) there"),
    call("cgroup-move PATH [TASK]", "cgroup-move /a 2", "writes `cgroup.procs`"),
    call("cgroup-open PATH", "cgroup-open /a", "opens the directory, for `clone into`"),
    call("cgroup-chown PATH UID", "cgroup-chown /a 1000", "gives a cgroup to somebody"),
    call("cgroup-pids-max PATH COUNT|max", "cgroup-pids-max /a 5", "writes `pids.max`"),
    call(
        "cgroup-subtree-control PATH on|off",
        "cgroup-subtree-control /a on",
        "writes `+memory +pids` or `-memory -pids` to `cgroup.subtree_control`",
    ),
    call("shmget KEY", "shmget 7", "shmget(2) of an existing segment"),
    call("shmget-create KEY", "shmget-create 7", "shmget(2) `IPC_CREAT`, mode 0600"),
    call("shmget KEY SIZE FLAGS", "shmget 7 1 0x380", "shmget(2)"),
    call("shmat ID", "shmat 0", "shmat(2)"),
    call("shmdt ID", "shmdt 0", "shmdt(2)"),
    call("shm-remove ID", "shm-remove 0", "shmctl(2) `IPC_RMID`"),
    call("semget KEY COUNT FLAGS", "semget 7 1 0x380", "semget(2)"),
    call("semop ID NUMBER CHANGE undo|plain", "semop 0 0 1 undo", "semop(2)"),
    call("sem-value ID NUMBER", "sem-value 0 0", "semctl(2) `GETVAL`"),
    call("sem-remove ID", "sem-remove 0", "semctl(2) `IPC_RMID`"),
    call("msgget KEY FLAGS", "msgget 7 0x380", "msgget(2)"),
    call("msgsnd ID TYPE TEXT", "msgsnd 0 1 x", "msgsnd(2)"),
    call("msgsnd-long ID TYPE", "msgsnd-long 0 1", "msgsnd(2) of more than a message may have"),
    call("msgrcv ID", "msgrcv 0", "msgrcv(2)"),
    call("msg-remove ID", "msg-remove 0", "msgctl(2) `IPC_RMID`"),
    call("mq_open NAME CREATE EXCLUSIVE", "mq_open /q on off", "mq_open(3), each `on` or `off`"),
    call("mq_unlink NAME", "mq_unlink /q", "mq_unlink(3)"),
    call(
        "settle-all",
        "settle-all",
        "no call: what the kernel does a little later is done, as with `settle`",
    ),
];

/// What stands behind `TASK: sees`, and what it is answered with.
pub const QUESTIONS: &[Word] = &[
    plain("pid TASK", "the number of `TASK` here, 0 if it is not seen"),
    plain("tgid", "the own process id"),
    plain("parent", "the parent's; 0 for a parent outside"),
    plain("state TASK", "`running`, `stopped`, `dying`, `zombie`, `gone`"),
    plain("same LINK TASK [LINK]", "`yes` if the own link and that of `TASK` lead to one namespace"),
    plain("fd FD LINK TASK", "`yes` if the descriptor stands for that namespace"),
    plain("hostname", "the name"),
    plain("domainname", "the name"),
    plain("uid", "the effective id"),
    plain("gid", "the effective id"),
    plain("uid_map TASK", "its lines with commas between, or `empty`"),
    plain("gid_map TASK", "the same"),
    plain("projid_map TASK", "the same"),
    plain("setgroups TASK", "`allow` or `deny`"),
    plain("effective", "`full`, `none`, or the bits"),
    plain("permitted", "`full`, `none`, or the bits"),
    plain("inheritable", "`full`, `none`, or the bits"),
    plain("bounding", "`full`, `none`, or the bits"),
    plain("ambient", "`full`, `none`, or the bits"),
    plain("securebits", "a number"),
    plain("cwd", "a path, or `unreachable`"),
    plain("mount PATH", "`no`, `private`, `shared`, `slave`, `slave+shared`, `unbindable`"),
    plain("options PATH", "of the topmost mount there"),
    plain("peer PATH TASK PATH", "`yes` if both mounts are in one peer group"),
    plain("master PATH TASK PATH", "`yes` if the first gets from the group of the second"),
    plain("timens_offsets TASK", "its lines with a comma between"),
    plain("clock NAME TASK", "by how many seconds the own clock is ahead of that of `TASK`"),
    plain("cgroup TASK", "a path"),
    plain("devices", "the names of the network devices"),
    plain("limit KIND", "how many namespaces a user may have here"),
];

/// Lines without a task.
pub const DIRECTIVES: &[Word] = &[
    plain("release VERSION", "the release of the kernel; comes first"),
    plain("settle", "what the kernel does a little later is done: charges of dead namespaces come back"),
    plain("show", "draws the picture"),
    plain("clock SECONDS", "sets the machine's clocks"),
    plain("hook userns_create ERRNO", "something outside the namespace rules refuses new user namespaces"),
    plain("patch unprivileged_userns_clone on|off", "the sysctl of Debian and Ubuntu"),
    plain("== NAME", "another scenario begins, with a fresh kernel"),
];

const HEAD: &str = "\
# The words

`TASK` and `FD` are names given by `->`, or numbers as the caller sees them. `WHAT` is a
kind of namespace (`user`, `mnt`, `uts`, `ipc`, `pid`, `cgroup`, `net`, `time`, `all`),
something shared or asked for (`fs`, `files`, `vm`, `sighand`, `thread`, `parent`, `vfork`,
`pidfd`, `sysvsem`, `into`) or a number behind `0x`. `LINK` is a name below `/proc/PID/ns`.
Some words are not the name of the call they make: `setuid` is setresuid(2), `exit` is
exit_group(2), `clone` is clone3(2).
";

/// `CALLS.md`: all words, as three tables.
pub fn calls_page() -> String {
    let mut page = String::from(HEAD);
    for (title, first, words) in [
        ("Calls", "call", CALLS),
        ("Questions, behind `TASK: sees`", "question", QUESTIONS),
        ("Lines without a task", "line", DIRECTIVES),
    ] {
        let _ = write!(page, "\n## {title}\n\n| {first} | |\n|---|---|\n");
        for word in words {
            let _ = writeln!(page, "| `{}` | {} |", word.usage.replace('|', "\\|"), word.says);
        }
    }
    page
}
