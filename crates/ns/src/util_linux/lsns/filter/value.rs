//! Values and their types.

use std::cmp::Ordering;

use super::NoAnswer;

/// A value that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Float(f64),
    Truth(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Float,
    Truth,
}

impl Value {
    pub(super) const fn kind(&self) -> Type {
        match self {
            Value::Text(_) => Type::Text,
            Value::Number(_) => Type::Number,
            Value::Float(_) => Type::Float,
            Value::Truth(_) => Type::Truth,
        }
    }

    /// What it is when it stands for itself: whether it is something.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Truth(truth) => *truth,
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Float(number) => general(*number),
            Value::Truth(truth) => truth.to_string(),
        }
    }

    /// The same as another type. A text that is no number can't be one.
    pub(super) fn cast(&self, to: Type) -> Result<Value, NoAnswer> {
        Ok(match to {
            Type::Text => Value::Text(self.to_text()),
            Type::Number => Value::Number(self.to_number()?),
            Type::Float => Value::Float(self.to_float()?),
            Type::Truth => Value::Truth(self.to_truth()),
        })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // as C does it, but saturating
    fn to_number(&self) -> Result<u64, NoAnswer> {
        match self {
            Value::Text(text) => text.parse().map_err(|_| NoAnswer),
            Value::Number(number) => Ok(*number),
            Value::Float(number) => Ok(*number as u64),
            Value::Truth(truth) => Ok((*truth).into()),
        }
    }

    #[allow(clippy::cast_precision_loss)] // inode numbers and the like are small enough
    fn to_float(&self) -> Result<f64, NoAnswer> {
        match self {
            Value::Text(text) => text.parse().map_err(|_| NoAnswer),
            Value::Number(number) => Ok(*number as f64),
            Value::Float(number) => Ok(*number),
            Value::Truth(truth) => Ok(f64::from(*truth)),
        }
    }

    fn to_truth(&self) -> bool {
        match self {
            Value::Text(text) => {
                text == "1" || text.eq_ignore_ascii_case("true") || text.starts_with(['y', 'Y'])
            }
            Value::Float(number) => *number > 0.0,
            Value::Number(_) | Value::Truth(_) => self.is_true(),
        }
    }

    /// How it compares with one of the same type; `None` for others.
    pub(super) fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            (Value::Truth(a), Value::Truth(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// A number with six significant digits, as `%g` of `printf(3)` has it.
fn general(number: f64) -> String {
    let scientific = format!("{number:.5e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    match usize::try_from(5 - exponent) {
        Ok(decimals) if exponent >= -4 => trim(&format!("{number:.decimals$}")),
        _ => format!("{}e{}{:02}", trim(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_printf_does() {
        for (number, text) in [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (15.0, "15"),
            (100_000_000.0, "1e+08"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (0.000_012_5, "1.25e-05"),
            (0.0, "0"),
        ] {
            assert_eq!(general(number), text);
        }
    }

    #[test]
    fn a_word_is_no_number() {
        assert_eq!(Value::Text("root".to_owned()).cast(Type::Number), Err(NoAnswer));
        assert_eq!(Value::Text("yes".to_owned()).cast(Type::Truth), Ok(Value::Truth(true)));
        assert_eq!(Value::Number(0).cast(Type::Truth), Ok(Value::Truth(false)));
    }
}
