//! What the command line of `unshare` asks for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use namespaces::{IdKind, Kind, Kinds, Propagation};

use super::maps::{self, Range};
use super::options::{ABOUT, Id, OPTIONS};
use crate::util_linux::call::{Call, Read};
use crate::util_linux::failure::Failure;
use crate::util_linux::getopt::{Operands, Parser};
use crate::util_linux::help;
use crate::util_linux::number;
use crate::util_linux::signals;

/// All that was asked for.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) kinds: Kinds,
    pub(super) files: Vec<(Kind, PathBuf)>,
    pub(super) fork: bool,
    pub(super) kill_child: Option<i32>,
    pub(super) forward_signals: bool,
    pub(super) proc: Option<PathBuf>,
    pub(super) binfmt: Option<PathBuf>,
    pub(super) format: Option<OsString>,
    pub(super) propagation: Propagation,
    pub(super) root: Option<PathBuf>,
    pub(super) wd: Option<PathBuf>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) map_user: Option<u32>,
    pub(super) map_group: Option<u32>,
    pub(super) users: Vec<Range>,
    pub(super) groups: Vec<Range>,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) setgroups: Option<bool>,
    pub(super) keep_caps: bool,
    pub(super) monotonic: Option<i64>,
    pub(super) boottime: Option<i64>,
    /// All of the environment, if it is not the caller's.
    pub(super) env: Option<Vec<(OsString, OsString)>>,
    pub(super) dry_run: bool,
    pub(super) program: Vec<OsString>,
}

const PROC: &str = "/proc";
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// Reads the command line. Each option has its effect before the next is looked at.
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
    request.check()?;
    Ok(Read::Request(Box::new(request)))
}

impl Request {
    fn take(&mut self, id: Id, argument: Option<&OsStr>) -> Result<(), Failure> {
        let path = argument.map(PathBuf::from);
        let text = argument.unwrap_or_default();
        match id {
            Id::New(kind) => {
                self.kinds.insert(kind);
                self.files.extend(path.map(|path| (kind, path)));
            }
            Id::Fork => self.fork = true,
            Id::KillChild => {
                self.kill_child = Some(argument.map_or(Ok(libc::SIGKILL), signal)?);
                self.fork = true;
            }
            Id::ForwardSignals => (self.forward_signals, self.fork) = (true, true),
            Id::Propagation => self.propagation = propagation(text)?,
            Id::Root => self.root = path,
            Id::Wd => self.wd = path,
            Id::Setuid => self.uid = Some(number("uid", text)?),
            Id::Setgid => self.gid = Some(number("gid", text)?),
            Id::Setgroups => self.setgroups = Some(allow_or_deny(text)?),
            Id::KeepCaps => self.keep_caps = true,
            Id::Monotonic => self.monotonic = Some(seconds("monotonic offset", text)?),
            Id::Boottime => self.boottime = Some(seconds("boottime offset", text)?),
            Id::ClearEnv => drop(self.env.get_or_insert_default()),
            Id::WhitelistEnv => self.keep_variables(text),
            Id::DryRun => self.dry_run = true,
            Id::MountProc | Id::MountBinfmt | Id::LoadInterp => self.take_mount(id, argument),
            Id::Help | Id::Version => {}
            id => {
                self.kinds.insert(Kind::User);
                self.take_ids(id, text)?;
            }
        }
        Ok(())
    }

    /// The options that mount something.
    fn take_mount(&mut self, id: Id, argument: Option<&OsStr>) {
        self.kinds.insert(Kind::Mnt);
        if !matches!(id, Id::MountProc) {
            self.kinds.insert(Kind::User);
        }
        match (id, argument) {
            (Id::MountProc, dir) => self.proc = Some(dir.unwrap_or(PROC.as_ref()).into()),
            (Id::MountBinfmt, Some(dir)) => self.binfmt = Some(dir.into()),
            (Id::LoadInterp, Some(format)) => {
                self.format = Some(format.to_owned());
                if self.binfmt.is_none() {
                    self.usual_binfmt();
                }
            }
            _ => self.usual_binfmt(),
        }
    }

