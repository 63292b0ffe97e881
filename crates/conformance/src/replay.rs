//! Scenarios, in the language of `ns sim`, on both sides.

use std::io;
use std::path::Path;

use nsproxy::Release;
use nsproxy::scenario::question::Names;
use nsproxy::scenario::{CallLine, Line, Part, Question, SeesLine, parts};

use crate::Args;
use crate::bindings::{Bindings, Named};
use crate::cgroup::{Cgroups, Home};
use crate::explain::Scores;
use crate::generate::Met;
use crate::machine::Machine;
use crate::outside;
use crate::reach::{Coverage, Place};
use crate::real::ask::Places;
use crate::recipes::wants_nsdelegate;
use crate::world::{Kind, Stop, World, in_words};

/// How a scenario ended.
#[derive(Debug)]
enum End {
    /// Both sides agree, and every answer was the expected one.
    Agreed,
    /// It asks for what a running kernel cannot be told.
    NotHere(String),
    /// This line, and what is wrong.
    Wrong(usize, Vec<String>),
}

/// Replays every scenario. `true` if all agree.
pub(crate) fn run(args: &Args, machine: &Machine, place: Option<&Home>) -> io::Result<bool> {
    let mut all = true;
    let mut met = Met::new();
    let mut scores = args.explain.then(Scores::default);
    for path in &args.replay {
        let text = std::fs::read_to_string(path)?;
        for part in parts(&text) {
            if args.part.as_deref().is_some_and(|wanted| Some(wanted) != part.name) {
                continue;
            }
            let name = match part.name {
                Some(name) => format!("{}: {name}", path.display()),
                None => path.display().to_string(),
            };
            let kind = world_kind(machine, args, part.text)?;
            let end = replay(machine, place, kind, &part, &mut met, scores.as_mut())?;
            match end {
                End::Agreed => println!("{name}: both sides agree"),
                End::NotHere(why) => println!("{name}: not for this kernel: {why}"),
                End::Wrong(line, problems) => {
                    all = false;
                    report(path, line, &problems);
                }
            }
        }
    }
    if args.coverage {
        let place = Place { machine, cgroups: Cgroups::of(place) };
        print!("{}", Coverage::new(&met, &place));
    }
    if let Some(scores) = scores {
        scores.report();
        all &= scores.all_right();
    }
    Ok(all)
}

fn report(path: &Path, line: usize, problems: &[String]) {
    for problem in problems {
        println!("{}:{line}: {problem}", path.display());
    }
}

/// What the command line says, or a line `# world KIND` of the scenario, or what the
/// runner can make.
fn world_kind(machine: &Machine, args: &Args, text: &str) -> io::Result<Kind> {
    let said = text.lines().find_map(|line| line.strip_prefix("# world ")).map(str::trim);
    match args.world.as_deref().or(said) {
        Some(name) => {
            Kind::from_name(name).ok_or_else(|| io::Error::other(format!("no such kind of world: {name}")))
        }
        None if machine.privileged() => Ok(Kind::Root),
        None => Ok(Kind::User),
    }
}

fn replay(
    machine: &Machine,
    place: Option<&Home>,
    kind: Kind,
    part: &Part<'_>,
    met: &mut Met,
    scores: Option<&mut Scores>,
) -> io::Result<End> {
    if let Some(why) = part.text.lines().find_map(|line| line.strip_prefix("# model only:")) {
        return Ok(End::NotHere(why.trim().to_owned()));
    }
    if let Some(others) = other_kernels(part.text, machine.params.release) {
        return Ok(End::NotHere(others));
    }
    if let Some(lacking) = Cgroups::of(place).lacking(Cgroups::wanted(part.text)) {
        return Ok(End::NotHere(lacking.to_owned()));
    }
    if wants_nsdelegate(part.text) && !machine.params.features.nsdelegate {
        return Ok(End::NotHere(String::from("cgroup2 is mounted without nsdelegate")));
    }
    if !machine.privileged() && kind != Kind::User {
        return Ok(End::NotHere(String::from("such a world takes root")));
    }
    let world = match World::new(machine, kind, place) {
        Ok(world) => world,
        Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(0, divergence.differences)),
        Err(Stop::Failed(error)) => return Err(error),
    };
    let places = world.place(world.init).map(|place| (world.init, place));
    let names = Bindings::new(world.init);
    let mut script = Script { world, names, places: places.into_iter().collect(), met, scores };
    for (number, line) in (part.line..).zip(part.text.lines()) {
        let line =
            Line::parse(line).map_err(|problem| io::Error::other(format!("line {number}: {problem}")))?;
        let done = match line {
            Line::Sees(sees) => script.look(number, &sees),
            Line::Empty => Ok(None),
            Line::Directive(words) => Ok(directive(machine, &words)),
            Line::Call(call) => script.call(number, &call),
        };
        match done {
            Ok(None) => {}
            Ok(Some(end)) => return Ok(end),
            Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(number, divergence.differences)),
            Err(Stop::Failed(error)) => return Err(io::Error::other(format!("line {number}: {error}"))),
        }
    }
    Ok(End::Agreed)
}

