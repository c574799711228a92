//! An option that the kernel keeps with a socket: when it is set, where it is, and what its number means.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, sockopt};
use sockeye_proto::address::{Address, Level, RawOption, RawValue, Value};
use sockeye_sys::socket_option::{self, Place};

/// When an option takes hold of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// As the socket is made.
    Made,
    /// On a new socket, before it is bound or connected. What TCP accepts inherits most (tcp(7)), so that a newcomer costs
    /// no call; the rest, and all on an accepted Unix socket, is set again.
    New,
    /// As the socket is bound, before it connects.
    Bound,
    /// As the socket begins to listen.
    Listening,
    /// On each connection once it is there, dialled or accepted.
    Connected,
}

/// An option of the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    pub(super) phase: Phase,
    pub(super) access: Access,
    /// Whether TCP hands it down to what it accepts.
    pub(super) is_inherited: bool,
    /// What we set where the address sets nothing.
    pub(super) ours: fn(&Address) -> Option<Value>,
    /// The capability that setting it can take (capabilities(7)).
    pub(super) capability: &'static str,
}

/// How an option is set and read.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// One whole number, on sockets of IPv6 perhaps in another place.
    Number { place: Place, v6: Place, form: Form },
    /// Text.
    Text(Place),
    /// Something else.
    Own { set: fn(BorrowedFd<'_>, &Value) -> io::Result<()>, read: Read },
    /// Set by the scheme, with the call that makes, binds or listens.
    Scheme(Read),
    /// Whatever the address names by its numbers.
    Raw,
}

/// Reads an option back; `None` where the kernel does not tell.
pub(super) type Read = fn(BorrowedFd<'_>) -> io::Result<Option<Value>>;

/// What the kernel's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The upper six bits of eight.
    CodePoint,
    Count,
    Size,
    Switch,
    /// Times are rounded up, since 0 is off.
    Micros,
    Millis,
    Seconds,
}

/// A place among the options of every socket, socket(7).
pub(super) const fn socket(number: i32) -> Place {
    Place { level: libc::SOL_SOCKET, number }
}

/// A place in ip(7).
pub(super) const fn ip(number: i32) -> Place {
    Place { level: libc::IPPROTO_IP, number }
}

/// A place in ipv6(7).
pub(super) const fn ipv6(number: i32) -> Place {
    Place { level: libc::IPPROTO_IPV6, number }
}

/// A place in tcp(7).
pub(super) const fn tcp(number: i32) -> Place {
    Place { level: libc::IPPROTO_TCP, number }
}

impl Kernel {
    /// A number that is in one place for all families.
    pub(super) const fn number(place: Place, form: Form) -> Self {
        Self::per_family(place, place, form)
    }

    pub(super) const fn per_family(place: Place, v6: Place, form: Form) -> Self {
        Self::new(Access::Number { place, v6, form })
    }

    pub(super) const fn own(set: fn(BorrowedFd<'_>, &Value) -> io::Result<()>, read: Read) -> Self {
        Self::new(Access::Own { set, read })
    }

    pub(super) const fn by_scheme(phase: Phase, read: Read) -> Self {
        Self { phase, ..Self::new(Access::Scheme(read)) }
    }

    pub(super) const fn new(access: Access) -> Self {
        Self { phase: Phase::New, access, is_inherited: true, ours: |_| None, capability: "cap_net_admin" }
    }

    /// What we set unless the address says otherwise.
    pub(super) const fn ours(self, ours: fn(&Address) -> Option<Value>) -> Self {
        Self { ours, ..self }
    }

    pub(super) fn set(&self, socket: BorrowedFd<'_>, value: &Value) -> io::Result<()> {
        match (self.access, value) {
            (Access::Number { place, v6, form }, value) => {
                let number = form.number(value).ok_or(io::ErrorKind::InvalidInput)?;
                socket_option::set_number(&socket, on_family(socket, place, v6)?, number)
            }
            (Access::Text(place), Value::Text(text)) => {
                socket_option::set_bytes(&socket, place, text.as_bytes())
            }
            (Access::Own { set, .. }, value) => set(socket, value),
            (Access::Raw, Value::SocketOption(option)) => match &option.value {
                RawValue::Int(number) => socket_option::set_number(&socket, place_of(option), *number),
                RawValue::Bytes(bytes) => socket_option::set_bytes(&socket, place_of(option), bytes),
            },
            (Access::Scheme(_), _) => Ok(()),
            (Access::Text(_) | Access::Raw, _) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// What the kernel has. Of options by their numbers it is `asked` that says which.
    pub(super) fn read(&self, socket: BorrowedFd<'_>, asked: Option<&Value>) -> io::Result<Option<Value>> {
        match self.access {
            Access::Number { place, v6, form } => {
                let number = socket_option::number(&socket, on_family(socket, place, v6)?)?;
                Ok(Some(form.value(number)))
            }
            Access::Text(place) => {
                let bytes = socket_option::bytes(&socket, place)?;
                let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                let text = String::from_utf8_lossy(text).into_owned();
                Ok((!text.is_empty()).then_some(Value::Text(text)))
            }
            Access::Own { read, .. } | Access::Scheme(read) => read(socket),
            Access::Raw => match asked {
                Some(Value::SocketOption(option)) => raw(socket, option).map(Some),
                _ => Ok(None),
            },
        }
    }
}

fn on_family(socket: BorrowedFd<'_>, place: Place, v6: Place) -> io::Result<Place> {
    Ok(if place != v6 && is_v6(socket)? { v6 } else { place })
}

pub(super) fn is_v6(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(sockopt::socket_domain(socket)? == AddressFamily::INET6)
}

fn place_of(option: &RawOption) -> Place {
    let level = match option.level {
        Level::Socket => libc::SOL_SOCKET,
        Level::Ip => libc::IPPROTO_IP,
        Level::Ipv6 => libc::IPPROTO_IPV6,
        Level::Tcp => libc::IPPROTO_TCP,
        Level::Udp => libc::IPPROTO_UDP,
        Level::Number(number) => number,
    };
    Place { level, number: option.number }
}

/// The same option as the kernel has it, written as it was asked for.
fn raw(socket: BorrowedFd<'_>, option: &RawOption) -> io::Result<Value> {
    let value = match &option.value {
        RawValue::Int(_) => RawValue::Int(socket_option::number(&socket, place_of(option))?),
        RawValue::Bytes(_) => RawValue::Bytes(socket_option::bytes(&socket, place_of(option))?),
    };
    Ok(Value::SocketOption(RawOption { value, ..option.clone() }))
}

impl Form {
    fn number(self, value: &Value) -> Option<i32> {
        let number = match (self, value) {
            (Self::CodePoint, Value::Count(code)) => code << 2,
            (Self::Count, Value::Count(count)) => *count,
            (Self::Size, Value::Size(size)) => *size,
            (Self::Switch, Value::Switch(on)) => u64::from(*on),
            (Self::Micros | Self::Millis | Self::Seconds, Value::Time(None)) => 0,
            (Self::Micros, Value::Time(Some(time))) => rounded_up(*time, Duration::from_micros(1)),
            (Self::Millis, Value::Time(Some(time))) => rounded_up(*time, Duration::from_millis(1)),
            (Self::Seconds, Value::Time(Some(time))) => rounded_up(*time, Duration::from_secs(1)),
            _ => return None,
        };
        match self {
            // The kernel takes all 32 bits of it.
            Self::Count => u32::try_from(number).ok().map(u32::cast_signed),
            _ => i32::try_from(number).ok(),
        }
    }

    fn value(self, number: i32) -> Value {
        let unsigned = number.cast_unsigned();
        let time = |time| Value::Time((number > 0).then_some(time));
        match self {
            Self::CodePoint => Value::Count(u64::from(unsigned >> 2)),
            Self::Count => Value::Count(unsigned.into()),
            Self::Size => Value::Size(unsigned.into()),
            Self::Switch => Value::Switch(number != 0),
            Self::Micros => time(Duration::from_micros(unsigned.into())),
            Self::Millis => time(Duration::from_millis(unsigned.into())),
            Self::Seconds => time(Duration::from_secs(unsigned.into())),
        }
    }
}

fn rounded_up(time: Duration, unit: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(unit.as_nanos())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_set_is_never_rounded_to_off() {
        let tiny = Value::Time(Some(Duration::from_nanos(1)));
        for form in [Form::Micros, Form::Millis, Form::Seconds] {
            assert_eq!(form.number(&tiny), Some(1), "{form:?}");
            assert_eq!(form.number(&Value::Time(None)), Some(0), "{form:?}");
            assert_eq!(form.value(0), Value::Time(None), "{form:?}");
        }
        assert_eq!(Form::Millis.number(&Value::Time(Some(Duration::from_micros(1500)))), Some(2));
    }

    #[test]
    fn what_the_kernel_could_not_hold_is_no_number() {
        let century = Value::Time(Some(Duration::from_secs(100 * 366 * 86_400)));
        assert_eq!(Form::Seconds.number(&century), None);
        assert_eq!(Form::Count.number(&Value::Count(u64::from(u32::MAX))), Some(-1));
        assert_eq!(Form::Count.value(-1), Value::Count(u64::from(u32::MAX)));
        assert_eq!(Form::Count.number(&Value::Count(1 << 32)), None);
    }
}
