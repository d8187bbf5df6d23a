//! Instances that many tests connect to.

use std::sync::OnceLock;

use certs_gen::{DEFAULT_ENDPOINT, Leaf};

use crate::emulated::Emulated;

/// A name and a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stage {
    pub host: &'static str,
    pub leaf: Leaf,
}

pub const STAGES: [Stage; 5] = [
    Stage {
        host: DEFAULT_ENDPOINT,
        leaf: Leaf::Right,
    },
    Stage {
        host: DEFAULT_ENDPOINT,
        leaf: Leaf::Other,
    },
    Stage {
        host: DEFAULT_ENDPOINT,
        leaf: Leaf::SelfSigned,
    },
    Stage {
        host: "localhost",
        leaf: Leaf::Right,
    },
    Stage {
        host: "localhost",
        leaf: Leaf::Other,
    },
];

impl Stage {
    pub fn is_local(self) -> bool {
        self.host == "localhost"
    }

    /// What the last part of a test's name is.
    pub fn id(self) -> String {
        let host = if self.is_local() {
            self.host
        } else {
            "endpoint"
        };
        format!("{host}/{}", self.leaf)
    }
}

/// The stages that have been asked for; ended when dropped.
#[derive(Default)]
pub struct Stages([OnceLock<Emulated>; STAGES.len()]);

impl Stages {
    /// Starts it, unless somebody has. Its folder's name is as hard to quote as
    /// names get.
    pub fn get(&self, stage: Stage) -> &Emulated {
        let nth = STAGES.iter().position(|known| *known == stage).unwrap();
        self.0[nth].get_or_init(|| {
            let temp = crate::leftovers::temp_called("it's \"$HOME\" ");
            let options = ["--host", stage.host, "--cert", stage.leaf.name()];
            Emulated::start_in(temp, &[&options[..], &["--force-ssl", "on"]].concat())
        })
    }
}
