//! Short ways to every rule, and to where only that one rule refuses: found in the model
//! alone, from the recipes and by chance.

use std::collections::BTreeMap;

use nsproxy::op::Op;
use nsproxy::{Denial, Mutation, Rule, TaskId};

use crate::bindings::Bindings;
use crate::generate::{Bounds, Generator, Met, View};
use crate::imagined::Imagined;
use crate::random::Random;
use crate::recipes::Recipe;
use crate::run::choose;
use crate::script::{Names, Step};
use crate::shrink::shorten;
use crate::world::Kind;

/// So many calls an imagined world has: ways in short ones are short.
const WORLD_LEN: usize = 120;
/// So many ways are kept that lead to one and the same.
const ENOUGH: usize = 3;

/// Calls, the last of which is refused.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) kind: Kind,
    pub(crate) steps: Vec<Step>,
}

/// Ways to a rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    /// To where it refuses.
    pub(crate) met: Vec<Way>,
    /// To where nothing else would refuse in the same words.
    pub(crate) alone: Vec<Way>,
    /// What else refused in the same words elsewhere.
    pub(crate) behind: BTreeMap<Rule, usize>,
}

/// Where ways begin.
pub(crate) struct Start {
    pub(crate) kind: Kind,
    pub(crate) world: Imagined,
    pub(crate) bounds: Bounds,
}

/// Looks for ways.
pub(crate) struct Search<'a> {
    starts: &'a [Start],
    pub(crate) ways: BTreeMap<Rule, Ways>,
    met: Met,
}

impl<'a> Search<'a> {
    pub(crate) fn new(starts: &'a [Start]) -> Self {
        Self { starts, ways: BTreeMap::new(), met: Met::new() }
    }

    /// Follows every recipe in every world that it is for.
    pub(crate) fn follow(&mut self, recipes: &[Recipe]) {
        for start in self.starts {
            for recipe in recipes.iter().filter(|recipe| recipe.fits(start.kind, &start.bounds)) {
                let mut walk = Walk::new(start);
                let mut bindings = Bindings::new(start.world.init);
                for line in &recipe.lines {
                    let caller = nsproxy::scenario::question::Names::task(&bindings, &line.caller);
                    let Some(caller) = caller.filter(|caller| walk.world.is_free(*caller)) else { break };
                    let Ok(op) = bindings.parse(&walk.world.kernel, caller, &line.words) else { break };
                    let answer = self.step(&mut walk, caller, &op);
                    if let (Ok(reply), Some(name)) = (&answer, &line.binding) {
                        bindings.bind(name, reply);
                    }
                }
            }
        }
    }

    /// Makes so many calls by chance.
    pub(crate) fn wander(&mut self, calls: usize, seed: u64) {
        let mut random = Random::new(seed);
        let mut made = 0;
        while made < calls {
            let start = random.pick(self.starts);
            let mut generator = Generator::new(random.next());
            let mut walk = Walk::new(start);
            for _ in 0..WORLD_LEN {
                made += 1;
                let free = walk.world.free();
                let Some(task) = choose(&free, start.world.init, &mut generator.random) else { break };
                let Imagined { kernel, init, tasks } = &walk.world;
                let view = View { kernel, init: *init, me: task, tasks, bounds: &start.bounds };
                let op = generator.next(&view, &self.met);
                let _ = self.step(&mut walk, task, &op);
            }
        }
    }

    /// Makes a call, and remembers the way if it is one to a rule.
    fn step(&mut self, walk: &mut Walk<'a>, task: TaskId, op: &Op) -> Result<nsproxy::op::Reply, Denial> {
        walk.number += 1;
        let step = walk.names.step(&walk.world.kernel, walk.number, task, op);
        walk.steps.extend(step);
        let before = walk.world.clone();
        let answer = walk.world.apply(task, op);
        walk.names.learn(walk.number, task, &answer);
        if let Err(denial) = answer {
            *self.met.entry(denial.rule).or_default() += 1;
            self.remember(walk, &before, task, op, denial);
        }
        answer
    }

    fn remember(&mut self, walk: &Walk<'_>, before: &Imagined, task: TaskId, op: &Op, denial: Denial) {
        let ways = self.ways.entry(denial.rule).or_default();
        let start = walk.start;
        let way = |steps| Way { kind: start.kind, steps };
        if ways.met.len() < ENOUGH {
            let meets = |world: &mut Imagined, task, op: &Op| world.apply(task, op) == Err(denial);
            ways.met.extend(shortened(start, &walk.steps, &meets).map(way));
        }
        if denial.rule.facts().lookup || ways.alone.len() >= ENOUGH {
            return;
        }
        match without(before, denial.rule, task, op) {
            Err(other) if other.errno == denial.errno => {
                *ways.behind.entry(other.rule).or_default() += 1;
            }
            _ => {
                let alone = |world: &mut Imagined, task, op: &Op| {
                    let spoiled = without(world, denial.rule, task, op);
                    world.apply(task, op) == Err(denial)
                        && !spoiled.is_err_and(|other| other.errno == denial.errno)
                };
                ways.alone.extend(shortened(start, &walk.steps, &alone).map(way));
            }
        }
    }
}

/// The answer of a kernel without this rule.
fn without(world: &Imagined, rule: Rule, task: TaskId, op: &Op) -> Result<nsproxy::op::Reply, Denial> {
    let mut spoiled = world.kernel.clone();
    spoiled.params_mut().mutations.push(Mutation::Off(rule));
    spoiled.apply(task, op)
}

/// The steps that it takes for the last of them to do as is wanted.
fn shortened(
    start: &Start,
    steps: &[Step],
    wanted: &dyn Fn(&mut Imagined, TaskId, &Op) -> bool,
) -> Option<Vec<Step>> {
    let mut leads = |steps: &[Step]| {
        let mut world = start.world.clone();
        let last = world.play(steps);
        last.is_some_and(|(task, op)| wanted(&mut world, task, &op)).then(|| steps.to_vec())
    };
    leads(steps)?;
    Some(shorten(steps.to_vec(), &mut leads))
}

/// An imagined world on its way.
struct Walk<'a> {
    start: &'a Start,
    world: Imagined,
    names: Names,
    steps: Vec<Step>,
    number: usize,
}

impl<'a> Walk<'a> {
    fn new(start: &'a Start) -> Self {
        let names = Names::new(start.world.init);
        Self { start, world: start.world.clone(), names, steps: Vec::new(), number: 0 }
    }
}
