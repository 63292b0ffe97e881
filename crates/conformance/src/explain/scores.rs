//! How the explainer did.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How the explainer did on one kind of call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) right: u64,
    pub(crate) undecided: u64,
    pub(crate) wrong: u64,
}

/// What was not decidable: how often, and once as an example.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(super) times: u64,
    pub(super) example: String,
}

/// How it did on all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scores {
    pub(crate) calls: BTreeMap<String, Score>,
    /// What it did not know, by the rule that it was.
    pub(crate) open: BTreeMap<String, Open>,
    pub(crate) mistakes: Vec<String>,
}

impl fmt::Display for Scores {
    /// The table, and below it what was not decidable, and what was wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Score) -> u64| self.calls.values().map(of).sum::<u64>();
        let (right, open, wrong) = (sum(|s| s.right), sum(|s| s.undecided), sum(|s| s.wrong));
        let all = (right + open + wrong).max(1);
        writeln!(
            f,
            "\nwhy, as the caller can know it:\n{:<24} {:>8} {:>14} {:>6}",
            "refused call", "right", "not decidable", "wrong"
        )?;
        for (name, score) in &self.calls {
            writeln!(f, "{name:<24} {:>8} {:>14} {:>6}", score.right, score.undecided, score.wrong)?;
        }
        writeln!(f, "{:<24} {right:>8} {open:>14} {wrong:>6}", "all")?;
        // In hundredths of a percent.
        let percent = |part: u64| {
            let parts = part * 10_000 / all;
            format!("{}.{:02}%", parts / 100, parts % 100)
        };
        writeln!(f, "{:<24} {:>8} {:>14} {:>6}", "", percent(right), percent(open), percent(wrong))?;
        let mut open: Vec<(&String, &Open)> = self.open.iter().collect();
        open.sort_by_key(|(_, open)| std::cmp::Reverse(open.times));
        for (rule, Open { times, example }) in open {
            writeln!(f, "not decidable {times} times: {rule}; {example}")?;
        }
        for mistake in self.mistakes.iter().take(40) {
            writeln!(f, "wrong: {mistake}")?;
        }
        Ok(())
    }
}

impl Scores {
    pub(crate) fn add(&mut self, other: Scores) {
        for (name, score) in other.calls {
            let sum = self.calls.entry(name).or_default();
            sum.right += score.right;
            sum.undecided += score.undecided;
            sum.wrong += score.wrong;
        }
        for (rule, open) in other.open {
            let sum = self.open.entry(rule).or_default();
            sum.times += open.times;
            sum.example = open.example;
        }
        self.mistakes.extend(other.mistakes);
    }

    pub(crate) fn all_right(&self) -> bool {
        self.calls.values().all(|score| score.wrong == 0)
    }
}
