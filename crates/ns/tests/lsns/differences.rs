//! What ours does otherwise, on purpose: each entry on `lsns` in
//! `DIFFERENCES.md` has its test here.

use std::path::Path;

use namespaces::{Kind, Spawn, Stdio};
use serde_json::Value;
use testkit::{is_root, require_namespaces, require_root};

use crate::run::{Outcome, Words, run};
use crate::world::World;

fn lsns(world: &World, line: &str) -> Outcome {
    run(world, &world.ours(), &Words::parse(line, world))
}

/// What is printed, which must succeed.
fn list(world: &World, line: &str) -> String {
    let outcome = lsns(world, line);
    assert_eq!((outcome.status, outcome.complaint.as_str()), (Some(0), ""), "{line}");
    String::from_utf8(outcome.stdout).unwrap()
}

fn json(world: &World, line: &str) -> Vec<Value> {
    let text = list(world, line);
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    value["namespaces"].as_array().unwrap().clone()
}

/// The complaint about a line that is refused with status 1 and no output.
fn refused(world: &World, line: &str) -> String {
    let outcome = lsns(world, line);
    assert_eq!((outcome.status, outcome.stdout.as_slice()), (Some(1), &b""[..]), "{line}");
    outcome.complaint
}

/// Not a test: a thread with a namespace of its own, when this program is
/// started once more for that.
#[test]
fn helper() {
    if std::env::var_os("LSNS_TEST_THREAD").is_none() {
        return;
    }
    std::thread::spawn(|| {
        namespaces::unshare(Kind::Uts).unwrap();
        let link = std::fs::read_link("/proc/thread-self/ns/uts").unwrap();
        println!("\nhelper: {}", link.display());
        std::thread::sleep(std::time::Duration::from_secs(1000));
    });
    std::thread::sleep(std::time::Duration::from_secs(1000));
}

#[test]
fn a_namespace_of_a_thread_alone_is_listed() {
    require_namespaces!();
    let world = World::plain();
    let mut helper = world.command(&std::env::current_exe().unwrap());
    helper.args(["--exact", "differences::helper", "--nocapture"]).env("LSNS_TEST_THREAD", "1");
    let mut helper = helper.stdout(Stdio::Piped).parent_death_signal(9).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(helper.stdout.take().unwrap()));
    let name = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("helper: ").map(str::to_owned));
    let ino: String = name.unwrap().chars().filter(char::is_ascii_digit).collect();
    let text = list(&world, "-P -t uts -n -o NS,NPROCS,PID");
    helper.kill().unwrap();
    helper.wait().unwrap();
    assert!(text.lines().any(|line| line.split_whitespace().eq([ino.as_str(), "0"])), "{ino} in {text}");
}

#[test]
fn json_has_every_file_that_a_namespace_is_bound_to() {
    require_namespaces!();
    let world = World::full();
    let all = json(&world, "-J -l -t net -o NSFS");
    assert!(all.iter().any(|line| line["nsfs"] == "/mnt/a\n/mnt/b\n/mnt/c d"), "{all:?}");
}

#[test]
fn json_is_valid_whatever_a_command_line_holds() {
    require_namespaces!();
    let world = World::plain();
    world.ask(
        "perl -e 'exec { \"sleep\" } \"x\\xff\\x01\\\"y\", 500' >/dev/null 2>&1 & \
         until grep -aq ^x /proc/$!/cmdline; do :; done",
    );
    let all = json(&world, "-J {ipc 1008}");
    assert!(!all.is_empty());
    let ino = world.ask("readlink /proc/1/ns/pid | tr -dc 0-9");
    let text = list(&world, &format!("-J -l {ino}"));
    let all: Value = serde_json::from_str(&text).unwrap();
    let commands = all["namespaces"].as_array().unwrap().iter().map(|line| line["command"].as_str().unwrap());
    assert!(commands.clone().any(|command| command == "x\u{fffd}\u{1}\"y 500"), "{text}");
}

#[test]
fn json_lines_are_valid_also_with_children() {
    require_namespaces!();
    let world = World::plain();
    let text = list(&world, "LIBSMARTCOLS_JSON=lines -J");
    let children = |line: &str| serde_json::from_str::<Value>(line).unwrap()["children"].is_array();
    assert!(text.lines().any(children), "{text}");
}

#[test]
fn json_can_be_flat_with_the_same_keys_in_every_line() {
    require_namespaces!();
    let world = World::full();
    for line in json(&world, "-J -l") {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["command", "nprocs", "ns", "pid", "type", "user"]);
    }
}

