//! Every scenario says the same on both sides, in the world that the caller can make.

use std::path::{Path, PathBuf};
use std::process::Command;

fn scenarios(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ns"));
    files.sort();
    files
}

fn replay(files: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.arg("--replay").args(files).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn scenarios_of_the_manual() {
    testkit::require_namespaces!();
    let files = scenarios("scenarios");
    assert!(!files.is_empty());
    let (agreed, text) = replay(&files);
    assert!(agreed, "{text}");
}
