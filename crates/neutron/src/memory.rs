//! Memory that a busy moment took is given back to the machine.
//!
//! Passes and answers about hundreds of ports take megabytes for milliseconds, on many threads. The C library's
//! allocator keeps such memory, one pool per thread: a host of 200 ports came to hold 170 MiB of which 15 were in
//! use. A regular trim gives it back.

use std::time::Duration;

/// Between two trims.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);

/// Gives free memory back, now and then, for ever.
pub async fn trim_regularly() {
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        // A trim that was cancelled with the runtime is no loss.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

#[expect(unsafe_code, reason = "the C library has no safe way in for this; one number in, nothing kept")]
fn trim() {
    // SAFETY: malloc_trim(3) is safe to call from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
