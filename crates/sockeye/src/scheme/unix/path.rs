//! A claim on the path of a Unix socket: made so that two listeners never share it, and only ours is removed.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
use sockeye_proto::address::{Settings, Value};

use super::{FLAGS, lock_path};
use crate::error::{Cause, PathTaken};

/// The permissions of a new path: nobody else may connect unless `mode=` says so.
const PRIVATE: u32 = 0o600;

/// How often a lock that is removed under us is taken anew.
const LOCK_TRIES: usize = 16;

/// A path with our socket on it. Dropping it removes the path, if it is still ours, and then the lock.
#[derive(Debug)]
pub(in crate::scheme) struct Claim {
    path: PathBuf,
    /// The device and inode of our socket's path.
    made: (u64, u64),
    /// Held until the lock file is gone.
    lock: OwnedFd,
}

impl Claim {
    /// Binds `socket` to the path. A dead socket of ours that stands there is replaced, and nothing else.
    pub(in crate::scheme) fn bind(
        path: &Path,
        socket: &OwnedFd,
        name: &SocketAddrUnix,
        options: &Settings,
    ) -> Result<Self, Cause> {
        let owner = match options.value("owner") {
            Some(Value::Text(owner)) => Some(read_owner(owner)?),
            _ => None,
        };
        let mode = match options.value("mode") {
            Some(Value::Mode(mode)) => *mode,
            _ => PRIVATE,
        };
        let lock = take_lock(path)?;
        let wanted = owner.and_then(|(user, _)| user);
        let claimed = clear(path, name, wanted).and_then(|()| {
            // The kernel gives the path the socket's own mode, less the umask, so it is never open for a moment.
            fs::fchmod(socket, Mode::from_raw_mode(mode & PRIVATE))?;
            net::bind(socket, name)?;
            Ok(identity(&fs::lstat(path)?))
        });
        let made = match claimed {
            Ok(made) => made,
            Err(cause) => {
                remove_lock(path, &lock);
                return Err(cause);
            }
        };
        let claim = Self { path: path.to_owned(), made, lock };
        // By a descriptor of what we made: where others write to the folder, the path may be something else by now.
        let ours = fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if identity(&fs::fstat(&ours)?) != made {
            return Err(Cause::PathTaken(PathTaken::NotASocket));
        }
        if let Some((user, group)) = owner {
            fs::chownat(&ours, "", user, group, AtFlags::EMPTY_PATH)?;
        }
        fs::chmod(format!("/proc/self/fd/{}", ours.as_raw_fd()), Mode::from_raw_mode(mode))?;
        Ok(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Somebody may have removed our path and made another: that one is not ours to remove.
        if fs::lstat(&self.path).is_ok_and(|now| identity(&now) == self.made) {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a dead socket, which the next listener replaces"
            )]
            let _: rustix::io::Result<()> = fs::unlink(&self.path);
        }
        remove_lock(&self.path, &self.lock);
    }
}

/// Whether the path leads to this very file.
fn is_at(path: &Path, file: &OwnedFd) -> bool {
    fs::lstat(path).is_ok_and(|there| fs::fstat(file).is_ok_and(|here| identity(&there) == identity(&here)))
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Locks the file beside the path. It is removed with the lock held, so a lock that was won on a file that is gone
/// from the folder is worth nothing, and is taken anew.
fn take_lock(path: &Path) -> Result<OwnedFd, Cause> {
    let lock_path = lock_path(path);
    for _ in 0..LOCK_TRIES {
        // No link is followed: in a folder that others write to it could lead anywhere.
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = fs::open(&lock_path, flags, Mode::from_raw_mode(PRIVATE))?;
        match fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Cause::PathTaken(PathTaken::Locked)),
            Err(errno) => return Err(errno.into()),
        }
        if is_at(&lock_path, &lock) {
            return Ok(lock);
        }
    }
    Err(Cause::PathTaken(PathTaken::Locked))
}

/// Removes the lock file, unless somebody has put another in its place, which is not ours to remove.
fn remove_lock(path: &Path, lock: &OwnedFd) {
    if !is_at(&lock_path(path), lock) {
        return;
    }
    #[expect(
        clippy::let_underscore_must_use,
        reason = "a lock file that stays is locked by who listens next"
    )]
    let _: rustix::io::Result<()> = fs::unlink(lock_path(path));
}

/// Makes room for our socket. Called with the lock held, so that no other listener of our kind is between.
fn clear(path: &Path, name: &SocketAddrUnix, wanted: Option<Uid>) -> Result<(), Cause> {
    let found = match fs::lstat(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(Cause::PathTaken(PathTaken::NotASocket));
    }
    // What we made and gave to the owner that `owner=` names is ours still.
    let ours = [Some(rustix::process::geteuid()), wanted];
    if !ours.contains(&Some(Uid::from_raw(found.st_uid))) {
        return Err(Cause::PathTaken(PathTaken::OtherOwner));
    }
    let probe = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    match net::connect(&probe, name) {
        Err(Errno::CONNREFUSED) => Ok(fs::unlink(path)?),
        Err(Errno::NOENT) => Ok(()),
        // Connected, or the queue is full, or it is a socket of another type: somebody is there.
        _ => Err(Cause::PathTaken(PathTaken::Answered)),
    }
}

/// `USER`, `USER:GROUP` or `:GROUP`, each a name or a number.
fn read_owner(text: &str) -> Result<(Option<Uid>, Option<Gid>), Cause> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let unknown = |name: &str| Cause::UnknownOwner(name.to_owned());
    let user = match user {
        "" => None,
        name => {
            let found = uzers::get_user_by_name(name).map(|user| user.uid());
            Some(Uid::from_raw(found.or_else(|| name.parse().ok()).ok_or_else(|| unknown(name))?))
        }
    };
    let group = match group {
        "" => None,
        name => {
            let found = uzers::get_group_by_name(name).map(|group| group.gid());
            Some(Gid::from_raw(found.or_else(|| name.parse().ok()).ok_or_else(|| unknown(name))?))
        }
    };
    if user.is_none() && group.is_none() { Err(unknown(text)) } else { Ok((user, group)) }
}
