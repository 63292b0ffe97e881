//! How wide each column is.

use super::text::{Charset, Safe};
use super::{Column, Table};

/// What is known of a column before the room is shared out.
struct Measure {
    width: usize,
    /// Narrower it is never made.
    least: usize,
    /// Most cells need no more than this: the mean and the standard deviation.
    typical: usize,
}

/// How much the widest column gives in one round; others give one.
const WIDEST_GIVES: usize = 3;

/// The width of each column, on a terminal or without limits.
pub(super) fn of(
    table: &Table,
    order: &[usize],
    headings: bool,
    charset: Charset,
    terminal: Option<usize>,
) -> Vec<usize> {
    let mut columns: Vec<Measure> =
        (0..table.columns.len()).map(|i| measure(table, i, order, headings, charset)).collect();
    if let Some(room) = terminal {
        fit(&table.columns, &mut columns, room);
    }
    columns.into_iter().map(|column| column.width).collect()
}

fn measure(table: &Table, index: usize, order: &[usize], headings: bool, charset: Charset) -> Measure {
    let column = &table.columns[index];
    let mut safe = Safe::default();
    let mut widths = Vec::with_capacity(order.len());
    for line in order {
        let branches = if column.tree { table.branches(*line, charset).chars().count() } else { 0 };
        let width = |part| {
            safe.clear();
            safe.push(part, charset);
            branches + safe.width
        };
        widths.push(parts(column, table.text(*line, index)).map(width).max().unwrap_or(0));
    }
    let widest = widths.iter().copied().max().unwrap_or(0);
    let least = if headings { column.name.len() } else { 1 };
    let width = match widest {
        0 if !headings => 0,
        widest if widest <= least => least,
        widest => widest.max(column.hint),
    };
    Measure { width, least, typical: typical(&widths) }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // widths
fn typical(widths: &[usize]) -> usize {
    let count = widths.len() as f64;
    let mean = widths.iter().sum::<usize>() as f64 / count;
    let squares: f64 = widths.iter().map(|width| (*width as f64 - mean).powi(2)).sum();
    if widths.len() < 2 { usize::MAX } else { (mean + (squares / (count - 1.0)).sqrt()) as usize }
}

/// The lines of a cell.
pub(super) fn parts<'a>(column: &Column, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = column.lines;
    text.split(move |byte| lines && *byte == b'\n')
}

/// Makes columns wider or narrower until they fill the room, from the last one
/// to the first, round after round.
fn fit(columns: &[Column], measures: &mut [Measure], room: usize) {
    let mut total: usize = measures.iter().map(|column| column.width).sum();
    total += columns.len().saturating_sub(1);
    while total < room {
        let before = total;
        for (column, measure) in columns.iter().zip(&mut *measures).rev() {
            if total < room && measure.width < column.hint {
                measure.width += 1;
                total += 1;
            }
        }
        if total == before {
            break;
        }
    }
    shrink(columns, measures, total, room);
}

/// Makes those narrower that may be cut. If the widest of all is among them,
/// it gives first what only few of its cells need, and more than others then.
fn shrink(columns: &[Column], measures: &mut [Measure], mut total: usize, room: usize) {
    let widest = (0..measures.len()).max_by_key(|i| measures[*i].width).filter(|i| columns[*i].cut);
    let give = |measure: &mut Measure, most: usize, total: &mut usize| {
        let gives = most.min(total.saturating_sub(room)).min(measure.width.saturating_sub(measure.least));
        measure.width -= gives;
        *total -= gives;
    };
    if let Some(i) = widest {
        let spare = measures[i].width.saturating_sub(measures[i].typical);
        give(&mut measures[i], spare, &mut total);
    }
    while total > room {
        let before = total;
        for i in (0..measures.len()).rev().filter(|i| columns[*i].cut) {
            give(&mut measures[i], if widest == Some(i) { WIDEST_GIVES } else { 1 }, &mut total);
        }
        if total == before {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(hint: usize, cut: bool) -> Column {
        Column { name: "COMMAND", hint, right: false, number: false, cut, lines: false, tree: false }
    }

    fn fitted(columns: &[Column], widths: &[usize], room: usize) -> Vec<usize> {
        let mut measures: Vec<Measure> =
            widths.iter().map(|width| Measure { width: *width, least: 7, typical: 18 }).collect();
        fit(columns, &mut measures, room);
        measures.into_iter().map(|measure| measure.width).collect()
    }

    #[test]
    fn hints_are_followed_from_the_last_column_on() {
        let columns = [column(9, false), column(0, false), column(9, false)];
        assert_eq!(fitted(&columns, &[7, 7, 7], 24), [7, 7, 8]);
        assert_eq!(fitted(&columns, &[7, 7, 7], 26), [8, 7, 9]);
        assert_eq!(fitted(&columns, &[7, 7, 7], 80), [9, 7, 9]);
    }

    #[test]
    fn only_what_may_be_cut_is_cut_and_the_widest_most() {
        let columns = [column(0, true), column(0, false), column(0, true)];
        assert_eq!(fitted(&columns, &[20, 20, 20], 61), [20, 20, 19]);
        assert_eq!(fitted(&columns, &[20, 20, 20], 60), [20, 20, 18]);
        assert_eq!(fitted(&columns, &[20, 20, 20], 55), [19, 20, 14]);
        assert_eq!(fitted(&columns, &[20, 20, 20], 1), [7, 20, 7]);
    }
}
