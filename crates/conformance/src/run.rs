//! Worlds, one after the other: generated calls, compared, until the wanted number is
//! reached or the two sides differ.

use std::io;
use std::time::{Duration, Instant};

use nsproxy::op::{Op, Reply};
use nsproxy::scenario::question::Names as _;
use nsproxy::{Denial, TaskId};

use crate::bindings::Bindings;
use crate::cgroup::{Cgroups, Home};
use crate::explain::Scores;
use crate::generate::{Area, Bounds, Generator, Met, View};
use crate::machine::Machine;
use crate::outside;
use crate::random::Random;
use crate::recipes::Recipe;
use crate::script::{Names, Step};
use crate::shrink::shrink;
use crate::sys::SLOTS;
use crate::world::{Kind, Stop, World};

/// After so many calls a world has seen enough.
const WORLD_LEN: usize = 400;

/// And so many after a recipe, of which each takes a world.
const RECIPE_LEN: usize = 40;

/// More tasks than this end a world: there is room for a few more only.
const CROWD: usize = SLOTS - 12;

/// So many calls at most are one share of a run, of which there are so many at least.
const SHARE_LEN: usize = 2_500;
const SHARES: usize = 8;

/// After so many worlds in a row without a call there will be none.
const IDLE_WORLDS: usize = 100;

/// A part of a run. It is the same whoever makes it and what else he makes, so that a seed
/// means the same however many make the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    number: usize,
    seed: u64,
    operations: usize,
}

impl Share {
    /// The parts of a run.
    pub(crate) fn all(operations: usize, seed: u64) -> Vec<Self> {
        let count = Self::count(operations);
        // Drawn, not counted up: seeds at even distances would make the same worlds.
        let mut seeds = Random::new(seed);
        let share = |number| {
            let operations = operations / count + usize::from(number < operations % count);
            Self { number, seed: seeds.next(), operations }
        };
        (0..count).map(share).collect()
    }

    /// How many parts a run has.
    pub(crate) fn count(operations: usize) -> usize {
        operations.div_ceil(SHARE_LEN).max(SHARES)
    }

    /// Whether a recipe is one to be followed here: the fewest shares of a run have all.
    fn has(self, recipe: usize) -> bool {
        recipe % SHARES == self.number % SHARES
    }
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) shares: Vec<Share>,
    pub(crate) only: Option<Area>,
    /// Whether each refusal is to be explained.
    pub(crate) explain: bool,
}

/// A script on which the two sides differ, made short.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) differences: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// After how many calls of its world: 0 if it differed as it was made, as all will.
    pub(crate) after: usize,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) operations: usize,
    pub(crate) refused: usize,
    pub(crate) worlds: usize,
    pub(crate) met: Met,
    pub(crate) found: Vec<Found>,
    pub(crate) scores: Scores,
}

