//! `/proc/PID/mountinfo`, as far as this crate reads it: `proc_pid_mountinfo(5)`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mount.
pub(crate) struct Mount<'a> {
    /// What of the file system is mounted: `net:[4026532001]` for a namespace.
    pub(crate) root: &'a [u8],
    /// The mount point, as written.
    point: &'a [u8],
    /// The fields on propagation, `shared:2` for instance.
    optional: &'a [u8],
}

impl Mount<'_> {
    /// Where it is mounted, as seen from the root directory of the process.
    pub(crate) fn point(&self) -> PathBuf {
        unescape(self.point)
    }

    /// Whether it passes its mounts on to peers.
    pub(crate) fn is_shared(&self) -> bool {
        self.optional.split(|byte| *byte == b' ').any(|field| field.starts_with(b"shared:"))
    }
}

/// The mounts, in the order of the file. A line of another form is left out.
pub(crate) fn mounts(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        // id, parent, device, root, mount point, mount options, and the rest.
        let mut fields = line.splitn(7, |byte| *byte == b' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let rest = fields.nth(1)?;
        let end = rest.windows(2).position(|pair| pair == b"- ")?;
        Some(Mount { root, point, optional: &rest[..end] })
    })
}

/// A path in which blanks and the like are written in octal.
pub(crate) fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = rest {
            bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn mounts_are_read() {
        let text = b"22 1 0:5 net:[4026532001] /run/netns/a\\040b rw - nsfs nsfs rw\n\
            23 1 0:6 / /proc rw,nosuid shared:2 master:1 - proc proc rw\n\nnonsense\n";
        let all: Vec<Mount<'_>> = mounts(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].root, b"net:[4026532001]");
        assert_eq!(all[0].point(), Path::new("/run/netns/a b"));
        assert!(!all[0].is_shared());
        assert!(all[1].is_shared());
    }

    #[test]
    fn only_octal_is_unescaped() {
        assert_eq!(unescape(b"/a\\011b\\134"), Path::new("/a\tb\\"));
        assert_eq!(unescape(b"/a\\9\\04"), Path::new("/a\\9\\04"));
    }
}
