//! What a scenario says of itself, in comments, and what is wrong with its lines before any
//! is carried out.

use clap::ValueEnum;
use nsproxy::Release;
use nsproxy::op::Op;
use nsproxy::scenario::{DIRECTIVES, Line, Part};

use crate::cgroup::Cgroups;
use crate::recipes::wants_nsdelegate;
use crate::world::Kind;

/// A line of a file, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) problem: String,
}

/// What the comments of a scenario ask for.
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// `# world KIND`
    pub(crate) world: Option<Kind>,
    /// `# model only: REASON`
    model_only: Option<String>,
    /// `# kernels since RELEASE` and `# kernels until RELEASE`
    since: Option<Release>,
    until: Option<Release>,
}

impl Header {
    /// Reads the comments, and looks at every other line.
    pub(crate) fn read(part: &Part<'_>) -> Result<Header, Fault> {
        let mut header = Header::default();
        let mut makes_something = false;
        for (line, text) in (part.line..).zip(part.text.lines()) {
            let fault = |problem| Fault { line, problem };
            if let Some(comment) = text.strip_prefix("# ") {
                header.take(comment.trim_end()).map_err(fault)?;
            }
            match Line::parse(text).map_err(fault)? {
                Line::Empty => {}
                Line::Directive(words) => check_directive(&words).map_err(fault)?,
                Line::Sees(_) => makes_something = true,
                Line::Call(call) => {
                    makes_something = true;
                    let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
                    // Whatever the names will stand for.
                    Op::parse(&words, &|_| Some(1)).map_err(|error| fault(error.to_string()))?;
                }
            }
        }
        if makes_something {
            Ok(header)
        } else {
            Err(Fault { line: part.line, problem: String::from("no call is made here") })
        }
    }

    fn take(&mut self, comment: &str) -> Result<(), String> {
        let (word, rest) = comment.split_once(' ').unwrap_or((comment, ""));
        match (word, rest) {
            ("world", kind) => self.world = Some(world(kind)?),
            ("model", rest) => match rest.strip_prefix("only:").map(str::trim) {
                Some(reason) if !reason.is_empty() => self.model_only = Some(reason.to_owned()),
                _ => return Err(format!("not \"model only: REASON\": {comment}")),
            },
            ("kernels", range) => {
                let release = |text| Release::parse(text).ok_or_else(|| format!("no such release: {text}"));
                match range.split_once(' ') {
                    Some(("since", first)) => self.since = Some(release(first)?),
                    Some(("until", last)) => self.until = Some(release(last)?),
                    _ => return Err(format!("not \"kernels since|until RELEASE\": {comment}")),
                }
            }
            ("controllers" | "nsdelegate", rest) if !rest.is_empty() => {
                return Err(format!("nothing stands behind \"{word}\": {comment}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Why the running kernel is not asked.
    pub(crate) fn not_for(
        &self,
        part: &Part<'_>,
        release: Release,
        cgroups: Cgroups,
        nsdelegate: bool,
    ) -> Option<String> {
        if let Some(reason) = &self.model_only {
            return Some(reason.clone());
        }
        if let Some(first) = self.since.filter(|first| release < *first) {
            return Some(format!("kernels since {first}"));
        }
        if let Some(last) = self.until.filter(|last| release > *last) {
            return Some(format!("kernels until {last}"));
        }
        if let Some(lacking) = cgroups.lacking(Cgroups::wanted(part.text)) {
            return Some(lacking.to_owned());
        }
        (wants_nsdelegate(part.text) && !nsdelegate)
            .then(|| String::from("cgroup2 is mounted without nsdelegate"))
    }
}

fn world(name: &str) -> Result<Kind, String> {
    Kind::from_name(name).ok_or_else(|| {
        let all: Vec<&str> = Kind::value_variants().iter().map(|kind| kind.name()).collect();
        format!("no such kind of world: {name}; there are {}", all.join(", "))
    })
}

/// Lines without a task. One that nobody knows is not taken for one of another kernel.
fn check_directive(words: &[String]) -> Result<(), String> {
    let text = words.join(" ");
    let known = DIRECTIVES
        .iter()
        .any(|directive| directive.usage.split(' ').next() == words.first().map(String::as_str));
    if !known {
        return Err(format!("no such line without a task: {text}"));
    }
    match words {
        [word, release] if word == "release" && Release::parse(release).is_none() => {
            Err(format!("no such release: {release}"))
        }
        _ => Ok(()),
    }
}
