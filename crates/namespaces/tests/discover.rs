//! The search for namespaces, against the links that the kernel shows.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd};

use namespaces::discover::{Discovery, Found, Holder, Name, Relation, Source, Sources, System};
use namespaces::{Child, Kind, Kinds, Namespace, Spawn, Stdio};
use testkit::{require_namespaces, require_root};

/// A process that waits in new namespaces until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start(kinds: impl Into<Kinds>) -> Sleeper {
        let kinds = kinds.into();
        let mut spawn = Spawn::new("sh");
        spawn.args(["-c", "echo; read x"]).unshare(kinds).parent_death_signal(9);
        if kinds.contains(Kind::User) {
            spawn.map_root();
        }
        let mut child = spawn.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
        // The program runs: it can't become another process any more.
        let mut line = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Sleeper(child)
    }

    fn name(&self, kind: Kind) -> Name {
        link(&format!("/proc/{}/ns/{kind}", self.0.id()))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn link(path: &str) -> Name {
    std::fs::read_link(path).unwrap().to_str().unwrap().parse().unwrap()
}

fn scan() -> System {
    Discovery::new().scan().unwrap()
}

fn get(system: &System, name: Name) -> &Found {
    system.get(name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn eight_new_namespaces_are_found_with_owner_and_parent() {
    require_namespaces!();
    let sleeper = Sleeper::start(Kinds::ALL);
    let system = scan();
    let user = sleeper.name(Kind::User);
    for kind in Kind::ALL {
        let found = get(&system, sleeper.name(kind));
        assert_eq!(found.pid, Some(sleeper.0.id()));
        assert_eq!(found.processes, 1);
        assert_eq!(found.owner_uid, Some(rustix::process::geteuid().as_raw()));
        let mine = Relation::To(link(&format!("/proc/self/ns/{kind}")));
        match kind {
            Kind::User => assert_eq!((found.owner, found.parent), (mine, mine)),
            Kind::Pid => assert_eq!((found.owner, found.parent), (Relation::To(user), mine)),
            _ => assert_eq!((found.owner, found.parent), (Relation::To(user), Relation::None)),
        }
        let direct = sleeper.0.process().namespace(kind).unwrap();
        assert_eq!(found.ns_id, direct.id().ns_id);
        assert_eq!(system.open(found.name).unwrap(), direct);
        assert_eq!(system.command(sleeper.0.id()), Some(&b"sh\0-c\0echo; read x"[..]));
    }
}

#[test]
fn counts_are_those_of_proc() {
    require_namespaces!();
    // A namespace of this test alone: others come and go.
    let sleepers = [Sleeper::start(Kind::User), Sleeper::start(Kind::User)];
    let system = scan();
    for sleeper in &sleepers {
        let mut count: HashMap<Name, u32> = HashMap::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let path = format!("/proc/{}/ns/user", entry.file_name().display());
            if let Ok(text) = std::fs::read_link(path) {
                *count.entry(text.to_str().unwrap().parse().unwrap()).or_default() += 1;
            }
        }
        let name = sleeper.name(Kind::User);
        assert_eq!(get(&system, name).processes, count[&name]);
    }
}

#[test]
fn what_is_found_is_there_once() {
    let system = scan();
    let names: HashSet<Name> = system.iter().map(|found| found.name).collect();
    assert_eq!(names.len(), system.len());
    for found in &system {
        assert!(!found.holders.is_empty());
        assert_eq!(found.pid.is_some(), found.processes > 0);
        assert_eq!(system.by_inode(found.name.ino).map(|f| f.name).collect::<Vec<_>>(), [found.name]);
        if let Some(id) = found.ns_id {
            assert_eq!(system.by_id(id).unwrap().name, found.name);
        }
    }
}

#[test]
fn own_descriptors_are_holders_and_those_of_the_search_are_not() {
    let held = Namespace::current(Kind::Cgroup).unwrap();
    let me = rustix::process::getpid().as_raw_pid();
    let mine = |holder: &Holder| match holder {
        Holder::Fd { pid, fd } if *pid == me => Some(*fd),
        _ => None,
    };
    let system = scan();
    let fds: Vec<i32> = get(&system, Name::from(&held)).holders.iter().filter_map(mine).collect();
    assert!(fds.contains(&held.as_fd().as_raw_fd()), "{fds:?}");
}

#[test]
fn kinds_restrict_the_search() {
    let system = Discovery::new().kinds(Kind::Net).scan().unwrap();
    // Besides those asked for there are only those that own them.
    assert!(system.iter().all(|found| matches!(found.name.kind, Kind::Net | Kind::User)));
    assert!(system.get(link("/proc/self/ns/net")).is_some());
}

#[test]
fn without_relatives_nobody_is_asked() {
    let sources = Sources::ALL.without(Source::Relatives).without(Source::Kernel);
    let system = Discovery::new().sources(sources).scan().unwrap();
    let found = get(&system, link("/proc/self/ns/uts"));
    assert_eq!(found.owner, Relation::Unknown);
    assert_eq!(found.parent, Relation::None);
}

#[test]
fn no_source_finds_nothing() {
    let system = Discovery::new().sources(Sources::EMPTY).scan().unwrap();
    assert!(system.is_empty());
    assert!(system.unreadable().is_empty());
}

#[test]
fn a_namespace_that_is_gone_is_not_opened() {
    require_namespaces!();
    let sleeper = Sleeper::start([Kind::User, Kind::Uts]);
    let name = sleeper.name(Kind::Uts);
    let system = scan();
    assert!(system.open(name).is_ok());
    drop(sleeper);
    assert!(system.open(name).is_err());
    assert!(system.open(Name::new(Kind::Uts, 1)).is_err());
}

#[test]
fn a_hidden_parent_can_be_opened_through_its_child() {
    require_namespaces!();
    let mut spawn = Spawn::new("unshare");
    spawn.args(["--user", "--map-root-user", "sh", "-c", "echo; read x"]);
    spawn.unshare(Kind::User).map_root().parent_death_signal(9);
    let mut sleeper = Sleeper(spawn.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap());
    let mut line = [0];
    std::io::Read::read_exact(sleeper.0.stdout.as_mut().unwrap(), &mut line).unwrap();
    let system = scan();
    let inner = get(&system, sleeper.name(Kind::User));
    let outer = get(&system, inner.parent.name().unwrap());
    assert_eq!((outer.processes, &outer.holders), (0, &vec![Holder::Child(inner.name)]));
    assert_eq!(Name::from(&system.open(outer.name).unwrap()), outer.name);
}

#[test]
fn every_mount_namespace_of_the_kernel_is_found() {
    require_root!();
    let _sleeper = Sleeper::start(Kind::Mnt);
    let system = scan();
    let mut at = Some(Namespace::current(Kind::Mnt).unwrap());
    let mut seen = 0;
    while let Some(namespace) = at {
        seen += usize::from(system.get(Name::from(&namespace)).is_some());
        at = namespace.next_mnt().unwrap();
    }
    // Those of other tests may have come since, those of this one may not be missing.
    assert!(seen >= 2);
}

#[test]
fn an_ordinary_user_learns_what_is_missing() {
    let system = scan();
    let unreadable = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()))
        .filter(|entry| {
            let denied = std::fs::read_link(entry.path().join("ns/net"))
                .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
            denied && entry.path().exists()
        })
        .count();
    // Others start and end between the two looks.
    let counted = system.unreadable().processes as usize;
    assert!(counted.abs_diff(unreadable) <= 5, "{counted} counted, {unreadable} seen");
}
