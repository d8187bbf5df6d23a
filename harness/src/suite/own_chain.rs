//! What a person gives to have drivers played on it.

use std::{borrow::Cow, path::Path};

use certs_gen::GivenFiles;

/// A person's own chain, as they named it.
#[derive(Clone, Debug)]
pub struct OwnChain {
    /// Where it is.
    pub files: GivenFiles,
    /// The name that clients dial and verify.
    pub host: String,
}

impl OwnChain {
    /// The options of `rds-tls` that give it, as a shell reads them.
    #[must_use]
    pub fn options(&self) -> String {
        let GivenFiles { chain, key, trust } = &self.files;
        format!(
            "--server-chain {} --server-key {} --trust {} --host {}",
            word(chain),
            word(key),
            word(trust),
            self.host
        )
    }
}

fn word(path: &Path) -> String {
    shell_word(&path.display().to_string()).into_owned()
}

/// A path as one word of a shell's.
#[must_use]
pub fn shell_word(path: &str) -> Cow<'_, str> {
    // NUL is all that can't be quoted, and no path holds one.
    shlex::try_quote(path).unwrap_or(Cow::Borrowed(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_paths_back() {
        let own = OwnChain {
            files: GivenFiles {
                chain: "staging/leaf first.pem".into(),
                key: "it's.key".into(),
                trust: "$HOME/root.pem".into(),
            },
            host: "db.example.com".to_owned(),
        };
        let words = shlex::split(&own.options()).unwrap();
        assert_eq!(
            words,
            [
                "--server-chain",
                "staging/leaf first.pem",
                "--server-key",
                "it's.key",
                "--trust",
                "$HOME/root.pem",
                "--host",
                "db.example.com"
            ]
        );
    }
}
