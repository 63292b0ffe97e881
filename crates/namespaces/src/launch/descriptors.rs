//! The descriptors of the program, opened and moved out of each other's way
//! before there is a process to give them to.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::plan::{Plan, Source, Step};
use crate::sys;

/// What the program gets.
#[derive(Default)]
pub(super) struct Descriptors {
    /// What to put where, in an order that overwrites nothing still needed.
    pub(super) moves: Vec<(RawFd, RawFd)>,
    /// The highest number that will be overwritten.
    highest: RawFd,
    /// Our ends of the pipes for 0, 1 and 2.
    pub(super) ours: [Option<OwnedFd>; 3],
    /// What must stay open until the child has it.
    theirs: Vec<OwnedFd>,
}

impl Descriptors {
    pub(super) fn open(plan: &Plan) -> Result<Descriptors> {
        let mut descriptors = Descriptors::default();
        let places = plan.steps().iter().find_map(|s| match &s.step {
            Step::Descriptors(places) => Some(places),
            _ => None,
        });
        let Some(places) = places else {
            return Ok(descriptors);
        };
        descriptors.highest = places.iter().map(|place| place.fd).max().unwrap_or_default();
        for place in places {
            descriptors
                .add(place.fd, place.source)
                .map_err(|errno| Error::call("preparing", format!("descriptor {}", place.fd), errno))?;
        }
        Ok(descriptors)
    }

    fn add(&mut self, fd: RawFd, source: Source) -> Result<(), Errno> {
        let from = match source {
            Source::Null => {
                let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
                self.hold(null)?
            }
            Source::Pipe => {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
                let (ours, theirs) = if fd == 0 { (write, read) } else { (read, write) };
                if let Some(slot) = self.ours.get_mut(fd.cast_unsigned() as usize) {
                    *slot = Some(ours);
                }
                self.hold(theirs)?
            }
            // Where it stands it may be overwritten before its turn.
            Source::Fd(from) if from != fd && from <= self.highest => {
                let copy = sys::fd::duplicate(from, self.highest + 1)?;
                self.hold(copy)?
            }
            Source::Fd(from) => from,
        };
        self.moves.push((from, fd));
        Ok(())
    }

    fn hold(&mut self, fd: OwnedFd) -> Result<RawFd, Errno> {
        let fd = self.out_of_the_way(fd)?;
        let number = fd.as_raw_fd();
        self.theirs.push(fd);
        Ok(number)
    }

    /// `fd`, or a copy of it above all numbers that will be overwritten.
    pub(super) fn out_of_the_way(&self, fd: OwnedFd) -> Result<OwnedFd, Errno> {
        if fd.as_raw_fd() > self.highest {
            return Ok(fd);
        }
        Ok(rustix::io::fcntl_dupfd_cloexec(&fd, self.highest + 1)?)
    }
}
