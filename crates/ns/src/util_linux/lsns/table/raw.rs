//! One word a cell.

use super::Table;
use super::text::{Charset, push_word};

pub(super) fn print(table: &Table, headings: bool, charset: Charset) -> Vec<u8> {
    let mut out = Vec::new();
    if table.lines.is_empty() {
        return out;
    }
    if headings {
        for (i, column) in table.columns.iter().enumerate() {
            push_word(&mut out, column.name.as_bytes());
            separate(&mut out, table, i);
        }
    }
    for line in table.order() {
        for (i, column) in table.columns.iter().enumerate() {
            if column.tree {
                push_word(&mut out, table.branches(line, charset).as_bytes());
            }
            push_word(&mut out, table.text(line, i));
            separate(&mut out, table, i);
        }
    }
    out
}

fn separate(out: &mut Vec<u8>, table: &Table, column: usize) {
    out.push(if column + 1 == table.columns.len() { b'\n' } else { b' ' });
}
