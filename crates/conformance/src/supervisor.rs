//! The process that is started: it lets workers make worlds, gathers what they tell,
//! and leaves nothing behind.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use crate::Args;
use crate::cgroup;
use crate::explain::Scores;
use crate::reach::Coverage;
use crate::report::{Count, Message, Scenario};

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
        let guarded = Guarded { guard: guard.spawn()?, path };
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

/// Runs workers to the end. `true` if both sides agree.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    let root = rustix::process::getuid().is_root();
    let guarded = if root { Guarded::new()? } else { None };
    if !args.replay.is_empty() {
        return replay(args, guarded.as_ref(), root);
    }
    let seed = args.seed.unwrap_or_else(fresh_seed);
    // While one of two waits for the kernel to take a mount or a namespace down, the other goes on.
    let two_each = || std::thread::available_parallelism().map_or(1, |all| 2 * usize::from(all));
    let jobs = args.jobs.unwrap_or_else(two_each).max(1);
    if !args.json {
        println!("seed {seed}, {jobs} at a time, Linux {}", release());
    }
    let order = |job: usize, command: &mut Command| {
        let numbers = [args.operations as u64, seed, jobs as u64, job as u64, args.patience];
        let options = ["--operations", "--seed", "--jobs", "--worker-number", "--patience"];
        for (option, number) in options.into_iter().zip(numbers) {
            command.args([option, &number.to_string()]);
        }
        for (option, wanted) in [("--mutants", args.mutants), ("--explain", args.explain)] {
            if wanted {
                command.arg(option);
            }
        }
        if let Some(only) = &args.only {
            command.args(["--only", only]);
        }
    };
    let (workers, receiver) = start_workers(args, guarded.as_ref(), root, jobs, order)?;
    let mut gathered = Gathered::new(seed, jobs);
    for (job, message) in receiver {
        if let Message::Found(scenario) = &message {
            scenario.keep(args.keep.as_deref())?;
        }
        if !args.json {
            print!("{message}");
        }
        gathered.take(job, message);
        gathered.show_progress();
    }
    let mut failed = false;
    for mut child in workers {
        failed |= child.wait()?.code().is_none_or(|code| code >= 2);
    }
    if failed {
        return Err(io::Error::other("a worker failed"));
    }
    Ok(if args.mutants { gathered.report_mutants() } else { gathered.report(args) })
}

/// What workers tell, and which of them.
type Told = mpsc::Receiver<(usize, Message)>;

/// Workers with their orders, and what they tell.
fn start_workers(
    args: &Args,
    guarded: Option<&Guarded>,
    root: bool,
    jobs: usize,
    order: impl Fn(usize, &mut Command),
) -> io::Result<(Vec<Child>, Told)> {
    let (sender, receiver) = mpsc::channel();
    let mut workers = Vec::new();
    for job in 0..jobs {
        let mut command = worker(args, guarded, root, job)?;
        order(job, &mut command);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                if let Ok(message) = serde_json::from_str::<Message>(&line) {
                    let _ = sender.send((job, message));
                }
            }
        });
        workers.push(child);
    }
    Ok((workers, receiver))
}

fn replay(args: &Args, guarded: Option<&Guarded>, root: bool) -> io::Result<bool> {
    let mut command = worker(args, guarded, root, 0)?;
    if let Some(world) = &args.world {
        command.args(["--world", world]);
    }
    if let Some(part) = &args.part {
        command.args(["--part", part]);
    }
    if args.coverage {
        command.arg("--coverage");
    }
    if args.explain {
        command.arg("--explain");
    }
    command.arg("--replay").args(&args.replay);
    finished(&mut command)
}

fn finished(command: &mut Command) -> io::Result<bool> {
    match command.status()?.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(io::Error::other("the worker failed")),
    }
}

/// This program again, as a worker.
fn worker(args: &Args, guarded: Option<&Guarded>, root: bool, job: usize) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--worker").stdin(Stdio::null());
    let processor = job + std::process::id() as usize;
    command.args(["--processor", &processor.to_string()]);
    if let Some(Guarded { path, .. }) = guarded {
        let path = path.join(format!("w{job}"));
        std::fs::create_dir(&path)?;
        command.arg("--cgroup").arg(path);
    }
    if args.as_user && root {
        // Of its own, so that only its actors count as this user's.
        let uid = FIRST_UID + std::process::id() * 64 % 400_000_000 + u32::try_from(job).unwrap_or(0);
        command.args(["--uid", &uid.to_string()]);
    }
    Ok(command)
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 20 ^ now.as_secs()
}

