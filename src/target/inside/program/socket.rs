//! The one thing that the standard library does not do: opening a socket to the kernel's routing. Reading, writing and
//! closing it are a file's.

#![expect(
    unsafe_code,
    reason = "a system call that the standard library has no words for"
)]

use std::fs::File;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// `AF_NETLINK`.
const NETLINK: i32 = 16;
/// `SOCK_RAW | SOCK_CLOEXEC`.
const RAW: i32 = 3 | 0o2_000_000;
/// `NETLINK_ROUTE`.
const ROUTE: i32 = 0;

unsafe extern "C" {
    /// `socket(2)`.
    fn socket(domain: i32, kind: i32, protocol: i32) -> i32;
}

/// A socket to the kernel's routing: what is written is a request, what is read its answer.
pub fn open() -> std::io::Result<File> {
    // SAFETY: three numbers in, one out; no memory is shared.
    let number = unsafe { socket(NETLINK, RAW, ROUTE) };
    if number < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this number to us and to nobody else.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(File::from(owned))
}
