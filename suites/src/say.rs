//! What people are told beside the results.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Tells people something on standard error. Nobody may be left who reads it, which
/// must not stop a run, nor its clean-up.
pub fn say(what: impl Display) {
    let _ = writeln!(io::stderr(), "rds-tls: {what}");
}
