//! A call of the model as system calls of an actor: one each, but where a file is
//! opened, written and closed.

mod args;
mod file;
mod ipc;
mod mount;
mod net;

use std::time::{Duration, Instant};

use nsproxy::op::{CloneOddity, Op};
use nsproxy::{Disposition, Fd, Kernel, Prctl, Reboot, Resource, TaskId};

use super::{Outcome, PROC_FD, Real};
use crate::sys;
use args::Arguments;

/// How long an actor may take that the model expects to answer.
const SOON: Duration = Duration::from_secs(20);
/// How long is waited for one of two things before the other is looked at.
const GLANCE: Duration = Duration::from_millis(5);

const LOST_CHILD: &str = "the new task does not come to its loop";

/// The kernel's answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This errno.
    Refused(i32),
    /// What the call returned, where that means something.
    Number(u64),
    /// A new task, and the descriptor asked for with `CLONE_PIDFD`.
    Child { pid: u64, pidfd: Option<i32> },
    /// A child and its status word.
    Waited { pid: u64, status: u32 },
    /// `NS_MNT_GET_INFO`.
    Mounts { count: u32, id: u64 },
    /// A message, or none yet.
    Message(Option<Vec<u8>>),
    /// Ids of namespaces.
    Ids(Vec<u64>),
    /// `PIDFD_GET_INFO`: pid, tgid, ppid, four user and four group ids.
    Info([u32; 11]),
    /// None: the caller ended in the call or is held in it.
    Pending,
}

/// Who makes a call, and what the model knew of the world before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) kernel: &'a Kernel,
    /// The world's first process: its numbers are those of the world's /proc.
    pub(crate) world: TaskId,
    pub(crate) task: TaskId,
    pub(crate) slot: usize,
    /// The slot for a task that the call makes.
    pub(crate) child: usize,
    /// Whether the model expects no answer: the caller ends, or is held.
    pub(crate) lost: bool,
}

/// An answer that is not one of the kernel's, or none where one had to come.
pub(crate) type Broken = String;

impl Real {
    /// Lets an actor make a call.
    pub(crate) fn perform(&self, call: &Call<'_>, op: &Op) -> Result<Answer, Broken> {
        let mut hand = Hand { real: self, call, args: Arguments::new(&self.mailbox, call.slot) };
        hand.perform(op)
    }
}

/// An actor's hand, for the time of one call.
struct Hand<'a> {
    real: &'a Real,
    call: &'a Call<'a>,
    args: Arguments<'a>,
}

/// The kernel's answer, or an errno.
type Raw = Result<u64, Answer>;

fn done(raw: Raw) -> Answer {
    match raw {
        Ok(number) => Answer::Number(number),
        Err(answer) => answer,
    }
}

/// An argument as the kernel's register has it.
fn arg(value: i32) -> u64 {
    i64::from(value).cast_unsigned()
}

