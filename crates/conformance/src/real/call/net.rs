//! Devices and sockets.

use nsproxy::op::Op;

use super::{Answer, Broken, Hand, arg};

impl Hand<'_> {
    pub(super) fn perform_net(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Socket => self.plain(libc::SYS_socket, [arg(libc::AF_INET), arg(libc::SOCK_DGRAM), 0]),
            Op::ConnectLoopback(fd) => {
                // 127.0.0.1, port 9.
                let address = self.args.bytes(&[2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
                self.plain(libc::SYS_connect, [arg(*fd), address, 16])
            }
            _ => Err(format!("no way to make this call: {op:?}")),
        }
    }
}
