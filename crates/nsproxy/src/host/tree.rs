//! A mount tree as `/proc/PID/mountinfo` shows it.

use crate::Kernel;
use crate::arena::Idx;
use crate::mount::{Dentry, FsType, MNT_LOCKED, MNT_UNBINDABLE, Mount, Path, SuperBlock, locked};
use crate::ns_common::{NsId, NsRef};
use crate::rule::{Denial, Rule};
use crate::task::TaskId;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// One line of mountinfo, and what a host knows beyond it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostMount {
    /// The mount's number, and that of the mount it stands on.
    pub id: u64,
    /// See `id`.
    pub parent: u64,
    /// What tells the filesystem from others: its device number.
    pub device: String,
    /// What of the filesystem it shows.
    pub root: String,
    /// Where, as seen from the root of who reads the file.
    pub mountpoint: String,
    /// `MS_RDONLY`, `MS_NOSUID` and so on.
    pub flags: u64,
    /// The number of its peer group.
    pub shared: Option<u32>,
    /// The number of the peer group it receives mounts from.
    pub master: Option<u32>,
    /// Whether it is marked unbindable.
    pub unbindable: bool,
    /// Type of the filesystem.
    pub fstype: String,
    /// Whether the filesystem itself is read-only, whatever the mount is.
    pub readonly: bool,
    /// The user namespace it was mounted from; `None` for the first.
    pub owner: Option<NsId>,
    /// Whether a more privileged namespace locked it in place.
    pub locked: bool,
    /// Whether the directory it covers is one made to be mounted on.
    pub covers_nothing: bool,
    /// Whether it is a file that is mounted on a file.
    pub file: bool,
}

/// What a loaded tree hangs on where its reader's root is not the namespace's.
const OUTSIDE: &str = "outside";

/// What was loaded so far: the numbers of mountinfo, and mounts.
#[derive(Default)]
struct Loaded {
    mounts: BTreeMap<u64, (Idx<Mount>, String)>,
    supers: BTreeMap<String, Idx<SuperBlock>>,
    groups: BTreeMap<u32, Idx<Mount>>,
}

impl Loaded {
    fn mount(&self, id: u64) -> Option<(Idx<Mount>, &str)> {
        self.mounts.get(&id).map(|(mnt, point)| (*mnt, point.as_str()))
    }
}

impl Kernel {
    /// Replaces the mounts of a namespace by these, parents before children. With
    /// `chrooted` the reader's root lies elsewhere than the namespace's: at the path
    /// returned, for [`Kernel::host_root`].
    pub fn host_mounts(&mut self, ns: NsId, lines: &[HostMount], chrooted: bool) -> Result<String, Denial> {
        let NsRef::Mnt(ns) = self.known_ns(ns)? else {
            return Err(self.params.denial(Rule::HandleBad));
        };
        for owner in lines.iter().filter_map(|line| line.owner) {
            self.known_user_ns(owner)?;
        }
        let bottom = self.mnt_ns[ns].root;
        let old: Vec<Idx<Mount>> = self.submounts(bottom).collect();
        for mnt in old {
            self.umount_all(mnt);
        }
        self.mnt_ns[ns].nr_mounts = 1;
        let mut base = Path { mnt: bottom, dentry: self.mounts[bottom].root };
        let mut root = String::from("/");
        if chrooted || !lines.iter().any(|line| line.mountpoint == "/") {
            let sb = self.new_super(FsType::Disk, self.init_user_ns, (0, 0));
            let mnt = self.new_mount(sb, self.supers[sb].root, 0);
            self.put_super(sb);
            self.mounts[mnt].ns = Some(ns);
            self.mnt_ns[ns].nr_mounts += 1;
            self.hook_mount(mnt, bottom, base.dentry);
            let top = self.mounts[mnt].root;
            base = Path { mnt, dentry: self.new_dentry(Some(top), OUTSIDE, true, (0, 0)) };
            root.push_str(OUTSIDE);
        }
        let mut loaded = Loaded::default();
        for line in lines {
            // A root that stands on nothing is the bottom itself.
            if line.parent == line.id && base.mnt == bottom {
                loaded.mounts.insert(line.id, (bottom, String::from("/")));
                continue;
            }
            let mnt = self.host_mount(line, base, &mut loaded)?;
            self.mounts[mnt].ns = Some(ns);
            self.mnt_ns[ns].nr_mounts += 1;
        }
        for sb in loaded.supers.into_values() {
            self.put_super(sb);
        }
        Ok(root)
    }