impl Hand<'_> {
    fn make(&self, number: i64, args: [u64; 6], child: Option<usize>) -> Result<Raw, Broken> {
        let patience = if self.call.lost { Duration::ZERO } else { SOON };
        match self.real.order(self.call.slot, number, args, child, patience) {
            Outcome::Pending if self.call.lost => Ok(Err(Answer::Pending)),
            Outcome::Pending => Err(format!("no answer to system call {number} with {args:x?}")),
            Outcome::Answer(answer) => Ok(match sys::errno_of(answer) {
                Some(errno) => Err(Answer::Refused(errno)),
                None => Ok(answer.cast_unsigned()),
            }),
        }
    }

    fn sys<const N: usize>(&self, number: i64, args: [u64; N]) -> Result<Raw, Broken> {
        let mut all = [0; 6];
        all[..N].copy_from_slice(&args);
        self.make(number, all, None)
    }

    /// A call whose answer is what matters.
    fn plain<const N: usize>(&self, number: i64, args: [u64; N]) -> Result<Answer, Broken> {
        self.sys(number, args).map(done)
    }

    fn perform(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Clone(flags) => self.clone_old(*flags),
            Op::Clone3 { flags, exit_signal, set_tid, cgroup } => {
                self.clone3(*flags, *exit_signal, set_tid, *cgroup)
            }
            Op::Clone3Odd { flags, oddity } => self.clone3_odd(*flags, *oddity),
            Op::Unshare(flags) => self.plain(libc::SYS_unshare, [*flags]),
            Op::Setns { fd, flags } => self.plain(libc::SYS_setns, [arg(*fd), u64::from(*flags)]),
            Op::Exit(code) => self.plain(libc::SYS_exit, [u64::from(*code)]),
            Op::ExitGroup(code) => self.plain(libc::SYS_exit_group, [u64::from(*code)]),
            Op::Wait { pid, options } => self.wait4(*pid, *options),
            Op::Kill { pid, signal } => self.plain(libc::SYS_kill, [arg(*pid), u64::from(*signal)]),
            Op::Tgkill { tgid, tid, signal } => {
                self.plain(libc::SYS_tgkill, [arg(*tgid), arg(*tid), u64::from(*signal)])
            }
            Op::PidfdSendSignal { fd, signal, flags } => {
                let (signal, flags) = (u64::from(*signal), u64::from(*flags));
                self.plain(libc::SYS_pidfd_send_signal, [arg(*fd), signal, 0, flags])
            }
            Op::Sigaction { signal, to } => self.sigaction(*signal, *to),
            Op::Sigprocmask(blocked) => {
                let set = self.args.u64s(&[*blocked]);
                self.plain(libc::SYS_rt_sigprocmask, [arg(libc::SIG_SETMASK), set, 0, 8])
            }
            Op::Execve(program) => self.execve(program),
            Op::Setpgid { pid, pgid } => self.plain(libc::SYS_setpgid, [arg(*pid), arg(*pgid)]),
            Op::Setsid => self.plain(libc::SYS_setsid, [0]),
            Op::Reboot(command) => self.reboot(*command),
            Op::Settle => Ok(Answer::Number(0)),
            _ => self.perform_cred(op),
        }
    }

    fn perform_cred(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Setuid(id) => self.plain(libc::SYS_setuid, [u64::from(*id)]),
            Op::Setgid(id) => self.plain(libc::SYS_setgid, [u64::from(*id)]),
            Op::Setreuid([r, e]) => self.plain(libc::SYS_setreuid, [*r, *e].map(u64::from)),
            Op::Setregid([r, e]) => self.plain(libc::SYS_setregid, [*r, *e].map(u64::from)),
            Op::Setfsuid(id) => self.plain(libc::SYS_setfsuid, [u64::from(*id)]),
            Op::Setfsgid(id) => self.plain(libc::SYS_setfsgid, [u64::from(*id)]),
            Op::Setresuid([r, e, s]) => self.plain(libc::SYS_setresuid, [*r, *e, *s].map(u64::from)),
            Op::Setresgid([r, e, s]) => self.plain(libc::SYS_setresgid, [*r, *e, *s].map(u64::from)),
            Op::Setgroups(groups) => {
                let list = self.args.u32s(groups);
                self.plain(libc::SYS_setgroups, [groups.len() as u64, list])
            }
            Op::Capset(sets) => self.capset(0, sets),
            Op::CapsetOf { pid, sets } => self.capset(*pid, sets),
            Op::Prctl(operation) => self.prctl(*operation),
            Op::Prlimit { resource, limit } => self.prlimit(0, *resource, *limit, *limit),
            Op::PrlimitOf { pid, resource, soft, hard } => self.prlimit(*pid, *resource, *soft, *hard),
            Op::Sethostname(name) => {
                let text = self.args.bytes(name.as_bytes());
                self.plain(libc::SYS_sethostname, [text, name.len() as u64])
            }
            Op::SethostnameOdd { length, fault } => {
                let name = if *fault { 1 } else { self.args.bytes(&[b'x'; 128]) };
                self.plain(libc::SYS_sethostname, [name, length.cast_unsigned()])
            }
            Op::Setdomainname(name) => {
                let text = self.args.bytes(name.as_bytes());
                self.plain(libc::SYS_setdomainname, [text, name.len() as u64])
            }
            _ => self.perform_file(op),
        }
    }

    fn wait4(&mut self, pid: i32, options: u32) -> Result<Answer, Broken> {
        let status = self.args.u32s(&[0]);
        // Nobody may sleep here: what would sleep is asked not to.
        let options = u64::from(options | nsproxy::uapi::WNOHANG);
        let raw = self.sys(libc::SYS_wait4, [arg(pid), status, options, 0])?;
        Ok(match raw {
            Ok(pid) if pid > 0 => Answer::Waited { pid, status: self.args.read_u32(status) },
            other => done(other),
        })
    }

    fn sigaction(&mut self, signal: u32, to: Disposition) -> Result<Answer, Broken> {
        let handler = match to {
            Disposition::Default => 0,
            Disposition::Ignore => 1,
            Disposition::Handle => (sys::HANDLER)(),
        };
        let restorer = 0x0400_0000;
        let action = self.args.u64s(&[handler, restorer, (sys::RESTORER)(), 0]);
        self.plain(libc::SYS_rt_sigaction, [u64::from(signal), action, 0, 8])
    }

    fn reboot(&mut self, command: Reboot) -> Result<Answer, Broken> {
        let command = match command {
            Reboot::Restart => 0x0123_4567,
            Reboot::Halt => 0xcdef_0123,
            // Ctrl-Alt-Del on: nothing a pid namespace knows.
            Reboot::Other => 0x89ab_cdef,
        };
        self.plain(libc::SYS_reboot, [0xfee1_dead, 672_274_793, command, 0])
    }

    fn capset(&mut self, pid: i32, sets: &nsproxy::CapSets) -> Result<Answer, Broken> {
        let header = self.args.u32s(&[0x2008_0522, pid.cast_unsigned()]);
        let half = |set: nsproxy::CapSet, high: bool| {
            let bits = if high { set.bits() >> 32 } else { set.bits() & 0xffff_ffff };
            u32::try_from(bits).unwrap_or(0)
        };
        let words: Vec<u32> = [false, true]
            .into_iter()
            .flat_map(|high| [sets.effective, sets.permitted, sets.inheritable].map(|set| half(set, high)))
            .collect();
        let data = self.args.u32s(&words);
        self.plain(libc::SYS_capset, [header, data])
    }

    fn prctl(&mut self, operation: Prctl) -> Result<Answer, Broken> {
        let ambient = |what: i32, cap: u64| (libc::PR_CAP_AMBIENT, arg(what), cap);
        let (option, second, third) = match operation {
            Prctl::SetChildSubreaper(on) => (libc::PR_SET_CHILD_SUBREAPER, u64::from(on), 0),
            Prctl::SetNoNewPrivs(value) => (libc::PR_SET_NO_NEW_PRIVS, value, 0),
            Prctl::SetSecurebits(bits) => (libc::PR_SET_SECUREBITS, u64::from(bits), 0),
            Prctl::SetKeepcaps(value) => (libc::PR_SET_KEEPCAPS, value, 0),
            Prctl::SetDumpable(value) => (libc::PR_SET_DUMPABLE, value, 0),
            Prctl::SetPdeathsig(signal) => (libc::PR_SET_PDEATHSIG, u64::from(signal), 0),
            Prctl::CapbsetDrop(cap) => (libc::PR_CAPBSET_DROP, cap, 0),
            Prctl::AmbientRaise(cap) => ambient(libc::PR_CAP_AMBIENT_RAISE, cap),
            Prctl::AmbientLower(cap) => ambient(libc::PR_CAP_AMBIENT_LOWER, cap),
            Prctl::AmbientClearAll => ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0),
        };
        self.plain(libc::SYS_prctl, [arg(option), second, third, 0, 0])
    }

    fn prlimit(&mut self, pid: i32, resource: Resource, soft: u64, hard: u64) -> Result<Answer, Broken> {
        let number = match resource {
            Resource::Nproc => libc::RLIMIT_NPROC,
            Resource::Msgqueue => libc::RLIMIT_MSGQUEUE,
            Resource::Sigpending => libc::RLIMIT_SIGPENDING,
            Resource::Memlock => libc::RLIMIT_MEMLOCK,
            Resource::Nofile => libc::RLIMIT_NOFILE,
        };
        let limits = self.args.u64s(&[soft, hard]);
        // The C libraries do not agree on the type of the number.
        #[allow(clippy::cast_lossless)]
        let number = number as u64;
        self.plain(libc::SYS_prlimit64, [arg(pid), number, limits, 0])
    }

    fn clone_old(&mut self, flags: u64) -> Result<Answer, Broken> {
        let places = self.args.u32s(&[u32::MAX, 0]);
        let raw = self.make(libc::SYS_clone, [flags, 0, places, places + 4, 0, 0], Some(self.call.child))?;
        self.child(raw, flags, places)
    }

    fn clone3(&mut self, flags: u64, signal: u64, set_tid: &[i32], cgroup: Fd) -> Result<Answer, Broken> {
        let places = self.args.u32s(&[u32::MAX, 0, 0]);
        let tids: Vec<u32> = set_tid.iter().map(|tid| tid.cast_unsigned()).collect();
        let array = if tids.is_empty() { 0 } else { self.args.u32s(&tids) };
        // As the model has it: what is no descriptor is no number either.
        let cgroup = u64::try_from(cgroup).unwrap_or(u64::MAX);
        let parts =
            [flags, places, places + 4, places + 8, signal, 0, 0, 0, array, set_tid.len() as u64, cgroup];
        let place = self.args.u64s(&parts);
        let raw = self.make(libc::SYS_clone3, [place, 88, 0, 0, 0, 0], Some(self.call.child))?;
        self.child(raw, flags, places)
    }

    fn clone3_odd(&mut self, flags: u64, oddity: CloneOddity) -> Result<Answer, Broken> {
        let places = self.args.u32s(&[u32::MAX, 0, 0]);
        let signal = libc::SIGCHLD as u64;
        let mut parts = [0; 520];
        parts[..5].copy_from_slice(&[flags, places, places + 4, places + 8, signal]);
        let mut size = 88;
        match oddity {
            CloneOddity::SizeTooBig => size = 4097,
            CloneOddity::SizeTooSmall => size = 63,
            CloneOddity::NoCgroupField => size = 80,
            CloneOddity::Fault => {}
            CloneOddity::Tail => {
                size = 96;
                parts[11] = 1;
            }
            CloneOddity::SetTidNull => parts[9] = 1,
            CloneOddity::SetTidEmpty => parts[8] = places,
            CloneOddity::SetTidFault => (parts[8], parts[9]) = (1, 1),
            CloneOddity::StackWithoutSize => parts[5] = 0x1_0000,
            CloneOddity::PidfdFault => parts[1] = u64::MAX,
        }
        let place = self.args.u64s(&parts);
        let place = if oddity == CloneOddity::Fault { 1 } else { place };
        let raw = self.make(libc::SYS_clone3, [place, size, 0, 0, 0, 0], Some(self.call.child))?;
        self.child(raw, flags, places)
    }

    fn child(&self, raw: Raw, flags: u64, pidfd: u64) -> Result<Answer, Broken> {
        let answer = match raw {
            Ok(pid) => {
                let wanted = flags & nsproxy::uapi::CLONE_PIDFD != 0;
                let pidfd = wanted.then(|| self.args.read_u32(pidfd).cast_signed());
                Answer::Child { pid, pidfd }
            }
            Err(answer) => answer,
        };
        match answer {
            Answer::Child { .. } if self.real.arrived(self.call.child, SOON) => Ok(answer),
            Answer::Child { .. } => Err(LOST_CHILD.into()),
            Answer::Pending => self.child_of_held(),
            _ => Ok(answer),
        }
    }

    /// The caller is held until the child it made lets it go, or it is not, as it was refused.
    fn child_of_held(&self) -> Result<Answer, Broken> {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            if self.real.arrived(self.call.child, GLANCE) {
                return Ok(Answer::Pending);
            }
            if let Outcome::Answer(answer) = self.real.answer(self.call.slot, Duration::ZERO)
                && let Some(errno) = sys::errno_of(answer)
            {
                return Ok(Answer::Refused(errno));
            }
        }
        Err(LOST_CHILD.into())
    }

    fn execve(&mut self, program: &nsproxy::Program) -> Result<Answer, Broken> {
        let empty = self.args.bytes(b"\0");
        let flags = arg(libc::AT_EMPTY_PATH);
        if program.not_executable && program.ordinary() {
            // A directory is not one either, and the check is the same.
            return self.plain(libc::SYS_execveat, [arg(PROC_FD), empty, 0, 0, flags]);
        }
        let letter = u8::try_from(self.call.slot).unwrap_or(0) + b'A';
        let name = self.args.bytes(&[letter, 0]);
        let argv = self.args.u64s(&[name, 0]);
        if !program.ordinary() {
            let path = self.args.string(super::FILE);
            return self.plain(libc::SYS_execve, [path, argv, 0]);
        }
        self.plain(libc::SYS_execveat, [arg(sys::PROGRAM_FD), empty, argv, 0, flags])
    }
}

impl Real {
    /// The answer to a call that held its caller and goes on now.
    pub(crate) fn finish(&self, call: &Call<'_>, op: &Op) -> Result<Answer, Broken> {
        let raw = match self.answer(call.slot, SOON) {
            Outcome::Pending => return Err(format!("no answer at last to {op:?}")),
            Outcome::Answer(answer) => match sys::errno_of(answer) {
                Some(errno) => Err(Answer::Refused(errno)),
                None => Ok(answer.cast_unsigned()),
            },
        };
        let flags = match op {
            Op::Clone(flags) | Op::Clone3 { flags, .. } | Op::Clone3Odd { flags, .. } => *flags,
            _ => return Ok(done(raw)),
        };
        let hand = Hand { real: self, call, args: Arguments::new(&self.mailbox, call.slot) };
        Ok(match raw {
            Ok(pid) => {
                let wanted = flags & nsproxy::uapi::CLONE_PIDFD != 0;
                // It was the first thing put into the slot.
                let place = self.mailbox.slot(call.slot) + crate::sys::DATA;
                Answer::Child { pid, pidfd: wanted.then(|| hand.args.read_u32(place).cast_signed()) }
            }
            Err(answer) => answer,
        })
    }
}
