//! What to try, by what failed and how.

use std::io::ErrorKind;

use sockeye::proto::cut::TooLong;
use sockeye::{Cause, Error, Kind, LookupErrorKind, Op, PathTaken};

/// The second line of a failure, where there is something to try.
pub(crate) fn of(error: &Error) -> Option<&'static str> {
    if let Some(too_long) = too_long(error) {
        return Some(match too_long.line {
            Some(_) => "send it in shorter lines, or over tcp: or unix: as bytes",
            None => "--lines sends each line as a message; tcp: and unix: carry any number of bytes",
        });
    }
    let hint = match (error.op(), error.kind(), error.cause()) {
        (_, _, Cause::OtherFamily) => "try without -4 or -6",
        (_, _, Cause::UnknownOwner(_)) => "owner= takes USER, USER:GROUP or :GROUP, by name or number",
        (_, _, Cause::PathTaken(taken)) => match taken {
            PathTaken::Answered => "end the program that listens there, or choose another path",
            PathTaken::Locked => "end the program that listens there; the lock is PATH.lock",
            PathTaken::NotASocket => "choose another path; what is no socket is never removed",
            PathTaken::OtherOwner => "choose another path; another user's socket is never removed",
        },
        (_, _, Cause::TooLarge { .. }) => "send it in smaller messages, or over tcp: or unix:",
        (Op::Relay, _, Cause::WrongShape { .. }) => "frame=burst on the side of bytes makes messages of them",
        (Op::Relay, _, Cause::Limit(..)) => "idle= sets how long nothing may go over it",
        (Op::Dial, Kind::NotFound, Cause::Io(error)) if error.kind() == ErrorKind::AddrNotAvailable => {
            "bind= takes an address of this machine: ip addr"
        }
        (Op::Dial | Op::Read | Op::Write, Kind::Refused, _) => {
            "nobody listens there: is the server up, and the address right?"
        }
        (_, Kind::NotFound, Cause::Lookup(error)) if error.kind() == LookupErrorKind::NoSuchService => {
            "write the port as a number; getent services lists the names"
        }
        (_, Kind::NotFound, Cause::Lookup(_)) => "check the spelling; with -n only numbers are taken",
        (Op::Dial, Kind::NotFound, _)
            if error.address().is_some_and(|address| address.starts_with("fd:")) =>
        {
            "open it in the shell: sockeye ... 3<FILE"
        }
        (Op::Dial, Kind::NotFound, _) => "check what is named there, or start what listens there first",
        (Op::Dial, Kind::TimeLimit, _) => "is the host up, and no firewall between? connect= sets the limit",
        (Op::Dial, Kind::Unreachable, _) => {
            "check the network, or the name server: ip route; cat /etc/resolv.conf"
        }
        (Op::Write, Kind::NoRight, _)
            if error.address().is_some_and(|address| address.starts_with("udp:")) =>
        {
            "to send to a broadcast address, add ,broadcast"
        }
        (Op::Dial, Kind::NoRight, _) => "check who may use it: ls -l, id",
        (Op::Listen, Kind::InUse, _) => {
            "choose another; ss -lxtp shows who listens, and port 0 is the kernel's choice"
        }
        (Op::Listen, Kind::NoRight, _) => "choose a port from 1024 on or a folder of yours, or run as root",
        (Op::Listen, Kind::NotFound, _) => {
            "listen on an address of this machine (ip addr), in a folder that exists"
        }
        (Op::Handshake, Kind::TimeLimit, _) => "handshake= sets the limit",
        (Op::Read, _, Cause::Limit(..)) => "idle= sets how long nothing may go over it",
        (Op::Read, Kind::Reset, _) => "the peer broke off: what came before may not be all",
        (Op::Write, Kind::Reset, _) => "the peer no longer reads: what was sent last may not have arrived",
        (Op::Write, Kind::NotFound, _) => {
            "it is open for reading only: add ,write or ,append, or use --one-way"
        }
        (_, Kind::Exhausted, _) => "raise the limit of open files: ulimit -n",
        _ => return None,
    };
    Some(hint)
}

/// What standard input holds that is no message.
fn too_long(error: &Error) -> Option<&TooLong> {
    let Cause::Io(io) = error.cause() else { return None };
    io.get_ref()?.downcast_ref()
}
