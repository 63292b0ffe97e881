//! `lsns`: the namespaces of this machine, as util-linux lists them.

mod column;
mod filter;
mod lines;
mod options;
mod rows;
mod table;

use namespaces::Kinds;
use namespaces::discover::{Ask, Discovery, Facts, Name, Source, Sources, System};

use self::column::Column;
use self::filter::Filter;
use self::lines::Lines;
use self::options::{Options, Tree};
use self::rows::Cells;
use self::table::{Charset, Form, JsonStyle, Table};
use super::call::{Call, Read};
use super::failure::Failure;
use super::help::print;
use super::table::About;

use crate::exit::ExitCode;

pub(super) static ABOUT: About = About {
    name: "lsns",
    purpose: "List namespaces and the processes in them",
    operands: "[NAMESPACE]",
    notes: &[
        "NAMESPACE is an inode number: its processes are listed then.",
        "Columns: NS TYPE PATH NPROCS PID PPID COMMAND UID USER NETNSID NSFS PNS ONS; see --list-columns.",
    ],
    options: || options::OPTIONS.iter().map(|option| &option.row).collect(),
};

/// What is to be done, ready to be looked for.
struct Listing {
    options: Options,
    columns: Vec<Column>,
    filter: Option<Filter>,
    /// By what it is a tree, if the column is shown that the tree is drawn in.
    tree: Option<Tree>,
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let options = match options::read(call)? {
        Read::Request(options) => *options,
        Read::Answered(code) => return Ok(code),
    };
    if options.list_columns {
        return list_columns(&options);
    }
    let listing = Listing::new(options)?;
    let (system, only) = listing.look()?;
    let table = listing.table(&system, only.as_deref())?;
    let form = form(&listing.options, "namespaces");
    print(&table.print(form, !listing.options.no_headings, Charset::of_environment()))
}

/// What was found, and which of that is wanted, if not all.
type Seen = (System, Option<Vec<Name>>);

impl Listing {
    fn new(options: Options) -> Result<Listing, Failure> {
        let columns = column::shown(&options)?;
        let filter = options.filter.as_deref().map(parse_filter).transpose()?;
        let of_processes = options.namespace.is_some();
        let flat = options.list || options.all_columns && !of_processes;
        let tree = options.tree.or((!flat).then_some(Tree::Process));
        // Among processes only they themselves have places in a tree.
        let tree = tree.filter(|tree| !of_processes || *tree == Tree::Process);
        Ok(Listing { options, columns, filter, tree })
    }

    fn needs(&self, column: Column) -> bool {
        self.columns.contains(&column)
            || self.filter.as_ref().is_some_and(|filter| filter.columns().any(|asked| asked == column))
    }

    fn draws(&self, tree: Tree) -> bool {
        self.tree == Some(tree)
    }

    /// Looks for what is to be listed, and for no more.
    fn look(&self) -> Result<Seen, Failure> {
        let upwards = self.draws(Tree::Owner) || self.draws(Tree::Parent);
        let of_users = self.needs(Column::Uid) || self.needs(Column::User);
        let ask = if upwards || self.needs(Column::Pns) || self.needs(Column::Ons) {
            Ask::All
        } else {
            Ask::WithoutProcess
        };
        let facts = Facts {
            command: self.needs(Column::Command),
            parent: self.needs(Column::Ppid) || self.draws(Tree::Process),
            uid: of_users,
            holders: false,
        };
        let kinds = if self.options.kinds.is_empty() { Kinds::ALL } else { self.options.kinds };
        let discovery = Discovery::new().kinds(kinds).ask(ask).facts(facts);
        match (self.options.task, self.options.namespace) {
            (Some(pid), _) => self.look_at(discovery, pid, upwards),
            (None, Some(ino)) => Ok((self.look_in(discovery.members(ino), ino)?, None)),
            // Of those without a process no process is of interest.
            (None, None) if self.options.persistent && !upwards => {
                Ok((scan(discovery.facts(Facts::NONE), SOURCES)?, None))
            }
            (None, None) => Ok((scan(discovery, SOURCES)?, None)),
        }
    }

