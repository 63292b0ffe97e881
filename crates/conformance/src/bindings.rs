//! What the names of a scenario stand for.

use std::collections::BTreeMap;

use nsproxy::op::{Op, Reply};
use nsproxy::scenario::question::Names;
use nsproxy::{Fd, Kernel, NsAnswer, PidfdAnswer, TaskId};

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Task(TaskId),
    Fd(Fd),
}

impl Named {
    /// What a call has made.
    fn of(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Child(child) => Some(Self::Task(child.task)),
            Reply::Fd(fd) | Reply::Ns(NsAnswer::Fd(fd)) | Reply::Pidfd(PidfdAnswer::Fd(fd)) => {
                Some(Self::Fd(*fd))
            }
            _ => None,
        }
    }
}

/// The names of a scenario so far.
#[derive(Clone, Debug)]
pub(crate) struct Bindings(BTreeMap<String, Named>);

impl Bindings {
    /// A scenario that has just begun knows the first process.
    pub(crate) fn new(init: TaskId) -> Self {
        Self(BTreeMap::from([(String::from("init"), Named::Task(init))]))
    }

    /// The call of these words, with the numbers that `caller` sees.
    pub(crate) fn parse(&self, kernel: &Kernel, caller: TaskId, words: &[String]) -> Result<Op, String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let number = |name: &str| match self.0.get(name)? {
            Named::Task(named) => i32::try_from(kernel.status(caller, *named).ok()?.pid).ok(),
            Named::Fd(fd) => Some(*fd),
        };
        Op::parse(&words, &number).map_err(|error| error.to_string())
    }

    /// Names what a call has made. `None` where it has made nothing.
    pub(crate) fn bind(&mut self, name: &str, reply: &Reply) -> Option<Named> {
        let named = Named::of(reply)?;
        self.0.insert(name.to_owned(), named);
        Some(named)
    }
}

impl Names for Bindings {
    fn task(&self, name: &str) -> Option<TaskId> {
        match self.0.get(name)? {
            Named::Task(task) => Some(*task),
            Named::Fd(_) => None,
        }
    }

    fn fd(&self, name: &str) -> Option<Fd> {
        match self.0.get(name)? {
            Named::Fd(fd) => Some(*fd),
            Named::Task(_) => None,
        }
    }
}
