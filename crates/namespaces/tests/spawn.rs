//! A program started in namespaces, looked at from outside and by its own eyes.

use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use namespaces::{
    Capabilities, Errno, Error, Extent, IdKind, IdMap, Kind, Kinds, MapWriter, Namespace, Process, Spawn,
    Stdio,
};
use testkit::{require, require_namespaces, require_root};

/// A shell in all eight kinds, mapped to root.
fn shell(script: &str) -> Spawn {
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", script]).unshare(Kinds::ALL).map_root();
    spawn
}

fn stdout(spawn: &Spawn) -> String {
    let output = spawn.output().unwrap();
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until `execve` is over: the kernel lets the caller go on when the new
/// memory is in place, and sets the name and the time namespace just after.
fn ran(child: &namespaces::Child, name: &str) {
    while std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap().trim() != name {
        std::thread::yield_now();
    }
}

fn link(pid: &str, kind: Kind) -> String {
    std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn all_eight_kinds_are_new() {
    require_namespaces!();
    let child = &mut shell("read x").stdin(Stdio::Piped).spawn().unwrap();
    ran(child, "sh");
    let mut seen = HashSet::new();
    for kind in Kind::ALL {
        let theirs = link(&child.id().to_string(), kind);
        assert_ne!(theirs, link("self", kind));
        assert!(seen.insert(theirs));
    }
    child.wait().unwrap();
}

#[test]
fn one_kind_leaves_the_others_alone() {
    require_namespaces!();
    for only in Kind::ALL {
        let mut spawn = Spawn::new("cat");
        spawn.unshare(Kinds::from(only).with(Kind::User)).map_root().stdin(Stdio::Piped).stdout(Stdio::Null);
        let mut child = spawn.spawn().unwrap();
        ran(&child, "cat");
        for kind in Kind::ALL {
            let same = link(&child.id().to_string(), kind) == link("self", kind);
            assert_eq!(same, kind != only && kind != Kind::User, "{kind} of a program with a new {only}");
        }
        child.wait().unwrap();
    }
}

#[test]
fn the_caller_does_not_move() {
    require_namespaces!();
    let links = || Kind::ALL.map(|kind| link("thread-self", kind));
    let before = links();
    assert!(shell("true").status().unwrap().success());
    assert_eq!(links(), before);
}

#[test]
fn hostname_and_domainname() {
    require_namespaces!();
    let mut spawn = shell("uname -n; cat /proc/sys/kernel/domainname");
    spawn.hostname("box").domainname("example");
    assert_eq!(stdout(&spawn), "box\nexample\n");
}

#[test]
fn new_proc_shows_only_the_new_pid_namespace() {
    require_namespaces!();
    let mut spawn = shell("echo $$; ls /proc | grep -c '^[0-9]'");
    spawn.mount_proc();
    // The shell, ls and grep.
    let text = stdout(&spawn);
    assert!(text.starts_with("1\n"), "{text}");
    assert!(["3\n", "2\n"].iter().any(|n| text.ends_with(n)), "{text}");
}

#[test]
fn loopback_is_up_when_asked() {
    require_namespaces!();
    let flags = |spawn: &Spawn| {
        let text = stdout(spawn);
        let hex = text.trim().strip_prefix("0x").unwrap().to_owned();
        u32::from_str_radix(&hex, 16).unwrap()
    };
    // /sys shows the namespace it was mounted in, so ask a new one.
    let script = "mount -t sysfs -o ro none /sys && cat /sys/class/net/lo/flags";
    assert_eq!(flags(&shell(script)) & 1, 0);
    assert_eq!(flags(shell(script).loopback_up()) & 1, 1);
}

#[test]
fn clocks_are_set() {
    require_namespaces!();
    let script = "cat /proc/self/timens_offsets; readlink /proc/self/ns/time /proc/self/ns/time_for_children";
    let mut plain = shell(script);
    plain.monotonic(1000).boottime(-1);
    let mut with_init = plain.clone();
    with_init.init();
    let mut with_ids = plain.clone();
    with_ids.uid(0);
    for spawn in [plain, with_init, with_ids] {
        let text = stdout(&spawn);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(
            words[..6],
            ["monotonic", "1000", "0", "boottime", "-1", "0"],
            "{}",
            spawn.plan().unwrap()
        );
        assert_eq!(words[6], words[7]);
        assert_ne!(words[6], link("self", Kind::Time));
    }
}

#[test]
fn an_offset_that_no_clock_can_have_names_its_step() {
    require_namespaces!();
    let error = shell("true").boottime(-9_000_000_000).status().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ERANGE));
    assert_eq!(
        error.to_string(),
        "writing \"boottime -9000000000 0\\n\" to /proc/self/timens_offsets: numerical result out of range (ERANGE)"
    );
}

