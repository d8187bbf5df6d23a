//! The builds of libpq that this machine has.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{self, Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use super::{address, ffi::Library};
use crate::driver::versions::locked_version;

/// Where a person names builds: files, and folders that hold them.
const VARIABLE: &str = "RDS_TLS_LIBPQ";

/// What the system's loader is asked for.
const SONAME: &str = "libpq.so.5";

/// The configuration that is always here: the major version of the bundled
/// libpq, by a shared build where there is one.
pub const DEFAULT: &str = "default";

/// One build.
pub struct Build {
    /// The configuration that it plays.
    pub configuration: String,
    /// Its version, where it is from, and what sets it apart.
    pub about: String,
    /// Itself.
    pub library: &'static Library,
}

/// Why the builds that a person names can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A name of nothing.
    #[error("{VARIABLE} names {}, which can't be read: {source}", path.display())]
    Read {
        /// As it was named.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder without any.
    #[error("{VARIABLE} names {}, which holds no libpq.so.5; name the folder that does", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is none.
    #[error("{VARIABLE} names {}, which can't be used as a libpq: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// The places that `RDS_TLS_LIBPQ` names, for a process that has neither this
/// environment nor this working directory.
pub fn named() -> Vec<OsString> {
    let places = env::var_os(VARIABLE).unwrap_or_default();
    env::split_paths(&places)
        .filter(|place| !place.as_os_str().is_empty())
        .map(|place| path::absolute(&place).unwrap_or(place).into_os_string())
        .collect()
}

/// A build of each major version, the default first, then the newest first: the
/// first that is found, in the places named, by the system's loader, and in this
/// program.
///
/// Two builds that need libraries of one name share the first that was loaded:
/// which OpenSSL a build uses, it says itself.
///
/// # Errors
/// When a place that a person names gives none. What the system lacks is no
/// error: the bundled build is always here.
pub fn all(named: &[PathBuf]) -> Result<Vec<Build>, FindError> {
    // First, since a build that is loaded answers to this name too (dlopen(3)).
    let installed = Library::load(Path::new(SONAME));
    let mut libraries = Vec::new();
    for place in named {
        for file in files(place)? {
            libraries.push(load(&file)?);
        }
    }
    libraries.extend(installed);
    libraries.push(Library::bundled());

    let default = major(Library::bundled());
    // Stable: of one version the first that was found.
    libraries.sort_by_key(|library| {
        let major = major(library);
        (major != default, std::cmp::Reverse(major))
    });
    libraries.dedup_by_key(|library| major(library));
    let builds = libraries.into_iter().map(|library| Build {
        configuration: match major(library) {
            major if major == default => DEFAULT.to_owned(),
            major => major.to_string(),
        },
        about: about(library),
        library,
    });
    Ok(builds.collect())
}

/// The builds in a place: the file itself, or those of a folder, each once.
fn files(place: &Path) -> Result<Vec<PathBuf>, FindError> {
    // Beside the system's names, those of Python's wheels: libpq-0a1b2c3d.so.5.18.
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^libpq(-[0-9a-f]+)?\.so\.5(\.[0-9]+)?$").expect("the pattern is well formed")
    });
    let read = |source| FindError::Read {
        path: place.to_owned(),
        source,
    };
    if !fs::metadata(place).map_err(read)?.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).map_err(read)? {
        let entry = entry.map_err(read)?;
        if NAME.is_match(&entry.file_name().to_string_lossy()) {
            // libpq.so.5 is a link to libpq.so.5.18.
            files.push(entry.path().canonicalize().map_err(read)?);
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Err(FindError::Empty {
            path: place.to_owned(),
        });
    }
    Ok(files)
}

fn load(file: &Path) -> Result<&'static Library, FindError> {
    let unusable = |why: String| FindError::Unusable {
        path: file.to_owned(),
        why,
    };
    let library = Library::load(file).map_err(|error| unusable(error.to_string()))?;
    match major(library) {
        10.. => Ok(library),
        _ => Err(unusable("it is older than 10; name a newer one".to_owned())),
    }
}

