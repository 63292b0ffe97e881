//! Help and version of a tool.

use std::fmt::Write as _;
use std::io::Write as _;

use namespaces::Errno;

use super::call::Call;
use super::failure::Failure;
use super::strerror::Strerror;
use super::table::{About, Row, Takes};

use crate::exit::ExitCode;

/// The release of util-linux whose options these are.
pub(super) const LIKE: &str = "2.43";

/// Where the explanations begin; one whose option is longer begins on the next line.
const COLUMN: usize = 30;

/// The answer to `--help`.
#[cold]
#[inline(never)]
pub(crate) fn help(call: &Call, about: &About) -> Result<ExitCode, Failure> {
    let mut text = format!(
        "\nUsage:\n {} [options] {}\n\n{}.\n\nOptions:\n",
        call.name.to_string_lossy(),
        about.operands,
        about.purpose
    );
    for row in (about.options)() {
        let option = usage(row);
        let gap = COLUMN.saturating_sub(option.len());
        match gap {
            0 | 1 => drop(writeln!(text, "{option}\n{:COLUMN$}{}", "", row.help)),
            gap => drop(writeln!(text, "{option}{:gap$}{}", "", row.help)),
        }
    }
    for note in about.notes {
        let _ = write!(text, "\n{note}\n");
    }
    print(text.as_bytes())
}

/// The answer to `--version`. The last word is the release whose options and
/// ways these are, for scripts that compare it.
#[cold]
#[inline(never)]
pub(crate) fn version(call: &Call) -> Result<ExitCode, Failure> {
    let name = call.name.to_string_lossy();
    print(format!("{name} from ns {}, like util-linux {LIKE}\n", env!("CARGO_PKG_VERSION")).as_bytes())
}

/// An option as the help shows it: ` -n, --net[=FILE]`.
fn usage(row: &Row) -> String {
    let short = row.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{}, ", char::from(letter)));
    let value = match row.takes {
        Takes::Nothing => String::new(),
        Takes::Required(value) => format!(" {}", value.name),
        Takes::Optional(value) | Takes::OptionalLong(value) => format!("[={}]", value.name),
    };
    format!(" {short}--{}{value}", row.long)
}

/// Writes all of `text` to standard output. That it could not be written is a
/// failure, also for a reader that went away.
pub(crate) fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::message(format_args!("write error: {}", Strerror(Errno::from(error)))))?;
    Ok(ExitCode::SUCCESS)
}
