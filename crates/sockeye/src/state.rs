//! Where a program keeps what is to outlive it: small files in a folder of its own, or memory.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, fsync, linkat, openat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, Op, Result};

/// The most bytes of one file.
const LARGEST: usize = 64 << 10;

/// A folder of small files, which hold secrets; or memory, which the default is. Clones share it.
///
/// Files are for their owner alone (mode 0600), and are there whole or not at all. No symbolic link is followed to one.
#[derive(Debug, Clone, Default)]
pub struct State(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    folder: Option<PathBuf>,
    /// What found no place in the folder.
    memory: Mutex<BTreeMap<&'static str, Arc<[u8]>>>,
}

/// What is kept.
#[derive(Debug)]
pub struct Kept {
    /// Its bytes.
    pub content: Arc<[u8]>,
    /// The file that has them; `None` where memory alone does.
    pub path: Option<PathBuf>,
    /// Why no file has them. It is told once, and not where there is no folder: nobody asked for a file there.
    pub unkept: Option<Error>,
}

impl State {
    /// In that folder. It is made, for its owner alone (mode 0700), when something is first kept in it.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { folder: Some(folder.into()), ..Inner::default() }))
    }

    /// What is kept under that name, a plain file name; where there is nothing, what `make` makes is kept from now on.
    /// Of several who come at once, also in other processes, one makes it, and all get the same. At most 64 KiB.
    ///
    /// Where the folder cannot be used, because it cannot be made or written, belongs to another user or can be written
    /// by others, it is kept in memory. It blocks while files are read and written.
    ///
    /// # Errors
    /// There is such a file, but it cannot be read, is no plain file, is larger, or others than its owner may read it; or
    /// that of `make`.
    pub fn keep(&self, name: &'static str, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Kept> {
        let mut memory = self.0.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = memory.get(name) {
            return Ok(Kept { content: content.clone(), path: None, unkept: None });
        }
        let mut forget = |content: Arc<[u8]>, unkept| {
            memory.insert(name, content.clone());
            Ok(Kept { content, path: None, unkept })
        };
        let Some(folder) = &self.0.folder else { return forget(make()?.into(), None) };
        let path = folder.join(name);
        let open = match open_folder(folder) {
            Ok(open) => open,
            Err(error) => {
                return forget(make()?.into(), Some(Error::new(Op::Write, error).on(folder.display())));
            }
        };
        let read = || read(&open, name).map_err(|error| Error::new(Op::Read, error).on(path.display()));
        if let Some(content) = read()? {
            return Ok(Kept { content: content.into(), path: Some(path), unkept: None });
        }
        let made = make()?;
        match write_first(&open, name, &made) {
            Ok(true) => Ok(Kept { content: made.into(), path: Some(path), unkept: None }),
            Ok(false) => match read()? {
                Some(content) => Ok(Kept { content: content.into(), path: Some(path), unkept: None }),
                None => Err(Error::new(Op::Read, Errno::NOENT).on(path.display())),
            },
            Err(error) => forget(made.into(), Some(Error::new(Op::Write, error).on(path.display()))),
        }
    }
}

/// Opens the folder, and makes it first where it is not there. It may be a symbolic link: systemd hands such out.
fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let open = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let about = fstat(&open)?;
    if !is_ours(&about) {
        return Err(io::Error::other("it belongs to another user"));
    }
    if Mode::from_raw_mode(about.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Err(io::Error::other("others than its owner may write there"));
    }
    Ok(open)
}

/// Root may do all that we may.
fn is_ours(about: &Stat) -> bool {
    [rustix::process::geteuid().as_raw(), 0].contains(&about.st_uid)
}

fn read(folder: &OwnedFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    // A named pipe must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(errno) => return Err(errno.into()),
    };
    let about = fstat(&file)?;
    let wrong = if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        Some("it is no plain file")
    } else if !is_ours(&about) {
        Some("it belongs to another user")
    } else if Mode::from_raw_mode(about.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        Some("others than its owner may read it")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        return Err(io::Error::other(wrong));
    }
    let mut content = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    Ok(Some(content))
}

