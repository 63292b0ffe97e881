//! The command lines, and from which release on both must come to the same.
//!
//! 2.38 is the oldest release that is compared. 2.41 has `--filter`,
//! `--persistent` and others, and finds namespaces without a process. 2.42 has
//! another layout where there is more or less room than needed, other words for
//! options that exclude each other, and JSON in several styles.

use crate::peer::Peer;

/// One command line.
pub struct Case {
    pub line: &'static str,
    since: (u32, u32),
    /// Why ours comes to something else, if it does so on purpose.
    pub better: Option<&'static str>,
}

impl Case {
    pub fn is_for(&self, peer: &Peer) -> bool {
        peer.is_at_least(self.since.0, self.since.1)
    }
}

const fn since_2_38(line: &'static str) -> Case {
    Case { line, since: (2, 38), better: None }
}

const fn since_2_41(line: &'static str) -> Case {
    Case { line, since: (2, 41), better: None }
}

const fn since_2_42(line: &'static str) -> Case {
    Case { line, since: (2, 42), better: None }
}

const fn better(reason: &'static str, line: &'static str) -> Case {
    Case { line, since: (2, 42), better: Some(reason) }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [FORMS, TREES, TYPES, COLUMNS, ONE_PROCESS, ONE_NAMESPACE, FILTERS, TERMINALS, ENVIRONMENT, REFUSED]
        .into_iter()
        .flatten()
}

/// Tables, words and JSON.
const FORMS: &[Case] = &[
    since_2_38(""),
    since_2_38("-l"),
    since_2_42("-n"),
    since_2_38("-r"),
    since_2_38("-J"),
    since_2_38("-J -l"),
    since_2_38("-r -l -n"),
    since_2_38("-W"),
    since_2_38("-u"),
    since_2_41("-P"),
    since_2_41("-P -J"),
    since_2_41("-P -r"),
    since_2_41("--p"),
    since_2_42("--noh"),
    since_2_38("-nrl"),
    since_2_38("-no NS"),
    since_2_38("-ltuts"),
    better("JSON has all files that a namespace is bound to", "--output-all -J"),
    better("JSON has all files that a namespace is bound to", "-t net -J"),
];

/// Trees by each relation.
const TREES: &[Case] = &[
    since_2_38("--output-all -T"),
    since_2_38("--output-all -Tprocess"),
    since_2_38("-T"),
    since_2_38("-Towner"),
    since_2_38("-Tparent"),
    since_2_38("-Tprocess"),
    since_2_38("-T -J"),
    since_2_38("-Tparent -J"),
    since_2_38("-T -r"),
    since_2_42("-T -n"),
    since_2_41("-t net -T"),
    since_2_41("-t net -Tparent"),
    since_2_42("-t user -T"),
    since_2_42("-t user -t pid -Tparent"),
    since_2_38("-o COMMAND,PID -T"),
    since_2_38("-o PID,NS -Tprocess"),
    since_2_38("--tree=process"),
    since_2_38("--tree=owner"),
    since_2_38("--tree"),
    since_2_38("-J -t user -T"),
    since_2_38("-J -t user -Tparent -o NS,PNS,ONS"),
];

/// Only some types.
const TYPES: &[Case] = &[
    since_2_38("-t net"),
    since_2_42("-t user"),
    since_2_38("-t mnt"),
    since_2_38("-t pid"),
    since_2_38("-t uts"),
    since_2_38("-t ipc"),
    since_2_38("-t cgroup"),
    since_2_42("-t time"),
    since_2_38("-t net -t pid"),
    since_2_38("-t net -r"),
    since_2_38("-t net -W"),
    since_2_38("-t net -o +UID"),
    since_2_38("-t mnt -t mnt"),
    since_2_38("-o NETNSID,NSFS,NS -t net"),
    since_2_38("-oNS -tuts"),
    since_2_38("--output=NS --type=uts"),
];

