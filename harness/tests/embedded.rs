//! The embedded endpoint against a real server: the newest installed, or the
//! version that `RDS_TLS_TEST_ENGINE` names.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Pki};
use harness::{
    endpoint::{Endpoint, EndpointError, Login, Master, Options, embedded},
    policy::{Admits, DefaultsTable, Leaf, Policy, TlsVersion},
    rundir::{RunDir, sweep},
};
use secrecy::ExposeSecret;
use tokio_postgres::{
    Config, NoTls,
    config::SslMode,
    error::{DbError, SqlState},
};

#[tokio::test]
async fn every_policy_shows_on_the_wire_and_lets_the_master_in() {
    let (mut server, run_dir) = start().await;
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

    assert_eq!(leaves.remove(7), None);
    let others: BTreeSet<_> = leaves.drain(3..6).collect();
    assert_eq!(others.len(), 3);
    assert!(leaves.iter().all(|leaf| *leaf == leaves[0]));
    assert!(!others.contains(&leaves[0]));
    stop(server, run_dir).await;
}

#[tokio::test]
async fn who_gets_in_is_what_the_policy_says() {
    let (mut server, run_dir) = start().await;
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
    assert_eq!(
        refusal,
        format!(
            "28000 no pg_hba.conf entry for host \"127.0.0.1\", user \"postgres\", \
             database \"postgres\", {how}"
        )
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

#[tokio::test]
async fn what_the_server_refuses_is_an_error_and_the_next_policy_works() {
    let (mut server, run_dir) = start().await;

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

    let key = find(run_dir.path(), "tls").join("server-rsa2048.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = server.apply(&Policy::default()).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::ReloadRefused { log } if log.contains("server-rsa2048.key")),
        "{error}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

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

#[tokio::test]
async fn a_dead_server_is_an_error() {
    let (mut server, run_dir) = start().await;
    let pid_file = fs::read_to_string(find(run_dir.path(), "postmaster.pid")).unwrap();
    let pid = pid_file.lines().next().unwrap();
    let status = Command::new("kill").args(["-KILL", pid]).status().unwrap();
    assert!(status.success());
    let error = server.apply(&Policy::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            EndpointError::Unreachable { .. } | EndpointError::Statement { .. }
        ),
        "{error}"
    );
    server.sanity().await.unwrap_err();
    stop(server, run_dir).await;
}

#[tokio::test]
async fn no_secret_is_logged_and_nothing_stays() {
    let (server, run_dir) = start().await;
    let secret = server.facts().master.password.clone();
    let log = fs::read_to_string(find(run_dir.path(), "server.log")).unwrap();
    assert!(!log.is_empty() && !log.contains(secret.expose_secret()));
    assert!(!log.contains("SCRAM-SHA-256$"));

    let data = cluster(&run_dir);
    assert_eq!(servers_of(&data), 1);
    let path = run_dir.path().to_owned();
    // Without shutdown: dropping does it too.
    drop(server);
    assert_eq!(servers_of(&data), 0);
    assert!(!data.parent().unwrap().exists());
    drop(run_dir);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_killed_run_left_is_swept() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut run = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_run_that_waits_to_be_killed"])
        .args(["--ignored", "--nocapture"])
        .env("TMPDIR", temp.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let data = lines
        .find_map(|line| line.unwrap().strip_prefix("DATA ").map(PathBuf::from))
        .unwrap();
    assert_eq!(sweep(temp.path()), 0, "the run lives");
    assert_eq!(servers_of(&data), 1);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(servers_of(&data), 1, "the server outlives its run");

    assert_eq!(sweep(temp.path()), 1);
    assert_eq!(servers_of(&data), 0);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[tokio::test]
#[ignore = "started and killed by what_a_killed_run_left_is_swept"]
async fn a_run_that_waits_to_be_killed() {
    let (_server, run_dir) = start().await;
    println!("\nDATA {}", cluster(&run_dir).display());
    std::future::pending::<()>().await;
}

async fn start() -> (Box<dyn Endpoint>, Arc<RunDir>) {
    let run_dir = Arc::new(RunDir::create().unwrap());
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/engines.toml");
    let text = fs::read_to_string(&table).unwrap();
    let host = EndpointName::new(DEFAULT_ENDPOINT).unwrap();
    let request = env::var("RDS_TLS_TEST_ENGINE").ok();
    let request = request.map(|version| version.parse().unwrap());
    let options = Options {
        defaults: DefaultsTable::parse("engines.toml", &text).unwrap(),
        pki: Arc::new(Pki::new(host, run_dir.path().join("pki"))),
        run_dir: Arc::clone(&run_dir),
        port: None,
        master: Master::default(),
    };
    let began = Instant::now();
    let server = embedded(request, options).await.unwrap();
    eprintln!("{} started in {:?}", server.facts().engine, began.elapsed());
    (server, run_dir)
}

async fn stop(server: Box<dyn Endpoint>, run_dir: Arc<RunDir>) {
    let data = cluster(&run_dir);
    server.shutdown().await.unwrap();
    assert_eq!(servers_of(&data), 0);
    let path = run_dir.path().to_owned();
    Arc::into_inner(run_dir).unwrap().remove().unwrap();
    assert!(!path.exists());
}

fn force_ssl(on: bool) -> Policy {
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
async fn plaintext(server: &dyn Endpoint, login: &Login) -> Result<String, String> {
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

/// The cluster in a run's folder.
fn cluster(run_dir: &RunDir) -> PathBuf {
    find(run_dir.path(), "postgresql.auto.conf")
        .parent()
        .unwrap()
        .to_owned()
}

/// The file of that name beneath a folder.
fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    panic!("no {name} beneath {}", folder.display());
}

/// How many live processes were started with the folder for an argument.
fn servers_of(data: &Path) -> usize {
    let listed = Command::new("ps")
        .args(["-eww", "-o", "stat=,args="])
        .output()
        .unwrap();
    let wanted = format!("-D {} ", data.display());
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|line| line.contains(&wanted) && !line.starts_with('Z'))
        .count()
}
