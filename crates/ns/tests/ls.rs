//! `ns ls` against namespaces that nothing but one thing keeps alive, by the
//! links that the kernel shows to the process that made them.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use namespaces::{Child, Kind, Kinds, Namespace, Process, Spawn, Stdio};
use serde_json::Value;
use testkit::{is_root, require_namespaces, require_root};

/// Names the scenario that this program is to play, when it runs as a helper.
const SCENARIO: &str = "NS_TEST_SCENARIO";

/// A process that keeps a namespace alive until it is dropped.
struct Helper {
    child: Child,
    /// What it printed: the link of the namespace, then what holds it.
    said: Vec<String>,
    _stdin: Option<std::fs::File>,
}

impl Helper {
    /// This program once more, playing `scenario`, with mounts of its own; and
    /// root in a user namespace, unless it is root anyway.
    fn play(scenario: &str) -> Helper {
        let mut spawn = Spawn::new(std::env::current_exe().unwrap());
        spawn.args(["--exact", "helper", "--nocapture", "--test-threads=1"]).env(SCENARIO, scenario);
        let kinds = Kinds::from(Kind::Mnt);
        if is_root() {
            spawn.unshare(kinds);
        } else {
            spawn.unshare(kinds.with(Kind::User)).map_root();
        }
        Helper::start(&mut spawn)
    }

    fn start(spawn: &mut Spawn) -> Helper {
        spawn.stdin(Stdio::Piped).stdout(Stdio::Piped).parent_death_signal(9);
        let mut child = spawn.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let said = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("helper: ").map(str::to_owned))
            .take_while(|line| line != "ready")
            .collect();
        let stdin = child.stdin.take();
        Helper { child, said, _stdin: stdin }
    }

    fn pid(&self) -> i64 {
        self.child.id().into()
    }

    /// The number it printed as its `i`th word.
    fn number(&self, i: usize) -> i64 {
        self.said[i].parse().unwrap()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(words: &[String]) {
    let mut out = std::io::stdout().lock();
    writeln!(out).unwrap();
    for word in words {
        writeln!(out, "helper: {word}").unwrap();
    }
    writeln!(out, "helper: ready").unwrap();
    out.flush().unwrap();
}

fn link(path: &str) -> String {
    std::fs::read_link(path).unwrap().to_str().unwrap().to_owned()
}

fn thread_link(kind: Kind) -> String {
    link(&format!("/proc/thread-self/ns/{kind}"))
}

/// Runs `closure` in a thread that has new namespaces of this kind, which it
/// leaves by ending.
fn apart<T: Send + 'static>(kind: Kind, closure: impl FnOnce(String) -> T + Send + 'static) -> T {
    let inside = move || {
        namespaces::unshare(kind).unwrap();
        closure(thread_link(kind))
    };
    std::thread::spawn(inside).join().unwrap()
}

/// Not a test: what the helper does. It ends when its input does.
#[test]
fn helper() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    // What is in here lives until the end.
    let mut kept: Vec<std::os::fd::OwnedFd> = Vec::new();
    match scenario.as_str() {
        "thread" => {
            std::thread::spawn(|| {
                namespaces::unshare(Kind::Uts).unwrap();
                let tid = rustix::thread::gettid().as_raw_pid();
                say(&[thread_link(Kind::Uts), tid.to_string()]);
                loop {
                    std::thread::park();
                }
            });
        }
        "fd" => {
            let (name, namespace) = apart(Kind::Ipc, |name| (name, Namespace::current(Kind::Ipc).unwrap()));
            say(&[name, namespace.as_fd().as_raw_fd().to_string()]);
            kept.push(namespace.into());
        }
        "socket" => {
            let (name, socket) =
                apart(Kind::Net, |name| (name, std::net::UdpSocket::bind("0.0.0.0:0").unwrap()));
            say(&[name, socket.as_raw_fd().to_string()]);
            kept.push(socket.into());
        }
        "mount" => {
            let dir = std::env::temp_dir().join(format!("ns ls {}", std::process::id()));
            std::fs::create_dir(&dir).unwrap();
            let none: Option<&std::ffi::CStr> = None;
            rustix::mount::mount("none", &dir, "tmpfs", rustix::mount::MountFlags::empty(), none).unwrap();
            let path = dir.join("uts");
            let at = path.clone();
            let name = apart(Kind::Uts, move |name| {
                namespaces::pin(&Namespace::current(Kind::Uts).unwrap(), at).unwrap();
                name
            });
            say(&[name, path.to_str().unwrap().to_owned(), link("/proc/self/ns/mnt")]);
        }
        "loose" => {
            // A namespace bound in a mount namespace that only a descriptor holds.
            let (names, namespace) = apart(Kind::Mnt, |mnt| {
                let none: Option<&std::ffi::CStr> = None;
                let dir = std::env::temp_dir();
                rustix::mount::mount("none", &dir, "tmpfs", rustix::mount::MountFlags::empty(), none)
                    .unwrap();
                let path = dir.join("uts");
                namespaces::unshare(Kind::Uts).unwrap();
                namespaces::pin(&Namespace::current(Kind::Uts).unwrap(), &path).unwrap();
                let path = path.to_str().unwrap().to_owned();
                ([thread_link(Kind::Uts), path, mnt], Namespace::current(Kind::Mnt).unwrap())
            });
            say(&names);
            kept.push(namespace.into());
        }
        "flight" => {
            let (name, namespace) = apart(Kind::Mnt, |name| (name, Namespace::current(Kind::Mnt).unwrap()));
            let (left, right) = std::os::unix::net::UnixDatagram::pair().unwrap();
            send(&left, &namespace);
            drop(namespace);
            say(&[name]);
            kept.extend([left.into(), right.into()]);
        }
        other => panic!("no scenario {other}"),
    }
    let _ = std::io::stdin().lines().count();
    drop(kept);
}

