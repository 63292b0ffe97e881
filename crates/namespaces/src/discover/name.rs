//! What a link in `/proc/PID/ns` reads.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::handle::Namespace;
use crate::kind::Kind;

/// A namespace by kind and inode number, as `/proc` names it.
///
/// Among the namespaces that exist at one time the name is unique; later it
/// may be used again. Only a [`Namespace`] keeps what it names.
///
/// ```
/// use namespaces::Kind;
/// use namespaces::discover::Name;
///
/// let name: Name = "net:[4026531833]".parse()?;
/// assert_eq!((name.kind, name.ino), (Kind::Net, 4_026_531_833));
/// assert_eq!(name.to_string(), "net:[4026531833]");
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The kind.
    pub kind: Kind,
    /// The inode number.
    pub ino: u64,
}

impl Name {
    /// The name of the `kind` namespace with inode number `ino`.
    pub const fn new(kind: Kind, ino: u64) -> Name {
        Name { kind, ino }
    }

    /// Whether it is the user or pid namespace that the kernel started with,
    /// which has no parent. Their inode numbers are part of the kernel's
    /// interface (`linux/nsfs.h`).
    pub const fn is_initial(self) -> bool {
        matches!((self.kind, self.ino), (Kind::User, 0xefff_fffd) | (Kind::Pid, 0xefff_fffc))
    }

    /// Reads `net:[4026531833]`.
    pub(super) fn from_link(text: &[u8]) -> Option<Name> {
        let colon = text.iter().take(8).position(|byte| *byte == b':')?;
        let number = text.get(colon + 1..)?.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name().as_bytes() == &text[..colon])?;
        Some(Name { kind, ino: decimal(number)? })
    }
}

/// A number of decimal digits only.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[{}]", self.kind, self.ino)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Name, Error> {
        Name::from_link(text.as_bytes()).ok_or_else(|| {
            Error::invalid("namespace name", text, "want a kind and an inode number: net:[4026531833]")
        })
    }
}

impl From<&Namespace> for Name {
    fn from(namespace: &Namespace) -> Name {
        Name { kind: namespace.kind(), ino: namespace.id().ino }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_kernel_is_a_name() {
        assert_eq!(Name::from_link(b"mnt:[12]"), Some(Name::new(Kind::Mnt, 12)));
        for text in [
            "mnt:[]",
            "mnt:[-1]",
            "mnt:[1",
            "mount:[1]",
            "socket:[1]",
            "/mnt:[1]",
            "",
            "mnt",
            "mnt:[99999999999999999999]",
        ] {
            assert_eq!(Name::from_link(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn initial_namespaces_have_fixed_numbers() {
        assert!(Name::new(Kind::User, 4_026_531_837).is_initial());
        assert!(Name::new(Kind::Pid, 4_026_531_836).is_initial());
        assert!(!Name::new(Kind::Net, 4_026_531_837).is_initial());
    }
}
