//! The comparison after a call: what is seen of every actor on both sides.

use std::time::{Duration, Instant};

use super::{Actor, Divergence, Stop, World};
use crate::real::{Real, Window};
use crate::seen::{self, Classes, Inside, Known, Life, Seen};

/// After so many calls everything of everybody is read, changed or not.
const ROUND: usize = 8;
/// How long the end or the stop of a task may take to be seen, on a machine that is busy
/// or slow.
const SETTLE: Duration = Duration::from_secs(5);
/// The same when a difference is looked for that is there: each look takes as long.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// What is kept of an actor from one comparison to the next.
#[derive(Debug, Default)]
pub(super) struct Watched {
    window: Option<Window>,
    /// Its number on the machine, when it was seen last.
    on_machine: Option<i32>,
    /// What the model showed of its files when they were compared last, if anything.
    inside: Option<Inside>,
}

impl Watched {
    /// The window to the task of this number: the one that is open, or a new one.
    fn window(&mut self, real: &Real, pid: u32) -> Option<&Window> {
        if self.window.as_ref().is_none_or(|window| window.pid != pid) {
            self.window = Window::open(real, pid);
            self.on_machine = self.window.as_ref().and_then(|_| real.on_machine(pid)).or(self.on_machine);
        }
        self.window.as_ref()
    }
}

/// An actor that was reaped by the last call.
#[derive(Debug)]
pub(super) struct Ghost {
    name: String,
    /// Its numbers, in the world and on the machine, when it was seen last.
    pid: u32,
    on_machine: Option<i32>,
}

/// What has to be seen of an actor.
struct Expected {
    seen: Seen,
    /// Whether its files are read, too.
    whole: bool,
}

/// `complete_signal`: a signal of a process may be left to the thread that a call holds.
fn hold_threads(expected: &mut [Option<Expected>]) {
    let seen = || expected.iter().flatten().map(|expected| &expected.seen);
    let held: Vec<u32> = seen().filter(|seen| seen.held).map(|seen| seen.status.tgid).collect();
    for Expected { seen, .. } in expected.iter_mut().flatten() {
        seen.held |= held.contains(&seen.status.tgid);
    }
}

impl World {
    /// Compares what is seen of every actor. Ends and stops take their time, so what
    /// differs is looked at again before it counts.
    pub(crate) fn compare(&mut self) -> Result<(), Stop> {
        self.bury();
        let living = seen::living(&self.kernel);
        self.known.namespaces.forget(|inum| living.contains_key(&inum));
        let mut expected: Vec<Option<Expected>> =
            self.actors.iter().map(|actor| self.expected(actor)).collect();
        hold_threads(&mut expected);
        let until = Instant::now() + if self.eager { SETTLE_AGAIN } else { SETTLE };
        loop {
            let mut known =
                Known { groups: Classes::default(), devices: Classes::default(), ..self.known.clone() };
            let differences = self.differences(&expected, &mut known);
            if differences.is_empty() {
                self.known = known;
                self.ghosts.clear();
                self.remember(expected);
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Stop::Diverged(Divergence { differences }));
            }
            std::thread::sleep(Duration::from_micros(300));
            for watched in self.watched.values_mut() {
                watched.window = None;
            }
        }
    }

    /// All of everybody now and then; between, what the model says has changed.
    fn expected(&self, actor: &Actor) -> Option<Expected> {
        let mut seen = seen::model(&self.kernel, self.init, actor.task, self.cgroup.1)?;
        let last = self.watched.get(&actor.task).map(|watched| &watched.inside);
        let whole = self.eager
            || self.calls.is_multiple_of(ROUND)
            || seen.status.life == Life::Dying
            || last != Some(&seen.inside);
        if !whole {
            seen.inside = None;
        }
        Some(Expected { seen, whole })
    }

    fn remember(&mut self, expected: Vec<Option<Expected>>) {
        for (actor, expected) in self.actors.iter().zip(expected) {
            if let Some(Expected { seen, whole: true }) = expected {
                self.watched.entry(actor.task).or_default().inside = seen.inside;
            }
        }
    }

    fn differences(&mut self, expected: &[Option<Expected>], known: &mut Known) -> Vec<String> {
        let mut found: Vec<String> = self.undead().collect();
        let Self { actors, watched, real, cgroup, .. } = self;
        for (Actor { name, task, .. }, expected) in actors.iter().zip(expected) {
            let Some(Expected { seen: model, whole }) = expected else {
                found.push(format!("{name}: the model has lost it"));
                continue;
            };
            let pid = model.status.pid;
            let window = watched.entry(*task).or_default().window(real, pid);
            match window.and_then(|window| window.look(real, &cgroup.0, *whole)) {
                Some(kernel) => found.extend(seen::compare(name, &kernel, model, known)),
                None => found.push(format!("{name}: no such process as {pid}")),
            }
        }
        found
    }

    /// Parts with the actors that the model has reaped. They must be gone.
    fn bury(&mut self) {
        let kernel = &self.kernel;
        for actor in &mut self.actors {
            if let Ok(status) = kernel.status(self.init, actor.task) {
                actor.pid = status.pid;
            }
        }
        let gone = |actor: &Actor| kernel.status(kernel.init(), actor.task).is_err();
        for actor in self.actors.extract_if(.., |actor| gone(actor)) {
            let on_machine = self.watched.remove(&actor.task).and_then(|watched| watched.on_machine);
            self.ghosts.push(Ghost { name: actor.name, pid: actor.pid, on_machine });
        }
    }

    /// The buried who are still there or keep their numbers. That of a process group or
    /// session stays, and another may have got one.
    fn undead(&self) -> impl Iterator<Item = String> {
        let walks = |ghost: &&Ghost| {
            let here = || self.real.exists(ghost.pid);
            let numbered = || ghost.on_machine.is_some_and(|pid| self.real.in_use(pid));
            ghost.pid != 0 && (here() || numbered()) && !self.number_taken(ghost.pid)
        };
        self.ghosts.iter().filter(walks).map(|ghost| format!("{}: still there as {}", ghost.name, ghost.pid))
    }

    /// Whether a number is of somebody, or of the group or session of somebody.
    fn number_taken(&self, pid: u32) -> bool {
        self.actors.iter().any(|actor| {
            let status = self.kernel.status(self.init, actor.task);
            status.is_ok_and(|status| [status.pid, status.pgid, status.sid].contains(&pid))
        })
    }
}
