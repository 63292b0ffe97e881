//! Scenarios, in the language of `ns sim`, on both sides.

use std::io;
use std::path::Path;

use nsproxy::Release;
use nsproxy::scenario::question::Names;
use nsproxy::scenario::{CallLine, Line, Part, Question, SeesLine, parts};

use crate::Args;
use crate::bindings::{Bindings, Named};
use crate::cgroup::{Cgroups, Home};
use crate::error::{self, context};
use crate::explain::Scores;
use crate::generate::Met;
use crate::header::{Fault, Header};
use crate::machine::Machine;
use crate::out::Verdict;
use crate::outside;
use crate::reach::{Coverage, Place};
use crate::real::ask::Places;
use crate::report::Message;
use crate::words;
use crate::worker::tell;
use crate::world::{Kind, Stop, World};

/// How a scenario ended.
#[derive(Debug)]
enum End {
    /// Both sides agree, and every answer was the expected one.
    Agreed,
    /// It asks for what a running kernel cannot be told.
    NotHere(String),
    /// This line, and what is wrong.
    Wrong(usize, Vec<String>),
    /// At this line there was nothing to compare.
    Broken(Fault),
}

/// Replays every scenario, and tells how each ended.
pub(crate) fn run(args: &Args, machine: &Machine, place: Option<&Home>) -> io::Result<Verdict> {
    let mut all = Verdict::Agreed;
    let mut stage = Stage {
        machine,
        place,
        world: args.world,
        met: Met::new(),
        scores: args.explain.then(Scores::default),
    };
    let mut chosen = 0;
    for path in &args.replay {
        let file = path.display();
        let text = context(format_args!("reading {file}"), std::fs::read_to_string(path));
        let parts = match &text {
            Ok(text) => parts(text),
            Err(error) => {
                tell(&Message::Failed { error: error.to_string() });
                all = Verdict::NotCompared;
                continue;
            }
        };
        if parts.is_empty() {
            tell(&Message::Failed { error: format!("{file}: no scenario is in there") });
            all = Verdict::NotCompared;
        }
        for part in parts {
            if args.part.is_none() || args.part.as_deref() == part.name {
                chosen += 1;
                let end = context(&file, stage.replay(&part))?;
                all = all.max(report(path, &part, end));
            }
        }
    }
    if let (0, Some(name)) = (chosen, &args.part) {
        let files: Vec<String> = args.replay.iter().map(|path| path.display().to_string()).collect();
        let error = format!("no scenario is called \"{name}\" in {}", files.join(", "));
        tell(&Message::Failed { error });
        all = Verdict::NotCompared;
    }
    if args.coverage {
        let place = Place { machine, cgroups: Cgroups::of(place) };
        tell(&Message::Text { text: Coverage::new(&stage.met, &place).to_string() });
    }
    if let Some(scores) = stage.scores {
        tell(&Message::Text { text: scores.to_string() });
        all = all.max(Verdict::agreed(scores.all_right()));
    }
    Ok(all)
}

/// Tells how a scenario ended: by its name, or at which line.
fn report(path: &Path, part: &Part<'_>, end: End) -> Verdict {
    let file = path.display();
    let name = part.name.map(|name| format!("{name}: ")).unwrap_or_default();
    let say = |text: String| tell(&Message::Text { text });
    match end {
        End::Agreed => {
            say(format!("{file}: {name}both sides agree\n"));
            Verdict::Agreed
        }
        End::NotHere(why) => {
            say(format!("{file}: {name}not for this kernel: {why}\n"));
            Verdict::Agreed
        }
        End::Wrong(line, problems) => {
            for problem in problems {
                say(format!("{file}:{line}: {name}{problem}\n"));
            }
            Verdict::Differ
        }
        End::Broken(Fault { line, problem }) => {
            tell(&Message::Failed { error: format!("{file}:{line}: {name}{problem}") });
            Verdict::NotCompared
        }
    }
}

/// Where scenarios are replayed, and what came of those before.
struct Stage<'a> {
    machine: &'a Machine,
    place: Option<&'a Home>,
    /// The world that all are to run in, whatever they say.
    world: Option<Kind>,
    met: Met,
    scores: Option<Scores>,
}

impl Stage<'_> {
    /// Replays one scenario. An error says that no world can be made.
    fn replay(&mut self, part: &Part<'_>) -> io::Result<End> {
        let header = match Header::read(part) {
            Ok(header) => header,
            Err(fault) => return Ok(End::Broken(fault)),
        };
        let Self { machine, place, .. } = *self;
        let features = &machine.params.features;
        let cgroups = Cgroups::of(place);
        if let Some(why) = header.not_for(part, machine.params.release, cgroups, features.nsdelegate) {
            return Ok(End::NotHere(why));
        }
        let own = if machine.privileged() { Kind::Root } else { Kind::User };
        let kind = self.world.or(header.world).unwrap_or(own);
        if !machine.privileged() && kind != Kind::User {
            return Ok(End::NotHere(String::from("such a world takes root")));
        }
        let world = match World::new(machine, kind, place) {
            Ok(world) => world,
            Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(part.line, divergence.differences)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let places = world.place(world.init).map(|place| (world.init, place));
        let names = Bindings::new(world.init);
        let (met, scores) = (&mut self.met, self.scores.as_mut());
        let mut script = Script { world, names, places: places.into_iter().collect(), met, scores };
        for (line, text) in (part.line..).zip(part.text.lines()) {
            match script.line(machine, line, text) {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(end),
                Err(Stop::Diverged(divergence)) => return Ok(End::Wrong(line, divergence.differences)),
                Err(Stop::Failed(error)) => {
                    return Ok(End::Broken(Fault { line, problem: error::words(&error) }));
                }
            }
        }
        Ok(End::Agreed)
    }
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
    fn line(&mut self, machine: &Machine, number: usize, text: &str) -> Result<Option<End>, Stop> {
        match Line::parse(text).map_err(io::Error::other)? {
            Line::Empty => Ok(None),
            Line::Directive(words) => Ok(directive(machine, &words)),
            Line::Sees(sees) => self.look(number, &sees),
            Line::Call(call) => self.call(number, &call),
        }
    }

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
            let text = format!("both sides answer {}, which is not what was expected", words::model(&model));
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
