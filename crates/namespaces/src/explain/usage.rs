//! Who uses a mount: umount(2) says `EBUSY` for them, and mount(2) to who wants it read-only.
//! A copy in another mount namespace, where it could be tried, has nobody.

use nsproxy::Rule;
use nsproxy::uapi::{MNT_DETACH, MS_BIND, MS_RDONLY, MS_REMOUNT};

use super::answer::{Refusal, Verdict};
use super::cause::Cause;
use super::decide::Case;
use super::evidence::Evidence;
use super::load::Assumed;
use super::question::Question;
use super::remedy::remedies;
use super::state::{MountEntry, State};
use crate::errno::Errno;

/// More are not looked at, and not shown.
const ENOUGH: usize = 2000;
const SHOWN: usize = 4;

/// What is seen of the users of a mount.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// Who uses it.
    pub(super) seen: Vec<Evidence>,
    /// Whether there are processes that can't be looked at.
    pub(super) unread: bool,
}

/// The use that is in the way.
struct Wanted<'a> {
    /// Of one of these.
    mounts: Vec<&'a MountEntry>,
    /// By who has a file open for writing, and nobody else.
    writers: bool,
}

impl<'a> Wanted<'a> {
    fn of(case: &'a Case<'_>) -> Option<Wanted<'a>> {
        let state = case.state;
        let at = |path: &str| {
            let (id, is_root) = case.machine.eyes().mount_of(path).ok()?;
            state.mounts.iter().find(|mount| mount.id == id && is_root)
        };
        match case.question {
            // The own root is not unmounted but made read-only.
            Question::Umount { target, flags } if flags & MNT_DETACH == 0 => at(target)
                .filter(|mount| Some(mount.id) != state.root_mount)
                .map(|mount| Wanted { mounts: unmounted_with(state, mount), writers: false }),
            Question::Mount { target, flags, .. }
                if flags & (MS_REMOUNT | MS_RDONLY) == MS_REMOUNT | MS_RDONLY =>
            {
                let mount = at(target)?;
                let bind = flags & MS_BIND != 0;
                let same = |other: &&MountEntry| {
                    if bind { other.id == mount.id } else { other.device == mount.device }
                };
                Some(Wanted { mounts: state.mounts.iter().filter(same).collect(), writers: true })
            }
            _ => None,
        }
    }

    /// The mount that a path lies on, of these.
    fn on(&self, path: &str, id: impl FnOnce() -> Option<u64>) -> Option<&'a MountEntry> {
        if !self.mounts.iter().any(|mount| mount.holds(path)) {
            return None;
        }
        let id = id()?;
        self.mounts.iter().copied().find(|mount| mount.id == id)
    }
}

/// `propagate_mount_busy`: the same place on the peers of the mount that it stands on goes too.
fn unmounted_with<'a>(state: &'a State, mount: &'a MountEntry) -> Vec<&'a MountEntry> {
    let parent = |of: &MountEntry| state.mounts.iter().find(|other| other.id == of.parent);
    let place = |of: &MountEntry| {
        let parent = parent(of).filter(|parent| parent.shared.is_some())?;
        let below = of.point.strip_prefix(parent.point.trim_end_matches('/'))?;
        Some((parent.shared, format!("{}{below}", parent.root.trim_end_matches('/'))))
    };
    let own = place(mount);
    let also = |other: &&MountEntry| other.id == mount.id || own.is_some() && place(other) == own;
    state.mounts.iter().filter(also).collect()
}

/// The users of the mount that is to be unmounted or made read-only, if they are in the way.
pub(super) fn users(case: &Case<'_>) -> Option<Users> {
    if !case.machine.is_own() || case.machine.is_layered() {
        return None;
    }
    let wanted = Wanted::of(case)?;
    let processes = case.machine.eyes().processes(ENOUGH).ok()?;
    let mut users = Users { unread: processes.len() == ENOUGH, ..Users::default() };
    for pid in processes {
        users.look(case, pid, &wanted);
        if users.seen.len() >= SHOWN {
            break;
        }
    }
    Some(users)
}

/// That it is refused for one of them.
pub(super) fn in_use(case: &Case<'_>) -> Option<Verdict> {
    let evidence = users(case)?.seen;
    let rule =
        if matches!(case.question, Question::Umount { .. }) { Rule::UmountBusy } else { Rule::RemountBusy };
    let cause = Cause::Rule(rule);
    let remedies = remedies(case, cause, &Assumed::default());
    let refusal = Refusal { cause, errno: Some(Errno::EBUSY), at: None, evidence, remedies };
    (!refusal.evidence.is_empty()).then_some(Verdict::Refused(refusal))
}

impl Users {
    fn look(&mut self, case: &Case<'_>, pid: i32, wanted: &Wanted<'_>) {
        let eyes = case.machine.eyes();
        for name in ["cwd", "root", "exe"] {
            let path = format!("/proc/{pid}/{name}");
            let at = match eyes.read_link(&path) {
                Ok(at) => at,
                Err(Errno::EACCES) => {
                    self.unread = true;
                    return;
                }
                Err(_) => continue,
            };
            let found = wanted.on(&at, || eyes.mount_of(&path).ok().map(|(id, _)| id));
            if let Some(mount) = found.filter(|_| !wanted.writers) {
                self.seen.push(Evidence::file(path, format!("is {at}, on the mount {}", mount.point)));
            }
        }
        let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return };
        // All at once: what looks is closed again, and may itself be one of the descriptors.
        let fds: Vec<String> =
            fds.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).take(ENOUGH).collect();
        for fd in fds {
            let path = format!("/proc/{pid}/fd/{fd}");
            let Ok(at) = eyes.read_link(&path) else { continue };
            let open = || Open::read(case, pid, &fd).filter(|open| open.writes || !wanted.writers);
            if let Some(mount) = wanted.on(&at, || open().map(|open| open.mount)) {
                let how = if wanted.writers { "is open for writing" } else { "is open" };
                self.seen.push(Evidence::file(path, format!("{how}: {at}, on the mount {}", mount.point)));
            }
        }
    }
}

/// What `/proc/PID/fdinfo` says.
struct Open {
    mount: u64,
    writes: bool,
}

impl Open {
    fn read(case: &Case<'_>, pid: i32, fd: &str) -> Option<Open> {
        let text = case.machine.text(&format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let flags = u32::from_str_radix(field("flags:")?, 8).ok()?;
        Some(Open {
            mount: field("mnt_id:")?.parse().ok()?,
            writes: flags & libc::O_ACCMODE.cast_unsigned() != 0,
        })
    }
}
