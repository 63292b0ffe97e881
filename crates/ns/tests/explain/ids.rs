//! 13, 14, 15: maps, their helpers, and ids without mapping.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use testkit::{require, require_namespaces, require_root};

use crate::answer::{Answer, HERE, NS, Place, user};
use crate::common::Background;
use crate::processes::sleeping;

const USERNS: Place<'_> = Place(&["unshare", "--user", "--map-root-user"]);

/// A process of `place` in a user namespace without maps.
fn unmapped(place: Place<'_>) -> Background {
    let words = [place.0, &["unshare", "--user", "sh", "-c", "echo ready; exec sleep 100"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    Background::start(&mut command).0
}

#[test]
fn a_group_map_before_setgroups_is_denied() {
    require_namespaces!();
    let place = user();
    let process = unmapped(place);
    let pid = process.pid().to_string();
    let gid = place.shell("id -g");
    let map = format!("0 {} 1", gid.trim());
    let file = format!("/proc/{pid}/gid_map");
    place.refuses(&["bash", "-c", &format!("echo '{map}' > {file}")], "Operation not permitted");
    let answer = place.explain(&["write", &file, &map]);
    answer.refused("MapNotPermitted").errno("EPERM").seen(&format!("/proc/{pid}/setgroups"), "is allow");
    // The user has no subordinate ids.
    assert!(!answer.0["remedies"].to_string().contains("newgidmap"), "{:#}", answer.0);
    place.shell(&answer.command("echo deny", &[]));
    // After that setgroups is refused for ever: another cause of the same errno.
    let answer = USERNS.explain(&["setgroups", "0"]);
    answer.refused("SetgroupsCall").errno("EPERM").seen("/proc/self/setgroups", "is deny, for ever");
    USERNS.refuses(&["setpriv", "--groups", "0", "true"], "Operation not permitted");
    answer.helps("--preserve-credentials");
}

/// Without the capability the map that just failed is no advice.
#[test]
fn root_without_setfcap_needs_no_user_namespace() {
    testkit::require_root!();
    let place = Place(&["setpriv", "--bounding-set", "-setfcap"]);
    let answer = place.explain(&["run", "--", "true"]);
    answer.refused("MapRootNeedsSetfcap");
    let said = answer.0["remedies"].to_string();
    assert!(!said.contains("newuidmap") && !said.contains("own id"), "{said}");
    place.shell(&answer.command("ns run --share user", &[]));
}

#[test]
fn a_map_of_anothers_ids() {
    require_namespaces!();
    let place = user();
    let process = unmapped(place);
    let file = format!("/proc/{}/uid_map", process.pid());
    place.refuses(&["bash", "-c", &format!("echo '0 5 1' > {file}")], "Operation not permitted");
    let answer = place.explain(&["write", &file, "0 5 1"]);
    answer.refused("MapNotPermitted").errno("EPERM").seen("/proc/self/status", "only these can be mapped");
    place.shell(&answer.command("echo '0 ", &[]));
    // And once more: now it is written.
    place.refuses(&["bash", "-c", &format!("echo '0 5 1' > {file}")], "Operation not permitted");
    place.explain(&["write", &file, "0 5 1"]).refused("MapAlreadySet").seen(&file, "has lines already");
}

/// The links of a process of another user namespace can't be read, and what can be written to
/// its files tells what stands in the way.
#[test]
fn a_map_of_a_namespace_beside_the_own() {
    require_namespaces!();
    let process = unmapped(HERE);
    let file = format!("/proc/{}/uid_map", process.pid());
    let beside = Place(&["unshare", "--user"]);
    beside.refuses(&["bash", "-c", &format!("echo '0 0 1' > {file}")], "Operation not permitted");
    let answer = beside.explain(&["write", &file, "0 0 1"]);
    answer.refused("MapOpener").errno("EPERM").seen("write", "with EINVAL");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, "", "asking has written a map");
    let above = format!("/proc/{}/uid_map", std::process::id());
    beside.explain(&["write", &above, "0 0 1"]).refused("MapInitNs").errno("EPERM");
}

#[test]
fn an_id_without_mapping() {
    require_namespaces!();
    USERNS.refuses(&["setpriv", "--reuid", "5", "--keep-groups", "true"], "Invalid argument");
    let answer = USERNS.explain(&["setuid", "5"]);
    answer
        .refused("SetidUnmapped")
        .errno("EINVAL")
        .seen("/proc/self/uid_map", "without 5")
        .helps("--map auto");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let path = file.to_str().unwrap();
    USERNS.refuses(&["chown", "5:7", path], "Invalid argument");
    let answer = USERNS.explain(&["chown", "5:7", path]);
    answer.refused("chown-unmapped").errno("EINVAL").seen("/proc/self/uid_map", "without 5");
    USERNS.explain(&["chown", "0:0", path]).allowed();
    USERNS.grants(&["chown", "0:0", path]);
}

/// The user that this machine gives subordinate ids to.
fn with_subordinate_ids() -> Option<(Vec<String>, u32)> {
    let text = std::fs::read_to_string("/etc/subuid").ok()?;
    let own = HERE.shell("id -un").trim().to_owned();
    let mut lines = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.next()?.parse::<u32>().ok()?))
    });
    if testkit::is_root() {
        let (name, first) =
            lines.find(|(name, _)| name != "root" && !HERE.run(&["id", name]).stdout.is_empty())?;
        let words = ["setpriv", "--reuid", &name, "--regid", &name, "--init-groups"];
        return Some((words.iter().map(ToString::to_string).collect(), first));
    }
    lines.find(|(name, _)| *name == own).map(|(_, first)| (Vec::new(), first))
}

