//! The command line of the bench.

use std::path::PathBuf;

use crate::group::Group;

pub(crate) const USAGE: &str = "\
usage: cargo run --release -p bench -- [GROUP...] [OPTION...]

groups: launch library enter ls bulk all (the default)

  --rounds N    rounds of each comparison, instead of each group's own number
  --quick       few rounds: shows that all works, and orders of magnitude
  --pin CPU     the CPU for what is measured on one CPU [default: the first]
  --ns PATH     the ns to measure [default: the musl release build, or any other]
  --json FILE   write the results there too
  --check       exit with 1 if a goal is missed by more than 30 %";

/// What to measure and how.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) groups: Vec<Group>,
    pub(crate) rounds: Option<usize>,
    pub(crate) quick: bool,
    pub(crate) pin: Option<usize>,
    pub(crate) ns: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) check: bool,
}

#[derive(Debug)]
pub(crate) enum Action {
    Help,
    Measure(Options),
    /// Measures what standard input says: how the bench starts itself in a crowd.
    Series,
}

/// The word that makes the bench serve one series. Not for people.
pub(crate) const SERIES: &str = "--series";

pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Action, String> {
    let mut options = Options {
        groups: Vec::new(),
        rounds: None,
        quick: false,
        pin: None,
        ns: None,
        json: None,
        check: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "-h" | "--help" => return Ok(Action::Help),
            SERIES => return Ok(Action::Series),
            "--quick" => options.quick = true,
            "--check" => options.check = true,
            "--rounds" => options.rounds = Some(number(&word, words.next())?),
            "--pin" => options.pin = Some(number(&word, words.next())?),
            "--ns" => options.ns = Some(value(&word, words.next())?.into()),
            "--json" => options.json = Some(value(&word, words.next())?.into()),
            "all" => options.groups.extend(Group::ALL),
            group => options.groups.push(Group::named(group).ok_or(format!("what is {group:?}?"))?),
        }
    }
    if options.groups.is_empty() {
        options.groups.extend(Group::ALL);
    }
    Ok(Action::Measure(options))
}

fn value(option: &str, word: Option<String>) -> Result<String, String> {
    word.ok_or(format!("{option} needs a value"))
}

fn number(option: &str, word: Option<String>) -> Result<usize, String> {
    let word = value(option, word)?;
    word.parse().map_err(|_| format!("{option} needs a number, not {word:?}"))
}

#[cfg(test)]
mod tests {
    use super::{Action, parse};
    use crate::group::Group;

    fn words(line: &str) -> Result<Action, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn groups_and_options_come_in_any_order() {
        let Ok(Action::Measure(options)) = words("--rounds 5 ls --quick launch") else { panic!() };
        assert_eq!(options.groups, [Group::Ls, Group::Launch]);
        assert_eq!((options.rounds, options.quick), (Some(5), true));
        let Ok(Action::Measure(options)) = words("") else { panic!() };
        assert_eq!(options.groups, Group::ALL);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in ["lunch", "--rounds", "--rounds x", "--pin -1"] {
            assert!(words(line).is_err(), "{line}");
        }
    }
}
