//! What was measured, what it is held against, and the verdict.

use serde::{Deserialize, Serialize};

use crate::stats::{median, micros, quantile};

/// What a line is to reach, compared with another line of its table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) against: String,
    pub(crate) limit: Limit,
    /// Wished for, not promised: never counts as missed.
    pub(crate) stretch: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Limit {
    /// At most so many times as long.
    Times(f64),
    /// At most so many microseconds longer.
    MicrosOver(f64),
}

impl Goal {
    pub(crate) fn times(against: &str, limit: f64) -> Goal {
        Goal { against: against.to_owned(), limit: Limit::Times(limit), stretch: false }
    }

    pub(crate) fn stretch(against: &str, limit: f64) -> Goal {
        Goal { stretch: true, ..Goal::times(against, limit) }
    }

    pub(crate) fn micros_over(against: &str, limit: f64) -> Goal {
        Goal { limit: Limit::MicrosOver(limit), ..Goal::times(against, limit) }
    }
}

/// One thing that was measured. Each round holds one sample, or a block of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) label: String,
    /// The line its ratio is taken to; the first one if none is named.
    pub(crate) base: Option<String>,
    pub(crate) wall_ns: Vec<Vec<u64>>,
    pub(crate) cpu_ns: Vec<u64>,
    pub(crate) faults: Vec<u64>,
    pub(crate) goals: Vec<Goal>,
}

impl Row {
    /// The median of each round, in microseconds.
    fn rounds(&self) -> Vec<f64> {
        let round = |samples: &Vec<u64>| median(&samples.iter().copied().map(micros).collect::<Vec<_>>());
        self.wall_ns.iter().map(round).collect()
    }

    fn minimum(&self) -> f64 {
        self.wall_ns.iter().flatten().min().copied().map_or(0.0, micros)
    }

    /// In thousands: microseconds of nanoseconds.
    fn kilo_median(values: &[u64]) -> Option<f64> {
        let values: Vec<f64> = values.iter().copied().map(micros).collect();
        (!values.is_empty()).then(|| median(&values))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) what: String,
    pub(crate) reason: String,
}

/// The lines that were measured in turn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// How it was measured, for people.
    pub(crate) how: String,
    pub(crate) idle_percent: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// A table as it is shown and written.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) title: String,
    pub(crate) how: String,
    /// How idle the machine was just before.
    pub(crate) idle_percent: u64,
    pub(crate) lines: Vec<SummaryLine>,
    pub(crate) left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SummaryLine {
    pub(crate) label: String,
    pub(crate) rounds: usize,
    pub(crate) median_us: f64,
    pub(crate) min_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) ratio: f64,
    pub(crate) ratio_to: String,
    pub(crate) cpu_us: Option<f64>,
    pub(crate) page_faults: Option<f64>,
    pub(crate) goals: Vec<Verdict>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) goal: Goal,
    /// In the unit of the limit; none if what it is held against was not measured.
    pub(crate) measured: Option<f64>,
    /// The same of the fastest of each.
    pub(crate) of_minima: Option<f64>,
    pub(crate) met: Option<bool>,
    /// Others' work is in the figures: median and minimum say different things.
    pub(crate) noisy: bool,
    /// Missed by more than 30 %, and not a stretch.
    pub(crate) far: bool,
}

impl Table {
    fn row(&self, label: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.label == label)
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            title: self.title.clone(),
            how: self.how.clone(),
            idle_percent: self.idle_percent,
            lines: self.rows.iter().map(|row| self.line(row)).collect(),
            left_out: self.left_out.clone(),
        }
    }

    fn line(&self, row: &Row) -> SummaryLine {
        let named = row.base.as_deref().and_then(|label| self.row(label));
        let base = named.or(self.rows.first()).unwrap_or(row);
        let samples: Vec<f64> = row.wall_ns.iter().flatten().copied().map(micros).collect();
        SummaryLine {
            label: row.label.clone(),
            rounds: row.wall_ns.len(),
            median_us: median(&samples),
            min_us: row.minimum(),
            p90_us: quantile(&samples, 0.9),
            ratio: paired(row, base, |own, other| own / other),
            ratio_to: base.label.clone(),
            cpu_us: Row::kilo_median(&row.cpu_ns),
            page_faults: Row::kilo_median(&row.faults).map(|kilo| (kilo * 1e3).round()),
            goals: row.goals.iter().map(|goal| self.judge(row, goal)).collect(),
        }
    }

    fn judge(&self, row: &Row, goal: &Goal) -> Verdict {
        let (limit, compare): (f64, fn(f64, f64) -> f64) = match goal.limit {
            Limit::Times(limit) => (limit, |own, other| own / other),
            Limit::MicrosOver(limit) => (limit, |own, other| own - other),
        };
        let other = self.row(&goal.against);
        let measured = other.map(|other| paired(row, other, compare));
        let of_minima = other.map(|other| compare(row.minimum(), other.minimum()));
        let spread = measured.zip(of_minima).map_or(0.0, |(a, b)| (a - b).abs());
        Verdict {
            goal: goal.clone(),
            measured,
            of_minima,
            met: measured.map(|measured| measured <= limit),
            noisy: spread > limit / 3.0,
            far: !goal.stretch && measured.is_some_and(|measured| measured > limit * 1.3),
        }
    }
}

/// The median over the rounds of what `compare` says about the two of a round.
fn paired(row: &Row, base: &Row, compare: impl Fn(f64, f64) -> f64) -> f64 {
    let pairs = row.rounds().into_iter().zip(base.rounds());
    median(&pairs.map(|(own, other)| compare(own, other)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::{Goal, Row, Table};

    fn row(label: &str, rounds: [u64; 3], goals: Vec<Goal>) -> Row {
        let wall_ns = rounds.iter().map(|wall| vec![*wall]).collect();
        Row { label: label.to_owned(), wall_ns, goals, ..Row::default() }
    }

    #[test]
    fn a_goal_is_judged_by_the_pairs_of_the_rounds() {
        let goals = vec![Goal::times("a", 1.1), Goal::stretch("a", 1.0), Goal::times("gone", 1.0)];
        // The second round is slow for both: medians apart would say 2000 / 1000.
        let rows = vec![
            row("a", [1000, 9000, 1000], vec![]),
            row("b", [2000, 18000, 2000], vec![]),
            row("c", [1000, 9000, 1000], goals),
        ];
        let summary = Table { rows, ..Table::default() }.summary();
        assert!((summary.lines[1].ratio - 2.0).abs() < 1e-9);
        let met: Vec<_> = summary.lines[2].goals.iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, [Some(true), Some(true), None]);
    }

    #[test]
    fn only_a_promise_is_missed_by_far() {
        let goals = vec![Goal::times("a", 1.0), Goal::stretch("a", 1.0), Goal::micros_over("a", 0.9)];
        let rows = vec![row("a", [1000; 3], vec![]), row("b", [2000; 3], goals)];
        let far: Vec<_> = Table { rows, ..Table::default() }.summary().lines[1]
            .goals
            .iter()
            .map(|verdict| verdict.far)
            .collect();
        assert_eq!(far, [true, false, false]);
    }
}
