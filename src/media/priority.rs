//! Where and how urgently a thread runs.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Sets the niceness of the calling thread (Linux: a thread has its own); false when the system refuses.
#[expect(unsafe_code, reason = "setpriority has no safe binding; it takes plain numbers and touches no memory")]
pub fn set_nice(nice: i32) -> bool {
    // SAFETY: no pointers; PRIO_PROCESS with id 0 means the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) == 0 }
}

/// Binds the calling thread to one core; false when the system refuses.
pub fn stay_on(core: usize) -> bool {
    let mut cores = CpuSet::new();
    cores.set(core).is_ok() && sched_setaffinity(Pid::from_raw(0), &cores).is_ok()
}
