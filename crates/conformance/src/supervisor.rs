//! The process that is started: it lets workers make worlds, gathers what they tell,
//! and leaves nothing behind.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::Args;
use crate::cgroup;
use crate::error::{self, context};
use crate::machine::{release, require_right_place};
use crate::out::{self, Verdict};
use crate::report::Message;
use crate::run::Share;
use crate::summary::{Failures, Gathered};

/// The first of the user ids that workers take with `--as-user`. Nobody has them.
const FIRST_UID: u32 = 1_600_000_000;

/// The directory in the cgroup hierarchy, and who removes it if this process is killed.
struct Guarded {
    path: PathBuf,
    guard: Child,
}

impl Guarded {
    fn new() -> io::Result<Option<Guarded>> {
        let Some(path) = cgroup::path(&format!("conformance-{}", std::process::id())) else {
            return Ok(None);
        };
        // The guard first: what is made is then looked after from the start.
        let mut guard = Command::new(std::env::current_exe()?);
        guard.arg("--guard").arg(&path).stdin(Stdio::piped()).stdout(Stdio::null());
        // Away from what kills this whole group.
        std::os::unix::process::CommandExt::process_group(&mut guard, 0);
        let guarded = Guarded { guard: can_start("starting the guard of the cgroups", guard.spawn())?, path };
        if std::fs::create_dir(&guarded.path).is_err() {
            return Ok(None);
        }
        let _ = cgroup::hand_down(&guarded.path);
        Ok(Some(guarded))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The end of its input is what the guard waits for.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Waits until the supervisor is gone, then removes its cgroups.
pub(crate) fn guard(path: &Path) {
    let mut nothing = [0];
    while io::stdin().read(&mut nothing).is_ok_and(|len| len > 0) {}
    cgroup::remove(path);
}

/// Workers that are ended with this process' interest in them.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Runs workers to the end.
pub(crate) fn run(args: &Args) -> io::Result<Verdict> {
    require_right_place()?;
    let root = rustix::process::getuid().is_root();
    let guarded = if root { Guarded::new()? } else { None };
    let host = Host { args, guarded: guarded.as_ref(), root };
    if args.replay.is_empty() { generate(&host) } else { replay(&host) }
}

/// Where workers are started.
struct Host<'a> {
    args: &'a Args,
    guarded: Option<&'a Guarded>,
    root: bool,
}

fn generate(host: &Host<'_>) -> io::Result<Verdict> {
    let args = host.args;
    if let Some(directory) = &args.keep {
        context(format_args!("making {}", directory.display()), std::fs::create_dir_all(directory))?;
    }
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let jobs = jobs(args);
    if !args.json {
        out::print(format_args!("seed {seed}, {jobs} at a time, Linux {}\n", release()))?;
    }
    let order = |job: usize, command: &mut Command| {
        command.args(["--operations", &args.operations.to_string(), "--seed", &seed.to_string()]);
        command.args(["--workers", &jobs.to_string(), "--worker-number", &job.to_string()]);
        match (args.mutants, args.explain) {
            (true, _) => command.arg("--mutants"),
            (false, true) => command.arg("--explain"),
            (false, false) => command.args(["--patience", &args.patience.to_string()]),
        };
        if let Some(only) = args.only {
            command.args(["--only", only.name()]);
        }
    };
    let mut gathered = Gathered::new(seed, jobs);
    let mut failures = Failures::default();
    let agreed = host.workers(jobs, order, &mut failures, |job, message| {
        if gathered.has(&message) {
            return Ok(None);
        }
        if !args.json {
            out::print(&message)?;
        }
        let kept = match (&message, &args.keep) {
            (Message::Found(scenario), Some(directory)) => scenario.keep(directory).err(),
            _ => None,
        };
        gathered.take(job, message);
        gathered.show_progress();
        Ok(kept)
    })?;
    if failures.is_empty() || !gathered.is_empty() {
        out::print(gathered.report(args, host.root, &failures))?;
    }
    Ok(failures.verdict(agreed))
}

/// How many worlds there are at a time: no more than there are parts of the run.
fn jobs(args: &Args) -> usize {
    // While one of two waits for the kernel to take a mount or a namespace down, the other goes on.
    let two_each = || std::thread::available_parallelism().map_or(1, |all| 2 * usize::from(all));
    let wanted = args.jobs.unwrap_or_else(two_each);
    if args.mutants { wanted } else { wanted.min(Share::count(args.operations)) }
}

fn replay(host: &Host<'_>) -> io::Result<Verdict> {
    let args = host.args;
    let order = |_, command: &mut Command| {
        if let Some(world) = args.world {
            command.args(["--world", world.name()]);
        }
        if let Some(part) = &args.part {
            command.args(["--part", part]);
        }
        for (option, wanted) in [("--coverage", args.coverage), ("--explain", args.explain)] {
            if wanted {
                command.arg(option);
            }
        }
        command.arg("--replay").args(&args.replay);
    };
    let mut failures = Failures::default();
    let agreed = host.workers(1, order, &mut failures, |_, message| out::print(message).map(|()| None))?;
    Ok(failures.verdict(agreed))
}

impl Host<'_> {
    /// Runs workers with their orders, and takes what they tell; what fails is gathered.
    fn workers(
        &self,
        count: usize,
        order: impl Fn(usize, &mut Command),
        failures: &mut Failures,
        mut take: impl FnMut(usize, Message) -> io::Result<Option<io::Error>>,
    ) -> io::Result<Verdict> {
        let (sender, receiver) = mpsc::channel();
        let mut workers = Workers(Vec::new());
        for job in 0..count {
            let mut command = self.worker(job)?;
            order(job, &mut command);
            let started = command.stdout(Stdio::piped()).spawn();
            let mut child = can_start(format_args!("starting worker {job}"), started)?;
            let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
            workers.0.push(child);
            let sender = sender.clone();
            let listen = move || {
                for line in lines.into_iter().flatten().map_while(Result::ok) {
                    if let Ok(message) = serde_json::from_str::<Message>(&line) {
                        let _ = sender.send((job, message));
                    }
                }
            };
            let listener = std::thread::Builder::new().spawn(listen);
            can_start(format_args!("starting a thread for worker {job}"), listener)?;
        }
        drop(sender);
        for (job, message) in receiver {
            match message {
                Message::Failed { error } => failures.add(error),
                message => {
                    if let Some(error) = take(job, message)? {
                        failures.add(error::words(&error));
                    }
                }
            }
        }
        let mut verdict = Verdict::Agreed;
        for (job, worker) in workers.0.iter_mut().enumerate() {
            let status = worker.wait()?;
            match Verdict::of_status(status.code()) {
                Some(ended) => verdict = verdict.max(ended),
                None => failures.ended(job, status),
            }
        }
        Ok(verdict)
    }

    /// This program again, as a worker.
    fn worker(&self, job: usize) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--worker").stdin(Stdio::null());
        if let Some(rule) = self.args.without {
            command.args(["--without", rule.name()]);
        }
        let processor = job + std::process::id() as usize;
        command.args(["--processor", &processor.to_string()]);
        if let Some(Guarded { path, .. }) = self.guarded {
            let path = path.join(format!("w{job}"));
            context(format_args!("making {}", path.display()), std::fs::create_dir(&path))?;
            command.arg("--cgroup").arg(path);
        }
        if self.args.as_user && self.root {
            // Of its own, so that only its actors count as this user's.
            let uid = FIRST_UID + std::process::id() * 64 % 400_000_000 + u32::try_from(job).unwrap_or(0);
            command.args(["--uid", &uid.to_string()]);
        }
        Ok(command)
    }
}

/// Says what could not be started, and what is often in the way.
fn can_start<T>(what: impl Display, result: io::Result<T>) -> io::Result<T> {
    let full = result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    let result = context(what, result);
    if full {
        return result
            .map_err(|error| io::Error::other(format!("{error}: raise the limit on processes (ulimit -u)")));
    }
    result
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 20 ^ now.as_secs()
}