/// Other columns.
const COLUMNS: &[Case] = &[
    since_2_38("--output-all"),
    since_2_38("--output-all -r"),
    since_2_38("--output-all -W"),
    since_2_38("-o NS"),
    since_2_38("-o TYPE"),
    since_2_38("-o PATH"),
    since_2_38("-o NPROCS"),
    since_2_38("-o PID"),
    since_2_38("-o PPID"),
    since_2_38("-o COMMAND"),
    since_2_38("-o UID"),
    since_2_38("-o USER"),
    since_2_38("-o NETNSID"),
    since_2_38("-o PNS"),
    since_2_38("-o ONS"),
    since_2_38("-o ns,type,command,pid"),
    since_2_38("-o NS,COMMAND,NS"),
    since_2_38("-o +PNS,ONS"),
    since_2_38("-o NETNSID,NS -J"),
    since_2_38("-o NS,COMMAND -J"),
    since_2_38("--output-all -o NS,TYPE"),
    since_2_38("-o +COMMAND --output-all"),
    since_2_38("-o NSFS -W"),
    since_2_38("-o NSFS,COMMAND -r"),
    since_2_38("--out NS"),
];

/// The namespaces of one process.
const ONE_PROCESS: &[Case] = &[
    since_2_38("-p 1"),
    since_2_38("-p {PID 1005}"),
    since_2_38("-p {PID 1004}"),
    since_2_38("-p {PID 1004} -T"),
    since_2_38("-p {PID 1004} -Tparent"),
    since_2_38("-p {PID 1004} -l"),
    since_2_38("-p {PID 1004} -J"),
    since_2_38("-p {PID 1004} -o NS,TYPE"),
    since_2_38("-p {PID 1004} -o NS,TYPE,PNS,ONS"),
    since_2_41("-p {PID 1004} -t pid -Tparent"),
    since_2_38("-p {PID 1004} -t net"),
    since_2_38("-p x"),
    since_2_42("-p -1"),
    since_2_42("-p 0"),
    since_2_38("-p 99999999999"),
    since_2_38("-p"),
    since_2_38("-p 1 5"),
    since_2_42("-P -p 1"),
    since_2_42("-p 1 -P"),
    since_2_38("-p {PID 1003}"),
    since_2_38("-p {PID 1003} -t net"),
    since_2_38("-p {PID 1003} -t net -o +NSFS"),
    since_2_42("-p {PID 1005} -P"),
    since_2_41("-p {PID 1005} -n"),
    since_2_42("-p {PID 1005} -Q 'TYPE==\"user\"'"),
    since_2_38("-p {PID 1008} -o NS,COMMAND"),
];

/// The processes in one namespace.
const ONE_NAMESPACE: &[Case] = &[
    since_2_38("5"),
    since_2_38("abc"),
    since_2_38("0x10"),
    since_2_38("-5"),
    since_2_38("99999999999999999999999"),
    since_2_38("{net 1003}"),
    since_2_38("{net 1003} -J"),
    since_2_38("{net 1003} -r"),
    since_2_38("{net 1003} -l"),
    since_2_38("{net 1003} -T"),
    since_2_38("{net 1003} -Tprocess"),
    since_2_38("{user 1005}"),
    since_2_41("{user 1005} -n"),
    since_2_42("{user 1005} -o NS,TYPE,PATH,NPROCS,PID,PPID,COMMAND,UID,USER,NETNSID,NSFS,PNS,ONS"),
    since_2_38("{user 1005} -u 77"),
    since_2_38("-t uts {net 1003}"),
    since_2_38("-t net {net 1003}"),
    since_2_38("{ipc 1008}"),
    since_2_38("12"),
    since_2_38("-- {net 1003}"),
];

