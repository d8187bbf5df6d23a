//! Where PostgreSQL runs: in a container, as a program of this machine, or as
//! someone's instance.

use std::env;

use anyhow::anyhow;
use clap::ValueEnum;
#[cfg(feature = "container")]
use harness::endpoint::{Daemon, Image, ImageName};
use harness::{
    endpoint::rds::{Access, Found},
    engine::{self, Account, Cache, NEWEST, Version},
    suite::Target,
};

use crate::Failure;

/// Where PostgreSQL is to run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Backend {
    /// `container` if a Docker daemon answers and the images are here or can be
    /// pulled, else `embedded`
    #[default]
    Auto,
    /// A container of the official image, or of the image in `RDS_TLS_IMAGE`
    Container,
    /// A server program on this machine, downloaded if it isn't installed
    Embedded,
    /// Only the instance that `RDS_ENDPOINT` names; if that is set, the other
    /// backends play the instance too
    Rds,
}

/// A PostgreSQL that can be started.
#[derive(Clone, Debug)]
pub enum Engine {
    /// A server program of a version.
    Embedded(Version),
    /// An image that is here.
    #[cfg(feature = "container")]
    Container(Image),
    /// Someone's instance, which runs already.
    Rds(Box<Found>),
}

/// What was chosen, for all engines alike.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// In the order in which they were asked for.
    pub engines: Vec<Engine>,
    /// Which backend [`Backend::Auto`] took and why, for people.
    pub note: Option<String>,
}

impl Engine {
    /// Its version; of an image, the major number alone.
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::Embedded(version) => *version,
            #[cfg(feature = "container")]
            Self::Container(image) => image.version(),
            Self::Rds(found) => found.version(),
        }
    }

    /// What cells are played against on it.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Rds(_) => Target::Instance(self.version()),
            _ => Target::Emulated(self.version()),
        }
    }
}

impl Backend {
    /// What `RDS_TLS_BACKEND` says.
    ///
    /// # Errors
    /// Usage, when it says something else.
    pub fn from_environment() -> Result<Self, Failure> {
        match env::var("RDS_TLS_BACKEND") {
            Ok(name) if !name.is_empty() => Self::from_str(&name, false).map_err(|_| {
                Failure::Usage(anyhow!(
                    "RDS_TLS_BACKEND is «{name}»; valid: auto, container, embedded, rds"
                ))
            }),
            _ => Ok(Self::default()),
        }
    }

    /// Finds the engines that are asked for, and behind them the instance that
    /// the environment names, which is looked at.
    ///
    /// # Errors
    /// As [`Self::engines`]; usage, when a variable of the instance is wrong,
    /// [`Failure::CouldNot`] when it can't be reached.
    pub async fn everything(self, requests: &[Version]) -> Result<Chosen, Failure> {
        let mut chosen = match self {
            Self::Rds if requests.is_empty() => Chosen::default(),
            Self::Rds => {
                return Err(Failure::Usage(anyhow!(
                    "an engine version is asked for, and with the backend rds none is started: leave it out"
                )));
            }
            _ => self.engines(requests).await?,
        };
        if self.plays_an_instance() {
            let access = Access::from_environment().map_err(|e| Failure::Usage(e.into()))?;
            let found = Found::discover(access).await.map_err(|error| {
                if error.is_usage() {
                    Failure::Usage(error.into())
                } else {
                    Failure::CouldNot(error.into())
                }
            })?;
            chosen.engines.push(Engine::Rds(Box::new(found)));
        }
        Ok(chosen)
    }

    /// What [`Self::everything`] comes to, as far as listing cells asks. Starts
    /// and asks nothing: the ids of an instance's cells don't depend on its
    /// version.
    pub async fn targets_at_hand(self, requests: &[Version]) -> Vec<Target> {
        let mut versions = requests.to_vec();
        if versions.is_empty() && self != Self::Rds {
            versions.push(self.at_hand().await);
        }
        let any = Version {
            major: NEWEST,
            minor: None,
        };
        let instance = self.plays_an_instance().then_some(Target::Instance(any));
        (versions.into_iter().map(Target::Emulated))
            .chain(instance)
            .collect()
    }

    fn plays_an_instance(self) -> bool {
        self == Self::Rds || Access::is_named()
    }

