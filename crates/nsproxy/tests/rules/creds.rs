//! Signals, waiting, ids, capabilities, exec.

use super::*;
use nsproxy::{Disposition, Errno, FileCaps, Hook, Prctl, Program, Reboot, Resource};

/// Root's shell after a change of its capabilities.
fn without(cap: Cap, bad: bool) -> (Kernel, TaskId) {
    let (mut kernel, _, shell) = boot();
    if bad {
        drop_cap(&mut kernel, shell, cap);
    }
    (kernel, shell)
}

fn sets(effective: CapSet, permitted: CapSet, inheritable: CapSet) -> CapSets {
    CapSets { effective, permitted, inheritable }
}

const ONE: CapSet = CapSet::EMPTY.with(Cap::Kill);
const TWO: CapSet = ONE.with(Cap::Chown);

/// A task with `CAP_KILL` alone sets these.
fn capset(pid: i32, to: CapSets) -> Result<(), Denial> {
    let (mut kernel, _, shell) = boot();
    kernel.capset(shell, 0, sets(ONE, ONE, CapSet::EMPTY)).unwrap();
    kernel.capset(shell, pid, to)
}

pub(super) const CASES: &[Case] = &[
    (Rule::SignalNumber, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.kill(shell, 2, if bad { 65 } else { 0 })
    }),
    (Rule::KillNobody, |bad| {
        let (mut kernel, init, shell) = boot();
        if !bad {
            kernel.fork(init).unwrap();
        }
        kernel.kill(shell, -1, 0)
    }),
    (Rule::KillPermission, |bad| {
        let (mut kernel, _, shell) = boot();
        let task = user(&mut kernel);
        let other = user_with(&mut kernel, if bad { 1001 } else { 1000 });
        let _ = shell;
        let target = pid(&kernel, other);
        kernel.kill(task, target, SIGTERM)
    }),
    (Rule::KillLsm, |bad| {
        let (mut kernel, _, shell) = boot();
        let at = if bad { Hook::TaskKill } else { Hook::TaskAlloc };
        kernel.params_mut().hooks.push((at, Errno::EACCES));
        kernel.kill(shell, 1, 0)
    }),
    (Rule::SigactionNumber, |bad| {
        let (mut kernel, _, shell) = boot();
        let signal = if bad { SIGKILL } else { SIGTERM };
        kernel.sigaction(shell, signal, Disposition::Ignore)
    }),
    (Rule::TgkillNumber, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.tgkill(shell, 2, i32::from(!bad) * 2, SIGCONT)
    }),
    (Rule::TgkillGroup, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.tgkill(shell, if bad { 1 } else { 2 }, 2, SIGCONT)
    }),
    (Rule::PidfdSignalFlags, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.pidfd_open(shell, 1, 0).unwrap();
        kernel.pidfd_send_signal(shell, fd, 0, if bad { 3 } else { 1 })
    }),
    (Rule::PidfdSignalForeign, |bad| {
        let (mut kernel, _, shell) = boot();
        let fd = kernel.pidfd_open(shell, 1, 0).unwrap();
        let child = kernel.sys_clone(shell, if bad { CLONE_NEWPID } else { 0 }).unwrap();
        kernel.pidfd_send_signal(child.task, fd, 0, 0)
    }),
    (Rule::WaitOptions, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.fork(shell).unwrap();
        ok(kernel.wait4(shell, -1, if bad { 64 } else { WNOHANG }))
    }),
    (Rule::WaitNumber, |bad| {
        let (mut kernel, _, shell) = boot();
        ok(kernel.wait4(shell, if bad { i32::MIN } else { -9 }, 0))
    }),
    (Rule::WaitNoChild, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.sys_clone(shell, 0).unwrap();
        ok(kernel.wait4(shell, -1, if bad { 0 } else { WALL }))
    }),
    (Rule::RebootPrivilege, |bad| {
        let (mut kernel, shell) = without(Cap::SysBoot, bad);
        kernel.reboot(shell, Reboot::Halt)
    }),
    (Rule::RebootCommand, |bad| {
        let (mut kernel, _, shell) = boot();
        let inner = kernel.sys_clone(shell, CLONE_NEWPID).unwrap().task;
        kernel.reboot(inner, if bad { Reboot::Other } else { Reboot::Halt })
    }),
    (Rule::SetpgidTarget, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.setpgid(shell, if bad { 1 } else { 2 }, 0)
    }),
    (Rule::SetpgidExecuted, |bad| {
        let (mut kernel, _, shell) = boot();
        let child = kernel.fork(shell).unwrap();
        if bad {
            kernel.execve(child.task, &nsproxy::Program::default()).unwrap();
        }
        ok(kernel.setpgid(shell, child.pid.cast_signed(), 0))
    }),
    (Rule::SetpgidThread, |bad| {
        let (mut kernel, _, shell) = boot();
        thread_of(&mut kernel, shell);
        ok(kernel.setpgid(shell, if bad { 3 } else { 2 }, 0))
    }),
    (Rule::SetpgidSession, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            kernel.setsid(shell).unwrap();
        }
        kernel.setpgid(shell, 0, 0)
    }),
    (Rule::SetpgidNegative, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.setpgid(shell, 0, if bad { -1 } else { 0 })
    }),
    (Rule::SetsidLeader, |bad| {
        let (mut kernel, _, shell) = boot();
        if bad {
            kernel.setpgid(shell, 0, 0).unwrap();
        }
        ok(kernel.setsid(shell))
    }),
    (Rule::SetidUnmapped, |bad| {
        let (mut kernel, _, _) = boot();
        let task = contained(&mut kernel, 0);
        kernel.setuid(task, u32::from(bad))
    }),
    (Rule::SetidPermission, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        kernel.setreuid(task, u32::MAX, if bad { 0 } else { 1000 })
    }),
    (Rule::CapsetTarget, |bad| capset(i32::from(bad), sets(ONE, ONE, CapSet::EMPTY))),
    (Rule::CapsetInheritable, |bad| capset(0, sets(ONE, ONE, if bad { TWO } else { ONE }))),
    (Rule::CapsetPermitted, |bad| capset(0, sets(ONE, if bad { TWO } else { ONE }, CapSet::EMPTY))),
    (Rule::CapsetEffective, |bad| {
        let permitted = if bad { CapSet::EMPTY } else { ONE };
        capset(0, sets(ONE, permitted, CapSet::EMPTY))
    }),
    (Rule::PrctlArgument, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.prctl(shell, Prctl::SetNoNewPrivs(u64::from(!bad)))
    }),
    (Rule::BoundingDrop, |bad| {
        let (mut kernel, shell) = without(Cap::Setpcap, bad);
        kernel.prctl(shell, Prctl::CapbsetDrop(5))
    }),
    (Rule::SecurebitsChange, |bad| {
        let (mut kernel, _, shell) = boot();
        let lock = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
        kernel.prctl(shell, Prctl::SetSecurebits(lock)).unwrap();
        kernel.prctl(shell, Prctl::SetSecurebits(if bad { 0 } else { lock }))
    }),
    (Rule::KeepcapsLocked, |bad| {
        let (mut kernel, _, shell) = boot();
        let lock = if bad { SECBIT_KEEP_CAPS_LOCKED } else { 0 };
        kernel.prctl(shell, Prctl::SetSecurebits(lock)).unwrap();
        kernel.prctl(shell, Prctl::SetKeepcaps(1))
    }),
    (Rule::AmbientRaise, |bad| {
        let (mut kernel, _, shell) = boot();
        let inheritable = if bad { CapSet::EMPTY } else { ONE };
        kernel.capset(shell, 0, sets(ONE, ONE, inheritable)).unwrap();
        kernel.prctl(shell, Prctl::AmbientRaise(5))
    }),
    (Rule::RlimitUnknown, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.prlimit(shell, 0, Resource::Nofile, if bad { 11 } else { 10 }, 10)
    }),
    (Rule::RlimitPermission, |bad| {
        let (mut kernel, shell) = without(Cap::SysResource, bad);
        kernel.prlimit(shell, 0, Resource::Nofile, 10, 1 << 30)
    }),
    (Rule::RlimitTarget, |bad| {
        let (mut kernel, _, _) = boot();
        let task = user(&mut kernel);
        let other = user_with(&mut kernel, if bad { 1001 } else { 1000 });
        let target = pid(&kernel, other);
        kernel.prlimit(task, target, Resource::Nofile, 10, 10)
    }),
    (Rule::ExecNproc, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.prlimit(shell, 0, Resource::Nproc, 1, 1).unwrap();
        for _ in 0..if bad { 2 } else { 1 } {
            user(&mut kernel);
        }
        // The change of user succeeds in either case.
        kernel.setresuid(shell, 1000, 1000, 1000).unwrap();
        kernel.execve(shell, &Program::default())
    }),
    (Rule::ExecLsm, |bad| {
        let (mut kernel, _, shell) = boot();
        let at = if bad { Hook::BprmCheck } else { Hook::TaskAlloc };
        kernel.params_mut().hooks.push((at, Errno::EACCES));
        kernel.execve(shell, &Program::default())
    }),
    (Rule::ExecAccess, |bad| {
        let (mut kernel, _, shell) = boot();
        let program = Program { not_executable: bad, ..Program::default() };
        kernel.execve(shell, &program)
    }),
    (Rule::ExecCaps, |bad| {
        let (mut kernel, _, shell) = boot();
        kernel.prctl(shell, Prctl::CapbsetDrop(Cap::NetRaw as u64)).unwrap();
        let permitted = CapSet::EMPTY.with(Cap::NetRaw);
        let caps = FileCaps { permitted, effective: bad, ..FileCaps::default() };
        kernel.execve(shell, &Program { caps: Some(caps), ..Program::default() })
    }),
];
