//! `ns check`: what can be done here.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use namespaces::explain::{Ability, Check, Machine, Undecided};
use serde::Serialize;

use crate::exit::ExitCode;
use crate::explain::json::{JsonCause, JsonEvidence, JsonRemedy, all};
use crate::render::{Screen, print_json};
use crate::report::{Failure, print};

const AFTER_HELP: &str = "\
Each is tried in a process of its own that ends at once; nothing of it stays. What
can't be done is shown with its one reason: ns explain --rule NAME says more.";

/// Show what can be done here, and why the rest can't
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let checks = Machine::here().check();
    if args.json {
        print_json(&Checks { checks: checks.iter().map(JsonCheck::from).collect() })?;
    } else {
        print(&table(&checks))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(checks: &[Check]) -> String {
    let screen = Screen::stdout();
    let (green, red, yellow) = (AnsiColor::Green, AnsiColor::Red, AnsiColor::Yellow);
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let wide = checks.iter().map(|check| check.what.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let (word, style, why) = match &check.can {
            Ability::Yes => ("yes", colour(green), String::new()),
            Ability::No(refusal) => {
                let seen = refusal.evidence.first().map(|seen| format!(": {seen}")).unwrap_or_default();
                ("no", colour(red), format!("{}{seen}", refusal.cause))
            }
            Ability::Unknown(open) => ("?", colour(yellow), unknown(open)),
        };
        let word = screen.paint(style, &format!("{word:<4}"));
        let line = format!("{:<wide$}  {word} {}", check.what, crate::text::printable(why.as_bytes()));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for probe in probes(checks) {
        let _ = writeln!(out, "to tell: {probe}");
    }
    out
}

/// What is known of what is not decided.
fn unknown(open: &Undecided) -> String {
    if !open.causes.is_empty() {
        let names: Vec<&str> = open.causes.iter().map(|cause| cause.id()).collect();
        return format!("one of {}", names.join(", "));
    }
    let first = match open.errno {
        Some(errno) => format!("{errno}, and not to be decided why"),
        None => "it could not be tried".to_owned(),
    };
    let seen = open.evidence.first().map(|seen| format!(": {seen}")).unwrap_or_default();
    first + &seen
}

/// What would let more be decided, each once.
fn probes(checks: &[Check]) -> Vec<&str> {
    let mut probes: Vec<&str> = Vec::new();
    for check in checks {
        if let Ability::Unknown(open) = &check.can
            && let Some(probe) = open.probe.as_deref().filter(|_| open.causes.is_empty())
            && !probes.contains(&probe)
        {
            probes.push(probe);
        }
    }
    probes
}

#[derive(Serialize)]
struct Checks {
    checks: Vec<JsonCheck>,
}

#[derive(Serialize)]
struct JsonCheck {
    id: String,
    what: String,
    /// Null if it is not known.
    can: Option<bool>,
    causes: Vec<JsonCause>,
    evidence: Vec<JsonEvidence>,
    remedies: Vec<JsonRemedy>,
}

impl From<&Check> for JsonCheck {
    fn from(check: &Check) -> JsonCheck {
        let (id, what) = (check.id.clone(), check.what.clone());
        let known =
            |can| JsonCheck { id, what, can, causes: Vec::new(), evidence: Vec::new(), remedies: Vec::new() };
        match &check.can {
            Ability::Yes => known(Some(true)),
            Ability::No(refusal) => JsonCheck {
                causes: vec![refusal.cause.into()],
                evidence: all(&refusal.evidence),
                remedies: all(&refusal.remedies),
                ..known(Some(false))
            },
            Ability::Unknown(open) => JsonCheck {
                causes: open.causes.iter().map(|cause| JsonCause::from(*cause)).collect(),
                evidence: all(&open.evidence),
                ..known(None)
            },
        }
    }
}
