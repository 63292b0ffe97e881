//! One page for each cause, as text.

use std::fmt::Write;

use super::advice::helps;
use super::cause::{Cause, Outside};

/// The page of a cause.
pub fn page(cause: Cause) -> String {
    let mut text = format!("{cause}: {}\n", cause.says());
    match cause {
        Cause::Rule(rule) => {
            let facts = rule.facts();
            let _ = writeln!(text, "  answer    {}, {}", facts.errno, facts.errno.text());
            let _ = writeln!(text, "  where     {} ({})", facts.function, facts.group);
            let _ = writeln!(text, "  manual    {}", facts.clause);
            let _ = writeln!(text, "  releases  {}", facts.releases);
        }
        Cause::Outside(outside) => {
            let _ = writeln!(text, "  shows     {}", outside.facts().shows);
        }
    }
    for help in helps(cause) {
        let _ = writeln!(text, "  helps     {help}");
    }
    text
}

/// What helps against each cause, and the causes outside the rules, as one document in
/// markdown. What the rules are is in `nsproxy`'s own.
pub fn pages() -> String {
    let mut text = String::from(HEAD);
    text.push_str("\n## Outside the rules\n");
    for outside in Outside::ALL {
        let facts = outside.facts();
        let _ =
            write!(text, "\n### {}\n\n{}\n\nIt shows by this: {}\n", outside.id(), facts.says, facts.shows);
        bullets(&mut text, facts.helps);
    }
    text.push_str("\n## Rules of the kernel\n");
    for rule in nsproxy::Rule::ALL {
        let helps = helps(Cause::Rule(*rule));
        let _ = write!(text, "\n### {rule}\n\n{}\n", rule.says());
        if !helps.is_empty() {
            bullets(&mut text, helps);
        }
    }
    text
}

fn bullets(text: &mut String, helps: &[&str]) {
    text.push_str("\nWhat helps:\n\n");
    for help in helps {
        let _ = writeln!(text, "- {help}");
    }
}

const HEAD: &str = "\
# Causes

The reasons that `ns explain` gives, by their identifiers, which never change: the rules
of the kernel, all of which [RULES.md](../crates/nsproxy/RULES.md) lists with their place
and errno, and what lies outside them. The page is generated from the same data as the
answers; a test keeps the two in step. `ns explain --rule NAME` shows one.
";
