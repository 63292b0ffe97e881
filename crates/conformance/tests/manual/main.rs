//! Every rule of the manual pages as a test of its own: the running kernel and the model
//! both do what its scenario says. `UPDATE=1 cargo test -p conformance --test manual`
//! writes the lists in MANUAL.md.

mod page;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use nsproxy::scenario::Scenario;

use rules::{Rule, sections};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut tests = vec![
        Trial::test("the_page_is_in_step", || page::check(&sections())),
        Trial::test("every_rule_can_fail_and_has_a_name_of_its_own", rules_are_sound),
    ];
    for section in sections() {
        let page = section.file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let stem = section.file.file_stem().unwrap_or_default().to_string_lossy();
        for rule in section.rules {
            let file = section.file.clone();
            let name = format!("{page}::{stem}::{}", rule.name);
            let test = name.clone();
            tests.push(Trial::test(name, move || holds(&test, &rule, &file)));
        }
    }
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn holds(test: &str, rule: &Rule, file: &Path) -> Result<(), Failed> {
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.arg("--replay").arg(file).args(["--part", &rule.name]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.trim_end().ends_with(": both sides agree") {
        Ok(())
    } else if output.status.success() && text.contains(": not for this kernel: release ") {
        // It is about another release than the one that runs.
        holds_in_the_model(rule)
    } else {
        Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn holds_in_the_model(rule: &Rule) -> Result<(), Failed> {
    let run = Scenario::run(&rule.script)?;
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
