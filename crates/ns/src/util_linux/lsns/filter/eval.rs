//! Asking an expression of a line.

use std::cmp::Ordering;

use super::token::Comparison;
use super::value::{Type, Value};
use super::{Column, Filter, NoAnswer, Node};

/// The value of a node: its type, and a value unless it is a column that has
/// none in this line.
struct Operand {
    kind: Type,
    value: Option<Value>,
}

impl Filter {
    /// Whether it is true for the line whose cells `cell` gives; an empty one
    /// is missing.
    pub(in super::super) fn is_true(
        &self,
        cell: &mut dyn FnMut(Column) -> Vec<u8>,
    ) -> Result<bool, NoAnswer> {
        self.root.map_or(Ok(true), |root| self.test(root, cell))
    }

    fn test(&self, node: usize, cell: &mut dyn FnMut(Column) -> Vec<u8>) -> Result<bool, NoAnswer> {
        match &self.nodes[node] {
            Node::Column(_) | Node::Literal(_) => {
                Ok(self.operand(node, cell)?.value.is_some_and(|value| value.is_true()))
            }
            Node::Not(inner) => Ok(!self.test(*inner, cell)?),
            Node::Both(left, right) => Ok(self.test(*left, cell)? && self.test(*right, cell)?),
            Node::Either(left, right) => Ok(self.test(*left, cell)? || self.test(*right, cell)?),
            Node::Compare(how, left, right) => self.compare(*how, *left, *right, cell),
            Node::Matches(left, regex, negated) => {
                let operand = self.operand(*left, cell)?.cast(Type::Text)?;
                let text = operand.value.map(|value| value.to_text()).unwrap_or_default();
                Ok(regex.is_match(&text) != *negated)
            }
        }
    }

    fn operand(&self, node: usize, cell: &mut dyn FnMut(Column) -> Vec<u8>) -> Result<Operand, NoAnswer> {
        match &self.nodes[node] {
            Node::Literal(value) => Ok(Operand { kind: value.kind(), value: Some(value.clone()) }),
            Node::Column(column) => {
                let kind = if column.is_number() { Type::Number } else { Type::Text };
                let text = cell(*column);
                let text = Value::Text(String::from_utf8_lossy(text.trim_ascii()).into_owned());
                let value = if text.is_true() { Some(text.cast(kind)?) } else { None };
                Ok(Operand { kind, value })
            }
            _ => Ok(Operand { kind: Type::Truth, value: Some(Value::Truth(self.test(node, cell)?)) }),
        }
    }

    fn is_column(&self, node: usize) -> bool {
        matches!(self.nodes[node], Node::Column(_))
    }

    /// A column takes the type of what it is compared with; else the left one
    /// has the say.
    fn compare(
        &self,
        how: Comparison,
        left: usize,
        right: usize,
        cell: &mut dyn FnMut(Column) -> Vec<u8>,
    ) -> Result<bool, NoAnswer> {
        let (a, b) = (self.operand(left, cell)?, self.operand(right, cell)?);
        let kind = if self.is_column(left) && !self.is_column(right) { b.kind } else { a.kind };
        let (a, b) = (a.cast(kind)?.value, b.cast(kind)?.value);
        let order = match (a, b) {
            (Some(a), Some(b)) => match a.compare(&b) {
                Some(order) => order,
                None => return Ok(false),
            },
            // No text comes before every text; no number has no place.
            (a, b) if kind == Type::Text => a.is_some().cmp(&b.is_some()),
            _ => return Ok(false),
        };
        Ok(match how {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
        })
    }
}

impl Operand {
    /// The same as another type. A number that is missing becomes 0 by that.
    fn cast(self, to: Type) -> Result<Operand, NoAnswer> {
        if self.kind == to {
            return Ok(self);
        }
        let value = match self.value {
            None if self.kind == Type::Number => Some(Value::Number(0)),
            value => value,
        };
        Ok(Operand { kind: to, value: value.map(|value| value.cast(to)).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks of a line where NS is 5, TYPE is uts, UID is 0, USER is root, and
    /// all others are missing.
    fn ask(text: &str) -> Result<bool, NoAnswer> {
        Filter::parse(text).unwrap().is_true(&mut |column| match column {
            Column::Ns => b"5".to_vec(),
            Column::Type => b"uts".to_vec(),
            Column::Uid => b"0".to_vec(),
            Column::User => b"root".to_vec(),
            _ => Vec::new(),
        })
    }

    #[test]
    fn expressions_mean_what_they_mean_to_the_other_lsns() {
        for text in [
            "",
            "NS",
            "NS == 5",
            "ns==\"5\"",
            "NS > 4.5",
            "NS == true",
            "!UID",
            "not PID",
            "1 == \"1\"",
            "true == 2",
            "TYPE =~ \"^u.s$\"",
            "TYPE !~ 'user'",
            "PID !~ \"^$\"",
            "PID == \"0\"",
            "PID == false",
            "PATH != \"\"",
            "PATH < \"a\"",
            "'  a ' == \"a\"",
            "(NS==1) == false",
            "!TYPE == \"uts\"",
            "1K == 1024",
            "1KiB==1024",
            "TYPE == 'uts' and NS == 1 or UID == 0",
            "USER lt \"s\"",
            "USER != UID",
            "1 < 2 == 1",
            "\"1e+08\" == 100000000.0",
            "TYPE=='x' || TYPE=='uts'&&NS",
            "NS AND TYPE",
        ] {
            assert_eq!(ask(text), Ok(true), "{text}");
        }
        for text in [
            "UID",
            "PID",
            "PID == 0",
            "PID != 5",
            "PATH == \"\"",
            "2 == true",
            "\"yes\" == true",
            "USER == UID",
            "1 == 1 or 1 == 1 and 1 == 2",
            "3 > 2 > 1",
            "NETNSID == 0",
            "\"\"",
            "NS =~ \"6\"",
            "!(TYPE == \"uts\")",
        ] {
            assert_eq!(ask(text), Ok(false), "{text}");
        }
        for text in ["USER == 1", "UID == USER", "TYPE > 1.5"] {
            assert_eq!(ask(text), Err(NoAnswer), "{text}");
        }
    }
}
