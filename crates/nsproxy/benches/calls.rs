//! What the calls of the model cost. `cargo bench -p nsproxy` prints the table.

#![allow(clippy::cast_precision_loss)] // Times, for people to read.

use nsproxy::uapi::{CLONE_NEWUSER, CLONE_NEWUTS, CLONE_NS_FLAGS, SIGCHLD};
use nsproxy::{CloneArgs, Disposition, Kernel, Params, TaskId};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 7;

/// The best of a few rounds, in nanoseconds for one operation.
fn time(operations: u32, mut round: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos() as f64 / f64::from(operations)
        })
        .fold(f64::INFINITY, f64::min)
}

/// A kernel with a shell, and `count` tasks that do nothing.
fn crowd(count: u32) -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(Params { threads_max: 4_000_000, ..Params::default() });
    let init = kernel.init();
    let shell = kernel.fork(init).expect("init forks").task;
    for _ in 0..count {
        kernel.fork(init).expect("init forks");
    }
    (kernel, shell)
}

/// A child is made and exits; with `wait` it is waited for, else it reaps itself.
fn clone_exit(kernel: &mut Kernel, shell: TaskId, flags: u64, wait: bool, operations: u32) -> f64 {
    let args = CloneArgs::new(flags);
    let sigchld = if wait { Disposition::Default } else { Disposition::Ignore };
    kernel.sigaction(shell, SIGCHLD, sigchld).expect("sigaction");
    time(operations, || {
        for _ in 0..operations {
            let child = kernel.clone3(shell, &args).expect("clone");
            kernel.exit_group(child.task, 0).expect("exit");
            if wait {
                kernel.wait4(shell, child.pid.cast_signed(), 0).expect("wait");
            }
            if flags != 0 {
                kernel.settle();
            }
        }
    })
}

fn setns(kernel: &mut Kernel, shell: TaskId, operations: u32) -> f64 {
    let flags = CLONE_NS_FLAGS & !CLONE_NEWUSER;
    let target = kernel.clone3(shell, &CloneArgs::new(flags)).expect("clone");
    let fd = kernel.pidfd_open(shell, target.pid.cast_signed(), 0).expect("pidfd");
    let mask = u32::try_from(flags).expect("a mask has 32 bits");
    time(operations, || {
        for _ in 0..operations {
            kernel.setns(shell, fd, mask).expect("setns");
        }
    })
}

fn row(what: &str, nanos: f64, goal: Option<f64>) {
    let million = 1e3 / nanos;
    let verdict = match goal {
        None => String::new(),
        Some(goal) if million >= goal => format!("   goal {goal:>5.1} M/s  met"),
        Some(goal) => format!("   goal {goal:>5.1} M/s  MISSED"),
    };
    println!("{what:<44} {nanos:>9.1} ns {million:>8.2} M/s{verdict}");
}

/// What is measured in each crowd, and the goal in million a second.
const ROWS: [(&str, Option<f64>); 5] = [
    ("  clone + exit, no flags", Some(10.0)),
    ("  clone + exit, new uts", Some(3.0)),
    ("  clone + exit, all eight", Some(3.0)),
    ("  clone + exit + wait, no flags", None),
    ("  setns by pidfd, seven kinds", Some(5.0)),
];

fn of_one_crowd(kernel: &mut Kernel, shell: TaskId, operations: u32) -> [f64; 5] {
    let costs = [
        clone_exit(kernel, shell, 0, false, operations),
        clone_exit(kernel, shell, CLONE_NEWUTS, false, operations),
        clone_exit(kernel, shell, CLONE_NS_FLAGS, false, operations),
        clone_exit(kernel, shell, 0, true, operations),
        setns(kernel, shell, operations),
    ];
    for ((what, goal), nanos) in ROWS.into_iter().zip(costs) {
        row(what, nanos, goal);
    }
    costs
}

/// A kernel with this many tasks, each in namespaces of its own.
fn crowd_apart(count: u32) -> Kernel {
    let mut kernel = Kernel::default();
    let init = kernel.init();
    for _ in 0..count {
        kernel.clone3(init, &CloneArgs::new(CLONE_NS_FLAGS)).expect("init clones");
    }
    kernel
}

fn copy_row(what: &str, kernel: &Kernel) {
    let copy = time(100, || {
        (0..100).for_each(|_| drop(black_box(kernel.clone())));
    }) / 1e3;
    let verdict = if copy <= 50.0 { "met" } else { "MISSED" };
    println!("{what:<45}{copy:>9.1} us   goal    50.0 us   {verdict}");
}

fn main() {
    // `cargo test` runs benches too, and only wants to know that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let operations = 200_000;
    let crowds = [10, 1_000, 100_000, 1_000_000];
    let mut costs = Vec::new();
    for count in crowds {
        let (mut kernel, shell) = crowd(count);
        println!("{count} tasks");
        let cost = of_one_crowd(&mut kernel, shell, operations);
        costs.push(cost);
    }
    println!("the dearest crowd against the cheapest");
    for (row, what) in ROWS.iter().enumerate() {
        let all = || costs.iter().map(|cost| cost[row]);
        let ratio = all().fold(0.0, f64::max) / all().fold(f64::INFINITY, f64::min);
        println!("{:<44} {ratio:>9.2}", what.0);
    }
    let (kernel, _) = crowd(1_000);
    copy_row("a copy of a kernel with 1000 tasks", &kernel);
    copy_row("the same, each in eight namespaces of its own", &crowd_apart(1_000));
    let bytes = kernel.bytes_per_task();
    let verdict = if bytes <= 400 { "met" } else { "MISSED" };
    println!("bytes a task beyond what it shares           {bytes:>9}      goal   400      {verdict}");
}
