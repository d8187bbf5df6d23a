//! What the official image's description promises, one promise a function.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use testcontainers::{ImageExt, core::client::docker_client_instance};
use tokio_postgres::error::SqlState;

use crate::server::{Image, PASSWORD, Server, file, run, value};

const SCRIPTS: &str = "/docker-entrypoint-initdb.d";

/// Where the data is; from 18 on the folder bears the version, and the volume
/// is the one above.
fn folders(major: u16) -> (String, &'static str) {
    if major < 18 {
        let data = "/var/lib/postgresql/data";
        (data.to_owned(), data)
    } else {
        (
            format!("/var/lib/postgresql/{major}/docker"),
            "/var/lib/postgresql",
        )
    }
}

pub async fn the_image_says_what_it_is(image: Image) {
    // For its word on an image that is not here.
    drop(image.container());
    let docker = docker_client_instance().await.unwrap();
    let inspected = docker.inspect_image(&image.reference).await.unwrap();
    let config = inspected.config.unwrap();
    let variables = config.env.unwrap();
    let variable = |name: &str| {
        let prefix = format!("{name}=");
        let value = variables.iter().find_map(|v| v.strip_prefix(&prefix));
        value.unwrap_or_else(|| panic!("no {name} in {variables:?}"))
    };
    let (data, volume) = folders(image.major);
    assert_eq!(variable("PG_MAJOR"), image.major.to_string());
    let minor = format!("{}.", image.major);
    assert!(variable("PG_VERSION").starts_with(&minor));
    assert_eq!(variable("PGDATA"), data);
    assert_eq!(config.volumes.unwrap(), [volume]);
    assert_eq!(config.exposed_ports.unwrap(), ["5432/tcp"]);
    assert_eq!(config.stop_signal.unwrap(), "SIGINT");
    assert_eq!(config.entrypoint.unwrap(), ["docker-entrypoint.sh"]);
    assert_eq!(config.cmd.unwrap(), ["postgres"]);
}

pub async fn without_a_password_it_refuses_to_start(image: Image) {
    let ended = run(image.container()).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("POSTGRES_PASSWORD"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("initdb"), "{}", ended.stdout);
}

pub async fn a_password_given_twice_is_refused(image: Image) {
    let request = image
        .with_password()
        .with_env_var("POSTGRES_PASSWORD_FILE", "/run/password");
    let ended = run(file(request, "/run/password", 0o600, PASSWORD)).await;
    assert_eq!(ended.code, 1);
    let both = "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set";
    let ours = "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set";
    assert!(
        ended.stderr.contains(both) || ended.stderr.contains(ours),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
}

pub async fn a_password_file_that_is_missing_is_refused(image: Image) {
    let request = image
        .container()
        .with_env_var("POSTGRES_PASSWORD_FILE", "/no/such/file");
    let ended = run(request).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("/no/such/file"), "{}", ended.stderr);
}

pub async fn trust_is_taken_for_a_password(image: Image) {
    let request = image
        .container()
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust");
    let server = Server::start(request).await;
    server.login("postgres", "", "postgres").await.unwrap();
}

pub async fn user_and_database_are_made(image: Image) {
    let request = image
        .with_password()
        .with_env_var("POSTGRES_USER", "Ada Lovelace")
        .with_env_var("POSTGRES_DB", "the \"shop\"");
    let server = Server::start(request).await;
    let login = server.login("Ada Lovelace", PASSWORD, "the \"shop\"").await;
    let client = login.unwrap();
    let roles = "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper";
    assert_eq!(value(&client, roles).await, "Ada Lovelace");
    let databases = "SELECT string_agg(datname, ',' ORDER BY datname COLLATE \"C\") \
                     FROM pg_database WHERE NOT datistemplate";
    assert_eq!(value(&client, databases).await, "postgres,the \"shop\"");
    let encodings =
        "SELECT string_agg(DISTINCT pg_encoding_to_char(encoding), ',') FROM pg_database";
    assert_eq!(value(&client, encodings).await, "UTF8");
}

