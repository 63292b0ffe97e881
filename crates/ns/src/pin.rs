//! `ns pin` and `ns unpin`: namespaces without a process.

use std::path::PathBuf;

use namespaces::{Error, Kind};

use crate::exit::ExitCode;
use crate::kinds;
use crate::report::Failure;
use crate::target::Target;

/// Bind a namespace to a file, which keeps it alive
#[derive(Debug, clap::Args)]
#[command(after_help = "`ns enter FILE` joins it again, `ns unpin FILE` lets it go.")]
pub(crate) struct PinArgs {
    /// A process id, or a namespace: its file, its id, or `net:[4026531833]`
    #[arg(value_name = "TARGET")]
    target: String,

    /// The file; made if it is not there
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Which namespace of the process
    #[arg(long, value_name = "KIND", value_parser = kinds::parse_one)]
    kind: Option<Kind>,
}

/// Take namespaces away from the files they are bound to
#[derive(Debug, clap::Args)]
pub(crate) struct UnpinArgs {
    /// The files; removed if they are empty then
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn pin(args: &PinArgs) -> Result<ExitCode, Failure> {
    let namespace = match (Target::find(&args.target)?, args.kind) {
        (Target::Process(process), Some(kind)) => process.namespace(kind)?,
        (Target::Process(process), None) => {
            return Err(Failure::new(format!("{process} is in eight namespaces: --kind says which to pin")));
        }
        (Target::Namespace(namespace), Some(kind)) => namespace.expect(kind)?,
        (Target::Namespace(namespace), None) => namespace,
    };
    namespaces::pin(&namespace, &args.file)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unpin(args: &UnpinArgs) -> Result<ExitCode, Failure> {
    let failed: Vec<Error> = args.files.iter().filter_map(|file| namespaces::unpin(file).err()).collect();
    let Some((last, others)) = failed.split_last() else { return Ok(ExitCode::SUCCESS) };
    for error in others {
        Failure::from(error).report();
    }
    Err(last.into())
}
