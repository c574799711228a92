//! What a process and all that it started have used, as proc(5) tells.

use std::fs;
use std::time::Duration;

/// A process, and what it and its children that have ended have used.
#[derive(Clone, Copy)]
struct Process {
    id: u32,
    parent: u32,
    ticks: u64,
}

/// The processor time of a process, of those below it, and of those of them that have ended.
pub(crate) fn cpu(root: u32) -> Duration {
    let ticks: u64 = family(root).iter().map(|process| process.ticks).sum();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// The bytes of memory that belong to a process and those below it; what they share counts once, and files do not.
pub(crate) fn memory(root: u32) -> u64 {
    let anonymous = |process: &Process| {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id)).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    family(root).iter().filter_map(anonymous).sum::<u64>() << 10
}

/// The numbers of a process and of those below it, itself first.
pub(crate) fn members(root: u32) -> Vec<u32> {
    family(root).iter().map(|process| process.id).collect()
}

fn family(root: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that has ended meanwhile cannot be read.
    let read = |id: u32| parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?);
    let all: Vec<Process> = numbers.filter_map(read).collect();
    let mut family: Vec<Process> = all.iter().filter(|process| process.id == root).copied().collect();
    let mut seen = 0;
    while let Some(parent) = family.get(seen).map(|process| process.id) {
        family.extend(all.iter().filter(|process| process.parent == parent));
        seen += 1;
    }
    family
}

/// A line of /proc/PID/stat; the name in parentheses may hold anything.
fn parse(id: u32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Process { id, parent: fields.get(1)?.parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_parent_are_found_behind_any_name() {
        let stat = "7 (a) R 1 (b)) S 42 7 7 0 -1 0 0 0 0 0 1 20 300 4000 20 0 1 0 99 0 0";
        let process = parse(7, stat).unwrap();
        assert_eq!((process.parent, process.ticks), (42, 4321));
        assert!(parse(7, "7 (short) S 42").is_none());
    }

    #[test]
    fn a_process_has_its_children_in_its_account() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let members = members(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(members.first(), Some(&std::process::id()));
        assert!(members.contains(&child.id()), "{members:?} without {}", child.id());
        assert!(memory(std::process::id()) > 4096);
    }
}
