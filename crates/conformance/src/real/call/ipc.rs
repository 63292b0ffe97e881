//! System V objects and message queues.

use nsproxy::op::Op;

use super::{Answer, Broken, Hand, arg};

const IPC_NOWAIT: i32 = 0o4000;
const SEM_UNDO: i32 = 0x1000;
const GETVAL: i32 = 12;
const MSG_NOERROR: i32 = 0o10000;

impl Hand<'_> {
    pub(super) fn perform_ipc(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Shmget { key, size, flags } => {
                self.plain(libc::SYS_shmget, [arg(*key), *size, u64::from(*flags)])
            }
            Op::Shmat(id) => self.plain(libc::SYS_shmat, [arg(*id), 0, 0]),
            Op::Shmdt(id) => self.shmdt(*id),
            Op::ShmRemove(id) => self.plain(libc::SYS_shmctl, [arg(*id), 0, 0]),
            Op::Semget { key, count, flags } => {
                self.plain(libc::SYS_semget, [arg(*key), *count as u64, u64::from(*flags)])
            }
            Op::Semop { id, op } => {
                let flags = IPC_NOWAIT | if op.undo { SEM_UNDO } else { 0 };
                let mut words = op.number.to_le_bytes().to_vec();
                words.extend(op.change.to_le_bytes());
                words.extend(u16::try_from(flags).unwrap_or(0).to_le_bytes());
                let operation = self.args.bytes(&words);
                self.plain(libc::SYS_semop, [arg(*id), operation, 1])
            }
            Op::Msgget { key, flags } => self.plain(libc::SYS_msgget, [arg(*key), u64::from(*flags)]),
            Op::SemValue { id, number } => {
                self.plain(libc::SYS_semctl, [arg(*id), u64::from(*number), arg(GETVAL), 0])
            }
            Op::SemRemove(id) => self.plain(libc::SYS_semctl, [arg(*id), 0, 0, 0]),
            Op::Msgrcv(id) => self.msgrcv(*id),
            Op::MsgRemove(id) => self.plain(libc::SYS_msgctl, [arg(*id), 0, 0]),
            Op::MqUnlink(name) => {
                let Some(bare) = name.strip_prefix('/') else {
                    return Ok(Answer::Refused(libc::EINVAL));
                };
                let name = self.args.string(bare);
                self.plain(libc::SYS_mq_unlink, [name])
            }
            Op::Msgsnd { id, kind, text } => {
                let mut message = kind.to_le_bytes().to_vec();
                message.extend(text);
                let message = self.args.bytes(&message);
                self.plain(libc::SYS_msgsnd, [arg(*id), message, text.len() as u64, arg(IPC_NOWAIT)])
            }
            Op::MqOpen { name, create, exclusive } => self.mq_open(name, *create, *exclusive),
            _ => self.perform_net(op),
        }
    }

    fn mq_open(&mut self, name: &str, create: bool, exclusive: bool) -> Result<Answer, Broken> {
        // The system call knows no slash: mq_open(3) takes it off, or refuses.
        let Some(bare) = name.strip_prefix('/') else {
            return Ok(Answer::Refused(libc::EINVAL));
        };
        let name = self.args.string(bare);
        let mut flags = libc::O_RDWR | libc::O_CLOEXEC;
        if create {
            flags |= libc::O_CREAT;
        }
        if exclusive {
            flags |= libc::O_EXCL;
        }
        // Small, so that RLIMIT_MSGQUEUE is not what refuses.
        let attributes = self.args.u64s(&[0, 1, 8, 0, 0, 0, 0, 0]);
        self.plain(libc::SYS_mq_open, [name, arg(flags), 0o600, attributes])
    }

    fn msgrcv(&mut self, id: i32) -> Result<Answer, Broken> {
        const ROOM: usize = 8192;
        let place = self.args.room(ROOM + 8);
        let flags = arg(IPC_NOWAIT | MSG_NOERROR);
        let raw = self.sys(libc::SYS_msgrcv, [arg(id), place, ROOM as u64, 0, flags])?;
        Ok(match raw {
            Ok(len) => {
                let len = usize::try_from(len).unwrap_or(0);
                Answer::Message(Some(self.args.read(place + 8, len)))
            }
            Err(Answer::Refused(libc::ENOMSG)) => Answer::Message(None),
            Err(answer) => answer,
        })
    }

    /// Detaches the segment attached first, which lies highest.
    fn shmdt(&mut self, id: i32) -> Result<Answer, Broken> {
        let own = self.call.kernel.status(self.call.world, self.call.task);
        let own = own.map_err(|denial| denial.to_string())?.pid;
        let maps = self.real.read_file(&format!("{own}/maps")).unwrap_or_default();
        let number = id.to_string();
        let address = maps
            .lines()
            .filter(|line| line.contains("/SYSV") && line.split_whitespace().nth(4) == Some(&number))
            .filter_map(|line| u64::from_str_radix(line.split('-').next()?, 16).ok())
            .max();
        self.plain(libc::SYS_shmdt, [address.unwrap_or(1)])
    }
}
