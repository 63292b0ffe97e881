//! `ns show`: everything about one process or namespace.

mod inside;
mod namespace;
mod process;

use crate::exit::ExitCode;
use crate::report::Failure;
use crate::target::Target;

/// Show everything about one process or namespace
///
/// Of a process: its namespaces, which of them are yours too, its capabilities
/// in each, its id maps, and its pid at every level. Of a namespace: its owners
/// and parents, what keeps it alive, and what is inside.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A pid; PID:KIND; an id as `ns ls` shows it (`net:[4026531833]`, 4026531833,
    /// id:42); a file a namespace is bound to; or a command that `ns ls` shows
    #[arg(value_name = "PID|NAMESPACE")]
    target: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match Target::find(&args.target)? {
        Target::Process(process) => process::show(&process, args.json)?,
        Target::Namespace(namespace) => namespace::show(&namespace, args.json)?,
    }
    Ok(ExitCode::SUCCESS)
}
