//! A small language of calls against a fresh kernel, to read and to run.
//!
//! One line is one call: the calling task, the call, its arguments. A task or a
//! descriptor that a call makes gets a name with `-> name`. What the line should
//! answer stands behind `=>`: `ok`, an errno, or an errno and a rule.
//!
//! ```text
//! # uid 1000 wants a hostname of its own.
//! init: fork -> sh
//! sh: setuid 1000
//! sh: unshare uts               => EPERM UnshareNeedsAdmin
//! sh: unshare user uts          => ok
//! show
//! ```
//!
//! Lines without a task speak to the kernel: `release 6.18`, `settle`, `show`,
//! `clock SECONDS`, `hook userns_create ERRNO`, `patch unprivileged_userns_clone off`.
//!
//! ```
//! use nsproxy::scenario::Scenario;
//!
//! let run = Scenario::run("init: fork -> sh\nsh: unshare uts => ok\n")?;
//! assert!(run.failures().is_empty());
//! println!("{}", run.transcript());
//! println!("{}", run.picture().text());
//! # Ok::<(), nsproxy::scenario::ScenarioError>(())
//! ```

mod picture;
mod render;

pub use picture::{Picture, PictureNs, PictureProxy, PictureTask};

use crate::op::{Op, ParseError, Reply};
use crate::{Clocks, Denial, Errno, Fd, Hook, Kernel, Params, Release, Rule, TaskId, Timespec, Waited};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl core::error::Error for ScenarioError {}

/// What a line was expected to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Anything,
    Success,
    Refusal(Errno, Option<Rule>),
}

impl Expected {
    fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            [] => Ok(Self::Anything),
            ["ok"] => Ok(Self::Success),
            [errno, rule @ ..] => {
                let errno = Errno::from_name(errno).ok_or_else(|| format!("no such errno: {errno}"))?;
                let rule = match rule {
                    [] => None,
                    [name] => Some(Rule::from_name(name).ok_or_else(|| format!("no such rule: {name}"))?),
                    _ => return Err("one errno and one rule at most".to_string()),
                };
                Ok(Self::Refusal(errno, rule))
            }
        }
    }

    fn fits(self, answer: &Result<Reply, Denial>) -> bool {
        match (self, answer) {
            (Self::Anything, _) | (Self::Success, Ok(_)) => true,
            (Self::Refusal(errno, rule), Err(denial)) => {
                denial.errno == errno && rule.is_none_or(|rule| rule == denial.rule)
            }
            _ => false,
        }
    }
}

/// A line of a scenario, read but not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing, or a comment.
    Empty,
    /// A call of a task.
    Call(CallLine),
    /// Words to the kernel.
    Directive(Vec<String>),
}

/// A call of a task, and what it should answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLine {
    /// The calling task's name.
    pub caller: String,
    /// The call and its arguments.
    pub words: Vec<String>,
    /// What the task or descriptor it makes is to be called.
    pub binding: Option<String>,
    expected: Expected,
}

impl CallLine {
    /// Whether an answer is the one expected.
    pub fn expects(&self, answer: &Result<Reply, Denial>) -> bool {
        self.expected.fits(answer)
    }
}

impl Line {
    /// Reads a line; what is wrong with it if it is none.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            return Ok(Self::Empty);
        }
        let (call, expected) = line.split_once("=>").unwrap_or((line, ""));
        let (call, binding) = match call.split_once("->") {
            Some((call, name)) => (call, Some(name.trim().to_string())),
            None => (call, None),
        };
        let expected_words: Vec<&str> = expected.split_whitespace().collect();
        let expected = Expected::parse(&expected_words)?;
        Ok(match call.split_once(':') {
            Some((caller, call)) => Self::Call(CallLine {
                caller: caller.trim().to_string(),
                words: split_words(call),
                binding,
                expected,
            }),
            None => Self::Directive(split_words(call)),
        })
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Named {
    Task(TaskId),
    Fd(Fd),
}

/// One line and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line without what was expected of it.
    pub text: String,
    /// What the call answered; `None` for lines without a caller.
    pub answer: Option<Result<Reply, Denial>>,
    /// Whether the answer was as expected.
    pub as_expected: bool,
    /// The picture asked for by `show`.
    pub picture: Option<Picture>,
}

/// A scenario that has been run, and the kernel it ended with.
#[derive(Clone, Debug)]
pub struct Scenario {
    kernel: Kernel,
    names: BTreeMap<String, Named>,
    steps: Vec<Step>,
}

impl Scenario {
    /// Runs a scenario against a fresh kernel.
    pub fn run(script: &str) -> Result<Self, ScenarioError> {
        let mut scenario = Self::new();
        for (number, line) in script.lines().enumerate() {
            scenario.line(number + 1, line)?;
        }
        Ok(scenario)
    }

    /// A fresh kernel with `init`, to feed line by line.
    pub fn new() -> Self {
        Self::boot(Params::default())
    }

    fn boot(params: Params) -> Self {
        let kernel = Kernel::boot(params);
        let init = Named::Task(kernel.init());
        Self { kernel, names: BTreeMap::from([("init".to_string(), init)]), steps: Vec::new() }
    }

