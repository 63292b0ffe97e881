//! Tables as util-linux prints them: columns for people, on a terminal or in a
//! pipe, words for scripts (raw), and JSON; flat or as a tree.

mod human;
mod json;
mod raw;
mod text;
mod width;

use std::ops::Range;

pub(super) use json::Style as JsonStyle;
pub(super) use text::Charset;

/// What is to be known of a column to print it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Where there is room, as wide as this.
    pub(super) hint: usize,
    pub(super) right: bool,
    /// JSON has it as a number.
    pub(super) number: bool,
    /// Cut where there is no room for it.
    pub(super) cut: bool,
    /// Its cells may have several lines.
    pub(super) lines: bool,
    /// The branches of the tree are drawn in it.
    pub(super) tree: bool,
}

/// A line, below another one if it has a parent.
#[derive(Debug)]
struct Line {
    parent: Option<usize>,
    children: Vec<usize>,
}

/// Columns and lines. The cells are kept as they are; each form of output
/// makes them fit for itself.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    lines: Vec<Line>,
    roots: Vec<usize>,
    text: Vec<u8>,
    /// As many for each line as there are columns.
    cells: Vec<Range<u32>>,
}

/// What a table is printed as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// For people.
    Human {
        /// The columns of the terminal, if it is one.
        terminal: Option<usize>,
        /// What cells are filled up with.
        padding: u8,
    },
    /// Words, separated by one blank.
    Raw,
    /// JSON, the list of lines under this name.
    Json(&'static str, JsonStyle),
}

impl Table {
    pub(super) fn new(columns: Vec<Column>) -> Table {
        Table { columns, lines: Vec::new(), roots: Vec::new(), text: Vec::new(), cells: Vec::new() }
    }

    /// Begins a line, which gets its cells from the calls of
    /// [`cell`](Table::cell) that follow, one for each column.
    pub(super) fn line(&mut self, parent: Option<usize>) -> usize {
        let index = self.lines.len();
        match parent {
            Some(parent) => self.lines[parent].children.push(index),
            None => self.roots.push(index),
        }
        self.lines.push(Line { parent, children: Vec::new() });
        index
    }

    /// The next cell of the line begun last. One without text is missing.
    pub(super) fn cell(&mut self, text: &[u8]) {
        let offset = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let start = offset(self.text.len());
        self.text.extend_from_slice(text);
        self.cells.push(start..offset(self.text.len()));
    }

    /// The table as text.
    pub(super) fn print(&self, form: Form, headings: bool, charset: Charset) -> Vec<u8> {
        match form {
            Form::Human { terminal, padding } => human::print(self, headings, charset, terminal, padding),
            Form::Raw => raw::print(self, headings, charset),
            Form::Json(name, style) => json::print(self, name, style),
        }
    }

    fn text(&self, line: usize, column: usize) -> &[u8] {
        let range = &self.cells[line * self.columns.len() + column];
        &self.text[range.start as usize..range.end as usize]
    }

    /// All lines in the order in which they are printed: each followed by
    /// those below it.
    fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.lines.len());
        let mut rest: Vec<usize> = self.roots.iter().rev().copied().collect();
        while let Some(line) = rest.pop() {
            order.push(line);
            rest.extend(self.lines[line].children.iter().rev());
        }
        order
    }

    /// Whether a line is the last one below its parent.
    fn is_last_child(&self, line: usize) -> bool {
        self.lines[line].parent.is_none_or(|parent| self.lines[parent].children.last() == Some(&line))
    }

    /// The branches that lead to a line: what stands in front of its text.
    fn branches(&self, line: usize, charset: Charset) -> String {
        let mut art = String::new();
        if let Some(parent) = self.lines[line].parent {
            self.trunks(parent, charset, &mut art);
            art.push_str(if self.is_last_child(line) { charset.corner() } else { charset.branch() });
        }
        art
    }

    /// The branches that pass by on the left of a line and go on below it.
    fn trunks(&self, line: usize, charset: Charset, art: &mut String) {
        if let Some(parent) = self.lines[line].parent {
            self.trunks(parent, charset, art);
            art.push_str(if self.is_last_child(line) { "  " } else { charset.trunk() });
        }
    }
}

/// How many columns the terminal on standard output has; `None` if there is
/// none.
pub(super) fn terminal() -> Option<usize> {
    const USUAL: usize = 80;
    let stdout = rustix::stdio::stdout();
    if !rustix::termios::isatty(stdout) {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout).map_or(0, |size| size.ws_col.into());
    if size > 0 {
        return Some(size);
    }
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    Some(columns.filter(|columns| *columns > 0).unwrap_or(USUAL))
}

/// What cells are filled up with: something visible, if the environment asks
/// for that.
pub(super) fn padding() -> u8 {
    let visible = std::env::var_os("LIBSMARTCOLS_DEBUG_PADDING");
    if visible.is_some_and(|value| value == "on" || value == "1") { b'.' } else { b' ' }
}
