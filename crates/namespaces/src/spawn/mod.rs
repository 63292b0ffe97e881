//! Starting a program in namespaces.

mod child;
mod forward;
mod in_place;
mod stdio;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::caps::Capabilities;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::idmap::{IdMap, MapWriter};
use crate::kind::{Kind, Kinds};
use crate::launch;
use crate::plan::{Form, Id, JoinTarget, Plan, lower};
use crate::process::Process;
use crate::sys::signal::Mask;

pub use child::{Child, Output, end_by_signal, heed_children};
pub use forward::ForwardSignals;
pub(crate) use in_place::InPlace;
pub use stdio::Stdio;

/// What happens to the propagation of mounts in a new mount namespace:
/// `mount_namespaces(7)`, "Shared subtrees".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagation {
    /// Nothing goes in or out.
    #[default]
    Private,
    /// Mounts made outside come in, those made inside stay in.
    Slave,
    /// Both ways, among mounts that are copies of each other.
    Shared,
    /// As the kernel made it: as outside, but slaves if the user namespace is new too.
    Unchanged,
}

impl Propagation {
    pub(crate) const fn flag_name(self) -> &'static str {
        match self {
            Propagation::Private => "MS_PRIVATE",
            Propagation::Slave => "MS_SLAVE",
            Propagation::Shared => "MS_SHARED",
            Propagation::Unchanged => "0",
        }
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Propagation::Private => "private",
            Propagation::Slave => "slave",
            Propagation::Shared => "shared",
            Propagation::Unchanged => "unchanged",
        })
    }
}

impl std::str::FromStr for Propagation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Propagation> {
        match text {
            "private" => Ok(Propagation::Private),
            "slave" => Ok(Propagation::Slave),
            "shared" => Ok(Propagation::Shared),
            "unchanged" => Ok(Propagation::Unchanged),
            _ => Err(Error::invalid("propagation", text, "known are private, slave, shared, unchanged")),
        }
    }
}

/// The root directory of the program.
#[derive(Clone, Debug)]
pub(crate) enum Root {
    Chroot(At),
    Pivot(PathBuf),
}

/// A directory.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Path(PathBuf),
    Open(Arc<OwnedFd>),
}

/// What capabilities the program has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum CapabilityPolicy {
    /// What `execve` leaves it, by the rules of `capabilities(7)`.
    #[default]
    ByExec,
    /// All that the new process has before.
    Keep,
    /// At most these, and these for sure.
    Exactly(Capabilities),
}

/// Starts a program in new or existing namespaces, in the manner of
/// [`std::process::Command`].
///
/// Nothing happens to the calling process and thread: they stay in their
/// namespaces. What will happen to the new one can be looked at first, with
/// [`plan`](Spawn::plan).
///
/// Only descriptors 0, 1, 2 and those given with [`fd`](Spawn::fd) reach the
/// program.
///
/// ```
/// use namespaces::{Kind, Spawn};
///
/// let mut spawn = Spawn::new("uname");
/// spawn.arg("-n").unshare([Kind::User, Kind::Uts]).map_root().hostname("box");
/// match spawn.output() {
///     Ok(output) => assert_eq!(output.stdout, b"box\n"),
///     // Some systems grant no user namespaces; the error says which step failed.
///     Err(error) => assert!(error.to_string().starts_with("making a process")),
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Spawn {
    /// The program; `None` for the login shell of the user.
    pub(crate) program: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) arg0: Option<OsString>,
    pub(crate) env_cleared: bool,
    /// The last change of a name wins; `None` removes it.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) current_dir: Option<At>,
    pub(crate) stdio: [Stdio; 3],
    pub(crate) fds: Vec<(RawFd, Arc<OwnedFd>)>,
    pub(crate) kinds: Kinds,
    pub(crate) join: Option<JoinTarget>,
    /// Whether the calling thread itself joins.
    pub(crate) join_in_place: bool,
    /// Whether the calling thread itself takes the new namespaces.
    pub(crate) unshare_in_place: bool,
    pub(crate) in_place: InPlace,
    pub(crate) uid_map: Option<IdMap>,
    pub(crate) gid_map: Option<IdMap>,
    /// Who writes the user map, and who the group map.
    pub(crate) map_writers: (MapWriter, MapWriter),
    pub(crate) hostname: Option<OsString>,
    pub(crate) domainname: Option<OsString>,
    pub(crate) monotonic: Option<i64>,
    pub(crate) boottime: Option<i64>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) mount_proc: bool,
    pub(crate) loopback: bool,
    pub(crate) root: Option<Root>,
    pub(crate) uid: Option<Id>,
    pub(crate) gid: Option<Id>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) capabilities: CapabilityPolicy,
    pub(crate) no_new_privs: bool,
    pub(crate) parent_death_signal: Option<i32>,
    pub(crate) new_session: bool,
    pub(crate) init: Option<Init>,
    pub(crate) pins: Vec<(Kind, PathBuf)>,
    /// The signals that the program starts with blocked, if not the caller's.
    pub(crate) mask: Option<Mask>,
}

