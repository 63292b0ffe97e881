//! 3 and 4: limits, which all say "no space left on device".

use testkit::{require_namespaces, require_root};

use crate::answer::{Answer, HERE, NS, Place};

const USERNS: Place<'_> = Place(&["unshare", "--user", "--map-root-user"]);

#[test]
fn a_limit_of_the_own_user_namespace() {
    require_namespaces!();
    let limited = "echo 0 > /proc/sys/user/max_net_namespaces";
    USERNS.refuses(&["sh", "-c", &format!("{limited}; unshare --net true")], "No space left on device");
    let answer = USERNS.script(&format!("{limited}; explain unshare --net"));
    answer.refused("NetNsCount").errno("ENOSPC").seen("/proc/sys/user/max_net_namespaces", "is 0 in user:[");
    let remedy = answer.command("sysctl -w user.max_net_namespaces=", &[]);
    USERNS.shell(&format!("{limited}; {remedy}; unshare --net true"));
}

#[test]
fn a_limit_of_a_user_namespace_above() {
    require_namespaces!();
    let outer = "echo 0 > /proc/sys/user/max_net_namespaces";
    let inner = "unshare --user --map-root-user";
    USERNS.refuses(&["sh", "-c", &format!("{outer}; {inner} unshare --net true")], "No space left on device");
    let answer =
        USERNS.script(&format!("{outer}; export NS; {inner} bash -c '$NS explain --json unshare --net'"));
    answer.refused("NetNsCount").errno("ENOSPC");
    answer.seen("/proc/sys/user/max_net_namespaces", "which is not the limit that is reached");
    answer.seen("", "a user namespace above user:[").helps("the user namespace above whose limit it is");
    let remedy = answer.command("sysctl -w user.max_net_namespaces=", &[]);
    USERNS.shell(&format!("{outer}; {remedy}; {inner} unshare --net true"));
}

