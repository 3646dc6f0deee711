//! Where the program's home of a test lies: in memory where there is enough of it.

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::FsFlags;

/// Where Linux has files that lie in memory.
const MEMORY: &str = "/dev/shm";
/// Bytes that must be free there: more than the clusters of all tests take that run at the same time.
const ENOUGH: u64 = 4 << 30;

/// A fresh folder. Commits of clusters in it wait for no disk: one on which others write, or the compiler did a minute
/// ago, keeps them for longer than a probe's deadline, and what measures tells an outage that no drill made. TMPDIR
/// says otherwise where it is set.
pub fn fresh_folder() -> tempfile::TempDir {
    let in_memory = match std::env::var_os("TMPDIR").is_none() && is_fit(MEMORY) {
        true => tempfile::tempdir_in(MEMORY).ok(),
        false => None,
    };
    in_memory.unwrap_or_else(|| tempfile::tempdir().expect("a temporary folder"))
}

/// Whether it is in memory, with room, and programs may be started from there.
fn is_fit(place: &str) -> bool {
    statfs(place).is_ok_and(|found| {
        let block = u64::try_from(found.block_size()).unwrap_or_default();
        found.filesystem_type() == TMPFS_MAGIC
            && found.blocks_available() * block >= ENOUGH
            && !found.flags().contains(FsFlags::ST_NOEXEC)
    })
}
