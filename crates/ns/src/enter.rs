//! `ns enter`: a program in the namespaces of a process, or in one namespace.

use std::ffi::OsString;

use namespaces::{Capabilities, Errno, Error, IdKind, Kind, Kinds, Namespace, Plan, Process, Spawn, Step};

use crate::cli::operands;
use crate::exit::ExitCode;
use crate::kinds;
use crate::program::{self, ProgramArgs, start};
use crate::report::Failure;

use crate::target::Target;

const AFTER_HELP: &str = "\
Of a process, all namespaces are joined that differ from the caller's and that
the caller may join; what is left out is said. The program is root inside if the
user namespace is joined and has a root. The exit status is as for `ns run`.";

/// Run a program in namespaces that exist
#[derive(Debug, Default, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Join these, and fail if one can't be joined
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse, conflicts_with = "except")]
    only: Option<Kinds>,

    /// Don't join these
    #[arg(long, value_name = "KIND,...", value_parser = kinds::parse)]
    except: Option<Kinds>,

    /// Keep the caller's ids
    #[arg(long, conflicts_with_all = ["uid", "gid"])]
    keep_ids: bool,

    /// Say nothing of what is left out
    #[arg(short, long)]
    quiet: bool,

    /// A process id, or a namespace: its file, its id, `net:[4026531833]`, or
    /// the command that `ns ls` shows
    #[arg(value_name = "TARGET")]
    target: String,

    #[command(flatten)]
    program: ProgramArgs,
}

