//! Launches: every step is tried, so that what is said of one is what the real one does.

use testkit::require_namespaces;

use crate::answer::{Answer, HERE, NS, Place, user};

/// The real launch fails with this message, and the answer names the cause.
#[track_caller]
fn refused(launch: &[&str], message: &str, cause: &str) {
    let words = [&[NS], launch].concat();
    user().refuses(&words, message);
    user().explain(launch).refused(cause);
}

#[test]
fn an_id_that_the_map_of_the_launch_has_not() {
    testkit::require_namespaces!();
    refused(&["run", "--uid", "55", "--", "true"], "SetidUnmapped", "SetidUnmapped");
}

#[test]
fn a_root_or_directory_of_the_launch_that_is_not_there() {
    testkit::require_namespaces!();
    refused(&["run", "--root", "/nosuch", "--", "true"], "ENOENT", "PathMissing");
    refused(&["run", "--root", "/etc/passwd", "--", "true"], "ENOTDIR", "PathNotDir");
    refused(&["unshare", "-r", "-R", "/nosuch", "true"], "No such file", "PathMissing");
    refused(&["unshare", "-r", "-w", "/nosuch", "true"], "No such file", "PathMissing");
}

/// The new proc is the last step but one.
#[test]
fn a_launch_whose_proc_would_show_too_much() {
    testkit::require_namespaces!();
    let inner = "mount -t tmpfs t /proc/irq; export NS; unshare --user --map-root-user --mount bash -c";
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    for launch in ["run -- true", "unshare -Urmpf --mount-proc true"] {
        let answer = place.script(&format!("{inner} '$NS explain --json {launch}'"));
        answer.refused("MountTooRevealing").errno("EPERM");
    }
}

#[test]
fn a_launch_of_a_program_that_is_not_there() {
    testkit::require_namespaces!();
    let answer = user().explain(&["run", "no-such-program"]);
    answer.refused("PathMissing").errno("ENOENT").seen("no-such-program", "none elsewhere in PATH");
}

/// All before it goes, and execve is asked for nothing.
#[test]
fn a_launch_of_what_is_no_program() {
    testkit::require_namespaces!();
    for (file, says) in [("/etc/passwd", "without an x bit"), ("/etc", "is not a regular file")] {
        user().refuses(&["unshare", "-r", file], "Permission denied");
        let answer = user().explain(&["unshare", "-r", file]);
        answer.refused("PathAccess").errno("EACCES").seen(file, says);
    }
}

/// It is not rehearsed, as it would stay.
#[test]
fn a_launch_that_binds_a_namespace_to_a_file() {
    testkit::require_namespaces!();
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let pin = format!("net={file}");
    user().refuses(&[NS, "run", "--pin", &pin, "--", "true"], "operation not permitted (EPERM)");
    let answer = user().explain(&["run", "--pin", &pin, "--", "true"]);
    answer.refused("MountPrivilege").errno("EPERM").helps("as root of the user namespace");
    let mount = format!("--mount={file}");
    user().refuses(&["unshare", "-r", &mount, "true"], "Operation not permitted");
    user().explain(&["unshare", "-r", &mount, "true"]).refused("MountPrivilege").errno("EPERM");
    let missing = ["run", "--pin", "net=/nowhere/x", "--", "true"];
    user().refuses(&[&[NS], &missing[..]].concat(), "no such file");
    user().explain(&missing).refused("PathMissing").errno("ENOENT").seen("/nowhere", "does not exist");
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    place.explain(&["run", "--pin", &pin, "--", "true"]).allowed();
    place.grants(&[NS, "run", "--pin", &pin, "--", "true"]);
}

#[test]
fn a_launch_without_room_for_its_process_or_descriptors() {
    testkit::require_namespaces!();
    let limited = |limit: &str| {
        let script = format!("ulimit {limit}; exec {NS} explain --json run -- true");
        let done = user().run(&["bash", "-c", &script]);
        Answer::of(&done.stdout).unwrap_or_else(|| panic!("{done:?}"))
    };
    if testkit::is_root() {
        limited("-u 1").refused("ForkNproc").errno("EAGAIN");
    }
    limited("-n 5").refused("NoFreeFd").errno("EMFILE");
}

