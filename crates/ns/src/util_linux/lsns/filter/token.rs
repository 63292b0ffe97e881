//! The words of an expression.

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Compare(Comparison),
    /// `=~`, or `!~` if true.
    Match(bool),
    Truth(bool),
    Number(u64),
    Float(f64),
    Text(String),
    Name(String),
    End,
}

impl Token {
    /// What it is called in messages.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Token::Open => "'('",
            Token::Close => "')'",
            Token::And => "AND",
            Token::Or => "OR",
            Token::Not => "NEG",
            Token::Compare(Comparison::Equal) => "EQ",
            Token::Compare(Comparison::NotEqual) => "NE",
            Token::Compare(Comparison::Less) => "LT",
            Token::Compare(Comparison::LessOrEqual) => "LE",
            Token::Compare(Comparison::Greater) => "GT",
            Token::Compare(Comparison::GreaterOrEqual) => "GE",
            Token::Match(false) => "REG",
            Token::Match(true) => "NREG",
            Token::Truth(true) => "TRUE",
            Token::Truth(false) => "FALSE",
            Token::Number(_) => "NUMBER",
            Token::Float(_) => "FLOAT",
            Token::Text(_) => "STRING",
            Token::Name(_) => "HOLDER",
            Token::End => "end of file",
        }
    }
}

/// Words that are operators, in small or capital letters.
const WORDS: [(&str, Token); 11] = [
    ("and", Token::And),
    ("or", Token::Or),
    ("not", Token::Not),
    ("eq", Token::Compare(Comparison::Equal)),
    ("ne", Token::Compare(Comparison::NotEqual)),
    ("le", Token::Compare(Comparison::LessOrEqual)),
    ("lt", Token::Compare(Comparison::Less)),
    ("ge", Token::Compare(Comparison::GreaterOrEqual)),
    ("gt", Token::Compare(Comparison::Greater)),
    ("false", Token::Truth(false)),
    ("true", Token::Truth(true)),
];

/// Longer ones first.
const SIGNS: [(&str, Token); 13] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Compare(Comparison::Equal)),
    ("!=", Token::Compare(Comparison::NotEqual)),
    ("<=", Token::Compare(Comparison::LessOrEqual)),
    (">=", Token::Compare(Comparison::GreaterOrEqual)),
    ("=~", Token::Match(false)),
    ("!~", Token::Match(true)),
    ("<", Token::Compare(Comparison::Less)),
    (">", Token::Compare(Comparison::Greater)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
];

/// Reads one word after the other.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { rest: text }
    }

    /// The next word, or why there is none.
    pub(super) fn next(&mut self) -> Result<Token, String> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        match first {
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' => Ok(self.word()),
            '"' | '\'' => self.text(first),
            _ => self.sign(first),
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn sign(&mut self, first: char) -> Result<Token, String> {
        let sign = SIGNS.iter().find(|(sign, _)| self.rest.starts_with(sign));
        let (sign, token) = sign.ok_or_else(|| format!("unexpected character '{}'", first.escape_debug()))?;
        self.take(sign.len());
        Ok(token.clone())
    }

    /// A number, with a factor such as `K` or `KiB`, or one with a point.
    fn number(&mut self) -> Result<Token, String> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        let mut after = self.rest.chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.take(1);
            let fraction = self.take_while(|c| c.is_ascii_digit());
            return Ok(Token::Float(format!("{digits}.{fraction}").parse().unwrap_or(f64::INFINITY)));
        }
        let Some(power) = self.rest.chars().next().and_then(|c| "KMGTPEZY".find(c)) else {
            return Ok(Token::Number(digits.parse().unwrap_or(u64::MAX)));
        };
        let whole = self.take(1);
        let unit = if self.rest.starts_with("iB") { self.take(2) } else { "" };
        let factor = 1024_u64.checked_pow(u32::try_from(power).unwrap_or(0) + 1);
        let number =
            digits.parse().ok().zip(factor).and_then(|(n, factor): (u64, u64)| n.checked_mul(factor));
        number
            .map(Token::Number)
            .ok_or_else(|| format!("\"{digits}{whole}{unit}\" token error: Numerical result out of range"))
    }

    fn word(&mut self) -> Token {
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || "_.-:%/".contains(c));
        let known = |(text, _): &&(&str, Token)| *text == word || text.to_ascii_uppercase() == word;
        WORDS.iter().find(known).map_or_else(|| Token::Name(word.to_owned()), |(_, token)| token.clone())
    }

    /// What stands between quotes, on one line, without the white space around it.
    fn text(&mut self, quote: char) -> Result<Token, String> {
        let inside = &self.rest[1..];
        let end = inside.find([quote, '\n']).filter(|end| inside[*end..].starts_with(quote));
        let end = end.ok_or_else(|| format!("unexpected character '{quote}' that no other one follows"))?;
        let taken = self.take(end + 2);
        Ok(Token::Text(taken[1..=end].trim_matches(|c: char| c.is_ascii_whitespace()).to_owned()))
    }
}
