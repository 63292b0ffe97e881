//! The expressions of `--filter`.
//!
//! Columns, numbers, strings and truth values, compared and combined. `and`
//! and `or` bind alike, from left to right; comparisons bind tighter; `not`
//! binds tightest. `=~` matches against an extended regular expression.

mod eval;
mod parse;
mod pattern;
mod token;
mod value;

use super::column::Column;

/// An expression, ready to be asked of each line.
#[derive(Debug)]
pub(super) struct Filter {
    nodes: Vec<Node>,
    root: Option<usize>,
}

#[derive(Debug)]
enum Node {
    Column(Column),
    Literal(value::Value),
    Not(usize),
    Both(usize, usize),
    Either(usize, usize),
    Compare(token::Comparison, usize, usize),
    /// Whether the text of a node matches, or for `true` does not.
    Matches(usize, regex_lite::Regex, bool),
}

/// Why there is no answer for a line: a text that is no number was compared
/// with one, for instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

impl Filter {
    /// The columns that it asks for.
    pub(super) fn columns(&self) -> impl Iterator<Item = Column> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Column(column) => Some(*column),
            _ => None,
        })
    }
}
