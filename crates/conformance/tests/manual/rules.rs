//! The rules of the manual pages, as the scenario files below `scenarios/man` state them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use nsproxy::scenario::{Part, parts};

/// A section of a page: one file.
#[derive(Debug)]
pub(crate) struct Section {
    /// `user_namespaces(7)`
    pub(crate) page: String,
    pub(crate) title: String,
    pub(crate) file: PathBuf,
    pub(crate) rules: Vec<Rule>,
}

/// One rule: a scenario of the file.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// What the page says, in a sentence or two.
    pub(crate) says: String,
    /// What the kernel does where the page says otherwise.
    pub(crate) kernel: Option<String>,
    /// Why no kernel is asked.
    pub(crate) model_only: Option<String>,
    /// The kind of world it takes.
    pub(crate) world: Option<String>,
    /// Whether controllers must be handed down to the cgroup of a run.
    pub(crate) controllers: bool,
    pub(crate) script: String,
    /// The numbers of its lines in the file, from 1.
    pub(crate) lines: Range<usize>,
}

impl Rule {
    fn read(part: &Part<'_>) -> Rule {
        let name = part.name.expect("every scenario has a name").to_owned();
        let mut rule = Rule {
            name,
            says: String::new(),
            kernel: None,
            model_only: None,
            world: None,
            controllers: false,
            script: part.text.to_owned(),
            lines: part.line..part.line + part.text.lines().count(),
        };
        let head = part.text.lines().skip(1).map_while(|line| line.strip_prefix('#')).map(str::trim);
        for line in head {
            let keyword = |word: &str| line.strip_prefix(word).map(|rest| rest.trim().to_owned());
            if let Some(world) = keyword("world ") {
                rule.world = Some(world);
            } else if line == "controllers" {
                rule.controllers = true;
            } else if let Some(why) = keyword("model only:") {
                rule.model_only = Some(why);
            } else if let Some(what) = keyword("kernel:") {
                rule.kernel = Some(what);
            } else {
                rule.says.push_str(if rule.says.is_empty() { "" } else { " " });
                rule.says.push_str(line);
            }
        }
        rule
    }

    /// What is wrong with it as a test, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let expected = || self.script.lines().filter_map(|line| line.split_once("=>"));
        let is_errno = |word: &str| nsproxy::Errno::from_name(word.trim()).is_some();
        match () {
            () if self.says.is_empty() => Some("does not say what the rule is"),
            () if expected().next().is_none() => Some("expects nothing, so it cannot fail"),
            () if expected().any(|(_, answer)| is_errno(answer)) => Some("has an errno without its reason"),
            () => None,
        }
    }
}

/// All sections, in the order of the pages and of the files' names.
pub(crate) fn sections() -> Vec<Section> {
    let pages = [
        "namespaces",
        "user_namespaces",
        "pid_namespaces",
        "mount_namespaces",
        "time_namespaces",
        "setns",
        "unshare",
        "clone",
    ];
    let man = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/man");
    pages.into_iter().flat_map(|page| files(&man.join(page))).map(|file| section(&file)).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ns"));
    files.sort();
    files
}

fn section(file: &Path) -> Section {
    let text = std::fs::read_to_string(file).unwrap();
    let head = text.lines().find_map(|line| line.strip_prefix("# manual: "));
    let (page, title) = head.and_then(|head| head.split_once(", ")).unwrap_or_else(|| {
        panic!("{}: the first line names page and section", file.display());
    });
    Section {
        page: page.to_owned(),
        title: title.to_owned(),
        file: file.to_owned(),
        rules: parts(&text).iter().map(Rule::read).collect(),
    }
}