#[test]
fn maps_are_as_asked() {
    require_namespaces!();
    let text = stdout(&shell("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -g"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let gid = rustix::process::getegid().as_raw().to_string();
    assert_eq!(words, ["0", &uid, "1", "0", &gid, "1", "deny", "0", "0"]);
}

#[test]
fn the_caller_writes_maps_that_the_child_may_not() {
    require_root!();
    let map = IdMap::new([Extent::new(0, 0, 1), Extent::new(1, 100_000, 65_536)]).unwrap();
    for way in ["words", "channel", "joined"] {
        let mut spawn = shell("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups");
        spawn.uid_map(map.clone()).gid_map(map.clone());
        match way {
            "channel" => drop(spawn.init()),
            "joined" => drop(spawn.join(Process::current().unwrap(), Kind::Uts)),
            _ => {}
        }
        let text = stdout(&spawn);
        let words: Vec<&str> = text.split_whitespace().collect();
        let expected = ["0", "0", "1", "1", "100000", "65536"];
        assert_eq!(words, [&expected[..], &expected[..], &["allow"]].concat());
    }
}

#[test]
fn the_helpers_write_what_subuid_grants() {
    let uid = rustix::process::geteuid().as_raw();
    let granted =
        namespaces::subordinate_uids(uid).and_then(|uids| Ok((uids, namespaces::subordinate_gids(uid)?)));
    let Ok((uids, gids)) = granted else {
        // Root has no need of subordinate ids, and commonly no line for them.
        require!(testkit::is_root(), "no subordinate ids for this user in /etc/subuid and /etc/subgid");
        return;
    };
    let helpers = std::process::Command::new("newuidmap").output().is_ok();
    require!(helpers, "newuidmap is not installed");
    let (euid, egid) = (uid, rustix::process::getegid().as_raw());
    let uid_map =
        IdMap::new([Extent::new(0, euid, 1), Extent::new(1, uids[0].first, uids[0].count)]).unwrap();
    let gid_map =
        IdMap::new([Extent::new(0, egid, 1), Extent::new(1, gids[0].first, gids[0].count)]).unwrap();
    let mut spawn = shell("cat /proc/self/uid_map /proc/self/setgroups");
    spawn.uid_map(uid_map).gid_map(gid_map).map_writer(MapWriter::Helpers);
    let text = stdout(&spawn);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[4], uids[0].first.to_string());
    assert_eq!(words[6], "allow");
}

#[test]
fn a_map_the_helpers_refuse_leaves_no_process() {
    let helpers = std::process::Command::new("newuidmap").output().is_ok();
    require!(helpers, "newuidmap is not installed");
    require_namespaces!();
    let map = IdMap::new([Extent::new(0, 4_000_000_000, 10)]).unwrap();
    // Root's newuidmap is as bound to /etc/subuid as anyone's.
    let error = shell("true").uid_map(map).map_writer(MapWriter::Helpers).spawn().unwrap_err();
    assert!(matches!(error, Error::Helper { program: "newgidmap" | "newuidmap", .. }), "{error}");
    assert!(!has_children());
}

#[test]
fn only_the_descriptors_asked_for_reach_the_program() {
    require_namespaces!();
    // Inheritable, as a careless caller may hold it.
    let leaked = std::fs::File::open("/dev/zero").unwrap();
    let _leaked = rustix::io::dup(&leaked).unwrap();
    let mut plain = shell("ls -l /proc/self/fd | sed 's/.* \\([0-9]* ->\\)/\\1/'");
    for init in [false, true] {
        if init {
            plain.init();
        }
        let mut spawn = plain.clone();
        spawn.fd(7, std::fs::File::open("/dev/full").unwrap());
        let text = stdout(&spawn);
        let numbers: Vec<&str> =
            text.lines().filter_map(|line| line.split_once(" ->")).map(|(n, _)| n).collect();
        // 3 is the directory that ls reads.
        assert_eq!(numbers, ["0", "1", "2", "3", "7"], "{text}");
        assert!(text.contains("7 -> /dev/full"));
    }
}

#[test]
fn descriptors_can_trade_places() {
    let (null, zero) = (std::fs::File::open("/dev/null").unwrap(), std::fs::File::open("/dev/zero").unwrap());
    let (a, b) = (null.as_raw_fd(), zero.as_raw_fd());
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", &format!("readlink /proc/self/fd/{a} /proc/self/fd/{b}")]);
    spawn.fd(a, zero).fd(b, null);
    assert_eq!(stdout(&spawn), "/dev/zero\n/dev/null\n");
}

#[test]
fn exit_status_and_signals() {
    require_namespaces!();
    for init in [false, true] {
        let run = |script: &str| {
            let mut spawn = shell(script);
            if init {
                spawn.init();
            }
            spawn.status().unwrap()
        };
        assert_eq!(run("exit 7").code(), Some(7));
        if init {
            // Without an init the shell is pid 1, which no signal of its own kills.
            assert_eq!(run("kill -TERM $$").signal(), Some(libc::SIGTERM));
        }
    }
}

#[test]
fn init_is_pid_1_and_reaps() {
    require_namespaces!();
    let mut spawn = shell(
        "echo $$; (sleep 0.05 & ) ; sleep 0.2; ps -o stat= -e 2>/dev/null | grep -c Z; cat /proc/1/comm",
    );
    spawn.mount_proc().readable_init();
    let output = spawn.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, "2\n0\nns-init\n");
}

