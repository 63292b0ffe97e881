//! The comparison must be able to fail: the model is spoiled in one place after the
//! other, and each time the comparison has to notice.
//!
//! Where a rule is left out or answers with another number, short ways are tried that lead
//! to where it alone refuses; an effect is left out in generated worlds, until that is
//! noticed or a number of calls is spent. It counts only where nothing differs unspoiled.

use std::collections::BTreeSet;
use std::io;

use nsproxy::{Effect, Errno, Mutation, Rule};

use crate::Args;
use crate::cgroup::{Cgroups, Home};
use crate::imagined::Imagined;
use crate::machine::Machine;
use crate::reach::Place;
use crate::recipes::Recipe;
use crate::report::Message;
use crate::run::{Order, Runner, Share, Tally, bounds, kinds};
use crate::script::{Played, Step, play};
use crate::ways::{Search, Start, Way, Ways};
use crate::world::{Kind, Stop, World};

/// After so many calls an effect that nobody misses has survived.
const PATIENCE: usize = 12_000;
/// In so many runs an effect may be missed for another reason.
const RUNS: usize = 5;

/// What became of a mutant.
#[derive(Clone, Debug)]
enum Fate {
    /// Noticed after so many calls.
    Noticed(usize),
    Survived(String),
}

/// Spoils the share of this worker, and tells what came of it. `true` if everything was
/// noticed.
pub(crate) fn run(
    machine: &Machine,
    home: Option<&Home>,
    args: &Args,
    tell: &dyn Fn(&Message),
) -> io::Result<bool> {
    let seed = args.seed.unwrap_or(1);
    let starts = starts(machine, home)?;
    let mut search = Search::new(&starts);
    search.follow(&Recipe::all());
    search.wander(args.operations, seed);
    let place = Place { machine, cgroups: Cgroups::of(home) };
    let mutants = mutants(&place);
    let court = Court { machine, home, seed };
    let mut all = true;
    for mutation in mutants.into_iter().skip(args.inner.worker_number).step_by(args.inner.workers) {
        let fate = court.judge(mutation, &search)?;
        all &= matches!(fate, Fate::Noticed(_));
        let (after, why) = match fate {
            Fate::Noticed(calls) => (Some(calls), String::new()),
            Fate::Survived(why) => (None, why),
        };
        tell(&Message::Mutant { name: format!("{mutation:?}"), after, why });
    }
    Ok(all)
}

/// Every place in which the model can be spoiled so that it can be seen here.
fn mutants(place: &Place<'_>) -> Vec<Mutation> {
    let mut mutants = Vec::new();
    for rule in Rule::ALL.iter().copied().filter(|rule| place.unreachable(*rule).is_none()) {
        let other = if rule.errno() == Errno::ENXIO { Errno::EIO } else { Errno::ENXIO };
        mutants.push(Mutation::Errno(rule, other));
        if !rule.facts().lookup {
            mutants.push(Mutation::Off(rule));
        }
    }
    mutants.extend(Effect::ALL.iter().copied().map(Mutation::Effect));
    mutants
}

/// A world of every kind that the runner can make, as the model has it.
fn starts(machine: &Machine, home: Option<&Home>) -> io::Result<Vec<Start>> {
    let start = |kind: &Kind| match World::new(machine, *kind, home) {
        Ok(world) => Ok(Start {
            kind: *kind,
            world: Imagined::of(&world),
            bounds: bounds(machine, Cgroups::of(home), None, *kind),
        }),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Diverged(divergence)) => Err(io::Error::other(divergence.differences.join("; "))),
    };
    let kinds: BTreeSet<Kind> = kinds(machine).iter().copied().collect();
    kinds.iter().map(start).collect()
}

struct Court<'a> {
    machine: &'a Machine,
    home: Option<&'a Home>,
    seed: u64,
}

impl Court<'_> {
    fn judge(&self, mutation: Mutation, search: &Search<'_>) -> io::Result<Fate> {
        let nowhere = Ways::default();
        let ways = |rule| search.ways.get(&rule).unwrap_or(&nowhere);
        match mutation {
            Mutation::Errno(rule, _) => self.follow(mutation, &ways(rule).met),
            Mutation::Off(rule) => {
                let Ways { alone, behind, met } = ways(rule);
                let fate = self.follow(mutation, alone)?;
                if alone.is_empty() && !met.is_empty() {
                    let names: Vec<&str> = behind.keys().map(|rule| rule.name()).collect();
                    return Ok(Fate::Survived(format!("behind it refuses {}", names.join(", "))));
                }
                Ok(fate)
            }
            Mutation::Effect(_) => self.wander(mutation),
        }
    }

    fn spoiled(&self, mutation: Mutation) -> Machine {
        let mut machine = self.machine.clone();
        machine.params.mutations.push(mutation);
        machine
    }

    /// Follows ways until the spoiled model differs.
    fn follow(&self, mutation: Mutation, ways: &[Way]) -> io::Result<Fate> {
        let spoiled = self.spoiled(mutation);
        for way in ways {
            let noticed = self.differs(&spoiled, way.kind, &way.steps)?;
            if let Some(calls) = noticed
                && self.differs(self.machine, way.kind, &way.steps)?.is_none()
            {
                return Ok(Fate::Noticed(calls));
            }
        }
        let why = if ways.is_empty() { "no way was found" } else { "not seen on any way" };
        Ok(Fate::Survived(why.to_owned()))
    }

    /// After how many calls of the way the two sides differ.
    fn differs(&self, machine: &Machine, kind: Kind, steps: &[Step]) -> io::Result<Option<usize>> {
        let played = World::new(machine, kind, self.home).and_then(|mut world| play(&mut world, steps));
        match played {
            Ok(Played::Diverged { made, .. }) => Ok(Some(made.len())),
            Ok(Played::Agreed) => Ok(None),
            Err(Stop::Diverged(_)) => Ok(Some(0)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Makes generated calls until the spoiled model differs.
    fn wander(&self, mutation: Mutation) -> io::Result<Fate> {
        let spoiled = self.spoiled(mutation);
        let mut nothing = |_: &Tally, _: Option<&crate::run::Found>| {};
        let mut seeds = crate::random::Random::new(self.seed);
        let mut made = 0;
        for _ in 0..RUNS {
            let left = PATIENCE - made;
            let order = Order { shares: Share::all(left, seeds.next()), only: None, explain: false };
            let mut runner = Runner::new(&spoiled, self.home, order, &mut nothing);
            runner.run()?;
            made = (made + runner.tally.operations).min(PATIENCE);
            let Some(found) = runner.tally.found.first() else { break };
            if self.differs(self.machine, found.kind, &found.steps)?.is_none() {
                return Ok(Fate::Noticed(made));
            }
        }
        Ok(Fate::Survived(format!("not missed in {made} generated calls")))
    }
}
