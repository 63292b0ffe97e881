//! `ns run`: a program in new namespaces.

use std::ffi::OsString;
use std::path::PathBuf;

use namespaces::{IdMap, IdMaps, Kind, Kinds, Plan, Propagation, Spawn};

use crate::cli::operands;
use crate::exit::ExitCode;
use crate::kinds;
use crate::program::{self, ProgramArgs};
use crate::report::Failure;

const AFTER_HELP: &str = "\
By default all eight kinds are new, the caller is root inside, /proc is new, the
loopback device is up, and a pid 1 stands by that passes on signals and reaps.

The exit status is the program's (128 and the number for a signal), 127 if it is
not found, 126 if it can't be executed, 125 if anything else fails.";

/// Run a program in new namespaces
#[derive(Debug, Default, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Leave these namespaces as they are
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse, conflicts_with = "only")]
    share: Option<Kinds>,

    /// Make only these namespaces new
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse)]
    only: Option<Kinds>,

    /// Ids inside: root (caller is 0), current (caller stays), auto (root and
    /// subordinate ids), none, or INSIDE:OUTSIDE:COUNT,... [default: root]
    #[arg(long, value_name = "MAP")]
    map: Option<String>,

    /// Group ids inside, if not as --map says: INSIDE:OUTSIDE:COUNT,...
    #[arg(long, value_name = "MAP")]
    map_groups: Option<IdMap>,

    /// Hostname inside
    #[arg(long, value_name = "NAME")]
    hostname: Option<OsString>,

    /// NIS domain name inside
    #[arg(long, value_name = "NAME")]
    domainname: Option<OsString>,

    /// Set the boot-time clock this far ahead
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    boottime: Option<i64>,

    /// Set the monotonic clock this far ahead
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    monotonic: Option<i64>,

    /// Make this directory the root
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Mounts: private, slave, shared or unchanged [default: private]
    #[arg(long, value_name = "MODE")]
    propagation: Option<Propagation>,

    /// Keep /proc as it is
    #[arg(long)]
    no_proc: bool,

    /// Let the program itself be pid 1
    #[arg(long)]
    no_init: bool,

    /// Bind a new namespace to a file, to be entered again later
    #[arg(long, value_name = "KIND=PATH", value_parser = pin)]
    pin: Vec<(Kind, PathBuf)>,

    #[command(flatten)]
    program: ProgramArgs,
}

fn pin(text: &str) -> Result<(Kind, PathBuf), String> {
    let (kind, path) = text.split_once('=').ok_or("want KIND=PATH, net=/run/netns/blue for instance")?;
    Ok((kinds::parse_one(kind)?, PathBuf::from(path)))
}

impl Args {
    /// The arguments of a command line without options.
    pub(crate) fn without_options(words: &[OsString]) -> Option<Args> {
        Some(Args { program: ProgramArgs::of(operands(words)?), ..Args::default() })
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut spawn = prepare(args).map_err(Failure::before_launch)?;
    args.program.launch(&mut spawn)
}

/// The steps, not taken.
pub(crate) fn plan(args: &Args) -> Result<Plan, Failure> {
    Ok(program::plan(&mut prepare(args)?)?)
}

fn prepare(args: &Args) -> Result<Spawn, Failure> {
    let kinds = args.only.unwrap_or(Kinds::ALL.difference(args.share.unwrap_or_default()));
    let mut spawn = args.program.spawn();
    spawn.unshare(kinds);
    if kinds.contains(Kind::User) {
        map(&mut spawn, args)?;
    } else if args.map.is_some() || args.map_groups.is_some() {
        return Err(Failure::new("--map needs a new user namespace"));
    }
    if kinds.contains(Kind::Net) {
        spawn.loopback_up();
    }
    if kinds.contains(Kind::Mnt) && kinds.contains(Kind::Pid) && !args.no_proc {
        spawn.mount_proc();
    }
    if kinds.contains(Kind::Pid) && !args.no_init {
        // This process holds nothing but its arguments and environment, which
        // the program gets anyway.
        spawn.readable_init();
    }
    match (&args.hostname, kinds.contains(Kind::Uts)) {
        (Some(name), _) => drop(spawn.hostname(name)),
        (None, true) => drop(spawn.hostname("ns")),
        (None, false) => {}
    }
    match &args.root {
        Some(dir) if kinds.contains(Kind::Mnt) => drop(spawn.pivot_root(dir)),
        Some(dir) => drop(spawn.chroot(dir)),
        None => {}
    }
    set_options(&mut spawn, args);
    Ok(spawn)
}

fn set_options(spawn: &mut Spawn, args: &Args) {
    if let Some(name) = &args.domainname {
        spawn.domainname(name);
    }
    if let Some(seconds) = args.boottime {
        spawn.boottime(seconds);
    }
    if let Some(seconds) = args.monotonic {
        spawn.monotonic(seconds);
    }
    if let Some(propagation) = args.propagation {
        spawn.propagation(propagation);
    }
    for (kind, path) in &args.pin {
        spawn.pin(*kind, path);
    }
}

fn map(spawn: &mut Spawn, args: &Args) -> Result<(), Failure> {
    match args.map.as_deref() {
        Some("none") => {}
        None | Some("root") => drop(spawn.map_root()),
        Some("current") => drop(spawn.map_current()),
        Some("auto") => {
            let IdMaps { uid_map, gid_map } = IdMaps::auto()?;
            spawn.uid_map(uid_map).gid_map(gid_map);
        }
        Some(text) => {
            let map: IdMap = text.parse()?;
            spawn.uid_map(map.clone()).gid_map(map);
        }
    }
    if let Some(map) = &args.map_groups {
        spawn.gid_map(map.clone());
    }
    Ok(())
}
