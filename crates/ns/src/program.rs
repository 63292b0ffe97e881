//! The program to run, for the subcommands that run one: what it is, as whom
//! it runs, and how it is started.

use std::ffi::OsString;
use std::path::PathBuf;

use namespaces::{ForwardSignals, Plan, PlanStep, Spawn};
use serde_json::{Value, json};

use crate::exit::ExitCode;
use crate::report::{Failure, exit_code, print};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct ProgramArgs {
    /// Start in this directory
    #[arg(long, value_name = "DIR")]
    chdir: Option<PathBuf>,

    /// User id of the program, as seen inside
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,

    /// Group id of the program, as seen inside
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,

    /// Keep capabilities also if the program is not root inside
    #[arg(long)]
    keep_caps: bool,

    /// Start a session, away from the terminal
    #[arg(long)]
    new_session: bool,

    /// Print the steps, one a line, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as JSON
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// The program and its arguments [default: a shell]
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    program: Vec<OsString>,
}

impl ProgramArgs {
    /// A program, and no option.
    pub(crate) fn of(words: &[OsString]) -> ProgramArgs {
        ProgramArgs { program: words.to_vec(), ..ProgramArgs::default() }
    }

    /// The program named on the command line, or the user's shell.
    pub(crate) fn spawn(&self) -> Spawn {
        let mut words = self.program.iter().cloned();
        let shell = || std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        let program = words.next().or_else(shell).unwrap_or_else(|| "/bin/sh".into());
        let mut spawn = Spawn::new(program);
        spawn.args(words);
        if let Some(dir) = &self.chdir {
            spawn.current_dir(dir);
        }
        if let Some(uid) = self.uid {
            spawn.uid(uid);
        }
        if let Some(gid) = self.gid {
            spawn.gid(gid);
        }
        if self.keep_caps {
            spawn.keep_capabilities();
        }
        if self.new_session {
            spawn.new_session();
        }
        spawn
    }

    /// Whether the command line says who the program is to be.
    pub(crate) fn has_ids(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Starts what is prepared and answers with its exit status; for a dry
    /// run, prints the steps instead.
    pub(crate) fn launch(&self, spawn: &mut Spawn) -> Result<ExitCode, Failure> {
        let done = if self.dry_run {
            match plan(spawn) {
                Ok(plan) => return show(&plan, self.json),
                Err(error) => Err(error),
            }
        } else {
            start(spawn)
        };
        done.map_err(|error| Failure::of_launch(&error))
    }
}

/// The steps that [`start`] takes.
pub(crate) fn plan(spawn: &mut Spawn) -> namespaces::Result<Plan> {
    end_with_us(spawn).plan()
}

/// Starts what is prepared, stands between it and the signals, and answers
/// with its exit status.
pub(crate) fn start(spawn: &mut Spawn) -> namespaces::Result<ExitCode> {
    let mut signals = ForwardSignals::hold()?;
    let mut child = end_with_us(spawn).forward_signals(&signals).spawn()?;
    Ok(exit_code(signals.wait(&mut child)?))
}

/// If this process is killed, so is the program.
fn end_with_us(spawn: &mut Spawn) -> &mut Spawn {
    spawn.parent_death_signal(libc::SIGKILL)
}

/// Prints the steps of a plan.
fn show(plan: &Plan, as_json: bool) -> Result<ExitCode, Failure> {
    if as_json {
        let step = |s: &PlanStep| json!({"actor": s.actor.to_string(), "call": s.step.call(), "does": s.step.doing()});
        let steps: Vec<Value> = plan.steps().iter().map(step).collect();
        print(&format!("{:#}\n", json!({ "steps": steps })))?;
    } else {
        print(&plan.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
