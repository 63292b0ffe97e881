//! Random calls by random tasks: the invariants hold after each one, nothing panics,
//! and the same calls give the same state.

use nsproxy::op::{Op, Reply};
use nsproxy::{Kernel, Params, TaskId};

/// A small generator, so that a failing run can be repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self) -> [u8; 48] {
        core::array::from_fn(|_| u8::try_from(self.next() >> 56).unwrap())
    }
}

/// Some calls by some tasks. With `checked` the invariants are looked at after each.
fn run(params: Params, seed: u64, steps: usize, checked: bool) -> Kernel {
    let mut random = Random(seed | 1);
    let mut kernel = Kernel::boot(params);
    let mut actors: Vec<TaskId> = vec![kernel.init()];
    let first = kernel.fork(actors[0]).unwrap().task;
    actors.push(first);
    let mut log = Vec::new();
    for step in 0..steps {
        let choice = usize::try_from(random.next() % actors.len() as u64).unwrap();
        let actor = actors[choice];
        let (op, _) = Op::decode(&random.bytes());
        log.push(format!("{actor:?} {op:?}"));
        let before = checked.then(|| kernel.clone());
        let answer = kernel.apply(actor, &op);
        if let Ok(Reply::Child(child)) = answer
            && actors.len() < 40
        {
            actors.push(child.task);
        }
        if checked {
            if let Err(broken) = kernel.check() {
                let tail = log.len().saturating_sub(30);
                panic!("seed {seed} step {step}: {broken:?}\n{}", log[tail..].join("\n"));
            }
            if let Err(denial) = answer {
                unchanged(&before.unwrap(), &kernel, &op, denial, seed);
            }
        }
        // The dead may still call now and then, but not most of the time.
        if step % 16 == 0 {
            actors.retain(|task| kernel.status(kernel.init(), *task).is_ok());
            actors.truncate(30);
            actors[0] = kernel.init();
        }
    }
    kernel
}

/// A refused call changes nothing, but for a cursor, a poisoned pid namespace, and
/// what the call that was made of several had already done.
fn unchanged(before: &Kernel, after: &Kernel, op: &Op, denial: nsproxy::Denial, seed: u64) {
    let may = matches!(op, Op::Clone(_) | Op::Clone3 { .. } | Op::Umount { .. } | Op::Unshare(_));
    if !may {
        assert!(
            before.canonical() == after.canonical(),
            "seed {seed}: {op:?} was refused with {denial} and changed something"
        );
    }
}

#[cfg(not(miri))]
const RUNS: u64 = 24;
#[cfg(miri)]
const RUNS: u64 = 1;

#[cfg(not(miri))]
const STEPS: usize = 400;
#[cfg(miri)]
const STEPS: usize = 12;

#[test]
fn invariants_hold_after_every_call() {
    for seed in 1..=RUNS {
        let release = [(6, 18), (5, 10), (7, 2), (6, 1)][usize::try_from(seed % 4).unwrap()];
        let params = Params::for_release(release.0, release.1);
        run(params, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), STEPS, true);
    }
}

#[test]
fn the_same_calls_give_the_same_state() {
    for seed in 1..=RUNS / 4 + 1 {
        let one = run(Params::default(), seed, STEPS, false);
        let two = run(Params::default(), seed, STEPS, false);
        assert!(one == two, "seed {seed}");
        assert_eq!(one.namespaces(), two.namespaces());
    }
}

#[test]
fn any_bytes_are_some_calls() {
    let mut random = Random(7);
    for length in 0..RUNS * 50 {
        let bytes: Vec<u8> = (0..length % 60).map(|_| u8::try_from(random.next() >> 56).unwrap()).collect();
        let (_, used) = Op::decode(&bytes);
        assert!(used <= bytes.len());
    }
}

#[test]
fn a_call_is_printed_as_it_is_read() {
    let mut random = Random(4711);
    for _ in 0..20_000 {
        let (op, _) = Op::decode(&random.bytes());
        let text = op.to_string();
        let script = format!("init: {text}");
        let Ok(nsproxy::scenario::Line::Call(call)) = nsproxy::scenario::Line::parse(&script) else {
            panic!("no call: {script}");
        };
        let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
        let read = Op::parse(&words, &|_| None).unwrap_or_else(|error| panic!("{script}: {error}"));
        assert_eq!(read, op, "{script}");
    }
}
