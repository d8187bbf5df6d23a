//! The options that give a person's own chain, for the commands that can play
//! on one.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use anyhow::{Context, anyhow};
use certs_gen::{EndpointName, Given, GivenFiles};
use harness::suite::OwnChain;
use suites::{Chain, Failure};

/// All four or none.
#[derive(clap::Args)]
#[command(next_help_heading = "Your own chain (all four together)")]
#[group(multiple = true, requires_all = ["server_chain", "server_key", "trust", "host"])]
pub struct ChainArgs {
    /// The chain that the server sends, PEM, the leaf first; every driver connects
    /// to it, and no other suite runs
    #[arg(long, value_name = "FILE")]
    server_chain: Option<PathBuf>,
    /// The private key of the leaf, PEM, unencrypted
    #[arg(long, value_name = "FILE")]
    server_key: Option<PathBuf>,
    /// The trust anchors of the clients, PEM
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The DNS name that clients connect to and verify; it need not resolve
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl ChainArgs {
    /// The chain as it was named, if one was.
    pub fn named(&self) -> Option<Arc<OwnChain>> {
        Some(Arc::new(OwnChain {
            files: GivenFiles {
                chain: self.server_chain.clone()?,
                key: self.server_key.clone()?,
                trust: self.trust.clone()?,
            },
            host: self.host.clone()?,
        }))
    }

    /// The chain, ready to be served; tells what is wrong with it otherwise.
    pub fn read(&self) -> Result<Option<Chain>, Failure> {
        let chain = self.named().map(|named| read(&named));
        chain.transpose().map_err(Failure::Usage)
    }
}

fn read(named: &OwnChain) -> anyhow::Result<Chain> {
    let host = &named.host;
    if host.parse::<IpAddr>().is_ok() {
        return Err(anyhow!(
            "--host: {host} is an address, and drivers verify names alone here; \
             give a DNS name, for which the leaf should be"
        ));
    }
    Ok(Chain {
        name: EndpointName::new(host).context("--host")?,
        given: Given::read(&named.files)?,
    })
}