#[test]
fn a_namespace_without_a_process_belongs_to_its_owner() {
    require_root!();
    let world = World::plain();
    // Made by another user, and held by a descriptor of the shell.
    let script = format!(
        "setpriv --reuid 4321 --regid 4321 --clear-groups unshare -Uu sleep 500 & \
         while ! [ \"$(readlink /proc/$!/ns/uts)\" != \"$(readlink /proc/self/ns/uts)\" ]; do :; done; \
         exec 9</proc/$!/ns/uts; {{ kill $!; wait $!; }} 2>/dev/null; readlink /proc/self/fd/9 | tr -dc '0-9\\n'; \
         {} -P -n -t uts -o NS,UID,USER",
        world.ours().display()
    );
    let text = world.ask(&script);
    let (ino, list) = text.split_once('\n').unwrap();
    let line = list.lines().find(|line| line.contains(ino)).unwrap_or_else(|| panic!("{ino} in {text}"));
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [ino, "4321", "4321"]);
}

#[test]
fn an_owner_that_may_not_be_known_is_nobody_and_not_root() {
    require_root!();
    let world = World::full();
    let script = format!("unshare -Ur {} -P -r -n -t uts -o NSFS,UID,USER", world.ours().display());
    // Three cells, of which the last two are empty.
    assert!(world.ask(&script).lines().any(|line| line == "/mnt/u"), "{}", world.ask(&script));
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    require_namespaces!();
    let world = World::plain();
    assert_eq!(refused(&world, "-p 99999"), "lsns: there is no process 99999");
    assert_eq!(refused(&world, "-p 99999 --tree=owner"), "lsns: there is no process 99999");
}

#[test]
fn a_list_is_no_tree() {
    require_namespaces!();
    let world = World::plain();
    assert_eq!(refused(&world, "-l -T"), "lsns: options --list and --tree cannot be combined");
    assert_eq!(refused(&world, "--tree=owner -l"), "lsns: options --tree and --list cannot be combined");
}

#[test]
fn the_processes_of_a_namespace_can_be_filtered() {
    require_namespaces!();
    let world = World::plain();
    let text = list(&world, "{user 1005} -n -o COMMAND -Q 'COMMAND =~ \"^sleep\"'");
    assert_eq!(text, "sleep 1004\nsleep 1005\n");
}

#[test]
fn a_filter_with_a_character_of_no_meaning_is_refused() {
    require_namespaces!();
    let world = World::plain();
    for (line, message) in [
        ("-Q 'NS @'", "failed to parse \"NS @\": unexpected character '@'"),
        ("-Q '-1'", "failed to parse \"-1\": unexpected character '-'"),
        (
            "-Q 'NS =~ TYPE'",
            "failed to parse \"NS =~ TYPE\": a regular expression must be a string in quotes",
        ),
        ("-Q 'TYPE =~ \"(s)\\1\"'", "failed to parse \"TYPE =~ \"(s)\\1\"\": Invalid back reference"),
    ] {
        assert_eq!(refused(&world, line), format!("lsns: {message}"));
    }
}

#[test]
fn a_truth_value_is_a_text_too() {
    require_namespaces!();
    let world = World::plain();
    assert_eq!(list(&world, "-n -t time -o TYPE -Q '!PID =~ \"false\"'"), "time\n");
}

#[test]
fn an_empty_column_name_is_named_as_such() {
    require_namespaces!();
    let world = World::plain();
    for line in ["-o ''", "-o NS,,TYPE", "-o +"] {
        assert_eq!(refused(&world, line), "lsns: a column name is missing in the list of --output");
    }
}

#[test]
fn the_name_of_a_locale_is_believed() {
    require_namespaces!();
    let world = World::plain();
    assert!(list(&world, "LC_ALL=xx_XX.UTF-8").contains('└'));
    assert!(!list(&world, "LC_ALL=xx_XX").contains('└'));
}

#[test]
fn the_columns_are_described_in_other_words() {
    require_namespaces!();
    let world = World::plain();
    let first_two = |line: &str| -> Vec<Vec<String>> {
        let text = String::from_utf8(run(&world, &world.ours(), &Words::parse(line, &world)).stdout).unwrap();
        text.lines().map(|line| line.split_whitespace().take(2).map(str::to_owned).collect()).collect()
    };
    let columns = first_two("-H");
    assert_eq!(columns.len(), 13);
    assert_eq!(columns[0], ["NS", "<integer>"]);
    assert_eq!(columns[9], ["NETNSID", "<string>"]);
    assert_eq!(first_two("-H -r"), columns);
    let text = list(&world, "-H -J");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["lsns-columns"][12]["holder"], "ONS");
    assert_eq!(all["lsns-columns"][12]["type"], "<integer>");
}

/// The files below `/proc/PID` of other processes that a run opens or reads
/// links of.
fn looked_at(world: &World, arguments: &str) -> usize {
    let script = format!(
        "strace -qq -e trace=openat,readlinkat,statx,newfstatat -o /mnt/trace {} {arguments} >/dev/null; \
         grep -cE '\"(/proc/)?[0-9]+/' /mnt/trace",
        world.ours().display()
    );
    world.ask(&script).parse().unwrap()
}