/// A limit above a thousand is raised too, and said once.
#[test]
fn a_remedy_never_lowers_a_limit() {
    require_namespaces!();
    let fill = "ulimit -n 4000; echo 1200 > /proc/sys/user/max_uts_namespaces; exec python3 -c '
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
held = []
while libc.unshare(0x4000000) == 0: held.append(os.open(\"/proc/self/ns/uts\", 0))
sys.exit(subprocess.call([\"bash\", \"-c\", sys.argv[1]]))' ";
    let answer = USERNS.script(&format!("export NS; {fill} '$NS explain --json unshare -u'"));
    answer.refused("UtsNsCount");
    let said = answer.0["evidence"].to_string().matches("max_uts_namespaces").count();
    assert_eq!(said, 1, "{:#}", answer.0["evidence"]);
    let remedy = answer.command("sysctl -w user.max_uts_namespaces=", &[]);
    USERNS.grants(&["bash", "-ec", &format!("{fill} 'set -e; {remedy}; unshare -u true'")]);
}

/// Of several kinds in one call, the one whose limit it is.
#[test]
fn which_kind_of_several() {
    require_namespaces!();
    for (kind, rule) in
        [("uts", "UtsNsCount"), ("net", "NetNsCount"), ("ipc", "IpcNsCount"), ("cgroup", "CgroupNsCount")]
    {
        let limited = format!("echo 0 > /proc/sys/user/max_{kind}_namespaces");
        let answer = USERNS.script(&format!("{limited}; explain unshare -uinC"));
        answer.refused(rule).seen(&format!("max_{kind}_namespaces"), "is 0");
        let answer = USERNS.script(&format!(
            "{limited}; export NS; unshare --user --map-root-user bash -c '$NS explain --json unshare -uinC'"
        ));
        answer.refused(rule);
    }
}

/// Outer sandboxes forbid user namespaces inside with a limit of 0 or 1.
#[test]
fn no_more_user_namespaces() {
    require_namespaces!();
    let limited = "echo 0 > /proc/sys/user/max_user_namespaces";
    USERNS.refuses(&["sh", "-c", &format!("{limited}; unshare --user true")], "No space left on device");
    let answer = USERNS.script(&format!("{limited}; explain unshare --user"));
    answer.refused("UserNsCount").seen("/proc/sys/user/max_user_namespaces", "is 0");
    let remedy = answer.command("sysctl -w user.max_user_namespaces=", &[]);
    USERNS.shell(&format!("{limited}; {remedy}; unshare --user true"));
}

/// Depth and a limit further up look the same from inside, and are not guessed.
#[test]
fn nested_too_deep() {
    require_namespaces!();
    let deep = "n() { if [ $1 -gt 0 ]; then NS=$NS unshare --user --map-root-user bash -c \"$(declare -f n); n $(($1 - 1)) '$2'\"; else eval \"$2\"; fi; }";
    HERE.refuses(&["bash", "-c", &format!("{deep}; n 33 'unshare --user true'")], "No space left on device");
    let answer = HERE.script(&format!("{deep}; n 33 '$NS explain --json unshare --user'"));
    answer.undecided(&["UserNsCount", "UserNsLevel"]);
    assert!(answer.0["probe"].as_str().unwrap().contains("lsns --tree"), "{:#}", answer.0);
    // That somebody set a limit inside does not make it the reason.
    let limited = "echo 1 > /proc/sys/user/max_user_namespaces; $NS explain --json unshare --user";
    let answer = HERE.script(&format!("{deep}; n 33 '{limited}'"));
    answer.undecided(&["UserNsCount", "UserNsLevel"]);
    // One level up it goes.
    HERE.grants(&["bash", "-ec", &format!("{deep}; n 32 'unshare --user true'")]);
}

/// fs.mount-max, not the disk. The limit is the machine's own: it is raised for a moment.
#[test]
fn too_many_mounts() {
    require_root!();
    let fill = "mount -t tmpfs t /mnt; mkdir /mnt/a; i=0
        while mkdir /mnt/a/$i && mount -n --rbind /mnt /mnt/a/$i 2>/tmp/explain-mount-$$; do i=$((i + 1)); done
        grep -q 'No space left on device' /tmp/explain-mount-$$; rm /tmp/explain-mount-$$";
    let place = Place(&["unshare", "--mount"]);
    let answer = place.script(&format!("{fill}; explain mount --rbind /mnt /mnt/a/$i"));
    answer
        .refused("MountMax")
        .errno("ENOSPC")
        .seen("/proc/sys/fs/mount-max", "is ")
        .seen("mountinfo", "lines");
    let remedy = answer.command("sysctl -w fs.mount-max=", &[]);
    let before = std::fs::read_to_string("/proc/sys/fs/mount-max").unwrap();
    let restore = format!("trap 'sysctl -qw fs.mount-max={}' EXIT", before.trim());
    place.grants(&["bash", "-ec", &format!("{restore}; {fill}; {remedy}; mount -n --rbind /mnt /mnt/a/$i")]);
    assert_eq!(std::fs::read_to_string("/proc/sys/fs/mount-max").unwrap(), before);
}

/// The pid namespace has a few numbers only, and the next one comes after the last of them.
#[test]
fn no_number_is_left_in_the_pid_namespace() {
    testkit::require_namespaces!();
    let place = Place(&[
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount",
        "--mount-proc",
        "--kill-child",
    ]);
    let set =
        "sub set { open my $f, '>', \"/proc/sys/kernel/$_[0]\" or exit 77; syswrite $f, $_[1] or exit 77 }
        set('pid_max', 301); set('ns_last_pid', 299); fork or do { sleep 100; exit };";
    let done = place.run(&["perl", "-e", &format!("{set} print fork ? 'forked' : $!")]);
    if done.code == Some(77) {
        return testkit::skip("no_number_is_left_in_the_pid_namespace", "pid_max is one for all here");
    }
    assert!(done.stdout.contains("Resource temporarily unavailable"), "{done:?}");
    let ask = format!("{set} exec '{NS}', 'explain', '--json', 'clone', 'none'");
    let answer = Answer::of(&place.run(&["perl", "-e", &ask]).stdout).unwrap();
    answer.refused("PidExhausted").errno("EAGAIN").seen("/proc/sys/kernel/pid_max", "is 301");
    answer.helps("kernel.pid_max");
}
