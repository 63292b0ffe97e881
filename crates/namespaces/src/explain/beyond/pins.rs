//! Namespaces that a launch binds to files, which no rehearsal does.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nsproxy::Rule;

use super::files::unwritable;
use super::refused;
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::explain::answer::{Refusal, Verdict};
use crate::explain::decide::Case;
use crate::explain::evidence::Evidence;
use crate::explain::grounds::grounds;
use crate::explain::load::Assumed;
use crate::explain::lookup;
use crate::explain::state::Owner;
use crate::kind::Kind;
use crate::plan::{Plan, Step};

/// What stands in the way of one of them.
pub(in crate::explain) fn refused_bind(case: &Case<'_>, plan: &Plan) -> Option<Verdict> {
    plan.steps().iter().find_map(|step| {
        let verdict = match &step.step {
            Step::Pin { path, .. } => {
                not_made(case, path).or_else(|| not_bound(case)).or_else(|| directory(case, path))
            }
            Step::Bind { path, .. } => {
                let path = Path::new(OsStr::from_bytes(path.to_bytes()));
                not_found(case, path).or_else(|| not_bound(case)).or_else(|| directory(case, path))
            }
            _ => None,
        }?;
        Some(match verdict {
            Verdict::Refused(refusal) => Verdict::Refused(Refusal { at: Some(step.to_string()), ..refusal }),
            other => other,
        })
    })
}

/// A file that is not there is made.
fn not_made(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let missing = not_found(case, path)?;
    if !matches!(&missing, Verdict::Refused(refusal) if refusal.errno == Some(Errno::ENOENT)) {
        return Some(missing);
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    not_found(case, above).or_else(|| unwritable(case, above))
}

fn not_found(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let shown = path.to_string_lossy();
    let errno = case.machine.eyes().stat(&shown).err()?;
    let evidence = vec![lookup::stopped(case.machine, &shown, errno)];
    Some(refused(case, lookup::cause(errno)?, Some(errno), evidence))
}

/// `graft_tree`: a namespace is a file.
fn directory(case: &Case<'_>, path: &Path) -> Option<Verdict> {
    let shown = path.to_string_lossy();
    let evidence = || vec![Evidence::file(&*shown, "is a directory, and a namespace goes on a file")];
    let is_dir = matches!(case.machine.eyes().stat(&shown), Ok((true, _)));
    is_dir.then(|| refused(case, Rule::MountDirFile, Some(Errno::ENOTDIR), evidence()))
}

/// `may_mount`
fn not_bound(case: &Case<'_>) -> Option<Verdict> {
    let may = match case.state.owner(Kind::Mnt) {
        Owner::Own | Owner::Below(_) => case.state.has(Capabilities::SYS_ADMIN),
        Owner::Beyond => false,
        Owner::Unknown => return None,
    };
    let rule = Rule::MountPrivilege;
    (!may).then(|| refused(case, rule, Some(Errno::EPERM), grounds(case, rule, &Assumed::default())))
}
