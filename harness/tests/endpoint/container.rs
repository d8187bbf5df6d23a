//! What holds of containers alone.

use std::{
    collections::HashMap, fs, io::Read, net::TcpListener, os::unix::fs::PermissionsExt, path::Path,
};

use futures_util::TryStreamExt;
use harness::{
    endpoint::{Daemon, EndpointError, ImageName, Master, Options, container},
    policy::{Leaf, Policy},
    rundir::RunDir,
};
use secrecy::ExposeSecret;
use testcontainers::{
    bollard::{
        Docker,
        models::{ContainerInspectResponse, ContainerSummary},
        query_parameters::{
            DownloadFromContainerOptionsBuilder, InspectContainerOptions,
            KillContainerOptionsBuilder, ListContainersOptionsBuilder,
        },
    },
    core::client::docker_client_instance,
};

use crate::{
    place::{Place, options, start, stop, waiting_run},
    shared::assert_dead,
};

pub async fn keys_are_the_servers_alone(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let policy = Policy {
        leaf: Leaf::P384,
        ..Policy::default()
    };
    server.apply(&policy).await.unwrap();
    let docker = docker().await;
    let id = only_container(&docker, run_dir.path()).await.id.unwrap();
    let mut keys = 0;
    for (path, mode, user) in entries(&docker, &id, "/rdsdbdata/rds-metadata").await {
        assert_ne!(user, 0, "{path} is root's");
        if path.ends_with('/') {
            assert_eq!(mode & 0o777, 0o700, "{path}");
        } else {
            assert_eq!(mode & 0o777, 0o600, "{path}");
        }
        keys += u32::from(Path::new(&path).extension() == Some("key".as_ref()));
    }
    assert_eq!(keys, 2);
    stop(server, run_dir).await;
}

pub async fn it_is_published_on_the_loopback_address_alone(place: Place) {
    let (server, run_dir) = start(&place).await;
    let container = only_container(&docker().await, run_dir.path()).await;
    let published: Vec<_> = (container.ports.into_iter().flatten())
        .filter_map(|port| Some((port.ip?, port.public_port?)))
        .collect();
    let address = server.facts().address;
    assert_eq!(published, [("127.0.0.1".to_owned(), address.port())]);
    stop(server, run_dir).await;
}

pub async fn no_secret_can_be_inspected(place: Place) {
    let (server, run_dir) = start(&place).await;
    let docker = docker().await;
    let id = only_container(&docker, run_dir.path()).await.id.unwrap();
    let inspected = format!("{:?}", inspect(&docker, &id).await);
    let facts = server.facts();
    for secret in [&facts.master.password, &facts.stranger.password] {
        assert!(!inspected.contains(secret.expose_secret()));
    }
    // The superuser's is known to nobody outside the endpoint.
    let variables = inspect(&docker, &id).await.config.unwrap().env.unwrap();
    let mut passwords: Vec<_> = (variables.iter())
        .filter(|variable| variable.contains("PASSWORD"))
        .collect();
    passwords.sort();
    assert_eq!(
        passwords,
        [
            "POSTGRES_PASSWORD=",
            "POSTGRES_PASSWORD_FILE=/rds-tls/password"
        ]
    );
    let log = file(&docker, &id, "/rdsdbdata/log/error/postgresql.log").await;
    assert!(log.contains("ready to accept connections") && !log.contains("SCRAM-SHA-256$"));
    stop(server, run_dir).await;
}

pub async fn a_dead_server_is_an_error(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let docker = docker().await;
    let id = only_container(&docker, run_dir.path()).await.id.unwrap();
    let options = KillContainerOptionsBuilder::new().build();
    docker.kill_container(&id, Some(options)).await.unwrap();
    assert_dead(server.as_mut()).await;
    stop(server, run_dir).await;
    assert!(!is_there(&docker, &id).await);
}

