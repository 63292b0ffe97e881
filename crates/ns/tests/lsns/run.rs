//! One command line, given to both.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use namespaces::Stdio;

use crate::peer::Peer;
use crate::world::{World, terminal};

/// A command line: the environment, the width of the terminal if there is to
/// be one, and the arguments.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub env: Vec<(String, String)>,
    pub columns: Option<u16>,
    pub args: Vec<String>,
}

impl Words {
    /// Reads a line: `NAME=VALUE` and `@COLUMNS` in front, quotes as a shell
    /// has them, `{PID 1003}` for the pid of what sleeps 1003 seconds,
    /// `{net 1003}` for a namespace of it.
    pub fn parse(line: &str, world: &World) -> Words {
        let mut words = Words::default();
        let mut front = true;
        for word in split(line) {
            let name = |c: char| c.is_ascii_uppercase() || c == '_';
            match (word.strip_prefix('@'), word.split_once('=')) {
                (Some(columns), _) if front => words.columns = Some(columns.parse().unwrap()),
                (_, Some((key, value))) if front && !key.is_empty() && key.chars().all(name) => {
                    words.env.push((key.to_owned(), value.to_owned()));
                }
                _ => {
                    front = false;
                    words.args.push(filled(&word, world));
                }
            }
        }
        words
    }

    pub fn show(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.env {
            let _ = write!(text, "{name}={value} ");
        }
        if let Some(columns) = self.columns {
            let _ = write!(text, "@{columns} ");
        }
        let args: Vec<String> = self.args.iter().map(|arg| format!("{arg:?}")).collect();
        text + &args.join(" ")
    }
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut braces = 0;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') if braces == 0 => words.extend(word.take()),
            (_, c) => {
                braces += i32::from(c == '{') - i32::from(c == '}');
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    words
}

fn filled(word: &str, world: &World) -> String {
    let Some((before, rest)) = word.split_once('{') else { return word.to_owned() };
    let Some((what, after)) = rest.split_once('}') else { return word.to_owned() };
    let value = match what.split_once(' ') {
        Some(("PID", seconds)) => world.sleeper(seconds),
        Some((kind, seconds)) => world.inode(seconds, kind),
        None => return word.to_owned(),
    };
    assert!(!value.is_empty(), "nothing for {what}");
    format!("{before}{value}{after}")
}

/// What a command line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    /// The first line of standard error, the name of the program normalised.
    pub complaint: String,
}

pub fn run(world: &World, program: &Path, words: &Words) -> Outcome {
    let mut spawn = world.command(program);
    spawn.args(&words.args).stderr(Stdio::Piped);
    spawn.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    for (name, value) in &words.env {
        spawn.env(name, value);
    }
    let (status, stdout, stderr) = match words.columns {
        None => {
            let output = spawn.stdout(Stdio::Piped).output().unwrap();
            (output.status, output.stdout, output.stderr)
        }
        Some(columns) => {
            let (mut main, end) = terminal(columns);
            let mut child = spawn.stdout(end).spawn().unwrap();
            drop(spawn);
            let mut stdout = Vec::new();
            // Ends with EIO when the last one has closed the other end.
            let _ = main.read_to_end(&mut stdout);
            let mut stderr = Vec::new();
            child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
            (child.wait().unwrap(), stdout, stderr)
        }
    };
    // What a library says about itself is no complaint.
    let debug = words.env.iter().any(|(name, _)| name.starts_with("LIBSMARTCOLS_DEBUG"));
    let first = String::from_utf8_lossy(&stderr).lines().find(|_| !debug).unwrap_or_default().to_owned();
    Outcome { status: status.code(), stdout, complaint: first.replace(program.to_str().unwrap(), "lsns") }
}

/// Whether both come to the same; else what differs.
pub fn compare(world: &World, peer: &Peer, words: &Words) -> Result<(), String> {
    let theirs = run(world, &peer.path, words);
    let ours = run(world, &world.ours(), words);
    if ours == theirs {
        return Ok(());
    }
    let mut text = String::new();
    if (theirs.status, &theirs.complaint) != (ours.status, &ours.complaint) {
        let _ = writeln!(text, "  theirs: {:?} {:?}", theirs.status, theirs.complaint);
        let _ = writeln!(text, "  ours:   {:?} {:?}", ours.status, ours.complaint);
    }
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    let (theirs, ours) = (lines(&theirs.stdout), lines(&ours.stdout));
    for i in 0..theirs.len().max(ours.len()) {
        if theirs.get(i) != ours.get(i) {
            let _ = writeln!(text, "  {}\n< {:?}\n> {:?}", i + 1, theirs.get(i), ours.get(i));
            break;
        }
    }
    Err(text)
}
