//! A program that was started.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::net::RecvFlags;
use rustix::process::{DumpableBehavior, Pid, WaitId, WaitIdOptions, WaitIdStatus};

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::process::Process;
use crate::sys::signal;

/// The process that [`Spawn::spawn`](crate::Spawn::spawn) made.
///
/// Dropping it neither ends the process nor waits for it.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// How init says what became of the program.
    init: Option<OwnedFd>,
    status: Option<ExitStatus>,
    /// Whether it left the caller's session, and with it the terminal.
    own_session: bool,
    /// Whether the program itself is pid 1, which no signal ends that it does
    /// not handle.
    pid_one: bool,
    /// The end to write to, if standard input is [`Stdio::Piped`](crate::Stdio::Piped).
    pub stdin: Option<File>,
    /// The end to read from, if standard output is piped.
    pub stdout: Option<File>,
    /// The end to read from, if standard error is piped.
    pub stderr: Option<File>,
}

/// The end of a program and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, if that was piped.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, if that was piped.
    pub stderr: Vec<u8>,
}

impl Child {
    pub(crate) fn new(
        process: Process,
        init: Option<OwnedFd>,
        own_session: bool,
        pid_one: bool,
        pipes: [Option<OwnedFd>; 3],
    ) -> Child {
        let [stdin, stdout, stderr] = pipes.map(|end| end.map(File::from));
        Child { process, init, status: None, own_session, pid_one, stdin, stdout, stderr }
    }

    /// Whether the kernel, having sent the caller the signal `number`, has sent
    /// it to this process as well. What a terminal sends goes to a whole process
    /// group, but a hangup, and what follows it, to the leader of the session
    /// alone (`tty_signal_session_leader`).
    pub(crate) fn has_its_own(&self, number: i32) -> bool {
        let me = rustix::process::getpid();
        let leads = rustix::process::getsid(None) == Ok(me);
        if self.own_session || leads && matches!(number, libc::SIGHUP | libc::SIGCONT) {
            return false;
        }
        let group = rustix::process::getpgid(Pid::from_raw(self.id()));
        group == Ok(rustix::process::getpgrp())
    }

    /// Its process id, in the pid namespace of the caller. With an init it is
    /// that of init.
    pub fn id(&self) -> i32 {
        self.process.pid()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Sends the signal `number`. An init passes it on to the program.
    pub fn signal(&self, number: i32) -> Result<()> {
        self.process.signal(number)
    }

    /// Ends it at once with `SIGKILL`; with an init or as pid 1, and all
    /// processes of its pid namespace with it.
    pub fn kill(&self) -> Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// Closes standard input if it is piped, and waits until the program ends.
    ///
    /// # Errors
    ///
    /// `ECHILD` if the process was reaped elsewhere: by a `wait(2)` for any
    /// child in another thread, or by the kernel because this process ignores
    /// `SIGCHLD`.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        loop {
            match self.reap(WaitIdOptions::EXITED) {
                Ok(Some(status)) => return Ok(status),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::call("waiting for", self.process.to_string(), errno)),
            }
        }
    }

    /// Waits until the program ends, and stops with it when it is stopped: then
    /// a shell sees that its job has stopped. When it lets the caller go on, the
    /// program goes on as well.
    pub fn wait_as_job(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED;
            match rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), options) {
                Ok(Some(change)) if change.stopped() => {
                    signal::stop();
                    // It may have ended meanwhile.
                    let _ = self.signal(libc::SIGCONT);
                }
                Ok(Some(end)) => {
                    let status = self.said_by_init().unwrap_or_else(|| exit_status(&end));
                    self.status = Some(status);
                    return Ok(status);
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::call("waiting for", self.process.to_string(), errno)),
            }
        }
    }

    /// Lets a signal have the effect that it would have on any process: for
    /// pid 1 the kernel drops those that it does not handle, which `proc` tells.
    /// Where that is not known it is taken to handle none, so that none is lost.
    /// What it `has` got itself is not sent again.
    ///
    /// Answers with the signal that the program is to have ended by.
    pub(crate) fn signal_as_usual(
        &self,
        number: i32,
        has: bool,
        proc: Option<BorrowedFd<'_>>,
    ) -> Option<i32> {
        let handles = || proc.and_then(|proc| self.process.handles(number, proc)).unwrap_or(false);
        let by_default = self.pid_one && !handles();
        let (sent, ended_by) = match number {
            libc::SIGCONT | libc::SIGWINCH => (number, None),
            libc::SIGTSTP if by_default => (libc::SIGSTOP, None),
            _ if by_default => (libc::SIGKILL, Some(number)),
            _ => (number, None),
        };
        if has && sent == number {
            return None;
        }
        // It may have ended meanwhile: who waits for it will see.
        self.signal(sent).ok().and(ended_by)
    }

    /// How the program ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.reap(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
            .map_err(|errno| Error::call("waiting for", self.process.to_string(), errno))
    }

    /// Reads standard output and error to their ends, both at once, and waits.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let read = |pipe: Option<File>| {
            let mut bytes = Vec::new();
            pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes))
                .map_err(|error| Error::call("reading", "what the program wrote", error))?;
            Ok(bytes)
        };
        let (stdout, stderr) = std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, || read(stderr));
            let stdout = read(stdout);
            (stdout, other.map(|other| other.join().unwrap_or(Err(Error::Panicked))))
        });
        let status = self.wait()?;
        let stderr = stderr.map_err(|error| Error::call("starting", "a thread", error))?;
        Ok(Output { status, stdout: stdout?, stderr: stderr? })
    }

    fn reap(&mut self, options: WaitIdOptions) -> Result<Option<ExitStatus>, Errno> {
        if self.status.is_none() {
            self.status = match rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), options) {
                Ok(ended) => ended.map(|own| self.said_by_init().unwrap_or_else(|| exit_status(&own))),
                // Reaped by others, or by the kernel where SIGCHLD is ignored.
                Err(rustix::io::Errno::CHILD) => Some(self.said_by_init().ok_or(Errno::ECHILD)?),
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(self.status)
    }

    /// How the program ended, in init's words: pid 1 can't be killed by the
    /// signal that killed the program, so its own status would say less.
    fn said_by_init(&self) -> Option<ExitStatus> {
        let mut word = [0_u8; 8];
        let (_, length) = rustix::net::recv(self.init.as_ref()?, &mut word, RecvFlags::DONTWAIT).ok()?;
        let status = u64::from_ne_bytes(word);
        let status = i32::try_from(status).ok()?;
        (length == word.len()).then(|| ExitStatus::from_raw(status))
    }
}

impl AsFd for Child {
    /// The pidfd, which is readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let core = if status.dumped() { 0x80 } else { 0 };
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (_, Some(signal)) => signal | core,
        _ => 0,
    };
    ExitStatus::from_raw(raw)
}

/// Gives `SIGCHLD` its default disposition in the calling process if it is
/// ignored, as a process may be started: with that the kernel keeps no status
/// of a child that has ended, and the next program would inherit it.
pub fn heed_children() {
    signal::reset_if_ignored(libc::SIGCHLD);
}

/// Ends the calling process by the signal `number`, as if that had come to it
/// unhandled: whoever waits for it sees what became of a program that ended so.
/// It leaves no core dump, which would be a second one, and of the wrong process.
///
/// Comes back if that signal ends no process.
pub fn end_by_signal(number: i32) {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    signal::end_self(number);
}
