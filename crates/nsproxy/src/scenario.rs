//! A small language of calls against a fresh kernel, to read and to run.
//!
//! One line is one call: the calling task, the call, its arguments. A task or a
//! descriptor that a call makes gets a name with `-> name`. What the line should
//! answer stands behind `=>`: `ok`, `ok` and a number (a pid, a count, the status of a
//! child waited for), `nothing` (no child has ended), an errno, or an errno and a rule.
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
//! A line `TASK: sees ...` makes no call: the task looks, and what it should see stands
//! behind `=>`.
//!
//! Words in double quotes are one; `\n`, `\t`, `\0` and `\\` stand for one character each,
//! and `\{9}` makes nine of the character before it.
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

#![doc = include_str!("../CALLS.md")]
// The page names manual pages and files as the scenarios do.
#![allow(clippy::doc_markdown)]

mod picture;
pub mod question;
mod render;
mod words;

pub use picture::{Picture, PictureNs, PictureProxy, PictureTask};
pub use question::Question;
pub use words::{CALLS, DIRECTIVES, QUESTIONS, Word, calls_page};

use question::{Names, Value};

use crate::op::{Op, ParseError, Reply};
use crate::{
    Clocks, Denial, Errno, Fd, Hook, Kernel, NsAnswer, Params, PidfdAnswer, Release, Rule, TaskId, Timespec,
    Waited,
};
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
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Anything,
    Success,
    Value(Value),
    Refusal(Errno, Option<Rule>),
}

impl Expected {
    fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            [] => Ok(Self::Anything),
            ["ok"] => Ok(Self::Success),
            ["ok", value] | [value @ "nothing"] => {
                let value = Value::parse(value).ok_or_else(|| format!("not a number: {value}"))?;
                Ok(Self::Value(value))
            }
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

    fn fits(&self, answer: &Result<Reply, Denial>) -> bool {
        match (self, answer) {
            (Self::Anything, _) | (Self::Success, Ok(_)) => true,
            (Self::Value(value), Ok(reply)) => value.fits(reply),
            (Self::Refusal(errno, rule), Err(denial)) => {
                denial.errno == *errno && rule.is_none_or(|rule| rule == denial.rule)
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
    /// A look by a task.
    Sees(SeesLine),
    /// Words to the kernel.
    Directive(Vec<String>),
}

/// A scenario among those of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What stands behind `==`; none for what comes before the first such line.
    pub name: Option<&'a str>,
    /// The number of its first line, from 1.
    pub line: usize,
    /// Its lines.
    pub text: &'a str,
}

/// The scenarios of a file, each of which begins with a line `== name`.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut at = Part { name: None, line: 1, text: "" };
    let (mut start, mut end) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if let Some(name) = line.strip_prefix("== ") {
            parts.push(Part { text: &text[start..end], ..at });
            at = Part { name: Some(name.trim()), line: number, text: "" };
            start = end;
        }
        end += line.len();
    }
    parts.push(Part { text: &text[start..], ..at });
    let empty = |part: &Part<'_>| part.text.lines().all(|line| Line::parse(line) == Ok(Line::Empty));
    parts.retain(|part| part.name.is_some() || !empty(part));
    parts
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

/// A look by a task, and what it should see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeesLine {
    /// The name of the task that looks.
    pub asked: String,
    /// At what: see [`Question::parse`].
    pub words: Vec<String>,
    /// The answer that is expected.
    pub expected: Option<String>,
}

impl SeesLine {
    /// Whether an answer is the one expected.
    pub fn expects(&self, answer: &str) -> bool {
        self.expected.as_deref().is_none_or(|expected| expected == answer)
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
        let expected_words: Vec<&str> = expected.split_whitespace().collect();
        if let Some((asked, question)) = call.split_once(": sees ") {
            return Ok(Self::Sees(SeesLine {
                asked: asked.trim().to_string(),
                words: split_words(question),
                expected: question::expected(&expected_words)?,
            }));
        }
        let (call, binding) = match call.split_once("->") {
            Some((call, name)) => (call, Some(name.trim().to_string())),
            None => (call, None),
        };
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

impl Names for BTreeMap<String, Named> {
    fn task(&self, name: &str) -> Option<TaskId> {
        match self.get(name)? {
            Named::Task(task) => Some(*task),
            Named::Fd(_) => None,
        }
    }

    fn fd(&self, name: &str) -> Option<Fd> {
        match self.get(name)? {
            Named::Fd(fd) => Some(*fd),
            Named::Task(_) => None,
        }
    }
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
    /// What was seen, for a look.
    pub seen: Option<String>,
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
    /// Whether nothing has been done with the kernel yet.
    fresh: bool,
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
        Self { kernel, names: BTreeMap::from([("init".to_string(), init)]), steps: Vec::new(), fresh: true }
    }

    /// The same script with a fresh kernel.
    fn restart(&mut self, params: Params) {
        let steps = core::mem::take(&mut self.steps);
        *self = Self { steps, ..Self::boot(params) };
    }

    /// Runs one line.
    pub fn line(&mut self, number: usize, line: &str) -> Result<(), ScenarioError> {
        let wrong = |problem: String| ScenarioError { line: number, problem };
        let plain = line.split('#').next().unwrap_or("");
        let text = plain.split("=>").next().unwrap_or(plain).trim().to_string();
        match Line::parse(line).map_err(wrong)? {
            Line::Empty => Ok(()),
            Line::Directive(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.directive(number, &words).map_err(wrong)
            }
            Line::Call(call) => {
                let answer = self.call(&call).map_err(wrong)?;
                self.fresh = false;
                self.steps.push(Step {
                    line: number,
                    text,
                    as_expected: call.expects(&answer),
                    answer: Some(answer),
                    seen: None,
                    picture: None,
                });
                Ok(())
            }
            Line::Sees(sees) => {
                let seen = self.look(&sees).map_err(wrong)?;
                self.steps.push(Step {
                    line: number,
                    text,
                    as_expected: sees.expects(&seen),
                    answer: None,
                    seen: Some(seen),
                    picture: None,
                });
                Ok(())
            }
        }
    }

    fn look(&self, line: &SeesLine) -> Result<String, String> {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let question = Question::parse(&words, &self.names)?;
        let asked =
            self.names.task(&line.asked).ok_or_else(|| format!("no task is called {}", line.asked))?;
        Ok(question.ask(&self.kernel, asked))
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
                Reply::Fd(fd) | Reply::Ns(NsAnswer::Fd(fd)) | Reply::Pidfd(PidfdAnswer::Fd(fd)) => {
                    Named::Fd(*fd)
                }
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
            ["==", _] => self.restart(Params::default()),
            ["release", release] => {
                let release = Release::parse(release).ok_or("no such release")?;
                if !self.fresh {
                    return Err("the release comes first".to_string());
                }
                self.restart(Params { release, ..Params::default() });
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
        self.steps.push(Step { line, text, answer: None, seen: None, as_expected: true, picture });
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
        if let Some(seen) = &self.seen {
            write!(f, " {seen}")?;
        }
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
