//! Kinds on the command line.

use namespaces::{Kind, Kinds};

/// Parses `net,uts`. clap shows the error.
pub(crate) fn parse(text: &str) -> Result<Kinds, String> {
    text.parse().map_err(|error: namespaces::Error| error.to_string())
}

/// Parses one kind.
pub(crate) fn parse_one(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|error: namespaces::Error| error.to_string())
}
