//! What holds for every answer: its form, its time, and that nothing is changed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use namespaces::explain::{Cause, pages};
use serde_json::Value;

use crate::answer::{HERE, NS, Place, run, user};

const CALLS: &[&[&str]] = &[
    &["unshare", "-Urn"],
    &["unshare", "-n"],
    &["clone", "newuser,newnet,fs"],
    &["nsenter", "-t", "1", "-u"],
    &["setns", "1", "net"],
    &["mount", "-t", "proc", "proc", "/proc"],
    &["mount", "--bind", "/tmp", "/mnt"],
    &["umount", "/proc"],
    &["pivot_root", "/tmp", "/tmp"],
    &["chroot", "/tmp"],
    &["write", "uid_map", "0 1000 1"],
    &["write", "setgroups", "deny"],
    &["write", "timens_offsets", "monotonic 1 0"],
    &["newuidmap", "1", "0", "100000", "10"],
    &["setuid", "5"],
    &["setgroups", "5,6"],
    &["chown", "5", "/tmp"],
    &["mknod", "/tmp/x"],
    &["kill", "1", "TERM"],
    &["connect"],
    &["cgroup", "/sys/fs/cgroup"],
    &["1", "net"],
    &["self"],
    &["run", "--", "true"],
    &["enter", "1", "--", "true"],
    &["--bwrap", "--unshare-all", "--proc", "/proc", "--bind", "/", "/", "true"],
];

/// A validator for the part of JSON Schema that our schemas use.
fn check(schema: &Value, root: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = &root["$defs"][name.rsplit('/').next().unwrap()];
        return check(target, root, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let errors: Vec<String> = any.iter().filter_map(|one| check(one, root, value, at).err()).collect();
        return if errors.len() < any.len() { Ok(()) } else { Err(errors.join("; ")) };
    }
    if let Some(wanted) = schema.get("const") {
        return if wanted == value { Ok(()) } else { Err(format!("{at}: {value} is not {wanted}")) };
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.contains(&is) {
        return Err(format!("{at}: {is} where {types:?} is wanted"));
    }
    if let Some(all) = value.as_array() {
        for (i, item) in all.iter().enumerate() {
            check(&schema["items"], root, item, &format!("{at}[{i}]"))?;
        }
    }
    if let Some(object) = value.as_object() {
        let known = schema["properties"].as_object().unwrap();
        for (name, item) in object {
            let inner = known.get(name).ok_or(format!("{at}: {name} is not in the schema"))?;
            check(inner, root, item, &format!("{at}.{name}"))?;
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            object.get(name).ok_or(format!("{at}: {name} is missing"))?;
        }
    }
    Ok(())
}

fn schema(name: &str) -> Value {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_answer_is_of_the_published_form() {
    let schema = schema("explain.schema.json");
    for place in [
        HERE,
        user(),
        Place(&["unshare", "--user"]),
        Place(&["unshare", "--user", "--map-root-user", "--mount"]),
    ] {
        for call in CALLS {
            let answer = place.explain(call);
            check(&schema, &schema, &answer.0, "answer")
                .unwrap_or_else(|error| panic!("{call:?}: {error}\n{:#}", answer.0));
        }
    }
}

#[test]
fn the_check_is_of_the_published_form_and_quick() {
    let schema = schema("check.schema.json");
    for place in [HERE, user(), Place(&["unshare", "--user"])] {
        let text = place.grants(&[NS, "check", "--json"]);
        let value: Value = serde_json::from_str(&text).unwrap();
        check(&schema, &schema, &value, "check").unwrap();
        for check in value["checks"].as_array().unwrap() {
            assert!(check["can"] != false || check["causes"].as_array().unwrap().len() == 1, "{check:#}");
        }
    }
    let quickest = (0..5)
        .map(|_| {
            let start = Instant::now();
            HERE.grants(&[NS, "check"]);
            start.elapsed()
        })
        .min()
        .unwrap();
    // 50 ms are meant; others run tests beside this one.
    assert!(quickest < Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 50 }), "{quickest:?}");
}

