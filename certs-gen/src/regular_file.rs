//! Files that somebody named, read to a bound: a FIFO would wait for a writer
//! for ever, a device may have no end.

use std::{
    fs::{File, FileType},
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

/// The most that is read of a file, in bytes: the bundle of all of RDS's roots
/// is a hundredth of it.
const LARGEST: u64 = 16 << 20;

/// Why a file that somebody named is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegularFileError {
    /// The system refused.
    #[error("{} can't be read ({why}); name a readable file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// It is something else than a regular file.
    #[error(
        "{} is {kind}, and only a regular file is read; write the contents to one and name that",
        path.display()
    )]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It is larger than [`LARGEST`].
    #[error("{} is larger than 16 MiB, the most that is read; name another file", .0.display())]
    TooLarge(PathBuf),
    /// Its bytes are no text.
    #[error("{} is no UTF-8 text; write it anew in UTF-8", .0.display())]
    NotText(PathBuf),
}

/// The contents of a regular file, [`LARGEST`] bytes at most; a link to one is
/// followed. Never waits for another process.
///
/// # Errors
/// When it is no such file, or can't be read.
pub fn read_regular_file(path: &Path) -> Result<Vec<u8>, RegularFileError> {
    let unreadable = |why| RegularFileError::Unreadable {
        path: path.to_owned(),
        why,
    };
    // Without the flag, the opening of a FIFO waits for its writer (open(2)). It
    // means nothing to a regular file.
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(unreadable)?;
    // Of what was opened: the path may lead elsewhere by now.
    let found = file.metadata().map_err(unreadable)?.file_type();
    if !found.is_file() {
        return Err(RegularFileError::NotRegular {
            path: path.to_owned(),
            kind: kind(found),
        });
    }
    let mut contents = Vec::new();
    // The length that the system tells may grow, or be 0 as in /proc.
    (file.take(LARGEST + 1).read_to_end(&mut contents)).map_err(unreadable)?;
    if contents.len() as u64 > LARGEST {
        return Err(RegularFileError::TooLarge(path.to_owned()));
    }
    Ok(contents)
}

/// The same for a text.
///
/// # Errors
/// As [`read_regular_file`], and when it isn't UTF-8.
pub fn read_regular_text(path: &Path) -> Result<String, RegularFileError> {
    let contents = read_regular_file(path)?;
    String::from_utf8(contents).map_err(|_| RegularFileError::NotText(path.to_owned()))
}

/// What a file is, for people.
#[must_use]
pub fn kind(found: FileType) -> &'static str {
    if found.is_dir() {
        "a folder"
    } else if found.is_fifo() {
        "a FIFO"
    } else if found.is_char_device() {
        "a character device"
    } else if found.is_block_device() {
        "a block device"
    } else if found.is_socket() {
        "a socket"
    } else {
        "no regular file"
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use nix::{sys::stat::Mode, unistd::mkfifo};
    use rstest::rstest;

    use super::*;

    fn says(path: &Path) -> String {
        read_regular_file(path).unwrap_err().to_string()
    }

    #[test]
    fn a_regular_file_is_read_also_by_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_regular_file(&file).unwrap(), b"text");
        assert_eq!(read_regular_text(&link).unwrap(), "text");
    }

    #[test]
    fn a_fifo_that_nobody_writes_to_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let link = folder.path().join("link");
        symlink(&fifo, &link).unwrap();
        for path in [fifo, link] {
            let expected = format!("{} is a FIFO, and only a regular file", path.display());
            assert!(says(&path).starts_with(&expected), "{}", says(&path));
        }
    }

    #[rstest]
    #[case("/dev/zero", "/dev/zero is a character device, and only ")]
    #[case("/", "/ is a folder, and only a regular file is read")]
    #[case("/no/such", "/no/such can't be read (No such file")]
    fn what_is_no_regular_file_is_named(#[case] path: &str, #[case] expected: &str) {
        assert!(says(Path::new(path)).starts_with(expected));
    }

    #[test]
    fn the_bound_is_the_last_size_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(LARGEST).unwrap();
        assert_eq!(read_regular_file(&path).unwrap().len() as u64, LARGEST);
        file.set_len(LARGEST + 1).unwrap();
        assert!(says(&path).contains("is larger than 16 MiB"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_as_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        fs::write(&path, [0xff]).unwrap();
        let error = read_regular_text(&path).unwrap_err();
        assert!(matches!(error, RegularFileError::NotText(_)));
    }
}
