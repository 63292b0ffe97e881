//! Namespaces by every way to get hold of one, compared with what `/proc` shows.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use namespaces::{Errno, Error, Kind, Kinds, Namespace, Process, Spawn, Stdio, unshare};
use testkit::{require_namespaces, require_root};

fn link(pid: &str, name: &str) -> String {
    std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().to_str().unwrap().to_owned()
}

/// A program that waits in all eight kinds, until dropped.
fn target() -> namespaces::Child {
    let mut spawn = Spawn::new("cat");
    spawn.unshare(Kinds::ALL).map_root().stdin(Stdio::Piped).stdout(Stdio::Null).hostname("target");
    let child = spawn.spawn().unwrap();
    ran(&child);
    child
}

/// Waits until `execve` is over: the kernel lets the caller go on when the new
/// memory is in place, and sets the name and the time namespace just after.
fn ran(child: &namespaces::Child) {
    let name = || std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
    while name() != "cat\n" {
        std::thread::yield_now();
    }
}

#[test]
fn the_same_namespace_by_every_way() {
    require_namespaces!();
    let mut child = target();
    let pid = child.id().to_string();
    for kind in Kind::ALL {
        let shown = link(&pid, kind.name());
        let by_process = child.process().namespace(kind).unwrap();
        let by_path = Namespace::open(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let by_thread = Namespace::of_thread(child.id(), kind).unwrap();
        let by_fd = Namespace::from_fd(by_path.as_fd().try_clone_to_owned().unwrap()).unwrap();
        for namespace in [&by_process, &by_path, &by_thread, &by_fd] {
            assert_eq!(namespace.to_string(), shown);
            assert_eq!(namespace.kind(), kind);
            assert_eq!(*namespace, by_path);
        }
        assert_ne!(by_process, Namespace::current(kind).unwrap());
        if let Some(ns_id) = by_path.id().ns_id {
            match Namespace::from_id(kind, ns_id, by_path.id().ino) {
                Ok(by_id) => assert_eq!(by_id, by_path),
                // Some releases let only the system's own root open by id.
                Err(error) => assert_eq!(error.errno(), Some(Errno::ESTALE), "{error}"),
            }
            assert!(Namespace::from_id(kind, u64::MAX - 1, by_path.id().ino).is_err());
        }
    }
    child.wait().unwrap();
}

#[test]
fn a_namespace_by_id_outlives_no_handle() {
    require_root!();
    let mut child = target();
    let uts = child.process().namespace(Kind::Uts).unwrap();
    let id = uts.id();
    let Some(ns_id) = id.ns_id else { return };
    assert_eq!(Namespace::from_id(Kind::Uts, ns_id, id.ino).unwrap(), uts);
    drop(uts);
    child.wait().unwrap();
    assert_eq!(Namespace::from_id(Kind::Uts, ns_id, id.ino).unwrap_err().errno(), Some(Errno::ESTALE));
}

#[test]
fn owner_parent_and_owner_uid() {
    require_namespaces!();
    let mut child = target();
    let process = child.process();
    let user = process.namespace(Kind::User).unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::User) {
        let namespace = process.namespace(kind).unwrap();
        assert_eq!(namespace.owner().unwrap(), user, "owner of {kind}");
        assert_eq!(namespace.owner_uid().unwrap_err().errno(), Some(Errno::EINVAL));
        if kind != Kind::Pid {
            assert_eq!(namespace.parent().unwrap_err().errno(), Some(Errno::EINVAL));
        }
    }
    assert_eq!(user.owner().unwrap(), Namespace::current(Kind::User).unwrap());
    assert_eq!(user.parent().unwrap(), Namespace::current(Kind::User).unwrap());
    assert_eq!(user.owner_uid().unwrap(), rustix::process::geteuid().as_raw());
    let pid = process.namespace(Kind::Pid).unwrap();
    assert_eq!(pid.parent().unwrap(), Namespace::current(Kind::Pid).unwrap());
    child.wait().unwrap();
}