    /// The usual place of the binary formats is in proc, in one of our own.
    fn usual_binfmt(&mut self) {
        self.binfmt = Some(BINFMT.into());
        self.proc.get_or_insert_with(|| PROC.into());
    }

    /// The options that say who is who in the user namespace.
    fn take_ids(&mut self, id: Id, text: &OsStr) -> Result<(), Failure> {
        match id {
            Id::MapUser => self.map_user = Some(user("/etc/passwd", "uid", text)?),
            Id::MapGroup => self.map_group = Some(user("/etc/group", "gid", text)?),
            Id::MapRootUser => (self.map_user, self.map_group) = (Some(0), Some(0)),
            Id::MapCurrentUser => {
                self.map_user = Some(rustix::process::geteuid().as_raw());
                self.map_group = Some(rustix::process::getegid().as_raw());
            }
            Id::MapUsers => self.users.extend(maps::read(IdKind::Uid, text)?),
            Id::MapGroups => self.groups.extend(maps::read(IdKind::Gid, text)?),
            Id::MapAuto => {
                self.users.extend(maps::auto(IdKind::Uid)?);
                self.groups.extend(maps::auto(IdKind::Gid)?);
            }
            Id::MapSubids => {
                self.users.extend(maps::subids(IdKind::Uid)?);
                self.groups.extend(maps::subids(IdKind::Gid)?);
            }
            Id::Owner => self.owner = Some(owner(text)?),
            _ => {}
        }
        Ok(())
    }

    /// Keeps these variables, with the values that they have.
    fn keep_variables(&mut self, names: &OsStr) {
        let kept = self.env.get_or_insert_default();
        for name in names.as_bytes().split(|byte| *byte == b',').map(OsStr::from_bytes) {
            // No variable has such a name, and `var_os` would not be asked for one.
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                continue;
            }
            if let Some(value) = std::env::var_os(name) {
                kept.push((name.to_owned(), value));
            }
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let clocks = self.monotonic.is_some() || self.boottime.is_some();
        if clocks && !self.kinds.contains(Kind::Time) {
            return Err(Failure::message(
                "options --monotonic and --boottime require unsharing of a time namespace (-T)",
            ));
        }
        Ok(())
    }
}

fn number(what: &str, text: &OsStr) -> Result<u32, Failure> {
    number::unsigned(text.as_bytes()).map_err(|wrong| number::failure(what, text, wrong))
}

fn seconds(what: &str, text: &OsStr) -> Result<i64, Failure> {
    number::signed(text.as_bytes()).map_err(|wrong| number::failure(what, text, wrong))
}

fn user(file: &str, what: &str, text: &OsStr) -> Result<u32, Failure> {
    let unknown =
        || Failure::bytes([b"failed to parse ", what.as_bytes(), b" '", text.as_bytes(), b"'"].concat());
    number::id(file, text).ok_or_else(unknown)
}

fn signal(name: &OsStr) -> Result<i32, Failure> {
    let unknown = || Failure::bytes([b"unknown signal: ", name.as_bytes()].concat());
    name.to_str().and_then(signals::number).ok_or_else(unknown)
}

fn propagation(mode: &OsStr) -> Result<Propagation, Failure> {
    let unknown = || Failure::bytes([b"unsupported propagation mode: ", mode.as_bytes()].concat());
    mode.to_str().and_then(|mode| mode.parse().ok()).ok_or_else(unknown)
}

fn allow_or_deny(word: &OsStr) -> Result<bool, Failure> {
    match word.as_bytes() {
        b"allow" => Ok(true),
        b"deny" => Ok(false),
        other => Err(Failure::bytes([b"unsupported --setgroups argument '", other, b"'"].concat())),
    }
}

fn owner(text: &OsStr) -> Result<(u32, u32), Failure> {
    let id = |text: &[u8]| number::unsigned(text).ok().filter(|id| *id != u32::MAX);
    let mut parts = text.as_bytes().split(|byte| *byte == b':').map(id);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Some(uid)), Some(Some(gid)), None) => Ok((uid, gid)),
        _ => Err(Failure::message("failed to parse owner")),
    }
}
