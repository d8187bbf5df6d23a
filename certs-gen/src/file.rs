//! Files that are written whole or not at all, and never over another.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use crate::error::Error;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    /// Everyone whom the umask lets: certificates.
    Everyone = 0o644,
    /// Its owner: keys. The server refuses one that others can read
    /// (be-secure-common.c, `check_ssl_key_file_permissions`).
    Owner = 0o600,
}

/// Writes a new file, and its folder where that is missing.
///
/// # Errors
/// [`Error::Exists`] where there is such a file, [`Error::Write`] for all else;
/// no file is left behind then.
pub(crate) fn write_new(path: &Path, content: &[u8], readers: Readers) -> Result<(), Error> {
    write(path, content, readers).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists {
            path: path.to_owned(),
        },
        _ => Error::Write {
            path: path.to_owned(),
            source,
        },
    })
}

fn write(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".certs-gen-")
        .permissions(Permissions::from_mode(readers as u32))
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist_noclobber(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down.pem");
        write_new(&path, b"first", Readers::Owner).unwrap();

        let error = write_new(&path, b"second", Readers::Owner).unwrap_err();

        assert!(matches!(&error, Error::Exists { path: p } if *p == path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "a temporary file was left behind");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file/under.pem");
        let error = write_new(&path, b"", Readers::Everyone).unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}
