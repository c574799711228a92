//! Processes that go on in the memory of this one, and the room that each of them has there for itself.
//!
//! The memory is not copied: that would cost the page tables of all that is in use here, for each command twice, and
//! whatever is changed here meanwhile would be there twice. It is as a thread has it, but with descriptors, signals and a
//! number of its own. What runs so keeps to what signal-safety(7) allows, and shares no variable with anybody but what
//! was made for it before.

use std::io;
use std::os::fd::FromRawFd as _;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::Pid;

/// What a process shares with the one that starts it. The pointer to the variables of a thread (TLS), where the C library
/// has its `errno`, is set on architectures where we know what has to be there; on others the memory is copied.
pub(super) const SHARED: libc::c_int = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
    libc::CLONE_VM | libc::CLONE_SETTLS
} else {
    0
};

/// Below the stack, where what overflows it ends the process.
const FENCE: usize = 1 << 16;

/// The stack, of which little is used: looking through a family takes the most, some 120 KiB at its deepest.
const STACK: usize = 1 << 18;

/// On either side of the pointer to the variables of a thread: architectures have them below or above. They are zero, as
/// no thread has begun yet that would set them.
const VARIABLES: usize = 1 << 16;

const SIZE: usize = FENCE + STACK + 2 * VARIABLES;

/// A stack and the variables of a thread, for one process.
#[derive(Debug)]
pub(super) struct Room(NonNull<u8>);

// SAFETY: it is a mapping of the process, which any thread may use or give back.
unsafe impl Send for Room {}
// SAFETY: nothing is changed through a shared one.
unsafe impl Sync for Room {}

impl Room {
    /// # Errors
    /// No more memory.
    pub(super) fn new() -> io::Result<Self> {
        let (protection, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), SIZE, protection, flags) }?;
        let room = Self(NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?);
        // SAFETY: within the mapping, which nobody uses yet.
        unsafe { mprotect(base, FENCE, MprotectFlags::empty()) }?;
        let variables = room.variables();
        // On x86-64 the C library finds what it keeps of a thread by the first of these, or by the third.
        // SAFETY: within the mapping, which is aligned to a page.
        unsafe { variables.cast::<[*mut u8; 3]>().write([variables, ptr::null_mut(), variables]) };
        Ok(room)
    }

    /// Starts a process that runs `run` with `argument` in this room. `flags` are those of clone(2): `SHARED`, where it
    /// is to go on in our memory; the signal that tells its end, if there is to be one; `CLONE_PIDFD`, for a descriptor
    /// that stands for it.
    ///
    /// # Safety
    /// `run` does only what signal-safety(7) allows, and does not return. The room, and all that `argument` leads to,
    /// stay as they are until that process has ended or executed a program.
    pub(super) unsafe fn start<T>(
        &self,
        run: extern "C" fn(*mut libc::c_void) -> libc::c_int,
        argument: &T,
        flags: libc::c_int,
    ) -> io::Result<(Pid, Option<OwnedFd>)> {
        let mut process: libc::c_int = -1;
        let argument = ptr::from_ref(argument).cast_mut().cast();
        // SAFETY: the stack ends within the mapping and is aligned to a page; `process` outlives the call, which alone
        // stores there; the rest is the caller's promise.
        let pid = unsafe {
            let stack = self.0.as_ptr().add(FENCE + STACK).cast();
            libc::clone(
                run,
                stack,
                flags,
                argument,
                &raw mut process,
                self.variables(),
                ptr::null_mut::<u8>(),
            )
        };
        let pid = if pid > 0 { Pid::from_raw(pid) } else { None };
        // SAFETY: where the kernel stored a descriptor, it is new, and nobody else knows of it.
        let process = (process >= 0).then(|| unsafe { OwnedFd::from_raw_fd(process) });
        pid.map(|pid| (pid, process)).ok_or_else(io::Error::last_os_error)
    }

    fn variables(&self) -> *mut u8 {
        // SAFETY: within the mapping.
        unsafe { self.0.as_ptr().add(FENCE + STACK + VARIABLES) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's alone, and whoever ran in it has ended.
        let (Ok(()) | Err(_)) = unsafe { munmap(self.0.as_ptr().cast(), SIZE) };
    }
}