/// The kernels that a line `# kernels since RELEASE` or `# kernels until RELEASE` names, if
/// this is none of them.
fn other_kernels(text: &str, release: Release) -> Option<String> {
    let ranges = text.lines().filter_map(|line| line.strip_prefix("# kernels "));
    let fits = |range: &&str| match range.split_once(' ').map(|(word, end)| (word, Release::parse(end))) {
        Some(("since", Some(first))) => release >= first,
        Some(("until", Some(last))) => release <= last,
        _ => false,
    };
    ranges.filter(|range| !fits(range)).map(|range| format!("kernels {range}")).next()
}

/// Lines without a caller: to the model only, so most make no sense here.
fn directive(machine: &Machine, words: &[String]) -> Option<End> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["show" | "settle"] | ["==", _] => None,
        ["release", release] if Release::parse(release) == Some(machine.params.release) => None,
        _ => Some(End::NotHere(words.join(" "))),
    }
}

struct Script<'a> {
    world: World,
    names: Bindings,
    /// Where the named tasks are, or were.
    places: Places,
    met: &'a mut Met,
    /// How refusals are explained, if they are to be.
    scores: Option<&'a mut Scores>,
}

impl Script<'_> {
    fn call(&mut self, number: usize, line: &CallLine) -> Result<Option<End>, Stop> {
        let wrong = |problem: String| Stop::Failed(io::Error::other(problem));
        let Some(task) = self.names.task(&line.caller) else {
            return Err(wrong(format!("no task is called {}", line.caller)));
        };
        let op = self.names.parse(&self.world.kernel, task, &line.words).map_err(wrong)?;
        let Some(actor) = self.world.find(task) else {
            return Err(wrong(format!("{} is no more", line.caller)));
        };
        if let Some(why) = outside::reached(&self.world.kernel, task, &op) {
            return Ok(Some(End::NotHere(why.to_owned())));
        }
        let model = self.world.step(actor, &op)?;
        if let Err(denial) = model {
            *self.met.entry(denial.rule).or_default() += 1;
            let free = self.world.find(task).filter(|actor| self.world.is_free(*actor));
            if let (Some(scores), Some(actor)) = (&mut self.scores, free) {
                scores.judge(&self.world, actor, &op, denial);
                self.world.catch_up(actor)?;
            }
        }
        if !line.expects(&model) {
            let text = format!("both sides answer {}, which is not what was expected", in_words(&model));
            return Ok(Some(End::Wrong(number, vec![text])));
        }
        if let (Some(name), Ok(reply)) = (&line.binding, &model) {
            let named = self.names.bind(name, reply);
            let named = named.ok_or_else(|| wrong(format!("nothing to call {name}")))?;
            if let Named::Task(task) = named {
                self.world.name(task, name);
                self.places.extend(self.world.place(task).map(|place| (task, place)));
            }
        }
        Ok(None)
    }

    /// A thread that executes a program takes the number of its process, which the one
    /// that had it has no more.
    fn find_moved(&mut self) {
        let taken: Vec<u32> =
            self.places.keys().filter_map(|task| Some(self.world.place(*task)?.pid)).collect();
        for (task, place) in &mut self.places {
            match self.world.place(*task) {
                Some(now) => *place = now,
                None if taken.contains(&place.pid) => place.pid = 0,
                None => {}
            }
        }
    }

    fn look(&mut self, number: usize, line: &SeesLine) -> Result<Option<End>, Stop> {
        let wrong = |problem: String| Stop::Failed(io::Error::other(problem));
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        self.find_moved();
        let question = Question::parse(&words, &self.names).map_err(wrong)?;
        let asked =
            self.names.task(&line.asked).ok_or_else(|| wrong(format!("no task is called {}", line.asked)))?;
        let seen = self.world.ask(asked, &question, &self.places)?;
        if line.expects(&seen) {
            return Ok(None);
        }
        let text = format!("both sides see {seen}, which is not what was expected");
        Ok(Some(End::Wrong(number, vec![text])))
    }
}
