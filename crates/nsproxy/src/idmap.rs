//! The id maps of user namespaces: lookup, and what may be written to
//! `uid_map`, `gid_map` and `projid_map` (`kernel/user_namespace.c`).

use crate::Kernel;
use crate::arena::Idx;
use crate::capability::Cap;
use crate::file::{File, FileKind};
use crate::params::Effect;
use crate::rule::{Denial, Rule};
use crate::task::Task;
use crate::uapi::PAGE_SIZE;
use crate::user_namespace::UserNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;

const MAX_EXTENTS: usize = 340;
/// Up to here a map keeps the order in which it was written.
const BASE_EXTENTS: usize = 5;
const INVALID: u32 = u32::MAX;

/// Which of the three maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapKind {
    /// `/proc/PID/uid_map`
    Uid,
    /// `/proc/PID/gid_map`
    Gid,
    /// `/proc/PID/projid_map`
    Projid,
}

/// One line of a map: `count` ids from `first` on stand for those from `lower` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First id inside.
    pub first: u32,
    /// First id outside: of the parent while being written, global once installed.
    pub lower: u32,
    /// How many.
    pub count: u32,
}

impl Extent {
    fn down(self, id: u32) -> Option<u32> {
        let offset = id.checked_sub(self.first)?;
        (offset < self.count).then(|| self.lower.wrapping_add(offset))
    }

    fn up(self, id: u32) -> Option<u32> {
        let offset = id.checked_sub(self.lower)?;
        (offset < self.count).then(|| self.first.wrapping_add(offset))
    }

    fn overlaps(self, other: Self) -> bool {
        self.overlaps_inside(other) || !self.apart(other, self.lower, other.lower)
    }

    fn overlaps_inside(self, other: Self) -> bool {
        !self.apart(other, self.first, other.first)
    }

    fn apart(self, other: Self, own: u32, its: u32) -> bool {
        own >= its.saturating_add(other.count) || its >= own.saturating_add(self.count)
    }
}

/// A map between the ids of a user namespace and global ids; empty until it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMap(Option<Arc<Lines>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lines {
    extents: Vec<Extent>,
    /// The same by `lower`, where there are too many to look through.
    reverse: Vec<Extent>,
}

impl IdMap {
    /// The map of the first user namespace: every id is itself.
    pub(crate) fn identity() -> Self {
        Self::install(alloc::vec![Extent { first: 0, lower: 0, count: u32::MAX }])
    }

    /// Few lines stay in the order written, many are sorted.
    pub(crate) fn install(mut extents: Vec<Extent>) -> Self {
        if extents.is_empty() {
            return Self(None);
        }
        let mut reverse = Vec::new();
        if extents.len() > BASE_EXTENTS {
            extents.sort_by_key(|extent| extent.first);
            reverse.clone_from(&extents);
            reverse.sort_by_key(|extent| extent.lower);
        }
        Self(Some(Arc::new(Lines { extents, reverse })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn extents(&self) -> &[Extent] {
        self.0.as_ref().map_or(&[], |lines| &lines.extents)
    }

    /// From an id inside to the global one.
    pub(crate) fn down(&self, id: u32) -> Option<u32> {
        let Lines { extents, reverse } = self.0.as_deref()?;
        if reverse.is_empty() {
            return extents.iter().find_map(|extent| extent.down(id));
        }
        let after = extents.partition_point(|extent| extent.first <= id);
        extents[..after].last()?.down(id)
    }

    /// From a global id to the one inside.
    #[inline(never)]
    pub(crate) fn up(&self, id: u32) -> Option<u32> {
        let Lines { extents, reverse } = self.0.as_deref()?;
        if reverse.is_empty() {
            return extents.iter().find_map(|extent| extent.up(id));
        }
        let after = reverse.partition_point(|extent| extent.lower <= id);
        reverse[..after].last()?.up(id)
    }

    /// A whole range at once: it must lie inside one line.
    fn range_down(&self, id: u32, count: u32) -> Option<u32> {
        self.extents().iter().find_map(|extent| {
            let lower = extent.down(id)?;
            let last = id.wrapping_add(count.wrapping_sub(1));
            extent.down(last).map(|_| lower)
        })
    }
}

/// White space as the kernel's tables have it, the no-break space included.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xA0)
}

/// A cursor over one line of text, reading as the kernel's number parser does.
pub(crate) struct Line<'a>(pub(crate) &'a [u8]);

impl<'a> Line<'a> {
    pub(crate) fn skip_spaces(&mut self) {
        while let Some((byte, rest)) = self.0.split_first()
            && is_space(*byte)
        {
            self.0 = rest;
        }
    }

