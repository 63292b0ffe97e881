//! System V objects and message queues.

use nsproxy::op::Op;

use super::{Answer, Broken, Hand, arg};

const IPC_NOWAIT: i32 = 0o4000;
const SEM_UNDO: i32 = 0x1000;

impl Hand<'_> {
    pub(super) fn perform_ipc(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Shmget { key, size, flags } => {
                self.plain(libc::SYS_shmget, [arg(*key), *size, u64::from(*flags)])
            }
            Op::Shmat(id) => self.plain(libc::SYS_shmat, [arg(*id), 0, 0]),
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
            Op::Msgsnd { id, text } => {
                let mut message = 1_u64.to_le_bytes().to_vec();
                message.extend(text);
                let message = self.args.bytes(&message);
                self.plain(libc::SYS_msgsnd, [arg(*id), message, text.len() as u64, arg(IPC_NOWAIT)])
            }
            Op::MqOpen { name, create } => self.mq_open(name, *create),
            _ => self.perform_net(op),
        }
    }

    fn mq_open(&mut self, name: &str, create: bool) -> Result<Answer, Broken> {
        // The system call knows no slash: mq_open(3) takes it off, or refuses.
        let Some(bare) = name.strip_prefix('/') else {
            return Ok(Answer::Refused(libc::EINVAL));
        };
        let name = self.args.string(bare);
        let mut flags = libc::O_RDWR | libc::O_CLOEXEC;
        if create {
            flags |= libc::O_CREAT;
        }
        // Small, so that RLIMIT_MSGQUEUE is not what refuses.
        let attributes = self.args.u64s(&[0, 1, 8, 0, 0, 0, 0, 0]);
        self.plain(libc::SYS_mq_open, [name, arg(flags), 0o600, attributes])
    }
}
