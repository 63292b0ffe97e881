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

/// Those that take a flag away that an earlier one has set.
const OPPOSITES: &[(&str, u64)] = &[
    ("rw", MS_RDONLY),
    ("suid", MS_NOSUID),
    ("dev", MS_NODEV),
    ("exec", MS_NOEXEC),
    ("atime", MS_NOATIME),
    ("diratime", MS_NODIRATIME),
    ("norelatime", MS_RELATIME),
    ("nostrictatime", MS_STRICTATIME),
];

/// Options after `-o` that say nothing to the kernel.
const SILENT: &[&str] = &["", "defaults", "async", "auto", "noauto", "nouser", "nofail", "_netdev"];

/// What an option of mount(8) means.
#[derive(Clone, Copy)]
enum Means {
    /// Nothing that the kernel is asked for.
    Nothing,
    /// The same as this option after `-o`.
    Option(&'static str),
    /// Its value is the type.
    Type,
    /// Its value is a list of options.
    Options,
    /// Its value is the source or the target.
    Source,
    Target,
    /// Every line of fstab(5).
    All,
}

/// The options of mount(8) that are known here: a letter, a long name, and what they mean.
const MOUNT: &[(&str, &str, Means)] = &[
    ("t", "types", Means::Type),
    ("o", "options", Means::Options),
    ("B", "bind", Means::Option("bind")),
    ("R", "rbind", Means::Option("rbind")),
    ("M", "move", Means::Option("move")),
    ("r", "read-only", Means::Option("ro")),
    ("w", "rw", Means::Option("rw")),
    ("", "read-write", Means::Option("rw")),
    ("", "source", Means::Source),
    ("", "target", Means::Target),
    ("a", "all", Means::All),
    ("v", "verbose", Means::Nothing),
    ("n", "no-mtab", Means::Nothing),
    ("i", "internal-only", Means::Nothing),
    ("c", "no-canonicalize", Means::Nothing),
];

impl Means {
    fn wants_value(self) -> bool {
        matches!(self, Means::Type | Means::Options | Means::Source | Means::Target)
    }
}

/// What a command line of mount(8) comes to.
#[derive(Default)]
struct Asked {
    fstype: String,
    flags: u64,
    data: Vec<String>,
    source: Option<String>,
    target: Option<String>,
    operands: Vec<String>,
}

impl Asked {
    fn take(&mut self, means: Means, value: String) -> Result<(), Failure> {
        match means {
            Means::Nothing => {}
            Means::Option(name) => self.option(name),
            Means::Type => self.fstype = value,
            Means::Options => value.split(',').for_each(|option| self.option(option)),
            Means::Source => self.source = Some(value),
            Means::Target => self.target = Some(value),
            Means::All => {
                return Err(Failure::new(
                    "mount --all is one call for each line of /etc/fstab: name the source and the target of one",
                ));
            }
        }
        Ok(())
    }

    fn option(&mut self, name: &str) {
        let find = |of: &[(&str, u64)]| of.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
        if let Some(flag) = find(FLAGS) {
            self.flags |= flag;
        } else if let Some(flag) = find(OPPOSITES) {
            self.flags &= !flag;
        } else if !SILENT.contains(&name) {
            self.data.push(name.to_owned());
        }
    }

    fn question(self) -> Result<Question, Failure> {
        let Asked { fstype, flags, data, source, target, operands } = self;
        let (source, target) = match (source, target, operands.as_slice()) {
            (source, Some(target), []) => (source.unwrap_or_default(), target),
            (None, Some(target), [source]) => (source.clone(), target),
            (Some(source), None, [target]) => (source, target.clone()),
            (None, None, [target]) => (String::new(), target.clone()),
            (None, None, [source, target]) => (source.clone(), target.clone()),
            _ => return Err(Failure::new("mount wants a source and a target")),
        };
        let target = absolute(&target);
        let from = flags & (MS_BIND | MS_MOVE) != 0 && flags & MS_REMOUNT == 0;
        let source = if from { absolute(&source) } else { source };
        Ok(Question::Mount { source, target, fstype, flags, data: data.join(",") })
    }
}

pub(super) fn mount(words: &[String]) -> Result<Question, Failure> {
    let mut asked = Asked::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut next = || words.next().cloned().ok_or_else(|| Failure::new(format!("{word} wants a value")));
        if word == "--" {
            asked.operands.extend(words.by_ref().cloned());
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let means = named(word, name)?;
            let value = match value {
                Some(value) => value.to_owned(),
                None if means.wants_value() => next()?,
                None => String::new(),
            };
            asked.take(means, value)?;
        } else if word.starts_with('-') && word.len() > 1 {
            let letters = &word[1..];
            for (at, letter) in letters.char_indices() {
                let means = lettered(word, letter)?;
                let rest = &letters[at + letter.len_utf8()..];
                if means.wants_value() {
                    asked.take(means, if rest.is_empty() { next()? } else { rest.to_owned() })?;
                    break;
                }
                asked.take(means, String::new())?;
            }
        } else {
            asked.operands.push(word.clone());
        }
    }
    asked.question()
}

fn named(word: &str, name: &str) -> Result<Means, Failure> {
    if let Some(kind) = name.strip_prefix("make-")
        && let Some((known, _)) = FLAGS.iter().find(|(known, flag)| *known == kind && flag & PROPAGATION != 0)
    {
        return Ok(Means::Option(known));
    }
    let found = MOUNT.iter().find(|(_, long, _)| *long == name);
    found.map(|(.., means)| *means).ok_or_else(|| unknown(word))
}

const PROPAGATION: u64 = MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;

fn lettered(word: &str, letter: char) -> Result<Means, Failure> {
    let found = MOUNT.iter().find(|(short, ..)| short.chars().eq([letter]));
    found.map(|(.., means)| *means).ok_or_else(|| unknown(word))
}

fn unknown(word: &str) -> Failure {
    Failure::new(format!("mount has no option {word} that is known here"))
}

pub(super) fn umount(words: &[String]) -> Result<Question, Failure> {
    let mut flags = 0;
    let mut target = None;
    for word in words {
        match word.as_str() {
            "-l" | "--lazy" => flags |= MNT_DETACH,
            "-f" | "--force" => flags |= MNT_FORCE,
            "-v" | "--verbose" | "-n" | "--no-mtab" | "-i" | "--internal-only" => {}
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
