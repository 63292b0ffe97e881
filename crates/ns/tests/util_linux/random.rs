//! Lines made at random, of options that mean something together.
//!
//! `NS_SEED` and `NS_LINES` say which and how many; a line that differs is
//! made as short as it can be and still differ.

use super::harness::{Answer, Fixture, Peer, differ, ours, peers, run};

/// A generator of numbers: xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

type Release = (u32, u32);

/// Words that go together, and the release that has them.
type Words = (&'static str, Release);

const ALWAYS: Release = (2, 38);

const KINDS: [Words; 8] = [
    ("-m", ALWAYS),
    ("-u", ALWAYS),
    ("-i", ALWAYS),
    ("--net", ALWAYS),
    ("-p", ALWAYS),
    ("-C", ALWAYS),
    ("-T", ALWAYS),
    ("-U", ALWAYS),
];

const UNSHARE: [Words; 46] = [
    ("-f", ALWAYS),
    ("--fork", ALWAYS),
    ("-r", ALWAYS),
    ("-c", ALWAYS),
    ("--map-root-user", ALWAYS),
    ("--map-user=5", ALWAYS),
    ("--map-group=6", ALWAYS),
    ("--map-user daemon", ALWAYS),
    ("--map-users=0:100:10", (2, 41)),
    ("--map-users=0:0:10", (2, 41)),
    ("--map-groups=0:0:10", (2, 41)),
    ("--map-groups=5:0:10", (2, 41)),
    ("--map-users=all", (2, 41)),
    ("--map-groups=all", (2, 41)),
    ("--owner=1:1", (2, 42)),
    ("--mount-proc", ALWAYS),
    ("--mount-proc=$D", ALWAYS),
    ("--mount-binfmt", (2, 41)),
    ("-l :a:M::x::/bin/true:", (2, 41)),
    ("-l :a:M::x::/bin/true:F", (2, 41)),
    ("--propagation=private", ALWAYS),
    ("--propagation=slave", ALWAYS),
    ("--propagation shared", ALWAYS),
    ("--propagation=unchanged", ALWAYS),
    ("-R /", ALWAYS),
    ("--root=/", ALWAYS),
    ("-w /usr", ALWAYS),
    ("--wd=usr/bin", ALWAYS),
    ("-w /nonexistent", ALWAYS),
    ("-R /nonexistent", ALWAYS),
    ("-S 0", ALWAYS),
    ("-S 5", ALWAYS),
    ("-G 0", ALWAYS),
    ("-G 6", ALWAYS),
    ("--setgroups=deny", ALWAYS),
    ("--setgroups=allow", ALWAYS),
    ("--keep-caps", ALWAYS),
    ("--monotonic=100", ALWAYS),
    ("--boottime 2000", ALWAYS),
    ("--kill-child", ALWAYS),
    ("--kill-child=TERM", ALWAYS),
    ("--forward-signals", (2, 42)),
    ("--uts=$D/file", (2, 42)),
    ("--ipc=$D/nofile", ALWAYS),
    ("--bogus", ALWAYS),
    ("-x", ALWAYS),
];

const TARGETS: [Words; 8] = [
    ("-t $T", ALWAYS),
    ("-t $T", ALWAYS),
    ("-t $T", ALWAYS),
    ("-t $N", ALWAYS),
    ("--target=$S", ALWAYS),
    ("-t $DEAD", ALWAYS),
    ("-t $T:$TI", (2, 42)),
    ("", ALWAYS),
];

const NSENTER: [Words; 26] = [
    ("-a", ALWAYS),
    ("-a", ALWAYS),
    ("-F", ALWAYS),
    ("--preserve-credentials", ALWAYS),
    ("-S 0", ALWAYS),
    ("-S 5", ALWAYS),
    ("-G 0", ALWAYS),
    ("-G 6", ALWAYS),
    ("-S follow", (2, 40)),
    ("-G follow", (2, 40)),
    ("-r", ALWAYS),
    ("--root=/", ALWAYS),
    ("-w", ALWAYS),
    ("--wd=/usr", ALWAYS),
    ("--wdns=/usr", ALWAYS),
    ("--wdns=/nonexistent", ALWAYS),
    ("-e", (2, 40)),
    ("--net=/proc/$N/ns/net", ALWAYS),
    ("--uts=/proc/$N/ns/uts", ALWAYS),
    ("--user=/proc/$T/ns/user", ALWAYS),
    ("--time=/proc/$T/ns/time", ALWAYS),
    ("--ipc=/proc/$N/ns/uts", ALWAYS),
    ("--mount=/nonexistent", ALWAYS),
    ("--user-parent", (2, 42)),
    ("--bogus", ALWAYS),
    ("-Z", ALWAYS),
];

const PROGRAMS: [&str; 8] = [
    "$PROBE",
    "$PROBE",
    "$PROBE",
    "-- $PROBE a b",
    "$PROBE mounts",
    "sh -c 'exit 7'",
    "no-such-program",
    "sh -c 'kill -TERM $$'",
];

/// A line in parts: the tool, options that can be left out, the program.
#[derive(Clone, Debug)]
struct Line {
    tool: &'static str,
    options: Vec<&'static str>,
    program: &'static str,
}

impl Line {
    fn make(random: &mut Random, release: Release) -> Line {
        let unshare = random.one_in(2);
        let mut options = Vec::new();
        let mut add = |(words, since): Words| {
            if since <= release && !words.is_empty() {
                options.push(words);
            }
        };
        if !unshare {
            add(random.pick(&TARGETS));
        }
        for _ in 0..random.below(4) {
            add(random.pick(&KINDS));
        }
        // As another user little goes without a user namespace.
        if random.one_in(2) {
            add(KINDS[7]);
        }
        for _ in 0..random.below(6) {
            add(if unshare { random.pick(&UNSHARE) } else { random.pick(&NSENTER) });
        }
        let tool = if unshare { "unshare" } else { "nsenter" };
        Line { tool, options, program: random.pick(&PROGRAMS) }
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.tool, self.options.join(" "), self.program)
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|words| words.starts_with(option))
    }

    /// Why a difference is none, if it is one that the page of differences has.
    fn explained(&self, release: Release, theirs: &Answer, ours: &Answer) -> Option<&'static str> {
        let keeps = self.has("--keep-caps");
        let enters_user = self.has("-U") || self.has("--user") || self.has("-a");
        if keeps && self.has("-S") && self.tool == "unshare" {
            return Some("--keep-caps goes with -S");
        }
        if release < (2, 41) && ours.said == "nsenter: no namespace specified" {
            return Some("before 2.41 a program was run without entering anything");
        }
        if ours.said == "nsenter: no target PID specified for --all" && theirs.status == ours.status {
            return Some("that --all lacks a target is said");
        }
        if self.tool == "nsenter" && self.has("-a") && theirs.said.starts_with("nsenter: reassociate") {
            return Some("what is the caller's own already needs no joining");
        }
        if ours.said == "nsenter: reassociate to namespace 'ns/ipc' failed: Invalid argument" {
            return Some("that a file is of another kind is found before anything is joined");
        }
        let both_fail = theirs.status == Some(1) && ours.status == Some(1);
        let before =
            ours.said.ends_with("_map: Invalid argument") || ours.said.ends_with("mutually exclusive");
        if self.tool == "unshare" && both_fail && before {
            return Some("what can't be is refused before anything is done");
        }
        if ours.said.starts_with("unshare: mount /proc/PID/ns/") && ours.status == Some(1) {
            return Some("the program does not run before its namespaces are bound");
        }
        let with_file =
            |option: &str| self.options.iter().any(|words| words.starts_with(&format!("{option}=")));
        let both = |bare: &str, long: &str| self.options.contains(&bare) && with_file(long);
        let same_kind =
            [("--net", "--net"), ("-u", "--uts"), ("-U", "--user"), ("-T", "--time"), ("-i", "--ipc")];
        if both("-r", "--root")
            || both("-w", "--wd")
            || release < (2, 41) && same_kind.iter().any(|(a, b)| both(a, b))
        {
            return Some("the last option of a kind counts");
        }
        let twice = |option: &str| self.options.iter().filter(|words| words.starts_with(option)).count() > 1;
        if self.tool == "nsenter"
            && ["-S", "-G"].into_iter().any(|o| twice(o) && self.has(&format!("{o} follow")))
        {
            return Some("the last of -S and of -G counts, also after follow");
        }
        if self.tool == "nsenter" && enters_user && self.has("--user") && theirs.status == Some(1) {
            return Some("a user namespace that is given is joined before the rest of the target's");
        }
        if theirs.status == ours.status && ours.status == Some(1) && self.has("--user-parent") {
            return Some("the parent is joined before the rest of the target's");
        }
        None
    }
}

