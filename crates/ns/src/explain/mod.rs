//! `ns explain`: why the kernel says no to a call, and what to do about it.

mod bwrap;
pub(crate) mod json;
mod mount;
mod text;
mod words;

use std::path::PathBuf;

use namespaces::explain::{Cause, Explanation, Machine, Verdict, page, pages};
use namespaces::{Errno, ForwardSignals};

use rustix::fs::{Mode, OFlags};

use crate::exit::ExitCode;
use crate::render;
use crate::report::{Failure, print};

pub(crate) use text::{of_error, reason, reason_of, short};

const AFTER_HELP: &str = "\
The call, made by this process as it is now; nothing is changed:

  unshare -n                     nsenter -t 1 -a          run OPTIONS, enter OPTIONS
  clone newuser,newnet           setns PID net            setns FILE
  mount -t proc proc /proc       umount /proc             pivot_root NEW OLD, chroot DIR
  write uid_map '0 1000 1'       write /proc/PID/gid_map TEXT, setgroups, timens_offsets
  newuidmap PID 0 100000 65536   setuid ID, setgid ID, setgroups ID,...
  chown UID:GID FILE, mknod FILE, cgroup DIR, connect, kill PID TERM, attach PID
  PID net (why can I not open it)  PID:INODE  FILE  held FILE  init PID

The exit status is 0 if it goes, 1 if it is refused, 2 if the question is not
understood, 3 if that can't be decided.";

/// Say why the kernel refuses a call, and what helps
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Show the page of a cause; `all` for every one, as markdown
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,

    /// What the kernel answered, EPERM for instance, if that is known
    #[arg(long, value_name = "ERRNO")]
    errno: Option<String>,

    /// Read only, and try nothing in a child process
    #[arg(long)]
    no_probes: bool,

    /// Read files below DIR in place of those of the same path: of another machine's
    /// /proc, /sys and /etc. Implies --no-probes
    #[arg(long, value_name = "DIR")]
    layer: Option<PathBuf>,

    /// CALL is the command line of bubblewrap: explain the namespaces it makes
    #[arg(long)]
    bwrap: bool,

    /// The call and its arguments
    #[arg(
        value_name = "CALL",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "rule"
    )]
    call: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(name) = &args.rule {
        return show_rule(name).map_err(Failure::of_usage);
    }
    let question = if args.bwrap { bwrap::question(&args.call) } else { words::question(&args.call) };
    let machine = machine(args).map_err(Failure::of_usage)?;
    let errno = args.errno.as_deref().map(errno).transpose().map_err(Failure::of_usage)?;
    // What a subcommand holds open as it starts a program counts against its limit.
    let starts = matches!(args.call.first().map(String::as_str), Some("run" | "enter"));
    let held = if starts { ForwardSignals::hold().map(Some) } else { Ok(None) };
    let answer = held.map_err(Failure::from).and_then(|_held| {
        let question = question?;
        Ok(match errno {
            Some(errno) => machine.explain_errno(&question, None, errno),
            None => machine.explain(&question),
        })
    });
    // Some fail before the kernel is asked for anything.
    let failed = |failure: Failure| {
        failure.into_answer().map(|answer| Explanation { question: args.call.join(" "), ..answer })
    };
    let answer = answer.or_else(failed).map_err(Failure::of_usage)?;
    if args.json {
        render::print_json(&json::Answer::from(&answer))?;
    } else {
        print(&text::answer(&answer))?;
    }
    Ok(status(&answer))
}

fn machine(args: &Args) -> Result<Machine<'static>, Failure> {
    let mut machine = Machine::here();
    if let Some(dir) = &args.layer {
        let opened = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let opened = opened
            .map_err(|errno| Failure::new(format!("opening {}: {}", dir.display(), Errno::from(errno))))?;
        machine = machine.with_layer(opened);
    }
    Ok(if args.no_probes { machine.without_probes() } else { machine })
}

fn show_rule(name: &str) -> Result<ExitCode, Failure> {
    let text = if name == "all" {
        pages()
    } else {
        let cause =
            Cause::from_id(name).ok_or_else(|| Failure::new(format!("there is no cause {name:?}")))?;
        page(cause)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn status(answer: &Explanation) -> ExitCode {
    ExitCode::from(match answer.verdict {
        Verdict::Allowed(_) => 0,
        Verdict::Refused(_) => 1,
        Verdict::Undecided(_) => 3,
    })
}

fn errno(name: &str) -> Result<Errno, Failure> {
    // Above MAX_ERRNO are addresses.
    if let Some(number) = name.parse().ok().filter(|number| (1..4096).contains(number)) {
        return Ok(Errno::from_raw(number));
    }
    let known = (1..134).map(Errno::from_raw).find(|errno| errno.name() == name);
    known.ok_or_else(|| Failure::new(format!("there is no error number {name:?}")))
}
