//! Devices and sockets.

use nsproxy::op::Op;

use super::super::SPARE_FD;
use super::{Answer, Broken, Hand, arg};

const SIOCSIFFLAGS: u64 = 0x8914;
const SIOCGSKNS: u64 = 0x894c;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const NLM_F_CREATE_EXCL: u16 = 0x400 | 0x200;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// An attribute of a netlink message, filled up to a multiple of four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    attribute(IFLA_IFNAME, &bytes)
}

/// A request about a link.
fn message(kind: u16, flags: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend(attributes.concat());
    let mut bytes = u32::try_from(16 + body.len()).unwrap_or(0).to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend((NLM_F_REQUEST_ACK | flags).to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

impl Hand<'_> {
    pub(super) fn perform_net(&mut self, op: &Op) -> Result<Answer, Broken> {
        match op {
            Op::Socket => self.plain(libc::SYS_socket, [arg(libc::AF_INET), arg(libc::SOCK_DGRAM), 0]),
            Op::ConnectLoopback(fd) => {
                // 127.0.0.1, port 9.
                let address = self.args.bytes(&[2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
                self.plain(libc::SYS_connect, [arg(*fd), address, 16])
            }
            Op::SocketNamespace(fd) => self.plain(libc::SYS_ioctl, [arg(*fd), SIOCGSKNS, 0]),
            Op::SetDeviceUp { name, up } => self.set_up(name, *up),
            Op::AddVeth { name: own, peer } => {
                let mut inner = vec![0; 16];
                inner.extend(name(peer));
                let peer = attribute(VETH_INFO_PEER, &inner);
                let mut info = attribute(IFLA_INFO_KIND, b"veth");
                info.extend(attribute(IFLA_INFO_DATA, &peer));
                let parts = [name(own), attribute(IFLA_LINKINFO, &info)];
                self.netlink(&message(RTM_NEWLINK, NLM_F_CREATE_EXCL, &parts))
            }
            Op::MoveDevice { name: device, fd } => {
                let parts = [name(device), attribute(IFLA_NET_NS_FD, &fd.to_le_bytes())];
                self.netlink(&message(RTM_NEWLINK, 0, &parts))
            }
            Op::DeleteDevice(device) => self.netlink(&message(RTM_DELLINK, 0, &[name(device)])),
            _ => Err(format!("no way to make this call: {op:?}")),
        }
    }

    fn socket_for_a_moment(&mut self, family: i32, kind: i32) -> Result<u64, Broken> {
        let kind = arg(kind | libc::SOCK_CLOEXEC);
        let broken = |answer: Answer| format!("a socket to ask with: {answer:?}");
        let fd = self.sys(libc::SYS_socket, [arg(family), kind, 0])?.map_err(broken)?;
        // Out of the way: it must not be found at a number that means nothing.
        let cloexec = arg(libc::O_CLOEXEC);
        let moved = self.sys(libc::SYS_dup3, [fd, arg(SPARE_FD), cloexec])?;
        let Ok(moved) = moved else { return Ok(fd) };
        self.sys(libc::SYS_close, [fd])?.map_err(broken)?;
        Ok(moved)
    }

    fn set_up(&mut self, device: &str, up: bool) -> Result<Answer, Broken> {
        let fd = self.socket_for_a_moment(libc::AF_INET, libc::SOCK_DGRAM)?;
        let mut request = device.as_bytes()[..device.len().min(15)].to_vec();
        request.resize(16, 0);
        request.extend(u16::from(up).to_le_bytes());
        request.resize(40, 0);
        let request = self.args.bytes(&request);
        let answer = self.plain(libc::SYS_ioctl, [fd, SIOCSIFFLAGS, request])?;
        self.sys(libc::SYS_close, [fd])?.map_err(|answer| format!("close: {answer:?}"))?;
        Ok(answer)
    }

    /// Sends a request and reads the error number that comes back.
    fn netlink(&mut self, message: &[u8]) -> Result<Answer, Broken> {
        let fd = self.socket_for_a_moment(libc::AF_NETLINK, libc::SOCK_RAW)?;
        let place = self.args.bytes(message);
        let kernel = self.args.bytes(&[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let sent = self.sys(libc::SYS_sendto, [fd, place, message.len() as u64, 0, kernel, 12])?;
        let answer = match sent {
            Ok(_) => {
                let room = self.args.room(4096);
                let read = self.sys(libc::SYS_recvfrom, [fd, room, 4096, 0, 0, 0])?;
                read.map_err(|answer| format!("an answer of netlink: {answer:?}"))?;
                match self.args.read_u32(room + 16).cast_signed() {
                    0 => Answer::Number(0),
                    error => Answer::Refused(-error),
                }
            }
            Err(answer) => answer,
        };
        self.sys(libc::SYS_close, [fd])?.map_err(|answer| format!("close: {answer:?}"))?;
        Ok(answer)
    }
}
