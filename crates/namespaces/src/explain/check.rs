//! What can be done here, at a glance.

use std::ffi::CString;
use std::path::PathBuf;

use nsproxy::uapi::{MS_PRIVATE, MS_REC};

use super::answer::{Refusal, Undecided, Verdict};
use super::beyond;
use super::cause::{Cause, Outside};
use super::decide::Case;
use super::evidence::Evidence;
use super::machine::Machine;
use super::question::Question;
use super::state::State;
use super::trial::Seen;
use crate::idmap::IdKind;
use crate::kind::{Kind, Kinds};
use crate::plan::Step;
use crate::sys::probe::{Call, Outcome};

/// One thing that can be done here, or not.
#[derive(Clone, Debug)]
pub struct Check {
    /// The stable identifier: `direct.net`, `user.net`, `mount.proc`.
    pub id: String,
    /// The same in words.
    pub what: String,
    /// Whether it can be done.
    pub can: Ability,
}

/// Whether something can be done.
#[derive(Clone, Debug)]
pub enum Ability {
    /// It was tried, or all that it needs was seen.
    Yes,
    /// It can't, for this one reason.
    No(Box<Refusal>),
    /// It could not be tried, or more than one reason fits.
    Unknown(Box<Undecided>),
}

impl Machine<'_> {
    /// What the calling thread can do here: each kind of namespace, directly and with a
    /// user namespace, maps, mounts, cgroups, clocks. All is tried in child processes
    /// that end at once; nothing of it stays.
    pub fn check(&self) -> Vec<Check> {
        let state = State::read(self);
        let checker = Checker { machine: self, state: &state };
        let mut all = checker.kinds();
        all.extend([
            checker.maps(),
            checker.subordinate(IdKind::Uid),
            checker.subordinate(IdKind::Gid),
            checker.proc(),
            checker.overlay(),
            checker.cgroup(),
            checker.clocks(),
        ]);
        all
    }
}

struct Checker<'a> {
    machine: &'a Machine<'a>,
    state: &'a State,
}

const USER: u64 = nsproxy::uapi::CLONE_NEWUSER;
const MNT: u64 = nsproxy::uapi::CLONE_NEWNS;
const PID: u64 = nsproxy::uapi::CLONE_NEWPID;

fn flag(kind: Kind) -> u64 {
    u64::from(kind.flag())
}

