//! A cluster to run: initdb once per server program, then a copy each time.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use sha2::{Digest, Sha256};

use super::{Account, Cache, EngineError, Program, cache::Adding};

/// The superuser, which on RDS is Amazon's: here the harness's.
pub const ADMIN: &str = "rdsadmin";
/// The master user: no superuser, but a member of `rds_superuser`.
pub const MASTER: &str = "postgres";
/// A role that a policy may leave without a line in `pg_hba.conf`.
pub const STRANGER: &str = "stranger";
/// The database that RDS keeps for itself and rejects everyone from.
pub const RESERVED_DATABASE: &str = "rdsadmin";

/// Part of a template's name: to be raised when what goes into one changes.
const FORMAT: u32 = 2;

/// The cluster that copies are made of: roles and databases as on RDS, without
/// a password, a key or a certificate. Made when it is missing.
///
/// # Errors
/// When initdb fails, or a file operation.
pub async fn template(
    program: &Program,
    account: &Account,
    cache: &Cache,
) -> Result<PathBuf, EngineError> {
    let shelf = cache.templates()?;
    let name = name(program);
    let entry = shelf.join(&name);
    if entry.is_dir() {
        return Ok(entry);
    }
    let adding = Adding::to(&shelf).await?;
    if entry.is_dir() {
        return Ok(entry);
    }
    let (program, account) = (program.clone(), account.clone());
    tokio::task::spawn_blocking(move || make(&program, &account, &adding, &name))
        .await
        .map_err(|error| EngineError::Io {
            path: entry,
            source: error.into(),
        })?
}

/// Copies a template to a folder that is not there yet, for the server's user.
///
/// # Errors
/// When a file operation fails.
pub fn copy_template(template: &Path, to: &Path, account: &Account) -> Result<(), EngineError> {
    account.make_private(to)?;
    for entry in fs::read_dir(template).map_err(EngineError::io(template))? {
        let entry = entry.map_err(EngineError::io(template))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(EngineError::io(&from))?;
        if kind.is_dir() {
            copy_template(&from, &to, account)?;
        } else {
            fs::copy(&from, &to)
                .and_then(|_| account.own(&to))
                .map_err(EngineError::io(&to))?;
        }
    }
    Ok(())
}

/// Of one program, not of one version: two builds of a version may differ in
/// what their clusters look like (block size, collation provider).
fn name(program: &Program) -> String {
    let digest = Sha256::digest(program.bin.as_os_str().as_encoded_bytes());
    let program_id = digest.iter().take(6).fold(String::new(), |mut id, byte| {
        // Writing to a String never fails.
        let _ = write!(id, "{byte:02x}");
        id
    });
    format!("{}-{FORMAT}-{program_id}", program.version)
}

fn make(
    program: &Program,
    account: &Account,
    adding: &Adding,
    name: &str,
) -> Result<PathBuf, EngineError> {
    let place = adding.workplace()?;
    account
        .own(place.path())
        .map_err(EngineError::io(place.path()))?;
    let data = place.path().join("data");
    initdb(program, account, &data)?;
    populate(program, account, &data)?;
    adding.finish(&data, name)
}

fn initdb(program: &Program, account: &Account, data: &Path) -> Result<(), EngineError> {
    let mut command = account.command(&program.initdb());
    command.arg("--pgdata").arg(data).args([
        "--username",
        ADMIN,
        "--auth=reject",
        "--no-sync",
        "--locale=C",
        "--encoding=UTF8",
    ]);
    // Small segments make a copy cheap; initdb has the option since 11.
    if program.version.major >= 11 {
        command.arg("--wal-segsize=1");
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(EngineError::io(program.initdb()))?;
    check("initdb", program, &output, |_| true)
}

/// By the server in single-user mode: no socket, nobody else can come in.
fn populate(program: &Program, account: &Account, data: &Path) -> Result<(), EngineError> {
    let path = program.postgres();
    let mut server = account
        .command(&path)
        .args(["--single", "-c", "fsync=off", "-D"])
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(EngineError::io(&path))?;
    if let Some(mut stdin) = server.stdin.take() {
        // A server that died early says why on stderr.
        let _ = stdin.write_all(roles().as_bytes());
    }
    let output = server.wait_with_output().map_err(EngineError::io(&path))?;
    // It goes on after an error, and ends well.
    check("preparing a cluster", program, &output, |said| {
        !said.contains("ERROR:")
    })
}

/// The roles and databases of RDS, without passwords: a statement a line, as
/// single-user mode reads them.
///
/// RDS lets `rds_superuser` create extensions. PostgreSQL wants a superuser for
/// sslinfo, which isn't trusted (its control file), so that `postgres` has it
/// from the start, where the server was built with it.
pub(crate) fn roles() -> String {
    format!(
        "CREATE ROLE rds_superuser;\n\
         GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION;\n\
         CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE;\n\
         GRANT rds_superuser TO {MASTER};\n\
         CREATE ROLE {STRANGER} LOGIN;\n\
         ALTER DATABASE postgres OWNER TO {MASTER};\n\
         CREATE DATABASE {RESERVED_DATABASE} OWNER {ADMIN};\n\
         DO $$BEGIN \
         IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'sslinfo') \
         THEN CREATE EXTENSION sslinfo; END IF; END$$;\n"
    )
}

fn check(
    step: &'static str,
    program: &Program,
    output: &Output,
    accept: impl Fn(&str) -> bool,
) -> Result<(), EngineError> {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && accept(&said) {
        return Ok(());
    }
    Err(EngineError::Template {
        step,
        version: program.version,
        output: said.trim().to_owned(),
    })
}

/// Gives a file to the server's user alone.
pub(crate) fn write_private(
    path: &Path,
    contents: &[u8],
    account: &Account,
) -> Result<(), EngineError> {
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(EngineError::io(path))?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(contents))
        .and_then(|()| account.own(path))
        .map_err(EngineError::io(path))
}
