//! Containers of an image under test.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use harness::endpoint::Daemon;
use testcontainers::{
    ContainerAsync, ContainerRequest, CopyTargetOptions, GenericImage, ImageExt,
    bollard::models::{HostConfig, PortBinding},
    core::{WaitFor, wait::ExitWaitStrategy},
    runners::AsyncRunner,
};
use tokio_postgres::{Client, Config, Error, NoTls};

/// What the image's server writes when clients may come.
const READY: &str = "database system is ready to accept connections";
pub const PASSWORD: &str = "correct-horse-battery-staple";
/// How long a server that was started again may take to let clients in.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An image under test.
pub struct Image {
    /// `REPOSITORY:TAG`.
    pub reference: String,
    /// PostgreSQL's version by the tag; 0 when the image is not here.
    pub major: u16,
    /// The folder of the run that its containers belong to.
    pub run: PathBuf,
}

impl Image {
    /// What is to be run, without any setting but the port.
    pub fn container(&self) -> ContainerRequest<GenericImage> {
        assert_ne!(
            self.major, 0,
            "RDS_TLS_IMAGE names {}, which is not here with a version as its tag; pull it first",
            self.reference
        );
        let (repository, tag) = self.reference.rsplit_once(':').unwrap();
        GenericImage::new(repository, tag)
            .with_labels(Daemon::labels(&self.run))
            .with_host_config_modifier(publish)
    }

    /// The same with a password, for what is not about passwords.
    pub fn with_password(&self) -> ContainerRequest<GenericImage> {
        self.container().with_env_var("POSTGRES_PASSWORD", PASSWORD)
    }
}

/// On a free port of the loopback address alone.
fn publish(host: &mut HostConfig) {
    let binding = PortBinding {
        host_ip: Some(Ipv4Addr::LOCALHOST.to_string()),
        host_port: None,
    };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some([("5432/tcp".to_owned(), Some(vec![binding]))].into());
}

/// A file with a mode, owned by root, to be put into a container.
pub fn file(
    request: ContainerRequest<GenericImage>,
    path: &str,
    mode: u32,
    contents: impl Into<Vec<u8>>,
) -> ContainerRequest<GenericImage> {
    let target = CopyTargetOptions::new(path).with_mode(mode);
    request.with_copy_to(target, contents.into())
}

/// What a container said that ended by itself.
pub struct Ended {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a container to its end.
pub async fn run(request: ContainerRequest<GenericImage>) -> Ended {
    let ended = WaitFor::exit(ExitWaitStrategy::new());
    let request = request.with_ready_conditions(vec![ended]);
    let server = Server(request.start().await.unwrap());
    Ended {
        code: server.0.exit_code().await.unwrap().unwrap(),
        stdout: server.stdout().await,
        stderr: server.stderr().await,
    }
}

/// A container that serves. It goes when this is dropped, with its volumes.
pub struct Server(pub ContainerAsync<GenericImage>);

impl Server {
    /// Waits as testcontainers' own module for PostgreSQL does: the server that
    /// initialises speaks on standard output, the one for clients on standard error.
    pub async fn start(request: ContainerRequest<GenericImage>) -> Self {
        let ready = vec![
            WaitFor::message_on_stdout(READY),
            WaitFor::message_on_stderr(READY),
        ];
        Self(request.with_ready_conditions(ready).start().await.unwrap())
    }

    pub async fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout_to_vec().await.unwrap()).unwrap()
    }

    pub async fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr_to_vec().await.unwrap()).unwrap()
    }

    /// A login over TCP, from outside of the container.
    pub async fn login(&self, user: &str, password: &str, database: &str) -> Result<Client, Error> {
        let port = self.0.get_host_port_ipv4(5432).await.unwrap();
        let (client, connection) = Config::new()
            .host(Ipv4Addr::LOCALHOST.to_string())
            .port(port)
            .user(user)
            .password(password)
            .dbname(database)
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The same as the default superuser, who must get in.
    pub async fn superuser(&self) -> Client {
        (self.login("postgres", PASSWORD, "postgres").await).unwrap()
    }

    /// Stops it by the image's stop signal; its exit code.
    pub async fn stop(&self) -> i64 {
        self.0.stop().await.unwrap();
        self.0.exit_code().await.unwrap().unwrap()
    }

    /// Starts it again, with the data that it has.
    pub async fn start_again(&self) -> Client {
        self.0.start().await.unwrap();
        let knock = async {
            loop {
                match self.login("postgres", PASSWORD, "postgres").await {
                    Ok(client) => return client,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        let client = tokio::time::timeout(TIMEOUT, knock).await;
        client.expect("it lets clients in again")
    }
}

/// The one value that a query gives, as text.
pub async fn value(client: &Client, query: &str) -> String {
    let query = format!("SELECT ({query})::text");
    client.query_one(&query, &[]).await.unwrap().get(0)
}
