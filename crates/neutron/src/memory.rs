//! Memory that a busy moment took is given back to the machine.
//!
//! Passes and answers about hundreds of ports take megabytes for milliseconds, on many threads. The C library's
//! allocator keeps such memory, one pool per thread. Few pools and a regular trim give it back; what is left is a
//! line of `make bench`.

use crate::roles::Role;
use std::time::Duration;

/// Pools of the allocator in a process of its own.
const ARENAS_MAX: i32 = 2;
/// Pools where one process is all of Neutron on a machine, and few ask it: each pool has its own gaps.
const ARENAS_STANDALONE: i32 = 1;
/// Between two trims.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);

/// Limits the allocator's pools; to be called before threads start.
#[expect(
    unsafe_code,
    reason = "a setting of the C library has no safe way in; it takes two numbers and keeps no pointer"
)]
pub fn limit_pools(role: Role) {
    let arenas = if role == Role::Standalone { ARENAS_STANDALONE } else { ARENAS_MAX };
    // SAFETY: mallopt(3) may be called at any time; it changes a setting of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
    }
}

/// Gives free memory back, now and then, for ever.
pub async fn trim_regularly() {
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        // A trim that was cancelled with the runtime is no loss.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

#[expect(unsafe_code, reason = "as above: one number in, nothing kept")]
fn trim() {
    // SAFETY: malloc_trim(3) is safe to call from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
