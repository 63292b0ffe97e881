//! 2, 24, 29, 30: what this machine does not have, as files in the place of its own.

use std::path::Path;

use tempfile::TempDir;

use crate::answer::{Answer, NS, Place, user};

/// Files below a directory that others can read.
pub(crate) fn layer(files: &[(&str, &str)]) -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

/// Asks with a layer. Nothing is tried, because the kernel is not the one of the files.
pub(crate) fn ask(layer: &TempDir, options: &[&str], call: &[&str], place: Place<'_>) -> Answer {
    let path = layer.path().to_str().unwrap();
    let words = [&[NS, "explain", "--json", "--no-probes", "--layer", path], options, call].concat();
    let done = place.run(&words);
    Answer::of(&done.stdout).unwrap_or_else(|| panic!("{done:?}"))
}

const APPARMOR: &[(&str, &str)] = &[
    ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"),
    ("proc/self/attr/apparmor/current", "unconfined\n"),
    ("sys/kernel/security/lsm", "lockdown,capability,landlock,yama,apparmor"),
];

/// The namespace is made, and the next step fails.
#[test]
fn apparmor_takes_the_capabilities_away() {
    let layer = layer(APPARMOR);
    let answer = ask(&layer, &["--errno", "EPERM"], &["unshare", "-r"], user());
    answer.refused("apparmor-userns").errno("EPERM");
    answer.seen("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "is 1");
    // A profile for the one program comes before the sysctl for all.
    let commands: Vec<&str> =
        answer.0["remedies"].as_array().unwrap().iter().filter_map(|r| r["command"].as_str()).collect();
    assert!(commands[0].contains("userns,") && commands[0].contains(NS), "{commands:?}");
    assert!(commands[1].contains("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"), "{commands:?}");
    // Without the sysctl it is something else.
    let other = self::layer(&APPARMOR[1..]);
    let answer = ask(&other, &["--errno", "EPERM"], &["unshare", "-r"], user());
    assert_ne!(answer.0["cause"]["id"], "apparmor-userns", "{:#}", answer.0);
}

#[test]
fn a_distributions_sysctl() {
    let layer = layer(&[("proc/sys/kernel/unprivileged_userns_clone", "0\n")]);
    let answer = ask(&layer, &["--errno", "EPERM"], &["unshare", "--user"], user());
    answer.refused("UnprivilegedUsernsClone").seen("/proc/sys/kernel/unprivileged_userns_clone", "is 0");
    answer.command("sysctl -w kernel.unprivileged_userns_clone=1", &[]);
    // Where there is no such file, nobody is told to set it.
    let none = self::layer(&[]);
    let answer = ask(&none, &["--errno", "EPERM"], &["unshare", "--user"], user());
    assert!(!answer.0.to_string().contains("unprivileged_userns_clone"), "{:#}", answer.0);
}

#[test]
fn switched_off_at_boot() {
    let layer = layer(&[("sys/module/user_namespace/parameters/enable", "N\n")]);
    let answer = ask(&layer, &["--errno", "EINVAL"], &["unshare", "--user"], user());
    answer.refused("user-namespace-disabled").seen("/sys/module/user_namespace/parameters/enable", "is N");
    answer.helps("user_namespace.enable=1");
}

#[test]
fn a_sandboxed_kernel() {
    let layer = layer(&[("proc/version", "Linux version 4.4.0 (gVisor) #1 SMP\n")]);
    let answer = ask(&layer, &["--errno", "EINVAL"], &["clone", "newuser,newtime"], user());
    answer.refused("sandboxed-kernel").seen("/proc/version", "gVisor").helps("a real kernel");
}

#[test]
fn an_overlay_before_it_was_for_everybody() {
    let place = Place(&["unshare", "--user", "--map-root-user", "--mount"]);
    let layer = layer(&[("proc/sys/kernel/osrelease", "5.4.0-100-generic\n")]);
    let answer = ask(&layer, &["--errno", "EPERM"], &["mount", "-t", "overlay", "overlay", "/mnt"], place);
    answer.refused("FsPrivilege").helps("5.11 or later");
}

#[test]
fn selinux_enforces() {
    let layer = layer(&[
        ("sys/kernel/security/lsm", "capability,selinux"),
        ("sys/fs/selinux/enforce", "1"),
        ("proc/self/attr/current", "user_u:user_r:user_t:s0\n"),
    ]);
    let answer = ask(&layer, &["--errno", "EACCES"], &["unshare", "--user"], user());
    answer.refused("selinux").errno("EACCES").seen("/proc/self/attr/current", "user_t").helps("audit2allow");
}

#[test]
fn an_apparmor_profile() {
    let layer = layer(&[
        ("sys/kernel/security/lsm", "capability,apparmor"),
        ("proc/self/attr/apparmor/current", "docker-default (enforce)\n"),
    ]);
    let answer = ask(&layer, &["--errno", "EACCES"], &["unshare", "--user"], user());
    answer.refused("apparmor").seen("/proc/self/attr/apparmor/current", "docker-default (enforce)");
    answer.helps("aa-complain");
}

#[test]
fn yama_is_about_attaching_only() {
    let layer = layer(&[("proc/sys/kernel/yama/ptrace_scope", "1\n")]);
    let sleep = crate::processes::sleeping(&[user().0, &["sleep", "100"]].concat());
    let pid = sleep.pid().to_string();
    crate::common::eventually("sleep", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    let answer = ask(&layer, &[], &["attach", &pid], user());
    answer.refused("yama").errno("EPERM").seen("/proc/sys/kernel/yama/ptrace_scope", "is 1");
    // Reading a namespace is no attaching.
    let answer = ask(&layer, &[], &[&pid, "net"], crate::answer::HERE);
    answer.allowed();
}

/// Two causes may fit; then both are named, and how to tell them apart.
#[test]
fn nothing_is_guessed() {
    let layer = layer(&[
        ("sys/kernel/security/lsm", "capability,apparmor"),
        ("proc/self/attr/apparmor/current", "box (enforce)\n"),
        ("proc/thread-self/status", &seccomp_status()),
    ]);
    let answer = ask(&layer, &["--errno", "EPERM"], &["unshare", "--user"], user());
    answer.undecided(&["seccomp", "apparmor"]);
    assert!(answer.0["probe"].is_string());
}

/// The status of a user's process, with a filter.
fn seccomp_status() -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |line: &str| match line.split_once(':').map(|(name, _)| name) {
        Some("Seccomp") => "Seccomp:\t2".to_owned(),
        Some("Threads") => "Threads:\t1".to_owned(),
        Some("CapEff" | "CapPrm") => format!("{}:\t0000000000000000", line.split_once(':').unwrap().0),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_layer_that_is_not_there() {
    assert!(!Path::new("/no/such/layer").exists());
    let done = crate::answer::run(&[NS, "explain", "--layer", "/no/such/layer", "unshare", "--user"]);
    assert_eq!(done.stderr, "ns: opening /no/such/layer: no such file or directory (ENOENT)\n");
}

/// The kernel here does not tell what the machine of the files would answer.
#[test]
fn with_a_layer_nothing_is_tried() {
    testkit::require_namespaces!();
    let layer = layer(&[("proc/sys/user/max_uts_namespaces", "0\n")]);
    let words = [NS, "explain", "--json", "--layer", layer.path().to_str().unwrap(), "clone", "newuser"];
    let done = user().run(&words);
    let answer = Answer::of(&done.stdout).unwrap_or_else(|| panic!("{done:?}"));
    answer.allowed();
    assert_eq!(answer.0["tried"], false, "{:#}", answer.0);
}
