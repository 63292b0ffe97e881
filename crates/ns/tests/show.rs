//! `ns show`, by what the kernel says through other ways.

use std::process::Command;

use namespaces::{Child, Kind, Kinds, Spawn, Stdio};
use serde_json::{Value, json};
use testkit::{is_root, require_namespaces};

/// A process that waits in new namespaces until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    /// All eight kinds, with a hostname and offsets.
    fn start() -> Sleeper {
        let mut spawn = Spawn::new("sh");
        spawn.args(["-c", "echo; read x"]).unshare(Kinds::ALL).map_root();
        spawn.hostname("box").domainname("example").monotonic(1000).boottime(2000).parent_death_signal(9);
        Sleeper::wait(&mut spawn)
    }

    fn wait(spawn: &mut Spawn) -> Sleeper {
        let mut child = spawn.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
        let mut line = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Sleeper(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn link(&self, kind: Kind) -> String {
        let path = format!("/proc/{}/ns/{kind}", self.0.id());
        std::fs::read_link(path).unwrap().to_str().unwrap().to_owned()
    }

    fn inside(&self, kind: Kind) -> Value {
        show(&self.link(kind))["inside"][kind.name()].clone()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ns(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_ns")).args(args).output().unwrap()
}

fn show(target: &str) -> Value {
    let output = ns(&["show", "--json", target]);
    assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ino(link: &str) -> u64 {
    link.split(['[', ']']).nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_process_and_its_eight_namespaces() {
    require_namespaces!();
    let sleeper = Sleeper::start();
    let json = show(&sleeper.pid());
    assert_eq!(json["command"], "sh -c echo; read x");
    assert_eq!(json["uid_map"], json!([[0, rustix::process::geteuid().as_raw(), 1]]));
    assert_eq!(json["pids"], json!([sleeper.0.id(), 1]));
    let setgroups = std::fs::read_to_string(format!("/proc/{}/setgroups", sleeper.pid())).unwrap();
    assert_eq!(json["setgroups"], setgroups.trim() == "allow");
    for (i, kind) in Kind::ALL.into_iter().enumerate() {
        let namespace = &json["namespaces"][i];
        assert_eq!(namespace["kind"], kind.name());
        assert_eq!(namespace["ino"], ino(&sleeper.link(kind)));
        assert_eq!(namespace["same"], false);
        assert_eq!(namespace["capabilities"], "all", "{kind}");
    }
}

#[test]
fn capabilities_follow_the_owner() {
    require_namespaces!();
    // Its own uts namespace is mine: in that it has nothing.
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", "echo; read x"]).unshare([Kind::User, Kind::Net]).map_root().parent_death_signal(9);
    let sleeper = Sleeper::wait(&mut spawn);
    let json = show(&sleeper.pid());
    for namespace in json["namespaces"].as_array().unwrap() {
        let inside = ["user", "net"].contains(&namespace["kind"].as_str().unwrap());
        assert_eq!(namespace["capabilities"], if inside { "all" } else { "none" }, "{namespace}");
        assert_eq!(namespace["same"], !inside);
    }
}

#[test]
fn what_is_inside() {
    require_namespaces!();
    let sleeper = Sleeper::start();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(sleeper.inside(Kind::User)["uid_map"], json!([[0, uid, 1]]));
    assert_eq!(sleeper.inside(Kind::Time), json!({"monotonic": [1000, 0], "boottime": [2000, 0]}));
    let pids = sleeper.inside(Kind::Pid);
    assert_eq!(pids["pids"], json!([sleeper.0.id()]));
    assert!(sleeper.inside(Kind::Net)["links"].as_array().unwrap().contains(&json!("lo")));
    let mounts = sleeper.inside(Kind::Mnt);
    let text = std::fs::read_to_string(format!("/proc/{}/mountinfo", sleeper.pid())).unwrap();
    assert_eq!(mounts["mounts"].as_array().unwrap().len(), text.lines().count());
    // Joining those takes a privilege over the caller's own user namespace too.
    if is_root() {
        assert_eq!(sleeper.inside(Kind::Uts), json!({"hostname": "box", "domainname": "example"}));
        let empty = json!({"message_queues": 0, "semaphore_sets": 0, "shared_memory": 0});
        assert_eq!(sleeper.inside(Kind::Ipc), empty);
        assert!(sleeper.inside(Kind::Cgroup)["root"].as_str().unwrap().starts_with('/'));
    }
}

#[test]
fn every_way_to_name_a_namespace_leads_there() {
    require_namespaces!();
    let sleeper = Sleeper::start();
    let pid = sleeper.pid();
    let first = show(&format!("{pid}:uts"));
    assert_eq!(first["ino"], ino(&sleeper.link(Kind::Uts)));
    assert_eq!(first["owner"], ino(&sleeper.link(Kind::User)));
    assert_eq!(first["owners"][0]["ino"], first["owner"]);
    let mut ways = vec![sleeper.link(Kind::Uts), first["ino"].to_string(), format!("/proc/{pid}/ns/uts")];
    if let Some(id) = first["ns_id"].as_u64() {
        ways.push(format!("id:{id}"));
    }
    for way in ways {
        assert_eq!(show(&way)["ns_id"], first["ns_id"], "{way}");
        assert_eq!(show(&way)["holders"], json!([{"type": "process", "pid": sleeper.0.id()}]), "{way}");
    }
}

#[test]
fn text_for_people() {
    require_namespaces!();
    let sleeper = Sleeper::start();
    let text = |target: &str| String::from_utf8(ns(&["show", target]).stdout).unwrap();
    let process = text(&sleeper.pid());
    assert!(process.contains(&sleeper.link(Kind::Net)) && process.contains("uid map"), "{process}");
    let time = text(&sleeper.link(Kind::Time));
    assert!(time.contains("monotonic   1000 s 0 ns"), "{time}");
    assert!(time.contains(&format!("held by     process {}", sleeper.pid())), "{time}");
}

#[test]
fn what_is_not_there_is_said_in_one_line() {
    let targets = [
        "4194304",
        "99999999999",
        "4294967295",
        "net:[1]",
        "no such command",
        "1:hostnam",
        "/",
        "/none",
        "1:1",
    ];
    for target in targets {
        let output = ns(&["show", target]);
        assert_eq!(output.status.code(), Some(1), "{target}");
        assert!(output.stdout.is_empty());
        let text = String::from_utf8(output.stderr).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("ns: ")), "{target}: {text}");
        let reason = |line: &str| line.is_empty() || line.starts_with("    ");
        assert!(lines.all(reason), "below stands nothing but why: {target}: {text}");
    }
}
