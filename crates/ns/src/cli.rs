//! The command line as a whole, and who answers to it.

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit::ExitCode;
use crate::report::{Failure, OWN_FAILURE};
use crate::{check, enter, explain, generate, ls, pin, run, show, sim, util_linux};

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
    Ls(ls::Args),
    Show(show::Args),
    Pin(pin::PinArgs),
    Unpin(pin::UnpinArgs),
    Explain(explain::Args),
    Check(check::Args),
    Sim(sim::Args),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

impl Command {
    /// Does what it says.
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Command::Run(args) => run::run(&args),
            Command::Enter(args) => enter::run(&args),
            rest => rest.execute_rest(),
        }
    }

    /// Apart, because the stack it needs would be touched for the others too.
    #[inline(never)]
    fn execute_rest(self) -> Result<ExitCode, Failure> {
        match self {
            Command::Run(args) => run::run(&args),
            Command::Enter(args) => enter::run(&args),
            Command::Ls(args) => ls::run(&args),
            Command::Show(args) => show::run(&args),
            Command::Pin(args) => pin::pin(&args),
            Command::Unpin(args) => pin::unpin(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Sim(args) => sim::run(&args),
            Command::Completions(args) => generate::completions(&args),
            Command::Man(args) => generate::man(&args),
        }
    }
}

/// The whole definition, for help, completions and man pages. The drop-ins are
/// in it to be listed: their command lines never come here.
pub(crate) fn definition() -> clap::Command {
    Cli::command().subcommands(util_linux::definitions())
}

/// Parses the command line. Usage errors, help and version end the process here.
pub(crate) fn parse(args: &[OsString]) -> Command {
    // Only these are started often enough for the time of parsing to matter.
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("run") => Command::Run(run::Args::without_options(&args[2..]).unwrap_or_else(|| alone(args))),
        Some("enter") => {
            Command::Enter(enter::Args::without_options(&args[2..]).unwrap_or_else(|| alone(args)))
        }
        Some("ls") if args.len() == 2 => Command::Ls(ls::Args::default()),
        _ => any(args),
    }
}

/// Apart, as all that defines options: see [`operands`].
#[cold]
#[inline(never)]
fn any(args: &[OsString]) -> Command {
    let matches = definition().get_matches_from(args);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command
}

/// Parses the arguments of one subcommand that runs a program: for it, a usage
/// error has the exit status of every failure of its own.
#[cold]
#[inline(never)]
fn alone<A: Args>(args: &[OsString]) -> A {
    alone_or_error(args).unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() { OWN_FAILURE.into() } else { 0 })
    })
}

/// The arguments of a subcommand that is only asked about.
pub(crate) fn subcommand_args<A: Args>(words: &[String]) -> Result<A, Failure> {
    let words: Vec<OsString> = std::iter::once("ns".into()).chain(words.iter().map(OsString::from)).collect();
    alone_or_error(&words).map_err(|error| {
        let text = error.to_string();
        let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        Failure::new(said.join(" ").trim_start_matches("error: "))
    })
}

fn alone_or_error<A: Args>(args: &[OsString]) -> Result<A, clap::Error> {
    let name = args.get(1).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let command = A::augment_args(clap::Command::new("ns").bin_name(format!("ns {name}")));
    let mut matches = command.try_get_matches_from(&args[1..])?;
    A::from_arg_matches_mut(&mut matches)
}

/// What follows the options, if there are none: to define the options costs
/// as much time as several namespaces do, and here there is nothing to parse.
/// `None` if there may be an option.
pub(crate) fn operands(args: &[OsString]) -> Option<&[OsString]> {
    match args.split_first() {
        Some((first, rest)) if first == "--" => Some(rest),
        Some((first, _)) if first.as_encoded_bytes().starts_with(b"-") => None,
        _ => Some(args),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::{Cli, alone_or_error, enter, ls, run};

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_line_without_options_means_the_same_to_both_parsers() {
        for line in
            ["ns run", "ns run --", "ns run true", "ns run -- true", "ns run sh -c x -- y", "ns run -- -x -y"]
        {
            let words = words(line);
            let fast = run::Args::without_options(&words[2..]).unwrap();
            let clap: run::Args = alone_or_error(&words).unwrap();
            assert_eq!(format!("{fast:?}"), format!("{clap:?}"), "{line}");
        }
        for line in [
            "ns enter 1",
            "ns enter 1 true",
            "ns enter 1 -- true",
            "ns enter 1 -- sh -c x",
            "ns enter 1 sh -c x",
            "ns enter -- 1 true",
        ] {
            let words = words(line);
            let fast = enter::Args::without_options(&words[2..]).unwrap();
            let clap: enter::Args = alone_or_error(&words).unwrap();
            assert_eq!(format!("{fast:?}"), format!("{clap:?}"), "{line}");
        }
    }

    #[test]
    fn ls_without_options_means_the_same_to_both_parsers() {
        let clap: ls::Args = alone_or_error(&words("ns ls")).unwrap();
        assert_eq!(format!("{:?}", ls::Args::default()), format!("{clap:?}"));
    }

    #[test]
    fn a_line_with_options_is_left_to_clap() {
        assert!(run::Args::without_options(&words("--dry-run true")).is_none());
        for line in ["", "-q 1", "1 --only net", "1 -q"] {
            assert!(enter::Args::without_options(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        super::definition().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen() {
        for command in Cli::command().get_subcommands_mut() {
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 50, "{} has {lines} lines of help", command.get_name());
        }
    }
}
