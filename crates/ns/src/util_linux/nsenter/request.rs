//! What the command line of `nsenter` asks for.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use namespaces::explain::Question;
use namespaces::{Error, Id as UserId, Kind, Kinds, Namespace};
use rustix::fs::{Mode, OFlags};

use super::options::{ABOUT, Id, OPTIONS};
use super::say;
use crate::util_linux::call::{Call, Read};
use crate::util_linux::failure::Failure;
use crate::util_linux::getopt::{Operands, Parser};
use crate::util_linux::help;
use crate::util_linux::number;

/// All that was asked for.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) pid: Option<i32>,
    /// The inode number that the pidfd of the target must have.
    pub(super) inode: Option<u64>,
    pub(super) all: bool,
    /// Those to take from the target.
    pub(super) of_target: Kinds,
    /// Those that were given, the last of a kind.
    pub(super) given: Vec<Namespace>,
    /// That one of them is of another kind, to be said when it is to be joined.
    pub(super) wrong_kind: Option<Failure>,
    pub(super) net_socket: Option<i32>,
    pub(super) user_parent: bool,
    pub(super) uid: Option<UserId>,
    pub(super) gid: Option<UserId>,
    pub(super) preserve_credentials: bool,
    pub(super) keep_caps: bool,
    pub(super) root: Option<Dir>,
    pub(super) wd: Option<Dir>,
    /// One that is opened inside.
    pub(super) wdns: Option<PathBuf>,
    /// Whether that was asked for; without a name it changes nothing.
    pub(super) has_wdns: bool,
    pub(super) env: bool,
    pub(super) no_fork: bool,
    pub(super) join_cgroup: bool,
    pub(super) follow_context: bool,
    pub(super) dry_run: bool,
    pub(super) program: Vec<OsString>,
}

/// A directory: the target's, or one that is open already.
#[derive(Debug)]
pub(super) enum Dir {
    OfTarget,
    Open(OwnedFd),
}

/// Reads the command line. Each option has its effect before the next is
/// looked at: files are opened as they are met.
pub(super) fn read(call: &Call) -> Result<Read<Request>, Failure> {
    let mut request = Request::default();
    let mut parser = Parser::new(&OPTIONS, Operands::End, &call.args);
    while let Some((id, argument)) = parser.next()? {
        match id {
            Id::Help => return help::help(call, &ABOUT).map(Read::Answered),
            Id::Version => return help::version(call).map(Read::Answered),
            id => request.take(id, argument)?,
        }
    }
    request.program = parser.operands().into_iter().map(OsStr::to_owned).collect();
    Ok(Read::Request(Box::new(request)))
}

impl Request {
    fn take(&mut self, id: Id, argument: Option<&OsStr>) -> Result<(), Failure> {
        let text = argument.unwrap_or_default();
        match id {
            Id::All => self.all = true,
            Id::Target => (self.pid, self.inode) = target(text)?,
            Id::Enter(kind) => self.enter(kind, argument)?,
            Id::NetSocket => self.net_socket = Some(descriptor(text)?),
            Id::Setuid => self.uid = Some(id_or_follow("uid", text)?),
            Id::Setgid => self.gid = Some(id_or_follow("gid", text)?),
            Id::Root => self.root = Some(directory(argument)?),
            Id::Wd => {
                self.wd = Some(directory(argument)?);
                exclude(self.has_wdns, "--wdns and --wd")?;
            }
            Id::Wdns => {
                self.wdns = argument.map(|dir| without_equals(dir).into());
                self.has_wdns = true;
                exclude(self.wd.is_some(), "--wd and --wdns")?;
            }
            Id::Env => self.env = true,
            Id::NoFork => self.no_fork = true,
            Id::JoinCgroup => self.join_cgroup = true,
            Id::PreserveCredentials => self.preserve_credentials = true,
            Id::KeepCaps => self.keep_caps = true,
            Id::UserParent => self.user_parent = true,
            Id::FollowContext => self.follow_context = true,
            Id::DryRun => self.dry_run = true,
            Id::Help | Id::Version => {}
        }
        Ok(())
    }

