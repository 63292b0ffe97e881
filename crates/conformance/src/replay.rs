//! Scenarios, in the language of `ns sim`, on both sides.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use nsproxy::op::{Op, Reply};
use nsproxy::scenario::{CallLine, Line};
use nsproxy::{Fd, Release, TaskId};

use crate::Args;
use crate::machine::Machine;
use crate::world::{Kind, Stop, World, in_words};

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Named {
    Task(TaskId),
    Fd(Fd),
}

/// How a scenario ended.
#[derive(Debug)]
enum End {
    /// Both sides agree, and every answer was the expected one.
    Agreed,
    /// It asks for what a running kernel cannot be told.
    NotHere(String),
    /// This line, and what is wrong.
    Wrong(usize, Vec<String>),
}

/// Replays every scenario. `true` if all agree.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    let machine = Machine::probe()?;
    let mut all = true;
    for path in &args.replay {
        let text = std::fs::read_to_string(path)?;
        let end = replay(&machine, world_kind(&machine, args, &text)?, &text)?;
        match end {
            End::Agreed => println!("{}: both sides agree", path.display()),
            End::NotHere(why) => println!("{}: not for this kernel: {why}", path.display()),
            End::Wrong(line, problems) => {
                all = false;
                report(path, line, &problems);
            }
        }
    }
    Ok(all)
}

fn report(path: &Path, line: usize, problems: &[String]) {
    for problem in problems {
        println!("{}:{line}: {problem}", path.display());
    }
}

/// What the command line says, or a line `# world KIND` of the scenario, or what the
/// runner can make.
fn world_kind(machine: &Machine, args: &Args, text: &str) -> io::Result<Kind> {
    let said = text.lines().find_map(|line| line.strip_prefix("# world ")).map(str::trim);
    match args.world.as_deref().or(said) {
        Some(name) => {
            Kind::from_name(name).ok_or_else(|| io::Error::other(format!("no such kind of world: {name}")))
        }
        None if machine.privileged() => Ok(Kind::Root),
        None => Ok(Kind::User),
    }
}

fn replay(machine: &Machine, kind: Kind, text: &str) -> io::Result<End> {
    if !machine.privileged() && kind != Kind::User {
        return Ok(End::NotHere(String::from("such a world takes root")));
    }
    let world = match World::new(machine, kind, None) {
        Ok(world) => world,
        Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(0, divergence.differences)),
        Err(Stop::Failed(error)) => return Err(error),
    };
    let init = Named::Task(world.init);
    let mut script = Script { world, names: BTreeMap::from([(String::from("init"), init)]) };
    for (number, line) in (1..).zip(text.lines()) {
        let line =
            Line::parse(line).map_err(|problem| io::Error::other(format!("line {number}: {problem}")))?;
        let done = match line {
            Line::Empty => Ok(None),
            Line::Directive(words) => Ok(directive(machine, &words)),
            Line::Call(call) => script.call(number, &call),
        };
        match done {
            Ok(None) => {}
            Ok(Some(end)) => return Ok(end),
            Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(number, divergence.differences)),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(End::Agreed)
}

/// Lines without a caller: to the model only, so most make no sense here.
fn directive(machine: &Machine, words: &[String]) -> Option<End> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["show" | "settle"] => None,
        ["release", release] if Release::parse(release) == Some(machine.params.release) => None,
        _ => Some(End::NotHere(words.join(" "))),
    }
}

struct Script {
    world: World,
    names: BTreeMap<String, Named>,
}

impl Script {
    fn call(&mut self, number: usize, line: &CallLine) -> Result<Option<End>, Stop> {
        let wrong = |problem: String| Stop::Failed(io::Error::other(problem));
        let Some(Named::Task(task)) = self.names.get(&line.caller).copied() else {
            return Err(wrong(format!("no task is called {}", line.caller)));
        };
        let op = self.parse(task, &line.words).map_err(wrong)?;
        let Some(actor) = self.world.find(task) else {
            return Err(wrong(format!("{} is no more", line.caller)));
        };
        let model = self.world.step(actor, &op)?;
        if !line.expects(&model) {
            let text = format!("both sides answer {}, which is not what was expected", in_words(&model));
            return Ok(Some(End::Wrong(number, vec![text])));
        }
        if let (Some(name), Ok(reply)) = (&line.binding, &model) {
            let named = match reply {
                Reply::Child(child) => Named::Task(child.task),
                Reply::Fd(fd) => Named::Fd(*fd),
                _ => return Err(wrong(format!("nothing to call {name}"))),
            };
            if let Named::Task(task) = named {
                self.world.name(task, name);
            }
            self.names.insert(name.clone(), named);
        }
        Ok(None)
    }

    fn parse(&self, task: TaskId, words: &[String]) -> Result<Op, String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let number = |name: &str| match self.names.get(name)? {
            Named::Task(named) => {
                let status = self.world.kernel.status(task, *named).ok()?;
                i32::try_from(status.pid).ok()
            }
            Named::Fd(fd) => Some(*fd),
        };
        Op::parse(&words, &number).map_err(|error| error.to_string())
    }
}
