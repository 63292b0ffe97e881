//! What a call costs does not depend on how much else there is. Sixteen times the work in
//! a kernel with sixteen times as much in it must not take much more than sixteen times as
//! long; a call that looks at everything takes 256 times as long. It is the processor's
//! time that counts, for other work on the machine must not.

#![cfg(not(miri))]

use nsproxy::uapi::*;
use nsproxy::{Disposition, Kernel, Params, Resource, TaskId};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const FEW: u32 = 400;
const MANY: u32 = 16 * FEW;

/// How long this thread has run.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Does `work` for few and for many, each on what `prepare` has made.
fn grows_with_its_work<T>(prepare: impl Fn(u32) -> T, work: impl Fn(T)) {
    let best = |count: u32| -> Duration {
        let round = |_| {
            let state = prepare(count);
            let start = processor_time();
            work(state);
            processor_time().saturating_sub(start)
        };
        (0..5).map(round).min().unwrap()
    };
    let (few, many) = (best(FEW), best(MANY));
    assert!(many < few * 100, "{FEW}: {few:?}, {MANY}: {many:?}");
}

fn boot() -> (Kernel, TaskId) {
    let mut kernel = Kernel::boot(Params::default());
    let init = kernel.init();
    let shell = kernel.fork(init).unwrap().task;
    (kernel, shell)
}

/// A shell with this many children.
fn crowd(count: u32) -> (Kernel, TaskId, Vec<(TaskId, i32)>) {
    let (mut kernel, shell) = boot();
    let mut fork = |_| kernel.fork(shell).map(|child| (child.task, child.pid.cast_signed())).unwrap();
    let children = (0..count).map(&mut fork).collect();
    (kernel, shell, children)
}

#[test]
fn an_exit_of_many_threads_with_children_each() {
    let prepare = |count| {
        let (mut kernel, shell) = boot();
        for _ in 0..count {
            let thread = kernel.sys_clone(shell, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM).unwrap().task;
            kernel.fork(thread).unwrap();
        }
        (kernel, shell)
    };
    grows_with_its_work(prepare, |(mut kernel, shell)| kernel.exit_group(shell, 0).unwrap());
}

#[test]
fn an_end_of_those_who_wait_in_vfork() {
    let prepare = |count| {
        let (mut kernel, shell, children) = crowd(count);
        for (child, _) in &children {
            kernel.vfork(*child).unwrap();
        }
        (kernel, shell, children)
    };
    grows_with_its_work(prepare, |(mut kernel, shell, children)| {
        for (_, pid) in children {
            kernel.kill(shell, pid, SIGKILL).unwrap();
        }
    });
}

#[test]
fn sessions_and_groups_among_many() {
    grows_with_its_work(crowd, |(mut kernel, shell, children)| {
        for (place, (child, pid)) in children.into_iter().enumerate() {
            if place % 2 == 0 {
                kernel.setsid(child).unwrap();
            } else {
                kernel.setpgid(shell, pid, 0).unwrap();
            }
            kernel.kill(shell, -pid, SIGTERM).unwrap();
        }
    });
}

#[test]
fn one_more_descriptor() {
    let prepare = |count| {
        let (mut kernel, shell) = boot();
        let limit = u64::from(count) + 3;
        kernel.prlimit(shell, 0, Resource::Nofile, limit, limit).unwrap();
        (kernel, shell, count)
    };
    grows_with_its_work(prepare, |(mut kernel, shell, count)| {
        for _ in 0..count {
            kernel.open_plain(shell).unwrap();
        }
        for fd in (3..3 + count.cast_signed()).step_by(2) {
            kernel.close(shell, fd).unwrap();
        }
        for _ in 0..count / 2 {
            kernel.open_plain(shell).unwrap();
        }
    });
}

#[test]
fn a_fork_where_others_have_shared_memory() {
    let prepare = |count| {
        let (mut kernel, shell, children) = crowd(count);
        let id = kernel.shmget(shell, 7, 1, IPC_CREAT | 0o600).unwrap();
        for (child, _) in &children {
            kernel.shmat(*child, id).unwrap();
        }
        kernel.sigaction(shell, SIGCHLD, Disposition::Ignore).unwrap();
        (kernel, shell, count)
    };
    grows_with_its_work(prepare, |(mut kernel, shell, count)| {
        for _ in 0..count {
            let child = kernel.fork(shell).unwrap().task;
            kernel.exit_group(child, 0).unwrap();
        }
    });
}
