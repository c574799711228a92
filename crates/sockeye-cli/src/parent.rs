//! What whoever started us hands down, and hears of us: sockets that are bound already (sd_listen_fds(3)), and how we are
//! (sd_notify(3), sd_watchdog_enabled(3)).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sockeye::Handed;

use crate::failure::Failure;

/// Our parent, as far as it follows the conventions of systemd; one that does not hands nothing down, and hears nothing.
#[derive(Debug, Default)]
pub(crate) struct Parent {
    /// Sockets for the listeners whose addresses they have.
    pub(crate) sockets: Handed,
    /// Where it hears of us.
    ear: Option<(UnixDatagram, SocketAddr)>,
    /// How long it may hear nothing before it takes us to hang.
    pub(crate) watchdog: Option<Duration>,
}

/// The first descriptor that is handed down (SD_LISTEN_FDS_START).
const FIRST: i32 = 3;

/// What a descriptor without a name is called.
const UNNAMED: &str = "unknown";

impl Parent {
    /// Takes over what was handed down, and removes what says so from the environment, for it is not meant for our
    /// children. To be called before there are threads.
    pub(crate) fn take() -> Result<Self, Failure> {
        let names = [
            "LISTEN_PID",
            "LISTEN_FDS",
            "LISTEN_FDNAMES",
            "LISTEN_PIDFDID",
            "NOTIFY_SOCKET",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
        ];
        let taken = sockeye::take_variables(names).map_err(Failure::Start)?;
        let [pid, count, names, _pidfd, ear, watchdog_pid, watchdog] = taken;
        let sockets = match count.filter(|_| pid.as_deref().is_some_and(is_ours)) {
            Some(count) => handed(&count, names.unwrap_or_default()).map_err(Failure::Start)?,
            None => Handed::default(),
        };
        let ear = ear.map(|ear| open(&ear)).transpose().map_err(Failure::Start)?.flatten();
        let watchdog = watchdog.filter(|_| watchdog_pid.as_deref().is_none_or(is_ours));
        let micros = watchdog.and_then(|micros| micros.to_str()?.parse().ok()).filter(|micros| *micros > 0);
        Ok(Self { sockets, ear, watchdog: micros.map(Duration::from_micros) })
    }

    /// Whether anybody hears what we tell.
    pub(crate) fn hears(&self) -> bool {
        self.ear.is_some()
    }

    /// All of us listen.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// A new configuration is taken on; [`Parent::ready`] says when that is done.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Nobody new is taken, and those inside finish.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// We live; and a line on what we do.
    pub(crate) fn alive(&self, status: &str) {
        let watchdog = if self.watchdog.is_some() { "\nWATCHDOG=1" } else { "" };
        self.tell(&format!("STATUS={status}{watchdog}"));
    }

    /// Never waits: whoever does not read what it asked for misses it.
    fn tell(&self, state: &str) {
        if let Some((socket, ear)) = &self.ear {
            let (Ok(_) | Err(_)) = socket.send_to_addr(state.as_bytes(), ear);
        }
    }
}

fn is_ours(pid: &OsStr) -> bool {
    pid.to_str().is_some_and(|pid| pid.parse() == Ok(std::process::id()))
}

fn handed(count: &OsStr, names: OsString) -> io::Result<Handed> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let count: u16 = count
        .to_str()
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| wrong(format!("LISTEN_FDS={}: not a count of descriptors", count.display())))?;
    let names = names.into_string().unwrap_or_default();
    // A name may be empty, and is that of its place all the same.
    let mut names = names.split(':').map(|name| if name.is_empty() { UNNAMED } else { name });
    let names: Vec<_> = (0..count).map(|_| names.next().unwrap_or(UNNAMED).to_owned()).collect();
    Handed::take(FIRST, &names)
        .map_err(|error| wrong(format!("LISTEN_FDS={count}, and not all of them were handed down: {error}")))
}

/// A path, or `@` and an abstract name. What is neither is of a kind that we do not speak, and hears nothing.
fn open(ear: &OsStr) -> io::Result<Option<(UnixDatagram, SocketAddr)>> {
    let ear = match ear.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(ear)?,
        _ => return Ok(None),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(Some((socket, ear)))
}
