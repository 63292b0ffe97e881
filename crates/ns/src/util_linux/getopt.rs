//! The command line as `getopt_long(3)` of the GNU C library reads it, which
//! is what scripts are written for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::failure::Failure;
use super::table::{Opt, Takes};

/// What happens at the first word that is no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    /// It is the program to run: all that follows is the program's.
    End,
    /// It is set aside, and options may follow; unless the environment has
    /// `POSIXLY_CORRECT`.
    Mix,
}

/// Reads options one after the other, so that each has its effect, `--help`
/// for instance, before a later one is looked at.
#[derive(Debug)]
pub(crate) struct Parser<'a, Id: 'static> {
    table: &'static [Opt<Id>],
    rest: &'a [OsString],
    /// What is left of a word of short options.
    cluster: &'a [u8],
    mix: bool,
    operands: Vec<&'a OsStr>,
}

/// An option that was met, and its argument.
pub(crate) type Met<'a, Id> = (Id, Option<&'a OsStr>);

impl<'a, Id: Copy> Parser<'a, Id> {
    pub(crate) fn new(table: &'static [Opt<Id>], operands: Operands, args: &'a [OsString]) -> Parser<'a, Id> {
        let mix = operands == Operands::Mix && std::env::var_os("POSIXLY_CORRECT").is_none();
        Parser { table, rest: args, cluster: &[], mix, operands: Vec::new() }
    }

    /// The next option; `None` when all are read.
    pub(crate) fn next(&mut self) -> Result<Option<Met<'a, Id>>, Failure> {
        if !self.cluster.is_empty() {
            return self.short().map(Some);
        }
        while let Some((word, rest)) = self.rest.split_first() {
            let bytes = word.as_bytes();
            match bytes {
                b"--" => {
                    self.rest = rest;
                    return Ok(None);
                }
                [b'-', b'-', long @ ..] => {
                    self.rest = rest;
                    return self.long(long).map(Some);
                }
                [b'-', _, ..] => {
                    self.rest = rest;
                    self.cluster = &bytes[1..];
                    return self.short().map(Some);
                }
                _ if self.mix => {
                    self.rest = rest;
                    self.operands.push(word);
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What is no option, when all are read.
    pub(crate) fn operands(self) -> Vec<&'a OsStr> {
        let mut operands = self.operands;
        operands.extend(self.rest.iter().map(OsString::as_os_str));
        operands
    }

    fn short(&mut self) -> Result<Met<'a, Id>, Failure> {
        let Some((letter, rest)) = self.cluster.split_first() else { return Err(Failure::hint()) };
        self.cluster = rest;
        let known = self.table.iter().find(|option| option.row.short == Some(*letter));
        let Some(option) = known else {
            return Err(Failure::usage([b"invalid option -- '", &[*letter][..], b"'"].concat()));
        };
        let glued = |parser: &mut Self| Some(OsStr::from_bytes(std::mem::take(&mut parser.cluster)));
        let argument = match option.row.takes {
            Takes::Nothing | Takes::OptionalLong(_) => None,
            Takes::Optional(_) if rest.is_empty() => None,
            Takes::Required(_) if rest.is_empty() => {
                let missing = [b"option requires an argument -- '", &[*letter][..], b"'"].concat();
                Some(self.word().ok_or(Failure::usage(missing))?)
            }
            Takes::Required(_) | Takes::Optional(_) => glued(self),
        };
        Ok((option.id, argument))
    }

    fn long(&mut self, text: &'a [u8]) -> Result<Met<'a, Id>, Failure> {
        let equals = text.iter().position(|byte| *byte == b'=');
        let name = &text[..equals.unwrap_or(text.len())];
        let value = equals.map(|at| OsStr::from_bytes(&text[at + 1..]));
        let option = self.named(name, text)?;
        let long = option.row.long.as_bytes();
        let argument = match (option.row.takes, value) {
            (Takes::Nothing, Some(_)) => {
                return Err(Failure::usage([b"option '--", long, b"' doesn't allow an argument"].concat()));
            }
            (Takes::Required(_), None) => {
                let missing = [b"option '--", long, b"' requires an argument"].concat();
                Some(self.word().ok_or(Failure::usage(missing))?)
            }
            (_, value) => value,
        };
        Ok((option.id, argument))
    }

    /// The option that `name` is the name of, or the only one it begins.
    fn named(&self, name: &[u8], text: &[u8]) -> Result<&'static Opt<Id>, Failure> {
        let begins = |option: &&'static Opt<Id>| option.row.long.as_bytes().starts_with(name);
        let exact = self.table.iter().find(|option| option.row.long.as_bytes() == name);
        let mut candidates = self.table.iter().filter(begins);
        match (exact, candidates.next(), candidates.next()) {
            (Some(option), ..) | (None, Some(option), None) => Ok(option),
            (None, None, _) => Err(Failure::usage([b"unrecognized option '--", text, b"'"].concat())),
            (None, Some(_), Some(_)) => {
                let mut line = [b"option '--", text, b"' is ambiguous; possibilities:"].concat();
                for option in self.table.iter().filter(begins) {
                    line.extend_from_slice(&[b" '--", option.row.long.as_bytes(), b"'"].concat());
                }
                Err(Failure::usage(line))
            }
        }
    }

    fn word(&mut self) -> Option<&'a OsStr> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests;
