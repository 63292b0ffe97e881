//! Launches: every step is tried, so that what is said of one is what the real one does.

use testkit::require_namespaces;

use crate::answer::{Answer, NS, Place, user};

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
    assert_eq!(answer.0["verdict"], "undecided", "{:#}", answer.0);
    answer.errno("ENOENT").seen("no-such-program", "none elsewhere in PATH");
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