/// Sends a namespace over a socket, where it stays until somebody receives it.
fn send(socket: &std::os::unix::net::UnixDatagram, namespace: &Namespace) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [namespace.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    rustix::net::sendmsg(socket, &[std::io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
}

fn ns(args: &[&str]) -> std::process::Output {
    let output = Command::new(env!("CARGO_BIN_EXE_ns")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn ls(args: &[&str]) -> Value {
    let output = ns(&[&["ls", "--json"], args].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The entry with the link `name`.
fn entry<'a>(json: &'a Value, name: &str) -> &'a Value {
    let is_it = |n: &&Value| format!("{}:[{}]", n["kind"].as_str().unwrap(), n["ino"]) == name;
    json["namespaces"].as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("{name} in {json:#}"))
}

fn ino(name: &str) -> u64 {
    name.split(['[', ']']).nth(1).unwrap().parse().unwrap()
}

/// That nothing but `holder` keeps the first namespace alive that `helper` named.
fn assert_held(helper: &Helper, holder: &Value) {
    let only = Value::Array(vec![holder.clone()]);
    let json = (0..100).map(|_| ls(&[])).find(|json| entry(json, &helper.said[0])["holders"] == only);
    // Another `ns ls` beside this one opens what it finds, for a moment.
    let json = json.unwrap_or_else(|| ls(&[]));
    let found = entry(&json, &helper.said[0]);
    assert_eq!(found["holders"], only, "{found:#}");
    assert_eq!(found["processes"], 0);
    assert_eq!(found["pid"], Value::Null);
    let owner = ino(&link(&format!("/proc/{}/ns/user", helper.pid())));
    assert_eq!(found["owner"], owner, "{found:#}");
}

#[test]
fn held_by_a_thread() {
    require_namespaces!();
    let helper = Helper::play("thread");
    let holder = serde_json::json!({"type": "thread", "pid": helper.pid(), "tid": helper.number(1)});
    assert_held(&helper, &holder);
}

#[test]
fn held_by_a_descriptor() {
    require_namespaces!();
    let helper = Helper::play("fd");
    assert_held(&helper, &serde_json::json!({"type": "fd", "pid": helper.pid(), "fd": helper.number(1)}));
}

#[test]
fn held_by_a_socket() {
    require_namespaces!();
    let helper = Helper::play("socket");
    assert_held(&helper, &serde_json::json!({"type": "socket", "pid": helper.pid(), "fd": helper.number(1)}));
}

#[test]
fn held_by_a_mount_in_another_mount_namespace() {
    require_namespaces!();
    let helper = Helper::play("mount");
    assert_ne!(helper.said[2], link("/proc/self/ns/mnt"));
    let holder = serde_json::json!({"type": "mount", "mnt": ino(&helper.said[2]), "path": helper.said[1]});
    assert_held(&helper, &holder);
    let dir = std::path::Path::new(&helper.said[1]).parent().unwrap().to_owned();
    drop(helper);
    std::fs::remove_dir(dir).unwrap();
}

#[test]
fn held_by_a_mount_in_a_mount_namespace_without_a_process() {
    require_root!();
    let helper = Helper::play("loose");
    let holder = serde_json::json!({"type": "mount", "mnt": ino(&helper.said[2]), "path": helper.said[1]});
    assert_held(&helper, &holder);
}

#[test]
fn held_by_a_descriptor_in_flight() {
    require_root!();
    let helper = Helper::play("flight");
    assert_held(&helper, &serde_json::json!({"type": "unseen"}));
}

#[test]
fn held_by_a_child() {
    require_namespaces!();
    let mut spawn = Spawn::new("sh");
    let inner = "echo helper: $(readlink /proc/self/ns/user); echo helper: ready; read x";
    let outer = format!(
        "echo helper: $(readlink /proc/self/ns/user); exec unshare --user --map-root-user sh -c '{inner}'"
    );
    spawn.args(["-c", &outer]).unshare(Kind::User).map_root();
    let helper = Helper::start(&mut spawn);
    let json = ls(&[]);
    let (outer, inner) = (entry(&json, &helper.said[0]), entry(&json, &helper.said[1]));
    assert_eq!(outer["holders"], serde_json::json!([{"type": "child", "kind": "user", "ino": inner["ino"]}]));
    assert_eq!(outer["processes"], 0);
    assert_eq!(inner["owner"], outer["ino"]);
    assert_eq!(inner["parent"], outer["ino"]);
    assert_eq!(inner["pid"], helper.pid());
    assert_eq!(outer["owner_uid"], rustix::process::geteuid().as_raw());
}

#[test]
fn future_children_are_told_apart() {
    require_namespaces!();
    let mut spawn = Spawn::new("unshare");
    spawn.args(["--user", "--map-root-user", "--time", "sh", "-c"]);
    spawn.arg("echo helper: $(readlink /proc/$$/ns/time_for_children); echo helper: ready; read x");
    let helper = Helper::start(&mut spawn);
    let json = ls(&["--kind", "time"]);
    assert!(json["namespaces"].as_array().unwrap().iter().all(|n| n["kind"] == "time"));
    // util-linux may have put the program itself into it already.
    if link(&format!("/proc/{}/ns/time", helper.pid())) != helper.said[0] {
        let found = entry(&json, &helper.said[0]);
        let holder = serde_json::json!({"type": "for_children", "pid": helper.pid(), "tid": helper.pid()});
        assert_eq!(found["holders"], serde_json::json!([holder]));
    }
}

#[test]
fn a_source_that_is_switched_off_finds_nothing() {
    require_namespaces!();
    let helper = Helper::play("fd");
    let json = ls(&["--sources", "processes,threads,sockets,mounts,relatives"]);
    let names: Vec<u64> =
        json["namespaces"].as_array().unwrap().iter().filter_map(|n| n["ino"].as_u64()).collect();
    assert!(!names.contains(&ino(&helper.said[0])));
}

#[test]
fn my_own_eight_are_there() {
    let json = ls(&[]);
    let me = Process::current().unwrap();
    for kind in Kind::ALL {
        let found = entry(&json, &link(&format!("/proc/self/ns/{kind}")));
        assert!(found["processes"].as_u64().unwrap() >= 1);
        assert_eq!(found["ns_id"].as_u64(), me.namespace(kind).unwrap().id().ns_id);
    }
}

#[test]
fn what_is_unreadable_is_counted() {
    let readable = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/uts")).is_ok();
    let json = ls(&[]);
    // Pid 1 is there before and after.
    let unreadable = json["unreadable"]["processes"].as_u64().unwrap();
    if !readable("1") {
        assert!(unreadable >= 1 || json["unreadable"]["hidden"] == true);
        assert_eq!(json["complete"], false);
        let output = ns(&["ls"]);
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("unreadable: "));
    }
}

#[test]
fn a_proc_that_hides_processes_makes_the_answer_incomplete() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("ns");
    std::fs::copy(env!("CARGO_BIN_EXE_ns"), &copy).unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = "mount -o remount,hidepid=2 /proc && exec setpriv --reuid 1000 --regid 1000 --clear-groups \"$0\" ls --json";
    let output = ns(&["run", "--map", "0:0:65536", "--", "sh", "-c", script, copy.to_str().unwrap()]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["unreadable"]["hidden"], true);
    assert_eq!(json["complete"], false);
}

#[test]
fn a_pipe_gets_plain_uncut_text() {
    let long = "x".repeat(500);
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", "echo helper: ready; read x; exit", &long, "\x1b[31mred"]);
    if is_root() {
        spawn.unshare(Kind::Uts);
    } else {
        require_namespaces!();
        spawn.unshare(Kinds::from(Kind::Uts).with(Kind::User)).map_root();
    }
    let helper = Helper::start(&mut spawn);
    let output = ns(&["ls", "--flat", "--kind", "uts"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let name = link(&format!("/proc/{}/ns/uts", helper.pid()));
    let line = text.lines().find(|line| line.starts_with(&name)).unwrap();
    assert!(line.contains(&long), "{line}");
    assert!(line.ends_with("\\u{1b}[31mred"), "{line}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn the_tree_puts_what_is_owned_below_its_owner() {
    require_namespaces!();
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", "echo helper: ready; read x"]).unshare(Kinds::ALL).map_root();
    let helper = Helper::start(&mut spawn);
    let output = ns(&["ls"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let column = |kind: Kind| {
        let name = link(&format!("/proc/{}/ns/{kind}", helper.pid()));
        let line = text.lines().find(|line| line.contains(&name)).unwrap();
        line.chars().position(char::is_alphabetic).unwrap()
    };
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::User) {
        assert!(column(kind) > column(Kind::User), "{kind} in\n{text}");
    }
}

#[test]
fn processes_that_come_and_go_are_no_error() {
    let shell = || {
        let mut spawn = Spawn::new("sh");
        spawn.args(["-c", "echo helper: ready; while true; do (true); done"]);
        Helper::start(&mut spawn)
    };
    let _churn = [shell(), shell(), shell()];
    for _ in 0..30 {
        let json = ls(&[]);
        let found = entry(&json, &link("/proc/self/ns/user"));
        assert!(found["processes"].as_u64().unwrap() >= 2);
    }
}

#[test]
fn bad_arguments_are_refused() {
    for args in
        [&["ls", "--kind", "netz"][..], &["ls", "--sources", "x"], &["ls", "--sort", "x"], &["ls", "x"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_ns")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
    }
}