/// The process that stays as pid 1 beside the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init {
    /// Whether others may read its memory, a copy of the caller's.
    pub(crate) readable: bool,
}

impl Spawn {
    /// Will start `program`, looked for in `PATH` if it has no slash: in the
    /// `PATH` and the root directory that the program itself will have.
    pub fn new(program: impl AsRef<OsStr>) -> Spawn {
        Spawn {
            program: Some(program.as_ref().to_owned()),
            args: Vec::new(),
            arg0: None,
            env_cleared: false,
            env: Vec::new(),
            current_dir: None,
            stdio: [const { Stdio::Inherit }; 3],
            fds: Vec::new(),
            kinds: Kinds::EMPTY,
            join: None,
            join_in_place: false,
            unshare_in_place: false,
            in_place: InPlace::default(),
            uid_map: None,
            gid_map: None,
            map_writers: (MapWriter::Auto, MapWriter::Auto),
            hostname: None,
            domainname: None,
            monotonic: None,
            boottime: None,
            propagation: None,
            mount_proc: false,
            loopback: false,
            root: None,
            uid: None,
            gid: None,
            groups: None,
            capabilities: CapabilityPolicy::ByExec,
            no_new_privs: false,
            parent_death_signal: None,
            new_session: false,
            init: None,
            pins: Vec::new(),
            mask: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Spawn {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Spawn {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// What the program sees as its name, instead of the name it was given by.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Spawn {
        self.arg0 = Some(arg.as_ref().to_owned());
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Spawn {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Takes an environment variable away.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Spawn {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Starts from an empty environment, not the caller's.
    pub fn env_clear(&mut self) -> &mut Spawn {
        self.env_cleared = true;
        self.env.clear();
        self
    }

    /// The working directory, entered after the root and all mounts are as
    /// they will be. Without it the directory stays, unless the root changes:
    /// then it is `/`.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Spawn {
        self.current_dir = Some(At::Path(dir.as_ref().to_owned()));
        self
    }

    /// Standard input. The caller's by default.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Spawn {
        self.stdio[0] = stdio.into();
        self
    }

    /// Standard output. The caller's by default.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Spawn {
        self.stdio[1] = stdio.into();
        self
    }

    /// Standard error. The caller's by default.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Spawn {
        self.stdio[2] = stdio.into();
        self
    }

    /// Gives the program `fd` under the number `number`, 3 or above.
    pub fn fd(&mut self, number: RawFd, fd: impl Into<OwnedFd>) -> &mut Spawn {
        self.fds.push((number, Arc::new(fd.into())));
        self
    }

    /// Makes these namespaces new. Adds to what was asked for before.
    pub fn unshare(&mut self, kinds: impl Into<Kinds>) -> &mut Spawn {
        self.kinds = self.kinds.union(kinds.into());
        self
    }

    /// Joins these namespaces of `process` first, all at once.
    ///
    /// Between joining and `execve` the new process is untraceable, and its
    /// files in `/proc` belong to root: new id maps and clocks on top of a
    /// joined user namespace are for privileged callers.
    pub fn join(&mut self, process: Process, kinds: impl Into<Kinds>) -> &mut Spawn {
        self.join = Some(JoinTarget::Process { process: Arc::new(process), kinds: kinds.into() });
        self
    }

    /// Joins these namespaces first: each in turn, and what needs the
    /// privileges of the user namespace among them after that one.
    pub fn join_namespaces(&mut self, namespaces: impl IntoIterator<Item = Namespace>) -> &mut Spawn {
        self.join = Some(JoinTarget::Namespaces(namespaces.into_iter().map(Arc::new).collect()));
        self
    }

    /// Lets the calling thread itself do the joining, and stay there: for a
    /// program with one thread that has nothing else to do than to start
    /// another, which saves it a process. It becomes untraceable first, because
    /// there may be hostile processes where it goes.
    pub fn join_in_place(&mut self) -> &mut Spawn {
        self.join_in_place = true;
        self
    }

    /// The user id map of the new user namespace. Without one no id is mapped.
    pub fn uid_map(&mut self, map: IdMap) -> &mut Spawn {
        self.uid_map = Some(map);
        self
    }

    /// The group id map of the new user namespace.
    pub fn gid_map(&mut self, map: IdMap) -> &mut Spawn {
        self.gid_map = Some(map);
        self
    }

    /// Maps the caller's effective ids, and no others, to root.
    pub fn map_root(&mut self) -> &mut Spawn {
        self.map_single(0, 0)
    }

    /// Maps the caller's effective ids, and no others, to themselves.
    pub fn map_current(&mut self) -> &mut Spawn {
        let (uid, gid) = effective_ids();
        self.map_single(uid, gid)
    }

    fn map_single(&mut self, uid: u32, gid: u32) -> &mut Spawn {
        let (euid, egid) = effective_ids();
        // These can't fail: one extent of one id that exists.
        self.uid_map = IdMap::single(uid, euid).ok();
        self.gid_map = IdMap::single(gid, egid).ok();
        self
    }

    /// Who writes the maps. By default the one who needs the least.
    pub fn map_writer(&mut self, writer: MapWriter) -> &mut Spawn {
        self.map_writers = (writer, writer);
        self
    }

    /// The hostname in the new uts namespace, at most 64 bytes.
    pub fn hostname(&mut self, name: impl AsRef<OsStr>) -> &mut Spawn {
        self.hostname = Some(name.as_ref().to_owned());
        self
    }

    /// The NIS domain name in the new uts namespace, at most 64 bytes.
    pub fn domainname(&mut self, name: impl AsRef<OsStr>) -> &mut Spawn {
        self.domainname = Some(name.as_ref().to_owned());
        self
    }

    /// Sets `CLOCK_MONOTONIC` of the new time namespace this many seconds
    /// ahead of the machine's, or behind if negative.
    pub fn monotonic(&mut self, seconds: i64) -> &mut Spawn {
        self.monotonic = Some(seconds);
        self
    }

    /// Sets `CLOCK_BOOTTIME` of the new time namespace this many seconds
    /// ahead of the machine's, or behind if negative.
    pub fn boottime(&mut self, seconds: i64) -> &mut Spawn {
        self.boottime = Some(seconds);
        self
    }

    /// The propagation in the new mount namespace: private by default.
    pub fn propagation(&mut self, propagation: Propagation) -> &mut Spawn {
        self.propagation = Some(propagation);
        self
    }

    /// Mounts a proc of the new pid namespace on `/proc` of the new mount namespace.
    pub fn mount_proc(&mut self) -> &mut Spawn {
        self.mount_proc = true;
        self
    }

    /// Sets the loopback device of the new network namespace up.
    pub fn loopback_up(&mut self) -> &mut Spawn {
        self.loopback = true;
        self
    }

    /// `chroot(2)`: `dir` looks like the root to the program. No security
    /// boundary, and it forbids new user namespaces inside.
    pub fn chroot(&mut self, dir: impl AsRef<Path>) -> &mut Spawn {
        self.root = Some(Root::Chroot(At::Path(dir.as_ref().to_owned())));
        self
    }

    /// `pivot_root(2)`: `dir` is the root of the new mount namespace, and
    /// nothing of the old root is left in it.
    pub fn pivot_root(&mut self, dir: impl AsRef<Path>) -> &mut Spawn {
        self.root = Some(Root::Pivot(dir.as_ref().to_owned()));
        self
    }

    /// The user id of the program, as the new user namespace numbers it.
    pub fn uid(&mut self, uid: u32) -> &mut Spawn {
        self.uid = Some(Id::Number(uid));
        self
    }

    /// The group id of the program. Its supplementary groups are cleared,
    /// unless [`groups`](Spawn::groups) says otherwise.
    pub fn gid(&mut self, gid: u32) -> &mut Spawn {
        self.gid = Some(Id::Number(gid));
        self
    }

    /// The supplementary groups of the program.
    pub fn groups(&mut self, groups: &[u32]) -> &mut Spawn {
        self.groups = Some(groups.to_vec());
        self
    }

    /// Exactly these capabilities for the program: in its permitted,
    /// effective, inheritable and ambient set; no others in the bounding set.
    pub fn capabilities(&mut self, set: Capabilities) -> &mut Spawn {
        self.capabilities = CapabilityPolicy::Exactly(set);
        self
    }

    /// Lets the program keep all capabilities of the new user namespace, also
    /// if it does not run as root there.
    pub fn keep_capabilities(&mut self) -> &mut Spawn {
        self.capabilities = CapabilityPolicy::Keep;
        self
    }

    /// Sets `no_new_privs`: no set-user-id program gives the program more.
    pub fn no_new_privs(&mut self) -> &mut Spawn {
        self.no_new_privs = true;
        self
    }

    /// Sends the signal `number` to the new process when the *thread* that
    /// called `spawn` ends, also if it is killed.
    pub fn parent_death_signal(&mut self, number: i32) -> &mut Spawn {
        self.parent_death_signal = Some(number);
        self
    }

    /// Makes the program the leader of a new session, without a terminal.
    pub fn new_session(&mut self) -> &mut Spawn {
        self.new_session = true;
        self
    }

    /// Puts an init beside the program: it is pid 1 of the new pid namespace,
    /// passes on signals, reaps orphans, and ends with the program.
    ///
    /// Init runs on a copy of the caller's memory. It is made unreadable for
    /// other processes, so that the program can't look at that copy; its
    /// namespaces then can't be read without privilege either.
    pub fn init(&mut self) -> &mut Spawn {
        self.init = Some(Init { readable: false });
        self
    }

    /// As [`init`](Spawn::init), but leaves its memory and its `/proc` entry
    /// readable: for a caller with nothing to hide from the program.
    pub fn readable_init(&mut self) -> &mut Spawn {
        self.init = Some(Init { readable: true });
        self
    }

    /// Binds the new namespace of `kind` to the file `path`, before the
    /// program starts. See [`pin`](crate::pin).
    pub fn pin(&mut self, kind: Kind, path: impl AsRef<Path>) -> &mut Spawn {
        self.pins.push((kind, path.as_ref().to_owned()));
        self
    }

    /// Lets the program start with the signals unblocked that `signals` holds
    /// back from the caller.
    pub fn forward_signals(&mut self, signals: &ForwardSignals) -> &mut Spawn {
        self.mask = Some(signals.mask_before());
        self
    }

    /// The steps that [`spawn`](Spawn::spawn) will take. Checks everything
    /// that can be checked without doing it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] and [`Error::Map`] for what can never work.
    pub fn plan(&self) -> Result<Plan> {
        lower(self, Form::Child)
    }

    /// Starts the program and comes back when it runs: when `execve` has put
    /// the program in the place of the new process, not before. (What the
    /// kernel does last in `execve` may come a moment later: it gives the
    /// process its name, and moves it into a new time namespace.)
    ///
    /// # Errors
    ///
    /// [`Error::Step`] names the step that failed. Nothing of the new process
    /// is left then; its namespaces go with it.
    pub fn spawn(&self) -> Result<Child> {
        launch::launch(self, &self.plan()?)
    }

    /// Starts the program and waits for its end.
    pub fn status(&self) -> Result<std::process::ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the program with standard output and error on pipes unless they
    /// were set, waits for its end, and gives back what it wrote.
    pub fn output(&self) -> Result<Output> {
        let mut spawn = self.clone();
        for stdio in &mut spawn.stdio[1..] {
            if matches!(stdio, Stdio::Inherit) {
                *stdio = Stdio::Piped;
            }
        }
        spawn.spawn()?.wait_with_output()
    }

    /// The pairs of number and descriptor that the program gets beside 0 to 2.
    pub(crate) fn extra_fds(&self) -> impl Iterator<Item = (RawFd, RawFd)> {
        self.fds.iter().map(|(number, fd)| (*number, fd.as_raw_fd()))
    }
}

/// The effective user and group id of the caller.
pub(crate) fn effective_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}
