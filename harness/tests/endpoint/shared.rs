//! What holds wherever the server runs.

use std::{collections::BTreeSet, net::IpAddr};

use harness::{
    endpoint::{Endpoint, EndpointError, Login},
    policy::{Admits, Leaf, Policy, TlsVersion},
};
use secrecy::ExposeSecret;
use tokio_postgres::{
    Config, NoTls,
    config::SslMode,
    error::{DbError, SqlState},
};

use crate::place::{Place, start, stop};

pub async fn every_policy_shows_on_the_wire_and_lets_the_master_in(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let policy = Policy::default;
    let policies = [
        policy(),
        force_ssl(true),
        force_ssl(false),
        Policy {
            leaf: Leaf::Other,
            ..policy()
        },
        // Keys of other kinds, a weak one among them.
        Policy {
            leaf: Leaf::Rsa1024,
            ..policy()
        },
        Policy {
            leaf: Leaf::P384,
            ..policy()
        },
        // It can't sign, so that OpenSSL's servers serve it under TLS 1.3 alone.
        Policy {
            leaf: Leaf::KeyAgreement,
            ..versions(TlsVersion::Tls12, TlsVersion::Tls13)
        },
        Policy {
            admits: Admits::Master,
            ..policy()
        },
        Policy {
            ssl: Some(false),
            ..policy()
        },
        versions(TlsVersion::Tls12, TlsVersion::Tls13),
        versions(TlsVersion::Tls12, TlsVersion::Tls12),
        Policy {
            ciphers: Some("ECDHE-RSA-AES128-GCM-SHA256".to_owned()),
            ..versions(TlsVersion::Tls12, TlsVersion::Tls12)
        },
        versions(TlsVersion::Tls13, TlsVersion::Tls13),
        policy(),
    ];
    let mut leaves = Vec::new();
    for policy in &policies {
        let applied = server.apply(policy).await.unwrap();
        eprintln!("{policy:?}: {applied:?}");
        server.sanity().await.unwrap();
        assert_eq!(applied.negotiated.is_some(), policy.ssl != Some(false));
        if let (Some(max), Some((version, cipher))) = (policy.tls_max, &applied.negotiated) {
            assert_eq!(*version, max.to_string());
            assert!(policy.ciphers.as_ref().is_none_or(|only| only == cipher));
        }
        leaves.push(applied.leaf_sha256);
    }
    // Not for the sanity login: its client may be too new for it.
    let old = Policy {
        ciphers: Some("DEFAULT:@SECLEVEL=0".to_owned()),
        ..versions(TlsVersion::Tls10, TlsVersion::Tls11)
    };
    let applied = server.apply(&old).await.unwrap();
    assert_eq!(applied.negotiated.unwrap().0, "TLSv1.1");

    assert_eq!(leaves.remove(8), None);
    let others: BTreeSet<_> = leaves.drain(3..7).collect();
    assert_eq!(others.len(), 4);
    assert!(leaves.iter().all(|leaf| *leaf == leaves[0]));
    assert!(!others.contains(&leaves[0]));
    stop(server, run_dir).await;
}

pub async fn who_gets_in_is_what_the_policy_says(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let master = server.facts().master.clone();
    let stranger = server.facts().stranger.clone();
    let reserved = Login {
        database: "rdsadmin".to_owned(),
        ..master.clone()
    };

    server.apply(&force_ssl(true)).await.unwrap();
    let how = match server.facts().engine.major {
        14.. => "no encryption",
        _ => "SSL off",
    };
    let refusal = plaintext(server.as_ref(), &master).await.unwrap_err();
    // The address is that of Docker's proxy for a container.
    let rest = format!("\", user \"postgres\", database \"postgres\", {how}");
    let client = refusal.strip_prefix("28000 no pg_hba.conf entry for host \"");
    let client = client.and_then(|text| text.strip_suffix(&rest));
    assert!(
        client.is_some_and(|client| client.parse::<IpAddr>().is_ok()),
        "{refusal}"
    );

    server.apply(&force_ssl(false)).await.unwrap();
    let who = plaintext(server.as_ref(), &master).await.unwrap();
    assert_eq!(who, "superuser off, monitor true, force_ssl off");
    let who = plaintext(server.as_ref(), &stranger).await.unwrap();
    assert_eq!(who, "superuser off, monitor false, force_ssl off");
    let refusal = plaintext(server.as_ref(), &reserved).await.unwrap_err();
    assert!(
        refusal.starts_with("28000 pg_hba.conf rejects connection"),
        "{refusal}"
    );

    let admits = Policy {
        admits: Admits::Master,
        ..force_ssl(false)
    };
    server.apply(&admits).await.unwrap();
    plaintext(server.as_ref(), &master).await.unwrap();
    let refusal = plaintext(server.as_ref(), &stranger).await.unwrap_err();
    assert!(
        refusal.starts_with("28000 no pg_hba.conf entry"),
        "{refusal}"
    );
    stop(server, run_dir).await;
}

