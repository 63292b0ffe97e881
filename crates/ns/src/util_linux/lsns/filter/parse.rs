//! From words to an expression.

use super::token::{Comparison, Token, Tokens};
use super::value::Value;
use super::{Filter, Node, pattern};
use crate::util_linux::failure::Failure;
use crate::util_linux::lsns::column::Column;

/// The longest expression.
const BYTES: usize = 1024;

/// The most values and operators in one.
const NODES: usize = 256;

/// Why an expression is none.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Bad {
    Syntax(String),
    Column(String),
}

impl Bad {
    /// What to say of it.
    pub(in super::super) fn failure(&self, text: &str) -> Failure {
        match self {
            Bad::Syntax(message) => Failure::message(format_args!("failed to parse \"{text}\": {message}")),
            Bad::Column(name) => Failure::message(format_args!("unknown column: {name}")),
        }
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    next: Token,
    nodes: Vec<Node>,
    /// How many brackets are open.
    depth: usize,
    /// The first column that there is none of. That is found out last.
    unknown: Option<String>,
}

impl Filter {
    /// Reads an expression. An empty one is true for every line.
    pub(in super::super) fn parse(text: &str) -> Result<Filter, Bad> {
        let syntax = |message: String| Bad::Syntax(message);
        if text.len() > BYTES {
            return Err(syntax(format!("longer than {BYTES} bytes")));
        }
        let mut tokens = Tokens::new(text);
        let next = tokens.next().map_err(syntax)?;
        let mut parser = Parser { tokens, next, nodes: Vec::new(), depth: 0, unknown: None };
        let root = match parser.next {
            Token::End => None,
            _ => Some(parser.whole().map_err(syntax)?),
        };
        match parser.unknown {
            Some(name) => Err(Bad::Column(name)),
            None => Ok(Filter { nodes: parser.nodes, root }),
        }
    }
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<usize, String> {
        let root = self.combination()?;
        match self.next {
            Token::End => Ok(root),
            _ => Err(self.unexpected()),
        }
    }

    /// Comparisons joined by `and` and `or`, which bind alike.
    fn combination(&mut self) -> Result<usize, String> {
        let mut left = self.comparison()?;
        loop {
            let node: fn(usize, usize) -> Node = match self.next {
                Token::And => Node::Both,
                Token::Or => Node::Either,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.comparison()?;
            left = self.node(node(left, right))?;
        }
    }

    fn comparison(&mut self) -> Result<usize, String> {
        let mut left = self.operand()?;
        loop {
            match self.next {
                Token::Compare(how) => {
                    self.advance()?;
                    left = self.compare(how, left)?;
                }
                Token::Match(negated) => {
                    self.advance()?;
                    left = self.matches(negated, left)?;
                }
                _ => return Ok(left),
            }
        }
    }

    fn compare(&mut self, how: Comparison, left: usize) -> Result<usize, String> {
        let right = self.operand()?;
        self.node(Node::Compare(how, left, right))
    }

    fn matches(&mut self, negated: bool, left: usize) -> Result<usize, String> {
        let right = self.operand()?;
        let Node::Literal(value) = &self.nodes[right] else {
            return Err("a regular expression must be a string in quotes".to_owned());
        };
        let regex = pattern::compile(&value.to_text())?;
        self.node(Node::Matches(left, regex, negated))
    }

    fn operand(&mut self) -> Result<usize, String> {
        match std::mem::replace(&mut self.next, Token::End) {
            Token::Not => {
                self.advance()?;
                let operand = self.nested(Self::operand)?;
                self.node(Node::Not(operand))
            }
            Token::Open => {
                self.advance()?;
                let inside = self.nested(Self::combination)?;
                if self.next != Token::Close {
                    self.depth += 1;
                    return Err(self.unexpected());
                }
                self.advance()?;
                Ok(inside)
            }
            Token::Number(number) => self.literal(Value::Number(number)),
            Token::Float(number) => self.literal(Value::Float(number)),
            Token::Text(text) => self.literal(Value::Text(text)),
            Token::Truth(truth) => self.literal(Value::Truth(truth)),
            Token::Name(name) => {
                self.advance()?;
                let column = Column::named(&name);
                if column.is_none() && self.unknown.is_none() {
                    self.unknown = Some(name);
                }
                self.node(Node::Column(column.unwrap_or(Column::Ns)))
            }
            other => Err(format!("syntax error, unexpected {}", other.name())),
        }
    }

    fn nested(&mut self, inside: fn(&mut Self) -> Result<usize, String>) -> Result<usize, String> {
        self.depth += 1;
        if self.depth > NODES {
            return Err("too complex".to_owned());
        }
        let node = inside(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn literal(&mut self, value: Value) -> Result<usize, String> {
        self.advance()?;
        self.node(Node::Literal(value))
    }

    fn node(&mut self, node: Node) -> Result<usize, String> {
        if self.nodes.len() == NODES {
            return Err("too complex".to_owned());
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn advance(&mut self) -> Result<(), String> {
        self.next = self.tokens.next()?;
        Ok(())
    }

    /// What stands where an operator or the end should be.
    fn unexpected(&self) -> String {
        let end = if self.depth == 0 { ", expecting end of file" } else { "" };
        format!("syntax error, unexpected {}{end}", self.next.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> String {
        match Filter::parse(text) {
            Err(Bad::Syntax(message)) => message,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn messages_name_the_word() {
        assert_eq!(bad("NS =="), "syntax error, unexpected end of file");
        assert_eq!(bad("1 1"), "syntax error, unexpected NUMBER, expecting end of file");
        assert_eq!(bad("(1 1)"), "syntax error, unexpected NUMBER");
        assert_eq!(bad("1)"), "syntax error, unexpected ')', expecting end of file");
        assert_eq!(bad("()"), "syntax error, unexpected ')'");
        assert_eq!(bad("1Y"), "\"1Y\" token error: Numerical result out of range");
        assert_eq!(bad("NS @"), "unexpected character '@'");
        assert_eq!(bad("1 # 2"), "unexpected character '#'");
        assert_eq!(bad("NS =~ TYPE"), "a regular expression must be a string in quotes");
        assert_eq!(Filter::parse("FOO == 1").unwrap_err(), Bad::Column("FOO".to_owned()));
    }

    #[test]
    fn no_expression_takes_all_memory_or_stack() {
        assert_eq!(bad(&"1".repeat(2000)), "longer than 1024 bytes");
        assert_eq!(bad(&format!("{}1", "!".repeat(300))), "too complex");
        assert_eq!(bad(&format!("{}1", "(".repeat(300))), "too complex");
        assert_eq!(bad(&format!("{}1", "1||".repeat(200))), "too complex");
        assert!(Filter::parse(&format!("{}1", "1 and ".repeat(120))).is_ok());
    }
}