/// Trying leaves nothing behind, neither outside nor of the steps of processes in between.
#[test]
fn a_launch_that_goes_says_so_and_changes_nothing() {
    testkit::require_namespaces!();
    for launch in [
        &["run", "--", "true"][..],
        &["unshare", "-r", "true"],
        &["unshare", "-Urmpf", "--mount-proc", "true"],
        &["unshare", "-Ur", "-T", "--boottime", "5", "-f", "true"],
    ] {
        let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let answer = user().explain(launch);
        answer.allowed();
        assert_eq!(answer.0["tried"], true, "{:#}", answer.0);
        assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    }
    // A hostname of the caller's own namespace, and one that is shared with others, stay.
    let script = "hostname before; $NS explain --json run --share uts --hostname after -- true >&2; hostname";
    let script = format!("NS={NS}; {script}");
    let place = Place(&["unshare", "--user", "--map-root-user", "--uts"]);
    assert_eq!(place.run(&["bash", "-c", &script]).stdout.trim(), "before");
}

/// What ends with `-try` is left out where it can't be had.
#[test]
fn namespaces_that_bubblewrap_does_without() {
    require_namespaces!();
    let place = Place(&["unshare", "--user", "--map-root-user"]);
    let ask = |options: &str| {
        let script = "echo 0 > /proc/sys/user/max_user_namespaces; $NS explain --json --bwrap";
        place.script(&format!("{script} {options} --ro-bind / / true"))
    };
    ask("--unshare-user").refused("UserNsCount");
    for options in ["--unshare-user-try", "--unshare-all"] {
        let said = ask(options).allowed().0["steps"].to_string();
        assert!(said.contains("CLONE_NEWNS") && !said.contains("CLONE_NEWUSER"), "{said}");
    }
}

#[test]
fn the_directory_of_a_launch_that_can_not_be_entered() {
    testkit::require_namespaces!();
    let closed = user().run(&["test", "-x", "/root"]).code != Some(0);
    testkit::require!(closed && std::path::Path::new("/root").is_dir(), "/root is open to all");
    for option in ["--wd", "--root"] {
        let launch = ["unshare", "--user", "--map-root-user", option, "/root", "true"];
        user().refuses(&launch, "Permission denied");
        let answer = user().explain(&launch);
        answer.refused("PathAccess").errno("EACCES").seen("/root", "the caller may not search it");
        assert!(answer.0["at"].as_str().unwrap().contains("/root"), "{:#}", answer.0);
        let answer = user().explain(&["unshare", "--user", "--map-root-user", option, "/nowhere/x", "true"]);
        answer.refused("PathMissing").errno("ENOENT").seen("/nowhere/x", "does not exist");
    }
    refused(&["run", "--root", "/root", "--", "true"], "PathAccess: ", "PathAccess");
}

/// A namespace is a file, and goes on one.
#[test]
fn a_namespace_is_not_bound_to_a_directory() {
    testkit::require_namespaces!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    let (net, pin) = (format!("--net={path}"), format!("net={path}"));
    place.refuses(&["unshare", &net, "true"], "Not a directory");
    place.refuses(&[NS, "run", "--pin", &pin, "--", "true"], "not a directory");
    for words in [vec!["unshare", &net, "true"], vec!["run", "--pin", &pin, "--", "true"]] {
        let answer = place.explain(&words);
        answer.refused("MountDirFile").errno("ENOTDIR").seen(&path, "a namespace goes on a file");
    }
}

/// Its pid namespace is for children.
#[test]
fn a_new_proc_without_a_fork() {
    testkit::require_namespaces!();
    let launch = ["unshare", "--user", "--map-root-user", "--pid", "--mount-proc", "true"];
    HERE.refuses(&launch, "Operation not permitted");
    let answer = HERE.explain(&launch);
    answer.refused("FsPrivilege").errno("EPERM").helps("fork first, with --fork");
    answer.seen("/proc/self/ns/pid", "which is not the new user namespace's");
    HERE.grants(&["unshare", "--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "true"]);
}

/// What the tool finds before it asks the kernel has its cause all the same.
#[test]
fn clocks_that_are_moved_too_far_before_anything_is_asked() {
    testkit::require_namespaces!();
    for clock in ["--monotonic", "--boottime"] {
        let launch = ["unshare", "--user", "--time", clock, "99999999999", "true"];
        HERE.refuses(&launch, "Numerical result out of range");
        HERE.explain(&launch).refused("TimeOffsetsRange").errno("ERANGE");
    }
}

/// What is refused by what can be read is not said to be the first of several.
#[test]
fn the_one_cause_of_a_launch_of_several_kinds() {
    testkit::require_namespaces!();
    let script = "echo 0 > /proc/sys/user/max_mnt_namespaces; explain unshare -mu true";
    let answer = Place(&["unshare", "--user", "--map-root-user"]).script(script);
    answer.refused("MntNsCount").seen("/proc/sys/user/max_mnt_namespaces", "is 0");
    assert!(!answer.0["evidence"].to_string().contains("the first of these"), "{:#}", answer.0);
}
