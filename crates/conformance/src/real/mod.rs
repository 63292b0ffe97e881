//! The running kernel's side: a world of fresh namespaces, and the actors in it.

pub(crate) mod ask;
pub(crate) mod call;
mod file;
mod look;
mod numbers;

pub(crate) use file::FILE;
pub(crate) use look::Window;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use self::file::File;
use self::numbers::Numbers;
use crate::error::context;
use crate::sys::{self, MAILBOX_FD, Mailbox, PROGRAM_FD, Turn};

/// Descriptors that every actor has besides those of the model: its world's /proc,
/// and the directory of its world's cgroups.
pub(crate) const PROC_FD: i32 = 1002;
pub(crate) const CGROUP_FD: i32 = 1003;
pub(crate) const SPARE_FD: i32 = 1004;

/// How long an actor may take for a call before something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The kernel's answer.
    Answer(i64),
    /// None yet: the actor ended or is held in the call.
    Pending,
}

/// A world: its first process and what is needed to talk to all others.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) mailbox: Mailbox,
    /// The world's /proc, seen from outside.
    pub(crate) proc: OwnedFd,
    /// The first process, as the machine numbers it.
    pub(crate) host_pid: i32,
    /// Once the world has a /proc of its own.
    numbers: Option<Numbers>,
    /// Once the world has its root directory.
    file: Option<File>,
    pidfd: OwnedFd,
}

fn raw(answer: i64) -> std::io::Result<i64> {
    match sys::errno_of(answer) {
        Some(errno) => Err(std::io::Error::from_raw_os_error(errno)),
        None => Ok(answer),
    }
}

/// Puts a descriptor at an agreed number, inherited by children.
fn settle_at(fd: impl AsFd, number: i32) -> std::io::Result<OwnedFd> {
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, number).map_err(Into::into);
    let copy = context(format_args!("put a descriptor at {number}"), copy)?;
    if copy.as_raw_fd() != number {
        return Err(std::io::Error::other(format!("descriptor {number} is taken")));
    }
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
    Ok(copy)
}

impl Real {
    /// Makes the first process of a world by one clone3 with these flags; its actor is
    /// in slot 0. Its /proc is still to come: [`Real::attach_proc`].
    pub(crate) fn start(flags: u64, cgroup: Option<&OwnedFd>) -> std::io::Result<Real> {
        let mailbox = context("map the mailbox", Mailbox::new())?;
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        let null = context("open /dev/null", null.map_err(Into::into))?;
        let program = context("make the actors' program", program_file())?;
        let kept = [
            settle_at(mailbox.file(), MAILBOX_FD)?,
            settle_at(&program, PROGRAM_FD)?,
            // Taken until the world has its own.
            settle_at(&null, PROC_FD)?,
            settle_at(cgroup.map_or(null.as_fd(), AsFd::as_fd), CGROUP_FD)?,
        ];
        let pid = sys::start(flags, cgroup, &null).map_err(std::io::Error::from_raw_os_error);
        drop(kept);
        let host_pid = context("clone3", pid)?;
        let pid = rustix::process::Pid::from_raw(host_pid).ok_or_else(|| std::io::Error::other("no pid"))?;
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        let pidfd = context("pidfd_open", pidfd.map_err(Into::into))?;
        let proc =
            rustix::fs::open("/proc", OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty());
        let proc = context("open /proc", proc.map_err(Into::into))?;
        let real = Real { mailbox, proc, host_pid, numbers: None, file: None, pidfd };
        if real.mailbox.wait(0, Turn::Nobody, PATIENCE) {
            Ok(real)
        } else {
            Err(std::io::Error::other(format!("the world's first process does not answer: {}", real.end())))
        }
    }

