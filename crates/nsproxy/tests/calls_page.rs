//! CALLS.md lists the words of the scenario language, all of them and no others.
//! `UPDATE=1 cargo test -p nsproxy --test calls_page` writes it.

#![cfg(not(miri))]

use nsproxy::op::Op;
use nsproxy::scenario::{CALLS, Question, Scenario, calls_page};
use std::collections::BTreeSet;

#[test]
fn calls_md_is_in_step() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CALLS.md");
    let page = calls_page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "CALLS.md is out of step: run this test with UPDATE=1");
}

#[test]
fn every_call_listed_can_be_read() {
    for word in CALLS {
        let words: Vec<&str> = word.example.split(' ').collect();
        assert_eq!(words[0], word.name());
        assert!(Op::parse(&words, &|_| None).is_ok(), "{}", word.example);
    }
}

/// The words that stand as `("word", [` or `["word", ` in a source.
fn words_of(source: &str, before: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let pieces = code.lines().filter_map(|line| line.trim_start().strip_prefix(before));
    pieces.filter_map(|rest| Some(rest.split_once('"')?.0.to_string())).collect()
}

#[test]
fn every_call_that_can_be_read_is_listed() {
    let sources = [include_str!("../src/op/parse.rs"), include_str!("../src/op/exact.rs")];
    let read: BTreeSet<String> = sources.iter().flat_map(|source| words_of(source, "(\"")).collect();
    let listed: BTreeSet<String> = CALLS.iter().map(|word| word.name().to_string()).collect();
    // Names of flags stand in tuples, too, and are no calls.
    let missing: Vec<&String> = read
        .iter()
        .filter(|word| !listed.contains(*word))
        .filter(|word| {
            let error = Op::parse(&[word], &|_| None).err().map(|error| error.to_string());
            sources.iter().any(|source| source.contains(&format!("(\"{word}\", ["))) || error.is_none()
        })
        .collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
    assert!(read.len() > 100, "{}", read.len());
}

#[test]
fn every_question_and_line_that_can_be_read_is_listed() {
    let page = calls_page();
    let questions = words_of(include_str!("../src/scenario/question.rs"), "[\"");
    let lines = words_of(include_str!("../src/scenario.rs"), "[\"");
    assert!(questions.len() > 15 && lines.len() >= 6, "{questions:?} {lines:?}");
    let known = |word: &str| page.contains(&format!("| `{word}`")) || page.contains(&format!("| `{word} "));
    // `ok` is an answer.
    let unknown: Vec<_> =
        questions.iter().chain(&lines).filter(|word| *word != "ok" && !known(word)).collect();
    assert!(unknown.is_empty(), "not listed: {unknown:?}");
}

#[test]
fn every_question_listed_can_be_asked() {
    struct Names(nsproxy::TaskId);
    impl nsproxy::scenario::question::Names for Names {
        fn task(&self, _: &str) -> Option<nsproxy::TaskId> {
            Some(self.0)
        }
        fn fd(&self, _: &str) -> Option<nsproxy::Fd> {
            Some(3)
        }
    }
    let names = Names(nsproxy::Kernel::default().init());
    for word in nsproxy::scenario::QUESTIONS {
        let usage = word.usage.replace(" [LINK]", "").replace("LINK", "uts").replace("KIND", "uts");
        let usage = usage.replace("NAME", "boottime");
        let words: Vec<&str> = usage.split(' ').collect();
        assert!(Question::parse(&words, &names).is_ok(), "{usage}");
    }
}

#[test]
fn no_such_call_and_wrong_arguments_are_told_apart() {
    let error = |line: &str| Scenario::run(line).unwrap_err().problem;
    assert_eq!(error("init: frobnicate 1"), "no such call: frobnicate");
    assert_eq!(error("init: chroot"), "wrong arguments: chroot; it is chroot PATH");
    assert!(error("init: setuid 1 2").ends_with("; it is setuid ID, or setuid REAL EFFECTIVE SAVED"));
}
