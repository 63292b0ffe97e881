//! What the command says and how it ends, whatever it is given and wherever it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const CONFORMANCE: &str = env!("CARGO_BIN_EXE_conformance");

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn conformance(args: &[&str]) -> (Option<i32>, String, String) {
    run(Command::new(CONFORMANCE).args(args))
}

/// Runs it by a program that starts another: `prefix` ends with what that takes.
fn through(prefix: &[&str], args: &[&str]) -> (Option<i32>, String, String) {
    run(Command::new(prefix[0]).args(&prefix[1..]).arg(CONFORMANCE).args(args))
}

/// The run could not compare, and says why in one line with these words.
fn cannot(ended: (Option<i32>, String, String), words: &[&str]) {
    let (code, out, error) = ended;
    assert_eq!(code, Some(2), "{out}{error}");
    assert_eq!(error.lines().count(), 1, "{out}{error}");
    assert!(error.starts_with("conformance: ") && !error.contains("os error"), "{error}");
    for word in words {
        assert!(error.contains(word), "no {word:?} in: {error}");
    }
    assert!(!out.contains("difference"), "{out}");
}

/// A directory that is gone after the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("conformance-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FEW: [&str; 4] = ["--operations", "100", "--seed", "4"];

#[test]
fn a_world_that_both_sides_refuse_ends_the_run() {
    testkit::require_namespaces!();
    let words = ["making a world: sethostname world: operation not permitted", "no_new_privs"];
    cannot(through(&["setpriv", "--no-new-privs"], &FEW), &words);
}

/// Where only the model would make it, that is a difference: found once, for all worlds.
#[test]
fn a_world_that_one_side_refuses_ends_the_run() {
    testkit::require_namespaces!();
    let args = ["--as-user", "--without", "HostnamePrivilege", "--operations", "5000", "--seed", "4"];
    let (code, out, error) = through(&["setpriv", "--no-new-privs"], &args);
    assert_eq!((code, error.as_str()), (Some(1), ""), "{out}");
    assert_eq!(out.matches("\ndifference:\n").count(), 1, "{out}");
    assert!(out.contains("# making the world: sethostname world: kernel EPERM, model ok\n"), "{out}");
}

#[test]
fn a_runner_without_capabilities_is_told_which_it_lacks() {
    testkit::require_root!();
    let words = ["making a world: write \"0 0 65536\" to uid_map: operation not permitted", "CAP_SETFCAP"];
    cannot(through(&["setpriv", "--bounding-set=-setfcap"], &FEW), &words);
    let bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    cannot(through(&bare, &FEW), &["making a world: ", "uid_map", "the runner lacks"]);
}

#[test]
fn another_user_namespace_is_refused() {
    testkit::require_namespaces!();
    cannot(through(&["unshare", "-Ur"], &FEW), &["first user namespace", "uid_map \"0 "]);
    cannot(through(&["unshare", "-Ur"], &["--replay", "/dev/null"]), &["first user namespace"]);
}

#[test]
fn the_proc_of_another_pid_namespace_is_refused() {
    testkit::require_root!();
    cannot(through(&["unshare", "--pid", "--fork"], &FEW), &["/proc is that of another pid namespace"]);
}

