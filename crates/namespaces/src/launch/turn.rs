//! The caller's steps after the clone, which the child waits for.

use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::helper::Helpers;
use super::perform::bind;
use super::step_error;
use crate::errno::Errno;
use crate::error::Result;
use crate::idmap::{IdKind, IdMap, MapWriter, run_helper};
use crate::kind::Kind;
use crate::pin::{Pinned, pin_with_undo};
use crate::plan::{Actor, Plan, PlanStep, Step};
use crate::process::{Process, check_proc};
use crate::sys::clone::Report;

/// What the caller's steps have left on the system, undone unless kept.
pub(super) struct Turn<'a> {
    helpers: &'a Helpers,
    pinned: Vec<Pinned>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(helpers: &'a Helpers) -> Turn<'a> {
        Turn { helpers, pinned: Vec::new() }
    }

    /// Takes the caller's steps from `first` on.
    pub(super) fn take(&mut self, plan: &Plan, first: usize, process: &Process) -> Result<()> {
        if plan.of(Actor::Caller).any(|(_, what)| matches!(what, Step::WriteMap { .. })) {
            // The child is written to by number.
            check_proc()?;
        }
        for (step, PlanStep { actor, step: what }) in plan.steps().iter().enumerate().skip(first) {
            match what {
                _ if *actor == Actor::Helper => self.helpers.take_turn(plan, step)?,
                _ if *actor != Actor::Caller => {}
                Step::Bind { kind, path } => {
                    bind(None, *kind, path).map_err(|errno| step_error(plan, Report { step, errno }))?;
                }
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
