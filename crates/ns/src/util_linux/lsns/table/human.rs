//! Columns for people.

use super::text::{Charset, Safe};
use super::{Column, Table, width};

/// A table on its way to the terminal.
struct Printer<'a> {
    table: &'a Table,
    widths: Vec<usize>,
    charset: Charset,
    padding: u8,
    out: Vec<u8>,
    safe: Safe,
}

pub(super) fn print(
    table: &Table,
    headings: bool,
    charset: Charset,
    terminal: Option<usize>,
    padding: u8,
) -> Vec<u8> {
    if table.lines.is_empty() {
        return Vec::new();
    }
    let order = table.order();
    let widths = width::of(table, &order, headings, charset, terminal);
    let out = Vec::with_capacity(order.len() * 96);
    let mut printer = Printer { table, widths, charset, padding, out, safe: Safe::default() };
    if headings {
        for (i, column) in table.columns.iter().enumerate() {
            printer.safe.clear();
            printer.safe.push(column.name.as_bytes(), charset);
            printer.cell(i, true);
        }
        printer.out.push(b'\n');
    }
    for line in order {
        printer.line(line);
    }
    printer.out
}

impl Printer<'_> {
    fn line(&mut self, line: usize) {
        let branches = self.table.branches(line, self.charset);
        for row in 0.. {
            let mut more = false;
            for (i, column) in self.table.columns.iter().enumerate() {
                self.safe.clear();
                if column.tree {
                    self.push_branches(line, row, &branches);
                }
                let mut parts = width::parts(column, self.table.text(line, i)).skip(row);
                if let Some(part) = parts.next() {
                    self.safe.push(part, self.charset);
                }
                more |= parts.next().is_some();
                // Branches alone are never cut.
                self.cell(i, row == 0);
            }
            self.out.push(b'\n');
            if !more {
                break;
            }
        }
    }

    /// The branches before the text; in later rows of the same line only those
    /// that go on below it.
    fn push_branches(&mut self, line: usize, row: usize, branches: &str) {
        if row == 0 {
            return self.safe.push_art(branches);
        }
        let mut art = String::new();
        self.table.trunks(line, self.charset, &mut art);
        if !self.table.lines[line].children.is_empty() {
            art.push_str(self.charset.trunk());
        }
        self.safe.push_art(&art);
    }

    /// Writes what lies ready as the cell of a column, cut if there is no room
    /// and it `may_be_cut`.
    fn cell(&mut self, index: usize, may_be_cut: bool) {
        let Column { right, cut, .. } = self.table.columns[index];
        let width = self.widths[index];
        if cut && may_be_cut {
            self.safe.cut(width);
        }
        let fill = width.saturating_sub(self.safe.width);
        let last = index + 1 == self.table.columns.len();
        let before = if right && !self.safe.bytes.is_empty() { fill } else { 0 };
        self.pad(before);
        self.out.extend_from_slice(&self.safe.bytes);
        if !last {
            self.pad(fill - before);
            self.out.push(b' ');
        }
    }

    fn pad(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, self.padding);
    }
}
