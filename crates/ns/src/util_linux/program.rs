//! The program that `unshare` and `nsenter` run, and how they run it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use namespaces::{Errno, ForwardSignals, Plan, Spawn, Step};

use super::call::base_name;
use super::failure::Failure;
use super::help::print;

use crate::exit::ExitCode;

/// What is to be run.
#[derive(Debug)]
pub(crate) enum Program<'a> {
    /// The words of the command line.
    Words(&'a OsStr, &'a [OsString], Option<&'a Environment>),
    /// `SHELL`, as a login shell.
    Shell(OsString, Option<&'a Environment>),
    /// The shell of the user that it is by then.
    LoginShell(Option<&'a Environment>),
}

/// The environment of the program, where it is not the caller's.
pub(crate) type Environment = Vec<(OsString, OsString)>;

impl<'a> Program<'a> {
    /// The program named by `words`, else the shell of its environment, which
    /// is the caller's or `env`.
    pub(crate) fn new(words: &'a [OsString], env: Option<&'a Environment>) -> Program<'a> {
        if let Some((program, args)) = words.split_first() {
            return Program::Words(program, args, env);
        }
        let shell = match env {
            None => std::env::var_os("SHELL"),
            Some(env) => env.iter().rev().find(|(name, _)| name == "SHELL").map(|(_, value)| value.clone()),
        };
        match shell.filter(|shell| !shell.is_empty()) {
            Some(shell) => Program::Shell(shell, env),
            None => Program::LoginShell(env),
        }
    }

    pub(crate) fn spawn(&self) -> Spawn {
        let mut spawn = match self {
            Program::Words(program, args, _) => {
                let mut spawn = Spawn::new(program);
                spawn.args(*args);
                spawn
            }
            Program::Shell(shell, _) => {
                // It is not looked for in `PATH`.
                let slash = shell.as_bytes().contains(&b'/');
                let path = if slash { shell.clone() } else { prefixed("./", shell) };
                let mut spawn = Spawn::new(path);
                spawn.arg0(prefixed("-", base_name(shell)));
                spawn
            }
            Program::LoginShell(_) => Spawn::login_shell(),
        };
        let (Program::Words(_, _, env) | Program::Shell(_, env) | Program::LoginShell(env)) = self;
        if let Some(env) = env {
            spawn.env_clear();
            for (name, value) in *env {
                spawn.env(name, value);
            }
        }
        spawn.inherit();
        spawn
    }

    fn name(&self) -> &OsStr {
        match self {
            Program::Words(program, ..) => program,
            Program::Shell(shell, _) => shell,
            Program::LoginShell(_) => OsStr::new("the login shell"),
        }
    }
}

fn prefixed(prefix: &str, text: &OsStr) -> OsString {
    let mut whole = OsString::from(prefix);
    whole.push(text);
    whole
}

/// How to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Only print the steps.
    pub(crate) dry_run: bool,
    /// Whether the program is a child, and what happens to signals then.
    pub(crate) child: Option<Signals>,
}

/// What a process that waits for its child does with signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    /// `TERM` and `INT` do not end it before the child.
    Withheld,
    /// What a user or a supervisor sends goes to the child.
    Forwarded,
    /// It stops when the child does, and goes on with it.
    Job,
}

/// The steps that [`run`] takes.
pub(crate) fn plan(spawn: &Spawn, start: Start) -> namespaces::Result<Plan> {
    if start.child.is_some() { spawn.plan() } else { spawn.exec_plan() }
}

/// Becomes the program, or starts it and answers as it ended.
pub(crate) fn run(spawn: &mut Spawn, start: Start) -> namespaces::Result<ExitCode> {
    if start.dry_run {
        let plan = plan(spawn, start)?;
        return Ok(print(format!("{plan}\n").as_bytes()).unwrap_or(ExitCode::FAILURE));
    }
    namespaces::heed_children();
    let status = match start.child {
        None => return Err(spawn.exec()),
        Some(Signals::Job) => spawn.spawn()?.wait_as_job()?,
        Some(Signals::Withheld) => {
            let signals = ForwardSignals::withhold()?;
            let status = spawn.forward_signals(&signals).spawn()?.wait()?;
            // What has come meanwhile must not end this process now.
            std::mem::forget(signals);
            status
        }
        Some(Signals::Forwarded) => {
            let mut signals = ForwardSignals::hold()?;
            let mut child = spawn.forward_signals(&signals).spawn()?;
            let status = signals.wait(&mut child)?;
            std::mem::forget(signals);
            status
        }
    };
    Ok(end_like(status))
}

/// The exit status of the program; or its death, if a signal ended it, so that
/// whoever waits for this process sees the same.
fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(number) = status.signal() {
        namespaces::end_by_signal(number);
        return ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX));
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// A step that both tools take.
pub(crate) fn step_failed(step: &Step, errno: Errno, program: &Program) -> Failure {
    match step {
        Step::Clone { .. } => Failure::system("fork failed", errno),
        Step::Groups { .. } => Failure::system("setgroups failed", errno),
        Step::Gid(_) => Failure::system("setgid() failed", errno),
        Step::Uid(_) => Failure::system("setuid() failed", errno),
        Step::Execute { .. } | Step::LoginShell { .. } => {
            let status = if errno == Errno::ENOENT { 127 } else { 126 };
            Failure::on("failed to execute ", program.name(), errno).with_status(status)
        }
        step => Failure::system(step.doing(), errno),
    }
}