    /// Decimal digits, none counting as zero; too large a number wraps.
    fn number(&mut self) -> u64 {
        let mut value = 0u64;
        while let Some((byte, rest)) = self.0.split_first()
            && byte.is_ascii_digit()
        {
            value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.0 = rest;
        }
        value
    }

    /// A number and the white space that has to follow it; cut to 32 bits.
    fn field(&mut self, last: bool) -> Option<u32> {
        self.skip_spaces();
        let bytes = self.number().to_le_bytes();
        match self.0.first() {
            Some(byte) if is_space(*byte) => {}
            None if last => {}
            _ => return None,
        }
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn extent(&mut self) -> Option<Extent> {
        let extent =
            Extent { first: self.field(false)?, lower: self.field(false)?, count: self.field(true)? };
        self.skip_spaces();
        self.0.is_empty().then_some(extent)
    }

    /// Splits the first line off a text that ends at its end or at a zero byte.
    pub(crate) fn split(text: &'a [u8]) -> (Self, Option<&'a [u8]>) {
        match text.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let rest = &text[at + 1..];
                (Self(&text[..at]), (!rest.is_empty()).then_some(rest))
            }
            None => (Self(text), None),
        }
    }
}

pub(crate) fn until_nul(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    &text[..end]
}

impl Kernel {
    fn map_of(&self, ns: Idx<UserNamespace>, kind: MapKind) -> &IdMap {
        let ns = &self.user_ns[ns];
        match kind {
            MapKind::Uid => &ns.uid_map,
            MapKind::Gid => &ns.gid_map,
            MapKind::Projid => &ns.projid_map,
        }
    }

    /// Opening `/proc/PID/*_map` for writing: the file belongs to the task's owner.
    pub(crate) fn proc_id_map_open(
        &mut self,
        caller: Idx<Task>,
        target: Idx<Task>,
        kind: MapKind,
    ) -> Result<FileKind, Denial> {
        let writable = self.proc_file_writable(caller, target);
        self.refuse_if(!writable, Rule::MapOpenAccess)?;
        // The namespace is the one the task is in now, whatever happens to the task.
        let ns = self.current_user_ns(target);
        self.get_user_ns(ns);
        Ok(FileKind::Map(ns, kind, self.get_task_pid(target)))
    }

    /// One write to a map file.
    pub(crate) fn map_write(
        &mut self,
        caller: Idx<Task>,
        file: File,
        ns: Idx<UserNamespace>,
        kind: MapKind,
        offset: u64,
        text: &[u8],
    ) -> Result<usize, Denial> {
        let opener = &self.creds[file.cred];
        let parent = self.user_ns[ns].common.owner;
        // user_namespaces(7): the first namespace's map is fixed.
        self.refuse_if(parent.is_none(), Rule::MapInitNs)?;
        // user_namespaces(7): the writer is in the namespace or its parent.
        let related = opener.user_ns == ns || Some(opener.user_ns) == parent;
        self.refuse_if(!related, Rule::MapOpener)?;
        // user_namespaces(7): written whole, from the start.
        let whole = offset == 0 && text.len() < PAGE_SIZE;
        self.refuse_if(!whole, Rule::MapPosition)?;
        // user_namespaces(7): written once.
        let set = !self.map_of(ns, kind).is_empty();
        self.refuse_if(set, Rule::MapAlreadySet)?;
        // user_namespaces(7): the opener holds CAP_SYS_ADMIN in the namespace.
        let admin = kind == MapKind::Projid || self.cred_capable(opener, ns, Cap::SysAdmin);
        self.refuse_if(!admin, Rule::MapAdmin)?;
        let mut extents = self.parse_map(until_nul(text))?;
        let Some(parent) = parent else {
            // proc_uid_map_write EPERM: the first one has no parent.
            return Err(self.params.denial(Rule::MapInitNs));
        };
        self.new_idmap_permitted(caller, file, (ns, parent), kind, &extents)?;
        for extent in &mut extents {
            // user_namespaces(7): the parent must be able to name every id.
            let lower = self.map_of(parent, kind).range_down(extent.lower, extent.count);
            self.refuse_if(lower.is_none(), Rule::MapParentUnmapped)?;
            extent.lower = lower.unwrap_or(extent.lower);
        }
        if self.params.lacks(Effect::MapStart) {
            for extent in &mut extents {
                extent.lower = extent.lower.wrapping_add(1);
            }
        }
        let map = IdMap::install(extents);
        let target = &mut self.user_ns[ns];
        match kind {
            MapKind::Uid => target.uid_map = map,
            MapKind::Gid => target.gid_map = map,
            MapKind::Projid => target.projid_map = map,
        }
        Ok(text.len())
    }