fn release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Places in which the model was spoiled.
#[derive(Default)]
struct Mutants {
    all: usize,
    survivors: Vec<String>,
}

/// What all workers have told so far.
struct Gathered {
    seed: u64,
    counts: Vec<Count>,
    coverage: Coverage,
    scores: Scores,
    found: Vec<Scenario>,
    mutants: Mutants,
    started: Instant,
    shown: Instant,
}

impl Gathered {
    fn new(seed: u64, jobs: usize) -> Self {
        let now = Instant::now();
        Self {
            seed,
            counts: vec![Count::default(); jobs],
            coverage: Coverage::default(),
            scores: Scores::default(),
            found: Vec::new(),
            mutants: Mutants::default(),
            started: now,
            shown: now,
        }
    }

    fn take(&mut self, job: usize, message: Message) {
        match message {
            Message::Progress(count) => self.counts[job] = count,
            Message::Found(scenario) => self.found.push(scenario),
            Message::Mutant { name, after, .. } => {
                self.mutants.all += 1;
                if after.is_none() {
                    self.mutants.survivors.push(name);
                }
            }
            Message::End { count, coverage, scores } => {
                self.scores.add(scores);
                self.counts[job] = count;
                self.coverage.add(coverage);
            }
        }
    }

    fn sum(&self, of: impl Fn(&Count) -> usize) -> usize {
        self.counts.iter().map(of).sum()
    }

    fn show_progress(&mut self) {
        if self.shown.elapsed().as_secs() < 2 || !io::stderr().is_terminal() {
            return;
        }
        self.shown = Instant::now();
        let Mutants { all, survivors } = &self.mutants;
        if *all > 0 {
            eprintln!("{all} mutants, {} survived", survivors.len());
            return;
        }
        let operations = self.sum(|count| count.operations);
        let rules = self.counts.iter().map(|count| count.rules).max().unwrap_or(0);
        let divergences = self.sum(|count| count.divergences);
        eprintln!(
            "{operations} operations, {} a second, {rules} rules met, {divergences} divergences",
            self.rate()
        );
    }

    fn rate(&self) -> u128 {
        let operations = self.sum(|count| count.operations) as u128;
        operations * 1000 / self.started.elapsed().as_millis().max(1)
    }

    fn report_mutants(&self) -> bool {
        let Mutants { all, survivors } = &self.mutants;
        println!("{all} mutants, {} noticed, {} survived", all - survivors.len(), survivors.len());
        survivors.is_empty()
    }

    /// Prints what came of it. `true` if both sides agree.
    fn report(&self, args: &Args) -> bool {
        if args.json {
            println!("{}", self.json(args));
        } else {
            self.print(args);
        }
        self.found.is_empty() && (!args.explain || self.scores.all_right())
    }

    fn json(&self, args: &Args) -> serde_json::Value {
        let mut summary = serde_json::json!({
            "seed": self.seed,
            "jobs": self.counts.len(),
            "release": release(),
            "operations": self.sum(|count| count.operations),
            "refused": self.sum(|count| count.refused),
            "worlds": self.sum(|count| count.worlds),
            "operations_per_second": u64::try_from(self.rate()).unwrap_or(0),
            "rules": self.coverage.all(),
            "met": self.coverage.met(),
            "coverage": self.coverage,
            "divergences": self.found,
        });
        if args.explain {
            summary["explained"] = serde_json::json!(self.scores);
        }
        summary
    }

    fn print(&self, args: &Args) {
        if args.coverage {
            print!("{}", self.coverage);
        }
        println!(
            "{} operations, {} refused, {} of {} rules met, {} divergences",
            self.sum(|count| count.operations),
            self.sum(|count| count.refused),
            self.coverage.met(),
            self.coverage.all(),
            self.found.len()
        );
        println!("{} operations a second in {} worlds", self.rate(), self.sum(|count| count.worlds));
        if args.explain {
            self.scores.report();
        }
    }
}
