//! What the running kernel shows of a task, read through the world's /proc.

use nsproxy::NsLink;
use rustix::fs::{Mode, OFlags};

use super::Real;
use crate::seen::{Inside, Life, Line, Mount, Seen, Status, below, tree};

/// Reads a task's files. `pid` is its number in the world; `None` if it is not there.
/// `cgroup` is the path of the world's cgroup, of which the model knows nothing but
/// the part below.
pub(crate) fn look(real: &Real, pid: u32, cgroup: &str) -> Option<Seen> {
    look_at(real, pid, cgroup, true)
}

/// The same; without what is `inside` where only numbers, ids and links are wanted.
pub(crate) fn look_at(real: &Real, pid: u32, cgroup: &str, inside: bool) -> Option<Seen> {
    let stat = if inside { read(real, &format!("{pid}/stat"))? } else { String::new() };
    let status = status(&read(real, &format!("{pid}/status"))?, &stat)?;
    let links = NsLink::ALL.map(|link| link_number(real, pid, link));
    let inside = match status.life {
        Life::Running | Life::Stopped if inside => self::inside(real, pid, cgroup),
        _ => None,
    };
    Some(Seen { status, links, inside })
}

pub(super) fn read(real: &Real, path: &str) -> Option<String> {
    let file = rustix::fs::openat(&real.proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    let mut room = [0_u8; 16384];
    loop {
        match rustix::io::read(&file, &mut room) {
            Ok(0) => break,
            Ok(len) => text.extend_from_slice(&room[..len]),
            Err(_) => return None,
        }
    }
    String::from_utf8(text).ok()
}

fn link_number(real: &Real, pid: u32, link: NsLink) -> Option<u64> {
    let path = format!("{pid}/ns/{}", link.name());
    let text = rustix::fs::readlinkat(&real.proc, path, Vec::new()).ok()?;
    let text = text.to_str().ok()?;
    text.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// Set in the flags of `/proc/PID/stat` for a task that is exiting.
const PF_EXITING: u64 = 0x4;

fn status(text: &str, stat: &str) -> Option<Status> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let numbers = |name: &str| -> Option<Vec<u32>> {
        field(name)?.split_whitespace().map(|word| word.parse().ok()).collect()
    };
    let one = |name: &str| numbers(name)?.first().copied();
    let last = |name: &str| numbers(name)?.last().copied();
    let caps = |name: &str| u64::from_str_radix(field(name)?, 16).ok();
    let four = |name: &str| <[u32; 4]>::try_from(numbers(name)?).ok();
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse().ok());
    let flags: u64 = flags.unwrap_or(0);
    let life = match field("State:")?.as_bytes().first()? {
        b'Z' | b'X' => Life::Zombie,
        b'T' | b't' => Life::Stopped,
        _ if flags & PF_EXITING != 0 => Life::Dying,
        _ => Life::Running,
    };
    let _ = last;
    Some(Status {
        life,
        tgid: one("Tgid:")?,
        pid: one("Pid:")?,
        ppid: one("PPid:")?,
        ns_pid: numbers("NSpid:")?,
        pgid: one("NSpgid:")?,
        sid: one("NSsid:")?,
        uids: four("Uid:")?,
        gids: four("Gid:")?,
        groups: numbers("Groups:")?,
        caps: [caps("CapInh:")?, caps("CapPrm:")?, caps("CapEff:")?, caps("CapBnd:")?, caps("CapAmb:")?],
        no_new_privs: one("NoNewPrivs:")? != 0,
        threads: one("Threads:")?,
    })
}

fn inside(real: &Real, pid: u32, cgroup: &str) -> Option<Inside> {
    let file = |name: &str| read(real, &format!("{pid}/{name}"));
    Some(Inside {
        maps: [file("uid_map")?, file("gid_map")?, file("projid_map")?],
        setgroups: file("setgroups")?.trim() == "allow",
        cgroup: own_cgroup(&file("cgroup")?, cgroup)?,
        offsets: file("timens_offsets").unwrap_or_default(),
        mounts: mounts(&file("mountinfo")?, cgroup)?,
    })
}

/// The path in the hierarchy of version 2, from the machine's part on.
fn own_cgroup(text: &str, outer: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    below(path, outer)
}

fn mounts(text: &str, cgroup: &str) -> Option<Vec<Mount>> {
    let mut lines = text.lines().map(line).collect::<Option<Vec<Line>>>()?;
    for mount in lines.iter_mut().map(|line| &mut line.mount) {
        // The runner is told where this lies below its own cgroup.
        if mount.fstype == "cgroup2" {
            mount.root = below(&mount.root, cgroup)?;
        }
    }
    Some(tree(lines))
}

fn line(text: &str) -> Option<Line> {
    let (front, back) = text.split_once(" - ")?;
    let mut words = front.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let _device = words.next()?;
    let root = words.next()?.to_owned();
    let mountpoint = words.next()?.to_owned();
    let options = words.next()?.to_owned();
    let tags: Vec<&str> = words.collect();
    let class = |name: &str| tags.iter().find_map(|tag| tag.strip_prefix(name)?.parse().ok());
    let mount = Mount {
        way: Vec::new(),
        root,
        options,
        fstype: back.split(' ').next()?.to_owned(),
        shared: class("shared:"),
        master: class("master:"),
        unbindable: tags.contains(&"unbindable"),
    };
    Some(Line { id, parent, mountpoint, mount })
}
