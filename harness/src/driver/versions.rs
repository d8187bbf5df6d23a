//! The versions of the crates that this program is built with.

/// Cargo's record of them.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The version of a crate that is locked once.
pub fn locked_version(name: &str) -> String {
    let package = format!("\nname = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&package).and_then(|(_, after)| {
        let (version, _) = after.split_once('"')?;
        Some(version.to_owned())
    });
    version.unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    fn every_crate_that_is_named_is_locked_once(
        #[values(
            "tokio-postgres",
            "native-tls",
            "postgres-native-tls",
            "rustls",
            "tokio-postgres-rustls",
            "aws-lc-rs",
            "pq-src"
        )]
        name: &str,
    ) {
        assert_eq!(LOCK.matches(&format!("\nname = \"{name}\"\n")).count(), 1);
        assert!(locked_version(name).contains('.'), "{name}");
    }
}
