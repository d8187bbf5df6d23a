//! Unpacks a build: a jar, which is a zip, that holds a tar compressed by xz.

use std::{
    fmt::Display,
    io::{Cursor, Error, Result},
    path::Path,
};

use lzma_rust2::XzReader;
use tar::Archive;
use zip::ZipArchive;

/// Unpacks the tar into a folder, which it makes. No path leaves the folder.
pub(super) fn unpack(jar: &[u8], folder: &Path) -> Result<()> {
    let mut jar = ZipArchive::new(Cursor::new(jar)).map_err(in_zip)?;
    let tar = (0..jar.len()).find(|&index| {
        jar.name_for_index(index)
            .is_some_and(|name| name.is_ok_and(|name| name.ends_with(".txz")))
    });
    let tar = tar.ok_or_else(|| Error::other("it holds no file named *.txz"))?;
    let packed = jar.by_index(tar).map_err(in_zip)?;
    Archive::new(XzReader::new(packed, true)).unpack(folder)
}

fn in_zip(error: impl Display) -> Error {
    Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::PermissionsExt};

    use rstest::rstest;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// bin/postgres (mode 0755, "program\n") and lib/libpq.so, a link to
    /// libpq.so.5: `tar --create --xz bin lib`.
    const SMALL: &[u8] = include_bytes!("small.txz");
    /// `../outside`: `tar --create --xz --absolute-names ../outside`.
    const LEAVING: &[u8] = include_bytes!("leaving.txz");

    fn jar(name: &str, content: &[u8], method: CompressionMethod) -> Vec<u8> {
        let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, content) in [("META-INF/MANIFEST.MF", "1.0".as_bytes()), (name, content)] {
            jar.start_file(name, options).unwrap();
            jar.write_all(content).unwrap();
        }
        jar.finish().unwrap().into_inner()
    }

    #[rstest]
    #[case(CompressionMethod::Stored)]
    #[case(CompressionMethod::Deflated)]
    fn unpacks_programs_and_links(#[case] method: CompressionMethod) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("engine");
        unpack(&jar("postgres-linux.txz", SMALL, method), &folder).unwrap();
        let program = folder.join("bin/postgres");
        assert_eq!(fs::read_to_string(&program).unwrap(), "program\n");
        let mode = fs::metadata(&program).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111);
        let link = fs::read_link(folder.join("lib/libpq.so")).unwrap();
        assert_eq!(link, Path::new("libpq.so.5"));
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("engine");
        // tar leaves such an entry out, or refuses it.
        let _ = unpack(&jar("a.txz", LEAVING, CompressionMethod::Stored), &folder);
        assert!(!place.path().join("outside").exists());
    }

    #[rstest]
    #[case::no_zip(SMALL.to_vec())]
    #[case::no_tar(jar("postgres.zip", SMALL, CompressionMethod::Stored))]
    #[case::no_xz(jar("a.txz", b"text", CompressionMethod::Stored))]
    #[case::cut_off(jar("a.txz", &SMALL[..SMALL.len() / 2], CompressionMethod::Stored))]
    fn anything_else_is_an_error(#[case] jar: Vec<u8>) {
        let place = tempfile::tempdir().unwrap();
        unpack(&jar, &place.path().join("engine")).unwrap_err();
    }
}
