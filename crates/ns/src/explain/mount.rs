//! The command lines of `mount(8)` and `umount(8)`, as far as they say what is asked
//! of the kernel.

use namespaces::explain::Question;
use nsproxy::uapi::{
    MNT_DETACH, MNT_FORCE, MS_BIND, MS_MOVE, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID,
    MS_PRIVATE, MS_RDONLY, MS_REC, MS_RELATIME, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_STRICTATIME,
    MS_UNBINDABLE,
};

use crate::report::Failure;

/// Options after `-o` that are flags.
const FLAGS: &[(&str, u64)] = &[
    ("ro", MS_RDONLY),
    ("nosuid", MS_NOSUID),
    ("nodev", MS_NODEV),
    ("noexec", MS_NOEXEC),
    ("noatime", MS_NOATIME),
    ("nodiratime", MS_NODIRATIME),
    ("relatime", MS_RELATIME),
    ("strictatime", MS_STRICTATIME),
    ("remount", MS_REMOUNT),
    ("bind", MS_BIND),
    ("rbind", MS_BIND | MS_REC),
    ("move", MS_MOVE),
    ("private", MS_PRIVATE),
    ("rprivate", MS_PRIVATE | MS_REC),
    ("slave", MS_SLAVE),
    ("rslave", MS_SLAVE | MS_REC),
    ("shared", MS_SHARED),
    ("rshared", MS_SHARED | MS_REC),
    ("unbindable", MS_UNBINDABLE),
    ("runbindable", MS_UNBINDABLE | MS_REC),
];

/// Those that say the opposite of a flag, which is what there is without it.
const OPPOSITES: &[&str] = &["rw", "suid", "dev", "exec", "atime", "diratime", "defaults", "async"];

pub(super) fn mount(words: &[String]) -> Result<Question, Failure> {
    let (mut fstype, mut flags, mut data) = (String::new(), 0, Vec::new());
    let mut operands = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = |glued: &str| match glued {
            "" => words.next().cloned().ok_or_else(|| Failure::new(format!("{word} wants a value"))),
            glued => Ok(glued.to_owned()),
        };
        if let Some(glued) = word.strip_prefix("-t") {
            fstype = value(glued)?;
        } else if let Some(glued) = word.strip_prefix("-o") {
            for option in value(glued)?.split(',') {
                match FLAGS.iter().find(|(name, _)| *name == option) {
                    Some((_, flag)) => flags |= flag,
                    None if OPPOSITES.contains(&option) || option.is_empty() => {}
                    None => data.push(option.to_owned()),
                }
            }
        } else if let Some(long) = word.strip_prefix("--") {
            let name = long.strip_prefix("make-").unwrap_or(long);
            let known = FLAGS.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
            flags |= known
                .ok_or_else(|| Failure::new(format!("mount has no option {word} that is known here")))?;
        } else if word == "-B" || word == "-R" || word == "-M" {
            flags |= match word.as_str() {
                "-B" => MS_BIND,
                "-R" => MS_BIND | MS_REC,
                _ => MS_MOVE,
            };
        } else if word == "-r" {
            flags |= MS_RDONLY;
        } else if word.starts_with('-') && word.len() > 1 {
            return Err(Failure::new(format!("mount has no option {word} that is known here")));
        } else {
            operands.push(word.clone());
        }
    }
    let (source, target) = match operands.as_slice() {
        [target] => (String::new(), target.clone()),
        [source, target] => (source.clone(), target.clone()),
        _ => return Err(Failure::new("mount wants a source and a target")),
    };
    let target = absolute(&target);
    let source =
        if flags & (MS_BIND | MS_MOVE) != 0 && flags & MS_REMOUNT == 0 { absolute(&source) } else { source };
    Ok(Question::Mount { source, target, fstype, flags, data: data.join(",") })
}

pub(super) fn umount(words: &[String]) -> Result<Question, Failure> {
    let mut flags = 0;
    let mut target = None;
    for word in words {
        match word.as_str() {
            "-l" | "--lazy" => flags |= MNT_DETACH,
            "-f" | "--force" => flags |= MNT_FORCE,
            word if word.starts_with('-') => {
                return Err(Failure::new(format!("umount has no option {word} that is known here")));
            }
            word => target = Some(absolute(word)),
        }
    }
    let target = target.ok_or_else(|| Failure::new("umount wants a target"))?;
    Ok(Question::Umount { target, flags })
}

/// The path from the root, links followed, if it is there.
pub(super) fn absolute(path: &str) -> String {
    let real = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    real.map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}
