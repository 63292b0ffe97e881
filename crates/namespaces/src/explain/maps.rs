//! Which check of an id map's file refuses: writes that set nothing tell them apart, as the
//! kernel makes the checks in one order.

use nsproxy::Rule;

use super::ask::Objects;
use super::evidence::Evidence;
use super::eyes::EmptyWrite;
use super::machine::Machine;
use super::question::Question;
use super::state::{FIRST_USER, Target};
use crate::errno::Errno;
use crate::idmap::{Extent, IdKind};
use crate::kind::Kind;

/// How far a write comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// To this rule.
    Refused(Rule, Evidence),
    /// What is written is read, and looked at for what it maps.
    Contents,
}

/// How far the write of the question comes; `None` if the file does not tell.
pub(super) fn reached(machine: &Machine<'_>, objects: &Objects, question: &Question) -> Option<Reached> {
    let Question::WriteMap { pid, kind, .. } = question else { return None };
    let target = objects.target(*pid).filter(|target| target.writable == Some(Ok(())))?;
    let path = format!("/proc/{pid}/{}", kind.file());
    let refused = |rule, evidence| Some(Reached::Refused(rule, evidence));
    match machine.map_refuses(&path, EmptyWrite::PastStart)? {
        Errno::EPERM => {
            let says = "is refused with EPERM, and to who is in the user namespace or its parent with EINVAL";
            let evidence = Evidence::call(format!("pwrite(\"{path}\", \"-\", 1, 1)"), says);
            return refused(opener(machine, target)?, evidence);
        }
        Errno::EINVAL => {}
        _ => return None,
    }
    let map = match kind {
        IdKind::Uid => &target.uid_map,
        IdKind::Gid => &target.gid_map,
    };
    if !map.as_ref()?.is_empty() {
        return refused(Rule::MapAlreadySet, Evidence::file(path, "has lines already"));
    }
    match machine.map_refuses(&path, EmptyWrite::NoLine)? {
        Errno::EPERM => {
            let says = "is refused with EPERM, and with EINVAL to who holds CAP_SYS_ADMIN there";
            refused(Rule::MapAdmin, Evidence::call(format!("write(\"{path}\", \"-\", 1)"), says))
        }
        Errno::EINVAL => Some(Reached::Contents),
        _ => None,
    }
}

/// Who writes stands elsewhere, or it is the first user namespace. If its number can't be
/// read, that one has all ids, of projects too.
fn opener(machine: &Machine<'_>, target: &Target) -> Option<Rule> {
    let all =
        |map: &Option<Vec<Extent>>| map.as_ref().map(|lines| lines.iter().any(|line| line.count == u32::MAX));
    match (target.namespace(Kind::User), all(&target.uid_map)?, all(&target.gid_map)?) {
        (Some(user), ..) if user.inode == FIRST_USER => Some(Rule::MapInitNs),
        (None, true, true) => {
            let projects = machine.text(&format!("/proc/{}/projid_map", target.pid)).ok()?;
            projects.ends_with(&u32::MAX.to_string()).then_some(Rule::MapInitNs)
        }
        _ => Some(Rule::MapOpener),
    }
}
