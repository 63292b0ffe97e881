//! Tables for people and JSON for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use anstyle::Style;
use namespaces::discover::{Holder, Unreadable};
use serde::Serialize;

use crate::report::{Failure, print};
use crate::text;

/// What standard output can show.
pub(crate) struct Screen {
    colours: bool,
    /// Columns of the terminal; `None` if it is none, then nothing is cut.
    pub(crate) width: Option<usize>,
}

impl Screen {
    /// Looks at standard output and at `NO_COLOR`.
    pub(crate) fn stdout() -> Screen {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let terminal = std::io::stdout().is_terminal();
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let width = || {
            let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
            (size.ws_col > 0).then_some(usize::from(size.ws_col))
        };
        Screen {
            colours: terminal && !dumb && set("NO_COLOR").is_none(),
            width: terminal.then(width).flatten(),
        }
    }

    /// `text` in `style`, where there are colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Rows below headings, each column as wide as it must be, the last cut to
    /// the terminal. Columns whose heading begins with a blank are flush right.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<String>]) -> String {
        let mut widths: Vec<usize> = headings.iter().map(|heading| heading.trim().len()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::with_capacity((rows.len() + 1) * 100);
        let titles: Vec<String> = headings.iter().map(|heading| heading.trim().to_owned()).collect();
        let title = self.line(headings, &widths, &titles);
        let _ = writeln!(out, "{}", self.paint(Style::new().bold(), &title));
        for row in rows {
            out.push_str(&self.line(headings, &widths, row));
            out.push('\n');
        }
        out
    }

    fn line(&self, headings: &[&str], widths: &[usize], row: &[String]) -> String {
        let mut line = String::new();
        let last = row.len().saturating_sub(1);
        for (i, cell) in row.iter().enumerate() {
            let width = widths[i];
            if i == last {
                line.push_str(cell);
            } else if headings[i].starts_with(' ') {
                let _ = write!(line, "{cell:>width$}  ");
            } else {
                let _ = write!(line, "{cell:<width$}  ");
            }
        }
        let line = line.trim_end();
        self.width.map_or_else(|| line.to_owned(), |width| text::cut(line, width))
    }
}

/// Writes `value` as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
    text.push('\n');
    print(&text)
}

/// What keeps a namespace alive, in a few words.
pub(crate) fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Process { pid } => format!("process {pid}"),
        Holder::ForChildren { pid, tid } if pid == tid => format!("children of {pid}"),
        Holder::ForChildren { pid, tid } => format!("children of thread {tid} of {pid}"),
        Holder::Thread { pid, tid } => format!("thread {tid} of {pid}"),
        Holder::Fd { pid, fd } => format!("fd {fd} of {pid}"),
        Holder::Socket { pid, fd } => format!("socket {fd} of {pid}"),
        Holder::Mount { within, path } => format!("mount {} in {within}", shown_path(path)),
        Holder::Child(name) => format!("child {name}"),
        Holder::Owned(name) => format!("owner of {name}"),
        Holder::Unseen => "unseen holder".to_owned(),
    }
}

/// A path as text that is safe to print.
pub(crate) fn shown_path(path: &std::path::Path) -> String {
    text::printable(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

/// A holder as JSON: `type`, and what names it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum JsonHolder {
    Process { pid: i32 },
    ForChildren { pid: i32, tid: i32 },
    Thread { pid: i32, tid: i32 },
    Fd { pid: i32, fd: i32 },
    Socket { pid: i32, fd: i32 },
    Mount { mnt: u64, path: String },
    Child { kind: &'static str, ino: u64 },
    Owned { kind: &'static str, ino: u64 },
    Unseen,
}

impl From<&Holder> for JsonHolder {
    fn from(holder: &Holder) -> JsonHolder {
        match *holder {
            Holder::Process { pid } => JsonHolder::Process { pid },
            Holder::ForChildren { pid, tid } => JsonHolder::ForChildren { pid, tid },
            Holder::Thread { pid, tid } => JsonHolder::Thread { pid, tid },
            Holder::Fd { pid, fd } => JsonHolder::Fd { pid, fd },
            Holder::Socket { pid, fd } => JsonHolder::Socket { pid, fd },
            Holder::Mount { within, ref path } => {
                JsonHolder::Mount { mnt: within.ino, path: path.to_string_lossy().into_owned() }
            }
            Holder::Child(name) => JsonHolder::Child { kind: name.kind.name(), ino: name.ino },
            Holder::Owned(name) => JsonHolder::Owned { kind: name.kind.name(), ino: name.ino },
            Holder::Unseen => JsonHolder::Unseen,
        }
    }
}

/// What could not be read, as JSON.
#[derive(Serialize)]
pub(crate) struct JsonUnreadable {
    processes: u32,
    sockets: u32,
    mount_namespaces: u32,
    namespaces: u32,
    hidden: bool,
}

impl From<Unreadable> for JsonUnreadable {
    fn from(unreadable: Unreadable) -> JsonUnreadable {
        JsonUnreadable {
            processes: unreadable.processes,
            sockets: unreadable.sockets,
            mount_namespaces: unreadable.mount_namespaces,
            namespaces: unreadable.namespaces,
            hidden: unreadable.hidden,
        }
    }
}

/// Says on standard error what could not be read, if anything.
pub(crate) fn warn_unreadable(unreadable: Unreadable) {
    let counts = [
        (unreadable.processes, "process", "processes"),
        (unreadable.sockets, "socket", "sockets"),
        (unreadable.mount_namespaces, "mount namespace", "mount namespaces"),
        (unreadable.namespaces, "namespace", "namespaces"),
    ];
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|(count, _, _)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    if unreadable.hidden {
        parts.push("all processes that /proc hides (its mount option hidepid)".to_owned());
    }
    if !parts.is_empty() {
        let _ = writeln!(std::io::stderr(), "unreadable: {}", parts.join(", "));
    }
}

/// A line of a label and its value.
pub(crate) fn field(label: &str, value: &str) -> String {
    format!("{label:<12}{value}\n")
}
