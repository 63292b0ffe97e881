//! Mounts by descriptor: made, moved, changed, and asked for by number.

use nsproxy::MountAttr;
use nsproxy::op::{MntNsWanted, MountWanted, Op};

use super::super::{PROC_FD, SPARE_FD};
use super::{Answer, Broken, Hand, Raw, arg, done};

const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
/// A number that no mount and no mount namespace has.
const NOBODY: u64 = u64::MAX >> 2;
const NS_GET_MNTNS_ID: u64 = 2 << 30 | 8 << 16 | 0xb705;
const STATX_MNT_ID_UNIQUE: u64 = 0x4000;
/// Where `struct statx` has it.
const STX_MNT_ID: u64 = 144;
const STATMOUNT_MNT_BASIC: u64 = 2;
/// More mounts than a world has.
const MOUNTS: u64 = 1000;

/// The errno where a call made before the one that counts is refused.
macro_rules! or_refused {
    ($raw:expr) => {
        match $raw {
            Ok(value) => value,
            Err(answer) => return Ok(answer),
        }
    };
}

impl Hand<'_> {
    pub(super) fn perform_mount(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::MountSetattrFd { fd, flags, attr } => {
                let path = self.args.string("");
                self.mount_setattr(*fd, path, *flags | libc::AT_EMPTY_PATH.unsigned_abs(), attr)
            }
            Op::OpenTree { path, flags } => {
                let path = self.args.string(path);
                let flags = *flags | nsproxy::uapi::OPEN_TREE_CLOEXEC;
                self.plain(libc::SYS_open_tree, [arg(libc::AT_FDCWD), path, u64::from(flags)])
            }
            Op::Fsmount { fstype, flags, attr } => self.fsmount(fstype, *flags, *attr),
            Op::MoveMount { fd, target } => {
                const MOVE_MOUNT_F_EMPTY_PATH: u64 = 4;
                let (from, to) = (self.args.string(""), self.args.string(target));
                let here = arg(libc::AT_FDCWD);
                self.plain(libc::SYS_move_mount, [arg(*fd), from, here, to, MOVE_MOUNT_F_EMPTY_PATH])
            }
            Op::MountProc { pidns, target } => self.mount_proc(*pidns, target),
            Op::Listmount { mount, ns, flags } => {
                let request = or_refused!(self.mnt_id_req(*mount, *ns, 0)?);
                let room = self.args.room(8 * usize::try_from(MOUNTS).unwrap_or(0));
                let raw = self.sys(LISTMOUNT, [request, room, MOUNTS, u64::from(*flags)])?;
                Ok(match raw {
                    Ok(count) => {
                        Answer::Ids((0..count).map(|at| self.args.read_u64(room + 8 * at)).collect())
                    }
                    Err(answer) => answer,
                })
            }
            Op::Statmount { mount, ns, flags } => {
                let request = or_refused!(self.mnt_id_req(*mount, *ns, STATMOUNT_MNT_BASIC)?);
                let room = self.args.room(512);
                self.plain(STATMOUNT, [request, room, 512, u64::from(*flags)])
            }
            _ => self.perform_ipc(op),
        }
    }

    pub(super) fn mount_setattr(
        &mut self,
        at: i32,
        path: u64,
        flags: u32,
        attr: &MountAttr,
    ) -> Result<Answer, Broken> {
        let userns = arg(attr.userns_fd);
        let attr = self.args.u64s(&[attr.set, attr.clear, attr.propagation, userns]);
        self.plain(libc::SYS_mount_setattr, [arg(at), path, u64::from(flags), attr, 32])
    }

    /// The filesystem's own descriptor is out of the way while the mount gets its number.
    fn fsmount(&mut self, fstype: &str, flags: u32, attr: u64) -> Result<Answer, Broken> {
        const FSCONFIG_SET_STRING: u64 = 1;
        const FSCONFIG_CMD_CREATE: u64 = 6;
        let tmpfs = fstype == "tmpfs";
        let fstype = self.args.string(fstype);
        let fd = or_refused!(self.sys(libc::SYS_fsopen, [fstype, 1])?);
        let broken = |answer: Answer| format!("the descriptor of a filesystem: {answer:?}");
        let spare = arg(SPARE_FD);
        self.sys(libc::SYS_dup3, [fd, spare, arg(libc::O_CLOEXEC)])?.map_err(broken)?;
        self.sys(libc::SYS_close, [fd])?.map_err(broken)?;
        if tmpfs {
            // The model's directories have this mode, unlike the root of a tmpfs.
            let (key, value) = (self.args.string("mode"), self.args.string("755"));
            self.sys(libc::SYS_fsconfig, [spare, FSCONFIG_SET_STRING, key, value, 0])?.map_err(broken)?;
        }
        let made = match self.sys(libc::SYS_fsconfig, [spare, FSCONFIG_CMD_CREATE, 0, 0, 0])? {
            Ok(_) => {
                let flags = flags | nsproxy::uapi::FSMOUNT_CLOEXEC;
                self.sys(libc::SYS_fsmount, [spare, u64::from(flags), attr])?
            }
            refused => refused,
        };
        self.sys(libc::SYS_close, [spare])?.map_err(broken)?;
        Ok(done(made))
    }

    /// The namespace is named by a path below the world's /proc.
    fn mount_proc(&mut self, pidns: i32, target: &str) -> Result<Answer, Broken> {
        let own = self.own_number()?;
        let target = self.args.string(target);
        let (none, proc) = (self.args.string("none"), self.args.string("proc"));
        let data = self.args.string(&format!("pidns={own}/fd/{pidns}"));
        self.inside(PROC_FD, |hand| hand.plain(libc::SYS_mount, [none, target, proc, 0, data]))
    }

    /// `struct mnt_id_req`, or what refused to tell a number for it.
    fn mnt_id_req(&mut self, mount: MountWanted, ns: MntNsWanted, param: u64) -> Result<Raw, Broken> {
        const SIZE: u64 = 32;
        const LSMT_ROOT: u64 = u64::MAX;
        let mount = match mount {
            MountWanted::Root => Ok(LSMT_ROOT),
            MountWanted::Of(fd) => self.mount_id(fd)?,
            MountWanted::Nobody => Ok(NOBODY),
        };
        let id = match ns {
            MntNsWanted::Id(fd) | MntNsWanted::Both(fd) => self.mntns_id(fd)?,
            MntNsWanted::Nobody => Ok(NOBODY),
            MntNsWanted::Own | MntNsWanted::Fd(_) => Ok(0),
        };
        let fd = match ns {
            MntNsWanted::Fd(fd) | MntNsWanted::Both(fd) => u64::from(fd.cast_unsigned()),
            _ => 0,
        };
        Ok(mount.and_then(|mount| {
            let id = id?;
            Ok(self.args.u64s(&[SIZE | fd << 32, mount, param, id]))
        }))
    }

    fn mount_id(&mut self, fd: i32) -> Result<Raw, Broken> {
        let empty = self.args.string("");
        let room = self.args.room(256);
        let flags = arg(libc::AT_EMPTY_PATH);
        let raw = self.sys(libc::SYS_statx, [arg(fd), empty, flags, STATX_MNT_ID_UNIQUE, room])?;
        Ok(raw.map(|_| self.args.read_u64(room + STX_MNT_ID)))
    }

    fn mntns_id(&mut self, fd: i32) -> Result<Raw, Broken> {
        let place = self.args.room(8);
        let raw = self.sys(libc::SYS_ioctl, [arg(fd), NS_GET_MNTNS_ID, place])?;
        Ok(raw.map(|_| self.args.read_u64(place)))
    }
}
