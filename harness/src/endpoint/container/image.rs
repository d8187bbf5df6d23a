//! Which image a server comes from.

use std::{env, fmt, time::Duration};

use futures_util::StreamExt;
use testcontainers::bollard::{
    Docker, errors::Error as DockerError, query_parameters::CreateImageOptionsBuilder,
};

use super::{ContainerError, error::describe};
use crate::engine::{NEWEST, OLDEST, Version};

/// How long a pull may go without a word from the registry.
const PULL_TIMEOUT: Duration = Duration::from_secs(30);
const OFFICIAL: &str = "postgres";
/// What `ci/offline-image` makes.
const OFFLINE: &str = "rds-tls/postgres";

/// An image that is here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    pub(super) repository: String,
    pub(super) tag: String,
    version: Version,
}

impl Image {
    /// The version of PostgreSQL in it: the major number alone.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// Where images come from. Without a tag, the version asked for is the tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageName {
    /// The first that is here is taken; the first of all is what is pulled.
    repositories: Vec<String>,
    tag: Option<String>,
}

impl ImageName {
    /// What `RDS_TLS_IMAGE` names; else the official image, or the one that
    /// `ci/offline-image` makes.
    #[must_use]
    pub fn from_environment() -> Self {
        match env::var("RDS_TLS_IMAGE") {
            Ok(named) if !named.is_empty() => Self::new(&named),
            _ => Self {
                repositories: [OFFICIAL, OFFLINE].map(str::to_owned).into(),
                tag: None,
            },
        }
    }

    /// Reads `[HOST[:PORT]/]PATH[:TAG]`; a digest, `PATH@sha256:…`, is as good as
    /// a tag.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let colon = name.rfind(':');
        // A colon before the last slash is a port's.
        let tag = colon.filter(|colon| !name[*colon..].contains('/'));
        let (repository, tag) = tag.map_or((name, None), |colon| {
            (&name[..colon], Some(name[colon + 1..].to_owned()))
        });
        Self {
            repositories: vec![repository.to_owned()],
            tag,
        }
    }

    /// Finds the image for a version, and pulls it where it isn't here. Without
    /// a request: the newest that is here, else the newest that there is.
    pub(super) async fn get(
        &self,
        docker: &Docker,
        request: Option<Version>,
    ) -> Result<Image, ContainerError> {
        let tags = self.tags(request);
        let image = match self.here(docker, &tags).await? {
            Some(image) => image,
            None => self.pulled(docker, &tags).await?,
        };
        match request {
            Some(request) if request.major != image.version.major => {
                Err(ContainerError::OtherVersion {
                    reference: image.to_string(),
                    version: image.version,
                    request,
                })
            }
            _ => Ok(image),
        }
    }

    pub(super) async fn newest_here(
        &self,
        docker: &Docker,
    ) -> Result<Option<Image>, ContainerError> {
        self.here(docker, &self.tags(None)).await
    }

    /// The tags that answer a request, the best first.
    fn tags(&self, request: Option<Version>) -> Vec<String> {
        match (&self.tag, request) {
            (Some(tag), _) => vec![tag.clone()],
            (None, Some(version)) => vec![version.to_string()],
            (None, None) => (OLDEST..=NEWEST).rev().map(|v| v.to_string()).collect(),
        }
    }

    async fn here(
        &self,
        docker: &Docker,
        tags: &[String],
    ) -> Result<Option<Image>, ContainerError> {
        for tag in tags {
            for repository in &self.repositories {
                let image = inspect(docker, repository, tag).await?;
                if image.is_some() {
                    return Ok(image);
                }
            }
        }
        Ok(None)
    }

    async fn pulled(&self, docker: &Docker, tags: &[String]) -> Result<Image, ContainerError> {
        let repository = self.repositories.first().map_or(OFFICIAL, String::as_str);
        let tag = tags.first().map_or("latest", String::as_str);
        pull(docker, repository, tag).await?;
        let image = inspect(docker, repository, tag).await?;
        image.ok_or_else(|| ContainerError::NoImage {
            reference: format!("{repository}:{tag}"),
            why: "it was pulled, and is not here".to_owned(),
        })
    }
}

async fn inspect(
    docker: &Docker,
    repository: &str,
    tag: &str,
) -> Result<Option<Image>, ContainerError> {
    let reference = format!("{repository}:{tag}");
    let inspected = match docker.inspect_image(&reference).await {
        Ok(inspected) => inspected,
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => return Ok(None),
        Err(error) => {
            return Err(ContainerError::refused(format!(
                "look at the image {reference}"
            ))(error));
        }
    };
    let variables = inspected.config.and_then(|config| config.env);
    let version = variables
        .iter()
        .flatten()
        .find_map(|variable| variable.strip_prefix("PG_MAJOR=")?.parse::<Version>().ok())
        .filter(|version| version.is_supported())
        .ok_or(ContainerError::NoVersion(reference))?;
    Ok(Some(Image {
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        version,
    }))
}

async fn pull(docker: &Docker, repository: &str, tag: &str) -> Result<(), ContainerError> {
    let reference = format!("{repository}:{tag}");
    let options = CreateImageOptionsBuilder::new()
        .from_image(&reference)
        .build();
    let mut progress = docker.create_image(Some(options), None, None);
    let failed = |why| ContainerError::NoImage {
        reference: reference.clone(),
        why,
    };
    loop {
        match tokio::time::timeout(PULL_TIMEOUT, progress.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => return Err(failed(describe(&error))),
            Err(_) => return Err(failed(format!("no word for {PULL_TIMEOUT:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("postgres", "postgres", None)]
    #[case("postgres:17", "postgres", Some("17"))]
    #[case("rds-tls/postgres", "rds-tls/postgres", None)]
    #[case("host:5000/a/postgres", "host:5000/a/postgres", None)]
    #[case(
        "host:5000/postgres:17.6-alpine",
        "host:5000/postgres",
        Some("17.6-alpine")
    )]
    #[case("postgres@sha256:ab", "postgres@sha256", Some("ab"))]
    fn a_tag_is_what_follows_the_last_colon(
        #[case] name: &str,
        #[case] repository: &str,
        #[case] tag: Option<&str>,
    ) {
        let parsed = ImageName::new(name);
        assert_eq!(
            (parsed.repositories, parsed.tag.as_deref()),
            (vec![repository.to_owned()], tag)
        );
    }
}
