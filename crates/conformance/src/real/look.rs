//! What the running kernel shows of a task, read through the world's /proc.

use std::os::fd::OwnedFd;

use nsproxy::NsLink;
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags};

use super::Real;
use crate::seen::{Inside, Life, Line, Mount, Seen, Status, below, tree};

/// What is read of a task after every call, kept open. The kernel makes each text anew,
/// and asks anew whether the runner may read it, whenever it is read. It is of the task
/// that has the number: whoever is executed in its place gets both.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) pid: u32,
    status: OwnedFd,
    links: [Option<OwnedFd>; 10],
}

/// More than `/proc/PID/status` ever is.
const STATUS_LEN: usize = 0x4000;
/// More than the text of a link to a namespace.
const LINK_LEN: usize = 64;

impl Window {
    /// `pid` is the task's number in the world; `None` if it is not there.
    pub(crate) fn open(real: &Real, pid: u32) -> Option<Self> {
        let open = |name: &str, flags: OFlags| {
            let path = format!("{pid}/{name}");
            rustix::fs::openat(&real.proc, path, flags | OFlags::CLOEXEC, Mode::empty()).ok()
        };
        let link = |link: NsLink| open(&format!("ns/{}", link.name()), OFlags::PATH | OFlags::NOFOLLOW);
        Some(Self { pid, status: open("status", OFlags::RDONLY)?, links: NsLink::ALL.map(link) })
    }

    /// Reads a task's files; without what is `inside` where only numbers, ids and links
    /// are wanted. `cgroup` is the path of the world's cgroup, of which the model knows
    /// nothing but the part below.
    pub(crate) fn look(&self, real: &Real, cgroup: &str, inside: bool) -> Option<Seen> {
        let stat = if inside { read(real, &format!("{}/stat", self.pid))? } else { String::new() };
        let mut text = Vec::with_capacity(STATUS_LEN);
        rustix::io::pread(&self.status, spare_capacity(&mut text), 0).ok().filter(|len| *len < STATUS_LEN)?;
        let status = status(std::str::from_utf8(&text).ok()?, &stat)?;
        let links = self.links.each_ref().map(|link| link_number(link.as_ref()?));
        let inside = match status.life {
            Life::Running | Life::Stopped if inside => self::inside(real, self.pid, cgroup),
            _ => None,
        };
        Some(Seen { status, held: false, links, inside })
    }
}

/// All that there is to see of a task now.
pub(super) fn look(real: &Real, pid: u32, cgroup: &str) -> Option<Seen> {
    Window::open(real, pid)?.look(real, cgroup, true)
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

fn link_number(link: &OwnedFd) -> Option<u64> {
    let mut room = [0; LINK_LEN];
    let len = rustix::fs::readlinkat_raw(link, "", &mut room[..]).ok()?;
    let text = std::str::from_utf8(&room[..len]).ok()?;
    text.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// Set in the flags of `/proc/PID/stat` for a task that is exiting.
const PF_EXITING: u64 = 0x4;

/// The lines `Name:\tvalue` of a text, cheap to ask for in their order.
struct Fields<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        self.search(name).or_else(|| {
            self.rest = self.text;
            self.search(name)
        })
    }

    fn search(&mut self, name: &str) -> Option<&'a str> {
        while let Some((line, rest)) = self.rest.split_once('\n') {
            self.rest = rest;
            if let Some(value) = line.strip_prefix(name).and_then(|line| line.strip_prefix(':')) {
                return Some(value.trim());
            }
        }
        None
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        self.text(name)?.split_whitespace().next()?.parse().ok()
    }

    fn numbers(&mut self, name: &str) -> Option<Vec<u32>> {
        self.text(name)?.split_whitespace().map(|word| word.parse().ok()).collect()
    }

    fn four(&mut self, name: &str) -> Option<[u32; 4]> {
        self.numbers(name)?.try_into().ok()
    }

    fn bits(&mut self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.text(name)?, 16).ok()
    }
}

fn status(text: &str, stat: &str) -> Option<Status> {
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse().ok());
    let flags: u64 = flags.unwrap_or(0);
    let mut fields = Fields::new(text);
    let life = match fields.text("State")?.as_bytes().first()? {
        b'Z' | b'X' => Life::Zombie,
        b'T' | b't' => Life::Stopped,
        _ if flags & PF_EXITING != 0 => Life::Dying,
        _ => Life::Running,
    };
    // In the order of the file, which is read once.
    let (tgid, pid, ppid) = (fields.number("Tgid")?, fields.number("Pid")?, fields.number("PPid")?);
    let (uids, gids, groups) = (fields.four("Uid")?, fields.four("Gid")?, fields.numbers("Groups")?);
    let ns_tgid = fields.numbers("NStgid")?;
    let numbers = [fields.numbers("NSpid")?, ns_tgid, fields.numbers("NSpgid")?, fields.numbers("NSsid")?];
    let threads = fields.number("Threads")?;
    let pending = fields.bits("SigPnd")? | fields.bits("ShdPnd")?;
    let signals = [fields.bits("SigBlk")?, fields.bits("SigIgn")?, fields.bits("SigCgt")?];
    Some(Status {
        life,
        tgid,
        pid,
        ppid,
        numbers,
        uids,
        gids,
        groups,
        threads,
        signals,
        untaken: if life == Life::Running { pending & !signals[0] } else { 0 },
        caps: [
            fields.bits("CapInh")?,
            fields.bits("CapPrm")?,
            fields.bits("CapEff")?,
            fields.bits("CapBnd")?,
            fields.bits("CapAmb")?,
        ],
        no_new_privs: fields.number("NoNewPrivs")? != 0,
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
    let (major, minor) = words.next()?.split_once(':')?;
    let root = words.next()?.to_owned();
    let mountpoint = words.next()?.to_owned();
    let options = words.next()?.to_owned();
    let tags: Vec<&str> = words.collect();
    let class = |name: &str| tags.iter().find_map(|tag| tag.strip_prefix(name)?.parse().ok());
    let mut back = back.split(' ');
    let fstype = back.next()?.to_owned();
    let super_options = back.nth(1)?;
    let mount = Mount {
        way: Vec::new(),
        root,
        options,
        fstype,
        super_readonly: super_options.split(',').next()? == "ro",
        device: major.parse::<u64>().ok()? << 32 | minor.parse::<u64>().ok()?,
        shared: class("shared:"),
        master: class("master:"),
        unbindable: tags.contains(&"unbindable"),
    };
    Some(Line { id, parent, mountpoint, mount })
}
