//! Memory that a busy moment took is given back to the machine.
//!
//! Passes and answers about hundreds of ports take megabytes for milliseconds, on many threads. The C library's
//! allocator keeps such memory, one pool per thread. Few pools and a regular trim give it back; what is left is a
//! line of `make bench`.

use crate::roles::Role;
use std::time::Duration;

/// Pools of the allocator in a server's process.
const ARENAS_SERVER: i32 = 2;
/// Pools of an agent, which does one thing at a time, and where one process is all of Neutron on a machine and few ask
/// it: each pool has its own gaps.
const ARENAS_FEW: i32 = 1;
/// From this size on, bytes, an agent gets memory from the machine itself and gives it back as soon as it is free: a
/// pass takes some large pieces and drops them. Left alone, the allocator keeps the first that was dropped, and then
/// all that are not larger.
const LARGE: i32 = 128 << 10;
/// Between two trims.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);

/// Sets how the allocator keeps what is free; to be called before threads start.
pub fn limit_pools(role: Role) {
    let parts = role.parts();
    let (serves, acts) = (parts.server(), parts.l2 || parts.ovs || parts.l3 || parts.dhcp || parts.metadata);
    set(libc::M_ARENA_MAX, if serves && !acts { ARENAS_SERVER } else { ARENAS_FEW });
    if !serves {
        set(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

#[expect(
    unsafe_code,
    reason = "a setting of the C library has no safe way in; it takes two numbers and keeps no pointer"
)]
fn set(setting: libc::c_int, value: libc::c_int) {
    // SAFETY: mallopt(3) may be called at any time; it changes a setting of the allocator.
    unsafe {
        libc::mallopt(setting, value);
    }
}

/// Gives free memory back, now and then, for ever; and once what only the start needed of the program.
pub async fn trim_regularly() {
    let mut started = false;
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        // What was cancelled with the runtime is no loss.
        let _ = tokio::task::spawn_blocking(move || {
            if !started {
                forget_start();
            }
            trim();
        })
        .await;
        started = true;
    }
}

#[expect(unsafe_code, reason = "as above: one number in, nothing kept")]
fn trim() {
    // SAFETY: malloc_trim(3) is safe to call from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets go of the pages of the program's code. Those in use are there again at their next use, from the system's
/// cache, sixteen at once as the kernel does it; the others were only needed to start.
#[expect(
    unsafe_code,
    reason = "there is no safe way to advise the kernel about code; nothing of it can change"
)]
fn forget_start() {
    let (Ok(program), Ok(maps)) =
        (std::fs::read_link("/proc/self/exe"), std::fs::read_to_string("/proc/self/maps"))
    else {
        return;
    };
    let program = program.to_string_lossy();
    for line in maps.lines().filter(|line| line.ends_with(&*program)) {
        let Some((begin, end)) = code(line) else { continue };
        let at = std::ptr::with_exposed_provenance_mut::<libc::c_void>(begin);
        // SAFETY: the range is mapped from the file, may be executed and not written: what is dropped is read again.
        unsafe {
            libc::madvise(at, end - begin, libc::MADV_DONTNEED);
        }
    }
}

/// First and last address of a line of `/proc/self/maps` about code that nobody writes.
fn code(line: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    rest.strip_prefix("r-xp ")?;
    let (begin, end) = range.split_once('-')?;
    Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_let_go() {
        let of = |access: &str| code(&format!("7f00-8000 {access} 00001000 fe:00 42    /usr/bin/neutron"));
        assert_eq!(of("r-xp"), Some((0x7f00, 0x8000)));
        assert_eq!([of("r--p"), of("rw-p"), of("rwxp")], [None; 3]);
    }
}
