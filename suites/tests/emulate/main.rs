//! The emulated instance, used by programs that know nothing of it.

mod bounded;
mod clients;
#[path = "../death/mod.rs"]
mod death;
mod detached;
mod emulated;
#[path = "../guard/mod.rs"]
mod guard;
#[path = "../leftovers/mod.rs"]
mod leftovers;
#[path = "../proc/mod.rs"]
mod proc;
#[path = "../program/mod.rs"]
mod program;
mod psql;
mod stages;
mod tokio_postgres;
#[path = "../until/mod.rs"]
mod until;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use stages::Stages;

fn main() -> ExitCode {
    let stages = Arc::<Stages>::default();
    let trials = (psql::trials().into_iter())
        .chain(detached::trials())
        .chain(clients::trials(&stages))
        .chain(tokio_postgres::trials(&stages))
        .collect();
    drop(stages);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that needs nothing but this program.
fn test(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
