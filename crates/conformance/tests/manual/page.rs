//! MANUAL.md: the lists in it are made from the scenarios.

use std::fmt::Write as _;

use libtest_mimic::Failed;

use super::rules::{Rule, Section};

/// A part of the page between a pair of marks.
fn marks(name: &str) -> [String; 2] {
    [
        format!("<!-- {name}: made from scenarios/man, see tests/manual -->\n"),
        format!("<!-- end of {name} -->\n"),
    ]
}

/// Whether the lists are what the scenarios say; with `UPDATE` set they are written.
pub(crate) fn check(sections: &[Section]) -> Result<(), Failed> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/MANUAL.md");
    let old = std::fs::read_to_string(path)?;
    let mut new = old.clone();
    for (name, list) in
        [("count", count(sections)), ("otherwise", otherwise(sections)), ("rules", table(sections))]
    {
        new = put(&new, name, &list)?;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &new)?;
    } else if new != old {
        return Err("MANUAL.md is out of step: run this test with UPDATE=1".into());
    }
    Ok(())
}

fn put(page: &str, name: &str, list: &str) -> Result<String, Failed> {
    let [start, end] = marks(name);
    let missing = || format!("MANUAL.md has no place for {name}");
    let (head, rest) = page.split_once(&start).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{head}{start}\n{list}\n{end}{tail}"))
}

fn count(sections: &[Section]) -> String {
    let mut text = String::from("| page | rules | both sides | model only |\n|---|--:|--:|--:|\n");
    let mut pages: Vec<&str> = sections.iter().map(|section| section.page.as_str()).collect();
    pages.dedup();
    let mut row = |name: &str, rules: &[&Rule]| {
        let model = rules.iter().filter(|rule| rule.model_only.is_some()).count();
        let _ = writeln!(text, "| {name} | {} | {} | {model} |", rules.len(), rules.len() - model);
    };
    for page in pages {
        let of_page = sections.iter().filter(|section| section.page == page);
        row(page, &of_page.flat_map(|section| &section.rules).collect::<Vec<_>>());
    }
    row("all", &sections.iter().flat_map(|section| &section.rules).collect::<Vec<_>>());
    text
}

fn otherwise(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        for rule in &section.rules {
            if let Some(kernel) = &rule.kernel {
                let _ = writeln!(text, "- {}, {}, `{}`: {kernel}", section.page, section.title, rule.name);
            }
        }
    }
    text
}

fn table(sections: &[Section]) -> String {
    let mut text = String::new();
    let mut page = "";
    for section in sections {
        if section.page != page {
            page = &section.page;
            let _ = writeln!(text, "## {page}\n");
        }
        let _ = writeln!(text, "### {}\n\n| rule | says | runs |\n|---|---|---|", section.title);
        for rule in &section.rules {
            let _ = writeln!(text, "| `{}` | {} | {} |", rule.name, rule.says, runs(rule));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len() + 1);
    text
}

fn runs(rule: &Rule) -> String {
    match (&rule.model_only, rule.world.as_deref()) {
        (Some(why), _) => format!("model only: {why}"),
        (None, None) if rule.controllers => {
            String::from("both sides, as root, where cgroups have controllers")
        }
        (None, Some(world @ ("root" | "userns"))) => format!("both sides, world `{world}`, as root"),
        (None, _) => String::from("both sides"),
    }
}