#[test]
fn pids_translate_both_ways() {
    require_namespaces!();
    let mut child = target();
    let inside = child.process().namespace(Kind::Pid).unwrap();
    match inside.pid_to_caller(1) {
        Err(Error::NoProcess { .. }) if inside.pid_from_caller(child.id()).is_err() => return, // before Linux 6.11
        pid => assert_eq!(pid.unwrap(), child.id()),
    }
    assert_eq!(inside.pid_from_caller(child.id()).unwrap(), 1);
    assert!(inside.pid_from_caller(rustix::process::getpid().as_raw_pid()).is_err());
    assert!(inside.pid_to_caller(4_000_000).is_err());
    let uts = child.process().namespace(Kind::Uts).unwrap();
    assert!(uts.pid_to_caller(1).is_err());
    child.wait().unwrap();
}

#[test]
fn the_namespace_of_a_socket() {
    require_root!();
    let socket = std::thread::spawn(|| {
        unshare(Kind::Net).unwrap();
        (std::net::UdpSocket::bind("0.0.0.0:0").unwrap(), link("thread-self", "net"))
    });
    let (socket, shown) = socket.join().unwrap();
    let namespace = Namespace::of_socket(&socket).unwrap();
    assert_eq!(namespace.to_string(), shown);
    assert!(Namespace::of_socket(std::fs::File::open("/dev/null").unwrap()).is_err());
}

#[test]
fn threads_of_one_process_can_be_apart() {
    require_root!();
    let (send, receive) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        unshare(Kind::Uts).unwrap();
        send.send(rustix::thread::gettid().as_raw_pid()).unwrap();
        let _ = wait.recv();
    });
    let tid = receive.recv().unwrap();
    let theirs = Namespace::of_thread(tid, Kind::Uts).unwrap();
    assert_ne!(theirs, Process::current().unwrap().namespace(Kind::Uts).unwrap());
    assert_eq!(theirs.to_string(), link(&format!("self/task/{tid}"), "uts"));
    drop(done);
    thread.join().unwrap();
}

#[test]
fn what_is_no_namespace_is_refused() {
    let not_namespace = |path: &str| matches!(Namespace::open(path), Err(Error::NotNamespace { .. }));
    assert!(not_namespace("/etc/passwd"));
    assert!(not_namespace("/proc/self/status"));
    assert!(not_namespace("/proc/self/ns"));
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // And without waiting for a writer.
    assert!(not_namespace(fifo.to_str().unwrap()));
    assert_eq!(Namespace::open("/no/such").unwrap_err().errno(), Some(Errno::ENOENT));
    let uts = Namespace::current(Kind::Uts).unwrap();
    assert!(matches!(
        uts.expect(Kind::Net),
        Err(Error::WrongKind { expected: Kind::Net, found: Kind::Uts, .. })
    ));
}