/// Makes worlds and plays in them.
pub(crate) struct Runner<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) place: Option<&'a Home>,
    pub(crate) order: Order,
    pub(crate) tally: Tally,
    /// Called now and then with how far the run is, and with every difference.
    pub(crate) tell: &'a mut dyn FnMut(&Tally, Option<&Found>),
    /// How long a difference is shrunk before the run goes on; without it ends there.
    pub(crate) patience: Option<Duration>,
    recipes: Vec<Recipe>,
    /// What was met in the share that is being made, and how many calls there are after it.
    met: Met,
    until: usize,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(
        machine: &'a Machine,
        place: Option<&'a Home>,
        order: Order,
        tell: &'a mut dyn FnMut(&Tally, Option<&Found>),
    ) -> Self {
        let recipes = Recipe::all();
        let (tally, met) = (Tally::default(), Met::new());
        Self { machine, place, order, tally, tell, patience: None, recipes, met, until: 0 }
    }

    /// Runs until the order is filled.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        for share in self.order.shares.clone() {
            self.until = self.tally.operations + share.operations;
            self.met.clear();
            if !self.share(share)? {
                break;
            }
        }
        Ok(())
    }

    /// One share. `false` if the run ends with it.
    fn share(&mut self, share: Share) -> io::Result<bool> {
        let mut seeds = Random::new(share.seed);
        let mut told = Instant::now();
        let mut idle = 0;
        while self.tally.operations < self.until {
            let seed = seeds.next();
            let before = self.tally.operations;
            if let Some(found) = self.world(share, seed)? {
                (self.tell)(&self.tally, Some(&found));
                let last = found.after == 0 || self.patience.is_none() && !self.order.explain;
                self.tally.found.push(found);
                if last {
                    return Ok(false);
                }
            }
            idle = if self.tally.operations == before { idle + 1 } else { 0 };
            if idle == IDLE_WORLDS {
                return Err(io::Error::other(format!(
                    "{idle} worlds in a row in which no call could be made"
                )));
            }
            if told.elapsed().as_millis() > 500 {
                told = Instant::now();
                (self.tell)(&self.tally, None);
            }
        }
        Ok(true)
    }

    pub(crate) fn make(&self, kind: Kind) -> Result<World, Stop> {
        World::new(self.machine, kind, self.place)
    }

    /// One world, from one seed.
    fn world(&mut self, share: Share, seed: u64) -> io::Result<Option<Found>> {
        let mut random = Random::new(seed);
        let kind = *random.pick(kinds(self.machine));
        let recipe = self.recipe(share, kind, &mut random);
        let generator = Generator::new(random.next());
        self.tally.worlds += 1;
        let world = match self.make(kind) {
            Ok(world) => world,
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Diverged(divergence)) => {
                let differences = divergence.differences;
                return Ok(Some(Found { seed, kind, differences, steps: Vec::new(), after: 0 }));
            }
        };
        let names = Names::new(world.init);
        let mut walk = Walk { kind, world, names, steps: Vec::new(), number: 0 };
        match self.walk(&mut walk, generator, recipe.as_ref()) {
            Ok(()) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Diverged(divergence)) => {
                let Walk { world, steps, .. } = walk;
                drop(world);
                Ok(Some(self.found(seed, kind, steps, divergence.differences)))
            }
        }
    }

    fn bounds(&self, kind: Kind) -> Bounds {
        bounds(self.machine, Cgroups::of(self.place), self.order.only, kind)
    }

    /// For three worlds of four a way to a rule that was not met yet, while there is one.
    fn recipe(&self, share: Share, kind: Kind, random: &mut Random) -> Option<Recipe> {
        if self.order.only.is_some() || random.one_in(4) {
            return None;
        }
        let bounds = self.bounds(kind);
        let own = self.recipes.iter().enumerate().filter(|(number, _)| share.has(*number));
        let fitting = own
            .map(|(_, recipe)| recipe)
            .filter(|recipe| recipe.fits(kind, &bounds) && !self.met.contains_key(&recipe.rule));
        let unmet: Vec<&Recipe> = fitting.collect();
        (!unmet.is_empty()).then(|| (*random.pick(&unmet)).clone())
    }

    fn walk(
        &mut self,
        walk: &mut Walk,
        mut generator: Generator,
        recipe: Option<&Recipe>,
    ) -> Result<(), Stop> {
        let mut len = WORLD_LEN;
        if let Some(recipe) = recipe {
            self.follow(walk, recipe)?;
            len = if recipe.alone { 0 } else { RECIPE_LEN };
        }
        let bounds = self.bounds(walk.kind);
        for _ in 0..len {
            let Walk { world, .. } = &*walk;
            if self.tally.operations >= self.until || world.actors.len() > CROWD {
                break;
            }
            let free = (0..world.actors.len()).filter(|actor| world.is_free(*actor));
            let free: Vec<TaskId> = free.map(|actor| world.actors[actor].task).collect();
            let Some(task) = choose(&free, world.init, &mut generator.random) else { break };
            let tasks: Vec<TaskId> = world.actors.iter().map(|actor| actor.task).collect();
            let view =
                View { kernel: &world.kernel, init: world.init, me: task, tasks: &tasks, bounds: &bounds };
            let op = generator.next(&view, &self.met);
            let _ = self.step(walk, task, &op)?;
        }
        Ok(())
    }

    /// Makes the calls of a recipe.
    fn follow(&mut self, walk: &mut Walk, recipe: &Recipe) -> Result<(), Stop> {
        let mut bindings = Bindings::new(walk.world.init);
        for line in &recipe.lines {
            let Some(caller) = bindings.task(&line.caller) else { break };
            let Ok(op) = bindings.parse(&walk.world.kernel, caller, &line.words) else { break };
            let Some(answer) = self.step(walk, caller, &op)? else { break };
            if let (Ok(reply), Some(name)) = (&answer, &line.binding) {
                bindings.bind(name, reply);
            }
        }
        Ok(())
    }

    /// Makes a call on both sides. `None` where the caller can make none.
    fn step(
        &mut self,
        walk: &mut Walk,
        task: TaskId,
        op: &Op,
    ) -> Result<Option<Result<Reply, Denial>>, Stop> {
        let Walk { world, names, steps, number, .. } = walk;
        let Some(actor) = world.find(task).filter(|actor| world.is_free(*actor)) else { return Ok(None) };
        if outside::reached(&world.kernel, task, op).is_some() || world.made_here(task, op).is_none() {
            return Ok(None);
        }
        *number += 1;
        steps.extend(names.step(&world.kernel, *number, task, op));
        self.tally.operations += 1;
        let model = world.step(actor, op)?;
        names.learn(*number, task, &model);
        if let Err(denial) = model {
            let free = world.find(task).filter(|actor| world.is_free(*actor));
            if self.order.explain
                && let Some(actor) = free
            {
                self.tally.scores.judge(world, actor, op, denial);
                world.catch_up(actor)?;
            }
            self.tally.refused += 1;
            for met in [&mut self.met, &mut self.tally.met] {
                *met.entry(denial.rule).or_default() += 1;
            }
        }
        Ok(Some(model))
    }

    fn found(&self, seed: u64, kind: Kind, steps: Vec<Step>, differences: Vec<String>) -> Found {
        let after = steps.len();
        let Some(patience) = self.patience else {
            return Found { seed, kind, differences, steps, after };
        };
        let (steps, differences) = shrink(&mut || self.make(kind), steps, differences, patience);
        Found { seed, kind, differences, steps, after }
    }
}