/// With its volumes, within a runtime and out of it.
pub async fn dropping_it_removes_it(place: Place) {
    let docker = docker().await;
    for within in [true, false] {
        let (server, run_dir) = start(&place).await;
        let id = only_container(&docker, run_dir.path()).await.id.unwrap();
        let mounts = inspect(&docker, &id).await.mounts.unwrap();
        let volumes: Vec<_> = mounts.into_iter().filter_map(|mount| mount.name).collect();
        // As the official image's.
        assert_eq!(volumes.len(), 1);
        assert!(docker.inspect_volume(&volumes[0]).await.is_ok());
        if within {
            drop(server);
        } else {
            std::thread::spawn(move || drop(server)).join().unwrap();
        }
        assert!(!is_there(&docker, &id).await, "within a runtime: {within}");
        assert!(docker.inspect_volume(&volumes[0]).await.is_err());
    }
}

pub async fn what_a_killed_run_left_is_swept(place: Place) {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let (mut run, folder) = waiting_run(&place, temp.path());
    let docker = docker().await;
    let id = only_container(&docker, Path::new(&folder))
        .await
        .id
        .unwrap();
    Daemon::connect().await.unwrap();
    assert!(is_there(&docker, &id).await, "the run lives");
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(is_there(&docker, &id).await, "it outlives its run");
    Daemon::connect().await.unwrap();
    assert!(!is_there(&docker, &id).await);
    assert_eq!(harness::rundir::sweep(temp.path()), 1);
}

pub async fn a_port_that_is_taken_is_an_error(place: Place) {
    let Place::Container(image) = place else {
        unreachable!()
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let run_dir = RunDir::create().unwrap().into();
    let options = Options {
        port: Some(taken.local_addr().unwrap().port()),
        master: Master::default(),
        ..options(&run_dir)
    };
    let error = container(&image, options).await.err().unwrap();
    assert!(matches!(error, EndpointError::PortTaken(_)), "{error}");
    let left = containers(&docker().await, run_dir.path()).await;
    assert_eq!(left.len(), 0);
}

pub async fn an_image_that_cannot_be_had_is_an_error(_place: Place) {
    let daemon = Daemon::connect().await.unwrap();
    let name = ImageName::new("127.0.0.1:9/no-such-image:17");
    let error = daemon.image(&name, None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the image 127.0.0.1:9/no-such-image:17 is not here and can't be pulled"),
        "{error}"
    );
}

async fn docker() -> Docker {
    docker_client_instance().await.unwrap()
}

/// Of a run, by the label.
async fn containers(docker: &Docker, run: &Path) -> Vec<ContainerSummary> {
    let label = format!("rds-tls.run={}", run.display());
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    docker.list_containers(Some(options)).await.unwrap()
}

async fn only_container(docker: &Docker, run: &Path) -> ContainerSummary {
    let mut all = containers(docker, run).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn inspect(docker: &Docker, id: &str) -> ContainerInspectResponse {
    let options = None::<InspectContainerOptions>;
    docker.inspect_container(id, options).await.unwrap()
}

async fn is_there(docker: &Docker, id: &str) -> bool {
    let options = None::<InspectContainerOptions>;
    docker.inspect_container(id, options).await.is_ok()
}

/// Path, mode and user of a folder and of what is in it.
async fn entries(docker: &Docker, id: &str, folder: &str) -> Vec<(String, u32, u64)> {
    let whole = download(docker, id, folder).await;
    let mut archive = tar::Archive::new(whole.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().display().to_string();
        (path, header.mode().unwrap(), header.uid().unwrap())
    });
    entries.collect()
}

async fn file(docker: &Docker, id: &str, path: &str) -> String {
    let whole = download(docker, id, path).await;
    let mut archive = tar::Archive::new(whole.as_slice());
    let mut text = String::new();
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    entry.read_to_string(&mut text).unwrap();
    text
}

async fn download(docker: &Docker, id: &str, path: &str) -> Vec<u8> {
    let options = DownloadFromContainerOptionsBuilder::new()
        .path(path)
        .build();
    let parts = docker.download_from_container(id, Some(options));
    let parts: Vec<_> = parts.try_collect().await.unwrap();
    parts.concat()
}
