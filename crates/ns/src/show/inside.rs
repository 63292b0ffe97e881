//! What is inside a namespace.

use std::fs;
use std::io::Read;

use namespaces::discover::Found;
use namespaces::{IdKind, Kind, Namespace, Process};
use serde::Serialize;

use super::process::{extents, map_line};
use crate::render;
use crate::text;

/// What is inside, by kind. What could not be read is null.
#[derive(Debug, Default, Serialize)]
pub(super) struct Inside {
    #[serde(skip_serializing_if = "Option::is_none")]
    uts: Option<Uts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    net: Option<Net>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mnt: Option<Mnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<Pid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipc: Option<Ipc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<Cgroup>,
}

#[derive(Debug, Serialize)]
struct Uts {
    hostname: Option<String>,
    domainname: Option<String>,
}

#[derive(Debug, Serialize)]
struct User {
    uid_map: Option<Vec<[u32; 3]>>,
    gid_map: Option<Vec<[u32; 3]>>,
    setgroups: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Net {
    links: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Mnt {
    mounts: Option<Vec<Mount>>,
}

/// A mount, as `proc_pid_mountinfo(5)` writes it, in the order of that file.
#[derive(Debug, Serialize)]
struct Mount {
    path: String,
    #[serde(rename = "type")]
    fstype: String,
    source: String,
    root: String,
    options: String,
}

#[derive(Debug, Serialize)]
struct Pid {
    /// Its pid 1, by the caller's number.
    init: Option<i32>,
    /// The processes in it, without those in namespaces below.
    pids: Vec<i32>,
}

#[derive(Debug, Serialize)]
struct Time {
    /// Seconds, then nanoseconds.
    monotonic: Option<[i64; 2]>,
    boottime: Option<[i64; 2]>,
}

#[derive(Debug, Serialize)]
struct Ipc {
    message_queues: Option<usize>,
    semaphore_sets: Option<usize>,
    shared_memory: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Cgroup {
    /// The root, as the caller's cgroup namespace names it.
    root: Option<String>,
}

/// Looks into `namespace`: by joining it where a thread can, else through a
/// process in it.
pub(super) fn look(namespace: &Namespace, found: &Found) -> Inside {
    let mut inside = Inside::default();
    match namespace.kind() {
        Kind::Uts => inside.uts = Some(uts(namespace)),
        Kind::User => inside.user = Some(user(found)),
        Kind::Net => inside.net = Some(net(namespace, found)),
        Kind::Mnt => inside.mnt = Some(mnt(namespace, found)),
        Kind::Pid => inside.pid = Some(pid(namespace)),
        Kind::Time => inside.time = Some(time(found)),
        Kind::Ipc => inside.ipc = Some(ipc(namespace)),
        Kind::Cgroup => inside.cgroup = Some(cgroup(namespace, found)),
    }
    inside
}

/// Runs `closure` there; without a thread of its own if the caller is there.
fn within<T: Send>(namespace: &Namespace, closure: impl FnOnce() -> T + Send) -> Option<T> {
    if Namespace::current(namespace.kind()).is_ok_and(|mine| mine == *namespace) {
        return Some(closure());
    }
    namespace.within(closure).ok()
}

fn uts(namespace: &Namespace) -> Uts {
    let read = |file: &str| {
        let text = fs::read(format!("/proc/sys/kernel/{file}")).ok()?;
        Some(text::printable(text.strip_suffix(b"\n").unwrap_or(&text)))
    };
    let names = within(namespace, || (read("hostname"), read("domainname")));
    let (hostname, domainname) = names.unwrap_or_default();
    Uts { hostname, domainname }
}

fn user(found: &Found) -> User {
    let process = found.pid.and_then(|pid| Process::open(pid).ok());
    let process = process.filter(|process| {
        process.namespace(Kind::User).is_ok_and(|namespace| namespace.id().ino == found.name.ino)
    });
    let map = |kind| process.as_ref()?.id_map(kind).ok().map(|map| extents(&map));
    User {
        uid_map: map(IdKind::Uid),
        gid_map: map(IdKind::Gid),
        setgroups: process.as_ref().and_then(|process| process.setgroups_allowed().ok()),
    }
}

fn net(namespace: &Namespace, found: &Found) -> Net {
    let read = || fs::read_to_string("/proc/thread-self/net/dev").ok();
    // Not joined, it can be read through a process all the same.
    let through = || fs::read_to_string(format!("/proc/{}/net/dev", found.pid?)).ok();
    let text = within(namespace, read).flatten().or_else(through);
    let name = |line: &str| Some(text::printable(line.split_once(':')?.0.trim().as_bytes()));
    Net { links: text.map(|text| text.lines().skip(2).filter_map(name).collect()) }
}

fn mnt(namespace: &Namespace, found: &Found) -> Mnt {
    let through = || fs::read(format!("/proc/{}/mountinfo", found.pid?)).ok();
    // Opened here, since there may be none there.
    let proc = fs::File::open("/proc").ok();
    let read = || {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        let empty = rustix::fs::Mode::empty();
        let file = rustix::fs::openat(proc.as_ref()?, c"thread-self/mountinfo", flags, empty).ok()?;
        let mut text = Vec::new();
        fs::File::from(file).read_to_end(&mut text).ok()?;
        Some(text)
    };
    let joined = || within(namespace, read).flatten();
    let text = through().or_else(joined);
    Mnt { mounts: text.map(|text| text.split(|byte| *byte == b'\n').filter_map(mount).collect()) }
}

/// One line of `mountinfo`. Its octal escapes stay: they are safe to print.
fn mount(line: &[u8]) -> Option<Mount> {
    let line = text::printable(line);
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let mut right = right.split(' ');
    Some(Mount {
        root: left.next()?.to_owned(),
        path: left.next()?.to_owned(),
        options: left.next()?.to_owned(),
        fstype: right.next()?.to_owned(),
        source: right.next()?.to_owned(),
    })
}

fn pid(namespace: &Namespace) -> Pid {
    let link = namespace.to_string();
    let mut pids: Vec<i32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|text| text.as_os_str() == link.as_str())
        })
        .collect();
    pids.sort_unstable();
    Pid { init: namespace.pid_to_caller(1).ok(), pids }
}

