//! Passing signals on to a program.

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;

use rustix::event::{PollFd, PollFlags};

use super::Child;
use crate::error::{Error, Result};
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
    fd: OwnedFd,
    /// What was blocked before.
    before: Mask,
}

impl ForwardSignals {
    /// Holds back these signals in the calling thread, until dropped.
    pub fn hold() -> Result<ForwardSignals> {
        let held = FORWARDED.iter().fold(0, |mask, number| mask | 1 << (number - 1));
        let fd = signal::signalfd(held)
            .map_err(|errno| Error::call("making", "a descriptor for signals", errno))?;
        signal::reset_if_ignored(libc::SIGCHLD);
        let before = signal::set_mask(signal::ALL);
        signal::set_mask(before | held);
        Ok(ForwardSignals { fd, before })
    }

    pub(crate) fn mask_before(&self) -> Mask {
        self.before
    }

    /// Waits for the end of the program, and passes on what comes meanwhile.
    ///
    /// What the terminal itself sends reaches the program without help, being
    /// sent to the whole foreground process group. A stop stops the caller too,
    /// so that the shell gets its terminal back.
    pub fn wait(&mut self, child: &mut Child) -> Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let mut fds = [
                PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(child.process().as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::call("waiting for", child.process().to_string(), errno)),
            }
            while let Some(received) = signal::read_signalfd(self.fd.as_fd()) {
                if !received.from_kernel || child.in_own_session() {
                    // It may have ended meanwhile: the loop will see.
                    let _ = child.signal(received.number);
                }
                if received.number == libc::SIGTSTP {
                    signal::stop_self();
                }
            }
        }
    }
}

impl Drop for ForwardSignals {
    fn drop(&mut self) {
        signal::set_mask(self.before);
    }
}
