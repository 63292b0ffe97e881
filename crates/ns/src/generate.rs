//! Completions and man pages, from the definition of the command line.

use std::path::PathBuf;

use clap_complete::Shell;
use namespaces::Errno;

use crate::cli;
use crate::exit::ExitCode;
use crate::report::{Failure, print};

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Write the man pages into a directory
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::definition(), "ns", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    clap_mangen::generate_to(cli::definition(), &args.dir).map_err(|error| {
        Failure::new(format!("writing man pages to {}: {}", args.dir.display(), Errno::from(error)))
    })?;
    Ok(ExitCode::SUCCESS)
}