/// Writes a file that is not there yet; `false` where somebody else was first. It appears under its name only when it
/// is whole and on the disk: what is killed in between leaves a file of another name.
fn write_first(folder: &OwnedFd, name: &str, content: &[u8]) -> io::Result<bool> {
    let draft = format!(".{name}.{:016x}", RandomState::new().hash_one(name));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &*draft, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| {
        match linkat(folder, &*draft, folder, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    });
    unlinkat(folder, &*draft, AtFlags::empty())?;
    fsync(folder)?;
    written
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::thread;

    use testkit::Scratch;

    use super::*;

    fn never() -> Result<Vec<u8>> {
        unreachable!("it is there already")
    }

    #[test]
    fn what_is_made_once_is_found_by_whoever_comes_later_in_a_file_for_its_owner_alone() {
        let scratch = Scratch::new();
        let folder = scratch.path("above/state");
        let kept = State::at(&folder).keep("secret", || Ok(b"first".to_vec())).unwrap();
        assert_eq!((&*kept.content, kept.path), (&b"first"[..], Some(folder.join("secret"))));
        assert!(kept.unkept.is_none());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&folder), mode(&folder.join("secret"))), (0o700, 0o600));
        assert_eq!(mode(folder.parent().unwrap()), 0o700);
        assert_eq!(&*State::at(&folder).keep("secret", never).unwrap().content, b"first");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a draft is left");
    }

    #[test]
    fn of_many_who_come_at_once_one_makes_it_and_all_get_the_same() {
        let scratch = Scratch::new();
        let folder = scratch.path("state");
        // Each has its own state, as another process would.
        let one = |number: u8| State::at(&folder).keep("secret", || Ok(vec![number; 4096])).unwrap().content;
        let all: Vec<Arc<[u8]>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|number| scope.spawn(move || one(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|content| content == &all[0] && content.len() == 4096));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a draft is left");
    }

    #[test]
    fn without_a_place_it_is_kept_in_memory_and_that_is_told_once() {
        let scratch = Scratch::new();
        let file = scratch.path("file");
        fs::write(&file, "").unwrap();
        let open = scratch.path("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        for (folder, why) in [
            (file.join("state"), "not a directory"),
            (file, "file exists"),
            (open, "others than its owner may write there"),
        ] {
            let state = State::at(&folder);
            let kept = state.keep("secret", || Ok(b"first".to_vec())).unwrap();
            let unkept = kept.unkept.unwrap();
            assert_eq!((unkept.op(), unkept.cause().to_string().as_str()), (Op::Write, why), "{folder:?}");
            let again = state.clone().keep("secret", never).unwrap();
            assert_eq!((again.content, again.path), (kept.content, None));
            assert!(again.unkept.is_none());
        }
        let kept = State::default().keep("secret", || Ok(b"first".to_vec())).unwrap();
        assert!(kept.path.is_none() && kept.unkept.is_none());
    }

    #[test]
    fn a_file_that_is_not_ours_alone_or_leads_elsewhere_is_an_error_and_stays_as_it_is() {
        let scratch = Scratch::new();
        let state = State::at(scratch.path("state"));
        state.keep("made", || Ok(Vec::new())).unwrap();
        let path = |name: &str| scratch.path("state").join(name);
        fs::write(path("open"), "x").unwrap();
        fs::set_permissions(path("open"), Permissions::from_mode(0o640)).unwrap();
        fs::copy(path("made"), scratch.path("elsewhere")).unwrap();
        symlink(scratch.path("elsewhere"), path("link")).unwrap();
        symlink(scratch.path("nowhere"), path("dangling")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        fs::write(path("large"), vec![0; LARGEST + 1]).unwrap();
        fs::set_permissions(path("large"), Permissions::from_mode(0o600)).unwrap();
        for (name, why) in [
            ("open", "others than its owner may read it"),
            ("link", "it is a symbolic link"),
            ("dangling", "it is a symbolic link"),
            ("folder", "it is no plain file"),
            ("large", "it is too large"),
        ] {
            let error = state.keep(name, never).unwrap_err();
            assert_eq!(error.cause().to_string(), why, "{name}");
            assert_eq!(error.to_string(), format!("cannot read from {}", path(name).display()));
        }
        assert!(!scratch.path("nowhere").exists());
    }
}
