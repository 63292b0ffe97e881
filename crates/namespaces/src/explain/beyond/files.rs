//! Files, devices, cgroups, and the loopback device.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nsproxy::Rule;
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{allowed, outside, refused};
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::error::Error;
use crate::explain::answer::Verdict;
use crate::explain::cause::{Cause, Outside};
use crate::explain::decide::{Case, open};
use crate::explain::evidence::Evidence;
use crate::explain::load::Assumed;
use crate::explain::lookup;
use crate::explain::question::Question;
use crate::explain::state::{OVERFLOW, covering};
use crate::explain::trial::Seen;
use crate::handle::Namespace;
use crate::idmap::Extent;
use crate::kind::{Kind, Link};
use crate::sys;

const CAP_CHOWN: Capabilities = Capabilities::from_bits(1);
const CAP_MKNOD: Capabilities = Capabilities::from_bits(1 << 27);

fn has(map: &[Extent], id: u32) -> bool {
    map.iter().any(|extent| id >= extent.inside && id - extent.inside < extent.count)
}

fn lines(map: &[Extent]) -> String {
    map.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// chown(2): the ids must have a mapping, and then `CAP_CHOWN` must reach the file.
pub(super) fn chown(case: &Case<'_>, path: &Path, uid: Option<u32>, gid: Option<u32>) -> Verdict {
    let state = case.state;
    let shown = path.display().to_string();
    if let Some(verdict) = not_followed(case, &shown).or_else(|| read_only(case, path)) {
        return verdict;
    }
    let wanted = [("/proc/self/uid_map", &state.uid_map, uid), ("/proc/self/gid_map", &state.gid_map, gid)];
    for (file, map, id) in wanted {
        if let (Some(map), Some(id)) = (map, id)
            && !has(map, id)
        {
            let evidence = vec![Evidence::file(file, format!("is {:?}, without {id}", lines(map)))];
            return outside(case, Outside::ChownUnmapped, Some(Errno::EINVAL), evidence);
        }
    }
    let Ok(meta) = std::fs::metadata(path) else {
        let evidence = vec![Evidence::file(shown, "does not exist or can't be seen")];
        return refused(case, Rule::PathMissing, Some(Errno::ENOENT), evidence);
    };
    let foreign = !state.is_first() && (meta.uid() == OVERFLOW || meta.gid() == OVERFLOW);
    let changes_owner = uid.is_some_and(|uid| uid != meta.uid());
    let own = state.status.as_ref();
    let changes_group = gid.is_some_and(|gid| {
        gid != meta.gid() && own.is_some_and(|status| status.gids[3] != gid && !status.groups.contains(&gid))
    });
    // Without an id to set, nobody is asked.
    let sets = uid.is_some() || gid.is_some();
    let not_owner = sets && own.is_some_and(|status| status.uids[3] != meta.uid());
    if (changes_owner || changes_group || not_owner) && (!state.has(CAP_CHOWN) || foreign) {
        let mut evidence = vec![Evidence::file(
            path.display().to_string(),
            format!("belongs to {}:{} as seen here", meta.uid(), meta.gid()),
        )];
        evidence.push(crate::explain::grounds::capabilities(state));
        return outside(case, Outside::ChownPrivilege, Some(Errno::EPERM), evidence);
    }
    allowed(format!("{} belongs to the new owner", path.display()))
}

/// A path that the kernel can't follow.
fn not_followed(case: &Case<'_>, path: &str) -> Option<Verdict> {
    let errno = case.machine.eyes().stat(path).err()?;
    let evidence = vec![lookup::stopped(case.machine, path, errno)];
    Some(refused(case, lookup::cause(errno)?, Some(errno), evidence))
}

/// `mnt_want_write`: nothing is changed on a read-only mount.
fn read_only(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let flags = rustix::fs::statvfs(path).ok()?.f_flag;
    let shown = path.display().to_string();
    flags.contains(rustix::fs::StatVfsMountFlags::RDONLY).then(|| {
        let evidence = vec![Evidence::call(format!("statvfs({shown:?})"), "says ST_RDONLY")];
        refused(case, Rule::PathReadOnly, Some(Errno::EROFS), evidence)
    })
}

/// Why no file of this name can be made, of whatever type: `filename_create` and `may_create`.
fn not_made(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let shown = path.display().to_string();
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = above.display().to_string();
    if let Some(verdict) = not_followed(case, &format!("{directory}/.")) {
        return Some(verdict);
    }
    if path.symlink_metadata().is_ok() {
        let evidence = vec![Evidence::file(shown, "is there already")];
        return Some(refused(case, Rule::PathExists, Some(Errno::EEXIST), evidence));
    }
    read_only(case, above).or_else(|| unwritable(case, above))
}

pub(super) fn unwritable(case: &Case<'_>, directory: &Path) -> Option<Verdict> {
    let refused_with =
        accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).err()?;
    let shown = directory.display().to_string();
    let owner = case.machine.eyes().stat(&shown).map_or(OVERFLOW, |(_, owner)| owner);
    let says = format!("belongs to user {owner}, and the caller may not write to it");
    let evidence = vec![Evidence::file(shown, says)];
    let denied = refused_with == rustix::io::Errno::ACCESS;
    denied.then(|| refused(case, Rule::PathAccess, Some(Errno::EACCES), evidence))
}

