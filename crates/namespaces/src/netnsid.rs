//! The numbers that one network namespace has for others:
//! `RTM_GETNSID` of `rtnetlink(7)`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::Kind;

const RTM_NEWNSID: u16 = 88;
const RTM_GETNSID: u16 = 90;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// `struct nlmsghdr`, and `struct rtgenmsg` with its padding.
const HEADER: usize = 16 + 4;

/// Asks for the ids that the network namespace of the calling thread has given
/// to others, which `ip netns list-id` shows.
///
/// ```
/// use namespaces::{Kind, Namespace, NetnsIds};
///
/// let ids = NetnsIds::new()?;
/// let mine = Namespace::current(Kind::Net)?;
/// // Few namespaces have an id for themselves.
/// println!("{:?}", ids.of(&mine)?);
/// # Ok::<(), namespaces::Error>(())
/// ```
#[derive(Debug)]
pub struct NetnsIds {
    socket: OwnedFd,
}

impl NetnsIds {
    /// Opens a netlink socket in the network namespace of the calling thread.
    pub fn new() -> Result<NetnsIds> {
        let failed = |errno| Error::call("opening", "a netlink socket", errno);
        let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
        // Protocol 0 is NETLINK_ROUTE.
        let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, None).map_err(failed)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0)).map_err(failed)?;
        Ok(NetnsIds { socket })
    }

    /// The id of a network namespace; `None` if it has none here.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is of another kind.
    pub fn of(&self, namespace: &Namespace) -> Result<Option<i32>> {
        let failed = |errno: Errno| Error::call("asking for the id of", namespace.to_string(), errno);
        if namespace.kind() != Kind::Net {
            return Err(failed(Errno::EINVAL));
        }
        self.ask(namespace).map_err(failed)
    }

    fn ask(&self, namespace: &Namespace) -> std::result::Result<Option<i32>, Errno> {
        rustix::net::send(&self.socket, &request(namespace.as_fd().as_raw_fd()), SendFlags::empty())?;
        let mut buffer = [0_u8; 256];
        let (length, _) = rustix::net::recv(&self.socket, &mut buffer, RecvFlags::empty())?;
        answer(&buffer[..length])
    }
}

/// Of a request: the header and one attribute, the descriptor.
const LENGTH: u32 = 28;

fn request(fd: i32) -> [u8; LENGTH as usize] {
    let mut message = [0; LENGTH as usize];
    let mut put = |at: usize, bytes: &[u8]| message[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &LENGTH.to_ne_bytes());
    put(4, &RTM_GETNSID.to_ne_bytes());
    put(6, &NLM_F_REQUEST.to_ne_bytes());
    put(HEADER, &8_u16.to_ne_bytes());
    put(HEADER + 2, &NETNSA_FD.to_ne_bytes());
    put(HEADER + 4, &fd.to_ne_bytes());
    message
}

fn answer(message: &[u8]) -> std::result::Result<Option<i32>, Errno> {
    let short = |at: usize| message.get(at..at + 2).map(|b| u16::from_ne_bytes([b[0], b[1]]));
    let long = |at: usize| message.get(at..at + 4).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    match short(4) {
        Some(RTM_NEWNSID) => {}
        Some(NLMSG_ERROR) => return Err(Errno::from_raw(-long(16).unwrap_or(-libc::EPROTO))),
        _ => return Err(Errno::EPROTO),
    }
    let mut at = HEADER;
    while let (Some(length), Some(kind)) = (short(at), short(at + 2)) {
        if kind == NETNSA_NSID {
            // -1 is NETNSA_NSID_NOT_ASSIGNED.
            return Ok(long(at + 4).filter(|id| *id >= 0));
        }
        at += usize::from(length).max(4).next_multiple_of(4);
    }
    Err(Errno::EPROTO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kind_is_refused() {
        let ids = NetnsIds::new().unwrap();
        let uts = Namespace::current(Kind::Uts).unwrap();
        assert_eq!(ids.of(&uts).unwrap_err().errno(), Some(Errno::EINVAL));
    }

    #[test]
    fn an_error_is_passed_on() {
        let ids = NetnsIds::new().unwrap();
        let net = Namespace::current(Kind::Net).unwrap();
        assert!(ids.of(&net).is_ok());
        let mut message = [0_u8; 20];
        message[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        message[16..].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        assert_eq!(answer(&message), Err(Errno::EPERM));
        assert_eq!(answer(&[0; 3]), Err(Errno::EPROTO));
    }
}