    fn enter(&mut self, kind: Kind, argument: Option<&OsStr>) -> Result<(), Failure> {
        let Some(argument) = argument else {
            if !self.given.iter().any(|namespace| namespace.kind() == kind) {
                self.of_target.insert(kind);
            }
            return Ok(());
        };
        self.given.retain(|other| other.kind() != kind);
        self.of_target.remove(kind);
        match open(kind, without_equals(argument))? {
            Ok(namespace) => self.given.push(namespace),
            Err(wrong) => {
                let asked = asked(kind, without_equals(argument));
                let _ = self.wrong_kind.get_or_insert(say::not_this_kind(kind, wrong).asking(asked));
            }
        }
        Ok(())
    }
}

fn exclude(both: bool, names: &str) -> Result<(), Failure> {
    if both { Err(Failure::message(format_args!("options {names} cannot be combined"))) } else { Ok(()) }
}

/// `-n=FILE` means the same as `-nFILE`.
fn without_equals(argument: &OsStr) -> &OsStr {
    argument.as_bytes().strip_prefix(b"=").map_or(argument, OsStr::from_bytes)
}

/// The namespace, or that the file is none of this kind.
fn open(kind: Kind, name: &OsStr) -> Result<Result<Namespace, Error>, Failure> {
    if let Some(id) = name.as_bytes().strip_prefix(b":") {
        return identified(kind, id).map(Ok);
    }
    match Namespace::open(name).and_then(|namespace| namespace.expect(kind)) {
        Err(error) => match error.errno() {
            Some(errno) => {
                Err(Failure::on("cannot open ", name, errno).because(error).asking(asked(kind, name)))
            }
            None => Ok(Err(error)),
        },
        namespace => Ok(namespace),
    }
}

fn asked(kind: Kind, file: &OsStr) -> Question {
    Question::JoinFile { path: file.into(), kind: Some(kind) }
}

fn identified(kind: Kind, id: &[u8]) -> Result<Namespace, Failure> {
    let digits = std::str::from_utf8(id).ok().filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = digits
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Failure::bytes([b"failed to parse nsid: ", id].concat()))?;
    super::target::namespace_with_id(kind, number)
}

/// `PID` or `PID:INODE`.
fn target(text: &OsStr) -> Result<(Option<i32>, Option<u64>), Failure> {
    let invalid = || Failure::message("invalid PID argument");
    let mut parts = text.as_bytes().splitn(2, |byte| *byte == b':');
    let pid = number::signed(parts.next().unwrap_or_default()).ok();
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0).ok_or_else(invalid)?;
    let inode = match parts.next() {
        None => None,
        Some(inode) => {
            let inode = std::str::from_utf8(inode).ok().and_then(|inode| inode.parse().ok());
            Some(inode.filter(|inode| *inode > 0).ok_or_else(invalid)?)
        }
    };
    Ok((Some(pid), inode))
}

fn descriptor(text: &OsStr) -> Result<i32, Failure> {
    number::unsigned(text.as_bytes())
        .and_then(|number| i32::try_from(number).map_err(|_| number::Wrong::Range))
        .map_err(|wrong| number::failure("file descriptor", text, wrong))
}

fn id_or_follow(what: &str, text: &OsStr) -> Result<UserId, Failure> {
    if text == "follow" {
        return Ok(UserId::Followed);
    }
    number::unsigned(text.as_bytes()).map(UserId::Number).map_err(|wrong| number::failure(what, text, wrong))
}

fn directory(argument: Option<&OsStr>) -> Result<Dir, Failure> {
    let Some(argument) = argument else { return Ok(Dir::OfTarget) };
    let path = without_equals(argument);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty())
        .map(Dir::Open)
        .map_err(|errno| Failure::on("cannot open ", path, errno))
}
