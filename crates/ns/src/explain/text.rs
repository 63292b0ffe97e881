//! Explanations for people.

use std::fmt::Write;

use namespaces::explain::{Allowed, Explanation, Machine, Question, Refusal, Undecided, Verdict};
use namespaces::{Errno, Error};

use crate::text::printable;

/// The whole answer.
pub(crate) fn answer(answer: &Explanation) -> String {
    let mut out = String::new();
    let question = printable(answer.question.as_bytes());
    match &answer.verdict {
        Verdict::Refused(refusal) => {
            let says = match (refusal.errno, refusal.cause.id()) {
                (Some(errno), _) => format!("refused, {errno}"),
                (None, "held") => "found".to_owned(),
                (None, "pid-reused") => "another process".to_owned(),
                (None, _) => "does not do what it should".to_owned(),
            };
            let _ = writeln!(out, "{question}: {says}");
            refused(&mut out, refusal);
        }
        Verdict::Allowed(allowed) => {
            let _ = writeln!(out, "{question}: goes");
            goes(&mut out, allowed);
        }
        Verdict::Undecided(open) => {
            let says = open.errno.map_or("not to be decided".to_owned(), |errno| {
                format!("refused, {errno}, and not to be decided why")
            });
            let _ = writeln!(out, "{question}: {says}");
            undecided(&mut out, open);
        }
    }
    out
}

fn line(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:<9}{}", printable(text.as_bytes()));
}

fn refused(out: &mut String, refusal: &Refusal) {
    if let Some(at) = &refusal.at {
        line(out, "at", at);
    }
    line(out, "cause", &format!("{}: {}", refusal.cause, refusal.cause.says()));
    for evidence in &refusal.evidence {
        line(out, "seen", &evidence.to_string());
    }
    for remedy in &refusal.remedies {
        line(out, "helps", &remedy.says);
        if let Some(command) = &remedy.command {
            line(out, "", &format!("    {command}"));
        }
    }
}

fn goes(out: &mut String, allowed: &Allowed) {
    for step in &allowed.steps {
        line(out, "does", step);
    }
    if allowed.tried {
        line(out, "tried", "in a process of its own, which has ended");
    }
    for unknown in &allowed.unknown {
        line(out, "unless", &unknown.to_string());
    }
    for note in &allowed.notes {
        line(out, "mind", &format!("{}: {}", note.cause, note.cause.says()));
        for evidence in &note.evidence {
            line(out, "seen", &evidence.to_string());
        }
        for remedy in &note.remedies {
            line(out, "helps", &remedy.says);
        }
    }
}

fn undecided(out: &mut String, open: &Undecided) {
    for cause in &open.causes {
        line(out, "may be", &format!("{cause}: {}", cause.says()));
    }
    for evidence in &open.evidence {
        line(out, "seen", &evidence.to_string());
    }
    if let Some(probe) = &open.probe {
        line(out, "to tell", probe);
    }
}

/// For the lines below a failure: the reason, and the first thing that helps.
pub(crate) fn reason(error: &Error) -> Vec<String> {
    of_error(error).map(|answer| short(&answer)).unwrap_or_default()
}

/// What is known of the reason of an error, if it is wanted.
pub(crate) fn of_error(error: &Error) -> Option<Explanation> {
    if is_silent() { None } else { error.explain() }
}

/// The same for a call that was refused with this number.
pub(crate) fn reason_of(question: &Question, errno: Errno) -> Vec<String> {
    if is_silent() {
        return Vec::new();
    }
    short(&Machine::here().explain_errno(question, None, errno))
}

fn is_silent() -> bool {
    std::env::var_os("NS_EXPLAIN").is_some_and(|value| value == "0")
}

/// The reason and the first thing that helps, a line each.
pub(crate) fn short(answer: &Explanation) -> Vec<String> {
    match &answer.verdict {
        // The error itself says as much.
        Verdict::Refused(refusal) if refusal.evidence.is_empty() && refusal.remedies.is_empty() => Vec::new(),
        Verdict::Refused(refusal) => {
            let seen = refusal.evidence.first().map(|evidence| format!(" ({evidence})")).unwrap_or_default();
            let mut lines = vec![format!("{}: {}{seen}", refusal.cause, refusal.cause.says())];
            lines.extend(refusal.remedies.first().map(|remedy| match &remedy.command {
                Some(command) => format!("try: {}: {command}", remedy.says),
                None => format!("try: {}", remedy.says),
            }));
            lines
        }
        Verdict::Undecided(open) => {
            let names = open.causes.iter().map(|cause| cause.id()).filter(|id| *id != "unknown");
            let names: Vec<&str> = names.collect();
            if names.is_empty() {
                // What can't be read here, and what is to be done about that.
                let Some(probe) = open.probe.as_ref().filter(|_| open.causes.is_empty()) else {
                    return Vec::new();
                };
                let seen = open.evidence.first().map(|evidence| format!("not decided: {evidence}"));
                return seen.into_iter().chain([format!("try: {probe}")]).collect();
            }
            vec![format!("the cause may be {}: ns explain --rule NAME says more", names.join(" or "))]
        }
        Verdict::Allowed(_) => Vec::new(),
    }
}