#[test]
fn the_check_says_what_the_kernel_says() {
    let text = user().grants(&[NS, "check", "--json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    for (id, words) in [
        ("direct.user", &["unshare", "--user", "true"][..]),
        ("direct.net", &["unshare", "--net", "true"]),
        ("user.net", &["unshare", "--user", "--net", "true"]),
        ("user.time", &["unshare", "--user", "--time", "true"]),
        ("map.root", &["unshare", "--user", "--map-root-user", "true"]),
        ("mount.proc", &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"]),
    ] {
        let check = value["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap();
        assert_eq!(check["can"], user().run(words).code == Some(0), "{id}: {check:#}");
    }
}

/// What anybody could see changed: mounts, namespaces, ids, sysctls, cgroups, links.
fn machine() -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let links = || {
        let mut all: Vec<String> = std::fs::read_dir("/proc/self/ns")
            .unwrap()
            .filter_map(|entry| {
                std::fs::read_link(entry.unwrap().path()).ok()?.into_os_string().into_string().ok()
            })
            .collect();
        all.sort();
        all.join(" ")
    };
    let list = |dir: &str| {
        let mut all: Vec<String> = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all.join(" ")
    };
    vec![
        ("mounts", read("/proc/self/mountinfo")),
        (
            "limits",
            ["user", "mnt", "net", "pid"]
                .map(|kind| read(&format!("/proc/sys/user/max_{kind}_namespaces")))
                .concat(),
        ),
        ("maps", read("/proc/self/uid_map") + &read("/proc/self/gid_map") + &read("/proc/self/setgroups")),
        ("hostname", read("/proc/sys/kernel/hostname")),
        ("clocks", read("/proc/self/timens_offsets")),
        ("namespaces", links()),
        ("mnt", list("/mnt")),
        ("cgroups", list("/sys/fs/cgroup/unified") + &read("/proc/self/cgroup")),
        (
            "links",
            read("/proc/net/dev")
                .lines()
                .filter_map(|line| line.split(':').next().map(str::to_owned))
                .collect(),
        ),
    ]
}

/// In a mount namespace of its own, where no other test mounts.
#[test]
fn nothing_is_changed() {
    let calls: Vec<String> = CALLS
        .iter()
        .map(|call| call.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "))
        .collect();
    let asked: Vec<String> =
        calls.iter().map(|call| format!("'{NS}' explain {call} > /dev/null || true\n")).collect();
    let asked = asked.concat();
    let seen = "cat /proc/self/mountinfo /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/sys/user/max_*
        cat /proc/sys/kernel/hostname /proc/self/timens_offsets /proc/sys/fs/mount-max; ls -l /proc/self/ns/ | sed 's/.* //'; ls -la /tmp/x /mnt 2>&1 || true";
    let script = format!(
        "a=$({seen}); {asked} '{NS}' check > /dev/null; b=$({seen}); test \"$a\" = \"$b\"; echo same"
    );
    for place in
        [Place(&["unshare", "--user", "--map-root-user", "--mount", "--uts", "--time", "--net"]), HERE]
    {
        if place.0.is_empty() {
            let before = machine();
            HERE.run(&["sh", "-c", &asked]);
            HERE.grants(&[NS, "check"]);
            for (before, after) in before.into_iter().zip(machine()) {
                // Other tests put cgroups of their own beside.
                if before.0 != "cgroups" {
                    assert_eq!(before, after);
                }
            }
        } else if testkit::is_root() || testkit::user_namespaces() {
            assert_eq!(place.shell(&script), "same\n");
        }
    }
}

/// No process is left, and /proc is not listed unless the question needs it.
#[test]
fn the_processes_of_the_machine_are_not_looked_at() {
    // Whether a mount is in use is a question about processes.
    for call in CALLS.iter().filter(|call| call[0] != "umount") {
        let words =
            [&["strace", "-f", "-qq", "-e", "trace=getdents64,openat", NS, "explain"], *call].concat();
        let done = run(&words);
        let listed =
            done.stderr.lines().any(|line| line.contains("\"/proc\"") && line.contains("O_DIRECTORY"));
        assert!(!listed, "{call:?} lists /proc: {}", done.stderr);
        let opened: BTreeSet<&str> = done
            .stderr
            .lines()
            .filter_map(|line| line.split("\"/proc/").nth(1)?.split('/').next())
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        assert!(opened.len() <= 16, "{call:?} looks at {opened:?}");
    }
}

#[test]
fn every_cause_has_a_page() {
    for cause in Cause::all() {
        assert_eq!(Cause::from_id(cause.id()), Some(cause), "{cause} is there twice");
    }
    let text = HERE.grants(&[NS, "explain", "--rule", "UserNsChrooted"]);
    assert!(text.contains("current") || text.contains("create_user_ns"), "{text}");
    assert!(text.contains("ns run --root DIR"), "{text}");
    assert!(HERE.grants(&[NS, "explain", "--rule", "seccomp"]).contains("Seccomp is 2"));
    let done = run(&[NS, "explain", "--rule", "nonsense"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(2), "ns: there is no cause \"nonsense\"\n"));
}

#[test]
fn the_page_of_causes_is_in_step() {
    let path = format!("{}/../../docs/CAUSES.md", env!("CARGO_MANIFEST_DIR"));
    let text = pages();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "run the test again with UPDATE=1");
}

/// A capability that is held is not said to be missing.
#[test]
fn a_capability_that_is_held_is_not_missing() {
    if testkit::is_root() {
        for call in [&["1", "net"][..], &["setns", "1", "mnt"]] {
            let said = HERE.explain(call).0.to_string();
            assert!(!said.contains("without CAP_SYS_PTRACE"), "{said}");
        }
    }
}

#[test]
fn a_new_kernel_is_not_called_old() {
    let answer = HERE.explain(&["--errno", "ENOSYS", "unshare", "-T"]);
    assert!(!answer.0.to_string().contains("old-kernel"), "{:#}", answer.0);
}

#[test]
fn a_directory_that_is_no_cgroup_is_not_given_away() {
    let answer = HERE.explain(&["cgroup", "/tmp"]);
    answer.refused("CgroupMissing").seen("/tmp/cgroup.procs", "not a cgroup");
    assert!(!answer.0["remedies"].to_string().contains("chown"), "{:#}", answer.0);
}

#[test]
fn entering_a_process_that_has_ended_is_answered() {
    HERE.explain(&["enter", "99999999"]).refused("NoSuchTask");
}

/// No map can contain `(uid_t)-1`.
#[test]
fn the_id_that_is_none_is_not_to_be_mapped() {
    let answer = HERE.explain(&["setuid", "4294967295"]);
    answer.refused("SetidUnmapped").helps("stands for no id");
    assert!(!answer.0["remedies"].to_string().contains("--map"), "{:#}", answer.0);
}

#[test]
fn the_page_of_causes_has_every_cause() {
    let text = pages();
    for cause in Cause::all() {
        assert!(text.contains(&format!("\n### {cause}\n")), "{cause} is missing");
    }
}

/// Every option of the drop-ins is one to ask about, written in any way that they take.
#[test]
fn options_are_those_of_the_drop_ins() {
    testkit::require_namespaces!();
    let me = std::process::id().to_string();
    for words in [
        &["unshare", "-Urnfp", "--mount-p", "--kill-child=TERM", "true"][..],
        &["unshare", "--map-users=0:0:1", "--map-groups", "0,0,1", "--setgroups", "deny", "-R/", "-w", "/"],
        &[
            "unshare",
            "-UT",
            "--monotonic",
            "5",
            "--boottime=7",
            "--keep-caps",
            "-S0",
            "-G0",
            "--",
            "sh",
            "-c",
        ],
        &["unshare", "-m", "--propagation=slave", "--clear-env", "--whitelist-env", "HOME,PATH"],
        &["nsenter", "-t", &me, "-n", "-F", "-S", "follow", "-Gfollow", "--preserve", "true"],
        &["nsenter", &format!("--target={me}"), "-a", "-r", "-w", "-e", "--no-fork"],
        &["nsenter", "-n=/proc/self/ns/net", "-u/proc/self/ns/uts", "--wdns=/", "-Z"],
    ] {
        let done = run(&[&[NS, "explain"], words].concat());
        assert!(matches!(done.code, Some(0 | 1 | 3)), "{words:?}: {}", done.stderr);
        assert!(done.stderr.is_empty() && !done.stdout.is_empty(), "{words:?}: {}", done.stderr);
    }
}

#[test]
fn what_is_not_understood_is_said_in_one_line() {
    for words in [
        &["frobnicate"][..],
        &["unshare", "--nonsense"],
        &["write", "x", "y"],
        &["setns", "1"],
        &["clone", "x"],
        &["pivot_root", "/mnt"],
        &["setuid", "x"],
        &["mount", "-a"],
        &["mount", "-vQ", "/mnt"],
        &["mount", "/mnt", "-t"],
        &["mount", "--make-bind", "/mnt"],
        &["run", "--bogus"],
        &["enter"],
        &["kill", "1", "BLAH"],
        &["--errno", "BLAH", "clone", "none"],
        &["--errno", "0", "clone", "none"],
        &["--errno", "-1", "clone", "none"],
        &["--layer", "/nowhere", "clone", "none"],
        &["--bwrap", "--unshare-all", "--nonsense", "true"],
        &["--bwrap", "--unshare-user", "--uid", "abc", "true"],
        &["--bwrap", "--unshare-user", "--gid", "4294967295", "true"],
        &["--bwrap", "--hostname", "box", "true"],
        &["--bwrap", "--unshare-pid", "--ro-bind", "/"],
        &["--bwrap", "--userns", "10", "true"],
    ] {
        let done = run(&[&[NS, "explain"], words].concat());
        assert!(!done.stderr.trim_end().ends_with(':'), "{words:?}: {}", done.stderr);
        assert_eq!(done.code, Some(2), "{words:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{words:?}: {}", done.stderr);
    }
}

#[test]
fn the_list_of_situations_names_tests() {
    let dir = format!("{}/tests/explain", env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(format!("{dir}/situations.md")).unwrap();
    let names: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    for name in &names {
        let (file, test) = name.split_once("::").unwrap();
        let source = std::fs::read_to_string(format!("{dir}/{file}.rs")).unwrap();
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "{name} is no test");
    }
    for number in 1..=30 {
        assert!(list.contains(&format!("\n| {number} |")), "{number} is missing");
    }
}

/// Long and short, glued and apart, alone and in a word of several.
#[test]
fn the_options_of_mount_are_taken() {
    let asks = |words: &[&str]| HERE.explain(words).0["question"].as_str().unwrap().to_owned();
    for (shown, others) in [
        (
            &["mount", "-t", "tmpfs", "-o", "ro,size=1m", "t", "/mnt"][..],
            &[
                &["mount", "--types=tmpfs", "--options=ro,size=1m", "t", "/mnt"][..],
                &["mount", "-vrttmpfs", "-osize=1m", "t", "/mnt"],
                &["mount", "t", "/mnt", "--types", "tmpfs", "--read-only", "--options", "size=1m"],
                &["mount", "-t", "tmpfs", "-o", "rw,ro,size=1m", "--source=t", "--target", "/mnt"],
            ][..],
        ),
        (
            &["mount", "-o", "rbind", "/tmp", "/mnt"],
            &[
                &["mount", "-R", "/tmp", "/mnt"],
                &["mount", "-v", "--rbind", "/tmp", "/mnt"],
                &["mount", "-wR", "/tmp", "/mnt"],
                &["mount", "-o", "rbind,ro,defaults", "-w", "--", "/tmp", "/mnt"],
            ],
        ),
        (
            &["mount", "-o", "bind", "/tmp", "/mnt"],
            &[&["mount", "--bind", "/tmp", "/mnt"], &["mount", "-B", "/tmp", "/mnt"]],
        ),
        (
            &["mount", "-o", "move", "/tmp", "/mnt"],
            &[&["mount", "--move", "/tmp", "/mnt"], &["mount", "-M", "/tmp", "/mnt"]],
        ),
        (&["mount", "-o", "rslave", "/"], &[&["mount", "--make-rslave", "/"]]),
        (&["mount", "-o", "unbindable", "/"], &[&["mount", "--make-unbindable", "-v", "/"]]),
        (&["umount", "/mnt"], &[&["umount", "-v", "/mnt"]]),
    ] {
        for other in others {
            assert_eq!(asks(other), asks(shown), "{other:?}");
        }
    }
    let done = run(&[NS, "explain", "mount", "--all"]);
    assert!(done.stderr.contains("one call for each line of /etc/fstab"), "{}", done.stderr);
}
