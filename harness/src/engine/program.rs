//! An installed server program, and what it says of itself.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{EngineError, Version};

/// The folder of a PostgreSQL installation's programs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// The folder that holds `postgres` and `initdb`, links resolved.
    pub bin: PathBuf,
    /// What `postgres --version` says.
    pub version: Version,
    /// Whether the server was built with OpenSSL.
    pub openssl: bool,
}

impl Program {
    /// Asks the programs in a folder what they are.
    ///
    /// A server says whether it was built with OpenSSL by the boot value of
    /// `ssl_ciphers` in `postgres --describe-config`: `none` without (guc.c,
    /// `guc_tables.c`: `SSL_LIBRARY`, `USE_OPENSSL`). It needs no cluster, no
    /// `pg_config`, and works as root; the setting `ssl_library` is left out
    /// of that list, and 10 and 11 don't have it.
    ///
    /// # Errors
    /// When `postgres` or `initdb` is missing or doesn't answer.
    pub fn inspect(bin: &Path) -> Result<Self, EngineError> {
        let given = bin.join("postgres");
        // A link in a folder of PATH leads to the folder that has initdb too.
        let postgres = given.canonicalize().map_err(EngineError::io(&given))?;
        let bin = postgres.parent().unwrap_or(bin).to_owned();
        let initdb = bin.join("initdb");
        if !initdb.is_file() {
            return Err(EngineError::NoProgram {
                program: postgres,
                why: "there is no initdb beside it".to_owned(),
            });
        }
        let version = Version::from_program(&ask(&postgres, "--version")?).map_err(|error| {
            EngineError::NoProgram {
                program: postgres.clone(),
                why: error.to_string(),
            }
        })?;
        let openssl = built_with_openssl(&ask(&postgres, "--describe-config")?);
        Ok(Self {
            bin,
            version,
            openssl,
        })
    }

    /// The server program.
    #[must_use]
    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }

    /// Whether it brings an OpenSSL before 1.1, which has no `ssl_conf` in its
    /// configuration, and ends a program whose configuration has one (conf(5):
    /// `OPENSSL_config`, `module_run` in `conf_mod.c`).
    #[must_use]
    pub fn has_old_openssl(&self) -> bool {
        (self.bin.parent()).is_some_and(|root| root.join("lib/libssl.so.1.0.0").exists())
    }

    /// The program that makes clusters.
    #[must_use]
    pub fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }
}

fn ask(program: &Path, question: &str) -> Result<String, EngineError> {
    let no_program = |why: String| EngineError::NoProgram {
        program: program.to_owned(),
        why,
    };
    let output = Command::new(program)
        .arg(question)
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| no_program(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(no_program(format!("{question}: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The columns are name, context, group, type, boot value, … (`help_config.c`).
fn built_with_openssl(described: &str) -> bool {
    described.lines().any(|line| {
        let mut columns = line.split('\t');
        columns.next() == Some("ssl_ciphers") && !matches!(columns.nth(3), None | Some("" | "none"))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "ssl_ciphers\tsighup\tSSL\tSTRING\tHIGH:MEDIUM:+3DES:!aNULL\t\t\tSets\t\n",
        true
    )]
    #[case(
        "ssl_ciphers\tsighup\tSSL\tSTRING\tnone\t\t\tSets the list.\t\n",
        false
    )]
    #[case("port\tpostmaster\tX\tINTEGER\t5432\t1\t65535\tSets\t\n", false)]
    #[case("", false)]
    fn knows_openssl_by_the_ciphers(#[case] described: &str, #[case] expected: bool) {
        assert_eq!(built_with_openssl(described), expected);
    }
}
