//! Options as data.

/// A tool, without the meaning of its options.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) purpose: &'static str,
    /// What follows the options.
    pub(crate) operands: &'static str,
    /// What else is to be known, for the end of the help and the man page.
    pub(crate) notes: &'static [&'static str],
    /// The rows of its table. A function, because the tables of the tools are
    /// of different types.
    pub(crate) options: fn() -> Vec<&'static Row>,
}

/// One option of a table, `Id` being what the tool knows it by.
#[derive(Debug)]
pub(crate) struct Opt<Id> {
    pub(crate) id: Id,
    pub(crate) row: Row,
}

/// How an option is written, and what it is for.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) short: Option<u8>,
    pub(crate) long: &'static str,
    pub(crate) takes: Takes,
    /// What it does, in a few words that stand for themselves.
    pub(crate) help: &'static str,
}

/// Whether an option has an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// Glued or as the next word.
    Required(Value),
    /// Only glued: `--net=FILE`.
    Optional(Value),
    /// Only glued to the long name: after the letter other letters may follow.
    OptionalLong(Value),
}

impl Takes {
    pub(crate) fn value(self) -> Option<Value> {
        match self {
            Takes::Nothing => None,
            Takes::Required(value) | Takes::Optional(value) | Takes::OptionalLong(value) => Some(value),
        }
    }
}

/// What an argument is, as the help calls it and a shell completes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) name: &'static str,
    pub(crate) complete: Complete,
}

/// What a shell can offer for an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    Nothing,
    File,
    Directory,
    Process,
    User,
    Group,
    Signal,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A comma separated list of these words.
    List(&'static [&'static str]),
}

impl Value {
    pub(crate) const fn new(name: &'static str, complete: Complete) -> Value {
        Value { name, complete }
    }
}

impl<Id> Opt<Id> {
    /// An option with a short name (0 for none) and a long one.
    pub(crate) const fn new(
        id: Id,
        short: u8,
        long: &'static str,
        takes: Takes,
        help: &'static str,
    ) -> Opt<Id> {
        let short = if short == 0 { None } else { Some(short) };
        Opt { id, row: Row { short, long, takes, help } }
    }
}
