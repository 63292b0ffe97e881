//! The comparison must be able to fail: the model is spoiled in one place after the
//! other, and each time the comparison has to notice.
//!
//! A rule is spoiled on the shortest way on which it was met; an effect in worlds of its
//! own, until it is noticed or a number of calls is spent.

use std::io;

use nsproxy::{Effect, Errno, Mutation, Rule};

use crate::Args;
use crate::cgroup::Home;
use crate::machine::Machine;
use crate::run::{Order, Runner, Tally, Ways};
use crate::script::{Played, Step, play};
use crate::world::{Kind, Stop, World};

/// After so many calls an effect that nobody misses has survived.
const PATIENCE: usize = 12_000;

/// Spoils, and prints what came of it. `true` if everything was noticed.
pub(crate) fn run(machine: &Machine, home: Option<&Home>, args: &Args) -> io::Result<bool> {
    let seed = args.seed.unwrap_or(1);
    let ways = ways(machine, home, args.operations, seed)?;
    println!("{} of {} rules met in {} calls", ways.len(), Rule::ALL.len(), args.operations);
    let mut score = Score::default();
    for (rule, (kind, steps)) in &ways {
        let other = if rule.errno() == Errno::ENXIO { Errno::EIO } else { Errno::ENXIO };
        let mut mutations = vec![Mutation::Errno(*rule, other)];
        if !rule.facts().lookup {
            mutations.push(Mutation::Off(*rule));
        }
        for mutation in mutations {
            let noticed = replay(&spoiled(machine, mutation), home, *kind, steps)?;
            score.take(mutation, noticed);
        }
    }
    for effect in Effect::ALL {
        let mutation = Mutation::Effect(*effect);
        score.take(mutation, search(&spoiled(machine, mutation), home, seed)?);
    }
    println!("{} mutants, {} noticed, {} survived", score.all, score.all - score.survived, score.survived);
    Ok(score.survived == 0)
}

#[derive(Default)]
struct Score {
    all: usize,
    survived: usize,
}

impl Score {
    fn take(&mut self, mutation: Mutation, noticed: Option<usize>) {
        self.all += 1;
        if let Some(calls) = noticed {
            println!("noticed after {calls} calls: {mutation:?}");
        } else {
            self.survived += 1;
            println!("survived: {mutation:?}");
        }
    }
}

fn spoiled(machine: &Machine, mutation: Mutation) -> Machine {
    let mut machine = machine.clone();
    machine.params.mutations.push(mutation);
    machine
}

/// The shortest way to every rule that runs of so many calls meet.
fn ways(machine: &Machine, home: Option<&Home>, operations: usize, seed: u64) -> io::Result<Ways> {
    let mut nothing = |_: &Tally, _: Option<&crate::run::Found>| {};
    let mut ways = Ways::new();
    let (mut done, mut seeds) = (0, crate::random::Random::new(seed));
    // A difference ends a run: the next one goes on.
    while done < operations {
        let order = Order { operations: operations - done, seed: seeds.next(), only: None, explain: false };
        let tally = Tally::default();
        let (tell, patience) = (&mut nothing, None);
        let mut runner = Runner { machine, place: home, order, tally, tell, ways: Some(ways), patience };
        runner.run()?;
        done += runner.tally.operations.max(1);
        ways = runner.ways.unwrap_or_default();
    }
    Ok(ways)
}

/// After how many calls of the way the spoiled model differs.
fn replay(machine: &Machine, home: Option<&Home>, kind: Kind, steps: &[Step]) -> io::Result<Option<usize>> {
    let mut world = match World::new(machine, kind, home) {
        Ok(world) => world,
        Err(Stop::Diverged(_)) => return Ok(Some(0)),
        Err(Stop::Failed(error)) => return Err(error),
    };
    match play(&mut world, steps) {
        Ok(Played::Diverged { made, .. }) => Ok(Some(made.len())),
        Ok(Played::Agreed) => Ok(None),
        Err(Stop::Diverged(_)) => Ok(Some(0)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// After how many generated calls the spoiled model differs.
fn search(machine: &Machine, home: Option<&Home>, seed: u64) -> io::Result<Option<usize>> {
    let mut nothing = |_: &Tally, _: Option<&crate::run::Found>| {};
    let order = Order { operations: PATIENCE, seed, only: None, explain: false };
    let tally = Tally::default();
    let mut runner =
        Runner { machine, place: home, order, tally, tell: &mut nothing, ways: None, patience: None };
    runner.run()?;
    Ok((!runner.tally.found.is_empty()).then_some(runner.tally.operations))
}