    /// How the first process ended.
    fn end(&self) -> String {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(errno), _) => format!("it was not executed, errno {errno}"),
                (None, signal) => format!("it was ended by signal {}", signal.unwrap_or_default()),
            },
            _ => String::from("it still runs"),
        }
    }

    /// Makes a system call in an actor and waits for the answer.
    pub(crate) fn call(&self, slot: usize, number: i64, args: [u64; 6]) -> std::io::Result<i64> {
        match self.order(slot, number, args, None, PATIENCE) {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::Pending => Err(std::io::Error::other(format!(
                "the actor in slot {slot} does not answer to call {number} with {args:x?}"
            ))),
        }
    }

    /// Gives an order, and waits for the answer for no longer than this.
    pub(crate) fn order(
        &self,
        slot: usize,
        number: i64,
        args: [u64; 6],
        child: Option<usize>,
        patience: Duration,
    ) -> Outcome {
        if let Some(child) = child {
            self.mailbox.clear(child);
        }
        self.mailbox.order(slot, number, args, child);
        self.answer(slot, patience)
    }

    /// The answer to an order given before.
    pub(crate) fn answer(&self, slot: usize, patience: Duration) -> Outcome {
        if self.mailbox.wait(slot, Turn::Actor, patience) {
            Outcome::Answer(self.mailbox.answer(slot))
        } else {
            Outcome::Pending
        }
    }

    /// Waits until a new actor is in its loop.
    pub(crate) fn arrived(&self, slot: usize, patience: Duration) -> bool {
        self.mailbox.wait(slot, Turn::Nobody, patience)
    }

    /// The descriptors of a task that are the model's, in order.
    pub(crate) fn descriptors(&self, pid: u32) -> std::io::Result<Vec<i32>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&self.proc, format!("{pid}/fd"), flags, Mode::empty())?;
        let mut all = Vec::new();
        for entry in rustix::fs::Dir::read_from(&directory)? {
            let number = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok());
            all.extend(number.filter(|fd| (3..MAILBOX_FD).contains(fd)));
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The number on the machine of the world's task of this number.
    pub(crate) fn on_machine(&self, pid: u32) -> Option<i32> {
        self.numbers.as_ref()?.on_machine(pid)
    }

    /// Whether a number on the machine is not given back yet.
    pub(crate) fn in_use(&self, on_machine: i32) -> bool {
        self.numbers.as_ref().is_some_and(|numbers| numbers.in_use(on_machine))
    }

    /// Puts the actors' program into the file of the world.
    pub(crate) fn fill_file(&mut self) -> std::io::Result<()> {
        let path = format!("/proc/{}/root{FILE}", self.host_pid);
        self.file = Some(context("fill the world's file", File::fill(&path))?);
        Ok(())
    }

    /// Whether the file that the task of this number would execute can be made such a program.
    pub(crate) fn prepare(&self, pid: u32, program: &nsproxy::Program) -> bool {
        let path = format!("{pid}/root{FILE}");
        self.file.as_ref().is_some_and(|file| file.become_program(&self.proc, &path, program))
    }

    /// Whether the world has a task of this number.
    pub(crate) fn exists(&self, pid: u32) -> bool {
        rustix::fs::statat(&self.proc, pid.to_string(), rustix::fs::AtFlags::empty()).is_ok()
    }

    /// A file below the world's /proc.
    pub(crate) fn read_file(&self, path: &str) -> Option<String> {
        look::read(self, path)
    }

    /// Gives the world's first process a /proc of its own pid namespace that is
    /// mounted nowhere, for the actors and for the runner to look through.
    pub(crate) fn attach_proc(&mut self) -> std::io::Result<()> {
        let mailbox = &self.mailbox;
        let tmp = mailbox.put(0, 0, b"/tmp\0");
        let proc = mailbox.put(0, 16, b"proc\0");
        let number = |fd: i64| u64::try_from(fd).unwrap_or(u64::MAX);
        let step = |what: &str, nr: i64, args: [u64; 6]| context(what, self.call(0, nr, args).and_then(raw));
        step("mount proc", libc::SYS_mount, [proc, tmp, proc, 0, 0, 0])?;
        let directory = u64::from((libc::O_RDONLY | libc::O_DIRECTORY).unsigned_abs());
        let fd = step("open proc", libc::SYS_open, [tmp, directory, 0, 0, 0, 0])?;
        let at = u64::from(PROC_FD.unsigned_abs());
        step("keep proc", libc::SYS_dup2, [number(fd), at, 0, 0, 0, 0])?;
        step("close", libc::SYS_close, [number(fd), 0, 0, 0, 0, 0])?;
        let lazy = u64::from(libc::MNT_DETACH.unsigned_abs());
        step("unmount proc", libc::SYS_umount2, [tmp, lazy, 0, 0, 0, 0])?;
        let path = format!("/proc/{}/fd/{PROC_FD}", self.host_pid);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        self.proc = context(
            "open the world's proc",
            rustix::fs::open(path, flags, Mode::empty()).map_err(Into::into),
        )?;
        let numbers = Numbers::new(&self.proc).map_err(Into::into);
        self.numbers = Some(context("open the world's pid namespace", numbers)?);
        Ok(())
    }
}

/// The program of the actors, in memory.
fn program_file() -> std::io::Result<OwnedFd> {
    // Releases before 6.3 know no MFD_EXEC, and let every memory file be executed.
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let exec = rustix::fs::MemfdFlags::from_bits_retain(flags.bits() | 0x10);
    let file = rustix::fs::memfd_create("conformance-actor", exec)
        .or_else(|_| rustix::fs::memfd_create("conformance-actor", flags))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o755))?;
    let image = sys::image();
    let mut written = 0;
    while written < image.len() {
        written += rustix::io::write(&file, &image[written..])?;
    }
    // A file open for writing is not executed.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let read = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(read)
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
        let id = rustix::process::WaitId::PidFd(self.pidfd.as_fd());
        let until = Instant::now() + PATIENCE;
        while rustix::process::waitid(id.clone(), rustix::process::WaitIdOptions::EXITED).is_err() {
            if Instant::now() > until {
                break;
            }
        }
    }
}