pub async fn what_the_server_refuses_is_an_error_and_the_next_policy_works(place: Place) {
    let (mut server, run_dir) = start(&place).await;

    let bad = Policy {
        ciphers: Some("NO-SUCH-CIPHER".to_owned()),
        ..Policy::default()
    };
    let error = server.apply(&bad).await.unwrap_err();
    // OpenSSL 3 refuses a list that it finds nothing in. 1.1.1 takes it, and
    // has no suite left for TLS 1.2.
    assert!(
        match &error {
            EndpointError::ReloadRefused { log } => log.contains("cipher"),
            EndpointError::NotShown { seen, .. } => seen.contains("handshake failure"),
            _ => false,
        },
        "{error}"
    );
    server.sanity().await.unwrap_err();
    server.apply(&Policy::default()).await.unwrap();

    // 12 takes a minimum above the maximum, and then no connection.
    if server.facts().engine.major >= 12 {
        let upside_down = versions(TlsVersion::Tls13, TlsVersion::Tls12);
        let error = server.apply(&upside_down).await.unwrap_err();
        assert!(
            matches!(
                &error,
                EndpointError::ReloadRefused { .. } | EndpointError::NotShown { .. }
            ),
            "{error}"
        );
    }

    let contradiction = Policy {
        ssl: Some(false),
        ..force_ssl(true)
    };
    let error = server.apply(&contradiction).await.unwrap_err();
    assert!(matches!(&error, EndpointError::Hba(_)), "{error}");

    let mark = server.log_mark().await.unwrap();
    server.apply(&Policy::default()).await.unwrap();
    server.sanity().await.unwrap();
    let log = server.log_since(mark).await.unwrap();
    assert!(log.contains("reloading configuration files"), "{log}");
    stop(server, run_dir).await;
}

pub fn force_ssl(on: bool) -> Policy {
    Policy {
        force_ssl: Some(on),
        ..Policy::default()
    }
}

fn versions(min: TlsVersion, max: TlsVersion) -> Policy {
    Policy {
        tls_min: Some(min),
        tls_max: Some(max),
        ..Policy::default()
    }
}

/// Logs in without TLS; gives what the role is, or SQLSTATE and message.
pub async fn plaintext(server: &dyn Endpoint, login: &Login) -> Result<String, String> {
    let address = server.facts().address;
    let connected = Config::new()
        .host(address.ip().to_string())
        .port(address.port())
        .user(&login.user)
        .password(login.password.expose_secret())
        .dbname(&login.database)
        .ssl_mode(SslMode::Disable)
        .connect(NoTls)
        .await;
    let (client, connection) = connected.map_err(|error| {
        let code = error.code().map(SqlState::code).unwrap_or_default();
        let message = error
            .as_db_error()
            .map(DbError::message)
            .unwrap_or_default();
        format!("{code} {message}")
    })?;
    tokio::spawn(connection);
    let query = "SELECT format('superuser %s, monitor %s, force_ssl %s', \
                 current_setting('is_superuser'), \
                 pg_has_role('pg_monitor', 'member')::text, current_setting('rds.force_ssl'))";
    Ok(client.query_one(query, &[]).await.unwrap().get(0))
}

/// That a server which has died is an error, and no answer.
pub async fn assert_dead(server: &mut dyn Endpoint) {
    let error = server.apply(&Policy::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            EndpointError::Unreachable { .. } | EndpointError::Statement { .. }
        ),
        "{error}"
    );
    server.sanity().await.unwrap_err();
}
