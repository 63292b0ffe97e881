//! Processes that stay outside when the caller itself takes new namespaces.
//!
//! From inside one can't map ids of others any more, nor bind a namespace where
//! the caller came from. Each step of that sort has a process of its own, made
//! before the caller moves. It waits for its turn, and is gone before the
//! caller goes on; if it is not needed after all, or the caller ends, it sees
//! the end of the stream and ends.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{WaitId, WaitIdOptions};

use super::{retry, step_error};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::idmap::{IdKind, IdMap, MapWriter};
use crate::kind::Kind;
use crate::plan::{Actor, Plan, Step, path_candidates};
use crate::sys::clone::Report;
use crate::sys::exec::{Image, exit};
use crate::sys::{self};

/// What a helper is to do, made beforehand.
pub(crate) struct Job<'a> {
    task: Task<'a>,
    /// The open `/proc/PID` of the caller: the number could pass to another.
    caller: BorrowedFd<'a>,
    ours: BorrowedFd<'a>,
    theirs: BorrowedFd<'a>,
}

enum Task<'a> {
    /// Write this into a file of the caller's `/proc/PID`.
    Write(&'static CStr, Vec<u8>),
    Bind(Kind, &'a CStr),
    /// Become this program.
    Run(Image<'a>),
}

/// The caller's hold on one.
struct Helper {
    step: usize,
    pidfd: OwnedFd,
    channel: OwnedFd,
}

/// All helpers of a launch, by step.
#[derive(Default)]
pub(super) struct Helpers(Vec<Helper>);

impl Helpers {
    /// Makes those that the plan wants, before its first step.
    pub(super) fn start(plan: &Plan) -> Result<Helpers> {
        let mut helpers = Helpers::default();
        if !plan.has(Actor::Helper) {
            return Ok(helpers);
        }
        let failed = |errno: rustix::io::Errno| Error::call("opening", "/proc/self", errno);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let caller = rustix::fs::open(c"/proc/self", flags, Mode::empty()).map_err(failed)?;
        for (step, what) in plan.of(Actor::Helper) {
            helpers.0.push(start(step, what, caller.as_fd())?);
        }
        Ok(helpers)
    }

    /// Lets the helper for `step` do it, and waits for its end.
    pub(super) fn take_turn(&self, plan: &Plan, step: usize) -> Result<()> {
        let failed = |errno| step_error(plan, Report { step, errno });
        let helper = self.0.iter().find(|helper| helper.step == step).ok_or_else(|| failed(Errno::EINVAL))?;
        let said = helper.done().map_err(failed)?;
        match plan.steps().get(step).map(|s| &s.step) {
            Some(Step::WriteMap { kind, map, writer: MapWriter::Helpers }) => {
                helper.ended_well(*kind, map, &said)
            }
            _ => match said.try_into().map(u64::from_ne_bytes).ok().and_then(Report::from_word) {
                Some(Report { errno, .. }) if errno.raw() == 0 => Ok(()),
                Some(Report { errno, .. }) => Err(failed(errno)),
                // It was killed.
                None => Err(failed(Errno::ECHILD)),
            },
        }
    }
}

impl Helper {
    /// What it says until its end.
    fn done(&self) -> Result<Vec<u8>, Errno> {
        rustix::net::send(&self.channel, &[0; 8], SendFlags::NOSIGNAL)?;
        let (mut said, mut bytes) = (Vec::new(), [0; 1024]);
        loop {
            let received = retry(|| rustix::net::recv(&self.channel, &mut bytes[..], RecvFlags::empty()));
            match received {
                Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET) => return Ok(said),
                Ok((_, length)) => said.extend_from_slice(bytes.get(..length).unwrap_or_default()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether `newuidmap` or `newgidmap` has done its work.
    fn ended_well(&self, kind: IdKind, map: &IdMap, said: &[u8]) -> Result<()> {
        let status = retry(|| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options)
        });
        let status = status.ok().flatten().and_then(|status| status.exit_status());
        let said = String::from_utf8_lossy(said);
        kind.helper_outcome(rustix::process::getpid().as_raw_pid(), map, status, &said)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of the stream, for one that had no turn.
        let _ = rustix::net::shutdown(&self.channel, rustix::net::Shutdown::Both);
        super::reap(self.pidfd.as_fd());
    }
}

fn start(step: usize, what: &Step, caller: BorrowedFd<'_>) -> Result<Helper> {
    let failed = |errno: Errno| Error::call("making", "a helper process", errno);
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|errno| failed(errno.into()))?;
    let (argv, candidates): (Vec<CString>, Vec<CString>) = match what {
        Step::WriteMap { kind, map, writer: MapWriter::Helpers } => {
            let pid = rustix::process::getpid().as_raw_pid();
            (kind.helper_words(pid, map), path_candidates(kind.helper())?)
        }
        _ => Default::default(),
    };
    let task = match what {
        Step::WriteMap { writer: MapWriter::Helpers, .. } => Task::Run(Image::new(&candidates, &argv, None)),
        Step::WriteMap { kind: IdKind::Uid, map, .. } => Task::Write(c"uid_map", map.to_string().into()),
        Step::WriteMap { kind: IdKind::Gid, map, .. } => Task::Write(c"gid_map", map.to_string().into()),
        Step::Bind { kind, path } => Task::Bind(*kind, path),
        _ => return Err(failed(Errno::EINVAL)),
    };
    let job = Job { task, caller, ours: ours.as_fd(), theirs: theirs.as_fd() };
    let (_, pidfd) = sys::launch::helper(&job).map_err(failed)?;
    Ok(Helper { step, pidfd, channel: ours })
}

/// The helper itself. What holds for every new process holds here: no
/// allocation, no locks.
pub(crate) fn run(job: &Job<'_>) -> ! {
    // Or the end of the caller would not be the end of the stream.
    sys::fd::close_copy(job.ours);
    let mut word = [0_u8; 8];
    match retry(|| rustix::net::recv(job.theirs, &mut word[..], RecvFlags::empty())) {
        Ok((_, 1..)) => {}
        _ => exit(0),
    }
    let done = match &job.task {
        Task::Write(file, text) => write(job.caller, file, text),
        Task::Bind(kind, path) => super::perform::bind(Some(job.caller), *kind, path),
        Task::Run(image) => {
            // What it complains of goes to the caller, to be said in its place.
            let _ = sys::fd::place(job.theirs.as_raw_fd(), 2);
            exit(if image.execute() == Errno::ENOENT { 127 } else { 126 })
        }
    };
    let report = Report { step: 0, errno: done.err().unwrap_or(Errno::from_raw(0)) };
    let _ = rustix::net::send(job.theirs, &report.to_word().to_ne_bytes(), SendFlags::NOSIGNAL);
    exit(0)
}

fn write(dir: BorrowedFd<'_>, file: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::io::write(&file, text).map(drop)?)
}
