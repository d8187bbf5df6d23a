//! What every server of ours stands on: a folder of the run, and keys.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use certs_gen::{EndpointName, Pki};
use harness::{
    endpoint::{self, Endpoint, Facts, Master},
    rundir::RunDir,
    suite::Trust,
};
use secrecy::ExposeSecret;

use crate::{Failure, backend::Engine, data};

/// A folder of the run, and the keys of one endpoint's name.
pub struct Ground {
    run_dir: Arc<RunDir>,
    pki: Arc<Pki>,
}

impl Ground {
    /// Removes what killed runs left, and makes a folder; keys are made when
    /// they are asked for.
    ///
    /// # Errors
    /// When there is no place to write, or the name is no DNS name.
    pub fn new(host: &str) -> Result<Self, Failure> {
        let name = EndpointName::new(host).map_err(|e| Failure::Usage(e.into()))?;
        let run_dir = RunDir::create().map_err(|e| Failure::CouldNot(e.into()))?;
        let pki = Pki::new(name, run_dir.path().join("pki"));
        Ok(Self {
            run_dir: Arc::new(run_dir),
            pki: Arc::new(pki),
        })
    }

    /// The run's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.run_dir.path()
    }

    /// Starts a server, on a port of 127.0.0.1 and for a master
    /// user where somebody cares.
    ///
    /// # Errors
    /// When it doesn't start or doesn't show RDS's defaults.
    pub async fn endpoint(
        &self,
        engine: &Engine,
        port: Option<u16>,
        master: Master,
    ) -> anyhow::Result<Box<dyn Endpoint>> {
        let options = endpoint::Options {
            defaults: data::defaults()?,
            pki: Arc::clone(&self.pki),
            run_dir: Arc::clone(&self.run_dir),
            port,
            master,
        };
        Ok(match engine {
            Engine::Embedded(version) => endpoint::embedded(Some(*version), options).await?,
            #[cfg(feature = "container")]
            Engine::Container(image) => endpoint::container(image, options).await?,
            Engine::Rds(found) => {
                endpoint::rds::rds(found.as_ref().clone(), &options.defaults, self.path())?
            }
        })
    }

    /// Where trust anchors are.
    pub fn trust_files(&self) -> impl Fn(Trust) -> Result<PathBuf, String> + use<> {
        let pki = Arc::clone(&self.pki);
        move |trust| trust_file(&pki, trust)
    }

    /// Writes the logins of an endpoint where libpq looks for them by
    /// `PGPASSFILE`, in the run's folder and for its owner alone.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_pass_file(&self, facts: &Facts) -> anyhow::Result<PathBuf> {
        let path = self.path().join("pgpass");
        let lines: String = [&facts.master, &facts.stranger]
            .map(|login| {
                let password = login.password.expose_secret();
                let password = password.replace('\\', r"\\").replace(':', r"\:");
                format!("*:*:*:{}:{password}\n", login.user)
            })
            .concat();
        let mut file = File::options();
        file.write(true).create_new(true).mode(0o600);
        file.open(&path)
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(path)
    }

    /// Removes the run's folder.
    ///
    /// # Errors
    /// When something is left behind.
    pub fn close(self) -> anyhow::Result<()> {
        match Arc::try_unwrap(self.run_dir) {
            Ok(run_dir) => Ok(run_dir.remove()?),
            Err(_) => Err(anyhow!(
                "the run's folder is still in use, and stays for the next start to remove"
            )),
        }
    }
}

fn trust_file(pki: &Pki, trust: Trust) -> Result<PathBuf, String> {
    let trust = match trust {
        Trust::Root => certs_gen::Trust::Root,
        Trust::WrongRoot => certs_gen::Trust::WrongRoot,
        Trust::Subordinate => certs_gen::Trust::Subordinate,
        Trust::Both => certs_gen::Trust::Both,
        Trust::Bundle => certs_gen::Trust::Bundle,
        Trust::Missing => certs_gen::Trust::Missing,
        Trust::System => return Err("`system` is a word, and no file".to_owned()),
    };
    let path = pki.trust(trust).map_err(|error| error.to_string())?;
    Ok(path.to_owned())
}
