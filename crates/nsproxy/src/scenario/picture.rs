//! Who is in which namespaces: task, nsproxy, namespaces, as data.

use crate::{Kernel, NsInfo, NsKind, NsLink, State, TaskId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A task in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureTask {
    /// Its name in the scenario, or its number.
    pub name: String,
    /// Its number in the first pid namespace.
    pub pid: u32,
    /// What it is doing.
    pub state: State,
    /// Its nsproxy, by place in [`Picture::proxies`]; none after exit.
    pub proxy: Option<usize>,
    /// Its user namespace, by place in [`Picture::namespaces`].
    pub user: usize,
    /// The pid namespace it is in, by place in [`Picture::namespaces`].
    pub pid_ns: usize,
}

/// An nsproxy in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureProxy {
    /// A letter.
    pub name: String,
    /// Its seven namespaces and the time namespace for children, by place in
    /// [`Picture::namespaces`].
    pub slots: Vec<(&'static str, usize)>,
}

/// A namespace in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureNs {
    /// Kind and a number: `uts 1`.
    pub name: String,
    /// Its kind.
    pub kind: NsKind,
    /// The user namespace that owns it, by name; for a user namespace its parent.
    pub owner: Option<String>,
}

/// Who is in which namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The tasks, by number.
    pub tasks: Vec<PictureTask>,
    /// The nsproxies, as the tasks meet them.
    pub proxies: Vec<PictureProxy>,
    /// The namespaces, as the tasks meet them.
    pub namespaces: Vec<PictureNs>,
}

/// Builds a picture; numbers each kind of namespace from 0.
struct Painter<'a> {
    kernel: &'a Kernel,
    picture: Picture,
    seen: BTreeMap<crate::NsId, usize>,
    proxies: BTreeMap<u32, usize>,
}

impl Picture {
    /// The picture of a kernel; `names` gives some of the tasks names.
    pub fn of<'a>(kernel: &Kernel, names: impl Iterator<Item = (TaskId, &'a str)>) -> Self {
        let names: BTreeMap<TaskId, &str> = names.collect();
        let mut painter =
            Painter { kernel, picture: Self::default(), seen: BTreeMap::new(), proxies: BTreeMap::new() };
        let mut tasks: Vec<(u32, TaskId)> = kernel
            .tasks()
            .into_iter()
            .filter_map(|task| Some((kernel.status(kernel.init(), task).ok()?.pid, task)))
            .collect();
        tasks.sort_unstable();
        for (pid, task) in tasks {
            painter.task(pid, task, names.get(&task).copied());
        }
        painter.picture
    }

    /// The tasks that share a proxy.
    pub fn tasks_of(&self, proxy: usize) -> impl Iterator<Item = &PictureTask> {
        self.tasks.iter().filter(move |task| task.proxy == Some(proxy))
    }
}

impl Painter<'_> {
    fn task(&mut self, pid: u32, task: TaskId, name: Option<&str>) {
        let (Ok(links), Ok(status)) =
            (self.kernel.namespaces_of(task), self.kernel.status(self.kernel.init(), task))
        else {
            return;
        };
        let link =
            |wanted: NsLink| links.iter().find(|(link, _)| *link == wanted).and_then(|(_, info)| *info);
        let (Some(user), Some(pid_ns)) = (link(NsLink::Own(NsKind::User)), link(NsLink::Own(NsKind::Pid)))
        else {
            return;
        };
        let user = self.namespace(user);
        let pid_ns = self.namespace(pid_ns);
        let proxy = self.kernel.nsproxy_number(task).map(|number| self.proxy(number, &links));
        self.picture.tasks.push(PictureTask {
            name: name.map_or_else(|| format!("{pid}"), ToString::to_string),
            pid,
            state: status.state,
            proxy,
            user,
            pid_ns,
        });
    }

    fn proxy(&mut self, number: u32, links: &[(NsLink, Option<NsInfo>); 10]) -> usize {
        if let Some(known) = self.proxies.get(&number) {
            return *known;
        }
        let slots = links
            .iter()
            .filter(|(link, _)| !matches!(link, NsLink::Own(NsKind::User | NsKind::Pid)))
            .filter_map(|(link, info)| Some((link.name(), self.namespace((*info)?))))
            .collect();
        let place = self.picture.proxies.len();
        let letter = u8::try_from(place % 26).map_or('?', |n| char::from(b'A' + n));
        let round = place / 26;
        let name = if round == 0 { format!("{letter}") } else { format!("{letter}{round}") };
        self.picture.proxies.push(PictureProxy { name, slots });
        self.proxies.insert(number, place);
        place
    }

    fn namespace(&mut self, info: NsInfo) -> usize {
        if let Some(known) = self.seen.get(&info.id) {
            return *known;
        }
        let owner = self.kernel.owner_of(info.id).map(|owner| self.namespace(owner));
        let kind = info.id.kind();
        let same = self.picture.namespaces.iter().filter(|ns| ns.kind == kind);
        let name = format!("{kind} {}", same.count());
        let owner = owner.map(|owner| self.picture.namespaces[owner].name.clone());
        let place = self.picture.namespaces.len();
        self.picture.namespaces.push(PictureNs { name, kind, owner });
        self.seen.insert(info.id, place);
        place
    }
}