pub async fn the_database_is_called_as_the_user(image: Image) {
    let request = image.with_password().with_env_var("POSTGRES_USER", "app");
    let server = Server::start(request).await;
    server.login("app", PASSWORD, "app").await.unwrap();

    for (user, password) in [("app", "wrong"), ("app", ""), ("postgres", PASSWORD)] {
        let error = server.login(user, password, "app").await.unwrap_err();
        // The client itself has nothing to send without a password.
        let refused = error.code() == Some(&SqlState::INVALID_PASSWORD)
            || password.is_empty() && error.to_string().contains("password missing");
        assert!(refused, "{user}, {password:?}: {error}");
    }
}

pub async fn a_password_comes_from_a_file(image: Image) {
    let request = image
        .container()
        .with_env_var("POSTGRES_PASSWORD_FILE", "/run/password");
    // Root's alone; the line's end is not the password's.
    let request = file(request, "/run/password", 0o600, format!("{PASSWORD}\n"));
    let server = Server::start(request).await;
    server.superuser().await;
    let said = server.stdout().await + &server.stderr().await;
    assert!(!said.contains(PASSWORD), "{said}");
}

pub async fn the_server_is_process_1_and_nobody_special(image: Image) {
    let server = Server::start(image.with_password()).await;
    let client = server.superuser().await;
    let (data, _) = folders(image.major);
    let line = |name: &str| {
        let status = "pg_read_file('/proc/1/status', 0, 10000)";
        format!(
            "SELECT regexp_replace(substring({status} FROM '{name}:\\s+([^\\n]*)'), '\\s+', ' ', 'g')"
        )
    };
    for (query, is) in [
        (line("Name").as_str(), "postgres"),
        (line("Uid").as_str(), "999 999 999 999"),
        (line("Gid").as_str(), "999 999 999 999"),
        (
            "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)",
            "1",
        ),
        ("SELECT current_setting('data_directory')", data.as_str()),
        ("SELECT current_setting('listen_addresses')", "*"),
        ("SELECT current_setting('port')", "5432"),
        (
            "SELECT current_setting('server_version_num')::int / 10000",
            &image.major.to_string(),
        ),
        (
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'sslinfo'",
            "1",
        ),
    ] {
        assert_eq!(value(&client, query).await, is, "{query}");
    }
}

pub async fn options_are_the_servers(image: Image) {
    let request = image
        .with_password()
        .with_env_var(
            "POSTGRES_INITDB_ARGS",
            "--wal-segsize=32 --auth-local=scram-sha-256",
        )
        .with_cmd(["-c", "fsync=off", "-c", "application_name=two words"]);
    let server = Server::start(request).await;
    let client = server.superuser().await;
    for (setting, is) in [
        ("fsync", "off"),
        ("wal_segment_size", "32MB"),
        ("application_name", "two words"),
    ] {
        let query = format!("SELECT reset_val FROM pg_settings WHERE name = '{setting}'");
        let shown = format!("SELECT current_setting('{setting}')");
        let query = if setting == "application_name" {
            query
        } else {
            shown
        };
        assert_eq!(value(&client, &query).await, is, "{setting}");
    }
}

pub async fn another_command_is_run_as_it_is(image: Image) {
    for (command, is) in [
        (&["sh", "-c", "id -u"][..], "0\n".to_owned()),
        (
            &["psql", "--version"],
            format!("psql (PostgreSQL) {}.", image.major),
        ),
        (
            &["postgres", "--version"],
            format!("postgres (PostgreSQL) {}.", image.major),
        ),
        (
            &["--version"],
            format!("postgres (PostgreSQL) {}.", image.major),
        ),
    ] {
        let ended = run(image.container().with_cmd(command.iter().copied())).await;
        assert_eq!(ended.code, 0, "{command:?}: {}", ended.stderr);
        assert!(
            ended.stdout.starts_with(&is),
            "{command:?}: {}",
            ended.stdout
        );
    }
    let ended = run(image.container().with_cmd(["sh", "-c", "exit 7"])).await;
    assert_eq!(ended.code, 7);
}

