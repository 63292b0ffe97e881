//! The thirteen columns.

use namespaces::Kind;

use super::options::{Options, Tree};
use super::table;
use crate::util_linux::failure::Failure;

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Ns,
    Type,
    Path,
    Nprocs,
    Pid,
    Ppid,
    Command,
    Uid,
    User,
    Netnsid,
    Nsfs,
    Pns,
    Ons,
}

/// What there is to know of one.
struct Info {
    column: Column,
    name: &'static str,
    help: &'static str,
    number: bool,
    hint: usize,
}

const fn info(column: Column, name: &'static str, number: bool, hint: usize, help: &'static str) -> Info {
    Info { column, name, help, number, hint }
}

/// In the order in which all of them are shown.
static COLUMNS: [Info; 13] = [
    info(Column::Ns, "NS", true, 10, "inode number of the namespace"),
    info(Column::Type, "TYPE", false, 5, "its kind"),
    info(Column::Path, "PATH", false, 0, "a file that leads to it"),
    info(Column::Nprocs, "NPROCS", true, 5, "how many processes are in it"),
    info(Column::Pid, "PID", true, 5, "the lowest pid of those"),
    info(Column::Ppid, "PPID", true, 5, "the parent of that process"),
    info(Column::Command, "COMMAND", false, 0, "its command line"),
    info(Column::Uid, "UID", true, 0, "its user id; of the owner, if there is no process"),
    info(Column::User, "USER", false, 0, "the name of that user"),
    info(Column::Netnsid, "NETNSID", false, 0, "id of a network namespace, as seen from this one"),
    info(Column::Nsfs, "NSFS", false, 0, "files that it is bound to"),
    info(Column::Pns, "PNS", true, 10, "inode number of the parent namespace"),
    info(Column::Ons, "ONS", true, 10, "inode number of the user namespace that owns it"),
];

impl Column {
    pub(super) fn all() -> Vec<Column> {
        COLUMNS.iter().map(|info| info.column).collect()
    }

    fn info(self) -> &'static Info {
        &COLUMNS[self as usize]
    }

    pub(super) fn name(self) -> &'static str {
        self.info().name
    }

    pub(super) fn help(self) -> &'static str {
        self.info().help
    }

    /// Whether its values are numbers, for JSON and filters.
    pub(super) fn is_number(self) -> bool {
        self.info().number
    }

    /// Whether it stands flush right: numbers do, and what is nearly one.
    fn is_right(self) -> bool {
        self.is_number() || self == Column::Netnsid
    }

    /// The column of this name, in capital or small letters.
    pub(super) fn named(name: &str) -> Option<Column> {
        COLUMNS.iter().find(|info| info.name.eq_ignore_ascii_case(name)).map(|info| info.column)
    }

    /// How it is printed.
    pub(super) fn spec(self, options: &Options, branches: Option<Column>) -> table::Column {
        let tree = branches == Some(self);
        table::Column {
            name: self.name(),
            hint: self.info().hint,
            // Branches begin at the left.
            right: self.is_right() && !(tree && self == Column::Ns),
            number: self.is_number(),
            cut: self == Column::Command && !options.no_cut,
            lines: self == Column::Nsfs && !options.one_line(),
            tree,
        }
    }

    /// The column in which a tree is drawn.
    pub(super) const fn of_tree(tree: Tree) -> Column {
        match tree {
            Tree::Process => Column::Command,
            Tree::Owner | Tree::Parent => Column::Ns,
        }
    }
}

/// Those that are shown: as asked for, or for what is listed.
pub(super) fn shown(options: &Options) -> Result<Vec<Column>, Failure> {
    let usual = usual(options);
    match options.columns.as_deref() {
        None => Ok(usual),
        Some(list) => match list.strip_prefix('+') {
            Some(more) => Ok(usual.into_iter().chain(parse(more)?).collect()),
            None => parse(list),
        },
    }
}

fn usual(options: &Options) -> Vec<Column> {
    if options.all_columns {
        return Column::all();
    }
    if options.namespace.is_some() {
        return vec![Column::Pid, Column::Ppid, Column::User, Column::Command];
    }
    let mut list = vec![Column::Ns, Column::Type, Column::Nprocs, Column::Pid, Column::User];
    if options.kinds.contains(Kind::Net) {
        list.extend([Column::Netnsid, Column::Nsfs]);
    }
    list.push(Column::Command);
    list
}

fn parse(list: &str) -> Result<Vec<Column>, Failure> {
    list.split(',')
        .map(|name| {
            let unknown = || match name {
                "" => Failure::message("a column name is missing in the list of --output"),
                name => Failure::message(format_args!("unknown column: {name}")),
            };
            Column::named(name).ok_or_else(unknown)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Column};

    #[test]
    fn each_column_stands_at_its_place() {
        for (i, info) in COLUMNS.iter().enumerate() {
            assert_eq!(info.column as usize, i);
            assert_eq!(Column::named(&info.name.to_lowercase()), Some(info.column));
        }
    }
}
