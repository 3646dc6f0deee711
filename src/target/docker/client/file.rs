//! A single file out of a container, whether it runs or not.

use super::{Engine, EngineError, LONG, within};
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
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
        let archive = self.packed(id, path).await?;
        let (_, content) =
            only_file(&archive).map_err(|error| EngineError::Lost(format!("{path}: {error}")))?;
        Ok(content)
    }

    /// Gives a file in a container another content; owner and rights stay.
    ///
    /// # Errors
    /// The engine's; that it is no file is one.
    pub async fn rewrite_file(
        &self,
        id: &str,
        path: &str,
        content: &[u8],
    ) -> Result<(), EngineError> {
        let lost = |error: std::io::Error| EngineError::Lost(format!("{path}: {error}"));
        let archive = self.packed(id, path).await?;
        let (header, _) = only_file(&archive).map_err(lost)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let archive = repacked(header, name, content).map_err(lost)?;
        let folder = if folder.is_empty() { "/" } else { folder };
        let options = UploadToContainerOptionsBuilder::default().path(folder);
        let archive = bollard::body_full(archive.into());
        let upload = self
            .docker
            .upload_to_container(id, Some(options.build()), archive);
        within(LONG, upload).await
    }

    async fn packed(&self, id: &str, path: &str) -> Result<Vec<u8>, EngineError> {
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
        within(LONG, archive).await
    }
}

/// A file of this header with another content, as the engine takes it.
fn repacked(mut header: tar::Header, name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    header.set_size(content.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}

/// The one file of an archive, as the engine packs it.
fn only_file(archive: &[u8]) -> std::io::Result<(tar::Header, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?;
    let entry = entries.next().transpose()?;
    let entry = entry.filter(|entry| entry.header().entry_type().is_file());
    let entry = entry.ok_or_else(|| std::io::Error::other("it is no file"))?;
    let header = entry.header().clone();
    let mut content = Vec::new();
    entry.take(LARGEST).read_to_end(&mut content)?;
    Ok((header, content))
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
        let (header, content) = only_file(&file).unwrap();
        assert_eq!(content, b"content");
        // Longer or shorter: the archive says how long it is.
        let again = repacked(header, "it", b"other content").unwrap();
        assert_eq!(only_file(&again).unwrap().1, b"other content");
        assert!(only_file(&packed(tar::EntryType::Directory, b"")).is_err());
        assert!(only_file(&[]).is_err());
    }
}
