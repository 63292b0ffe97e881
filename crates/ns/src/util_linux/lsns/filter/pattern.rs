//! Extended regular expressions of `regex(7)`, in the words of a library that
//! has other ones. The messages are those of the C library.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Regex, RegexBuilder};

/// The most memory for a compiled pattern: repetitions multiply.
const BYTES: usize = 1 << 20;

/// The longest pattern.
const LENGTH: usize = 256;

/// How often something may be repeated, `RE_DUP_MAX` of the C library.
const REPEATS: u32 = 32767;

const CLASSES: &str = " alnum alpha blank cntrl digit graph lower print punct space upper xdigit ";

const NOTHING_TO_REPEAT: &str = "Invalid preceding regular expression";
const TOO_BIG: &str = "Regular expression too big";
const OPEN_BRACKET: &str = "Unmatched [, [^, [:, [., or [=";

/// Compiles a pattern.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    if text.len() > LENGTH {
        return Err(TOO_BIG.to_owned());
    }
    let translated = Translator::translate(text).map_err(str::to_owned)?;
    RegexBuilder::new(&translated)
        .dot_matches_new_line(true)
        .size_limit(BYTES)
        .build()
        .map_err(|_| TOO_BIG.to_owned())
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// Where what a repetition repeats begins, if there is something.
    last: Option<usize>,
    /// Where the groups begin that are open.
    open: Vec<usize>,
}

impl Translator<'_> {
    fn translate(text: &str) -> Result<String, &'static str> {
        let mut translator =
            Translator { rest: text.chars().peekable(), out: String::new(), last: None, open: Vec::new() };
        while let Some(c) = translator.rest.next() {
            translator.one(c)?;
        }
        if translator.open.is_empty() { Ok(translator.out) } else { Err("Unmatched ( or \\(") }
    }

    fn one(&mut self, c: char) -> Result<(), &'static str> {
        match c {
            '^' | '$' | '|' => self.nothing(c),
            '(' => {
                self.open.push(self.out.len());
                self.out.push_str("(?:");
                self.last = None;
            }
            ')' => match self.open.pop() {
                Some(start) => {
                    self.out.push(')');
                    self.last = Some(start);
                }
                // Without an open one it stands for itself.
                None => self.literal(c),
            },
            '*' | '+' | '?' => self.repeat(&c.to_string())?,
            '{' => {
                let interval = self.interval()?;
                self.repeat(&interval)?;
            }
            '[' => self.bracket()?,
            '.' => self.atom("."),
            '\\' => self.escape()?,
            c => self.literal(c),
        }
        Ok(())
    }

    fn nothing(&mut self, sign: char) {
        self.out.push(sign);
        self.last = None;
    }

    fn atom(&mut self, text: &str) {
        self.last = Some(self.out.len());
        self.out.push_str(text);
    }

    fn literal(&mut self, c: char) {
        self.last = Some(self.out.len());
        push_literal(&mut self.out, c);
    }

    /// Repeats what stands before. In a group of its own, since `a+?` means
    /// another thing to the library.
    fn repeat(&mut self, how: &str) -> Result<(), &'static str> {
        let start = self.last.ok_or(NOTHING_TO_REPEAT)?;
        self.out.insert_str(start, "(?:");
        self.out.push(')');
        self.out.push_str(how);
        self.out.insert_str(start, "(?:");
        self.out.push(')');
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,4}` or `{,4}`.
    fn interval(&mut self) -> Result<String, &'static str> {
        let (open, bad) = ("Unmatched \\{", "Invalid content of \\{\\}");
        let least = self.count()?;
        let most = if self.rest.next_if_eq(&',').is_some() { self.count()? } else { least };
        match self.rest.next() {
            None => return Err(open),
            Some('}') => {}
            Some(_) => return Err(bad),
        }
        match (least, most) {
            (None, None) => Err(bad),
            (least, most) if most.is_some_and(|most| least.unwrap_or(0) > most) => Err(bad),
            (least, Some(most)) => Ok(format!("{{{},{most}}}", least.unwrap_or(0))),
            (Some(least), None) => Ok(format!("{{{least},}}")),
        }
    }

    fn count(&mut self) -> Result<Option<u32>, &'static str> {
        let mut count = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            count = Some(count.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        if count.is_some_and(|count| count > REPEATS) { Err(TOO_BIG) } else { Ok(count) }
    }

    fn escape(&mut self) -> Result<(), &'static str> {
        match self.rest.next().ok_or("Trailing backslash")? {
            c @ ('w' | 'W' | 's' | 'S') => self.atom(&format!("\\{c}")),
            c @ ('b' | 'B') => self.anchor(&format!("\\{c}")),
            '<' => self.anchor("\\b{start}"),
            '>' => self.anchor("\\b{end}"),
            '`' => self.anchor("\\A"),
            '\'' => self.anchor("\\z"),
            // What a group matched is not remembered.
            '1'..='9' => return Err("Invalid back reference"),
            c => self.literal(c),
        }
        Ok(())
    }

    fn anchor(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = None;
    }

    fn bracket(&mut self) -> Result<(), &'static str> {
        let mut set = String::from("[");
        if self.rest.next_if_eq(&'^').is_some() {
            set.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or(OPEN_BRACKET)?;
            if c == ']' && !first {
                break;
            }
            first = false;
            if c == '[' && self.rest.peek() == Some(&':') {
                self.rest.next();
                let class = self.inside(':')?;
                if class.is_empty() || !CLASSES.contains(&format!(" {class} ")) {
                    return Err("Invalid character class name");
                }
                let _ = write!(set, "[:{class}:]");
                continue;
            }
            let from = self.element(c)?;
            let mut ahead = self.rest.clone();
            let range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            push_literal(&mut set, from);
            if range {
                self.rest.next();
                let to = self.rest.next().ok_or(OPEN_BRACKET)?;
                let to = self.element(to)?;
                if to < from {
                    return Err("Invalid range end");
                }
                set.push('-');
                push_literal(&mut set, to);
            }
        }
        set.push(']');
        self.atom(&set);
        Ok(())
    }

    /// One character of a bracket expression, which may be written `[.a.]` or `[=a=]`.
    fn element(&mut self, c: char) -> Result<char, &'static str> {
        match (c, self.rest.peek().copied()) {
            ('[', Some(sign @ ('.' | '='))) => {
                self.rest.next();
                let name = self.inside(sign)?;
                let mut chars = name.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(c),
                    _ => Err("Invalid collation character"),
                }
            }
            _ => Ok(c),
        }
    }

    /// What stands before `:]` and the like.
    fn inside(&mut self, sign: char) -> Result<String, &'static str> {
        let mut name = String::new();
        loop {
            match self.rest.next().ok_or(OPEN_BRACKET)? {
                c if c == sign && self.rest.peek() == Some(&']') => {
                    self.rest.next();
                    return Ok(name);
                }
                c => name.push(c),
            }
        }
    }
}