/// Expressions, good and bad.
const FILTERS: &[Case] = &[
    since_2_41("-Q"),
    since_2_41("-Q NS"),
    since_2_41("-Q \"NS ==\""),
    since_2_41("-Q \"1 1\""),
    since_2_41("-Q \"FOO == 1\""),
    since_2_41("-Q 'TYPE == \"uts\"'"),
    since_2_41("-Q 'TYPE == \"uts\"' -T"),
    since_2_41("-Q 'PID != 5'"),
    since_2_41("-Q 'TYPE != \"user\"' -T"),
    since_2_41("-Q 'NPROCS > 3 and TYPE =~ \"^(uts|ipc)$\"'"),
    since_2_41("-Q 'COMMAND =~ \"sleep\"' -J"),
    since_2_41("-Q 'NS == 1'"),
    since_2_41("-J -Q 'NS == 1'"),
    since_2_41("-Q 'USER == \"root\" and not PID'"),
    since_2_41("-Q 'COMMAND == 1'"),
    since_2_41("-Q 'TYPE =~ \"(\"'"),
    since_2_41("-Q 'NSFS =~ \"mnt\"' -t net"),
    since_2_41("-Q 'PNS != 0' -o NS,PNS"),
    since_2_41("-Q ''"),
    since_2_41("-Q 'NS =~ \".\"' -t uts"),
    since_2_41("-Q 'a%b'"),
    since_2_41("-Q 'NS.x'"),
    since_2_41("-Q '(1'"),
    since_2_41("-Q '1)'"),
    since_2_41("-Q '()'"),
    since_2_41("-Q '(1 1)'"),
    since_2_41("-Q '1 \"x\"'"),
    since_2_41("-Q '1 1.5'"),
    since_2_41("-Q 'and'"),
    since_2_41("-Q '1 !'"),
    since_2_41("-Q '1 ('"),
    since_2_41("-Q '1Y'"),
    since_2_41("-Q '1KB == 1'"),
    since_2_41("-Q '1K == 1024' -t uts"),
    since_2_41("-Q 'PATH != \"\"' -o NS,PATH"),
    since_2_41("-Q 'PATH == \"\"' -o NS,PATH"),
    since_2_41("-Q 'PID == \"0\"' -o NS,PID"),
    since_2_41("-Q 'PID != 5' -o NS,PID"),
    since_2_41("-Q 'PID == false' -o NS,PID"),
    since_2_41("-Q 'UID == USER'"),
    since_2_41("-Q 'USER == UID'"),
    since_2_41("-Q '(NS == 1) == false' -t uts"),
    since_2_41("-Q '2 == true'"),
    since_2_41("-Q 'true == 2' -t uts"),
    since_2_41("-Q '1 == 1 or 1 == 1 and 1 == 2'"),
    since_2_41("-Q '! ! PID' -t uts"),
    since_2_41("-Q 'not NS == 1' -t uts"),
    since_2_42("-Q 'TYPE eq \"uts\" AND NS gt 1' -n"),
    since_2_41("-Q 'TYPE =~ \"[a\"'"),
    since_2_41("-Q 'TYPE =~ \"a{1\"'"),
    since_2_41("-Q 'TYPE =~ \"*\"'"),
    since_2_41("-Q 'TYPE =~ \"[[:foo:]]\"'"),
    since_2_41("-Q 'TYPE =~ \"^(user|uts)$\"' -o NS,TYPE"),
    since_2_41("-Q 'COMMAND =~ \"1004\"' -o NS,COMMAND"),
    since_2_41("-Q 'NPROCS >= 2 && NPROCS < 1K' -o NS,NPROCS"),
    since_2_42("-Q '\"1e+08\" == 100000000.0' -t user"),
    better("a truth value can be matched as text", "-Q '!PID =~ \"x\"'"),
    better("an unknown character is refused", "-Q 'NS @'"),
    better("an unknown character is refused", "-Q '-1'"),
    better("a regular expression that is none is named", "-Q 'NS =~ TYPE'"),
    better("a filter can be put on the processes of a namespace", "{user 1005} -Q 'PID > 0'"),
];

