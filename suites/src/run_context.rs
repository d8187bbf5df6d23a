//! What every server of ours stands on: a folder of the run, and keys.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use certs_gen::{EndpointName, Given, Pki};
use harness::{
    endpoint::{self, Endpoint, Facts, Master},
    policy::DefaultsTable,
    rundir::RunDir,
    suite::Trust,
};
use secrecy::ExposeSecret;

use crate::{
    Failure, InstanceName,
    backend::Engine,
    instance::{Asker, Claim},
};

/// A folder of the run, and the keys of one endpoint's name.
pub struct RunContext {
    run_dir: Arc<RunDir>,
    pki: Arc<Pki>,
    /// Where the run has a name, which goes last.
    claim: Option<Claim>,
}

/// A server certificate that somebody gave, and the name that clients verify.
pub struct Chain {
    /// The name.
    pub name: EndpointName,
    /// The certificate.
    pub given: Given,
}

impl RunContext {
    /// Removes what killed runs left, and makes a folder; keys are made when
    /// they are asked for.
    ///
    /// # Errors
    /// When there is no place to write, or the name is no DNS name.
    pub fn new(host: &str) -> Result<Self, Failure> {
        Self::named(host, None)
    }

    /// The same for an instance that may have a name. One with a name needs a
    /// Tokio runtime around it, for its socket.
    ///
    /// # Errors
    /// As [`Self::new`], and while another instance bears the name.
    pub fn named(host: &str, instance: Option<&InstanceName>) -> Result<Self, Failure> {
        let name = EndpointName::new(host).map_err(|e| Failure::Usage(e.into()))?;
        let claim = instance.map(Claim::take).transpose();
        let claim = claim.map_err(Failure::CouldNot)?;
        Self::create(claim, |folder| Pki::new(name, folder))
    }

    /// The same where somebody gave a certificate.
    ///
    /// # Errors
    /// When there is no place to write.
    pub fn on(Chain { name, given }: Chain) -> Result<Self, Failure> {
        Self::create(None, |folder| Pki::new(name, folder).with_given(given))
    }

    fn create(claim: Option<Claim>, pki: impl FnOnce(PathBuf) -> Pki) -> Result<Self, Failure> {
        let run_dir = RunDir::create().map_err(|e| Failure::CouldNot(e.into()))?;
        let pki = pki(run_dir.path().join("pki"));
        Ok(Self {
            run_dir: Arc::new(run_dir),
            pki: Arc::new(pki),
            claim,
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
        defaults: DefaultsTable,
        port: Option<u16>,
        master: Master,
    ) -> anyhow::Result<Box<dyn Endpoint>> {
        let options = endpoint::Options {
            defaults,
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
        let lines: String = [&facts.master, &facts.stranger]
            .map(|login| {
                let password = login.password.expose_secret();
                let password = password.replace('\\', r"\\").replace(':', r"\:");
                format!("*:*:*:{}:{password}\n", login.user)
            })
            .concat();
        self.write_private("pgpass", &lines)
    }

    /// Writes a new file in the run's folder, for its owner alone.
    ///
    /// # Errors
    /// When the file can't be written, or is there already.
    pub fn write_private(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        let mut file = File::options();
        file.write(true).create_new(true).mode(0o600);
        file.open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(path)
    }

    /// Waits until another process asks for the end of the instance by its
    /// name; for ever where it has none.
    pub async fn stop_asked(&self) -> Asker {
        match &self.claim {
            Some(claim) => claim.asked().await,
            None => std::future::pending().await,
        }
    }

    /// Removes the run's folder.
    ///
    /// # Errors
    /// When something is left behind.
    pub fn close(self) -> anyhow::Result<()> {
        let removed = match Arc::try_unwrap(self.run_dir) {
            Ok(run_dir) => run_dir.remove().map_err(Into::into),
            Err(_) => Err(anyhow!(
                "the run's folder is still in use, and stays for the next start to remove"
            )),
        };
        removed.and(self.claim.map_or(Ok(()), Claim::give_back))
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
        Trust::Given => certs_gen::Trust::Given,
        Trust::System => return Err("`system` is a word, and no file".to_owned()),
    };
    let path = pki.trust(trust).map_err(|error| error.to_string())?;
    Ok(path.to_owned())
}
