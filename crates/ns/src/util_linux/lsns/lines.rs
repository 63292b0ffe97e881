//! From rows to the lines of a table, each below the one it belongs to.

use std::collections::HashMap;

use namespaces::discover::{Found, Name, System};

use super::column::Column;
use super::filter::Filter;
use super::options::{Options, Tree};
use super::rows::{Cells, Row};
use super::table::Table;
use crate::util_linux::failure::Failure;

/// A table in the making.
pub(super) struct Lines<'a> {
    pub(super) options: &'a Options,
    pub(super) columns: &'a [Column],
    pub(super) filter: Option<&'a Filter>,
    pub(super) cells: Cells<'a>,
    /// Whether a tree is drawn.
    pub(super) drawn: bool,
    pub(super) table: Table,
}

/// The place of a line in the table, unless the filter has kept it out.
type Place = Option<usize>;

impl<'a> Lines<'a> {
    /// Adds the rows, which are in order.
    pub(super) fn add_all(
        &mut self,
        rows: Vec<Row<'a>>,
        tree: Option<Tree>,
        system: &'a System,
    ) -> Result<(), Failure> {
        match tree {
            None => rows.into_iter().try_for_each(|row| self.add(row, None).map(drop)),
            Some(Tree::Process) => self.add_below_processes(rows),
            Some(tree) => {
                let mut places = HashMap::new();
                rows.into_iter()
                    .try_for_each(|row| self.add_below_namespaces(row.found, tree, system, &mut places))
            }
        }
    }

    fn add(&mut self, row: Row<'_>, above: Place) -> Result<Place, Failure> {
        if !self.lets_through(row)? {
            return Ok(None);
        }
        let line = self.table.line(above.filter(|_| self.drawn));
        for column in self.columns {
            self.table.cell(&self.cells.cell(row, *column));
        }
        Ok(Some(line))
    }

    fn lets_through(&self, row: Row<'_>) -> Result<bool, Failure> {
        let Some(filter) = self.filter else { return Ok(true) };
        filter
            .is_true(&mut |column| self.cells.cell(row, column))
            .map_err(|_| Failure::message("failed to apply filter: Invalid argument"))
    }

    /// Each below the last line, of those before it, of the parent of its process.
    fn add_below_processes(&mut self, rows: Vec<Row<'a>>) -> Result<(), Failure> {
        let mut last = HashMap::new();
        for row in rows {
            let above = self.cells.parent(row).and_then(|parent| last.get(&parent).copied());
            if let (Some(line), Some(pid)) = (self.add(row, above)?, row.pid) {
                last.insert(pid, line);
            }
        }
        Ok(())
    }

    /// Adds a namespace after those above it, which are listed for its sake.
    fn add_below_namespaces(
        &mut self,
        found: &'a Found,
        tree: Tree,
        system: &'a System,
        places: &mut HashMap<Name, Place>,
    ) -> Result<(), Failure> {
        if places.contains_key(&found.name) || !self.options.wants_kind(found.name.kind) {
            return Ok(());
        }
        let (owner, parent) = (found.owner.name(), found.parent.name());
        let (above, first) =
            if tree == Tree::Owner { (owner, [owner, None]) } else { (parent, [owner, parent]) };
        for found in first.into_iter().flatten().filter_map(|name| system.get(name)) {
            self.add_below_namespaces(found, tree, system, places)?;
        }
        let above = above.and_then(|name| places.get(&name).copied().flatten());
        let place = self.add(Row { found, pid: found.pid }, above)?;
        places.insert(found.name, place);
        Ok(())
    }
}
