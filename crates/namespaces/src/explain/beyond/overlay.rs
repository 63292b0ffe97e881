//! The options of an overlay, as far as they can be judged without mounting it, which would
//! write into its workdir.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::outside;
use crate::errno::Errno;
use crate::explain::answer::Verdict;
use crate::explain::cause::{Cause, Outside};
use crate::explain::decide::{Case, open};
use crate::explain::evidence::Evidence;
use crate::explain::load::Assumed;
use crate::kind::Kind;

/// What is wrong, and the kernel's answer to it.
type Wrong = (Errno, Evidence);

/// What the rules refuse is refused before the options are read.
pub(super) fn decide(case: &Case<'_>, data: &str) -> Option<Verdict> {
    case.ask(case.question, &Assumed::default())?.ok()?;
    let mut options = Options::default();
    for word in split(data, ',').filter(|word| !word.is_empty()) {
        match options.read(case, &word) {
            Ok(true) => {}
            Ok(false) => {
                let says = format!("{word:?} is no option of overlay that is known here");
                let causes = vec![Cause::Outside(Outside::OverlayOptions)];
                return Some(open(None, causes, vec![Evidence::question(says)]));
            }
            Err(wrong) => return Some(refused(case, wrong)),
        }
    }
    let checks = [Options::missing, Options::attributes, Options::writing, Options::layers];
    let wrong = checks.into_iter().find_map(|check| check(&options, case).err());
    wrong.map(|wrong| refused(case, wrong))
}

/// Whether an overlay only reads, so that mounting it leaves nothing behind.
pub(in crate::explain) fn only_reads(data: &str) -> bool {
    !split(data, ',').any(|word| word.starts_with("upperdir=") || word.starts_with("workdir="))
}

fn refused(case: &Case<'_>, (errno, evidence): Wrong) -> Verdict {
    outside(case, Outside::OverlayOptions, Some(errno), vec![evidence])
}

/// The parts between separators; a backslash keeps the character after it from being one.
fn split(text: &str, separator: char) -> impl Iterator<Item = String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.into_iter()
}

fn unescaped(text: &str) -> PathBuf {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    PathBuf::from(plain)
}

#[derive(Default)]
struct Options {
    lower: Vec<PathBuf>,
    /// Layers of which only the data is used.
    data: Vec<PathBuf>,
    upper: Option<PathBuf>,
    work: Option<PathBuf>,
    userxattr: bool,
    /// One that works with `trusted.*` attributes, and one that can't do without.
    trusted: Option<String>,
    only_trusted: Option<String>,
}

/// Options that have one of some values.
const VALUES: &[(&str, &[&str])] = &[
    ("metacopy", &["off", "on"]),
    ("redirect_dir", &["nofollow", "off", "follow", "on"]),
    ("verity", &["off", "on", "require"]),
    ("index", &["off", "on"]),
    ("nfs_export", &["off", "on"]),
    ("uuid", &["off", "null", "auto", "on"]),
    ("xino", &["off", "auto", "on"]),
];