impl Args {
    /// The arguments of a command line without options.
    pub(crate) fn without_options(words: &[OsString]) -> Option<Args> {
        let (target, rest) = operands(words)?.split_first()?;
        let program = ProgramArgs::of(operands(rest)?);
        Some(Args { target: target.to_str()?.to_owned(), program, ..Args::default() })
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut spawn = args.program.spawn();
    match Target::find(&args.target).map_err(Failure::before_launch)? {
        Target::Process(process) => enter_process(&mut spawn, &process, args),
        Target::Namespace(namespace) => {
            join_namespace(&mut spawn, namespace, args).map_err(Failure::before_launch)?;
            args.program.launch(&mut spawn)
        }
    }
}

/// The steps, not taken: all that is wanted is joined, whether that goes or not.
pub(crate) fn plan(args: &Args) -> Result<Plan, Failure> {
    let mut spawn = args.program.spawn();
    match Target::find(&args.target)? {
        Target::Process(process) => {
            let wanted = args.only.unwrap_or(Kinds::ALL.difference(args.except.unwrap_or_default()));
            join(&mut spawn, &process, wanted.intersection(process.kinds_apart()?), args)?;
        }
        Target::Namespace(namespace) => join_namespace(&mut spawn, namespace, args)?,
    }
    Ok(program::plan(&mut spawn)?)
}

fn join_namespace(spawn: &mut Spawn, namespace: Namespace, args: &Args) -> Result<(), Failure> {
    let kind = namespace.kind();
    if args.only.is_some_and(|only| only != kind.into())
        || args.except.is_some_and(|except| except.contains(kind))
    {
        return Err(Failure::new(format!("{namespace} is all there is to join in {}", args.target)));
    }
    if kind == Kind::User && !args.keep_ids && !args.program.has_ids() {
        // Its map can't be read from here; where it has no 0 the kernel says so.
        spawn.gid(0).uid(0);
    }
    spawn.join_namespaces([namespace]).join_in_place();
    Ok(())
}

fn enter_process(spawn: &mut Spawn, process: &Process, args: &Args) -> Result<ExitCode, Failure> {
    let apart = process.kinds_apart().map_err(|error| Failure::from(error).before_launch())?;
    let wanted =
        args.only.unwrap_or(Kinds::ALL.difference(args.except.unwrap_or_default())).intersection(apart);
    let mut attempt = spawn.clone();
    join(&mut attempt, process, wanted, args).map_err(Failure::before_launch)?;
    // Most often all can be joined, and the kernel is the quickest to ask.
    let mut refused = None;
    if !args.program.is_dry_run() && !wanted.is_empty() {
        match start(&mut attempt) {
            Err(error @ Error::Step { errno: Errno::EPERM, .. }) if is_join(&error) => refused = Some(error),
            done => return done.map_err(|error| Failure::of_launch(&error)),
        }
    }
    let kinds = choose(process, wanted, args).map_err(|failure| {
        let failure = failure.before_launch();
        match &refused {
            Some(error) => failure.because(error),
            None => failure,
        }
    })?;
    join(spawn, process, kinds, args).map_err(Failure::before_launch)?;
    args.program.launch(spawn)
}

fn is_join(error: &Error) -> bool {
    matches!(error, Error::Step { step, .. } if matches!(step.step, Step::Join(_)))
}

fn join(spawn: &mut Spawn, process: &Process, kinds: Kinds, args: &Args) -> Result<(), Failure> {
    if kinds.contains(Kind::User) && !args.keep_ids && !args.program.has_ids() {
        become_root(spawn, process)?;
    }
    spawn.join(process.try_clone()?, kinds).join_in_place();
    Ok(())
}

/// The kinds to join: those wanted, less those that can't be joined.
fn choose(process: &Process, wanted: Kinds, args: &Args) -> Result<Kinds, Failure> {
    let mut kinds = Kinds::EMPTY;
    let mut owners = Owners { me: Process::current()?, known: Vec::new() };
    let mut left_out: Vec<(String, Kinds)> = Vec::new();
    for kind in wanted.iter() {
        match owners.obstacle(process, kind)? {
            None => drop(kinds.insert(kind)),
            Some(why) if args.only.is_some() => {
                return Err(Failure::new(format!(
                    "the {kind} namespace of {process} can't be joined: {why}"
                )));
            }
            Some(why) => match left_out.iter_mut().find(|(known, _)| *known == why) {
                Some((_, kinds)) => drop(kinds.insert(kind)),
                None => left_out.push((why, kind.into())),
            },
        }
    }
    for (why, kinds) in left_out.iter().filter(|_| !args.quiet) {
        let plural = if kinds.len() == 1 { "" } else { "s" };
        eprintln!("ns: leaving out the {kinds} namespace{plural}: {why}");
    }
    if kinds.is_empty() {
        let why = if left_out.is_empty() {
            "is in the caller's own namespaces"
        } else {
            "is in no namespace that can be joined"
        };
        return Err(Failure::new(format!("{process} {why}")));
    }
    Ok(kinds)
}

/// What is known of the owners of the target's namespaces: commonly one user
/// namespace owns all.
struct Owners {
    me: Process,
    known: Vec<(Namespace, bool)>,
}

impl Owners {
    /// Why the caller can't join the namespace of `kind`, if it can't. The
    /// kernel wants `CAP_SYS_ADMIN` in the owner. It shows the owner only to
    /// those in that user namespace or in one above, and nobody else can have
    /// a capability there.
    fn obstacle(&mut self, process: &Process, kind: Kind) -> Result<Option<String>, Failure> {
        let owner = match process.namespace(kind) {
            Ok(namespace) if kind == Kind::User => Ok(namespace),
            Ok(namespace) => namespace.owner(),
            Err(error @ Error::NoProcess { .. }) => return Err(error.into()),
            Err(error) => return Ok(Some(error.to_string())),
        };
        Ok(match owner.and_then(|owner| self.is_admin(owner)) {
            Ok(true) => None,
            Ok(false) => {
                Some("the caller has no CAP_SYS_ADMIN in the user namespace that owns it".to_owned())
            }
            Err(error) if error.errno() == Some(Errno::EPERM) => {
                Some("it is owned by a user namespace above the caller's".to_owned())
            }
            Err(error) => Some(error.to_string()),
        })
    }

    fn is_admin(&mut self, owner: Namespace) -> namespaces::Result<bool> {
        if let Some((_, admin)) = self.known.iter().find(|(known, _)| *known == owner) {
            return Ok(*admin);
        }
        let capabilities = self.me.capabilities_in(&owner)?.unwrap_or_default();
        let admin = capabilities.contains(Capabilities::SYS_ADMIN);
        self.known.push((owner, admin));
        Ok(admin)
    }
}

/// Root inside, if there is one, and else the caller's own ids if they are
/// known there. Ids that are not would be no one's inside and still the
/// caller's outside: root's, with nothing to show it.
fn become_root(spawn: &mut Spawn, process: &Process) -> Result<(), Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    for (kind, own) in [(IdKind::Gid, gid), (IdKind::Uid, uid)] {
        let map = process.id_map(kind)?;
        if map.extents().iter().any(|extent| extent.inside == 0) {
            match kind {
                IdKind::Gid => drop(spawn.gid(0)),
                IdKind::Uid => drop(spawn.uid(0)),
            }
        } else if map.to_inside(own).is_none() {
            let file = kind.file();
            return Err(Failure::new(format!(
                "{file} of {process} has neither 0 nor the caller's id: say who to be with --uid and --gid, or --keep-ids"
            )));
        }
    }
    Ok(())
}
