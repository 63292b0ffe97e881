//! What workers tell, and how it is shown.

use std::fmt::{Display, Formatter};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroups;
use crate::error::context;
use crate::explain::Scores;
use crate::reach::{Coverage, Place};
use crate::run::{Found, Tally};
use crate::script;

/// A line from a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Message {
    Progress(Count),
    Found(Scenario),
    /// To be printed as it is.
    Text {
        text: String,
    },
    /// What could not be done.
    Failed {
        error: String,
    },
    /// A place in which the model was spoiled, and after how many calls that was noticed.
    Mutant {
        name: String,
        after: Option<usize>,
        why: String,
    },
    End {
        count: Count,
        coverage: Coverage,
        scores: Scores,
    },
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) operations: usize,
    pub(crate) refused: usize,
    pub(crate) worlds: usize,
    pub(crate) rules: usize,
    pub(crate) divergences: usize,
}

/// A difference, and the shortest way to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// Of its world: a text, as not every reader of JSON has numbers of 64 bits.
    pub(crate) seed: String,
    pub(crate) after: usize,
    pub(crate) differences: Vec<String>,
    pub(crate) text: String,
}

fn count(tally: &Tally) -> Count {
    Count {
        operations: tally.operations,
        refused: tally.refused,
        worlds: tally.worlds,
        rules: tally.met.len(),
        divergences: tally.found.len(),
    }
}

impl Message {
    pub(crate) fn progress(tally: &Tally) -> Self {
        Self::Progress(count(tally))
    }

    pub(crate) fn end(tally: &Tally, place: &Place<'_>) -> Self {
        let coverage = Coverage::new(&tally.met, place);
        Self::End { count: count(tally), coverage, scores: tally.scores.clone() }
    }
}

impl Display for Message {
    /// What is worth it when it comes.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found(scenario) => writeln!(f, "{scenario}"),
            Self::Mutant { name, after: Some(calls), .. } => {
                writeln!(f, "noticed after {calls} calls: {name}")
            }
            Self::Mutant { name, after: None, why } => writeln!(f, "survived: {name}: {why}"),
            Self::Text { text } => f.write_str(text),
            Self::Failed { .. } | Self::Progress(_) | Self::End { .. } => Ok(()),
        }
    }
}

impl Scenario {
    /// `origin` says what makes the run again.
    pub(crate) fn new(found: &Found, cgroups: Cgroups, origin: &str) -> Self {
        let Found { seed, kind, differences, steps, after } = found;
        let seed = format!("{seed:016x}");
        let steps = script::print(steps);
        let mut text = format!("# world {}\n", kind.name());
        if cgroups == Cgroups::Controlled && steps.contains(": cgroup-") {
            text.push_str("# controllers\n");
        }
        let whence = format!("after {after} calls of the world {seed} of: {origin}");
        for comment in [&whence].into_iter().chain(differences) {
            text.push_str("# ");
            text.push_str(comment);
            text.push('\n');
        }
        text.push_str(&steps);
        Self { seed, after: *after, differences: differences.clone(), text }
    }

    /// Keeps it in a directory.
    pub(crate) fn keep(&self, directory: &Path) -> std::io::Result<()> {
        let path = directory.join(format!("{}.ns", self.seed));
        context(format_args!("writing {}", path.display()), std::fs::write(&path, &self.text))
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\ndifference:\n{}", self.text)
    }
}
