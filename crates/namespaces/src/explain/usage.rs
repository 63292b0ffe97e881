//! Who uses a mount: umount(2) says `EBUSY` for them, and a copy in another mount namespace,
//! where it could be tried, has nobody.

use nsproxy::Rule;
use nsproxy::uapi::MNT_DETACH;

use super::answer::{Refusal, Verdict};
use super::cause::Cause;
use super::decide::Case;
use super::evidence::Evidence;
use super::load::Assumed;
use super::question::Question;
use super::remedy::remedies;
use super::state::MountEntry;
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

/// The users of the mount that is to be unmounted, if they are in the way.
pub(super) fn users(case: &Case<'_>) -> Option<Users> {
    let Question::Umount { target, flags } = case.question else { return None };
    if flags & MNT_DETACH != 0 || !case.machine.is_own() || case.machine.is_layered() {
        return None;
    }
    let (id, is_root) = case.machine.eyes().mount_of(target).ok()?;
    let mount = case.state.mounts.iter().find(|mount| mount.id == id && is_root)?;
    let processes = case.machine.eyes().processes(ENOUGH).ok()?;
    let mut users = Users { unread: processes.len() == ENOUGH, ..Users::default() };
    for pid in processes {
        users.look(case, pid, mount);
        if users.seen.len() >= SHOWN {
            break;
        }
    }
    Some(users)
}

/// That it is refused for one of them.
pub(super) fn in_use(case: &Case<'_>) -> Option<Verdict> {
    let evidence = users(case)?.seen;
    let cause = Cause::Rule(Rule::UmountBusy);
    let remedies = remedies(case, cause, &Assumed::default());
    let refusal = Refusal { cause, errno: Some(Errno::EBUSY), at: None, evidence, remedies };
    (!refusal.evidence.is_empty()).then_some(Verdict::Refused(refusal))
}

impl Users {
    fn look(&mut self, case: &Case<'_>, pid: i32, mount: &MountEntry) {
        let eyes = case.machine.eyes();
        for name in ["cwd", "root", "exe"] {
            let path = format!("/proc/{pid}/{name}");
            let on = |at: &str| mount.holds(at) && eyes.mount_of(&path).is_ok_and(|(id, _)| id == mount.id);
            match eyes.read_link(&path) {
                Ok(at) if on(&at) => {
                    self.seen.push(Evidence::file(path, format!("is {at}, on the mount {}", mount.point)));
                }
                Err(Errno::EACCES) => {
                    self.unread = true;
                    return;
                }
                _ => {}
            }
        }
        let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return };
        for fd in fds.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).take(ENOUGH) {
            let path = format!("/proc/{pid}/fd/{fd}");
            let on = |at: &String| mount.holds(at) && mount_of_fd(case, pid, &fd) == Some(mount.id);
            if let Some(at) = eyes.read_link(&path).ok().filter(on) {
                self.seen.push(Evidence::file(path, format!("is open: {at}, on the mount {}", mount.point)));
            }
        }
    }
}

fn mount_of_fd(case: &Case<'_>, pid: i32, fd: &str) -> Option<u64> {
    let text = case.machine.text(&format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}
