//! Explanations for programs: the form that `docs/explain.schema.json` describes.

use namespaces::Errno;
use namespaces::explain::{Cause, Evidence, Explanation, Place, Refusal, Remedy, Verdict};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Answer {
    question: String,
    #[serde(flatten)]
    verdict: JsonVerdict,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum JsonVerdict {
    Refused(JsonRefusal),
    Allowed {
        steps: Vec<String>,
        tried: bool,
        notes: Vec<JsonRefusal>,
        unknown: Vec<JsonEvidence>,
    },
    Undecided {
        errno: Option<JsonErrno>,
        causes: Vec<JsonCause>,
        evidence: Vec<JsonEvidence>,
        probe: Option<String>,
    },
}

#[derive(Serialize)]
struct JsonRefusal {
    cause: JsonCause,
    errno: Option<JsonErrno>,
    at: Option<String>,
    evidence: Vec<JsonEvidence>,
    remedies: Vec<JsonRemedy>,
}

#[derive(Serialize)]
pub(crate) struct JsonCause {
    id: &'static str,
    says: &'static str,
    outside: bool,
}

#[derive(Serialize)]
struct JsonErrno {
    name: &'static str,
    number: i32,
}

#[derive(Serialize)]
pub(crate) struct JsonEvidence {
    kind: &'static str,
    place: Option<String>,
    says: String,
}

#[derive(Serialize)]
pub(crate) struct JsonRemedy {
    says: String,
    command: Option<String>,
    checked: bool,
}

impl From<&Explanation> for Answer {
    fn from(answer: &Explanation) -> Answer {
        let verdict = match &answer.verdict {
            Verdict::Refused(refusal) => JsonVerdict::Refused(refusal.into()),
            Verdict::Allowed(allowed) => JsonVerdict::Allowed {
                steps: allowed.steps.clone(),
                tried: allowed.tried,
                notes: all(&allowed.notes),
                unknown: all(&allowed.unknown),
            },
            Verdict::Undecided(open) => JsonVerdict::Undecided {
                errno: open.errno.map(JsonErrno::from),
                causes: open.causes.iter().map(|cause| JsonCause::from(*cause)).collect(),
                evidence: all(&open.evidence),
                probe: open.probe.clone(),
            },
        };
        Answer { question: answer.question.clone(), verdict }
    }
}

pub(crate) fn all<'a, A, B: From<&'a A>>(from: &'a [A]) -> Vec<B> {
    from.iter().map(B::from).collect()
}

impl From<&Refusal> for JsonRefusal {
    fn from(refusal: &Refusal) -> JsonRefusal {
        JsonRefusal {
            cause: refusal.cause.into(),
            errno: refusal.errno.map(JsonErrno::from),
            at: refusal.at.clone(),
            evidence: all(&refusal.evidence),
            remedies: all(&refusal.remedies),
        }
    }
}

impl From<Cause> for JsonCause {
    fn from(cause: Cause) -> JsonCause {
        JsonCause { id: cause.id(), says: cause.says(), outside: matches!(cause, Cause::Outside(_)) }
    }
}

impl From<Errno> for JsonErrno {
    fn from(errno: Errno) -> JsonErrno {
        JsonErrno { name: errno.name(), number: errno.raw() }
    }
}

impl From<&Evidence> for JsonEvidence {
    fn from(evidence: &Evidence) -> JsonEvidence {
        let (kind, place) = match &evidence.place {
            Place::File(path) => ("file", Some(path.clone())),
            Place::Call(call) => ("call", Some(call.clone())),
            Place::Question => ("question", None),
            _ => ("inference", None),
        };
        JsonEvidence { kind, place, says: evidence.says.clone() }
    }
}

impl From<&Remedy> for JsonRemedy {
    fn from(remedy: &Remedy) -> JsonRemedy {
        JsonRemedy { says: remedy.says.clone(), command: remedy.command.clone(), checked: remedy.checked }
    }
}
