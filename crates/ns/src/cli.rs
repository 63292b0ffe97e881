//! The command line as a whole, and who answers to it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::report::{Failure, OWN_FAILURE};
use crate::{enter, generate, pin, run};

/// Create, enter, list, inspect and keep Linux namespaces.
#[derive(Debug, Parser)]
#[command(name = "ns", version, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    Enter(enter::Args),
    Pin(pin::PinArgs),
    Unpin(pin::UnpinArgs),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

impl Command {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Command::Run(args) => run::run(&args),
            Command::Enter(args) => enter::run(&args),
            Command::Pin(args) => pin::pin(&args),
            Command::Unpin(args) => pin::unpin(&args),
            Command::Completions(args) => generate::completions(&args),
            Command::Man(args) => generate::man(&args),
        }
    }
}

/// The whole definition, for help, completions and man pages.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Parses the command line. Usage errors, help and version end the process here.
pub(crate) fn parse() -> Result<Command, Failure> {
    let args: Vec<OsString> = std::env::args_os().collect();
    // To define all subcommands costs as much time as some namespaces do:
    // where the first word says which it is, define that one alone.
    let command = match args.get(1).and_then(|arg| arg.to_str()) {
        Some("run") => Command::Run(alone("run", &args)),
        Some("enter") => Command::Enter(alone("enter", &args)),
        _ => Cli::parse().command,
    };
    Ok(command)
}

/// Parses the arguments of one subcommand that runs a program: for it, a usage
/// error has the exit status of every failure of its own.
fn alone<A: Args>(name: &'static str, args: &[OsString]) -> A {
    let command = A::augment_args(clap::Command::new(name).bin_name(format!("ns {name}")));
    let parsed = command
        .try_get_matches_from(&args[1..])
        .and_then(|mut matches| A::from_arg_matches_mut(&mut matches));
    parsed.unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() { OWN_FAILURE.into() } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_is_sound() {
        super::definition().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen() {
        for command in super::definition().get_subcommands_mut() {
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 50, "{} has {lines} lines of help", command.get_name());
        }
    }
}