/// mknod(2) EPERM: `CAP_MKNOD` in the first user namespace, asked for after all that hinders
/// other files too.
pub(super) fn device(case: &Case<'_>, path: &Path) -> Verdict {
    let state = case.state;
    if let Some(verdict) = not_made(case, path) {
        return verdict;
    }
    if state.is_first() && state.has(CAP_MKNOD) {
        return allowed("the device node is made");
    }
    let evidence = if state.is_first() {
        crate::explain::grounds::capabilities(state)
    } else {
        Evidence::file(
            "/proc/self/ns/user",
            format!("is {}, not the first user namespace", state.name(Kind::User)),
        )
    };
    outside(case, Outside::DeviceNode, Some(Errno::EPERM), vec![evidence])
}

/// An ordinary file without contents, and not one of the kernel's, which say nothing of their size.
pub(in crate::explain) fn is_empty_file(path: &Path) -> bool {
    let kernels = ["/proc", "/sys"].iter().any(|dir| path.starts_with(dir));
    !kernels && std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0)
}

/// What stands where a namespace was bound.
pub(super) fn namespace_file(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let shown = path.display().to_string();
    match Namespace::open(path) {
        Err(Error::NotNamespace { .. }) => {
            let mut evidence = vec![Evidence::call(format!("statfs({shown:?})"), "does not say nsfs")];
            if is_empty_file(path) {
                evidence.push(Evidence::file(
                    &shown,
                    "is empty, as ip netns leaves it where its mount is not to be seen",
                ));
            }
            let mounted =
                case.state.mounts.iter().any(|mount| mount.point == shown && mount.fstype == "nsfs");
            if !mounted {
                evidence.push(Evidence::file("/proc/self/mountinfo", format!("has no namespace on {shown}")));
            }
            Some(outside(case, Outside::NotNamespaceFile, Some(Errno::EINVAL), evidence))
        }
        Err(error) => error.errno().map(|errno| unopened(case, &shown, errno)),
        Ok(_) => None,
    }
}

/// Why the file of a namespace can't be opened, which comes before setns(2).
fn unopened(case: &Case<'_>, path: &str, errno: Errno) -> Verdict {
    let process = of_process(case, path).filter(|_| matches!(errno, Errno::EACCES | Errno::ENOENT));
    let mut verdict = if let Some(link) = process {
        let link = Case::new(case.machine, case.state, &link);
        // The number is that of the path, whichever pid namespace /proc shows.
        let is_shown = link.objects.targets.iter().any(|target| target.status.is_some());
        let hidden = if is_shown { None } else { super::decide(&link) };
        hidden.unwrap_or_else(|| link.decide(Seen::Refused(Some(0), errno)))
    } else if let Some(cause) = lookup::cause(errno) {
        refused(case, cause, Some(errno), vec![lookup::stopped(case.machine, path, errno)])
    } else {
        let says = format!("can't be opened: {errno}");
        open(Some(errno), vec![Outside::Unknown.into()], vec![Evidence::file(path, says)])
    };
    if let Verdict::Refused(refusal) = &mut verdict {
        refusal.at = Some(format!("open({path:?})"));
        refusal.errno = Some(errno);
    }
    verdict
}

/// Whether a path is one of `/proc/PID/ns/LINK`.
pub(in crate::explain) fn is_link(path: &str) -> bool {
    link(path).is_some()
}

fn link(path: &str) -> Option<(&str, Link)> {
    let (pid, link) = path.strip_prefix("/proc/")?.split_once("/ns/")?;
    Some((pid, link.parse().ok()?))
}

/// The opening of a link that a path is.
fn of_process(case: &Case<'_>, path: &str) -> Option<Question> {
    let (pid, link) = link(path)?;
    let pid = match pid.rsplit_once("/task/") {
        Some((_, tid)) => tid.parse().ok()?,
        None if pid == "self" || pid == "thread-self" => case.state.pid,
        None => pid.parse().ok()?,
    };
    Some(Question::OpenNamespace { pid, link })
}

