//! Command lines made at random. The same seed makes the same ones.
//!
//! `LSNS_RANDOM` says how many, `LSNS_SEED` which.

use crate::peer::Peer;
use crate::run::{Words, compare};
use crate::world::World;

/// How many are compared in every run of the tests.
const USUAL: u64 = 150;

/// Numbers at random, as `SplitMix64` makes them.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True in so many cases of a hundred.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A command line in pieces, each of which can be left out.
type Pieces = Vec<Vec<String>>;

const COLUMNS: [&str; 13] = [
    "NS", "TYPE", "PATH", "NPROCS", "PID", "PPID", "COMMAND", "UID", "USER", "NETNSID", "NSFS", "PNS", "ONS",
];

fn pieces(random: &mut Random, peer: &Peer, world: &World) -> Pieces {
    let new = peer.is_at_least(2, 42);
    let mut pieces = Pieces::new();
    let mut add = |words: &[&str]| pieces.push(words.iter().map(|word| (*word).to_owned()).collect());
    // Where releases before 2.42 lay out in another way, words and JSON are the same.
    let json = random.percent(if new { 20 } else { 50 });
    let raw = !json && (!new || random.percent(15));
    if new && random.percent(50) {
        add(&[random.pick(&["@20", "@40", "@61", "@80", "@100", "@133", "@180", "@250", "@0"])]);
    }
    if random.percent(15) {
        add(&["LC_ALL=C"]);
    }
    if json && new && random.percent(30) {
        add(&["LIBSMARTCOLS_JSON=compact"]);
    }
    if json || raw {
        add(&[if json { "-J" } else { "-r" }]);
    }
    if random.percent(30) {
        add(&["-l"]);
    } else if random.percent(40) {
        // Before 2.42 the others list also what is not of the types asked for.
        let trees = ["--tree=process", "--tree=owner", "--tree=parent"];
        add(&[random.pick(if new { &trees } else { &trees[..1] })]);
    }
    for option in ["-n", "-u", "-W"] {
        if random.percent(15) {
            add(&[option]);
        }
    }
    if random.percent(50) {
        // JSON without the column where it is better than theirs.
        let columns = if json { &COLUMNS[..10] } else { &COLUMNS[..] };
        let list: Vec<&str> = (0..=random.below(5)).map(|_| random.pick(columns)).collect();
        let plus = if !json && random.percent(50) { "+" } else { "" };
        add(&["-o", &format!("{plus}{}", list.join(","))]);
    } else if !json && random.percent(20) {
        add(&["--output-all"]);
    }
    let types: &[&str] = if json {
        &["mnt", "ipc", "user", "pid", "uts", "cgroup", "time"]
    } else {
        &["mnt", "net", "ipc", "user", "pid", "uts", "cgroup", "time"]
    };
    for _ in 0..random.below(3) {
        add(&["-t", random.pick(types)]);
    }
    let of = random.pick(&["1001", "1002", "1003", "1004", "1005", "1008"]);
    if new && random.percent(10) {
        add(&["-P"]);
    } else if random.percent(20) {
        add(&["-p", &world.sleeper(of)]);
    } else if random.percent(15) {
        return in_namespace(random, world, pieces);
    }
    if new && random.percent(35) {
        pieces.push(vec!["-Q".to_owned(), expression(random)]);
    }
    pieces
}

/// Instead of trees, which mean nothing there, the operand. Not one that
/// `lsns` itself is in, whose pid is another each time.
fn in_namespace(random: &mut Random, world: &World, pieces: Pieces) -> Pieces {
    let (seconds, kind) =
        [("1003", "net"), ("1003", "ipc"), ("1005", "user"), ("1006", "pid"), ("1008", "uts")]
            [random.below(5)];
    let mut pieces: Pieces =
        pieces.into_iter().filter(|piece| !piece[0].starts_with("--tree") && piece[0] != "-t").collect();
    pieces.push(vec![world.inode(seconds, kind)]);
    pieces
}

fn expression(random: &mut Random) -> String {
    let literals =
        ["1", "5", "4026531837", "\"uts\"", "'root'", "true", "false", "1.5", "\"1\"", "1K", "\"\""];
    let patterns = ["^u", "s$", "[0-9]+", "sleep|sh", "", "(a|u).*s", "root", "x*", "[[:alpha:]]{3}"];
    let mut text = String::new();
    for i in 0..=random.below(3) {
        if i > 0 {
            text.push_str(random.pick(&[" and ", " or ", " && ", "||"]));
        }
        let operand = |random: &mut Random| {
            if random.percent(60) { random.pick(&COLUMNS) } else { random.pick(&literals) }
        };
        match random.below(5) {
            // What is negated is no text for them.
            0 => text += &[random.pick(&["", "!", "not "]), operand(random)].concat(),
            1 | 2 => {
                let sign = random.pick(&["=~", "!~"]);
                text += &[random.pick(&COLUMNS), " ", sign, " \"", random.pick(&patterns), "\""].concat();
            }
            _ => {
                let sign = random.pick(&["==", "!=", "<", "<=", ">", ">=", "eq", "gt"]);
                text += &[operand(random), " ", sign, " ", operand(random)].concat();
            }
        }
    }
    text
}

fn words(pieces: &Pieces) -> Words {
    let mut words = Words::default();
    for word in pieces.iter().flatten() {
        if let Some(columns) = word.strip_prefix('@') {
            words.columns = columns.parse().ok();
        } else if let Some((name, value)) = word.split_once('=').filter(|(name, _)| name.starts_with('L')) {
            words.env.push((name.to_owned(), value.to_owned()));
        } else {
            words.args.push(word.clone());
        }
    }
    words
}

/// Leaves out what the difference does not need, but for the form.
fn shrink(world: &World, peer: &Peer, mut pieces: Pieces) -> Pieces {
    let form = |piece: &Vec<String>| piece[0] == "-J" || piece[0] == "-r";
    pieces.sort_by_key(|piece| !form(piece));
    let mut i = pieces.iter().filter(|piece| form(piece)).count();
    while i < pieces.len() {
        let mut fewer = pieces.clone();
        fewer.remove(i);
        if compare(world, peer, &words(&fewer)).is_err() {
            pieces = fewer;
        } else {
            i += 1;
        }
    }
    pieces
}

/// Compares as many as are asked for.
pub fn compare_many(world: &World, peer: &Peer) {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
    };
    let seed = number("LSNS_SEED", 1);
    for i in 0..number("LSNS_RANDOM", USUAL) {
        let mut random = Random(seed << 32 | i);
        let pieces = pieces(&mut random, peer, world);
        if compare(world, peer, &words(&pieces)).is_err() {
            let words = words(&shrink(world, peer, pieces));
            let difference = compare(world, peer, &words).err().unwrap_or_default();
            panic!("{}, seed {seed}, number {i}: {}\n{difference}", peer.name(), words.show());
        }
    }
}
