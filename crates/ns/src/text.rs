//! Text that comes from other processes, made fit for a terminal.

use std::fmt::Write;

/// Bytes as text in which nothing can move the cursor, change colours or the
/// direction of writing: control characters and what is not UTF-8 become
/// escapes such as `\x1b`.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A command line: arguments separated by NUL bytes, shown with blanks.
pub(crate) fn command(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    printable(&spaced)
}

fn is_unsafe(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || reorders || breaks
}

/// The first `width` characters, the last of them an ellipsis if there are more.
pub(crate) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable(b"a\x1b[31mb\x07\x9b\n"), "a\\u{1b}[31mb\\u{7}\\x9b\\n");
        assert_eq!(printable("x\u{9b}\u{202e}y".as_bytes()), "x\\u{9b}\\u{202e}y");
        assert_eq!(printable("naïve 日本".as_bytes()), "naïve 日本");
        assert_eq!(command(b"sh\0-c\0true"), "sh -c true");
    }

    #[test]
    fn cut_keeps_the_width() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöü", 2), "ä…");
    }
}
