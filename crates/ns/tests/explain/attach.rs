//! Who may attach with ptrace(2) to whom.

use std::process::{Command, Stdio};

use testkit::{require_namespaces, require_root};

use crate::answer::{HERE, Place, user};
use crate::common::{Background, eventually};
use crate::processes::{not_dumpable, sleeping};

/// `PTRACE_SEIZE`, in a process that ends then.
fn seize(place: Place<'_>, pid: &str) -> String {
    let script = "my $r = syscall(101, 0x4206, 0 + ($ARGV[0] || $$), 0, 0); print $r == -1 ? 0 + $! : 0";
    place.grants(&["perl", "-e", script, "--", pid])
}

/// The numbers of system calls are the machine's.
fn can_seize() -> bool {
    cfg!(target_arch = "x86_64")
}

#[track_caller]
fn really(place: Place<'_>, pid: &str, errno: i32) {
    if can_seize() {
        assert_eq!(seize(place, pid), errno.to_string(), "attaching to {pid}");
    }
}

#[test]
fn anothers_process() {
    require_root!();
    let process = sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    let place = user();
    really(place, &pid, libc::EPERM);
    let answer = place.explain(&["attach", &pid]);
    answer.refused("PtraceAccess").errno("EPERM").seen(&format!("/proc/{pid}/status"), "has Uid [0, 0, 0]");
    answer.helps("as the user of that process");
    really(HERE, &pid, 0);
    HERE.explain(&["attach", &pid]).allowed();
}

#[test]
fn a_thread_of_the_kernel() {
    let status = std::fs::read_to_string("/proc/2/status").unwrap_or_default();
    if !status.contains("Kthread:\t1") {
        return testkit::skip("a_thread_of_the_kernel", "process 2 is none");
    }
    really(HERE, "2", libc::EPERM);
    HERE.explain(&["attach", "2"])
        .refused("not-traceable")
        .errno("EPERM")
        .seen("/proc/2/status", "Kthread: 1");
}

#[test]
fn a_process_of_ones_own() {
    let place = user();
    let process = sleeping(&[place.0, &["sleep", "100"]].concat());
    let pid = process.pid().to_string();
    eventually("sleep", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    really(place, &pid, 0);
    place.explain(&["attach", &pid]).allowed();
}

#[test]
fn a_process_that_does_not_want_it() {
    let place = user();
    let process = not_dumpable(place);
    let pid = process.pid().to_string();
    really(place, &pid, libc::EPERM);
    let answer = place.explain(&["attach", &pid]);
    answer.refused("PtraceAccess").errno("EPERM").seen(&format!("/proc/{pid}/status"), "not dumpable");
}

/// The capability over the user namespace of the process is enough, and over the caller's own it
/// is not.
#[test]
fn a_process_in_another_user_namespace() {
    require_namespaces!();
    let place = user();
    let words = [place.0, &["unshare", "--user", "--map-root-user", "sleep", "100"]].concat();
    let process = sleeping(&words);
    let pid = process.pid().to_string();
    eventually("sleep", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    // The process holds all capabilities there, and so does the creator of the namespace.
    really(place, &pid, 0);
    place.explain(&["attach", &pid]).allowed();
    let beside = [place.0, &["unshare", "--user", "--map-root-user"]].concat();
    really(Place(&beside), &pid, libc::EPERM);
    Place(&beside).explain(&["attach", &pid]).refused("PtraceAccess").errno("EPERM");
}

#[test]
fn what_there_is_nothing_to_attach_to() {
    really(HERE, "", libc::EPERM);
    HERE.explain(&["attach", "self"]).refused("not-traceable").errno("EPERM").seen("/status", "own process");
    really(HERE, "-5", libc::ESRCH);
    for none in ["-5", "0", "2147483647"] {
        HERE.explain(&["attach", none]).refused("NoSuchTask").errno("ESRCH");
    }
    // Ended, and not waited for.
    let process = sleeping(&["true"]);
    let pid = process.pid().to_string();
    eventually("the end", || {
        std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("State:\tZ")
    });
    really(HERE, &pid, libc::EPERM);
    HERE.explain(&["attach", &pid]).refused("not-traceable").errno("EPERM").seen("/status", "State: Z");
}

#[test]
fn a_process_has_one_tracer() {
    if !can_seize() {
        return testkit::skip(
            "a_process_has_one_tracer",
            "the number of ptrace(2) is another on this machine",
        );
    }
    let process = sleeping(&["sleep", "100"]);
    let pid = process.pid().to_string();
    let script =
        "syscall(101, 0x4206, 0 + $ARGV[0], 0, 0) == 0 or die; $| = 1; print \"ready\\n\"; sleep 100";
    let mut command = Command::new("perl");
    command.args(["-e", script, &pid]).stdin(Stdio::null());
    let (tracer, _) = Background::start(&mut command);
    really(HERE, &pid, libc::EPERM);
    let answer = HERE.explain(&["attach", &pid]);
    answer.refused("already-traced").errno("EPERM");
    answer.seen(&format!("/proc/{pid}/status"), &format!("has TracerPid: {}", tracer.pid()));
}
