//! `ns sim`, with the scenarios that come with `nsproxy`.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{ns, run, succeed};

fn scenarios() -> Vec<String> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../nsproxy/scenarios");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_scenario_answers_as_it_says() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 8);
    for file in scenarios {
        let text = succeed(&["sim", &file]);
        assert!(!text.contains("not what was expected"), "{file}: {text}");
    }
}

#[test]
fn a_picture_has_four_forms() {
    let file = &scenarios()[0];
    assert!(succeed(&["sim", "--dot", file]).starts_with("digraph"));
    assert!(succeed(&["sim", "--svg", file]).contains("<svg"));
    let json: serde_json::Value = serde_json::from_str(&succeed(&["sim", "--json", file])).unwrap();
    assert!(json.is_object());
    let early = succeed(&["sim", "--json", "--after", "1", file]);
    assert_ne!(early, succeed(&["sim", "--json", file]));
}

#[test]
fn a_script_on_standard_input_and_an_answer_not_expected() {
    let script = "init: fork -> sh\nsh: setuid 1000\nsh: unshare uts => ok\n";
    let mut child = ns(&["sim"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("EPERM UnshareNeedsAdmin"), "{text}");
}

#[test]
fn a_line_that_can_not_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.ns");
    std::fs::write(&file, "init: fork -> sh\nsh: frobnicate\n").unwrap();
    let done = run(&["sim", file.to_str().unwrap()]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.starts_with("ns: line 2: "), "{}", done.stderr);
    assert!(run(&["sim", "--after", "99", "/dev/null"]).stderr.contains("no line 99"));
}

#[test]
fn a_line_that_can_not_be_read_keeps_the_answers_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.ns");
    std::fs::write(&file, "init: fork -> sh\nsh: frobnicate\n").unwrap();
    let done = run(&["sim", file.to_str().unwrap()]);
    assert!(done.stdout.starts_with("init: fork -> sh "), "{}", done.stdout);
    assert!(done.stderr.contains("no such call: frobnicate"), "{}", done.stderr);
}

#[test]
fn the_words_of_a_script_can_be_listed() {
    let text = succeed(&["sim", "--calls"]);
    for word in ["unshare [WHAT...]", "same LINK TASK", "release VERSION", "setresuid(2)"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(succeed(&["sim", "--help"]).contains("ns sim --calls"));
}

#[test]
fn the_example_of_the_readme_is_what_is_printed() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("| ns sim\n").unwrap();
    let (shown, _) = block.split_once("```").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("example.ns");
    std::fs::write(&file, "init: fork -> sh\nsh: setuid 1000\nsh: unshare uts\n").unwrap();
    assert_eq!(run(&["sim", file.to_str().unwrap()]).stdout, shown);
}