#[test]
fn what_a_runner_has_inherited_makes_no_difference() {
    testkit::require_root!();
    let inherited: [&[&str]; 4] = [
        &["setpriv", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"],
        &["setpriv", "--securebits=+no_setuid_fixup"],
        &["setpriv", "--reuid=1234", "--clear-groups", "--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"],
        &["unshare", "--pid", "--fork", "--mount-proc"],
    ];
    for prefix in inherited {
        let (code, out, error) = through(prefix, &["--operations", "400", "--seed", "4", "--patience", "1"]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{prefix:?}: {out}");
    }
}

#[test]
fn limits_of_the_runner_are_named() {
    testkit::require_namespaces!();
    let limited = |limit: &str| {
        let line = format!("ulimit {limit}; exec {CONFORMANCE} {}", FEW.join(" "));
        run(Command::new("bash").args(["-c", &line]))
    };
    cannot(limited("-n 64"), &["the limit on descriptors is 64"]);
    cannot(limited("-f 1"), &["worker", "SIGXFSZ"]);
    if !testkit::is_root() {
        cannot(limited("-u 1"), &["starting ", "resource temporarily unavailable", "ulimit -u"]);
    }
}

#[test]
fn what_is_not_a_scenario_is_said_with_file_and_line() {
    testkit::require_namespaces!();
    let directory = Directory::new("replay");
    let cases: [(&str, &[u8], &str); 11] = [
        ("empty", b"", ": no scenario is in there"),
        ("comment", b"# nothing\n", ": no scenario is in there"),
        ("idle", b"== one\nshow\n", ":1: one: no call is made here"),
        ("garbage", b"init: fork\nhello world\n", ":2: no such line without a task: hello world"),
        ("sinse", b"\n# kernels sinse 6.9\ninit: fork\n", ":2: not \"kernels since|until RELEASE\""),
        ("six", b"# kernels since six\ninit: fork\n", ":1: no such release: six"),
        (
            "world",
            b"# world rot\ninit: fork\n",
            ":1: no such kind of world: rot; there are root, userns, user",
        ),
        ("only", b"# model olny: x\ninit: fork\n", ":1: not \"model only: REASON\""),
        ("later", b"# kernels since 200.0\ninit: fokr\n", ":2: no such call: fokr"),
        ("part", b"== one\ninit: fork\n== two\nnobody: fork\n", ":4: two: no task is called nobody"),
        ("bytes", b"init: fork \xff\n", ": "),
    ];
    for (name, text, says) in cases {
        let path = directory.file(name, text);
        cannot(conformance(&["--replay", &path]), &[&format!("{path}{says}")]);
    }
    let absent = format!("{}/absent", directory.path());
    cannot(conformance(&["--replay", &absent]), &[&absent, "no such file or directory"]);
    cannot(conformance(&["--replay", directory.path()]), &[directory.path(), "is a directory"]);
    let path = directory.file("good", "== one\ninit: fork => ok\n");
    cannot(conformance(&["--replay", &path, "--part", "two"]), &["\"two\"", &path]);
}

#[test]
fn a_bad_file_does_not_keep_others_from_being_replayed() {
    testkit::require_namespaces!();
    let directory = Directory::new("others");
    let bad = directory.file("bad", "hello world\n");
    let wrong = directory.file("wrong", "== first\ninit: fork => EPERM\n== second\ninit: getid\n");
    let good = directory.file("good", "init: fork => ok\n");
    let (code, out, error) = conformance(&["--replay", &bad, &wrong, &good]);
    assert_eq!(code, Some(2), "{out}{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(out.contains(&format!("{wrong}:2: first: both sides answer child 2, ")), "{out}");
    assert!(out.contains(&format!("{good}: both sides agree\n")), "{out}");
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let cases: [&[&str]; 11] = [
        &["--part", "one"],
        &["--world", "user"],
        &["--world", "users", "--replay", "/dev/null"],
        &["--replay", "/dev/null", "--operations", "5"],
        &["--replay", "/dev/null", "--seed", "5"],
        &["--replay", "/dev/null", "--jobs", "5"],
        &["--replay", "/dev/null", "--keep", "/dev/null"],
        &["--replay", "/dev/null", "--mutants"],
        &["--jobs", "0"],
        &["--operations", "0"],
        &["--only", "maps"],
    ];
    for args in cases {
        let (code, out, error) = conformance(args);
        assert!(code == Some(2) && out.is_empty() && error.starts_with("error: "), "{args:?}: {out}{error}");
    }
}

/// Every run of more than a few calls meets this one.
const MISSED: &str = "UnshareNeedsAdmin";

/// Differences are there for the asking: the model is told to leave a rule out.
fn differ(args: &[&str]) -> (Option<i32>, String, String) {
    let always = ["--without", MISSED, "--operations", "600", "--seed", "8", "--patience", "3"];
    conformance(&[&always, args].concat())
}

#[test]
fn a_difference_says_what_makes_it_again_and_is_kept() {
    testkit::require_namespaces!();
    let directory = Directory::new("keep");
    let kept = directory.0.join("new/deep");
    let (code, out, error) = differ(&["--jobs", "1", "--keep", kept.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{out}{error}");
    let origin = format!("conformance --operations 600 --seed 8 --without {MISSED}");
    assert!(out.contains(&origin) && out.contains(" on Linux "), "{out}");
    let files: Vec<PathBuf> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        assert!(out.contains(&text), "{out}\nnot in there: {text}");
        let path = file.to_str().unwrap();
        let (code, out, error) = conformance(&["--replay", path]);
        assert_eq!(code, Some(0), "{out}{error}");
        let (code, out, error) = conformance(&["--without", MISSED, "--replay", path]);
        assert_eq!(code, Some(1), "{out}{error}");
    }
}

#[test]
fn a_difference_that_cannot_be_kept_is_not_lost() {
    testkit::require_namespaces!();
    let directory = Directory::new("lost");
    let file = directory.file("file", "");
    cannot(conformance(&["--keep", &file]), &[&file, "file exists"]);
    cannot(conformance(&["--keep", &format!("{file}/below")]), &[&file, "not a directory"]);
    // Where the scenario would go there is a directory.
    let kept = directory.0.join("kept");
    differ(&["--jobs", "1", "--keep", kept.to_str().unwrap()]);
    for entry in fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
    let (code, out, error) = differ(&["--jobs", "1", "--keep", kept.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{out}{error}");
    assert!(error.contains(kept.to_str().unwrap()) && error.contains("is a directory"), "{error}");
    assert!(out.contains("\ndifference:\n") && out.contains(" operations, "), "{out}");
}

#[test]
fn it_ends_quietly_when_nobody_reads_on() {
    testkit::require_namespaces!();
    let line = format!("{CONFORMANCE} --operations 400 --seed 6 | true; echo ${{PIPESTATUS[0]}}");
    let (_, out, error) = run(Command::new("bash").args(["-c", &line]));
    assert_eq!((out.trim(), error.as_str()), ("2", ""));
}

#[test]
fn a_full_disk_is_said_in_one_line() {
    testkit::require_namespaces!();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(CONFORMANCE).args(FEW).stdout(full).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(error, "conformance: writing to standard output: no space left on device\n");
}

/// The worker of this number, when it is there.
fn worker(supervisor: u32, number: &str) -> Option<rustix::process::Pid> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())).find_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse();
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = parent == Ok(supervisor) && line.contains(&format!("--worker-number\0{number}\0"));
        ours.then(|| rustix::process::Pid::from_raw(pid.parse().ok()?)).flatten()
    })
}

#[test]
fn a_killed_worker_does_not_take_the_others_findings_along() {
    testkit::require_namespaces!();
    for json in [false, true] {
        let mut command = Command::new(CONFORMANCE);
        command.args(["--operations", "3000", "--seed", "7", "--jobs", "2"]);
        command.args(json.then_some("--json")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        let victim = loop {
            match worker(child.id(), "1") {
                Some(pid) => break pid,
                None => assert!(Instant::now() < until, "there is no second worker"),
            }
        };
        rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let (out, error) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(error, "conformance: worker 1: ended by SIGKILL\n", "{out}");
        assert_eq!(status.code(), Some(2));
        if json {
            let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert!(summary["operations"].as_u64().unwrap() >= 1_500, "{out}");
            assert_eq!(summary["failures"][0], "worker 1: ended by SIGKILL");
        } else {
            assert!(out.contains(" operations, ") && out.contains(" 0 divergences"), "{out}");
        }
    }
}

#[test]
fn json_says_what_was_run() {
    testkit::require_namespaces!();
    let args = ["--json", "--only", "map", "--seed", "18446744073709551615", "--operations", "100"];
    let (code, out, error) = conformance(&[&args[..], &["--jobs", "99", "--as-user"]].concat());
    assert_eq!(code, Some(0), "{out}{error}");
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["seed"], "18446744073709551615");
    assert_eq!(
        (&summary["only"], &summary["as_user"], &summary["jobs"]),
        (&"map".into(), &true.into(), &8.into())
    );
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(summary["release"], release.trim());
    // Every field is in the page, and the page has no other.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fields: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let missing: Vec<_> = fields.iter().filter(|field| !page.contains(&format!("| `{field}` |"))).collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
}

#[test]
fn the_rules_are_listed_without_a_call() {
    testkit::require_namespaces!();
    let (code, out, error) = conformance(&["--operations", "0", "--coverage"]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("\n        0  UnshareNeedsAdmin ") && out.contains("\n0 operations, "), "{out}");
}

#[test]
fn the_areas_are_in_the_help_and_in_the_page() {
    let (_, help, _) = conformance(&["--help"]);
    // The lines of the help are broken where they are full.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, areas) = help.split_once("[possible values: clone, ").unwrap();
    let (areas, _) = areas.split_once(']').unwrap();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for area in areas.split(", ") {
        assert!(page.contains(&format!("`{area}`")), "no {area} in README.md");
    }
}

#[test]
fn the_guests_have_a_help_of_their_own() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/run");
    for option in ["-h", "--help"] {
        // Without a path nothing can be built or started.
        let mut command = Command::new("/bin/bash");
        let (code, out, error) = run(command.arg(&script).arg(option).env("PATH", "/nowhere"));
        assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains("kernels/run [-k RELEASE]... [ARGUMENT...]") && !out.contains("#!"), "{out}");
    }
}
