//! Passing signals on to a program.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::event::{PollFd, PollFlags};

use super::{Child, heed_children};
use crate::error::{Error, Result};
use crate::process::open_proc;
use crate::sys::signal::{self, Mask};

/// What a terminal user and a supervisor send to the process they know,
/// meaning the program.
const FORWARDED: [i32; 9] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
    libc::SIGCONT,
    libc::SIGTSTP,
];

/// The signals TERM, INT, HUP, QUIT, USR1, USR2, WINCH, CONT and TSTP, held
/// back from this process to be passed on to a [`Child`].
///
/// Made before the child is started, so that none is lost that comes early.
/// An ignored `SIGCHLD`, with which the end of a child can't be seen, gets its
/// default disposition.
///
/// The mask of blocked signals belongs to a thread: in a program with more
/// threads, make this before the others.
///
/// ```
/// use namespaces::{ForwardSignals, Spawn};
///
/// let mut signals = ForwardSignals::hold()?;
/// let mut child = Spawn::new("true").forward_signals(&signals).spawn()?;
/// assert!(signals.wait(&mut child)?.success());
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Debug)]
pub struct ForwardSignals {
    /// Where they come out; `None` if they go nowhere.
    fd: Option<OwnedFd>,
    /// What tells the signals that a child handles: the child may mount another
    /// proc where the caller sees it.
    proc: Option<OwnedFd>,
    /// What was blocked before.
    before: Mask,
}

impl ForwardSignals {
    /// Holds back these signals in the calling thread, until dropped.
    pub fn hold() -> Result<ForwardSignals> {
        let held = FORWARDED.iter().fold(0, |mask, number| mask | bit(*number));
        let fd = signal::signalfd(held)
            .map_err(|errno| Error::call("making", "a descriptor for signals", errno))?;
        Ok(ForwardSignals { fd: Some(fd), proc: open_proc().ok(), before: block(held) })
    }

    /// Holds back only `TERM` and `INT`, and passes them on to nobody: they do
    /// not end the caller before the program. What the terminal sends reaches
    /// the program without help.
    pub fn withhold() -> Result<ForwardSignals> {
        Ok(ForwardSignals { fd: None, proc: None, before: block(bit(libc::SIGTERM) | bit(libc::SIGINT)) })
    }

    pub(crate) fn mask_before(&self) -> Mask {
        self.before
    }

    /// Waits for the end of the program, and passes on what comes meanwhile.
    ///
    /// What the terminal itself sends to the whole foreground process group is
    /// not sent again to a program in there. A stop stops the caller too,
    /// so that the shell gets its terminal back.
    ///
    /// A program that is pid 1 of its pid namespace, and so is not ended by a
    /// signal that it does not handle, is ended all the same; the answer then
    /// is that signal.
    pub fn wait(&mut self, child: &mut Child) -> Result<ExitStatus> {
        let Some(fd) = &self.fd else { return child.wait() };
        let mut ended_by = None;
        loop {
            if let Some(status) = child.try_wait()? {
                let killed = status.signal() == Some(libc::SIGKILL);
                return Ok(ended_by.filter(|_| killed).map_or(status, ExitStatus::from_raw));
            }
            let mut fds = [
                PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(child.process().as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::call("waiting for", child.process().to_string(), errno)),
            }
            while let Some(received) = signal::read_signalfd(fd.as_fd()) {
                let number = received.number;
                let has = received.from_kernel && child.has_its_own(number);
                let proc = self.proc.as_ref().map(AsFd::as_fd);
                ended_by = child.signal_as_usual(number, has, proc).or(ended_by);
                if number == libc::SIGTSTP {
                    signal::stop_self();
                }
            }
        }
    }
}

fn bit(number: i32) -> Mask {
    1 << (number - 1)
}

/// Blocks the signals `held`, and answers with what was blocked before.
fn block(held: Mask) -> Mask {
    heed_children();
    let before = signal::set_mask(signal::ALL);
    signal::set_mask(before | held);
    before
}

impl Drop for ForwardSignals {
    fn drop(&mut self) {
        signal::set_mask(self.before);
    }
}
