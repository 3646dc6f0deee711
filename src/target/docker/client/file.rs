//! A single file out of a container, whether it runs or not.

use super::{Engine, EngineError, LONG, within};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt as _;
use std::io::Read as _;

/// No file that is read here is larger.
const LARGEST: u64 = 1 << 20;

impl Engine {
    /// The content of a file in a container.
    ///
    /// # Errors
    /// The engine's; that it is no file is one.
    pub async fn read_file(&self, id: &str, path: &str) -> Result<Vec<u8>, EngineError> {
        let archive = async {
            let options = DownloadFromContainerOptionsBuilder::default().path(path);
            let mut parts = self
                .docker
                .download_from_container(id, Some(options.build()));
            let mut archive = Vec::new();
            while let Some(part) = parts.next().await {
                archive.extend_from_slice(&part?);
            }
            Ok(archive)
        };
        let archive = within(LONG, archive).await?;
        only_file(&archive).map_err(|error| EngineError::Lost(format!("{path}: {error}")))
    }
}

/// The one file of an archive, as the engine packs it.
fn only_file(archive: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?;
    let entry = entries.next().transpose()?;
    let entry = entry.filter(|entry| entry.header().entry_type().is_file());
    let entry = entry.ok_or_else(|| std::io::Error::other("it is no file"))?;
    let mut content = Vec::new();
    entry.take(LARGEST).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_unpacked_and_a_folder_is_none() {
        let packed = |kind, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            let mut archive = tar::Builder::new(Vec::new());
            archive.append_data(&mut header, "it", content).unwrap();
            archive.into_inner().unwrap()
        };
        let file = packed(tar::EntryType::Regular, b"content");
        assert_eq!(only_file(&file).unwrap(), b"content");
        assert!(only_file(&packed(tar::EntryType::Directory, b"")).is_err());
        assert!(only_file(&[]).is_err());
    }
}
