//! How caller and child keep in step, on the caller's side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::descriptors::Descriptors;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::sys::clone::{Control, Report};
use crate::sys::launch::Wake;

/// What caller and child have in common to keep in step.
pub(super) enum Both {
    /// The kernel wakes the caller when the child has executed or ended.
    Sleep,
    /// Words in the memory that both share.
    Words,
    /// A socket pair: the caller's end, and the child's.
    Channel(OwnedFd, OwnedFd),
}

impl Both {
    pub(super) fn new(wake: Wake, descriptors: &Descriptors) -> Result<Both> {
        match wake {
            Wake::Sleep => Ok(Both::Sleep),
            Wake::Words => Ok(Both::Words),
            Wake::Channel => {
                let failed = |errno: Errno| Error::call("making", "a socket to the new process", errno);
                let (ours, theirs) = rustix::net::socketpair(
                    AddressFamily::UNIX,
                    SocketType::SEQPACKET,
                    SocketFlags::CLOEXEC,
                    None,
                )
                .map_err(|errno| failed(errno.into()))?;
                // It must not be where the program's descriptors go.
                Ok(Both::Channel(ours, descriptors.out_of_the_way(theirs).map_err(failed)?))
            }
        }
    }

    pub(super) fn ends(&self) -> Option<(BorrowedFd<'_>, BorrowedFd<'_>)> {
        match self {
            Both::Channel(ours, theirs) => Some((ours.as_fd(), theirs.as_fd())),
            Both::Sleep | Both::Words => None,
        }
    }

    /// The caller's part alone, so that the child's end is the end of the stream.
    pub(super) fn ours(self) -> Ours {
        match self {
            Both::Sleep => Ours::Sleep,
            Both::Words => Ours::Words,
            Both::Channel(ours, _theirs) => Ours::Channel(ours),
        }
    }
}

/// The caller's part of it, when the child has its own.
pub(super) enum Ours {
    Sleep,
    Words,
    Channel(OwnedFd),
}

impl Ours {
    /// Lets the child go on after the caller's turn.
    pub(super) fn release(&self, control: &Control) {
        match self {
            Ours::Sleep => {}
            Ours::Words => control.give_turn(),
            // If the child is dead this fails, and the outcome will tell.
            Ours::Channel(ours) => drop(rustix::net::send(ours, &[0; 8], SendFlags::NOSIGNAL)),
        }
    }

    /// Waits for the child's word: a report, or that there is nothing to report.
    pub(super) fn outcome(&self, control: &Control) -> Result<Option<Report>> {
        match self {
            Ours::Sleep => {}
            Ours::Words => control.await_end(),
            Ours::Channel(ours) => {
                // A word of zero, or the end of the stream, which execve brings about.
                let mut word = [0_u8; 8];
                let (_, length) =
                    rustix::io::retry_on_intr(|| rustix::net::recv(ours, &mut word, RecvFlags::empty()))
                        .map_err(|errno| Error::call("hearing from", "the new process", errno))?;
                let word = u64::from_ne_bytes(word);
                return Ok(Report::from_word(word).filter(|_| length == size_of_val(&word)));
            }
        }
        Ok(control.report())
    }

    /// The channel, for init to say how the program ended.
    pub(super) fn into_channel(self) -> Option<OwnedFd> {
        match self {
            Ours::Channel(ours) => Some(ours),
            Ours::Sleep | Ours::Words => None,
        }
    }
}
