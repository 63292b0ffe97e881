//! `unshare`: runs a program in new namespaces.

mod maps;
mod options;
mod request;
mod say;

use namespaces::{IdMap, Kind, MapWriter, Plan, Propagation, Spawn};

pub(crate) use options::ABOUT;
use request::Request;

use super::call::{Call, Read};
use super::failure::Failure;
use super::program::{self, Program};

use crate::exit::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    match request::read(call)? {
        Read::Answered(code) => Ok(code),
        Read::Request(request) => unshare(&request, program::run),
    }
}

/// What it is about to do.
pub(super) fn plan(call: &Call) -> Result<Plan, Failure> {
    match request::read(call)? {
        Read::Answered(_) => Err(Failure::message("nothing is asked of the kernel")),
        Read::Request(request) => unshare(&request, |spawn, start| program::plan(spawn, start)),
    }
}

fn unshare<T>(
    request: &Request,
    act: impl Fn(&mut Spawn, program::Start) -> namespaces::Result<T>,
) -> Result<T, Failure> {
    let program = Program::new(&request.program, request.env.as_ref());
    let mut spawn = program.spawn();
    mounts(&mut spawn, request);
    ids(&mut spawn, request)?;
    act(&mut spawn, request.start()).map_err(|error| say::failure(error, request, &program))
}

impl Request {
    fn start(&self) -> program::Start {
        let signals = match (self.fork, self.forward_signals) {
            (false, _) => return program::Start { dry_run: self.dry_run, child: None },
            (true, false) => program::Signals::Withheld,
            (true, true) => program::Signals::Forwarded,
        };
        program::Start { dry_run: self.dry_run, child: Some(signals) }
    }
}

/// The namespaces, and everything about mounts and clocks.
fn mounts(spawn: &mut Spawn, request: &Request) {
    /// In which they are bound, whatever the order on the command line.
    const ORDER: [Kind; 8] =
        [Kind::User, Kind::Cgroup, Kind::Ipc, Kind::Uts, Kind::Net, Kind::Pid, Kind::Mnt, Kind::Time];
    spawn.unshare(request.kinds).unshare_in_place();
    for kind in ORDER {
        // The last file of a kind counts.
        if let Some((_, path)) = request.files.iter().rev().find(|(of, _)| *of == kind) {
            spawn.bind(kind, path);
        }
    }
    if request.kinds.contains(Kind::Mnt) {
        spawn.propagation(request.propagation);
    }
    if let Some(dir) = &request.root {
        spawn.chroot(dir);
    }
    if let Some(dir) = &request.wd {
        spawn.current_dir(dir);
    }
    if let Some(dir) = &request.proc {
        let apart = request.root.is_none() && request.propagation != Propagation::Private;
        spawn.mount_proc_on(dir, apart);
    }
    if let Some(dir) = &request.binfmt {
        spawn.mount_binfmt_on(dir);
    }
    if let Some(format) = &request.format {
        spawn.register_binfmt(format);
    }
    if let Some(seconds) = request.monotonic {
        spawn.monotonic(seconds);
    }
    if let Some(seconds) = request.boottime {
        spawn.boottime(seconds);
    }
    if let Some(number) = request.kill_child {
        spawn.parent_death_signal(number);
    }
}

/// Who the program is, and who is who in its user namespace.
fn ids(spawn: &mut Spawn, request: &Request) -> Result<(), Failure> {
    let (euid, egid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // Ranges, and all that another user will own, are beyond what a process
    // may map for itself.
    let outside = if euid == 0 { MapWriter::Caller } else { MapWriter::Helpers };
    let writer = |ranges: &[maps::Range]| {
        if ranges.is_empty() && request.owner.is_none() { MapWriter::Child } else { outside }
    };
    let (uids, gids) = (writer(&request.users), writer(&request.groups));
    let uid_map = map(request.map_user.map(|inner| (inner, euid)), &request.users, "uid_map")?;
    let gid_map = map(request.map_group.map(|inner| (inner, egid)), &request.groups, "gid_map")?;
    if gids == MapWriter::Child && request.setgroups == Some(true) && gid_map.is_some() {
        return Err(Failure::message("options --setgroups=allow and --map-group are mutually exclusive"));
    }
    spawn.map_writer(uids).gid_map_writer(gids);
    if let Some(map) = uid_map {
        spawn.uid_map(map);
    }
    if let Some(map) = gid_map {
        spawn.gid_map(map);
    }
    if let Some((uid, gid)) = request.owner {
        spawn.owner(uid, gid);
    }
    if let Some(allow) = request.setgroups {
        spawn.setgroups(allow);
    }
    if let Some(gid) = request.gid {
        spawn.groups(&[]).gid(gid);
    }
    if let Some(uid) = request.uid {
        spawn.uid(uid);
    }
    if request.keep_caps && request.kinds.contains(Kind::User) {
        spawn.keep_capabilities();
    }
    Ok(())
}

fn map(single: Option<(u32, u32)>, ranges: &[maps::Range], file: &str) -> Result<Option<IdMap>, Failure> {
    maps::merge(single, ranges).map_err(|error| say::map(file, error))
}
