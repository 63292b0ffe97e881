//! The login shell of `passwd(5)`, looked up without allocating, by the process
//! that runs by then as some user below some root directory.

use std::ffi::CStr;

use rustix::fs::{Mode, OFlags};

/// Room for the longest path that a shell may have, and what is around it.
const ROOM: usize = 258;

/// What is run where there is no entry, or one without a shell.
const USUAL: &[u8] = b"/bin/sh";

/// A login shell.
pub(super) struct Shell {
    path: [u8; ROOM],
    /// The last part of the path with a minus in front, which is how a shell
    /// knows that it is a login shell.
    arg0: [u8; ROOM],
}

impl Shell {
    fn new(path: &[u8]) -> Shell {
        let mut shell = Shell { path: [0; ROOM], arg0: [0; ROOM] };
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        for (to, from) in shell.path.iter_mut().take(ROOM - 1).zip(path) {
            *to = *from;
        }
        for (to, from) in shell.arg0.iter_mut().take(ROOM - 1).zip([b"-", name].into_iter().flatten()) {
            *to = *from;
        }
        shell
    }

    pub(super) fn path(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.path).unwrap_or_default()
    }

    pub(super) fn arg0(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.arg0).unwrap_or_default()
    }
}

/// The shell that `/etc/passwd` has for the user `uid`.
pub(super) fn login_shell(uid: u32) -> Shell {
    let mut scan = Scan::new(uid);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(c"/etc/passwd", flags, Mode::empty()) {
        let mut bytes = [0; 1024];
        while let Ok(length @ 1..) = rustix::io::read(&file, &mut bytes) {
            if bytes[..length].iter().any(|byte| scan.take(*byte)) {
                break;
            }
        }
    }
    // The last line may lack its end.
    scan.take(b'\n');
    scan.found.unwrap_or_else(|| Shell::new(USUAL))
}

/// Reads the file byte by byte.
struct Scan {
    wanted: u32,
    /// The field, counted from 0: name, password, uid, gid, comment, home, shell.
    field: usize,
    /// The number in the field of the uid, if it is one.
    uid: Option<u64>,
    shell: [u8; ROOM],
    length: usize,
    found: Option<Shell>,
}

impl Scan {
    const UID: usize = 2;
    const SHELL: usize = 6;

    fn new(wanted: u32) -> Scan {
        Scan { wanted, field: 0, uid: None, shell: [0; ROOM], length: 0, found: None }
    }

    /// Whether the entry is complete with this byte.
    fn take(&mut self, byte: u8) -> bool {
        match (byte, self.field) {
            _ if self.found.is_some() => return true,
            (b'\n', _) => return self.end_of_line(),
            (b':', _) => self.field += 1,
            (_, Scan::UID) => {
                let digit = u64::from(byte.wrapping_sub(b'0'));
                let before = if self.length == 0 { Some(0) } else { self.uid };
                self.uid = before.filter(|n| digit < 10 && *n < 1 << 32).map(|n| n * 10 + digit);
                self.length += 1;
            }
            (_, Scan::SHELL) => {
                if let Some(slot) = self.shell.get_mut(self.length) {
                    *slot = byte;
                }
                self.length += 1;
            }
            _ => {}
        }
        if byte == b':' {
            self.length = 0;
        }
        false
    }

    fn end_of_line(&mut self) -> bool {
        let mine = self.field == Scan::SHELL && self.uid == Some(u64::from(self.wanted));
        if mine && self.length < ROOM - 1 {
            let path = self.shell.get(..self.length).filter(|path| !path.is_empty());
            self.found = Some(Shell::new(path.unwrap_or(USUAL)));
        }
        (self.field, self.length, self.uid) = (0, 0, None);
        self.found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell_of(text: &str, uid: u32) -> Option<String> {
        let mut scan = Scan::new(uid);
        text.bytes().any(|byte| scan.take(byte));
        scan.take(b'\n');
        scan.found.map(|shell| format!("{:?} {:?}", shell.path(), shell.arg0()))
    }

    #[test]
    fn the_shell_is_the_seventh_field_of_the_first_line_with_the_uid() {
        let file = "root:x:0:0:root:/root:/bin/bash\nbad:x:1x:0::/:/no\nalice:x:1000:100:Alice:/home/alice:/usr/bin/zsh\n\
                    also:x:1000:1:::/bin/no\nempty:x:5:5:::\nshort:x:6\nlast:x:7:7:::/bin/last";
        assert_eq!(shell_of(file, 0).unwrap(), "\"/bin/bash\" \"-bash\"");
        assert_eq!(shell_of(file, 1000).unwrap(), "\"/usr/bin/zsh\" \"-zsh\"");
        assert_eq!(shell_of(file, 5).unwrap(), "\"/bin/sh\" \"-sh\"");
        assert_eq!(shell_of(file, 7).unwrap(), "\"/bin/last\" \"-last\"");
        for uid in [1, 6, 8] {
            assert_eq!(shell_of(file, uid), None, "{uid}");
        }
    }
}
