//! Capabilities: `capabilities(7)`.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The capabilities by number, named as `capabilities(7)` does but in lower
/// case and without `CAP_`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A set of capabilities, bit n for capability n.
///
/// ```
/// use namespaces::Capabilities;
///
/// let set: Capabilities = "net_admin,sys_admin".parse()?;
/// assert!(set.contains(Capabilities::SYS_ADMIN));
/// assert_eq!(set.to_string(), "net_admin,sys_admin");
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None.
    pub const EMPTY: Capabilities = Capabilities(0);
    /// Every capability this crate has a name for, up to `checkpoint_restore` (Linux 5.9).
    pub const ALL: Capabilities = Capabilities((1 << NAMES.len()) - 1);
    /// `CAP_SETGID`.
    pub const SETGID: Capabilities = Capabilities(1 << 6);
    /// `CAP_SETUID`.
    pub const SETUID: Capabilities = Capabilities(1 << 7);
    /// `CAP_NET_ADMIN`.
    pub const NET_ADMIN: Capabilities = Capabilities(1 << 12);
    /// `CAP_SYS_CHROOT`.
    pub const SYS_CHROOT: Capabilities = Capabilities(1 << 18);
    /// `CAP_SYS_PTRACE`.
    pub const SYS_PTRACE: Capabilities = Capabilities(1 << 19);
    /// `CAP_SYS_ADMIN`.
    pub const SYS_ADMIN: Capabilities = Capabilities(1 << 21);
    /// `CAP_SYS_TIME`.
    pub const SYS_TIME: Capabilities = Capabilities(1 << 25);

    /// The set with these bits, as `/proc/PID/status` shows them.
    pub const fn from_bits(bits: u64) -> Capabilities {
        Capabilities(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are in the set.
    pub const fn contains(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & other.0)
    }

    /// The numbers of the capabilities in the set.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |n| self.0 & (1 << n) != 0)
    }
}

impl fmt::Display for Capabilities {
    /// `none`, `all`, or the names in the order of their numbers, comma
    /// separated; a number for one without a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        if *self == Capabilities::ALL {
            return f.write_str("all");
        }
        for (i, number) in self.numbers().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match NAMES.get(number as usize) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "{number}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({self})")
    }
}

impl FromStr for Capabilities {
    type Err = Error;

    /// Names separated by commas, in any case, with or without `cap_`;
    /// `all` and `none`.
    fn from_str(text: &str) -> Result<Capabilities, Error> {
        match text {
            "all" => return Ok(Capabilities::ALL),
            "none" | "" => return Ok(Capabilities::EMPTY),
            _ => {}
        }
        text.split(',').try_fold(Capabilities::EMPTY, |set, name| {
            let lower = name.trim().to_ascii_lowercase();
            let short = lower.strip_prefix("cap_").unwrap_or(&lower);
            let number = NAMES
                .iter()
                .position(|known| *known == short)
                .ok_or_else(|| Error::invalid("capability", name, "capabilities(7) lists the names"))?;
            Ok(Capabilities(set.0 | 1 << number))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Capabilities;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        for (name, number) in
            [("chown", 0), ("CAP_SYS_ADMIN", 21), ("setfcap", 31), ("checkpoint_restore", 40)]
        {
            assert_eq!(name.parse::<Capabilities>().unwrap().bits(), 1 << number);
        }
        assert!("sys_everything".parse::<Capabilities>().is_err());
        assert_eq!("all".parse::<Capabilities>().unwrap().to_string(), "all");
    }
}