fn time(found: &Found) -> Time {
    // The file tells of the namespace of future children.
    let text = found.pid.and_then(|pid| {
        let children = fs::read_link(format!("/proc/{pid}/ns/time_for_children")).ok()?;
        let same = children.as_os_str() == found.name.to_string().as_str();
        same.then(|| fs::read_to_string(format!("/proc/{pid}/timens_offsets")).ok())?
    });
    let offset = |clock: &str| {
        let line = text.as_ref()?.lines().find_map(|line| line.strip_prefix(clock))?;
        let mut numbers = line.split_ascii_whitespace().map_while(|number| number.parse().ok());
        Some([numbers.next()?, numbers.next()?])
    };
    Time { monotonic: offset("monotonic"), boottime: offset("boottime") }
}

fn ipc(namespace: &Namespace) -> Ipc {
    let count = |file: &str| {
        let text = fs::read_to_string(format!("/proc/sysvipc/{file}")).ok()?;
        Some(text.lines().count().saturating_sub(1))
    };
    let counts = within(namespace, || (count("msg"), count("sem"), count("shm")));
    let (message_queues, semaphore_sets, shared_memory) = counts.unwrap_or_default();
    Ipc { message_queues, semaphore_sets, shared_memory }
}

/// The root is what a process in the namespace has more in its path out here
/// than in there.
fn cgroup(namespace: &Namespace, found: &Found) -> Cgroup {
    let path = || {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", found.pid?)).ok()?;
        let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
        // Without a unified hierarchy the first that has a controller.
        unified.or_else(|| text.lines().next()?.splitn(3, ':').nth(2)).map(str::to_owned)
    };
    let root = || {
        let (outer, inner) = (path()?, within(namespace, path).flatten()?);
        let root = if inner == "/" { &outer } else { outer.strip_suffix(&inner)? };
        Some(text::printable(if root.is_empty() { "/" } else { root }.as_bytes()))
    };
    Cgroup { root: root() }
}

impl Inside {
    /// As lines for people.
    pub(super) fn text(&self) -> String {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        let map = |map: &Option<Vec<[u32; 3]>>| map.as_deref().map_or("unknown".to_owned(), map_line);
        let mut fields: Vec<(&str, String)> = Vec::new();
        if let Some(uts) = &self.uts {
            fields.extend([("hostname", known(&uts.hostname)), ("domainname", known(&uts.domainname))]);
        }
        if let Some(user) = &self.user {
            fields.extend([("uid map", map(&user.uid_map)), ("gid map", map(&user.gid_map))]);
        }
        if let Some(net) = &self.net {
            fields.push(("links", known(&net.links.as_ref().map(|links| links.join(" ")))));
        }
        if let Some(pid) = &self.pid {
            let pids: Vec<String> = pid.pids.iter().map(i32::to_string).collect();
            fields.push(("init", known(&pid.init.map(|init| init.to_string()))));
            fields.push(("pids", pids.join(" ")));
        }
        if let Some(time) = &self.time {
            let offset = |offset: Option<[i64; 2]>| known(&offset.map(|[s, ns]| format!("{s} s {ns} ns")));
            fields.extend([("monotonic", offset(time.monotonic)), ("boottime", offset(time.boottime))]);
        }
        if let Some(ipc) = &self.ipc {
            let count = |count: Option<usize>| known(&count.map(|count| count.to_string()));
            fields.push(("queues", count(ipc.message_queues)));
            fields.push(("semaphores", count(ipc.semaphore_sets)));
            fields.push(("segments", count(ipc.shared_memory)));
        }
        if let Some(cgroup) = &self.cgroup {
            fields.push(("root", known(&cgroup.root)));
        }
        let mounts = self.mnt.as_ref().map(|mnt| mnt.mounts.as_deref());
        match mounts {
            Some(None) => fields.push(("mounts", "unknown".to_owned())),
            Some(Some(mounts)) => {
                for (i, mount) in mounts.iter().enumerate() {
                    let line = format!("{} ({} {})", mount.path, mount.fstype, mount.source);
                    fields.push((if i == 0 { "mounts" } else { "" }, line));
                }
            }
            None => {}
        }
        fields.into_iter().map(|(label, value)| render::field(label, &value)).collect()
    }
}