#[test]
fn init_passes_on_signals_also_early_ones() {
    require_namespaces!();
    for number in [libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2] {
        let mut child = shell("trap 'exit 3' TERM USR1 USR2; echo ready; while :; do sleep 0.01; done")
            .init()
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        child.signal(number).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
    let mut child =
        Spawn::new("sleep").arg("60").unshare([Kind::User, Kind::Pid]).map_root().init().spawn().unwrap();
    child.signal(libc::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
}

#[test]
fn init_is_unreadable_unless_asked() {
    require_namespaces!();
    let mut child = Spawn::new("sh")
        .args(["-c", "cat /proc/1/environ >/dev/null 2>&1 && echo readable || echo unreadable"])
        .unshare(Kinds::ALL)
        .map_root()
        .mount_proc()
        .init()
        .stdout(Stdio::Piped)
        .spawn()
        .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    child.wait().unwrap();
    assert_eq!(text, "unreadable\n");
}

#[test]
fn a_program_that_is_not_there_names_the_step() {
    for mut spawn in [Spawn::new("no-such-program"), Spawn::new("/no/such/program"), Spawn::new("")] {
        // A directory of PATH that may not be searched would make it EACCES, as with execvp(3).
        spawn.env("PATH", "/bin:/nowhere");
        assert_eq!(spawn.spawn().unwrap_err().errno(), Some(Errno::ENOENT));
        if testkit::is_root() || testkit::user_namespaces() {
            let error = spawn.unshare([Kind::User, Kind::Pid]).map_root().init().spawn().unwrap_err();
            assert_eq!(error.errno(), Some(Errno::ENOENT));
            assert!(matches!(&error, Error::Step { step, .. } if step.step.call().starts_with("execve")));
        }
    }
    assert_eq!(Spawn::new("/etc/passwd").spawn().unwrap_err().errno(), Some(Errno::EACCES));
    assert!(!has_children());
}

#[test]
fn a_script_without_interpreter_line_runs_in_a_shell() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    std::fs::write(&path, "echo \"$0:$1\"").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut spawn = Spawn::new(&path);
    spawn.arg("x");
    // Another test's new process may still have the script open for writing.
    while spawn.status().is_err_and(|error| error.errno() == Some(Errno::ETXTBSY)) {}
    assert_eq!(stdout(&spawn), format!("{}:x\n", path.display()));
}

#[test]
fn environment_and_directory() {
    let mut spawn = Spawn::new("/bin/sh");
    spawn
        .args(["-c", "echo $A:${B-unset}; pwd"])
        .env("A", "1")
        .env("B", "2")
        .env_remove("B")
        .current_dir("/proc");
    assert_eq!(stdout(&spawn), "1:unset\n/proc\n");
}

#[test]
fn arguments_with_odd_bytes_arrive() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\x01\n");
    let output = Spawn::new("printf").arg("%s").arg(odd).output().unwrap();
    assert_eq!(output.stdout, odd.as_bytes());
}

