//! Everything that a command started, and what they started in turn, wherever it has gone.
//!
//! A process that called setsid(2) is still its parent's child, and one whose parent has ended becomes the guard's
//! (PR_SET_CHILD_SUBREAPER). So all of them hang below the guard, where /proc shows them.

use std::ffi::CStr;
use std::io::Write as _;
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir, open};
use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};

/// How deep the family is looked through at once. Who is deeper moves up as those above end.
const DEEPEST: usize = 32;

/// How much of a list of children is read at once: some 200. The rest has its turn when these have ended.
const LIST: usize = 2048;

/// Sends both signals, if there are two, to every descendant of this process.
///
/// Between being read and being signalled, one that is not our own child could be reaped by its parent, and its number
/// be given to another process; the kernel gives a number again only after all the others, so that nothing less than
/// that many new processes within microseconds would do it.
pub(super) fn signal(command: Pid, signals: &[Signal]) {
    let act = |pid| {
        for signal in signals {
            // Who has ended meanwhile, or became another user, is not there for us.
            let (Ok(()) | Err(_)) = kill_process(pid, *signal);
        }
    };
    let mut list = [0; LIST];
    match children(getpid(), &mut list) {
        Some(list) => numbers(list).for_each(|child| descend(child, DEEPEST, &act)),
        None => {
            // A kernel without these lists: then whoever stayed in the command's session is all that is known.
            act(command);
            for signal in signals {
                let (Ok(()) | Err(_)) = kill_process_group(command, *signal);
            }
        }
    }
}

/// A parent before its children, so that it does not go on when they end; but they are read before, for a parent that
/// has ended has none.
fn descend(process: Pid, depth: usize, act: &impl Fn(Pid)) {
    let mut list = [0; LIST];
    let list = children(process, &mut list).unwrap_or_default();
    act(process);
    if let Some(depth) = depth.checked_sub(1) {
        numbers(list).for_each(|child| descend(child, depth, act));
    }
}

/// The children of all threads of a process, as numbers between spaces; `None` where the kernel keeps no such lists.
fn children(process: Pid, list: &mut [u8; LIST]) -> Option<&[u8]> {
    let mut path = Path::default();
    let threads =
        open(path.of(process, None)?, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let threads = threads.ok()?;
    let mut names = [MaybeUninit::uninit(); 1024];
    let (mut threads, mut filled) = (RawDir::new(threads, &mut names), 0);
    let mut is_known = false;
    while let Some(Ok(thread)) = threads.next() {
        let Some(number) = number(thread.file_name().to_bytes()) else { continue };
        let Some(path) = path.of(process, Some(number)) else { continue };
        let Ok(file) = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { continue };
        is_known = true;
        while let Some(room) = list.get_mut(filled..).filter(|room| !room.is_empty())
            && let Ok(read @ 1..) = rustix::io::read(&file, room)
        {
            filled += read;
        }
    }
    let list = list.get(..filled).unwrap_or_default();
    // A number that does not fit whole would be another one.
    let whole = list.iter().rposition(|byte| *byte == b' ').map_or(0, |at| at + 1);
    is_known.then(|| list.get(..whole).unwrap_or_default())
}

fn numbers(list: &[u8]) -> impl Iterator<Item = Pid> {
    list.split(|byte| *byte == b' ').filter_map(number)
}

fn number(digits: &[u8]) -> Option<Pid> {
    let number: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if number > 0 { Pid::from_raw(number) } else { None }
}

/// A path in /proc, without memory of the heap.
struct Path([u8; 64]);

impl Default for Path {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Path {
    /// The folder of a process's threads, or the list of one thread's children.
    fn of(&mut self, process: Pid, thread: Option<Pid>) -> Option<&CStr> {
        let mut rest = self.0.as_mut_slice();
        match thread {
            None => write!(rest, "/proc/{}/task\0", process.as_raw_pid()),
            Some(thread) => {
                write!(rest, "/proc/{}/task/{}/children\0", process.as_raw_pid(), thread.as_raw_pid())
            }
        }
        .ok()?;
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_children_of_every_thread_are_found() {
        let mut child = std::thread::spawn(|| {
            // By a thread that is gone when it is looked for: then it hangs below another.
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap()
        })
        .join()
        .unwrap();
        let mut list = [0; LIST];
        let found: Vec<u32> = numbers(children(getpid(), &mut list).unwrap())
            .map(|pid| pid.as_raw_pid().cast_unsigned())
            .collect();
        assert!(found.contains(&child.id()), "{found:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_is_no_number_is_no_process() {
        assert_eq!(numbers(b"12 x 0 -3 99999999999 7 ").map(Pid::as_raw_pid).collect::<Vec<_>>(), [12, 7]);
    }
}
