//! A tiny suite and hand-made observations, for the tests of what is made of
//! them.

use crate::{
    driver::{Outcome, SessionRow},
    suite::{CHAIN_FILE, Cell, Data, SourceFile},
    tap::{Event, Side, Transcript},
};

/// A cipher suite of TLS 1.3.
pub const AES: &str = "TLS_AES_256_GCM_SHA384";

/// A claim, `C`.
pub const CLAIMS: &str = "[[claim]]\nid = \"C\"\nparagraph = \"p\"\nsays = \"s\"\n";
/// A driver, `d`.
pub const DRIVER: &str = r#"
[driver]
id = "d"
name = "D"
default = "prefer"
sources = []
[modes]
[[configuration]]
id = "default"
does = "nothing"
source = "here"
[[refusal]]
is = "authorise hba"
message = "no pg_hba.conf entry"
source = "auth.c"
"#;
const SUITE: &str = r#"
[suite]
id = "t"
title = "a test"
claim = "C"
source = "here"
[axes.cell]
encrypted = {}
plaintext = {}
refused = {}
worded = {}
tls13 = {}
contrary = {}
aes = {}
asked = { ask = "q" }
named = {}
skipped = {}
[texts]
text = 'no pg_hba.conf entry for host "{client}", user "{user}", database "{database}", no encryption'
[questions]
q = "SELECT 1 AS one"
[answers]
one = "one\n1"
[[table]]
drivers = ["d"]
rows = '''
cell       -> outcome                      wire
encrypted  -> encrypted                    sslrequest S hello tls
plaintext  -> plaintext                    startup
refused    -> refused authorise hba 28000  startup error:28000
worded     -> refused authorise hba 28000  startup error:28000  says text
tls13      -> encrypted                    sslrequest S hello tls  negotiates TLSv1.3
aes        -> encrypted                    sslrequest S hello tls  cipher TLS_AES_256_GCM_SHA384
asked      -> plaintext                    startup  answers one
contrary   -> plaintext                    startup  against C
named      -> encrypted                    sslrequest S hello tls  common-name endpoint
skipped    -> skip: for a reason
'''
"#;
/// A refusal that the tiny suite's text words.
pub const HBA: &str =
    r#"no pg_hba.conf entry for host "127.0.0.1", user "u", database "d", no encryption"#;

/// A cell of the tiny suite, on PostgreSQL 17.
pub fn cell(name: &str, known: &str) -> Cell {
    cell_of(&data(known), name)
}

/// The cell `encrypted`, to be played on somebody's own chain.
pub fn cell_on_own_chain() -> Cell {
    let given = r#"encrypted = { leaf = "given", sslrootcert = "given" }"#;
    let suite = SUITE.replace("encrypted = {}", given);
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
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    Data::parse(&[
        file(name, suite),
        file("claims.toml", CLAIMS),
        file("drivers/d.toml", DRIVER),
        file("known.toml", known),
    ])
    .unwrap()
}
