//! A process with netlink sockets of several families.

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    sendto, setsockopt, socket, sockopt,
};
use serde_json::{Value, json};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

/// Groups that the sockets join, as bits.
pub const ROUTE_GROUPS: u32 = 0x8000_0451;
/// The only group of the kernel's events.
pub const UEVENT_GROUPS: u32 = 1;

/// Opens the sockets; the facts are `<family>`: its descriptor, `<family>_port`:
/// its address.
///
/// # Errors
/// If the kernel refuses one.
pub fn start() -> io::Result<Value> {
    let mut facts = json!({});
    let mut add = |name: &str, socket: OwnedFd| -> io::Result<()> {
        let address: NetlinkAddr = getsockname(socket.as_raw_fd())?;
        facts[format!("{name}_port")] = address.pid().into();
        facts[name] = socket.into_raw_fd().into();
        Ok(())
    };
    add("route", open(SockProtocol::NetlinkRoute, ROUTE_GROUPS)?)?;
    add(
        "uevent",
        open(SockProtocol::NetlinkKObjectUEvent, UEVENT_GROUPS)?,
    )?;
    add("generic", open(SockProtocol::NetlinkGeneric, 0)?)?;
    add("flooded", flooded()?)?;
    add("dumping", dumping()?)?;
    Ok(facts)
}

pub(super) fn open(protocol: SockProtocol, groups: u32) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

/// A socket that was asked for more than it holds, so that it lost some.
fn flooded() -> io::Result<OwnedFd> {
    let socket = open(SockProtocol::NetlinkRoute, 0)?;
    setsockopt(&socket, sockopt::RcvBuf, &1)?;
    // Every request that does not exist is answered with an error.
    for _ in 0..32 {
        send(&socket, libc::RTM_GETLINK, 0)?;
    }
    Ok(socket)
}

/// A socket in the middle of a dump, if the namespace has more addresses than one
/// message holds: the kernel goes on when somebody reads, and nobody does.
fn dumping() -> io::Result<OwnedFd> {
    let socket = open(SockProtocol::NetlinkRoute, 0)?;
    send(&socket, libc::RTM_GETADDR, libc::NLM_F_DUMP as u16)?;
    Ok(socket)
}

/// Asks the kernel for something.
fn send(socket: &OwnedFd, kind: u16, flags: u16) -> io::Result<()> {
    let mut message = Vec::from(20u32.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((flags | libc::NLM_F_REQUEST as u16 | libc::NLM_F_ACK as u16).to_ne_bytes());
    message.extend([0; 12]);
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &message, &kernel, MsgFlags::empty())?;
    Ok(())
}
