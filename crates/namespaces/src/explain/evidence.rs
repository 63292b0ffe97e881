//! What was seen, and where.

use std::fmt;

/// One thing that was seen, with the place where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The file or the call that says so.
    pub place: Place,
    /// What it says: a clause whose subject is the place.
    pub says: String,
}

/// Where something was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A file.
    File(String),
    /// What a system call answered.
    Call(String),
    /// What was asked for.
    Question,
    /// Nowhere: everything else was excluded, or it can't be seen from here.
    Inference,
}

impl Evidence {
    pub(super) fn file(path: impl Into<String>, says: impl Into<String>) -> Evidence {
        Evidence { place: Place::File(path.into()), says: says.into() }
    }

    pub(super) fn call(call: impl Into<String>, says: impl Into<String>) -> Evidence {
        Evidence { place: Place::Call(call.into()), says: says.into() }
    }

    pub(super) fn question(says: impl Into<String>) -> Evidence {
        Evidence { place: Place::Question, says: says.into() }
    }

    pub(super) fn inferred(says: impl Into<String>) -> Evidence {
        Evidence { place: Place::Inference, says: says.into() }
    }
}

impl fmt::Display for Evidence {
    /// `/proc/sys/user/max_net_namespaces is 0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(place) | Place::Call(place) => write!(f, "{place} {}", self.says),
            Place::Question | Place::Inference => f.write_str(&self.says),
        }
    }
}