/// Asks in `place`, after the helper has failed for real.
fn helper_fails(place: Place<'_>, prepare: &str, map: &str, message: &str) -> Answer {
    let process = unmapped(place);
    let pid = process.pid();
    let real = format!("{prepare} newuidmap {pid} {map}");
    place.refuses(&["sh", "-c", &real], message);
    place.script(&format!("{prepare} $NS explain --json newuidmap {pid} {map}"))
}

#[test]
fn the_helpers_of_subordinate_ids() {
    require_namespaces!();
    let found = with_subordinate_ids();
    require!(found.is_some() || !testkit::is_root(), "no user has subordinate ids");
    require!(found.is_some(), "no subordinate ids for this user in /etc/subuid");
    let (words, first) = found.unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let place = Place(&words);
    let map = format!("0 {first} 10");

    let answer = helper_fails(place, "", "0 5 10", "not allowed");
    answer.refused("subordinate-range").seen("/etc/subuid", "does not contain 10 ids from 5");
    answer.helps("ask for a range that a line of the file contains");

    let dir = tempfile::tempdir().unwrap();
    HERE.run(&["chmod", "755", dir.path().to_str().unwrap()]);
    std::fs::copy("/usr/bin/newuidmap", dir.path().join("newuidmap")).unwrap();
    HERE.run(&["chmod", "755", dir.path().join("newuidmap").to_str().unwrap()]);
    let own = format!("PATH={}:$PATH", dir.path().display());
    let answer = helper_fails(place, &own, &map, "Operation not permitted");
    answer
        .refused("helper-unprivileged")
        .seen("/newuidmap", "has the mode 755")
        .helps("setcap cap_setuid+ep");

    let answer = helper_fails(place, "exec setpriv --no-new-privs", &map, "Operation not permitted");
    answer.refused("no-new-privs").seen("/proc/self/status", "NoNewPrivs: 1");

    let process = unmapped(place);
    let pid = process.pid().to_string();
    place.grants(&["sh", "-c", &format!("newuidmap {pid} {map}")]);
    place.refuses(&["sh", "-c", &format!("newuidmap {pid} {map}")], "Operation not permitted");
    let answer = place.script(&format!("explain newuidmap {pid} {map}"));
    answer.refused("MapAlreadySet").seen(&format!("/proc/{pid}/uid_map"), "has lines already");

    let overlapping = format!("0 {first} 10 5 {first} 10");
    let answer = helper_fails(place, "", &overlapping, "");
    answer.refused("MapOverlap").errno("EINVAL");

    let answer = place.script("PATH=/nowhere $NS explain --json newuidmap 1 0 1 1");
    answer.refused("helper-missing");
}

#[test]
fn a_user_without_subordinate_ids() {
    require_root!();
    let place = user();
    let answer = helper_fails(place, "", "0 100000 10", "");
    answer.refused("no-subordinate-ids").seen("/etc/subuid", "has no line for nobody");
    let remedy = answer.command("usermod --add-subuids", &[]);
    assert!(remedy.ends_with(" nobody"), "{remedy}");
    // Done to the file that the answer reads, not to the machine's.
    let layer = crate::outside::layer(&[("etc/subuid", "nobody:100000:65536\n")]);
    let process = unmapped(place);
    let pid = process.pid().to_string();
    let path = layer.path().to_str().unwrap();
    place.explain(&["--layer", path, "newuidmap", &pid, "0", "100000", "10"]).allowed();
}

