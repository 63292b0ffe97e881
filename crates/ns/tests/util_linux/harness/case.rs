//! The tables of lines.

/// One line, and what is to be known about it.
///
/// In a table: attributes, ` | `, the line; or the line alone.
///
/// | attribute | meaning |
/// |---|---|
/// | `since=2.40` | util-linux has it since that release; before, only the status is checked |
/// | `words=2.42` | the message has these words since that release; before, it is not compared |
/// | `ends=1` | the status: wanted of lines with `since` or `better` |
/// | `says="..."` | the first line of standard error, of lines with `better` |
/// | `prints="..."` | standard output, of lines with `better` |
/// | `better="..."` | ours differs on purpose, for this reason |
/// | `root`, `user` | only as root, only as another |
/// | `text` | the text on standard output is our own |
/// | `subids` | the user must have subordinate ids |
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub line: String,
    pub since: Option<(u32, u32)>,
    pub words: Option<(u32, u32)>,
    pub ends: Option<i32>,
    pub says: Option<String>,
    pub prints: Option<String>,
    pub better: Option<String>,
    pub root: bool,
    pub user: bool,
    pub text: bool,
    pub subids: bool,
}

/// The cases of a table. Lines that begin with `#` are comments.
pub fn cases(table: &str) -> Vec<Case> {
    let lines = table.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Case::parse).collect()
}

impl Case {
    pub fn of(line: &str) -> Case {
        Case { line: line.to_owned(), ..Case::default() }
    }

    fn parse(text: &str) -> Case {
        let Some((attributes, line)) =
            text.split_once(" | ").filter(|(attributes, _)| is_attributes(attributes))
        else {
            return Case::of(text);
        };
        let mut case = Case::of(line.trim());
        for (name, value) in attributes_of(attributes) {
            let release = || {
                let (major, minor) = value.split_once('.').unwrap_or_else(|| panic!("{text}"));
                Some((major.parse().unwrap(), minor.parse().unwrap()))
            };
            match name.as_str() {
                "since" => case.since = release(),
                "words" => case.words = release(),
                "ends" => case.ends = Some(value.parse().unwrap()),
                "says" => case.says = Some(value),
                "prints" => case.prints = Some(value),
                "better" => case.better = Some(value),
                "root" => case.root = true,
                "user" => case.user = true,
                "text" => case.text = true,
                "subids" => case.subids = true,
                _ => panic!("unknown attribute {name} in {text}"),
            }
        }
        let checked = case.since.is_some() || case.better.is_some();
        assert!(!checked || case.ends.is_some(), "`since` and `better` need `ends`: {text}");
        case
    }
}

/// A tool is no attribute: then the bar belongs to the line.
fn is_attributes(text: &str) -> bool {
    let first = text.split([' ', '=']).next().unwrap_or_default();
    ["since", "words", "ends", "says", "prints", "better", "root", "user", "text", "subids"].contains(&first)
}

fn attributes_of(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix("=\"") {
            let close = after.find('"').unwrap_or_else(|| panic!("no closing quote in {text}"));
            after[..close].clone_into(&mut value);
            rest = &after[close + 1..];
        } else if let Some(after) = rest.strip_prefix('=') {
            let end = after.find(' ').unwrap_or(after.len());
            after[..end].clone_into(&mut value);
            rest = &after[end..];
        }
        found.push((name, value));
        rest = rest.trim_start();
    }
    found
}
