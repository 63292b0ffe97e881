//! Paths below `/proc`, made without allocating: a few for each process.

use std::ffi::CStr;

/// Room for `PID/task/TID/ns/time_for_children`, the longest there is.
const ROOM: usize = 64;

/// The directory of a process or thread, below `/proc`, to which the name of
/// a file is added.
pub(super) struct ProcPath {
    bytes: [u8; ROOM],
    prefix: usize,
}

impl ProcPath {
    /// `PID/`
    pub(super) fn process(pid: i32) -> ProcPath {
        let mut path = ProcPath { bytes: [0; ROOM], prefix: 0 };
        path.number(pid);
        path
    }

    /// `PID/task/TID/`
    pub(super) fn thread(pid: i32, tid: i32) -> ProcPath {
        let mut path = ProcPath::process(pid);
        path.add(b"task/");
        path.number(tid);
        path
    }

    /// The path of `file` there.
    pub(super) fn of(&mut self, file: &str) -> &CStr {
        self.of_parts(file, "")
    }

    /// The path of `dir` and `file` in it, `ns/` and `mnt` for instance.
    pub(super) fn of_parts(&mut self, dir: &str, file: &str) -> &CStr {
        let (start, end) = (self.prefix, self.prefix + dir.len() + file.len());
        self.bytes[start..start + dir.len()].copy_from_slice(dir.as_bytes());
        self.bytes[start + dir.len()..end].copy_from_slice(file.as_bytes());
        self.bytes[end] = 0;
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    fn add(&mut self, text: &[u8]) {
        let end = self.prefix + text.len();
        self.bytes[self.prefix..end].copy_from_slice(text);
        self.prefix = end;
    }

    fn number(&mut self, number: i32) {
        let mut digits = [b'/'; 12];
        let mut at = digits.len() - 1;
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.add(&digits[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::ProcPath;

    #[test]
    fn paths_are_spelt_as_proc_has_them() {
        let mut path = ProcPath::process(1);
        assert_eq!(path.of("fd"), c"1/fd");
        assert_eq!(path.of_parts("ns/", "mnt"), c"1/ns/mnt");
        assert_eq!(path.of("ns"), c"1/ns");
        let mut path = ProcPath::thread(i32::MAX, i32::MAX);
        let longest = c"2147483647/task/2147483647/ns/time_for_children";
        assert_eq!(path.of_parts("ns/", "time_for_children"), longest);
        assert_eq!(ProcPath::process(120).of(""), c"120/");
    }
}