#[test]
fn one_process_is_read_alone_if_nothing_of_others_is_shown() {
    require_namespaces!();
    let world = World::plain();
    let pid = world.sleeper("1003");
    let alone = looked_at(&world, &format!("-p {pid} -l -o NS,TYPE,NSFS,NETNSID"));
    assert!(alone <= 12, "{alone}");
    // With how many others there are: their links, but not their descriptors.
    let some = looked_at(&world, &format!("-p {pid} -t net"));
    let all = looked_at(&world, "");
    assert!(some * 5 < all, "{some} of {all}");
}

#[test]
fn a_process_that_vanishes_ends_nothing() {
    require_namespaces!();
    let world = World::plain();
    let runs = std::env::var("LSNS_CHURN").map_or(100, |runs| runs.parse().unwrap());
    let churn = "trap 'kill $a $b' EXIT; (while :; do /bin/true; done) & a=$!; \
                 (while :; do unshare -u sh -c 'for i in 1 2 3 4 5 6 7 8; do (:) & done; wait'; done) & b=$!; \
                 echo on; read line";
    let mut shell: Spawn = world.command(Path::new("/bin/sh"));
    shell.args(["-c", churn]).stdin(Stdio::Piped).stdout(Stdio::Piped).stderr(Stdio::Null);
    shell.parent_death_signal(9);
    let mut shell = shell.spawn().unwrap();
    std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
    for _ in 0..runs {
        let text = list(&world, "-r -n -o NPROCS,PID");
        assert!(text.lines().count() > 10, "{text}");
        let without_pid =
            |line: &&str| line.trim() == line.split(' ').next().unwrap_or("") && !line.starts_with('0');
        assert_eq!(text.lines().find(without_pid), None, "{text}");
    }
    drop(shell.stdin.take());
    shell.wait().unwrap();
}

#[test]
fn it_is_called_as_a_subcommand_too() {
    require_namespaces!();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_ns")).args(["lsns", "-n", "-t", "user"]).output();
    let output = output.unwrap();
    assert!(output.status.success());
    let mine = std::fs::read_link("/proc/self/ns/user").unwrap();
    let ino: String = mine.to_str().unwrap().chars().filter(char::is_ascii_digit).collect();
    assert!(String::from_utf8(output.stdout).unwrap().contains(&ino), "as root: {}", is_root());
}

/// How many system calls a listing makes, but for those on single descriptors
/// (`statx`), and those with which a debug build looks at itself (`fcntl`).
fn calls(world: &World) -> usize {
    let script = format!(
        "strace -qq -o /mnt/trace {} >/dev/null; grep -cvE '^(statx|fcntl)' /mnt/trace",
        world.ours().display()
    );
    world.ask(&script).parse().unwrap()
}

/// How many processes more.
const COUNT: usize = 20;

/// To open, read and close the directory of descriptors, which are counted apart.
const OF_DESCRIPTORS: usize = 3;

#[test]
fn a_process_takes_nine_system_calls_and_a_namespace_ten() {
    require_namespaces!();
    let world = World::plain();
    let few = calls(&world);
    let wait = |count: usize| {
        let all = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o 'sleep 500' | wc -l";
        while world.ask(all).parse::<usize>().unwrap() < count {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let start = |command: &str| {
        world.ask(&format!("for i in $(seq {COUNT}); do {command} sleep 500 <&- >&- 2>&- & done"))
    };
    start("");
    wait(COUNT);
    let more = calls(&world);
    start("unshare -u");
    wait(2 * COUNT);
    let most = calls(&world);
    // A directory of /proc is read in pieces, and memory is asked for.
    let slack = 10;
    assert!(more - few <= (9 + OF_DESCRIPTORS) * COUNT + slack, "{few}, {more}");
    assert!(most - more <= (9 + OF_DESCRIPTORS + 10) * COUNT + slack, "{more}, {most}");
}

/// Each line that is said to be better stands in the page by its reason, and each test of the page
/// is there.
#[test]
fn the_page_has_every_difference() {
    let page = include_str!("../../DIFFERENCES.md");
    let table = page.split("\n## ").find_map(|part| part.strip_prefix("lsns\n")).unwrap();
    let cell = |line: &'static str| line.trim_end().strip_suffix('|')?.rsplit('|').next().map(str::trim);
    let tests: Vec<&str> =
        table.lines().filter_map(cell).filter(|cell| cell.starts_with(['"', '`'])).collect();
    let reasons: Vec<&str> = crate::cases::all().filter_map(|case| case.better).collect();
    assert!(!reasons.is_empty());
    for reason in &reasons {
        let quoted = format!("\"{reason}\"");
        assert!(tests.iter().any(|named| named.contains(&quoted)), "no row of the page has {quoted}");
    }
    for named in tests.iter().flat_map(|named| named.split(", ")) {
        let there = match named.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            Some(name) => include_str!("differences.rs").contains(&format!("\nfn {name}()")),
            None => reasons.iter().any(|reason| named == format!("\"{reason}\"")),
        };
        assert!(there, "the page names a test {named} that is not there");
    }
}
