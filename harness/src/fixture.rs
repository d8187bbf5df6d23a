//! A tiny suite and hand-made observations, for the tests of what is made of
//! them.

use crate::{
    driver::{Outcome, SessionRow},
    suite::{CHAIN_FILE, Cell, Data, SourceFile},
    tap::{Event, Side, Transcript},
};

/// A cipher suite of TLS 1.3.
pub const AES: &str = "TLS_AES_256_GCM_SHA384";

/// A claim, `C`, that the cell `contrary` contradicts.
pub const CLAIMS: &str = r#"
[[claim]]
id = "C"
paragraph = "p"
says = "s"
kept_by = ["t cell=!contrary,odd"]
broken_by = ["t cell=contrary"]
[[claim.differs]]
cells = ["t cell=odd"]
actual = "d encrypts."
reason = "It may."
link = "there"
"#;
/// A driver, `d`.
pub const DRIVER: &str = r#"
[driver]
id = "d"
name = "D"
default = "plaintext"
verifier = "v"
refusals = ["server"]
sources = []
[[configuration]]
id = "default"
does = "nothing"
source = "here"
[connects]
tries = """
sslmode         -> tries      goes on after
disable,prefer  -> plaintext  -
require         -> tls        -
"""
verifies = """
sslmode  -> verifies  anchors
require  -> nothing   none
"""
"#;
/// A suite, `t`.
pub const SUITE: &str = r#"
[suite]
id = "t"
title = "a test"
source = "here"
[axes.cell]
encrypted = { sslmode = "require" }
plaintext = { sslmode = "disable", force_ssl = false }
refused = { sslmode = "disable", force_ssl = true }
contrary = { sslmode = "disable", force_ssl = false }
aes = { sslmode = "require" }
asked = { sslmode = "disable", force_ssl = false, ask = "q" }
named = { sslmode = "require" }
odd = { sslmode = "require" }
skipped = { sslmode = "require" }
[axes.version]
tls13 = { sslmode = "require" }
other = { sslmode = "require" }
[questions]
q = "SELECT 1 AS one"
[answers]
one = "one\n1"
[[play]]
axes = ["cell"]
sees = """
cell                                      -> sees
encrypted,plaintext,refused,contrary,odd  -> -
aes                                   -> cipher TLS_AES_256_GCM_SHA384
asked                                 -> answers one
named                                 -> common-name endpoint
skipped                               -> skip: for a reason
"""
[[play]]
axes = ["version"]
checks_version = true
"#;
/// What stands around a suite, in few words.
pub const AROUND: [(&str, &str); 5] = [
    ("axes.toml", "[leaf]\nright = {}\n"),
    (
        "engines.toml",
        "[[defaults]]\nengine = \"10-18\"\nforce_ssl = false\ntls_min = \"TLSv1.2\"\n\
         tls_max = \"TLSv1.3\"\nciphers = \"HIGH\"\nsource = \"here\"\n",
    ),
    (
        "refusals/server.toml",
        "[[refusal]]\nis = \"authorise hba\"\ntexts = [\"no pg_hba.conf entry\"]\nsource = \"auth.c\"\n",
    ),
    (
        "transport.toml",
        r#"
sources = []
admission = """
finds  encrypted  force_ssl  -> admitted  text
line   yes        *          -> yes       -
line   no         no         -> yes       -
line   no         yes        -> no        no-entry
"""
encryption = """
encrypted  -> words
no         -> no encryption
"""
tries = """
try        answer  handshake  admitted  -> outcome                      wire                   then
plaintext  *       *          yes       -> plaintext                    startup                -
plaintext  *       *          no        -> refused authorise hba 28000  startup error:28000    28000
tls        S       taken      *         -> encrypted                    sslrequest S hello tls  -
"""
[texts]
no-entry = 'no pg_hba.conf entry for host "{client}", user "{user}", database "{database}", {encryption}'
"#,
    ),
    (
        "verifiers/v.toml",
        r#"
[verifier]
id = "v"
name = "V"
offers = ["TLSv1.2", "TLSv1.3"]
ciphers = "all"
alerts = "clear"
sources = []
certificates = """
leaf  anchors  verifies  -> certificate  how
*     *        *         -> taken        -
"""
"#,
    ),
];
/// A refusal that the tiny suite's text words.
pub const HBA: &str =
    r#"no pg_hba.conf entry for host "127.0.0.1", user "u", database "d", no encryption"#;

/// A cell of the tiny suite, on PostgreSQL 17.
pub fn cell(name: &str, known: &str) -> Cell {
    cell_of(&data(known), name)
}

/// The cell `encrypted`, to be played on somebody's own chain.
pub fn cell_on_own_chain() -> Cell {
    let given = r#"encrypted = { sslmode = "require", leaf = "given", sslrootcert = "given" }"#;
    let suite = SUITE.replace(r#"encrypted = { sslmode = "require" }"#, given);
    cell_of(&parse(CHAIN_FILE, &suite, ""), "encrypted")
}

fn cell_of(data: &Data, name: &str) -> Cell {
    let id = format!("t/d/{name}");
    let case = data.cases.iter().find(|case| case.id == id).unwrap();
    case.at("17".parse().unwrap()).unwrap()
}

/// A session: what the driver says of TLS, and version and cipher of its row.
pub fn session(driver: Option<bool>, row: Option<(&str, &str)>) -> Outcome {
    Outcome::Connected {
        tls: driver,
        session: SessionRow {
            ssl: row.is_some(),
            version: row.map(|(version, _)| version.to_owned()),
            cipher: row.map(|(_, cipher)| cipher.to_owned()),
        },
        reply: None,
    }
}

/// A refusal by the server.
pub fn refused(message: &str) -> Outcome {
    Outcome::Refused {
        message: message.to_owned(),
        sqlstate: Some("28000".to_owned()),
    }
}

/// A handshake that went through.
pub fn tls(version: &str, cipher: &str) -> Transcript {
    one(vec![
        Event::SslRequest,
        Event::Answer { byte: 'S' },
        Event::ClientHello {
            versions: Vec::new(),
            ciphers: Vec::new(),
            groups: Vec::new(),
            sni: None,
            alpn: Vec::new(),
        },
        Event::ServerHello {
            version: version.to_owned(),
            cipher: cipher.to_owned(),
            group: None,
        },
        Event::Encrypted { from: Side::Client },
    ])
}

/// A plaintext session, or the refusal of one.
pub fn startup(error: Option<&str>) -> Transcript {
    let error = error.map(|message| Event::Error {
        severity: "FATAL".to_owned(),
        sqlstate: "28000".to_owned(),
        message: message.to_owned(),
    });
    let startup = Event::Startup {
        protocol: "3.0".to_owned(),
        parameters: Vec::new(),
    };
    one([Some(startup), error].into_iter().flatten().collect())
}

/// One connection.
pub fn one(events: Vec<Event>) -> Transcript {
    Transcript {
        connections: vec![events],
    }
}

/// The tiny suite, with the text of a `known.toml`.
pub fn data(known: &str) -> Data {
    parse("cases/t.toml", SUITE, known)
}

fn parse(name: &str, suite: &str, known: &str) -> Data {
    let own = [
        (name, suite),
        ("claims.toml", CLAIMS),
        ("drivers/d.toml", DRIVER),
        ("known.toml", known),
    ];
    Data::parse(&files(&own)).unwrap()
}

/// Some files, with what stands around a suite.
pub fn files(own: &[(&str, &str)]) -> Vec<SourceFile> {
    let all = own.iter().chain(&AROUND);
    all.map(|(name, text)| SourceFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    })
    .collect()
}