pub async fn scripts_run_once_and_in_order(image: Image) {
    // Each script writes down how and as whom it runs.
    let table = "CREATE TABLE ran (at serial, script text, who text, listens text)";
    let insert = |script: &str, who: &str| {
        let values = format!("{script}, {who}, current_setting('listen_addresses')");
        format!("INSERT INTO ran (script, who, listens) VALUES ({values});")
    };
    let sql = |name: &str| insert(&format!("'{name}'"), "current_user");
    let shell = format!(
        "#!/bin/bash\npsql --username \"$POSTGRES_USER\" --dbname \"$POSTGRES_DB\" --command \"{}\"\n",
        insert("'$(basename \"$0\")'", "'$(id -un)'")
    );
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(sql("50.sql.gz").as_bytes()).unwrap();
    let scripts: [(&str, u32, Vec<u8>); 6] = [
        ("40.sql", 0o644, sql("40.sql").into()),
        ("50.sql.gz", 0o644, packed.finish().unwrap()),
        (
            "10.sql",
            0o644,
            format!("{table}; {}", sql("10.sql")).into(),
        ),
        ("20.sh", 0o755, shell.clone().into()),
        ("30.sh", 0o644, shell.into()),
        ("60.txt", 0o755, "no script".into()),
    ];
    let mut request = image.with_password().with_env_var("POSTGRES_DB", "shop");
    for (name, mode, contents) in scripts {
        request = file(request, &format!("{SCRIPTS}/{name}"), mode, contents);
    }
    let server = Server::start(request).await;

    // A script that may be executed is, another is sourced: then the name is the
    // entrypoint's. Nobody outside could connect by then.
    let expected = [
        "10.sql postgres -",
        "20.sh postgres -",
        "docker-entrypoint.sh postgres -",
        "40.sql postgres -",
        "50.sql.gz postgres -",
    ]
    .join(",");
    let ran = "SELECT string_agg(script || ' ' || who || ' ' || coalesce(nullif(listens, ''), '-'), \
               ',' ORDER BY at) FROM ran";
    let login = || server.login("postgres", PASSWORD, "shop");
    assert_eq!(value(&login().await.unwrap(), ran).await, expected);
    assert_eq!(server.stop().await, 0);
    server.start_again().await;
    assert_eq!(value(&login().await.unwrap(), ran).await, expected);
    let made = server
        .stdout()
        .await
        .matches("creating configuration files")
        .count();
    assert_eq!(made, 1);
}

pub async fn a_script_that_fails_fails_the_start(image: Image) {
    // psql's exit code for an error in a script is 3.
    for (name, script, code, says) in [
        (
            "10.sql",
            "SELECT * FROM nowhere;",
            3,
            "relation \"nowhere\" does not exist",
        ),
        ("10.sh", "echo 'no way' >&2; exit 9", 9, "no way"),
    ] {
        let request = file(
            image.with_password(),
            &format!("{SCRIPTS}/{name}"),
            0o644,
            script,
        );
        let request = file(request, &format!("{SCRIPTS}/20.sql"), 0o644, "SELECT 1;");
        let ended = run(request).await;
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert!(ended.stdout.contains(name), "{}", ended.stdout);
        assert!(!ended.stdout.contains("20.sql"), "{}", ended.stdout);
    }
}

pub async fn it_stops_in_good_order(image: Image) {
    let server = Server::start(image.with_password()).await;
    let client = server.superuser().await;
    client.batch_execute("CREATE TABLE kept ()").await.unwrap();
    // With that client in, by the signal for a fast shutdown.
    assert_eq!(server.stop().await, 0);
    let said = server.stderr().await;
    assert!(said.contains("received fast shutdown request"), "{said}");
    assert!(
        said.trim_end().ends_with("database system is shut down"),
        "{said}"
    );
    let client = server.start_again().await;
    client.batch_execute("SELECT FROM kept").await.unwrap();
    let said = server.stderr().await;
    assert!(!said.contains("automatic recovery"), "{said}");
}