/// Where ours differs from the peer's, both run anew.
fn difference(line: &Line, peer: &Peer, fixture: &Fixture) -> Option<String> {
    let text = line.text();
    let (theirs, mine) = (run(&peer.tools, &text, fixture), run(ours(), &text, fixture));
    if !mine.left.is_empty() {
        return Some(format!("  left behind: {:?}\n", mine.left));
    }
    let (theirs, mine) = (Answer::of(&theirs, fixture), Answer::of(&mine, fixture));
    // What is said is worded as the newest release words it.
    let found = differ(&theirs, &mine, peer.release >= (2, 42))?;
    line.explained(peer.release, &theirs, &mine).is_none().then_some(found)
}

/// The shortest line that still differs.
fn shrink(mut line: Line, mut found: String, peer: &Peer, fixture: &Fixture) -> (Line, String) {
    let mut i = 0;
    while i < line.options.len() {
        let mut shorter = line.clone();
        shorter.options.remove(i);
        match difference(&shorter, peer, fixture) {
            Some(still) => (line, found) = (shorter, still),
            None => i += 1,
        }
    }
    (line, found)
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn lines_at_random_come_to_the_same() {
    testkit::require_namespaces!();
    let seed = number("NS_SEED", 1);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let fixture = Fixture::new();
    let mut complaints = Vec::new();
    let count = number("NS_LINES", 200);
    for _ in 0..count {
        let Some(peer) = peers().get(random.below(peers().len().max(1))) else { break };
        let line = Line::make(&mut random, peer.release);
        // Twice, because what takes turns with other processes can differ by chance.
        let differs = difference(&line, peer, &fixture).and_then(|_| difference(&line, peer, &fixture));
        if let Some(found) = differs {
            let (line, found) = shrink(line, found, peer, &fixture);
            let (major, minor) = peer.release;
            complaints.push(format!("{} | beside util-linux {major}.{minor}:\n{found}", line.text()));
        }
    }
    println!("{count} lines at random beside {} peers, seed {seed}", peers().len());
    assert!(complaints.is_empty(), "\n{}", complaints.concat());
}
