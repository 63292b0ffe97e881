//! The command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use namespaces::{Errno, Kind, Kinds};

use super::ABOUT;
use crate::util_linux::call::{Call, Read};
use crate::util_linux::failure::Failure;
use crate::util_linux::getopt::{Operands, Parser};
use crate::util_linux::help;
use crate::util_linux::strerror::Strerror;
use crate::util_linux::table::{Complete, Opt, Takes, Value};

/// By what a tree is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Process,
    Owner,
    Parent,
}

/// What the command line says.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) json: bool,
    pub(super) raw: bool,
    pub(super) list: bool,
    pub(super) no_headings: bool,
    pub(super) columns: Option<String>,
    pub(super) all_columns: bool,
    pub(super) persistent: bool,
    pub(super) task: Option<i32>,
    pub(super) filter: Option<String>,
    /// Empty for all.
    pub(super) kinds: Kinds,
    pub(super) tree: Option<Tree>,
    pub(super) no_cut: bool,
    pub(super) no_wrap: bool,
    pub(super) list_columns: bool,
    pub(super) namespace: Option<u64>,
}

impl Options {
    /// Whether the cells with several lines are shown as one.
    pub(super) const fn one_line(&self) -> bool {
        self.no_wrap || self.raw
    }

    pub(super) const fn wants_kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Json,
    Task,
    Help,
    Output,
    OutputAll,
    Persistent,
    NoTruncate,
    Version,
    NoHeadings,
    List,
    Raw,
    Type,
    Tree,
    NoWrap,
    Filter,
    ListColumns,
}

const PID: Value = Value::new("PID", Complete::Process);
const LIST: Value = Value::new(
    "LIST",
    Complete::List(&[
        "NS", "TYPE", "PATH", "NPROCS", "PID", "PPID", "COMMAND", "UID", "USER", "NETNSID", "NSFS", "PNS",
        "ONS",
    ]),
);
const TYPE: Value =
    Value::new("TYPE", Complete::Words(&["mnt", "net", "ipc", "user", "pid", "uts", "cgroup", "time"]));
const RELATION: Value = Value::new("RELATION", Complete::Words(&["parent", "owner", "process"]));
const EXPRESSION: Value = Value::new("EXPRESSION", Complete::Nothing);

pub(super) static OPTIONS: [Opt<Id>; 16] = [
    Opt::new(Id::Json, b'J', "json", Takes::Nothing, "print JSON"),
    Opt::new(Id::Task, b'p', "task", Takes::Required(PID), "only the namespaces that this process is in"),
    Opt::new(Id::Help, b'h', "help", Takes::Nothing, "print this help"),
    Opt::new(Id::Output, b'o', "output", Takes::Required(LIST), "show these columns; +LIST: these too"),
    Opt::new(Id::OutputAll, 0, "output-all", Takes::Nothing, "show all columns"),
    Opt::new(Id::Persistent, b'P', "persistent", Takes::Nothing, "only namespaces that no process is in"),
    Opt::new(Id::NoTruncate, b'u', "notruncate", Takes::Nothing, "do not cut columns to the terminal"),
    Opt::new(Id::Version, b'V', "version", Takes::Nothing, "print the version"),
    Opt::new(Id::NoHeadings, b'n', "noheadings", Takes::Nothing, "print no headings"),
    Opt::new(Id::List, b'l', "list", Takes::Nothing, "one line after the other instead of a tree"),
    Opt::new(Id::Raw, b'r', "raw", Takes::Nothing, "separate columns by one blank, and escape others"),
    Opt::new(Id::Type, b't', "type", Takes::Required(TYPE), "only this type; may be given several times"),
    Opt::new(Id::Tree, b'T', "tree", Takes::Optional(RELATION), "a tree by this relation [default: owner]"),
    Opt::new(Id::NoWrap, b'W', "nowrap", Takes::Nothing, "several values of one cell on one line"),
    Opt::new(
        Id::Filter,
        b'Q',
        "filter",
        Takes::Required(EXPRESSION),
        "only lines this expression is true for",
    ),
    Opt::new(Id::ListColumns, b'H', "list-columns", Takes::Nothing, "list the columns"),
];

