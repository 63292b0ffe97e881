//! A program on a terminal of its own.

#![allow(dead_code, unreachable_pub)]

use std::fs::File;
use std::process::{Child, Command};

/// Starts `program`, a command and its arguments, as the leader of a session
/// on a terminal; answers with the other side of the terminal too.
pub fn on_terminal(program: &[&str]) -> (Child, File) {
    use rustix::pty::OpenptFlags;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&terminal).unwrap();
    rustix::pty::unlockpt(&terminal).unwrap();
    let name = rustix::pty::ptsname(&terminal, Vec::new()).unwrap();
    let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).args(program);
    command.stdin(open()).stdout(open()).stderr(open());
    (command.spawn().unwrap(), File::from(terminal))
}
