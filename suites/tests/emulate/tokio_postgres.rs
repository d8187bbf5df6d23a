//! The line for tokio-postgres, in this program.

use std::{fs, sync::Arc};

use certs_gen::Leaf;
use libtest_mimic::Trial;
use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::Config;

use crate::stages::{STAGES, Stage, Stages};

pub fn trials(stages: &Arc<Stages>) -> Vec<Trial> {
    (STAGES.into_iter())
        .map(|stage| {
            let stages = Arc::clone(stages);
            let name = format!("pasted/tokio-postgres/{}", stage.id());
            Trial::test(name, move || {
                play(&stages, stage);
                Ok(())
            })
        })
        .collect()
}

fn play(stages: &Stages, stage: Stage) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = runtime.block_on(connect(stages, stage));
    match (stage.leaf, told) {
        (Leaf::Right, told) => assert_eq!(told, Ok(true)),
        (_, Ok(encrypted)) => panic!("it connected, encrypted: {encrypted}"),
        // X509_V_ERR_HOSTNAME_MISMATCH and
        // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT of OpenSSL.
        (Leaf::Other, Err(why)) => assert!(why.contains("hostname mismatch"), "{why}"),
        (_, Err(why)) => assert!(why.contains("self-signed certificate"), "{why}"),
    }
}

/// With the files that the line's note names.
async fn connect(stages: &Stages, stage: Stage) -> Result<bool, String> {
    let emulated = stages.get(stage);
    let note = emulated.note("tokio-postgres");
    let (ca, password) = note
        .strip_prefix("the connector verifies, with ")
        .and_then(|rest| rest.split_once("; Config::password takes "))
        .unwrap_or_else(|| panic!("{note}"));
    let mut config: Config = emulated.line("tokio-postgres").parse().unwrap();
    config.password(fs::read(password).unwrap());
    let root = Certificate::from_pem(&fs::read(ca).unwrap()).unwrap();
    let connector = TlsConnector::builder().add_root_certificate(root).build();
    let tls = MakeTlsConnector::new(connector.unwrap());
    let (client, connection) = config.connect(tls).await.map_err(|error| {
        let cause = std::error::Error::source(&error);
        cause.map_or_else(|| error.to_string(), ToString::to_string)
    })?;
    let connection = tokio::spawn(connection);
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(query, &[]).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    Ok(row.get(0))
}
