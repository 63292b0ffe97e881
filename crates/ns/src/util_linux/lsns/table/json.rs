//! JSON, in the three styles of `LIBSMARTCOLS_JSON`.

use std::io::Write;

use super::Table;

/// How much white space, and how much around the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Style {
    /// For people: one value a line.
    Pretty,
    /// One object a line, in one document.
    Compact,
    /// One object a line, and nothing around them.
    Lines,
}

impl Style {
    /// As the environment wants it.
    pub(in super::super) fn of_environment() -> Style {
        match std::env::var_os("LIBSMARTCOLS_JSON") {
            Some(style) if style == "compact" => Style::Compact,
            Some(style) if style == "lines" => Style::Lines,
            _ => Style::Pretty,
        }
    }
}

struct Writer<'a> {
    table: &'a Table,
    pretty: bool,
    keys: Vec<String>,
    out: Vec<u8>,
}

pub(super) fn print(table: &Table, name: &str, style: Style) -> Vec<u8> {
    let keys = table.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    let mut writer = Writer { table, pretty: style == Style::Pretty, keys, out: Vec::new() };
    match style {
        Style::Pretty => {
            let _ = write!(writer.out, "{{\n   \"{name}\": [\n");
            writer.list(&table.roots, 2);
            writer.out.extend_from_slice(b"\n   ]\n}\n");
        }
        Style::Compact => {
            let _ = writeln!(writer.out, "{{\"{name}\":[");
            for (i, line) in table.roots.iter().enumerate() {
                writer.object(*line, 0);
                writer.out.extend_from_slice(if i + 1 == table.roots.len() { b"\n" } else { b",\n" });
            }
            writer.out.extend_from_slice(b"]}\n");
        }
        Style::Lines => {
            for line in &table.roots {
                writer.object(*line, 0);
                writer.out.push(b'\n');
            }
        }
    }
    writer.out
}

impl Writer<'_> {
    /// The objects of a list, with commas between.
    fn list(&mut self, lines: &[usize], depth: usize) {
        for (i, line) in lines.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            } else {
                self.indent(depth);
            }
            self.object(*line, depth);
        }
    }

    fn object(&mut self, line: usize, depth: usize) {
        self.out.push(b'{');
        for i in 0..self.table.columns.len() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line_break(depth + 1);
            self.key(i);
            self.value(line, i);
        }
        let children = &self.table.lines[line].children;
        if !children.is_empty() {
            self.out.push(b',');
            self.line_break(depth + 1);
            self.out.extend_from_slice(if self.pretty { b"\"children\": [\n" } else { b"\"children\":[" });
            self.list(children, depth + 2);
            self.line_break(depth + 1);
            self.out.push(b']');
        }
        self.line_break(depth);
        self.out.push(b'}');
    }

    fn key(&mut self, column: usize) {
        let space = if self.pretty { " " } else { "" };
        let _ = write!(self.out, "\"{}\":{space}", self.keys[column]);
    }

    fn value(&mut self, line: usize, column: usize) {
        let text = self.table.text(line, column);
        if text.is_empty() {
            self.out.extend_from_slice(b"null");
        } else if self.table.columns[column].number {
            self.out.extend_from_slice(text);
        } else {
            self.string(text);
        }
    }

    /// A string of RFC 8259. Bytes that are no text get the character that
    /// stands for such.
    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for c in String::from_utf8_lossy(text).chars() {
            let escape = match c {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\u{8}' => "\\b",
                '\u{c}' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\0'..='\u{1f}' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                    continue;
                }
                c => {
                    self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            self.out.extend_from_slice(escape.as_bytes());
        }
        self.out.push(b'"');
    }

    fn line_break(&mut self, depth: usize) {
        if self.pretty {
            self.out.push(b'\n');
            self.indent(depth);
        }
    }

    fn indent(&mut self, depth: usize) {
        if self.pretty {
            self.out.resize(self.out.len() + depth * 3, b' ');
        }
    }
}