    /// Finds the engines that are asked for, downloading or pulling what isn't
    /// here; without a request, the newest that is here.
    ///
    /// # Errors
    /// Usage, when a version can't be had or is asked for twice;
    /// [`Failure::CouldNot`], when containers are asked for and can't be had.
    pub async fn engines(self, requests: &[Version]) -> Result<Chosen, Failure> {
        refuse_twice(requests)?;
        let requests: Vec<_> = match requests {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        };
        let why = match self {
            Self::Embedded => None,
            Self::Rds => {
                return Err(Failure::Usage(anyhow!(
                    "the backend rds is someone's instance, and starts no server: take auto, container or embedded"
                )));
            }
            Self::Container => {
                let engines = containers(&requests).await.map_err(Failure::CouldNot)?;
                return Ok(Chosen {
                    engines,
                    note: None,
                });
            }
            Self::Auto => match auto_containers(&requests).await {
                Ok(engines) => {
                    let images: Vec<_> = engines.iter().map(Engine::to_string).collect();
                    let images = images.join(", ");
                    let note = format!("backend: container, since Docker has {images}");
                    return Ok(Chosen {
                        engines,
                        note: Some(note),
                    });
                }
                Err(why) => Some(why),
            },
        };
        let mut engines = Vec::new();
        for request in requests {
            engines.push(Engine::Embedded(locate(request).await?));
        }
        let note = why.map(|why| format!("backend: embedded, since {why:#}"));
        Ok(Chosen { engines, note })
    }

    /// Finds one engine.
    ///
    /// # Errors
    /// As [`Self::engines`].
    pub async fn engine(self, request: Option<Version>) -> Result<Engine, Failure> {
        let chosen = self.engines(request.as_slice()).await?;
        let engine = chosen.engines.into_iter().next();
        engine.ok_or_else(|| Failure::CouldNot(anyhow!("no engine was found")))
    }

    /// The version that [`Self::engines`] comes to without a request. Starts
    /// nothing, pulls nothing, downloads nothing.
    pub async fn at_hand(self) -> Version {
        let image = match self {
            Self::Embedded | Self::Rds => None,
            Self::Auto if names_a_program() => None,
            Self::Auto | Self::Container => newest_image().await,
        };
        image.or_else(engine::newest_installed).unwrap_or(Version {
            major: NEWEST,
            minor: None,
        })
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded(version) => version.fmt(f),
            #[cfg(feature = "container")]
            Self::Container(image) => image.fmt(f),
            Self::Rds(found) => found.version().fmt(f),
        }
    }
}

/// A cell's id knows the major version alone.
fn refuse_twice(requests: &[Version]) -> Result<(), Failure> {
    for (nth, request) in requests.iter().enumerate() {
        if requests[..nth].iter().any(|r| r.major == request.major) {
            return Err(Failure::Usage(anyhow!(
                "PostgreSQL {} is asked for twice; a cell's id knows the major version alone",
                request.major
            )));
        }
    }
    Ok(())
}

async fn locate(request: Option<Version>) -> Result<Version, Failure> {
    let account = Account::for_servers().map_err(|e| Failure::Usage(e.into()))?;
    let cache = Cache::open(&account).map_err(|e| Failure::Usage(e.into()))?;
    let program = engine::locate(request, &cache).await;
    Ok(program.map_err(|e| Failure::Usage(e.into()))?.version)
}

fn names_a_program() -> bool {
    env::var_os("RDS_TLS_PG_BIN").is_some_and(|folder| !folder.is_empty())
}

async fn auto_containers(requests: &[Option<Version>]) -> anyhow::Result<Vec<Engine>> {
    anyhow::ensure!(
        !names_a_program(),
        "RDS_TLS_PG_BIN names a server program of this machine"
    );
    containers(requests).await
}

#[cfg(feature = "container")]
async fn containers(requests: &[Option<Version>]) -> anyhow::Result<Vec<Engine>> {
    let daemon = Daemon::connect().await?;
    let name = ImageName::from_environment();
    let mut engines = Vec::new();
    for request in requests {
        let image = daemon.image(&name, *request).await?;
        engines.push(Engine::Container(image));
    }
    Ok(engines)
}

#[cfg(feature = "container")]
async fn newest_image() -> Option<Version> {
    let daemon = Daemon::find().await.ok()?;
    let image = daemon.image_here(&ImageName::from_environment()).await;
    image.ok().flatten().map(|image| image.version())
}

#[cfg(not(feature = "container"))]
#[expect(clippy::unused_async, reason = "its other self waits for Docker")]
async fn containers(_requests: &[Option<Version>]) -> anyhow::Result<Vec<Engine>> {
    anyhow::bail!("this program was built without containers (the feature `container`)")
}

#[cfg(not(feature = "container"))]
#[expect(clippy::unused_async, reason = "its other self waits for Docker")]
async fn newest_image() -> Option<Version> {
    None
}
