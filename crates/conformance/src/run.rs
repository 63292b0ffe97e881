//! Worlds, one after the other: generated calls, compared, until the wanted number is
//! reached or the two sides differ.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use nsproxy::{Denial, Rule, TaskId};

use crate::cgroup::Home;
use crate::explain::Scores;
use crate::generate::{Area, Bounds, Generator, Met, View};
use crate::machine::Machine;
use crate::random::Random;
use crate::script::{Names, Step};
use crate::shrink::shrink;
use crate::sys::SLOTS;
use crate::world::{Kind, Stop, World};

/// After so many calls a world has seen enough.
const WORLD_LEN: usize = 400;

/// More tasks than this end a world: there is room for a few more only.
const CROWD: usize = SLOTS - 12;

/// What a run is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) operations: usize,
    pub(crate) seed: u64,
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
    /// After how many calls of its world.
    pub(crate) after: usize,
}

/// How each rule was met.
pub(crate) type Ways = BTreeMap<Rule, (Kind, Vec<Step>)>;

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
    /// The shortest way to each rule, where it is wanted.
    pub(crate) ways: Option<Ways>,
    /// How long a difference is shrunk before the run goes on; without it ends there.
    pub(crate) patience: Option<Duration>,
}

impl Runner<'_> {
    /// Runs until the order is filled.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut seeds = Random::new(self.order.seed);
        let mut told = Instant::now();
        while self.tally.operations < self.order.operations {
            let seed = seeds.next();
            if let Some(found) = self.world(seed)? {
                (self.tell)(&self.tally, Some(&found));
                self.tally.found.push(found);
                if self.patience.is_none() && !self.order.explain {
                    return Ok(());
                }
            }
            if told.elapsed().as_millis() > 500 {
                told = Instant::now();
                (self.tell)(&self.tally, None);
            }
        }
        Ok(())
    }

    fn kind(&self, random: &mut Random) -> Kind {
        if !self.machine.privileged() {
            return Kind::User;
        }
        *random.pick(&[Kind::Root, Kind::Root, Kind::Userns])
    }

    pub(crate) fn make(&self, kind: Kind) -> Result<World, Stop> {
        World::new(self.machine, kind, self.place)
    }

    /// One world, from one seed.
    fn world(&mut self, seed: u64) -> io::Result<Option<Found>> {
        let mut random = Random::new(seed);
        let kind = self.kind(&mut random);
        let mut generator = Generator::new(random.next());
        self.tally.worlds += 1;
        let mut world = match self.make(kind) {
            Ok(world) => world,
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Diverged(divergence)) => {
                let differences = divergence.differences;
                return Ok(Some(Found { seed, kind, differences, steps: Vec::new(), after: 0 }));
            }
        };
        let bounds = self.bounds(kind);
        let mut names = Names::new(&world);
        let mut steps = Vec::new();
        let len = WORLD_LEN.min(self.order.operations - self.tally.operations);
        for number in 1..=len {
            if world.actors.len() > CROWD {
                break;
            }
            let Some(actor) = choose(&world, &mut generator.random) else { break };
            let task = world.actors[actor].task;
            let tasks: Vec<TaskId> = world.actors.iter().map(|actor| actor.task).collect();
            let view =
                View { kernel: &world.kernel, init: world.init, me: task, tasks: &tasks, bounds: &bounds };
            let op = generator.next(&view, &self.tally.met);
            if let Some(step) = names.step(&world, number, task, &op) {
                steps.push(step);
            }
            self.tally.operations += 1;
            match world.step(actor, &op) {
                Ok(model) => {
                    names.learn(number, task, &model);
                    if let Err(denial) = model
                        && self.order.explain
                        && world.find(task).is_some_and(|actor| world.is_free(actor))
                    {
                        let actor = world.find(task).unwrap_or(actor);
                        self.tally.scores.judge(&world, actor, &op, denial);
                        match world.catch_up(actor) {
                            Err(Stop::Failed(error)) => return Err(error),
                            Err(Stop::Diverged(divergence)) => {
                                return Ok(Some(self.found(seed, kind, steps, divergence.differences)));
                            }
                            Ok(()) => {}
                        }
                    }
                    if let Err(Denial { rule, .. }) = model {
                        self.record(rule, kind, &steps);
                        self.tally.refused += 1;
                        *self.tally.met.entry(rule).or_default() += 1;
                    }
                }
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Diverged(divergence)) => {
                    drop(world);
                    return Ok(Some(self.found(seed, kind, steps, divergence.differences)));
                }
            }
        }
        Ok(None)
    }

    fn found(&self, seed: u64, kind: Kind, steps: Vec<Step>, differences: Vec<String>) -> Found {
        let after = steps.len();
        let Some(patience) = self.patience else {
            return Found { seed, kind, differences, steps, after };
        };
        let (steps, differences) = shrink(&mut || self.make(kind), steps, differences, patience);
        Found { seed, kind, differences, steps, after }
    }

    /// Keeps the shortest way to a rule, if that is wanted.
    fn record(&mut self, rule: Rule, kind: Kind, steps: &[Step]) {
        let Some(ways) = &mut self.ways else { return };
        if ways.get(&rule).is_none_or(|(_, known)| known.len() > steps.len()) {
            ways.insert(rule, (kind, steps.to_vec()));
        }
    }

    fn bounds(&self, kind: Kind) -> Bounds {
        // Of this runner's actors only: the tasks of a user are counted on the whole machine.
        let own = 20_000 + std::process::id() % 11_000 * 4;
        let ids = match kind {
            Kind::User => vec![0, 0, 1, self.machine.uid],
            Kind::Root | Kind::Userns => vec![0, 0, own, own + 1, own + 2],
        };
        Bounds {
            only: self.order.only,
            cgroups: self.place.is_some(),
            own_uid: self.machine.uid == 0 || self.machine.own_uid,
            ids,
        }
    }
}

/// Who is to make the next call: any that can, the first process seldom.
fn choose(world: &World, random: &mut Random) -> Option<usize> {
    let free: Vec<usize> = (0..world.actors.len()).filter(|actor| world.is_free(*actor)).collect();
    let others: Vec<usize> =
        free.iter().copied().filter(|actor| world.actors[*actor].task != world.init).collect();
    if others.is_empty() || random.one_in(12) {
        return free
            .iter()
            .copied()
            .find(|actor| world.actors[*actor].task == world.init)
            .or(others.first().copied());
    }
    Some(*random.pick(&others))
}