    /// Runs one line.
    pub fn line(&mut self, number: usize, line: &str) -> Result<(), ScenarioError> {
        let wrong = |problem: String| ScenarioError { line: number, problem };
        match Line::parse(line).map_err(wrong)? {
            Line::Empty => Ok(()),
            Line::Directive(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.directive(number, &words).map_err(wrong)
            }
            Line::Call(call) => {
                let answer = self.call(&call).map_err(wrong)?;
                let text = line.split('#').next().unwrap_or("");
                self.steps.push(Step {
                    line: number,
                    text: text.split("=>").next().unwrap_or(text).trim().to_string(),
                    as_expected: call.expects(&answer),
                    answer: Some(answer),
                    picture: None,
                });
                Ok(())
            }
        }
    }

    fn call(&mut self, line: &CallLine) -> Result<Result<Reply, Denial>, String> {
        let CallLine { caller, words, binding, .. } = line;
        let task = match self.names.get(caller).copied() {
            Some(Named::Task(task)) => task,
            Some(Named::Fd(_)) => return Err(format!("{caller} is not a task")),
            None => return Err(format!("no task is called {caller}")),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let number = |name: &str| match self.names.get(name)? {
            Named::Task(named) => {
                let status = self.kernel.status(task, *named).ok()?;
                i32::try_from(status.pid).ok()
            }
            Named::Fd(fd) => Some(*fd),
        };
        let op = Op::parse(&words, &number).map_err(|ParseError(problem)| problem)?;
        let answer = self.kernel.apply(task, &op);
        if let (Some(name), Ok(reply)) = (binding, &answer) {
            let named = match reply {
                Reply::Child(child) => Named::Task(child.task),
                Reply::Fd(fd) => Named::Fd(*fd),
                _ => return Err(format!("nothing to call {name}")),
            };
            self.names.insert(name.clone(), named);
        }
        Ok(answer)
    }

    /// Lines without a caller.
    fn directive(&mut self, line: usize, words: &[&str]) -> Result<(), String> {
        let text = words.join(" ");
        let mut picture = None;
        match words[..] {
            ["release", release] => {
                let release = Release::parse(release).ok_or("no such release")?;
                if !self.steps.is_empty() {
                    return Err("the release comes first".to_string());
                }
                let params = Params { release, ..Params::default() };
                *self = Self::boot(params);
            }
            ["settle"] => self.kernel.settle(),
            ["show"] => picture = Some(self.picture()),
            ["clock", seconds] => {
                let sec = seconds.parse().map_err(|_| "not a number of seconds")?;
                let now = Timespec { sec, nsec: 0 };
                self.kernel.set_clocks(Clocks { realtime: now, monotonic: now, boottime: now });
            }
            ["hook", "userns_create", errno] => {
                let errno = Errno::from_name(errno).ok_or("no such errno")?;
                self.kernel.params_mut().hooks.push((Hook::UsernsCreate, errno));
            }
            ["patch", "unprivileged_userns_clone", value] => {
                let features = &mut self.kernel.params_mut().features;
                features.unprivileged_userns_clone = Some(value == "on");
            }
            _ => return Err(format!("cannot understand: {text}")),
        }
        self.steps.push(Step { line, text, answer: None, as_expected: true, picture });
        Ok(())
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The kernel as it is now.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The steps that did not answer as expected.
    pub fn failures(&self) -> Vec<&Step> {
        self.steps.iter().filter(|step| !step.as_expected).collect()
    }

    /// The picture of who is in which namespaces, now.
    pub fn picture(&self) -> Picture {
        let names = self.names.iter().filter_map(|(name, named)| match named {
            Named::Task(task) => Some((*task, name.as_str())),
            Named::Fd(_) => None,
        });
        Picture::of(&self.kernel, names)
    }

    /// Every step with its answer, and the pictures asked for.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            text.push_str(&step.to_string());
            text.push('\n');
            if let Some(picture) = &step.picture {
                text.push_str(&picture.text());
            }
        }
        text
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<44}", self.text)?;
        match &self.answer {
            None => {}
            Some(Ok(reply)) => write!(f, " {}", in_words(reply))?,
            Some(Err(denial)) => write!(f, " {} {}: {}", denial.errno, denial.rule, denial.rule.says())?,
        }
        if !self.as_expected {
            f.write_str("  (not what was expected)")?;
        }
        Ok(())
    }
}

fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Done => "ok".to_string(),
        Reply::Number(number) => format!("ok {number}"),
        Reply::Fd(fd) => format!("ok fd {fd}"),
        Reply::Child(child) => format!("ok pid {}", child.pid),
        Reply::Waited(Waited::Reaped { pid, status, .. }) => {
            format!("ok pid {pid} status {status:#x}")
        }
        Reply::Waited(Waited::Nothing) => "ok nothing yet".to_string(),
        Reply::Waited(Waited::WouldBlock) => "would block".to_string(),
        Reply::Ns(answer) => format!("ok {answer:?}"),
        Reply::Pidfd(answer) => format!("ok {answer:?}"),
        Reply::Message(message) => format!("ok {message:?}"),
        Reply::Ids(ids) => format!("ok {ids:?}"),
    }
}

/// Words, where what stands in double quotes is one.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (part, piece) in text.split('"').enumerate() {
        if part % 2 == 1 {
            words.push(piece.to_string());
        } else {
            words.extend(piece.split_whitespace().map(ToString::to_string));
        }
    }
    words
}