/// Whether a directory of cgroup2 was given to this user: cgroups(7), "Delegation".
pub(super) fn cgroup(case: &Case<'_>, path: &Path) -> Verdict {
    let state = case.state;
    let shown = path.display().to_string();
    if std::fs::metadata(path).is_err() {
        return refused(
            case,
            Rule::CgroupMissing,
            Some(Errno::ENOENT),
            vec![Evidence::file(shown, "does not exist")],
        );
    }
    if !path.join("cgroup.procs").exists() {
        let evidence = vec![Evidence::file(
            format!("{shown}/cgroup.procs"),
            "does not exist or can't be seen: the directory is not a cgroup",
        )];
        return refused(case, Rule::CgroupMissing, None, evidence);
    }
    let uid = state.status.as_ref().map_or(OVERFLOW, |status| status.uids[3]);
    // Asked of the kernel: an id that has no name here may be the caller's own, or not.
    let denied = |path: &Path, access: Access| {
        let errno = Errno::from(accessat(CWD, path, access, AtFlags::EACCESS).err()?);
        let owner = std::fs::metadata(path).map_or(OVERFLOW, |meta| meta.uid());
        let says = if owner == uid {
            format!("can't be written: {errno}")
        } else {
            format!("belongs to user {owner}, not to {uid}")
        };
        Some(Evidence::file(path.display().to_string(), says))
    };
    let procs = path.join("cgroup.procs");
    let both = [(path, Access::WRITE_OK | Access::EXEC_OK), (procs.as_path(), Access::WRITE_OK)];
    let mut evidence: Vec<Evidence> =
        both.into_iter().filter_map(|(path, access)| denied(path, access)).collect();
    if let Some(mount) = covering(&state.mounts, &shown).filter(|mount| mount.has_option("ro")) {
        let says = format!("is the mount on {}, read-only", mount.point);
        evidence.push(Evidence::file(format!("/proc/self/mountinfo:{}", mount.line), says));
        return outside(case, Outside::CgroupNotDelegated, Some(Errno::EROFS), evidence);
    }
    if evidence.is_empty() {
        return allowed(format!("a cgroup can be made in {shown}, and processes moved into it"));
    }
    outside(case, Outside::CgroupNotDelegated, Some(Errno::EACCES), evidence)
}

/// A file system that lies on a device wants one: `lookup_bdev`, once the rules let it come so far.
/// mount(8) makes a path of `UUID=` and its like.
pub(super) fn device_of(case: &Case<'_>, source: &str, fstype: &str, flags: u64) -> Option<Verdict> {
    use nsproxy::uapi::{MS_BIND, MS_MOVE, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE};
    let others = MS_BIND | MS_MOVE | MS_REMOUNT | MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;
    let known = case.machine.text("/proc/filesystems").ok()?;
    let on_device = known.lines().any(|line| line.trim() == fstype);
    if flags & others != 0 || !on_device || source.contains('=') {
        return None;
    }
    // mount(8) makes a device of a file.
    let (cause, errno, says): (Cause, Errno, &str) = match std::fs::metadata(source) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (Rule::PathMissing.into(), Errno::ENOENT, "does not exist")
        }
        Ok(meta) if !meta.is_file() && !meta.file_type().is_block_device() => {
            (Outside::NotBlockDevice.into(), Errno::ENOTBLK, "is no block device")
        }
        _ => return None,
    };
    case.ask(case.question, &Assumed::default())?.ok()?;
    let lies = format!("has {fstype} without nodev: it lies on a device");
    let evidence = vec![Evidence::file("/proc/filesystems", lies), Evidence::file(source, says)];
    Some(refused(case, cause, Some(errno), evidence))
}

/// connect(2) ENETUNREACH: a new network namespace has its loopback device down.
pub(super) fn loopback(case: &Case<'_>) -> Verdict {
    match sys::net::loopback_is_up() {
        Ok(true) => allowed("the loopback device is up, and 127.0.0.1 can be reached"),
        Ok(false) => {
            let call = "ioctl(SIOCGIFFLAGS, \"lo\")";
            let says = format!("has no IFF_UP in {}", case.state.name(Kind::Net));
            refused(case, Rule::NetUnreachable, Some(Errno::ENETUNREACH), vec![Evidence::call(call, says)])
        }
        Err(errno) => {
            let evidence =
                vec![Evidence::call("ioctl(SIOCGIFFLAGS, \"lo\")", format!("is answered with {errno}"))];
            outside(case, Outside::SandboxedKernel, Some(errno), evidence)
        }
    }
}
