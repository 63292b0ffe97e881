//! What the workers of a run have told, and its summary.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use crate::Args;
use crate::error;
use crate::explain::Scores;
use crate::generate::Area;
use crate::machine::release;
use crate::out::{self, Verdict};
use crate::reach::Coverage;
use crate::report::{Count, Message, Scenario};

/// Places in which the model was spoiled.
#[derive(Default)]
struct Mutants {
    all: usize,
    survivors: Vec<String>,
}

/// What all workers have told so far.
pub(crate) struct Gathered {
    seed: u64,
    counts: Vec<Count>,
    coverage: Coverage,
    scores: Scores,
    found: Vec<Scenario>,
    mutants: Mutants,
    started: Instant,
    shown: Instant,
}

impl Gathered {
    pub(crate) fn new(seed: u64, jobs: usize) -> Self {
        let now = Instant::now();
        Self {
            seed,
            counts: vec![Count::default(); jobs],
            coverage: Coverage::default(),
            scores: Scores::default(),
            found: Vec::new(),
            mutants: Mutants::default(),
            started: now,
            shown: now,
        }
    }

    /// Whether there is nothing to sum up.
    pub(crate) fn is_empty(&self) -> bool {
        self.sum(|count| count.operations) == 0 && self.found.is_empty() && self.mutants.all == 0
    }

    /// Whether a message is a difference that is known: worlds that differ as they are made
    /// do so alike for all workers.
    pub(crate) fn has(&self, message: &Message) -> bool {
        let Message::Found(new) = message else { return false };
        new.after == 0 && self.found.iter().any(|known| known.differences == new.differences)
    }

    pub(crate) fn take(&mut self, job: usize, message: Message) {
        match message {
            Message::Text { .. } | Message::Failed { .. } => {}
            Message::Progress(count) => self.counts[job] = count,
            Message::Found(scenario) => self.found.push(scenario),
            Message::Mutant { name, after, .. } => {
                self.mutants.all += 1;
                if after.is_none() {
                    self.mutants.survivors.push(name);
                }
            }
            Message::End { count, coverage, scores } => {
                self.scores.add(scores);
                self.counts[job] = count;
                self.coverage.add(coverage);
            }
        }
    }

    fn sum(&self, of: impl Fn(&Count) -> usize) -> usize {
        self.counts.iter().map(of).sum()
    }

    pub(crate) fn show_progress(&mut self) {
        if self.shown.elapsed().as_secs() < 2 || !std::io::stderr().is_terminal() {
            return;
        }
        self.shown = Instant::now();
        let Mutants { all, survivors } = &self.mutants;
        if *all > 0 {
            out::note(format_args!("{all} mutants, {} survived", survivors.len()));
            return;
        }
        let operations = self.sum(|count| count.operations);
        let rules = self.counts.iter().map(|count| count.rules).max().unwrap_or(0);
        let divergences = self.sum(|count| count.divergences);
        out::note(format_args!(
            "{operations} operations, {} a second, {rules} rules met, {divergences} divergences",
            self.rate()
        ));
    }

    fn rate(&self) -> u128 {
        let operations = self.sum(|count| count.operations) as u128;
        operations * 1000 / self.started.elapsed().as_millis().max(1)
    }

    /// What there is to say at the end.
    pub(crate) fn report(&self, args: &Args, root: bool, failures: &Failures) -> String {
        if args.json {
            format!("{}\n", self.json(args, root, failures))
        } else if args.mutants {
            let Mutants { all, survivors } = &self.mutants;
            format!("{all} mutants, {} noticed, {} survived\n", all - survivors.len(), survivors.len())
        } else {
            self.text(args)
        }
    }

    fn json(&self, args: &Args, root: bool, failures: &Failures) -> serde_json::Value {
        let mut summary = serde_json::json!({
            "release": release(),
            "seed": self.seed.to_string(),
            "as_user": args.as_user || !root,
            "only": args.only.map(Area::name),
            "jobs": self.counts.len(),
            "operations": self.sum(|count| count.operations),
            "refused": self.sum(|count| count.refused),
            "worlds": self.sum(|count| count.worlds),
            "operations_per_second": u64::try_from(self.rate()).unwrap_or(0),
            "rules": self.coverage.all(),
            "met": self.coverage.met(),
            "coverage": self.coverage,
            "divergences": self.found,
            "failures": failures.lines(),
        });
        if args.explain {
            summary["explained"] = serde_json::json!(self.scores);
        }
        summary
    }

    fn text(&self, args: &Args) -> String {
        let coverage = if args.coverage { self.coverage.to_string() } else { String::new() };
        let scores = if args.explain { self.scores.to_string() } else { String::new() };
        format!(
            "{coverage}{} operations, {} refused, {} of {} rules met, {} divergences\n\
             {} operations a second in {} worlds\n{scores}",
            self.sum(|count| count.operations),
            self.sum(|count| count.refused),
            self.coverage.met(),
            self.coverage.all(),
            self.found.len(),
            self.rate(),
            self.sum(|count| count.worlds)
        )
    }
}

/// What could not be done, once each, in the order of its coming.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    said: Vec<String>,
    /// Workers that did not come to their end, by the way they ended.
    ended: BTreeMap<String, Vec<usize>>,
}

impl Failures {
    pub(crate) fn add(&mut self, failure: String) {
        if !self.said.contains(&failure) {
            self.said.push(failure);
        }
    }

    /// Takes note of a worker's untimely end.
    pub(crate) fn ended(&mut self, worker: usize, status: ExitStatus) {
        let how = match (status.signal(), status.code()) {
            (Some(number), _) => format!("ended by {}", error::signal(number)),
            (None, code) => format!("ended with status {}", code.unwrap_or_default()),
        };
        self.ended.entry(how).or_default().push(worker);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty() && self.ended.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let ended = self.ended.iter().map(|(how, workers)| {
            let numbers: Vec<String> = workers.iter().map(ToString::to_string).collect();
            let who = if workers.len() == 1 { "worker" } else { "workers" };
            format!("{who} {}: {how}", numbers.join(", "))
        });
        self.said.iter().cloned().chain(ended).collect()
    }

    /// Says what failed, if anything did: then what else was found is not all.
    pub(crate) fn verdict(&self, others: Verdict) -> Verdict {
        self.lines().into_iter().for_each(out::complain);
        if self.is_empty() { others } else { Verdict::NotCompared }
    }
}
