//! The machine the run happens on: its release, its limits, and who the runner is.
//! Asked for, never assumed, so that the model can be told the same.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use nsproxy::op::Op;
use nsproxy::{Cap, CapSet, CapSets, Features, Kernel, Params, Prctl, Release, Resource};

use crate::cgroup::Cgroups;
use crate::error::{self, context};
use crate::sys::probe;

/// What the model has to know.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) params: Params,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    groups: Vec<u32>,
    permitted: CapSet,
    bounding: CapSet,
    no_new_privs: bool,
    securebits: u32,
    limits: [(Resource, u64); 5],
    /// Whether nobody else on the machine has this user id.
    pub(crate) own_uid: bool,
}

fn read(path: &str) -> io::Result<String> {
    context(format_args!("reading {path}"), fs::read_to_string(path))
}

/// The release of the running kernel, as it calls itself.
pub(crate) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// A number that the system shows, if it shows such a one.
fn number(path: &str) -> io::Result<Option<u32>> {
    match read(path) {
        Ok(text) => {
            let number = text.trim().parse();
            number.map(Some).map_err(|_| io::Error::other(format!("{path} has no number: {}", text.trim())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A capability as the manual pages write it.
fn name_of(cap: Cap) -> String {
    let mut name = String::from("CAP");
    for letter in format!("{cap:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The inode of the first user namespace: `PROC_USER_INIT_INO`.
const FIRST_USER_NS: u64 = 0xEFFF_FFFD;

/// The runner stands for the model's first process, so it has to be where that one is, and to
/// see itself in /proc.
pub(crate) fn require_right_place() -> io::Result<()> {
    let own = context("reading /proc/self", fs::read_link("/proc/self"))?;
    if own.to_str() != Some(&std::process::id().to_string()) {
        return Err(io::Error::other(
            "/proc is that of another pid namespace: mount one of this (unshare --mount-proc)",
        ));
    }
    let namespace = fs::metadata("/proc/self/ns/user");
    if namespace.is_ok_and(|namespace| namespace.ino() != FIRST_USER_NS) {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let map: Vec<&str> = map.split_whitespace().collect();
        return Err(io::Error::other(format!(
            "worlds are made from the first user namespace only, and this is another (uid_map \"{}\"): \
             start it outside, as root or as any user",
            map.join(" ")
        )));
    }
    Ok(())
}

/// What the model calls the cgroups of a worker, of the runner there, and of a world.
const HOME: &str = "/w";
const RUNNER: &str = "/w/runner";
pub(crate) const CGROUP: &str = "/w/world";

/// Actors keep what they need at descriptors below this.
const DESCRIPTORS: u64 = 1024;

impl Machine {
    /// Asks the system about itself and this process. Its limits are made equal, hard
    /// and soft, as the model has one number for both.
    pub(crate) fn probe(own_uid: bool) -> io::Result<Machine> {
        let status = read("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).ok_or_else(|| io::Error::other(format!("/proc/self/status has no {name}")))
        };
        let caps = |name: &str| {
            let bits = u64::from_str_radix(field(name)?, 16);
            bits.map(CapSet::from_bits).map_err(io::Error::other)
        };
        let groups: Result<Vec<u32>, _> = field("Groups:")?.split_whitespace().map(str::parse).collect();
        let securebits = rustix::thread::capabilities_secure_bits();
        let mut machine = Machine {
            params: params(&release())?,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            groups: groups.map_err(io::Error::other)?,
            permitted: caps("CapPrm:")?,
            bounding: caps("CapBnd:")?,
            no_new_privs: field("NoNewPrivs:")? == "1",
            securebits: context("asking for securebits", securebits.map_err(Into::into))?.bits(),
            limits: [
                (Resource::Nproc, 0),
                (Resource::Msgqueue, 0),
                (Resource::Sigpending, 0),
                (Resource::Memlock, 0),
                (Resource::Nofile, DESCRIPTORS),
            ],
            own_uid,
        };
        for (resource, limit) in &mut machine.limits {
            *limit = context(format_args!("setting a limit ({resource:?})"), level(*resource, *limit))?;
            if *resource == Resource::Nofile && *limit < DESCRIPTORS {
                return Err(io::Error::other(format!(
                    "the limit on descriptors is {limit}, and worlds take {DESCRIPTORS}: raise it (ulimit -n)"
                )));
            }
        }
        Ok(machine)
    }

    /// Why no world could be made, and what there is about this process that may be why.
    pub(crate) fn world_not_made(&self, error: &io::Error) -> io::Error {
        let mut text = format!("making a world: {}", error::words(error));
        let mut add = |why: &str| {
            text.push_str("; ");
            text.push_str(why);
        };
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                if self.no_new_privs {
                    add("the runner has no_new_privs: start it without");
                } else if self.uid == 0
                    && let Some(lacking) = self.lacking()
                {
                    add(&format!("the runner lacks {lacking}: start it with all that root has"));
                }
            }
            io::ErrorKind::WouldBlock => {
                let processes = self.limits.iter().find(|(resource, _)| *resource == Resource::Nproc);
                if let Some((_, limit)) = processes.filter(|(_, limit)| *limit != nsproxy::RLIM_INFINITY) {
                    add(&format!("the limit on processes is {limit}: raise it (ulimit -u)"));
                }
            }
            _ => {}
        }
        io::Error::new(error.kind(), text)
    }

    /// The capabilities that this process may not have.
    fn lacking(&self) -> Option<String> {
        let permitted = self.permitted.bits();
        let lacking: Vec<Cap> =
            Cap::ALL.iter().copied().filter(|cap| permitted >> *cap as u8 & 1 == 0).collect();
        match lacking.len() {
            0 => None,
            1..6 => Some(lacking.iter().map(|cap| name_of(*cap)).collect::<Vec<_>>().join(", ")),
            many => Some(format!("{many} capabilities")),
        }
    }

    /// Whether the runner may make namespaces without a user namespace of its own.
    pub(crate) fn privileged(&self) -> bool {
        let admin = 1 << Cap::SysAdmin as u8;
        self.uid == 0 && self.permitted.bits() & admin != 0
    }

    /// A kernel of the model whose first process is like the runner, and perhaps in a
    /// cgroup beside that of the world, both below one that it owns.
    pub(crate) fn boot(&self, cgroups: Cgroups) -> Kernel {
        let mut kernel = Kernel::boot(self.params.clone());
        let init = kernel.init();
        let path = String::from;
        let mut ops = Vec::new();
        if cgroups > Cgroups::None {
            ops.push(Op::CgroupMkdir(path(HOME)));
            if cgroups == Cgroups::Controlled {
                ops.push(Op::CgroupSubtreeControl { path: path("/"), on: true });
                ops.push(Op::CgroupSubtreeControl { path: path(HOME), on: true });
            }
            ops.push(Op::CgroupMkdir(path(RUNNER)));
            ops.push(Op::CgroupMove { path: path(RUNNER), pid: 0 });
            ops.push(Op::CgroupChown { path: path(HOME), owner: self.uid });
        }
        ops.extend(self.like_the_runner());
        if cgroups > Cgroups::None {
            ops.push(Op::CgroupMkdir(path(CGROUP)));
        }
        for op in ops {
            kernel.apply(init, &op).unwrap_or_else(|denial| panic!("the model's init: {op:?}: {denial}"));
        }
        kernel
    }

    /// What the model's init does to become like the runner.
    fn like_the_runner(&self) -> Vec<Op> {
        let mut ops: Vec<Op> = self
            .limits
            .iter()
            .map(|(resource, limit)| Op::Prlimit { resource: *resource, limit: *limit })
            .collect();
        ops.push(Op::Setgroups(self.groups.clone()));
        let full = CapSet::FULL.bits();
        let missing = (0..64).filter(|cap| (full & !self.bounding.bits()) >> cap & 1 != 0);
        ops.extend(missing.map(|cap| Op::Prctl(Prctl::CapbsetDrop(cap))));
        if self.gid != 0 {
            ops.push(Op::Setresgid([self.gid; 3]));
        }
        if self.uid == 0 {
            // Those of a user end with the first user namespace that is left.
            if self.securebits != 0 {
                ops.push(Op::Prctl(Prctl::SetSecurebits(self.securebits)));
            }
            let (effective, permitted) = (self.permitted, self.permitted);
            ops.push(Op::Capset(CapSets { effective, permitted, inheritable: CapSet::EMPTY }));
        } else {
            ops.push(Op::Setresuid([self.uid; 3]));
        }
        if self.no_new_privs {
            ops.push(Op::Prctl(Prctl::SetNoNewPrivs(1)));
        }
        ops
    }
}

fn params(release: &str) -> io::Result<Params> {
    let known = Release::parse(release)
        .ok_or_else(|| io::Error::other(format!("no release of the kernel: {release}")))?;
    let sysctl = |path: &str| {
        number(path)?.ok_or_else(|| io::Error::other(format!("{path} is not there: mount a whole proc")))
    };
    let mut features = Features::default();
    features.unprivileged_userns_clone =
        number("/proc/sys/kernel/unprivileged_userns_clone")?.map(|value| value != 0);
    features.nsdelegate = fs::read_to_string("/proc/self/mountinfo").is_ok_and(|text| {
        text.lines().any(|line| line.contains(" - cgroup2 ") && line.contains("nsdelegate"))
    });
    let tried = |fault: Option<bool>| fault.unwrap_or(false);
    features.refused_unshare_loses_root = tried(probe::refused_unshare_loses_root());
    features.setns_needs_own_fs = tried(probe::setns_needs_own_fs());
    features.dumpable_outlives_memory = probe::dumpable_outlives_memory().unwrap_or(true);
    features.pidfd_access_first = tried(probe::pidfd_access_first());
    features.owner_forces_umount = probe::owner_forces_umount().unwrap_or(true);
    features.any_propagation_changed = tried(probe::any_propagation_changed());
    features.unmounted_place_is_gone = tried(probe::unmounted_place_is_gone());
    features.mnt_ns_fd = tried(probe::mnt_ns_fd());
    features.ipc_sysctls_of_owner = tried(probe::ipc_sysctls_of_owner());
    for kind in nsproxy::NsKind::ALL {
        features.set_built(kind, fs::exists(format!("/proc/self/ns/{}", kind.name())).unwrap_or(true));
    }
    Ok(Params {
        release: known,
        features,
        threads_max: sysctl("/proc/sys/kernel/threads-max")?,
        pid_max: sysctl("/proc/sys/kernel/pid_max")?,
        mount_max: sysctl("/proc/sys/fs/mount-max")?,
        suid_dumpable: u8::try_from(sysctl("/proc/sys/fs/suid_dumpable")?).unwrap_or(0),
        // What the kernel gives back a little later is waited for: see `run`.
        deferred_release: false,
        ..Params::default()
    })
}

/// Makes a limit of this process the same, hard and soft, and says what it is.
fn level(resource: Resource, wish: u64) -> io::Result<u64> {
    use rustix::process::{Resource as Limit, Rlimit, getrlimit, setrlimit};
    let limit = match resource {
        Resource::Nproc => Limit::Nproc,
        Resource::Msgqueue => Limit::Msgqueue,
        Resource::Sigpending => Limit::Sigpending,
        Resource::Memlock => Limit::Memlock,
        Resource::Nofile => Limit::Nofile,
    };
    let hard = getrlimit(limit).maximum;
    let value = match (wish, hard) {
        (0, hard) => hard,
        (wish, Some(hard)) => Some(wish.min(hard)),
        (wish, None) => Some(wish),
    };
    setrlimit(limit, Rlimit { current: value, maximum: value })?;
    Ok(value.unwrap_or(nsproxy::RLIM_INFINITY))
}