#[test]
fn a_closure_runs_within() {
    require_root!();
    let mut child = target();
    let process = child.process();
    let before = Kind::ALL.map(|kind| link("thread-self", kind.name()));
    let hostname = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(process.namespace(Kind::Uts).unwrap().within(hostname).unwrap(), "target\n");
    for kind in [Kind::Cgroup, Kind::Ipc, Kind::Mnt, Kind::Net] {
        let namespace = process.namespace(kind).unwrap();
        // /proc of another mount namespace shows the same processes here: pid is not joined.
        let seen = namespace.within(|| link("thread-self", kind.name())).unwrap();
        assert_eq!(seen, namespace.to_string());
    }
    for kind in [Kind::User, Kind::Pid, Kind::Time] {
        let refused = process.namespace(kind).unwrap().within(|| ());
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
    let panicked = process.namespace(Kind::Uts).unwrap().within(|| panic!("on purpose"));
    assert!(matches!(panicked, Err(Error::Panicked)));
    assert_eq!(Kind::ALL.map(|kind| link("thread-self", kind.name())), before);
    child.wait().unwrap();
}

#[test]
fn capabilities_follow_ownership() {
    require_namespaces!();
    let mut child = target();
    let me = Process::current().unwrap();
    for kind in [Kind::User, Kind::Net] {
        let theirs = child.process().namespace(kind).unwrap();
        let capabilities = me.capabilities_in(&theirs).unwrap().unwrap();
        assert!(capabilities.contains(namespaces::Capabilities::SYS_ADMIN));
    }
    let effective = me.credentials().unwrap().effective;
    let mine = Namespace::current(Kind::User).unwrap();
    assert_eq!(me.capabilities_in(&mine).unwrap(), Some(effective));
    child.wait().unwrap();
}

#[test]
fn a_process_that_is_gone_is_said_to_be() {
    let mut child = Spawn::new("true").spawn().unwrap();
    let process = Process::open(child.id()).unwrap();
    let inode = process.inode().unwrap();
    assert!(Process::open_checked(child.id(), inode).is_ok());
    child.wait().unwrap();
    assert!(!process.exists());
    assert!(matches!(process.credentials(), Err(Error::NoProcess { .. })));
    assert!(matches!(process.namespace(Kind::Net), Err(Error::NoProcess { .. })));
    assert!(process.kinds_apart().is_err());
    for pid in [0, -1, i32::MIN] {
        assert!(matches!(Process::open(pid), Err(Error::Invalid { .. })));
    }
    assert!(matches!(Process::open(i32::MAX), Err(Error::NoProcess { .. })));
}

#[test]
fn another_process_under_the_same_id_is_told_apart() {
    let me = Process::current().unwrap();
    let inode = me.inode().unwrap();
    assert!(matches!(Process::open_checked(me.pid(), inode + 1), Err(Error::Recycled { .. })));
}

#[test]
fn credentials_are_those_of_status() {
    let mut child = Spawn::new("cat").stdin(Stdio::Piped).stdout(Stdio::Null).no_new_privs().spawn().unwrap();
    ran(&child);
    let credentials = child.process().credentials().unwrap();
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(credentials.uids, [uid; 4]);
    assert!(credentials.no_new_privs);
    assert_eq!(credentials.threads, 1);
    assert_eq!(credentials.pids, [child.id()]);
    assert_eq!(credentials.ppid, rustix::process::getpid().as_raw_pid());
    assert_eq!(credentials.name, "cat");
    child.wait().unwrap();
}

#[test]
fn children_can_be_elsewhere() {
    require_namespaces!();
    // A shell whose children will be in a new pid namespace.
    let mut spawn = Spawn::new("unshare");
    spawn.args(["-r", "--pid", "sh", "-c", "echo on; exec cat"]).stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut child = spawn.spawn().unwrap();
    let mut line = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    let process = child.process();
    assert_eq!(process.namespace(Kind::Pid).unwrap(), Namespace::current(Kind::Pid).unwrap());
    // Without a first process the kernel shows none; from Linux 7.1 it does.
    if let Ok(coming) = process.namespace_for_children(Kind::Pid) {
        assert_ne!(coming, Namespace::current(Kind::Pid).unwrap());
    }
    let time = process.namespace_for_children(Kind::Time).unwrap();
    assert_eq!(time.to_string(), link(&child.id().to_string(), "time_for_children"));
    child.wait().unwrap();
}

#[test]
fn mount_namespaces_can_be_walked() {
    require_root!();
    let mut child = target();
    let theirs = child.process().namespace(Kind::Mnt).unwrap();
    let mine = Namespace::current(Kind::Mnt).unwrap();
    // Ids need not grow with time, so look both ways.
    let mut found = false;
    for next in [true, false] {
        let mut at = Some(mine.try_clone().unwrap());
        while let Some(namespace) = at {
            found |= namespace == theirs;
            at = match if next { namespace.next_mnt() } else { namespace.previous_mnt() } {
                // The one we stood on may have ended meanwhile, or the kernel has no such call.
                Err(error) => {
                    assert!(matches!(error.errno(), Some(Errno::ENOTTY | Errno::EPERM)), "{error}");
                    return;
                }
                at => at.unwrap(),
            };
        }
    }
    assert!(found);
    child.wait().unwrap();
}
