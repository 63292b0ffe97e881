//! For zsh.

use std::fmt::Write;

use super::super::table::{About, Complete, Row, Takes};
use super::runs_a_program;

pub(super) fn script(about: &About) -> String {
    let mut out = format!("#compdef {}\n\n_arguments -s -S", about.name);
    if runs_a_program(about) {
        out.push_str(" -A '-*'");
    }
    for row in (about.options)() {
        if let Some(letter) = row.short {
            spec(&mut out, row, &format!("-{}", char::from(letter)), false);
        }
        spec(&mut out, row, &format!("--{}", row.long), true);
    }
    out.push_str(if runs_a_program(about) {
        " \\\n  '(-)1:program: _command_names -e' \\\n  '*::argument: _normal'\n"
    } else {
        " \\\n  ':namespace: '\n"
    });
    out
}

/// One way to write an option: a sign after the name says where its argument is.
fn spec(out: &mut String, row: &Row, name: &str, long: bool) {
    let (sign, colons) = match (row.takes, long) {
        (Takes::Nothing, _) | (Takes::OptionalLong(_), false) => ("", ""),
        (Takes::Required(_), true) => ("=", ":"),
        (Takes::Required(_), false) => ("+", ":"),
        (Takes::Optional(_) | Takes::OptionalLong(_), true) => ("=-", "::"),
        (Takes::Optional(_), false) => ("-", "::"),
    };
    let help = escaped(row.help);
    let _ = write!(out, " \\\n  '*{name}{sign}[{help}]");
    if let (Some(value), false) = (row.takes.value(), colons.is_empty()) {
        let _ = write!(out, "{colons}{}:{}", escaped(value.name), action(value.complete));
    }
    out.push('\'');
}

fn escaped(text: &str) -> String {
    text.replace('\'', r"'\''").replace('[', r"\[").replace(']', r"\]").replace(':', r"\:")
}

fn action(complete: Complete) -> String {
    match complete {
        Complete::Nothing => " ".to_owned(),
        Complete::File => "_files".to_owned(),
        Complete::Directory => "_files -/".to_owned(),
        Complete::User => "_users".to_owned(),
        Complete::Group => "_groups".to_owned(),
        Complete::Signal => "_signals".to_owned(),
        Complete::Process => "_pids".to_owned(),
        Complete::Words(words) => format!("({})", words.join(" ")),
        Complete::List(words) => format!("_values -s , column {}", words.join(" ")),
    }
}
