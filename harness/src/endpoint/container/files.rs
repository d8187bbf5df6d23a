//! Files in a container, as archives: how Docker's API moves them.

use std::{io::Read, path::Path};

use futures_util::TryStreamExt;
use tar::{Archive, Builder, Header};
use testcontainers::bollard::{
    Docker, body_full,
    query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder},
};

use super::ContainerError;

/// The files of one container.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) docker: Docker,
    /// Its name.
    pub(super) container: String,
}

/// Who a file belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    user: u64,
    group: u64,
}

impl Files {
    /// Writes a file that its owner alone may read.
    pub(super) async fn write(
        &self,
        path: &Path,
        contents: &[u8],
        owner: Owner,
    ) -> Result<(), ContainerError> {
        let (folder, name) = (path.parent(), path.file_name());
        let archive = archive(name.unwrap_or_default().as_ref(), contents, owner);
        let archive = archive.map_err(|error| self.failed("write", path, &error))?;
        // Without `copyUIDGID` the daemon keeps the owner that the archive names.
        let options = UploadToContainerOptionsBuilder::new()
            .path(&folder.unwrap_or(Path::new("/")).to_string_lossy())
            .build();
        self.docker
            .upload_to_container(&self.container, Some(options), body_full(archive.into()))
            .await
            .map_err(|error| self.failed("write", path, &error))
    }

    /// Reads a file, also of a container that has ended.
    pub(super) async fn read(&self, path: &Path) -> Result<Vec<u8>, ContainerError> {
        let archive = self.download(path).await?;
        let mut contents = Vec::new();
        self.first_of(path, &archive, |mut entry| {
            entry.read_to_end(&mut contents)?;
            Ok(())
        })?;
        Ok(contents)
    }

    /// Who a folder, an empty one, belongs to.
    pub(super) async fn owner(&self, folder: &Path) -> Result<Owner, ContainerError> {
        let archive = self.download(folder).await?;
        self.first_of(folder, &archive, |entry| {
            let header = entry.header();
            Ok(Owner {
                user: header.uid()?,
                group: header.gid()?,
            })
        })
    }

    async fn download(&self, path: &Path) -> Result<Vec<u8>, ContainerError> {
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(&path.to_string_lossy())
            .build();
        self.docker
            .download_from_container(&self.container, Some(options))
            .try_fold(Vec::new(), |mut whole, part| async move {
                whole.extend_from_slice(&part);
                Ok(whole)
            })
            .await
            .map_err(|error| self.failed("read", path, &error))
    }

    fn first_of<T>(
        &self,
        path: &Path,
        archive: &[u8],
        take: impl FnOnce(tar::Entry<'_, &[u8]>) -> std::io::Result<T>,
    ) -> Result<T, ContainerError> {
        let mut archive = Archive::new(archive);
        let first = archive
            .entries()
            .and_then(|mut entries| match entries.next() {
                Some(entry) => take(entry?),
                None => Err(std::io::ErrorKind::NotFound.into()),
            });
        first.map_err(|error| self.failed("read", path, &error))
    }

    fn failed(&self, verb: &str, path: &Path, error: &dyn std::error::Error) -> ContainerError {
        ContainerError::Refused {
            what: format!("{verb} {} in {}", path.display(), self.container),
            why: super::error::describe(error),
        }
    }
}

fn archive(name: &Path, contents: &[u8], owner: Owner) -> std::io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_size(contents.len() as u64);
    header.set_mode(0o600);
    header.set_uid(owner.user);
    header.set_gid(owner.group);
    let mut archive = Builder::new(Vec::new());
    archive.append_data(&mut header, name, contents)?;
    archive.into_inner()
}
