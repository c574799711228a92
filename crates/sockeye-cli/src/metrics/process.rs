//! What the kernel knows of this process (proc(5)).

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Facts of the process; those that `/proc` does not tell are missing.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Of all threads, in user and kernel.
    pub(super) cpu: Duration,
    pub(super) open_fds: Option<usize>,
    pub(super) max_fds: Option<u64>,
    /// In bytes.
    pub(super) resident_memory: Option<u64>,
    pub(super) threads: Option<usize>,
    pub(super) children: Option<usize>,
}

impl Facts {
    /// As they are now. Nothing here waits for a disk.
    pub(super) fn now() -> Self {
        let entries = |path: &str| fs::read_dir(path).ok().map(Iterator::count);
        Self {
            cpu: clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default(),
            // One of them is the folder that is read.
            open_fds: entries("/proc/self/fd").map(|fds| fds.saturating_sub(1)),
            max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            resident_memory: resident_memory(),
            threads: entries("/proc/self/task"),
            children: children(),
        }
    }
}

fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Each thread has those that it started itself; one that ends meanwhile leaves them to another.
fn children() -> Option<usize> {
    let tasks = fs::read_dir("/proc/self/task").ok()?.filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.map(|children| children.split_whitespace().count()).reduce(|sum, more| sum + more)
}
