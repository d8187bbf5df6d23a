//! Finds a build in a Maven repository: `maven-metadata.xml` lists the
//! versions, and beside each archive lie files with its hashes
//! (<https://maven.apache.org/repository/layout.html>).

use std::fmt::Write;

use openssl::hash::{MessageDigest, hash};
use roxmltree::Document;

use super::http::{GetError, Http};
use crate::engine::Version;

const PLACE: &str = "https://repo1.maven.org/maven2/io/zonky/test/postgres";

/// The builds for one kind of machine.
pub(super) struct Builds {
    http: Http,
    place: String,
    artifact: String,
}

impl Builds {
    pub(super) fn of_this_machine(http: Http) -> Self {
        Self {
            http,
            place: PLACE.to_owned(),
            artifact: artifact(),
        }
    }

    /// The archive of the newest build that answers, held against the hash that
    /// it was published with.
    pub(super) fn archive(&self, request: Version) -> Result<Vec<u8>, MavenError> {
        let build = self.newest(request)?;
        let Self {
            place, artifact, ..
        } = self;
        let url = format!("{place}/{artifact}/{build}/{artifact}-{build}.jar");
        let (algorithm, published) = self.published_hash(&url)?;
        let archive = self.there(&url)?;
        let found = algorithm.of(&archive)?;
        if published != found {
            return Err(MavenError::WrongHash {
                url,
                algorithm: algorithm.name(),
                published,
                found,
            });
        }
        Ok(archive)
    }

    fn newest(&self, request: Version) -> Result<Build, MavenError> {
        let url = format!("{}/{}/maven-metadata.xml", self.place, self.artifact);
        let unreadable = |why: String| MavenError::Metadata {
            url: url.clone(),
            why,
        };
        let metadata =
            String::from_utf8(self.there(&url)?).map_err(|error| unreadable(error.to_string()))?;
        let metadata = Document::parse(&metadata).map_err(|error| unreadable(error.to_string()))?;
        metadata
            .descendants()
            .filter(|node| node.has_tag_name("version"))
            .filter_map(|node| Build::parse(node.text()?))
            .filter(|build| build.postgres().answers(request))
            .max()
            .ok_or_else(|| MavenError::NoBuild {
                request,
                artifact: self.artifact.clone(),
            })
    }

    /// The strongest hash that the archive was published with.
    fn published_hash(&self, url: &str) -> Result<(Algorithm, String), MavenError> {
        for algorithm in Algorithm::STRONGEST_FIRST {
            let url = format!("{url}.{}", algorithm.name());
            if let Some(file) = self.http.get(&url)? {
                let text = String::from_utf8_lossy(&file);
                // Some tools write the file's name after its hash.
                let hash = text.split_whitespace().next().unwrap_or_default();
                return Ok((algorithm, hash.to_ascii_lowercase()));
            }
        }
        Err(MavenError::NoHash(url.to_owned()))
    }

    fn there(&self, url: &str) -> Result<Vec<u8>, MavenError> {
        let found = self.http.get(url)?;
        found.ok_or_else(|| MavenError::Absent(url.to_owned()))
    }
}

/// The artifact of this machine, by the names that zonky gives to systems and
/// processors (<https://github.com/zonkyio/embedded-postgres-binaries>).
fn artifact() -> String {
    use std::env::consts::{ARCH, OS};

    let system = if OS == "macos" { "darwin" } else { OS };
    let processor = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64v8",
        "arm" => "arm32v7",
        "powerpc64" => "ppc64le",
        "x86" => "i386",
        other => other,
    };
    format!("embedded-postgres-binaries-{system}-{processor}")
}

/// The version of a build: PostgreSQL's, and a number of the packager's. Builds
/// marked as a further try (`10.7.0-1`) or a beta are none.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Build {
    major: u16,
    minor: u16,
    packaging: u16,
}

impl Build {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let build = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            packaging: numbers.next()??,
        };
        numbers.next().is_none().then_some(build)
    }

    fn postgres(self) -> Version {
        Version {
            major: self.major,
            minor: Some(self.minor),
        }
    }
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.packaging)
    }
}

#[derive(Clone, Copy)]
enum Algorithm {
    Sha512,
    Sha256,
    Sha1,
}

impl Algorithm {
    /// A build from before 2019 has a SHA-1 hash and no better one. MD5, which
    /// all have, proves nothing.
    const STRONGEST_FIRST: [Self; 3] = [Self::Sha512, Self::Sha256, Self::Sha1];

    fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "sha512",
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
        }
    }

    /// In hexadecimal, as the files have it.
    fn of(self, bytes: &[u8]) -> Result<String, MavenError> {
        let digest = match self {
            Self::Sha512 => MessageDigest::sha512(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha1 => MessageDigest::sha1(),
        };
        let digest = hash(digest, bytes).map_err(|error| MavenError::NoAlgorithm {
            algorithm: self.name(),
            why: error.to_string(),
        })?;
        Ok(digest.iter().fold(String::new(), |mut text, byte| {
            // Writing to a String never fails.
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }
}

/// Why a repository gave no archive.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine) enum MavenError {
    #[error(transparent)]
    Get(#[from] GetError),
    #[error("{0} is not there")]
    Absent(String),
    #[error("{url} lists no versions: {why}")]
    Metadata { url: String, why: String },
    #[error("Maven Central has no build of PostgreSQL {request} named {artifact}")]
    NoBuild { request: Version, artifact: String },
    #[error("{0} was published without a SHA-512, SHA-256 or SHA-1 hash to check it against")]
    NoHash(String),
    #[error("{url} has the {algorithm} hash {found}, but was published with {published}")]
    WrongHash {
        url: String,
        algorithm: &'static str,
        published: String,
        found: String,
    },
    #[error("OpenSSL computes no {algorithm} hash: {why}")]
    NoAlgorithm {
        algorithm: &'static str,
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::http::tests::Files, *};

    const METADATA: &str = "<?xml version='1.0' encoding='UTF-8'?>
        <metadata><artifactId>pg</artifactId><versioning><latest>19.0.0</latest><versions>
        <version>10.7.0</version><version>10.7.0-1</version><version>10.23.0</version>
        <version>17.9.0</version><version>17.10.0</version><version>18.0.0-beta.1</version>
        </versions></versioning></metadata>";
    const ARCHIVE: &str = "an archive";
    // printf 'an archive' | sha512sum, sha256sum, sha1sum
    const SHA512: &str = "21b9c6c34401c466769ec75e894d47f3d5eb656358ae836dc6d87b7747af69377f8266913427dfcd0027e68873ae8962f8afd943a29ccfacacabd27113a981be";
    const SHA256: &str = "9e691d5adacf0e102f203100842ffaba4e2a7dfe3dbd536827d3c0db8c7e88f1";
    const SHA1: &str = "0096cb2abf1d7d6711bf29ad90fa5423e5bf3799";

    fn builds(files: &Files) -> Builds {
        Builds {
            http: Http::in_clear(),
            place: files.url.clone(),
            artifact: "pg".to_owned(),
        }
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[rstest]
    #[case("10", Some("10.23.0"))]
    #[case("10.7", Some("10.7.0"))]
    #[case("17", Some("17.10.0"))]
    #[case("17.9", Some("17.9.0"))]
    #[case("17.1", None)]
    #[case::only_a_beta("18", None)]
    #[case::named_as_the_latest_alone("19", None)]
    fn takes_the_newest_build_that_answers(#[case] request: &str, #[case] expected: Option<&str>) {
        let files = Files::new([("/pg/maven-metadata.xml", vec![(200, METADATA.into())])]);
        match (builds(&files).newest(version(request)), expected) {
            (Ok(build), Some(expected)) => assert_eq!(build.to_string(), expected),
            (Err(MavenError::NoBuild { .. }), None) => (),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::the_strongest(&[("sha1", "not looked at"), ("sha256", "not looked at"), ("sha512", SHA512)], "taken")]
    #[case::the_next(&[("sha1", "not looked at"), ("sha256", SHA256)], "taken")]
    #[case::an_old_build(&[("md5", "not looked at"), ("sha1", SHA1)], "taken")]
    #[case::another_archive(&[("sha1", SHA1), ("sha512", "00ff")], "WrongHash")]
    #[case::another_old_archive(&[("sha1", "00ff")], "WrongHash")]
    #[case::an_empty_hash(&[("sha1", "")], "WrongHash")]
    #[case::md5_alone(&[("md5", "not looked at")], "NoHash")]
    #[case::none(&[], "NoHash")]
    fn holds_an_archive_against_its_strongest_hash(
        #[case] hashes: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let jar = "/pg/17.10.0/pg-17.10.0.jar";
        let mut answers = vec![
            ("/pg/maven-metadata.xml", vec![(200, METADATA.into())]),
            (jar, vec![(200, ARCHIVE.into())]),
        ];
        for (extension, hash) in hashes {
            let path: &'static str = format!("{jar}.{extension}").leak();
            answers.push((path, vec![(200, (*hash).into())]));
        }
        let got = match builds(&Files::new(answers)).archive(version("17")) {
            Ok(archive) if archive == ARCHIVE.as_bytes() => "taken",
            Err(MavenError::WrongHash { .. }) => "WrongHash",
            Err(MavenError::NoHash(_)) => "NoHash",
            other => panic!("{other:?}"),
        };
        assert_eq!(got, expected);
    }

    /// A hash that could not be asked for is not one that isn't there: else a
    /// fault on the way would lead to a weaker hash.
    #[test]
    fn takes_no_weaker_hash_because_the_stronger_one_failed() {
        let files = Files::new([
            ("/pg/maven-metadata.xml", vec![(200, METADATA.into())]),
            ("/pg/17.10.0/pg-17.10.0.jar", vec![(200, ARCHIVE.into())]),
            ("/pg/17.10.0/pg-17.10.0.jar.sha512", vec![(403, Vec::new())]),
            ("/pg/17.10.0/pg-17.10.0.jar.sha1", vec![(200, SHA1.into())]),
        ]);
        let got = builds(&files).archive(version("17"));
        assert!(matches!(got, Err(MavenError::Get(_))), "{got:?}");
    }

    #[rstest]
    #[case::no_xml("<metadata>", "lists no versions")]
    #[case::no_text("\u{0}", "lists no versions")]
    #[case::of_something_else("<html/>", "no build of PostgreSQL 17")]
    fn a_list_that_cannot_be_read_is_an_error(#[case] metadata: &str, #[case] expected: &str) {
        let files = Files::new([("/pg/maven-metadata.xml", vec![(200, metadata.into())])]);
        let error = builds(&files).archive(version("17")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