#[test]
fn an_environment_beyond_the_kernels_limit_is_a_clean_failure() {
    let error = Spawn::new("true").env("BIG", "x".repeat(64 << 20)).spawn().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::E2BIG));
}

#[test]
fn pivoted_root_shows_nothing_of_the_old() {
    require_namespaces!();
    let root = tempfile::tempdir().unwrap();
    for dir in ["proc", "bin"] {
        std::fs::create_dir(root.path().join(dir)).unwrap();
    }
    std::fs::copy(std::env::current_exe().unwrap(), root.path().join("bin/x")).unwrap();
    // The dynamic loader is not inside: that the program is found and can't
    // start is the proof that the root is the new one.
    let mut spawn = Spawn::new("/bin/sh");
    spawn.unshare(Kinds::ALL).map_root().pivot_root(root.path()).mount_proc();
    assert_eq!(spawn.spawn().unwrap_err().errno(), Some(Errno::ENOENT));
    assert!(stdout(&shell("cat /proc/mounts")).lines().count() > 1);
}

#[test]
fn a_link_in_the_root_does_not_lead_the_proc_mount_out() {
    require_namespaces!();
    let root = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc", root.path().join("proc")).unwrap();
    let mut spawn = shell("true");
    spawn.chroot(root.path()).mount_proc();
    let error = spawn.spawn().unwrap_err();
    assert!(
        matches!(&error, Error::Step { step, .. } if step.step.call().starts_with("mount(\"proc\"")),
        "{error}"
    );
    assert_eq!(error.errno(), Some(Errno::ENOENT));
}

#[test]
fn ids_and_capabilities_of_the_program() {
    require_root!();
    let map = IdMap::new([Extent::new(0, 0, 65_536)]).unwrap();
    let mut spawn = shell("grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status");
    spawn
        .uid_map(map.clone())
        .gid_map(map)
        .uid(1000)
        .gid(1001)
        .capabilities("net_admin".parse().unwrap())
        .no_new_privs();
    let text = stdout(&spawn);
    let field = |name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap_or("")
            .to_owned()
    };
    assert_eq!(
        (field("Uid:"), field("Gid:"), field("Groups:")),
        ("1000".into(), "1001".into(), String::new())
    );
    let net_admin = format!("{:016x}", Capabilities::NET_ADMIN.bits());
    for set in ["CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), net_admin, "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
}

#[test]
fn kept_capabilities_survive_execve_of_a_user() {
    require_namespaces!();
    let mut spawn = Spawn::new("grep");
    spawn.args(["CapEff", "/proc/self/status"]).unshare(Kind::User).map_current().keep_capabilities();
    let text = stdout(&spawn);
    let bits = u64::from_str_radix(text.split_whitespace().last().unwrap(), 16).unwrap();
    assert!(Capabilities::from_bits(bits).contains(Capabilities::SYS_ADMIN));
}

#[test]
fn joining_a_process_needs_no_move_of_the_caller() {
    require_namespaces!();
    let mut target = shell("read x").stdin(Stdio::Piped).hostname("target").monotonic(5000).spawn().unwrap();
    ran(&target, "sh");
    let process = Process::open(target.id()).unwrap();
    let before = Kind::ALL.map(|kind| link("thread-self", kind));
    let mut spawn = Spawn::new("sh");
    let script = "uname -n; echo $$; readlink /proc/self/ns/net; head -1 /proc/self/timens_offsets";
    spawn.args(["-c", script]).join(process, Kinds::ALL).uid(0).gid(0);
    let text = stdout(&spawn);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[0], "target");
    assert_eq!(words[1], "2");
    assert_eq!(words[2], link(&target.id().to_string(), Kind::Net));
    assert_eq!(words[4], "5000");
    assert_eq!(Kind::ALL.map(|kind| link("thread-self", kind)), before);
    target.wait().unwrap();
    assert!(!has_children());
}

