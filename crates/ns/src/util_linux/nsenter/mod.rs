//! `nsenter`: runs a program in namespaces that exist.

mod options;
mod request;
mod say;
mod target;

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use namespaces::{Errno, Error, Id, Kind, Kinds, Namespace, Plan, Process, Spawn, Step};
use rustix::fs::OFlags;
use rustix::process::DumpableBehavior;

pub(crate) use options::ABOUT;
use request::{Dir, Request};
use target::{FILES, Target, Unread, known};

use super::call::{Call, Read};
use super::failure::Failure;
use super::program::{self, Program, Signals, Start};

use crate::exit::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    match request::read(call)? {
        Read::Answered(code) => Ok(code),
        Read::Request(request) => enter(*request, program::run),
    }
}

/// What it is about to do.
pub(super) fn plan(call: &Call) -> Result<Plan, Failure> {
    match request::read(call)? {
        Read::Answered(_) => Err(Failure::message("nothing is asked of the kernel")),
        Read::Request(mut request) => {
            request.dry_run = true;
            // What is the caller's own already is not joined if it can't be.
            if let (true, Some(pid)) = (request.all, request.pid)
                && let Ok(apart) = Process::open(pid).and_then(|process| process.kinds_apart())
                && !apart.is_empty()
            {
                request.all = false;
                request.of_target =
                    known(apart).difference(kinds_of(&request.given)).union(request.of_target);
            }
            enter(*request, |spawn, start| program::plan(spawn, start))
        }
    }
}

fn enter<T>(
    mut request: Request,
    act: impl Fn(&mut Spawn, Start) -> namespaces::Result<T>,
) -> Result<T, Failure> {
    let mut kinds = request.of_target;
    if request.all {
        let all = Target::new(&request).all(kinds)?;
        kinds = kinds.union(all.difference(kinds_of(&request.given)));
    }
    let (root, wd) = (request.root.take(), request.wd.take());
    let (mut given, wrong_kind) = (std::mem::take(&mut request.given), request.wrong_kind.take());
    let target = Target::new(&request);
    let context = request.follow_context.then(|| context(&target)).transpose()?.flatten();
    let mut process = None;
    if !kinds.is_empty() || request.net_socket.is_some() || request.user_parent {
        process = Some(Arc::new(target.process(kinds)?));
    }
    let root = root.map(|dir| open(dir, &target, "root")).transpose()?;
    let wd = wd.map(|dir| open(dir, &target, "cwd")).transpose()?;
    let mut joined = Kinds::EMPTY;
    let environment = match request.env.then(|| target.environment()) {
        Some(Err(Unread::Refused(_))) if kinds.contains(Kind::User) && !request.dry_run => {
            joined.insert(Kind::User);
            kinds.remove(Kind::User);
            join_user(process.as_deref())?;
            Some(target.environment())
        }
        environment => environment,
    };
    let environment = environment.transpose().map_err(Unread::failure)?;
    let follow = [request.uid, request.gid].contains(&Some(Id::Followed));
    let follow = if follow { Some(target.open("", OFlags::PATH | OFlags::DIRECTORY)?) } else { None };
    let cgroup = request.join_cgroup.then(|| target.cgroup_procs()).transpose()?;

    if let Some(process) = &process {
        replace(&mut given, &mut kinds, &request, process)?;
    }
    given.sort_by_key(|namespace| FILES.iter().position(|kind| *kind == namespace.kind()));
    let entered = kinds.union(kinds_of(&given)).union(joined);
    if let Some(wrong) = wrong_kind {
        return Err(wrong);
    }
    if entered.is_empty() {
        return Err(Failure::message("no namespace specified"));
    }
    let program = Program::new(&request.program, environment.as_ref());
    let mut spawn = program.spawn();
    if let Some(context) = context {
        spawn.security_context(context);
    }
    if let Some(root) = root {
        spawn.chroot_to(root);
    }
    match (&request.wdns, wd) {
        (Some(dir), _) => drop(spawn.current_dir(dir)),
        (_, Some(dir)) => drop(spawn.current_dir_at(dir)),
        _ => {}
    }
    if let Some(procs) = cgroup {
        spawn.join_cgroup(procs);
    }
    if let Some(process) = follow {
        spawn.follow(process);
    }
    ids(&mut spawn, &request, entered.contains(Kind::User));
    let fork = entered.contains(Kind::Pid) && !request.no_fork;
    let start = Start { dry_run: request.dry_run, child: fork.then_some(Signals::Job) };
    join(&mut spawn, process.as_ref(), kinds, &given).map_err(|error| say::failure(error, &program))?;
    let answer = act(&mut spawn, start);
    answer.or_else(|error| {
        let Some(process) = process.filter(|_| request.all && refused(&error)) else {
            return Err(say::failure(error, &program));
        };
        // What is the caller's own already needs no joining, which may be
        // refused; what the kernel does not have can't be joined.
        let apart = known(kinds.intersection(process.kinds_apart().unwrap_or(kinds)));
        if apart == kinds {
            return Err(say::failure(error, &program));
        }
        join(&mut spawn, Some(&process), apart, &given)
            .and_then(|()| act(&mut spawn, start))
            .map_err(|error| say::failure(error, &program))
    })
}

