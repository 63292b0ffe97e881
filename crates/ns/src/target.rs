//! What people call a process or a namespace.

use namespaces::discover::{Discovery, Name, Source, Sources, System};
use namespaces::{Kind, Namespace, Process};

use crate::report::Failure;

/// What a TARGET names.
#[derive(Debug)]
pub(crate) enum Target {
    /// A pid, or the name of a command.
    Process(Process),
    /// Anything else.
    Namespace(Namespace),
}

impl Target {
    /// Finds what `text` names:
    ///
    /// | text | names |
    /// |---|---|
    /// | `1234` | the process with this pid |
    /// | `1234:5678` | the same, if its pidfd has this inode number |
    /// | `1234:net` | the net namespace of process 1234 |
    /// | `net:[4026531833]` | the namespace with this inode number |
    /// | `4026531833` | the same |
    /// | `id:42` | the namespace with this 64-bit id |
    /// | `/run/netns/x`, `./x` | the namespace bound to this file |
    /// | `nginx` | the only process that `ns ls` shows with this command |
    pub(crate) fn find(text: &str) -> Result<Target, Failure> {
        if text.contains('/') {
            return Ok(Target::Namespace(Namespace::open(text)?));
        }
        if let Ok(name) = text.parse::<Name>() {
            return named(name);
        }
        if let Some(id) = text.strip_prefix("id:") {
            return identified(text, digits(id));
        }
        match digits(text) {
            Some(number) if number > u64::from(u32::MAX) => return identified(text, Some(number)),
            Some(ino) if ino >= FIRST_INODE => return numbered(text, ino),
            Some(pid) => {
                let pid = i32::try_from(pid).map_err(|_| not_found("process", text))?;
                return Ok(Target::Process(Process::open(pid)?));
            }
            None => {}
        }
        if let Ok(bound) = Namespace::open(text) {
            return Ok(Target::Namespace(bound));
        }
        match text.split_once(':') {
            Some((pid, what)) if digits(pid).is_some() => of_process(pid, what),
            _ => by_command(text),
        }
    }
}

/// Nothing has this name.
fn not_found(what: &str, text: &str) -> Failure {
    Failure::new(format!("there is no {what} {text:?}"))
}

/// Inode numbers of namespaces begin here: pids are far below.
const FIRST_INODE: u64 = 0xefff_fff0;

/// A number of digits only: `parse` alone would take a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn of_process(pid: &str, what: &str) -> Result<Target, Failure> {
    let number = pid.parse().map_err(|_| not_found("process", pid))?;
    if let Some(inode) = digits(what) {
        return Ok(Target::Process(Process::open_checked(number, inode)?));
    }
    let process = Process::open(number)?;
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.for_children_name() == Some(what)) {
        return Ok(Target::Namespace(process.namespace_for_children(kind)?));
    }
    Ok(Target::Namespace(process.namespace(what.parse()?)?))
}

fn open(system: &System, name: Name) -> Result<Target, Failure> {
    Ok(Target::Namespace(system.open(name)?))
}

fn named(name: Name) -> Result<Target, Failure> {
    let system = Discovery::new().kinds(name.kind).scan()?;
    match system.get(name) {
        Some(_) => open(&system, name),
        None => Err(not_found("namespace", &name.to_string())),
    }
}

fn numbered(text: &str, ino: u64) -> Result<Target, Failure> {
    let system = Discovery::new().scan()?;
    let name = system.by_inode(ino).next().map(|found| found.name);
    name.map_or_else(|| Err(not_found("namespace with inode number", text)), |name| open(&system, name))
}

fn identified(text: &str, ns_id: Option<u64>) -> Result<Target, Failure> {
    let system = Discovery::new().scan()?;
    let name = ns_id.and_then(|id| system.by_id(id)).map(|found| found.name);
    name.map_or_else(|| Err(not_found("namespace with 64-bit id", text)), |name| open(&system, name))
}

/// Only commands that `ns ls` shows: the first process of each namespace.
fn by_command(text: &str) -> Result<Target, Failure> {
    // A process may have an empty command, but nobody means it by saying nothing.
    if text.is_empty() {
        return Err(not_found("process", text));
    }
    let sources = Sources::EMPTY.with(Source::Processes);
    let system = Discovery::new().sources(sources).scan()?;
    let mut pids: Vec<i32> = system
        .iter()
        .filter_map(|found| found.pid)
        .filter(|pid| system.command(*pid).is_some_and(|command| is_named(command, text)))
        .collect();
    pids.sort_unstable();
    pids.dedup();
    match pids[..] {
        [] => Err(not_found("process that ns ls shows has the command", text)),
        [pid] => Ok(Target::Process(Process::open(pid)?)),
        _ => {
            let shown: Vec<String> = pids.iter().take(8).map(i32::to_string).collect();
            let more = if pids.len() > 8 { ", ..." } else { "" };
            let shown = shown.join(", ");
            Err(Failure::new(format!("{text:?} is the command of {} processes: {shown}{more}", pids.len())))
        }
    }
}

/// Whether a command line is that of the program `name`, with or without the
/// directory it lies in.
fn is_named(command: &[u8], name: &str) -> bool {
    let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
    let base = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    program == name.as_bytes() || base == name.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_by_its_program() {
        assert!(is_named(b"/usr/bin/sleep\x0060", "sleep"));
        assert!(is_named(b"kthreadd", "kthreadd"));
        assert!(!is_named(b"/usr/bin/sleep\x0060", "60"));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for text in
            ["2147483647", "99999999999", "4294967295", "net:[1]", "no such command", "", "1:hostnam", "/"]
        {
            assert!(Target::find(text).is_err(), "{text}");
        }
    }
}