/// The bit of the helper does not count on such a mount.
#[test]
fn a_helper_on_a_nosuid_mount() {
    require_root!();
    let found = with_subordinate_ids();
    let (words, first) = found.expect("a user with subordinate ids");
    let run_as = words.join(" ");
    let script = format!(
        "mount --bind /usr/bin /usr/bin; mount -o remount,bind,nosuid /usr/bin
        {run_as} unshare --user sleep 100 > /dev/null & pid=$!; trap 'kill $pid' EXIT
        while [ $(readlink /proc/$pid/ns/user) = $(readlink /proc/$$/ns/user) ]; do sleep 0.01; done
        {run_as} newuidmap $pid 0 {first} 10 2>&1 | grep -q 'not permitted'
        {run_as} $NS explain --json newuidmap $pid 0 {first} 10"
    );
    let answer = Place(&["unshare", "--mount"]).script(&script);
    answer
        .refused("nosuid-mount")
        .seen("/proc/self/mountinfo:", "with nosuid")
        .helps("remount that one with suid");
}

/// A nested user namespace has only the ids that its parent passes on.
#[test]
fn ids_that_the_parent_does_not_have() {
    require_namespaces!();
    let script = "unshare --user sleep 100 > /dev/null & pid=$!; trap 'kill $pid' EXIT; sleep 0.2
        ! (echo '0 5 1' > /proc/$pid/uid_map) 2> /dev/null; explain write /proc/$pid/uid_map '0 5 1'";
    let answer = USERNS.script(script);
    answer
        .refused("MapParentUnmapped")
        .errno("EPERM")
        .seen("/proc/self/uid_map", "does not contain the whole range");
}

/// Both helpers write only for a process of whoever calls them; root is no exception.
#[test]
fn a_helper_for_anothers_process() {
    require!(std::path::Path::new("/usr/bin/newuidmap").exists(), "newuidmap is not installed");
    let other =
        if testkit::is_root() { Some(sleeping(&[user().0, &["sleep", "100"]].concat())) } else { None };
    let pid = other.as_ref().map_or("1".to_owned(), |process| process.pid().to_string());
    crate::common::eventually("the user", || {
        testkit::is_root() == (std::fs::metadata(format!("/proc/{pid}")).unwrap().uid() == 65534)
    });
    HERE.refuses(&["newuidmap", &pid, "0", "0", "1"], "owned by a different user");
    let answer = HERE.explain(&["newuidmap", &pid, "0", "0", "1"]);
    answer
        .refused("helper-other-user")
        .seen(&format!("/proc/{pid}"), "belongs to")
        .helps("as the user of the process");
}

/// The first of PATH that can be executed is taken, and else the reason is that none can be.
#[test]
fn a_helper_that_may_not_be_executed() {
    require_namespaces!();
    let dir = tempfile::tempdir().unwrap();
    HERE.run(&["chmod", "755", dir.path().to_str().unwrap()]);
    let file = dir.path().join("newuidmap");
    std::fs::write(&file, "").unwrap();
    HERE.run(&["chmod", "644", file.to_str().unwrap()]);
    let path = format!("PATH={}", dir.path().display());
    let shown = file.to_str().unwrap();
    let answer = HERE.script(&format!("{path} $NS explain --json newuidmap 1 0 1 1"));
    answer
        .refused("helper-not-executable")
        .errno("EACCES")
        .seen(shown, "has the mode 644")
        .helps("chmod 4755");
    let answer = HERE.script(&format!("{path}:$PATH $NS explain --json newuidmap 1 0 1 1"));
    assert_ne!(answer.0["cause"]["id"], "helper-not-executable", "{:#}", answer.0);
    // Where no line of /etc/subuid stops it before, the launch says so too.
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    if user().0.is_empty() && own.contains("\nUid:\t1001") {
        let done = HERE.run(&["env", &path, NS, "run", "--map", "auto", "/bin/true"]);
        assert!(done.stderr.contains("\n    helper-not-executable: "), "{}", done.stderr);
    }
}

/// Ids without a mapping look alike, and the file still belongs to another user.
#[test]
fn a_map_of_anothers_process_where_no_id_is_mapped() {
    require_namespaces!();
    let words = if testkit::is_root() { [user().0, &["sleep", "100"]].concat() } else { vec!["sleep", "0"] };
    let process = sleeping(&words);
    let pid = if testkit::is_root() { process.pid().to_string() } else { "1".to_owned() };
    crate::common::eventually("the user", || {
        testkit::is_root() == (std::fs::metadata(format!("/proc/{pid}")).unwrap().uid() == 65534)
    });
    let place = Place(&["unshare", "--user"]);
    for (file, text) in [("uid_map", "0 0 1"), ("timens_offsets", "bogus")] {
        let path = format!("/proc/{pid}/{file}");
        place.refuses(&["sh", "-c", &format!("echo '{text}' > {path}")], "Permission denied");
        place.explain(&["write", &path, text]).refused("MapOpenAccess").errno("EACCES");
    }
}
