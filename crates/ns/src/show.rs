//! `ns show`
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    target: String,
}
pub(crate) fn run(_args: &Args) -> Result<ExitCode, crate::report::Failure> {
    Ok(ExitCode::SUCCESS)
}