/// Terminals of all widths.
const TERMINALS: &[Case] = &[
    since_2_42("@200"),
    since_2_42("@100"),
    since_2_42("@80"),
    since_2_42("@70"),
    since_2_42("@60"),
    since_2_42("@50"),
    since_2_38("@40"),
    since_2_38("@30"),
    since_2_38("@1"),
    since_2_42("@0"),
    since_2_42("@0 -t net"),
    since_2_42("COLUMNS=50 @0"),
    since_2_42("COLUMNS=50 @100"),
    since_2_42("@100 -T"),
    since_2_42("@60 -T"),
    since_2_38("@40 -T"),
    since_2_38("@100 --output-all"),
    since_2_42("@200 --output-all"),
    since_2_42("@120 -t net"),
    since_2_42("@90 -t net"),
    since_2_42("@70 -t net"),
    since_2_38("@60 -t net"),
    since_2_38("@60 -t net -u"),
    since_2_38("@60 -t net -W"),
    since_2_41("@60 -n"),
    since_2_41("@90 -n"),
    since_2_41("@50 -n -l"),
    since_2_38("@60 -J"),
    since_2_38("@60 -r"),
    since_2_42("@60 -u"),
    since_2_42("@60 -l"),
    since_2_38("@40 -o COMMAND"),
    since_2_42("@40 -o COMMAND,NS"),
    since_2_41("@50 -o COMMAND,NS,COMMAND"),
    since_2_41("@140 -o COMMAND,NS,COMMAND"),
    since_2_42("@20 -o COMMAND,PID"),
    since_2_42("@30 -o PID,COMMAND"),
    since_2_42("@91 -o NS,TYPE,PPID,PID,NPROCS,PNS,USER,UID"),
    since_2_41("@60 -o NS,TYPE,PPID,PID,NPROCS,PNS,USER,UID -n"),
    since_2_42("LC_ALL=C @60"),
    since_2_42("LC_ALL=C @60 -T"),
    since_2_42("@33 -t uts -o PID,COMMAND"),
    since_2_42("@34 -t uts -o PID,COMMAND"),
    since_2_42("@35 -t uts -o PID,COMMAND"),
    since_2_42("@36 -t uts -o PID,COMMAND"),
    since_2_38("@12 -t uts -o PID,COMMAND"),
    since_2_42("@80 -n -o +PNS,PATH,USER,NSFS"),
    since_2_42("@40 -n -o COMMAND,NSFS"),
    since_2_38("@40 {user 1005}"),
    since_2_42("@60 -p {PID 1008}"),
];

/// Variables of the environment.
const ENVIRONMENT: &[Case] = &[
    since_2_38("LC_ALL=C"),
    since_2_38("LC_ALL=C -T"),
    since_2_38("LC_ALL=C -J"),
    since_2_38("LC_ALL=C -r"),
    since_2_38("LC_ALL=C -o COMMAND"),
    since_2_38("LANG=en_US.ISO-8859-1"),
    since_2_42("LIBSMARTCOLS_JSON=compact -J"),
    since_2_42("LIBSMARTCOLS_JSON=lines -J -l"),
    since_2_38("LIBSMARTCOLS_JSON=foo -J -l"),
    since_2_42("LIBSMARTCOLS_JSON=compact -J -l"),
    since_2_42("LIBSMARTCOLS_JSON=compact -J -T"),
    since_2_38("LIBSMARTCOLS_DEBUG=0xffff LIBSMARTCOLS_DEBUG_PADDING=1"),
    since_2_38("LIBSMARTCOLS_DEBUG_PADDING=1"),
    since_2_38("COLUMNS=50"),
    since_2_41("POSIXLY_CORRECT=1 -n {net 1003} -l"),
    better("nested lines are valid JSON", "LIBSMARTCOLS_JSON=lines -J"),
];

/// Command lines that mean nothing.
const REFUSED: &[Case] = &[
    since_2_38("-t foo"),
    since_2_38("-t pid,user"),
    since_2_38("-t"),
    since_2_38("-T foo"),
    since_2_38("-Tfoo"),
    since_2_38("--no"),
    since_2_38("--tr"),
    since_2_38("--t"),
    since_2_41("--l"),
    since_2_38("--o"),
    since_2_38("--n"),
    since_2_38("--foo"),
    since_2_38("-z"),
    since_2_42("-J -r"),
    since_2_42("-r -J"),
    since_2_38("-o foo"),
    since_2_38("-o"),
    since_2_38("-o NS,foo"),
    since_2_38("--noheadings=x"),
    since_2_38("--list x y"),
    better("a list is no tree", "-l -T"),
    better("a list is no tree", "--tree=parent --list"),
    better("there is no such process", "-p 99999"),
    better("an empty column name is named", "-o ''"),
    better("an empty column name is named", "-o NS,,TYPE"),
];
