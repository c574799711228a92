//! A folder of its own for each test.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

/// A fresh folder that only this user can enter. Dropping it removes the folder with its content.
///
/// Its path is short enough for a Unix socket in it, which may have 107 bytes.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes the folder, under the folder for temporary files. Panics if it cannot.
    #[expect(clippy::new_without_default, reason = "a default value does not make folders")]
    pub fn new() -> Self {
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = env::temp_dir().join(format!("sockeye-{}-{count}", process::id()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Self { folder },
                // A test that was killed left it, and its process id has come round again.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", folder.display()),
            }
        }
    }

    /// The path of `name` in the folder. Nothing is made there.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed must not hide why the test failed. It is in the folder for temporary files.
        fs::remove_dir_all(&self.folder).ok();
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_differ_and_go_away_with_their_content() {
        let (first, second) = (Scratch::new(), Scratch::new());
        assert_ne!(first.path("a"), second.path("a"));
        fs::write(first.path("a"), "content").unwrap();
        assert!(!second.path("a").exists());

        let folder = first.path("");
        assert!(folder.is_dir());
        drop(first);
        assert!(!folder.exists());
        assert!(second.path("").is_dir());
    }

    #[test]
    fn a_folder_left_by_another_run_is_not_used() {
        let next = COUNT.load(Ordering::Relaxed) + 50;
        let left = env::temp_dir().join(format!("sockeye-{}-{next}", process::id()));
        fs::create_dir(&left).unwrap();
        let scratches: Vec<Scratch> = (0..60).map(|_| Scratch::new()).collect();
        assert!(scratches.iter().all(|scratch| scratch.folder != left));
        fs::remove_dir(&left).unwrap();
    }
}
