//! Every rule of the manual pages as a test of its own: the running kernel and the model
//! both do what its scenario says. `UPDATE=1 cargo test -p conformance --test manual`
//! writes the lists in MANUAL.md.

mod kernel;
mod page;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use nsproxy::scenario::Scenario;

use kernel::{Replayed, Verdict};
use rules::{Rule, sections};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut tests = vec![
        Trial::test("the_page_is_in_step", || page::check(&sections())),
        Trial::test("every_rule_can_fail_and_has_a_name_of_its_own", rules_are_sound),
    ];
    let mut rules = Vec::new();
    for section in sections() {
        let page = section.file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let stem = section.file.file_stem().unwrap_or_default().to_string_lossy();
        let replayed = Arc::new(Replayed::new(&section.file));
        for (place, rule) in section.rules.into_iter().enumerate() {
            let name = format!("{page}::{stem}::{}", rule.name);
            let (test, replayed) = (name.clone(), Arc::clone(&replayed));
            rules.push((place, Trial::test(name, move || holds(&test, &rule, &replayed))));
        }
    }
    // The first rules of all files come first, so that two files are replayed at a time.
    rules.sort_by_key(|(place, _)| *place);
    tests.extend(rules.into_iter().map(|(_, test)| test));
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn holds(test: &str, rule: &Rule, replayed: &Replayed) -> Result<(), Failed> {
    // A rule that asks for no world holds in a fresh kernel, too, as `ns sim` has it.
    if rule.world.is_none() {
        holds_in_the_model(rule)?;
    }
    if rule.model_only.is_some() {
        return Ok(());
    }
    if !testkit::is_root() && rule.world.as_deref().is_some_and(|world| world != "user") {
        testkit::skip(test, "the world it takes is made by root");
        return Ok(());
    }
    if !testkit::is_root() && !testkit::user_namespaces() {
        testkit::skip(test, "this system grants no user namespaces");
        return Ok(());
    }
    match replayed.verdict(rule) {
        Verdict::Agreed => Ok(()),
        Verdict::OtherRelease => holds_in_the_model(rule),
        Verdict::NoControllers => {
            testkit::skip(test, "no controllers are handed down to the cgroup of a run");
            Ok(())
        }
        Verdict::Failed(why) => Err(why.into()),
    }
}

/// The kernels that Debian ships, and the ends of what the model knows.
const RELEASES: [&str; 6] = ["5.10", "6.1", "6.12", "6.18", "7.0", "7.2"];

/// A rule that names no release is the same in all of them.
fn holds_in_the_model(rule: &Rule) -> Result<(), Failed> {
    if rule.script.lines().any(|line| line.starts_with("release ")) {
        return run_in_the_model(&rule.script);
    }
    let (name, script) = rule.script.split_once('\n').unwrap_or((&rule.script, ""));
    RELEASES
        .into_iter()
        .try_for_each(|release| run_in_the_model(&format!("{name}\nrelease {release}\n{script}")))
}

fn run_in_the_model(script: &str) -> Result<(), Failed> {
    let run = Scenario::run(script)?;
    run.kernel().check().map_err(|broken| format!("{broken:?}"))?;
    if run.failures().is_empty() { Ok(()) } else { Err(run.transcript().into()) }
}

fn rules_are_sound() -> Result<(), Failed> {
    for section in sections() {
        let mut names = BTreeSet::new();
        for rule in &section.rules {
            let Rule { name, .. } = rule;
            if let Some(fault) = rule.fault() {
                return Err(format!("{}: {name} {fault}", section.file.display()).into());
            }
            if !names.insert(name) {
                return Err(format!("{}: {name} is there twice", section.file.display()).into());
            }
        }
    }
    Ok(())
}
