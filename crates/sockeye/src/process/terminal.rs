//! Pseudo-terminals: what a program that wants a terminal has for one.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, readlink, symlink, unlink};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::error::{Cause, Unstarted};

/// A new terminal.
pub(crate) struct Terminal {
    /// Our side, which does not block.
    pub(crate) ours: OwnedFd,
    /// The program's.
    pub(crate) theirs: OwnedFd,
    /// The path of the program's.
    pub(crate) path: PathBuf,
    /// What stands for the end of the input, where the terminal makes lines of it.
    pub(crate) end: Option<u8>,
}

impl Terminal {
    /// Opens one of so many columns and rows. In a raw one each byte goes through as it is; otherwise lines can be
    /// edited, are echoed, and some bytes mean something: `^C`, `^D`.
    pub(crate) fn open((columns, rows): (u16, u16), raw: bool) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        tcsetwinsize(&theirs, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 })?;
        let mut attributes = tcgetattr(&theirs)?;
        if raw {
            attributes.make_raw();
            tcsetattr(&theirs, OptionalActions::Now, &attributes)?;
        }
        let end = (!raw).then(|| attributes.special_codes[SpecialCodeIndex::VEOF]);
        let name = ptsname(&ours, Vec::new())?;
        fcntl_setfl(&ours, fcntl_getfl(ours.as_fd())? | OFlags::NONBLOCK)?;
        let path = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
        Ok(Self { ours, theirs, path, end })
    }
}

/// A symbolic link to a terminal, for programs that want a device. Dropping it removes the link, if it is still ours.
#[derive(Debug)]
pub(crate) struct Link {
    path: PathBuf,
    to: PathBuf,
}

impl Link {
    /// Makes the link. One to a terminal that is there already is replaced, since whoever was killed could not remove
    /// it, but nothing else is.
    pub(crate) fn make(path: &Path, to: &Path) -> Result<Self, Cause> {
        let refused =
            |errno: Errno| Cause::Unstarted(Unstarted::Link(path.display().to_string()), errno.into());
        // Of what is there else, `symlink` says that it is.
        if readlink(path, Vec::new()).is_ok_and(|target| target.as_bytes().starts_with(b"/dev/pts/")) {
            unlink(path).map_err(refused)?;
        }
        symlink(to, path).map_err(refused)?;
        Ok(Self { path: path.to_owned(), to: to.to_owned() })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let target = readlink(&self.path, Vec::new());
        if target.is_ok_and(|target| target.as_bytes() == self.to.as_os_str().as_encoded_bytes()) {
            let (Ok(()) | Err(_)) = unlink(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_terminals_are_replaced_and_only_ours_is_removed() {
        let folder = testkit::Scratch::new();
        let (path, to) = (folder.path("link"), Path::new("/dev/null"));
        symlink("/etc/passwd", &path).unwrap();
        assert!(Link::make(&path, to).is_err());
        unlink(&path).unwrap();
        symlink("/dev/pts/nowhere", &path).unwrap();
        let link = Link::make(&path, to).unwrap();
        assert_eq!(std::fs::read_link(&path).unwrap(), to);
        drop(link);
        assert!(!path.is_symlink());

        let link = Link::make(&path, to).unwrap();
        unlink(&path).unwrap();
        std::fs::write(&path, "somebody else's").unwrap();
        drop(link);
        assert!(Link::make(&path, to).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
    }
}
