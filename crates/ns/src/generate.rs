//! Completions and man pages, from the definition of the command line.

use std::io::Write;
use std::path::{Path, PathBuf};

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
        .and_then(|()| programs().try_for_each(|program| clap_mangen::generate_to(program, &args.dir)))
        .and_then(|()| SECTIONS.iter().try_for_each(|(name, text)| append(&args.dir, name, text)));
    written.map_err(|error| {
        Failure::new(format!("writing man pages to {}: {}", args.dir.display(), Errno::from(error)))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The last sections of the pages of the drop-ins.
const SECTIONS: [(&str, &str); 3] = [
    (
        "unshare",
        ".SH \"EXIT STATUS\"\nThat of the program; 127 if it is not found, 126 if it can't be executed, 1 if \
         anything else fails.\n.SH ENVIRONMENT\n.TP\n.B SHELL\nThe shell that is run without PROGRAM.\n.TP\n\
         .B NS_EXPLAIN\nWith 0, no reason is given below a failure.\n\
         .SH \"SEE ALSO\"\nns(1), nsenter(1), lsns(1), unshare(2), namespaces(7), user_namespaces(7)\n",
    ),
    (
        "nsenter",
        ".SH \"EXIT STATUS\"\nThat of the program; 127 if it is not found, 126 if it can't be executed, 1 if \
         anything else fails.\n.SH ENVIRONMENT\n.TP\n.B SHELL\nThe shell that is run without PROGRAM.\n.TP\n\
         .B NS_EXPLAIN\nWith 0, no reason is given below a failure.\n\
         .SH \"SEE ALSO\"\nns(1), unshare(1), lsns(1), setns(2), namespaces(7), user_namespaces(7)\n",
    ),
    (
        "lsns",
        ".SH \"EXIT STATUS\"\n0, or 1 if anything fails.\n.SH ENVIRONMENT\n.TP\n.B LIBSMARTCOLS_JSON\n\
         With lines, JSON has one object a line.\n.TP\n.B NS_EXPLAIN\nWith 0, no reason is given below a failure.\n\
         .SH \"SEE ALSO\"\nns(1), unshare(1), nsenter(1), namespaces(7), proc(5)\n",
    ),
];

fn append(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).open(dir.join(format!("{name}.1")))?.write_all(text.as_bytes())
}

/// `ns` itself, and the drop-ins.
fn programs() -> impl Iterator<Item = clap::Command> {
    std::iter::once(cli::definition()).chain(util_linux::definitions())
}
