//! One piece of work after the other, by two threads where that pays.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::context::Context;
use super::table::Table;
use super::worker::Worker;

/// How many items are taken at once.
const BLOCK: usize = 8;

/// From so many items on a second thread pays from the start: some 25 µs of
/// reading each, against 150 µs until a thread runs on another processor.
const MANY: usize = 64;

/// After so many links read it pays even for the rest of few items, such as
/// processes that have a thousand sockets each.
const MUCH: usize = 4000;

/// Does `work` for each item and gives back what was found.
pub(super) fn spread<T: Sync>(
    context: &Context,
    items: &[T],
    work: impl Fn(&mut Worker<'_>, &T) + Sync,
) -> Table {
    let next = AtomicUsize::new(0);
    let block = || {
        let start = next.fetch_add(BLOCK, Ordering::Relaxed);
        items.get(start..items.len().min(start + BLOCK)).filter(|block| !block.is_empty())
    };
    let help = || {
        let proc = context.again();
        let mut worker = Worker::new(context);
        if let Ok(proc) = &proc {
            worker.proc = proc.as_fd();
        }
        while let Some(block) = block() {
            for item in block {
                work(&mut worker, item);
            }
        }
        worker.table
    };
    thread::scope(|scope| {
        let mut helper = None;
        let mut worker = Worker::new(context);
        while let Some(block) = block() {
            for item in block {
                work(&mut worker, item);
                let pays = items.len() >= MANY || worker.work >= MUCH;
                if helper.is_none() && pays && items.len() > BLOCK {
                    // Without a second processor, or a second thread, one must do.
                    helper = Some(
                        (processors() > 1)
                            .then(|| thread::Builder::new().spawn_scoped(scope, help).ok())
                            .flatten(),
                    );
                }
            }
        }
        let mut table = worker.table;
        if let Some(Ok(other)) = helper.flatten().map(thread::ScopedJoinHandle::join) {
            table.merge(other);
        }
        table
    })
}

/// How many processors this thread may use. Cheaper than
/// `available_parallelism`, which reads the files of every cgroup above.
fn processors() -> u32 {
    rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count())
}
