//! Every rule that can be met here is met by a scenario; the others have a reason.

use std::path::{Path, PathBuf};
use std::process::Command;

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

#[test]
fn every_rule_is_met_or_has_a_reason() {
    testkit::require_namespaces!();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["--coverage", "--replay"])
        .args(all_scenarios())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
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
