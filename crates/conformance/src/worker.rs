//! One of the processes that make worlds: it has one at a time, and dies with the
//! supervisor.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use nsproxy::Mutation;

use crate::Args;
use crate::cgroup::{Cgroups, Home};
use crate::error::{self, context};
use crate::machine::{Machine, release};
use crate::mutants;
use crate::out::Verdict;
use crate::reach::Place;
use crate::replay;
use crate::report::{Message, Scenario};
use crate::run::{Found, Order, Runner, Share, Tally};

/// Runs, and tells what failed if it did.
pub(crate) fn run(args: &Args) -> ExitCode {
    let ended = work(args).unwrap_or_else(|error| {
        tell(&Message::Failed { error: error::words(&error) });
        Verdict::NotCompared
    });
    ended.into()
}

/// Becomes what it is to be, then runs.
fn work(args: &Args) -> io::Result<Verdict> {
    die_with_parent()?;
    if let Some(processor) = args.inner.processor {
        context("staying on one processor", stay_on(processor))?;
    }
    let uid = args.inner.uid.unwrap_or_else(|| rustix::process::getuid().as_raw());
    let gid = args.inner.uid.unwrap_or_else(|| rustix::process::getgid().as_raw());
    let enter =
        |path: &Path| context(format_args!("entering {}", path.display()), Home::enter(path, uid, gid));
    let place = args.inner.cgroup.as_deref().map(enter).transpose()?;
    if args.inner.uid.is_some() {
        context(format_args!("becoming user {uid}"), become_user(uid))?;
    }
    context("laying down capabilities", lay_down_capabilities())?;
    let mut machine = Machine::probe(args.inner.uid.is_some())?;
    machine.params.mutations.extend(args.without.map(Mutation::Off));
    if !args.replay.is_empty() {
        return replay::run(args, &machine, place.as_ref());
    }
    if args.mutants {
        return mutants::run(&machine, place.as_ref(), args, &tell).map(Verdict::agreed);
    }
    let shares = Share::all(args.operations, args.seed.unwrap_or(0));
    let own = shares.into_iter().skip(args.inner.worker_number).step_by(args.inner.workers);
    let order = Order { shares: own.collect(), only: args.only, explain: args.explain };
    let cgroups = Cgroups::of(place.as_ref());
    let origin = origin(args);
    let mut tell_all = |tally: &Tally, found: Option<&Found>| match found {
        Some(found) => tell(&Message::Found(Scenario::new(found, cgroups, &origin))),
        None => tell(&Message::progress(tally)),
    };
    let mut runner = Runner::new(&machine, place.as_ref(), order, &mut tell_all);
    // Differences are found without explanations, and shown short there.
    runner.patience = (!args.explain).then(|| Duration::from_secs(args.patience));
    let ended = runner.run();
    let tally = runner.tally;
    let place = Place { machine: &machine, cgroups };
    tell(&Message::end(&tally, &place));
    ended?;
    Ok(Verdict::agreed(tally.found.is_empty() && tally.scores.all_right()))
}

/// What makes this run again.
fn origin(args: &Args) -> String {
    let mut line = format!("conformance --operations {} --seed {}", args.operations, args.seed.unwrap_or(0));
    if let Some(only) = args.only {
        line.push_str(" --only ");
        line.push_str(only.name());
    }
    if args.explain {
        line.push_str(" --explain");
    }
    if let Some(rule) = args.without {
        line.push_str(" --without ");
        line.push_str(rule.name());
    }
    let user = if args.inner.uid.is_some() {
        " --as-user"
    } else if rustix::process::getuid().is_root() {
        ""
    } else {
        ", as a user"
    };
    format!("{line}{user}, on Linux {}", release())
}

pub(crate) fn tell(message: &Message) {
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    let mut out = io::stdout().lock();
    // Nobody listens any more: nobody to tell that.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn die_with_parent() -> io::Result<()> {
    let set = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    context("asking for the death signal of the parent", set.map_err(Into::into))
}

/// Stays on one of the processors, with all its actors: since 6.18 each processor hands
/// out ids of namespaces from a stock of its own, and what is younger is told by these.
fn stay_on(processor: usize) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut own = CpuSet::new();
    own.set(all[processor % all.len()]);
    Ok(sched_setaffinity(None, &own)?)
}

/// Nothing is kept that was handed down over an exec, and nothing that makes a user more than
/// one: the model's runner has nothing of that.
fn lay_down_capabilities() -> io::Result<()> {
    use rustix::thread::{CapabilitySet, capabilities, clear_ambient_capability_set, set_capabilities};
    clear_ambient_capability_set()?;
    let mut sets = capabilities(None)?;
    sets.inheritable = CapabilitySet::empty();
    if !rustix::process::getuid().is_root() {
        sets.permitted = CapabilitySet::empty();
        sets.effective = CapabilitySet::empty();
    }
    Ok(set_capabilities(None, sets)?)
}

/// Root lays down everything for good.
fn become_user(uid: u32) -> io::Result<()> {
    let gid = rustix::process::Gid::from_raw(uid);
    let uid = rustix::process::Uid::from_raw(uid);
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // A change of ids takes both away.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
    die_with_parent()
}
