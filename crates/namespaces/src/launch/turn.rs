//! The caller's steps after the clone, which the child waits for.

use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::step_error;
use crate::errno::Errno;
use crate::error::Result;
use crate::idmap::{IdKind, IdMap, MapWriter, run_helper};
use crate::kind::Kind;
use crate::pin::{Pinned, pin_with_undo};
use crate::plan::{Actor, Plan, Step};
use crate::process::{Process, check_proc};
use crate::sys::clone::Report;

/// What the caller's steps have left on the system, undone unless kept.
#[derive(Default)]
pub(super) struct Turn {
    pinned: Vec<Pinned>,
}

impl Turn {
    /// Takes the caller's steps from `first` on.
    pub(super) fn take(&mut self, plan: &Plan, first: usize, process: &Process) -> Result<()> {
        if plan.of(Actor::Caller).any(|(_, what)| matches!(what, Step::WriteMap { .. })) {
            // The child is written to by number.
            check_proc()?;
        }
        for (step, what) in plan.of(Actor::Caller).filter(|(step, _)| *step >= first) {
            match what {
                Step::WriteMap { kind, map, writer: MapWriter::Helpers } => {
                    run_helper(*kind, process.pid(), map)?;
                }
                Step::WriteMap { kind, map, .. } => write_map(*kind, map, process.pid())
                    .map_err(|errno| step_error(plan, Report { step, errno }))?,
                Step::Pin { kind, path } => self.pin(process, *kind, path)?,
                _ => return Err(step_error(plan, Report { step, errno: Errno::EINVAL })),
            }
        }
        Ok(())
    }

    fn pin(&mut self, process: &Process, kind: Kind, path: &Path) -> Result<()> {
        let namespace = match process.namespace_for_children(kind) {
            // Before its first process a pid namespace has no such link.
            Err(_) => process.namespace(kind)?,
            Ok(namespace) => namespace,
        };
        self.pinned.push(pin_with_undo(&namespace, path)?);
        Ok(())
    }

    /// The launch has succeeded: what was made stays.
    pub(super) fn keep(&mut self) {
        self.pinned.drain(..).for_each(Pinned::keep);
    }
}

fn write_map(kind: IdKind, map: &IdMap, pid: i32) -> Result<(), Errno> {
    // The child can't be reaped, and its id not be used again, before we do so.
    let path = format!("/proc/{pid}/{}", kind.file());
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, map.to_string().as_bytes())?;
    Ok(())
}
