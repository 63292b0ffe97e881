//! Every reason to refuse, as data: one [`Rule`] for each check of the kernel.

mod list;

pub use list::Rule;

use crate::errno::Errno;
use crate::params::Release;
use core::fmt;

/// A refused call: what the caller sees, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Denial {
    /// The number the call returns.
    pub errno: Errno,
    /// The check that refused.
    pub rule: Rule,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}: {})", self.errno, self.rule, self.rule.says())
    }
}

impl core::error::Error for Denial {}

/// The releases of the kernel in which a rule holds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    /// First release, or always.
    pub since: Option<Release>,
    /// Last release, or still.
    pub until: Option<Release>,
}

impl Releases {
    /// In every release the model knows.
    pub const ALWAYS: Self = Self { since: None, until: None };

    /// From this release on.
    pub const fn since(major: u8, minor: u8) -> Self {
        Self { since: Some(Release::new(major, minor)), until: None }
    }

    /// Up to and including this release.
    pub const fn until(major: u8, minor: u8) -> Self {
        Self { since: None, until: Some(Release::new(major, minor)) }
    }

    /// Whether the rule holds in a release.
    pub fn contains(self, release: Release) -> bool {
        self.since.is_none_or(|first| release >= first) && self.until.is_none_or(|last| release <= last)
    }
}

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.since, self.until) {
            (None, None) => f.write_str("all"),
            (Some(first), None) => write!(f, ">= {first}"),
            (None, Some(last)) => write!(f, "<= {last}"),
            (Some(first), Some(last)) => write!(f, "{first}..{last}"),
        }
    }
}

/// What is known about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The part of the kernel it belongs to, for grouping.
    pub group: &'static str,
    /// What the caller sees.
    pub errno: Errno,
    /// The kernel function the check stands in.
    pub function: &'static str,
    /// Where the manual says so.
    pub clause: &'static str,
    /// When it holds.
    pub releases: Releases,
    /// One sentence in plain words.
    pub says: &'static str,
    /// A check can be switched off; without a lookup's object the call cannot go on.
    pub lookup: bool,
}

impl Rule {
    /// What the caller sees, unless a hook or a mutation says otherwise.
    pub const fn errno(self) -> Errno {
        self.facts().errno
    }

    /// One sentence in plain words.
    pub const fn says(self) -> &'static str {
        self.facts().says
    }

    /// The rule with this name, as `Debug` prints it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// RULES.md: every rule, grouped, as one table a group.
pub fn rules_page() -> alloc::string::String {
    use core::fmt::Write;
    let mut page = alloc::string::String::from(list::PAGE_HEAD);
    let mut group = "";
    for rule in Rule::ALL {
        let facts = rule.facts();
        if facts.group != group {
            group = facts.group;
            let _ = write!(
                page,
                "\n## {group}\n\n| rule | errno | says | kernel function | manual | releases |\n|---|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            page,
            "| `{rule}` | {} | {} | `{}` | {} | {} |",
            facts.errno, facts.says, facts.function, facts.clause, facts.releases
        );
    }
    page.push_str(list::PAGE_TAIL);
    page
}
