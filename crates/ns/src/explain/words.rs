//! From words to a question.

use std::path::PathBuf;

use namespaces::explain::Question;
use namespaces::{IdKind, Kind, Kinds, Link};

use super::mount::{self, absolute};
use crate::report::Failure;
use crate::{cli, enter, run, util_linux};

pub(super) fn question(words: &[String]) -> Result<Question, Failure> {
    let (call, rest) = words.split_first().ok_or_else(|| Failure::new("no call is given"))?;
    let one = |what: &str| match rest {
        [only] => Ok(only.clone()),
        _ => Err(Failure::new(format!("{call} wants {what}"))),
    };
    Ok(match call.as_str() {
        "unshare" | "nsenter" => util_linux::question(call, rest)?,
        "run" => Question::Launch(run::plan(&cli::subcommand_args(words)?)?),
        "enter" => Question::Launch(enter::plan(&cli::subcommand_args(words)?)?),
        "bwrap" => super::bwrap::question(rest)?,
        "clone" => Question::Clone(flags(&one("flags: newuser,newnet")?)?),
        "setns" => setns(rest)?,
        "mount" => mount::mount(rest)?,
        "umount" => mount::umount(rest)?,
        "pivot_root" => match rest {
            [new, old] => Question::PivotRoot { new: absolute(new), old: absolute(old) },
            _ => return Err(Failure::new("pivot_root wants NEW and OLD")),
        },
        "chroot" => Question::Chroot(absolute(&one("a directory")?)),
        "write" => write(rest)?,
        "newuidmap" => helper(IdKind::Uid, rest)?,
        "newgidmap" => helper(IdKind::Gid, rest)?,
        "setuid" => Question::SetUid(number(&one("an id")?)?),
        "setgid" => Question::SetGid(number(&one("an id")?)?),
        "setgroups" => {
            let ids = one("ids")?;
            let ids: Result<Vec<u32>, Failure> =
                ids.split(',').filter(|_| !ids.is_empty()).map(number).collect();
            Question::SetGroups(ids?)
        }
        "sethostname" => Question::SetHostname(one("a name")?),
        "chown" => chown(rest)?,
        "mknod" => Question::MakeDevice(PathBuf::from(
            rest.first().ok_or_else(|| Failure::new("mknod wants a file"))?,
        )),
        "kill" => kill(rest)?,
        "attach" => match one("a process")?.as_str() {
            "self" => Question::Attach(pid("self")?),
            other => Question::Attach(number(other)?),
        },
        "connect" => Question::Loopback,
        "cgroup" => Question::Cgroup(PathBuf::from(absolute(&one("a directory")?))),
        "init" => Question::InitDuties(pid(&one("a process")?)?),
        "held" => held(rest)?,
        _ => object(call, rest)?,
    })
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, Failure> {
    text.parse().map_err(|_| Failure::new(format!("{text:?} is no number, or too large a one")))
}

fn pid(text: &str) -> Result<i32, Failure> {
    if text == "self" {
        return Ok(std::process::id().cast_signed());
    }
    number(text)
        .and_then(|pid| if pid > 0 { Ok(pid) } else { Err(Failure::new(format!("{text:?} is no process"))) })
}

fn kinds(text: &str) -> Result<Kinds, Failure> {
    Ok(text.parse::<Kinds>()?)
}

/// The link of `/proc/PID/ns` that is for children, if it is one.
fn for_children(text: &str) -> Option<Link> {
    text.parse().ok().filter(|link| !matches!(link, Link::Own(_)))
}

/// `newuser,newnet`, `user,net`, `CLONE_NEWUSER|CLONE_FS`.
fn flags(text: &str) -> Result<u64, Failure> {
    let mut all = 0;
    if text == "none" || text == "0" {
        return Ok(0);
    }
    for word in text.split([',', '|']) {
        let name = word.to_ascii_lowercase();
        let name = name.trim_start_matches("clone_");
        let short = name.strip_prefix("new").unwrap_or(name);
        let short = if short == "ns" { "mnt" } else { short };
        all |= match (short.parse::<Kind>(), name) {
            (Ok(kind), _) => u64::from(kind.flag()),
            (_, "vm") => nsproxy::uapi::CLONE_VM,
            (_, "fs") => nsproxy::uapi::CLONE_FS,
            (_, "files") => nsproxy::uapi::CLONE_FILES,
            (_, "sighand") => nsproxy::uapi::CLONE_SIGHAND,
            (_, "thread") => nsproxy::uapi::CLONE_THREAD,
            (_, "parent") => nsproxy::uapi::CLONE_PARENT,
            (_, "sysvsem") => nsproxy::uapi::CLONE_SYSVSEM,
            _ => return Err(Failure::new(format!("there is no flag {word:?} of clone known here"))),
        };
    }
    Ok(all)
}

fn setns(words: &[String]) -> Result<Question, Failure> {
    let (target, kind) = match words {
        [target] => (target, None),
        // No flag of setns(2) says it of a pidfd: the link is opened.
        [target, link] if for_children(link).is_some() && !target.contains('/') => {
            let of = if target == "self" { target.clone() } else { pid(target)?.to_string() };
            let kind = for_children(link).map(Link::kind);
            return Ok(Question::JoinFile { path: PathBuf::from(format!("/proc/{of}/ns/{link}")), kind });
        }
        [target, kind] => (target, Some(kinds(kind)?)),
        _ => return Err(Failure::new("setns wants a process and kinds, or a file")),
    };
    if target.contains('/') {
        let kind = kind.and_then(|kinds| kinds.iter().next());
        return Ok(Question::JoinFile { path: PathBuf::from(target), kind });
    }
    let kinds = kind.ok_or_else(|| Failure::new("setns wants kinds to join: net,uts"))?;
    Ok(Question::JoinProcess { pid: pid(target)?, kinds })
}

fn write(words: &[String]) -> Result<Question, Failure> {
    let [file, text] = words else { return Err(Failure::new("write wants a file and a text")) };
    let (pid, name) = match file.strip_prefix("/proc/").and_then(|rest| rest.split_once('/')) {
        Some(("self", name)) => (0, name),
        Some((number, name)) => (pid(number)?, name),
        None => (0, file.as_str()),
    };
    let text = text.clone();
    Ok(match name {
        "uid_map" => Question::WriteMap { pid, kind: IdKind::Uid, text },
        "gid_map" => Question::WriteMap { pid, kind: IdKind::Gid, text },
        "setgroups" => Question::WriteSetgroups { pid, text },
        "timens_offsets" => Question::WriteTimeOffsets { pid, text },
        _ => {
            return Err(Failure::new(format!(
                "write knows uid_map, gid_map, setgroups and timens_offsets, not {name:?}"
            )));
        }
    })
}

fn helper(kind: IdKind, words: &[String]) -> Result<Question, Failure> {
    let (of, numbers) = words.split_first().ok_or_else(|| Failure::new("a process and a map are wanted"))?;
    let lines: Vec<String> = numbers.chunks(3).map(|line| line.join(" ")).collect();
    Ok(Question::MapHelper { pid: pid(of)?, kind, map: lines.join("\n") })
}

fn chown(words: &[String]) -> Result<Question, Failure> {
    let [ids, path] = words else { return Err(Failure::new("chown wants UID:GID and a file")) };
    let (uid, gid) = ids.split_once(':').unwrap_or((ids, ""));
    let id = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
    Ok(Question::Chown { path: PathBuf::from(absolute(path)), uid: id(uid)?, gid: id(gid)? })
}

fn kill(words: &[String]) -> Result<Question, Failure> {
    let (of, signal) = match words {
        [of] => (of, "TERM"),
        [signal, of] if signal.starts_with('-') => (of, &signal[1..]),
        [of, signal] => (of, signal.as_str()),
        _ => return Err(Failure::new("kill wants a process and a signal")),
    };
    let unknown = |_| Failure::new(format!("there is no signal {signal:?}"));
    let signal = util_linux::signal(signal).map_or_else(|| signal.parse().map_err(unknown), Ok)?;
    Ok(Question::Kill { pid: pid(of)?, signal })
}

fn held(words: &[String]) -> Result<Question, Failure> {
    Ok(match words {
        [path] => Question::Held { path: PathBuf::from(path) },
        [of, kind] => Question::Held { path: PathBuf::from(format!("/proc/{}/ns/{kind}", pid(of)?)) },
        _ => return Err(Failure::new("held wants the file of a namespace, or a process and a kind")),
    })
}

/// A process and kinds, a process and the inode number of its pidfd, or a file.
fn object(word: &str, rest: &[String]) -> Result<Question, Failure> {
    if word.contains('/') {
        return Ok(Question::JoinFile { path: PathBuf::from(word), kind: None });
    }
    if let Some((of, inode)) = word.split_once(':')
        && let (Ok(pid), Ok(inode)) = (of.parse(), inode.parse())
    {
        return Ok(Question::SameProcess { pid, inode });
    }
    if !word.starts_with(|c: char| c.is_ascii_digit()) && word != "self" {
        return Err(Failure::new(format!(
            "{word:?} is no call that is known here; ns explain --help lists them"
        )));
    }
    let pid = pid(word)?;
    let links: Vec<Link> = match rest {
        [] => Kinds::ALL.iter().map(Link::Own).collect(),
        [one] if for_children(one).is_some() => for_children(one).into_iter().collect(),
        [several] => kinds(several)?.iter().map(Link::Own).collect(),
        _ => return Err(Failure::new("a process and kinds are wanted")),
    };
    let mut steps: Vec<Question> =
        links.into_iter().map(|link| Question::OpenNamespace { pid, link }).collect();
    Ok(if steps.len() == 1 { steps.remove(0) } else { Question::Steps(steps) })
}