    /// The processes in one namespace. Everywhere else is looked only if no
    /// process is in it, to know whether it exists.
    fn look_in(&self, discovery: Discovery, ino: u64) -> Result<System, Failure> {
        let mut sources = Sources::EMPTY.with(Source::Processes).with(Source::Relatives);
        if self.needs(Column::Nsfs) {
            sources = sources.with(Source::OwnMounts);
        }
        let system = scan(discovery, sources)?;
        if system.by_inode(ino).next().is_some() { Ok(system) } else { scan(discovery, SOURCES) }
    }

    /// The namespaces of one process. The others are read only for what is
    /// shown of them.
    fn look_at(&self, discovery: Discovery, pid: i32, upwards: bool) -> Result<Seen, Failure> {
        const OF_OTHERS: [Column; 7] = [
            Column::Nprocs,
            Column::Pid,
            Column::Ppid,
            Column::Command,
            Column::Uid,
            Column::User,
            Column::Path,
        ];
        if upwards {
            // What is above its namespaces is listed too, with all that is there.
            let own = scan(discovery.of_process(pid).ask(Ask::Nothing).facts(Facts::NONE), Sources::EMPTY)?;
            let names = own.iter().map(|found| found.name).collect();
            return Ok((scan(discovery, SOURCES)?, Some(names)));
        }
        let mut sources = Sources::EMPTY.with(Source::Relatives);
        if OF_OTHERS.into_iter().any(|column| self.needs(column)) {
            sources = sources.with(Source::Processes);
        }
        if self.needs(Column::Nsfs) {
            sources = sources.with(Source::OwnMounts);
        }
        Ok((scan(discovery.of_process(pid), sources)?, None))
    }

    fn table(&self, system: &System, only: Option<&[Name]>) -> Result<Table, Failure> {
        let rows = match self.options.namespace {
            Some(ino) => rows::processes(&self.options, system, ino)
                .ok_or_else(|| Failure::message(format_args!("not found namespace: {ino}")))?,
            None => rows::namespaces(&self.options, system, only),
        };
        let drawn = self.tree.map(Column::of_tree).filter(|column| self.columns.contains(column));
        let specs = self.columns.iter().map(|column| column.spec(&self.options, drawn)).collect();
        let mut lines = Lines {
            options: &self.options,
            columns: &self.columns,
            filter: self.filter.as_ref(),
            cells: Cells::new(system, &self.options),
            drawn: drawn.is_some(),
            table: Table::new(specs),
        };
        lines.add_all(rows, self.tree, system)?;
        Ok(lines.table)
    }
}

/// Where util-linux looks, and in threads.
const SOURCES: Sources = Sources::EMPTY
    .with(Source::Processes)
    .with(Source::Threads)
    .with(Source::Fds)
    .with(Source::Sockets)
    .with(Source::OwnMounts)
    .with(Source::Relatives);

fn scan(discovery: Discovery, sources: Sources) -> Result<System, Failure> {
    discovery.sources(sources).scan().map_err(|error| Failure::message(&error).because(error))
}

fn parse_filter(text: &str) -> Result<Filter, Failure> {
    Filter::parse(text).map_err(|bad| bad.failure(text))
}

/// What a table of these options is printed as.
fn form(options: &Options, name: &'static str) -> Form {
    if options.json {
        return Form::Json(name, JsonStyle::of_environment());
    }
    if options.raw {
        return Form::Raw;
    }
    Form::Human { terminal: table::terminal(), padding: table::padding() }
}

/// The answer to `--list-columns`.
fn list_columns(options: &Options) -> Result<ExitCode, Failure> {
    let spec = |name, right| table::Column {
        name,
        hint: 0,
        right,
        number: false,
        cut: false,
        lines: false,
        tree: false,
    };
    let mut table = Table::new(vec![spec("HOLDER", true), spec("TYPE", false), spec("DESCRIPTION", false)]);
    for column in Column::all() {
        table.line(None);
        table.cell(column.name().as_bytes());
        table.cell(if column.is_number() { b"<integer>" } else { b"<string>" });
        table.cell(column.help().as_bytes());
    }
    let form = form(options, "lsns-columns");
    print(&table.print(form, false, Charset::of_environment()))
}
