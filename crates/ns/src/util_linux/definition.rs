//! The tables in clap's terms, for completions and man pages. No command line
//! is parsed with these.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};

use super::TOOLS;
use super::table::{About, Complete, Row, Takes, Value};

/// What is known of each tool.
pub(crate) fn definitions() -> impl Iterator<Item = Command> {
    TOOLS.iter().map(|entry| definition(entry.about))
}

fn definition(about: &'static About) -> Command {
    let command = Command::new(about.name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(about.purpose)
        .after_help(about.notes.join("\n\n"))
        // They are in the table.
        .disable_help_flag(true)
        .disable_version_flag(true);
    let command = (about.options)().into_iter().fold(command, |command, row| command.arg(option(row)));
    command.arg(operands(about.operands))
}

fn option(row: &'static Row) -> Arg {
    let arg = Arg::new(row.long).long(row.long).help(row.help);
    let arg = match row.short {
        Some(letter) => arg.short(char::from(letter)),
        None => arg,
    };
    let Some(value) = row.takes.value() else { return arg.action(ArgAction::SetTrue) };
    let arg = arg.value_name(value.name).action(ArgAction::Append);
    let arg = match row.takes {
        Takes::Optional(_) | Takes::OptionalLong(_) => arg.num_args(0..=1).require_equals(true),
        Takes::Nothing | Takes::Required(_) => arg,
    };
    hinted(arg, value)
}

fn hinted(arg: Arg, value: Value) -> Arg {
    match value.complete {
        Complete::File => arg.value_hint(ValueHint::FilePath),
        Complete::Directory => arg.value_hint(ValueHint::DirPath),
        Complete::User => arg.value_hint(ValueHint::Username),
        Complete::Words(words) => arg.value_parser(PossibleValuesParser::new(words)),
        Complete::List(words) => arg.value_delimiter(',').value_parser(PossibleValuesParser::new(words)),
        Complete::Nothing | Complete::Process | Complete::Group | Complete::Signal => {
            arg.value_hint(ValueHint::Other)
        }
    }
}

/// What follows the options: a program with its arguments, or one word.
fn operands(usage: &'static str) -> Arg {
    let name = usage.strip_prefix('[').and_then(|usage| usage.strip_suffix(']')).unwrap_or(usage);
    let arg = Arg::new("operands").value_name(name);
    if name.contains("PROGRAM") || name.contains("program") {
        arg.num_args(0..).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments)
    } else {
        arg.value_hint(ValueHint::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::definitions;

    #[test]
    fn the_definitions_are_sound() {
        for definition in definitions() {
            definition.debug_assert();
        }
    }
}
