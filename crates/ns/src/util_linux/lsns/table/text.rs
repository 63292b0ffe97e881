//! Text of unknown origin, made fit for a terminal or for words, and measured
//! in columns of the terminal.

use std::io::Write;

use unicode_width::UnicodeWidthChar;

/// What the user's terminal can show, by the name of the locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Charset {
    Ascii,
    Utf8,
}

impl Charset {
    /// That of the environment: the first of `LC_ALL`, `LC_CTYPE` and `LANG`
    /// that says something.
    pub(in super::super) fn of_environment() -> Charset {
        let set = |name: &&str| std::env::var_os(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default();
        Charset::of_locale(&locale.to_string_lossy())
    }

    /// That of a locale such as `en_GB.UTF-8@euro`.
    fn of_locale(name: &str) -> Charset {
        let codeset = name.split_once('.').map_or("", |(_, rest)| rest.split('@').next().unwrap_or(rest));
        let same = |known: &str| codeset.eq_ignore_ascii_case(known);
        if same("utf-8") || same("utf8") { Charset::Utf8 } else { Charset::Ascii }
    }

    pub(super) const fn branch(self) -> &'static str {
        match self {
            Charset::Ascii => "|-",
            Charset::Utf8 => "├─",
        }
    }

    pub(super) const fn corner(self) -> &'static str {
        match self {
            Charset::Ascii => "`-",
            Charset::Utf8 => "└─",
        }
    }

    pub(super) const fn trunk(self) -> &'static str {
        match self {
            Charset::Ascii => "| ",
            Charset::Utf8 => "│ ",
        }
    }
}

/// Text in which all that could upset a terminal is written as `\x1b`, and how
/// many columns it takes.
#[derive(Debug, Default)]
pub(super) struct Safe {
    pub(super) bytes: Vec<u8>,
    pub(super) width: usize,
}

impl Safe {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.width = 0;
    }

    /// Adds text that is known to be safe, each character one column wide.
    pub(super) fn push_art(&mut self, art: &str) {
        self.bytes.extend_from_slice(art.as_bytes());
        self.width += art.chars().count();
    }

    pub(super) fn push(&mut self, text: &[u8], charset: Charset) {
        for (i, byte) in text.iter().enumerate() {
            if !matches!(byte, b' '..=b'~') || (*byte == b'\\' && text.get(i + 1) == Some(&b'x')) {
                return self.push_special(text, charset);
            }
        }
        self.bytes.extend_from_slice(text);
        self.width += text.len();
    }

    fn push_special(&mut self, text: &[u8], charset: Charset) {
        for chunk in text.utf8_chunks() {
            for (i, c) in chunk.valid().char_indices() {
                let bytes = &chunk.valid().as_bytes()[i..];
                let escape_like = c == '\\' && bytes.get(1) == Some(&b'x');
                match width(c).filter(|_| !escape_like && (c.is_ascii() || charset == Charset::Utf8)) {
                    Some(width) => {
                        self.bytes.extend_from_slice(&bytes[..c.len_utf8()]);
                        self.width += width;
                    }
                    None => bytes[..c.len_utf8()].iter().for_each(|byte| self.push_escape(*byte)),
                }
            }
            chunk.invalid().iter().for_each(|byte| self.push_escape(*byte));
        }
    }

    fn push_escape(&mut self, byte: u8) {
        let _ = write!(self.bytes, "\\x{byte:02x}");
        self.width += 4;
    }

    /// Cuts it to as many whole characters as fit into `most` columns.
    pub(super) fn cut(&mut self, most: usize) {
        if self.width <= most {
            return;
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let (mut end, mut columns) = (0, 0);
        for c in text.chars() {
            let width = width(c).unwrap_or(0);
            if columns + width > most {
                break;
            }
            columns += width;
            end += c.len_utf8();
        }
        self.bytes.truncate(end);
        self.width = columns;
    }
}

/// The columns that a character takes; `None` if it has no shape of its own.
fn width(c: char) -> Option<usize> {
    // These move nothing, but change the direction of what follows.
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    if c.is_control() || hidden { None } else { c.width() }
}

/// Adds text as one word: what is blank, special or not ASCII is written as `\x20`.
pub(super) fn push_word(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        if byte.is_ascii_graphic() && *byte != b'\\' {
            out.push(*byte);
        } else {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(text: &[u8], charset: Charset) -> (String, usize) {
        let mut safe = Safe::default();
        safe.push(text, charset);
        (String::from_utf8(safe.bytes).unwrap(), safe.width)
    }

    #[test]
    fn locales_say_what_they_can_show() {
        for name in ["C.UTF-8", "en_GB.utf8", "de_DE.UTF-8@euro"] {
            assert_eq!(Charset::of_locale(name), Charset::Utf8, "{name}");
        }
        for name in ["", "C", "POSIX", "en_GB", "de_DE.ISO-8859-1"] {
            assert_eq!(Charset::of_locale(name), Charset::Ascii, "{name}");
        }
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(safe(b"a\x1bb\n", Charset::Utf8), ("a\\x1bb\\x0a".to_owned(), 10));
        assert_eq!(safe("ä漢".as_bytes(), Charset::Utf8), ("ä漢".to_owned(), 3));
        assert_eq!(safe("ä".as_bytes(), Charset::Ascii), ("\\xc3\\xa4".to_owned(), 8));
        assert_eq!(safe(b"\\x1b \\y", Charset::Utf8), ("\\x5cx1b \\y".to_owned(), 10));
        assert_eq!(safe(b"\xff", Charset::Utf8), ("\\xff".to_owned(), 4));
    }

    #[test]
    fn cut_takes_no_half_characters() {
        let mut text = Safe::default();
        text.push("a漢字".as_bytes(), Charset::Utf8);
        text.cut(4);
        assert_eq!((text.bytes.as_slice(), text.width), ("a漢".as_bytes(), 3));
    }

    #[test]
    fn a_word_has_no_blanks() {
        let mut out = Vec::new();
        push_word(&mut out, "a b\\ä".as_bytes());
        assert_eq!(out, b"a\\x20b\\x5c\\xc3\\xa4");
    }
}
