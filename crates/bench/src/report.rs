//! Everything one run found, as it is written with `--json`.

use serde::Serialize;

use crate::machine::Machine;
use crate::table::{LeftOut, Summary};
use crate::tools::{Ns, Peer, find_peers};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) ns: Option<Ns>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) tables: Vec<Summary>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report {
            machine: Machine::read(),
            ns: None,
            peers: find_peers(),
            tables: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(crate) fn leave_out(&mut self, what: &str, reason: &str) {
        self.left_out.push(LeftOut { what: what.to_owned(), reason: reason.to_owned() });
    }

    /// Whether a goal is missed by more than the noise of a busy machine explains.
    pub(crate) fn missed_by_far(&self) -> bool {
        self.tables.iter().flat_map(|table| &table.lines).flat_map(|line| &line.goals).any(|v| v.far)
    }
}
