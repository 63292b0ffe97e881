//! Blocks of launches from within a process: our library, and the C floor,
//! which runs as a process of its own and works on order.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use namespaces::{IdMap, Kinds, MapWriter, Spawn};

use crate::Bench;

/// What to launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) count: usize,
    pub(crate) kinds: Kinds,
    /// Whether the caller writes id maps.
    pub(crate) map: bool,
}

/// The nanoseconds of a block: all in all, and of each launch.
pub(crate) struct Block {
    pub(crate) total: u64,
    pub(crate) each: Vec<u64>,
}

/// The C floor.
pub(crate) struct Floor {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Floor {
    pub(crate) fn start(bench: &Bench) -> Result<Floor, String> {
        let mut child = Command::new(bench.floor.path("loop")?)
            .arg(bench.floor.path("tiny")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("starting the floor: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, answers) = pipes.ok_or("the floor has no pipes")?;
        Ok(Floor { child, orders: Some(orders), answers: BufReader::new(answers) })
    }

    pub(crate) fn block(&mut self, order: Order) -> Result<Block, String> {
        let failed = |error: std::io::Error| format!("the floor: {error}");
        let orders = self.orders.as_mut().ok_or("the floor has ended")?;
        writeln!(orders, "{} {} {}", order.count, order.kinds.flags(), u8::from(order.map))
            .map_err(failed)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(failed)?;
        let mut numbers = answer.split_ascii_whitespace().map_while(|word| word.parse().ok());
        let total = numbers.next().ok_or("the floor failed: see above")?;
        Ok(Block { total, each: numbers.collect() })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Without orders it ends by itself.
        self.orders.take();
        let _ = self.child.wait();
    }
}

/// A block of launches of `program` by the library.
pub(crate) fn library_block(program: &str, order: Order) -> Result<Block, String> {
    let mut each = Vec::with_capacity(order.count);
    let start = Instant::now();
    let mut before = start;
    for _ in 0..order.count {
        launch(program, order)?;
        let after = Instant::now();
        each.push(nanos(after - before));
        before = after;
    }
    Ok(Block { total: nanos(before - start), each })
}

/// One launch by the library: all that a caller does, from the builder to the status.
fn launch(program: &str, order: Order) -> Result<(), String> {
    let mut spawn = Spawn::new(program);
    // The floor has no environment either.
    spawn.env_clear().unshare(order.kinds);
    if order.map {
        let map: IdMap = "0 0 1000".parse().map_err(|error: namespaces::Error| error.to_string())?;
        spawn.uid_map(map.clone()).gid_map(map).map_writer(MapWriter::Caller);
    }
    let status = spawn.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the program ended with {status}")) }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