/// A world on its way.
struct Walk {
    kind: Kind,
    world: World,
    names: Names,
    steps: Vec<Step>,
    number: usize,
}

/// The kinds of world that a runner makes, as often as it does.
pub(crate) fn kinds(machine: &Machine) -> &'static [Kind] {
    if machine.privileged() { &[Kind::Root, Kind::Root, Kind::Userns] } else { &[Kind::User] }
}

/// What may be tried in a world.
pub(crate) fn bounds(machine: &Machine, cgroups: Cgroups, only: Option<Area>, kind: Kind) -> Bounds {
    // Of this runner's actors only: the tasks of a user are counted on the whole machine.
    let own = 20_000 + std::process::id() % 11_000 * 4;
    let ids = match kind {
        Kind::User => vec![0, 0, 1, machine.uid],
        Kind::Root | Kind::Userns => vec![0, 0, own, own + 1, own + 2],
    };
    let odd_ids = match kind {
        Kind::User | Kind::Userns => vec![u32::MAX, 65_534, 5, 3_000_000_000],
        Kind::Root => vec![u32::MAX, own + 3, 3_000_000_000 + own],
    };
    let nsdelegate = machine.params.features.nsdelegate;
    Bounds { only, cgroups, nsdelegate, own_uid: machine.uid == 0 || machine.own_uid, ids, odd_ids }
}

/// Who is to make the next call: any that can, the first process seldom.
pub(crate) fn choose(free: &[TaskId], init: TaskId, random: &mut Random) -> Option<TaskId> {
    let others: Vec<TaskId> = free.iter().copied().filter(|task| *task != init).collect();
    if others.is_empty() || random.one_in(12) {
        return free.iter().copied().find(|task| *task == init).or(others.first().copied());
    }
    Some(*random.pick(&others))
}
