//! Everything that a command started, and what they started in turn, wherever it has gone.
//!
//! A process that called setsid(2) is still its parent's child, and one whose parent has ended becomes the guard's
//! (PR_SET_CHILD_SUBREAPER). So all of them hang below the guard, where /proc shows them.

use std::ffi::CStr;
use std::io::Write as _;
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir, open};
use rustix::process::{
    Pid, PidfdFlags, Signal, getpgid, getpid, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};

/// How deep the family is looked through at once. Who is deeper moves up as those above end.
const DEEPEST: usize = 32;

/// How much of a list of children is read at once: some 200. The rest has its turn when these have ended.
const LIST: usize = 2048;

/// Sends both signals, if there are two, to every descendant of this process; whether any of them could be reached.
pub(super) fn signal(command: Pid, signals: &[Signal]) -> bool {
    let mut is_reached = false;
    let is_known = each(&mut |process, parent| is_reached |= reach(process, parent, signals)).is_some();
    // A kernel without these lists: then whoever stayed in the command's session is all that is known.
    let unknown = if is_known { &[] } else { signals };
    unknown.iter().fold(is_reached, |is_reached, signal| {
        // Both, since the command may have left its group.
        kill_process(command, *signal).is_ok() | kill_process_group(command, *signal).is_ok() | is_reached
    })
}

/// Whether any descendant of this process is in this process group. Its number may be a stranger's by now, once all that
/// were in it have ended.
pub(super) fn is_in(group: Pid) -> bool {
    let mut is_in = false;
    each(&mut |process, _| is_in |= getpgid(Some(process)) == Ok(group));
    is_in
}

/// How many descendants this process has, those that have ended and not been reaped among them; or a few less, where one
/// of them has very many children or they are very deep.
pub(super) fn count() -> usize {
    each(&mut |_, _| ()).unwrap_or(0)
}

/// Visits every descendant of this process, with its parent, and counts them; `None` where the kernel keeps no lists of
/// them.
fn each(visit: &mut dyn FnMut(Pid, Pid)) -> Option<usize> {
    let (guard, mut list) = (getpid(), [0; LIST]);
    let (list, count) = children(guard, &mut list)?;
    Some(numbers(list).fold(count, |count, child| count + descend(child, guard, DEEPEST, visit)))
}

/// A parent before its children, so that it does not go on when they end; but they are read before, for a parent that
/// has ended has none.
fn descend(process: Pid, parent: Pid, depth: usize, visit: &mut dyn FnMut(Pid, Pid)) -> usize {
    let mut list = [0; LIST];
    let (list, count) = children(process, &mut list).unwrap_or_default();
    visit(process, parent);
    let Some(depth) = depth.checked_sub(1) else { return count };
    numbers(list).fold(count, |count, child| count + descend(child, process, depth, visit))
}

/// Signals one process, which who became another user does not hear.
///
/// Between being read and being signalled, one that is not our own child could be reaped by its parent, and its number be
/// given to a stranger, whom a guard with the rights of root could hit. So it is pinned, and its parent looked at again.
fn reach(process: Pid, parent: Pid, signals: &[Signal]) -> bool {
    let guard = getpid();
    if parent == guard {
        return signals.iter().all(|signal| kill_process(process, *signal).is_ok());
    }
    let Ok(pinned) = pidfd_open(process, PidfdFlags::empty()) else { return false };
    // One whose parent has ended meanwhile has become ours.
    let is_ours = parent_of(process).is_some_and(|now| now == parent || now == guard);
    is_ours && signals.iter().all(|signal| pidfd_send_signal(&pinned, *signal).is_ok())
}

/// The parent of a process, as proc_pid_stat(5) has it: `NUMBER (NAME) STATE PARENT`, where any byte may be in a name.
fn parent_of(process: Pid) -> Option<Pid> {
    let mut path = Path::default();
    let path = path.of(format_args!("/proc/{}/stat\0", process.as_raw_pid()))?;
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut stat = [0; 256];
    let read = rustix::io::read(&file, &mut stat).ok()?;
    let stat = stat.get(..read)?;
    let behind_name = stat.get(stat.iter().rposition(|byte| *byte == b')')?..)?;
    number(behind_name.split(|byte| *byte == b' ').nth(2)?)
}

