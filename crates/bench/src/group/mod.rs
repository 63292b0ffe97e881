//! The groups of measurements, one file each.

mod bulk;
mod enter;
mod launch;
mod library;
mod looper;
mod ls;

use crate::Bench;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Launch,
    Library,
    Enter,
    Ls,
    Bulk,
}

impl Group {
    pub(crate) const ALL: [Group; 5] = [Group::Launch, Group::Library, Group::Enter, Group::Ls, Group::Bulk];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Group::Launch => "launch",
            Group::Library => "library",
            Group::Enter => "enter",
            Group::Ls => "ls",
            Group::Bulk => "bulk",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Group> {
        Group::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// Measures one group. What can't be measured is said, and is no failure.
pub(crate) fn run(group: Group, bench: &mut Bench) {
    let done = match group {
        Group::Launch => launch::run(bench),
        Group::Library => library::run(bench),
        Group::Enter => enter::run(bench),
        Group::Ls => ls::run(bench),
        Group::Bulk => bulk::run(bench),
    };
    if let Err(reason) = done {
        bench.leave_out(group.name(), &reason);
    }
}

/// The namespace of `kind` that `process` (a pid or `self`) is in, as `/proc` names it.
fn link(process: &str, kind: &str) -> Result<String, String> {
    let path = format!("/proc/{process}/ns/{kind}");
    let link = std::fs::read_link(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(link.to_string_lossy().into_owned())
}
