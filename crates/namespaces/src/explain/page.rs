//! One page for each cause, as text.

use std::fmt::Write;

use super::advice::helps;
use super::cause::Cause;

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

/// All pages as one document in markdown.
pub fn pages() -> String {
    let mut text = String::from(HEAD);
    let mut group = "";
    for cause in Cause::all() {
        let of = match cause {
            Cause::Rule(rule) => rule.facts().group,
            Cause::Outside(_) => "outside the rules",
        };
        if of != group {
            group = of;
            let _ = write!(text, "\n## {group}\n");
        }
        let _ = write!(text, "\n### {cause}\n\n{}\n\n", cause.says());
        match cause {
            Cause::Rule(rule) => {
                let facts = rule.facts();
                let _ = writeln!(
                    text,
                    "The kernel answers {} in `{}`. Manual: {}. Releases: {}.",
                    facts.errno, facts.function, facts.clause, facts.releases
                );
            }
            Cause::Outside(outside) => {
                let _ = writeln!(text, "It shows by this: {}", outside.facts().shows);
            }
        }
        let helps = helps(cause);
        if !helps.is_empty() {
            text.push_str("\nWhat helps:\n\n");
        }
        for help in helps {
            let _ = writeln!(text, "- {help}");
        }
    }
    text
}

const HEAD: &str = "\
# Causes

Every reason that `ns explain` can give, by its identifier, which never changes. The page
is generated from the same data as the answers; a test keeps the two in step.
`ns explain --rule NAME` shows one.
";
