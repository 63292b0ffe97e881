//! `ns enter`: a program in the namespaces of a process, or in one namespace.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use namespaces::{Errno, Error, IdKind, Kind, Kinds, Namespace, Process, Spawn};

use crate::kinds;
use crate::report::Failure;
use crate::run::{launch, program};
use crate::target::Target;

const AFTER_HELP: &str = "\
Of a process, all namespaces are joined that differ from the caller's and that
the caller may join; what is left out is said. The program is root inside if the
user namespace is joined and has a root. The exit status is as for `ns run`.";

/// Run a program in namespaces that exist
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Join these, and fail if one can't be joined
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse, conflicts_with = "except")]
    only: Option<Kinds>,

    /// Don't join these
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse)]
    except: Option<Kinds>,

    /// Start in this directory
    #[arg(long, value_name = "DIR")]
    chdir: Option<PathBuf>,

    /// User id of the program, as seen inside
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,

    /// Group id of the program, as seen inside
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,

    /// Keep the caller's ids
    #[arg(long, conflicts_with_all = ["uid", "gid"])]
    keep_ids: bool,

    /// Keep capabilities also if the program is not root inside
    #[arg(long)]
    keep_caps: bool,

    /// Say nothing of what is left out
    #[arg(short, long)]
    quiet: bool,

    /// Print the steps, one a line, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as JSON
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// A process id, or a namespace: its file, its id, `net:[4026531833]`, or
    /// the command that `ns ls` shows
    #[arg(value_name = "TARGET")]
    target: String,

    /// The program and its arguments [default: a shell]
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    program: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut spawn = prepare(args).map_err(Failure::before_launch)?;
    launch(&mut spawn, args.dry_run.then_some(args.json))
}

fn prepare(args: &Args) -> Result<Spawn, Failure> {
    let mut spawn = program(&args.program);
    match Target::find(&args.target)? {
        Target::Process(process) => join_process(&mut spawn, process, args)?,
        Target::Namespace(namespace) => join_namespace(&mut spawn, namespace, args)?,
    }
    if let Some(dir) = &args.chdir {
        spawn.current_dir(dir);
    }
    if let Some(uid) = args.uid {
        spawn.uid(uid);
    }
    if let Some(gid) = args.gid {
        spawn.gid(gid);
    }
    if args.keep_caps {
        spawn.keep_capabilities();
    }
    Ok(spawn)
}

fn join_namespace(spawn: &mut Spawn, namespace: Namespace, args: &Args) -> Result<(), Failure> {
    let kind = namespace.kind();
    if args.only.is_some_and(|only| only != kind.into())
        || args.except.is_some_and(|except| except.contains(kind))
    {
        return Err(Failure::new(format!("{namespace} is all there is to join in {}", args.target)));
    }
    spawn.join_namespaces([namespace]);
    Ok(())
}

fn join_process(spawn: &mut Spawn, process: Process, args: &Args) -> Result<(), Failure> {
    let wanted = args.only.unwrap_or(Kinds::ALL.difference(args.except.unwrap_or_default()));
    let mut kinds = Kinds::EMPTY;
    for kind in wanted.iter() {
        match fitness(&process, kind)? {
            Fitness::Fit => drop(kinds.insert(kind)),
            Fitness::Same => {}
            Fitness::Unfit(why) if args.only.is_some() => {
                return Err(Failure::new(format!(
                    "the {kind} namespace of {process} can't be joined: {why}"
                )));
            }
            Fitness::Unfit(why) => left_out(kind, &why, args.quiet),
        }
    }
    if kinds.is_empty() {
        let why = if wanted.is_empty() {
            "no kind is left to join"
        } else {
            "none of its namespaces that differ from the caller's can be joined"
        };
        return Err(Failure::new(format!("{process}: {why}")));
    }
    if kinds.contains(Kind::User) && !args.keep_ids && args.uid.is_none() && args.gid.is_none() {
        become_root(spawn, &process)?;
    }
    spawn.join(process, kinds);
    Ok(())
}

/// Whether a namespace of the target is worth and open to joining.
enum Fitness {
    Fit,
    /// The caller is in it already.
    Same,
    /// Why it can't be joined.
    Unfit(String),
}

/// The kernel wants `CAP_SYS_ADMIN` in the owner. It shows the owner only to
/// those in that user namespace or in one above, and nobody else can have a
/// capability there.
fn fitness(process: &Process, kind: Kind) -> Result<Fitness, Failure> {
    let namespace = match process.namespace(kind) {
        Ok(namespace) => namespace,
        Err(error @ Error::NoProcess { .. }) => return Err(error.into()),
        Err(error) => return Ok(Fitness::Unfit(error.to_string())),
    };
    if Namespace::current(kind).is_ok_and(|mine| mine == namespace) {
        return Ok(Fitness::Same);
    }
    let owner = if kind == Kind::User { Ok(namespace) } else { namespace.owner() };
    let admin = namespaces::Capabilities::SYS_ADMIN;
    Ok(match owner.and_then(|owner| namespaces::capabilities_in(&owner)) {
        Ok(caps) if caps.contains(admin) => Fitness::Fit,
        Ok(_) => {
            Fitness::Unfit("the caller has no CAP_SYS_ADMIN in the user namespace that owns it".to_owned())
        }
        Err(error) if error.errno() == Some(Errno::EPERM) => {
            Fitness::Unfit("it is owned by a user namespace above the caller's".to_owned())
        }
        Err(error) => Fitness::Unfit(error.to_string()),
    })
}

fn left_out(kind: Kind, why: &str, quiet: bool) {
    if !quiet {
        eprintln!("ns: leaving out the {kind} namespace: {why}");
    }
}

/// Root inside, if there is one: any other id would lose its capabilities at
/// `execve`, and the caller's own may not be known there at all.
fn become_root(spawn: &mut Spawn, process: &Process) -> Result<(), Failure> {
    let root_in = |kind| -> Result<bool, Failure> {
        let map = process.id_map(kind)?;
        Ok(map.extents().iter().any(|extent| extent.inside == 0))
    };
    if root_in(IdKind::Gid)? {
        spawn.gid(0);
    }
    if root_in(IdKind::Uid)? {
        spawn.uid(0);
    }
    Ok(())
}
