//! Where a server that was shut down had come to, by its control file (`src/include/catalog/pg_control.h`). Its first
//! fields have lain where they do since PostgreSQL 11.

/// The file, in the data directory.
pub(super) const PATH: &str = "global/pg_control";

/// `DB_SHUTDOWNED`: a primary that was shut down in order.
const SHUT_DOWN: u32 = 1;
/// Versions of the file that are laid out like this: those of PostgreSQL 11 and newer.
const VERSIONS: std::ops::Range<u32> = 1100..10_000;

/// The position of the checkpoint with which a primary was shut down.
///
/// # Errors
/// When it was not shut down in order, or the file is none that is known.
pub(super) fn shutdown_checkpoint(file: &[u8]) -> Result<u64, String> {
    let four = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        bytes.try_into().ok().map(u32::from_ne_bytes)
    };
    let eight = |at: usize| {
        let bytes = file.get(at..at + 8)?;
        bytes.try_into().ok().map(u64::from_ne_bytes)
    };
    let (Some(version), Some(state), Some(checkpoint)) = (four(8), four(16), eight(32)) else {
        return Err("its control file is too short".to_owned());
    };
    if !VERSIONS.contains(&version) {
        return Err(format!(
            "its control file is of version {version}, which is not known here"
        ));
    }
    match state {
        SHUT_DOWN => Ok(checkpoint),
        other => Err(format!(
            "it was not shut down in order (state {other} in its control file)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u32, state: u32) -> Vec<u8> {
        let mut file = vec![0; 8192];
        file[8..12].copy_from_slice(&version.to_ne_bytes());
        file[16..20].copy_from_slice(&state.to_ne_bytes());
        file[32..40].copy_from_slice(&0x300_0060_u64.to_ne_bytes());
        file
    }

    #[test]
    fn only_a_clean_shutdown_has_a_last_checkpoint() {
        assert_eq!(shutdown_checkpoint(&file(1300, 1)).unwrap(), 0x300_0060);
        let said = [file(1300, 6), file(13, 1), vec![0; 39]];
        let said = said.map(|file| shutdown_checkpoint(&file).unwrap_err());
        insta::assert_snapshot!(said.join("\n"), @"
        it was not shut down in order (state 6 in its control file)
        its control file is of version 13, which is not known here
        its control file is too short
        ");
    }
}