/// The children of all threads of a process, as numbers with a space behind each, and how many there are, whether or not
/// all are in the list; `None` where the kernel keeps no such lists.
fn children(process: Pid, list: &mut [u8; LIST]) -> Option<(&[u8], usize)> {
    let (mut path, process) = (Path::default(), process.as_raw_pid());
    let folder = path.of(format_args!("/proc/{process}/task\0"))?;
    let threads = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut names = [MaybeUninit::uninit(); 1024];
    let (mut threads, mut filled, mut rest) = (RawDir::new(threads, &mut names), 0, 0);
    let mut is_known = false;
    while let Some(Ok(thread)) = threads.next() {
        let Some(number) = number(thread.file_name().to_bytes()) else { continue };
        let list_of = format_args!("/proc/{process}/task/{}/children\0", number.as_raw_pid());
        let Some(path) = path.of(list_of) else { continue };
        let Ok(file) = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { continue };
        is_known = true;
        while let Some(room) = list.get_mut(filled..).filter(|room| !room.is_empty())
            && let Ok(read @ 1..) = rustix::io::read(&file, room)
        {
            filled += read;
        }
        let mut unlisted = [0; 512];
        while let Ok(read @ 1..) = rustix::io::read(&file, &mut unlisted) {
            rest += spaces(unlisted.get(..read).unwrap_or_default());
        }
    }
    let list = list.get(..filled).unwrap_or_default();
    // A number that does not fit whole would be another one.
    let whole = list.iter().rposition(|byte| *byte == b' ').map_or(0, |at| at + 1);
    is_known.then(|| (list.get(..whole).unwrap_or_default(), spaces(list) + rest))
}

fn spaces(list: &[u8]) -> usize {
    list.iter().filter(|byte| **byte == b' ').count()
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
    /// A path that ends in zero.
    fn of(&mut self, path: std::fmt::Arguments<'_>) -> Option<&CStr> {
        self.0.as_mut_slice().write_fmt(path).ok()?;
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
        let found: Vec<u32> = numbers(children(getpid(), &mut list).unwrap().0)
            .map(|pid| pid.as_raw_pid().cast_unsigned())
            .collect();
        assert!(found.contains(&child.id()), "{found:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn children_are_counted_also_where_they_do_not_fit_into_the_list() {
        // In a process that has no others.
        let counts = "sh -c 'for i in $(seq 400); do sleep 1000 & done; echo on; wait'";
        let mut family = std::process::Command::new("setsid")
            .args(["sh", "-c", &format!("{counts} & wait")])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 3];
        std::io::Read::read_exact(family.stdout.as_mut().unwrap(), &mut said).unwrap();
        let parent = Pid::from_child(&family);
        let count = descend(parent, getpid(), DEEPEST, &mut |_, _| ());
        kill_process_group(parent, Signal::KILL).unwrap();
        family.wait().unwrap();
        assert_eq!(count, 401);
    }

    #[test]
    fn a_parent_is_told_whatever_its_child_is_called() {
        assert_eq!(parent_of(getpid()), rustix::process::getppid());
        let named = ["-c", "printf ') R 1 ' >/proc/$$/comm; read -r _"];
        let mut child =
            std::process::Command::new("sh").args(named).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let is_named =
            || std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() == ") R 1 \n";
        while !is_named() {
            std::thread::yield_now();
        }
        assert_eq!(parent_of(pid), Some(getpid()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_is_no_number_is_no_process() {
        assert_eq!(numbers(b"12 x 0 -3 99999999999 7 ").map(Pid::as_raw_pid).collect::<Vec<_>>(), [12, 7]);
    }
}