/// Pairs of options of which only one may be given.
const EXCLUSIVE: [[Id; 2]; 3] = [[Id::Json, Id::Raw], [Id::Persistent, Id::Task], [Id::List, Id::Tree]];

pub(super) fn read(call: &Call) -> Result<Read<Options>, Failure> {
    let mut options = Options::default();
    let mut met: Vec<Id> = Vec::new();
    let mut parser = Parser::new(&OPTIONS, Operands::Mix, &call.args);
    while let Some((id, argument)) = parser.next()? {
        refuse_both(id, &met)?;
        met.push(id);
        let argument = argument.unwrap_or_default();
        match id {
            Id::Json => options.json = true,
            Id::Task => options.task = Some(pid(argument)?),
            Id::Help => return help::help(call, &ABOUT).map(Read::Answered),
            Id::Output => options.columns = Some(argument.to_string_lossy().into_owned()),
            Id::OutputAll => options.all_columns = true,
            Id::Persistent => options.persistent = true,
            Id::NoTruncate => options.no_cut = true,
            Id::Version => return help::version(call).map(Read::Answered),
            Id::NoHeadings => options.no_headings = true,
            Id::List => options.list = true,
            Id::Raw => options.raw = true,
            Id::Type => drop(options.kinds.insert(kind(argument)?)),
            Id::Tree => options.tree = Some(tree(argument)?),
            Id::NoWrap => options.no_wrap = true,
            Id::Filter => options.filter = Some(argument.to_string_lossy().into_owned()),
            Id::ListColumns => options.list_columns = true,
        }
    }
    if let Some(operand) = parser.operands().first() {
        if options.task.is_some() {
            return Err(Failure::message("--task is mutually exclusive with <namespace>"));
        }
        options.namespace = Some(number(operand, "invalid namespace argument")?);
    }
    Ok(Read::Request(Box::new(options)))
}

fn refuse_both(id: Id, met: &[Id]) -> Result<(), Failure> {
    let long = |id: Id| OPTIONS.iter().find(|option| option.id == id).map_or("", |option| option.row.long);
    for pair in EXCLUSIVE.iter().filter(|pair| pair.contains(&id)) {
        if let Some(other) = met.iter().find(|other| **other != id && pair.contains(other)) {
            let (first, second) = (long(*other), long(id));
            return Err(Failure::message(format_args!(
                "options --{first} and --{second} cannot be combined"
            )));
        }
    }
    Ok(())
}

fn pid(argument: &OsStr) -> Result<i32, Failure> {
    let invalid = "invalid PID argument";
    let pid = number(argument, invalid)?;
    i32::try_from(pid).ok().filter(|pid| *pid > 0).ok_or_else(|| out_of_range(invalid, argument))
}

/// A number of decimal digits, as `strtoul(3)` has it.
fn number(argument: &OsStr, invalid: &str) -> Result<u64, Failure> {
    let text = argument.as_bytes().trim_ascii_start();
    let (minus, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Failure::bytes([invalid.as_bytes(), b": '", argument.as_bytes(), b"'"].concat()));
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|_| !minus).ok_or_else(|| out_of_range(invalid, argument))
}

fn out_of_range(invalid: &str, argument: &OsStr) -> Failure {
    let reason = Strerror(Errno::ERANGE).to_string();
    Failure::bytes([invalid.as_bytes(), b": '", argument.as_bytes(), b"': ", reason.as_bytes()].concat())
}

fn kind(argument: &OsStr) -> Result<Kind, Failure> {
    Kind::ALL
        .into_iter()
        .find(|kind| argument == kind.name())
        .ok_or_else(|| Failure::bytes([b"unknown namespace type: ", argument.as_bytes()].concat()))
}

fn tree(argument: &OsStr) -> Result<Tree, Failure> {
    match argument.as_bytes() {
        b"" | b"owner" => Ok(Tree::Owner),
        b"process" => Ok(Tree::Process),
        b"parent" => Ok(Tree::Parent),
        other => Err(Failure::bytes([b"unknown tree type: ", other].concat())),
    }
}