impl Checker<'_> {
    /// Tries the calls, and asks about the refused one as a step of the question. `steps`
    /// says which step each call stands for.
    fn attempt(&self, calls: &[Call<'_>], steps: &[usize], question: &Question) -> Ability {
        let seen = match self.machine.probe(calls) {
            Some(Outcome::Done) => return Ability::Yes,
            Some(Outcome::Refused(at, errno)) => Seen::Refused(steps.get(at).copied(), errno),
            Some(Outcome::Killed) => Seen::Killed,
            // Without a child the model alone can say.
            Some(Outcome::NoChild(_)) | None => Seen::Nothing,
        };
        let case = Case::new(self.machine, self.state, question);
        ability(case.decide(seen))
    }

    fn kinds(&self) -> Vec<Check> {
        let order =
            [Kind::User, Kind::Mnt, Kind::Pid, Kind::Net, Kind::Ipc, Kind::Uts, Kind::Cgroup, Kind::Time];
        let direct = order.iter().map(|kind| Check {
            id: format!("direct.{kind}"),
            what: format!("a new {kind} namespace"),
            can: self.attempt(&[Call::Unshare(flag(*kind))], &[0], &Question::unshare(*kind)),
        });
        let with_user = order.iter().filter(|kind| **kind != Kind::User).map(|kind| {
            let flags = USER | flag(*kind);
            Check {
                id: format!("user.{kind}"),
                what: format!("a new {kind} namespace, with a user namespace"),
                can: self.attempt(&[Call::Unshare(flags)], &[0], &Question::Unshare(flags)),
            }
        });
        direct.chain(with_user).collect()
    }

    /// The text that maps the caller's own id to root.
    fn root_map(&self, kind: IdKind) -> String {
        let ids = self.state.status.as_ref().map_or((0, 0), |status| (status.uids[1], status.gids[1]));
        format!("0 {} 1", if kind == IdKind::Uid { ids.0 } else { ids.1 })
    }

    fn map_question(&self, kinds: Kinds, rest: Vec<Question>) -> Question {
        let mut steps = vec![
            Question::unshare(kinds),
            Question::WriteMap { pid: 0, kind: IdKind::Uid, text: self.root_map(IdKind::Uid) },
            Question::WriteSetgroups { pid: 0, text: "deny".to_owned() },
            Question::WriteMap { pid: 0, kind: IdKind::Gid, text: self.root_map(IdKind::Gid) },
        ];
        steps.extend(rest);
        Question::Steps(steps)
    }

    fn maps(&self) -> Check {
        let (uid, gid) = (self.root_map(IdKind::Uid), self.root_map(IdKind::Gid));
        let calls = [
            Call::Unshare(USER),
            Call::Write(c"/proc/self/uid_map", uid.as_bytes()),
            Call::Write(c"/proc/self/setgroups", b"deny"),
            Call::Write(c"/proc/self/gid_map", gid.as_bytes()),
        ];
        let question = self.map_question(Kinds::from(Kind::User), Vec::new());
        Check {
            id: "map.root".to_owned(),
            what: "being root in a user namespace".to_owned(),
            can: self.attempt(&calls, &[0, 1, 2, 3], &question),
        }
    }

    fn subordinate(&self, kind: IdKind) -> Check {
        let (id, what) = match kind {
            IdKind::Uid => ("map.subuid", "mapping subordinate user ids"),
            IdKind::Gid => ("map.subgid", "mapping subordinate group ids"),
        };
        let file = if kind == IdKind::Uid { "/etc/subuid" } else { "/etc/subgid" };
        let uid = self.state.status.as_ref().map_or(0, |status| status.uids[0]);
        let ranges = crate::idmap::ranges_of(&self.machine.text(file).unwrap_or_default(), uid);
        let map = ranges.first().map(|range| format!("1 {} {}", range.first, range.count));
        // Any other range: the answer is that there is none.
        let map = map.unwrap_or_else(|| "1 100000 65536".to_owned());
        let question = Question::MapHelper { pid: 0, kind, map };
        let case = Case::new(self.machine, self.state, &question);
        let can = beyond::decide(&case).map_or(Ability::Unknown(Box::default()), ability);
        Check { id: id.to_owned(), what: what.to_owned(), can }
    }

    fn proc(&self) -> Check {
        let calls = [
            Call::Unshare(USER | MNT | PID),
            Call::Fork,
            Call::Mount(c"none", c"/", c"", MS_PRIVATE | MS_REC, c""),
            Call::Mount(c"proc", c"/proc", c"proc", 0xe, c""),
        ];
        let mut spawn = crate::spawn::Spawn::new("true");
        spawn.unshare([Kind::User, Kind::Mnt, Kind::Pid]).mount_proc();
        let can = match spawn.plan() {
            Ok(plan) => {
                let propagation = plan.steps().len().saturating_sub(1);
                let at = |sort: fn(&Step) -> bool| {
                    plan.steps().iter().position(|step| sort(&step.step)).unwrap_or(propagation)
                };
                let clone = at(|step| matches!(step, Step::Clone { .. }));
                let private = at(|step| matches!(step, Step::Propagation(_)));
                let mount = at(|step| matches!(step, Step::MountProc { .. }));
                self.attempt(&calls, &[clone, clone, private, mount], &Question::Launch(plan))
            }
            Err(_) => Ability::Unknown(Box::default()),
        };
        Check {
            id: "mount.proc".to_owned(),
            what: "mounting proc, with a user and a pid namespace".to_owned(),
            can,
        }
    }

    /// On a tmpfs that only the child sees.
    fn overlay(&self) -> Check {
        let id = "mount.overlay".to_owned();
        let what = "mounting an overlay, with a user namespace".to_owned();
        let place = ["/tmp", "/mnt", "/var"].into_iter().find(|dir| PathBuf::from(dir).is_dir());
        let Some(place) = place else { return Check { id, what, can: Ability::Unknown(Box::default()) } };
        let c = |text: String| CString::new(text).unwrap_or_default();
        let dirs = ["l", "u", "w"].map(|name| c(format!("{place}/{name}")));
        let target = c(place.to_owned());
        let options = format!("lowerdir={place}/l,upperdir={place}/u,workdir={place}/w,userxattr");
        let data = c(options.clone());
        let uid = self.root_map(IdKind::Uid);
        let gid = self.root_map(IdKind::Gid);
        let calls = [
            Call::Unshare(USER | MNT),
            Call::Write(c"/proc/self/uid_map", uid.as_bytes()),
            Call::Write(c"/proc/self/setgroups", b"deny"),
            Call::Write(c"/proc/self/gid_map", gid.as_bytes()),
            Call::Mount(c"none", c"/", c"", MS_PRIVATE | MS_REC, c""),
            Call::Mount(c"tmpfs", &target, c"tmpfs", 0, c""),
            Call::Mkdir(&dirs[0]),
            Call::Mkdir(&dirs[1]),
            Call::Mkdir(&dirs[2]),
            Call::Mount(c"overlay", &target, c"overlay", 0, &data),
        ];
        let mount = |source: &str, fstype: &str, flags, data: &str| Question::Mount {
            source: source.to_owned(),
            target: if fstype.is_empty() { "/".to_owned() } else { place.to_owned() },
            fstype: fstype.to_owned(),
            flags,
            data: data.to_owned(),
        };
        let rest = vec![
            mount("none", "", MS_PRIVATE | MS_REC, ""),
            mount("tmpfs", "tmpfs", 0, ""),
            mount("overlay", "overlay", 0, &options),
        ];
        let question = self.map_question(Kinds::from_iter([Kind::User, Kind::Mnt]), rest);
        let can = self.attempt(&calls, &[0, 1, 2, 3, 4, 5, 5, 5, 5, 6], &question);
        Check { id, what, can }
    }

    /// The own cgroup of cgroup2.
    fn cgroup(&self) -> Check {
        let can = if let Some(path) = self.own_cgroup() {
            let question = Question::Cgroup(path);
            let case = Case::new(self.machine, self.state, &question);
            beyond::decide(&case).map_or(Ability::Unknown(Box::default()), ability)
        } else if let Some(verdict) = self.no_cgroup_file() {
            ability(verdict)
        } else {
            let evidence = Evidence::file("/proc/self/mountinfo", "has no cgroup2 in which this process is");
            let cause = Cause::Outside(Outside::CgroupNotDelegated);
            let remedies = Vec::new();
            Ability::No(Box::new(Refusal {
                cause,
                errno: None,
                at: None,
                evidence: vec![evidence],
                remedies,
            }))
        };
        Check { id: "cgroup.delegation".to_owned(), what: "making cgroups below one's own".to_owned(), can }
    }

    /// That the own cgroup can't be read, for want of a proc that shows the caller.
    fn no_cgroup_file(&self) -> Option<Verdict> {
        self.machine.text("/proc/self/cgroup").err()?;
        let question = Question::Cgroup(PathBuf::from("/"));
        beyond::foreign(&Case::new(self.machine, self.state, &question))
    }

    fn own_cgroup(&self) -> Option<PathBuf> {
        let text = self.machine.text("/proc/self/cgroup").ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mount = self.state.mounts.iter().find(|mount| mount.fstype == "cgroup2")?;
        let below = path.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or(path);
        Some(PathBuf::from(format!("{}/{}", mount.point, below.trim_start_matches('/'))))
    }

    fn clocks(&self) -> Check {
        let offsets = "monotonic 1 0";
        let flags = USER | flag(Kind::Time);
        let calls = [Call::Unshare(flags), Call::Write(c"/proc/self/timens_offsets", offsets.as_bytes())];
        let question = Question::Steps(vec![
            Question::Unshare(flags),
            Question::WriteTimeOffsets { pid: 0, text: offsets.to_owned() },
        ]);
        Check {
            id: "time.offsets".to_owned(),
            what: "setting clocks, with a user and a time namespace".to_owned(),
            can: self.attempt(&calls, &[0, 1], &question),
        }
    }
}

fn ability(verdict: Verdict) -> Ability {
    match verdict {
        Verdict::Refused(refusal) => Ability::No(Box::new(refusal)),
        Verdict::Allowed(_) => Ability::Yes,
        Verdict::Undecided(open) => Ability::Unknown(Box::new(open)),
    }
}