/// Whether joining was refused.
fn refused(error: &Error) -> bool {
    matches!(error, Error::Step { step, errno, .. }
        if matches!(step.step, Step::Join(_)) && matches!(*errno, Errno::EPERM | Errno::EINVAL))
}

/// Joins the user namespace ahead of all else: a process in there may belong
/// to a user whose files only its capabilities open. Who needs that may do
/// nothing about the other namespaces from outside.
fn join_user(process: Option<&Process>) -> Result<(), Failure> {
    let Some(process) = process else { return Err(Failure::message("no target PID specified")) };
    let refused = |errno: Errno| Failure::system("reassociate to namespaces failed", errno);
    // From now on others may trace this process.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| refused(errno.into()))?;
    namespaces::enter(process, Kind::User)
        .map_err(|error| refused(error.errno().unwrap_or(Errno::EPERM)).because(error))
}

fn join(
    spawn: &mut Spawn,
    process: Option<&Arc<Process>>,
    kinds: Kinds,
    given: &[Namespace],
) -> namespaces::Result<()> {
    let given = given.iter().map(Namespace::try_clone).collect::<namespaces::Result<Vec<_>>>()?;
    match process.filter(|_| !kinds.is_empty()) {
        Some(process) => spawn.join_both(process.clone(), kinds, given),
        None => spawn.join_namespaces(given),
    };
    spawn.join_in_place();
    Ok(())
}

/// The namespaces that are found by way of others.
fn replace(
    given: &mut Vec<Namespace>,
    kinds: &mut Kinds,
    request: &Request,
    process: &Process,
) -> Result<(), Failure> {
    if request.user_parent {
        let parent = parent(given, *kinds, process).map_err(say::no_parent)?;
        given.retain(|namespace| namespace.kind() != Kind::User);
        given.insert(0, parent);
        kinds.remove(Kind::User);
    }
    if let Some(fd) = request.net_socket {
        let net = process.socket_namespace(fd).map_err(|error| say::no_socket(fd, error))?;
        given.retain(|namespace| namespace.kind() != Kind::Net);
        given.push(net);
        kinds.remove(Kind::Net);
    }
    Ok(())
}

/// The parent of the user namespace that is given, or the owner of another
/// one that is, or the parent of the target's.
fn parent(given: &[Namespace], kinds: Kinds, process: &Process) -> namespaces::Result<Namespace> {
    match (given.iter().find(|namespace| namespace.kind() == Kind::User), given.first()) {
        (Some(user), _) => user.parent(),
        (None, Some(other)) if kinds.is_empty() => other.owner(),
        _ => process.namespace(Kind::User)?.parent(),
    }
}

/// Who the program is. In a user namespace it is root if nothing else is said.
fn ids(spawn: &mut Spawn, request: &Request, user: bool) {
    let forced = user && !request.preserve_credentials;
    if forced {
        spawn.clear_groups_first();
    }
    let usual = forced.then_some(Id::Number(0));
    match request.gid.or(usual) {
        Some(Id::Number(gid)) => drop(spawn.gid(gid)),
        Some(_) => drop(spawn.follow_gid()),
        None => {}
    }
    match request.uid.or(usual) {
        Some(Id::Number(uid)) => drop(spawn.uid(uid)),
        Some(_) => drop(spawn.follow_uid()),
        None => {}
    }
    if request.keep_caps && user {
        spawn.keep_capabilities();
    }
}

fn open(dir: Dir, target: &Target<'_>, file: &str) -> Result<std::os::fd::OwnedFd, Failure> {
    match dir {
        Dir::Open(fd) => Ok(fd),
        Dir::OfTarget => target.open(file, OFlags::RDONLY | OFlags::NONBLOCK),
    }
}

/// The target's context, where there is `SELinux`.
fn context(target: &Target<'_>) -> Result<Option<std::ffi::OsString>, Failure> {
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(None);
    }
    target.pid()?;
    let label = target.read("attr/current")?;
    let label = label.strip_suffix(b"\0").unwrap_or(&label);
    Ok(Some(std::ffi::OsStr::from_bytes(label).to_owned()))
}

fn kinds_of(namespaces: &[Namespace]) -> Kinds {
    namespaces.iter().map(Namespace::kind).collect()
}