    fn host_mount(
        &mut self,
        line: &HostMount,
        base: Path,
        loaded: &mut Loaded,
    ) -> Result<Idx<Mount>, Denial> {
        let sb = self.host_super(line, loaded)?;
        let top = self.supers[sb].root;
        let root = self.host_dentry(top, &line.root, !line.file);
        let mnt = self.new_mount(sb, root, host_flags(line));
        let at = match loaded.mount(line.parent).filter(|_| line.mountpoint != "/") {
            Some((parent, point)) => {
                let rest = line.mountpoint.strip_prefix(point).unwrap_or(&line.mountpoint);
                let dentry = self.host_dentry(self.mounts[parent].root, rest, !line.file);
                Path { mnt: parent, dentry }
            }
            None => Path { dentry: self.host_dentry(base.dentry, &line.mountpoint, !line.file), ..base },
        };
        self.dentries[at.dentry].always_empty = line.covers_nothing;
        self.hook_mount(mnt, at.mnt, at.dentry);
        let find =
            |group: Option<u32>, loaded: &Loaded| group.and_then(|group| loaded.groups.get(&group).copied());
        let peer = find(line.shared, loaded);
        // Peers have one master, and no group is below itself.
        match peer {
            Some(peer) => self.add_slave_behind(mnt, peer),
            None => {
                if let Some(master) = find(line.master, loaded) {
                    self.add_slave(mnt, master);
                }
            }
        }
        if let Some(group) = line.shared {
            if let Some(peer) = peer {
                self.join_peers(mnt, peer);
            } else {
                self.make_shared(mnt);
                loaded.groups.insert(group, mnt);
            }
        }
        loaded.mounts.insert(line.id, (mnt, line.mountpoint.clone()));
        Ok(mnt)
    }

    /// The filesystem of this device; a reference of its own is kept until the end.
    fn host_super(&mut self, line: &HostMount, loaded: &mut Loaded) -> Result<Idx<SuperBlock>, Denial> {
        if let Some(sb) = loaded.supers.get(&line.device) {
            return Ok(*sb);
        }
        let owner = match line.owner {
            Some(owner) => self.known_user_ns(owner)?,
            None => self.init_user_ns,
        };
        let sb = self.new_super(FsType::from_host(&line.fstype), owner, (0, 0));
        self.supers[sb].readonly = line.readonly;
        loaded.supers.insert(line.device.clone(), sb);
        Ok(sb)
    }

    /// The file of this name below a directory, made if need be.
    fn host_dentry(&mut self, from: Idx<Dentry>, path: &str, dir: bool) -> Idx<Dentry> {
        let mut at = from;
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let known = self.dentries[at].children.iter().copied();
            let known = known.into_iter().find(|child| self.dentries[*child].name == name);
            at = match known {
                Some(child) => child,
                None => self.new_dentry(Some(at), name, dir || names.peek().is_some(), (0, 0)),
            };
        }
        at
    }

    /// Sees to it that a path is there for a task: mounts are crossed, and what is
    /// missing of the rest is made.
    pub fn host_path(&mut self, task: TaskId, path: &str, dir: bool) -> Result<(), Denial> {
        let task = self.host_living(task)?;
        let mut known = String::from("/");
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let at = self.lookup(task, &known)?;
            if !known.ends_with('/') {
                known.push('/');
            }
            known.push_str(name);
            if self.lookup(task, &known).is_err() {
                self.new_dentry(Some(at.dentry), name, dir || names.peek().is_some(), (0, 0));
            }
        }
        Ok(())
    }
}

fn host_flags(line: &HostMount) -> u32 {
    let mut flags = Kernel::mount_flags(line.flags, None);
    if line.unbindable {
        flags |= MNT_UNBINDABLE;
    }
    if line.locked {
        flags = locked(flags) | MNT_LOCKED;
    }
    flags
}