impl Options {
    /// Takes in an option as `ovl_parse_param` does, which looks at directories at once.
    /// `false` for one that is not known.
    fn read(&mut self, case: &Case<'_>, word: &str) -> Result<bool, Wrong> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "lowerdir" => self.lowers(case, value)?,
            "lowerdir+" => self.lower.push(directory(case, name, value)?),
            "datadir+" => self.data.push(directory(case, name, value)?),
            "upperdir" => self.upper = Some(writable(directory(case, name, value)?)?),
            "workdir" => self.work = Some(writable(directory(case, name, value)?)?),
            "userxattr" => self.userxattr = true,
            "default_permissions" | "volatile" => {}
            _ => {
                let place = VALUES.iter().find(|(known, _)| *known == name);
                let Some(at) = place.and_then(|(_, values)| values.iter().position(|known| *known == value))
                else {
                    return Ok(false);
                };
                match name {
                    "metacopy" | "redirect_dir" if at > 0 => self.only_trusted = Some(word.to_owned()),
                    "verity" if at > 0 => self.trusted = Some(word.to_owned()),
                    _ => {}
                }
            }
        }
        Ok(true)
    }

    /// `ovl_parse_param_lowerdir`: after `::` come layers of data.
    fn lowers(&mut self, case: &Case<'_>, value: &str) -> Result<(), Wrong> {
        (self.lower, self.data) = (Vec::new(), Vec::new());
        let parts: Vec<String> = split(value, ':').filter(|_| !value.is_empty()).collect();
        let mut of_data = false;
        for (at, part) in parts.iter().enumerate() {
            if part.is_empty() && !of_data && at > 0 && at + 1 < parts.len() {
                of_data = true;
                continue;
            }
            let layers = if of_data { &mut self.data } else { &mut self.lower };
            layers.push(directory(case, "lowerdir", part)?);
        }
        Ok(())
    }

    /// `ovl_fill_super`
    fn missing(&self, _case: &Case<'_>) -> Result<(), Wrong> {
        let invalid = |says: &str| Err((Errno::EINVAL, Evidence::question(says)));
        if self.lower.is_empty() {
            return invalid("there is no lowerdir");
        }
        if self.upper.is_some() && self.work.is_none() {
            return invalid("there is an upperdir without a workdir");
        }
        if self.upper.is_none() && self.lower.len() + self.data.len() < 2 {
            return invalid("there is one lowerdir and no upperdir: an overlay has two layers at least");
        }
        Ok(())
    }

    /// `ovl_fs_params_verify`: attributes named `trusted.*` are for the first user namespace;
    /// with `userxattr` they are named `user.*`, and some options can't be had.
    fn attributes(&self, case: &Case<'_>) -> Result<(), Wrong> {
        if let Some(option) = self.only_trusted.as_ref().filter(|_| self.userxattr) {
            let says = format!("{option} and userxattr exclude each other");
            return Err((Errno::EINVAL, Evidence::question(says)));
        }
        let data = (!self.data.is_empty()).then(|| "a layer of data".to_owned());
        let trusted = self.only_trusted.as_ref().or(self.trusted.as_ref()).or(data.as_ref());
        if let Some(option) = trusted.filter(|_| !self.userxattr && !case.state.is_first()) {
            let says = format!("is {}, and {option} is for the first one", case.state.name(Kind::User));
            return Err((Errno::EPERM, Evidence::file("/proc/self/ns/user", says)));
        }
        Ok(())
    }

    /// `ovl_get_upper` and `ovl_get_workdir`.
    fn writing(&self, case: &Case<'_>) -> Result<(), Wrong> {
        let (Some(upper), Some(work)) = (&self.upper, &self.work) else { return Ok(()) };
        let mount = |path: &Path| case.machine.eyes().mount_of(&path.to_string_lossy()).ok();
        if let (Some((of_upper, _)), Some((of_work, _))) = (mount(upper), mount(work))
            && of_upper != of_work
        {
            let point = |id: u64| {
                let mount = case.state.mounts.iter().find(|mount| mount.id == id);
                mount.map_or_else(|| id.to_string(), |mount| mount.point.clone())
            };
            let (of_upper, of_work) = (point(of_upper), point(of_work));
            let (upper, work) = (upper.display(), work.display());
            let says = format!("has {upper} on the mount {of_upper}, and {work} on {of_work}");
            return Err((Errno::EINVAL, Evidence::file("/proc/self/mountinfo", says)));
        }
        if let (Ok(upper), Ok(work)) = (upper.canonicalize(), work.canonicalize())
            && (upper.starts_with(&work) || work.starts_with(&upper))
        {
            let says =
                format!("is the workdir, and {} the upperdir: neither may lie in the other", upper.display());
            return Err((Errno::EINVAL, Evidence::file(work.display().to_string(), says)));
        }
        Ok(())
    }

    /// `ovl_setup_trap`
    fn layers(&self, _case: &Case<'_>) -> Result<(), Wrong> {
        let mut known: Vec<(u64, u64)> = Vec::new();
        for layer in self.lower.iter().chain(&self.data).chain(&self.upper) {
            let Ok(meta) = std::fs::metadata(layer) else { continue };
            if known.contains(&(meta.dev(), meta.ino())) {
                return Err((Errno::ELOOP, Evidence::file(layer.display().to_string(), "is a layer twice")));
            }
            known.push((meta.dev(), meta.ino()));
        }
        Ok(())
    }
}

/// `PROC_SUPER_MAGIC`: proc allows no file system on top of it.
const PROC: u64 = 0x9fa0;

/// `ovl_mount_dir_check`
fn directory(case: &Case<'_>, option: &str, value: &str) -> Result<PathBuf, Wrong> {
    if value.is_empty() {
        return Err((Errno::EINVAL, Evidence::question(format!("{option}= names no directory"))));
    }
    let path = unescaped(value);
    let shown = path.display().to_string();
    let wrong = |errno, says: &str| Err((errno, Evidence::file(shown.clone(), says)));
    match case.machine.eyes().stat(&shown) {
        Ok((true, _)) => {}
        Ok((false, _)) => return wrong(Errno::EINVAL, "is not a directory"),
        Err(Errno::ENOENT) => return wrong(Errno::ENOENT, "does not exist"),
        Err(errno) => return wrong(errno, "can't be reached"),
    }
    match rustix::fs::statfs(&path) {
        Ok(found) if found.f_type.cast_unsigned() == PROC => {
            wrong(Errno::EINVAL, "lies on proc, which can be no layer")
        }
        _ => Ok(path),
    }
}

fn writable(path: PathBuf) -> Result<PathBuf, Wrong> {
    let flags = rustix::fs::statvfs(&path).map(|found| found.f_flag);
    if flags.is_ok_and(|flags| flags.contains(rustix::fs::StatVfsMountFlags::RDONLY)) {
        let says = "lies on a mount that is read-only";
        return Err((Errno::EINVAL, Evidence::file(path.display().to_string(), says)));
    }
    Ok(path)
}