/// Its major version, where it has numbers of two parts, as since 10.
fn major(library: &Library) -> i32 {
    library.version_number() / 10_000
}

/// As `18.6 (bundled)` or `15.18 (/usr/lib/x86_64-linux-gnu/libpq.so.5)`.
fn about(library: &'static Library) -> String {
    let Some(file) = library.file() else {
        let version = bundled_version(&locked_version("pq-src"), library.version_number());
        return match address::takes_ipv6(library) {
            Ok(true) => format!("{version} (bundled)"),
            Ok(false) => format!("{version} (bundled; {NO_IPV6})"),
            Err(why) => {
                format!("{version} (bundled; what it makes of IPv6 addresses is unknown, {why})")
            }
        };
    };
    let number = library.version_number();
    let (major, minor) = (number / 10_000, number % 10_000);
    format!("{major}.{minor} ({})", file.display())
}

/// How a build without `HAVE_INET_PTON` differs (fe-secure-common.c,
/// `pq_verify_peer_name_matches_certificate_ip`).
const NO_IPV6: &str = "it refuses certificates for IPv6 addresses, which PostgreSQL's own takes; \
     build with HOST_CFLAGS=-DHAVE_INET_PTON, or name a shared libpq 18 by RDS_TLS_LIBPQ";

/// The version of the bundled libpq, from that of the crate which bundles it
/// (`0.3.14+libpq-18.6`): the crate's build script puts the minor version in
/// the wrong place of the number that `PQlibVersion` gives. The major version,
/// which is right, must agree.
fn bundled_version(bundle: &str, number: i32) -> String {
    let major = (number / 10_000).to_string();
    match bundle.split_once("+libpq-") {
        Some((_, version)) if version.split('.').next() == Some(&*major) => version.to_owned(),
        _ => major,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn version_of_another_libpq_is_not_claimed() {
        assert_eq!(bundled_version("0.3.14+libpq-18.6", 180_600), "18.6");
        assert_eq!(bundled_version("0.3.14+libpq-18.6", 170_004), "17");
    }

    #[test]
    fn a_build_is_always_here_and_each_version_once() {
        let builds = all(&[]).unwrap();
        assert_eq!(builds[0].configuration, DEFAULT);
        assert!(builds[0].about.starts_with("18."), "{}", builds[0].about);
        let mut others: Vec<i32> = builds[1..]
            .iter()
            .map(|build| build.configuration.parse().unwrap())
            .collect();
        assert!(!others.contains(&18));
        let found = others.clone();
        others.sort_by_key(|major| std::cmp::Reverse(*major));
        others.dedup();
        assert_eq!(found, others);
    }

    #[test]
    fn links_of_a_folder_are_one_build() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        };
        touch("libpq.so.5.17");
        touch("libpq-0a1b.so.5.18");
        touch("libpqwalreceiver.so");
        touch("libpq.a");
        touch("libpq5.deb");
        link("libpq.so.5", "libpq.so.5.17");
        link("libpq.so", "libpq.so.5.17");
        let root = folder.path().canonicalize().unwrap();
        let expected = ["libpq-0a1b.so.5.18", "libpq.so.5.17"].map(|name| root.join(name));
        assert_eq!(files(folder.path()).unwrap(), expected);
    }

    #[rstest]
    #[case::missing("missing", "which can't be read: No such file")]
    #[case::empty_folder("", "which holds no libpq.so.5; name the folder that does")]
    #[case::no_library("text.so", "which can't be used as a libpq: ")]
    fn a_place_that_gives_none_is_an_error(#[case] name: &str, #[case] expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("text.so"), "text").unwrap();
        let place = folder.path().join(name);
        let error = all(&[place]).err().unwrap().to_string();
        assert!(error.starts_with("RDS_TLS_LIBPQ names /"), "{error}");
        assert!(error.contains(expected), "{error}");
    }

    /// A shared library that is there, and is no libpq.
    #[test]
    fn another_library_is_no_libpq() {
        let error = load(Path::new("libcrypto.so.3")).err().unwrap().to_string();
        assert!(error.contains("PQclear"), "{error}");
    }
}