#[test]
fn a_caller_that_joins_in_place_moves() {
    require_namespaces!();
    let mut target = shell("read x").stdin(Stdio::Piped).spawn().unwrap();
    let uts = link(&target.id().to_string(), Kind::Uts);
    let process = Process::open(target.id()).unwrap();
    // Root may join without the user namespace, and without leaving the others.
    if testkit::is_root() {
        std::thread::spawn(move || {
            let status = Spawn::new("true").join(process, Kind::Uts).join_in_place().status().unwrap();
            assert!(status.success());
            assert_eq!(link("thread-self", Kind::Uts), uts);
        })
        .join()
        .unwrap();
        // The whole process is untraceable now, which other tests must not be.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable).unwrap();
    }
    target.wait().unwrap();
}

#[test]
fn joining_single_namespaces_works_in_any_order() {
    require_namespaces!();
    let mut target = shell("read x").stdin(Stdio::Piped).hostname("target").spawn().unwrap();
    for kinds in [[Kind::Uts, Kind::User], [Kind::User, Kind::Uts]] {
        let namespaces = kinds.map(|kind| target.process().namespace(kind).unwrap());
        let mut spawn = Spawn::new("uname");
        spawn.arg("-n").join_namespaces(namespaces);
        assert_eq!(stdout(&spawn), "target\n");
    }
    target.wait().unwrap();
}

#[test]
fn new_namespaces_inside_joined_ones() {
    require_namespaces!();
    let mut target = shell("read x").stdin(Stdio::Piped).spawn().unwrap();
    let mut spawn = Spawn::new("readlink");
    spawn.args(["/proc/self/ns/user", "/proc/self/ns/uts"]);
    spawn.join(Process::open(target.id()).unwrap(), Kind::User).unshare(Kind::Uts).hostname("inner");
    let text = stdout(&spawn);
    let (user, uts) = text.trim().split_once('\n').unwrap();
    assert_eq!(user, link(&target.id().to_string(), Kind::User));
    assert_ne!(uts, link("self", Kind::Uts));
    target.wait().unwrap();
}

#[test]
fn an_init_inside_a_joined_namespace() {
    require_namespaces!();
    let mut target = shell("read x").stdin(Stdio::Piped).spawn().unwrap();
    let mut spawn = Spawn::new("sh");
    spawn.args(["-c", "echo $$; readlink /proc/self/ns/user"]);
    spawn.join(Process::open(target.id()).unwrap(), Kind::User).unshare(Kind::Pid).init();
    let text = stdout(&spawn);
    assert!(text.starts_with("2\n"), "{text}");
    assert!(text.contains(&link(&target.id().to_string(), Kind::User)));
    target.wait().unwrap();
}

#[test]
fn ends_with_the_caller() {
    require_namespaces!();
    // A thread stands for a caller: the signal comes at the end of a thread.
    for init in [false, true] {
        let mut child = std::thread::spawn(move || {
            let mut spawn = Spawn::new("sleep");
            spawn.arg("60").unshare([Kind::User, Kind::Pid]).map_root().parent_death_signal(libc::SIGKILL);
            if init {
                spawn.init();
            }
            spawn.spawn().unwrap()
        })
        .join()
        .unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn spawns_from_many_threads_at_once() {
    require_namespaces!();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..5 {
                    let code = i.to_string();
                    let mut spawn = shell(&format!("exit {code}"));
                    if i % 2 == 0 {
                        spawn.init();
                    }
                    assert_eq!(spawn.status().unwrap().code(), Some(i));
                }
            });
        }
    });
}

