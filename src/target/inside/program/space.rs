//! Two things that the standard library does not do: how much space is free on a file system, and taking some for a file
//! without writing it.

#![expect(
    unsafe_code,
    reason = "system calls that the standard library has no words for"
)]

use std::ffi::CString;
use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `struct statvfs` of musl on 64 bits begins with eleven words, of which the second and the fifth are used here; this is
/// more than all of it.
type Filled = [u64; 32];
/// `f_frsize`.
const UNIT: usize = 1;
/// `f_bavail`: what is kept back for root is not among it.
const AVAILABLE: usize = 4;

unsafe extern "C" {
    /// `statvfs(3)`.
    fn statvfs(path: *const std::ffi::c_char, said: *mut Filled) -> i32;
    /// `fallocate(2)`.
    fn fallocate(file: i32, mode: i32, offset: i64, length: i64) -> i32;
}

/// Bytes that are free for anybody but root where this path lies.
pub fn free(path: &Path) -> std::io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(Error::other)?;
    let mut said: Filled = [0; 32];
    // SAFETY: a text that ends with zero and lives until then, and memory that is larger than what is written.
    let code = unsafe { statvfs(path.as_ptr(), &raw mut said) };
    if code != 0 {
        return Err(Error::last_os_error());
    }
    let word = |at: usize| said.get(at).copied().unwrap_or_default();
    Ok(word(UNIT).saturating_mul(word(AVAILABLE)))
}

/// Takes this much more space for a file, behind what it has.
pub fn take(file: &File, from: u64, length: u64) -> std::io::Result<()> {
    let number = |n: u64| i64::try_from(n).map_err(Error::other);
    let (from, length) = (number(from)?, number(length)?);
    // SAFETY: numbers only; the file is open as long as it is borrowed.
    match unsafe { fallocate(file.as_raw_fd(), 0, from, length) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}
