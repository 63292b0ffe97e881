//! Pictures as text, dot, SVG and JSON.

use super::picture::{Picture, PictureProxy, PictureTask};
use crate::State;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

impl Picture {
    fn state_word(task: &PictureTask) -> &'static str {
        match task.state {
            State::Running => "",
            State::Stopped => "stopped",
            State::VforkWait => "in vfork",
            State::Zapping => "dying",
            State::Zombie => "zombie",
        }
    }

    fn proxy_name(&self, task: &PictureTask) -> &str {
        task.proxy.map_or("-", |proxy| &self.proxies[proxy].name)
    }

    /// Two tables: tasks with their nsproxy, nsproxies with their namespaces. Tasks
    /// with the same letter share one nsproxy.
    pub fn text(&self) -> String {
        let mut tasks =
            alloc::vec![["task", "pid", "nsproxy", "user", "pid ns", ""].map(String::from).to_vec()];
        for task in &self.tasks {
            tasks.push(alloc::vec![
                task.name.clone(),
                task.pid.to_string(),
                self.proxy_name(task).to_string(),
                self.namespaces[task.user].name.clone(),
                self.namespaces[task.pid_ns].name.clone(),
                Self::state_word(task).to_string(),
            ]);
        }
        let mut text = table(&tasks);
        text.push('\n');
        text.push_str(&table(&self.proxy_rows()));
        let foreign = self.foreign_owners();
        if !foreign.is_empty() {
            let _ = writeln!(text, "\nowned by: {}", foreign.join(", "));
        }
        text
    }

    fn proxy_rows(&self) -> Vec<Vec<String>> {
        let slots = self.proxies.first().map(|proxy| proxy.slots.clone()).unwrap_or_default();
        let mut head = alloc::vec!["nsproxy".to_string()];
        head.extend(slots.iter().map(|(slot, _)| (*slot).to_string()));
        let mut rows = alloc::vec![head];
        for proxy in &self.proxies {
            let mut row = alloc::vec![proxy.name.clone()];
            for (slot, _) in &slots {
                let found = proxy.slots.iter().find(|(other, _)| other == slot);
                row.push(found.map_or("-".to_string(), |(_, ns)| self.namespaces[*ns].name.clone()));
            }
            rows.push(row);
        }
        rows
    }

    /// Namespaces that do not belong to the first user namespace.
    fn foreign_owners(&self) -> Vec<String> {
        self.namespaces
            .iter()
            .filter_map(|ns| {
                let owner = ns.owner.as_deref().filter(|owner| *owner != "user 0")?;
                Some(format!("{} by {owner}", ns.name))
            })
            .collect()
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut dot = String::from("digraph nsproxy {\n  rankdir=LR;\n  node [shape=box];\n");
        for task in &self.tasks {
            let _ = writeln!(dot, "  \"task {}\" [style=rounded];", escape_quotes(&task.name));
            if let Some(proxy) = task.proxy {
                let name = escape_quotes(&task.name);
                let _ = writeln!(dot, "  \"task {name}\" -> \"nsproxy {}\";", self.proxies[proxy].name);
            }
            let user = &self.namespaces[task.user].name;
            let _ = writeln!(dot, "  \"task {}\" -> \"{user}\" [style=dashed];", escape_quotes(&task.name));
        }
        for PictureProxy { name, slots } in &self.proxies {
            for (slot, ns) in slots {
                let ns = &self.namespaces[*ns].name;
                let _ = writeln!(dot, "  \"nsproxy {name}\" -> \"{ns}\" [label=\"{slot}\"];");
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// One object with tasks, proxies and namespaces.
    pub fn json(&self) -> String {
        let mut json = String::from("{\"tasks\":[");
        for (at, task) in self.tasks.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let proxy = task.proxy.map_or("null".to_string(), |proxy| quoted(&self.proxies[proxy].name));
            let _ = write!(
                json,
                "{comma}{{\"name\":{},\"pid\":{},\"state\":{},\"nsproxy\":{proxy},\"user\":{},\"pid_ns\":{}}}",
                quoted(&task.name),
                task.pid,
                quoted(&format!("{:?}", task.state)),
                quoted(&self.namespaces[task.user].name),
                quoted(&self.namespaces[task.pid_ns].name),
            );
        }
        json.push_str("],\"nsproxies\":[");
        for (at, proxy) in self.proxies.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{{\"name\":{}", quoted(&proxy.name));
            for (slot, ns) in &proxy.slots {
                let _ = write!(json, ",{}:{}", quoted(slot), quoted(&self.namespaces[*ns].name));
            }
            json.push('}');
        }
        json.push_str("],\"namespaces\":[");
        for (at, ns) in self.namespaces.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let owner = ns.owner.as_deref().map_or("null".to_string(), quoted);
            let _ = write!(
                json,
                "{comma}{{\"name\":{},\"kind\":\"{}\",\"owner\":{owner}}}",
                quoted(&ns.name),
                ns.kind
            );
        }
        json.push_str("]}\n");
        json
    }

    /// Three columns: tasks, nsproxies, namespaces, joined by lines.
    pub fn svg(&self) -> String {
        let rows = self.tasks.len().max(self.proxies.len()).max(self.namespaces.len());
        let height = 40 + 30 * rows;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n"
        );
        let y = |row: usize| 40 + 30 * row;
        for (row, task) in self.tasks.iter().enumerate() {
            if let Some(proxy) = task.proxy {
                line(&mut svg, (150, y(row)), (270, y(proxy)), "");
            }
            line(&mut svg, (150, y(row)), (500, y(task.user)), " stroke-dasharray=\"3 3\"");
        }
        for (row, proxy) in self.proxies.iter().enumerate() {
            for (_, ns) in &proxy.slots {
                line(&mut svg, (370, y(row)), (500, y(*ns)), "");
            }
        }
        for (row, task) in self.tasks.iter().enumerate() {
            let label = format!("{} ({})", task.name, task.pid);
            cell(&mut svg, (20, y(row)), 130, &label);
        }
        for (row, proxy) in self.proxies.iter().enumerate() {
            cell(&mut svg, (270, y(row)), 100, &format!("nsproxy {}", proxy.name));
        }
        for (row, ns) in self.namespaces.iter().enumerate() {
            cell(&mut svg, (500, y(row)), 140, &ns.name);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn line(svg: &mut String, from: (usize, usize), to: (usize, usize), style: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#999\"{style}/>",
        from.0, from.1, to.0, to.1
    );
}

fn cell(svg: &mut String, (x, y): (usize, usize), width: usize, label: &str) {
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"24\" fill=\"#fff\" stroke=\"#333\"/><text x=\"{}\" y=\"{}\">{label}</text>",
        y - 12,
        x + 8,
        y + 5
    );
}

fn escape_quotes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Rows with columns as wide as their widest cell.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