    fn parse_map(&self, text: &[u8]) -> Result<Vec<Extent>, Denial> {
        let mut extents: Vec<Extent> = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (mut line, next) = Line::split(text);
            rest = next;
            // user_namespaces(7): three numbers a line.
            let extent = line.extent();
            self.refuse_if(extent.is_none(), Rule::MapSyntax)?;
            let Some(extent) = extent else { continue };
            self.check_extent(extent, &extents)?;
            // user_namespaces(7): at most 340 lines.
            let full = extents.len() + 1 == MAX_EXTENTS && rest.is_some();
            self.refuse_if(full, Rule::MapTooManyExtents)?;
            extents.push(extent);
        }
        // map_write: at least one line.
        self.refuse_if(extents.is_empty(), Rule::MapEmpty)?;
        Ok(extents)
    }

    /// What a host reads in a map is taken as it is, as long as an id inside means one
    /// outside. Ranges outside that the reader cannot name all read the same.
    pub(crate) fn check_host_map(&self, extents: &[Extent]) -> Result<(), Denial> {
        let refuse = |rule| Err(self.params.denial(rule));
        if extents.len() > MAX_EXTENTS {
            return refuse(Rule::MapTooManyExtents);
        }
        for (at, extent) in extents.iter().enumerate() {
            if extent.count == 0 || extent.first.checked_add(extent.count).is_none() {
                return refuse(Rule::MapWrap);
            }
            if extents[..at].iter().any(|other| other.overlaps_inside(*extent)) {
                return refuse(Rule::MapOverlap);
            }
        }
        Ok(())
    }

    fn check_extent(&self, extent: Extent, earlier: &[Extent]) -> Result<(), Denial> {
        // map_write: (u32)-1 is "no id".
        let invalid = extent.first == INVALID || extent.lower == INVALID;
        self.refuse_if(invalid, Rule::MapInvalidId)?;
        // map_write: at least one id, none past the last.
        let fits = |start: u32| start.checked_add(extent.count).is_some();
        let wraps = extent.count == 0 || !fits(extent.first) || !fits(extent.lower);
        self.refuse_if(wraps, Rule::MapWrap)?;
        // user_namespaces(7): ranges do not overlap, in either column.
        let overlaps = !wraps && earlier.iter().any(|other| other.overlaps(extent));
        self.refuse_if(overlaps, Rule::MapOverlap)
    }

    fn new_idmap_permitted(
        &self,
        caller: Idx<Task>,
        file: File,
        (ns, parent): (Idx<UserNamespace>, Idx<UserNamespace>),
        kind: MapKind,
        extents: &[Extent],
    ) -> Result<(), Denial> {
        let opener = &self.creds[file.cred];
        let target = &self.user_ns[ns];
        if kind == MapKind::Uid && extents.iter().any(|extent| extent.lower == 0) {
            // user_namespaces(7), since 5.12: mapping the parent's root.
            let allowed = if opener.user_ns == ns {
                target.parent_could_setfcap
            } else {
                self.cred_capable(opener, parent, Cap::Setfcap)
            };
            self.refuse_if(!allowed, Rule::MapRootNeedsSetfcap)?;
        }
        let cap = match kind {
            MapKind::Uid => Cap::Setuid,
            MapKind::Gid => Cap::Setgid,
            MapKind::Projid => return Ok(()),
        };
        if let [only] = extents
            && only.count == 1
            && target.owner == opener.euid
        {
            let own = match kind {
                MapKind::Uid => self.make_kuid(parent, only.lower) == Some(opener.euid),
                _ => !target.setgroups_allowed && self.make_kgid(parent, only.lower) == Some(opener.egid),
            };
            if own {
                return Ok(());
            }
        }
        // user_namespaces(7): writer and opener hold CAP_SETUID (CAP_SETGID) in the parent.
        let capable = self.ns_capable(caller, parent, cap) && self.cred_capable(opener, parent, cap);
        self.refuse_if(!capable, Rule::MapNotPermitted)
    }

    /// A map as a reader sees it: the outside column is in the reader's numbering.
    pub(crate) fn read_map(
        &self,
        ns: Idx<UserNamespace>,
        kind: MapKind,
        reader: Idx<UserNamespace>,
    ) -> Vec<Extent> {
        let lower_ns = if reader == ns { self.user_ns[ns].common.owner.unwrap_or(ns) } else { reader };
        let lower_map = self.map_of(lower_ns, kind);
        let translate =
            |extent: &Extent| Extent { lower: lower_map.up(extent.lower).unwrap_or(INVALID), ..*extent };
        self.map_of(ns, kind).extents().iter().map(translate).collect()
    }
}
