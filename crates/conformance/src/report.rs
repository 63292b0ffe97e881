//! What workers tell, and how it is shown.

use std::fmt::{Display, Formatter};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroups;
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
    pub(crate) seed: u64,
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

    pub(crate) fn found(found: &Found, cgroups: Cgroups) -> Self {
        let mut text = format!("# world {}\n", found.kind.name());
        let steps = script::print(&found.steps);
        if cgroups == Cgroups::Controlled && steps.contains(": cgroup-") {
            text.push_str("# controllers\n");
        }
        for difference in &found.differences {
            text.push_str("# ");
            text.push_str(difference);
            text.push('\n');
        }
        text.push_str(&steps);
        let Found { seed, after, differences, .. } = found.clone();
        Self::Found(Scenario { seed, after, differences, text })
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
            Self::Progress(_) | Self::End { .. } => Ok(()),
        }
    }
}

impl Scenario {
    /// Keeps it in a directory, if there is one for it.
    pub(crate) fn keep(&self, directory: Option<&Path>) -> std::io::Result<()> {
        let Some(directory) = directory else { return Ok(()) };
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join(format!("{:016x}.ns", self.seed)), &self.text)
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { seed, after, text, .. } = self;
        writeln!(f, "\ndifference, after {after} calls of the world with seed {seed}:\n{text}")
    }
}
