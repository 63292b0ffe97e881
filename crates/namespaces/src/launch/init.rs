//! Pid 1 of a new pid namespace, beside the program.
//!
//! It has every signal blocked and takes them one by one: a blocked signal
//! reaches even pid 1, for which the kernel drops those that have no handler.

use super::child::Context;
use crate::errno::Errno;
use crate::sys::exec::exit;
use crate::sys::{self, signal};

/// Makes the program's process, and ends with it.
pub(super) fn run(context: &Context<'_>, step: usize) -> ! {
    if context.caller_is_gone() {
        exit(127);
    }
    // An ignored one would not be seen: `execve` leaves that to the next program.
    signal::reset(libc::SIGCHLD);
    let program = match sys::launch::program(context) {
        Ok(program) => program,
        Err(errno) => context.fail(step, errno),
    };
    // The program must not find in here what is the caller's: it is let go of
    // before there is a program. Its process has a descriptor table of its own.
    settle(context);
    context.region.control().give_turn();
    context.region.control().await_end();
    if let Some(report) = context.region.control().report() {
        context.fail(report.step, report.errno);
    }
    context.send(0);
    let status = serve(program);
    context.send(u64::from(status.cast_unsigned()));
    exit(exit_code(status))
}

/// Lets go of what only a program could need: an end of a pipe held here
/// would keep its other end waiting.
fn settle(context: &Context<'_>) {
    if let Some((_, channel)) = context.channel {
        sys::fd::close_all_but_stdio_and(channel);
    }
    let _ = rustix::thread::set_name(c"ns-init");
}

/// Passes on signals and reaps, until `program` ends; answers with its status.
fn serve(program: i32) -> i32 {
    loop {
        let received = match signal::wait(signal::ALL) {
            Ok(received) => received,
            Err(Errno::EINTR | Errno::EAGAIN) => continue,
            // A filter forbids it: do without signals.
            Err(_) => return wait_only(program),
        };
        if received.number == libc::SIGCHLD {
            while let Ok(Some((pid, status))) = signal::reap(false) {
                if pid == program {
                    return status;
                }
            }
        } else if !received.from_kernel {
            // What the terminal sends, the program has got itself.
            signal::kill(program, received.number);
        }
    }
}

/// Reaps until `program` ends.
fn wait_only(program: i32) -> i32 {
    loop {
        match signal::reap(true) {
            Ok(Some((pid, status))) if pid == program => return status,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => exit(127),
        }
    }
}

/// The code that a shell would show for `status`.
fn exit_code(status: i32) -> i32 {
    match status & 0x7f {
        0 => (status >> 8) & 0xff,
        signal => 128 + signal,
    }
}