#[test]
fn a_pinned_namespace_outlives_its_process_and_can_be_joined() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mnt) {
        let path = dir.path().join(kind.name());
        let mut spawn = shell("readlink /proc/self/ns/*");
        spawn.pin(kind, &path);
        let text = stdout(&spawn);
        let pinned = Namespace::open(&path).unwrap();
        assert!(text.contains(&pinned.to_string()), "{pinned} in {text}");
        if !matches!(kind, Kind::Pid) {
            let mut inside = Spawn::new("readlink");
            inside.arg(format!("/proc/self/ns/{kind}")).join_namespaces([pinned]);
            assert!(text.contains(stdout(&inside).trim()));
        }
        namespaces::unpin(&path).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn a_launch_that_fails_leaves_nothing_pinned() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    std::fs::write(&there, "").unwrap();
    let made = dir.path().join("made");
    for program in ["true", "no-such-program"] {
        for init in [false, true] {
            let mut spawn = Spawn::new(program);
            spawn.unshare([Kind::Uts, Kind::Ipc, Kind::Pid]).pin(Kind::Uts, &there).pin(Kind::Ipc, &made);
            if program == "true" {
                spawn.pin(Kind::Pid, "/no/such/dir/pid");
            }
            if init {
                spawn.init();
            }
            spawn.spawn().unwrap_err();
            assert!(!made.exists());
            assert!(matches!(Namespace::open(&there), Err(Error::NotNamespace { .. })));
        }
    }
    assert!(!has_children());
}

#[test]
fn a_clock_pinned_before_it_is_entered_has_its_offset() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    for init in [false, true] {
        let path = dir.path().join("time");
        let mut spawn = Spawn::new("true");
        spawn.unshare([Kind::Time, Kind::Pid]).boottime(777).pin(Kind::Time, &path);
        if init {
            spawn.init();
        }
        assert!(spawn.status().unwrap().success());
        let mut inside = Spawn::new("cat");
        inside.arg("/proc/self/timens_offsets").join_namespaces([Namespace::open(&path).unwrap()]);
        assert!(stdout(&inside).contains("777"));
        namespaces::unpin(&path).unwrap();
    }
}

#[test]
fn an_id_map_as_the_kernel_shows_it() {
    require_namespaces!();
    let mut child = shell("read x").stdin(Stdio::Piped).spawn().unwrap();
    let map = child.process().id_map(IdKind::Uid).unwrap();
    assert_eq!(map.to_outside(0), Some(rustix::process::geteuid().as_raw()));
    child.wait().unwrap();
}

#[test]
fn try_wait_does_not_wait() {
    let start = Instant::now();
    let mut child = Spawn::new("sleep").arg("0.2").spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    assert!(start.elapsed() < Duration::from_millis(150));
    assert!(child.wait().unwrap().success());
    assert!(child.try_wait().unwrap().is_some());
}

/// Whether a process is left that is not reaped, in this thread.
fn has_children() -> bool {
    let me = rustix::thread::gettid().as_raw_pid();
    let children = std::fs::read_to_string(format!("/proc/self/task/{me}/children"));
    children.is_ok_and(|list| !list.trim().is_empty())
}

#[test]
fn a_descriptor_number_beyond_the_limit_is_refused() {
    for number in [i32::MAX, 1 << 21] {
        let mut spawn = Spawn::new("true");
        spawn.fd(number, std::fs::File::open("/dev/null").unwrap());
        assert!(matches!(spawn.spawn(), Err(Error::Invalid { .. })));
    }
}

/// A helper process that may make no thread.
#[test]
fn where_no_thread_can_be_made_it_is_an_error() {
    if testkit::is_root() {
        // Root is not bound by RLIMIT_NPROC.
        return;
    }
    let test = std::env::current_exe().unwrap();
    if std::env::var_os("NO_THREADS").is_none() {
        let mut command = std::process::Command::new("prlimit");
        command.args(["--nproc=1:1", "--"]).arg(test);
        command.args(["--exact", "where_no_thread_can_be_made_it_is_an_error", "--test-threads=1"]);
        assert!(command.env("NO_THREADS", "1").status().unwrap().success());
        return;
    }
    let uts = Namespace::current(Kind::Uts).unwrap();
    assert_eq!(uts.within(|| ()).unwrap_err().errno(), Some(Errno::EAGAIN));
}
