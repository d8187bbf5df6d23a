//! The Docker daemon, and what earlier runs left in it.

use std::{collections::HashMap, env, net::IpAddr, path::Path, time::Duration};

use nix::unistd::gethostname;
use testcontainers::{
    bollard::{
        Docker,
        errors::Error as DockerError,
        models::ContainerSummary,
        query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder},
    },
    core::client::docker_client_instance,
};

use super::{
    ContainerError,
    error::describe,
    image::{Image, ImageName},
};
use crate::{engine::Version, rundir};

/// How long a daemon may take to say that it is there.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The folder of the run that a container belongs to.
const RUN: &str = "rds-tls.run";
/// Who can tell whether that run is alive; see [`here`].
const SEEN_FROM: &str = "rds-tls.seen-from";

/// A Docker daemon of this machine that answers.
#[derive(Clone, Debug)]
pub struct Daemon {
    pub(super) docker: Docker,
}

impl Daemon {
    /// Finds it, and removes the containers of killed runs.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn connect() -> Result<Self, ContainerError> {
        let daemon = Self::find().await?;
        daemon.sweep().await;
        Ok(daemon)
    }

    /// Finds it as testcontainers does: `DOCKER_HOST`, else the usual sockets.
    ///
    /// # Errors
    /// When none answers, or it is on another machine.
    pub async fn find() -> Result<Self, ContainerError> {
        if let Some(elsewhere) = env::var("DOCKER_HOST").ok().filter(|host| !is_here(host)) {
            return Err(ContainerError::Elsewhere(elsewhere));
        }
        let no_daemon = |why| ContainerError::NoDaemon(why);
        let docker = (docker_client_instance().await).map_err(|e| no_daemon(describe(&e)))?;
        match tokio::time::timeout(TIMEOUT, docker.ping()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(no_daemon(describe(&error))),
            Err(_) => return Err(no_daemon(format!("no word in {TIMEOUT:?}"))),
        }
        Ok(Self { docker })
    }

    /// The labels by which a container of a run is found, once that run was
    /// killed: `run` is the path of its [`RunDir`](crate::rundir::RunDir).
    #[must_use]
    pub fn labels(run: &Path) -> [(&'static str, String); 2] {
        [(RUN, run.display().to_string()), (SEEN_FROM, here())]
    }

    /// The image for a version of PostgreSQL, pulled where it isn't here.
    ///
    /// # Errors
    /// When it can't be had, or has another version.
    pub async fn image(
        &self,
        name: &ImageName,
        request: Option<Version>,
    ) -> Result<Image, ContainerError> {
        name.get(&self.docker, request).await
    }

    /// The newest image that is here.
    ///
    /// # Errors
    /// When the daemon does not say, or the image does not say what it has.
    pub async fn image_here(&self, name: &ImageName) -> Result<Option<Image>, ContainerError> {
        name.newest_here(&self.docker).await
    }

    /// Removes a container with its volumes; one that is gone is fine.
    pub(super) async fn remove(&self, name: &str) -> Result<(), ContainerError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        match self.docker.remove_container(name, Some(options)).await {
            Ok(())
            | Err(DockerError::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(()),
            Err(error) => Err(ContainerError::LeftBehind {
                name: name.to_owned(),
                why: describe(&error),
            }),
        }
    }

    /// Removes the containers of runs that were killed. What can't be removed
    /// stays for the next start.
    async fn sweep(&self) {
        let filters = HashMap::from([("label", vec![format!("{SEEN_FROM}={}", here())])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self.docker.list_containers(Some(options)).await;
        for container in listed.unwrap_or_default() {
            if let Some(id) = container.id.as_deref().filter(|_| is_abandoned(&container)) {
                let _ = self.remove(id).await;
            }
        }
    }
}

fn is_abandoned(container: &ContainerSummary) -> bool {
    let labels = container.labels.as_ref();
    let run = labels.and_then(|labels| labels.get(RUN));
    run.is_some_and(|run| !rundir::may_be_alive(Path::new(run)))
}

/// Names the view of the file system in which a run's folder can be looked for:
/// a daemon may serve other machines, and other containers with a `/tmp` of
/// their own.
fn here() -> String {
    let host = gethostname().unwrap_or_default();
    let mounts = std::fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    format!("{} {}", host.to_string_lossy(), mounts.display())
}

/// Whether a `DOCKER_HOST` is a daemon of this machine.
fn is_here(host: &str) -> bool {
    let Some((scheme, rest)) = host.split_once("://") else {
        // Not for this to judge: the client says what is wrong with it.
        return true;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let name = authority
        .rsplit_once(':')
        .map_or(authority, |(name, _)| name);
    let name = name.trim_matches(['[', ']']);
    !matches!(scheme, "tcp" | "http" | "https" | "ssh")
        || name == "localhost"
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("unix:///var/run/docker.sock", true)]
    #[case("tcp://127.0.0.1:2375", true)]
    #[case("tcp://localhost:2375", true)]
    #[case("tcp://[::1]:2375", true)]
    #[case("tcp://10.0.0.5:2376", false)]
    #[case("https://docker.example.com", false)]
    #[case("ssh://me@host", false)]
    #[case("", true)]
    fn a_daemon_of_another_machine_is_told_from_ours(#[case] host: &str, #[case] here: bool) {
        assert_eq!(is_here(host), here);
    }
}
