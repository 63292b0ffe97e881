//! Worlds of the model alone: quick, to find out where calls lead before they are made.

use nsproxy::op::{Op, Reply};
use nsproxy::{Denial, Kernel, State, TaskId};

use crate::script::{Names, Step};
use crate::world::World;

/// A world without its real side.
#[derive(Clone, Debug)]
pub(crate) struct Imagined {
    pub(crate) kernel: Kernel,
    pub(crate) init: TaskId,
    /// Who is there, the exited too.
    pub(crate) tasks: Vec<TaskId>,
}

impl Imagined {
    /// What a world is to the model.
    pub(crate) fn of(world: &World) -> Self {
        let tasks = world.actors.iter().map(|actor| actor.task).collect();
        Self { kernel: world.kernel.clone(), init: world.init, tasks }
    }

    /// Whether a task can make a call.
    pub(crate) fn is_free(&self, task: TaskId) -> bool {
        let status = self.kernel.status(self.kernel.init(), task);
        status.is_ok_and(|status| status.state == State::Running)
    }

    pub(crate) fn free(&self) -> Vec<TaskId> {
        self.tasks.iter().copied().filter(|task| self.is_free(*task)).collect()
    }

    pub(crate) fn apply(&mut self, task: TaskId, op: &Op) -> Result<Reply, Denial> {
        let answer = self.kernel.apply(task, op);
        if let Ok(Reply::Child(child)) = &answer {
            self.tasks.push(child.task);
        }
        let (kernel, tasks) = (&self.kernel, &mut self.tasks);
        tasks.retain(|task| kernel.status(kernel.init(), *task).is_ok());
        answer
    }

    /// Makes the calls of a script but for the last, of which it returns the caller. Steps
    /// of somebody who is not there are passed over.
    pub(crate) fn play(&mut self, steps: &[Step]) -> Option<(TaskId, Op)> {
        let mut names = Names::new(self.init);
        let (last, before) = steps.split_last()?;
        for step in before {
            let Some((task, op)) = names.resolve(&self.kernel, step) else { continue };
            if self.tasks.contains(&task) && self.is_free(task) {
                let answer = self.apply(task, &op);
                names.learn(step.number, task, &answer);
            }
        }
        let (task, op) = names.resolve(&self.kernel, last)?;
        (self.tasks.contains(&task) && self.is_free(task)).then_some((task, op))
    }
}
