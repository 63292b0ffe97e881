//! What the kernel's side says of the rules of one file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::rules::Rule;

/// The answer for one rule.
#[derive(Debug)]
pub(crate) enum Verdict {
    Agreed,
    /// The rule is about another release than the one that runs.
    OtherRelease,
    /// No cgroups, or none with controllers.
    NoControllers,
    Failed(String),
}

/// A file that is replayed once for all its rules, when the first is asked for.
#[derive(Debug)]
pub(crate) struct Replayed {
    file: PathBuf,
    whole: OnceLock<String>,
}

impl Replayed {
    pub(crate) fn new(file: &Path) -> Replayed {
        Replayed { file: file.to_owned(), whole: OnceLock::new() }
    }

    pub(crate) fn verdict(&self, rule: &Rule) -> Verdict {
        let whole = self.whole.get_or_init(|| replay(&self.file, None));
        // Where no world can be made nothing is said of those that follow.
        self.said(whole, rule).unwrap_or_else(|| {
            let alone = replay(&self.file, Some(&rule.name));
            self.said(&alone, rule).unwrap_or(Verdict::Failed(alone))
        })
    }

    /// What the output says of the rule: a line with its name, or lines with their numbers.
    fn said(&self, output: &str, rule: &Rule) -> Option<Verdict> {
        let of_file = output.lines().filter_map(|line| line.strip_prefix(self.file.to_str()?));
        let (mut end, mut problems) = (None, String::new());
        for line in of_file {
            let number = line.strip_prefix(':').and_then(|line| line.split_once(": "));
            let number = number.and_then(|(number, _)| number.parse().ok());
            if number.is_some_and(|number| rule.lines.contains(&number)) {
                problems = format!("{problems}{}{line}\n", self.file.display());
            }
            let named = line.strip_prefix(": ").and_then(|line| line.strip_prefix(&rule.name));
            end = named.and_then(|line| line.strip_prefix(": ")).or(end);
        }
        match end {
            _ if !problems.is_empty() => Some(Verdict::Failed(problems)),
            Some("both sides agree") => Some(Verdict::Agreed),
            Some(end) if end.starts_with("not for this kernel: release ") => Some(Verdict::OtherRelease),
            Some(end) if rule.controllers && end.starts_with("not for this kernel: ") => {
                Some(Verdict::NoControllers)
            }
            Some(end) => Some(Verdict::Failed(end.to_owned())),
            None => None,
        }
    }
}

fn replay(file: &Path, rule: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.arg("--replay").arg(file);
    if let Some(rule) = rule {
        command.args(["--part", rule]);
    }
    match command.output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => format!("start conformance: {error}"),
    }
}
