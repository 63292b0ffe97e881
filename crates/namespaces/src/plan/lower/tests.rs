use super::*;
use crate::kind::Kinds;

fn calls(spawn: &Spawn) -> Vec<String> {
    lower(spawn, Form::Child).unwrap().steps().iter().map(ToString::to_string).collect()
}

fn position(calls: &[String], start: &str) -> usize {
    calls.iter().position(|call| call.starts_with(start)).unwrap_or_else(|| panic!("{start} in {calls:#?}"))
}

#[test]
fn everything_new_has_one_clone_first_and_execve_last() {
    let mut spawn = Spawn::new("/bin/true");
    spawn.unshare(Kinds::ALL).map_root().hostname("box").mount_proc().loopback_up();
    let calls = calls(&spawn);
    assert!(calls[0].starts_with("caller   clone3(CLONE_NEWCGROUP|"), "{calls:#?}");
    assert_eq!(calls.iter().filter(|call| call.contains("clone")).count(), 1);
    assert!(calls.last().unwrap().starts_with("child    execve(\"/bin/true\""));
    assert!(
        position(&calls, "child    write(\"/proc/self/setgroups\"")
            < position(&calls, "child    write(\"/proc/self/gid_map\"")
    );
    assert!(position(&calls, "child    mount(\"none\"") < position(&calls, "child    mount(\"proc\""));
}

#[test]
fn memory_is_shared_only_where_no_one_else_can_trace() {
    let shares =
        |spawn: &Spawn| calls(spawn).iter().any(|call| call.contains("clone3") && call.contains("CLONE_VM"));
    assert!(shares(Spawn::new("x").unshare(Kind::User)));
    assert!(!shares(Spawn::new("x").unshare(Kind::User).uid(0)));
    assert!(!shares(Spawn::new("x").capabilities(Capabilities::EMPTY)));
    assert!(!shares(Spawn::new("x").unshare(Kind::Pid).init()));
}

#[test]
fn what_would_change_the_caller_is_refused() {
    for spawn in [
        Spawn::new("x").hostname("box"),
        Spawn::new("x").monotonic(1),
        Spawn::new("x").mount_proc(),
        Spawn::new("x").propagation(Propagation::Private),
        Spawn::new("x").loopback_up(),
        Spawn::new("x").pivot_root("/tmp"),
        Spawn::new("x").map_root(),
        Spawn::new("x").init(),
        Spawn::new("x").pin(Kind::Net, "/tmp/x"),
    ] {
        assert!(matches!(lower(spawn, Form::Child), Err(Error::Invalid { .. })), "{spawn:?}");
    }
}

#[test]
fn a_pid_namespace_below_a_joined_one_is_refused() {
    let me = crate::Process::current().unwrap();
    let mut spawn = Spawn::new("x");
    spawn.join(me, Kind::Pid).unshare(Kind::Pid);
    assert!(matches!(lower(&spawn, Form::Child), Err(Error::Invalid { .. })));
}

#[test]
fn values_out_of_range_are_refused() {
    let long = "h".repeat(65);
    for spawn in [
        Spawn::new("x").unshare(Kind::Uts).hostname(&long),
        Spawn::new("x").unshare(Kind::Time).boottime(9_223_372_037),
        Spawn::new("x").unshare(Kind::Time).boottime(i64::MIN),
        Spawn::new("x").uid(u32::MAX),
        Spawn::new("x").arg("a\0b"),
        Spawn::new("x").env("A", "\0"),
        Spawn::new("x").fd(1, std::fs::File::open("/dev/null").unwrap()),
    ] {
        assert!(matches!(lower(spawn, Form::Child), Err(Error::Invalid { .. })), "{spawn:?}");
    }
    assert!(lower(Spawn::new("x").unshare(Kind::Uts).hostname(&long[..64]), Form::Child).is_ok());
}

#[test]
fn programs_are_looked_for_as_execvp_does() {
    let paths = |program: &str, path: Option<&str>| -> Vec<String> {
        let found = program::candidates(program.as_ref(), path.map(OsStr::new)).unwrap();
        found.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths("sh", Some("/a::/b")), ["/a/sh", "sh", "/b/sh"]);
    assert_eq!(paths("./sh", Some("/a")), ["./sh"]);
    assert_eq!(paths("sh", None), ["/bin/sh", "/usr/bin/sh"]);
    assert!(paths("", Some("/a")).is_empty());
}

#[test]
fn clocks_of_a_process_with_its_own_memory_are_set_before_it_enters() {
    let mut spawn = Spawn::new("x");
    spawn.unshare([Kind::Pid, Kind::Time, Kind::User]).boottime(100).init();
    let calls = calls(&spawn);
    assert!(!calls[0].contains("CLONE_NEWTIME"));
    assert!(
        position(&calls, "child    unshare(CLONE_NEWTIME)")
            < position(&calls, "child    write(\"/proc/self/timens_offsets\"")
    );
    assert!(
        position(&calls, "child    setns(\"/proc/self/ns/time_for_children\"")
            < position(&calls, "child    clone(")
    );
}
