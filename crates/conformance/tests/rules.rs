//! Every rule that can be met here is met by a scenario; the others have a reason.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nsproxy::Release;

fn scenarios(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "ns") {
            found.push(path);
        }
    }
}

fn all_scenarios() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["scenarios", "regressions"] {
        scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut found);
    }
    found.sort();
    found
}

/// The rule of a line `TIMES  RULE  FUNCTION` of the coverage, if it was not met.
fn unmet(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    (words.next()? == "0").then(|| words.next()).flatten()
}

/// What came of all scenarios, which are replayed once.
fn replayed() -> &'static str {
    static ONCE: OnceLock<String> = OnceLock::new();
    ONCE.get_or_init(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        let output = command.args(["--coverage", "--replay"]).args(all_scenarios()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    })
}

/// Whether a scenario may be left out for this reason on a kernel of this release.
fn may_be_left_out(why: &str, here: Release) -> bool {
    let named = |words| why.strip_prefix(words).and_then(Release::parse);
    let machine = [
        "cgroup2 is mounted without nsdelegate",
        "no controllers are handed down to the cgroup of a run",
        "there is no cgroup of version 2 to give",
        "this kernel has no memory or no pids controller",
        "how far a machine's clock can go back depends on its uptime",
        "who ends first is left to the scheduler, and may be another under load",
    ];
    machine.contains(&why)
        || why == "such a world takes root" && !testkit::is_root()
        || why == "there is one pid_max for the whole machine before 6.14" && here < Release::new(6, 14)
        || named("kernels since ").is_some_and(|first| here < first)
        || named("kernels until ").is_some_and(|last| here > last)
        || named("release ").is_some_and(|other| here != other)
}

/// A slip in a scenario is not to switch it off.
#[test]
fn no_scenario_is_left_out_without_a_reason() {
    testkit::require_namespaces!();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let here = Release::parse(release.trim()).unwrap();
    let left_out: Vec<&str> = replayed()
        .lines()
        .filter(|line| {
            let why = line.split_once(": not for this kernel: ").map(|(_, why)| why);
            why.is_some_and(|why| !may_be_left_out(why, here))
        })
        .collect();
    assert!(left_out.is_empty(), "{}", left_out.join("\n"));
}

#[test]
fn every_rule_is_met_or_has_a_reason() {
    testkit::require_namespaces!();
    let text = replayed();
    let unmet: Vec<&str> = text.lines().filter_map(unmet).collect();
    assert!(unmet.is_empty(), "met by no scenario, and no reason in src/reach.rs: {unmet:?}");
    let listed = text.lines().filter(|line| {
        let rule = line.split_whitespace().nth(1);
        rule.is_some_and(|rule| nsproxy::Rule::from_name(rule).is_some())
    });
    assert_eq!(listed.count(), nsproxy::Rule::ALL.len(), "{text}");
}

#[test]
fn a_scenario_named_for_a_rule_ends_with_it() {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/rules"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for part in nsproxy::scenario::parts(&text) {
            let name = part.name.unwrap_or_default();
            let last = part.text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            assert!(last.ends_with(name), "{}: {name}", file.display());
            assert!(nsproxy::Rule::from_name(name).is_some(), "{}: {name}", file.display());
        }
    }
}
