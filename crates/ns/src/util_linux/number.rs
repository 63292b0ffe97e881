//! Numbers and names as the options take them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use namespaces::Errno;

use super::failure::Failure;

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It does not look like one.
    Syntax,
    /// It is too small or too big.
    Range,
}

/// A decimal number in the way of `strtol(3)`: blanks and a sign may come first.
pub(crate) fn signed(text: &[u8]) -> Result<i64, Wrong> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Wrong::Syntax);
    }
    let number = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    });
    number.ok_or(Wrong::Range)
}

/// The same without the negative ones, up to the highest number of 32 bits.
pub(crate) fn unsigned(text: &[u8]) -> Result<u32, Wrong> {
    signed(text).and_then(|number| u32::try_from(number).map_err(|_| Wrong::Range))
}

/// `failed to parse uid: 'x'`
pub(crate) fn failure(what: &str, text: &OsStr, wrong: Wrong) -> Failure {
    let line = [b"failed to parse ", what.as_bytes(), b": '", text.as_bytes(), b"'"].concat();
    match wrong {
        Wrong::Syntax => Failure::bytes(line),
        Wrong::Range => Failure::system_bytes(line, Errno::ERANGE),
    }
}

/// The id in field 3 of the line in `/etc/passwd` or `/etc/group` whose name
/// is `name`; or the number that `name` is. 4294967295 stands for no id.
pub(crate) fn id(file: &str, name: &OsStr) -> Option<u32> {
    let text = std::fs::read(file).unwrap_or_default();
    let of_line = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b':');
        let id = (fields.next()? == name.as_bytes()).then(|| fields.nth(1))??;
        unsigned(id).ok()
    };
    let named = text.split(|byte| *byte == b'\n').find_map(of_line);
    named.or_else(|| unsigned(name.as_bytes()).ok()).filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtol_reads_them() {
        assert_eq!(signed(b" +07"), Ok(7));
        assert_eq!(signed(b"-5"), Ok(-5));
        assert_eq!(signed(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(signed(b"9223372036854775808"), Err(Wrong::Range));
        for text in [&b""[..], b"-", b"5 ", b"0x5", b"1.5", b"+-1"] {
            assert_eq!(signed(text), Err(Wrong::Syntax), "{text:?}");
        }
    }

    #[test]
    fn an_id_is_never_cut_to_32_bits() {
        assert_eq!(unsigned(b"4294967295"), Ok(u32::MAX));
        assert_eq!(unsigned(b"4294967296"), Err(Wrong::Range));
        assert_eq!(unsigned(b"-1"), Err(Wrong::Range));
    }

    #[test]
    fn a_name_comes_before_a_number() {
        assert_eq!(id("/etc/passwd", OsStr::new("root")), Some(0));
        assert_eq!(id("/etc/passwd", OsStr::new("007")), Some(7));
        assert_eq!(id("/etc/passwd", OsStr::new("4294967295")), None);
        assert_eq!(id("/etc/passwd", OsStr::new("no-such-user")), None);
    }
}
