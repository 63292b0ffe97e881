//! Measuring beside many processes.
//!
//! The crowd lives in a pid namespace of its own, and so must what measures
//! there: the floor program `crowd` starts this program once more, which reads
//! a [`Series`] from standard input and writes a [`Table`] to standard output.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::floor::Floor;
use crate::options::SERIES;
use crate::series::Series;
use crate::table::Table;

/// Which crowd: how many processes, how many sockets each of them has open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) processes: usize,
    pub(crate) sockets: usize,
}

/// Every so-manieth has namespaces of its own.
pub(crate) const EVERY: usize = 10;

impl Crowd {
    /// Measures `series` in the midst of this crowd, which is gone afterwards.
    pub(crate) fn measure(self, floor: &Floor, series: &Series) -> Result<Table, String> {
        let failed = |error: io::Error| format!("starting the crowd: {error}");
        let mut child = Command::new(floor.path("crowd")?)
            .args([self.processes, EVERY, self.sockets].map(|number| number.to_string()))
            .arg(floor.path("sleeper")?)
            .arg(std::env::current_exe().map_err(failed)?)
            .arg(SERIES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let order = serde_json::to_vec(series).map_err(|error| error.to_string())?;
        // If it can't take the order it has failed, and its status will tell.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&order));
        let output = child.wait_with_output().map_err(failed)?;
        if !output.status.success() {
            return Err(format!("the crowd failed: {}", output.status));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("the crowd's answer: {error}"))
    }
}

/// The other side: measures one series.
pub(crate) fn serve() -> io::Result<()> {
    let series: Series = serde_json::from_reader(io::stdin().lock())?;
    let table = series.measure().map_err(io::Error::other)?;
    serde_json::to_writer(io::stdout().lock(), &table)?;
    Ok(())
}
