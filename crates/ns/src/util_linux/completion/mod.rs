//! Completions for the shells that can do what these tools need: an argument
//! that is only taken glued, and the program that comes after the options.

mod bash;
mod fish;
mod zsh;

use clap_complete::Shell;

use super::TOOLS;
use super::table::{About, Row, Takes, Value};

/// The script for this shell, if there is one of ours.
pub(crate) fn completion(tool: &str, shell: Shell) -> Option<String> {
    let about = TOOLS.iter().find(|entry| entry.about.name == tool)?.about;
    match shell {
        Shell::Bash => Some(bash::script(about)),
        Shell::Fish => Some(fish::script(about)),
        Shell::Zsh => Some(zsh::script(about)),
        _ => None,
    }
}

/// Whether a program follows the options.
fn runs_a_program(about: &About) -> bool {
    about.operands.starts_with("[PROGRAM")
}

/// The two ways to write an option.
fn names(row: &Row) -> Vec<String> {
    let short = row.short.map(|letter| format!("-{}", char::from(letter)));
    short.into_iter().chain([format!("--{}", row.long)]).collect()
}

/// The argument that may be the next word.
fn required(row: &Row) -> Option<Value> {
    match row.takes {
        Takes::Required(value) => Some(value),
        Takes::Nothing | Takes::Optional(_) | Takes::OptionalLong(_) => None,
    }
}
