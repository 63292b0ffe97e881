//! One of the processes that make worlds: it has one at a time, and dies with the
//! supervisor.

use std::io::{self, Write};
use std::time::Duration;

use crate::Args;
use crate::cgroup::{Cgroups, Home};
use crate::generate::Area;
use crate::machine::Machine;
use crate::mutants;
use crate::reach::Place;
use crate::replay;
use crate::report::Message;
use crate::run::{Found, Order, Runner, Share, Tally};

/// Becomes what it is to be, then runs.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    die_with_parent()?;
    if let Some(processor) = args.inner.processor {
        stay_on(processor)?;
    }
    let uid = args.inner.uid.unwrap_or_else(|| rustix::process::getuid().as_raw());
    let gid = args.inner.uid.unwrap_or_else(|| rustix::process::getgid().as_raw());
    let place = args.inner.cgroup.as_deref().map(|path| Home::enter(path, uid, gid)).transpose()?;
    if args.inner.uid.is_some() {
        become_user(uid)?;
    }
    let machine = Machine::probe(args.inner.uid.is_some())?;
    if !args.replay.is_empty() {
        return replay::run(args, &machine, place.as_ref());
    }
    let only = match &args.only {
        None => None,
        Some(name) => Some(Area::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Area::ALL.iter().map(|area| area.name()).collect();
            io::Error::other(format!("no such area: {name}; there are {}", names.join(", ")))
        })?),
    };
    if args.mutants {
        return mutants::run(&machine, place.as_ref(), args, &tell);
    }
    let shares = Share::all(args.operations, args.seed.unwrap_or(0));
    let own = shares.into_iter().skip(args.inner.worker_number).step_by(args.jobs.unwrap_or(1));
    let order = Order { shares: own.collect(), only, explain: args.explain };
    let cgroups = Cgroups::of(place.as_ref());
    let mut tell_all = |tally: &Tally, found: Option<&Found>| match found {
        Some(found) => tell(&Message::found(found, cgroups)),
        None => tell(&Message::progress(tally)),
    };
    let mut runner = Runner::new(&machine, place.as_ref(), order, &mut tell_all);
    // Differences are found without explanations, and shown short there.
    runner.patience = (!args.explain).then(|| Duration::from_secs(args.patience));
    runner.run()?;
    let tally = runner.tally;
    let place = Place { machine: &machine, cgroups };
    tell(&Message::end(&tally, &place));
    Ok(tally.found.is_empty())
}

fn tell(message: &Message) {
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    let mut out = io::stdout().lock();
    // Nobody listens any more: nobody to tell that.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn die_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
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
