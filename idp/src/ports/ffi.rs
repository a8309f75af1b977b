//! What the standard library has no safe words for.

#![allow(unsafe_code, reason = "each call says why it is sound")]

/// Gives memory that was freed back to the system. Building the routes and the description of the API takes ten times the memory
/// that stays, and glibc would keep the rest for ever. Elsewhere than on glibc this does nothing.
pub fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: malloc_trim(3) may be called by any thread at any time; it touches only memory that nobody holds.
        unsafe { malloc_trim(0) };
    }
}
