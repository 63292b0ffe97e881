//! The machine that the figures belong to.

use std::fs;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    pub(crate) cpus: usize,
    pub(crate) cpu_model: String,
    pub(crate) load: String,
    pub(crate) root: bool,
}

impl Machine {
    pub(crate) fn read() -> Machine {
        let uname = rustix::system::uname();
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let model = text("/proc/cpuinfo");
        let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        Machine {
            kernel: uname.release().to_string_lossy().into_owned(),
            architecture: uname.machine().to_string_lossy().into_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_model: model.trim_start_matches(['\t', ' ', ':']).to_owned(),
            load: text("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            root: is_root(),
        }
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Puts this thread, and so what it starts, on one CPU until it is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    before: CpuSet,
    pub(crate) cpu: usize,
}

impl Pinned {
    /// Pins to `cpu`, or to the first CPU that this thread may use.
    pub(crate) fn to(cpu: Option<usize>) -> Result<Pinned, String> {
        let before = sched_getaffinity(None).map_err(|error| format!("sched_getaffinity: {error}"))?;
        let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu));
        let cpu = cpu.or(first).filter(|cpu| *cpu < CpuSet::MAX_CPU).ok_or("there is no such CPU")?;
        let mut set = CpuSet::new();
        set.set(cpu);
        sched_setaffinity(None, &set).map_err(|error| format!("pinning to CPU {cpu}: {error}"))?;
        Ok(Pinned { before, cpu })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// Waits at most `patience` for the machine to be four fifths idle, and says
/// how idle it was in the end: others' work shows in every figure.
pub(crate) fn wait_until_idle(patience: Duration) -> u64 {
    let start = Instant::now();
    let step = if patience.is_zero() { Duration::from_millis(100) } else { Duration::from_secs(1) };
    loop {
        let before = cpu_times();
        std::thread::sleep(step);
        let after = cpu_times();
        let all = after.1.saturating_sub(before.1).max(1);
        let idle = after.0.saturating_sub(before.0) * 100 / all;
        if idle >= 80 || start.elapsed() >= patience {
            return idle;
        }
    }
}

/// The ticks of all CPUs: idle ones and all.
fn cpu_times() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|word| word.parse().ok())
        .collect();
    (ticks.iter().skip(3).take(2).sum(), ticks.iter().sum())
}
