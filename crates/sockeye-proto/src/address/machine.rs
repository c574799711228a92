//! Machines that share one host, as `vsock:` names them: the host itself and its guests (vsock(7)).

use std::fmt;

use super::target::{Fault, Target, fault};
use super::vocabulary::Role;

/// The number of a machine, its context identifier: 2 is the host, and its guests have numbers from 3 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cid(pub u32);

impl Cid {
    /// Whichever number this machine has, or may get. Only to listen on.
    pub const ANY: Self = Self(u32::MAX);
    /// This machine, without a way to it from others: `local`.
    pub const LOCAL: Self = Self(1);
    /// The machine that this one is a guest of: `host`.
    pub const HOST: Self = Self(2);
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY { f.write_str("any") } else { write!(f, "{}", self.0) }
    }
}

/// The largest port: the number behind it lets the kernel choose (VMADDR_PORT_ANY), for which an address has 0.
const LAST_PORT: u32 = u32::MAX - 1;

pub(super) fn machine(text: &str, role: Role) -> Result<Target, Fault> {
    let (cid, port) = match (text.rsplit_once(':'), role) {
        (Some((cid, port)), _) => (cid, port),
        (None, Role::Listen) if !text.is_empty() => ("local", text),
        (None, Role::Listen) => return fault("expected PORT or CID:PORT", "any:PORT is reached by others"),
        (None, Role::Dial) => {
            return fault("expected CID:PORT", "2:PORT is the host, and guests have CIDs from 3 on");
        }
    };
    let port = read_port(port, role).map_err(|fault| Fault { end: Some(port.to_owned()), ..fault })?;
    match (read_cid(cid), role) {
        (Some(Cid::ANY), Role::Dial) => {
            fault("any can be listened on, but not dialled", "2 is the host, and guests have CIDs from 3 on")
        }
        (Some(cid), _) => Ok(Target::Machine(cid, port)),
        (None, _) => {
            let any = if role == Role::Listen { ", local or any" } else { " or local" };
            Err(Fault::new(format!("{cid:?} is no CID: a number up to {}, host{any}", Cid::ANY.0 - 1)))
        }
    }
}

fn read_cid(text: &str) -> Option<Cid> {
    match text {
        "any" => Some(Cid::ANY),
        "host" => Some(Cid::HOST),
        "local" => Some(Cid::LOCAL),
        number if is_digits(number) => number.parse().ok().map(Cid).filter(|cid| *cid != Cid::ANY),
        _ => None,
    }
}

fn read_port(text: &str, role: Role) -> Result<u32, Fault> {
    if text.is_empty() {
        return Err(Fault::new("the port is missing behind the colon"));
    }
    if !is_digits(text) {
        return Err(Fault::new(format!("{text:?} is not a port number")));
    }
    match text.parse() {
        Ok(0) if role == Role::Dial => Err(Fault::new("port 0 can be listened on, but not dialled")),
        Ok(port) if port <= LAST_PORT => Ok(port),
        _ => Err(Fault::new(format!("port {text} is out of range: 0 to {LAST_PORT}"))),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
