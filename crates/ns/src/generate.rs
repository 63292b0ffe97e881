//! Completions and man pages, from the definition of the command line.

use std::path::PathBuf;

use clap_complete::Shell;
use namespaces::Errno;

use crate::cli;
use crate::exit::ExitCode;
use crate::report::{Failure, print};
use crate::util_linux;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,

    /// The program: ns, unshare, nsenter or lsns
    #[arg(value_name = "PROGRAM", default_value = "ns", hide_default_value = true)]
    program: String,
}

/// Write the man pages into a directory, which is made if it is not there
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    if let Some(script) = util_linux::completion(&args.program, args.shell) {
        print(&script)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut script = Vec::new();
    let mut all = programs();
    let program = all.find(|program| program.get_name() == args.program);
    let mut program = program.ok_or_else(|| {
        Failure::new(format_args!("no program {:?}: known are ns, unshare, nsenter, lsns", args.program))
    })?;
    clap_complete::generate(args.shell, &mut program, &args.program, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let written = std::fs::create_dir_all(&args.dir)
        .and_then(|()| programs().try_for_each(|program| clap_mangen::generate_to(program, &args.dir)));
    written.map_err(|error| {
        Failure::new(format!("writing man pages to {}: {}", args.dir.display(), Errno::from(error)))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `ns` itself, and the drop-ins.
fn programs() -> impl Iterator<Item = clap::Command> {
    std::iter::once(cli::definition()).chain(util_linux::definitions())
}