fn push_literal(out: &mut String, c: char) {
    // To the library \< and \> are the ends of a word.
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn extended_expressions_match_as_regex_7_says() {
        for (pattern, text, matches) in [
            ("", "x", true),
            ("u(t|s)s?", "uts", true),
            ("^u.er$", "user", true),
            ("^u.er$", "users", false),
            ("a.b", "a\nb", true),
            ("[]x]", "]", true),
            ("[^]x]", "]", false),
            ("[a-c]", "b", true),
            ("[a-]", "-", true),
            ("[\\n]", "n", true),
            ("[[:digit:]]+", "x12", true),
            ("[[:digit:]]+", "x", false),
            ("[[.a.]]", "a", true),
            ("a{2}", "a", false),
            ("a{,2}b", "b", true),
            ("^(a+)?$", "", true),
            ("^a+?$", "", true),
            ("^a*{2}$", "aaa", true),
            ("a)", "a)", true),
            ("a|", "zzz", true),
            ("\\.", "x", false),
            ("\\w\\s", "a b", true),
            ("\\<b", "a b", true),
            ("#~&-", "#~&-", true),
            ("(?i)", "x", false),
        ] {
            match compile(pattern) {
                Ok(regex) => assert_eq!(regex.is_match(text), matches, "{pattern}"),
                Err(message) => assert_eq!((pattern, message.as_str()), ("(?i)", super::NOTHING_TO_REPEAT)),
            }
        }
    }

    #[test]
    fn bad_ones_are_refused_in_the_words_of_the_c_library() {
        for (pattern, message) in [
            ("(", "Unmatched ( or \\("),
            ("a{1", "Unmatched \\{"),
            ("a{1,x}", "Invalid content of \\{\\}"),
            ("a{2,1}", "Invalid content of \\{\\}"),
            ("*", "Invalid preceding regular expression"),
            ("^*", "Invalid preceding regular expression"),
            ("a|+", "Invalid preceding regular expression"),
            ("[a", "Unmatched [, [^, [:, [., or [="),
            ("[[:foo:]]", "Invalid character class name"),
            ("[z-a]", "Invalid range end"),
            ("a\\", "Trailing backslash"),
            ("a{40000}", "Regular expression too big"),
        ] {
            assert_eq!(compile(pattern).unwrap_err(), message, "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_all_memory_or_time() {
        assert!(compile("(((a{255}){255}){255}){255}").is_err());
        let regex = compile("(a*)*(a*)*b").unwrap();
        assert!(!regex.is_match(&"a".repeat(8000)));
    }
}
