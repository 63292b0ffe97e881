//! Ways to rules that chance seldom finds: the scenarios named for a rule, as beginnings of
//! worlds.

use nsproxy::Rule;
use nsproxy::scenario::{CallLine, Line, parts};

use crate::cgroup::Cgroups;
use crate::generate::Bounds;
use crate::world::Kind;

const FILES: [&str; 7] = [
    include_str!("../scenarios/rules/attributes.ns"),
    include_str!("../scenarios/rules/clone.ns"),
    include_str!("../scenarios/rules/credentials.ns"),
    include_str!("../scenarios/rules/inspecting.ns"),
    include_str!("../scenarios/rules/objects.ns"),
    include_str!("../scenarios/rules/paths.ns"),
    include_str!("../scenarios/rules/signals.ns"),
];

/// A way to a rule.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) rule: Rule,
    pub(crate) lines: Vec<CallLine>,
    /// The only kind of world in which it leads there.
    kind: Option<Kind>,
    /// What of cgroups is needed.
    cgroups: Cgroups,
    /// Whether namespaces must be boundaries of delegation.
    nsdelegate: bool,
    /// Whether nothing else is to be done in a world in which this was.
    pub(crate) alone: bool,
}

impl Recipe {
    fn parse(name: &str, text: &str) -> Option<Self> {
        let calls = text.lines().filter_map(|line| match Line::parse(line) {
            Ok(Line::Call(call)) => Some(call),
            _ => None,
        });
        let kind = text.lines().find_map(|line| line.strip_prefix("# world "));
        Some(Self {
            rule: Rule::from_name(name)?,
            lines: calls.collect(),
            kind: kind.and_then(|name| Kind::from_name(name.trim())),
            cgroups: Cgroups::wanted(text),
            nsdelegate: wants_nsdelegate(text),
            alone: text.lines().any(|line| line.starts_with("# alone")),
        })
    }

    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let all = FILES.iter().flat_map(|file| parts(file));
        all.filter_map(|part| Self::parse(part.name?, part.text)).collect()
    }

    /// Whether it can be followed in such a world.
    pub(crate) fn fits(&self, kind: Kind, bounds: &Bounds) -> bool {
        self.kind.is_none_or(|only| only == kind)
            && bounds.cgroups >= self.cgroups
            && (bounds.nsdelegate || !self.nsdelegate)
    }
}

/// Whether a scenario says that it is for a cgroup2 that is mounted with `nsdelegate`.
pub(crate) fn wants_nsdelegate(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "# nsdelegate")
}
